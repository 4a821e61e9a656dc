"""Camera poses for photos that have none: a folder of pictures in, a posed capture out.

The work is pycolmap's, in a process of its own (`structure`); here is what goes in, how far it is
and what comes out: DIR/images and DIR/transforms.json, +Z up, in a unit of COLMAP's choice.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import Any

import torch

from fieldlr.data import colmap
from fieldlr.data.framing import depths_seen, levelling
from fieldlr.data.picture_folder import EXHAUSTIVE_PHOTOS, photo_files, photo_pairs
from fieldlr.data.scene import FEWEST_VIEWS, Capture
from fieldlr.data.structure import find_structure
from fieldlr.data.transforms_file import write_transforms
from fieldlr.data.upright import UprightPhoto, copy_upright
from fieldlr.errors import FieldlrError
from fieldlr.system.files import new_folder

# Rough seconds for one photo or one pair on one core: they weigh the stages against each other.
STAGES = {"photos": 0.1, "features": 0.6, "matching": 0.06, "mapping": 0.8}
# Cameras that stand closer than this share of the distance to what they see give no depth.
SMALLEST_BASELINE = 0.05
MOST_NAMES = 10
ADVICE = (
    "Photos need much overlap (two thirds with the next one), several standpoints rather than one "
    "turn on the spot, sharp pictures, and a subject with texture that does not move."
)


@dataclass(frozen=True)
class PosingReport:
    """How far the search for poses is."""

    stage: str  # a key of STAGES
    done: int  # photos, or pairs of photos in the stage "matching"
    total: int
    progress: float  # in [0, 1], over all stages
    seconds: float
    result: dict[str, Any] | None = None  # of the last report alone

    @property
    def seconds_left(self) -> float | None:
        """An estimate, once there is something to go by."""
        if self.progress < 0.05:
            return None
        return self.seconds * (1 - self.progress) / self.progress


def find_poses(photos: Path, out: Path) -> Generator[PosingReport, None, None]:
    """Makes the folder `out` with the photos and their poses; the last report has the result.

    Pull to go on; close the generator to stop, and nothing is left behind. FieldlrError where
    there is nothing to work with or no poses are found.
    """
    started = time.perf_counter()
    files = photo_files(Path(photos))
    if util.find_spec("pycolmap") is None:
        raise FieldlrError(
            "camera poses are found by pycolmap, which is not installed. Get it with "
            "pip install 'fieldlr[poses]'."
        )
    pairs = photo_pairs(len(files))
    totals = dict.fromkeys(STAGES, len(files)) | {"matching": len(pairs)}

    def report(stage: str, done: int, result: dict[str, Any] | None = None) -> PosingReport:
        seconds, done = time.perf_counter() - started, min(done, totals[stage])
        return PosingReport(
            stage, done, totals[stage], _share(totals, stage, done), seconds, result
        )

    with new_folder(out) as folder:
        work = folder / "work"
        (work / "images").mkdir(parents=True)
        copies = []
        for number, file in enumerate(files):
            copies.append(copy_upright(file, work / "images" / f"{number:05d}"))
            yield report("photos", number + 1)
        _write_plan(work, copies, pairs)
        found: dict[str, Any] = {}
        with closing(find_structure(work)) as sayings:
            for found in sayings:
                if "stage" in found:
                    yield report(found["stage"], found["done"])
        result = _take_over(folder, files, found)
        shutil.rmtree(work)
    result |= {"out": str(out), "seconds": round(time.perf_counter() - started, 3)}
    yield report("mapping", len(files), result)


def _share(totals: dict[str, int], stage: str, done: int) -> float:
    """The share of all stages' work that lies behind."""
    costs = {name: STAGES[name] * totals[name] for name in STAGES}
    before = list(STAGES)[: list(STAGES).index(stage)]
    behind = sum(costs[name] for name in before) + costs[stage] * done / totals[stage]
    return behind / sum(costs.values())


def _write_plan(work: Path, copies: list[UprightPhoto], pairs: list[tuple[int, int]]) -> None:
    """What `structure` is to do; photos of one lens stand together."""
    lenses: dict[tuple[Any, ...], list[str]] = {}
    for copy in copies:
        lenses.setdefault(copy.lens, []).append(copy.path.name)
    names = [copy.path.name for copy in copies]
    plan = {
        "lenses": list(lenses.values()),
        "pairs": [(names[first], names[second]) for first, second in pairs],
    }
    (work / "plan.json").write_text(json.dumps(plan))


def _take_over(folder: Path, files: list[Path], found: dict[str, Any]) -> dict[str, Any]:
    """Writes the posed photos into the folder and gives the figures."""
    if not found["views"] or found["views"][0] < FEWEST_VIEWS:
        raise FieldlrError(f"the {len(files)} photos do not fit together: no poses. {ADVICE}")
    capture = colmap.find(folder / "work")
    posed = {int(photo.path.stem) for photo in capture.photos}
    (folder / "images").mkdir()
    names = []
    for photo in capture.photos:
        original = files[int(photo.path.stem)].name
        same = photo.path.suffix == Path(original).suffix.lower()
        names.append(f"images/{original if same else original + photo.path.suffix}")
        os.replace(photo.path, folder / names[-1])
    level = levelling(capture.cameras).inverse()
    write_transforms(folder / "transforms.json", names, capture.cameras.transformed(level))
    absent = [file.name for number, file in enumerate(files) if number not in posed]
    return {
        "registered": len(posed),
        "photos": len(files),
        "reprojection_px": found["reprojection_px"],
        "points": 0 if capture.points is None else len(capture.points),
        "unregistered": absent,
        "warnings": doubts(capture, len(files), absent, found["views"]),
    }


def doubts(
    capture: Capture, num_photos: int, absent: Sequence[str], views: Sequence[int]
) -> list[str]:
    """What is doubtful about the poses, in sentences."""
    warnings = []
    if absent:
        named = ", ".join(absent[:MOST_NAMES])
        others = f" and {len(absent) - MOST_NAMES} others" if len(absent) > MOST_NAMES else ""
        warnings.append(
            f"{len(absent)} of {num_photos} photos have no pose and are left out: {named}{others}."
            + f" {ADVICE}" * (2 * len(absent) > num_photos)
        )
    if absent and len(views) > 1:
        warnings.append(
            f"The photos fall into {len(views)} groups that do not join (of "
            f"{', '.join(map(str, views))} photos); the largest is taken. More photos between "
            "them would join them."
        )
    baseline = _baseline(capture)
    if baseline < SMALLEST_BASELINE:
        warnings.append(
            f"The cameras stand within {100 * baseline:.1f} % of their distance to what they see: "
            "depths are hardly known. Move further between photos."
        )
    if num_photos > EXHAUSTIVE_PHOTOS:
        warnings.append(
            f"Of more than {EXHAUSTIVE_PHOTOS} photos only neighbours in the order of their names "
            "are matched. Where names do not follow the walk, rename or take fewer photos."
        )
    return warnings


def _baseline(capture: Capture) -> float:
    """The way between the two cameras furthest apart, by the median depth of what they see."""
    positions = capture.cameras.camera_to_world[:, :, 3]
    depths = (
        torch.empty(0) if capture.points is None else depths_seen(capture.cameras, capture.points)
    )
    if not len(depths):
        return 0.0
    return float(torch.cdist(positions, positions).max() / depths.median())
