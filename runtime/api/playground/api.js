// The one room that speaks HTTP: requests with the key, uploads, streams, blobs.

// Relative to the page, so that a proxy may serve all of it below a prefix.
const BASE = new URL("v1", document.baseURI).href;
const KEY = "assistants.key";
const LONGEST_SILENCE_MS = 45_000; // three keep-alives of the server
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8_000;

/** A failure in the API's own sentence. `status` 0: no answer came. */
export class Problem extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
  get passes() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (value) => sessionStorage.setItem(KEY, value.trim()),
  forget: () => sessionStorage.removeItem(KEY),
};

/** `names` fill the braces of a path; those it has no braces for become the query. */
function address(path, names = {}) {
  const query = new URLSearchParams();
  const unused = { ...names };
  const filled = path.replace(/\{(\w+)\}/g, (_, name) => {
    delete unused[name];
    return encodeURIComponent(names[name]);
  });
  for (const [name, value] of Object.entries(unused)) query.set(name, value);
  return `${BASE}${filled}${query.size ? `?${query}` : ""}`;
}

async function request(method, path, names, { body, headers, signal } = {}) {
  const init = { method, signal, headers: { ...headers, authorization: `Bearer ${key.get()}` } };
  if (body !== undefined) {
    init.headers["content-type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(address(path, names), init);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem("The server does not answer.");
  }
  if (!response.ok) throw problemOf(response.status, await response.text());
  return response;
}

function problemOf(status, text) {
  try {
    return new Problem(JSON.parse(text).error.message, status);
  } catch {
    return new Problem(`The server answered with status ${status}.`, status);
  }
}

export const get = async (path, names) => (await request("GET", path, names)).json();
export const post = async (path, names, body = {}) => (await request("POST", path, names, { body })).json();
export const remove = async (path, names) => (await request("DELETE", path, names)).json();
export const download = async (path, names) => (await request("GET", path, names)).blob();

/** Upload one file; `onProgress` hears fractions of 1. fetch cannot tell progress, XHR can. */
export function upload(path, file, fields, onProgress) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", file);
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    xhr.open("POST", address(path));
    xhr.setRequestHeader("authorization", `Bearer ${key.get()}`);
    xhr.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    xhr.onerror = () => reject(new Problem("The server does not answer."));
    xhr.onload = () =>
      xhr.status < 300 ? resolve(JSON.parse(xhr.responseText)) : reject(problemOf(xhr.status, xhr.responseText));
    xhr.send(form);
  });
}

/**
 * The events of a stream as `{id, name, data}`, until it says `done`.
 *
 * A broken connection is taken up again behind the last event that came; `onBreak` is
 * told of each, with true, and with false once events flow again. What will not pass
 * (404, 401) is thrown.
 */
export async function* stream(path, names, { after = 0, signal, onBreak = () => {} }) {
  let last = after;
  let wait = FIRST_WAIT_MS;
  while (!signal.aborted) {
    try {
      for await (const event of connection(path, names, last, signal)) {
        if (event.name === "done") return;
        if (wait !== FIRST_WAIT_MS) onBreak(false);
        wait = FIRST_WAIT_MS;
        last = event.id ?? last;
        yield { ...event, data: JSON.parse(event.data) };
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem && !error.passes) throw error;
    }
    // Also when the connection was closed in good order without a `done`.
    if (signal.aborted) return;
    onBreak(true);
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }
}

async function* connection(path, names, after, signal) {
  const alarm = new AbortController();
  const either = AbortSignal.any([signal, alarm.signal]);
  const headers = { accept: "text/event-stream", "last-event-id": String(after) };
  let timer = setTimeout(() => alarm.abort(), LONGEST_SILENCE_MS);
  try {
    const response = await request("GET", path, names, { headers, signal: either });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let buffer = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => alarm.abort(), LONGEST_SILENCE_MS);
      const blocks = (buffer + value).split(/\r?\n\r?\n/);
      buffer = blocks.pop();
      for (const block of blocks) {
        const event = parseEvent(block);
        if (event) yield event;
      }
    }
  } finally {
    clearTimeout(timer);
    alarm.abort(); // whoever stops listening also hangs up
  }
}

/** One block of a stream; null when it is only a comment, which keeps the line alive. */
function parseEvent(block) {
  const event = { id: null, name: "message", data: "" };
  const data = [];
  for (const line of block.split(/\r?\n/)) {
    const [, field, value] = line.match(/^(\w+): ?(.*)$/) ?? [];
    if (field === "id") event.id = Number(value);
    if (field === "event") event.name = value;
    if (field === "data") data.push(value);
  }
  event.data = data.join("\n");
  return data.length ? event : null;
}
