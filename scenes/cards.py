"""Draws the pictures on the app's cards: one example, trained with each choice.

python scenes/cards.py (a quarter of an hour)

Model types are pictured by a mesh and presets of photos by a view, each after the same number of
steps. The preset `paper` takes hours, and has no picture.
"""

from __future__ import annotations

from thumbnails import OUT, SIDE, view_of

import fieldlr
from fieldlr.app.forms import PICTURED_PRESETS, first_backbones
from fieldlr.data.examples import example
from fieldlr.export.image import jpeg_bytes

SHAPE, SHAPE_STEPS = "coral", 300
SCENE, SCENE_STEPS = "windmill", 600


def main() -> None:
    folder = OUT.parent / "cards"
    folder.mkdir(exist_ok=True)
    for name in first_backbones():
        rank = {} if name == "full" else {"rank": 5}
        picture = view_of(
            fieldlr.fit(example(SHAPE), backbone=name, steps=SHAPE_STEPS, **rank).mesh()
        )
        (folder / f"{name}.jpg").write_bytes(jpeg_bytes(picture, 85))
    for name in PICTURED_PRESETS:
        run = fieldlr.fit(example(SCENE), preset=name, steps=SCENE_STEPS)
        picture = run.render(size=(SIDE, SIDE), background="#ffffff").rgb
        (folder / f"{name}.jpg").write_bytes(jpeg_bytes(picture, 85))


if __name__ == "__main__":
    main()
