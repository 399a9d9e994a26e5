"""Every named format, one literal each."""

from __future__ import annotations

from simhw.formats.block import BlockFormat
from simhw.formats.codebook import CodebookFormat
from simhw.formats.coded import CODED
from simhw.formats.element import ElementFormat
from simhw.formats.families import integer_format, p3109_format
from simhw.formats.floating import FloatFormat, NanCodes
from simhw.formats.integer import IntegerFormat
from simhw.formats.rounding import ScaleRule

_OFP8 = "OCP 8-bit Floating Point Specification (OFP8) 1.0, 2023"
_MX = "OCP Microscaling Formats (MX) Specification 1.0, 2023"
_IEEE = "IEEE 754-2019"
_AMD = "AMD Instinct MI300 (CDNA3) ISA; Noune et al., 8-bit Numerical Formats, arXiv 2206.02915"

E4M3 = FloatFormat(name="e4m3", exponent_bits=4, mantissa_bits=3, bias=7, nan=NanCodes.ALL_ONES, source=_OFP8)
E5M2 = FloatFormat(
    name="e5m2", exponent_bits=5, mantissa_bits=2, bias=15, infinity=True, nan=NanCodes.IEEE, source=_OFP8
)
E3M2 = FloatFormat(name="e3m2", exponent_bits=3, mantissa_bits=2, bias=3, source=_MX)
E2M3 = FloatFormat(name="e2m3", exponent_bits=2, mantissa_bits=3, bias=1, source=_MX)
E2M1 = FloatFormat(name="e2m1", exponent_bits=2, mantissa_bits=1, bias=1, source=_MX)
E8M0 = FloatFormat(
    name="e8m0",
    exponent_bits=8,
    mantissa_bits=0,
    bias=127,
    is_signed=False,
    has_zero=False,
    nan=NanCodes.ALL_ONES,
    source=_MX,
)
UE4M3 = FloatFormat(
    name="ue4m3",
    exponent_bits=4,
    mantissa_bits=3,
    bias=7,
    is_signed=False,
    nan=NanCodes.ALL_ONES,
    source="NVIDIA PTX ISA 8.7, .ue4m3 scale of mma.block_scale: E4M3 without its sign",
)
E4M3_IEEE = FloatFormat(
    name="e4m3_ieee",
    exponent_bits=4,
    mantissa_bits=3,
    bias=7,
    infinity=True,
    nan=NanCodes.IEEE,
    source="ml_dtypes float8_e4m3: E4M3 with the special values of IEEE 754",
)
E3M4 = FloatFormat(
    name="e3m4",
    exponent_bits=3,
    mantissa_bits=4,
    bias=3,
    infinity=True,
    nan=NanCodes.IEEE,
    source="ml_dtypes float8_e3m4: special values of IEEE 754",
)
E4M3FNUZ = FloatFormat(
    name="e4m3fnuz", exponent_bits=4, mantissa_bits=3, bias=8, nan=NanCodes.NEGATIVE_ZERO, source=_AMD
)
E5M2FNUZ = FloatFormat(
    name="e5m2fnuz", exponent_bits=5, mantissa_bits=2, bias=16, nan=NanCodes.NEGATIVE_ZERO, source=_AMD
)
E4M3B11FNUZ = FloatFormat(
    name="e4m3b11fnuz",
    exponent_bits=4,
    mantissa_bits=3,
    bias=11,
    nan=NanCodes.NEGATIVE_ZERO,
    source="ml_dtypes float8_e4m3b11fnuz: hybrid FP8 with bias 11, Sun et al., NeurIPS 2019",
)
BF16 = FloatFormat(
    name="bf16",
    exponent_bits=8,
    mantissa_bits=7,
    bias=127,
    infinity=True,
    nan=NanCodes.IEEE,
    source="Intel, BFLOAT16 Hardware Numerics Definition 1.0, 2018",
)
FP16 = FloatFormat(
    name="fp16", exponent_bits=5, mantissa_bits=10, bias=15, infinity=True, nan=NanCodes.IEEE, source=_IEEE
)
TF32 = FloatFormat(
    name="tf32",
    exponent_bits=8,
    mantissa_bits=10,
    bias=127,
    infinity=True,
    nan=NanCodes.IEEE,
    source="NVIDIA A100 Tensor Core GPU Architecture, 2020: the upper 19 bits of an fp32 word",
)
FP32 = FloatFormat(
    name="fp32", exponent_bits=8, mantissa_bits=23, bias=127, infinity=True, nan=NanCodes.IEEE, source=_IEEE
)
MXINT8_ELEMENT = IntegerFormat(
    name="mxint8_element", width=8, is_signed=True, fraction_bits=6, symmetric=True, source=_MX
)

# Sign, then three bits of which the first one that is set tells the exponent: 0xx are integers, 11x is 4 or 6,
# 101 is 8 and 100 is 16. Code 8 would be -0.
FLINT4 = CodebookFormat(
    name="flint4",
    values=(0, 1, 2, 3, 16, 8, 4, 6, 0, -1, -2, -3, -16, -8, -4, -6),
    source="Guo et al., ANT, MICRO 2022, arXiv 2208.14286; values as its artifact has them",
)
# Sign, two exponent bits from 2**5 on, one mantissa bit; the first code of each sign is left to zero.
ABFLOAT4 = CodebookFormat(
    name="abfloat4",
    values=(0, 48, 64, 96, 128, 192, 256, 384, 0, -48, -64, -96, -128, -192, -256, -384),
    source="Guo et al., OliVe, ISCA 2023, arXiv 2304.07493; exponent base 5 as its artifact has it",
)
NF4 = CodebookFormat(
    name="nf4",
    values=(
        -1.0,
        -0.6961928009986877,
        -0.5250730514526367,
        -0.39491748809814453,
        -0.28444138169288635,
        -0.18477343022823334,
        -0.09105003625154495,
        0.0,
        0.07958029955625534,
        0.16093020141124725,
        0.24611230194568634,
        0.33791524171829224,
        0.44070982933044434,
        0.5626170039176941,
        0.7229568362236023,
        1.0,
    ),
    source="Dettmers et al., QLoRA, 2023, arXiv 2305.14314; float32 values of bitsandbytes",
)

ELEMENTS: dict[str, ElementFormat] = {
    fmt.name: fmt
    for fmt in (
        *(integer_format(bits=bits, signed=True) for bits in range(2, 33)),
        *(integer_format(bits=bits, signed=False) for bits in range(2, 33)),
        E4M3,
        E5M2,
        E3M2,
        E2M3,
        E2M1,
        E8M0,
        UE4M3,
        E4M3_IEEE,
        E3M4,
        E4M3FNUZ,
        E5M2FNUZ,
        E4M3B11FNUZ,
        BF16,
        FP16,
        TF32,
        FP32,
        MXINT8_ELEMENT,
        *(
            p3109_format(bits=8, precision=precision, signed=signed, extended=extended)
            for signed in (True, False)
            for extended in (True, False)
            for precision in range(1, 8)
        ),
        FLINT4,
        ABFLOAT4,
        NF4,
        *CODED,
    )
}

BLOCKS: dict[str, BlockFormat] = {
    fmt.name: fmt
    for fmt in (
        BlockFormat(name="mxfp8_e4m3", element=E4M3, scale=E8M0, block_size=32, source=_MX),
        BlockFormat(name="mxfp8_e5m2", element=E5M2, scale=E8M0, block_size=32, source=_MX),
        BlockFormat(name="mxfp6_e3m2", element=E3M2, scale=E8M0, block_size=32, source=_MX),
        BlockFormat(name="mxfp6_e2m3", element=E2M3, scale=E8M0, block_size=32, source=_MX),
        BlockFormat(name="mxfp4", element=E2M1, scale=E8M0, block_size=32, source=_MX),
        BlockFormat(name="mxint8", element=MXINT8_ELEMENT, scale=E8M0, block_size=32, source=_MX),
        BlockFormat(
            name="nvfp4",
            element=E2M1,
            scale=E4M3,
            block_size=16,
            has_tensor_scale=True,
            scale_rule=ScaleRule.AMAX,
            scale_minimum_exponent=-6,
            source="NVIDIA Blackwell NVFP4: E4M3 scale per 16 elements under one float32 scale per tensor",
        ),
    )
}

ALIASES: dict[str, str] = {
    "mxfp8": "mxfp8_e4m3",
    "mxfp6": "mxfp6_e2m3",
    "mxfp4_e2m1": "mxfp4",
    "e4m3fn": "e4m3",
    "e2m1fn": "e2m1",
    "e2m3fn": "e2m3",
    "e3m2fn": "e3m2",
    "e8m0fnu": "e8m0",
    "float8_e4m3fn": "e4m3",
    "float8_e5m2": "e5m2",
    "float8_e4m3": "e4m3_ieee",
    "float8_e3m4": "e3m4",
    "float8_e4m3fnuz": "e4m3fnuz",
    "float8_e5m2fnuz": "e5m2fnuz",
    "float8_e4m3b11fnuz": "e4m3b11fnuz",
    "float8_e8m0fnu": "e8m0",
    "float6_e2m3fn": "e2m3",
    "float6_e3m2fn": "e3m2",
    "float4_e2m1fn": "e2m1",
    "bfloat16": "bf16",
    "float16": "fp16",
    "float32": "fp32",
}
"""Other names of the same formats: those of ml_dtypes, and the usual short ones."""
