"""Evaluation of pose estimation on captures with known poses: pair retrieval and mappers.

    python studies/poses.py CAPTURE --work DIR

Matches all pairs of photos in DIR (takes minutes; cached), then prints the recall of
`structure_retrieval` on matching pairs compared with random pairs, and compares COLMAP's
incremental and global mapper: photos, seconds, median and largest pose error after alignment by the
best similarity. CAPTURE is a folder with transforms.json or a COLMAP folder.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from itertools import combinations
from pathlib import Path
from typing import Any

import torch

from fieldlr.data import colmap, transforms
from fieldlr.data.structure_features import find_features, match, read_descriptors
from fieldlr.data.structure_mapping import all_at_once, one_by_one, refined
from fieldlr.data.structure_retrieval import MOST_SIMILAR, similar_pairs
from fieldlr.system.script import run_script

STRONG, BEST = (15, 30, 100), 10  # thresholds on inlier matches; best partners per photo
MAPPERS = {"incremental": lambda folder: one_by_one(folder, int), "global": all_at_once}


def prepare(capture: Path, work: Path) -> None:
    """Writes DIR/images, numbered, and DIR/poses.json with the known poses by name."""
    from fieldlr.data.upright import copy_photos

    known = (colmap if colmap.can_read(capture) else transforms).find(capture)
    (work / "images").mkdir(parents=True)
    copies = list(copy_photos([photo.path for photo in known.photos], work / "images"))
    poses = known.cameras.camera_to_world.tolist()
    names = [copy.path.name for copy in copies]
    (work / "poses.json").write_text(json.dumps(dict(zip(names, poses, strict=True))))


def match_all(work: Path) -> None:
    import pycolmap

    names = sorted(path.name for path in (work / "images").iterdir())
    pycolmap.Database.open(work / "database.db").close()
    find_features(work, names)
    match(work, list(combinations(names, 2)))


def matches(work: Path, names: list[str]) -> dict[tuple[int, int], int]:
    """The number of inlier matches of every pair of photos."""
    import pycolmap

    with pycolmap.Database.open(work / "database.db") as database:
        number = {im.image_id: names.index(im.name) for im in database.read_all_images()}
        pairs, found = database.read_two_view_geometries()
    ends = [sorted(number[i] for i in pycolmap.pair_id_to_image_pair(pair)) for pair in pairs]
    counts = [len(geometry.inlier_matches) for geometry in found]
    return {(low, high): count for (low, high), count in zip(ends, counts, strict=True)}


def best_partners(known: dict[tuple[int, int], int], count: int) -> set[tuple[int, int]]:
    """The pairs of every photo with the BEST others by number of matches."""
    table = torch.zeros(count, count)
    for (low, high), number in known.items():
        table[low, high] = table[high, low] = number
    strongest = table.topk(BEST)
    kept = strongest.values >= STRONG[0]
    pairs = zip(kept.nonzero()[:, 0].tolist(), strongest.indices[kept].tolist(), strict=True)
    return {(min(pair), max(pair)) for pair in pairs}


def report_pairs(work: Path) -> None:
    names, descriptors = read_descriptors(work)
    began = time.perf_counter()
    found = set(similar_pairs(descriptors, torch.Generator().manual_seed(0)))
    seconds, known = time.perf_counter() - began, matches(work, names)
    share = len(found) / (len(names) * (len(names) - 1) / 2)
    print(
        f"{len(names)} photos, {MOST_SIMILAR} similar each: {len(found)} pairs in {seconds:.1f} s"
    )
    print(f"  random pairs: {share:.0%} of matching pairs")
    wanted = best_partners(known, len(names))
    print(f"  the {BEST} best partners of every photo: {len(wanted & found) / len(wanted):.0%}")
    for least in STRONG:
        true = {pair for pair, count in known.items() if count >= least}
        if true:
            print(f"  {len(true)} pairs with {least} matches: {len(true & found) / len(true):.0%}")


def report_mapper(work: Path, name: str) -> None:
    folder = work / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(work / "database.db", folder)
    (folder / "images").symlink_to((work / "images").resolve())
    began = time.perf_counter()
    models = MAPPERS[name](folder)
    model = refined(models[0])
    seconds = time.perf_counter() - began
    (folder / "sparse" / "0").mkdir(parents=True)
    model.write(folder / "sparse" / "0")
    turned, moved = pose_errors(folder, json.loads((work / "poses.json").read_text()))
    print(
        f"{name}: {model.num_reg_images()} photos, {seconds:.0f} s, "
        f"{model.compute_mean_reprojection_error():.2f} px, "
        f"rotation {turned.median():.2f} (max {turned.max():.2f}) degrees, "
        f"position {100 * moved.median():.2f} (max {100 * moved.max():.2f}) % of the radius"
    )


def pose_errors(folder: Path, known: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Errors in degrees, and relative to the cameras' radius, after Umeyama alignment."""
    capture = colmap.find(folder)
    found = capture.cameras.camera_to_world.double()
    expected = torch.tensor([known[photo.path.name] for photo in capture.photos]).double()
    source, target = (poses[:, :, 3] - poses[:, :, 3].mean(0) for poses in (found, expected))
    u, singular, vh = torch.linalg.svd(target.T @ source)
    signs = torch.ones(3, dtype=torch.float64)
    signs[2] = torch.det(u @ vh).sign()
    rotation = u @ signs.diag() @ vh
    scale = (singular * signs).sum() / source.square().sum()
    moved = (scale * source @ rotation.T - target).norm(dim=-1) / target.norm(dim=-1).max()
    cosine = ((rotation @ found[:, :, :3] * expected[:, :, :3]).sum((1, 2)) - 1) / 2
    return cosine.clamp(-1, 1).acos().rad2deg(), moved


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("capture", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--prepared", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if not asked.prepared:
        if not (asked.work / "poses.json").exists():
            prepare(asked.capture, asked.work)
        # pycolmap conflicts with Pillow in one process, so it runs in a subprocess.
        sys.exit(subprocess.call([sys.executable, *sys.argv, "--prepared"]))
    if not (asked.work / "pairs.txt").exists():
        match_all(asked.work)
    report_pairs(asked.work)
    for mapper in MAPPERS:
        report_mapper(asked.work, mapper)


if __name__ == "__main__":
    run_script(main)
