"""The machine of ``simhw cost`` as names and numbers, and what array, precision and memory follow from them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from simhw.arrays import Overlap, VectorOverlap, VectorUnit, check_overlaps
from simhw.arrays.static_power import CLOCK_MHZ, Standing, check_clock, static_power
from simhw.costs import CostTable
from simhw.costs.sram_table import load_sram
from simhw.errors import InputError
from simhw.formats import get_element_format
from simhw.layer_plan import ArraySettings, port_bits
from simhw.memory import BufferPrice, Dram, Memory, Precision, Sram, buffer_price
from simhw.pes import Dequantization, Dequantizers, ProcessingElement

BLOCK_SCALE_BITS = 8
"""Of an MX or NVFP4 block: E8M0 or E4M3."""
ACCUMULATOR_BITS = 32
"""Of a partial sum that leaves the array."""


@dataclass(frozen=True, kw_only=True)
class CostSettings:
    """The machine and its conventions.

    Attributes:
        dataflow, rows, columns, overlap: the array.
        pe: entry name of the processing element.
        technology: entry name of the energy table.
        activation_bits, weight_bits: of the operands, where the PE executes several; None: its own.
        output_bits: of a finished output; None: as an activation.
        accumulator_bits: of a partial sum, in the PE (where its accumulator is a choice) and beyond; None: 32.
        dequantization: None: the PE's own place; ``IN_PE`` puts the dequantizer of weights into every PE.
        dequantizers: None: the PE's own; or how many columns share them (see ``simhw.arrays.stalls``).
        dram: kind of DRAM; None: the technology's default.
        clock_mhz: of the array, for what leaks and stands by meanwhile.
        ifmap_kb, filter_kb, ofmap_kb: buffers of activations, weights and outputs, in KiB.
        sram: entry name of the table of SRAM macros that buffers are made of; None: energy by the technology's own
            figures, no leakage and no area.
        sram_banks, sram_ports, sram_width: of every buffer; the width of a port in bits, None: what the array needs.
        bandwidth: words per cycle between DRAM and the buffers, a word as wide as an activation; None: unlimited.
        latency: cycles before the first word of a transfer.
        group_size: of weights along k; None: the PE's own block, or none.
        scale_bits, zero_point_bits: of each group of weights.
        vector_lanes: of the unit that requantizes outputs; None: there is none, outputs leave as they are.
        vector_overlap: of that unit with the array.
    """

    dataflow: str = "output_stationary"
    rows: int = 32
    columns: int = 32
    overlap: Overlap = Overlap.PER_FOLD
    pe: str = "int8_mac"
    technology: str = "horowitz_45nm"
    activation_bits: int | None = None
    weight_bits: int | None = None
    output_bits: int | None = None
    accumulator_bits: int | None = None
    dequantization: Dequantization | None = None
    dequantizers: Dequantizers | int | None = None
    dram: str | None = None
    clock_mhz: float = CLOCK_MHZ
    ifmap_kb: int = 256
    filter_kb: int = 128
    ofmap_kb: int = 128
    sram: str | None = None
    sram_banks: int = 1
    sram_ports: int = 1
    sram_width: int | None = None
    bandwidth: float | None = None
    latency: int = 0
    group_size: int | None = None
    scale_bits: int = 0
    zero_point_bits: int = 0
    vector_lanes: int | None = None
    vector_overlap: VectorOverlap = VectorOverlap.NONE

    def precision_of(self, pe: ProcessingElement) -> Precision:
        """Return the bits of everything that moves.

        Raises:
            InputError: a group size other than the PE's block, scales without groups, or an accumulator that the PE
                does not have.
        """
        if pe.block_size is not None and self.group_size not in (None, pe.block_size):
            raise InputError(
                f"group size is {self.group_size}, the blocks of {pe.name} have {pe.block_size}; leave it out"
            )
        activation = self._activation_bits(pe)
        block = pe.block_size is not None
        stored = get_element_format(pe.stored_weight_format or pe.weight_format).bits
        return Precision(
            activation_bits=activation,
            weight_bits=stored if self.weight_bits is None else self.weight_bits,
            output_bits=activation if self.output_bits is None else self.output_bits,
            accumulator_bits=self._accumulator_bits(pe),
            group_size=pe.block_size if block else self.group_size,
            scale_bits=self.scale_bits or (BLOCK_SCALE_BITS if block else 0),
            zero_point_bits=self.zero_point_bits,
            activation_scale_bits=BLOCK_SCALE_BITS if block else 0,
        )

    def array_of(self, pe: ProcessingElement) -> ArraySettings:
        """Return the array: how fast the PE is at these widths, where and by how many weights are dequantized.

        Raises:
            InputError: widths that the PE does not execute, or dequantizers that it does not have.
        """
        passes, lanes = self._word(pe)
        return ArraySettings(
            dataflow=self.dataflow,
            rows=self.rows,
            columns=self.columns,
            overlap=self.overlap,
            passes=passes,
            lanes=lanes,
            activation_stays=pe.activation_stays,
            dequantization=self._dequantization(pe),
            dequantizers=self._dequantizers(pe),
            group_size=pe.block_size or self.group_size,
        )

    def attention_of(self, pe: ProcessingElement, kv_bits: int | None = None) -> tuple[Precision, ArraySettings]:
        """Return precision and array of a product with keys or values of ``kv_bits``, which have no groups.

        None: as wide as the activations, or as the PE's second operand may be. The blocks of block formats stay.

        Raises:
            InputError: a width that the PE does not execute, or another one than its block's.
        """
        precision, array = self.precision_of(pe), self.array_of(pe)
        if pe.block_size is not None:
            if kv_bits not in (None, precision.weight_bits):
                raise InputError(
                    f"kv_bits is {kv_bits}, {pe.name} takes blocks of {precision.weight_bits} bits; leave it out"
                )
            return precision, array
        activation = precision.activation_bits
        widest = max((w for a, w in pe.products_per_cycle if a == activation and w <= activation), default=activation)
        bits = widest if kv_bits is None else kv_bits
        passes, lanes = pe.word(bits, activation)
        before = array.dequantization in (Dequantization.BEFORE_MULTIPLY, Dequantization.IN_PE)
        return (
            replace(precision, weight_bits=bits, group_size=None, scale_bits=0, zero_point_bits=0),
            replace(
                array,
                passes=passes,
                lanes=lanes,
                group_size=None,
                dequantization=Dequantization.AFTER_ACCUMULATION if before else array.dequantization,
            ),
        )

    def memory_of(self, precision: Precision) -> Memory:
        """Return buffers and DRAM.

        Raises:
            InputError: a bandwidth or a size that is not positive.
        """
        words = self.bandwidth
        if words is not None and not 0 < words < math.inf:
            raise InputError(
                f"bandwidth is {words!r} words per cycle, must be greater than 0; leave it out for unlimited"
            )
        return Memory(
            activation=self._buffer(self.ifmap_kb),
            weight=self._buffer(self.filter_kb),
            output=self._buffer(self.ofmap_kb),
            dram=Dram(
                bits_per_cycle=None if words is None else words * precision.activation_bits,
                latency_cycles=self.latency,
            ),
        )

    def _buffer(self, kib: int) -> Sram:
        found = Sram(kib=kib, banks=self.sram_banks, ports=self.sram_ports, width_bits=self.sram_width)
        if self.sram is None and self.sram_width is None and (found.banks, found.ports) != (1, 1):
            raise InputError(
                f"buffers have {found.banks} banks of {found.ports} ports, but neither the width of a port nor a table "
                "of macros was given, so that they change nothing; add a width or a table"
            )
        return found

    def buffer_prices(
        self, table: CostTable, array: ArraySettings, precision: Precision, memory: Memory
    ) -> tuple[BufferPrice, BufferPrice, BufferPrice]:
        """Return what the buffers of activations, weights and outputs cost beside such an array.

        Raises:
            InputError: a table of macros that does not exist, or that does not fit the technology or the ports.
        """
        macros = None if self.sram is None else load_sram(self.sram)
        words = port_bits(array, precision)
        return (
            buffer_price(memory.activation, words[0], table, macros),
            buffer_price(memory.weight, words[1], table, macros),
            buffer_price(memory.output, words[2], table, macros),
        )

    def check_prices(self, table: CostTable) -> None:
        """Refuse a kind of DRAM that nobody prices, or a clock that is not positive.

        Raises:
            InputError: it is so.
        """
        table.dram_pj_per_bit(self.dram)
        check_clock(self.clock_mhz)

    def standing(self, pe: ProcessingElement, table: CostTable) -> Standing:
        """Return what the machine costs whether it computes or waits."""
        width = pe.fixed_accumulator_bits or max(self._accumulator_bits(pe), pe.least_accumulator_bits)
        precision = self.precision_of(pe)
        buffers = self.buffer_prices(table, self.array_of(pe), precision, self.memory_of(precision))
        areas = [each.area_um2 for each in buffers if each.area_um2 is not None]
        power = static_power(
            pe,
            table,
            rows=self.rows,
            columns=self.columns,
            accumulator_bits=width,
            dequantizers=self.dequantizers,
            dram=self.dram,
            buffers_nw=sum(each.leakage_nw for each in buffers),
        )
        return Standing(power=power, buffers_um2=sum(areas) if len(areas) == len(buffers) else None)

    def vector_unit(self) -> VectorUnit | None:
        """Return the vector unit, None where there is none.

        Raises:
            InputError: lanes below 1, an overlap without lanes, or one that contradicts that of the array.
        """
        if self.vector_lanes is None:
            if self.vector_overlap is not VectorOverlap.NONE:
                raise InputError(
                    f"vector overlap is {self.vector_overlap.value!r}, but no vector unit was given; "
                    "give its lanes, or leave the overlap out"
                )
            return None
        check_overlaps(self.overlap, self.vector_overlap)
        return VectorUnit(lanes=self.vector_lanes, overlap=self.vector_overlap)

    def _accumulator_bits(self, pe: ProcessingElement) -> int:
        if self.accumulator_bits is None:
            return ACCUMULATOR_BITS
        pe.check_accumulator_bits(self.accumulator_bits)
        return self.accumulator_bits

    def _activation_bits(self, pe: ProcessingElement) -> int:
        given = self.activation_bits
        return get_element_format(pe.activation_format).bits if given is None else given

    def _word(self, pe: ProcessingElement) -> tuple[int, int]:
        """Return cycles and products of a word; a dequantizer in front hides the width of stored weights."""
        native = get_element_format(pe.weight_format).bits
        if pe.stored_weight_format is not None:
            if self.weight_bits not in (None, get_element_format(pe.stored_weight_format).bits):
                raise InputError(
                    f"weight_bits is {self.weight_bits}, {pe.name} dequantizes {pe.stored_weight_format} weights; "
                    "leave it out"
                )
            return pe.word(native, self._activation_bits(pe))
        return pe.word(native if self.weight_bits is None else self.weight_bits, self._activation_bits(pe))

    def _dequantization(self, pe: ProcessingElement) -> Dequantization:
        wanted = self.dequantization
        if wanted is None or wanted is pe.dequantization:
            return pe.dequantization
        if wanted is Dequantization.IN_PE and pe.dequantization is Dequantization.BEFORE_MULTIPLY:
            return wanted
        raise InputError(
            f"dequantization is {wanted.value!r}, {pe.name} does it {pe.dequantization.value}"
            + (" or in_pe" if pe.dequantization is Dequantization.BEFORE_MULTIPLY else "")
            + "; leave it out or choose another PE"
        )

    def _dequantizers(self, pe: ProcessingElement) -> Dequantizers | int:
        if self.dequantizers is None:
            return pe.dequantizers
        where = self._dequantization(pe)
        if where not in (Dequantization.BEFORE_MULTIPLY, Dequantization.AFTER_GROUP):
            given = self.dequantizers
            shown = given.value if isinstance(given, Dequantizers) else given
            raise InputError(
                f"dequantizers is {shown}, but {pe.name} dequantizes {where.value}, where lanes share none; "
                "leave it out"
            )
        return self.dequantizers
