"""Tensors and plain values in one safetensors file, with a checksum over both."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from fieldlr.errors import FieldlrError
from fieldlr.system.json import write_whole

Tensors = dict[str, Shaped[Tensor, "..."]]


def write_tensors(path: Path, tensors: Tensors, plain: dict[str, Any]) -> None:
    """Writes tensors and plain values as one safetensors file."""
    from safetensors.torch import save

    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    plain = {**plain, "sha256": _digest(tensors, plain)}
    write_whole(path, save(tensors, {"fieldlr": json.dumps(plain)}))


def read_tensors(path: Path) -> tuple[Tensors, dict[str, Any]]:
    """(tensors, plain values) of a file that `write_tensors` wrote."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
            plain = json.loads((file.metadata() or {}).get("fieldlr", "{}"))
        if not isinstance(plain, dict):
            raise ValueError("it contains no metadata")
        # Runs without a checksum are read too.
        if plain.get("sha256") not in (None, _digest(tensors, _without(plain, "sha256"))):
            raise ValueError("its checksum does not match")
    except (OSError, SafetensorError, ValueError) as error:
        raise FieldlrError(f"{path} is corrupt or missing ({error}). Copy the run again.") from None
    return tensors, _without(plain, "sha256")


def _digest(tensors: Tensors, plain: dict[str, Any]) -> str:
    """A checksum of everything that a file of tensors says."""
    digest = hashlib.sha256(json.dumps(plain).encode())
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _without(plain: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in plain.items() if name != key}
