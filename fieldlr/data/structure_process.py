"""Structure from motion by pycolmap: python -m fieldlr.data.structure_process DIR

    DIR/images/       the photos
    DIR/plan.json     {"lenses": [[name, ...], ...], "pairs": [[name, name], ...], "retrieve": bool}
    DIR/database.db   features and matches, as COLMAP keeps them
    DIR/sparse/0/     the largest model, as COLMAP writes it

Standard output gets a JSON object a line: {"stage", "done"} a few times a second, where `done`
counts mapped photos and "total" is there once it is known, and at the end what
`structure_findings.findings` gives.

It is a process of its own because pycolmap cannot be interrupted, only killed, and because its
zlib and SQLite do not bear those of Pillow and Python beside them: nothing here may import these.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

import torch

from fieldlr.data.structure_features import find_features, match, read_descriptors
from fieldlr.data.structure_findings import findings
from fieldlr.data.structure_mapping import SEED, map_photos, refined
from fieldlr.data.structure_retrieval import similar_pairs

POLL_SECONDS = 0.3


class Progress:
    """Reports progress a few times a second; ends the process if the reader is gone."""

    def __init__(self, channel: TextIO):
        self.channel, self.stage, self.mapped = channel, "features", 0
        self.pairs: int | None = None  # how many will be matched, once known
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._speak, daemon=True)

    def __enter__(self) -> Progress:
        self._watch.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._ended.set()
        self._watch.join()

    def mapped_one(self) -> None:
        self.mapped += 1

    def _speak(self) -> None:
        try:
            while not self._ended.wait(POLL_SECONDS):
                facts = {"stage": self.stage, "done": self.mapped}
                if self.stage == "matching":
                    facts["total"] = self.pairs
                say(facts, self.channel)
        except OSError:
            os._exit(1)


def say(facts: dict[str, Any], channel: TextIO) -> None:
    channel.write(json.dumps(facts) + "\n")


def main(folder: Path, channel: TextIO) -> None:
    plan = json.loads((folder / "plan.json").read_text())
    with Progress(channel) as progress:
        found = find_models(folder, plan, progress)
    say(found, channel)


def find_models(folder: Path, plan: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Writes the largest model that the photos fall into, refined; what was found."""
    import pycolmap

    pycolmap.set_random_seed(SEED)
    pycolmap.Database.open(folder / "database.db").close()  # makes it
    for names in plan["lenses"]:
        find_features(folder, names)
    progress.stage = "pairs"
    pairs = chosen_pairs(folder, plan)
    progress.stage, progress.pairs = "matching", len(pairs)
    match(folder, pairs)
    progress.stage = "mapping"
    mapping, models = map_photos(folder, progress.mapped_one)
    models = [*map(refined, models[:1]), *models[1:]]
    (folder / "sparse" / "0").mkdir(parents=True)
    if models:
        models[0].write(folder / "sparse" / "0")
    return findings(folder, models) | {"mapping": mapping, "pairs": len(pairs)}


def chosen_pairs(folder: Path, plan: dict[str, Any]) -> list[tuple[str, str]]:
    """The planned pairs, and with "retrieve" those of photos that look alike."""
    pairs = {tuple(pair) for pair in plan["pairs"]}
    if plan["retrieve"]:
        names, descriptors = read_descriptors(folder)
        alike = similar_pairs(descriptors, torch.Generator().manual_seed(SEED))
        pairs |= {(names[first], names[second]) for first, second in alike}
    return sorted(pairs)


if __name__ == "__main__":
    # Standard output carries only the lines above: what the library prints goes to its log.
    with os.fdopen(os.dup(1), "w", buffering=1) as spoken:
        os.dup2(2, 1)
        main(Path(sys.argv[1]), spoken)
