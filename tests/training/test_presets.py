"""What a user's few words become: omega by the rank, rates by the backbone and encoding."""

import pytest
import torch

from fieldlr.data import open_source
from fieldlr.data.examples import example
from fieldlr.nn.linears import LowRank, PhaseSpread, SineLowRank
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import field_config, make_task
from fieldlr.training.state import start_fit


@pytest.mark.parametrize("kind", ["photos", "mesh"])
@pytest.mark.parametrize(
    ("omega", "expected"),
    [(None, PhaseSpread(4.0)), ("auto", PhaseSpread(4.0)), (100.0, 100.0)],
)
def test_the_automatic_omega_is_that_of_the_rank(kind, omega, expected):
    options = FitOptions.of(backbone="sine-low-rank", rank=5, omega=omega)
    assert field_config(options, kind).linear == SineLowRank(5, expected)


def test_low_rank_has_no_omega():
    options = FitOptions.of(backbone="low-rank", rank=5)
    assert field_config(options, "photos").linear == LowRank(5)


def rates_of_factors(name, **words):
    """{"U": rates, "V": rates} of a fit of an example."""
    small = {"downscale": 4} if name == "windmill" else {"grid": 64}
    source = open_source(example(name), **small)
    options = FitOptions.of(**words, encoding="frequency" if name == "windmill" else None).settled()
    task = make_task(source, options)
    state = start_fit(task, field_config(options, source.kind), 0, torch.device("cpu"))
    names = {id(p): n for n, p in state.field.named_parameters()}
    rates = {"U": set(), "V": set()}
    for group in state.attempt.groups:
        for parameter in group["params"]:
            if names[id(parameter)].endswith((".U", ".V")):
                rates[names[id(parameter)][-1]].add(group["lr"])
    return rates


@pytest.mark.parametrize("source", ["rook", "windmill"])
def test_v_takes_smaller_steps_than_u_under_a_sine(source):
    rates = rates_of_factors(source, backbone="sine-low-rank", rank=2)
    assert max(rates["V"]) < min(rates["U"])
    plain = rates_of_factors(source, backbone="low-rank", rank=2)
    assert plain["U"] == plain["V"] and len(plain["U"]) == 1


def test_low_rank_of_a_large_rank_takes_smaller_steps():
    at_5, at_20 = (rates_of_factors("windmill", backbone="low-rank", rank=k) for k in (5, 20))
    assert max(at_20["U"]) == pytest.approx(0.5 * max(at_5["U"]))


def test_the_published_preset_of_photos_has_one_rate():
    rates = rates_of_factors("windmill", backbone="sine-low-rank", rank=2, preset="paper")
    assert rates == {"U": {5e-4}, "V": {5e-4}}


def test_an_mlp_alone_has_a_higher_learning_rate_than_one_after_a_grid():
    source = open_source(example("windmill"), 4)
    fastest = {}
    for encoding in ("frequency", "dense-grid"):
        options = FitOptions.of(encoding=encoding, optimizer="adam").settled()
        state = start_fit(
            make_task(source, options), field_config(options, "photos"), 0, torch.device("cpu")
        )
        names = {id(p): n for n, p in state.field.named_parameters()}
        fastest[encoding] = {
            group["lr"]
            for group in state.attempt.groups
            if not any(names[id(p)].endswith("table") for p in group["params"])
        }
    assert min(fastest["frequency"]) > max(fastest["dense-grid"])
