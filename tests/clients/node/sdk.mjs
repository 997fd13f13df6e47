// The official SDK as SDK names it: `openai`, the newest, or `openai-4`, the major version
// that most apps on the Assistants API were written for.
const name = process.env.SDK ?? "openai";
export const sdk = await import(name);

// What an app changes is in the environment: OPENAI_BASE_URL and OPENAI_API_KEY.
export const client = new sdk.OpenAI({ maxRetries: 0 });

/** Print a line of what was seen. */
export const tell = (...seen) => console.log(JSON.stringify(seen));

/** Arguments that name a thing inside another: in version 4 the outer id comes first. */
export function inside(outer, id, parameters = {}) {
  return name === "openai-4"
    ? [...Object.values(outer), id, parameters]
    : [id, { ...outer, ...parameters }];
}

/** Tell every callback of an AssistantStream by its name, with what identifies it. */
export function tellCallbacks(stream) {
  const told = {
    event: ({ event }) => [event],
    runStepCreated: (step) => [step.type],
    runStepDelta: () => [],
    runStepDone: (step, snapshot) => [step.status, step.id === snapshot.id],
    toolCallCreated: (call) => [call.type],
    toolCallDelta: () => [],
    toolCallDone: (call) => [call],
    messageCreated: (message) => [message.content],
    messageDelta: () => [],
    messageDone: (message) => [message.status],
    textCreated: (text) => [typeof text.value],
    textDelta: (delta) => [delta.value],
    textDone: (text) => [text],
    imageFileDone: (image) => [image.file_id],
    run: (run) => [run.status],
    end: () => [],
    error: (error) => [String(error)],
    abort: (error) => [String(error)],
  };
  for (const [callback, about] of Object.entries(told)) {
    stream.on(callback, (...values) => tell(callback, ...about(...values)));
  }
  return stream;
}
