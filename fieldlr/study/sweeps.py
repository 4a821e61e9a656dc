"""What a study has gone over so far: its curves hold all of it, whatever is asked for next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fieldlr.errors import FieldlrError
from fieldlr.study.sweep import Sweep, another_study
from fieldlr.system.json import read_json, write_json
from fieldlr.training.options import FitOptions

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
        for name, value in base.plain_fit().items():
            if known["base"][name] != value:
                raise another_study(folder, name, known["base"][name], value)
        sweeps = [Sweep.from_plain(one) for one in known["sweeps"]]
    except (KeyError, TypeError) as error:
        raise FieldlrError(
            f"{path} cannot be read by this version ({error!r}). Remove it: the study then shows "
            "what it is asked for, and loses nothing."
        ) from None
    return [one for one in sweeps if _goes_over(one) != _goes_over(sweep)]


def remember(folder: Path, base: FitOptions, sweeps: Sequence[Sweep]) -> None:
    """Writes what `earlier_sweeps` reads."""
    plain = {"base": base.plain_fit(), "sweeps": [sweep.plain() for sweep in sweeps]}
    write_json(folder / FILE, plain)


def share_curves(one: Sweep, other: Sweep) -> bool:
    """Whether their files may lie on one curve: fine-tuned alike, and all of so many bits or none.

    A curve names its points by rank and bits alone.
    """
    return one.finetune == other.finetune and (one.bits is None) == (other.bits is None)


def _goes_over(sweep: Sweep) -> dict[str, Any]:
    """What makes a sweep another one: its fits and their files."""
    return {name: value for name, value in sweep.flat().items() if name != "classic"}
