"""Clouds of points: every format, normals of every kind, and the solid that they enclose."""

import struct

import numpy as np
import pytest
import trimesh

from fieldlr.data import cloud_file, cloud_normals, open_source
from fieldlr.data.cloud import can_read, read
from fieldlr.data.cloud_winding import WindingNumber
from fieldlr.data.examples import example
from fieldlr.data.mesh import read_triangles
from fieldlr.errors import FieldlrError
from fieldlr.geometry.triangles import voxelise
from fieldlr.metrics.shape import iou

COUNT, GRID = 3000, 40


def sampled(body, count=COUNT, noise=0.0):
    """(points, unit normals) at random on a surface."""
    points, faces = trimesh.sample.sample_surface(body, count, seed=0)
    shift = noise * np.random.default_rng(0).normal(size=points.shape)
    return points + shift * np.ptp(body.vertices, axis=0).max(), body.face_normals[faces]


@pytest.fixture(scope="module")
def knot():
    body = trimesh.creation.torus(1.0, 0.35)
    body.vertices[:, 2] += 0.5 * body.vertices[:, 0] ** 2
    body.vertices += [3.0, 2.0, 1.0]
    return body


def write_text(path, table, header=""):
    lines = (" ".join(map(repr, row)) for row in table.tolist())
    path.write_text(header + "\n".join(lines) + "\n")


def write_ply(path, points, normals, binary=True):
    names = ["x", "y", "z"] + ["nx", "ny", "nz"] * (normals is not None)
    table = points if normals is None else np.hstack([points, normals])
    how = "binary_little_endian" if binary else "ascii"
    head = [f"ply\nformat {how} 1.0\nelement vertex {len(table)}"]
    head += [f"property double {name}" for name in names]
    data = ("\n".join([*head, "end_header"]) + "\n").encode()
    text = "\n".join(" ".join(map(repr, row)) for row in table.tolist()).encode()
    path.write_bytes(data + (table.astype("<f8").tobytes() if binary else text))


def write_pcd(path, points, normals, how):
    table = np.hstack([points, normals]).astype("<f4")
    head = (
        "# .PCD\nVERSION 0.7\nFIELDS x y z normal_x normal_y normal_z\nSIZE 4 4 4 4 4 4\n"
        f"TYPE F F F F F F\nCOUNT 1 1 1 1 1 1\nWIDTH {len(table)}\nHEIGHT 1\n"
        f"VIEWPOINT 0 0 0 1 0 0 0\nPOINTS {len(table)}\nDATA {how}\n"
    ).encode()
    if how == "ascii":
        body = "\n".join(" ".join(map(repr, row)) for row in table.tolist()).encode()
    elif how == "binary":
        body = table.tobytes()
    else:  # LZF: here literals alone, 32 at a time
        plain = np.ascontiguousarray(table.T).tobytes()
        runs = [plain[i : i + 32] for i in range(0, len(plain), 32)]
        packed = b"".join(bytes([len(run) - 1]) + run for run in runs)
        body = struct.pack("<II", len(packed), len(plain)) + packed
    path.write_bytes(head + body)


def write(path, points, normals):
    kind, suffix = path.stem.split()[0], path.suffix
    if suffix == ".ply":
        write_ply(path, points, normals, kind == "binary")
    elif suffix == ".pcd":
        write_pcd(path, points, normals, kind)
    elif suffix == ".pts":  # x y z, intensity, colour, normal, under their count
        extra = np.tile([0.5, 10.0, 20.0, 30.0], (len(points), 1))
        write_text(path, np.hstack([points, extra, normals]), f"{len(points)}\n")
    else:
        write_text(path, np.hstack([points, normals]), "# x y z nx ny nz\n" * (kind == "header"))


@pytest.mark.parametrize(
    "name",
    ["binary.ply", "text.ply", "plain.xyz", "header.xyz", "scan.pts", "ascii.pcd", "binary.pcd",
     "binary_compressed.pcd"],
)  # fmt: skip
def test_every_format_gives_points_and_normals(tmp_path, knot, name):
    points, normals = sampled(knot, 200)
    write(tmp_path / name, points, normals)
    assert can_read(tmp_path / name)
    cloud = cloud_file.parse(tmp_path / name)
    assert cloud.points == pytest.approx(points, rel=1e-6)
    assert cloud.normals == pytest.approx(normals, abs=1e-6)


def test_a_cloud_becomes_the_solid_of_its_surface(tmp_path, knot):
    write_ply(tmp_path / "c.ply", *sampled(knot))
    source = open_source(tmp_path / "c.ply", grid=GRID)
    volume = source.content
    assert (source.kind, source.format) == ("mesh", "point cloud")
    assert max(volume.shape) == GRID
    expected = voxelise(as_mesh(knot), volume.aabb, volume.shape)
    assert iou(expected, volume.dense()) > 0.9
    assert "3,000 points" in volume.warnings[0] and "normals read:" in volume.warnings[0]
    assert (volume.facts["normals"], volume.facts["closed"]) == ("read", True)


def as_mesh(body):
    from fieldlr.geometry.triangles import TriangleMesh

    return TriangleMesh(np.asarray(body.vertices, float), np.asarray(body.faces, np.int64))


# Without normals, grooves and thin branches need more points than a test has time for.
@pytest.mark.parametrize(
    ("name", "with_normals", "noise", "least"),
    [
        ("rook", True, 0.0, 0.9),
        ("rook", False, 0.0, 0.6),
        ("rook", True, 0.002, 0.88),
        ("rook", False, 0.002, 0.6),
        ("coral", True, 0.0, 0.8),
        ("coral", False, 0.0, 0.5),
    ],
)
def test_bundled_meshes_come_back_from_points(tmp_path, name, with_normals, noise, least):
    mesh, _ = read_triangles(example(name))
    body = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    points, normals = sampled(body, 20_000, noise)
    write_ply(tmp_path / "cloud.ply", points, normals if with_normals else None)
    volume = read(tmp_path / "cloud.ply", 48)
    expected = voxelise(mesh, volume.aabb, volume.shape)
    assert iou(expected, volume.dense()) > least


@pytest.mark.parametrize("body", [trimesh.creation.box((1, 2, 3)), trimesh.creation.icosphere(3)])
def test_estimated_normals_are_those_of_the_surface(body):
    """Also around sharp edges and between the sides of a plate."""
    points, normals = sampled(body, 3000)
    near = cloud_normals.neighbours(points)
    found = cloud_normals.oriented(points, cloud_normals.estimated(points, near), near)
    agreement = (found * normals).sum(1)
    assert (agreement > 0).mean() > 0.99
    assert np.median(agreement) > 0.99


def test_areas_add_up_to_the_surface():
    body = trimesh.creation.icosphere(4)
    points, normals = sampled(body, 5000)
    areas = cloud_normals.areas(points, normals, cloud_normals.neighbours(points))
    assert areas.sum() == pytest.approx(4 * np.pi, rel=0.03)


def test_the_winding_number_is_the_sum_over_the_points():
    """Where no point is near, in blocks and one by one; libigl's agrees where it is installed."""
    points, normals = sampled(trimesh.creation.icosphere(3), 2000)
    areas = np.full(len(points), 4 * np.pi / len(points))
    queries = np.random.default_rng(1).uniform(-2, 2, (400, 3))
    queries = queries[np.abs(np.linalg.norm(queries, axis=1) - 1) > 0.15]
    r = points[None] - queries[:, None]
    terms = (r * normals).sum(-1) / np.linalg.norm(r, axis=-1) ** 3
    expected = (terms * areas).sum(1) / (4 * np.pi)
    number = WindingNumber(points, normals, areas)
    found = number(queries, np.zeros((1, 3)))[:, 0]
    assert np.abs(found - expected).max() < 0.02
    assert ((found > 0.5) == (np.linalg.norm(queries, axis=1) < 1)).all()
    in_blocks = number(queries[:8] - 0.1, np.array([[0.1, 0.1, 0.1], [0.0, 0.2, 0.0]]))
    assert np.abs(in_blocks[:, 0] - expected[:8]).max() < 0.01
    igl = pytest.importorskip("igl")
    assert np.abs(found - igl.fast_winding_number(points, normals, areas, queries)).max() < 0.04


@pytest.mark.parametrize(
    ("normals", "words"),
    [("inward", "faced inward"), ("of either sense", "oppose each other")],
)
def test_stored_normals_are_doubted(tmp_path, knot, normals, words):
    points, outward = sampled(knot)
    sign = np.random.default_rng(0).choice([-1.0, 1.0], (len(points), 1))
    write_ply(tmp_path / "c.ply", points, -outward if normals == "inward" else sign * outward)
    volume = read(tmp_path / "c.ply", GRID)
    assert words in " ".join(volume.warnings)
    expected = voxelise(as_mesh(knot), volume.aabb, volume.shape)
    assert iou(expected, volume.dense()) > 0.9


def test_an_open_scan_is_reported_as_open(tmp_path):
    points, normals = sampled(trimesh.creation.icosphere(3), 3000)
    seen = points[:, 2] > -0.2  # nothing below
    write_ply(tmp_path / "c.ply", points[seen], normals[seen])
    volume = read(tmp_path / "c.ply", GRID)
    assert volume.facts["closed"] is False
    assert "it seems open" in volume.warnings[0]


def test_poisson_gives_the_same_solid(tmp_path, knot):
    try:
        import open3d  # noqa: F401
    except (ImportError, OSError):
        pytest.skip("needs open3d")
    write_ply(tmp_path / "c.ply", *sampled(knot))
    volume = read(tmp_path / "c.ply", GRID, cloud="poisson")
    expected = voxelise(as_mesh(knot), volume.aabb, volume.shape)
    assert iou(expected, volume.dense()) > 0.9


def test_poisson_without_open3d_says_so(tmp_path, knot, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "open3d", None)
    write_ply(tmp_path / "c.ply", *sampled(knot))
    with pytest.raises(FieldlrError, match=r"poisson needs open3d.*leave the option out"):
        read(tmp_path / "c.ply", GRID, cloud="poisson")


def test_splats_are_refused_in_words(tmp_path):
    names = ["x", "y", "z", "f_dc_0", "opacity", "scale_0", "rot_0"]
    head = "ply\nformat ascii 1.0\nelement vertex 1\n"
    head += "".join(f"property float {name}\n" for name in names)
    (tmp_path / "splat.ply").write_text(head + "end_header\n" + "0 " * 7 + "\n")
    with pytest.raises(FieldlrError, match=r"Gaussian splats.*photos"):
        open_source(tmp_path / "splat.ply")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("few.xyz", "0 0 0\n1 1 1\n", "at least 100 distinct points"),
        ("ragged.xyz", "0 0 0\n1 1 1 1\n", "3 and 4 numbers"),
        ("empty.pts", "", "at least 100 distinct points"),
        (
            "cut.pcd",
            "FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nPOINTS 9\nDATA binary\n",
            "not a readable",
        ),
        ("words.pcd", "hello", "not a readable point cloud"),
    ],
)
def test_damaged_clouds_are_refused(tmp_path, name, content, words):
    (tmp_path / name).write_text(content)
    assert can_read(tmp_path / name)
    with pytest.raises(FieldlrError, match=words):
        open_source(tmp_path / name)
