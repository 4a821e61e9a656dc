"""Building blocks of networks: activations, MLPs, linear layers, encodings and execution.

`SineLowRank(rank=5).build(256, 256)` is an `nn.Module` that replaces an `nn.Linear`;
`replace(module, SineLowRank(rank=5))` replaces every `nn.Linear` of a model.
"""

from fieldlr.nn.linears import LINEARS as LINEARS
from fieldlr.nn.linears import Adapter as Adapter
from fieldlr.nn.linears import Full as Full
from fieldlr.nn.linears import Linear as Linear
from fieldlr.nn.linears import LowRank as LowRank
from fieldlr.nn.linears import SineLowRank as SineLowRank
from fieldlr.nn.linears import adapt as adapt
from fieldlr.nn.linears import replace as replace
