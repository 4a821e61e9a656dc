"""Structure from motion by pycolmap: python -m fieldlr.data.structure_process DIR

    DIR/images/       the photos
    DIR/plan.json     {"lenses": [[name, ...], ...], "pairs": [[name, name], ...]}
    DIR/database.db   features and matches, as COLMAP keeps them
    DIR/sparse/0/     the largest model, as COLMAP writes it

Standard output gets a JSON object a line: {"stage", "done"} a few times a second, where `done`
counts mapped photos, and at the end {"views", "reprojection_px"}, where `views` counts the photos
of every model, largest first.

It is a process of its own because pycolmap cannot be interrupted, only killed, and because its
zlib and SQLite do not bear those of Pillow and Python beside them: nothing here may import these.
"""

from __future__ import annotations

import copy
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

import torch

SEED = 0
LONGEST_SIDE, MOST_FEATURES = 1200, 4096
PAIRS_AT_ONCE = 100  # between two commits, which is how often progress can be seen
# With fewer photos than this, a lens is described by one radial term: more would fit the noise.
PHOTOS_FOR_A_FULL_LENS, FULL_LENS = 20, "OPENCV"
# Lenses sit nearly in the middle: a principal point that wants to be further off fits the noise.
FURTHEST_OFF_CENTRE = 0.03
POLL_SECONDS = 0.3


class Progress:
    """Says how far the work is, a few times a second; ends the process if nobody listens."""

    def __init__(self, channel: TextIO):
        self.channel, self.stage, self.mapped = channel, "features", 0
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._speak, daemon=True)

    def __enter__(self) -> Progress:
        self._watch.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._ended.set()
        self._watch.join()

    def _speak(self) -> None:
        try:
            while not self._ended.wait(POLL_SECONDS):
                say({"stage": self.stage, "done": self.mapped}, self.channel)
        except OSError:
            os._exit(1)


def say(facts: dict[str, Any], channel: TextIO) -> None:
    channel.write(json.dumps(facts) + "\n")


def main(folder: Path, channel: TextIO) -> None:
    plan = json.loads((folder / "plan.json").read_text())
    with Progress(channel) as progress:
        models = find_models(folder, plan, progress)
    (folder / "sparse" / "0").mkdir(parents=True)
    found = {"views": [model.num_reg_images() for model in models], "reprojection_px": None}
    if models:
        models[0].write(folder / "sparse" / "0")
        found["reprojection_px"] = models[0].compute_mean_reprojection_error()
    say(found, channel)


def find_models(folder: Path, plan: dict[str, Any], progress: Progress) -> list[Any]:
    """The models that the photos fall into, largest first, and that one refined."""
    import pycolmap

    pycolmap.set_random_seed(SEED)
    pycolmap.Database.open(folder / "database.db").close()  # makes it
    for names in plan["lenses"]:
        find_features(folder, names)
    progress.stage = "matching"
    match(folder, plan["pairs"])
    progress.stage = "mapping"
    models = map_photos(folder, progress).values()
    models = sorted(models, key=lambda model: model.num_reg_images(), reverse=True)
    return [*map(refined, models[:1]), *models[1:]]


def find_features(folder: Path, names: list[str]) -> None:
    """SIFT features of photos that share one camera."""
    import pycolmap

    reading = pycolmap.ImageReaderOptions()
    reading.camera_model = FULL_LENS if len(names) >= PHOTOS_FOR_A_FULL_LENS else "SIMPLE_RADIAL"
    options = pycolmap.FeatureExtractionOptions()
    options.max_image_size, options.num_threads = LONGEST_SIDE, torch.get_num_threads()
    options.sift.max_num_features = MOST_FEATURES
    place = folder / "database.db", folder / "images"
    single = pycolmap.CameraMode.SINGLE
    # Listed first, photos have their numbers by name and not by who is done first, on which the
    # result would depend.
    pycolmap.import_images(*place, single, image_names=names, options=reading)
    pycolmap.extract_features(
        *place, names, single, reading, extraction_options=options, device=pycolmap.Device.cpu
    )


def match(folder: Path, pairs: list[list[str]]) -> None:
    """Matches of the pairs, checked by their two-view geometry."""
    import pycolmap

    listed = folder / "pairs.txt"
    listed.write_text("".join(f"{first} {second}\n" for first, second in pairs))
    pairing = pycolmap.ImportedPairingOptions()
    pairing.match_list_path, pairing.block_size = listed, PAIRS_AT_ONCE
    matching = pycolmap.FeatureMatchingOptions()
    matching.num_threads = torch.get_num_threads()
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = SEED
    pycolmap.match_image_pairs(
        folder / "database.db", matching, pairing, verification, device=pycolmap.Device.cpu
    )


def map_photos(folder: Path, progress: Progress) -> dict[int, Any]:
    """Numbered models, which may share photos."""
    import pycolmap

    def count() -> None:
        progress.mapped += 1

    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads, options.random_seed = torch.get_num_threads(), SEED
    options.min_model_size = 3
    (folder / "models").mkdir()
    return pycolmap.incremental_mapping(
        folder / "database.db",
        folder / "images",
        folder / "models",
        options,
        next_image_callback=count,
    )


def refined(model: Any) -> Any:
    """The model with free principal points, or as it was where they run away.

    COLMAP holds them at the middle of the picture while it maps; a point that is off by 1 % of
    the focal length turns all cameras by as many hundredths of a radian. Cameras that all look
    the same way cannot tell it from a turn.
    """
    import pycolmap

    if any(camera.model.name != FULL_LENS for camera in model.cameras.values()):
        return model
    free = copy.deepcopy(model)
    options = pycolmap.BundleAdjustmentOptions()
    options.refine_principal_point, options.print_summary = True, False
    options.ceres.solver_options.num_threads = torch.get_num_threads()
    pycolmap.bundle_adjustment(free, options)
    free.update_point_3d_errors()
    credible = all(off_centre(camera) < FURTHEST_OFF_CENTRE for camera in free.cameras.values())
    return free if credible else model


def off_centre(camera: Any) -> float:
    """How far the principal point is from the middle, as a share of the picture."""
    across = camera.principal_point_x / camera.width - 0.5
    down = camera.principal_point_y / camera.height - 0.5
    return max(abs(across), abs(down))


if __name__ == "__main__":
    # Standard output is for the lines above alone: what the library prints goes beside its log.
    with os.fdopen(os.dup(1), "w", buffering=1) as spoken:
        os.dup2(2, 1)
        main(Path(sys.argv[1]), spoken)
