"""Camera poses for photos without them: from pictures or a video to a posed capture.

The work is pycolmap's, in a process of its own (`structure`); here is what goes in, how far it is
and what comes out (`posed_folder`): +Z up, in a unit of COLMAP's choice.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from importlib import util
from pathlib import Path
from typing import Any

from fieldlr.data.frame_choice import MOST_FRAMES
from fieldlr.data.options import PosingOptions
from fieldlr.data.picture_folder import (
    distinct_photos,
    is_exhaustive,
    photo_files,
    photo_pairs,
)
from fieldlr.data.posed_folder import take_over
from fieldlr.data.posing_doubts import video_doubts
from fieldlr.data.structure import find_structure
from fieldlr.data.structure_retrieval import MOST_SIMILAR
from fieldlr.data.upright import UprightPhoto, copy_photos
from fieldlr.data.video import VideoFile, is_video, open_video_file
from fieldlr.data.video_frames import VideoFrames, take_frames
from fieldlr.errors import FieldlrError
from fieldlr.system.files import new_folder

# Rough seconds per frame, photo or pair on one core: the weights of the stages in the progress.
STAGES = {
    "frames": 0.02, "photos": 0.1, "features": 0.6, "pairs": 0.02, "matching": 0.06, "mapping": 0.8
}  # fmt: skip


@dataclass(frozen=True)
class PosingReport:
    """The progress of the search for poses."""

    stage: str  # a key of STAGES
    done: int  # frames of a video, photos, or pairs of photos in the stage "matching"
    total: int
    progress: float  # in [0, 1], over all stages
    seconds: float
    result: dict[str, Any] | None = None  # only in the last report

    @property
    def seconds_left(self) -> float | None:
        """An estimate, once there is something to go by."""
        if self.progress < 0.05:
            return None
        return self.seconds * (1 - self.progress) / self.progress


@dataclass
class Stages:
    """The known amount of work of each stage, and the progress."""

    totals: dict[str, int]
    started: float = field(default_factory=time.perf_counter)
    progress: float = 0.0

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started

    def expect(self, photos: int) -> None:
        """Counts photos, and the pairs of them that will be matched at most."""
        pairs = len(photo_pairs(photos))
        if not is_exhaustive(photos):
            pairs += photos * MOST_SIMILAR
        self.totals |= dict.fromkeys(("photos", "features", "pairs", "mapping"), photos)
        self.totals["matching"] = pairs

    def report(self, stage: str, done: int, result: dict[str, Any] | None = None) -> PosingReport:
        """The report of a stage; progress never goes back, whatever turns out to be to do."""
        done = min(done, self.totals[stage])
        costs = {name: STAGES[name] * total for name, total in self.totals.items()}
        before = list(costs)[: list(costs).index(stage)]
        behind = sum(costs[name] for name in before)
        behind += costs[stage] * done / max(self.totals[stage], 1)
        self.progress = max(self.progress, behind / sum(costs.values()))
        return PosingReport(stage, done, self.totals[stage], self.progress, self.seconds, result)


def find_poses(
    photos: Path, out: Path, options: PosingOptions | None = None
) -> Generator[PosingReport, None, None]:
    """Writes the photos and their poses into the folder `out`; the last report has the result.

    `photos` is a folder of pictures, or a video of which frames are taken. Iterate to
    continue; close the generator to stop, and nothing is left behind. FieldlrError for unsuitable
    input, or where no poses are found.
    """
    photos, options = Path(photos), options or PosingOptions()
    video = _require_input(photos, options)
    files, twins = ([], {}) if video else distinct_photos(photo_files(photos))
    looks = {"frames": max(round(video.seconds * video.rate), 1)} if video else {}
    stages = Stages(looks | dict.fromkeys(list(STAGES)[1:], 0))
    stages.expect(len(files) or options.frames or MOST_FRAMES)
    with new_folder(out) as folder:
        work, taken = folder / "work", None
        (work / "images").mkdir(parents=True)
        if video:
            taken = yield from _frames(video, work, options, stages)
            files = taken.files
            stages.expect(len(files))
        copies: list[UprightPhoto] = []
        for copy in copy_photos(files, work / "images"):
            copies.append(copy)
            yield stages.report("photos", len(copies))
        _write_plan(work, copies)
        found: dict[str, Any] = {}
        with closing(find_structure(work)) as sayings:
            for found in sayings:
                if "stage" in found:
                    stages.totals["matching"] = found.get("total") or stages.totals["matching"]
                    yield stages.report(found["stage"], found["done"])
        result = take_over(folder, files, copies, found, twins)
        shutil.rmtree(work)
    if taken is not None:
        result["video"] = taken.about
        result["warnings"] += video_doubts(taken.choice, taken.about["looked_at"], looks["frames"])
    result |= {"out": str(out), "seconds": round(stages.seconds, 3)}
    yield stages.report("mapping", len(files), result)


def _require_input(photos: Path, options: PosingOptions) -> VideoFile | None:
    """The video, if it is one; FieldlrError for unsuitable input."""
    video = open_video_file(photos) if is_video(photos) else None
    if options.frames is not None and video is None:
        raise FieldlrError(
            f"`frames` is how many frames of a video are taken; {photos} is no video. Leave it out."
        )
    if util.find_spec("pycolmap") is None:
        raise FieldlrError(
            "camera poses are found by pycolmap, which is not installed. Get it with "
            "pip install 'fieldlr[poses]'."
        )
    return video


def _frames(
    video: VideoFile, work: Path, options: PosingOptions, stages: Stages
) -> Generator[PosingReport, None, VideoFrames]:
    """Takes the frames of a video, with reports."""
    taking = take_frames(video, work / "frames", options.frames or MOST_FRAMES)
    with closing(taking):
        while True:
            try:
                yield stages.report("frames", next(taking))
            except StopIteration as end:
                return end.value


def _write_plan(work: Path, copies: Sequence[UprightPhoto]) -> None:
    """What `structure` is to do; photos of one lens stand together."""
    lenses: dict[tuple[Any, ...], list[str]] = {}
    for copy in copies:
        lenses.setdefault(copy.lens, []).append(copy.path.name)
    names = [copy.path.name for copy in copies]
    plan = {
        "lenses": list(lenses.values()),
        "pairs": [(names[first], names[second]) for first, second in photo_pairs(len(names))],
        "retrieve": not is_exhaustive(len(names)),
    }
    (work / "plan.json").write_text(json.dumps(plan))
