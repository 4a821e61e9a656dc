"""`fieldlr check`: what a source holds and whether it is all right, before any training."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch

from fieldlr.data import OccupancyVolume, Scene, Source
from fieldlr.data.diagnosis import diagnose, drawing
from fieldlr.geometry.boxes import Aabb
from fieldlr.pictures.viewer import write_viewer
from fieldlr.runs.pipeline import memory_estimate


def check(source: Source) -> dict[str, Any]:
    """The facts of a source, as plain values."""
    content = source.content
    facts: dict[str, Any] = {"kind": source.kind, "format": source.format, "name": content.name}
    if isinstance(content, Scene):
        facts |= dataclasses.asdict(diagnose(content))
    else:
        facts |= {
            "views": 0,
            "missing": 0,
            "train": 0,
            "test": 0,
            "aabb": dataclasses.asdict(_in_users_frame(content)),
            "grid": list(content.shape),
            "fraction": content.fraction,
            "warnings": list(content.warnings),
        } | dict(content.facts)
        if content.mesh is not None:
            facts |= {
                "vertices": len(content.mesh.vertices),
                "faces": len(content.mesh.faces),
            }
    return facts | {"memory_bytes": memory_estimate(source)}


def _in_users_frame(volume: OccupancyVolume) -> Aabb:
    ends = torch.tensor([volume.aabb.minimum, volume.aabb.maximum], dtype=torch.float64)
    return Aabb.around(volume.frame.apply(ends))


def draw(source: Source, facts: dict[str, Any], path: Path) -> None:
    """Draws the cameras, or the voxels at the surface, beside the facts, as one HTML file."""
    content = source.content
    shown = {
        name.replace("_", " "): _brief(value)
        for name, value in facts.items()
        if not isinstance(value, dict | list | tuple) and value is not None
    }
    warnings = facts["warnings"]
    if isinstance(content, Scene):
        lines, points = drawing(content)
        write_viewer(path, content.name, lines, points, shown, warnings)
        return
    near = content.near_surface(1)
    chosen = near[torch.randint(len(near), (60_000,), generator=torch.Generator().manual_seed(0))]
    chosen = chosen[content.occupied(chosen)]
    write_viewer(path, content.name, {}, content.centers(chosen), shown, warnings)


def _brief(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
