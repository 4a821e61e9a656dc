"""What a source costs without any network: the curves of the classics alone.

    python studies/classics.py SOURCE --out studies/results/classics-NAME [--tries FOLDER]
        [--grid N] [--downscale N]

writes NAME-draco-mesh.json and so on, as `fieldlr study --classic` does. Every setting tried is
kept in FOLDER, and the same command goes on after a stop.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from fieldlr.data import open_source
from fieldlr.metrics.curve_file import write_curve
from fieldlr.study.baselines import searches
from fieldlr.system.process import prepare_process
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import make_task


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tries", type=Path, default=Path("classics-tries"))
    parser.add_argument("--grid", type=int)
    parser.add_argument("--downscale", type=int)
    words = parser.parse_args()
    prepare_process()
    source = open_source(words.source, words.downscale, words.grid)
    task = make_task(source, FitOptions().settled())
    about = {"content_hash": source.content.content_hash}
    found, missing = searches(task, words.tries / source.content.name, about)
    for sentence in missing:
        print(sentence, flush=True)
    for search in found:
        for label in search.reports():
            num_bytes, figure = search.tries[label]
            print(f"{search.classic.name}  {label}  {num_bytes:,} bytes  {figure:.4f}", flush=True)
        curve = search.curve()
        if curve is not None:
            write_curve(curve, words.out.with_name(f"{words.out.name}-{curve.file_name}"))


if __name__ == "__main__":
    main()
