// The assistant in use: chosen, made or changed by the form.

import { get, post } from "./api.js";
import { $, el, report } from "./dom.js";

const CHOSEN = "assistants.assistant";
const NEW = "";
const EXAMPLE_FUNCTIONS = [
  {
    name: "get_weather",
    description: "The weather at a place right now.",
    parameters: {
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
    },
  },
];

let current = null; // the assistant as the API has it; null: a new one
let onChange = () => {};
let dirty = false;
// Changes go one after the other: each is made from what the last one left.
let changes = Promise.resolve();

export const assistant = () => current;

/** Load models and assistants; `changed` hears of each other assistant. */
export async function start(changed) {
  onChange = changed;
  const [models, page] = await Promise.all([
    // Without its upstream the rest of the runtime still works.
    get("/models").catch((error) => {
      report(error);
      return { data: [] };
    }),
    get("/assistants", { limit: 100 }),
  ]);
  $("model").replaceChildren(...models.data.map(({ id }) => el("option", { value: id }, id)));
  $("assistant").replaceChildren(el("option", { value: NEW }, "New assistant"), ...page.data.map(option));
  const known = new Map(page.data.map((one) => [one.id, one]));
  choose(known.get(sessionStorage.getItem(CHOSEN)) ?? page.data[0] ?? null);
}

function option({ id, name }) {
  return el("option", { value: id }, name || `Unnamed (${id.slice(-6)})`);
}

function choose(one) {
  current = one;
  sessionStorage.setItem(CHOSEN, one?.id ?? NEW);
  $("assistant").value = one?.id ?? NEW;
  $("name").value = one?.name ?? "";
  if (one && ![...$("model").options].some(({ value }) => value === one.model)) {
    $("model").append(el("option", { value: one.model }, `${one.model} (not listed)`));
  }
  if (one) $("model").value = one.model;
  $("instructions").value = one?.instructions ?? "";
  const functions = (one?.tools ?? []).filter(({ type }) => type === "function").map((tool) => tool.function);
  $("file-search").checked = one ? has(one, "file_search") : true;
  $("code-interpreter").checked = one ? has(one, "code_interpreter") : true;
  $("functions").checked = functions.length > 0;
  $("function-list").value = JSON.stringify(functions.length ? functions : EXAMPLE_FUNCTIONS, null, 2);
  $("functions-box").hidden = !functions.length;
  settled("");
  onChange();
}

const has = (one, type) => one.tools.some((tool) => tool.type === type);

function settled(word) {
  dirty = false;
  $("save-assistant").textContent = current ? "Save" : "Create";
  $("save-assistant").disabled = Boolean(current);
  $("saved").textContent = word;
}

function touched() {
  dirty = true;
  $("save-assistant").disabled = false;
  $("saved").textContent = "";
}

function inTurn(work) {
  const done = changes.then(work);
  changes = done.catch(() => {});
  return done;
}

/** The assistant as the form has it: made or saved first, if need be. */
export function ensure() {
  return inTurn(async () => {
    if (!current) {
      const made = await post("/assistants", {}, fields());
      $("assistant").append(option(made));
      choose(made);
      settled("Created");
    } else if (dirty) {
      await change(fields());
      settled("Saved");
    }
    return current;
  });
}

/** Change the assistant; `fieldsFrom(assistant)` makes the new fields of what it is now. */
export const modify = (fieldsFrom) => inTurn(() => change(fieldsFrom(current)));

async function change(changed) {
  const assistant_id = current.id;
  const after = await post("/assistants/{assistant_id}", { assistant_id }, changed);
  if (current?.id === assistant_id) current = after;
  const shown = [...$("assistant").options].find(({ value }) => value === assistant_id);
  shown.textContent = option(after).textContent;
}

/** Switch a tool on, for files that need it. */
export function withTool(type, one) {
  $(type.replace("_", "-")).checked = true;
  return has(one, type) ? one.tools : [...one.tools, { type }];
}

function fields() {
  return {
    name: $("name").value.trim() || null,
    model: $("model").value,
    instructions: $("instructions").value,
    tools: tools(),
  };
}

function tools() {
  // A tool that is there keeps the settings it has, which this page does not show.
  const kept = (type) => current?.tools.find((tool) => tool.type === type) ?? { type };
  const chosen = [];
  if ($("file-search").checked) chosen.push(kept("file_search"));
  if ($("code-interpreter").checked) chosen.push(kept("code_interpreter"));
  if ($("functions").checked) chosen.push(...functionTools());
  return chosen;
}

function functionTools() {
  let list;
  try {
    list = JSON.parse($("function-list").value);
  } catch (error) {
    throw new Error(`The list of functions is not valid JSON: ${error.message}`);
  }
  if (!Array.isArray(list)) throw new Error("The functions must be a JSON list: [ … ].");
  return list.map((one) => ({ type: "function", function: one }));
}

async function save(event) {
  event.preventDefault();
  report(null);
  try {
    await ensure();
  } catch (error) {
    report(error);
  }
}

async function pick() {
  report(null);
  const assistant_id = $("assistant").value;
  try {
    choose(assistant_id === NEW ? null : await get("/assistants/{assistant_id}", { assistant_id }));
  } catch (error) {
    report(error);
  }
}

$("assistant").onchange = pick;
$("assistant-form").onsubmit = save;
$("assistant-form").oninput = (event) => {
  if (event.target !== $("assistant")) touched();
  $("functions-box").hidden = !$("functions").checked;
};
