"""Builds curves from measured files."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fieldlr.metrics.curve import RDCurve, RDPoint
from fieldlr.nn.linears import LINEARS
from fieldlr.study.files import Coding, StoredField
from fieldlr.study.sweep import NARROW, Entry

NARROW_SUMMARY = "dense networks with as many parameters as those of each rank"


@dataclass(frozen=True)
class Measured:
    """A measured file of a fit."""

    entry: Entry
    coding: Coding
    stored: StoredField

    def point(self, several: bool) -> RDPoint:
        """Its point on a curve over ranks, or with `several` over ranks and bits."""
        stored = self.stored
        # `curves_of` excludes points without quality.
        quality = math.nan if stored.quality is None else stored.quality
        return RDPoint(
            f"{self.entry.point}, {self.coding.bits:g} bits" if several else self.entry.point,
            stored.num_bytes,
            stored.num_parameters,
            quality,
            self.entry.seed,
            f"fits/{self.entry.name}/{stored.file}",
        )


def curves_of(measured: Sequence[Measured], measure: str, source: str) -> list[RDCurve]:
    """The curves of measured files, in the order of their first fits.

    One per backbone over all ranks and bits and, if there are several bits, one per backbone and
    bits. Files without a quality (all held-out pixels masked, for example) are left out.
    """
    measured = [one for one in measured if one.stored.quality is not None]
    bits = list(dict.fromkeys(one.coding.bits for one in measured))
    curves = []
    for name in dict.fromkeys(one.entry.curve for one in measured):
        own = [one for one in measured if one.entry.curve == name]
        curves.append(_curve(name, own, len(bits) > 1, measure, source))
        for only in bits if len(bits) > 1 else ():
            part = [one for one in own if one.coding.bits == only]
            if part:
                named = f"{name} {only:g} bits"
                curves.append(_curve(named, part, False, measure, source, only_bits=only))
    return curves


def _curve(
    name: str, own: Sequence[Measured], several: bool, measure: str, source: str, **more: Any
) -> RDCurve:
    first = own[0]
    curve = first.entry.curve
    words = NARROW_SUMMARY if curve == NARROW else LINEARS[curve].summary
    varies = ("rank", "seed", *(["width"] if first.entry.curve == NARROW else []))
    config = first.entry.options.plain_fit() | dict.fromkeys(varies)
    config["bits"] = list(dict.fromkeys(one.coding.bits for one in own))
    config["finetune"] = first.coding.finetune and dataclasses.asdict(first.coding.finetune)
    points = tuple(one.point(several) for one in own)
    return RDCurve(name, measure, points, words, {"source": source} | config | more)
