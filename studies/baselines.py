"""Rate-distortion curves of the baselines (Draco, JPEG, ...) of a source, without any network.

    python studies/baselines.py SOURCE --out paper/results/classics-NAME [--tries FOLDER]
        [--grid N] [--downscale N] [--codecs]

With --codecs of a shape: SPERR, ZFP, JPEG XL, JPEG 2000, HEVC, AV1 and VVC on clipped signed
distances, in place of the baselines that `fieldlr study` has. They need
`pip install 'fieldlr[comparison,video]'`.

Writes NAME-draco-mesh.json and so on, as `fieldlr study --classic` does. Results of all settings
are cached in FOLDER; rerun the same command to resume.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from fieldlr.data import open_source
from fieldlr.errors import FieldlrError
from fieldlr.metrics.curve_file import write_curve
from fieldlr.study.baselines import Search, searches
from fieldlr.study.baselines.distance_field import distance_fields
from fieldlr.system.script import run_script
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import make_task
from fieldlr.training.tasks import OccupancyTask


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tries", type=Path, default=Path("classics-tries"))
    parser.add_argument("--grid", type=int)
    parser.add_argument("--downscale", type=int)
    parser.add_argument("--codecs", action="store_true")
    words = parser.parse_args()
    source = open_source(words.source, words.downscale, words.grid)
    task = make_task(source, FitOptions().settled())
    about = {"content_hash": source.content.content_hash}
    folder = words.tries / source.content.name
    if words.codecs:
        if not isinstance(task, OccupancyTask):
            raise FieldlrError("--codecs is for shapes. Leave it out for photos.")
        made, missing = [Search(one, folder, about) for one in distance_fields(task)], []
    else:
        made, missing = searches(task, folder, about)
    for sentence in missing:
        print(sentence, flush=True)
    for search in made:
        for label in search.reports():
            found = search.tries[label]
            figures = "no file" if found is None else f"{found[0]:,} bytes  {found[1]:.4f}"
            print(f"{search.baseline.name}  {label}  {figures}", flush=True)
        curve = search.curve()
        if curve is not None:
            write_curve(curve, words.out.with_name(f"{words.out.name}-{curve.file_name}"))


if __name__ == "__main__":
    run_script(main)
