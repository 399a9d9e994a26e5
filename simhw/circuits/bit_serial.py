"""Serial operands: bit planes of activations (Stripes), or terms of weights, and the encoder that finds the terms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simhw.circuits.base import Circuit, Codes, Port, check_accumulator, require_rtl
from simhw.circuits.codes import to_code, to_signed
from simhw.circuits.mac_record import Integers, frame_circuit

if TYPE_CHECKING:
    from simhw.circuits.mac import FrameUpdate

WEIGHT_BITS = 8
DIGITS = 4
"""Radix-4 digits of an int8 weight."""


def bit_plane_lanes(
    *, name: str, variant: str, source: str, lanes: int, activation_bits: int, accumulator_bits: int
) -> Circuit:
    """Return the circuit that adds weights gated by one bit of each activation, at the place of that bit.

    Args:
        name: of the module.
        variant: which structure.
        source: where the structure comes from.
        lanes: products side by side.
        activation_bits: bits of an activation; that many clocks make the products.
        accumulator_bits: width of the accumulator.

    Raises:
        InputError: the accumulator cannot hold one product, or is wider than a port may be.
    """
    least = activation_bits + WEIGHT_BITS
    check_accumulator(accumulator_bits, least, f"a product of int{activation_bits} and int{WEIGHT_BITS}")

    def next_total(codes: Codes, first: Integers, total: Integers) -> Integers:
        plane = sum(
            (codes["activation"] >> lane & 1) * to_signed(codes[f"weight_{lane}"], WEIGHT_BITS) for lane in range(lanes)
        )
        term = np.where(codes["negative"] == 1, -plane, plane) << codes["place"]
        return to_code(np.where(first == 1, 0, total) + term, accumulator_bits)

    def update() -> FrameUpdate:
        from simhw.circuits.bit_serial_update import add_bit_plane

        return add_bit_plane(lanes)

    weights = tuple(Port(name=f"weight_{lane}", bits=WEIGHT_BITS, meaning="int8") for lane in range(lanes))
    return frame_circuit(
        name=name,
        variant=variant,
        description=f"{lanes} gated weights compressed to one sum, shifted by the bit's place, added or subtracted",
        source=source,
        parameters={"lanes": lanes, "activation_bits": activation_bits, "accumulator_bits": accumulator_bits},
        operands=(
            Port(name="activation", bits=lanes, meaning="one bit of each activation"),
            *weights,
            Port(name="place", bits=(activation_bits - 1).bit_length(), meaning="place of the bit"),
            Port(name="negative", bits=1, meaning="the bit is a sign: its sum is subtracted"),
        ),
        forwarded=("activation", *(port.name for port in weights), "place", "negative"),
        total=Port(name="total", bits=accumulator_bits, meaning=f"sum, int{accumulator_bits}, wraps"),
        next_total=next_total,
        update=update,
        cycles=activation_bits,
    )


def term_mac(*, name: str, variant: str, source: str, accumulator_bits: int) -> Circuit:
    """Return the circuit that adds one term of a weight times an activation per clock.

    Raises:
        InputError: the accumulator cannot hold one product, or is wider than a port may be.
    """
    check_accumulator(accumulator_bits, 2 * WEIGHT_BITS, "a product of int8 and int8")

    def next_total(codes: Codes, first: Integers, total: Integers) -> Integers:
        valid, negative, doubled = (codes["term"] >> place & 1 for place in range(3))
        value = to_signed(codes["activation"], 8) * valid * (1 + doubled)
        value = np.where(negative == 1, -value, value)
        return to_code(np.where(first == 1, 0, total) + (value << 2 * (codes["term"] >> 3)), accumulator_bits)

    def update() -> FrameUpdate:
        from simhw.circuits.bit_serial_update import add_term

        return add_term

    return frame_circuit(
        name=name,
        variant=variant,
        description="the activation, doubled, negated and shifted as a term says, one carry-propagate adder",
        source=source,
        parameters={"accumulator_bits": accumulator_bits},
        operands=(
            Port(name="activation", bits=8, meaning="int8"),
            Port(name="term", bits=5, meaning="valid, negative, doubled, two bits of place, lowest first"),
        ),
        forwarded=("activation", "term"),
        total=Port(name="total", bits=accumulator_bits, meaning=f"sum, int{accumulator_bits}, wraps"),
        next_total=next_total,
        update=update,
    )


def term_encoder(*, name: str, variant: str, source: str) -> Circuit:
    """Return the circuit that sends a weight's nonzero Booth digits, lowest first, one per clock.

    It takes the next weight in the clock in which ``ready`` is 1, that of the last term. A weight without terms takes
    one clock, in which the term is not valid.
    """

    def step(codes: Codes) -> dict[str, Integers]:
        held, waiting = codes["weight_q"], codes["waiting"]
        lowest = waiting & -waiting
        place = lowest >> 1 & 1 | 2 * (lowest >> 2 & 1) | 3 * (lowest >> 3 & 1)
        digit = _digit(held, place)
        valid = (waiting != 0).astype(np.int64)
        term = valid + 2 * (digit < 0) + 4 * (np.abs(digit) == 2) + 8 * place
        ready = waiting == lowest
        nonzero = sum((_digit(codes["weight"], index) != 0).astype(np.int64) << index for index in range(DIGITS))
        return {
            "weight_q": np.where(ready, codes["weight"], held),
            "waiting": np.where(ready, nonzero, waiting - lowest),
            "term": term * valid,
            "ready": ready.astype(np.int64),
        }

    def build() -> Any:
        require_rtl()
        from simhw.circuits.bit_serial_update import TermEncoder

        return TermEncoder()

    weight = Port(name="weight", bits=WEIGHT_BITS, meaning="int8; int4 sign-extended, uint4 with zeros above")
    return Circuit(
        name=name,
        variant=variant,
        description="all Booth digits decoded at once, a mask of those not sent yet, the lowest one selected",
        source=source,
        parameters={"digits": DIGITS},
        inputs=(weight,),
        state=(
            Port(name="weight_q", bits=WEIGHT_BITS, meaning="weight whose terms are sent"),
            Port(name="waiting", bits=DIGITS, meaning="digits not sent yet, a bit each"),
        ),
        outputs=(
            Port(name="term", bits=5, meaning="valid, negative, doubled, two bits of place, lowest first"),
            Port(name="ready", bits=1, meaning="the next weight is taken"),
        ),
        build=build,
        step=step,
    )


def _digit(weight: Integers, place: Integers | int) -> Integers:
    """Return the radix-4 Booth digit at 4^place."""
    bits: Integers = to_signed(weight, WEIGHT_BITS) << 1 >> 2 * place
    digit: Integers = (bits & 1) + (bits >> 1 & 1) - 2 * (bits >> 2 & 1)
    return digit
