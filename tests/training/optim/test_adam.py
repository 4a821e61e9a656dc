"""Adam against torch's own."""

import torch

from fieldlr.training.optim.adam import BETAS, EPSILON, Adam


def test_steps_are_those_of_torch(generator):
    start = [torch.randn(shape, generator=generator) for shape in ((7, 5), (5,), (3,))]
    goal = torch.randn(7, generator=generator)
    ends = []
    for kind in (Adam, lambda groups: torch.optim.Adam(groups, betas=BETAS, eps=EPSILON)):
        matrix, vector, idle = (values.clone().requires_grad_() for values in start)
        optimizer = kind([{"params": [matrix, idle], "lr": 0.03}, {"params": [vector], "lr": 0.1}])
        for step in range(20):
            optimizer.param_groups[0]["lr"] = 0.03 / (1 + step)
            optimizer.zero_grad()
            (matrix @ vector - goal).square().mean().backward()
            optimizer.step()
        assert torch.equal(idle, start[2])
        ends.append((matrix, vector))
    for own, other in zip(*ends, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-5, atol=1e-6)


def test_the_end_of_a_step_is_called_once():
    calls = []
    parameter = torch.zeros(2, requires_grad=True)
    adam = Adam([{"params": [parameter]}])
    adam.after_step = lambda: calls.append(1)
    adam.step()
    assert calls == [1]
