"""Partial products: what a multiplier adds, put into a bit heap.

``add_and_products`` forms one AND per pair of bits. Where exactly one of the two bits has a negative weight (the top
bit of a two's-complement operand), the product bit counts negative: that is the multiplier of Baugh and Wooley. One
operand unsigned gives the rows of shift-and-add: the multiplicand, gated by a multiplier bit, at the place of the bit.

``add_booth_products`` recodes the multiplier into digits -2..2 of radix 4 (modified Booth), so half as many rows
remain; a row is the multiplicand, once or twice, inverted for negative digits, whose missing 1 is one more bit.

Sources: C. R. Baugh and B. A. Wooley, IEEE Trans. Computers C-22 (1973); O. L. MacSorley, Proc. IRE 49 (1961).
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from simhw.circuits.bit_heap import BitHeap


def add_and_products(
    heap: BitHeap, multiplicand: Value, multiplier: Value, *, multiplicand_signed: bool, multiplier_signed: bool
) -> None:
    """Add multiplicand x multiplier as ANDs of all pairs of bits."""
    for row in range(len(multiplier)):
        row_negative = multiplier_signed and row == len(multiplier) - 1
        for place in range(len(multiplicand)):
            bit_negative = multiplicand_signed and place == len(multiplicand) - 1
            product = multiplicand[place] & multiplier[row]
            heap.add_bit(row + place, product, negative=row_negative != bit_negative)


def add_booth_products(
    module: Module,
    heap: BitHeap,
    multiplicand: Value,
    multiplier: Value,
    *,
    multiplicand_signed: bool,
    multiplier_signed: bool,
    name: str = "weight",
) -> None:
    """Add multiplicand x multiplier with the multiplier in digits of radix 4; ``name`` begins its signals' names."""
    bits = len(multiplier)
    top = multiplier[-1] if multiplier_signed else Const(0, 1)
    digits = (bits + 1) // 2 if multiplier_signed else bits // 2 + 1
    extended = Cat(Const(0, 1), multiplier, *(top for _ in range(2 * digits - bits)))
    sign = multiplicand[-1] if multiplicand_signed else Const(0, 1)
    for digit in range(digits):
        low, middle, high = (extended[2 * digit + offset] for offset in range(3))
        once, twice, negative = (Signal(name=f"{name}_{role}_{digit}") for role in ("once", "twice", "negative"))
        module.d.comb += [
            once.eq(low ^ middle),
            twice.eq(Mux(high, ~middle & ~low, middle & low)),
            # The digit of 111 is 0: as no row is chosen, its inversion is given up too.
            negative.eq(high & ~(middle & low)),
        ]
        row = Signal(len(multiplicand) + 1, name=f"{name}_row_{digit}")
        single, double = Cat(multiplicand, sign), Cat(Const(0, 1), multiplicand)
        width = len(row)
        chosen = (single & once.replicate(width)) | (double & twice.replicate(width))
        module.d.comb += row.eq(chosen ^ negative.replicate(width))
        if multiplicand_signed:
            heap.add_signed(row, 2 * digit)
        else:
            # An unsigned multiplicand, inverted, is negative by the weight of one place above the row.
            heap.add_unsigned(row, 2 * digit)
            heap.add_bit(2 * digit + width, negative, negative=True)
        heap.add_bit(2 * digit, negative)
