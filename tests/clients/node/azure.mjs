// An app of Azure's copy, as its documentation has it: endpoint, key and version.
import { inside, sdk, tell } from "./sdk.mjs";

const [, , model] = process.argv;
const endpoint = new URL(process.env.OPENAI_BASE_URL).origin;
// The client of Azure takes no base URL beside its endpoint.
delete process.env.OPENAI_BASE_URL;
const settings = { endpoint, apiVersion: "2024-05-01-preview", maxRetries: 0 };
const azure = new sdk.AzureOpenAI({ ...settings, apiKey: process.env.OPENAI_API_KEY });

const { assistants, threads } = azure.beta;
const assistant = await assistants.create({ model });
const messages = [{ role: "user", content: "One?" }];
const thread = await threads.create({ messages });
const run = await threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id });
tell(run.status);
const stream = threads.runs.stream(thread.id, { assistant_id: assistant.id });
tell((await stream.finalMessages())[0].content[0].text.value);
const same = await threads.runs.retrieve(...inside({ thread_id: thread.id }, run.id));
tell(same.id === run.id);

const file = await azure.files.create({
  file: await sdk.toFile(Buffer.from("Some notes."), "notes.txt"),
  purpose: "assistants",
});
tell(file.filename, (await azure.files.list()).data.length);
const answer = await azure.chat.completions.create({ model, messages });
tell(answer.choices[0].message.content);

const stranger = new sdk.AzureOpenAI({ ...settings, apiKey: "sk-nobody-at-all-here" });
tell(await assistants.list().then(() => "listed"));
tell(await stranger.beta.assistants.list().catch((error) => error.status));
