"""What a study has gone over so far: its curves hold all of it, whatever is asked for next."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fieldlr.errors import FieldlrError
from fieldlr.study.sweep import Sweep, another_study
from fieldlr.system.json import read_json, write_json
from fieldlr.training.loop import FitConfig
from fieldlr.training.presets import FitOptions

FILE = Path("fits", "sweeps.json")  # beside the curves it would look like one


def earlier_sweeps(folder: Path, base: FitOptions, sweep: Sweep) -> list[Sweep]:
    """The sweeps that a study's folder remembers, but this one.

    FieldlrError where their fits have other options than `base`.
    """
    path = folder / FILE
    if not path.exists():
        return []
    known = read_json(path)
    try:
        for name, value in dataclasses.asdict(base).items():
            if known["base"][name] != value:
                raise another_study(folder, name, known["base"][name], value)
        sweeps = [_sweep(**one) for one in known["sweeps"]]
    except (KeyError, TypeError) as error:
        raise FieldlrError(
            f"{path} cannot be read by this version ({error!r}). Remove it: the study then shows "
            "what it is asked for, and loses nothing."
        ) from None
    return [one for one in sweeps if _plain(one) != _plain(sweep)]


def remember(folder: Path, base: FitOptions, sweeps: Sequence[Sweep]) -> None:
    """Writes what `earlier_sweeps` reads."""
    plain = {"base": dataclasses.asdict(base), "sweeps": [_plain(sweep) for sweep in sweeps]}
    write_json(folder / FILE, plain)


def share_curves(one: Sweep, other: Sweep) -> bool:
    """Whether their files may lie on one curve: fine-tuned alike, and all of so many bits or none.

    A curve names its points by rank and bits alone.
    """
    return one.finetune == other.finetune and (None in one.bits) == (None in other.bits)


def _plain(sweep: Sweep) -> dict[str, Any]:
    return json.loads(json.dumps(dataclasses.asdict(sweep)))


def _sweep(finetune: dict[str, Any] | None, **others: Any) -> Sweep:
    return Sweep(finetune=finetune and FitConfig(**finetune), **others)
