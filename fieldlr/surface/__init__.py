"""Extracts triangle meshes: level sets of fields, and surfaces fused from depth maps."""

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
