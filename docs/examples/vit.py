"""A small vision transformer on handwritten digits, its feed-forward layers of each kind.

    python docs/examples/vit.py [--epochs 30] [--seeds 3]

Prints the accuracy on held-out digits and the numbers that the feed-forward layers store. The data
is scikit-learn's: 1,797 digits of 8 x 8 pixels.
"""

from __future__ import annotations

import argparse
import statistics

import torch
from torch import Tensor, nn

from fieldlr.nn import Full, LowRank, SineLowRank, replace

PATCH, WIDTH, HIDDEN, HEADS, DEPTH = 2, 64, 256, 4, 3
HELD_OUT = 450
KINDS = {"full": Full()} | {
    f"{name} k={rank}": kind(rank)
    for rank in (1, 5, 10)
    for name, kind in (("low-rank", LowRank), ("sine-low-rank", SineLowRank))
}


class Block(nn.Module):
    """Attention, then the feed-forward layers that the paper factorises."""

    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)])
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.feed_forward = nn.Sequential(
            nn.Linear(WIDTH, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, WIDTH)
        )

    def forward(self, x: Tensor) -> Tensor:
        h = self.norms[0](x)
        x = x + self.attention(h, h, h, need_weights=False)[0]
        return x + self.feed_forward(self.norms[1](x))


class VisionTransformer(nn.Module):
    """Images (N, 8, 8) to logits (N, 10)."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(PATCH * PATCH, WIDTH)
        self.place = nn.Parameter(0.02 * torch.randn((8 // PATCH) ** 2, WIDTH))
        self.blocks = nn.Sequential(*(Block() for _ in range(DEPTH)))
        self.head = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 10))

    def forward(self, images: Tensor) -> Tensor:
        patches = images.unfold(1, PATCH, PATCH).unfold(2, PATCH, PATCH)
        tokens = self.embed(patches.reshape(len(images), -1, PATCH * PATCH)) + self.place
        return self.head(self.blocks(tokens).mean(1))


def digits() -> tuple[Tensor, Tensor]:
    """Images (N, 8, 8) in [0, 1] and labels (N,), shuffled once and for all."""
    from sklearn.datasets import load_digits

    data = load_digits()
    order = torch.randperm(len(data.target), generator=torch.Generator().manual_seed(0))
    return torch.tensor(data.images / 16.0).float()[order], torch.tensor(data.target)[order]


def accuracy(linear, seed: int, epochs: int, batch: int = 64) -> tuple[float, int]:
    """(share of the held-out digits that are told right, numbers the feed-forward layers store)."""
    images, labels = digits()
    torch.manual_seed(seed)
    model = VisionTransformer()
    feed_forward = [block.feed_forward for block in model.blocks]
    for layers in feed_forward:
        replace(layers, linear)
    stored = sum(p.numel() for layers in feed_forward for p in layers.parameters())
    steps = epochs * ((len(images) - HELD_OUT) // batch)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    for _ in range(steps):
        chosen = torch.randint(HELD_OUT, len(images), (batch,))
        loss = nn.functional.cross_entropy(model(images[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        right = model.eval()(images[:HELD_OUT]).argmax(-1) == labels[:HELD_OUT]
    return right.float().mean().item(), stored


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=3)
    words = parser.parse_args()
    print("feed-forward layers  numbers  accuracy, % (range over the seeds)")
    for name, linear in KINDS.items():
        runs = [accuracy(linear, seed, words.epochs) for seed in range(words.seeds)]
        shares = [100.0 * share for share, _ in runs]
        spread = f"({min(shares):.1f} to {max(shares):.1f})"
        print(f"{name:>19}  {runs[0][1]:>7,}  {statistics.mean(shares):.1f} {spread}", flush=True)


if __name__ == "__main__":
    main()
