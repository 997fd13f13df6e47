// Elements from text. Nothing here, or anywhere on the page, ever reads HTML.

/** An element; `props` are its properties, children are nodes or text. */
export function el(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("aria-")) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export const $ = (id) => document.getElementById(id);

/** Show a sentence in place, or nothing. */
export function say(element, sentence) {
  element.textContent = sentence;
  element.hidden = !sentence;
}

/** Tell of a failure below the thread; nothing takes the last one away. */
export const report = (error) => say($("problem"), error ? error.message : "");

export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${Math.round(bytes / 1e3)} KB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

export const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
