"""What one part, one SRAM bit and one DRAM bit cost in one technology.

Scaling rules for sizes that are no table point (the same for energy and area):

* ``IntegerAdd``: linear in the bits. ``IntegerMultiply``: linear in ``a_bits * b_bits``, the number of
  partial-product bits. Both run through the origin and the table's points, and go on in proportion beyond the
  largest.
* ``FloatMultiply``: the table's entry where it has the format; else composed of a significand multiplier and
  an exponent adder. That is the *exact* product: a narrow one needs no rounder and no normaliser, and its
  accumulator pays for alignment. The table's own fp16, bfloat16 and fp32 entries include rounding.
* ``FloatAdd``: linear in the significand bits through the table's points (Horowitz: 0.036 pJ per bit at fp16,
  0.038 at fp32); the exponent width is not priced apart.
* ``BitwiseAnd`` and ``Register``: in proportion to the bits. ``Shift``: in proportion to bits times stages,
  where a shifter over p positions has ceil(log2 p) stages of two-way multiplexers.
* ``Shared``: 1 / lanes of its part.
* A table of gates (``gates_28nm``) has no such points: its parts are counted in gates (``simhw.costs.gates``).
* SRAM: energy per bit is a power of the capacity between two table points (linear in log-log), and goes on
  with the slope of the nearest pair outside them, where that rises. A table without write entries prices a
  write as a read.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from simhw.costs.dram import DramStatic, dram_kinds
from simhw.costs.gate_library import GateLibrary
from simhw.costs.gates import count_gates
from simhw.costs.parts import (
    BitwiseAnd,
    FloatAdd,
    FloatMultiply,
    IntegerAdd,
    IntegerMultiply,
    Part,
    Register,
    Shared,
    Shift,
)
from simhw.costs.sram import PowerLaw, between, power_law
from simhw.errors import InputError, unknown_name


class Confidence(Enum):
    """How well a number of a table is known."""

    CONFIRMED = "confirmed"
    """Read in the source or in two places that cite it."""
    RECALLED = "recalled"
    """Quoted from memory of the source; not confirmed."""


class Quantity(Enum):
    """What an entry of a table states."""

    ENERGY = "energy_pj"
    """Energy of one use, in picojoules."""
    AREA = "area_um2"
    """Area of one instance, in square micrometres."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One number of a table, with what is needed to judge it.

    Attributes:
        part: kind of part (``integer_add``, ...), ``sram_read``, ``sram_write`` or ``dram``.
        size: its sizes, e.g. ``(("bits", 8),)``; for ``dram`` also the kind, e.g. ``(("kind", "ddr"),)``.
        quantity: energy or area.
        value: in the unit that ``quantity`` names.
        source: full citation.
        confidence: confirmed or recalled.
        scaled: whether the number was carried over from another node or format; ``scaling`` then says how.
        scaling: sentence on the factor and its source, empty when not scaled.
    """

    part: str
    size: tuple[tuple[str, int | float | str], ...]
    quantity: Quantity
    value: float
    source: str
    confidence: Confidence
    scaled: bool
    scaling: str

    def get(self, name: str) -> float:
        """Return the size called ``name`` as a number."""
        value = dict(self.size)[name]
        assert not isinstance(value, str)
        return float(value)


@dataclass(frozen=True, kw_only=True)
class CostTable:
    """One technology as data; see the module for the rules between its points.

    Attributes:
        name: entry name, equal to the file name.
        description: one sentence.
        node_nm: technology node in nanometres.
        voltage_v: supply voltage in volts.
        source: what the table as a whole rests on.
        dram_default: the kind of DRAM that ``dram_pj_per_bit()`` prices.
        entries: every number with its own source.
        gates: the prices of gates, for a table whose parts are counted in them instead of being listed.
    """

    name: str
    description: str
    node_nm: float
    voltage_v: float
    source: str
    dram_default: str
    entries: tuple[Entry, ...]
    gates: GateLibrary | None = None

    def energy_pj(self, part: Part) -> float:
        """Return the energy in picojoules of one use of ``part``."""
        return self._price(part, Quantity.ENERGY)

    def area_um2(self, part: Part) -> float:
        """Return the area in square micrometres of ``part``."""
        return self._price(part, Quantity.AREA)

    def total_energy_pj(self, parts: Iterable[Part]) -> float:
        """Return the energy in picojoules of one use of each of ``parts``."""
        return sum(self.energy_pj(part) for part in parts)

    def total_area_um2(self, parts: Iterable[Part]) -> float:
        """Return the area in square micrometres of all ``parts``."""
        return sum(self.area_um2(part) for part in parts)

    def sram_pj_per_bit(self, capacity_kib: float, write: bool) -> float:
        """Return the energy in picojoules to read (or ``write``) one bit of an SRAM of ``capacity_kib`` KiB.

        Raises:
            InputError: the capacity is not positive.
        """
        if not capacity_kib > 0:
            raise InputError(f"SRAM capacity is {capacity_kib} KiB, must be greater than 0; give it in KiB, as in 128")
        points = self._sram_points(write)
        found, (least, first), (most, last) = between(points, capacity_kib), points[0], points[-1]
        if capacity_kib < least:  # SRAMs that are organised differently may fall: less capacity never costs more
            return min(found, first)
        return max(found, last) if capacity_kib > most else found

    def sram_fit(self, write: bool = False) -> PowerLaw | None:
        """Return the power law through all SRAM points, with its errors; None where one point alone is stated."""
        return power_law(self._sram_points(write))

    def _sram_points(self, write: bool) -> list[tuple[float, float]]:
        """Return capacities in KiB with the energy of one bit there, in picojoules."""
        found = self._entries("sram_write", Quantity.ENERGY) if write else ()
        return sorted(
            (entry.get("capacity_kib"), entry.value / entry.get("width_bits"))
            for entry in found or self._entries("sram_read", Quantity.ENERGY)
        )

    def dram_kinds(self) -> tuple[str, ...]:
        """Return the kinds of DRAM that the table prices."""
        return tuple(str(dict(entry.size)["kind"]) for entry in self._entries("dram", Quantity.ENERGY))

    def dram_pj_per_bit(self, kind: str | None = None) -> float:
        """Return the energy in picojoules to move one bit from or to DRAM.

        ``kind`` None means the table's default; the table's own kinds go before those of every technology.

        Raises:
            InputError: the table has no such kind.
        """
        wanted = self.dram_default if kind is None else kind
        for entry in self._entries("dram", Quantity.ENERGY):
            if dict(entry.size)["kind"] == wanted:
                return entry.value / entry.get("width_bits")
        shared = dram_kinds()
        if wanted in shared:
            return shared[wanted].pj_per_bit
        raise unknown_name("dram", wanted, sorted({*self.dram_kinds(), *shared}))

    def dram_static(self, kind: str | None = None) -> DramStatic:
        """Return the power that one channel of DRAM takes all the time.

        A table's own kinds have none: their constants do not set standby apart from what an access takes.

        Raises:
            InputError: the table has no such kind.
        """
        wanted = self.dram_default if kind is None else kind
        self.dram_pj_per_bit(wanted)  # refuses what nobody prices
        if wanted in self.dram_kinds():
            return DramStatic(milliwatts=0.0, source=f"0: the {wanted} constant of {self.name} does not set it apart")
        standby = dram_kinds()[wanted].standby
        if standby is None:
            return DramStatic(milliwatts=0.0, source=f"0: no citable figure for {wanted} at hand")
        return DramStatic(milliwatts=standby.active_mw, source=f"active standby of one channel: {standby.source}")

    def _entries(self, part: str, quantity: Quantity) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries if entry.part == part and entry.quantity is quantity)

    def _price(self, part: Part, quantity: Quantity) -> float:
        if isinstance(part, Shared):
            return self._price(part.part, quantity) / part.lanes
        if self.gates is not None:
            counts = count_gates(part)
            return self.gates.energy_pj(counts) if quantity is Quantity.ENERGY else self.gates.area_um2(counts)
        match part:
            case IntegerAdd():
                return _along(self._points("integer_add", quantity, "bits"), part.bits)
            case IntegerMultiply():
                points = self._points("integer_multiply", quantity, "a_bits", "b_bits")
                return _along(points, part.a_bits * part.b_bits)
            case BitwiseAnd():
                return _along(self._points("bitwise_and", quantity, "bits"), part.bits)
            case Register():
                return _along(self._points("register", quantity, "bits"), part.bits)
            case Shift():
                points = [
                    (entry.get("bits") * _stages(int(entry.get("positions"))), entry.value)
                    for entry in self._entries("shift", quantity)
                ]
                return _along(points, part.bits * _stages(part.positions))
            case FloatAdd():
                return _along(self._points("float_add", quantity, "significand_bits"), part.significand_bits)
            case FloatMultiply():
                return self._float_multiply(part, quantity)

    def _float_multiply(self, part: FloatMultiply, quantity: Quantity) -> float:
        for entry in self._entries("float_multiply", quantity):
            same_exponent = entry.get("exponent_bits") == part.exponent_bits
            if same_exponent and entry.get("significand_bits") == part.significand_bits:
                return entry.value
        significand = IntegerMultiply(a_bits=part.significand_bits, b_bits=part.significand_bits)
        return self._price(significand, quantity) + self._price(IntegerAdd(bits=part.exponent_bits), quantity)

    def _points(self, part: str, quantity: Quantity, *sizes: str) -> list[tuple[float, float]]:
        return [(math.prod(entry.get(size) for size in sizes), entry.value) for entry in self._entries(part, quantity)]


def _along(points: list[tuple[float, float]], x: float) -> float:
    """Return y at x on the line through the origin and ``points``; beyond the last, in proportion to it."""
    left = (0.0, 0.0)
    for right in sorted(points):
        if x == right[0]:
            return right[1]
        if x < right[0]:
            return left[1] + (right[1] - left[1]) * (x - left[0]) / (right[0] - left[0])
        left = right
    return left[1] * x / left[0]


def _stages(positions: int) -> int:
    """Return the stages of two-way multiplexers of a shifter; one position is a wire and has none."""
    return (positions - 1).bit_length()
