// One question, streamed from a thread of its own, with whatever tools are given.
import { client, tell, tellCallbacks } from "./sdk.mjs";

const [, , model, question, tools] = process.argv;
const assistant = await client.beta.assistants.create({
  model,
  tools: JSON.parse(tools),
});
const stream = client.beta.threads.createAndRunStream({
  assistant_id: assistant.id,
  thread: { messages: [{ role: "user", content: question }] },
});
const run = await tellCallbacks(stream).finalRun();
tell("final", run.status);
