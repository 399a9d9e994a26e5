"""The catalogue of schemes: one literal each."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from simhw.errors import unknown_name
from simhw.quant.coded_schemes import coded_schemes
from simhw.quantize import Granularity, OperandScheme, Range, Scheme


def _cast(name: str) -> OperandScheme:
    return OperandScheme(format=name, granularity=Granularity.NONE)


def _rows(name: str) -> OperandScheme:
    return OperandScheme(format=name, granularity=Granularity.ROW)


def _block(name: str) -> OperandScheme:
    return OperandScheme(format=name, granularity=Granularity.BLOCK)


def _group_weights(group_size: int = 128, *, name: str = "uint4", symmetric: bool = False) -> OperandScheme:
    return OperandScheme(
        format=name,
        granularity=Granularity.GROUP,
        group_size=group_size,
        symmetric=symmetric,
        scale_format="fp16",
    )


def _uniform(name: str, description: str, operand: OperandScheme, source: str) -> Scheme:
    return Scheme(
        name=name,
        description=description,
        weight=operand,
        activation=operand,
        attention=operand,
        source=source,
    )


def _fp8_pair(activation: str, weight: str) -> Scheme:
    return Scheme(
        name=f"fp8_{activation}_{weight}",
        description=f"{activation.upper()} activations per token, {weight.upper()} weights per channel, at run time",
        weight=_rows(weight),
        activation=_rows(activation),
        attention=_rows(weight),
        source="Micikevicius et al., FP8 Formats for Deep Learning, arXiv 2209.05433 (E4M3 with E5M2)",
    )


def _integers(name: str, *, weight: str, activation: str) -> Scheme:
    return Scheme(
        name=name,
        description=f"{weight} symmetric weights per channel, {activation} activations per token, int8 keys and values",
        weight=_rows(weight),
        activation=_rows(activation),
        attention=_rows("int8"),
        source="Krishnamoorthi, arXiv 1806.08342",
    )


def _static(range_: Range) -> Scheme:
    return Scheme(
        name=f"w8a8_static_{range_.value}",
        description=f"int8: weights per channel, activations per tensor with calibrated range ({range_.value})",
        weight=_rows("int8"),
        activation=OperandScheme(format="int8", granularity=Granularity.TENSOR, static=True, range=range_),
        attention=_rows("int8"),
        source="Jacob et al., arXiv 1712.05877; Krishnamoorthi, arXiv 1806.08342",
    )


_MIXPE = "MixPE, arXiv 2411.16158; AWQ, arXiv 2306.00978 (asymmetric uint4, groups of 128, fp16 scales)"
_IEEE = "IEEE 754-2019"
_MX = "OCP MX v1.0"
_FNUZ = "AMD Instinct MI300 (CDNA3) ISA"

_ALL: Final = (
    _uniform("fp32", "values as they are", _cast("fp32"), _IEEE),
    _uniform("fp16", "cast to fp16", _cast("fp16"), _IEEE),
    _uniform("tf32", "cast to tf32", _cast("tf32"), "NVIDIA A100 Tensor Core GPU Architecture, 2020"),
    _uniform("bf16", "cast to bf16", _cast("bf16"), "Kalamkar et al., arXiv 1905.12322"),
    _uniform(
        "w8a8_int8",
        "int8 symmetric: weights per channel, activations per token, at run time",
        _rows("int8"),
        "LLM.int8(), arXiv 2208.07339, section 2.1 (vector-wise quantization)",
    ),
    _static(Range.MIN_MAX),
    _static(Range.PERCENTILE),
    _static(Range.MSE),
    Scheme(
        name="w8a8_per_tensor",
        description="int8 symmetric: one scale per tensor, activations at run time",
        weight=OperandScheme(format="int8", granularity=Granularity.TENSOR),
        activation=OperandScheme(format="int8", granularity=Granularity.TENSOR),
        attention=OperandScheme(format="int8", granularity=Granularity.TENSOR),
        source="Krishnamoorthi, arXiv 1806.08342, section 3",
    ),
    Scheme(
        name="w4a8_mixpe",
        description="uint4 asymmetric weights in groups of 128, int8 symmetric activations per token",
        weight=_group_weights(),
        activation=_rows("int8"),
        attention=_rows("int8"),
        source=_MIXPE,
    ),
    Scheme(
        name="w4a8_symmetric",
        description="int4 symmetric weights in groups of 128, int8 symmetric activations per token",
        weight=_group_weights(name="int4", symmetric=True),
        activation=_rows("int8"),
        attention=_rows("int8"),
        source=_MIXPE,
    ),
    Scheme(
        name="w4a8_mse",
        description="uint4 asymmetric weights in groups of 128 with clipped range (least squared error)",
        weight=OperandScheme(
            format="uint4",
            granularity=Granularity.GROUP,
            group_size=128,
            symmetric=False,
            scale_format="fp16",
            range=Range.MSE,
        ),
        activation=_rows("int8"),
        attention=_rows("int8"),
        source=_MIXPE,
    ),
    Scheme(
        name="w4a16_mixpe",
        description="uint4 asymmetric weights in groups of 128, fp16 activations, int8 keys and values per row",
        weight=_group_weights(),
        activation=_cast("fp16"),
        attention=_rows("int8"),
        source=_MIXPE,
    ),
    Scheme(
        name="w4a16_weight_only",
        description="uint4 asymmetric weights in groups of 128, everything else fp16",
        weight=_group_weights(),
        activation=_cast("fp16"),
        attention=_cast("fp16"),
        source="AWQ, arXiv 2306.00978",
    ),
    _uniform(
        "w4a4_int4",
        "int4 symmetric: weights per channel, activations per token, at run time",
        _rows("int4"),
        "Krishnamoorthi, arXiv 1806.08342",
    ),
    _integers("w4a8_channels", weight="int4", activation="int8"),
    _integers("w8a4_int", weight="int8", activation="int4"),
    _uniform(
        "fp8_e4m3",
        "E4M3: weights per channel, activations per token, at run time",
        _rows("e4m3"),
        "ZeroQuant-FP, arXiv 2307.09782 (token-wise FP8)",
    ),
    _uniform(
        "fp8_e5m2",
        "E5M2: weights per channel, activations per token, at run time",
        _rows("e5m2"),
        "OCP 8-bit Floating Point Specification (OFP8) v1.0",
    ),
    *(_fp8_pair(*pair) for pair in (("e4m3", "e5m2"), ("e4m3fnuz", "e5m2fnuz"))),
    *(_fp8_pair(*pair) for pair in (("e5m2", "e4m3"), ("e5m2fnuz", "e4m3fnuz"))),
    *(
        _uniform(
            f"{kind}_{name}",
            f"{name.upper()}: weights per channel, activations per token, at run time",
            _rows(name),
            source,
        )
        for kind, name, source in (
            ("fp8", "e4m3fnuz", _FNUZ),
            ("fp8", "e5m2fnuz", _FNUZ),
            ("fp6", "e3m2", _MX),
            ("fp6", "e2m3", _MX),
            ("fp4", "e2m1", _MX),
        )
    ),
    _uniform("mxfp8", "MXFP8: E4M3 in blocks of 32 along k", _block("mxfp8_e4m3"), "OCP MX v1.0, section 6.3"),
    _uniform("mxfp8_e5m2", "MXFP8: E5M2 in blocks of 32 along k", _block("mxfp8_e5m2"), f"{_MX}, section 6.3"),
    _uniform("mxfp6_e3m2", "MXFP6: E3M2 in blocks of 32 along k", _block("mxfp6_e3m2"), f"{_MX}, section 6.3"),
    _uniform("mxfp6_e2m3", "MXFP6: E2M3 in blocks of 32 along k", _block("mxfp6_e2m3"), f"{_MX}, section 6.3"),
    _uniform("mxint8", "MXINT8: int8 / 64 in blocks of 32 along k", _block("mxint8"), f"{_MX}, section 6.3"),
    _uniform("mxfp4", "MXFP4: E2M1 in blocks of 32 along k", _block("mxfp4"), "OCP MX v1.0, section 6.3"),
    _uniform(
        "mxfp4_block16",
        "E2M1 in blocks of 16 along k, E8M0 scales",
        _block("e2m1_e8m0_b16"),
        "PTX ISA 8.7, mma kind mxf4nvf4 with block16 and ue8m0 scales",
    ),
    _uniform(
        "nvfp4",
        "NVFP4: E2M1 in blocks of 16 along k with E4M3 scales, fp32 scale per tensor",
        _block("nvfp4"),
        "NVIDIA NVFP4: two-level scaling",
    ),
)

_BY_NAME: Final = MappingProxyType({scheme.name: scheme for scheme in (*_ALL, *coded_schemes())})


def scheme_names() -> list[str]:
    """Return the names of all schemes."""
    return list(_BY_NAME)


def get_scheme(name: str) -> Scheme:
    """Return a scheme by name. Raises InputError for an unknown one."""
    if name not in _BY_NAME:
        raise unknown_name("scheme", name, _BY_NAME)
    return _BY_NAME[name]
