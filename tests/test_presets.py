"""What a user's few words become: omega by the kind of source, rates by the backbone."""

import pytest
import torch

from fieldlr.data import open_source
from fieldlr.examples import example
from fieldlr.linears import LowRank, SineLowRank
from fieldlr.presets import FitOptions, field_config, make_task
from fieldlr.training import FitState


@pytest.mark.parametrize(
    ("kind", "omega", "expected"),
    [
        ("photos", None, "8 rad"),
        ("photos", "auto", "8 rad"),
        ("shape", None, "4 rad"),
        ("shape", "auto", "4 rad"),
        ("photos", 100.0, 100.0),
    ],
)
def test_the_automatic_omega_is_that_of_the_kind_of_source(kind, omega, expected):
    options = FitOptions("sine-low-rank", 5, omega).settled()
    assert field_config(options, kind).linear == SineLowRank(5, expected)


def test_low_rank_has_no_omega():
    options = FitOptions("low-rank", 5).settled()
    assert field_config(options, "photos").linear == LowRank(5)


def rates_of_factors(name, **words):
    """{"U": rates, "V": rates} of a fit of an example."""
    source = open_source(example(name), 4 if name == "windmill" else None)
    options = FitOptions(**words, encoding="frequency" if name == "windmill" else None).settled()
    task = make_task(source, options)
    state = FitState(task, field_config(options, source.kind), 0, torch.device("cpu"))
    names = {id(p): n for n, p in state.field.named_parameters()}
    rates = {"U": set(), "V": set()}
    for group in state.groups:
        for parameter in group["params"]:
            if names[id(parameter)].endswith((".U", ".V")):
                rates[names[id(parameter)][-1]].add(group["lr"])
    return rates


def test_in_a_shape_v_takes_smaller_steps_than_u_under_a_sine():
    rates = rates_of_factors("rook", backbone="sine-low-rank", rank=2)
    assert max(rates["V"]) < min(rates["U"])
    plain = rates_of_factors("rook", backbone="low-rank", rank=2)
    assert plain["U"] == plain["V"] and len(plain["U"]) == 1


@pytest.mark.parametrize(("preset", "rate"), [("quick", 5e-3), ("paper", 5e-4)])
def test_on_photos_both_learn_at_one_rate(preset, rate):
    rates = rates_of_factors("windmill", backbone="sine-low-rank", rank=2, preset=preset)
    assert rates == {"U": {rate}, "V": {rate}}
