"""fieldlr: neural-field reconstruction with low-rank backbones.

    run = fieldlr.fit(fieldlr.mesh(vertices, faces), backbone="sine-low-rank", rank=5, seconds=60)
    run.field(points)                          # in your own coordinates
    run.evaluate(), run.render(camera), run.mesh().save("x.glb"), run.compress().save("x.flr")

Importing this changes nothing in the process and loads nothing but this file: names are loaded
when they are first used. docs/python.md is the guide.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fieldlr.errors import FieldlrError as FieldlrError
from fieldlr.system.version import __version__ as __version__

if TYPE_CHECKING:
    from fieldlr import nn as nn
    from fieldlr.api.curves import bd as bd
    from fieldlr.api.curves import curve as curve
    from fieldlr.api.curves import plot as plot
    from fieldlr.api.fitting import fit as fit
    from fieldlr.api.fitting import reconstruct as reconstruct
    from fieldlr.data.examples import example as example
    from fieldlr.data.in_memory import mesh as mesh
    from fieldlr.data.in_memory import photos as photos
    from fieldlr.data.in_memory import volume as volume
    from fieldlr.fields.field import Field as Field
    from fieldlr.geometry.cameras import Cameras as Cameras
    from fieldlr.geometry.rays import Rays as Rays
    from fieldlr.metrics.curve_file import read_curve as read_curve
    from fieldlr.rendering.functions import render as render
    from fieldlr.rendering.functions import render_rays as render_rays
    from fieldlr.runs.pipeline import load as load
    from fieldlr.runs.run import Run as Run
    from fieldlr.runs.run import open_run as open_run

# Where each name is made.
_HOMES = {
    "Cameras": "geometry.cameras",
    "Field": "fields.field",
    "Rays": "geometry.rays",
    "Run": "runs.run",
    "bd": "api.curves",
    "curve": "api.curves",
    "example": "data.examples",
    "fit": "api.fitting",
    "load": "runs.pipeline",
    "mesh": "data.in_memory",
    "open_run": "runs.run",
    "photos": "data.in_memory",
    "plot": "api.curves",
    "read_curve": "metrics.curve_file",
    "reconstruct": "api.fitting",
    "render": "rendering.functions",
    "render_rays": "rendering.functions",
    "volume": "data.in_memory",
}
__all__ = sorted([*_HOMES, "FieldlrError", "nn"])  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Loads a name when it is first used."""
    if name == "nn":
        return import_module("fieldlr.nn")
    if name not in _HOMES:
        raise AttributeError(f"module 'fieldlr' has no attribute {name!r}", name=name)
    value = globals()[name] = getattr(import_module(f"fieldlr.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
