"""Accumulators of AMD's matrix cores as data.

Source: MMA-Sim (arXiv 2511.10909), its models of ``v_mfma`` on CDNA1, CDNA2 and CDNA3.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from simhw.accumulators.amd_aligned import AmdAligned
from simhw.accumulators.amd_flushing import AmdFlushing
from simhw.accumulators.amd_fused import AmdFused
from simhw.accumulators.base import Accumulator
from simhw.accumulators.ieee import Ieee
from simhw.errors import InputError, unknown_name
from simhw.formats import FloatFormat, get_element_format

BF16_PAIRS: Final = "bf16_pairs"
"""CDNA2's bf16 instructions without ``_1k``, kept from CDNA1: products are added by two instead of four."""


def _normal(name: str) -> int:
    form = get_element_format("bf16" if name == BF16_PAIRS else name)
    assert isinstance(form, FloatFormat)
    return form.minimum_exponent


def _fused(block: int) -> Callable[[str, str], Accumulator]:
    return lambda a, b: AmdFused(block=block)  # noqa: ARG005


def _flushing(block: int) -> Callable[[str, str], Accumulator]:
    return lambda a, b: AmdFlushing(block=block, smallest_normals=(_normal(a), _normal(b)))


def _aligned(block: int, *, interleaved: bool = False) -> Callable[[str, str], Accumulator]:
    return lambda a, b: AmdAligned(block=block, minimum_exponents=(_normal(a), _normal(b)), interleaved=interleaved)


def _chain(a: str, b: str) -> Accumulator:  # noqa: ARG001
    return Ieee()


MATRIX_CORES: Final = MappingProxyType(
    {
        "cdna1": MappingProxyType({"fp32": _chain, "fp16": _fused(4), "bf16": _fused(2)}),
        "cdna2": MappingProxyType(
            {"fp32": _chain, "fp16": _flushing(4), "bf16": _flushing(4), BF16_PAIRS: _flushing(2)}
        ),
        "cdna3": MappingProxyType(
            {
                "fp32": _chain,
                "xf32": _aligned(4),
                "fp16": _aligned(8),
                "bf16": _aligned(8),
                "e4m3fnuz": _aligned(16, interleaved=True),
                "e5m2fnuz": _aligned(16, interleaved=True),
            }
        ),
    }
)
"""Rule of each architecture's operand formats; all results are fp32."""


def matrix_core(architecture: str, operands: str, weights: str | None = None) -> Accumulator:
    """Return the accumulator of an architecture for an operand format.

    ``weights`` is the second operand's format where it differs (one FP8 format with the other). Raises InputError for
    an architecture or format that the hardware has not.
    """
    if architecture not in MATRIX_CORES:
        raise unknown_name("matrix core", architecture, MATRIX_CORES)
    core = MATRIX_CORES[architecture]
    weights = weights or operands
    for given in (operands, weights):
        if given not in core:
            raise InputError(
                f"{architecture} matrix cores have no {given} operands, they take {', '.join(core)}; "
                "choose one of those or a newer architecture"
            )
    if weights != operands and not (operands.endswith("fnuz") and weights.endswith("fnuz")):
        raise InputError(f"operands are {operands} and {weights}, only two FP8 formats can be mixed; take one of them")
    return core[operands](*("tf32" if name == "xf32" else name for name in (operands, weights)))
