"""What structure from motion found, as plain values (see `structure_process`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

# Inliers of two-view geometry: COLMAP uses no pair of photos with fewer.
FEWEST_MATCHES = 15


def findings(folder: Path, models: list[Any]) -> dict[str, Any]:
    """The figures of the models, of every photo and of every lens.

    `views`: photos of every model; `reprojection_px` of the first; `photos`: name -> {features,
    partners: names of photos it was matched with, best: most matches with one, model: of the
    largest that holds it, or None}; `lenses`: [{photo, exif_px, focal_px}], `photo` one that was
    taken with it, the focal lengths as EXIF tells and as found; `verified`: pairs that matched.
    """
    import pycolmap

    with pycolmap.Database.open(folder / "database.db") as database:
        images = {image.image_id: image for image in database.read_all_images()}
        photos: dict[str, dict[str, Any]] = {
            image.name: {
                "features": database.num_keypoints_for_image(number),
                "partners": [],
                "best": 0,
                "model": _model_of(number, models),
            }
            for number, image in images.items()
        }
        verified = _match(database, images, photos)
        used = {image.camera_id for image in images.values()}
        lenses = [
            _lens(camera, images.values(), models[:1])
            for camera in database.read_all_cameras()
            if camera.camera_id in used
        ]
    return {
        "views": [model.num_reg_images() for model in models],
        "reprojection_px": models[0].compute_mean_reprojection_error() if models else None,
        "photos": photos,
        "lenses": lenses,
        "verified": verified,
    }


def _match(database: Any, images: dict[int, Any], photos: dict[str, dict[str, Any]]) -> int:
    """Notes partners and the most matches of every photo; how many pairs agree."""
    import pycolmap

    verified = 0
    for pair, geometry in zip(*database.read_two_view_geometries(), strict=True):
        count = len(geometry.inlier_matches)
        names = [images[number].name for number in pycolmap.pair_id_to_image_pair(pair)]
        verified += count >= FEWEST_MATCHES
        for name, other in (names, names[::-1]):
            photos[name]["best"] = max(photos[name]["best"], count)
            if count >= FEWEST_MATCHES:
                photos[name]["partners"].append(other)
    return verified


def _model_of(image: int, models: list[Any]) -> int | None:
    holding = (n for n, model in enumerate(models) if image in model.reg_image_ids())
    return next(holding, None)


def _lens(camera: Any, images: Any, largest: list[Any]) -> dict[str, Any]:
    """One lens; `focal_px` is None where none of its photos has a pose."""
    photo = min(image.name for image in images if image.camera_id == camera.camera_id)
    used = largest and camera.camera_id in {
        image.camera_id for image in largest[0].images.values() if image.has_pose
    }
    known = camera.has_prior_focal_length
    return {
        "photo": photo,
        "exif_px": camera.mean_focal_length() if known else None,
        "focal_px": largest[0].cameras[camera.camera_id].mean_focal_length() if used else None,
    }
