"""Small whole inputs of every format: a file's name and its bytes, or several of them."""

from __future__ import annotations

import io
import json
import math
import struct
import tempfile
from pathlib import Path

import numpy as np
import torch
import trimesh
from PIL import Image

from fieldlr import codec, reconstruct
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.occupancy import OccupancyField
from fieldlr.fields.radiance import RadianceField
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.spaces import Space
from fieldlr.nn.activations import Relu
from fieldlr.nn.encodings import DenseGrid, Frequency
from fieldlr.nn.linears import SineLowRank

Files = dict[str, bytes]
SIZE, NUM_VIEWS = (24, 16), 4
BOX = Aabb((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))


def picture(suffix: str, mode: str = "RGB") -> bytes:
    """A picture with something to see in it."""
    colors = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(colors).convert(mode).save(stream, {".jpg": "JPEG", ".tif": "TIFF"}[suffix])
    return stream.getvalue()


def photos(folder: str = "images") -> Files:
    return {f"{folder}/{view}.jpg": picture(".jpg") for view in range(NUM_VIEWS)}


def poses() -> list[np.ndarray]:
    """Camera-to-world matrices (3, 4) on a circle, OpenGL axes, looking at its middle."""
    made = []
    for view in range(NUM_VIEWS):
        turn = math.tau * view / NUM_VIEWS
        backward = np.array([math.cos(turn), math.sin(turn), 0.0])
        right = np.array([-math.sin(turn), math.cos(turn), 0.0])
        made.append(np.stack([right, np.array([0.0, 0.0, 1.0]), backward, 4.0 * backward], 1))
    return made


def transforms() -> Files:
    frames = [
        {"file_path": f"images/{view}.jpg", "transform_matrix": [*pose.tolist(), [0, 0, 0, 1]]}
        for view, pose in enumerate(poses())
    ]
    lens = {"w": SIZE[0], "h": SIZE[1], "fl_x": 30.0, "fl_y": 30.0, "cx": 12.0, "cy": 8.0}
    more = {"k1": 0.01, "p1": 0.001, "camera_model": "OPENCV", "applied_scale": 0.5}
    return {"transforms.json": json.dumps(lens | more | {"frames": frames}).encode(), **photos()}


def blender() -> Files:
    frames = [
        {"file_path": f"./images/{view}", "transform_matrix": [*pose.tolist(), [0, 0, 0, 1]]}
        for view, pose in enumerate(poses())
    ]
    named = json.dumps({"camera_angle_x": 0.7, "frames": frames}).encode()
    return {"transforms_train.json": named, "transforms_test.json": named, **photos()}


def llff() -> Files:
    rows = []
    for pose in poses():
        columns = [-pose[:, 1], pose[:, 0], pose[:, 2], pose[:, 3], (SIZE[1], SIZE[0], 30.0)]
        rows.append(np.append(np.stack(columns, 1).ravel(), (1.0, 9.0)))
    stream = io.BytesIO()
    np.save(stream, np.array(rows))
    return {"poses_bounds.npy": stream.getvalue(), **photos()}


def colmap_binary() -> Files:
    lens = struct.pack("<QiiQQ8d", 1, 1, 4, *SIZE, 30, 30, 12, 8, 0.01, 0.0, 0.0, 0.0)
    shots = struct.pack("<Q", NUM_VIEWS)
    for view in range(NUM_VIEWS):
        turn = math.pi * view / NUM_VIEWS
        place = (math.cos(turn), 0.0, math.sin(turn), 0.0, 0.0, 0.0, 4.0)
        shots += struct.pack("<i7di", view, *place, 1) + f"{view}.jpg".encode() + b"\0"
        shots += struct.pack("<Qddq", 1, 3.0, 4.0, 1)
    points = struct.pack("<QQ3d3Bd", 1, 7, 0.1, 0.2, 0.3, 9, 9, 9, 0.5)
    points += struct.pack("<Qii", 1, 1, 0)
    files = {"cameras.bin": lens, "images.bin": shots, "points3D.bin": points}
    return {f"sparse/0/{name}": data for name, data in files.items()} | photos()


def colmap_text() -> Files:
    lines = []
    for view in range(NUM_VIEWS):
        turn = math.pi * view / NUM_VIEWS
        lines += [f"{view} {math.cos(turn)} 0 {math.sin(turn)} 0 0 0 4 1 {view}.jpg", "3 4 -1"]
    files = {
        "cameras.txt": f"# cameras\n1 OPENCV {SIZE[0]} {SIZE[1]} 30 30 12 8 0.01 0 0 0\n",
        "images.txt": "\n".join(lines) + "\n",
        "points3D.txt": "1 0.1 0.2 0.3 9 9 9 0.5 1 0\n",
    }
    return {f"sparse/0/{name}": text.encode() for name, text in files.items()} | photos()


def mesh(suffix: str, **how) -> Files:
    """A ball of 80 triangles and a box, as one file."""
    bodies = [trimesh.creation.icosphere(1), trimesh.creation.box((1, 2, 3))]
    bodies[1].apply_translation((3, 0, 0))
    exported = trimesh.util.concatenate(bodies).export(file_type=suffix[1:], **how)
    return {f"mesh{suffix}": exported.encode() if isinstance(exported, str) else exported}


def solid() -> np.ndarray:
    grid = np.zeros((9, 10, 11), bool)
    grid[2:7, 3:8, 2:6] = True
    return grid


def volume_members() -> Files:
    """The members of an .npz, to be packed once they are damaged."""
    arrays = {
        "packed": np.packbits(solid()),
        "shape": np.array(solid().shape),
        "aabb": np.array([[0.0, 0.0, 0.0], [9.0, 10.0, 11.0]]),
    }
    return {f"{name}.npy": _npy(array) for name, array in arrays.items()}


def volume_npz() -> Files:
    stream = io.BytesIO()
    np.savez_compressed(stream, packed=np.packbits(solid()), shape=solid().shape)
    return {"volume.npz": stream.getvalue()}


def volume_npy() -> Files:
    return {"volume.npy": _npy(solid())}


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def flr_shape() -> Files:
    config = FieldConfig(SineLowRank(1), Frequency(2), width=8, depth=2, skips=(1,))
    field = OccupancyField(config, Space("box", BOX), generator=torch.Generator().manual_seed(0))
    return {"field.flr": codec.encode(field, 4.0)}


def flr_grid() -> Files:
    config = FieldConfig(encoding=DenseGrid(2, 1, 3, 5), activation=Relu(), width=8, depth=1)
    space = Space("box", BOX, near=0.25)
    field = RadianceField(config, space, generator=torch.Generator().manual_seed(0))
    field.cell_occupied[10:20, 5:40, 20:30] = True
    return {"field.flr": codec.encode(field, 4.0, codec.About("photos"))}


def run() -> Files:
    """A run folder, trained for a step."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "volume.npy").write_bytes(volume_npy()["volume.npy"])
        reconstruct(place / "volume.npy", place / "run", steps=1, width=8)
        return {f"run/{file.name}": file.read_bytes() for file in (place / "run").iterdir()}


def curve() -> Files:
    names = {"point": ["k=1", "k=2"], "bytes": [900, 1800], "params": [100, 200], "seed": [0, 0]}
    content = {"name": "x", "description": "", "results": names | {"iou": [0.8, 0.9]}, "config": {}}
    return {"curve.json": json.dumps(content).encode()}


def manifest() -> Files:
    text = """defaults: {backbone: sine-low-rank, seconds: 60, outputs: [eval, mesh, compress]}
items:
  - {source: mesh*.ply, rank: 2, steps: 100}
  - {source: mesh.ply, name: again, backbone: full, width: 64, seed: 3}
"""
    return {"manifest.yaml": text.encode(), **mesh(".ply")}


def camera_path() -> Files:
    matrix = np.vstack([poses()[0], (0, 0, 0, 1)]).ravel().tolist()
    view = {"camera_to_world": matrix, "fov": 50.0, "aspect": 1.5}
    path = {"render_height": 16, "render_width": 24, "camera_path": [view, view]}
    return {"path.json": json.dumps(path).encode()}
