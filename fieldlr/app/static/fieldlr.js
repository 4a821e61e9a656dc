// The interactive parts of the page but the stage. Gradio mounts each on an element by its `js_on_load`.
"use strict";
const fieldlr = {};
{
  const POLL_MS = 1000;  // milliseconds between two requests for the status of a running job
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
    const whole = Math.round(seconds), minutes = Math.round(seconds / 60);
    if (whole < 60) return `${whole} s`;
    if (whole < 300 && whole % 60) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
    return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  };
  const short = x => Math.abs(x) >= 1e6 ? `${+(x / 1e6).toPrecision(3)}M`
    : Math.abs(x) >= 1e3 ? `${+(x / 1e3).toPrecision(3)}k` : `${+x.toPrecision(3)}`;
  // Mounts a component again whenever Gradio gives the element another value, after ending the old one.
  const mounted = (element, props, watch, start) => {
    let end = () => {};
    const again = () => {
      end();
      const root = element.querySelector(".fl-root");
      root.replaceChildren();
      end = start(root, props.value) || (() => {});
    };
    watch("value", again);
    again();
  };
  let boot = "";
  // Polls an address while it is `wanted`, by default while the page is visible, and calls `update` with what is new. `update` returns
  // whether nothing is running, so that polling may slow down.
  const polling = (address, update, lost, wanted = () => !document.hidden) => {
    let tag = "", timer = 0, ended = false, idle = false;
    const ask = async () => {
      if (ended) return;
      if (wanted()) {
        try {
          const headers = tag ? { "If-None-Match": tag } : {};
          const answer = await fetch(address, { headers, cache: "no-store" });
          if (ended) return;
          const now = answer.headers.get("fieldlr-boot");
          if (boot && now !== boot) { location.reload(); return; }
          boot = now;
          if (answer.status === 200) { tag = answer.headers.get("ETag") || ""; idle = update(await answer.json()); }
          else if (answer.status === 404) { lost((await answer.json()).error); return; }
        } catch (error) { lost("The server does not respond. Running jobs continue."); }
      }
      timer = setTimeout(ask, idle ? 4 * POLL_MS : POLL_MS);
    };
    ask();
    return () => { ended = true; clearTimeout(timer); };
  };

  const notifies = () => globalThis.Notification?.permission === "granted";
  fieldlr.kit = { make, mounted, polling };

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
  fieldlr.chart = (root, { series, limits = [], levels = [], x = "", y = "", log = false, height = 150, pick = null }) => {
    const width = Math.max(root.clientWidth || 300, 220), left = 46, right = 12, top = 10, bottom = 32;
    const marks = series.flatMap(s => [...s.marks, ...(s.aside || [])]);
    if (!marks.length) { root.replaceChildren(make("p", { class: "fl-quiet" }, "Waiting for the first measurement")); return; }
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
    // `levels` are [position, label] of an axis that is not linear in its labels.
    const known = levels.filter(([t]) => t >= y0 && t <= y1);
    let lastLevel = 1e9;
    for (const [t, label] of known.length > 1 ? known : ticks(y0, y1, false).map(t => [t, levels.length ? short(1 - 10 ** (-t / 10)) : short(t)])) {
      if (lastLevel - py(t) < 14) continue;
      lastLevel = py(t);
      picture.append(svg("line", { x1: left, x2: width - right, y1: py(t), y2: py(t), class: "fl-grid" }));
      picture.append(svg("text", { x: left - 5, y: py(t) + 4, class: "fl-tick", "text-anchor": "end" }, label));
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

  // ---- the status of a training -----------------------------------------------------------------
  const STATES = { queued: "Waiting", running: "Training", done: "Done", stopped: "Stopped", failed: "Failed" };
  const status = job => {
    if (job.state === "queued") return job.ahead ? `${job.ahead} ahead in the queue` : "starting";
    if (job.state === "failed" || job.state === "stopped") return [job.reason, job.quality_text && `Quality: ${job.quality_text}.`].filter(Boolean).join(" ");
    if (job.stopping) return "saving";
    if (job.state === "done") {
      if (!job.quality_text) return "";
      const measured = job.measured_on ? `, measured on ${job.measured_on}` : "";
      return `${job.quality_text}${job.kind === "photos" ? " on the held-out photos" : " with the original"}${measured}`;
    }
    if (job.purpose !== "fit") return job.said;
    if (job.phase === "reading") return "reading the source";
    const left = job.seconds_left == null ? "" : `about ${duration(job.seconds_left)} left`;
    return job.phase === "measuring" ? `measuring the quality${left ? `, ${left}` : ", almost done"}` : left;
  };

  const jobStatus = nothing => (element, props, trigger, watch) => mounted(element, props, watch, (root, id) => {
    if (!id) { root.append(make("p", { class: "fl-quiet" }, nothing)); return null; }
    const head = make("div", { class: "fl-head", "aria-live": "polite" });
    const bar = make("progress", { max: 1, value: 0, "aria-label": "Progress" });
    const quality = make("div"), loss = make("div");
    const charts = make("details", {}, make("summary", {}, "Curves"), make("div", { class: "fl-charts" }, quality, loss));
    charts.open = matchMedia("(min-width: 1000px)").matches;
    const notify = make("button", { class: "fl-save", type: "button", hidden: "",
      onclick: async () => { await Notification.requestPermission(); notify.hidden = true; } }, "Notify me when it is done");
    root.append(head, bar, notify, charts);
    let known = null, drawn = "";
    const show = job => {
      head.replaceChildren(make("b", {}, job.title), ` ${STATES[job.state]}. `, make("span", {}, status(job)),
        ...(job.state === "done" ? job.warnings : []).map(text => make("p", {}, `⚠ ${text}`)));
      head.dataset.state = job.state;
      notify.hidden = job.state !== "running" || globalThis.Notification?.permission !== "default";
      // A bar without a value moves to and fro: something is happening, how long it takes is unknown.
      if (job.progress == null) bar.removeAttribute("value"); else bar.value = job.progress;
      if (job.purpose !== "fit") { bar.hidden = job.state !== "running"; charts.hidden = true; return; }
      const now = JSON.stringify([job.quality, job.loss.length]);
      if (now !== drawn) {
        drawn = now;
        const line = points => points.map(([x, y]) => ({ x, y }));
        const named = job.quality_name === "psnr_db" ? "PSNR in dB (quick estimate)" : "IoU, overlap with the original (quick estimate)";
        fieldlr.chart(quality, { series: [{ name: "", marks: line(job.quality) }], x: "training time in seconds", y: named });
        fieldlr.chart(loss, { series: [{ name: "", marks: line(job.loss) }], x: "training time in seconds", y: "training loss" });
      }
    };
    charts.ontoggle = () => { drawn = ""; if (known) show(known); };  // closed, they had no width
    const update = job => {
      const change = known && (known.state !== job.state || !known.saved !== !job.saved || known.stopping !== job.stopping);
      known = job;
      show(job);
      if (change) trigger("submit");
      return !["running", "queued"].includes(job.state);
    };
    return polling(`/fieldlr/jobs/${id}`, update, text => head.replaceChildren(make("b", {}, text)));
  });
  fieldlr.live = jobStatus("No run yet. Choose a source and press Train.");
  fieldlr.study = jobStatus("Start a study, or select runs, to see their curves here.");

  // ---- the queue -----------------------------------------------------------------------------
  fieldlr.queue = (element, props, trigger, watch) => mounted(element, props, watch, root => {
    let known = "";
    const states = {};
    const update = jobs => {
      const now = jobs.map(j => j.id + j.state).join();
      if (known && now !== known) trigger("submit");
      known = now;
      for (const j of jobs) {
        const ended = states[j.id] === "running" && ["done", "failed"].includes(j.state);
        if (ended && document.hidden && notifies()) new Notification(`${j.title}: ${STATES[j.state].toLowerCase()}`, { tag: j.id });
        states[j.id] = j.state;
      }
      // Trainings and studies show their end on their tabs; other jobs show it here.
      const shown = jobs.filter(j => j.state === "running" || j.state === "queued"
        || (j.state !== "done" && !["fit", "study"].includes(j.purpose)));
      root.replaceChildren(...shown.map(j => {
        const active = j.state === "running" || j.state === "queued";
        const message = j.purpose === "fit" || j.purpose === "study" ? "" : active ? j.said : j.reason;
        const end = make("button", { type: "button", "aria-label": `${active ? "Stop" : "Remove"} ${j.title}`,
          onclick: () => trigger("select", { value: j.id }) }, "×");
        return make("span", { class: "fl-chip", "data-state": j.state }, `${j.title}: ${STATES[j.state].toLowerCase()}${message ? `, ${message}` : ""} `, end);
      }));
    };
    return polling("/fieldlr/jobs", update, text => root.replaceChildren(make("span", { class: "fl-chip", "data-state": "failed" }, text)),
      () => !document.hidden || notifies());
  });

  // Gradio puts a picture into a button without a name, which a screen reader could not announce.
  const nameless = ".image-container > button:not([aria-label])";
  new MutationObserver(() => document.querySelectorAll(nameless).forEach(
    button => button.setAttribute("aria-label", "Picture"),
  )).observe(document.documentElement, { childList: true, subtree: true });

  // ---- quality against file size --------------------------------------------------------------------
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
    const end = polling(`/fieldlr/jobs/${study}/curves?rate=${rate}`, draw, text => chart.replaceChildren(make("p", { class: "fl-quiet" }, text)), () => !document.hidden && root.offsetParent !== null);
    return () => { end(); wide.disconnect(); };
  });

  // ---- cards: the examples, and the runs of the library ----------------------------------------
  const card = (picture, title, lines, select, selected = false) => {
    const image = picture ? make("img", { src: picture, alt: "", loading: "lazy" }) : make("div", { class: "fl-blank" });
    return make("button", { class: `fl-card${selected ? " fl-selected" : ""}`, type: "button", title, onclick: select, "aria-pressed": selected },
      image, make("b", {}, title), ...lines.filter(Boolean).map(line => make("span", {}, line)));
  };
  fieldlr.examples = (element, props, trigger, watch) => mounted(element, props, watch, (root, value) => {
    const cards = JSON.parse(value || '{"names": []}').names.map(name =>
      card(`/fieldlr/static/examples/${name}.jpg`, name, [], () => trigger("select", { value: name })));
    root.append(make("div", { class: "fl-cards fl-tiny" }, ...cards));
  });
  fieldlr.library = (element, props, trigger, watch) => mounted(element, props, watch, (root, value) => {
    const { runs = [], selected = "", searched = false } = value ? JSON.parse(value) : {};
    if (!runs.length) root.append(make("p", { class: "fl-quiet" }, searched ? "No run matches." : "No runs yet. Trained runs appear here."));
    root.append(make("div", { class: "fl-cards" }, ...runs.map(run => card(
      run.preview && `/fieldlr/jobs/${run.id}/picture/preview.png?v=${run.preview}`, run.title,
      [[run.settings, run.created].filter(Boolean).join(" · "), run.quality, run.size, run.state === "done" ? "" : STATES[run.state].toLowerCase()],
      () => trigger("select", { value: run.id }), run.id === selected))));
  });
  fieldlr.sources = (element, props, trigger, watch) => mounted(element, props, watch, (root, value) => {
    const { sources = [], selected = "" } = value ? JSON.parse(value) : {};
    if (!sources.length) root.append(make("p", { class: "fl-quiet" }, "No sources yet."));
    root.append(make("div", { class: "fl-cards fl-small" }, ...sources.map(source => card(
      source.picture && `/fieldlr/static/examples/${source.picture}.jpg`, source.title,
      [source.kind, `${source.created}, ${source.size}`], () => trigger("select", { value: source.id }), source.id === selected))));
  });
}
