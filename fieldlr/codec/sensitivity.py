"""Sensitivity of a field's output to errors in each tensor, measured by perturbation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fieldlr.codec.levels import stepped
from fieldlr.fields.field import Field
from fieldlr.fields.radiance import GRID_CELLS, RadianceField

# Points at which the output is compared, and the candidates among which they are drawn.
NUM_PROBES, CANDIDATES = 2048, 8192
# A tensor is perturbed by this fraction of its root mean square.
PERTURBATION = 2.0**-6


@torch.no_grad()
def sensitivities(field: Field) -> dict[str, float]:
    """The squared change of the output per parameter of each tensor and squared perturbation.

    All parameters of a tensor are moved by the same small distance, up or down at random.
    """
    generator = torch.Generator().manual_seed(0)
    probe = _output_probe(field, generator)
    before, found = probe(), {}
    for name, parameter in stepped(field).items():
        kept = parameter.clone()
        distance = PERTURBATION * max(float(kept.square().mean().sqrt()), 1e-6)
        signs = torch.randint(2, kept.shape, generator=generator) * 2 - 1
        parameter.add_(distance * signs.to(kept) * (kept != 0))
        moved = float((probe() - before).square().mean())
        parameter.copy_(kept)
        found[name] = max(moved / (distance**2 * max(int((kept != 0).sum()), 1)), 1e-16)
    return found


@torch.no_grad()
def output_spread(field: Field) -> float:
    """The standard deviation of the output among the probe points."""
    output = _output_probe(field, torch.Generator().manual_seed(0))()
    return float((output - output.mean(0)).square().mean().sqrt())


def _output_probe(field: Field, generator: torch.Generator) -> Callable[[], Tensor]:
    """A function that returns the field's output, with its current parameters, at fixed probes."""
    if isinstance(field, RadianceField):
        return _radiance_probe(field, generator)
    points = field.aabb.from_unit(torch.rand(CANDIDATES, 3, generator=generator) * 2.0 - 1.0)
    # Near the surface a small change turns inside into outside.
    inside = torch.sigmoid(field.level(points))
    weights = (inside * (1.0 - inside)).nan_to_num().clamp_min(1e-6)
    points = points[torch.multinomial(weights, NUM_PROBES, generator=generator)]
    return lambda: field.level(points)


def _radiance_probe(field: RadianceField, generator: torch.Generator) -> Callable[[], Tensor]:
    """A probe of the opacities in occupied cells, and of their colours weighted by opacity."""
    visited = field.cell_occupied if field.cell_occupied.any() else ~field.cell_occupied
    cells = visited.nonzero().flip(-1)
    cells = cells[torch.randint(len(cells), (NUM_PROBES,), generator=generator)]
    unit = (cells + torch.rand(NUM_PROBES, 3, generator=generator)) * (2.0 / GRID_CELLS) - 1.0
    directions = torch.nn.functional.normalize(
        torch.randn(NUM_PROBES, 3, generator=generator), dim=-1
    )

    def probe() -> Tensor:
        outputs = []
        for network in field.networks:
            rgb, density = network(unit, directions)
            opacity = 1.0 - torch.exp(-density * (2.0 / GRID_CELLS))
            outputs.append(torch.cat([opacity[:, None], opacity[:, None] * rgb], -1))
        return torch.cat(outputs, -1)

    return probe
