"""An overview page of many results: a card each, with a picture, a curve, figures and links.

The page is a single self-contained HTML file.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from fieldlr.system.files import replacing

CURVE_SIZE = (220, 40)  # pixels
MOST_POINTS = 200


@dataclass(frozen=True)
class Card:
    """One result. `links` maps texts to addresses relative to the page."""

    title: str
    state: str
    picture: bytes = b""  # a JPEG
    curve: Sequence[tuple[float, float]] = ()
    figures: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def draw_overview(
    path: Path, title: str, facts: str, cards: Sequence[Card], notes: Sequence[str] = ()
) -> None:
    """Writes the page."""
    page = (
        _PAGE.replace("%TITLE%", escape(title))
        .replace("%FACTS%", escape(facts))
        .replace("%NOTES%", _paragraphs(notes))
        .replace("%CARDS%", "\n".join(map(_card, cards)))
    )
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _card(card: Card) -> str:
    picture = '<div class="none"></div>'
    if card.picture:
        data = base64.b64encode(card.picture).decode()
        picture = f'<img alt="" src="data:image/jpeg;base64,{data}">'
    figures = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in card.figures.items()
    )
    links = " ".join(
        f'<a href="{escape(address)}">{escape(text)}</a>' for text, address in card.links.items()
    )
    return (
        f'<article class="{escape(card.state)}">{picture}<h2>{escape(card.title)}</h2>'
        f"<b>{escape(card.state)}</b>{_curve(card.curve)}<dl>{figures}</dl><nav>{links}</nav>"
        f"{_paragraphs(card.notes)}</article>"
    )


def _curve(points: Sequence[tuple[float, float]]) -> str:
    """Points as an SVG line scaled to CURVE_SIZE."""
    points = points[:: max(1, len(points) // MOST_POINTS)]
    if len(points) < 2:
        return ""
    (left, low), (right, high) = (
        [f(axis) for axis in zip(*points, strict=True)] for f in (min, max)
    )
    width, height = CURVE_SIZE
    places = " ".join(
        f"{(x - left) / ((right - left) or 1.0) * width:.1f},"
        f"{height - (y - low) / ((high - low) or 1.0) * height:.1f}"
        for x, y in points
    )
    return (
        f'<svg viewBox="-2 -2 {width + 4} {height + 4}" role="img" aria-label="quality over time, '
        f'{low:.4g} to {high:.4g}"><polyline points="{places}"/></svg>'
    )


def _paragraphs(texts: Sequence[str]) -> str:
    return "".join(f"<p>{escape(text)}</p>" for text in texts)


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>%TITLE%</title>
<style>
:root { color-scheme: light dark; --paper: #f6f7f9; --card: #fff; --ink: #1b2430; --dim: #667085;
  --edge: #00000018; --line: #2563eb; --done: #15803d; --failed: #b42318; --skipped: #667085 }
@media (prefers-color-scheme: dark) { :root { --paper: #10141a; --card: #1a2029; --ink: #e6eaf0;
  --dim: #93a0b4; --edge: #ffffff1c; --line: #6ea8fe; --done: #4ade80; --failed: #fda29b;
  --skipped: #93a0b4 } }
body { margin: 24px; background: var(--paper); color: var(--ink);
  font: 14px/1.5 system-ui, sans-serif }
h1 { font-size: 22px; margin: 0; color: var(--ink) }
header { margin-bottom: 20px; color: var(--dim) }
main { display: grid; gap: 14px; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(240px, 1fr)) }
article { background: var(--card); border: 1px solid var(--edge); border-radius: 10px;
  padding: 12px; overflow-wrap: anywhere }
img, .none { display: block; width: 100%; aspect-ratio: 4 / 3; object-fit: contain;
  border-radius: 6px; background: var(--paper) }
h2 { font-size: 15px; margin: 8px 0 0; display: inline-block } b { float: right; margin-top: 8px }
.done b { color: var(--done) } .failed b { color: var(--failed) }
.skipped b { color: var(--skipped) }
svg { display: block; width: 100%; margin: 8px 0 } polyline { fill: none; stroke: var(--line);
  stroke-width: 1.5 }
dl { display: grid; grid-template-columns: auto 1fr; gap: 0 12px; margin: 6px 0 }
dt { color: var(--dim) } dd { margin: 0; text-align: right }
a { color: var(--line); margin-right: 8px }
p { margin: 6px 0 0; color: var(--dim); font-size: 13px }
</style></head><body>
<header><h1>%TITLE%</h1>%FACTS%%NOTES%</header>
<main>%CARDS%</main>
</body></html>
"""
