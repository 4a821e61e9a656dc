"""What a mesh is made of: a level in a box, cropped, cut off above a floor, seen or not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fieldlr.errors import FieldlrError
from fieldlr.geometry.boxes import Aabb, Vector, vector
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.triangles import TriangleMesh
from fieldlr.surface.cleaning import with_faces
from fieldlr.surface.floor import Plane
from fieldlr.surface.lattice import Lattice

Level = Callable[[Float[Tensor, "m 3"]], Float[Tensor, " m"]]
Seen = Callable[[Float[Tensor, "m 3"]], Bool[Tensor, " m"]]


@dataclass(frozen=True)
class Subject:
    """A level in a box of the frame that `frame` leads from, to the user's."""

    level: Level
    aabb: Aabb
    frame: Similarity
    up: Vector
    seen: Seen | None = None  # which points some view sees, where that is known
    bounded: bool = True  # beyond the box there is nothing
    cuts: tuple[Plane, ...] = ()

    def cropped(self, crop: Aabb) -> Subject:
        """What lies in a box of the user's frame."""
        corners = torch.cartesian_prod(
            *torch.tensor([self.aabb.minimum, self.aabb.maximum], dtype=torch.float64).T
        )
        whole = Aabb.around(self.frame.apply(corners))
        low = np.maximum(crop.minimum, whole.minimum)
        high = np.minimum(crop.maximum, whole.maximum)
        if (low >= high).any():
            raise FieldlrError(
                "the box `crop` is outside of the scene, which reaches from "
                f"{_words(whole.minimum)} to {_words(whole.maximum)}; got "
                f"{_words(crop.minimum)} to {_words(crop.maximum)}. "
                "Give a box that overlaps it."
            )
        if self.bounded:
            crop = Aabb(vector(low.tolist()), vector(high.tolist()))
        # Places are counted from the middle of the crop: far from the origin float32 has no digits
        # for them.
        middle = torch.tensor(crop.center, dtype=torch.float64)
        back = self.frame.inverse()
        back = dataclasses.replace(back, translation=vector(back.apply(middle).tolist()))
        crop_center = crop.center
        ends = torch.tensor([crop.minimum, crop.maximum], dtype=torch.float64)
        crop = Aabb.around(ends - middle)
        level, seen = self.level, self.seen
        rotation = torch.tensor(self.frame.rotation, dtype=torch.float64)
        up = vector((rotation @ torch.tensor(self.up, dtype=torch.float64)).tolist())
        return Subject(
            lambda points: level(back.apply(points)),
            crop,
            Similarity(translation=crop_center),
            up,
            None if seen is None else lambda points: seen(back.apply(points)),
            self.bounded,
        )

    def above(self, plane: Plane) -> Subject:
        """What lies above a plane of its own frame."""
        level, scale = self.level, 0.01 * self.aabb.longest_edge
        return dataclasses.replace(
            self,
            level=lambda points: torch.minimum(level(points), plane.heights(points) / scale),
            cuts=(*self.cuts, plane),
        )

    def opened(self, mesh: TriangleMesh, resolution: int) -> TriangleMesh:
        """The faces of a mesh that some view sees: not those that close it where nobody looked."""
        points = torch.from_numpy(mesh.vertices)
        # The samples end where the box does on the longest axis, and inside it on the others.
        lattice = Lattice.over(self.aabb, resolution)
        spacing, first = lattice.spacing, torch.tensor(lattice.first, dtype=points.dtype)
        last = first + spacing * (torch.tensor(lattice.counts) - 1)
        low, high = first + 0.01 * spacing, last - 0.01 * spacing
        kept = ((points > low) & (points < high)).all(-1)
        for plane in self.cuts:
            kept &= plane.heights(points) > 0.01 * spacing
        if self.seen is not None:
            kept &= self.seen(points.float())
        return with_faces(mesh, np.asarray(kept.numpy()[mesh.faces].any(1)))


def _words(point: Vector) -> str:
    return f"({', '.join(f'{value:.4g}' for value in point)})"
