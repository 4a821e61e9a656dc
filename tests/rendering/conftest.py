"""A small radiance field with something in it, and cameras that look at it."""

import pytest
import torch

from fieldlr.fields.config import FieldConfig
from fieldlr.fields.networks import RadianceNetwork
from fieldlr.fields.radiance import RadianceField
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.rays import Rays
from fieldlr.geometry.spaces import Space
from fieldlr.nn.activations import Relu
from fieldlr.nn.encodings import DenseGrid

BOX = Aabb((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))
SPACES = {
    "box": Space("box", Aabb((-1.0, -0.5, -0.75), (1.0, 0.5, 0.75))),
    "ndc": Space("ndc", BOX, near=1.0),
    "contracted": Space("contracted", BOX, near=0.05),
}


@pytest.fixture(params=SPACES)
def space(request) -> Space:
    return SPACES[request.param]


@pytest.fixture
def cameras() -> Cameras:
    """One camera at (0, 0, 3) that looks along -Z."""
    pose = torch.tensor([[[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 3.0]]])
    intrinsics = torch.tensor([[20.0, 20.0, 8.0, 6.0]])
    return Cameras(pose, intrinsics, torch.tensor([[16, 12]]), torch.zeros(1, 6))


class Ball(RadianceNetwork):
    """A network that is known: a ball of the cube, red where it is dense, empty elsewhere."""

    def __init__(self, radius: float = 0.4, density: float = 40.0):
        super().__init__()
        self.radius, self.value = radius, density

    def density(self, unit, noise=0.0, generator=None):
        return self.value * (unit.norm(dim=-1) < self.radius), unit

    def color(self, features, directions):
        return torch.tensor([1.0, 0.0, 0.0]).expand(len(features), 3)

    def forward(self, unit, directions, noise=0.0, generator=None):
        density, features = self.density(unit)
        return self.color(features, directions), density


@pytest.fixture
def ball(space) -> RadianceField:
    config = FieldConfig(encoding=DenseGrid(1, 2, 2, 4), activation=Relu(), width=8, depth=1)
    field = RadianceField(config, space)
    field.networks = torch.nn.ModuleList([Ball()])
    return field


@pytest.fixture
def rays(space, cameras):
    rays = cameras.image_rays(0)
    if space.kind == "ndc":  # The cameras of a forward-facing capture are near the origin.
        return Rays(rays.origins - torch.tensor([0.0, 0.0, 3.0]), rays.directions)
    return rays
