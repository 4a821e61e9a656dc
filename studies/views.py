"""A sheet of a held-out view rendered by each backbone of a study (as Figures 5 and 7).

    python studies/views.py STUDY ... --out paper/figures/fern-views.png [--bits 8] [--seed 0]

A row for each rank: the photo, and the same view rendered from the file of each factorised backbone
and of the narrow dense network with as many parameters. All studies are of the same photos.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import fieldlr
from fieldlr.data import open_source
from fieldlr.export.image import to_bytes
from fieldlr.pictures.sheet import Picture, Row, sheet
from fieldlr.runs import open_run
from fieldlr.runs.planning import plan_views
from fieldlr.runs.views import views
from fieldlr.system.json import read_json
from fieldlr.system.script import run_script

COLUMNS = ("low-rank", "sine-low-rank", "narrow-full")


def picture_of(folder: Path, bits: str) -> Picture:
    """The first held-out view rendered from a fit's file."""
    run, file = open_run(folder), folder / f"{bits}bits.flr"
    field = fieldlr.load(file)
    view = next(views(run, field, plan_views(run, field, "test", 1).cameras))
    figures = read_json(file.with_suffix(".json"))
    caption = f"{figures['quality']:.1f} dB, {figures['num_bytes'] / 1000:.1f} KB"
    return Picture(to_bytes(view.rgb), caption)


def by_size(fits: dict[str, Path], column: str) -> dict[int, Path]:
    """The fits of a column by number of parameters."""
    own = [folder for name, folder in fits.items() if name.startswith(column)]
    return {open_run(folder).results["fit"]["num_parameters"]: folder for folder in own}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("studies", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--bits", default="8")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--title", default="")
    words = parser.parse_args()
    fits = {f.name: f for s in words.studies for f in sorted(s.glob(f"fits/*-seed-{words.seed}"))}
    by_column = {column: by_size(fits, column) for column in COLUMNS}
    for column in COLUMNS:
        if not by_column[column]:
            parser.error(f"no fit of {column} with seed {words.seed}; add the studies that have it")
    run = open_run(next(iter(fits.values())))
    scene = open_source(run.source, **run.config["reading"]).content
    photo = Picture(scene.images[scene.test[0]].numpy(), "held out")
    rows = []
    for numbers, folder in sorted(by_column[COLUMNS[0]].items()):
        point = folder.name.split("-seed-")[0].removeprefix(COLUMNS[0] + "-k")
        # The numbers of parameters of narrow networks match only approximately.
        nearest = [own[min(own, key=lambda n: abs(n - numbers))] for own in by_column.values()]
        own = [picture_of(folder, words.bits) for folder in nearest]
        rows.append(Row(f"k = {point}", [photo, *own], f"{numbers:,} parameters"))
    sheet(rows, words.out, words.title, ("photo", *COLUMNS), cell=252)


if __name__ == "__main__":
    run_script(main)
