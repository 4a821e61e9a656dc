"""Input encodings.

An entry of ENCODINGS is the config, the command-line choice, the tag in a file and the factory:
`Frequency(10).build(3)` is an `nn.Module` from (N, 3) in [-1, 1] to (N, out_features).
"""

from fieldlr.nn.encodings.cp import Cp as Cp
from fieldlr.nn.encodings.dense_grid import DenseGrid as DenseGrid
from fieldlr.nn.encodings.encoding import Encoding as Encoding
from fieldlr.nn.encodings.encoding import EncodingConfig as EncodingConfig
from fieldlr.nn.encodings.frequency import Frequency as Frequency
from fieldlr.nn.encodings.hash_grid import HashGrid as HashGrid
from fieldlr.nn.encodings.identity import Identity as Identity
from fieldlr.nn.encodings.random_fourier import RandomFourier as RandomFourier
from fieldlr.nn.encodings.spherical import spherical_harmonics as spherical_harmonics
from fieldlr.nn.encodings.tucker import Tucker as Tucker
from fieldlr.nn.encodings.vm import Vm as Vm
from fieldlr.system.registry import Registry

ENCODINGS: Registry[type[EncodingConfig]] = Registry(
    "encoding", Identity, Frequency, HashGrid, DenseGrid, RandomFourier, Cp, Vm, Tucker
)
