// The page: fields from the document or, in the app, from its server; one of them on show.

import { decode } from "../field.js";
import { find } from "./panel.js";

/* global STYLE */

const MARKUP = `<canvas tabindex="0" aria-label="3-D view. Arrow keys turn it, shift and arrow keys move it,
plus and minus zoom, 0 resets."></canvas><img id="photo" hidden><svg id="ruler" aria-hidden="true"></svg>
<output id="rate" aria-live="off" hidden></output><aside><h1></h1><nav></nav><p id="status" role="status"></p><progress max="1" hidden></progress>
<dl></dl><details id="panel" open><summary>View</summary><div id="controls"></div></details></aside>
<section id="photos" aria-label="Photos" hidden></section>`;

/** The bytes of a field: in the document, or at an address. */
async function bytesOf({ data, address }) {
  if (data) return Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const answer = await fetch(`${address}/field.flr`, { cache: "no-store" });
  if (answer.ok) return new Uint8Array(await answer.arrayBuffer());
  throw new Error((await answer.json()).error);
}

/** What is known of the photos of a field: in the document, or at an address. */
async function photosOf({ photos = [], address }) {
  const answer = address && (await fetch(`${address}/photos`));
  return answer?.ok ? answer.json() : photos;
}

/** `script` is the address of this script, for workers; `views` show shapes and perhaps photos. */
export function showPage(script, views) {
  const entries = JSON.parse(find("#fields").textContent);
  const style = document.createElement("style");
  style.textContent = STYLE;
  document.head.append(style);
  document.body.insertAdjacentHTML("beforeend", MARKUP);
  find("h1").textContent = document.title;
  if (innerWidth <= 600) find("#panel").open = false;
  let shown, chosen;
  const choose = async (entry, button) => {
    shown?.end();
    shown = null;
    chosen = entry;
    for (const one of find("nav").children) one.setAttribute("aria-current", one === button);
    clear();
    try {
      const [bytes, photos] = await Promise.all([bytesOf(entry), photosOf(entry)]);
      if (chosen !== entry) return;
      shown = showField(decode(bytes), bytes, photos, entry, script, views);
      if (entry.address) parent.postMessage({ ready: true }, location.origin);
    } catch (error) {
      if (chosen === entry) showPicture(entry, error.message);
    }
  };
  const buttons = entries.map((entry) => {
    const button = document.createElement("button");
    button.textContent = entry.name;
    button.onclick = () => choose(entry, button);
    return button;
  });
  if (entries.length > 1) find("nav").append(...buttons);
  choose(entries[0], buttons[0]);
  if (entries[0].address) serveApp(() => shown, entries[0], choose);
}

/** In the app: it names the crop box, and says when the field is to be read again. */
function serveApp(shown, entry, choose) {
  document.documentElement.dataset.served = "";
  addEventListener("message", async ({ source, data }) => {
    if (source !== parent) return;
    if (data.crop !== undefined) return shown()?.crop?.(data.crop);
    if (!shown()?.renew) return choose(entry);
    const bytes = await bytesOf(entry).catch(() => null);
    if (bytes) shown()?.renew(decode(bytes), bytes);
  });
}

/** Removes what belongs to the field that was on show. */
function clear() {
  find("canvas").replaceWith(find("canvas").cloneNode());
  find("#picture")?.remove();
  find("#ruler").replaceChildren();
  find("dl").replaceChildren();
  document.documentElement.dataset.view = "";
  find("#panel").hidden = find("canvas").hidden = false;
  say("");
}

const say = (text) => (find("#status").textContent = text);

/** Shows a field; gives {end} and, for shapes, {renew}. */
function showField(field, bytes, photos, { name, source }, script, views) {
  const show = field.kind === "photos" ? views.photos : views.shape;
  return show({ field, bytes, photos, name, source, canvas: find("canvas"), controls: find("#controls"), say, script });
}

/** Shows why a field cannot be shown, and its picture where there is one. */
function showPicture({ picture, name, address }, reason) {
  say(reason);
  find("progress").hidden = find("#panel").hidden = find("canvas").hidden = true;
  if (picture) find("canvas").after(Object.assign(new Image(), { id: "picture", src: picture, alt: name }));
  if (address) parent.postMessage({ failed: reason }, location.origin);
}
