// The thread: questions go in, runs are followed to their end, a reload finds it again.

import { get, post, stream } from "./api.js";
import { $, report } from "./dom.js";
import { Answer, isLive } from "./answer.js";
import { MessageView } from "./message.js";

const THREAD = "assistants.thread";
const NEAR_PX = 80;

let threadId = null;
let atEnd = true;
// The live run: its answer; `gone` aborts when we leave it, `wait` when outputs are no
// longer wanted.
let following = null;

/**
 * Ask in this thread, or a new one; resolves when the run has ended. `ensure` gives the
 * assistant that is asked. Throws if there is no run for it: then nothing was said.
 */
export async function ask(text, ensure) {
  const question = show(new MessageView({ id: "", role: "user", content: [{ type: "text", text: { value: text } }] }));
  setBusy("Sending …");
  let run;
  try {
    const assistant = await ensure();
    await ensureThread();
    // The question travels with the run: if that is refused, the thread has neither.
    run = await post("/threads/{thread_id}/runs", { thread_id: threadId }, {
      assistant_id: assistant.id,
      additional_messages: [{ role: "user", content: text }],
    });
  } catch (error) {
    question.element.remove();
    setIdle();
    throw error;
  }
  await follow(show(new Answer(run)));
}

async function ensureThread() {
  if (threadId) return;
  threadId = (await post("/threads")).id;
  sessionStorage.setItem(THREAD, threadId);
}

async function follow(answer) {
  const turn = { answer, gone: new AbortController(), wait: new AbortController() };
  const left = turn.gone.signal;
  following = turn;
  setBusy(answer.status);
  try {
    let after = 0;
    do after = await hearAll(answer, after, left);
    while (!left.aborted && (await goesOn(turn)));
    if (!left.aborted) answer.finish({ live: true });
  } catch (error) {
    if (!left.aborted) report(error);
  } finally {
    if (following === turn) setIdle();
  }
}

async function hearAll(answer, after, signal) {
  const onBreak = (broken) => setBusy(broken ? "The connection broke; trying again …" : answer.status);
  const options = { after, signal, onBreak };
  for await (const event of stream("/threads/{thread_id}/runs/{run_id}/stream", answer.ids, options)) {
    after = event.id ?? after;
    answer.hear(event);
    setBusy(answer.status);
  }
  return after;
}

/** A stream also ends where a run waits for outputs. Is there more to follow? */
async function goesOn({ answer, gone, wait }) {
  if (!isLive(answer.run)) return false;
  // What we heard may be long past: a replayed stream pauses where it paused then.
  answer.run = await get("/threads/{thread_id}/runs/{run_id}", answer.ids);
  if (answer.run.status === "requires_action" && !gone.signal.aborted) {
    setBusy(answer.status);
    await answer.askForOutputs(AbortSignal.any([wait.signal, gone.signal]));
  }
  return true;
}

export async function cancel() {
  if (!following) return;
  const { answer, wait } = following;
  try {
    answer.run = await post("/threads/{thread_id}/runs/{run_id}/cancel", answer.ids);
    setBusy(answer.status);
  } catch (error) {
    report(error);
  }
  wait.abort();
}

/** Leave this thread; a run on it goes on without us. */
export function startNew() {
  following?.gone.abort();
  threadId = null;
  sessionStorage.removeItem(THREAD);
  report(null);
  setIdle();
  $("messages").replaceChildren();
  $("empty").hidden = false;
  $("question").focus();
}

/** Show the thread this tab was in, and follow its run if one is live. */
export async function restore() {
  const thread_id = sessionStorage.getItem(THREAD);
  if (!thread_id) return;
  try {
    const [messages, runs] = await Promise.all([
      get("/threads/{thread_id}/messages", { thread_id, order: "desc", limit: 100 }),
      get("/threads/{thread_id}/runs", { thread_id, order: "desc", limit: 100 }),
    ]);
    threadId = thread_id;
    showAll(messages.data.reverse(), runs.data.reverse());
  } catch (error) {
    if (error.status === 404) sessionStorage.removeItem(THREAD);
    else throw error;
  }
}

function showAll(messages, runs) {
  const answers = runs.map((run) => new Answer(run));
  const places = new Map(runs.map((run, place) => [run.id, place]));
  let shown = 0;
  const showWhile = (isDue) => {
    while (shown < answers.length && isDue(answers[shown])) show(answers[shown++]);
  };
  for (const message of messages) {
    const place = places.get(message.run_id);
    if (place === undefined) {
      // A run that said nothing has only its time (whole seconds) to go by.
      showWhile(({ run }) => run.created_at < message.created_at);
      show(new MessageView(message));
    } else {
      showWhile(() => shown <= place);
      answers[place].show(message);
    }
  }
  showWhile(() => true);
  for (const answer of answers) if (!isLive(answer.run)) answer.finish({ live: false });
  const live = answers.find((answer) => isLive(answer.run));
  if (live) follow(live);
}

function show(view) {
  $("empty").hidden = true;
  atEnd = true;
  $("messages").append(view.element);
  return view;
}

/** Who is at the end stays there while it grows; who reads further up is left alone. */
function keepEnd() {
  const box = $("scroller");
  box.onscroll = () => {
    atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_PX;
  };
  // What is opened is to be read from its top. (No short form: to return false from here
  // would undo the click.)
  $("messages").onclick = () => {
    atEnd = false;
  };
  new ResizeObserver(() => atEnd && box.scrollTo(0, box.scrollHeight)).observe($("messages"));
}

function setBusy(status) {
  // The same words again would be read out again.
  if ($("status").textContent !== status) $("status").textContent = status;
  $("send").hidden = true;
  $("cancel").hidden = false;
  $("cancel").disabled = !following;
}

function setIdle() {
  following = null;
  $("status").textContent = "";
  $("send").hidden = false;
  $("cancel").hidden = true;
  // The form that had the focus may be gone.
  if (document.activeElement === document.body) $("question").focus({ preventScroll: true });
}

export const isBusy = () => $("send").hidden;

keepEnd();
