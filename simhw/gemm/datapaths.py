"""The catalogue of datapaths: one literal each."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from types import MappingProxyType
from typing import Final

from simhw.accumulators import Exact, Ieee
from simhw.accumulators.catalog import get_accumulator
from simhw.accumulators.families import register_bits
from simhw.accumulators.scaled import ScaledAccumulator
from simhw.errors import InputError, unknown_name
from simhw.gemm.datapath import Datapath
from simhw.gemm.integer_presets import integer_presets
from simhw.gemm.presets import presets
from simhw.gemm.rivals import rivals
from simhw.pes import get_pe

_OCP = "OCP Microscaling Formats (MX) v1.0, section 6.2: block dot product, result fp32"


def _mx(name: str, element: str, pe: str, description: str, *, source: str = _OCP) -> Datapath:
    """Return the datapath of a block format whose scheme bears its name."""
    return Datapath(
        name=name,
        description=description,
        activation=element,
        weight=element,
        attention=element,
        pe=pe,
        accumulator=Exact(),
        output="bf16",
        scheme=name,
        source=source,
    )


_LITERALS: Final = (
    Datapath(
        name="fp32",
        description="fp32 operands, chain of fused multiply-adds in fp32",
        activation="fp32",
        weight="fp32",
        attention="fp32",
        pe="fp32_mac",
        accumulator=Ieee(),
        output="fp32",
        scheme="fp32",
        source="IEEE 754-2019, fusedMultiplyAdd",
    ),
    Datapath(
        name="fp16",
        description="fp16 operands, sequential fp32 accumulator, fp16 results",
        activation="fp16",
        weight="fp16",
        attention="fp16",
        pe="fp16_mac",
        accumulator=Ieee(),
        output="fp16",
        scheme="fp16",
        source="mixed-precision MAC as in Micikevicius et al., arXiv 1710.03740",
    ),
    Datapath(
        name="bf16",
        description="bf16 operands, sequential fp32 accumulator, bf16 results",
        activation="bf16",
        weight="bf16",
        attention="bf16",
        pe="bf16_mac",
        accumulator=Ieee(),
        output="bf16",
        scheme="bf16",
        source="Kalamkar et al., A Study of BFLOAT16 for Deep Learning Training, arXiv 1905.12322",
    ),
    Datapath(
        name="w8a8_int8",
        description="int8 x int8 multiplier, int32 accumulator, scales applied to the finished sum",
        activation="int8",
        weight="int8",
        attention="int8",
        pe="int8_mac",
        accumulator=Exact(bits=32),
        output="fp16",
        scheme="w8a8_int8",
        source="Jacob et al., arXiv 1712.05877; per-token and per-channel scales as in LLM.int8(), arXiv 2208.07339",
    ),
    Datapath(
        name="w4a8_dequantize_first",
        description="uint4 group weights turned into int8 one by one before an int8 multiplier, int32 accumulator",
        activation="int8",
        weight="uint4",
        multiplier_weight="int8",
        attention="int8",
        pe="w4a8_dequantize_first",
        accumulator=Exact(bits=32),
        output="fp16",
        scheme="w4a8_mixpe",
        source="the baseline of MixPE (arXiv 2411.16158): scale and zero point per weight, then an int8 PE",
    ),
    Datapath(
        name="w4a8_mixpe",
        description="uint4 x int8 by shift and add, integer group sum, dequantization after each group",
        activation="int8",
        weight="uint4",
        attention="int8",
        pe="mixpe_w4a8",
        accumulator=Exact(),
        accumulator_from_group=True,
        output="fp16",
        scheme="w4a8_mixpe",
        source="MixPE, arXiv 2411.16158",
    ),
    Datapath(
        name="w4a8_mixpe_progressive",
        description="uint4 x int8 by shift and add, integer scale and zero per group, int32 sum, float scales last",
        activation="int8",
        weight="uint4",
        attention="int8",
        pe="mixpe_w4a8_progressive",
        accumulator=Exact(),
        accumulator_from_group=True,
        integer_scales=True,
        output="fp16",
        scheme="w4a8_progressive",
        source="MixPE, arXiv 2411.16158; two-level scales of QServe, arXiv 2405.04532",
    ),
    Datapath(
        name="w4a16_mixpe",
        description="uint4 x fp16 by shift and add of significands, fixed-point group sum, dequantization after it",
        activation="fp16",
        weight="uint4",
        attention="int8",
        pe="mixpe_w4a16",
        accumulator=Exact(),
        accumulator_from_group=True,
        output="fp16",
        scheme="w4a16_mixpe",
        source="MixPE, arXiv 2411.16158",
    ),
    Datapath(
        name="w4a16_dequantize_first",
        description="uint4 group weights rounded to fp16 one by one before an fp16 multiplier, fp32 accumulator",
        activation="fp16",
        weight="uint4",
        multiplier_weight="fp16",
        attention="fp16",
        pe="w4a16_dequantize_first",
        accumulator=Ieee(),
        output="fp16",
        scheme="w4a16_weight_only",
        source="weight-only kernels such as AWQ's (arXiv 2306.00978): dequantize to fp16, then an fp16 GEMM",
    ),
    Datapath(
        name="fp8_e4m3_fp32",
        description="E4M3 operands, exact products, sequential fp32 accumulator",
        activation="e4m3",
        weight="e4m3",
        attention="e4m3",
        pe="fp8_mac",
        accumulator=Ieee(),
        output="bf16",
        scheme="fp8_e4m3",
        source="OCP 8-bit Floating Point Specification (OFP8) v1.0",
    ),
    _mx("mxfp8", "e4m3", "mxfp8_dot", "MXFP8 (E4M3, blocks of 32): exact block dots, fp32 sum over blocks"),
    _mx("mxfp6_e2m3", "e2m3", "mxfp6_dot", "MXFP6 (E2M3, blocks of 32): exact block dots, fp32 sum over blocks"),
    _mx("mxfp6_e3m2", "e3m2", "mxfp6_dot", "MXFP6 (E3M2, blocks of 32): exact block dots, fp32 sum over blocks"),
    _mx("mxfp4", "e2m1", "mxfp4_dot", "MXFP4 (E2M1, blocks of 32): exact block dots, fp32 sum over blocks"),
    _mx("mxint8", "mxint8_element", "mxint8_dot", "MXINT8 (int8 / 64, blocks of 32): exact block dots, fp32 sum"),
    _mx(
        "nvfp4",
        "e2m1",
        "nvfp4_dot",
        "NVFP4 (E2M1, blocks of 16, E4M3 block scales): exact block dots, fp32 sum over blocks",
        source="NVIDIA Blackwell NVFP4: two-level scales, E4M3 per 16 elements and fp32 per tensor",
    ),
)


@cache
def _catalogue() -> MappingProxyType[str, Datapath]:
    return MappingProxyType({d.name: d for d in (*_LITERALS, *rivals(), *integer_presets(), *presets())})


DEFAULT_DATAPATHS: Final = (
    "fp32",
    "fp16",
    "bf16",
    "w8a8_int8",
    "w4a8_dequantize_first",
    "w4a8_mixpe",
    "w4a16_mixpe",
    "fp8_e4m3_fp32",
    "hopper_e4m3_fp32",
    "mxfp8",
    "mxfp4",
    "nvfp4",
)
"""What ``simhw run`` compares unless told otherwise, the float reference first."""

BASELINE: Final = "fp16"
"""Speed-up and energy ratio are against this datapath on the same rows x columns."""


def datapath_names() -> list[str]:
    """Return the names of all datapaths."""
    return list(_catalogue())


def get_datapath(name: str, *, accumulator_bits: int | None = None, accumulator: str | None = None) -> Datapath:
    """Return a datapath by name, optionally with a chosen width of its integer accumulator, or another accumulator.

    Args:
        name: entry name.
        accumulator_bits: width of an integer register that wraps.
        accumulator: name of an accumulator (see ``simhw list accumulators``) that takes the place of the datapath's.

    Raises:
        InputError: an unknown name, a width on a datapath whose accumulator is not an integer (other than the width it
            has), one that does not hold a product or is above 64, or both a width and an accumulator.
    """
    catalogue = _catalogue()
    if name not in catalogue:
        raise unknown_name("datapath", name, catalogue)
    datapath = catalogue[name]
    if accumulator is not None:
        if accumulator_bits is not None:
            raise InputError(
                f"accumulator is {accumulator!r} and accumulator_bits {accumulator_bits}, give one; "
                "the name of an accumulator says its width"
            )
        return _with_accumulator(datapath, accumulator)
    if accumulator_bits is None:
        return datapath
    pe = get_pe(datapath.pe)
    pe.check_accumulator_bits(accumulator_bits)
    if isinstance(datapath.accumulator, Exact):
        return replace(datapath, accumulator=Exact(bits=accumulator_bits), accumulator_from_group=False)
    if pe.fixed_accumulator_bits is None:
        raise InputError(
            f"accumulator_bits is {accumulator_bits}, but the accumulator of {name} is {datapath.accumulator.name}, "
            "which has no such width; leave it out or take a datapath with an integer accumulator, such as w8a8_int8"
        )
    return datapath


def _with_accumulator(datapath: Datapath, name: str) -> Datapath:
    """Return a datapath with an accumulator of the catalogue, of which whole products must fit the register."""
    chosen = get_accumulator(name).accumulator
    if isinstance(datapath.accumulator, ScaledAccumulator):
        raise InputError(
            f"accumulator is {name!r}, that of {datapath.name} takes the scales of its blocks itself and cannot be "
            "replaced; choose another datapath, such as mxfp4"
        )
    pe, width = get_pe(datapath.pe), register_bits(chosen)
    if width is not None and pe.fixed_accumulator_bits is None and width < pe.least_accumulator_bits:
        raise InputError(
            f"accumulator is {name!r} with {width} bits, one product of {datapath.name} needs "
            f"{pe.least_accumulator_bits}; choose a wider one"
        )
    return replace(datapath, accumulator=chosen, accumulator_from_group=False)
