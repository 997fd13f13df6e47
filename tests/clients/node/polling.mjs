// The helpers that wait: for a run, for its outputs, for a thread and run at once.
import { client, inside, tell } from "./sdk.mjs";

const [, , model] = process.argv;
const add = {
  type: "function",
  function: { name: "add", parameters: { type: "object", properties: {} } },
};
const { threads } = client.beta;
const assistant = await client.beta.assistants.create({ model, tools: [add] });
const messages = [{ role: "user", content: "What is 1 + 2?" }];
const thread = await threads.create({ messages });

const waiting = await threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id });
tell(waiting.status);
const [call] = waiting.required_action.submit_tool_outputs.tool_calls;
const outputs = [{ tool_call_id: call.id, output: "3" }];
const done = await threads.runs.submitToolOutputsAndPoll(
  ...inside({ thread_id: thread.id }, waiting.id, { tool_outputs: outputs }),
);
tell(done.status, done.usage.total_tokens);
for await (const step of threads.runs.steps.list(
  ...inside({ thread_id: thread.id }, done.id, { order: "asc" }),
)) {
  tell(step.type, step.status);
}

const other = await threads.createAndRunPoll({
  assistant_id: assistant.id,
  thread: { messages },
});
tell(other.status);
