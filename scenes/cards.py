"""Draws the pictures on the cards of model types: one example, trained with each of them.

python scenes/cards.py (six minutes)
"""

from __future__ import annotations

from thumbnails import OUT, view_of

import fieldlr
from fieldlr.app.forms import first_backbones
from fieldlr.data.examples import example
from fieldlr.export.image import jpeg_bytes

EXAMPLE, STEPS = "coral", 300


def main() -> None:
    folder = OUT.parent / "cards"
    folder.mkdir(exist_ok=True)
    for name in first_backbones():
        rank = {} if name == "full" else {"rank": 5}
        run = fieldlr.fit(example(EXAMPLE), backbone=name, steps=STEPS, **rank)
        (folder / f"{name}.jpg").write_bytes(jpeg_bytes(view_of(run.mesh()), 85))


if __name__ == "__main__":
    main()
