"""``simhw size``: the largest array of a PE within an area, a power or a number of PEs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from simhw.errors import InputError

if TYPE_CHECKING:
    from simhw.costs import CostTable
    from simhw.memory import BufferPrice

WORD_BITS = 256
"""Width of a buffer's word where none is given: 32 operands of 8 bits."""


@click.command("size")
@click.argument("pes", nargs=-1, required=True, metavar="PE...")
@click.option("--area-mm2", type=float, metavar="A", help="Budget: area of the array, and of buffers with --sram.")
@click.option("--power-mw", type=float, metavar="P", help="Budget: power of all PEs at work.")
@click.option("--count", type=int, metavar="N", help="Budget: processing elements.")
@click.option("--sides", default="square", show_default=True, metavar="NAME", help="square, powers_of_two, any")
@click.option("--dataflow", default="output_stationary", show_default=True, metavar="NAME")
@click.option("--technology", default="horowitz_45nm", show_default=True, metavar="NAME", help="Energy and area table.")
@click.option("--accumulator-bits", type=int, default=32, show_default=True, metavar="BITS")
@click.option("--group-size", type=int, default=128, show_default=True, metavar="G", help="Of dequantized groups.")
@click.option("--clock-mhz", type=float, default=500.0, show_default=True, metavar="F", help="For the power.")
@click.option("--sram", metavar="NAME", help="Macros of buffers beside it: see simhw list srams. [default: none]")
@click.option("--ifmap-kb", type=int, metavar="KIB", help="With --sram: buffer of activations. [default: 256]")
@click.option("--filter-kb", type=int, metavar="KIB", help="With --sram: buffer of weights. [default: 128]")
@click.option("--ofmap-kb", type=int, metavar="KIB", help="With --sram: buffer of outputs. [default: 128]")
@click.option("--sram-banks", type=int, metavar="N", help="With --sram: of each buffer. [default: 1]")
@click.option("--sram-ports", type=int, metavar="N", help="With --sram: of each bank. [default: 1]")
@click.option("--sram-width", type=int, metavar="BITS", help=f"With --sram: of each port. [default: {WORD_BITS}]")
def command(
    pes: tuple[str, ...],
    area_mm2: float | None,
    power_mw: float | None,
    count: int | None,
    sides: str,
    dataflow: str,
    technology: str,
    accumulator_bits: int,
    group_size: int,
    clock_mhz: float,
    sram: str | None,
    **buffers: int | None,
) -> None:
    """Print the largest array of each PE within one budget: equal area, equal power or equally many PEs.

    PEs differ in size, so arrays of equally many are no fair comparison; give the rows and columns found here to
    'simhw cost' or 'simhw run'.
    """
    from rich.console import Console
    from rich.table import Table

    from simhw.arrays import get_dataflow
    from simhw.arrays.sizing import Sides, largest_array
    from simhw.costs import load_table
    from simhw.pes import get_pe

    if sides not in [choice.value for choice in Sides]:
        names = ", ".join(choice.value for choice in Sides)
        raise InputError(f"sides is {sides!r}, must be one of {names}; choose one")
    get_dataflow(dataflow)
    table = load_table(technology)
    beside = _buffers(table, sram, {name: value for name, value in buffers.items() if value is not None})
    beside_mm2 = sum(each.area_um2 or 0.0 for each in beside) * 1e-6
    printed = Table(box=None)
    for name in ("PE", "rows", "columns", "PEs", "area mm2", "power mW", "products per cycle"):
        printed.add_column(name, justify="left" if name == "PE" else "right")
    for name in pes:
        pe = get_pe(name)
        found = largest_array(
            pe,
            table,
            area_mm2=area_mm2,
            power_mw=power_mw,
            pes=count,
            sides=Sides(sides),
            dataflow=dataflow,
            accumulator_bits=accumulator_bits,
            group_size=pe.block_size or group_size,
            clock_mhz=clock_mhz,
            beside_mm2=beside_mm2,
        )
        native = next(iter(pe.products_per_cycle.values()))
        figures = (found.rows, found.columns, found.pes, f"{found.area_um2 * 1e-6:.4g}", f"{found.power_mw:.4g}")
        printed.add_row(name, *map(str, figures), f"{float(found.pes * native):,.0f}")
    Console(width=120).print(printed)
    conventions = f"{dataflow}, {technology}, {clock_mhz:g} MHz"
    if sram is None:
        click.echo(f"{conventions}; buffers, leakage and DRAM are not in these figures")
        return
    leakage_mw = sum(each.leakage_nw for each in beside) * 1e-6
    within = ", which the area budget holds too" if area_mm2 is not None else ""
    click.echo(
        f"{conventions}; buffers of {sram} beside each array: {beside_mm2:.4g} mm2{within}, {leakage_mw:.4g} mW of "
        "leakage; their accesses, leakage and DRAM are not in the figures above"
    )


def _buffers(table: CostTable, sram: str | None, given: dict[str, int]) -> list[BufferPrice]:
    """Return the buffers beside the array: none without a table of macros."""
    from simhw.costs.sram_table import load_sram
    from simhw.memory import Sram, buffer_price

    if sram is None:
        if given:
            name = next(iter(given)).replace("_", "-")
            raise InputError(f"--{name} was given without --sram, which says what buffers are made of; add --sram NAME")
        return []
    sizes = {"ifmap_kb": 256, "filter_kb": 128, "ofmap_kb": 128}
    ports = {
        "banks": given.get("sram_banks", 1),
        "ports": given.get("sram_ports", 1),
        "width_bits": given.get("sram_width", WORD_BITS),
    }
    macros = load_sram(sram)
    return [
        buffer_price(Sram(kib=given.get(name, kib), **ports), WORD_BITS, table, macros) for name, kib in sizes.items()
    ]
