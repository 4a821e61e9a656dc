"""A field to triangles: level sets, coarse to fine."""

from fieldlr.surface.cleaning import (
    decimate,
    largest_component,
    transform,
)
from fieldlr.surface.extraction import Extraction, extract

__all__ = [
    "Extraction",
    "decimate",
    "extract",
    "largest_component",
    "transform",
]
