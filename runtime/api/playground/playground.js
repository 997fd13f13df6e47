// The page: a key first, then the workbench.

import { get, key } from "./api.js";
import { ensure, start } from "./assistant.js";
import { $, el, report, say } from "./dom.js";
import { showFiles } from "./files.js";
import { ask, cancel, isBusy, restore, startNew } from "./thread.js";

// What the built-in model can do; a real one needs no examples.
const BUILTIN = "builtin";
const EXAMPLES = ["/python print(sum(range(101)))", '/call get_weather {"city": "Oslo"}', "What do my files say about safety?"];

/** A key may come as `#key=…`; it does not stay in the address, nor in the history. */
function keyFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given === null) return false;
  key.set(given);
  history.replaceState(null, "", location.pathname + location.search);
  return true;
}

async function enter() {
  say($("key-problem"), "");
  if (!key.get()) return showWelcome();
  try {
    await get("/assistants", { limit: 1 });
  } catch (error) {
    if (error.status === 401) key.forget();
    return showWelcome(error);
  }
  show({ inside: true });
  try {
    await start(assistantChanged);
    await restore();
  } catch (error) {
    report(error);
  }
}

function showWelcome(error) {
  show({ inside: false });
  say($("key-problem"), error?.message ?? "");
  $("key").value = key.get();
  $("key").focus();
}

function show({ inside }) {
  $("welcome").hidden = inside;
  for (const id of ["workbench", "toggle-setup", "new-thread", "forget-key"]) $(id).hidden = !inside;
}

function assistantChanged() {
  showFiles();
  const examples = $("model").value === BUILTIN ? EXAMPLES : [];
  $("examples").replaceChildren(...examples.map(example));
}

function example(text) {
  const button = el("button", { type: "button" }, text);
  button.onclick = () => {
    $("question").value = text;
    $("question").focus();
  };
  return button;
}

async function send(event) {
  event.preventDefault();
  const text = $("question").value.trim();
  if (!text || isBusy()) return;
  report(null);
  $("question").value = "";
  try {
    await ask(text, ensure);
  } catch (error) {
    report(error);
    $("question").value ||= text; // nothing typed is lost
  }
}

$("key-form").onsubmit = (event) => {
  event.preventDefault();
  key.set($("key").value);
  enter();
};
$("forget-key").onclick = () => {
  key.forget();
  // A fresh page: nothing that was shown or fetched stays.
  sessionStorage.clear();
  location.reload();
};
$("toggle-setup").onclick = () => {
  const open = $("setup").classList.toggle("open");
  $("toggle-setup").setAttribute("aria-expanded", String(open));
};
$("new-thread").onclick = startNew;
$("composer").onsubmit = send;
$("cancel").onclick = cancel;
$("question").onkeydown = (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("composer").requestSubmit();
};
addEventListener("hashchange", () => keyFromAddress() && location.reload());

keyFromAddress();
enter();
