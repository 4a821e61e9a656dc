"""What a field is made of: everything needed to build it again, as plain values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from fieldlr.errors import FieldlrError
from fieldlr.nn.activations import ACTIVATIONS, Activation, Gaussian
from fieldlr.nn.encodings import ENCODINGS, EncodingConfig, Identity
from fieldlr.nn.linears import LINEARS, Full, LinearConfig
from fieldlr.system.registry import Registry

# A gigabyte: more is a mistake, or a trap.
MOST_NUMBERS = 1 << 28


@dataclass(frozen=True)
class FieldConfig:
    """A field's shape. The defaults are the paper's shape network, 132,865 parameters.

    depth counts the width x width layers between the first layer and the last. `network` is
    `mlp` for an encoding followed by one MLP, or `nerf` for the original NeRF's eight layers with
    a skip, view directions, and a coarse network beside the fine one.
    """

    linear: LinearConfig = Full()
    encoding: EncodingConfig = Identity()
    activation: Activation = Gaussian()
    width: int = 256
    depth: int = 2
    skips: tuple[int, ...] = ()
    network: str = "mlp"

    def __post_init__(self) -> None:
        if self.width < 1 or self.depth < 0:
            raise FieldlrError(
                f"a network needs `width` 1 or more and `depth` 0 or more; got {self.width} and "
                f"{self.depth}. The paper's network for shapes has 256 and 2."
            )
        numbers = self.width**2 * (self.depth + 1) + self.encoding.num_parameters(3)
        if numbers > MOST_NUMBERS:
            raise FieldlrError(
                f"a network holds at most {MOST_NUMBERS:,} numbers; one of width {self.width} and "
                f"depth {self.depth} with this encoding holds up to {numbers:,}. Make it smaller."
            )

    @property
    def alone(self) -> bool:
        """Whether one MLP holds all of a scene, with no grid to help it."""
        return self.network == "mlp" and not self.encoding.learns

    def to_json(self) -> dict[str, Any]:
        """Plain values; table entries carry their name as `kind`."""
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        entries = {key: plain[key] for key in _TABLES}
        return plain | {key: {"kind": e.name, **e.plain()} for key, e in entries.items()}

    @staticmethod
    def from_json(plain: dict[str, Any]) -> FieldConfig:
        """The inverse of `to_json`; FieldlrError where a name or an option is unknown."""
        try:
            values = dict(plain)
            for key, table in _TABLES.items():
                entry = dict(values[key])
                values[key] = table[entry.pop("kind")].from_plain(entry)
            values["skips"] = tuple(values["skips"])
            return FieldConfig(**values)
        except (KeyError, TypeError, AttributeError, ValueError, ZeroDivisionError) as error:
            raise FieldlrError(
                f"the field's config has an entry that this version cannot read: {error!r}. "
                "It was made by a newer fieldlr, or edited by hand."
            ) from None


_TABLES: dict[str, Registry] = {
    "linear": LINEARS,
    "encoding": ENCODINGS,
    "activation": ACTIVATIONS,
}
