"""Why photos got no pose: too little to see, matched with nobody, or matched and not placed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from fieldlr.data.frame_choice import sharpness
from fieldlr.data.images import open_picture
from fieldlr.data.structure_findings import FEWEST_MATCHES

# A photo with fewer features can hardly be matched: 15 must be inliers with another photo, and
# sharp photos of textured scenes have thousands.
FEW_FEATURES = 100
# Mean grey levels, of 255: photos below the first are too dark, above the second too bright.
DARK, BRIGHT = 35.0, 240.0
# A photo is blurred below this share of the sharpness of posed photos, of which at most
# MOST_COMPARED are compared, at LOOKED_AT pixels.
BLURRED, LOOKED_AT, MOST_COMPARED = 0.3, 640, 15


@dataclass(frozen=True)
class Look:
    """How a photo looks: mean grey level, and variance of the Laplacian."""

    brightness: float
    sharpness: float


def explain(
    names: Sequence[str], paths: Sequence[Path], found: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """{photo, reason, why, features, matched, best} of every photo that has no pose.

    `names` as the user knows them, `paths` of the copies, `found` by `structure_findings`.
    """
    unread = {"model": None, "features": 0, "best": 0, "partners": []}
    facts = [found["photos"].get(path.name, unread) for path in paths]
    posed = [path for path, fact in zip(paths, facts, strict=True) if fact["model"] == 0]
    lost = [number for number, fact in enumerate(facts) if fact["model"] != 0]
    if not lost:
        return []
    every = max(len(posed) // MOST_COMPARED, 1)
    sharp = [look_at(path).sharpness for path in posed[::every]]
    usual = median(sharp) if sharp else 0.0
    known = dict(zip((path.name for path in paths), names, strict=True))
    explained = []
    for number in lost:
        reason, why = _reason(facts[number], look_at(paths[number]), usual, found, known)
        fact = facts[number]
        about = {"features": fact["features"], "matched": len(fact["partners"])}
        explained.append(
            {"photo": names[number], "reason": reason, "why": why, **about, "best": fact["best"]}
        )
    return explained


def _reason(
    fact: Mapping[str, Any], look: Look, usual: float, found: Mapping[str, Any],
    known: Mapping[str, str],
) -> tuple[str, str]:  # fmt: skip
    """(a word for programs, a sentence for people)."""
    seen = f"{fact['features']:,} features"
    if fact["features"] < FEW_FEATURES or not fact["partners"]:
        if look.brightness < DARK:
            return "dark", f"too dark (mean {look.brightness:.0f} of 255; {seen})"
        if look.brightness > BRIGHT:
            return "bright", f"overexposed (mean {look.brightness:.0f} of 255; {seen})"
        if look.sharpness < BLURRED * usual:
            share = 100 * look.sharpness / usual
            return "blurred", f"blurred ({share:.0f} % of the other photos' sharpness; {seen})"
        if fact["features"] < FEW_FEATURES:
            return "featureless", f"too little to recognise ({seen}; {FEW_FEATURES} are few)"
        return "unmatched", (
            f"matches no other photo ({seen}; best {fact['best']} matches that agree, "
            f"{FEWEST_MATCHES} are needed)"
        )
    if fact["model"] is not None:
        group = found["views"][fact["model"]]
        return "apart", f"one of a group of {group} photos that does not join the largest"
    placed = [name for name in fact["partners"] if found["photos"][name]["model"] == 0]
    best = f"best {fact['best']} matches"
    if not placed:
        partners = ", ".join(known[name] for name in fact["partners"][:3])
        return "apart", f"matches only photos without a pose: {partners} ({best})"
    return "unplaced", (
        f"matches {len(placed)} placed photos ({best}), but too few points in common to place it"
    )


def look_at(path: Path) -> Look:
    """Brightness and sharpness of a photo, reduced to LOOKED_AT pixels."""
    with open_picture(path, path) as image:
        grey = image.convert("L")
        grey.thumbnail((LOOKED_AT, LOOKED_AT))
        pixels = np.asarray(grey)
    return Look(float(pixels.mean()), sharpness(pixels) if min(pixels.shape) > 2 else 0.0)
