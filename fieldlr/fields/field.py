"""The interface of a field for rendering, surface extraction, export and evaluation."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from fieldlr.errors import FieldlrError
from fieldlr.fields.asked import Asked, gradients_of, vectors
from fieldlr.fields.config import FieldConfig
from fieldlr.geometry.arrays import ArrayLike
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.spaces import Space

POINTS_AT_ONCE = 1 << 20


class Field(nn.Module):
    """A function of space: `field(points)`, `field.inside(points)`, and of photos `field.query`.

    These three take points in the coordinates of the source that the field was fitted to. Inside
    the package, `level` and rendering use the field's own frame, from which `frame` leads to the
    user's.
    """

    name: ClassVar[str]
    summary: ClassVar[str]

    def __init__(
        self,
        config: FieldConfig,
        space: Space,
        frame: Similarity | None = None,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        self.config, self.space, self.frame = config, space, frame or Similarity()

    def __repr__(self) -> str:
        corners = (self.aabb.minimum, self.aabb.maximum)
        box = " to ".join(f"({', '.join(f'{v:g}' for v in corner)})" for corner in corners)
        return f"{type(self).__name__}(box {box}, {self.num_parameters:,} parameters)"

    @property
    def aabb(self) -> Aabb:
        """The bounding box of the field, internal frame."""
        return self.space.aabb

    @property
    def num_parameters(self) -> int:
        """The number of trained parameters."""
        return sum(p.numel() for p in self.parameters())

    def level(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Values (M,) at points (M, 3), positive inside."""
        raise NotImplementedError

    def level_of(self, threshold: float | None) -> float:
        """The isovalue of `level` for a surface threshold in the user's terms."""
        raise NotImplementedError

    def value_of(self, level: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """The inverse of `level_of`: a threshold in the user's terms for each level."""
        raise NotImplementedError

    def forward(self, points: ArrayLike) -> Float[Tensor, "*batch"]:
        """What decides whether points are inside, in [0, 1] for shapes, a density for photos.

        points: (3,) or (..., 3), anything that numpy or torch reads, in the coordinates of the
        source. Gives a tensor (...) on the device of the points. Of a shape it is the probability
        of being inside, with the surface at 0.5. Of photos it is the density that `threshold` of
        a mesh is about, per unit of the cube that the network sees; `query` gives it per unit of
        length, with the colour. Beyond the field's box it is 0. Where the points are a tensor,
        gradients reach them and the parameters. FieldlrError where the shape is another one.
        """
        with gradients_of(points):
            asked = self._asked(points)
            parts = asked.internal.split(POINTS_AT_ONCE)
            values = torch.cat([self.value_of(self.level(part)) for part in parts])
            return asked.answer(self._bounded(values, asked.internal))

    @torch.no_grad()
    def inside(self, points: ArrayLike) -> Bool[Tensor, "*batch"]:
        """Booleans (...): which of the points (..., 3), in the source's coordinates, are inside."""
        asked = self._asked(points)
        parts = (self.level(part) for part in asked.internal.split(POINTS_AT_ONCE))
        above = torch.cat(list(parts)) > self.level_of(None)
        # Meshes end at the box; so does the solid.
        return asked.answer(self._bounded(above, asked.internal))

    def query(
        self, points: ArrayLike, directions: ArrayLike
    ) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch 3"]]:
        """Density and colour of a field of photos (`RadianceField.query`)."""
        raise FieldlrError(
            "`query` gives the density and the colour of a field of photos; this is a shape, which "
            "has neither. field(points) gives the probability of being inside."
        )

    def _asked(self, points: ArrayLike) -> Asked:
        """The points of a user in the field's frame, flat and in its number format."""
        given = vectors("points", points)
        parameter = next(self.parameters())
        flat = given.reshape(-1, 3).to(parameter.device, torch.float64)
        internal = self.frame.inverse().apply(flat).to(parameter.dtype)
        return Asked(internal, given.shape[:-1], given.device)

    def _bounded(self, values: Tensor, internal: Tensor) -> Tensor:
        """Nothing outside of a box."""
        return values * self.aabb.contains(internal) if self.space.kind == "box" else values
