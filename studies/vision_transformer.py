"""Vision transformers on CIFAR-100 whose feed-forward layers are dense, low-rank or under a sine.

    python -m studies.vision_transformer --out paper/results/beyond-vit.json [--data FILE.npz]
        [--epochs 40] [--depth 6] [--width 192] [--ranks 5,30,1,10,60] [--seeds 3] [--report]

For each rank: `low-rank`, `sine-low-rank`, and `narrow`, a dense network with as many hidden units
as fit into the same number of parameters. The first ranks get all seeds, the others one. Learning
rates are searched for each kind by the same number of short trainings, on images held out of the
training set. At rank 1 the sine also gets the omegas of the paper's Table 5.

Every epoch leaves a checkpoint: rerun the same command to resume. At the end, or with `--report` at
once, the results are printed as a table and drawn beside the JSON. With a GPU the paper's size is
`--width 384 --depth 12`; the data are a .npz of train_x, train_y, test_x and test_y.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from fieldlr.errors import FieldlrError
from fieldlr.nn.linears import Full, Linear, LinearConfig, LowRank, SineLowRank, replace
from fieldlr.system.script import run_script
from studies.cifar import Images, augmented, normalised, read_images
from studies.results import report
from studies.resumable import (
    Progress,
    Training,
    checkpoint_of,
    mixed_precision,
    schedule,
    seconds_of,
    seeded,
)
from studies.trials import Trials
from studies.vision_report import plot, table

KINDS = ("low-rank", "sine-low-rank", "narrow")
SEARCH_RANK, SEARCH_SHARE = 5, 4  # the rank of the search, and the part of the epochs it gets
RATES, FACTORS = (5e-4, 1e-3, 2e-3), (1 / 3, 3.0)
SEEDED_RANKS = 2  # how many of the ranks get every seed
OMEGAS = tuple(range(100, 800, 100))  # Table 5
PATCH, BATCH, WEIGHT_DECAY, SMOOTHING = 4, 128, 0.05, 0.1
HELD_OUT = 1000  # the last images of the training set, for the search
# A learning rate r moves the phase of a sine by RADIANS * r: with it, a step changes W by about
# the same fraction in every kind of layer.
RADIANS = 30.0


class VisionTransformer(nn.Module):
    """Images (N, 3, 32, 32) to logits (N, classes), by the mean of the tokens."""

    def __init__(self, width: int, depth: int, hidden: int, classes: int = 100) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, width, PATCH, PATCH)
        self.place = nn.Parameter(0.02 * torch.randn((32 // PATCH) ** 2, width))
        self.blocks = nn.Sequential(
            *(
                nn.TransformerEncoderLayer(
                    width, width // 64, hidden, 0.0, "gelu", batch_first=True, norm_first=True
                )
                for _ in range(depth)
            )
        )
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, classes))

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.embed(images).flatten(2).mT + self.place
        return self.head(self.blocks(tokens).mean(1))


def linear_of(setting: dict[str, Any]) -> LinearConfig:
    """The kind of the feed-forward layers."""
    if setting["kind"] == "low-rank":
        return LowRank(setting["rank"])
    if setting["kind"] == "sine-low-rank":
        return SineLowRank(setting["rank"], setting["omega"])
    return Full()


def narrow_hidden(width: int, hidden: int, rank: int) -> int:
    """Hidden units of dense layers that store as much as layers of this rank, biases included."""
    return round((2 * rank * (width + hidden) + hidden) / (2 * width + 1))


def build(setting: dict[str, Any]) -> VisionTransformer:
    """The untrained network of a setting."""
    width, hidden = setting["width"], 4 * setting["width"]
    if setting["kind"] == "narrow":
        hidden = narrow_hidden(width, hidden, setting["rank"])
    torch.manual_seed(setting["seed"])
    model = VisionTransformer(width, setting["depth"], hidden)
    replace(model.blocks, linear_of(setting))
    return model


def stored(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def optimizer_of(model: nn.Module, rate: float, factor: float) -> torch.optim.Optimizer:
    """AdamW; the feed-forward layers learn at `factor` times the rate of the others.

    Weights decay, but not biases, norms and factors.
    """
    special = {}
    for layer in model.modules():
        if isinstance(layer, Linear):
            for name, role in layer.roles().items():
                unit = RADIANS if role.kind == "phase" else 1.0
                special[layer.get_parameter(name)] = factor * unit * role.scale
    groups = []
    for name, parameter in model.named_parameters():
        decays = parameter.ndim > 1 and not name.endswith((".U", ".V", "place"))
        own = rate * special.get(parameter, 1.0)
        groups.append({"params": [parameter], "lr": own, "top": own})
        groups[-1]["weight_decay"] = WEIGHT_DECAY if decays else 0.0
    return torch.optim.AdamW(groups, betas=(0.9, 0.95), fused=True)


def accuracy(model: nn.Module, images: Images, device: torch.device) -> float:
    """The share of images whose label gets the largest logit."""
    model.eval()
    # The shortcut of torch's own layers reads `linear1.weight`, which factorised ones lack.
    torch.backends.mha.set_fastpath_enabled(False)
    right = 0
    with torch.no_grad():
        for start in range(0, len(images), 500):
            part = images[start : start + 500]
            logits = model(normalised(part.pixels.to(device)))
            right += int((logits.argmax(-1).cpu() == part.labels).sum())
    return right / len(images)


def epoch_of(
    model: nn.Module, optimizer: torch.optim.Optimizer, images: Images, setting: dict[str, Any]
) -> Any:
    """The function that trains an epoch and returns its mean loss."""
    device = next(model.parameters()).device
    pixels, labels = images.pixels.to(device), images.labels.to(device)
    batches = len(images) // min(BATCH, len(images))

    def epoch(number: int) -> dict[str, float]:
        generator = seeded(setting["seed"], number)
        order = torch.randperm(len(images), generator=generator).to(device)
        model.train()
        total = 0.0
        for index, chosen in enumerate(order.chunk(batches)):
            step = number * batches + index
            share = schedule(step, setting["epochs"] * batches, warm_up=0.1)
            for group in optimizer.param_groups:
                group["lr"] = share * group["top"]
            with mixed_precision(device):
                logits = model(normalised(augmented(pixels[chosen], generator)))
            loss = functional.cross_entropy(
                logits.float(), labels[chosen], label_smoothing=SMOOTHING
            )
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total += loss.item()
        return {"loss": total / batches}

    return epoch


class Study:
    """The trainings of the study, each with its result in a JSON file."""

    def __init__(self, words: argparse.Namespace) -> None:
        self.words = words
        self.trials = Trials(words.out)
        self.train, self.test = read_images(words.data)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        searches = (len(KINDS) + 1) * (len(RATES) + len(FACTORS))
        self.search_epochs = max(1, words.epochs // SEARCH_SHARE)
        total = searches * self.search_epochs + len([*self.plan()]) * words.epochs
        self.progress = Progress(float(total))

    def setting(self, kind: str, rank: int, seed: int = 0, omega: Any = None) -> dict[str, Any]:
        """What a training is named by, without its learning rates."""
        words = self.words
        omega = "auto" if kind == "sine-low-rank" and omega is None else omega
        named = {"kind": kind, "rank": rank, "omega": omega, "seed": seed}
        sizes = {"width": words.width, "depth": words.depth, "images": len(self.train)}
        return {**named, **sizes, "epochs": words.epochs}

    def plan(self) -> Iterator[dict[str, Any]]:
        """The trainings, the most telling first."""
        ranks, seeds = self.words.ranks, range(self.words.seeds)
        yield self.setting("full", 0)
        for seed in seeds:
            if seed:
                yield self.setting("full", 0, seed)
            for rank in ranks if seed == 0 else ranks[:SEEDED_RANKS]:
                yield from (self.setting(kind, rank, seed) for kind in KINDS)
        if 1 in ranks:
            yield from (self.setting("sine-low-rank", 1, omega=omega) for omega in OMEGAS)

    def result(self, setting: dict[str, Any], held_out: int, work: int) -> dict[str, Any]:
        """The result of a setting, by a training unless it is known."""
        for known in self.trials.done:
            if setting.items() <= known.items():
                self.progress.skip(work)
                return known
        train = self.train[: len(self.train) - held_out]
        test = self.train[len(train) :] if held_out else self.test
        model = build(setting).to(self.device)
        optimizer = optimizer_of(model, setting["rate"], setting["factor"])
        checkpoint = checkpoint_of(self.words.out, setting)
        training = Training(
            model, optimizer, epoch_of(model, optimizer, train, setting), checkpoint
        )
        title = "{kind}, k = {rank}, seed {seed}, rate {rate:g} x {factor:.2g}".format(**setting)
        history = training.run(setting["epochs"], title, self.progress, 1.0)
        found = {
            "parameters": stored(model),
            "feed_forward": sum(stored(m) for m in model.modules() if isinstance(m, Linear)),
            "accuracy": accuracy(model, test, self.device),
            "loss": history[-1]["loss"],
            "seconds": seconds_of(history),
        }
        self.trials.keep({**setting, **found})
        checkpoint.unlink()
        return self.trials.done[-1]

    def rates(self, kind: str) -> tuple[float, float]:
        """The best (learning rate, factor of the feed-forward layers) of a kind."""
        short = self.setting(kind, 0 if kind == "full" else SEARCH_RANK)
        short |= {"search": True, "epochs": self.search_epochs}

        def score(rate: float, factor: float) -> float:
            setting = {**short, "rate": rate, "factor": factor}
            held_out = min(HELD_OUT, len(self.train) // 10)
            return self.result(setting, held_out, self.search_epochs)["accuracy"]

        tried = {(rate, 1.0): score(rate, 1.0) for rate in RATES}
        rate, _ = max(tried, key=tried.__getitem__)
        tried |= {(rate, factor): score(rate, factor) for factor in FACTORS}
        return max(tried, key=tried.__getitem__)

    def run(self) -> None:
        best: dict[str, tuple[float, float]] = {}
        for setting in self.plan():
            kind = setting["kind"]
            if kind not in best:
                best[kind] = self.rates(kind)
            rate, factor = best[kind]
            setting = {**setting, "search": False, "rate": rate, "factor": factor}
            self.result(setting, 0, self.words.epochs)


def main(arguments: list[str] | None = None) -> None:
    data = Path(os.environ.get("FIELDLR_DATA", "../shared/data")) / "beyond/cifar100_10k_5k.npz"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=data)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--depth", type=int, default=6)
    parser.add_argument("--width", type=int, default=192, help="a multiple of 64")
    ranks = [5, 30, 1, 10, 60]
    parser.add_argument("--ranks", type=lambda text: [*map(int, text.split(","))], default=ranks)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--report", action="store_true", help="train nothing")
    words = parser.parse_args(arguments)
    if words.width < 64 or words.width % 64:
        raise FieldlrError(f"`--width` is a multiple of 64, not {words.width}.")
    if not words.report:
        Study(words).run()
    report(words.out, table, plot)


if __name__ == "__main__":
    run_script(main)
