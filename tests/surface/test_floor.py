"""Floors: found within a degree, also tilted and under a subject; nothing is called a floor."""

import numpy as np
import pytest
import torch

from fieldlr.errors import FieldlrError
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.frames import Similarity
from fieldlr.surface import extract
from fieldlr.surface.floor import Plane, find_floor

BOX = Aabb((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))
UP = (0.0, 0.0, 1.0)


def scene(normal, offset, noise=0.0):
    """A ball over a rough floor."""
    normal = torch.tensor(normal) / np.linalg.norm(normal)

    def level(points):
        rough = noise * (40.0 * points[:, 0]).sin() * (40.0 * points[:, 1]).cos()
        floor = offset + rough - points @ normal
        return torch.maximum(floor, 0.3 - (points - torch.tensor([0.1, 0.0, 0.1])).norm(dim=-1))

    return extract(level, BOX, 64).mesh


@pytest.mark.parametrize("normal", [(0.0, 0.0, 1.0), (0.2, -0.1, 1.0)])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_the_floor_of_a_scene_is_found_within_a_degree(normal, noise):
    plane = find_floor(scene(normal, -0.4, noise), UP, 0.05)
    true = np.array(normal) / np.linalg.norm(normal)
    assert np.degrees(np.arccos(min(1.0, true @ plane.normal))) < 1.0
    assert plane.offset == pytest.approx(-0.4, abs=0.02)


def test_a_ball_has_no_floor():
    ball = extract(lambda p: 0.7 - p.norm(dim=-1), BOX, 64).mesh
    with pytest.raises(FieldlrError, match="no floor"):
        find_floor(ball, UP, 0.01)


def test_a_plane_moves_with_its_frame():
    plane = Plane((0.0, 0.6, 0.8), 0.5)
    turn = ((0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    frame = Similarity(turn, 2.0, (5.0, 1.0, -3.0))
    points = torch.rand(20, 3, dtype=torch.float64)
    moved = plane.transformed(frame).heights(frame.apply(points))
    assert torch.allclose(moved, 2.0 * plane.heights(points))
    assert torch.allclose(plane.raised(0.1).heights(points), plane.heights(points) - 0.1)
