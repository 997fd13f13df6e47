// Files that tools made: fetched with the key, shown or saved as blobs.

import { download } from "./api.js";
import { el, report } from "./dom.js";

// What may carry its own type. Anything else could be a page, and must not run as ours.
const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);
const fetched = new Map();

/** The address of a file's bytes in this tab; fetched once. */
function blobAddress(file_id) {
  if (!fetched.has(file_id)) {
    const coming = download("/files/{file_id}/content", { file_id }).then((blob) => {
      const type = PICTURES.has(blob.type) ? blob.type : "application/octet-stream";
      return URL.createObjectURL(new Blob([blob], { type }));
    });
    coming.catch(() => fetched.delete(file_id)); // the next click tries again
    fetched.set(file_id, coming);
  }
  return fetched.get(file_id);
}

async function save(file_id, name) {
  try {
    el("a", { href: await blobAddress(file_id), download: name }).click();
  } catch (error) {
    report(error);
  }
}

/** A button that saves a file under its name. */
export function fileButton(file_id, name, label = name) {
  const button = el("button", { type: "button", className: "file" }, label);
  button.setAttribute("aria-label", `Download ${name}`);
  button.onclick = () => save(file_id, name);
  return button;
}

/** A picture with a way to keep it. */
export function picture(file_id) {
  const image = el("img", { alt: "Picture of this thread" });
  const figure = el("figure", {}, image, el("figcaption", {}, fileButton(file_id, `${file_id}.png`, "Save picture")));
  blobAddress(file_id).then(
    (address) => (image.src = address),
    (error) => figure.replaceChildren(el("p", { className: "problem" }, error.message)),
  );
  return figure;
}
