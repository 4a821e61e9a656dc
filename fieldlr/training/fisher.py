"""The compressor `fisher`: low rank where the loss is sensitive."""

from __future__ import annotations

from dataclasses import dataclass

from fieldlr.training.activation_svd import ActivationSvd
from fieldlr.training.layer_samples import LayerSamples, Matrix, damped

# Outputs without influence on the loss would leave their rows open.
DAMPING = 1e-4


@dataclass(frozen=True)
class Fisher(ActivationSvd):
    """As `activation-svd`, with errors of the outputs weighted by their Fisher information.

    Minimises the trace of (W - W')^T Y (W - W') X with Y the mean of g g^T and X the covariance of
    the inputs: the Kronecker-factored Fisher information of Martens and Grosse 2015 (K-FAC), in
    the two-sided decomposition of Chekalina et al. 2025, "Generalized Fisher-weighted SVD"; with X
    = 1 and the diagonal of Y it is that of Hsu et al. 2022 (FWSVD).
    """

    name = "fisher"
    summary = "low-rank: as activation-svd, weighted by how much the loss feels each output"

    def output_weight(self, samples: LayerSamples, index: int) -> Matrix:
        return output_fisher(samples, index)


def output_fisher(samples: LayerSamples, index: int) -> Matrix:
    """The Fisher information (out, out) of a layer's outputs, made positive definite."""
    gradients = samples.output_gradients(index)
    return damped(gradients.T @ gradients / len(gradients), DAMPING)
