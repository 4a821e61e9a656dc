"""Volume rendering of any function of (points, directions): a formula, a network, `field.query`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fieldlr.errors import FieldlrError
from fieldlr.geometry.arrays import ArrayLike
from fieldlr.geometry.boxes import Vector
from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.rays import Rays
from fieldlr.rendering.compositing import Composite, composite
from fieldlr.rendering.render import BLACK, CHUNK_SAMPLES, Rendering
from fieldlr.rendering.samples import RaySamples, uniform

# Points (m, 3) and unit directions (m, 3) to densities (m,), per unit of length, and colours
# (m, 3) in [0, 1].
Function = Callable[
    [Float[Tensor, "m 3"], Float[Tensor, "m 3"]],
    tuple[Float[Tensor, " m"], Float[Tensor, "m 3"]],
]
Skip = Callable[[Float[Tensor, "m 3"]], Bool[Tensor, " m"]]


def render_rays(
    function: Function,
    rays: Rays,
    near: float | Float[Tensor, " n"],
    far: float | Float[Tensor, " n"],
    num_samples: int = 128,
    background: ArrayLike = BLACK,
    generator: torch.Generator | None = None,
    skip: Skip | None = None,
) -> Composite:
    """What N rays see of a function between the distances `near` and `far`: rgb, opacity, depth.

    Each ray is cut into `num_samples` intervals of one length, and the function is asked in their
    middles, or, with a generator, at a random place in each of them (Mildenhall et al. 2020,
    equation 2). `near` and `far` are in the units of the rays, one for all or (N,). `background`
    is (3,) or (N, 3). `skip` says of points (m, 3) where nothing is: there the function is not
    asked. Gradients reach everything that the function is made of, also near, far and the rays:
    a network of your own is trained with this. FieldlrError where the function gives other shapes.
    """
    _require_range(near, far, num_samples)
    count, device = len(rays), rays.origins.device
    edges = torch.linspace(0.0, 1.0, num_samples + 1, device=device).to(rays.origins)
    low, high = (
        torch.as_tensor(end).to(rays.origins).expand(count)[:, None] for end in (near, far)
    )
    distances = low + (high - low) * edges
    samples = RaySamples(
        distances[:, :-1].reshape(-1),
        distances[:, 1:].reshape(-1),
        torch.arange(count, device=device).repeat_interleave(num_samples),
        count,
    )
    share = 0.5
    if generator is not None:
        share = uniform((len(samples),), generator, device).to(rays.origins)
    places = samples.t_starts + share * (samples.t_ends - samples.t_starts)
    own = rays[samples.ray_indices]
    points = own.at(places)
    if skip is not None:
        kept = ~skip(points)
        own, points = own[kept], points[kept]
        samples = RaySamples(
            samples.t_starts[kept], samples.t_ends[kept], samples.ray_indices[kept], count
        )
    density, color = _asked(function, points, own.directions)
    lengths = samples.t_ends - samples.t_starts
    behind = torch.as_tensor(background).to(color)
    return composite(samples, color, density * lengths, behind)


@torch.no_grad()
def render(
    function: Function,
    camera: Cameras,
    near: float,
    far: float,
    num_samples: int = 128,
    background: Vector = BLACK,
    skip: Skip | None = None,
) -> Rendering:
    """The image that one camera takes of a function of (points, directions), as a `Rendering`.

    The function gives (densities (m,), colours (m, 3)) of points (m, 3) seen along unit
    directions (m, 3), all in the frame and the units of the camera: `field.query` is one, and
    so is any network or formula. `near` and `far` are distances along the rays in the same units.
    The rest is as for `render_rays`, which also gives gradients. Pixels are computed a part at a
    time, so that memory does not grow with the image.
    """
    if len(camera) != 1:
        raise FieldlrError(
            f"`render` makes the image of one camera; got {len(camera)}. Choose one, or "
            "render each in a loop."
        )
    rays = camera.image_rays(0)
    _require_range(near, far, num_samples)
    size = max(1, CHUNK_SAMPLES // num_samples)
    parts = [
        render_rays(
            function, rays[start : start + size], near, far, num_samples, background, None, skip
        )
        for start in range(0, len(rays), size)
    ]
    width, height = camera.sizes[0].tolist()
    return Rendering(
        rgb=torch.cat([part.rgb for part in parts]).clamp(0.0, 1.0).view(height, width, 3),
        depth=torch.cat([part.depth for part in parts]).view(height, width),
        opacity=torch.cat([part.opacity for part in parts]).view(height, width),
    )


def _asked(function: Function, points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """(densities (m,), colours (m, 3)); FieldlrError where a function gives something else."""
    given = function(points, directions)
    shapes = [tuple(getattr(one, "shape", ())) for one in given] if _is_pair(given) else given
    if shapes != [(len(points),), (len(points), 3)]:
        raise FieldlrError(
            "a function that is rendered gives (densities (m,), colours (m, 3)) for points (m, 3), "
            f"here m = {len(points)}; got {str(shapes)[:80]}."
        )
    density, color = given
    return density, color


def _is_pair(given: object) -> bool:
    return isinstance(given, tuple | list) and len(given) == 2


def _require_range(near: object, far: object, num_samples: int) -> None:
    low, high = torch.as_tensor(near), torch.as_tensor(far)
    if not (bool((low >= 0.0).all()) and bool((low < high).all()) and bool(high.isfinite().all())):
        raise FieldlrError(
            "`near` and `far` are distances along a ray, 0 <= near < far; got "
            f"{str(near)[:40]} and {str(far)[:40]}."
        )
    if num_samples < 1:
        raise FieldlrError(f"`num_samples` is 1 or more a ray; got {num_samples}.")
