"""Execution of layers and grids: number format, chunking, forward and backward passes, backend.

`engine` runs layers in torch on any device. On a CPU with Numba, `grid_kernels` evaluates grids in
loops compiled by `compiled`. On an NVIDIA GPU with tiny-cuda-nn, `fused` runs the networks that it
supports and `grids` the grid encodings; `recording` saves launches by CUDA graphs. `shortage`
splits work into smaller parts where memory runs out.
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
