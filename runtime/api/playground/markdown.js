// A small part of markdown, as nodes: fences, headings, lists, `code`, **bold**, *slanted*,
// links to the web. Everything else stays the text it is.

import { el } from "./dom.js";

// Stands for the nth node given beside the text; no text of a model may hold one.
const OPEN = "\uE000";
const CLOSE = "\uE001";
const INLINE = new RegExp(
  [
    "`([^`\\n]+)`",
    "\\*\\*([^*\\n]+)\\*\\*",
    "(?<![\\w*])\\*([^*\\s][^*\\n]*)\\*(?![\\w*])",
    `!?\\[([^\\]\\n]*)\\]\\(${OPEN}(\\d+)${CLOSE}\\)`,
    "\\[([^\\]\\n]+)\\]\\((https?://[^\\s)]+)\\)",
    `${OPEN}(\\d+)${CLOSE}`,
  ].join("|"),
  "g",
);

export const clean = (text) => text.replaceAll(OPEN, "").replaceAll(CLOSE, "");
export const placeholder = (index) => `${OPEN}${index}${CLOSE}`;

/** Nodes for a text whose placeholders stand for `makers`: functions label → node. */
export function render(text, makers) {
  const nodes = [];
  // A fence that is not closed yet is one all the same: the text may still be coming.
  for (const [at, part] of text.split(/^```(.*\n[^]*?)(?:^```[ \t]*$|$(?![^]))/m).entries()) {
    if (at % 2) nodes.push(fence(part, makers));
    else nodes.push(...blocks(part, makers));
  }
  return nodes;
}

function fence(part, makers) {
  const code = part.slice(part.indexOf("\n") + 1).replace(/\n$/, "");
  return el("pre", { tabIndex: 0 }, el("code", {}, ...verbatim(code, makers)));
}

// Code is shown as it is, but for what the placeholders stand for.
function verbatim(text, makers) {
  const pieces = text.split(new RegExp(`${OPEN}(\\d+)${CLOSE}`));
  return pieces.map((piece, at) => (at % 2 ? makers[piece]("") : piece));
}

function blocks(text, makers) {
  const nodes = [];
  for (const block of text.split(/\n{2,}/)) {
    const lines = block.replace(/^\n+|\n+$/g, "").split("\n");
    let plain = [];
    let list = null;
    const flush = () => {
      if (plain.join("").trim()) nodes.push(el("p", {}, ...inline(plain.join("\n"), makers)));
      plain = [];
    };
    for (const line of lines) {
      const [, bullet, item] = line.match(/^\s{0,6}([-*•]|\d{1,3}[.)])\s+(.+)$/) ?? [];
      const [, heading] = line.match(/^#{1,6}\s+(.+)$/) ?? [];
      if (item) {
        flush();
        const tag = /\d/.test(bullet) ? "OL" : "UL";
        if (list?.tagName !== tag) nodes.push((list = el(tag, tag === "OL" ? { start: parseInt(bullet, 10) } : {})));
        list.append(el("li", {}, ...inline(item, makers)));
        continue;
      }
      list = null;
      if (heading) {
        flush();
        nodes.push(el("h4", {}, ...inline(heading, makers)));
      } else plain.push(line);
    }
    flush();
  }
  return nodes;
}

function inline(text, makers) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    nodes.push(text.slice(end, match.index));
    end = match.index + match[0].length;
    const [, code, bold, slanted, label, labelled, word, href, bare] = match;
    if (code) nodes.push(el("code", {}, ...verbatim(code, makers)));
    else if (bold) nodes.push(el("strong", {}, ...inline(bold, makers)));
    else if (slanted) nodes.push(el("em", {}, ...inline(slanted, makers)));
    else if (labelled) nodes.push(makers[labelled](label));
    else if (href) nodes.push(el("a", { href, rel: "noopener noreferrer", target: "_blank" }, word));
    else nodes.push(makers[bare](""));
  }
  nodes.push(text.slice(end));
  return nodes;
}
