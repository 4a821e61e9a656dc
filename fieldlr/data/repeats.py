"""Views that are listed twice: a photo that is trained on cannot be held out as well."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.data.scene import FEWEST_VIEWS, Photo
from fieldlr.errors import FieldlrError

# Poses differ by no more than this: of an axis, and of the spread of all positions.
SAME_POSE = 1e-4


def unrepeated(
    photos: Sequence[Photo], poses: Sequence[Float[Tensor, "3 4"]]
) -> tuple[list[int], list[str]]:
    """(places of the views that repeat no earlier one, what to say of the others).

    A view repeats another that has the same file, or a copy of it at the same pose.
    """
    twins: dict[object, list[int]] = defaultdict(list)
    copies = _copies(photos)
    stacked = torch.stack(list(poses)) if poses else torch.zeros(0, 3, 4)
    scale = _pose_scale(stacked)
    kept, dropped, moved = [], [], []
    for place, photo in enumerate(photos):
        file, content = photo.path.resolve(), copies.get(place)
        earlier = twins[file] + (twins[content] if content is not None else [])
        if ((stacked[earlier] - stacked[place]).abs() <= scale).all(-1).all(-1).any():
            dropped.append(photo.name)
        elif twins[file]:
            moved.append(photo.name)
        else:
            kept.append(place)
            for key in (file, content):
                if key is not None:
                    twins[key].append(place)
    if len(kept) < FEWEST_VIEWS:
        raise FieldlrError(
            f"a reconstruction needs at least {FEWEST_VIEWS} different photos; of the "
            f"{len(photos)} views {len(photos) - len(kept)} repeat another. Add photos."
        )
    return kept, [
        *_note(dropped, "views repeat a photo at the same pose and are left out"),
        *_note(moved, "views list a photo again at another pose; the first pose is used"),
    ]


def _copies(photos: Sequence[Photo]) -> dict[int, str]:
    """Hashes of those photos that are as long as another one, by place."""
    by_size: dict[int, list[int]] = defaultdict(list)
    for place, photo in enumerate(photos):
        by_size[photo.path.stat().st_size].append(place)
    return {
        place: hashlib.sha256(photos[place].path.read_bytes()).hexdigest()
        for places in by_size.values()
        if len({photos[place].path for place in places}) > 1
        for place in places
    }


def _pose_scale(poses: Float[Tensor, "n 3 4"]) -> Float[Tensor, "1 4"]:
    """What a pose may differ by."""
    positions = poses[:, :, 3]
    spread = float((positions - positions.mean(0)).norm(dim=-1).max()) if len(poses) else 0.0
    return SAME_POSE * torch.tensor([[1.0, 1.0, 1.0, spread]], dtype=positions.dtype)


def _note(names: list[str], what: str) -> list[str]:
    listed = ", ".join(names[:3]) + (" and others" if len(names) > 3 else "")
    return [f"{len(names)} {what}: {listed}."] * bool(names)
