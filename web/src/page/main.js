// The page: fields from the document, one of them on show.

import { decode } from "../field.js";
import { find } from "./panel.js";

/* global STYLE */

const MARKUP = `<canvas tabindex="0" aria-label="3-D view. Arrow keys turn it, shift and arrow keys move it,
plus and minus zoom, 0 resets."></canvas><svg id="ruler" aria-hidden="true"></svg>
<aside><h1></h1><nav></nav><p id="status" role="status"></p><progress max="1" hidden></progress>
<dl></dl><details id="panel" open><summary>View</summary><div id="controls"></div></details></aside>`;

const bytesOf = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

/** `script` is the address of this script, for workers; `views` show shapes and perhaps photos. */
export function showPage(script, views) {
  const entries = JSON.parse(find("#fields").textContent);
  const style = document.createElement("style");
  style.textContent = STYLE;
  document.head.append(style);
  document.body.insertAdjacentHTML("beforeend", MARKUP);
  find("h1").textContent = document.title;
  if (innerWidth <= 600) find("#panel").open = false;
  let shown;
  const choose = (entry, button) => {
    shown?.end();
    for (const one of find("nav").children) one.setAttribute("aria-current", one === button);
    shown = showEntry(entry, script, views);
  };
  const buttons = entries.map((entry) => {
    const button = document.createElement("button");
    button.textContent = entry.name;
    button.onclick = () => choose(entry, button);
    return button;
  });
  if (entries.length > 1) find("nav").append(...buttons);
  choose(entries[0], buttons[0]);
}

/** Shows one field; gives {end}. */
function showEntry({ data, picture, name }, script, views) {
  const canvas = find("canvas").cloneNode();
  find("canvas").replaceWith(canvas);
  find("#picture")?.remove();
  find("#ruler").replaceChildren();
  find("dl").replaceChildren();
  document.documentElement.dataset.view = "";
  find("#panel").hidden = canvas.hidden = false;
  const say = (text) => (find("#status").textContent = text);
  say("");
  try {
    const bytes = bytesOf(data);
    const field = decode(bytes);
    const show = field.kind === "photos" ? views.photos : views.shape;
    return show({ field, bytes, name, canvas, controls: find("#controls"), say, script });
  } catch (error) {
    say(error.message);
    find("progress").hidden = find("#panel").hidden = true;
    if (picture) {
      const image = Object.assign(new Image(), { id: "picture", src: picture, alt: name });
      canvas.hidden = true;
      canvas.after(image);
    }
    return { end() {} };
  }
}
