"""The compressor `nystrom`: a dense network of fewer hidden units."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from fieldlr.fields.config import FieldConfig
from fieldlr.fields.occupancy import OccupancyField
from fieldlr.system.kinds import Whole
from fieldlr.system.options import option
from fieldlr.training.compressor import Compressor
from fieldlr.training.fisher import output_fisher
from fieldlr.training.layer_samples import AffineFit, LayerSamples, Rows, damped, set_parameters

Units = Int[Tensor, " k"]


@dataclass(frozen=True)
class Nystrom(Compressor):
    """Keeps some of the hidden units of each layer and refits the next layer to its outputs.

    With the covariance C of units and the kept ones K, the refitted layer is W C_:K C_KK^-1, a
    Nystrom approximation of C (Lin et al. 2024, "MoDeGPT", algorithm 1), where the layers before
    are exact; behind narrower ones it is the least-squares fit to the outputs of the wide network.
    MoDeGPT keeps the units of the largest ridge leverage; here `best_units` chooses.
    """

    name = "nystrom"
    summary = "dense and narrow: keeps some hidden units and refits the layer behind them"
    size = "to_width"

    to_width: int | None = option(
        Whole(1), "Hidden units of each layer of the smaller network", shown_default="none"
    )

    def config(self, config: FieldConfig, size: int) -> FieldConfig:
        return dataclasses.replace(config, width=size)

    def most(self, config: FieldConfig) -> int:
        return config.width - 1

    def smaller(self, field: OccupancyField, samples: LayerSamples) -> OccupancyField:
        width = self.to_width or self._widest(field)
        found, last = self.empty(field, width), len(samples.layers) - 1
        kept = torch.arange(0)
        for index, layer, inputs in samples.through(found.mlp):
            wide = samples.layers[index]
            weight, bias = wide.dense_weight(), wide.bias
            if index:
                skips = torch.arange(samples.layers[index - 1].out_features, wide.in_features)
                start = weight[:, torch.cat([kept, skips])]
                fit = AffineFit.of(start, inputs, samples.outputs[index])
                weight, bias = fit.weight, fit.bias(fit.weight)
            assert bias is not None
            kept = torch.arange(len(bias))
            if index < last:
                hidden = samples.mlp.activation(inputs @ weight.T + bias)
                kept = self.units(samples, index + 1, hidden, width)
            set_parameters(layer, weight=weight[kept], bias=bias[kept])
        return found

    def _widest(self, field: OccupancyField) -> int:
        """The largest width with at most `to_parameters` parameters, by bisection."""
        assert self.to_parameters is not None
        low, high = 1, self.most(field.config)
        while low < high:
            middle = (low + high + 1) // 2
            fits = self.num_parameters(field, middle) <= self.to_parameters
            low, high = (middle, high) if fits else (low, middle - 1)
        return low

    def units(self, samples: LayerSamples, index: int, hidden: Rows, count: int) -> Units:
        """The units (K,) of `hidden` (N, w) to be kept, ahead of a layer."""
        error = torch.linalg.cholesky(output_fisher(samples, index))
        return best_units(hidden, samples.outputs[index] @ error, count)


def best_units(hidden: Rows, outputs: Rows, count: int) -> Units:
    """The `count` units of h (N, w), ascending, that explain y (N, m) best, chosen one by one.

    Each is the one that most lowers the mean square error of the affine fit of y to the units
    chosen so far (orthogonal least squares: Chen, Billings and Luo 1989, section 4).
    """
    h, y = hidden - hidden.mean(0), outputs - outputs.mean(0)
    covariance, products = damped(h.T @ h / len(h)), y.T @ h / len(h)
    alone, chosen = covariance.diagonal().clone(), torch.zeros(h.shape[1], dtype=torch.bool)
    for _ in range(count):
        left = covariance.diagonal()
        gain = products.square().sum(0) / left.clamp_min(1e-300)
        # What is left of a unit that the chosen ones give already is rounding.
        gain = torch.where(left > 1e-9 * alone, gain, -1.0).masked_fill(chosen, -2.0)
        best = int(gain.argmax())
        chosen[best] = True
        column = covariance[:, best] / covariance[best, best].clamp_min(1e-300)
        products = products - torch.outer(products[:, best], column)
        covariance = covariance - torch.outer(covariance[:, best], column)
    return chosen.nonzero()[:, 0]
