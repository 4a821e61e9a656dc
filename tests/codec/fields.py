"""Small fields of every kind, for the tests of the codec."""

import math

import torch

from fieldlr.codec import About
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.occupancy import OccupancyField
from fieldlr.fields.radiance import GRID_CELLS, RadianceField
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.spaces import Space
from fieldlr.nn.activations import Finer, Gaussian, Relu, Sine
from fieldlr.nn.encodings import (
    Cp,
    DenseGrid,
    Frequency,
    HashGrid,
    Identity,
    RandomFourier,
    Tucker,
    Vm,
)
from fieldlr.nn.linears import LINEARS as KINDS
from fieldlr.nn.linears import Full, LowRank, SineLowRank

FULL, IDENTITY, FREQUENCY, GAUSSIAN = Full(), Identity(), Frequency(2), Gaussian()
LINEARS = (Full(), LowRank(3), SineLowRank(2), SineLowRank(1, 77.5))
NEWER = tuple(kind(rank=1) for kind in KINDS.values() if kind.number > SineLowRank.number)
ENCODINGS = (
    Identity(),
    Frequency(3),
    Frequency(2, False),
    DenseGrid(2, 2, 3, 5),
    HashGrid(2, 1, 3, 9, 6),
    RandomFourier(4, 2.0),
    Cp(2, 3, 4, 7),
    Vm(2, 2, 3, 6),
    Tucker(2, 2, 3, 5),
)
ACTIVATIONS = (Relu(), Sine(), Sine(12.5), Gaussian(), Gaussian(0.25), Finer(12.5))
BOX = Aabb((-1.0, -2.0, 0.3), (1.3, 1.0, 2.0))
QUARTER_TURN = ((0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
FRAME = Similarity(QUARTER_TURN, 2.5, (10.0, -3.0, 0.1))


def shape(linear=FULL, encoding=IDENTITY, activation=GAUSSIAN, seed=0, **more) -> OccupancyField:
    """An untrained shape field."""
    config = FieldConfig(linear, encoding, activation, **{"width": 20, "depth": 2, **more})
    return OccupancyField(config, Space("box", BOX), generator=torch.Generator().manual_seed(seed))


def radiance(encoding=FREQUENCY, linear=FULL, seed=0, space="box", **more) -> RadianceField:
    """An untrained radiance field, all of whose cells are occupied."""
    config = FieldConfig(linear, encoding, Relu(), **{"width": 24, "depth": 2, **more})
    spaces = {
        "box": Space("box", BOX, near=0.25),
        "ndc": Space("ndc", Aabb((-2.0, -2.0, -9.0), (2.0, 2.0, -1.0)), 1.0, ndc_focal=(2.5, 2.0)),
        "contracted": Space("contracted", Aabb((-1.0,) * 3, (1.0,) * 3), near=0.1),
    }
    return RadianceField(config, spaces[space], FRAME, torch.Generator().manual_seed(seed))


def with_ball(field: RadianceField, radius: float = 0.4) -> RadianceField:
    """The field with the cells of a ball occupied, and no others."""
    ticks = (torch.arange(GRID_CELLS) + 0.5) * (2.0 / GRID_CELLS) - 1.0
    points = torch.cartesian_prod(ticks, ticks, ticks)
    field.cell_occupied.copy_((points.norm(dim=-1) < radius).view((GRID_CELLS,) * 3))
    return field


def cameras(count: int = 3, model="perspective", same=True) -> Cameras:
    """Cameras on an arc, each turned another way."""
    poses = []
    for index in range(count):
        a, b = 0.7 * index, 0.3 + index
        turn = [
            [math.cos(a), -math.sin(a) * math.cos(b), math.sin(a) * math.sin(b), 3.0 + index],
            [math.sin(a), math.cos(a) * math.cos(b), -math.cos(a) * math.sin(b), -0.5],
            [0.0, math.sin(b), math.cos(b), 1.0],
        ]
        poses.append(turn)
    sizes = torch.tensor([[64, 48]] * count)
    intrinsics = torch.tensor([[50.5, 51.25, 32.0, 24.0]] * count)
    distortion = torch.zeros(count, 6)
    if not same:
        intrinsics[:, 0] += torch.arange(count)
        distortion[0, 1] = 0.125
    return Cameras(torch.tensor(poses), intrinsics, sizes, distortion, model)


PHOTOS = About("photos", "0123456789abcdef", 4, (1.0, 1.0, 1.0), cameras())
