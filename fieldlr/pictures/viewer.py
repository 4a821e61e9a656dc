"""A self-contained interactive HTML viewer of 3D line segments and points."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from fieldlr.system.files import replacing

MOST_POINTS = 60_000

Segments = Float[np.ndarray, "_ 2 3"] | Float[Tensor, "_ 2 3"]
Points = Float[np.ndarray, "_ _"] | Float[Tensor, "_ _"]


def write_viewer(
    path: Path | str,
    title: str,
    lines: Mapping[str, Segments],
    points: Points | None = None,
    facts: Mapping[str, str] | None = None,
    warnings: Sequence[str] = (),
) -> None:
    """Writes a page with named segments (S, 2, 3) and points (P, 3), +Z up, facts and warnings.

    Points (P, 6) have colours in [0, 1]. Arrays may be NumPy or torch. The initial view fits the
    segments, or the points if there are none.
    """
    scene = {
        "lines": [{"name": name, "data": _to_base64(segments)} for name, segments in lines.items()],
        "points": None if points is None else _to_base64(_subsampled(points)),
        "columns": 0 if points is None else int(np.asarray(points).shape[1]),
    }
    rows = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(str(value))}</dd>"
        for name, value in (facts or {}).items()
    )
    notes = "".join(f"<li>{html.escape(warning)}</li>" for warning in warnings)
    data = json.dumps(scene).replace("<", "\\u003c")
    page = (
        _PAGE.replace("%TITLE%", html.escape(title))
        .replace("%FACTS%", f"<dl>{rows}</dl>" if rows else "")
        .replace("%WARNINGS%", f"<ul>{notes}</ul>" if notes else "")
        .replace("%DATA%", data)
    )
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _to_base64(array: Segments | Points) -> str:
    """Little-endian float32 values in base64."""
    return base64.b64encode(np.ascontiguousarray(np.asarray(array), "<f4").tobytes()).decode()


def _subsampled(points: Points) -> np.ndarray:
    """At most MOST_POINTS finite points, evenly spaced in their order."""
    points = np.asarray(points)
    points = points[np.isfinite(points).all(1)]
    return points[:: max(1, -(-len(points) // MOST_POINTS))]


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>%TITLE%</title>
<style>
:root { color-scheme: light dark; --paper: #f6f7f9; --card: #ffffffe0; --ink: #1b2430;
  --dim: #667085; --edge: #00000014; --warn: #b54708; --warnpaper: #fff6e5;
  --c0: #2563eb; --c1: #ea580c; --c2: #64748b; --c3: #16a34a; --c4: #9333ea; --grid: #cfd5de }
@media (prefers-color-scheme: dark) { :root { --paper: #10141a; --card: #1a2029e0; --ink: #e6eaf0;
  --dim: #93a0b4; --edge: #ffffff17; --warn: #fdb022; --warnpaper: #2b2413;
  --c0: #6ea8fe; --c1: #ff9d5c; --c2: #8593a8; --c3: #4ade80; --c4: #c084fc; --grid: #2b3442 } }
html, body { margin: 0; height: 100%; overflow: hidden; background: var(--paper); color: var(--ink);
  font: 14px/1.5 system-ui, sans-serif }
canvas { position: fixed; inset: 0; width: 100%; height: 100%; touch-action: none; cursor: grab }
body.framed aside :not(#legend, #legend *) { display: none; }
aside { position: fixed; left: 16px; top: 16px; width: min(300px, calc(100vw - 64px));
  max-height: calc(100vh - 64px); overflow: auto; padding: 16px; border-radius: 12px;
  background: var(--card); border: 1px solid var(--edge); backdrop-filter: blur(8px);
  box-shadow: 0 4px 24px #0000001a }
h1 { margin: 0 0 8px; font-size: 17px; overflow-wrap: anywhere }
dl { display: grid; grid-template-columns: auto 1fr; gap: 2px 12px; margin: 0 0 10px }
dt { color: var(--dim) } dd { margin: 0; text-align: right; overflow-wrap: anywhere }
ul { margin: 0 0 10px; padding: 8px 10px 8px 26px; border-radius: 8px; background: var(--warnpaper);
  color: var(--warn) }
label { display: inline-flex; align-items: center; gap: 6px; margin-right: 12px; cursor: pointer }
i { width: 12px; height: 12px; border-radius: 3px; display: inline-block }
p { margin: 8px 0 0; color: var(--dim); font-size: 12px }
</style></head><body><canvas></canvas>
<script>if (self !== top) document.body.classList.add("framed");</script>
<aside><h1>%TITLE%</h1>%FACTS%%WARNINGS%<div id="legend"></div>
<p>Drag to turn, shift-drag to move, wheel or pinch to zoom, double-click to reset.</p></aside>
<script type="application/json" id="data">%DATA%</script>
<script>
const scene = JSON.parse(document.getElementById("data").textContent);
const unpack = text => new Float32Array(Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer);
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const layers = scene.lines.map((l, i) => ({name: l.name, data: unpack(l.data), hue: "--c" + i % 5,
  on: true}));
const width = scene.columns, points = scene.points ? unpack(scene.points) : null;
const cloud = {name: "points", hue: "--dim", on: true};
const box = [[Infinity, Infinity, Infinity], [-Infinity, -Infinity, -Infinity]];
const grow = (data, step) => {
  for (let i = 0; i < data.length; i += step) for (let k = 0; k < 3; k++) {
  box[0][k] = Math.min(box[0][k], data[i + k]); box[1][k] = Math.max(box[1][k], data[i + k]); } };
layers.forEach(layer => grow(layer.data, 3));
if (points && !layers.length) grow(points, width);
const home = () => ({yaw: -2.2, pitch: 0.42, zoom: 1, move: [0, 0]});
const middle = box[0].map((v, k) => (v + box[1][k]) / 2);
const radius = Math.hypot(...box[0].map((v, k) => box[1][k] - v)) / 2 || 1;
let view = home(), queued = false;
const canvas = document.querySelector("canvas");
// Many small points: drawn by the CPU, which is fast at them everywhere.
const pen = canvas.getContext("2d", {willReadFrequently: true});
// A point becomes [x, y, depth]; a mild perspective from four radii away.
function project(x, y, z, out) {
  x -= middle[0]; y -= middle[1]; z -= middle[2];
  const cy = Math.cos(view.yaw), sy = Math.sin(view.yaw);
  const cp = Math.cos(view.pitch), sp = Math.sin(view.pitch);
  const right = cy * x + sy * y, ahead = -sy * x + cy * y;
  const depth = (cp * ahead - sp * z) / radius, up = sp * ahead + cp * z;
  const scale = out.size * view.zoom * 1.25 / (Math.max(4 + depth, 0.2) * radius);
  out.x = out.cx + right * scale; out.y = out.cy - up * scale; out.depth = depth;
  return out.depth > -3.8;
}
function draw() {
  queued = false;
  const ratio = devicePixelRatio || 1, w = innerWidth, h = innerHeight;
  canvas.width = w * ratio; canvas.height = h * ratio; pen.scale(ratio, ratio);
  const side = w > 760 ? 316 : 0, size = Math.min(w - side, h) * 1.45;
  const centre = {cx: side + (w - side) / 2 + view.move[0], cy: h / 2 + view.move[1], size};
  const a = {...centre}, b = {...centre}, fade = d => Math.max(0.25, Math.min(1, 0.75 - 0.4 * d));
  pen.lineWidth = 1; pen.strokeStyle = css("--grid"); pen.globalAlpha = 0.8; pen.beginPath();
  const floor = box[0][2], reach = radius * 1.1;
  for (let i = -5; i <= 5; i++) for (const turn of [0, 1]) {
    const at = i / 5 * reach;
    const p = turn ? [at, -reach] : [-reach, at], q = turn ? [at, reach] : [reach, at];
    if (project(middle[0] + p[0], middle[1] + p[1], floor, a)
      && project(middle[0] + q[0], middle[1] + q[1], floor, b)) {
      pen.moveTo(a.x, a.y); pen.lineTo(b.x, b.y); } }
  pen.stroke();
  if (points && cloud.on) {
    const plain = css("--ink"), low = box[0][2], tall = box[1][2] - low || 1;
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const order = [];
    for (let i = 0; i < points.length; i += width)
      if (project(points[i], points[i + 1], points[i + 2], a)) order.push([a.depth, a.x, a.y, i]);
    order.sort((p, q) => q[0] - p[0]);
    const dot = points.length / width > 20000 ? 1.4 : 2;
    for (const [d, x, y, i] of order) {
      const t = Math.max(0, Math.min(1, (points[i + 2] - low) / tall));
      pen.globalAlpha = fade(d);
      const [r, g, b] = points.slice(i + 3, i + 6).map(v => v * 255);
      pen.fillStyle = width > 5 ? `rgb(${r},${g},${b})`
        : `hsl(${255 - 205 * t} 60% ${dark ? 45 + 25 * t : 35 + 15 * t}%)`;
      pen.fillRect(x - dot / 2, y - dot / 2, dot, dot); } }
  for (const layer of layers) if (layer.on) {
    pen.strokeStyle = css(layer.hue); pen.lineWidth = 1.3;
    for (let i = 0; i < layer.data.length; i += 6) {
      const d = layer.data, seen = project(d[i], d[i + 1], d[i + 2], a);
      if (!project(d[i + 3], d[i + 4], d[i + 5], b) || !seen) continue;
      pen.globalAlpha = fade((a.depth + b.depth) / 2); pen.beginPath();
      pen.moveTo(a.x, a.y); pen.lineTo(b.x, b.y); pen.stroke(); } }
  pen.globalAlpha = 1;
}
const redraw = () => { if (!queued) { queued = true; requestAnimationFrame(draw); } };
const touches = new Map();
canvas.onpointerdown = e => { canvas.setPointerCapture(e.pointerId); touches.set(e.pointerId, e); };
canvas.onpointerup = canvas.onpointercancel = e => touches.delete(e.pointerId);
canvas.onpointermove = e => {
  const last = touches.get(e.pointerId);
  if (!last) return;
  const dx = e.clientX - last.clientX, dy = e.clientY - last.clientY;
  if (touches.size === 2) {
    const other = [...touches.entries()].find(([id]) => id !== e.pointerId)[1];
    const gap = p => Math.hypot(p.clientX - other.clientX, p.clientY - other.clientY);
    view.zoom *= gap(e) / Math.max(gap(last), 1); view.move[0] += dx / 2; view.move[1] += dy / 2;
  } else if (e.shiftKey) { view.move[0] += dx; view.move[1] += dy; }
  else {
    view.yaw -= dx * 0.008;
    view.pitch = Math.max(-1.57, Math.min(1.57, view.pitch + dy * 0.008)); }
  touches.set(e.pointerId, e); redraw();
};
canvas.onwheel = e => { e.preventDefault(); view.zoom *= Math.exp(-e.deltaY * 0.0012); redraw(); };
canvas.ondblclick = () => { view = home(); redraw(); };
for (const layer of points ? [...layers, cloud] : layers) {
  const label = document.createElement("label"), tick = document.createElement("input");
  const swatch = document.createElement("i");
  swatch.style.background = `var(${layer.hue})`; tick.type = "checkbox"; tick.checked = true;
  tick.onchange = () => { layer.on = tick.checked; redraw(); };
  label.append(tick, swatch, layer.name); document.getElementById("legend").append(label);
}
addEventListener("resize", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
draw();
</script></body></html>
"""
