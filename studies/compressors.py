"""Compressors of a trained shape against networks that are small from the start.

    python -m studies.compressors SOURCE --out DIR [--parameters 6000,12000] [--width 128]
        [--grid 128] [--steps 400] [--activation sine] [--bits 5] [--finetune 150]

A wide dense network is fitted once. For each number of parameters every method of `fieldlr
compress --method` makes it smaller, and two networks of that size are fitted with as many steps:
a narrow dense one and a `low-rank` one of the same width. Each is measured as it is, and as a
decoded file of `--bits` bits per parameter after fine-tuning. Rows are printed and kept in
compressors.json: rerun the same command to resume.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import fieldlr
from fieldlr.runs import Run, open_folder
from fieldlr.runs.compress import Compression
from fieldlr.runs.pipeline import reopen
from fieldlr.study.sweep import narrow_width
from fieldlr.system.json import read_json, write_json
from fieldlr.system.script import run_script
from fieldlr.training.compressor import Compressor
from fieldlr.training.compressors import COMPRESSORS
from fieldlr.training.fisher import Fisher
from fieldlr.training.loop import FitConfig
from fieldlr.training.options import FitOptions
from fieldlr.training.tasks import Task
from studies.zoo import nearest_rank

Words = argparse.Namespace
Row = dict[str, Any]


def fitted(words: Words, folder: str, **options: Any) -> Run:
    """A run of the study, fitted where it is not there yet."""
    out, kept = words.out / folder, ("grid", "steps", "activation")
    how = {name: getattr(words, name) for name in kept} | {"width": words.width, **options}
    if not (out / "field.safetensors").exists():
        fieldlr.reconstruct(words.source, out, resume=out.exists(), **how)
    return open_folder(out)


def measured(words: Words, task: Task, run: Run, compressor: Compressor | None) -> Row:
    """The IoU as it is, and the bytes and IoU of the decoded file after fine-tuning."""
    tuning = FitConfig(steps=words.finetune)
    work = Compression(run, None, words.bits, None, tuning, task, None, compressor)
    before = task.evaluate(work.field)["iou"]
    for _ in work.reports():
        pass
    file = work.finish()
    # Columns of 0 beyond a layer's rank are not counted.
    count = sum(int((tensor != 0).sum()) for tensor in work.field.parameters())
    names = {"parameters": count, "bytes": file["num_bytes"]}
    return {**names, "iou_before": before, "iou_file": file["quality_after"]}


def compressors(words: Words, goal: int) -> dict[str, Compressor]:
    """By name: all methods at a number of parameters, and `fisher` with one rank for all layers."""
    found = {name: kind(to_parameters=goal) for name, kind in COMPRESSORS.items()}
    rank = nearest_rank("low-rank", options_of(words), goal)
    return found | {f"{Fisher.name}, one rank": Fisher(to_rank=rank)}


def starts(words: Words, goal: int) -> dict[str, dict[str, Any]]:
    """By name: the options of networks of so many parameters from the start."""
    base = options_of(words)
    rank = nearest_rank("low-rank", base, goal)
    width = narrow_width("mesh", base.with_backbone("low-rank", rank=rank))
    low_rank = {"backbone": "low-rank", "rank": rank}
    return {"narrow from the start": {"width": width}, "low-rank from the start": low_rank}


def options_of(words: Words) -> FitOptions:
    return FitOptions.of(width=words.width, activation=words.activation)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--parameters", type=lambda text: [*map(int, text.split(","))], default=[6000, 12000]
    )
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--grid", type=int, default=128)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--activation", default="sine")
    parser.add_argument("--bits", type=float, default=5.0)
    parser.add_argument("--finetune", type=int, default=150)
    words = parser.parse_args()
    words.out.mkdir(parents=True, exist_ok=True)
    place = words.out / "compressors.json"
    rows: list[Row] = read_json(place) if place.exists() else []
    wide = fitted(words, "wide")
    task = reopen(wide, words.source)
    for goal in words.parameters:
        smaller, others = compressors(words, goal), starts(words, goal)
        for name in (*smaller, *others):
            if any((row["name"], row["goal"]) == (name, goal) for row in rows):
                continue
            run = wide
            if name in others:
                run = fitted(words, f"{name.partition(' ')[0]}-{goal}", **others[name])
            row = {"name": name, "goal": goal, **measured(words, task, run, smaller.get(name))}
            rows.append(row)
            write_json(place, rows)
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    run_script(main)
