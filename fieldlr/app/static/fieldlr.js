// The moving parts of the page. Each is mounted on an element of Gradio's by its `js_on_load`.
"use strict";
const fieldlr = {};
{
  const PATIENCE = 1000;  // milliseconds between two looks at a running job
  const COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B07D00", "#56B4E9", "#777777"];

  const make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes))
      name.startsWith("on") ? (node[name] = value) : node.setAttribute(name, value);
    node.append(...children);
    return node;
  };
  const svg = (tag, attributes = {}, text = "") => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    if (text) node.textContent = text;
    return node;
  };
  const duration = seconds => {
    const whole = Math.round(seconds);
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
    return `${Math.floor(whole / 3600)} h ${Math.floor(whole % 3600 / 60)} min`;
  };
  const short = x => Math.abs(x) >= 1e6 ? `${+(x / 1e6).toPrecision(3)}M`
    : Math.abs(x) >= 1e3 ? `${+(x / 1e3).toPrecision(3)}k` : `${+x.toPrecision(3)}`;
  // Mounted again whenever Gradio gives the element another value; the old one is told to end.
  const mounted = (element, props, watch, begin) => {
    let end = () => {};
    const again = () => {
      end();
      const root = element.querySelector(".fl-root");
      root.replaceChildren();
      end = begin(root, props.value) || (() => {});
    };
    watch("value", again);
    again();
  };
  let boot = "";
  // Asks for an address again and again while the page is looked at; tells what is new.
  // `tell` says whether things are calm now, and need not be looked at so often.
  const polling = (address, tell, lost, wanted = () => true) => {
    let tag = "", timer = 0, ended = false, calm = false;
    const ask = async () => {
      if (ended) return;
      if (!document.hidden && wanted()) {
        try {
          const headers = tag ? { "If-None-Match": tag } : {};
          const answer = await fetch(address, { headers, cache: "no-store" });
          if (ended) return;
          const now = answer.headers.get("fieldlr-boot");
          if (boot && now !== boot) { location.reload(); return; }
          boot = now;
          if (answer.status === 200) { tag = answer.headers.get("ETag") || ""; calm = tell(await answer.json()); }
          else if (answer.status === 404) { lost((await answer.json()).error); return; }
        } catch (error) { lost("The server does not answer. What was running goes on without it."); }
      }
      timer = setTimeout(ask, calm ? 4 * PATIENCE : PATIENCE);
    };
    ask();
    return () => { ended = true; clearTimeout(timer); };
  };

  // ---- a chart: lines with the range of each point -------------------------------------------
  const ticks = (low, high, log) => {
    if (log) {
      const all = [];
      for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++)
        for (const m of [1, 2, 5]) all.push(m * 10 ** e);
      return all.filter(t => t >= low * 0.999 && t <= high * 1.001);
    }
    const raw = (high - low) / 4, unit = 10 ** Math.floor(Math.log10(raw || 1));
    const step = [1, 2, 5, 10].map(m => m * unit).find(s => s >= raw) || unit;
    const all = [];
    for (let t = Math.ceil(low / step) * step; t <= high + step * 1e-6; t += step) all.push(t);
    return all;
  };
  fieldlr.chart = (root, { series, limits = [], x = "", y = "", log = false, height = 150, pick = null }) => {
    const width = Math.max(root.clientWidth || 300, 220), left = 46, right = 12, top = 10, bottom = 32;
    const marks = series.flatMap(s => [...s.marks, ...(s.aside || [])]);
    if (!marks.length) { root.replaceChildren(make("p", { class: "fl-quiet" }, "No point yet.")); return; }
    const span = values => [Math.min(...values), Math.max(...values)];
    let [x0, x1] = span([...marks, ...limits].map(m => m.x));
    let [y0, y1] = span(marks.flatMap(m => [m.low ?? m.y, m.high ?? m.y]));
    if (log) { x0 /= 1.15; x1 *= 1.15; } else if (x0 === x1) { x1 = x0 + 1; }
    const room = (y1 - y0 || Math.abs(y1) || 1) * 0.08; y0 -= room; y1 += room;
    const scale = log ? Math.log : (v => v);
    const px = v => left + (scale(v) - scale(x0)) / (scale(x1) - scale(x0) || 1) * (width - left - right);
    const py = v => height - bottom - (v - y0) / (y1 - y0) * (height - top - bottom);
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, width: "100%", height, role: "img",
      "aria-label": `${y} against ${x}` });
    for (const t of ticks(y0, y1, false)) {
      picture.append(svg("line", { x1: left, x2: width - right, y1: py(t), y2: py(t), class: "fl-grid" }));
      picture.append(svg("text", { x: left - 5, y: py(t) + 4, class: "fl-tick", "text-anchor": "end" }, short(t)));
    }
    let lastTick = -1e9;
    for (const t of ticks(x0, x1, log)) {
      if (px(t) - lastTick < 34) continue;
      lastTick = px(t);
      picture.append(svg("text", { x: px(t), y: height - bottom + 15, class: "fl-tick", "text-anchor": "middle" }, short(t)));
    }
    picture.append(svg("text", { x: (left + width - right) / 2, y: height - 3, class: "fl-tick", "text-anchor": "middle" }, x));
    const hint = make("div", { class: "fl-hint", role: "status" });
    for (const limit of limits) {
      const line = svg("line", { x1: px(limit.x), x2: px(limit.x), y1: top, y2: height - bottom, class: "fl-limit" });
      line.append(svg("title", {}, limit.text));
      const name = { x: px(limit.x) - 5, y: top + 4, class: "fl-tick", "text-anchor": "end", transform: `rotate(-90 ${px(limit.x) - 5} ${top + 4})` };
      picture.append(line, svg("text", name, limit.name));
    }
    series.forEach((one, number) => {
      const color = COLORS[number % COLORS.length];
      const path = one.marks.map((m, i) => `${i ? "L" : "M"}${px(m.x).toFixed(1)} ${py(m.y).toFixed(1)}`).join("");
      picture.append(svg("path", { d: path, fill: "none", stroke: color, "stroke-width": 2, "stroke-dasharray": one.dashed ? "6 4" : "none" }));
      for (const m of pick ? [...one.marks, ...(one.aside || [])] : []) {
        const hollow = !one.marks.includes(m);
        if (!hollow && m.high > m.low) picture.append(svg("line", { x1: px(m.x), x2: px(m.x), y1: py(m.low), y2: py(m.high), stroke: color, "stroke-width": 1.5 }));
        const dot = svg("circle", { cx: px(m.x), cy: py(m.y), r: hollow ? 4 : 6, fill: hollow ? "transparent" : color, stroke: hollow ? color : "none", class: "fl-dot", tabindex: 0, role: "button", "aria-label": m.text });
        dot.append(svg("title", {}, m.text));
        dot.onmouseenter = dot.onfocus = () => { hint.textContent = m.text; };
        dot.onclick = () => pick(m);
        dot.onkeydown = e => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); pick(m); } };
        picture.append(dot);
      }
    });
    const legend = make("div", { class: "fl-legend" });
    if (series.length > 1 || series[0].name) series.forEach((one, number) => {
      const swatch = make("i"); swatch.style.background = COLORS[number % COLORS.length];
      legend.append(make("span", { title: one.about || "" }, swatch, one.name));
    });
    root.replaceChildren(make("div", { class: "fl-axis" }, y), picture, legend, hint);
  };

  // ---- a training as it goes -----------------------------------------------------------------
  const WORDS = { queued: "Waiting", running: "Training", done: "Done", stopped: "Stopped", failed: "Failed" };
  const pair = root => {  // a render over its photo, with a slider between them
    const render = make("img", { alt: "what the field shows now" });
    const photo = make("img", { alt: "the photo of that view", class: "fl-over" });
    const slider = make("input", { type: "range", min: 0, max: 100, value: 50, "aria-label": "photo or render" });
    const cut = () => { photo.style.clipPath = `inset(0 ${100 - slider.value}% 0 0)`; };
    slider.oninput = cut; cut();
    const frame = make("div", { class: "fl-pair" }, render, photo);
    const below = make("div", { class: "fl-ends" }, make("span", {}, "photo"), slider, make("span", {}, "render"));
    root.append(frame, below);
    return { render, photo, below };
  };
  const status = job => {
    if (job.state === "queued") return job.ahead ? `${job.ahead} before it` : "about to start";
    if (job.state === "failed" || job.state === "stopped") return job.reason;
    if (job.stopping) return "stopping, and keeping what is trained";
    if (job.state === "done") return job.final_quality == null ? "" : `${figure(job)} over everything held out`;
    if (job.purpose !== "fit") return job.said;
    if (!job.step) return "reading the source";
    if (job.progress >= 1) return "trained; measuring its quality on everything held out";
    return job.seconds_left == null ? "" : `${duration(job.seconds_left)} left`;
  };
  const figure = job => job.quality_name === "psnr_db" ? `PSNR ${job.final_quality.toFixed(2)} dB` : `IoU ${job.final_quality.toFixed(4)}`;

  const following = nothing => (element, props, trigger, watch) => mounted(element, props, watch, (root, id) => {
    if (!id) { root.append(make("p", { class: "fl-quiet" }, nothing)); return null; }
    const head = make("div", { class: "fl-head", "aria-live": "polite" });
    const bar = make("progress", { max: 1, value: 0, "aria-label": "progress" });
    const pictures = make("div", { class: "fl-pictures" }), charts = make("div", { class: "fl-charts" });
    const quality = make("div"), loss = make("div");
    charts.append(quality, loss);
    root.append(head, bar, pictures, charts);
    const { render, photo, below } = pair(pictures);
    let known = null, drawn = "";
    const show = job => {
      head.replaceChildren(make("b", {}, job.title), ` ${WORDS[job.state]}. `, make("span", {}, status(job)));
      head.dataset.state = job.state;
      if (job.purpose !== "fit") { bar.hidden = job.state !== "running"; bar.removeAttribute("value"); pictures.hidden = charts.hidden = true; return; }
      bar.value = job.progress;
      pictures.hidden = !job.preview;
      if (job.preview) {
        render.src = `/fieldlr/jobs/${id}/picture/preview.png?v=${job.preview}`;
        if (job.photo && !photo.src) photo.src = `/fieldlr/jobs/${id}/picture/photo.png`;
        photo.hidden = below.hidden = !job.photo;
      }
      const now = JSON.stringify([job.quality, job.loss.length]);
      if (now !== drawn) {
        drawn = now;
        const line = points => points.map(([x, y]) => ({ x, y }));
        const named = job.quality_name === "psnr_db" ? "PSNR, dB (a quick estimate)" : "IoU (a quick estimate)";
        fieldlr.chart(quality, { series: [{ name: "", marks: line(job.quality) }], x: "seconds of training", y: named });
        fieldlr.chart(loss, { series: [{ name: "", marks: line(job.loss) }], x: "seconds of training", y: "loss" });
      }
    };
    const tell = job => {
      const change = known && (known.state !== job.state || known.trained !== job.trained || known.stopping !== job.stopping);
      known = job;
      show(job);
      if (change) trigger("submit");
      return !["running", "queued"].includes(job.state);
    };
    return polling(`/fieldlr/jobs/${id}`, tell, text => head.replaceChildren(make("b", {}, text)));
  });
  fieldlr.live = following("Nothing is trained yet. Choose a source and press Train.");
  fieldlr.study = following("Start a study, or pick runs: their curves show here.");

  // ---- the queue -----------------------------------------------------------------------------
  fieldlr.queue = (element, props, trigger, watch) => mounted(element, props, watch, root => {
    let known = "";
    const tell = jobs => {
      const now = jobs.map(j => j.id + j.state).join();
      if (known && now !== known) trigger("submit");
      known = now;
      // Trainings and studies have places of their own to say how they ended; the others say it here.
      const shown = jobs.filter(j => j.state === "running" || j.state === "queued"
        || (j.state !== "done" && !["fit", "study"].includes(j.purpose)));
      root.replaceChildren(...shown.map(j => {
        const active = j.state === "running" || j.state === "queued";
        const words = j.purpose === "fit" || j.purpose === "study" ? "" : active ? j.said : j.reason;
        const end = make("button", { type: "button", "aria-label": `${active ? "stop" : "put away"} ${j.title}`,
          onclick: () => trigger("select", { value: j.id }) }, "×");
        return make("span", { class: "fl-chip", "data-state": j.state }, `${j.title}: ${j.state}${words ? `, ${words}` : ""} `, end);
      }));
    };
    return polling("/fieldlr/jobs", tell, text => root.replaceChildren(make("span", { class: "fl-chip", "data-state": "failed" }, text)));
  });

  // ---- a view that is turned by hand -----------------------------------------------------------
  const linked = new Set(), turns = {};  // where each run was turned to last
  fieldlr.orbit = (element, props, trigger, watch) => mounted(element, props, watch, (root, value) => {
    const { job, depth = false, link = false, camera = null, shape = 0.8, room = [[null, null], [-110, 110]] } = value ? JSON.parse(value) : {};
    if (!job) { root.append(make("p", { class: "fl-quiet" }, "Choose a run above.")); return null; }
    const canvas = make("canvas", { class: "fl-view", tabindex: 0, role: "application",
      "aria-label": "The view: drag or use the arrow keys to turn, wheel or + and - to zoom, 0 to begin again" });
    const note = make("div", { class: "fl-quiet", role: "status" });
    const save = make("button", { class: "fl-save", type: "button" }, "Save this picture");
    save.onclick = () => make("a", { href: canvas.toDataURL("image/png"), download: "view.png" }).click();
    root.append(canvas, save, note);
    const pen = canvas.getContext("2d");
    const side = Math.min(root.clientWidth || 480, 720);
    // As many pixels at any shape: those of 480 x 384.
    canvas.width = Math.min(Math.round(429 / Math.sqrt(shape) / 4) * 4, Math.round(side / 4) * 4); canvas.height = Math.round(canvas.width * shape);
    canvas.style.maxWidth = `min(720px, ${Math.round(80 / shape)}vh)`;
    const place = camera === null ? job : `${job} ${camera}`;
    const within = (angle, [least, most]) => Math.max(least ?? -Infinity, Math.min(most ?? Infinity, angle));
    let turn = turns[place] || { right: 0, up: 0, zoom: 1 }, asking = null, due = false, alive = true, later = 0;
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
      const words = new URLSearchParams({ ...turn, width: canvas.width, height: canvas.height, depth });
      if (camera !== null) words.set("camera", camera);
      try {
        const answer = await fetch(`/fieldlr/jobs/${job}/view?${words}`, { signal: stop.signal });
        if (!(answer.headers.get("Content-Type") || "").includes("octet-stream")) {
          note.textContent = (await answer.json()).error || "There is no view.";
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
          if (due) { stop.abort(); break; }  // Moved on: one picture of each place is enough.
        }
      } catch (error) { if (error.name !== "AbortError") note.textContent = "The server does not answer."; }
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
    const seen = new IntersectionObserver(entries => { if (entries.some(e => e.isIntersecting)) { seen.disconnect(); render(); } });
    seen.observe(canvas);
    return () => { alive = false; due = false; clearTimeout(later); linked.delete(move); asking?.abort(); seen.disconnect(); };
  });

  // ---- quality against size --------------------------------------------------------------------
  fieldlr.curves = (element, props, trigger, watch) => mounted(element, props, watch, (root, value) => {
    const { study = "", rate = "bytes", curves = null } = value ? JSON.parse(value) : {};
    const chart = make("div", { class: "fl-curves" });
    root.append(chart);
    const pick = mark => trigger("select", { value: JSON.stringify(mark) });
    let seen = null;
    const draw = plain => {
      if (seen !== null) trigger("submit");
      seen = plain;
      fieldlr.chart(chart, { ...plain, log: true, height: 360, pick });
    };
    const again = () => { if (seen || curves) fieldlr.chart(chart, { ...(seen || curves), log: true, height: 360, pick }); };
    const wide = new ResizeObserver(again);
    wide.observe(root);
    if (!study) { if (curves) fieldlr.chart(chart, { ...curves, log: true, height: 360, pick }); return () => wide.disconnect(); }
    const end = polling(`/fieldlr/jobs/${study}/curves?rate=${rate}`, draw, text => chart.replaceChildren(make("p", { class: "fl-quiet" }, text)), () => root.offsetParent !== null);
    return () => { end(); wide.disconnect(); };
  });

  // ---- cards: the examples, and the runs of the library ----------------------------------------
  const card = (picture, title, lines, choose, chosen = false) => {
    const image = picture ? make("img", { src: picture, alt: "", loading: "lazy" }) : make("div", { class: "fl-blank" });
    return make("button", { class: `fl-card${chosen ? " fl-chosen" : ""}`, type: "button", onclick: choose, "aria-pressed": chosen },
      image, make("b", {}, title), ...lines.filter(Boolean).map(line => make("span", {}, line)));
  };
  fieldlr.examples = (element, props, trigger, watch) => mounted(element, props, watch, (root, value) => {
    const cards = JSON.parse(value || '{"names": []}').names.map(name =>
      card(`/fieldlr/static/examples/${name}.jpg`, name, [], () => trigger("select", { value: name })));
    root.append(make("div", { class: "fl-cards fl-small" }, ...cards));
  });
  fieldlr.library = (element, props, trigger, watch) => mounted(element, props, watch, (root, value) => {
    const { runs = [], chosen = "" } = value ? JSON.parse(value) : {};
    if (!runs.length) root.append(make("p", { class: "fl-quiet" }, "No run yet. What you train shows up here."));
    root.append(make("div", { class: "fl-cards" }, ...runs.map(run => card(
      run.preview && `/fieldlr/jobs/${run.id}/picture/preview.png?v=${run.preview}`, run.title,
      [[run.quality, run.size].filter(Boolean).join(" · "), run.state === "done" ? "" : run.state],
      () => trigger("select", { value: run.id }), run.id === chosen))));
  });
}
