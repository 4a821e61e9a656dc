"""Rotations and quaternions, against SciPy's."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from fieldlr.geometry.rotations import from_quaternion, to_quaternion

TURNS = Rotation.random(20, random_state=0).as_quat(scalar_first=True)


@pytest.mark.parametrize("quaternion", TURNS)
@pytest.mark.parametrize("length", [1.0, -1.0, 40.0])
def test_a_quaternion_is_scipys_rotation_whatever_its_length(quaternion, length):
    expected = Rotation.from_quat(quaternion, scalar_first=True).as_matrix()
    found = from_quaternion((length * quaternion).tolist())
    assert np.abs(found.numpy() - expected).max() < 1e-14


@pytest.mark.parametrize("quaternion", [*TURNS, *np.eye(4)])
def test_there_and_back(quaternion):
    found = to_quaternion(from_quaternion(quaternion.tolist()))
    assert max(found, key=abs) > 0.0
    assert abs(np.dot(found, quaternion)) == pytest.approx(1.0, abs=1e-12)
    assert torch.allclose(from_quaternion(found), from_quaternion(quaternion.tolist()), atol=1e-12)
