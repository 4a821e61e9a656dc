"""`fieldlr demo`: photos to new views, a mesh to a small field and back, on bundled sources."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fieldlr.cli.progress import shown
from fieldlr.data import OccupancyVolume, Scene
from fieldlr.data.examples import example
from fieldlr.errors import FieldlrError
from fieldlr.export import depth_picture, write_mesh
from fieldlr.export.image import to_bytes
from fieldlr.fields.field import Field
from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.triangles import TriangleMesh
from fieldlr.pictures.shading import shade
from fieldlr.pictures.sheet import Picture, Row, sheet
from fieldlr.runs import Run
from fieldlr.runs.compress import write_file
from fieldlr.runs.mesh import make_mesh, mesh_run
from fieldlr.runs.options import MeshOptions
from fieldlr.runs.pipeline import Reconstruction
from fieldlr.runs.planning import plan_views
from fieldlr.runs.render import render_run
from fieldlr.runs.views import views
from fieldlr.system.files import make_folder
from fieldlr.training.options import FitOptions

SCENE, SCENE_OPTIONS = "windmill", FitOptions.of(seconds=25.0)
MESH = "rook"
# The same shape as two fields, of 133 and of 7 thousand parameters.
SHAPES = {
    "full": FitOptions.of(seconds=12.0, grid=192),
    "sine-low-rank": FitOptions.of(backbone="sine-low-rank", rank=5, seconds=12.0, grid=192),
}
RESOLUTION, PORTRAIT = 192, (240, 240)
VIEWPOINTS, BEHIND = 12, 5
FRAMES, VIDEO_SIZE, FPS = 36, (200, 200), 18.0
INSIDE_COLOR = (0.13, 0.32, 0.55)


@dataclass(frozen=True)
class Demo:
    """Where the demo's files go, and how it reports."""

    out: Path
    say: Callable[[str], None]
    quiet: bool

    def fit(
        self, name: str, source: Path, options: FitOptions
    ) -> tuple[Reconstruction, dict[str, Any]]:
        """(fit, results) of a run in this folder, new or from an earlier demo."""
        self.say(f"{name}: training for {options.schedule.seconds:g} s")
        options = options.replaced(device="cpu")
        fit = Reconstruction(source, self.out / name, options, resume=True)
        for _ in shown(fit.reports(), fit.task.quality_name, self.quiet):
            pass
        return fit, fit.finish()


def demo(out: Path, say: Callable[[str], None], quiet: bool) -> dict[str, Any]:
    """The end-to-end demo in the folder `out`; returns the paths and the qualities."""
    make_folder(out)
    journey = Demo(out, say, quiet)
    scene_row, scene = _photos(journey)
    shape_rows, shapes = _shapes(journey)
    title = "fieldlr: photos and a mesh as small fields"
    sheet([scene_row, *shape_rows], out / "sheet.png", title)
    say(f"look at {out / 'sheet.png'}, {out / 'view.mp4'} and {out / 'mesh.glb'}")
    return {"sheet": str(out / "sheet.png"), **scene, **shapes}


def _photos(journey: Demo) -> tuple[Row, dict[str, Any]]:
    """Photos to a radiance field: a held-out photo, the rendered view, depth and surface."""
    fit, results = journey.fit("scene-run", example(SCENE), SCENE_OPTIONS)
    field, scene = fit.state.field, fit.source.content
    cameras = plan_views(fit.run, field, "test", 1).cameras
    view = next(views(fit.run, field, cameras))
    assert isinstance(scene, Scene) and view.depth is not None  # It is bundled.
    surface = mesh_run(fit.run, MeshOptions(resolution=RESOLUTION, largest=True)).mesh
    outside = cameras.transformed(field.frame)  # The surface is in the user's frame.
    photo = scene.images[scene.test[0]].numpy()
    pictures = [
        Picture(photo, "a held-out photo"),
        Picture(to_bytes(view.rgb), f"PSNR {results['quality']:.1f} dB"),
        Picture(depth_picture(view.depth), "near to far"),
        Picture(_portrait(surface, outside), f"{len(surface.faces):,} faces"),
    ]
    note = f"{len(scene.train)} photos\n{results['num_parameters']:,} numbers\n"
    note += f"{results['seconds']:.0f} s of training"
    video = _video(journey, fit.run)
    return Row(SCENE, pictures, note), {"video": video, "psnr_db": results["quality"]}


def _shapes(journey: Demo) -> tuple[list[Row], dict[str, Any]]:
    """A mesh to occupancy fields: the given mesh, the extracted one, a slice."""
    rows, figures = [], {}
    for backbone, options in SHAPES.items():
        fit, results = journey.fit(f"{backbone}-run", example(MESH), options)
        mesh = make_mesh(fit.state.field, MeshOptions(resolution=RESOLUTION)).mesh
        cameras = plan_views(fit.run, fit.state.field, "orbit", VIEWPOINTS, PORTRAIT).cameras
        volume = fit.source.content
        assert isinstance(volume, OccupancyVolume) and volume.mesh is not None  # It is bundled.
        given = volume.mesh
        pictures = [
            Picture(_portrait(given, cameras), f"given: {len(given.faces):,} faces"),
            Picture(_portrait(mesh, cameras), f"its field: IoU {results['quality']:.3f}"),
            Picture(_portrait(mesh, cameras[BEHIND]), "from behind"),
            Picture(_slice(fit.state.field), "the field, cut in half"),
        ]
        note = f"{results['num_parameters']:,} numbers\n{results['seconds']:.0f} s of training"
        rows.append(Row(f"{MESH}, {backbone}", pictures, note))
        figures[f"iou_{backbone}".replace("-", "_")] = results["quality"]
        path = journey.out / ("mesh.glb" if backbone == "full" else f"mesh-{backbone}.glb")
        write_mesh(mesh, path)
        if backbone == "full":
            figures |= {"mesh": str(path), "watertight": mesh.is_watertight}
        else:
            size = write_file(fit.state.field, fit.run, journey.out / "shape.flr")
            figures |= {"shape": str(journey.out / "shape.flr"), "shape_bytes": size}
    return rows, figures


def _video(journey: Demo, run: Run) -> str | None:
    """An orbit as view.mp4; None and a message where there is no encoder."""
    path = journey.out / "view.mp4"
    journey.say("filming an orbit")
    try:
        for _ in render_run(run, path, "orbit", FRAMES, VIDEO_SIZE, FPS):
            pass
    except FieldlrError as error:
        journey.say(f"no video: {error}")
        return None
    return str(path)


def _slice(field: Field) -> np.ndarray:
    """The occupancy on a plane through the middle: blue inside, white outside."""
    width, height = PORTRAIT
    x, z = np.meshgrid(np.linspace(-1, 1, width), np.linspace(1, -1, height))
    unit = torch.from_numpy(np.stack([x, np.zeros_like(x), z], -1).reshape(-1, 3)).float()
    with torch.no_grad():
        inside = torch.sigmoid(field.level(field.aabb.from_unit(unit)))
    inside = inside.view(height, width, 1).numpy()
    return to_bytes(1.0 - inside * (1.0 - np.array(INSIDE_COLOR)))


def _portrait(mesh: TriangleMesh, cameras: Cameras) -> np.ndarray:
    """The mesh from the first camera, at the size of a portrait."""
    width, height = PORTRAIT
    focal = float(cameras.intrinsics[0, 0]) * width / int(cameras.sizes[0, 0])
    return shade(mesh, cameras.camera_to_world[0].double().numpy(), focal, width, height)
