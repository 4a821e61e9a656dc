"""Coding of a radiance field's occupied cells, and removal of unused table rows.

Rendering skips empty cells, and their content is not trained. A field with a feature table stores
which cells are occupied as an octree: a byte per non-empty inner node. Table rows that only empty
cells read can then be 0. Large networks store an octree too. For a smaller network without a table
the decoder evaluates the density of every cell instead; that takes one byte, the density threshold
of occupied cells. Lines and planes are evaluated too, where an octree would take a third of a small
file: they continue into cells that are never seen without the noise of a grid, so a cell beside one
above the threshold counts as occupied, and few are missed. Coarse-and-fine networks skip nothing.
"""

from __future__ import annotations

import bisect

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn import functional

from fieldlr.codec.levels import table_encodings
from fieldlr.codec.quantisation import STEPS, nearest_step
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.radiance import GRID_CELLS, RadianceField

ALL, BY_THRESHOLD, STORED, BY_STORED_THRESHOLD, NEAR_STORED_THRESHOLD = 0, 1, 2, 3, 4
LEVELS = GRID_CELLS.bit_length() - 1
# A cell of this density absorbs 1 % of the light crossing it: the default threshold.
EMPTY_DENSITY = 0.01 * 0.5 * GRID_CELLS
# The thresholds tried, as step bytes, from a quarter of it to sixteen times as much.
THRESHOLDS = range(nearest_step(0.25 * EMPTY_DENSITY), nearest_step(16.0 * EMPTY_DENSITY) + 1)
# With neighbours: the share of occupied cells that may be missed.
MISSED = 0.005
CHUNK = 65536
# Networks of more dense weights are not evaluated: decoding a tiny file could take a minute.
MAX_EVALUATED_WEIGHTS = 1 << 20


def cell_coding(field: RadianceField) -> int:
    """How the occupied cells of a field are coded."""
    if field.cell_occupied.all() or not field.cell_occupied.any():
        return ALL
    tables = table_encodings(field).values()
    if not cheap_to_evaluate(field.config) or any(table.levels for table in tables):
        return STORED
    return NEAR_STORED_THRESHOLD if tables else BY_STORED_THRESHOLD


def cheap_to_evaluate(config: FieldConfig) -> bool:
    """Whether evaluating the density of all cells takes seconds."""
    return config.width**2 * (config.depth + 6) <= MAX_EVALUATED_WEIGHTS


def to_octree(occupied: Bool[np.ndarray, "n n n"]) -> list[UInt8[np.ndarray, " _"]]:
    """The child-mask byte of every non-empty node, level by level from the root."""
    levels = [occupied]
    while len(levels[-1]) > 1:
        levels.append(np.any(_eighths(levels[-1]), axis=-1))
    pairs = zip(levels[:0:-1], levels[-2::-1], strict=True)
    return [np.packbits(_eighths(finer)[coarse], axis=-1)[:, 0] for coarse, finer in pairs]


def refine(
    coarse: Bool[np.ndarray, "n n n"], children: UInt8[np.ndarray, " full"]
) -> Bool[np.ndarray, "2*n 2*n 2*n"]:
    """The octree level (2 N, 2 N, 2 N) below a level (N, N, N), from its child masks."""
    n = len(coarse)
    finer = np.zeros((n, n, n, 8), bool)
    finer[coarse] = np.unpackbits(children[:, None], axis=-1).astype(bool)
    return finer.reshape(n, n, n, 2, 2, 2).transpose(0, 3, 1, 4, 2, 5).reshape((2 * n,) * 3)


def _eighths(finer: np.ndarray) -> np.ndarray:
    """The children (N, N, N, 8) of each cell of the level above (2 N, 2 N, 2 N)."""
    n = len(finer) // 2
    children = finer.reshape(n, 2, n, 2, n, 2).transpose(0, 2, 4, 1, 3, 5)
    return children.reshape(n, n, n, 8)


def mark_occupied(
    field: RadianceField, threshold: float = EMPTY_DENSITY, with_neighbours: bool = False
) -> None:
    """Marks cells whose central density exceeds the threshold, or half the maximum if less.

    Optionally also the 26 neighbours of each.
    """
    density = densities(field)
    above = density > min(threshold, 0.5 * float(density.max()))
    field.cell_occupied.copy_(_widened(above) if with_neighbours else above)


def _widened(cells: Bool[Tensor, "n n n"]) -> Bool[Tensor, "n n n"]:
    """The cells and the 26 neighbours of each."""
    return functional.max_pool3d(cells.float()[None, None], 3, 1, 1)[0, 0] > 0


def best_threshold(field: RadianceField) -> int:
    """The byte of the threshold that best reproduces the cells occupied in a field.

    The density of a cell decays between two updates in training, so a barely dense one is mostly
    taken for empty; nothing is trained there, and haze that grows in it is never rendered.
    """
    density = densities(field)
    wrong = [int(((density > STEPS[b]) != field.cell_occupied).sum()) for b in THRESHOLDS]
    return THRESHOLDS[int(np.argmin(wrong))]


def largest_threshold(field: RadianceField) -> int:
    """The byte of the largest threshold at which few occupied cells are missed, with neighbours."""
    density, occupied = densities(field), field.cell_occupied
    most = MISSED * int(occupied.sum())

    def missed(byte: int) -> int:
        return int((occupied & ~_widened(density > STEPS[byte])).sum())

    return THRESHOLDS[max(bisect.bisect_right(THRESHOLDS, most, key=missed) - 1, 0)]


@torch.no_grad()
def densities(field: RadianceField) -> Float[Tensor, "n n n"]:
    """Densities (N, N, N) at the cell centres, indexed z, y, x."""
    n = GRID_CELLS
    cells = torch.arange(n**3)
    corner = torch.stack([cells % n, cells // n % n, cells // n**2], -1)
    unit = (corner + 0.5) * (2.0 / n) - 1.0
    network = field.networks[-1]
    return torch.cat([network.density(part)[0] for part in unit.split(CHUNK)]).view(n, n, n)


@torch.no_grad()
def zero_unused_rows(field: RadianceField) -> None:
    """Zeroes the table rows that no point of an occupied cell reads."""
    for encoding in table_encodings(field).values():
        tables = dict(encoding.named_parameters())
        for name, read in encoding.rows_read(field.cell_occupied).items():
            tables[name][~read] = 0.0
