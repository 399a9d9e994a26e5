"""What a buffer costs: a bit read, a bit written, its leakage and its area.

Without a table of macros, the technology's energy of a bit by the capacity of the whole buffer; leakage counts as 0 and
the area is not known. With one (``simhw.costs.sram_table``), a buffer is ``banks`` macros, each with ``ports`` of the
width that was given, or that the array needs: a word of all banks and ports together serves the array for one cycle.
A port wider than the widest macro of the table is several macros side by side. Words count as full: a bit costs the
energy of its word over the width of the word. Wires between macros are not counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from simhw.costs import CostTable
from simhw.costs.sram_table import MacroFigure, SramTable
from simhw.errors import InputError
from simhw.memory.base import Sram


@dataclass(frozen=True, kw_only=True)
class BufferPrice:
    """One buffer.

    Attributes:
        read_pj_per_bit, write_pj_per_bit: energy of a bit.
        leakage_nw: power that leaks.
        area_um2: area; None: not known.
    """

    read_pj_per_bit: float
    write_pj_per_bit: float
    leakage_nw: float = 0.0
    area_um2: float | None = None


def buffer_price(buffer: Sram, word_bits: int, table: CostTable, macros: SramTable | None = None) -> BufferPrice:
    """Return the price of a buffer that gives (or takes) ``word_bits`` in a cycle where its ports have no own width.

    Raises:
        InputError: macros of another node than the technology, or of other ports than the table has.
    """
    if macros is None:
        return BufferPrice(
            read_pj_per_bit=table.sram_pj_per_bit(buffer.kib, False),
            write_pj_per_bit=table.sram_pj_per_bit(buffer.kib, True),
        )
    check_node(table, macros)
    port_bits = -(-word_bits // (buffer.banks * buffer.ports)) if buffer.width_bits is None else buffer.width_bits
    beside = -(-port_bits // macros.widest_bits)
    count, width = buffer.banks * beside, port_bits / beside
    kib = buffer.kib / count
    return BufferPrice(
        read_pj_per_bit=macros.value(MacroFigure.READ, kib, width, buffer.ports) / width,
        write_pj_per_bit=macros.value(MacroFigure.WRITE, kib, width, buffer.ports) / width,
        leakage_nw=count * macros.value(MacroFigure.LEAKAGE, kib, width, buffer.ports) * 1e6,
        area_um2=count * macros.value(MacroFigure.AREA, kib, width, buffer.ports) * 1e6,
    )


def check_node(table: CostTable, macros: SramTable) -> None:
    """Refuse macros of another node than the technology.

    Raises:
        InputError: they are.
    """
    if macros.node_nm != table.node_nm:
        raise InputError(
            f"sram is {macros.name}, of {macros.node_nm:g} nm, but {table.name} is of {table.node_nm:g} nm, and "
            f"buffers and logic must be of one node; choose another, or scale one (horowitz_45nm@{macros.node_nm:g}nm)"
        )
