"""A small vision transformer on CIFAR-100, its feed-forward layers of any kind.

    python docs/examples/vit.py [--kind sine-low-rank] [--rank 5] [--epochs 10]
        [--data cifar100_10k_5k.npz]

Prints the accuracy on the test images after each epoch. The data are a .npz of train_x, test_x
(N, 32, 32, 3) as bytes, and train_y, test_y. studies/vision_transformer.py compares all kinds.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from fieldlr.nn import Full, LowRank, SineLowRank, replace

PATCH, BATCH, RATE = 4, 64, 1e-3
KINDS = {"full": lambda _: Full(), "low-rank": LowRank, "sine-low-rank": SineLowRank}


class VisionTransformer(nn.Module):
    """Images (N, 3, 32, 32) to logits (N, 100)."""

    def __init__(self, width: int = 192, depth: int = 6):
        super().__init__()
        self.embed = nn.Conv2d(3, width, PATCH, PATCH)
        self.place = nn.Parameter(0.02 * torch.randn((32 // PATCH) ** 2, width))
        sizes = {"nhead": width // 64, "dim_feedforward": 4 * width, "dropout": 0.0}
        how = {"activation": "gelu", "batch_first": True, "norm_first": True}
        layers = (nn.TransformerEncoderLayer(width, **sizes, **how) for _ in range(depth))
        self.blocks = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 100))

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.embed(images).flatten(2).mT + self.place
        return self.head(self.blocks(tokens).mean(1))


def images(path: Path, part: str) -> tuple[Tensor, Tensor]:
    """Images (N, 3, 32, 32) and labels (N,)."""
    with np.load(path) as file:
        pixels, labels = (torch.from_numpy(file[f"{part}_{name}"]) for name in "xy")
    return pixels.permute(0, 3, 1, 2).float() / 64.0 - 2.0, labels.long()


def train(model: nn.Module, pixels: Tensor, labels: Tensor, epochs: int):
    """Trains, and yields the number of each finished epoch."""
    steps = epochs * (len(labels) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for epoch in range(epochs):
        model.train()
        order = torch.randperm(len(labels))[: len(labels) // BATCH * BATCH]
        for chosen in order.split(BATCH):
            some = pixels[chosen].flip(-1) if torch.rand(()) < 0.5 else pixels[chosen]
            # A sine-low-rank layer computes its weights in float32 in any case.
            with torch.autocast(pixels.device.type, torch.bfloat16):
                loss = nn.functional.cross_entropy(model(some), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        yield epoch + 1


def accuracy(model: nn.Module, pixels: Tensor, labels: Tensor) -> float:
    # In `eval`, torch's encoder layers would read the dense weights of linear1 and linear2.
    torch.backends.mha.set_fastpath_enabled(False)
    model.eval()
    with torch.no_grad():
        found = torch.cat([model(some).argmax(-1) for some in pixels.split(500)])
    return (found == labels).float().mean().item()


def main() -> None:
    data = Path(os.environ.get("FIELDLR_DATA", "../shared/data")) / "beyond/cifar100_10k_5k.npz"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", choices=KINDS, default="sine-low-rank")
    parser.add_argument("--rank", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--data", type=Path, default=data)
    words = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(0)
    model = VisionTransformer()
    dense = sum(p.numel() for p in model.parameters())
    replace(model.blocks, KINDS[words.kind](words.rank))
    stored = sum(p.numel() for p in model.parameters())
    print(f"{stored:,} parameters, {100 * stored / dense:.1f} % of the dense network", flush=True)
    model.to(device)
    training, test = ([t.to(device) for t in images(words.data, p)] for p in ("train", "test"))
    for epoch in train(model, *training, words.epochs):
        print(f"epoch {epoch}: accuracy {100 * accuracy(model, *test):.1f} %", flush=True)


if __name__ == "__main__":
    main()
