"""A contact sheet of runs: source images beside renders of the field.

python studies/contact_sheet.py RUN [RUN ...] --out docs/images/photos.png
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from fieldlr.data import open_source
from fieldlr.export import depth_picture
from fieldlr.export.image import to_bytes
from fieldlr.pictures.shading import shade
from fieldlr.pictures.sheet import Picture, Row, sheet
from fieldlr.runs import Run, open_run
from fieldlr.runs.mesh import make_mesh
from fieldlr.runs.options import MeshOptions
from fieldlr.runs.planning import plan_views
from fieldlr.runs.views import views
from fieldlr.system.script import run_script

SIZE, RESOLUTION = (320, 400), 256
CLOSER = 1.3  # zoom: an orbit shows the whole box, of which a shape fills a part


def photo_row(run: Run, field) -> Row:
    """A held-out photo, its render, and the depth."""
    scene = open_source(run.source, **run.config["reading"]).content
    view = next(views(run, field, plan_views(run, field, "test", 1).cameras))
    figures = run.results["eval"]
    pictures = [
        Picture(scene.images[scene.test[0]].numpy(), "held-out photo"),
        Picture(to_bytes(view.rgb), f"{figures['psnr_db']:.1f} dB over {len(scene.test)} views"),
        Picture(depth_picture(view.depth), "near to far"),
    ]
    return Row(scene.name, pictures, _note(run))


def shape_row(run: Run, field, up: str) -> Row:
    """The field's surface from three sides."""
    mesh = make_mesh(field, MeshOptions(resolution=RESOLUTION)).mesh
    if up == "y":
        middle = 0.5 * (mesh.vertices.min(0) + mesh.vertices.max(0))
        turned = (mesh.vertices - middle)[:, [0, 2, 1]] * (1.0, -1.0, 1.0)
        mesh = dataclasses.replace(mesh, vertices=turned + middle)
    cameras = plan_views(run, field, "orbit", 12, SIZE).cameras
    captions = [f"IoU {run.results['eval']['iou']:.4f}", f"{len(mesh.faces):,} faces", ""]
    pictures = [
        Picture(_drawn(mesh, cameras, index), caption)
        for index, caption in zip((0, 3, 7), captions, strict=True)
    ]
    return Row(run.config["field"]["linear"]["kind"], pictures, _note(run))


def _drawn(mesh, cameras, index: int):
    pose = cameras.camera_to_world[index].double().numpy()
    return shade(mesh, pose, CLOSER * float(cameras.intrinsics[index, 0]), *SIZE)


def _note(run: Run) -> str:
    fit = run.results["fit"]
    return f"{fit['num_parameters']:,} parameters\n{fit['seconds']:.0f} s of training"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--title", default="")
    parser.add_argument("--up", choices=("y", "z"), default="z", help="of shapes")
    words = parser.parse_args()
    rows = []
    for folder in words.runs:
        run = open_run(folder)
        field = run.load_field()
        photos = run.kind == "photos"
        rows.append(photo_row(run, field) if photos else shape_row(run, field, words.up))
    sheet(rows, words.out, words.title)


if __name__ == "__main__":
    run_script(main)
