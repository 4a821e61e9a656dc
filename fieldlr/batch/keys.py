"""The keys of a manifest: what each may be."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, get_args

from fieldlr.batch.outputs import OUTPUTS
from fieldlr.nn.activations import ACTIVATIONS
from fieldlr.nn.encodings import ENCODINGS
from fieldlr.nn.linears import LINEARS
from fieldlr.training.presets import Preset


@dataclass(frozen=True)
class Key:
    """What a value must be, in words and as a test."""

    wants: str
    accepts: Callable[[Any], bool]


def _whole(least: int, most: float = math.inf) -> Key:
    words = f"a whole number from {least}" + (f" to {most}" if most < math.inf else "")
    return Key(words, lambda value: type(value) is int and least <= value <= most)


def _number(least: float = 0.0, most: float = math.inf) -> Key:
    words = f"a number above {least:g}" + (f", at most {most:g}" if most < math.inf else "")
    return Key(words, lambda value: _is_number(value) and least < value <= most)


def _one_of(names: Collection[str]) -> Key:
    return Key(f"one of {', '.join(names)}", lambda value: value in list(names))


def _list_of(names: Collection[str], least: int = 1) -> Key:
    words = f"a list, in [ ], of some of {', '.join(names)}"

    def accepts(value: Any) -> bool:
        return _is_list(value, least) and all(one in list(names) for one in value)

    return Key(words, accepts)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_list(value: Any, least: int = 1) -> bool:
    return isinstance(value, list) and least <= len(value) == len(set(map(repr, value)))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 4096 and "\0" not in value


def _is_size(value: Any) -> bool:
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", value) if _is_text(value) else None
    return match is not None and int(match[1]) * int(match[2]) <= 2**26


def _is_omega(value: Any) -> bool:
    return value == "auto" or (_is_number(value) and value > 0)


def _is_switch(value: Any) -> bool:
    return type(value) is bool


def _are_ranks(value: Any) -> bool:
    return _is_list(value) and all(type(rank) is int and rank >= 1 for rank in value)


_SOURCE = {
    "source": Key("a path, or a pattern such as meshes/*.ply", _is_text),
    "name": Key("text; a number goes into quotes", _is_text),
}
_FIT = {
    "backbone": _one_of(LINEARS),
    "rank": _whole(1),
    "omega": Key("a number above 0, or auto", _is_omega),
    "width": _whole(1),
    "depth": _whole(0),
    "activation": _one_of(ACTIVATIONS),
    "encoding": _one_of(ENCODINGS),
    "preset": _one_of(get_args(Preset)),
    "optimizer": _one_of(("auto", "adam")),
    "seconds": _number(),
    "steps": _whole(1),
    "seed": _whole(0, 2**63 - 1),
}
_READING = {"downscale": _whole(1), "grid": _whole(16, 1024)}
_WHERE = {"device": _one_of(("auto", "cpu", "cuda")), "memory": _number()}
_MAKING = {
    "resolution": _whole(4, 2048),
    "size": Key("WIDTHxHEIGHT in pixels, such as 400x300", _is_size),
    "frames": _whole(1),
    "bits": _number(2 - 1e-9, 16),
    "finetune": _number(),
    "backbones": _list_of(LINEARS),
    "ranks": Key("a list of different whole numbers from 1, such as [1, 2, 5]", _are_ranks),
    "seeds": _whole(1),
    "narrow": Key("true or false", _is_switch),
    "classic": Key("true or false", _is_switch),
}
# By what they are for; together they are all keys of an item.
GROUPS = {
    "source": _SOURCE,
    "options": _FIT,
    "reading": _READING,
    "where": _WHERE,
    "making": _MAKING,
    "outputs": {"outputs": _list_of(OUTPUTS, least=0)},
}
KEYS = {name: key for group in GROUPS.values() for name, key in group.items()}
