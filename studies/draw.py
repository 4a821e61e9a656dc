"""Draws curves of quality against bytes as one picture.

    python studies/draw.py CURVE.json ... --out docs/statue-rd.svg --title TITLE

The curves are what `fieldlr study`, studies/record.py and studies/classics.py write; what was
published here is in studies/results.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from fieldlr.pictures.curves import draw_svg
from fieldlr.study import read_curve
from fieldlr.study.drawing import plot_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("curves", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--title", default="what a file of so many bytes is worth")
    words = parser.parse_args()
    draw_svg(plot_of([read_curve(path) for path in words.curves], words.title), words.out)


if __name__ == "__main__":
    main()
