// Files: uploaded, put into a store and searched, listed page by page, sent in parts.
import { createReadStream } from "node:fs";

import { client, sdk, tell } from "./sdk.mjs";

const [, , path] = process.argv;
const named = (name) => sdk.toFile(Buffer.from(`This is ${name}.`), name);

const streamed = await client.files.create({
  file: createReadStream(path),
  purpose: "assistants",
});
tell("file", streamed.filename, streamed.bytes, streamed.status);
const content = await client.files.content(streamed.id);
tell("content", await content.text());

const store = await client.vectorStores.create({ name: "notes" });
const files = await Promise.all(["a.txt", "b.txt", "c.txt"].map(named));
const batch = await client.vectorStores.fileBatches.uploadAndPoll(store.id, {
  files,
  fileIds: [streamed.id],
});
tell("batch", batch.status, batch.file_counts.completed);
const found = await client.vectorStores.search(store.id, { query: "high water" });
tell("found", found.data[0].filename);

// Pages of one, in both directions of time.
for (const order of ["asc", "desc"]) {
  const names = [];
  for await (const file of client.files.list({ limit: 1, order })) names.push(file.filename);
  tell("files", order, names.sort());
}
let listed = 0;
for await (const _ of client.vectorStores.files.list(store.id, { limit: 1 })) listed += 1;
tell("listed", listed);

const upload = await client.uploads.create({
  filename: "parts.txt",
  purpose: "assistants",
  mime_type: "text/plain",
  bytes: 11,
});
const parts = [];
for (const text of ["in two ", "bits"]) {
  const data = await sdk.toFile(Buffer.from(text), "part");
  parts.push((await client.uploads.parts.create(upload.id, { data })).id);
}
const completed = await client.uploads.complete(upload.id, { part_ids: parts });
tell("upload", completed.status, completed.file.bytes);
