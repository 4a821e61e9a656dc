"""Makes the meshes beside this file: `python meshes/make_meshes.py [name ...]`.

Each shape is a signed distance on a grid, turned into triangles by marching cubes and then
decimated. Every file is read back and must be watertight and outward, or nothing is kept.
"""

import os
import sys
from pathlib import Path

import igl
import mcubes
import numpy as np
import trimesh
from distance import cut, grid, join, meet, polar, repeat, ring, slab, tube, union
from scipy.interpolate import PchipInterpolator

HERE = Path(__file__).resolve().parent


def triangles(distance, low, cell, faces):
    """A watertight trimesh of the region of negative distance, with about `faces` triangles."""
    # A level just off zero: faces that lie exactly on grid points would give triangles of no area.
    padded = np.pad(distance.astype(np.float32) + 0.013 * cell, 1, constant_values=cell)
    points, corners = mcubes.marching_cubes(-padded, 0.0)
    points = np.asarray(low) + (points - 1.0) * cell
    # Unlike faster decimators, this one never makes an edge of four triangles.
    points, corners, *_ = igl.qslim(points, corners.astype(np.int64), faces)
    mesh = trimesh.Trimesh(points, corners, process=True)
    # Where solids graze each other the grid leaves specks and bubbles of less than a cell.
    parts = [part for part in mesh.split(only_watertight=False) if len(part.faces) > 60]
    return trimesh.util.concatenate(parts)


def profile(heights, radii):
    """A smooth radius as a function of the height."""
    curve = PchipInterpolator(heights, radii)
    return lambda z: curve(np.clip(z, heights[0], heights[-1])).astype(np.float32)


def vase(cell=0.0095):
    """An amphora: twisted flutes, a shell 0.03 thin, a rope for a rim, beads and two handles."""
    low = (-1.02, -0.72, -0.02)
    x, y, z = grid(low, (1.02, 0.72, 2.02), cell)
    r, angle = polar(x, y)
    radius = profile(
        [0.0, 0.06, 0.16, 0.26, 0.75, 1.1, 1.35, 1.5, 1.75, 1.95],
        [0.36, 0.34, 0.17, 0.20, 0.58, 0.64, 0.50, 0.28, 0.23, 0.40],
    )(z)
    belly = np.clip((z - 0.24) / 0.15, 0, 1) * np.clip((1.2 - z) / 0.1, 0, 1)
    flutes = 0.045 * np.abs(np.sin(10 * (angle + 0.9 * z))) ** 0.7 * belly
    outside = 0.8 * (r - radius - flutes + 0.01)
    body = np.maximum(outside, slab(z, 0.0, 1.95))
    body = cut(body, np.maximum(0.8 * (r - radius + 0.035), 0.2 - z))
    twist = 0.012 * np.cos(24 * angle + 3 * np.arctan2(z - 1.95, r - 0.40))
    rim = ring(r, z - 1.95, 0.40, 0.035 + twist)
    beads = union(*(necklace(r, angle, z - h, n, s, b) for h, n, s, b in BEADS))
    path = [[0.58, 0, 1.18], [0.74, 0, 1.16], [0.86, 0, 1.28], [0.88, 0, 1.48], [0.8, 0, 1.66]]
    path += [[0.66, 0, 1.77], [0.5, 0, 1.79], [0.35, 0, 1.74], [0.24, 0, 1.7]]
    path = smooth_path(np.array(path), 24)
    angles = np.linspace(0.4, 2.6 * np.pi, 22)
    size = np.linspace(0.13, 0.02, 22)[:, None]
    scroll = np.stack([np.cos(angles), 0 * angles, np.sin(angles)], 1) * size + [0.83, 0, 1.78]
    handles = join(tube(np.abs(x), y, z, path, 0.042), tube(np.abs(x), y, z, scroll, 0.02), 0.02)
    return triangles(union(join(body, handles, 0.06), rim, beads), low, cell, 50_000)


BEADS = ((1.29, 40, 0.56, 0.03), (1.46, 28, 0.325, 0.026), (0.2, 20, 0.175, 0.022))


def necklace(r, angle, z, count, radius, size):
    """Beads in a circle."""
    away = repeat(angle, count)
    return np.sqrt((r * np.cos(away) - radius) ** 2 + (r * np.sin(away)) ** 2 + z**2) - size


def smooth_path(points, count):
    """The same path with `count` points, rounded."""
    where = np.linspace(0, len(points) - 1, count)
    return PchipInterpolator(np.arange(len(points)), points)(where)


def gear(x, y, teeth, pitch, spokes, hub=1.6, phase=0.0):
    """A flat wheel, in the plane: teeth, a rim, curved spokes and a hub; millimetres."""
    r, angle = polar(x, y)
    bite = np.clip(2.2 * np.cos(teeth * (angle - phase)), -1, 1)
    height = min(1.0, 1.9 * pitch / teeth)
    wheel = r - pitch - height * bite
    if not spokes:
        return np.maximum(wheel, 0.9 - r)
    window = cut(slab(r, hub + 1.4, pitch - height - 1.8), spoke(r, angle, spokes, 0.8))
    return cut(wheel, window, r - 0.9)


def spoke(r, angle, count, thickness):
    return r * np.abs(np.sin(repeat(angle + 0.05 * r, count))) - thickness


def clockwork(cell=0.26):
    """A skeleton movement 60 mm wide: plates, pillars, a train of gears, a hairspring."""
    low = (-31.0, -31.0, -1.0)
    x, y, z = grid(low, (31.0, 31.0, 17.5), cell)
    r, angle = polar(x, y)
    rim = slab(r, 26.5, 30.0) - 0.04 * np.cos(60 * angle)
    plate = np.maximum(rim, slab(z, 0.0, 1.6))
    away = repeat(angle + 0.35, 6)
    across, along = np.abs(r * np.sin(away)), r * np.cos(away)
    pillar = np.hypot(across, along - 28.2)
    pillars = np.maximum(pillar - 1.6 - 0.5 * np.cos(z * 2 * np.pi / 8.0), slab(z, 0.0, 16.5))
    crown = np.maximum(slab(r, 27.2, 29.4), slab(z, 13.2, 14.6))
    solids = [plate, pillars, crown]
    for cx, cy, bottom, teeth, pitch, spokes in WHEELS:
        flat = gear(x - cx, y - cy, teeth, pitch, spokes)
        solids.append(np.maximum(flat, slab(z, bottom, bottom + 1.8)))
    for cx, cy, top in ((0, 0, 16.8), (13.5, 7.8, 12.5), (-13.6, 7.4, 13.5), (0.5, -15.5, 15.5)):
        solids.append(np.maximum(np.hypot(x - cx, y - cy) - 1.0, slab(z, -0.5, top)))
        foot = ring(np.hypot(x - cx, y - cy), z, 1.9, 0.75)
        solids.append(np.maximum(foot, -0.6 - z))
    solids.append(np.maximum(np.hypot(x, y) - 3.6, slab(z, 0.0, 1.6)))
    for cx, cy in ((13.5, 7.8), (-13.6, 7.4), (0.5, -15.5)):
        arm = arm_to(x, y, cx, cy)
        solids.append(np.maximum(arm, slab(z, 0.0, 1.6)))
    solids.append(hairspring(x - 0.5, y + 15.5, z - 13.4))
    return triangles(union(*solids), low, cell, 36_000)


# Centre x, y, lower face z, teeth, pitch radius, spokes (0: a pinion).
WHEELS = (
    (0.0, 0.0, 3.0, 48, 11.2, 5),
    (13.5, 7.8, 3.0, 18, 4.2, 0),
    (13.5, 7.8, 6.4, 40, 9.4, 4),
    (0.0, 0.0, 6.4, 26, 6.0, 0),
    (-13.6, 7.4, 8.2, 40, 9.4, 6),
    (-13.6, 7.4, 3.0, 18, 4.2, 0),
    (0.0, 0.0, 8.4, 26, 6.0, 0),
    (0.5, -15.5, 3.0, 18, 4.2, 0),
    (0.5, -15.5, 8.2, 36, 9.6, 3),
    (0.0, 0.0, 12.6, 30, 8.0, 6),
)


def arm_to(x, y, cx, cy):
    """A bar of the lower plate from the middle to a bearing and on to the rim."""
    length = np.hypot(cx, cy)
    along, across = (x * cx + y * cy) / length, (x * cy - y * cx) / length
    bar = np.maximum(np.abs(across) - 1.5, slab(along, 0, 28))
    return union(bar, np.hypot(x - cx, y - cy) - 3.2)


def hairspring(x, y, z):
    """A spiral ribbon of 4 turns, 0.6 mm thin, that ends on its arbor."""
    r, angle = polar(x, y)
    pitch = 1.7
    turn = r / pitch - angle / (2 * np.pi)
    ribbon = np.abs(turn - np.round(turn)) * pitch - 0.32
    return meet(ribbon, slab(r, 0.6, 8.4), np.abs(z) - 0.9)


def coral(cell=0.0085):
    """A gyroid sheet 0.05 thin within a ball, holes of all genus, and a loose pearl inside."""
    low = (-1.02, -1.02, -1.02)
    x, y, z = grid(low, (1.02, 1.02, 1.02), cell)
    r = np.sqrt(x * x + y * y + z * z)
    k = np.float32(8.2)
    a, b, c = k * x, k * y, k * z
    gyroid = np.sin(a) * np.cos(b) + np.sin(b) * np.cos(c) + np.sin(c) * np.cos(a)
    sheet = (np.abs(gyroid) - 0.30) / (1.45 * k)
    shell = np.maximum(sheet, slab(r, 0.5, 0.98))
    rounded = -join(-shell, np.full_like(shell, 0.02), 0.02)
    return triangles(union(rounded, r - 0.3), low, cell, 60_000)


def rook(cell=0.0078):
    """A chess tower: mouldings, a shaft of six open helices, a stair inside, battlements."""
    low = (-0.62, -0.62, -0.01)
    x, y, z = grid(low, (0.62, 0.62, 1.92), cell)
    r, angle = polar(x, y)
    heights = [0, 0.06, 0.12, 0.18, 0.24, 0.30, 0.36, 0.42, 1.3, 1.38, 1.44, 1.5, 1.9]
    radii = [0.58, 0.6, 0.56, 0.46, 0.50, 0.47, 0.41, 0.38, 0.32, 0.35, 0.43, 0.46, 0.47]
    radius = profile(heights, radii)(z)
    inside = np.maximum(r - radius + 0.055, 0.4 - z)
    wall = cut(np.maximum(0.85 * (r - radius), slab(z, 0.0, 1.86)), inside)
    span = slab(z, 0.46, 1.26)
    right, left = (r * np.abs(np.sin(repeat(angle + s * 2.2 * z, 6))) for s in (1, -1))
    lattice = np.minimum(right - 0.042, left - 0.042)
    wall = cut(wall, meet(-lattice, span, 0.2 - r))
    wall = cut(wall, np.maximum(1.66 - z, r * np.abs(np.sin(repeat(angle, 8))) - 0.07))
    floor = np.maximum(r - radius + 0.02, slab(z, 1.4, 1.46))
    column = np.maximum(r - 0.075, slab(z, 0.3, 1.46))
    steps = 1.05 * np.round(20 * z) / 20 * 4.5
    tread = np.maximum(r * np.abs(np.sin(repeat(angle - steps, 2))) - 0.05, r - 0.3)
    stair = np.maximum(tread, slab(z, 0.36, 1.3))
    rope = 0.012 * np.cos(40 * angle)
    belts = union(ring(r, z - 0.205, 0.485, 0.024 + rope), ring(r, z - 1.56, 0.465, 0.02 + rope))
    return triangles(union(wall, floor, column, stair, belts), low, cell, 40_000)


def chain(cell=0.0055, links=12):
    """A bracelet of twelve interlocked links, each a rope of three strands: 12 bodies."""
    low = (-0.42, -0.3, -0.1)
    x, y, z = grid(low, (0.42, 0.3, 0.1), cell)
    straight = np.maximum(np.abs(x) - 0.13, 0) * np.sign(x)
    r, angle = polar(straight, y)
    travel = angle * 0.2 + np.where(y > 0, -1, 1) * np.clip(x, -0.13, 0.13)
    turns = 2 * np.pi * 4 / (0.2 * 2 * np.pi + 0.52)
    strands = [np.hypot(r - 0.2, z) - 0.02]  # a core, so that no cavity stays between the strands
    for j in range(3):
        phase = turns * travel + 2 * np.pi * j / 3
        u, v = 0.036 * np.cos(phase), 0.036 * np.sin(phase)
        strands.append(np.hypot(r - 0.2 - u, z - v) - 0.036)
    link = triangles(union(*strands), low, cell, 3_600)
    bodies = []
    for i in range(links):
        turned = trimesh.transformations.rotation_matrix(np.pi / 4 * (-1) ** i, (1, 0, 0))
        angle = 2 * np.pi * i / links
        place = trimesh.transformations.rotation_matrix(angle + np.pi / 2, (0, 0, 1))
        place[:3, 3] = 0.92 * np.cos(angle), 0.92 * np.sin(angle), 0.26
        bodies.append(link.copy().apply_transform(place @ turned))
    mesh = trimesh.util.concatenate(bodies)
    mesh.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, (1, 0, 0)))
    gold = {"baseColorFactor": [0.83, 0.62, 0.28, 1.0], "metallicFactor": 0.9}
    material = trimesh.visual.material.PBRMaterial(**gold, roughnessFactor=0.35)
    mesh.visual = trimesh.visual.TextureVisuals(material=material)
    return mesh


MESHES = {
    "vase.ply": vase,
    "clockwork.stl": clockwork,
    "coral.ply": coral,
    "rook.obj": rook,
    "chain.glb": chain,
}


def write(mesh, path):
    """Writes the mesh, reads it back, and keeps it only if it is watertight and outward."""
    temporary = path.with_name("new-" + path.name)
    options = {"digits": 5, "include_normals": False} if path.suffix == ".obj" else {}
    mesh.export(temporary, **options)
    read = trimesh.load(temporary, force="mesh")
    if not (read.is_watertight and read.is_winding_consistent and read.volume > 0):
        temporary.unlink()
        raise SystemExit(f"{path.name}: not a watertight outward mesh")
    os.replace(temporary, path)
    print(f"{path.name}: {len(read.faces)} faces, {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    for name in sys.argv[1:] or MESHES:
        write(MESHES[name](), HERE / name)
