"""A small ray caster: coloured solids, one soft sun, sky light with occlusion; linear light."""

from dataclasses import dataclass

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene

SUN = np.array([0.45, -0.62, 0.85]) / np.linalg.norm([0.45, -0.62, 0.85])
SUN_LIGHT = np.array([1.9, 1.78, 1.55])
SKY_LIGHT = np.array([0.50, 0.56, 0.66])
BOUNCE = np.array([0.20, 0.17, 0.14])
NUDGE = 1e-3  # how far a second ray starts from the surface


@dataclass(frozen=True)
class Solid:
    """A trimesh and its paint: points (N, 3), normals (N, 3) -> linear rgb (N, 3)."""

    mesh: object
    paint: object
    smooth: bool = False


@dataclass(frozen=True)
class Camera:
    """camera_to_world (3, 4) in the OpenGL frame, +Z up world; pixels; centres at half pixels."""

    camera_to_world: np.ndarray
    focal: float
    width: int
    height: int

    def rays(self, columns, rows):
        """(origins, unit directions), both (N, 3), through positions (N,) in pixels."""
        x = (columns - 0.5 * self.width) / self.focal
        y = (0.5 * self.height - rows) / self.focal
        directions = np.stack([x, y, -np.ones_like(x)], -1) @ self.camera_to_world[:, :3].T
        directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
        return np.broadcast_to(self.camera_to_world[:, 3], directions.shape), directions

    def project(self, points):
        """(columns, rows, depths) of points (N, 3); a depth is negative behind the camera."""
        local = (points - self.camera_to_world[:, 3]) @ self.camera_to_world[:, :3]
        depth = -local[:, 2]
        columns = 0.5 * self.width + self.focal * local[:, 0] / depth
        return columns, 0.5 * self.height - self.focal * local[:, 1] / depth, depth


def look_at(position, target):
    """The camera_to_world (3, 4) of an upright camera."""
    backward = np.subtract(position, target, dtype=float)
    backward /= np.linalg.norm(backward)
    right = np.cross([0.0, 0.0, 1.0], backward)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(backward, right), backward, np.array(position, float)], 1)


class World:
    """Solids that rays can meet."""

    def __init__(self, solids):
        self.solids = solids
        corners = [s.mesh.vertices[s.mesh.faces] for s in solids]
        self.owner = np.repeat(np.arange(len(solids)), [len(c) for c in corners])
        self.normals = np.concatenate([corner_normals(s) for s in solids])
        self.corners = np.concatenate(corners)
        self.scene = EmbreeScene()
        flat = self.corners.reshape(-1, 3).astype(np.float32)
        TriangleMesh(self.scene, flat, np.arange(len(flat), dtype=np.int32).reshape(-1, 3))

    def hits(self, origins, directions):
        """(faces, points, normals): faces are -1 where a ray meets nothing."""
        found = self.scene.run(*packed(origins, directions), query="INTERSECT", output=True)
        faces = found["primID"]
        u, v = found["u"][:, None].astype(float), found["v"][:, None].astype(float)
        weights = np.stack([1 - u - v, u, v], 1)
        points = (self.corners[faces] * weights).sum(1)
        normals = (self.normals[faces] * weights).sum(1)
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        back = (normals * directions).sum(-1, keepdims=True) > 0
        return faces, points, np.where(back, -normals, normals)

    def free(self, origins, directions, reach):
        """Booleans (N,): nothing within `reach` along the ray."""
        distances = np.full(len(origins), reach, np.float32)
        return self.scene.run(*packed(origins, directions), distances, query="OCCLUDED") != 0

    def albedo(self, faces, points, normals):
        """Linear rgb (N, 3) of the paint."""
        colors = np.zeros_like(points)
        for index in np.unique(self.owner[faces]):
            mine = self.owner[faces] == index
            colors[mine] = self.solids[index].paint(points[mine], normals[mine])
        return colors

    def light(self, points, normals, random, reach, sky_rays=3):
        """Linear light (N, 3) that arrives at surface points."""
        start = points + NUDGE * normals
        sun = SUN + 0.05 * random.normal(size=points.shape)
        facing = np.clip((normals * SUN).sum(-1), 0, None) * self.free(start, sun, 1e4)
        opening = np.zeros(len(points))
        for _ in range(sky_rays):
            toward = random.normal(size=points.shape)
            toward /= np.linalg.norm(toward, axis=-1, keepdims=True)
            opening += self.free(start, normals + 0.999 * toward, reach) / sky_rays
        up = 0.65 + 0.35 * normals[:, 2:]
        sky = opening[:, None] * up * SKY_LIGHT
        return facing[:, None] * SUN_LIGHT + sky + (1 - opening[:, None]) * BOUNCE

    def photograph(self, camera, seed, reach, sky=None, samples=4):
        """RGBA uint8 (height, width, 4) with samples x samples rays in a pixel.

        `reach` is how far a solid still darkens its surroundings; `sky` a linear colour behind
        everything, None for a transparent background.
        """
        random = np.random.default_rng(seed)
        rows, columns = np.mgrid[: camera.height * samples, : camera.width * samples]
        place = [(axis.ravel() + 0.5) / samples for axis in (columns, rows)]
        faces, points, normals = self.hits(*camera.rays(*place))
        hit = faces >= 0
        faces, points, normals = faces[hit], points[hit], normals[hit]
        rgba = np.tile(np.zeros(4) if sky is None else np.append(sky, 1.0), (len(hit), 1))
        rgba[hit, :3] = self.albedo(faces, points, normals)
        rgba[hit, :3] *= self.light(points, normals, random, reach)
        rgba[hit, 3] = 1
        blocks = (camera.height, samples, camera.width, samples, 4)
        rgba = rgba.reshape(blocks).mean((1, 3))
        rgb = rgba[..., :3] / np.maximum(rgba[..., 3:], 1e-6)
        return to_bytes(np.concatenate([to_srgb(rgb), rgba[..., 3:]], -1))


def corner_normals(solid):
    """(F, 3, 3): a normal for every corner of every face."""
    mesh = solid.mesh
    if solid.smooth:
        return mesh.vertex_normals[mesh.faces]
    return np.repeat(mesh.face_normals[:, None], 3, 1)


def packed(origins, directions):
    return (np.ascontiguousarray(a, dtype=np.float32) for a in (origins, directions))


def to_srgb(linear):
    """Linear light to the sRGB curve (IEC 61966-2-1)."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear < 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def to_bytes(values):
    return np.round(255 * np.clip(values, 0, 1)).astype(np.uint8)
