"""Plots of singular values and weights of layers, as figures 2 and 3 of Ji et al. 2024."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from fieldlr.pictures.curves import COLORS
from fieldlr.pictures.drawing import GRID
from fieldlr.system.files import replacing

FLOOR = 1e-8  # smallest singular value shown, relative to the largest


def draw_spectra(
    layers: Sequence[tuple[str, Float[np.ndarray, " _"], Float[np.ndarray, "_ _"]]],
    path: Path,
    title: str,
) -> None:
    """Plots (label, singular values, weight (out, in)) of layers: curves and heat maps of |W|."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(len(layers), 4)
    rows = -(-len(layers) // columns)
    figure = Figure(figsize=(10.0, 4.4 + 2.6 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(1 + rows, columns, height_ratios=[1.7] + [1.0] * rows)
    axes = figure.add_subplot(grid[0, :])
    for index, (label, values, weight) in enumerate(layers):
        shares = np.maximum(values / max(values[0], 1e-300), FLOOR)
        axes.semilogy(
            np.arange(1, len(values) + 1),
            shares,
            label=label,
            color=COLORS[index % len(COLORS)],
            linestyle=("-", "--", ":")[index // len(COLORS) % 3],
        )
        heat = figure.add_subplot(grid[1 + index // columns, index % columns])
        heat.imshow(np.abs(weight), cmap="magma", aspect="auto", interpolation="nearest")
        heat.set_title(f"|W| of {label}", fontsize=9)
        heat.set_xticks([])
        heat.set_yticks([])
    axes.set_title(title)
    axes.set_xlabel("index")
    axes.set_ylabel("singular value / largest")
    axes.grid(True, which="major", color=GRID, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    with replacing(path) as place:
        figure.savefig(place, format=Path(path).suffix[1:], dpi=130)
