"""Writes cameras and pictures in the three layouts that photo tools use."""

import json
import struct

import numpy as np
from PIL import Image

FLIP = np.diag([1.0, -1.0, -1.0])  # OpenGL camera axes to OpenCV's and back


def write_blender(folder, splits):
    """splits: name -> [(camera, rgba)]. transforms_<name>.json and <name>/r_<i>.png."""
    for name, shots in splits.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        frames = []
        for i, (camera, rgba) in enumerate(shots):
            Image.fromarray(rgba).save(folder / name / f"r_{i}.png", optimize=True)
            matrix = np.vstack([camera.camera_to_world, [0, 0, 0, 1]]).tolist()
            frames.append({"file_path": f"./{name}/r_{i}", "transform_matrix": matrix})
        angle = 2 * float(np.arctan(0.5 * camera.width / camera.focal))
        text = json.dumps({"camera_angle_x": angle, "frames": frames}, indent=1)
        (folder / f"transforms_{name}.json").write_text(text + "\n")


def write_llff(folder, shots, bounds):
    """poses_bounds.npy (N, 17): columns down, right, backward, position, (h, w, f); near, far."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rows = []
    for i, (camera, rgba) in enumerate(shots):
        Image.fromarray(rgba[..., :3]).save(folder / "images" / f"{i:03d}.png", optimize=True)
        right, up, backward, position = camera.camera_to_world.T
        size = np.array([camera.height, camera.width, camera.focal])
        pose = np.stack([-up, right, backward, position, size], 1)
        rows.append(np.concatenate([pose.ravel(), bounds[i]]))
    np.save(folder / "poses_bounds.npy", np.array(rows))


def write_colmap(folder, shots, points, colors):
    """sparse/0/*.bin with one PINHOLE camera and exact tracks; images/*.jpg."""
    sparse = folder / "sparse" / "0"
    sparse.mkdir(parents=True, exist_ok=True)
    (folder / "images").mkdir(exist_ok=True)
    camera = shots[0][0]
    head = struct.pack("<QIiQQ", 1, 1, 1, camera.width, camera.height)
    middle = (camera.focal, camera.focal, 0.5 * camera.width, 0.5 * camera.height)
    (sparse / "cameras.bin").write_bytes(head + struct.pack("<4d", *middle))
    records, tracks = [], [[] for _ in points]
    for i, (camera, rgba, seen) in enumerate(shots):
        name = f"{i:03d}.jpg"
        Image.fromarray(rgba[..., :3]).save(folder / "images" / name, quality=92, subsampling=0)
        columns, rows, _ = camera.project(points[seen])
        rotation = FLIP @ camera.camera_to_world[:, :3].T
        translation = -rotation @ camera.camera_to_world[:, 3]
        record = struct.pack("<I7di", i + 1, *quaternion(rotation), *translation, 1)
        record += name.encode() + b"\0" + struct.pack("<Q", len(seen))
        for k, (x, y, point) in enumerate(zip(columns, rows, seen, strict=True)):
            record += struct.pack("<2dq", x, y, point + 1)
            tracks[point].append((i + 1, k))
        records.append(record)
    (sparse / "images.bin").write_bytes(struct.pack("<Q", len(records)) + b"".join(records))
    body = struct.pack("<Q", len(points))
    for i, (point, color, track) in enumerate(zip(points, colors, tracks, strict=True)):
        body += struct.pack("<Q3d3Bd", i + 1, *point, *color.tolist(), 0.0)
        body += struct.pack("<Q", len(track)) + b"".join(struct.pack("<2i", *t) for t in track)
    (sparse / "points3D.bin").write_bytes(body)


def quaternion(rotation):
    """Scalar first, scalar not negative: the eigenvector of the matrix of Bar-Itzhack (2000)."""
    (a, b, c), (d, e, f), (g, h, i) = rotation
    matrix = np.array(
        [
            [a + e + i, h - f, c - g, d - b],
            [h - f, a - e - i, b + d, c + g],
            [c - g, b + d, e - a - i, f + h],
            [d - b, c + g, f + h, i - a - e],
        ]
    )
    vector = np.linalg.eigh(matrix)[1][:, -1]
    return vector if vector[0] >= 0 else -vector
