"""The config of a field: all that is needed to rebuild it, as plain values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from fieldlr.errors import FieldlrError
from fieldlr.nn.activations import ACTIVATIONS, Activation, Gaussian
from fieldlr.nn.encodings import ENCODINGS, EncodingConfig, Identity
from fieldlr.nn.linears import LINEARS, Full, LinearConfig
from fieldlr.system.registry import Registry

# A gigabyte: more is a mistake or malicious.
MOST_PARAMETERS = 1 << 28


@dataclass(frozen=True)
class FieldConfig:
    """A field's shape. The defaults are the paper's shape network, 132,865 parameters.

    `depth` is the number of width x width layers between the first and the last. `network` is
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
        count = self.width**2 * (self.depth + 1) + self.encoding.num_parameters(3)
        if count > MOST_PARAMETERS:
            raise FieldlrError(
                f"a network has at most {MOST_PARAMETERS:,} parameters; one of width {self.width} "
                f"and depth {self.depth} with this encoding has up to {count:,}. Use a smaller one."
            )

    @property
    def is_pure_mlp(self) -> bool:
        """Whether the field is a single MLP without a feature grid."""
        return self.network == "mlp" and not self.encoding.learns

    def to_json(self) -> dict[str, Any]:
        """Plain values; registry entries have their name as `kind`."""
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        entries = {key: plain[key] for key in _TABLES}
        return plain | {key: {"kind": e.name, **e.plain()} for key, e in entries.items()}

    @staticmethod
    def from_json(plain: dict[str, Any]) -> FieldConfig:
        """The inverse of `to_json`; raises FieldlrError for unknown names and options."""
        try:
            values = dict(plain)
            for key, table in _TABLES.items():
                entry = dict(values[key])
                values[key] = table[entry.pop("kind")].from_plain(entry)
            values["skips"] = tuple(values["skips"])
            return FieldConfig(**values)
        except (KeyError, TypeError, AttributeError, ValueError, ZeroDivisionError) as error:
            raise FieldlrError(
                f"the field's config has an invalid entry: {error!r}. If it comes from a newer "
                "fieldlr, update this one; if it was edited by hand, restore it."
            ) from None


_TABLES: dict[str, Registry] = {
    "linear": LINEARS,
    "encoding": ENCODINGS,
    "activation": ACTIVATIONS,
}
