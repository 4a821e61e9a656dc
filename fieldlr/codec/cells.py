"""Where a radiance field is empty, as bytes or from the field itself, and what is read nowhere.

Rendering skips empty cells, and nothing trains what is in them. A field with a table of features
stores which cells are occupied, as an octree: a byte for every cell that is neither wholly empty
nor a leaf. So the rows of the table that only empty cells read can be 0. Large networks do so too.
A smaller one without a table is asked again for its density instead; that takes one byte, the
density above which a cell is occupied. Two networks skip nothing.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, UInt8

from fieldlr.codec.steps import STEPS, nearest_step
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.radiance import GRID_CELLS, RadianceField
from fieldlr.nn.encodings import Encoding

ALL, ASKED, STORED, ASKED_AT = 0, 1, 2, 3
LEVELS = GRID_CELLS.bit_length() - 1
# A cell of this density takes 1 % of the light that crosses it: the limit of files that name none.
EMPTY_DENSITY = 0.01 * 0.5 * GRID_CELLS
# The limits, as bytes of steps, from a quarter of it to sixteen times as much.
LIMITS = range(nearest_step(0.25 * EMPTY_DENSITY), nearest_step(16.0 * EMPTY_DENSITY) + 1)
CHUNK = 65536
# A network of more dense weights than this is not asked: a small file could ask for a minute.
MOST_ASKED = 1 << 20


def way_of(field: RadianceField) -> int:
    """How the occupied cells of a field are kept."""
    if field.cell_occupied.all() or not field.cell_occupied.any():
        return ALL
    return ASKED_AT if may_be_asked(field.config) and not encodings_of(field) else STORED


def may_be_asked(config: FieldConfig) -> bool:
    """Whether asking a network for all cells is a matter of seconds."""
    return config.width**2 * (config.depth + 6) <= MOST_ASKED


def encodings_of(field: RadianceField) -> list[Encoding]:
    """The encodings that read tables."""
    own = [module for module in field.modules() if isinstance(module, Encoding)]
    return [encoding for encoding in own if any(True for _ in encoding.parameters())]


def to_octree(occupied: Bool[np.ndarray, "n n n"]) -> list[UInt8[np.ndarray, " _"]]:
    """Bytes of the cells that hold something, level after level from the root."""
    levels = [occupied]
    while len(levels[-1]) > 1:
        levels.append(np.any(_eighths(levels[-1]), axis=-1))
    pairs = zip(levels[:0:-1], levels[-2::-1], strict=True)
    return [np.packbits(_eighths(finer)[coarse], axis=-1)[:, 0] for coarse, finer in pairs]


def grown(
    coarse: Bool[np.ndarray, "n n n"], octets: UInt8[np.ndarray, " full"]
) -> Bool[np.ndarray, "2*n 2*n 2*n"]:
    """The level (2 N, 2 N, 2 N) below an octree's level (N, N, N), from the bytes of its cells."""
    n = len(coarse)
    finer = np.zeros((n, n, n, 8), bool)
    finer[coarse] = np.unpackbits(octets[:, None], axis=-1).astype(bool)
    return finer.reshape(n, n, n, 2, 2, 2).transpose(0, 3, 1, 4, 2, 5).reshape((2 * n,) * 3)


def _eighths(finer: np.ndarray) -> np.ndarray:
    """The children (N, N, N, 8) of each cell of the level above (2 N, 2 N, 2 N)."""
    n = len(finer) // 2
    children = finer.reshape(n, 2, n, 2, n, 2).transpose(0, 2, 4, 1, 3, 5)
    return children.reshape(n, n, n, 8)


def ask(field: RadianceField, limit: float = EMPTY_DENSITY) -> None:
    """Marks the cells in whose middle the density is above a limit, or half of its highest one."""
    density = _densities(field)
    field.cell_occupied.copy_(density > min(limit, 0.5 * float(density.max())))


def best_limit(field: RadianceField) -> int:
    """The byte of the limit at which asking comes nearest to the cells that a field has.

    While a field is trained its cells fade between two looks: one that is hardly dense enough is
    mostly taken for empty, nothing is trained there, and the haze that grows in it is never seen.
    """
    density = _densities(field)
    wrong = [int(((density > STEPS[b]) != field.cell_occupied).sum()) for b in LIMITS]
    return LIMITS[int(np.argmin(wrong))]


@torch.no_grad()
def _densities(field: RadianceField) -> torch.Tensor:
    """In the middles of all cells, (N, N, N), indexed z, y, x."""
    n = GRID_CELLS
    cells = torch.arange(n**3)
    corner = torch.stack([cells % n, cells // n % n, cells // n**2], -1)
    unit = (corner + 0.5) * (2.0 / n) - 1.0
    network = field.networks[-1]
    return torch.cat([network.density(part)[0] for part in unit.split(CHUNK)]).view(n, n, n)


@torch.no_grad()
def clear_unread(field: RadianceField) -> None:
    """Sets the rows of tables to 0 that no point of an occupied cell reads."""
    for encoding in encodings_of(field):
        low = field.cell_occupied.nonzero().flip(-1) * (2.0 / GRID_CELLS) - 1.0
        tables = dict(encoding.named_parameters())
        for name, read in encoding.rows_read(low, low + 2.0 / GRID_CELLS).items():
            tables[name][~read] = 0.0
