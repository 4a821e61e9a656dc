"""Curves on a logarithmic axis, with the spread of each point: an SVG, and a page to explore."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from fieldlr.errors import FieldlrError
from fieldlr.files import replacing

# Colours that a colour-blind reader tells apart (Okabe and Ito 2008).
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555")
MARKERS = "osD^vPX"
GRID = "#e4e1da"


@dataclass(frozen=True)
class Mark:
    """A point of a curve, the range it stands for, and what is said of it."""

    x: float
    y: float
    low: float
    high: float
    text: str = ""


@dataclass(frozen=True)
class Series:
    """A curve. Names that are alike up to a comma share a colour."""

    name: str
    marks: Sequence[Mark]
    dashed: bool = False  # for what others have published, and other context


def check_plotting() -> None:
    """FieldlrError where what draws is not installed, before any work is done for a drawing."""
    missing = [name for name in ("matplotlib", "plotly") if find_spec(name) is None]
    if missing:
        raise FieldlrError(
            f"drawing curves needs {' and '.join(missing)}. Get it: pip install 'fieldlr[study]'."
        )


def styles(series: Sequence[Series]) -> list[tuple[str, str]]:
    """(colour, marker) of each curve."""
    families = list(dict.fromkeys(one.name.partition(",")[0] for one in series))
    numbers = [families.index(one.name.partition(",")[0]) for one in series]
    return [(COLORS[n % len(COLORS)], MARKERS[n % len(MARKERS)]) for n in numbers]


def draw_svg(series: Sequence[Series], path: Path, title: str, x_label: str, y_label: str) -> None:
    """The curves as an SVG, or as what the suffix says (.png)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for one, (color, marker) in zip(series, styles(series), strict=True):
        x, y = [m.x for m in one.marks], [m.y for m in one.marks]
        spread = [
            [max(0.0, m.y - m.low) for m in one.marks],
            [max(0.0, m.high - m.y) for m in one.marks],
        ]
        axes.errorbar(
            x,
            y,
            yerr=spread if any(map(any, spread)) else None,
            label=one.name,
            color=color,
            marker=marker,
            linestyle="--" if one.dashed else "-",
            capsize=3,
            markersize=6,
        )
    axes.set_xscale("log")
    axes.set_title(title)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(True, which="both", color=GRID, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    if series:
        axes.legend(frameon=False)
    with replacing(path) as place:
        figure.savefig(place, format=Path(path).suffix[1:], dpi=150)


def draw_html(series: Sequence[Series], path: Path, title: str, x_label: str, y_label: str) -> None:
    """The curves as a page that needs no network: hover, zoom, hide a curve."""
    figure = plotly_figure(series, title, x_label, y_label)
    with replacing(path) as place:
        figure.write_html(place, include_plotlyjs=True, full_html=True)


def plotly_figure(series: Sequence[Series], title: str, x_label: str, y_label: str):
    """The curves as a plotly figure."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for one, (color, _) in zip(series, styles(series), strict=True):
        figure.add_trace(
            go.Scatter(
                x=[m.x for m in one.marks],
                y=[m.y for m in one.marks],
                error_y={
                    "array": [m.high - m.y for m in one.marks],
                    "arrayminus": [m.y - m.low for m in one.marks],
                },
                text=[m.text for m in one.marks],
                hovertemplate="%{text}<extra></extra>",
                name=one.name,
                mode="lines+markers",
                line={
                    "color": color,
                    "dash": "dash" if one.dashed else "solid",
                },
            )
        )
    figure.update_layout(
        title=title, template="plotly_white", xaxis_title=x_label, yaxis_title=y_label
    )
    figure.update_xaxes(type="log")
    return figure
