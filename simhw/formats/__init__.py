"""What a bit pattern means: formats as data, one codec for all of them, and blocks that share scales."""

from simhw.formats.arrays import view_as_dtype
from simhw.formats.block import BlockFormat
from simhw.formats.block_definition import quantize_block_exact, tensor_scale_exact
from simhw.formats.catalog import E2M1, E2M3, E3M2, E4M3, E5M2, E8M0
from simhw.formats.codebook import CodebookFormat
from simhw.formats.codec import encode, round_to
from simhw.formats.decoding import decode
from simhw.formats.definition import decode_exact, encode_exact
from simhw.formats.element import ElementFormat
from simhw.formats.families import (
    block_format,
    codebook_format,
    fixed_point_format,
    float_format,
    integer_format,
    p3109_format,
)
from simhw.formats.floating import FloatFormat, NanCodes
from simhw.formats.integer import IntegerFormat
from simhw.formats.names import AnyFormat, format_names, get_block_format, get_element_format, get_format
from simhw.formats.packing import BitOrder, pack_codes, unpack_codes
from simhw.formats.quantize import QuantizedBlocks, quantize_blocks
from simhw.formats.rounding import Overflow, Rounding, ScaleRule

__all__ = [
    "E2M1",
    "E2M3",
    "E3M2",
    "E4M3",
    "E5M2",
    "E8M0",
    "AnyFormat",
    "BitOrder",
    "BlockFormat",
    "CodebookFormat",
    "ElementFormat",
    "FloatFormat",
    "IntegerFormat",
    "NanCodes",
    "Overflow",
    "QuantizedBlocks",
    "Rounding",
    "ScaleRule",
    "block_format",
    "codebook_format",
    "decode",
    "decode_exact",
    "encode",
    "encode_exact",
    "fixed_point_format",
    "float_format",
    "format_names",
    "get_block_format",
    "get_element_format",
    "get_format",
    "integer_format",
    "p3109_format",
    "pack_codes",
    "quantize_block_exact",
    "quantize_blocks",
    "round_to",
    "tensor_scale_exact",
    "unpack_codes",
    "view_as_dtype",
]
