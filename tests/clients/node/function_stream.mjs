// A run that calls a function, streamed: its answer is submitted with a stream as well.
import { client, inside, tell, tellCallbacks } from "./sdk.mjs";

const [, , model] = process.argv;
const add = {
  type: "function",
  function: { name: "add", parameters: { type: "object", properties: {} } },
};
const assistant = await client.beta.assistants.create({ model, tools: [add] });
const thread = await client.beta.threads.create({
  messages: [{ role: "user", content: "What is 1 + 2?" }],
});

const runs = client.beta.threads.runs;
const asked = runs.stream(thread.id, { assistant_id: assistant.id });
const run = await tellCallbacks(asked).finalRun();
tell("then");

const outputs = run.required_action.submit_tool_outputs.tool_calls.map((call) => {
  const { numbers } = JSON.parse(call.function.arguments);
  return { tool_call_id: call.id, output: String(numbers[0] + numbers[1]) };
});
const answered = runs.submitToolOutputsStream(
  ...inside({ thread_id: thread.id }, run.id, { tool_outputs: outputs }),
);
const messages = await tellCallbacks(answered).finalMessages();
tell("messages", ...messages.map((message) => message.content[0].text.value));
