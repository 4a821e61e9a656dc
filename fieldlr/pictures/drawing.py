"""A drawing by matplotlib: shown in a notebook, or written to a file."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from fieldlr.system.files import replacing

GRID, GREY = "#e4e1da", "#666666"
LOSS, QUALITY = "#D55E00", "#0072B2"
DOTS_PER_INCH = 150


class Drawing:
    """A drawing: a notebook shows it, `save` writes it; `figure` is matplotlib's, to be changed."""

    def __init__(self, title: str, inches: tuple[float, float]) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.title = title
        self.figure = Figure(figsize=inches, layout="constrained")
        FigureCanvasAgg(self.figure)

    def __repr__(self) -> str:
        return f"Drawing of {self.title}"

    def _repr_png_(self) -> bytes:
        stream = BytesIO()
        self.figure.savefig(stream, format="png", dpi=90)
        return stream.getvalue()

    def save(self, path: Path | str) -> None:
        """Writes the drawing as what the suffix says: .svg, .png or .pdf."""
        with replacing(Path(path)) as place:
            self.figure.savefig(place, format=Path(path).suffix[1:], dpi=DOTS_PER_INCH)


def draw_history(
    title: str,
    losses: Sequence[tuple[float, float]],
    qualities: Sequence[tuple[float, float]],
    quality_name: str,
) -> Drawing:
    """How a fit went: (seconds, loss) on a logarithmic axis and (seconds, estimated quality)."""
    drawing = Drawing(title, (6.4, 3.4))
    axes = drawing.figure.add_subplot()
    axes.plot(*zip(*losses, strict=True), color=LOSS, linewidth=1.2)
    axes.set_yscale("log")
    axes.set_title(title)
    axes.set_xlabel("seconds of training")
    axes.set_ylabel("loss", color=LOSS)
    axes.grid(True, which="major", color=GRID, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    if qualities:
        right = axes.twinx()
        right.plot(*zip(*qualities, strict=True), color=QUALITY, marker="o", markersize=4)
        right.set_ylabel(f"{quality_name}, estimated", color=QUALITY)
        right.spines[["top", "left"]].set_visible(False)
    return drawing
