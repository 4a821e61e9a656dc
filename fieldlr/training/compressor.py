"""The interface of compressors: from a trained field to a smaller one, before fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fieldlr.errors import FieldlrError
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.field import Field
from fieldlr.fields.occupancy import OccupancyField
from fieldlr.nn.linears import Full
from fieldlr.system.kinds import Whole
from fieldlr.system.options import check_options, option, own_options
from fieldlr.training.layer_samples import LayerSamples
from fieldlr.training.tasks import OccupancyTask, Task


def parameters_option() -> Any:
    """The option `to_parameters`, beside the size that a method has of its own."""
    return option(
        Whole(1),
        "The most parameters of the smaller network, instead of its rank or width",
        shown_default="none",
    )


@dataclass(frozen=True)
class Compressor:
    """Makes the network of a trained shape smaller, as an entry of COMPRESSORS.

    A new one is a frozen dataclass of two options, its own size and `to_parameters`, of which one
    is given; the command line, manifests and Python then offer it by name.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    size: ClassVar[str]  # its own option: the rank or width of the smaller network
    to_parameters: int | None = parameters_option()

    def __post_init__(self) -> None:
        check_options(self)
        names = [own.name for own in own_options(type(self))]
        if sum(getattr(self, name) is not None for name in names) != 1:
            raise FieldlrError(
                f"the `method` {self.name} needs one size: `{self.size}` or `to_parameters`."
            )

    def compress(self, field: Field, task: Task, seed: int = 0) -> OccupancyField:
        """A smaller field with nearly the same values; the one given stays as it is.

        `seed` is that of the points, drawn as in training. Raises FieldlrError for fields of
        photos, for backbones other than `full`, and for sizes that make nothing smaller.
        """
        if not isinstance(field, OccupancyField) or not isinstance(task, OccupancyTask):
            raise FieldlrError(
                f"the `method` {self.name} makes networks of shapes smaller; this field was made "
                "from photos. Leave `method` out."
            )
        config = field.config
        if config.linear != Full():
            raise FieldlrError(
                f"the `method` {self.name} starts from dense layers; this field has the backbone "
                f"{config.linear.name}. Fit one with the `backbone` full, or leave `method` out."
            )
        most = self.most(config)
        if most < 1:
            raise FieldlrError(
                f"the `method` {self.name} has nothing to make smaller in a network of width "
                f"{config.width} and depth {config.depth}. Leave `method` out."
            )
        size = getattr(self, self.size)
        if size is not None and size > most:
            raise FieldlrError(
                f"`{self.size}` is at most {most} for a network of width {config.width} and depth "
                f"{config.depth}: more does not make it smaller. Got {size}."
            )
        least = self.num_parameters(field, 1)
        if self.to_parameters is not None and self.to_parameters < least:
            raise FieldlrError(
                f"the `method` {self.name} leaves at least {least} parameters of this network; "
                f"`to_parameters` is {self.to_parameters}. Allow more."
            )
        with torch.no_grad():
            return self.smaller(field, LayerSamples.drawn(field, task, seed)).eval()

    def config(self, config: FieldConfig, size: int) -> FieldConfig:
        """The config of the smaller network, which begins as `config`."""
        raise NotImplementedError

    def most(self, config: FieldConfig) -> int:
        """The largest size at which the network becomes smaller; 0 if there is none."""
        raise NotImplementedError

    def smaller(self, field: OccupancyField, samples: LayerSamples) -> OccupancyField:
        """The smaller field, from what goes through the given one."""
        raise NotImplementedError

    def empty(self, field: OccupancyField, size: int) -> OccupancyField:
        """An untrained field of a size in the place of the given one."""
        return OccupancyField(self.config(field.config, size), field.space, field.frame)

    def num_parameters(self, field: OccupancyField, size: int) -> int:
        """The parameters of a field of a size."""
        with torch.device("meta"):
            return self.empty(field, size).num_parameters
