"""Encodes fields as .flr files and decodes them (docs/format.md)."""

from fieldlr.codec.about import About as About
from fieldlr.codec.about import subset_cameras as subset_cameras
from fieldlr.codec.about import subset_indices as subset_indices
from fieldlr.codec.bitstream import FEWEST_BITS as FEWEST_BITS
from fieldlr.codec.bitstream import MOST_BITS as MOST_BITS
from fieldlr.codec.bitstream import MOST_BYTES as MOST_BYTES
from fieldlr.codec.bitstream import bytes_left as bytes_left
from fieldlr.codec.bitstream import check_bits as check_bits
from fieldlr.codec.bitstream import decode as decode
from fieldlr.codec.bitstream import encode as encode
from fieldlr.codec.bitstream import unpack as unpack
