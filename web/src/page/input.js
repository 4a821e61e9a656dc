// Mouse, touch and keys: they turn, move and magnify a camera.

const TURN = 0.008; // radians a pixel
const KEY_TURN = 0.12;
const KEY_PAN = 0.05;

/** `changed()` is called after every movement, `clicked(event)` where nothing was moved. */
export function control(canvas, camera, changed, clicked) {
  const pointers = new Map();
  let moved = 0;

  canvas.onpointerdown = (event) => {
    canvas.setPointerCapture(event.pointerId);
    if (!pointers.size) moved = 0;
    pointers.set(event.pointerId, event);
  };
  canvas.onpointermove = (event) => {
    const last = pointers.get(event.pointerId);
    if (!last) return;
    const [dx, dy] = [event.clientX - last.clientX, event.clientY - last.clientY];
    const size = Math.min(canvas.clientWidth, canvas.clientHeight);
    moved += Math.abs(dx) + Math.abs(dy);
    if (pointers.size > 1) {
      const other = [...pointers].find(([id]) => id !== event.pointerId)[1];
      const gap = (p) => Math.hypot(p.clientX - other.clientX, p.clientY - other.clientY);
      camera.magnify(gap(event) / Math.max(gap(last), 1));
      camera.pan(dx / 2 / size, -dy / 2 / size);
    } else if (event.shiftKey || event.buttons & 6) camera.pan(dx / size, -dy / size);
    else camera.turn(-dx * TURN, dy * TURN);
    pointers.set(event.pointerId, event);
    changed();
  };
  canvas.onpointerup = (event) => {
    pointers.delete(event.pointerId);
    if (moved < 5 && !pointers.size) clicked(event);
  };
  canvas.onpointercancel = (event) => pointers.delete(event.pointerId);
  canvas.oncontextmenu = (event) => event.preventDefault();
  canvas.ondblclick = () => {
    camera.reset();
    changed();
  };
  canvas.onwheel = (event) => {
    event.preventDefault();
    camera.magnify(Math.exp(-event.deltaY * (event.deltaMode ? 0.04 : 0.0015)));
    changed();
  };
  const keys = {
    ArrowLeft: (shift) => (shift ? camera.pan(-KEY_PAN, 0) : camera.turn(-KEY_TURN, 0)),
    ArrowRight: (shift) => (shift ? camera.pan(KEY_PAN, 0) : camera.turn(KEY_TURN, 0)),
    ArrowUp: (shift) => (shift ? camera.pan(0, KEY_PAN) : camera.turn(0, KEY_TURN)),
    ArrowDown: (shift) => (shift ? camera.pan(0, -KEY_PAN) : camera.turn(0, -KEY_TURN)),
    "+": () => camera.magnify(1.15),
    "=": () => camera.magnify(1.15),
    "-": () => camera.magnify(1 / 1.15),
    Home: () => camera.reset(),
    0: () => camera.reset(),
  };
  canvas.onkeydown = (event) => {
    const act = !event.ctrlKey && !event.metaKey && keys[event.key];
    if (!act) return;
    event.preventDefault();
    act(event.shiftKey);
    changed();
  };
}
