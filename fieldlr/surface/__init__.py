"""A field to triangles: level sets, coarse to fine."""

from fieldlr.surface.cleaning import (
    decimate,
    euler_number,
    is_watertight,
    largest_component,
    transform,
)
from fieldlr.surface.extraction import Extraction, extract

__all__ = [
    "Extraction",
    "decimate",
    "euler_number",
    "extract",
    "is_watertight",
    "largest_component",
    "transform",
]
