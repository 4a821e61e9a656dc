"""The surface of a solid that came without one stands on the faces of its voxels."""

import numpy as np
import pytest

from fieldlr.data.volume import make_volume
from fieldlr.geometry.boxes import Aabb
from fieldlr.training.tasks.solids import surface_of


@pytest.mark.parametrize("where", [slice(3, 13), slice(0, 16)])
def test_a_box_of_voxels_has_its_own_faces(where):
    grid = np.zeros((16, 16, 16), bool)
    grid[where, 4:9, 5:10] = True
    aabb = Aabb((-8.0, -8.0, -8.0), (8.0, 8.0, 8.0))
    mesh = surface_of(make_volume("box", grid, aabb))
    low = np.array([where.start, 4, 5]) - 8.0
    high = np.array([where.stop, 9, 10]) - 8.0
    assert mesh.is_watertight
    assert np.allclose(mesh.vertices.min(0), low, atol=1e-3)
    assert np.allclose(mesh.vertices.max(0), high, atol=1e-3)
