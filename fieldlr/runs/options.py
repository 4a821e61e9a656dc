"""Options of the outputs of a run."""

from __future__ import annotations

from dataclasses import dataclass

from fieldlr.codec import FEWEST_BITS, MOST_BITS
from fieldlr.system.kinds import Box, Choice, Colour, Number, Size, Switch, Whole
from fieldlr.system.options import Chosen, Options, extension, option
from fieldlr.training.compressor import Compressor
from fieldlr.training.compressors import COMPRESSORS, compressor_of

FINEST_MESH = 2048
MOST_TEXELS = 8192
HOLES = ("closed", "left")
AXES = ("x", "y", "z")


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions(Options):
    """How a run is evaluated."""

    resolution: int = option(
        Whole(4, FINEST_MESH), "Samples along the longest edge of the mesh of a shape", 256
    )


@dataclass(frozen=True, kw_only=True)
class MeshOptions(Options):
    """How a mesh is extracted."""

    resolution: int = option(Whole(4, FINEST_MESH), "Samples along the longest edge", 256)
    threshold: float | None = option(
        Number(),
        "Where the surface is: a probability for shapes, a density for photos",
        shown_default="0.5; photos: fused depth maps",
    )
    crop: tuple[float, ...] | None = option(
        Box(), "Keeps what lies in this box, in the units of the source", shown_default="all"
    )
    remove_floor: bool = option(
        Switch(), "Finds the floor and removes it with all that is below", False
    )
    holes: str | None = option(
        Choice(HOLES),
        "Close the surface where no view looked, or leave it open",
        shown_default="left for photos of a place, else closed",
    )
    largest: bool = option(Switch(), "Keeps the largest component alone", False)
    faces: int | None = option(
        Whole(4), "Simplifies the mesh to at most so many triangles", shown_default="all"
    )
    texture: int | None = option(
        Whole(64, MOST_TEXELS),
        "Colours as a picture of so many pixels along its edges: photos, .glb or .obj",
        shown_default="colours at the vertices",
    )
    up: str | None = option(
        Choice(AXES),
        "The axis of the source that stands upright in a .glb, and on the floor",
        shown_default="z, or as the photos were held",
    )
    scale: float | None = option(
        Number(), "Multiplies the coordinates: 1000 makes metres millimetres", shown_default="1"
    )
    dense: bool = option(
        Switch(), "Evaluates the field everywhere instead of coarse to fine: the reference", False
    )


@dataclass(frozen=True, kw_only=True)
class RenderOptions(Options):
    """What a render shows."""

    frames: int | None = option(
        Whole(1), "Views along an orbit or a spiral", shown_default="60, or 1 for a .png"
    )
    size: tuple[int, int] | int | None = option(
        Size(),
        "Width and height in pixels, or the height alone: the width then follows the photos",
        shown_default="the photos'",
    )
    background: tuple[float, float, float] | None = option(
        Colour(),
        "The colour behind what is rendered",
        shown_default="black; photos with transparency and shapes: white",
    )
    fps: float = option(Number(most=240), "Frames a second of a video", 30.0)


@dataclass(frozen=True, kw_only=True)
class FileOptions(Options):
    """How a field becomes a file."""

    bits: float | None = option(
        Number(FEWEST_BITS, MOST_BITS, above=False),
        "Bits that a parameter takes on average",
        shown_default="as many as leave the quality nearly unchanged",
    )
    max_bytes: int | None = option(
        Whole(100), "The largest size of the file, instead of bits", shown_default="none"
    )
    finetune: float | None = option(
        Number(unit="S"), "Seconds of quantisation-aware fine-tuning", shown_default="none"
    )
    method: str | None = option(
        Choice(COMPRESSORS),
        "Makes the trained network of a shape smaller, before fine-tuning",
        shown_default="none",
    )
    smaller: Chosen = extension(COMPRESSORS)

    @property
    def compressor(self) -> Compressor | None:
        """The method with its options; FieldlrError where they do not go together."""
        return compressor_of(self.method, self.smaller)
