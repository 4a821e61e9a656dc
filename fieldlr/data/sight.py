"""Whether any ray of a scene meets its box."""

from __future__ import annotations

import torch

from fieldlr.data.framing import focus_point
from fieldlr.data.scene import Scene
from fieldlr.errors import FieldlrError
from fieldlr.geometry.boxes import Aabb, place

PIXELS = 16  # along an edge of a picture


def require_sight(scene: Scene) -> None:
    """FieldlrError where no ray of any training view meets the box."""
    if reasons := out_of_sight(scene):
        raise FieldlrError(reasons[0])


def out_of_sight(scene: Scene) -> list[str]:
    """A sentence where no ray of any training view meets the box; otherwise nothing."""
    if scene.space.kind != "box":
        return []
    cameras = scene.cameras[torch.tensor(scene.train)]
    shares = (torch.arange(PIXELS) + 0.5) / PIXELS
    for view in range(len(cameras)):
        pixels = torch.cartesian_prod(shares, shares) * cameras.sizes[view]
        start, stop = scene.space.span(cameras.rays(torch.tensor([view]), pixels))
        if (stop > start).any():
            return []
    ends = torch.tensor([scene.space.aabb.minimum, scene.space.aabb.maximum], dtype=torch.float64)
    box = Aabb.around(scene.frame.apply(ends))
    focus = scene.frame.apply(focus_point(scene.cameras)[0].double())
    return [
        f"{scene.name}: no ray meets the box. It is {place(box.minimum, box.longest_edge)} to "
        f"{place(box.maximum, box.longest_edge)}, the cameras look at "
        f"{place(focus.tolist(), box.longest_edge)}. Give a box that they look at, or correct the "
        "poses."
    ]
