// What is refused, as the SDK's own classes of errors.
import { client, inside, sdk, tell } from "./sdk.mjs";

const [, , model, busyModel] = process.argv;
const { assistants, threads } = client.beta;
const question = { role: "user", content: "Hello?" };

/** Tell of which class an error is, and what it says of the request. */
async function refused(promise) {
  const error = await promise.then(() => null, (reason) => reason);
  const kinds = ["BadRequestError", "AuthenticationError", "NotFoundError", "RateLimitError"];
  const kind = kinds.find((name) => error instanceof sdk[name]);
  const named = Boolean(error.requestID ?? error.request_id);
  tell(kind ?? String(error), error.status, error.param ?? null, named);
}

await refused(assistants.create({ model, temperature: 3 }));
await refused(assistants.create({ model, temprature: 1 }));
await refused(assistants.retrieve("asst_nobody"));
const stranger = new sdk.OpenAI({ apiKey: "sk-nobody", maxRetries: 0 });
await refused(stranger.beta.assistants.list());
await refused(client.chat.completions.create({ model: busyModel, messages: [question] }));

// A run that fails on the model's side is an outcome, not an error.
const assistant = await assistants.create({ model });
const run = await threads.createAndRunPoll({ assistant_id: assistant.id });
tell(run.status, run.last_error.code);
const cancel = threads.runs.cancel(...inside({ thread_id: run.thread_id }, run.id));
await refused(cancel);
