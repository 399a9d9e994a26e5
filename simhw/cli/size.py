"""``simhw size``: the largest array of a PE within an area, a power or a number of PEs."""

from __future__ import annotations

import click

from simhw.errors import InputError


@click.command("size")
@click.argument("pes", nargs=-1, required=True, metavar="PE...")
@click.option("--area-mm2", type=float, metavar="A", help="Budget: area of the array with its dequantizers.")
@click.option("--power-mw", type=float, metavar="P", help="Budget: power of all PEs at work.")
@click.option("--count", type=int, metavar="N", help="Budget: processing elements.")
@click.option("--sides", default="square", show_default=True, metavar="NAME", help="square, powers_of_two, any")
@click.option("--dataflow", default="output_stationary", show_default=True, metavar="NAME")
@click.option("--technology", default="horowitz_45nm", show_default=True, metavar="NAME", help="Energy and area table.")
@click.option("--accumulator-bits", type=int, default=32, show_default=True, metavar="BITS")
@click.option("--group-size", type=int, default=128, show_default=True, metavar="G", help="Of dequantized groups.")
@click.option("--clock-mhz", type=float, default=500.0, show_default=True, metavar="F", help="For the power.")
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
        )
        native = next(iter(pe.products_per_cycle.values()))
        figures = (found.rows, found.columns, found.pes, f"{found.area_um2 * 1e-6:.4g}", f"{found.power_mw:.4g}")
        printed.add_row(name, *map(str, figures), f"{float(found.pes * native):,.0f}")
    Console(width=120).print(printed)
    click.echo(f"{dataflow}, {technology}, {clock_mhz:g} MHz; buffers, leakage and DRAM are not in these figures")
