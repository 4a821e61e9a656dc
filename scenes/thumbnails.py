"""Draws the pictures of the examples on the app's first page.

python scenes/thumbnails.py
"""

from __future__ import annotations

from pathlib import Path

from fieldlr.data import open_source
from fieldlr.data.examples import EXAMPLES, example
from fieldlr.data.mesh import read_triangles
from fieldlr.export.image import jpeg_bytes
from fieldlr.geometry.triangles import TriangleMesh
from fieldlr.pictures.shading import shade
from fieldlr.rendering.paths import orbit

OUT = Path(__file__).resolve().parent.parent / "fieldlr" / "app" / "static" / "examples"
SIDE = 200


def portrait(path: Path):
    """A mesh from the side, or the first photo of a scene, at most SIDE pixels wide."""
    if path.is_dir():
        photo = open_source(path).content.images[0].numpy()
        if photo.shape[-1] == 4:
            alpha = photo[..., 3:] / 255.0
            photo = (alpha * photo[..., :3] + (1 - alpha) * 255).astype("uint8")
        step = max(1, max(photo.shape[:2]) // SIDE)
        return photo[::step, ::step]
    return view_of(read_triangles(path)[0])


def view_of(mesh: TriangleMesh):
    """A mesh from the side, SIDE pixels wide and high."""
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    center = tuple(0.5 * (low + high))
    radius = float(((high - low) ** 2).sum() ** 0.5)
    focal = 0.5 * SIDE * 8.0**0.5
    camera = orbit(center, 1.5 * radius, 20.0, 1, focal, (SIDE, SIDE), 300.0)
    return shade(mesh, camera.camera_to_world[0].double().numpy(), focal, SIDE, SIDE)


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    for name in EXAMPLES:
        (OUT / f"{name}.jpg").write_bytes(jpeg_bytes(portrait(example(name)), 85))


if __name__ == "__main__":
    main()
