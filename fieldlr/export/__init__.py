"""One writer per kind of file: meshes, images, videos. Files appear whole or not at all."""

from fieldlr.export.image import depth_picture, write_depth, write_image
from fieldlr.export.mesh import write_mesh
from fieldlr.export.video import Video, open_video, write_video

# By suffix: (what is written, the exporter). A mesh exporter takes (mesh, path), an image exporter
# (image, path), a video exporter (frames, path, fps, size).
EXPORTERS = {
    ".ply": ("mesh", write_mesh),
    ".obj": ("mesh", write_mesh),
    ".stl": ("mesh", write_mesh),
    ".glb": ("mesh", write_mesh),
    ".png": ("image", write_image),
    ".npy": ("depth", write_depth),
    ".mp4": ("video", write_video),
}

__all__ = [
    "EXPORTERS",
    "Video",
    "depth_picture",
    "open_video",
    "write_depth",
    "write_image",
    "write_mesh",
    "write_video",
]
