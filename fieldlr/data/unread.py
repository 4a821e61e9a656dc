"""File types that are not read, each with an alternative."""

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
# Phones write HEIC unless told otherwise.
PHONE_SUFFIXES = (".heic", ".heif", ".avif")
PHONE_ADVICE = (
    "photos in the formats .heic, .heif and .avif are not read. Convert them to .jpg (ImageMagick: "
    "magick mogrify -format jpg *.heic), or set the camera to JPEG (iPhone: Settings, Camera, "
    "Formats, Most Compatible)."
)
# ending: (what it is, what to do).
WAYS_OUT: dict[str, tuple[str, str]] = {
    **dict.fromkeys((".e57", ".las", ".laz"), ("a scan", _SCANS)),
    **dict.fromkeys((".nii", ".nii.gz", ".tif", ".tiff", ".nrrd", ".mha", ".dcm", ".vdb"),
                    ("an image or a stack of images", _STACK)),
    **dict.fromkeys((".3mf", ".dae", ".fbx", ".blend", ".usd", ".usdz", ".step", ".stp", ".3ds"),
                    ("a model that fieldlr does not read", _EXPORT)),
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".webp", ".bmp"), ("one picture", _PHOTOS)),
    **dict.fromkeys((".splat", ".spz", ".ksplat"),
                    ("Gaussian splats", "give the photos that they were trained on, or a mesh")),
    **dict.fromkeys(VIDEO_SUFFIXES, ("a video", "fieldlr poses takes its frames and finds where "
                                     "they were filmed: fieldlr poses VIDEO --out DIR")),
    **dict.fromkeys((".tar", ".gz", ".7z", ".rar"),
                    ("an archive", "unpack it and give the folder, or pack it as a .zip")),
    ".flr": ("a field, which is a result", "use it as RUN: fieldlr mesh, render or eval"),
}  # fmt: skip


def is_phone_photo(name: str) -> bool:
    """Whether a file is named as a photo of a phone that is not read."""
    return name.lower().endswith(PHONE_SUFFIXES)


# What a training run of nerfstudio has in its folder, outputs/SCENE/METHOD/TIME.
NERFSTUDIO_RUN = ("dataparser_transforms.json", "nerfstudio_models")


def refuse(path: Path) -> None:
    """FieldlrError for a file or folder of a kind that is known and not read."""
    if any((path / name).exists() for name in NERFSTUDIO_RUN):
        raise FieldlrError(
            f"{path} is a training run of nerfstudio, which is no source: give the folder of "
            "photos that it was trained on (`data` in its config.yml). Its "
            "dataparser_transforms.json is for camera paths: fieldlr render --path-transforms."
        )
    photos = path.iterdir() if path.is_dir() else [path]
    if any(is_phone_photo(file.name) for file in photos):
        raise FieldlrError(f"{path}: {PHONE_ADVICE}")
    name = path.name.lower()
    for ending, (what, advice) in WAYS_OUT.items():
        if name.endswith(ending) and path.is_file():
            raise FieldlrError(f"{path.name} is {what}, which is no source: {advice}.")
