"""Real spherical harmonics: a direction as sixteen smooth features."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

NUM_HARMONICS = 16


def spherical_harmonics(directions: Float[Tensor, "n 3"]) -> Float[Tensor, "n 16"]:
    """The harmonics (N, 16) of degree 0 to 3 of unit directions (N, 3).

    Orthonormal on the sphere, in the order (degree, order) = (0, 0), (1, -1), (1, 0), ...,
    (3, 3), with the signs of Sloan 2008, "Stupid Spherical Harmonics Tricks", appendix A2.
    """
    x, y, z = directions.unbind(-1)
    xx, yy, zz = x * x, y * y, z * z
    return torch.stack(
        [
            torch.full_like(x, 0.28209479177387814),
            -0.4886025119029199 * y,
            0.4886025119029199 * z,
            -0.4886025119029199 * x,
            1.0925484305920792 * x * y,
            -1.0925484305920792 * y * z,
            0.31539156525252005 * (3.0 * zz - 1.0),
            -1.0925484305920792 * x * z,
            0.5462742152960396 * (xx - yy),
            -0.5900435899266435 * y * (3.0 * xx - yy),
            2.890611442640554 * x * y * z,
            -0.4570457994644658 * y * (5.0 * zz - 1.0),
            0.3731763325901154 * z * (5.0 * zz - 3.0),
            -0.4570457994644658 * x * (5.0 * zz - 1.0),
            1.445305721320277 * z * (xx - yy),
            -0.5900435899266435 * x * (xx - 3.0 * yy),
        ],
        -1,
    )
