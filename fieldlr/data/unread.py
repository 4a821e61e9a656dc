"""Kinds of files that are not read, each with a way out."""

from __future__ import annotations

from pathlib import Path

from fieldlr.data.video import VIDEO_SUFFIXES
from fieldlr.errors import FieldlrError

_SCANS = (
    "export the points as .ply with normals or as .xyz (CloudCompare: File, Save; PDAL: "
    "pdal translate)"
)
_STACK = (
    "save booleans of three axes: numpy.save('volume.npy', array > threshold), after imageio or "
    "tifffile for a stack, nibabel for NIfTI"
)
_EXPORT = "export it as .glb, .obj, .ply or .stl from a mesh editor such as Blender"
_PHOTOS = (
    "photos are given as a folder with transforms.json, LLFF poses_bounds.npy or a COLMAP model"
)
# ending: (what it is, what to do).
WAYS_OUT: dict[str, tuple[str, str]] = {
    **dict.fromkeys((".e57", ".las", ".laz"), ("a scan", _SCANS)),
    **dict.fromkeys((".nii", ".nii.gz", ".tif", ".tiff", ".nrrd", ".mha", ".dcm", ".vdb"),
                    ("an image or a stack of images", _STACK)),
    **dict.fromkeys((".3mf", ".dae", ".fbx", ".blend", ".usd", ".usdz", ".step", ".stp", ".3ds"),
                    ("a model that fieldlr does not read", _EXPORT)),
    **dict.fromkeys((".heic", ".heif"),
                    ("a photo of a phone", "save the photos as .jpg; " + _PHOTOS)),
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".webp", ".bmp"), ("one picture", _PHOTOS)),
    **dict.fromkeys((".splat", ".spz", ".ksplat"),
                    ("Gaussian splats", "give the photos that they were trained on, or a mesh")),
    **dict.fromkeys(VIDEO_SUFFIXES, ("a video", "fieldlr poses takes its frames and finds where "
                                     "they were filmed: fieldlr poses VIDEO --out DIR")),
    **dict.fromkeys((".zip", ".tar", ".gz", ".7z", ".rar"),
                    ("an archive", "unpack it and give the folder, or drop a .zip in the app")),
    ".flr": ("a field, which is a result", "use it as RUN: fieldlr mesh, render or eval"),
}  # fmt: skip


def refuse(path: Path) -> None:
    """FieldlrError for a file of a kind that is known and not read."""
    name = path.name.lower()
    for ending, (what, advice) in WAYS_OUT.items():
        if name.endswith(ending) and path.is_file():
            raise FieldlrError(f"{path.name} is {what}, which is no source: {advice}.")
