"""From matches to cameras: COLMAP's mappers, and a last refinement (see `structure_process`)."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

SEED = 0
FULL_LENS = "OPENCV"
SMALLEST_MODEL = 3
# If incremental mapping leaves out more than this share of the photos, global mapping is tried.
ENOUGH_PHOTOS = 0.5
# Principal points are close to the centre: one estimated further away fits the noise.
FURTHEST_OFF_CENTRE = 0.03


def map_photos(folder: Path, mapped_one: Callable[[], None]) -> tuple[str, list[Any]]:
    """("incremental" or "global", the reconstructed models, largest first).

    One photo after the other (Schoenberger and Frahm 2016); where that fails for most photos, all
    at once (GLOMAP, Pan et al. 2024), if that places more of them.
    """
    import pycolmap

    with pycolmap.Database.open(folder / "database.db") as database:
        photos, verified = database.num_images(), database.num_verified_image_pairs()
    models = one_by_one(folder, mapped_one)
    if not verified or _largest(models) >= ENOUGH_PHOTOS * photos:
        return "incremental", models
    others = all_at_once(folder)
    return ("global", others) if _largest(others) > _largest(models) else ("incremental", models)


def one_by_one(folder: Path, mapped_one: Callable[[], None]) -> list[Any]:
    """COLMAP's incremental models, largest first."""
    import pycolmap

    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads, options.random_seed = torch.get_num_threads(), SEED
    options.min_model_size = SMALLEST_MODEL
    (folder / "models").mkdir()
    models = pycolmap.incremental_mapping(
        folder / "database.db",
        folder / "images",
        folder / "models",
        options,
        next_image_callback=mapped_one,
    )
    return _by_size(models)


def all_at_once(folder: Path) -> list[Any]:
    """GLOMAP's models; it needs focal lengths, which are estimated from pairs of photos first.

    They are written to a copy of the database, in whose place they would look like EXIF's.
    """
    import pycolmap

    database = folder / "global.db"
    shutil.copyfile(folder / "database.db", database)

    calibration = pycolmap.ViewGraphCalibrationOptions()
    calibration.random_seed = SEED
    pycolmap.calibrate_view_graph(database, calibration)
    options = pycolmap.GlobalPipelineOptions()
    options.num_threads, options.random_seed = torch.get_num_threads(), SEED
    options.min_model_size = SMALLEST_MODEL
    (folder / "global").mkdir()
    return _by_size(
        pycolmap.global_mapping(database, folder / "images", folder / "global", options)
    )


def _by_size(models: dict[int, Any]) -> list[Any]:
    return sorted(models.values(), key=lambda model: model.num_reg_images(), reverse=True)


def _largest(models: list[Any]) -> int:
    return models[0].num_reg_images() if models else 0


def refined(model: Any) -> Any:
    """The model with refined principal points; unchanged where the refinement diverges.

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
