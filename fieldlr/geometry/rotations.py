"""Rotations as matrices and as quaternions (w, x, y, z)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def from_quaternion(quaternion: Sequence[float]) -> Float[Tensor, "3 3"]:
    """The rotation (3, 3), float64, of a quaternion (w, x, y, z) of any length but 0.

    Written out, since poses must not change in their last bit with SciPy's version: the same seed
    gives the same bytes.
    """
    given = torch.tensor(quaternion, dtype=torch.float64)
    w, x, y, z = (given / given.norm()).tolist()
    return torch.tensor(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ],
        dtype=torch.float64,
    )


def to_quaternion(rotation: Float[Tensor, "3 3"]) -> list[float]:
    """The unit quaternion (w, x, y, z) of a rotation (3, 3).

    A rotation has two; this is the one whose largest component is positive.
    """
    from scipy.spatial.transform import Rotation

    matrix = rotation.detach().cpu().double().numpy()
    found = Rotation.from_matrix(matrix).as_quat(scalar_first=True)
    largest = found[abs(found).argmax()]
    return (-found if largest < 0 else found).tolist()


def rotation_about(axis: Float[Tensor, " 3"], degrees: float) -> Float[Tensor, "3 3"]:
    """The rotation (3, 3), float64, about a unit axis (3,), counter-clockwise seen from its tip."""
    x, y, z = axis.double().tolist()
    cross = torch.tensor([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]], dtype=torch.float64)
    return torch.linalg.matrix_exp(math.radians(degrees) * cross)
