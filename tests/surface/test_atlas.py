"""Charts: every face has its own place in the picture, with room around it."""

import numpy as np
import pytest
import torch

from fieldlr.errors import FieldlrError
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.triangles import TriangleMesh
from fieldlr.surface import extract
from fieldlr.surface.atlas import lay_out, texels

BOX = Aabb((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))


def ball(points):
    return 0.7 - points.norm(dim=-1)


def torus(points):
    ring = points[:, :2].norm(dim=-1) - 0.5
    return 0.2 - torch.hypot(ring, points[:, 2])


def screw(points):
    """A ramp that winds over itself: its upper side overlaps, seen from above."""
    angle = torch.atan2(points[:, 1], points[:, 0])
    turn = torch.remainder(points[:, 2] - 0.1 * angle, 0.2 * torch.pi) - 0.1 * torch.pi
    radius = points[:, :2].norm(dim=-1)
    sheet = 0.12 - turn.abs()
    return torch.minimum(torch.minimum(sheet, 0.8 - radius), radius - 0.2)


def area(corners):
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return 0.5 * (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])


@pytest.mark.parametrize("level", [ball, torus, screw])
def test_no_face_lies_on_another(level):
    mesh = extract(level, BOX, 40).mesh
    size = 512
    corners = lay_out(mesh, size)
    assert corners.min() >= 1.0 and corners.max() <= size - 1.0
    _, place, height = texels(corners, size, mesh.vertices[mesh.faces])
    # A texel that several faces share is on an edge between them: they are neighbours in space.
    order = np.argsort(place, kind="stable")
    same = place[order][1:] == place[order][:-1]
    apart = np.linalg.norm(np.diff(height[order], axis=0), axis=1)[same]
    assert same.mean() < 0.02 and (len(apart) == 0 or apart.max() < 0.2)
    # What is laid out is seen from its front, at one scale, no flatter than it may slant.
    flat, true = area(corners), 0.5 * np.linalg.norm(mesh.face_normals, axis=1)
    solid = true > 1e-6
    assert (flat[solid] > 0).all()
    stretch = flat[solid] / true[solid]
    assert stretch.max() / np.median(stretch) < 1.8


def test_too_many_pieces_for_a_picture():
    crumbs = np.concatenate([np.eye(3) + np.array([2.0 * i, 0.0, 0.0]) for i in range(500)])
    mesh = TriangleMesh(crumbs, np.arange(1500).reshape(-1, 3))
    with pytest.raises(FieldlrError, match="too small"):
        lay_out(mesh, 64)
