// The stage: the selected source or run in the middle of the page, and views rendered by the server.
"use strict";
{
  const { make, mounted, polling } = fieldlr.kit;
  const SHARE = 0.1;  // of the time that showing newer states of a field may take

  // A render over its photo, with a slider between them.
  const pair = (root, id) => {
    const render = make("img", { alt: "Current render" });
    const photo = make("img", { alt: "Held-out photo of the same view", class: "fl-over" });
    const slider = make("input", { type: "range", min: 0, max: 100, value: 50, "aria-label": "Share of the photo shown over the render" });
    const cut = () => { photo.style.clipPath = `inset(0 ${100 - slider.value}% 0 0)`; };
    slider.oninput = cut; cut();
    const below = make("div", { class: "fl-ends" }, make("span", {}, "photo"), slider, make("span", {}, "render"));
    root.append(make("div", { class: "fl-pair" }, render, photo), below);
    return job => {
      render.src = `/fieldlr/jobs/${id}/picture/preview.png?v=${job.preview}`;
      if (job.photo && !photo.src) photo.src = `/fieldlr/jobs/${id}/picture/photo.png`;
      photo.hidden = below.hidden = !job.photo;
    };
  };

  // The crop box of the Surface tab, x0 y0 z0 x1 y1 z1 or nothing, which the viewer shows as well.
  let crop = "", sendCrop = () => {};
  fieldlr.crop = text => { crop = text; sendCrop(); return []; };

  // The field drawn by the browser; `failed` is called where it cannot, `render` with a camera path, `cropped`
  // with a crop box.
  const viewer = (root, id, failed, render, cropped) => {
    const frame = make("iframe", { class: "fl-viewer", title: "3-D view", src: `/fieldlr/jobs/${id}/viewer` });
    let saved = null, wanted = null, sent = 0, due = 0, timer = 0, isOver = false;
    const hear = ({ source, data }) => {
      if (source !== frame.contentWindow) return;
      if (data.failed) { failed(); return; }
      if (data.path) { render(data.path); return; }
      if (data.ready) { sendCrop(); return; }
      if (data.crop !== undefined) { crop = data.crop; cropped(crop); return; }
      if (due === Infinity) due = performance.now() + (performance.now() - sent) / SHARE;
      renew();
    };
    const renew = () => {
      clearTimeout(timer);
      if (wanted === saved) return;
      const wait = due - performance.now();
      if (wait > 0 && !isOver) { if (wait < Infinity) timer = setTimeout(renew, wait); return; }
      saved = wanted; sent = performance.now(); due = Infinity;
      frame.contentWindow.postMessage("renew", location.origin);
    };
    sendCrop = () => frame.contentWindow?.postMessage({ crop }, location.origin);
    addEventListener("message", hear);
    root.append(frame);
    const update = job => {
      wanted = job.saved;
      isOver = job.state !== "running";
      if (saved === null) { saved = wanted; sent = performance.now(); due = Infinity; }
      renew();
    };
    return [update, () => { clearTimeout(timer); removeEventListener("message", hear); sendCrop = () => {}; }];
  };

  fieldlr.stage = (element, props, trigger, watch) => mounted(element, props, watch, (root, value) => {
    const { drawing = "", job: id = "" } = value ? JSON.parse(value) : {};
    const place = make("div", { class: "fl-place" });
    root.append(place);
    let shows = "", update = () => {}, end = () => {}, canDraw = true;
    const put = (name, start) => {
      if (shows === name) return;
      end();
      place.replaceChildren();
      place.dataset.shows = shows = name;
      [update, end] = start();
    };
    const idle = () => put("source", () => {
      place.append(drawing
        ? make("iframe", { class: "fl-viewer", title: "Preview of the source", sandbox: "allow-scripts", src: drawing })
        : make("p", { class: "fl-quiet" }, "Add photos or a mesh, or choose an example: it is shown here."));
      return [() => {}, () => {}];
    });
    const server = () => put("server", () => turntable(place, id));
    const browser = () => put("browser", () => viewer(place, id, () => { canDraw = false; server(); },
      path => trigger("select", { value: JSON.stringify(path) }), box => trigger("apply", { value: box })));
    if (!id) { idle(); return () => end(); }
    const show = job => {
      const active = job.state === "running" || job.state === "queued";
      // While photos are trained, one view beside its photo says more, and takes no time from the training.
      if (active && job.kind === "photos" && job.preview) put("pair", () => [pair(place, id), () => {}]);
      else if (job.saved && job.kind) canDraw ? browser() : server();
      else idle();
      update(job);
      return !active;
    };
    const stop = polling(`/fieldlr/jobs/${id}`, show, text => place.replaceChildren(make("p", { class: "fl-quiet" }, text)));
    return () => { stop(); end(); };
  });

  // ---- a view that the server renders, turned by hand -------------------------------------------
  const linked = new Set(), turns = {};  // the last view of each run
  // Shows a run: [update, end]. Views with `link` turn together.
  const turntable = (root, job, link = false) => {
    let camera = null, shape = 0.8, room = [[null, null], [-110, 110]], place = job;
    const canvas = make("canvas", { class: "fl-view", tabindex: 0, role: "application",
      "aria-label": "3-D view: drag or use the arrow keys to turn, scroll or + and - to zoom, 0 to reset" });
    const note = make("div", { class: "fl-quiet", role: "status" });
    const save = make("button", { class: "fl-save", type: "button" }, "Save image");
    save.onclick = () => make("a", { href: canvas.toDataURL("image/png"), download: "view.png" }).click();
    const from = make("select", { "aria-label": "Start at the camera of", onchange: () => start(from.value) });
    const depth = make("input", { type: "checkbox", onchange: () => render() });
    const photos = make("span", { class: "fl-photos", hidden: "" }, from, make("label", {}, depth, " Depth"));
    root.append(canvas, make("div", { class: "fl-tools" }, save, photos), note);
    const pen = canvas.getContext("2d");
    // Where the view starts, and what may be chosen: of photos alone.
    const start = async chosen => {
      const answer = await fetch(`/fieldlr/jobs/${job}/start${chosen ? `?camera=${chosen}` : ""}`).catch(() => null);
      if (!answer) { note.textContent = "The server does not respond."; return; }
      const begins = await answer.json();
      if (begins.cameras) {
        ({ camera, shape, room } = begins);
        place = `${job} ${camera}`;
        if (photos.hidden) from.append(...begins.cameras.map((name, value) => make("option", { value }, name)));
        from.value = camera;
        photos.hidden = false;
      }
      turn = turns[place] || { right: 0, up: 0, zoom: 1 };
      const side = Math.min(root.clientWidth || 480, 720);
      // The same number of pixels at every aspect ratio: those of 480 x 384.
      canvas.width = Math.min(Math.round(429 / Math.sqrt(shape) / 4) * 4, Math.round(side / 4) * 4); canvas.height = Math.round(canvas.width * shape);
      canvas.style.maxWidth = `min(720px, ${Math.round(70 / shape)}vh)`;
      render();
    };
    const within = (angle, [least, most]) => Math.max(least ?? -Infinity, Math.min(most ?? Infinity, angle));
    let turn = { right: 0, up: 0, zoom: 1 }, asking = null, due = false, alive = true, later = 0;
    const read = async (reader, got, count) => {
      while (got.length < count) {
        const { done, value } = await reader.read();
        if (done) return null;
        const both = new Uint8Array(got.length + value.length); both.set(got); both.set(value, got.length); got = both;
      }
      return got;
    };
    const ask = async () => {
      due = false;
      const stop = asking = new AbortController();
      const words = new URLSearchParams({ ...turn, width: canvas.width, height: canvas.height, depth: depth.checked });
      if (camera !== null) words.set("camera", camera);
      try {
        const answer = await fetch(`/fieldlr/jobs/${job}/view?${words}`, { signal: stop.signal });
        if (!(answer.headers.get("Content-Type") || "").includes("octet-stream")) {
          note.textContent = (await answer.json()).error || "No view is available.";
          later = setTimeout(render, 2000);
          return;
        }
        const reader = answer.body.getReader();
        let got = new Uint8Array(0), shown = 0;
        while ((got = await read(reader, got, 4))) {
          const size = new DataView(got.buffer).getUint32(0);
          got = await read(reader, got, 4 + size);
          if (!got) break;
          const picture = await createImageBitmap(new Blob([got.slice(4, 4 + size)], { type: "image/jpeg" }));
          pen.imageSmoothingQuality = "high";
          pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
          canvas.dataset.sharp = picture.width === canvas.width;
          canvas.dataset.frames = ++shown;
          note.textContent = "";
          got = got.slice(4 + size);
          if (due) { stop.abort(); break; }  // The view has moved: one image of each view is enough.
        }
      } catch (error) { if (error.name !== "AbortError") note.textContent = "The server does not respond."; }
      finally { asking = null; if (due && alive) ask(); }
    };
    const render = () => { clearTimeout(later); if (asking) due = true; else ask(); };
    const move = (change, from = null) => {
      turn = { right: within(turn.right + (change.right || 0), room[0]), up: within(turn.up + (change.up || 0), room[1]),
        zoom: Math.max(0.2, Math.min(8, turn.zoom * (change.zoom || 1))) };
      if (change.home) turn = { right: 0, up: 0, zoom: 1 };
      turns[place] = turn;
      render();
      if (link && !from) for (const other of linked) if (other !== move) other(change, move);
    };
    if (link) linked.add(move);
    const touches = new Map();
    canvas.onpointerdown = e => { canvas.setPointerCapture(e.pointerId); touches.set(e.pointerId, e); canvas.focus({ preventScroll: true }); };
    canvas.onpointerup = canvas.onpointercancel = e => touches.delete(e.pointerId);
    canvas.onpointermove = e => {
      const last = touches.get(e.pointerId);
      if (!last) return;
      if (touches.size === 2) {
        const other = [...touches.entries()].find(([n]) => n !== e.pointerId)[1];
        const gap = p => Math.hypot(p.clientX - other.clientX, p.clientY - other.clientY);
        move({ zoom: gap(e) / Math.max(gap(last), 1) });
      } else move({ right: -(e.clientX - last.clientX) * 0.4, up: (e.clientY - last.clientY) * 0.4 });
      touches.set(e.pointerId, e);
    };
    canvas.onwheel = e => { e.preventDefault(); move({ zoom: Math.exp(-e.deltaY * 0.0012) }); };
    canvas.ondblclick = () => move({ home: true });
    const keys = { ArrowLeft: { right: -8 }, ArrowRight: { right: 8 }, ArrowUp: { up: 8 }, ArrowDown: { up: -8 },
      "+": { zoom: 1.15 }, "=": { zoom: 1.15 }, "-": { zoom: 1 / 1.15 }, "0": { home: true } };
    canvas.onkeydown = e => { if (keys[e.key]) { e.preventDefault(); move(keys[e.key]); } };
    const visible = new IntersectionObserver(entries => { if (entries.some(e => e.isIntersecting)) { visible.disconnect(); start(); } });
    visible.observe(canvas);
    let saved = null;
    const update = now => { if (saved !== null && saved !== now.saved) render(); saved = now.saved; };
    const end = () => { alive = false; due = false; clearTimeout(later); linked.delete(move); asking?.abort(); visible.disconnect(); };
    return [update, end];
  };
  fieldlr.turntable = (element, props, trigger, watch) => mounted(element, props, watch, (root, job) =>
    job ? turntable(root, job, true)[1] : null);
}
