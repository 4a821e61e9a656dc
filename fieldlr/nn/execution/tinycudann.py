"""Whether tiny-cuda-nn (Müller 2021) can be used here, and how its modules are called.

Its parameters are ours: a module of the library gets them as an argument, and their gradients come
back, so that a field is trained and stored the same way with it and without it.
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

# Runs a grid and a network, and fails where their results are not torch's (see `nn.trial`).
PROBE = "from fieldlr.nn.trial import compare; compare()"
# A module holds the parameters of the call under way: one thread at a time.
_TURN = threading.Lock()


@lru_cache
def reason_against() -> str | None:
    """Why tiny-cuda-nn is not used by this process; None where it is. Asked once a process."""
    if not torch.cuda.is_available():
        return "no NVIDIA GPU that torch can use"
    if util.find_spec("tinycudann") is None:
        return "not installed"
    return failure(PROBE)


def call(
    module: nn.Module, parameters: Float[Tensor, " m"], rows: Float[Tensor, "n in"]
) -> Float[Tensor, "n out"]:
    """A module of tiny-cuda-nn at rows (N, in), with these numbers for its own: (N, out)."""
    if rows.is_cuda and torch.cuda.is_current_stream_capturing():
        raise RuntimeError("tiny-cuda-nn keeps memory of its own: its launches are not recorded")
    with _TURN:
        return functional_call(module, {"params": parameters}, (rows,))


@lru_cache
def level(nodes: int, rows: int, channels: int) -> nn.Module:
    """One level of a grid, in float32: `rows` rows, hashed where the nodes are more than that."""
    import tinycudann

    kind = {"type": "Dense"}
    if rows < nodes**3:
        kind = {"type": "Hash", "log2_hashmap_size": rows.bit_length() - 1}
    config = {"otype": "Grid", **kind, "n_levels": 1, "n_features_per_level": channels}
    config |= {"base_resolution": nodes, "per_level_scale": 1.0, "interpolation": "Linear"}
    # To pyright the library is this very file, which has its name.
    make = tinycudann.Encoding  # pyright: ignore[reportAttributeAccessIssue]
    return make(3, config, dtype=torch.float32)


@lru_cache
def network(inputs: int, outputs: int, width: int, hidden_layers: int) -> nn.Module:
    """A FullyFusedMLP with relu, in half precision, that leaves gradients at their scale."""
    import tinycudann

    config = {"otype": "FullyFusedMLP", "activation": "ReLU", "output_activation": "None"}
    config |= {"n_neurons": width, "n_hidden_layers": hidden_layers}
    make = tinycudann.Network  # pyright: ignore[reportAttributeAccessIssue] - as in `level`
    module = make(inputs, outputs, config)
    module.loss_scale = 1.0
    return module
