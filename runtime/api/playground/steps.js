// What a run did, step by step: code and logs, what a search found, calls, tokens, time.

import { get } from "./api.js";
import { count, el, report } from "./dom.js";
import { picture } from "./made.js";

const WITH_TEXT = "step_details.tool_calls[*].file_search.results[*].content";
const DOING = { code_interpreter: "Running Python", file_search: "Searching files", function: "Calling a function" };

export class StepsPanel {
  #steps = new Map();
  #list = el("ol");
  #summary = el("summary", {}, "Steps");
  #ids;
  #ended = false;

  /** `ids`: thread_id and run_id. */
  constructor(ids) {
    this.#ids = ids;
    this.element = el("details", { className: "steps", hidden: true, "aria-live": "off" }, this.#summary, this.#list);
    this.element.ontoggle = () => this.#opened();
  }

  /** What the run is at, in a word or two. */
  get doing() {
    const last = [...this.#steps.values()].at(-1);
    if (!last || last.status !== "in_progress") return "Thinking";
    if (last.type === "message_creation") return "Writing";
    return DOING[last.step_details.tool_calls?.[0]?.type] ?? "Thinking";
  }

  set(step) {
    this.#steps.set(step.id, structuredClone(step));
    this.#changed();
  }

  add({ id, delta }) {
    const calls = this.#steps.get(id)?.step_details.tool_calls;
    for (const { index, ...piece } of delta.step_details?.tool_calls ?? []) {
      if (!calls) return;
      const call = (calls[index] ??= { type: piece.type, [piece.type]: {} });
      grow(call[piece.type], piece[piece.type] ?? {});
    }
    this.#changed();
  }

  /** The run has ended: `usage` of all its turns (or null), and how long it took. */
  finish(usage, seconds) {
    this.#ended = true;
    const steps = this.#steps.size ? [count(this.#steps.size, "step")] : ["Steps"];
    const tokens = usage ? [count(usage.total_tokens, "token")] : [];
    const time = seconds === null ? [] : [duration(seconds)];
    this.#summary.textContent = [...steps, ...tokens, ...time].join(" · ");
    this.element.hidden = false;
    if (this.element.open) this.#opened();
  }

  #changed() {
    this.element.hidden = false;
    if (!this.#ended) this.#summary.textContent = count(this.#steps.size, "step");
    if (this.element.open) this.#draw();
  }

  async #opened() {
    if (!this.element.open) return;
    this.#draw();
    if (!this.#ended) return;
    try {
      // Events leave out the passages a search found; they are there for who asks.
      const page = await get("/threads/{thread_id}/runs/{run_id}/steps", {
        ...this.#ids, order: "asc", limit: 100, "include[]": WITH_TEXT,
      });
      for (const step of page.data) this.#steps.set(step.id, step);
      this.#draw();
    } catch (error) {
      report(error);
    }
  }

  #draw() {
    this.#list.replaceChildren(...[...this.#steps.values()].map(drawStep));
  }
}

function duration(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  return `${Number.isInteger(seconds) ? seconds : seconds.toFixed(1)} s`;
}

/** Add a delta: texts grow, lists by index, the rest is replaced. */
function grow(target, piece) {
  for (const [name, value] of Object.entries(piece)) {
    if (name === "outputs") {
      target.outputs ??= [];
      for (const { index, ...output } of value) {
        if (target.outputs[index]?.logs !== undefined) target.outputs[index].logs += output.logs ?? "";
        else target.outputs[index] = output;
      }
    } else if (name === "input" || name === "arguments") target[name] = (target[name] ?? "") + value;
    else target[name] = value;
  }
}

function drawStep(step) {
  const calls = step.step_details.tool_calls?.filter(Boolean);
  const facts = [];
  if (step.status !== "completed") facts.push(step.status.replace("_", " "));
  if (step.usage) facts.push(`${count(step.usage.prompt_tokens, "token")} in, ${step.usage.completion_tokens.toLocaleString("en")} out`);
  const item = el("li");
  if (calls) item.append(...calls.flatMap((call) => drawCall[call.type](call[call.type])));
  else item.append(el("h4", {}, "Wrote the answer"));
  if (step.last_error) item.append(el("p", { className: "problem" }, step.last_error.message));
  item.append(el("p", { className: "facts" }, facts.join(" · ")));
  return item;
}

const pre = (text) => el("pre", { tabIndex: 0 }, text);

const drawCall = {
  code_interpreter: ({ input = "", outputs = [] }) => [
    el("h4", {}, "Ran Python"),
    pre(input),
    ...outputs.filter(Boolean).map((output) => (output.image ? picture(output.image.file_id) : pre(output.logs ?? ""))),
  ],
  file_search: ({ results = [] }) => [
    el("h4", {}, `Searched files: ${count(results.length, "passage")}`),
    ...results.map(drawResult),
  ],
  function: ({ name = "", arguments: args = "", output = null }) => [
    el("h4", {}, "Called ", el("code", {}, name)),
    pre(pretty(args)),
    ...(output === null ? [] : [pre(output)]),
  ],
};

function drawResult({ file_name, page, score, content }) {
  const head = `${file_name}${page ? `, page ${page}` : ""} · ${score.toFixed(2)}`;
  if (!content) return el("p", { className: "result" }, head);
  const texts = content.map((part) => pre(part.text));
  return el("details", { className: "result" }, el("summary", {}, head), ...texts);
}

/** JSON in lines, if it is JSON. */
export function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
