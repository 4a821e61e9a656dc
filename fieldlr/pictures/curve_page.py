"""Rate-distortion curves as a self-contained interactive HTML page with a table of BD figures."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fieldlr.pictures.curves import Plot, plotly_figure
from fieldlr.system.files import replacing

HEADS = ("anchor", "test", "BD-rate", "95 % interval", "BD-quality", "overlap")


def write_page(plot: Plot, figures: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Writes the page of a plot and of rows of BD figures."""
    drawn = plotly_figure(plot).to_html(include_plotlyjs=True, full_html=False)
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in plot.notes)
    page = (
        _PAGE.replace("%TITLE%", html.escape(plot.title))
        .replace("%NOTES%", f"<ul>{notes}</ul>" if notes else "")
        .replace("%TABLE%", _table(figures) if figures else "")
        .replace("%PLOT%", drawn)
    )
    with replacing(path) as place:
        place.write_text(page, encoding="utf-8")


def figures_in_words(row: Mapping[str, Any]) -> list[str]:
    """A row of BD figures as text, in the columns HEADS, or the reason why there is none."""
    pair = [row["anchor"], row["test"]]
    if "refused" in row:
        return [*pair, row["refused"], "", "", ""]
    interval = row["interval"]
    between = "one seed" if interval is None else "{:+.1f} to {:+.1f} %".format(*interval)
    figures = [f"{row['bd_rate_percent']:+.1f} %", between, f"{row['bd_quality_db']:+.2f} dB"]
    return [*pair, *figures, f"{100 * row['overlap']:.0f} %"]


def _table(figures: Sequence[Mapping[str, Any]]) -> str:
    heads = "".join(f"<th>{head}</th>" for head in HEADS)
    rows = []
    for row in figures:
        words = [html.escape(word) for word in figures_in_words(row)]
        if "refused" in row:
            cells = "".join(f"<td>{word}</td>" for word in words[:2])
            rows.append(f"<tr>{cells}<td colspan=4 class=refused>{words[2]}</td></tr>")
        else:
            rows.append("<tr>" + "".join(f"<td>{word}</td>" for word in words) + "</tr>")
    return (
        f"<h2>Bjøntegaard figures</h2>{_EXPLANATION}<table><tr>{heads}</tr>{''.join(rows)}</table>"
    )


_EXPLANATION = """<p>BD-rate: mean difference in bytes between test and anchor at equal quality
(negative: the test is smaller), over the range that both curves cover. The overlap is the share of
that range; below 75 % no figure is computed. The interval is a bootstrap over seeds.</p>"""

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>%TITLE%</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 1100px; margin: 1.5em auto;
  padding: 0 1em }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .25em .9em .25em 0; border-bottom: 1px solid #e4e1da;
  vertical-align: top }
.refused { color: #777 }
li { margin: .2em 0 }
</style></head><body>
%PLOT%
%NOTES%
%TABLE%
</body></html>
"""
