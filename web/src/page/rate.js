// Frames a second, on demand: by a button or the key F.

import { find, press } from "./panel.js";

export const RATE_CONTROLS = '<button id="frames" aria-pressed="false" title="Key F">Frames a second</button>';

const SPAN = 2000; // milliseconds over which frames are counted: a busy browser draws one a second
const PAUSE = 250; // between two changes of the readout

/** The rate of frames at these times (ms) as text: of those of the last two seconds, if they are two. */
export function rateOf(times, now) {
  const late = times.filter((time) => now - time < SPAN);
  if (late.length < 2) return "at rest";
  const rate = (1000 * (late.length - 1)) / (late.at(-1) - late[0]);
  return `${rate < 10 ? rate.toFixed(1) : Math.round(rate)} frames/s`;
}

/** Starts the readout, off; gives {count, end}: `count()` is for every frame of a moving view. */
export function startRate() {
  const [button, readout] = ["#frames", "#rate"].map(find);
  let [times, timer] = [[], 0];
  const show = () => {
    times = times.filter((time) => performance.now() - time < SPAN);
    readout.textContent = rateOf(times, performance.now());
  };
  const end = () => {
    clearInterval(timer);
    timer = 0;
    readout.hidden = true;
    removeEventListener("keydown", byKey);
  };
  const toggle = () =>
    press(button, (isOn) => {
      clearInterval(timer);
      timer = isOn ? setInterval(show, PAUSE) : 0;
      times = [];
      show();
      readout.hidden = !isOn;
    });
  const byKey = ({ key, target, ctrlKey, metaKey, altKey }) => {
    const isTyped = target.matches?.("input, select, textarea");
    if (key.toLowerCase() === "f" && !isTyped && !ctrlKey && !metaKey && !altKey) toggle();
  };
  button.onclick = toggle;
  addEventListener("keydown", byKey);
  return { count: () => timer && times.push(performance.now()), end };
}
