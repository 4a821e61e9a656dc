"""Broken and hostile sources: each is read with a warning, or refused in a sentence that says why.

docs/robustness.md lists these cases by their names.
"""

import copy
import io
import json
import os
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from fieldlr.data import open_source
from fieldlr.errors import FieldlrError
from fieldlr.runs.check import check
from tests.fuzz import seeds
from tests.fuzz.targets import write


def transforms(**changes):
    """A scene whose transforms.json has these values at the top."""

    def make(folder):
        files = seeds.transforms()
        meta = json.loads(files["transforms.json"]) | changes
        write(folder, files | {"transforms.json": json.dumps(meta).encode()})
        return folder

    return make


def frames(change):
    """A scene each frame of which `change` has been done to."""

    def make(folder):
        files = seeds.transforms()
        meta = json.loads(files["transforms.json"])
        for frame in meta["frames"]:
            change(frame)
        write(folder, files | {"transforms.json": json.dumps(meta).encode()})
        return folder

    return make


def moved(value):
    def change(frame):
        frame["transform_matrix"][0][3] = value

    return frames(change)


def turned_where_it_stands(frame):
    angle = 0.3 * int(Path(frame["file_path"]).stem)
    frame["transform_matrix"] = trimesh.transformations.rotation_matrix(angle, [0, 0, 1]).tolist()


def named(path, folder_name="scene"):
    """A scene beside secrets, the first frame of which names another file."""

    def make(folder):
        secret = Image.new("RGB", seeds.SIZE, "red")
        secret.save(folder / "secret.png")
        secret.save(folder / f"{folder_name}.png")
        scene = frames(lambda frame: None)(folder / folder_name)
        meta = json.loads((scene / "transforms.json").read_text())
        meta["frames"][0]["file_path"] = path
        (scene / "transforms.json").write_text(json.dumps(meta))
        return scene

    return make


def text(content):
    def make(folder):
        write(folder, seeds.transforms() | {"transforms.json": content})
        return folder

    return make


def pipe(name):
    def make(folder):
        os.mkfifo(folder / name)
        return folder / name

    return make


def pipe_as_photo(folder):
    write(folder, seeds.transforms())
    (folder / "images/1.jpg").unlink()
    os.mkfifo(folder / "images/1.jpg")
    return folder


def photo(content, count=1):
    """A scene `count` photos of which have this content, whatever they are called."""

    def make(folder):
        data = content() if callable(content) else content
        write(folder, seeds.transforms() | {f"images/{view}.jpg": data for view in range(count)})
        return folder

    return make


def saved(image, kind, **how):
    stream = io.BytesIO()
    image.save(stream, kind, **how)
    return stream.getvalue()


def colors(mode, size=seeds.SIZE):
    return Image.effect_mandelbrot(size, (-3, -2.5, 2, 2.5), 100).convert(mode)


def bomb():
    """A black picture of 20,000 x 20,000 pixels in some hundred kilobytes."""
    rows = zlib.compress(bytes(20_000 * 2501), 9)
    chunks = [(b"IHDR", struct.pack(">2I5B", 20_000, 20_000, 1, 0, 0, 0, 0)), (b"IDAT", rows)]
    data = b"\x89PNG\r\n\x1a\n"
    for name, body in [*chunks, (b"IEND", b"")]:
        crc = zlib.crc32(name + body)
        data += struct.pack(">I", len(body)) + name + body + struct.pack(">I", crc)
    return data


def ten_thousand_views_of_a_large_photo(folder):
    """A small folder that asks for 3 TB of pixels."""
    folder = frames(lambda frame: None)(folder)
    Image.new("1", (10_000, 10_000)).save(folder / "images/large.png")
    meta = json.loads((folder / "transforms.json").read_text())
    first, meta["frames"] = meta["frames"][0], []
    for view in range(3000):
        name, pose = f"images/large-{view}.png", copy.deepcopy(first["transform_matrix"])
        os.link(folder / "images/large.png", folder / name)
        pose[0][3] += view
        large = {"file_path": name, "transform_matrix": pose, "w": 10_000, "h": 10_000}
        meta["frames"].append(first | large)
    (folder / "transforms.json").write_text(json.dumps(meta))
    return folder


def one_pixel(folder):
    transforms(w=1, h=1, fl_x=1.2, fl_y=1.2, cx=0.5, cy=0.5)(folder)
    for photo in (folder / "images").iterdir():
        photo.write_bytes(saved(colors("RGB", (1, 1)), "PNG"))
    return folder


def colmap(name, content):
    def make(folder):
        write(folder, seeds.colmap_binary() | {f"sparse/0/{name}": content})
        return folder

    return make


def colmap_of_many(folder):
    """A megabyte of images that are not there."""
    one = struct.pack("<i7di", 1, 1, 0, 0, 0, 0, 0, 4, 1) + b"a.jpg\0" + struct.pack("<Q", 0)
    count = (1 << 20) // len(one)
    return colmap("images.bin", struct.pack("<Q", count) + one * count)(folder)


def llff(change):
    def make(folder):
        files = seeds.llff()
        rows = change(np.load(io.BytesIO(files["poses_bounds.npy"])))
        write(folder, files)
        np.save(folder / "poses_bounds.npy", rows, allow_pickle=True)
        return folder

    return make


def lying_header(shape, dtype="<f8"):
    """An .npy that promises more than it has."""
    header = repr({"descr": dtype, "fortran_order": False, "shape": shape}).ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(64)


def file(name, content):
    def make(folder):
        data = content() if callable(content) else content
        write(folder, {name: data})
        return folder / name

    return make


def ply(header, body=b""):
    return b"ply\nformat binary_little_endian 1.0\n" + header + b"end_header\n" + body


def faces(change):
    """A ball with something done to its vertices and faces, as .ply."""

    def make(folder):
        ball = trimesh.creation.icosphere(3)
        vertices, triangles = change(ball.vertices.copy(), ball.faces.copy())
        made = trimesh.Trimesh(vertices, triangles, process=False, validate=False)
        made.export(folder / "mesh.ply")
        return folder / "mesh.ply"

    return make


def obj(size):
    """A ball of that size, as text."""
    ball = trimesh.creation.icosphere(2)
    lines = [f"v {x * size} {y * size} {z * size}" for x, y, z in ball.vertices.tolist()]
    lines += [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in ball.faces.tolist()]
    return file("mesh.obj", "\n".join(lines).encode())


def many_materials(count):
    return b"".join(b"usemtl m%d\no n%d\nf 1 2 3\n" % (i, i) for i in range(count))


def glb(change):
    def make(folder):
        data = seeds.mesh(".glb")["mesh.glb"]
        (length,) = struct.unpack_from("<I", data, 12)
        head = json.loads(data[20 : 20 + length])
        change(head)
        body = json.dumps(head).encode()
        body += b" " * (-len(body) % 4)
        size = 20 + len(body) + len(data) - 20 - length
        start = struct.pack("<5I", 0x46546C67, 2, size, len(body), 0x4E4F534A)
        return file("mesh.glb", start + body + data[20 + length :])(folder)

    return make


def instances(head):
    head["nodes"] = [{"mesh": 0, "translation": [i, 0, 0]} for i in range(19_000)]
    head["scenes"] = [{"nodes": list(range(19_000))}]
    head["accessors"][0]["count"] = head["accessors"][1]["count"] = 20_000


def circle(head):
    head["nodes"] = [{"children": [1], "mesh": 0}, {"children": [0]}]


def zeros(head):
    for accessor in head["accessors"]:
        accessor.pop("bufferView")
        accessor["count"] = 10**10


def outside(head):
    head["buffers"][0]["uri"] = "../../secret.bin"


def remote(head):
    head["buffers"][0]["uri"] = "http://localhost:9/mesh.bin"


def npz(compression=zipfile.ZIP_DEFLATED, **members):
    def make(folder):
        whole = seeds.volume_members() | {f"{name}.npy": data for name, data in members.items()}
        with zipfile.ZipFile(folder / "volume.npz", "w", compression) as archive:
            for name, data in whole.items():
                archive.writestr(name, data)
        return folder / "volume.npz"

    return make


def npy_of(values):
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=True)
    return stream.getvalue()


NAN, INFINITY = float("nan"), float("inf")

# name: (how the source is made, words of the sentence that refuses it).
REFUSED = {
    "NaN pose": (moved(NAN), "finite numbers"),
    "infinite pose": (moved(INFINITY), "finite numbers"),
    "pose of 1e300": (moved(1e300), "finite numbers"),
    "pose of a whole number with 400 digits": (moved(10**400), "3 or 4 rows|finite"),
    "all cameras at one point": (
        frames(turned_where_it_stands),
        "stand at one point",
    ),
    "zero focal length": (transforms(fl_x=0), "focal length"),
    "negative focal length": (transforms(fl_x=-30.0), "focal length"),
    "focal length of 1e-30": (transforms(fl_x=1e-30), "focal length"),
    "focal length of 1e14": (transforms(fl_x=1e14), "focal length"),
    "focal length with 400 digits": (transforms(fl_x=10**400), "finite number"),
    "lens of 1e14": (transforms(k1=1e14, k2=-1e14), "no inverse at any pixel"),
    "field of view of 5e-324": (
        transforms(fl_x=None, fl_y=None, camera_angle_x=5e-324),
        "possible focal length",
    ),
    "size of 1e12 pixels": (transforms(w=1e12, h=1e12), "w and h are 1 to"),
    "size of a fraction of a pixel": (transforms(w=0.2), "w and h are 1 to"),
    "scale of 0": (transforms(applied_scale=0), "must be positive"),
    "scale of 5e-324": (transforms(applied_scale=5e-324), "positive|tell them apart"),
    "camera model that is a list": (transforms(camera_model=[1]), "is not read"),
    "empty names in a split": (
        transforms(train_filenames=[""], val_filenames=["."], test_filenames=[".."]),
        "names no photo",
    ),
    "JSON nested 100,000 deep": (text(b"[" * 100_000), "not readable as JSON"),
    "JSON matrix nested 200,000 deep": (
        text(
            b'{"frames":[{"file_path":"a","transform_matrix":'
            + b"[" * 200_000
            + b"]" * 200_000
            + b"}]}"
        ),
        "not readable as JSON",
    ),
    "JSON that is no text": (text(b"\xff\xfe\x00" * 50), "not readable as JSON"),
    "path to the folder above": (named("../secret.png"), "stay inside"),
    "absolute path": (named("/etc/passwd"), "stay inside"),
    "path of another system": (named("C:\\secret.png"), "stay inside"),
    "path that is a dot": (named("."), "stay inside"),
    "path that is empty": (named(""), "stay inside"),
    "path with a NUL": (named("a\0b"), "stay inside"),
    "path of 300 characters": (named("a" * 300), "too long"),
    "pipe as a mesh": (pipe("mesh.ply"), "device or a pipe"),
    "pipe as a transforms.json": (pipe("transforms.json"), "device or a pipe"),
    "source with a name of 300 characters": (
        lambda folder: folder / ("a" * 300),
        "cannot be read|that exists",
    ),
    "truncated JPEG": (photo(lambda: seeds.picture(".jpg")[:-200]), "not a readable photo"),
    "photo that is no picture": (photo(b"nothing of the kind"), "not a readable photo"),
    "PostScript as a photo": (photo(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"), "photo"),
    "decompression bomb": (photo(bomb), "decompression bomb"),
    "three thousand views of 100 megapixels": (ten_thousand_views_of_a_large_photo, "`downscale`"),
    "COLMAP counts that lie": (colmap("images.bin", struct.pack("<Q", 1 << 62)), "ends before"),
    "COLMAP sizes of 2^63": (
        colmap("cameras.bin", struct.pack("<QiiQQ8d", 1, 1, 4, 1 << 63, 16, *([9.0] * 8))),
        "positive and finite",
    ),
    "COLMAP photo outside": (
        colmap(
            "images.bin",
            struct.pack("<Qi7di", 1, 1, 1, 0, 0, 0, 0, 0, 4, 1) + b"../x\0" + bytes(8),
        ),
        "stay inside",
    ),
    "COLMAP with a megabyte of images": (colmap_of_many, "none of the usual places"),
    "LLFF of objects": (llff(lambda rows: rows.astype(object)), "NumPy array|objects"),
    "LLFF of text": (llff(lambda rows: rows.astype(str)), "real numbers"),
    "LLFF of infinite depth": (llff(lambda rows: np.where(rows == 9.0, INFINITY, rows)), "depth"),
    "LLFF header that lies": (
        lambda folder: (
            write(folder, seeds.llff() | {"poses_bounds.npy": lying_header((10**12, 17))}) or folder
        ),
        "NumPy array",
    ),
    "PLY counts that lie": (
        file("mesh.ply", ply(b"element vertex 99999999999\nproperty float x\n")),
        "not a readable point cloud",
    ),
    "OFF counts that lie": (file("mesh.off", b"OFF\n999999999999 1 0\n0 0 0\n"), "not a readable"),
    "STL counts that lie": (file("mesh.stl", bytes(80) + b"\xff" * 54), "not a readable|triangle"),
    "GLB of a hundred gigabytes of zeros": (glb(zeros), "asks for"),
    "GLB of a mesh in 19,000 places": (glb(instances), "asks for"),
    "GLB whose nodes go in a circle": (glb(circle), "levels"),
    "GLB with a file outside": (glb(outside), "not a readable .glb"),
    "GLB with a file on the net": (glb(remote), "not a readable .glb"),
    "mesh of NaN": (faces(lambda v, f: (v * NAN, f)), "finite coordinates"),
    "mesh without area": (faces(lambda v, f: (v * 0, f)), "no area"),
    "mesh of 1e300": (obj(1e300), "finite coordinates"),
    "mesh of 1e-30": (obj(1e-30), "tell them apart"),
    "mesh a million sizes away": (faces(lambda v, f: (v + 1e7, f)), "come in steps of 1;"),
    "volume of objects": (file("v.npy", npy_of(np.array([{}], object))), "not a readable volume"),
    "volume that is an archive": (
        file("v.npy", lambda: seeds.volume_npz()["volume.npz"]),
        "volume",
    ),
    "volume header that lies": (file("v.npy", lying_header((10**6,) * 3, "|b1")), "volume"),
    "volume of 100 GB of zeros": (
        npz(packed=lying_header((10**11,), "|u1"), shape=npy_of(np.array([10**4] * 3))),
        "has 1 to|voxels",
    ),
    "volume compressed by bzip2": (npz(zipfile.ZIP_BZIP2), "compressed"),
    "volume with a password": (npz(shape=b"PK"), "not a readable volume"),
    "volume all of one kind": (file("v.npy", npy_of(np.zeros((9, 9, 9), bool))), "are empty"),
}

# name: (how the source is made, words of a warning, or none where there is nothing to say).
READ = {
    "photos of 1 x 1 pixel": (
        one_pixel,
        "under 64 px",
    ),
    "CMYK photo": (photo(lambda: saved(colors("CMYK"), "JPEG")), ""),
    "16-bit photo": (photo(lambda: saved(colors("I;16"), "PNG")), ""),
    "palette photo": (photo(lambda: saved(colors("P"), "PNG")), ""),
    "grey photo with alpha": (photo(lambda: saved(colors("LA"), "PNG")), ""),
    "animated photo": (
        photo(
            lambda: saved(
                colors("RGB"), "WEBP", save_all=True, append_images=[Image.new("RGB", seeds.SIZE)]
            )
        ),
        "animated",
    ),
    "pipe as a photo": (pipe_as_photo, "no photo"),
    "a photo that is not there": (
        lambda folder: (photo(b"")(folder) / "images/0.jpg").unlink() or folder,
        "no photo",
    ),
    "inside-out mesh": (faces(lambda v, f: (v, f[:, ::-1])), "faced inward"),
    "mesh with a hole": (faces(lambda v, f: (v, f[40:])), "not watertight"),
    "mesh that crosses itself": (
        faces(lambda v, f: (np.vstack([v, v + 0.7]), np.vstack([f, f + len(v)]))),
        "overlap",
    ),
    "mesh with a NaN": (
        faces(lambda v, f: (np.where(np.arange(len(v))[:, None] == 5, NAN, v), f)),
        "NaN or infinite",
    ),
    "mesh with faces twice": (faces(lambda v, f: (v, np.vstack([f, f]))), "duplicate faces"),
    "mesh of one triangle": (
        file("m.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 1\nf 1 2 3\n"),
        "not watertight",
    ),
    "OBJ of ten thousand materials": (
        file("m.obj", lambda: b"v 0 0 0\nv 1 0 0\nv 0 1 1\n" + many_materials(10_000)),
        "duplicate faces",
    ),
    "OBJ with a material file outside": (
        file("m.obj", lambda: b"mtllib ../../secret.mtl\n" + seeds.mesh(".obj")["mesh.obj"]),
        "2 bodies",
    ),
}


def opened(path):
    """A source's facts."""
    grid = 32 if path.suffix in (".ply", ".obj", ".stl", ".off", ".glb") else None
    return check(open_source(path, grid=grid))


@pytest.mark.parametrize("name", REFUSED)
def test_refused(tmp_path, name):
    make, words = REFUSED[name]
    with pytest.raises(FieldlrError, match=words) as refusal:
        opened(make(tmp_path))
    assert str(refusal.value).endswith(".") and len(str(refusal.value)) < 1000


@pytest.mark.parametrize("name", READ)
def test_read(tmp_path, name):
    make, words = READ[name]
    warnings = " ".join(opened(make(tmp_path))["warnings"])
    assert words in warnings


def test_the_table_in_the_docs_has_every_case():
    table = (Path(__file__).parents[2] / "docs/robustness.md").read_text()
    assert [name for name in (*REFUSED, *READ) if f"`{name}`" not in table] == []
