"""The quality of every fit of a study, before and after coding.

    python studies/fits.py STUDY ... --out paper/results/statue-seconds-fits.json

The curves of a study have the quality of decoded files only. This also lists the steps and the
quality of each fit, for one or several studies, in a table of means and ranges over seeds.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

from fieldlr.runs import open_run
from fieldlr.system.files import replacing
from fieldlr.system.json import read_json
from fieldlr.system.script import run_script


def fits_of(study: Path) -> list[dict]:
    """A record for each finished fit, with its files."""
    found = []
    for folder in sorted(study.glob("fits/*-seed-*")):
        results = open_run(folder).results
        if "fit" not in results:
            continue
        point, _, seed = folder.name.rpartition("-seed-")
        known = {name: results["fit"][name] for name in ("num_parameters", "steps", "seconds")}
        # A file counts only with its record.
        figures = [path.with_suffix(".json") for path in sorted(folder.glob("*.flr"))]
        files = [
            {name: figure[name] for name in ("file", "num_bytes", "quality")}
            for figure in (read_json(path) for path in figures if path.exists())
        ]
        known |= {"quality": results["fit"]["quality"], "files": files}
        found.append({"point": point, "seed": int(seed), **known})
    return found


def ranged(figures: list[float], form: str) -> str:
    """The mean, and the range if there are several."""
    text = format(statistics.mean(figures), form)
    if len(figures) == 1:
        return text
    return f"{text} ({min(figures):{form}} to {max(figures):{form}})"


def table(fits: list[dict]) -> str:
    lines = [
        "| fit | seeds | parameters | steps | quality | file | bytes | quality of the file |",
        "|---|---|---|---|---|---|---|---|",
    ]
    by_size = sorted(fits, key=lambda fit: fit["num_parameters"])
    for point in dict.fromkeys(fit["point"] for fit in by_size):
        own = [fit for fit in fits if fit["point"] == point]
        before = [
            point,
            str(len(own)),
            f"{own[0]['num_parameters']:,}",
            ranged([fit["steps"] for fit in own], ",.0f"),
            ranged([fit["quality"] for fit in own], ".4f"),
        ]
        for name in dict.fromkeys(file["file"] for fit in own for file in fit["files"]):
            files = [file for fit in own for file in fit["files"] if file["file"] == name]
            sizes = ranged([file["num_bytes"] for file in files], ",.0f")
            after = [name, sizes, ranged([file["quality"] for file in files], ".4f")]
            lines.append(f"| {' | '.join(before + after)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("studies", type=Path, nargs="+")
    parser.add_argument("--out", type=Path)
    words = parser.parse_args()
    fits = [fit for study in words.studies for fit in fits_of(study)]
    print(table(fits))
    if words.out is not None:
        with replacing(words.out) as place:
            place.write_text(json.dumps(fits, indent=1))


if __name__ == "__main__":
    run_script(main)
