"""Plots of curves on a logarithmic axis with error bars, by matplotlib or plotly."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fieldlr.errors import FieldlrError
from fieldlr.pictures.drawing import GREY, GRID, Drawing

# Colour-blind safe colours (Okabe and Ito 2008).
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555")
MARKERS = "osD^vPX*"  # one more than colours: the eighth curve has another marker
CAPTION_WIDTH = 118  # characters per line of the caption


@dataclass(frozen=True)
class Mark:
    """A point of a curve, its error bar and its label."""

    x: float
    y: float
    low: float
    high: float
    text: str = ""


@dataclass(frozen=True)
class Series:
    """A curve. Curves of a family share a colour."""

    name: str
    marks: Sequence[Mark]
    aside: Sequence[Mark] = ()  # drawn hollow, without a line
    dashed: bool = False  # for published results and other reference curves
    family: str = ""  # by default the name
    detail: bool = False  # omitted in drawings, hidden by default in pages


@dataclass(frozen=True)
class Limit:
    """A vertical line for a result above the plotted range, at its x."""

    name: str
    x: float
    text: str = ""


@dataclass(frozen=True)
class Plot:
    """The content of a plot."""

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    limits: Sequence[Limit] = ()
    levels: Sequence[tuple[float, str]] = ()  # (y, label) of a second y axis
    levels_label: str = ""
    notes: Sequence[str] = ()  # sentences below the drawing


def check_plotting(*needed: str) -> None:
    """FieldlrError where what draws is not installed, before any work is done for a drawing."""
    needed = needed or ("matplotlib", "plotly")
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise FieldlrError(
            f"plots need {' and '.join(missing)}. Install with pip install 'fieldlr[study]'."
        )


def styles(series: Sequence[Series]) -> list[tuple[str, str]]:
    """(colour, marker) of each curve."""
    families = list(dict.fromkeys(one.family or one.name for one in series))
    numbers = [families.index(one.family or one.name) for one in series]
    return [(COLORS[n % len(COLORS)], MARKERS[n % len(MARKERS)]) for n in numbers]


def draw_svg(plot: Plot, path: Path) -> None:
    """The curves as an SVG, or as what the suffix says (.png)."""
    draw_curves(plot).save(path)


def draw_curves(plot: Plot) -> Drawing:
    """The curves as a drawing."""
    caption = "\n".join(line for note in plot.notes for line in textwrap.wrap(note, CAPTION_WIDTH))
    height = 5.6 + 0.145 * (caption.count("\n") + 1 if caption else 0)
    drawing = Drawing(f"{plot.title}: {', '.join(one.name for one in plot.series)}", (8.6, height))
    axes = drawing.figure.add_subplot()
    for one, (color, marker) in zip(plot.series, styles(plot.series), strict=True):
        if not one.detail:
            _draw_series(axes, one, color, marker)
    for limit in plot.limits:
        axes.axvline(limit.x, color=GREY, linestyle=":", linewidth=1.2)
        axes.text(
            limit.x, 0.02, f"{limit.name} ", transform=axes.get_xaxis_transform(), rotation=90,
            ha="right", va="bottom", fontsize=8, color=GREY,
        )  # fmt: skip
    _decorate(axes, plot)
    if caption:
        drawing.figure.supxlabel(caption, x=0.01, ha="left", fontsize=7, color=GREY)
    return drawing


def _draw_series(axes: Any, one: Series, color: str, marker: str) -> None:
    marks = one.marks
    spread = [[max(0.0, m.y - m.low) for m in marks], [max(0.0, m.high - m.y) for m in marks]]
    axes.errorbar(
        [m.x for m in marks],
        [m.y for m in marks],
        yerr=spread if any(map(any, spread)) else None,
        label=one.name,
        color=color,
        marker=marker,
        linestyle="--" if one.dashed else "-",
        capsize=3,
        markersize=6,
    )
    if one.aside:
        axes.scatter(
            [m.x for m in one.aside],
            [m.y for m in one.aside],
            s=16,
            marker=marker,
            facecolors="none",
            edgecolors=color,
            linewidths=0.8,
            alpha=0.7,
        )


def _decorate(axes: Any, plot: Plot) -> None:
    """Sets readable ticks, labels, and the second axis on the right."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    axes.set_xscale("log")
    low, high = axes.get_xlim()
    subs = (1, 2, 5) if high / low < 3e3 else (1,)
    axes.xaxis.set_major_locator(LogLocator(subs=subs, numticks=20))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.10g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_title(plot.title)
    axes.set_xlabel(plot.x_label)
    axes.set_ylabel(plot.y_label)
    axes.grid(True, which="major", color=GRID, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    shown = [(y, text) for y, text in plot.levels if _within(y, axes.get_ylim())]
    if shown:
        right = axes.twinx()
        right.set_ylim(axes.get_ylim())
        right.set_yticks([y for y, _ in shown], [text for _, text in shown])
        right.yaxis.set_minor_locator(NullLocator())
        right.set_ylabel(plot.levels_label)
        right.spines[["top", "left"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False)


def _within(value: float, limits: tuple[float, float]) -> bool:
    return bool(min(limits) <= value <= max(limits))


def plotly_figure(plot: Plot) -> Any:
    """The curves as a plotly figure."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for one, (color, _) in zip(plot.series, styles(plot.series), strict=True):
        figure.add_trace(_trace(go, one, one.marks, color))
        if one.aside and not one.detail:
            figure.add_trace(_trace(go, one, one.aside, color, aside=True))
    for limit in plot.limits:
        figure.add_vline(limit.x, line={"color": GREY, "dash": "dot", "width": 1})
        # On a logarithmic axis plotly takes the logarithm of x for annotations, but not for lines.
        figure.add_annotation(
            x=math.log10(limit.x), y=0.0, yref="paper", yanchor="bottom", xanchor="right",
            text=limit.name, hovertext=limit.text, textangle=-90, showarrow=False,
            font={"color": GREY, "size": 11},
        )  # fmt: skip
    figure.update_layout(
        title=plot.title,
        template="plotly_white",
        xaxis={"title": plot.x_label, "type": "log", "dtick": "D2", "tickformat": ",.10~g"},
        yaxis={"title": plot.y_label},
        legend={"groupclick": "toggleitem"},
        height=620,
        hoverlabel={"align": "left"},
    )
    if plot.levels:
        words = [f"{y:.3g} · {text}" for y, text in plot.levels]
        title = f"{plot.y_label} · {plot.levels_label}"
        ys = [y for y, _ in plot.levels]
        figure.update_yaxes(tickvals=ys, ticktext=words, title=title)
    return figure


def _trace(go: Any, one: Series, marks: Sequence[Mark], color: str, aside: bool = False) -> Any:
    """The trace of a line with markers, or of the hollow markers."""
    spread = [m.high - m.y for m in marks], [m.y - m.low for m in marks]
    bars = {"array": spread[0], "arrayminus": spread[1], "thickness": 1.2}
    return go.Scatter(
        x=[m.x for m in marks],
        y=[m.y for m in marks],
        error_y=None if aside or not any(map(any, spread)) else bars,
        text=[m.text for m in marks],
        hovertemplate="%{text}<extra></extra>",
        name=one.name,
        legendgroup=one.name,
        showlegend=not aside,
        visible="legendonly" if one.detail else True,
        mode="markers" if aside else "lines+markers",
        marker={"symbol": "circle-open" if aside else "circle", "size": 6 if aside else 8},
        opacity=0.6 if aside else 1.0,
        line={"color": color, "dash": "dash" if one.dashed else "solid"},
    )


def log_levels(values: Sequence[float]) -> list[tuple[float, str]]:
    """(-10 log10(1 - v), v as text) of fractions v."""
    return [(-10.0 * math.log10(1.0 - v), f"{v:g}") for v in values]
