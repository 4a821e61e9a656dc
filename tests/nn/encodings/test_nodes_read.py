"""Which nodes and rows the points of occupied cells read, against trying all cells."""

import pytest
import torch

from fieldlr.nn.encodings import Cp, HashGrid, Vm
from fieldlr.nn.encodings.nodes_read import nodes_read

CELLS = 8


@pytest.fixture
def occupied(generator):
    return torch.rand((CELLS,) * 3, generator=generator) < 0.1


def boxes(occupied):
    """The lowest and highest corners of the occupied cells, x first."""
    low = occupied.nonzero().flip(-1) * (2.0 / CELLS) - 1.0
    return low, low + 2.0 / CELLS


def test_a_cell_reads_the_nodes_around_its_points(occupied):
    for nodes in (2, 3, 5, 8, 9, 16, 17, 31):
        read = torch.zeros((nodes,) * 3, dtype=torch.bool)
        for box in zip(*boxes(occupied), strict=True):
            cells = [(0.5 * (nodes - 1) * (end + 1.0)).long().clamp(0, nodes - 2) for end in box]
            x, y, z = (slice(a, b + 2) for a, b in zip(*[c.tolist() for c in cells], strict=True))
            read[z, y, x] = True
        assert torch.equal(nodes_read(occupied, nodes), read), nodes


@pytest.mark.parametrize("config", [HashGrid(log2_table_size=8, num_levels=4), Cp(), Vm()])
def test_rows_that_points_read_are_marked_and_few_others(config, occupied, generator):
    encoding = config.build(3, generator)
    low, high = boxes(occupied)
    some = torch.rand(300, len(low), 3, generator=generator)
    encoding(torch.lerp(low, high, some).flatten(0, 1)).sum().backward()
    read = encoding.rows_read(occupied)["table"]
    met = encoding.table.grad.abs().sum(-1) > 0
    assert not (met & ~read).any()
    assert read.sum() <= 1.3 * met.sum()
