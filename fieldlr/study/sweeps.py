"""The sweeps of a study so far, all of which its curves include."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fieldlr.errors import FieldlrError
from fieldlr.study.sweep import Sweep, another_study
from fieldlr.system.json import read_json, write_json
from fieldlr.training.options import FitOptions

FILE = Path("fits", "sweeps.json")  # not beside the curves, whose JSON files are listed


def earlier_sweeps(folder: Path, base: FitOptions, sweep: Sweep) -> list[Sweep]:
    """The sweeps stored in a study's folder, except this one.

    Raises FieldlrError if their fits have other options than `base`.
    """
    path = folder / FILE
    if not path.exists():
        return []
    known = read_json(path)
    try:
        for name, value in base.plain_fit().items():
            if known["base"][name] != value:
                raise another_study(folder, name, known["base"][name], value)
        sweeps = [Sweep.from_plain(one) for one in known["sweeps"]]
    except (KeyError, TypeError) as error:
        raise FieldlrError(
            f"{path} cannot be read by this version ({error!r}). Remove it: the study then plots "
            "only its current options; no results are lost."
        ) from None
    return [one for one in sweeps if _fits_and_files(one) != _fits_and_files(sweep)]


def remember(folder: Path, base: FitOptions, sweeps: Sequence[Sweep]) -> None:
    """Writes the file that `earlier_sweeps` reads."""
    plain = {"base": base.plain_fit(), "sweeps": [sweep.plain() for sweep in sweeps]}
    write_json(folder / FILE, plain)


def share_curves(one: Sweep, other: Sweep) -> bool:
    """Whether their files may share curves: the same fine-tuning, and all with bits or none.

    A curve identifies its points by rank and bits only.
    """
    return one.finetune == other.finetune and (one.bits is None) == (other.bits is None)


def _fits_and_files(sweep: Sweep) -> dict[str, Any]:
    """The part of a sweep that identifies it: its fits and their files."""
    return {name: value for name, value in sweep.flat().items() if name != "classic"}
