"""What a processing element is: its product, the widths behind it, and the parts it is made of.

A PE multiplies one activation by one weight and adds the product to an accumulator. Here stands what it
computes (``product``, exactly, as the hardware does it), how wide its signals are and which worst case
sets them, in how many cycles it does it, and which parts it takes. What it costs follows from the parts
and a ``CostTable``; how fast a GEMM runs on an array of them follows from ``cycles_per_product`` and
``simhw.arrays``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.costs import CostTable, Part, Register, Shared
from simhw.errors import InputError
from simhw.formats import get_element_format
from simhw.signals import Signal

Product = Callable[[int, int], Fraction]
"""``(activation code, weight code)`` -> exact value of the product; raises InputError for NaN and
infinity."""

Accumulation = Callable[[int], tuple[Part, ...]]
"""``accumulator bits`` -> the parts of one accumulation."""

WeightCycles = Callable[[NDArray[np.unsignedinteger[Any]], str], NDArray[np.int64]]
"""``(weight codes, weight format)`` -> cycles of one product with each of them."""

WIDEST_ACCUMULATOR = 64
"""Bits of the widest accumulator that the engine carries."""


class Dequantization(Enum):
    """Where scales (and zero points) meet the numbers."""

    NONE = "none"
    """Nowhere: the operands are numbers as they stand."""
    AFTER_ACCUMULATION = "after_accumulation"
    """Once per output: one scale per token and one per channel leave the sum over k."""
    BEFORE_MULTIPLY = "before_multiply"
    """Once per weight that enters the array: the multiplier sees dequantized weights."""
    IN_PE = "in_pe"
    """Once per weight that a PE takes, by a dequantizer in each of them: codes travel, the multiplier sees dequantized
    weights."""
    AFTER_GROUP = "after_group"
    """Once per output and group of k: the multiplier sees codes, each group's sum is scaled."""


class Dequantizers(Enum):
    """How many dequantizers the array has; decides area and stalls, never the number of operations."""

    PER_COLUMN = "per_column"
    """One at the foot (or head) of each column, one operation per cycle."""
    PER_BLOCK = "per_block"
    """One for each block of lanes, as in a block dot product unit; it never stalls."""


@dataclass(frozen=True, kw_only=True)
class DequantizationParts:
    """The parts of one dequantization operation of each kind (kinds as in ``simhw.arrays.dequantize``).

    Attributes:
        weight: turn one weight code into what the multiplier takes, before it.
        scale: scale one group's sum and add it to the output.
        zero_point: subtract zero point times sum of activations from one group's sum.
        activation_sum: add one activation to its group's sum of activations.
        output: scale one finished output.
    """

    weight: tuple[Part, ...] = ()
    scale: tuple[Part, ...] = ()
    zero_point: tuple[Part, ...] = ()
    activation_sum: tuple[Part, ...] = ()
    output: tuple[Part, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ProcessingElement:
    """One processing element: every file ``simhw/pes/NAME.py`` binds exactly one, as ``PE``.

    Attributes:
        name: entry name, equal to the file name.
        description: one sentence.
        source: where the arithmetic and the structure come from.
        activation_format: format of the first operand.
        weight_format: format of the second operand as the multiplier sees it.
        stored_weight_format: format that weights are stored and moved in, where it is another one.
        products: exact product by ``(activation format, weight format)``: every pairing that the PE executes.
        products_per_cycle: multiply-accumulates per cycle by ``(activation bits, weight bits)``: below 1 where
            one takes several cycles, above 1 where the unit takes several at once, which it sums.
        weight_cycles: exact cycles of one product by weight code, where they depend on the data;
            ``products_per_cycle`` then has the worst case. None: they do not.
        lanes: products side by side that start and end together, where ``products_per_cycle`` does not say it: a serial
            unit of 16 lanes that takes 8 cycles does not do 2 products in one. None: as few as it allows.
        activation_stays: whether an activation is read once, however many cycles its product takes (serial PEs);
            else it is read again in each of them.
        product_bits: width of the product as it leaves the multiplier: two's complement for integers, the
            exact significand without sign for floating point.
        fixed_accumulator_bits: width of an accumulator that is no choice (fp32: 32), else None.
        least_accumulator_bits: narrowest accumulator that holds one product.
        worst_case_bits: ``(group size, weight format)`` -> width that no sum over a group overflows.
        register_bits: operand registers (activation and weight travel through the array).
        multiplier: parts of the multiplier, without registers.
        accumulation: parts of one accumulation, by accumulator width, with the accumulator's own register.
        dequantization: where scales meet the numbers.
        dequantizers: how many dequantizers an array has.
        dequantize_parts: group size -> the parts of one operation of each kind.
        block_size: group size that the format itself fixes (MX, NVFP4), else None.
        signals: the signals inside, in the order in which data meet them; the accumulator's width follows from
            ``worst_case_bits``.
    """

    name: str
    description: str
    source: str
    activation_format: str
    weight_format: str
    stored_weight_format: str | None = None
    products: Mapping[tuple[str, str], Product] = field(hash=False, repr=False)
    products_per_cycle: Mapping[tuple[int, int], int | Fraction] = field(hash=False)
    weight_cycles: WeightCycles | None = field(default=None, repr=False)
    lanes: int | None = None
    activation_stays: bool = False
    product_bits: int
    fixed_accumulator_bits: int | None = None
    least_accumulator_bits: int
    worst_case_bits: Callable[[int, str], int] = field(repr=False)
    register_bits: int
    multiplier: tuple[Part, ...]
    accumulation: Accumulation = field(repr=False)
    dequantization: Dequantization
    dequantizers: Dequantizers = Dequantizers.PER_COLUMN
    dequantize_parts: Callable[[int], DequantizationParts] = field(repr=False)
    block_size: int | None = None
    signals: tuple[Signal, ...] = ()

    def product(
        self,
        activation_code: int,
        weight_code: int,
        *,
        activation_format: str | None = None,
        weight_format: str | None = None,
    ) -> Fraction:
        """Return the exact product of two codes, as the hardware forms it.

        Raises:
            InputError: the PE does not execute these formats, a code is out of range, or stands for NaN or
                infinity.
        """
        return self._pairing(activation_format, weight_format)(activation_code, weight_code)

    def cycles_per_product(self, weight_bits: int, activation_bits: int | None = None) -> Fraction:
        """Return the cycles of one multiply-accumulate, the worst case where they depend on the data.

        Args:
            weight_bits: of the second operand.
            activation_bits: of the first; None: of the PE's own activation format.

        Raises:
            InputError: the PE cannot execute these widths.
        """
        widths = (activation_bits or get_element_format(self.activation_format).bits, weight_bits)
        try:
            return 1 / Fraction(self.products_per_cycle[widths])
        except KeyError:
            allowed = ", ".join(f"{a} x {w}" for a, w in sorted(self.products_per_cycle))
            raise InputError(
                f"operands have {widths[0]} x {widths[1]} bits, {self.name} executes {allowed}; "
                "choose another format or PE"
            ) from None

    def word(self, weight_bits: int, activation_bits: int | None = None) -> tuple[int, int]:
        """Return the cycles that a word of products takes, and how many products it has.

        Raises:
            InputError: as ``cycles_per_product``.
        """
        cycles = self.cycles_per_product(weight_bits, activation_bits)
        lanes = self.lanes or cycles.denominator
        return int(cycles * lanes), lanes

    def count_cycles(self, codes: NDArray[np.unsignedinteger[Any]], weight_format: str) -> NDArray[np.uint8] | None:
        """Return the exact cycles of one product with each weight, None where they do not depend on the weight."""
        return None if self.weight_cycles is None else self.weight_cycles(codes, weight_format).astype(np.uint8)

    def group_accumulator_bits(self, group_size: int, weight_format: str | None = None) -> int:
        """Return the accumulator width that no sum over ``group_size`` products overflows.

        Raises:
            InputError: the group size is below 1, or the sum needs more than 64 bits.
        """
        if group_size < 1:
            raise InputError(f"group size is {group_size}, must be at least 1; give the length of a group along k")
        wanted = weight_format or self.weight_format
        if all(weight != wanted for _, weight in self.products):
            self._pairing(None, wanted)  # refuses it
        bits = self.worst_case_bits(group_size, wanted)
        if bits > WIDEST_ACCUMULATOR:
            raise InputError(
                f"a group of {group_size} needs {bits} accumulator bits in {self.name}, "
                f"at most {WIDEST_ACCUMULATOR} are carried; choose a smaller group"
            )
        return bits

    def check_accumulator_bits(self, bits: int) -> None:
        """Refuse a width that cannot hold one product.

        A width below ``group_accumulator_bits`` is allowed: it may overflow, and the engine counts how often.

        Raises:
            InputError: the width is below one product, above 64, or not the one the PE has.
        """
        fixed = self.fixed_accumulator_bits
        if fixed is not None and bits != fixed:
            raise InputError(
                f"accumulator_bits is {bits}, {self.name} has one of {fixed}; give {fixed} or leave it out"
            )
        if not self.least_accumulator_bits <= bits <= WIDEST_ACCUMULATOR:
            least = self.least_accumulator_bits
            raise InputError(
                f"accumulator_bits is {bits}, must be {least}..{WIDEST_ACCUMULATOR}; one product of "
                f"{self.activation_format} x {self.weight_format} needs {least} "
                f"(see 'simhw explain {self.name}')"
            )

    @property
    def multiply_parts(self) -> tuple[Part, ...]:
        """The parts that one multiplication uses: operand registers and multiplier."""
        return (Register(bits=self.register_bits), *self.multiplier)

    def accumulate_parts(self, accumulator_bits: int) -> tuple[Part, ...]:
        """Return the parts that one accumulation uses: adder and accumulator register.

        Raises:
            InputError: as ``check_accumulator_bits``.
        """
        self.check_accumulator_bits(accumulator_bits)
        return self.accumulation(accumulator_bits)

    def multiply_energy_pj(self, table: CostTable) -> float:
        """Return the energy in picojoules of one cycle of the multiplier."""
        return table.total_energy_pj(self.multiply_parts)

    def accumulate_energy_pj(self, table: CostTable, accumulator_bits: int) -> float:
        """Return the energy in picojoules of one accumulation, once per cycle."""
        return table.total_energy_pj(self.accumulate_parts(accumulator_bits))

    def area_um2(self, table: CostTable, accumulator_bits: int) -> float:
        """Return the area in square micrometres of one PE, with its share of a dequantizer that a block
        owns."""
        parts = (*self.multiply_parts, *self.accumulate_parts(accumulator_bits))
        area_um2 = table.total_area_um2(parts)
        if self.dequantizers is Dequantizers.PER_BLOCK:
            lanes = self.block_size or 1
            scale = self.dequantize_parts(lanes).scale
            area_um2 += table.total_area_um2(Shared(part=part, lanes=lanes) for part in scale)
        return area_um2

    def _pairing(self, activation_format: str | None, weight_format: str | None) -> Product:
        wanted = (activation_format or self.activation_format, weight_format or self.weight_format)
        if wanted not in self.products:
            pairs = (f"{activation} x {weight}" for activation, weight in self.products)
            raise InputError(
                f"{self.name} was given {wanted[0]} x {wanted[1]}, it executes {', '.join(pairs)}; "
                "choose other formats or another PE"
            )
        return self.products[wanted]


def signed_bits(lowest: int, highest: int) -> int:
    """Return the two's-complement width that holds every integer from ``lowest`` to ``highest``.

    >>> signed_bits(-128, 127), signed_bits(0, 128), signed_bits(0, 0)
    (8, 9, 1)
    """
    return 1 + max((-1 - lowest).bit_length() if lowest < 0 else 0, max(highest, 0).bit_length())


__all__ = [
    "WIDEST_ACCUMULATOR",
    "Dequantization",
    "DequantizationParts",
    "Dequantizers",
    "ProcessingElement",
    "Signal",
    "signed_bits",
]
