"""Schemes of published accelerators whose codes are more than one rounded number each, one literal each."""

from __future__ import annotations

from simhw.quantize import Coding, Granularity, OperandScheme, Range, Scheme

_ANT = "Guo et al., ANT, MICRO 2022, arXiv 2208.14286 (flint4 for all tensors, the type is not searched)"
_OLIVE = "Guo et al., OliVe, ISCA 2023, arXiv 2304.07493 (scales searched around three sigma, at run time)"
_TENDER = "Lee et al., Tender, ISCA 2024, arXiv 2406.12930 (groups at run time, without the channel bias)"
_FIGNA = "Jang et al., FIGNA, HPCA 2024"
_QSERVE = "Lin et al., QServe, arXiv 2405.04532 (progressive group quantization, protective range 119)"
_LUT = "Mo et al., LUT Tensor Core, ISCA 2025, arXiv 2408.06003"


def _rows(name: str, *, range_: Range = Range.MIN_MAX, coding: Coding = Coding.PLAIN) -> OperandScheme:
    return OperandScheme(format=name, granularity=Granularity.ROW, range=range_, coding=coding)


def _groups(name: str, coding: Coding, *, symmetric: bool = False, scale_format: str = "fp16") -> OperandScheme:
    return OperandScheme(
        format=name,
        granularity=Granularity.GROUP,
        group_size=128,
        symmetric=symmetric,
        scale_format=scale_format,
        coding=coding,
    )


def _tender(bits: int, name: str) -> Scheme:
    return Scheme(
        name=name,
        description=f"int{bits} weights per channel, int{bits} activations in 8 channel groups with scales 2 apart",
        weight=_rows(f"int{bits}"),
        activation=OperandScheme(
            format=f"int{bits}_shifted", granularity=Granularity.TENSOR, coding=Coding.CHANNEL_SHIFTS
        ),
        attention=_rows(f"int{bits}"),
        source=_TENDER,
    )


def _lut(bits: int) -> Scheme:
    return Scheme(
        name=f"lut_w{bits}a8",
        description=f"uint{bits} asymmetric weights in groups of 128 read as odd integers, int8 activations per token",
        weight=_groups(f"odd{bits}", Coding.ODD),
        activation=_rows("int8"),
        attention=OperandScheme(format="odd8", granularity=Granularity.ROW, symmetric=False, coding=Coding.ODD),
        source=_LUT,
    )


_CODED = (
    Scheme(
        name="ant_flint4",
        description="flint4: weights per channel, activations per tensor, calibrated, ranges of least squared error",
        weight=_rows("flint4", range_=Range.MSE),
        activation=OperandScheme(format="flint4", granularity=Granularity.TENSOR, static=True, range=Range.MSE),
        attention=_rows("flint4"),
        source=_ANT,
    ),
    Scheme(
        name="olive",
        description="outlier-victim pairs of int4 and abfloat: weights per channel, activations per token",
        weight=_rows("olive_lane", coding=Coding.OUTLIER_VICTIM),
        activation=_rows("olive_lane", coding=Coding.OUTLIER_VICTIM),
        attention=_rows("olive_lane", coding=Coding.OUTLIER_VICTIM),
        source=_OLIVE,
    ),
    _tender(4, "tender"),
    _tender(8, "tender_w8a8"),
    Scheme(
        name="figna",
        description="int4 symmetric weights in groups of 128, fp16 activations aligned per 128, int8 keys and values",
        weight=_groups("int4", Coding.PLAIN, symmetric=True),
        activation=_groups("int16", Coding.ALIGNED, symmetric=True, scale_format="fp32"),
        attention=_rows("int8"),
        source=_FIGNA,
    ),
    _lut(4),
    _lut(2),
    Scheme(
        name="w4a8_progressive",
        description="uint4 weights in groups of 128 with integer scales within int8 per channel, int8 activations",
        weight=_groups("uint4", Coding.TWO_LEVELS, scale_format="int8"),
        activation=_rows("int8"),
        attention=_rows("int8"),
        source=_QSERVE,
    ),
)


def coded_schemes() -> tuple[Scheme, ...]:
    """Return all of them."""
    return _CODED
