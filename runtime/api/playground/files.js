// The assistant's files: those it searches, and those its Python finds in /mnt/data.

import { get, post, remove, upload } from "./api.js";
import { assistant, ensure, modify, withTool } from "./assistant.js";
import { $, el, report, say, size } from "./dom.js";

const FIRST_POLL_MS = 300;
const LONGEST_POLL_MS = 3_000;

let uploads = Promise.resolve();

const storeOf = (one) => one?.tool_resources?.file_search?.vector_store_ids?.[0];
const pythonIdsOf = (one) => one?.tool_resources?.code_interpreter?.file_ids ?? [];

/** Show the files of the assistant in use. */
export async function showFiles() {
  $("search-list").replaceChildren();
  $("python-list").replaceChildren();
  const one = assistant();
  const store = storeOf(one);
  if (!store && !pythonIdsOf(one).length) return;
  try {
    const [files, inStore] = await Promise.all([
      get("/files"),
      store ? get("/vector_stores/{vector_store_id}/files", { vector_store_id: store, limit: 100 }) : { data: [] },
    ]);
    if (assistant()?.id !== one.id) return;
    const names = new Map(files.data.map((file) => [file.id, file]));
    for (const file of inStore.data.reverse()) watch(searchRow(names.get(file.id), file.id), store, file);
    for (const id of pythonIdsOf(one)) pythonRow(names.get(id), id);
  } catch (error) {
    report(error);
  }
}

/** A line of a list: name, progress, state, a way to take the file out. */
class Row {
  constructor(list, name, takeOut) {
    this.state = el("span", { className: "state" });
    this.bar = el("progress", { max: 1, value: 0, hidden: true, "aria-label": `Upload of ${name}` });
    this.button = el("button", { type: "button", className: "quiet" }, "×");
    this.button.setAttribute("aria-label", `Take out ${name}`);
    this.button.hidden = !takeOut;
    this.button.onclick = async () => {
      try {
        await takeOut?.();
        this.element.remove();
      } catch (error) {
        this.fail(error.message);
      }
    };
    this.problem = el("p", { className: "problem", hidden: true });
    this.element = el("li", {}, el("span", { className: "name", title: name }, name), this.state, this.button, this.bar, this.problem);
    list.append(this.element);
  }

  progress(fraction) {
    this.bar.hidden = fraction >= 1;
    this.bar.value = fraction;
    this.state.textContent = fraction < 1 ? `${Math.round(fraction * 100)} %` : "storing …";
  }

  fail(sentence) {
    this.bar.hidden = true;
    this.state.textContent = "failed";
    say(this.problem, sentence);
  }
}

function searchRow(file, file_id) {
  const vector_store_id = storeOf(assistant());
  const takeOut = () => remove("/vector_stores/{vector_store_id}/files/{file_id}", { vector_store_id, file_id });
  return new Row($("search-list"), file?.filename ?? file_id, takeOut);
}

function pythonRow(file, file_id) {
  const takeOut = () => modify((one) => withPython(one, pythonIdsOf(one).filter((id) => id !== file_id)));
  const row = new Row($("python-list"), file?.filename ?? file_id, takeOut);
  row.state.textContent = file ? size(file.bytes) : "";
  return row;
}

const withPython = (one, file_ids) => ({ tool_resources: { ...one.tool_resources, code_interpreter: { file_ids } } });

/** Tell a row what becomes of its file, until it can be searched or cannot. */
async function watch(row, vector_store_id, file) {
  let wait = FIRST_POLL_MS;
  while (file.status === "in_progress" && row.element.isConnected) {
    row.state.textContent = "reading …";
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(wait * 1.5, LONGEST_POLL_MS);
    try {
      file = await get("/vector_stores/{vector_store_id}/files/{file_id}", { vector_store_id, file_id: file.id });
    } catch (error) {
      if (!error.passes) return row.fail(error.message);
    }
  }
  if (file.status === "completed") row.state.textContent = "ready";
  else if (file.status !== "in_progress") row.fail(file.last_error?.message ?? `The file is ${file.status}.`);
}

/** Show the files at once, and upload one after the other; each row tells its own fate. */
async function addAll(files, list, settle) {
  report(null);
  try {
    await ensure();
  } catch (error) {
    return report(error);
  }
  for (const file of files) {
    const row = new Row(list, file.name, null);
    row.state.textContent = "waiting";
    uploads = uploads.then(() => add(file, row, settle));
  }
}

async function add(file, row, settle) {
  try {
    const stored = await upload("/files", file, { purpose: "assistants" }, (fraction) => row.progress(fraction));
    row.element.replaceWith((await settle(stored)).element);
  } catch (error) {
    row.fail(error.message);
    row.button.hidden = false; // takes only the line away
  }
}

async function addToSearch(stored) {
  const vector_store_id = storeOf(assistant()) ?? (await makeStore());
  const file = await post("/vector_stores/{vector_store_id}/files", { vector_store_id }, { file_id: stored.id });
  const row = searchRow(stored, stored.id);
  watch(row, vector_store_id, file);
  return row;
}

async function makeStore() {
  const { id } = await post("/vector_stores", {}, { name: "Playground" });
  await modify((one) => ({
    tools: withTool("file_search", one),
    tool_resources: { ...one.tool_resources, file_search: { vector_store_ids: [id] } },
  }));
  return id;
}

async function addToPython(stored) {
  await modify((one) => ({
    tools: withTool("code_interpreter", one),
    ...withPython(one, [...pythonIdsOf(one), stored.id]),
  }));
  return pythonRow(stored, stored.id);
}

function takesFiles(input, list, settle) {
  const zone = input.parentElement;
  input.onchange = () => {
    addAll([...input.files], list, settle);
    input.value = ""; // so that the same file can be chosen again
  };
  zone.ondragover = (event) => {
    event.preventDefault();
    zone.classList.add("over");
  };
  zone.ondragleave = () => zone.classList.remove("over");
  zone.ondrop = (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    addAll([...event.dataTransfer.files], list, settle);
  };
}

takesFiles($("search-files"), $("search-list"), addToSearch);
takesFiles($("python-files"), $("python-list"), addToPython);
