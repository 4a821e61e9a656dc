"""The compressor `activation-svd`: low rank where the inputs of a layer vary."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from fieldlr.training.layer_samples import AffineFit, LayerSamples, Matrix, Rows, Vector
from fieldlr.training.svd import LowRankCompressor


@dataclass(frozen=True)
class ActivationSvd(LowRankCompressor):
    """W' and b' of a rank with the least mean |y - W' x - b'|^2 over the samples.

    y are the outputs of the layer, x its inputs behind the compressed layers before it. With C =
    L L^T the covariance of x and W the best dense fit, W' = svd_r(W L) L^-1. Yu and Wu 2023,
    "Compressing transformers: features are low-rank, but weights are not!" (AFM), and Wang et al.
    2024, "SVD-LLM", have the same optimum for the first layer; taking x from the compressed layers
    makes up for their errors. Dense layers are refitted likewise.
    """

    name = "activation-svd"
    summary = "low-rank: the nearest outputs of each layer on points as training draws them"

    def affine(
        self, samples: LayerSamples, index: int, inputs: Rows, rank: int | None = None
    ) -> tuple[Matrix, Vector]:
        weight = samples.layers[index].dense_weight()
        fit = AffineFit.of(weight, inputs, samples.outputs[index])
        weight = fit.weight
        if rank is not None:
            weight = truncated(weight, self.output_weight(samples, index), fit.covariance, rank)
        return weight, fit.bias(weight)

    def singular_values(self, samples: LayerSamples, index: int) -> Vector:
        weight = samples.layers[index].dense_weight()
        fit = AffineFit.of(weight, samples.inputs[index], samples.outputs[index])
        left, right = roots(self.output_weight(samples, index), fit.covariance)
        return torch.linalg.svdvals(left.T @ weight @ right)

    def output_weight(self, samples: LayerSamples, index: int) -> Matrix:
        """The matrix Y (out, out) of the error e^T Y e of a layer's outputs: here the identity."""
        outputs = samples.outputs[index]
        return torch.eye(outputs.shape[1]).to(outputs)


def truncated(weight: Matrix, outer: Matrix, inner: Matrix, rank: int) -> Matrix:
    """The W' (out, in) of a rank with the least trace of (W - W')^T Y (W - W') X.

    `outer` Y (out, out) and `inner` X (in, in) are positive definite.
    """
    left, right = roots(outer, inner)
    u, s, v = torch.linalg.svd(left.T @ weight @ right, full_matrices=False)
    rows = torch.linalg.solve_triangular(left.T, u[:, :rank] * s[:rank], upper=True)
    return rows @ torch.linalg.solve_triangular(right, v[:rank], upper=False, left=False)


def roots(outer: Matrix, inner: Matrix) -> tuple[Matrix, Matrix]:
    """Lower triangular L (out, out) and R (in, in) with L L^T = Y and R R^T = X."""
    return torch.linalg.cholesky(outer), torch.linalg.cholesky(inner)
