"""How much each tensor of a field matters, number by number: measured, not derived."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fieldlr.fields.field import Field
from fieldlr.fields.radiance import GRID_CELLS, RadianceField

# Points at which a field is watched, and among how many they are chosen.
WATCHED, CANDIDATES = 2048, 8192
# A tensor is disturbed by this part of its root mean square.
DISTURBANCE = 2.0**-6


@torch.no_grad()
def sensitivities(field: Field) -> dict[str, float]:
    """How much what the field says moves, squared, for each number of a tensor and its square.

    Measured: every number of a tensor is moved by the same small distance, up or down at random.
    """
    generator = torch.Generator().manual_seed(0)
    watch = _watch(field, generator)
    before, found = watch(), {}
    for name, parameter in field.named_parameters():
        kept = parameter.clone()
        distance = DISTURBANCE * max(float(kept.square().mean().sqrt()), 1e-6)
        signs = torch.randint(2, kept.shape, generator=generator) * 2 - 1
        parameter.add_(distance * signs.to(kept) * (kept != 0))
        moved = float((watch() - before).square().mean())
        parameter.copy_(kept)
        found[name] = max(moved / (distance**2 * max(int((kept != 0).sum()), 1)), 1e-12)
    return found


def _watch(field: Field, generator: torch.Generator) -> Callable[[], Tensor]:
    """What a field says where it matters, as a function of its numbers alone."""
    if isinstance(field, RadianceField):
        return _watch_radiance(field, generator)
    points = field.aabb.from_unit(torch.rand(CANDIDATES, 3, generator=generator) * 2.0 - 1.0)
    # Where the field is undecided, a small change turns inside into outside.
    inside = torch.sigmoid(field.level(points))
    weights = (inside * (1.0 - inside)).nan_to_num().clamp_min(1e-6)
    points = points[torch.multinomial(weights, WATCHED, generator=generator)]
    return lambda: field.level(points)


def _watch_radiance(field: RadianceField, generator: torch.Generator) -> Callable[[], Tensor]:
    """The opacities of cells that rendering visits, and their colours by opacity."""
    visited = field.cell_occupied if field.cell_occupied.any() else ~field.cell_occupied
    cells = visited.nonzero().flip(-1)
    cells = cells[torch.randint(len(cells), (WATCHED,), generator=generator)]
    unit = (cells + torch.rand(WATCHED, 3, generator=generator)) * (2.0 / GRID_CELLS) - 1.0
    directions = torch.nn.functional.normalize(torch.randn(WATCHED, 3, generator=generator), dim=-1)

    def watch() -> Tensor:
        said = []
        for network in field.networks:
            rgb, density = network(unit, directions)
            opacity = 1.0 - torch.exp(-density * (2.0 / GRID_CELLS))
            said.append(torch.cat([opacity[:, None], opacity[:, None] * rgb], -1))
        return torch.cat(said, -1)

    return watch
