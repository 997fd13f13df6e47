// One run as the thread shows it: messages, calls that wait for us, steps, how it ended.

import { get, post, Problem } from "./api.js";
import { el, say } from "./dom.js";
import { MessageView } from "./message.js";
import { pretty, StepsPanel } from "./steps.js";

const LIVE = new Set(["queued", "in_progress", "requires_action", "cancelling"]);
const REASONS = {
  cancelled: "Cancelled.",
  expired: "The run took too long and has expired.",
  incomplete: "The answer was cut off: a token limit was reached.",
};

export const isLive = (run) => LIVE.has(run.status);

export class Answer {
  #messages = new Map();
  #steps;
  #outcome = el("p", { className: "problem", hidden: true });
  #started = performance.now();

  constructor(run) {
    this.run = run;
    this.ids = { thread_id: run.thread_id, run_id: run.id };
    this.#steps = new StepsPanel(this.ids);
    this.element = el("section", { className: "answer" }, this.#outcome, this.#steps.element);
  }

  /** A message that is already there, from a list. */
  show(message) {
    const known = this.#messages.get(message.id);
    if (known) {
      known.set(message.content, { more: message.status === "in_progress" });
      return;
    }
    const view = new MessageView(message);
    this.#messages.set(message.id, view);
    this.#outcome.before(view.element);
  }

  /** One event of the run's stream. */
  hear({ name, data }) {
    if (name === "error") throw new Problem(data.error.message, 500);
    if (name === "thread.message.delta") this.#messages.get(data.id)?.add(data.delta);
    else if (name.startsWith("thread.message.")) this.show(data);
    else if (name === "thread.run.step.delta") this.#steps.add(data);
    else if (name.startsWith("thread.run.step.")) this.#steps.set(data);
    else if (name.startsWith("thread.run.")) this.run = data;
  }

  get status() {
    if (this.run.status === "queued") return "Waiting for a worker …";
    if (this.run.status === "cancelling") return "Stopping …";
    if (this.run.status === "requires_action") return "The assistant waits for an output from you.";
    return isLive(this.run) ? `${this.#steps.doing} …` : "";
  }

  /** The run has ended. `live`: we were there, and have measured the time. */
  finish({ live }) {
    const { status, last_error, usage, created_at } = this.run;
    const ended_at = this.run.completed_at ?? this.run.failed_at ?? this.run.cancelled_at;
    const lived = ended_at ? ended_at - created_at : null; // whole seconds: 0 says nothing
    this.#steps.finish(usage, live ? (performance.now() - this.#started) / 1000 : lived || null);
    say(this.#outcome, last_error?.message ?? REASONS[status] ?? "");
  }

  /**
   * Let the user answer the open calls; resolves once the run has gone on, by the
   * outputs or by whatever else has ended the wait.
   */
  askForOutputs(signal) {
    const calls = this.run.required_action.submit_tool_outputs.tool_calls;
    const problem = el("p", { className: "problem", role: "alert", hidden: true });
    const button = el("button", { className: "primary" }, calls.length > 1 ? "Submit outputs" : "Submit output");
    const form = el("form", { className: "card calls" }, ...calls.flatMap(drawCall), problem, button);
    this.#outcome.before(form);
    form.querySelector("textarea").focus();
    return new Promise((resolve) => {
      const leave = () => {
        form.remove();
        resolve();
      };
      signal.addEventListener("abort", leave, { once: true });
      form.onsubmit = async (event) => {
        event.preventDefault();
        button.disabled = true;
        say(problem, "");
        try {
          const fields = [...form.querySelectorAll("textarea")];
          const tool_outputs = fields.map((field) => ({ tool_call_id: field.name, output: field.value }));
          this.run = await post("/threads/{thread_id}/runs/{run_id}/submit_tool_outputs", this.ids, { tool_outputs });
          leave();
        } catch (error) {
          say(problem, error.message);
          button.disabled = false;
          const run = await get("/threads/{thread_id}/runs/{run_id}", this.ids).catch(() => this.run);
          if (run.status !== "requires_action") leave();
        }
      };
    });
  }
}

function drawCall(call) {
  const id = `output-${call.id}`;
  return [
    el("h3", {}, "The assistant calls ", el("code", {}, call.function.name)),
    el("pre", { tabIndex: 0 }, pretty(call.function.arguments)),
    el("label", { htmlFor: id }, `Output of ${call.function.name}`),
    el("textarea", { id, name: call.id, rows: 2, className: "code", spellcheck: false }),
  ];
}
