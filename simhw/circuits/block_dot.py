"""Records of block dot products: lanes of E2M1 products, an exact sum, one scale per operand and block, an fp32 total.

A block's sum is an integer in units of 1/4. Behind it every step is the one of ``simhw.gemm.datapath``, rounded to
fp32: the product of both scales, the sum times that product, the total plus that term. A block that starts a new sum
replaces the total by its term, sign of zero included. A sum of zero is +0: an integer has no other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simhw.circuits.base import Circuit, Codes, Port
from simhw.circuits.float_mac import TOTAL
from simhw.circuits.float_sums import NEGATIVE_ZERO, Integers, fp32_codes, fp32_values, values
from simhw.circuits.fp4_mac import quarters
from simhw.circuits.mac_record import frame_circuit
from simhw.errors import InputError
from simhw.formats.catalog import E2M1, E8M0, FP32, UE4M3
from simhw.formats.floating import FloatFormat

if TYPE_CHECKING:
    from simhw.circuits.mac import FrameUpdate

MOST_LANES = (1 << FP32.significand_bits) // 144
"""A product is at most 144 units of 1/4."""


def mxfp4_dot(*, name: str, variant: str, source: str, lanes: int) -> Circuit:
    """Return the circuit of an MXFP4 block dot product: E8M0 scales, whose exponents are added."""

    def update() -> FrameUpdate:
        from simhw.circuits.block_update import scaled_by_powers

        return scaled_by_powers(lanes)

    return _block_dot(
        name=name,
        variant=variant,
        source=source,
        lanes=lanes,
        scale_format=E8M0,
        scaling="exponents of the scales added",
        update=update,
    )


def nvfp4_dot(*, name: str, variant: str, source: str, lanes: int) -> Circuit:
    """Return the circuit of an NVFP4 block dot product: E4M3 scales without sign, multiplied with the sum."""

    def update() -> FrameUpdate:
        from simhw.circuits.block_update import scaled_by_floats

        return scaled_by_floats(lanes, UE4M3)

    return _block_dot(
        name=name,
        variant=variant,
        source=source,
        lanes=lanes,
        scale_format=UE4M3,
        scaling="significands of the scales multiplied with each other and with the sum",
        update=update,
    )


def add_scaled(totals: Integers, first: Integers, sums: NDArray[np.float32], scales: NDArray[np.float32]) -> Integers:
    """Return the fp32 codes of totals plus sums times scales, every step rounded; the term alone where ``first``."""
    with np.errstate(over="ignore", invalid="ignore"):
        old = fp32_values(np.where(first == 1, NEGATIVE_ZERO, totals)).astype(np.float32)
        return fp32_codes(old + sums * scales)


def _block_dot(
    *,
    name: str,
    variant: str,
    source: str,
    lanes: int,
    scale_format: FloatFormat,
    scaling: str,
    update: Callable[[], FrameUpdate],
) -> Circuit:
    if not 1 <= lanes <= MOST_LANES:
        raise InputError(
            f"lanes is {lanes}, must be 1..{MOST_LANES:,}, so that fp32 holds every block sum; "
            "choose how many products lie side by side"
        )
    activations, weights = ([f"{side}_{lane}" for lane in range(lanes)] for side in ("activation", "weight"))
    scales = ("activation_scale", "weight_scale")

    def next_total(codes: Codes, first: Integers, total: Integers) -> Integers:
        sums = sum(quarters(codes[a], codes[w]) for a, w in zip(activations, weights, strict=True))
        factors = (values(codes[side], scale_format).astype(np.float32) for side in scales)
        with np.errstate(over="ignore", invalid="ignore"):
            product = next(factors) * next(factors)
        return add_scaled(total, first, (np.asarray(sums) / 4).astype(np.float32), product)

    return frame_circuit(
        name=name,
        variant=variant,
        description=f"{lanes} products of E2M1 in one bit heap, {scaling}, one-path fp32 adder",
        source=source,
        parameters={"lanes": lanes},
        operands=(
            *(Port(name=lane, bits=E2M1.bits, meaning=E2M1.name) for lane in (*activations, *weights)),
            *(Port(name=side, bits=scale_format.bits, meaning=scale_format.name) for side in scales),
        ),
        forwarded=(*activations, *weights, *scales),
        total=TOTAL,
        next_total=next_total,
        update=update,
    )
