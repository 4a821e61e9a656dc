"""The compressor `svd`, and what compressors to the backbone `low-rank` have in common."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch

from fieldlr.fields.config import FieldConfig
from fieldlr.fields.occupancy import OccupancyField
from fieldlr.nn.linears import LowRank
from fieldlr.system.kinds import Whole
from fieldlr.system.options import option
from fieldlr.training.compressor import Compressor
from fieldlr.training.layer_samples import LayerSamples, Matrix, Rows, Vector, set_parameters


@dataclass(frozen=True)
class LowRankCompressor(Compressor):
    """Factorises the dense layers between hidden units; the first and the last stay dense."""

    size = "to_rank"

    to_rank: int | None = option(
        Whole(1), "The rank of each hidden layer of the smaller network", shown_default="none"
    )

    def config(self, config: FieldConfig, size: int) -> FieldConfig:
        return dataclasses.replace(config, linear=LowRank(size))

    def most(self, config: FieldConfig) -> int:
        # A layer of rank r stores 2 r width parameters instead of width^2.
        return (config.width - 1) // 2 if config.depth else 0

    def smaller(self, field: OccupancyField, samples: LayerSamples) -> OccupancyField:
        ranks = self.ranks(field, samples)
        found = self.empty(field, max(ranks.values()))
        for index, layer, inputs in samples.through(found.mlp):
            rank = ranks.get(index)
            weight, bias = self.affine(samples, index, inputs, rank)
            if rank is None:
                set_parameters(layer, weight=weight, bias=bias)
                continue
            u, s, v = torch.linalg.svd(weight)
            # Both factors get the same size, so one quantisation step and learning rate suits
            # both. Columns beyond the rank are 0: no gradient changes them, and a file codes them
            # in little.
            root = s[: layer.get_parameter("U").shape[1]].sqrt()
            root[rank:] = 0.0
            columns = slice(len(root))
            set_parameters(layer, U=u[:, columns] * root, V=v[columns].T * root, bias=bias)
        return found

    def ranks(self, field: OccupancyField, samples: LayerSamples) -> dict[int, int]:
        """The rank of each layer between hidden units: the one given, or by one threshold.

        With a number of parameters, the largest squared singular values of all layers, divided by
        the parameters that each costs, are kept: each layer ends where they fall below one
        threshold, as in WeLore (Jaiswal et al. 2024, section 3), but for the normalisation.
        """
        hidden = range(1, len(samples.layers) - 1)
        if self.to_rank is not None:
            return dict.fromkeys(hidden, self.to_rank)
        assert self.to_parameters is not None
        most = self.most(field.config)
        prices = {i: samples.layers[i].in_features + samples.layers[i].out_features for i in hidden}
        left = self.to_parameters - self.num_parameters(field, 1)
        gains = [
            (float(value) ** 2 / prices[index], index)
            for index in hidden
            for value in self.singular_values(samples, index)[1:most]
        ]
        found = dict.fromkeys(hidden, 1)
        for _, index in sorted(gains, reverse=True):
            if prices[index] > left:
                break
            found[index], left = found[index] + 1, left - prices[index]
        return found

    def singular_values(self, samples: LayerSamples, index: int) -> Vector:
        """Singular values, descending, whose squares add up to the error of leaving them out."""
        raise NotImplementedError

    def affine(
        self, samples: LayerSamples, index: int, inputs: Rows, rank: int | None = None
    ) -> tuple[Matrix, Vector]:
        """(W', b') of a layer, of a rank if one is given, with W' x + b' near its outputs.

        `inputs` x (N, in) are what the compressed layers before it make of the samples.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Svd(LowRankCompressor):
    """W' is the truncated singular value decomposition of W (Eckart and Young 1936)."""

    name = "svd"
    summary = "low-rank: the singular value decomposition of each W, blind to its inputs"

    def singular_values(self, samples: LayerSamples, index: int) -> Vector:
        return torch.linalg.svdvals(samples.layers[index].dense_weight())

    def affine(
        self, samples: LayerSamples, index: int, inputs: Rows, rank: int | None = None
    ) -> tuple[Matrix, Vector]:
        layer = samples.layers[index]
        assert layer.bias is not None
        weight = layer.dense_weight()
        if rank is not None:
            u, s, v = torch.linalg.svd(weight, full_matrices=False)
            weight = (u[:, :rank] * s[:rank]) @ v[:rank]
        return weight, layer.bias
