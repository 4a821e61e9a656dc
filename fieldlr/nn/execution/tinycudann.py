"""Detection of tiny-cuda-nn (Müller 2021), and calls of its modules.

Its modules take our parameters as an argument and return their gradients, so a field is trained
and stored the same way with and without it.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from importlib import util

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from fieldlr.system.probing import failure

# Runs a grid and a network, and fails if results differ from torch's (see `nn.trial`).
PROBE = "from fieldlr.nn.trial import compare; compare()"
# A module holds the parameters of the current call: one thread at a time.
_CALL_LOCK = threading.Lock()


@lru_cache
def reason_against() -> str | None:
    """Why tiny-cuda-nn is not usable in this process; None if it is. Computed once."""
    if not torch.cuda.is_available():
        return "no NVIDIA GPU that torch can use"
    if util.find_spec("tinycudann") is None:
        return "not installed"
    return failure(PROBE)


def call(
    module: nn.Module, parameters: Float[Tensor, " m"], rows: Float[Tensor, "n in"]
) -> Float[Tensor, "n out"]:
    """The outputs (N, out) of a tiny-cuda-nn module for rows (N, in), with these parameters."""
    if rows.is_cuda and torch.cuda.is_current_stream_capturing():
        raise RuntimeError("tiny-cuda-nn allocates memory: its launches cannot be recorded")
    with _CALL_LOCK:
        return functional_call(module, {"params": parameters}, (rows,))


@lru_cache
def level(nodes: int, rows: int, channels: int) -> nn.Module:
    """One float32 grid level of `rows` rows, hashed if it has more nodes."""
    import tinycudann

    kind = {"type": "Dense"}
    if rows < nodes**3:
        kind = {"type": "Hash", "log2_hashmap_size": rows.bit_length() - 1}
    config = {"otype": "Grid", **kind, "n_levels": 1, "n_features_per_level": channels}
    config |= {"base_resolution": nodes, "per_level_scale": 1.0, "interpolation": "Linear"}
    # pyright takes this file, which has the same name, for the library.
    make = tinycudann.Encoding  # pyright: ignore[reportAttributeAccessIssue]
    return make(3, config, dtype=torch.float32)


@lru_cache
def network(inputs: int, outputs: int, width: int, hidden_layers: int) -> nn.Module:
    """A half-precision FullyFusedMLP with relu and without loss scaling."""
    import tinycudann

    config = {"otype": "FullyFusedMLP", "activation": "ReLU", "output_activation": "None"}
    config |= {"n_neurons": width, "n_hidden_layers": hidden_layers}
    make = tinycudann.Network  # pyright: ignore[reportAttributeAccessIssue] - as in `level`
    module = make(inputs, outputs, config)
    module.loss_scale = 1.0
    return module
