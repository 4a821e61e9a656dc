"""Renders the scenes beside this file: `python scenes/make_scenes.py [name ...]`.

Each scene is photographed by exact cameras and written in one layout; `layouts.py` has the
formats, `worlds.py` the scenes, `raycast.py` the light.
"""

import sys
from pathlib import Path

import numpy as np
import worlds
from layouts import write_blender, write_colmap, write_llff
from raycast import Camera, World, look_at

HERE = Path(__file__).resolve().parent


def windmill(folder):
    """Blender: 60 + 8 views all around an object, RGBA."""
    world = World(worlds.windmill())
    golden = np.pi * (3 - 5**0.5)
    target = np.array([0.0, 0.0, 0.55])

    def shots(count, first_seed, start):
        for i in range(count):
            height = -0.12 + 1.0 * (i + 0.5) / count
            angle = golden * i + start
            flat = np.sqrt(1 - height**2)
            toward = np.array([np.cos(angle) * flat, np.sin(angle) * flat, height])
            pose = look_at(target + 4.2 * toward, target)
            camera = Camera(pose, 156.0, 128, 128)
            yield camera, world.photograph(camera, first_seed + i, reach=0.8)

    write_blender(folder, {"train": list(shots(60, 0, 0.0)), "test": list(shots(8, 100, 1.0))})


def shelf(folder):
    """LLFF: 24 views that face a bookcase."""
    world = World(worlds.shelf())
    shots, bounds = [], []
    for i in range(24):
        column, row = i % 6, i // 6
        swing = 0.08 * np.sin(2.4 * i)
        place = (-0.6 + 0.24 * column, -4.1 + swing, 0.95 + 0.22 * row + 0.04 * np.cos(3.1 * i))
        camera = Camera(look_at(place, (0, 0.3, 1.13)), 132.0, 128, 96)
        shots.append((camera, world.photograph(camera, 200 + i, reach=0.6)))
        bounds.append(near_and_far(world, camera))
    write_llff(folder, shots, bounds)


def courtyard(folder):
    """COLMAP: an orbit of 40 views, and surface points with exact tracks."""
    world = World(worlds.courtyard())
    shots, points, colors = [], [], []
    random = np.random.default_rng(7)
    for i in range(40):
        angle = 2 * np.pi * i / 40
        away, height = 2.45 + 0.25 * np.sin(3 * angle), 1.35 + 0.45 * np.sin(5 * angle + 1)
        place = (away * np.cos(angle), away * np.sin(angle), height)
        camera = Camera(look_at(place, (0, 0, 0.85)), 94.0, 128, 96)
        rgba = world.photograph(camera, 300 + i, reach=1.0, sky=worlds.SKY)
        columns, rows = random.integers(0, 128, 15), random.integers(0, 96, 15)
        faces, found, _ = world.hits(*camera.rays(columns + 0.5, rows + 0.5))
        points.append(found[faces >= 0])
        colors.append(rgba[rows, columns, :3][faces >= 0])
        shots.append((camera, rgba))
    points, colors = np.concatenate(points), np.concatenate(colors)
    seen = np.array([visible(world, camera, points) for camera, _ in shots])
    kept = seen.sum(0) >= 3
    tracks = [np.flatnonzero(row) for row in seen[:, kept]]
    shots = [(*shot, track) for shot, track in zip(shots, tracks, strict=True)]
    write_colmap(folder, shots, points[kept], colors[kept])


def near_and_far(world, camera):
    """The least and the greatest depth along the optical axis, at pixel centres."""
    rows, columns = np.mgrid[: camera.height, : camera.width] + 0.5
    faces, points, _ = world.hits(*camera.rays(columns.ravel(), rows.ravel()))
    depths = camera.project(points[faces >= 0])[2]
    return depths.min(), depths.max()


def visible(world, camera, points):
    """Booleans (N,): within the picture, and nothing stands before the point."""
    columns, rows, depths = camera.project(points)
    inside = (columns > 0) & (columns < camera.width) & (rows > 0) & (rows < camera.height)
    toward = camera.camera_to_world[:, 3] - points
    distance = np.linalg.norm(toward, axis=1, keepdims=True)
    back = toward / distance
    clear = world.free(points + 2e-3 * back, back, distance[:, 0] - 4e-3)
    return inside & (depths > 0) & clear


SCENES = {"windmill": windmill, "shelf": shelf, "courtyard": courtyard}

if __name__ == "__main__":
    for name in sys.argv[1:] or SCENES:
        SCENES[name](HERE / name)
        size = sum(f.stat().st_size for f in (HERE / name).rglob("*") if f.is_file())
        print(f"{name}: {size / 1e6:.2f} MB")
