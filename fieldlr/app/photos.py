"""The photos of a run for the viewer: small JPEGs, made when they are first asked for, and kept."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from fieldlr.app.workspace import Workspace
from fieldlr.errors import FieldlrError
from fieldlr.export.image import jpeg_bytes
from fieldlr.runs.photos import photo_of, standpoints_of
from fieldlr.system.files import make_folder
from fieldlr.system.json import write_whole

# The longest side in pixels, and the quality: to choose a photo by, and to compare a render with.
SIZES = {"small": (96, 75), "large": (720, 88)}


class Photos:
    """Photos of the runs of a workspace, reduced one at a time: trainings need the CPU as well."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self._busy = threading.Lock()

    def listed(self, job_id: str) -> list[dict[str, Any]]:
        """The cameras of a run with the addresses of their photos; none of a shape."""
        run = self.workspace.run(job_id)
        if run.kind != "photos":
            return []
        has_photos = run.source is not None and run.source.exists()
        base = f"/fieldlr/jobs/{job_id}/photos"
        return [
            camera | ({size: f"{base}/{index}/{size}.jpg" for size in SIZES} if has_photos else {})
            for index, camera in enumerate(standpoints_of(run))
        ]

    def file(self, job_id: str, index: int, size: str) -> Path:
        """The JPEG of a photo; FieldlrError where there is none."""
        if size not in SIZES or index < 0:
            raise FieldlrError("this image does not exist.")
        path = self.workspace.store.path(job_id, f"photos/{index}-{size}.jpg")
        with self._busy:
            if not path.exists():
                side, quality = SIZES[size]
                photo = photo_of(self.workspace.run(job_id), index, side)
                make_folder(path.parent)
                write_whole(path, jpeg_bytes(photo, quality))
        return path
