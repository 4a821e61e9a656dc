"""GLUE tasks from tab-separated files: rows of tokens, batches of about equal length, measures."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fieldlr.errors import FieldlrError
from studies.minilm import Batch, load_tokenizer
from studies.resumable import seeded

POOL = 16  # batches whose rows are sorted by length together


def matthews(outputs: Tensor, labels: Tensor) -> float:
    """Matthews' correlation of two classes; 0 where one of them is never predicted."""
    return correlation(outputs.argmax(-1).double(), labels.double())


def right(outputs: Tensor, labels: Tensor) -> float:
    """The share of rows that are classified correctly."""
    return (outputs.argmax(-1) == labels).double().mean().item()


def pearson(outputs: Tensor, labels: Tensor) -> float:
    """Pearson's correlation of the scores."""
    return correlation(outputs[:, 0].double(), labels.double())


def correlation(first: Tensor, second: Tensor) -> float:
    """Of 0 and 1 this is Matthews' coefficient."""
    one, other = first - first.mean(), second - second.mean()
    size = (one.square().sum() * other.square().sum()).sqrt().item()
    return (one * other).sum().item() / size if size else 0.0


@dataclass(frozen=True)
class Task:
    """A task: its files, the outputs of its head, and its measure."""

    name: str
    measure_name: str
    measure: Callable[[Tensor, Tensor], float]
    outputs: int = 2

    @property
    def is_regression(self) -> bool:
        return self.outputs == 1


TASKS = {
    task.name: task
    for task in (
        Task("cola", "Matthews correlation", matthews),
        Task("rte", "accuracy", right),
        Task("mrpc", "accuracy", right),
        Task("stsb", "Pearson correlation", pearson, outputs=1),
        Task("sst2", "accuracy", right),
    )
}


@dataclass(frozen=True)
class Rows:
    """The rows of a task: (token ids, segments) of each, and the labels (N,)."""

    task: Task
    tokens: list[tuple[list[int], list[int]]]
    labels: Tensor

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def num_tokens(self) -> int:
        return sum(len(ids) for ids, _ in self.tokens)

    def chosen(self, places: list[int]) -> Rows:
        return Rows(self.task, [self.tokens[i] for i in places], self.labels[places])

    def split(self, share: float) -> tuple[Rows, Rows]:
        """(the others, this share of the rows), always the same ones."""
        order = torch.randperm(len(self), generator=seeded(0)).tolist()
        few = max(1, round(share * len(self)))
        return self.chosen(order[few:]), self.chosen(order[:few])

    def batch(self, places: list[int]) -> Batch:
        """These rows, padded to the longest."""
        longest = max(len(self.tokens[place][0]) for place in places)
        ids, segments, mask = torch.zeros(3, len(places), longest, dtype=torch.long)
        for row, place in enumerate(places):
            own, parts = self.tokens[place]
            ids[row, : len(own)] = torch.tensor(own)
            segments[row, : len(own)] = torch.tensor(parts)
            mask[row, : len(own)] = 1
        return Batch(ids, mask, segments, self.labels[places])


def read_rows(folder: Path, task: Task, part: str) -> Rows:
    """The rows of `train` or `dev`."""
    path = folder / f"{task.name}_{part}.tsv.gz"
    if not path.exists():
        raise FieldlrError(f"{path} does not exist. Name the folder of the tasks by --data.")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
    texts = [
        (row["sentence1"], row["sentence2"]) if row["sentence2"] else row["sentence1"]
        for row in rows
    ]
    found = load_tokenizer().encode_batch(texts)
    tokens = [(one.ids, one.type_ids) for one in found]
    return Rows(task, tokens, torch.tensor([float(row["label"]) for row in rows]))


def batches(rows: Rows, size: int, generator: torch.Generator | None = None) -> Iterator[Batch]:
    """All rows once, those of a batch of about equal length; in random order if asked."""
    order = torch.arange(len(rows))
    if generator is not None:
        order = torch.randperm(len(rows), generator=generator)
    found = []
    for pool in order.split(POOL * size if generator is not None else len(rows)):
        by_length = sorted(pool.tolist(), key=lambda place: len(rows.tokens[place][0]))
        found += [by_length[start : start + size] for start in range(0, len(by_length), size)]
    turn = range(len(found))
    if generator is not None:
        turn = torch.randperm(len(found), generator=generator).tolist()
    for index in turn:
        yield rows.batch(found[index])
