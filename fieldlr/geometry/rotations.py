"""Rotations as matrices and as quaternions (w, x, y, z), by SciPy."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def from_quaternion(quaternion: Sequence[float]) -> Float[Tensor, "3 3"]:
    """The rotation (3, 3), float64, of a quaternion (w, x, y, z) of any length but 0."""
    from scipy.spatial.transform import Rotation

    rotation = Rotation.from_quat(list(quaternion), scalar_first=True)
    return torch.from_numpy(rotation.as_matrix())


def to_quaternion(rotation: Float[Tensor, "3 3"]) -> list[float]:
    """The unit quaternion (w, x, y, z) of a rotation (3, 3).

    A rotation has two; this is the one whose largest component is positive.
    """
    from scipy.spatial.transform import Rotation

    matrix = rotation.detach().cpu().double().numpy()
    found = Rotation.from_matrix(matrix).as_quat(scalar_first=True)
    largest = found[abs(found).argmax()]
    return (-found if largest < 0 else found).tolist()
