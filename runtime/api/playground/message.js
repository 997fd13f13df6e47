// One message: its parts as they stream in, its citations as numbers, their sources below.

import { el } from "./dom.js";
import { fileButton, picture } from "./made.js";
import { clean, placeholder, render } from "./markdown.js";

export class MessageView {
  #id;
  #role;
  #parts = [];
  #places = []; // one element per part
  #sources = [];
  #sourceList = el("ol", { className: "sources", hidden: true });
  #waiting = new Set();

  constructor({ id, role, content }) {
    this.#id = id;
    this.#role = role;
    const who = role === "user" ? "You" : "Assistant";
    this.element = el("article", { className: `message ${role}`, "aria-label": who }, this.#sourceList);
    this.set(content);
  }

  /** All parts, in place of what was there. A screen reader hears it now, and once. */
  set(content, { more = false } = {}) {
    this.#parts = structuredClone(content);
    this.#parts.forEach((_, index) => this.#draw(index));
    this.element.setAttribute("aria-busy", String(more));
  }

  /** What a delta brings; drawn with the next frame. */
  add(delta) {
    this.element.setAttribute("aria-busy", "true");
    for (const { index, ...piece } of delta.content ?? []) {
      const part = (this.#parts[index] ??= { ...piece, text: { value: "", annotations: [] } });
      if (piece.type === "text") {
        part.text.value += piece.text?.value ?? "";
        for (const { index: place, ...note } of piece.text?.annotations ?? []) part.text.annotations[place] = note;
      } else Object.assign(part, piece);
      if (!this.#waiting.size) requestAnimationFrame(() => this.#drawWaiting());
      this.#waiting.add(index);
    }
  }

  #drawWaiting() {
    for (const index of this.#waiting) this.#draw(index);
    this.#waiting.clear();
  }

  #draw(index) {
    const part = this.#parts[index];
    const place = (this.#places[index] ??= this.#place());
    if (part.type === "text" && this.#role === "user") place.replaceChildren(el("p", {}, part.text.value));
    else if (part.type === "text") place.replaceChildren(...this.#text(part.text));
    else if (part.type === "refusal") place.replaceChildren(el("p", {}, part.refusal));
    else if (part.type === "image_url") place.replaceChildren(el("p", {}, part.image_url.url));
    else if (part.image_file && !place.firstChild) place.append(picture(part.image_file.file_id));
  }

  #place() {
    const place = el("div", { className: "part" });
    this.#sourceList.before(place);
    return place;
  }

  #text({ value, annotations }) {
    // Offsets count code points; a JavaScript string counts differently beyond the BMP.
    const points = Array.from(value);
    const makers = [];
    let marked = "";
    let end = 0;
    const inOrder = annotations.filter(Boolean).sort((a, b) => a.start_index - b.start_index);
    for (const note of inOrder) {
      if (note.start_index < end) continue;
      marked += clean(points.slice(end, note.start_index).join("")) + placeholder(makers.length);
      end = note.end_index;
      makers.push(this.#maker(note));
    }
    return render(marked + clean(points.slice(end).join("")), makers);
  }

  #maker(note) {
    if (note.type === "file_path") {
      const name = note.text.split("/").pop();
      return (label) => fileButton(note.file_path.file_id, name, label || name);
    }
    const number = this.#numberOf(note.file_citation);
    return () => this.#citation(number, note.file_citation);
  }

  /** Equal citations share a number. */
  #numberOf(citation) {
    const same = JSON.stringify(citation);
    if (!this.#sources.includes(same)) {
      this.#sources.push(same);
      this.#sourceList.append(this.#source(citation, this.#sources.length));
      this.#sourceList.hidden = false;
    }
    return this.#sources.indexOf(same) + 1;
  }

  #citation(number, citation) {
    const id = this.#sourceId(number);
    const link = el("a", { href: `#${id}`, title: citation.quote ?? "" }, String(number));
    link.setAttribute("aria-label", `Source ${number}: ${where(citation)}`);
    link.onclick = (event) => {
      event.preventDefault();
      const details = document.getElementById(id);
      details.open = true;
      details.firstChild.focus({ preventScroll: true });
      details.scrollIntoView({ block: "nearest" });
    };
    return el("sup", { className: "cite" }, link);
  }

  #source(citation, number) {
    const quote = citation.quote ?? "The quoted passage is not known.";
    return el(
      "li",
      {},
      el(
        "details",
        { id: this.#sourceId(number) },
        el("summary", {}, el("b", {}, String(number)), ` ${where(citation)}`),
        el("blockquote", {}, quote),
      ),
    );
  }

  #sourceId(number) {
    return `${this.#id}-source-${number}`;
  }
}

function where({ filename, file_id, page }) {
  return page ? `${filename ?? file_id}, page ${page}` : (filename ?? file_id);
}
