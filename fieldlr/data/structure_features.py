"""Features of photos, and their matches, into COLMAP's database (see `structure_process`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from fieldlr.data.structure_mapping import FULL_LENS, SEED
from fieldlr.data.structure_retrieval import Descriptors

LONGEST_SIDE, MOST_FEATURES = 1200, 4096
PAIRS_AT_ONCE = 100  # between two commits, which is how often progress can be seen
# Below this number of photos a lens has one radial term: more would fit the noise.
PHOTOS_FOR_A_FULL_LENS = 20


def find_features(folder: Path, names: list[str]) -> None:
    """SIFT features of photos that share one camera, whose focal length EXIF may tell."""
    import pycolmap

    reading = pycolmap.ImageReaderOptions()
    reading.camera_model = FULL_LENS if len(names) >= PHOTOS_FOR_A_FULL_LENS else "SIMPLE_RADIAL"
    options = pycolmap.FeatureExtractionOptions()
    options.max_image_size, options.num_threads = LONGEST_SIDE, torch.get_num_threads()
    options.sift.max_num_features = MOST_FEATURES
    place = folder / "database.db", folder / "images"
    single = pycolmap.CameraMode.SINGLE
    # The photos are listed first: numbered by name, not by which thread finishes first, so that the
    # result is reproducible.
    pycolmap.import_images(*place, single, image_names=names, options=reading)
    pycolmap.extract_features(
        *place, names, single, reading, extraction_options=options, device=pycolmap.Device.cpu
    )


def read_descriptors(folder: Path) -> tuple[list[str], list[Descriptors]]:
    """(names, descriptors) of all photos, by name."""
    import pycolmap

    with pycolmap.Database.open(folder / "database.db") as database:
        images = sorted(database.read_all_images(), key=lambda image: image.name)
        read = [database.read_descriptors(image.image_id).data for image in images]
    return [image.name for image in images], [torch.tensor(one) for one in read]


def match(folder: Path, pairs: Sequence[tuple[str, str]]) -> None:
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
