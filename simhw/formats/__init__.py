"""What a bit pattern means: formats as data, one codec for all of them, and blocks that share scales."""

from simhw.formats.block import BlockFormat
from simhw.formats.codec import encode, round_to
from simhw.formats.decoding import decode
from simhw.formats.definition import decode_exact, encode_exact
from simhw.formats.element import ElementFormat
from simhw.formats.floating import FloatFormat, NanCodes
from simhw.formats.integer import IntegerFormat
from simhw.formats.names import AnyFormat, format_names, get_block_format, get_element_format, get_format
from simhw.formats.quantize import QuantizedBlocks, quantize_blocks
from simhw.formats.rounding import Overflow, Rounding, ScaleRule

__all__ = [
    "AnyFormat",
    "BlockFormat",
    "ElementFormat",
    "FloatFormat",
    "IntegerFormat",
    "NanCodes",
    "Overflow",
    "QuantizedBlocks",
    "Rounding",
    "ScaleRule",
    "decode",
    "decode_exact",
    "encode",
    "encode_exact",
    "format_names",
    "get_block_format",
    "get_element_format",
    "get_format",
    "quantize_blocks",
    "round_to",
]
