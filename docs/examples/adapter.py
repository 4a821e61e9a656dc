"""Fine-tuning a frozen network by a handful of numbers: W0 + sin(omega U V^T) / g.

    python docs/examples/adapter.py

A network learns sin(3 x); adapters of rank 1 then teach it |x|, and merge into it for use.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fieldlr.nn import Adapter, LowRank, SineLowRank

POINTS = torch.linspace(-1.0, 1.0, 256)[:, None]


def train(model: nn.Module, target: Tensor, steps: int, rate: float) -> float:
    """Fits what may learn; the root of the mean squared error in the end."""
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(learning, rate)
    for _ in range(steps):
        loss = (model(POINTS) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return (model(POINTS) - target).square().mean().sqrt().item()


def network() -> nn.Sequential:
    layers = [nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1)]
    return nn.Sequential(*layers)


def main() -> None:
    for name, kind in (("low-rank", LowRank(1)), ("sine-low-rank", SineLowRank(1, 100.0))):
        torch.manual_seed(0)
        model = network()
        first = train(model, torch.sin(3.0 * POINTS), 500, 1e-2)
        model[2] = Adapter(model[2], kind)
        for parameter in (*model[0].parameters(), *model[4].parameters()):
            parameter.requires_grad_(False)
        stored = sum(p.numel() for p in model.parameters() if p.requires_grad)
        second = train(model, POINTS.abs(), 500, 1e-2)
        before = model(POINTS)
        model[2] = model[2].merge()  # An nn.Linear again, as fast as the first.
        drift = (model(POINTS) - before).abs().max().item()
        print(
            f"{name:>13}: sin(3 x) to {first:.4f}; |x| to {second:.4f} by {stored} numbers; "
            f"merging moved an output by {drift:.1e} at most"
        )


if __name__ == "__main__":
    main()
