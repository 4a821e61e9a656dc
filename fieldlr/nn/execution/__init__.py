"""How a batch goes through layers and grids: number format, chunks, passes, backend.

`engine` is the way in torch, on every device. On a processor with Numba, `grid_kernels` reads grids
by the loops that `compiled` makes. On an NVIDIA GPU with tiny-cuda-nn, `fused` takes the networks
that fit it and `grids` the grid encodings; `recording` saves launches. `shortage` does work in
smaller parts where memory runs out.
"""

from fieldlr.nn.execution.engine import CHUNK_ROWS as CHUNK_ROWS
from fieldlr.nn.execution.engine import layer_passes as layer_passes
from fieldlr.nn.execution.engine import layers_loss as layers_loss
from fieldlr.nn.execution.engine import run_layers as run_layers
from fieldlr.nn.execution.grids import encode as encode
from fieldlr.nn.execution.layers import Layer as Layer
from fieldlr.nn.execution.layers import LossOfRows as LossOfRows
from fieldlr.nn.execution.layers import fast_format as fast_format
from fieldlr.nn.execution.recording import RecordedLoss as RecordedLoss
from fieldlr.nn.execution.shortage import in_parts as in_parts
from fieldlr.nn.execution.shortage import ran_out as ran_out
