"""The surfaces of the web viewer (web/src/surface.js) against this package's."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from fieldlr import codec
from fieldlr.geometry.triangles import TriangleMesh
from fieldlr.surface import extract
from tests import node

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
FIELD = """
import {{ readFileSync, writeFileSync }} from "node:fs";
import {{ decode }} from "./src/field.js";
import {{ measured, Surface }} from "./src/surface.js";
const field = decode(new Uint8Array(readFileSync("{flr}")));
const surface = new Surface((points) => field.level(points), field.space, {resolution});
let mesh;
for (const level of {levels}) for await (mesh of surface.meshes(level));
writeFileSync("{out}/vertices", mesh.vertices);
writeFileSync("{out}/faces", mesh.faces);
give([surface.evaluations, measured(mesh)]);
"""
BALL = """
import {{ measured, Surface }} from "./src/surface.js";
const level = (points) => Float32Array.from({{ length: points.length / 3 }},
  (_, i) => {radius} - Math.hypot(points[3 * i], points[3 * i + 1], points[3 * i + 2]));
const surface = new Surface(level, {{ low: [-1, -1, -1], high: [1, 1, 1] }}, {resolution});
const all = [];
for await (const {{ faces, stride, ...mesh }} of surface.meshes(0)) {{
  const sides = new Set();
  faces.forEach((a, i) => sides.add(a + " " + faces[i % 3 < 2 ? i + 1 : i - 2]));
  const closed = sides.size === faces.length &&
    [...sides].every((side) => sides.has(side.split(" ").reverse().join(" ")));
  all.push([stride, closed, measured({{ faces, ...mesh }}), faces.length / 3]);
}}
give(all);
"""


# At 40 samples all are read, at 150 they are refined; a second level reuses what is known.
@pytest.mark.parametrize(
    "name, resolution, levels",
    [("rook", 40, [0.0]), ("tiny", 150, [-0.3]), ("whole", 150, [-0.1, -0.12])],
)
def test_a_field_has_the_mesh_that_it_has_here(name, resolution, levels, tmp_path):
    path = GOLDEN / f"{name}.flr"
    field = codec.decode(path.read_bytes())
    script = FIELD.format(flr=path, out=tmp_path, resolution=resolution, levels=levels)
    evaluations, sizes = node.evaluate(script)
    vertices = np.fromfile(tmp_path / "vertices", "<f4").reshape(-1, 3).astype(np.float64)
    faces = np.fromfile(tmp_path / "faces", "<u4").reshape(-1, 3).astype(np.int64)
    found = TriangleMesh(vertices, faces)
    expected = extract(field.level, field.aabb, resolution, offset=levels[-1])
    known = expected.mesh
    assert found.is_watertight and len(faces) > 1000
    assert len(vertices) == pytest.approx(len(known.vertices), rel=0.01)
    assert len(faces) == pytest.approx(len(known.faces), rel=0.01)
    spacing = field.aabb.longest_edge / (resolution - 1)
    for a, b in ((vertices, known.vertices), (known.vertices, vertices)):
        assert cKDTree(a).query(b)[0].mean() < 0.01 * spacing
    area = 0.5 * np.linalg.norm(known.face_normals, axis=1).sum()
    assert sizes["area"] == pytest.approx(area, rel=0.01)
    a, b, c = known.vertices[known.faces].transpose(1, 0, 2)
    assert sizes["volume"] == pytest.approx(np.einsum("ij,ij->", a, np.cross(b, c)) / 6, rel=0.01)
    if len(levels) == 1:
        assert evaluations == pytest.approx(expected.evaluations, rel=0.05)


@pytest.mark.parametrize("radius, resolution", [(0.8, 140), (1.2, 80)])
def test_a_ball_is_closed_at_every_stride_and_as_large_as_it_is(radius, resolution):
    meshes = node.evaluate(BALL.format(radius=radius, resolution=resolution))
    assert len(meshes) > 1 and all(closed for _, closed, _, _ in meshes)
    stride, _, sizes, _ = meshes[-1]
    volume = 4.0 / 3.0 * math.pi * radius**3
    if radius > 1.0:  # the box cuts six caps off
        volume -= 6.0 * math.pi * (radius - 1.0) ** 2 * (3.0 * radius - (radius - 1.0)) / 3.0
    assert stride == 1
    assert sizes["volume"] == pytest.approx(volume, rel=2e-3)
    if radius < 1.0:
        assert sizes["area"] == pytest.approx(4.0 * math.pi * radius**2, rel=2e-3)


def test_empty_full_and_nan_grids_are_distinguished():
    script = """
    import { Surface } from "./src/surface.js";
    const box = { low: [0, 0, 0], high: [1, 2, 3] };
    const all = [];
    for (const value of [-1, 1, NaN]) {
      const surface = new Surface((p) => new Float32Array(p.length / 3).fill(value), box, 50);
      let mesh;
      try {
        for await (mesh of surface.meshes()) ;
        all.push(mesh.faces.length > 0);
      } catch (error) {
        all.push(error.message);
      }
    }
    give(all);
    """
    nothing, everything, nan = node.evaluate(script)
    assert (nothing, everything) == (False, True)
    assert "NaN" in nan
