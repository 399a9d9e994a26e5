"""i-GELU of I-BERT in Amaranth: magnitude, clamp, square, sign, shift, product; each wire as wide as its values."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, signed, unsigned

from simhw.circuits.unit import Arithmetic


def gelu(*, linear: int, constant: int, one: int, drop: int, bits: int) -> Arithmetic:
    """Return the maker of ``q (floor(sgn(q) ((min(|q|, -linear) + linear)^2 + constant) / 2^drop) + one)``.

    The sign of q = 0 may be any: the product is 0.

    Args:
        linear: below 0.
        constant: below 0.
        one: 1 in the units of the shifted polynomial, which may be negative.
        drop: bits that are shifted out.
        bits: of q, two's complement.
    """
    edge = -linear

    def make(module: Module, value: Value) -> Value:
        q = value.as_signed()
        magnitude = Signal(unsigned(bits))
        distance = Signal(range(edge + 1))  # from the edge, where the polynomial ends
        polynomial = Signal(range(constant, constant + edge**2 + 1))
        shifted = Signal(range(constant >> drop, -(constant >> drop) + 2))
        module.d.comb += [
            magnitude.eq(Mux(value[-1], -q, q)),
            distance.eq(Mux(magnitude < edge, edge - magnitude, 0)),
            polynomial.eq(distance * distance + constant),
            shifted.eq(Mux(value[-1], -polynomial, polynomial) >> drop),
        ]
        factor = Signal(signed((abs(one) - (constant >> drop)).bit_length() + 1))
        module.d.comb += factor.eq(shifted + one)
        return q * factor

    return make
