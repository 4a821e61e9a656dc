"""The three scenes: lists of painted solids, +Z up."""

from pathlib import Path

import numpy as np
import paints
import trimesh
from paints import rgb
from raycast import Solid
from trimesh.transformations import rotation_matrix

MESHES = Path(__file__).resolve().parent.parent / "meshes"
STONE, WOOD, IVORY = rgb(176, 164, 146), rgb(132, 84, 46), rgb(240, 232, 214)
RED, BLUE, GOLD, GREEN = rgb(196, 52, 40), rgb(42, 92, 160), rgb(222, 172, 62), rgb(74, 132, 58)
SKY = rgb(164, 202, 236)
SLATE, CORAL, TEAL = rgb(70, 78, 92), rgb(232, 112, 92), rgb(30, 128, 130)


def box(center, size, paint):
    mesh = trimesh.creation.box(size)
    mesh.apply_translation(center)
    return Solid(mesh, paint)


def turned(profile, center, paint, smooth=True):
    """A solid of revolution about a vertical axis; profile: (radius, height) from the bottom up."""
    mesh = trimesh.creation.revolve(np.array(profile, float), sections=64)
    mesh.apply_translation(center)
    return Solid(mesh, paint, smooth)


def ball(center, radius, paint):
    mesh = trimesh.creation.icosphere(3, radius)
    mesh.apply_translation(center)
    return Solid(mesh, paint, True)


def bundled(name, height, foot, paint, turn=0.0, tilt=0.0):
    """A mesh of the project, scaled to a height, standing on the point `foot`."""
    mesh = trimesh.load(MESHES / name, force="mesh")
    if name.endswith(".glb"):
        mesh.apply_transform(rotation_matrix(np.pi / 2, (1, 0, 0)))
    mesh.apply_transform(rotation_matrix(tilt, (1, 0, 0)))
    mesh.apply_transform(rotation_matrix(turn, (0, 0, 1)))
    low, high = mesh.bounds
    mesh.apply_translation([-0.5 * (low[0] + high[0]), -0.5 * (low[1] + high[1]), -low[2]])
    mesh.apply_scale(height / (high[2] - low[2]))
    mesh.apply_translation(foot)
    return Solid(mesh, paint, True)


def windmill():
    """A windmill on a floating island."""
    tower = [(0.0, 0.0), (0.40, 0.0), (0.37, 0.2), (0.27, 1.0), (0.0, 1.0)]
    brick = paints.bricks(rgb(226, 206, 176), rgb(150, 132, 112), 0.16, 0.075, (0, 0, 0.33))
    cap = [(0.0, 0.0), (0.36, 0.0), (0.33, 0.05), (0.2, 0.27), (0.06, 0.42), (0.0, 0.44)]
    roof = paints.bricks(RED, 0.4 * RED, 0.1, 0.06, (0, 0, 0.25))
    solids = [island(), turned(tower, (0, 0, 0), brick), turned(cap, (0, 0, 1.0), roof)]
    deck = [(0.3, 0.0), (0.5, 0.0), (0.5, 0.04), (0.3, 0.04)]
    solids.append(turned(deck, (0, 0, 0.5), paints.wood(WOOD), smooth=False))
    for angle in np.linspace(0, 2 * np.pi, 16, endpoint=False):
        x, y = 0.47 * np.cos(angle), 0.47 * np.sin(angle)
        solids.append(box((x, y, 0.6), (0.025, 0.025, 0.14), paints.plain(IVORY)))
    solids.append(
        turned(
            [(0.455, 0), (0.485, 0), (0.485, 0.03), (0.455, 0.03)],
            (0, 0, 0.67),
            paints.plain(IVORY),
            smooth=False,
        )
    )
    solids.append(box((0, -0.37, 0.16), (0.2, 0.1, 0.32), paints.stripes(WOOD, 0.6 * WOOD, 0.035)))
    for x, y, z in (
        (0, -0.29, 0.82),
        (0.3, 0, 0.75),
        (-0.35, 0, 0.3),
        (0, 0.3, 0.75),
        (0.36, 0, 0.25),
    ):
        solids.append(box((x, y, z), (0.14, 0.14, 0.16), paints.stripes(BLUE, IVORY, 0.055, 2)))
    solids += sails((0.0, -0.48, 1.16)) + garden()
    return solids


def island():
    """Grass above, layered rock that tapers below."""
    mesh = trimesh.creation.icosphere(6, 1.0)
    p = np.array(mesh.vertices)
    rough = paints.lumps(p, 3.0, 4)
    wide = 1.12 + 0.06 * rough
    depth = np.clip(-p[:, 2], 0, 1)
    p[:, :2] *= (wide * (1 - 0.25 * depth))[:, None]
    below = -0.72 * depth**0.9 * (1 + 0.22 * paints.lumps(p, 6.0, 5)) - 0.04
    p[:, 2] = np.where(p[:, 2] > 0, 0.07 * np.tanh(4 * p[:, 2]) - 0.05, below)
    mesh.vertices = p

    def paint(points, normals):
        layer = 0.5 + 0.5 * np.sin(34 * points[:, 2] + 2 * paints.lumps(points, 3))
        rock = rgb(122, 96, 76) + layer[:, None] * (rgb(176, 146, 112) - rgb(122, 96, 76))
        grass = GREEN * (1 + 0.3 * paints.lumps(points, 11))[:, None]
        x = points[:, 0] - 0.12 * np.sin(5 * points[:, 1])
        path = (np.abs(x) < 0.09) & (points[:, 1] < -0.3)
        top = np.where(path[:, None], rgb(216, 190, 140), grass)
        edge = points[:, 2] > -0.085 + 0.03 * paints.lumps(points, 12)
        return np.where(edge[:, None], top, rock)

    return Solid(mesh, paint, True)


def sails(hub):
    """Four lattice sails in the plane before the tower."""
    solids = [ball(hub, 0.06, paints.plain(GOLD))]
    shaft = trimesh.creation.cylinder(0.03, 0.4)
    shaft.apply_transform(rotation_matrix(np.pi / 2, (1, 0, 0)))
    shaft.apply_translation((hub[0], hub[1] + 0.2, hub[2]))
    solids.append(Solid(shaft, paints.plain(WOOD)))
    cloth = paints.plain(IVORY, 0.05)
    for quarter in range(4):
        parts = [((0, 0, 0.45), (0.035, 0.035, 0.9), paints.plain(WOOD))]
        parts.append(((0.2, 0, 0.56), (0.018, 0.02, 0.64), paints.plain(WOOD)))
        parts.append(((0.14, 0.006, 0.4), (0.1, 0.006, 0.3), cloth))
        bar, heights = (0.22, 0.02, 0.018), np.linspace(0.25, 0.87, 9)
        parts += [((0.1, 0, z), bar, paints.plain(WOOD)) for z in heights]
        if quarter % 2:
            parts[2] = ((0.1, 0.006, 0.56), (0.17, 0.006, 0.6), paints.plain(CORAL, 0.05))
        for center, size, paint in parts:
            solid = box(center, size, paint)
            turn = rotation_matrix(np.pi / 2 * quarter + 0.5, (0, 1, 0))
            solid.mesh.apply_transform(turn)
            solid.mesh.apply_translation(hub)
            solids.append(solid)
    return solids


def garden():
    """Trees, flowers, a well and a fence."""
    solids = []
    for x, y, size in ((-0.72, 0.25, 1.0), (-0.5, 0.62, 0.8), (0.7, 0.42, 0.9), (0.82, -0.1, 0.6)):
        solids.append(turned([(0, 0), (0.04, 0), (0.035, 0.3)], (x, y, 0), paints.plain(WOOD)))
        for k in range(3):
            wide, z = size * (0.24 - 0.055 * k), size * (0.16 + 0.17 * k)
            cone = [(0, 0), (wide, 0), (0.5 * wide, 0.5 * wide), (0, 1.25 * wide)]
            green = paints.plain(rgb(40 + 14 * k, 104 + 18 * k, 62), 0.35, 24)
            solids.append(turned(cone, (x, y, z), green))
    random = np.random.default_rng(3)
    for i, angle in enumerate(random.uniform(0, 2 * np.pi, 46)):
        far = random.uniform(0.58, 0.98)
        x, y = far * np.cos(angle), far * np.sin(angle)
        color = (RED, GOLD, IVORY, CORAL)[i % 4]
        if np.abs(x) > 0.2 or y > 0:
            solids.append(ball((x, y, 0.035), 0.026, paints.plain(color)))
    well = [(0.0, 0.0), (0.15, 0.0), (0.15, 0.14), (0.11, 0.14), (0.11, 0.05), (0.0, 0.05)]
    stones = paints.bricks(STONE, 0.4 * STONE, 0.08, 0.05, (0.6, -0.55, 0.15))
    solids.append(turned(well, (0.6, -0.55, 0), stones, smooth=False))
    for angle in np.linspace(3.3, 4.4, 9):
        x, y = 0.95 * np.cos(angle), 0.95 * np.sin(angle)
        solids.append(box((x, y, 0.07), (0.03, 0.03, 0.2), paints.plain(IVORY)))
    for low in np.linspace(3.3, 4.4, 9)[:-1] + 0.069:
        rail = box((0, 0, 0.11), (0.02, 0.14, 0.025), paints.plain(IVORY))
        rail.mesh.apply_transform(rotation_matrix(low, (0, 0, 1)))
        rail.mesh.apply_translation((0.95 * np.cos(low), 0.95 * np.sin(low), 0))
        solids.append(rail)
    return solids


def shelf():
    """A bookcase behind a table: layers of depth for cameras that look along +Y."""
    board = paints.wood(rgb(150, 98, 56), 0)
    solids = [
        box(
            (0, 0.62, 1.2),
            (9, 0.05, 5),
            paints.stripes(rgb(126, 158, 150), rgb(112, 144, 138), 0.16),
        )
    ]
    solids += [box((0, 0.1, z), (3.0, 0.62, 0.06), board) for z in (0.35, 1.05, 1.75, 2.45)]
    solids += [box((x, 0.1, 1.4), (0.07, 0.62, 2.16), paints.wood(WOOD, 2)) for x in (-1.5, 0, 1.5)]
    solids.append(box((0, 0.42, 1.4), (3.0, 0.03, 2.1), paints.wood(rgb(96, 62, 40), 2)))
    solids += books(-1.42, 0.38, 9, 1) + books(0.75, 1.08, 8, 2) + books(-0.72, 1.78, 7, 3)
    solids += books(0.06, 0.38, 5, 4)
    vase = paints.glaze(BLUE, IVORY, 10, 1.5, (-1.05, 0.0))
    solids.append(bundled("vase.ply", 0.58, (-1.05, 0.0, 1.08), vase, 0.5))
    solids.append(bundled("coral.ply", 0.52, (0.38, 0.0, 1.08), paints.plain(CORAL), 0.3))
    solids.append(bundled("rook.obj", 0.58, (-1.1, 0.0, 1.78), paints.plain(IVORY)))
    solids.append(bundled("clockwork.stl", 0.5, (0.75, 0.1, 1.78), paints.plain(GOLD), 0.2, 1.3))
    solids.append(bundled("chain.glb", 0.15, (1.0, -0.05, 0.38), paints.plain(GOLD)))
    solids.append(ball((-0.38, 0.0, 1.26), 0.18, paints.glaze(RED, GOLD, 6, 3.0, (-0.38, 0.0))))
    cloth = paints.tiles(IVORY, rgb(190, 70, 62), 0.2)
    solids.append(box((0, -1.35, 0.18), (3.4, 0.8, 0.05), cloth))
    solids.append(bundled("rook.obj", 0.72, (0.95, -1.3, 0.205), paints.plain(SLATE)))
    cup = [(0, 0), (0.09, 0), (0.13, 0.06), (0.16, 0.2), (0.14, 0.2), (0.1, 0.05), (0, 0.04)]
    solids.append(turned(cup, (-0.95, -1.35, 0.205), paints.stripes(TEAL, IVORY, 0.045, 2)))
    for x, y, color in ((-0.35, -1.3, RED), (-0.15, -1.42, GOLD), (-0.18, -1.2, GREEN)):
        solids.append(ball((x, y, 0.3), 0.1, paints.plain(color, 0.15)))
    return solids


def books(left, bottom, count, seed):
    """A row of books, spines to the front."""
    random = np.random.default_rng(seed)
    palette = (RED, BLUE, GREEN, GOLD, TEAL, SLATE, CORAL, IVORY, WOOD)
    solids = []
    for _ in range(count):
        wide, tall = random.uniform(0.05, 0.11), random.uniform(0.36, 0.56)
        color = palette[random.integers(len(palette))]
        band = stripe_at(color, bottom + random.uniform(0.2, 0.8) * tall)
        solids.append(
            box((left + wide / 2, 0.0, bottom + tall / 2), (wide - 0.006, 0.36, tall), band)
        )
        left += wide
    return solids


def stripe_at(color, height):
    """One colour with a golden band."""
    return lambda points, normals: np.where(
        (np.abs(points[:, 2:] - height) < 0.025), GOLD, color * np.ones((len(points), 1))
    )


def courtyard():
    """A vase on a pedestal in a walled court under the open sky."""
    solids = [
        box((0, 0, -0.05), (7, 7, 0.1), paints.tiles(rgb(206, 192, 166), rgb(122, 76, 62), 0.5))
    ]
    wall = paints.bricks(rgb(196, 140, 104), rgb(214, 200, 178), 0.42, 0.17)
    for x, y in ((3.3, 0), (-3.3, 0), (0, 3.3), (0, -3.3)):
        size = (0.2, 6.8, 2.6) if x else (6.8, 0.2, 2.6)
        solids.append(box((x, y, 1.3), size, wall))
        for side, color in zip((-1.6, 0, 1.6), (TEAL, RED, BLUE), strict=True):
            place = (0.965 * x, side, 1.45) if x else (side, 0.965 * y, 1.45)
            flag = (0.02, 0.7, 1.3) if x else (0.7, 0.02, 1.3)
            solids.append(box(place, flag, paints.stripes(color, GOLD, 0.26, 2)))
    foot = [(0, 0), (0.5, 0), (0.5, 0.1), (0.4, 0.14), (0.32, 0.22), (0.29, 0.5), (0.34, 0.58)]
    foot += [(0.45, 0.62), (0.45, 0.7), (0, 0.7)]
    marble = paints.wood(rgb(222, 216, 206), 2, 0.35)
    solids.append(turned(foot, (0, 0, 0), marble, smooth=False))
    solids.append(bundled("vase.ply", 1.0, (0, 0, 0.7), paints.glaze(BLUE, IVORY, 10, 0.9), 0.4))
    solids.append(bundled("coral.ply", 0.6, (0.95, 0.55, 0), paints.plain(CORAL)))
    solids.append(bundled("rook.obj", 0.85, (-0.9, 0.5, 0), paints.bricks(IVORY, GOLD, 0.2, 0.07)))
    solids.append(bundled("clockwork.stl", 0.22, (0.1, -1.0, 0), paints.plain(GOLD), 0.4))
    solids.append(bundled("chain.glb", 0.16, (0.0, 1.05, 0), paints.plain(TEAL)))
    for x, y in ((2.6, 2.6), (-2.6, 2.6), (2.6, -2.6), (-2.6, -2.6)):
        pot = [(0, 0), (0.22, 0), (0.32, 0.4), (0, 0.4)]
        solids.append(turned(pot, (x, y, 0), paints.plain(rgb(190, 96, 60)), smooth=False))
        solids.append(ball((x, y, 0.75), 0.45, paints.plain(GREEN, 0.5, 20)))
    return solids
