"""``simhw rtl synth``: area, delay and energy of PEs in a standard-cell library."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import click

from simhw.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simhw.circuits import Circuit
    from simhw.costs.synthesised import SynthesisedPE
    from simhw.rtl.operands import OperandStream

_ALL = "all"
_LIBRARY_SUFFIXES = (".lib", ".lib.gz")
_COLUMNS: tuple[tuple[str, str, Callable[[SynthesisedPE], str]], ...] = (
    ("circuit", "", lambda e: f"{e.pe} {e.variant}"),
    ("acc", "bits", lambda e: str(e.accumulator_bits)),
    ("cells", "", lambda e: str(e.cells)),
    ("area", "um2", lambda e: f"{e.area_um2:.1f}"),
    ("area", "NAND2", lambda e: f"{e.nand2_equivalents:.0f}"),
    ("delay", "ps", lambda e: f"{e.delay_ps:.0f}"),
    ("fast area", "um2", lambda e: f"{e.fast_area_um2:.1f}"),
    ("fast delay", "ps", lambda e: f"{e.fast_delay_ps:.0f}"),
    ("energy", "fJ/MAC", lambda e: f"{e.energy_pj_per_mac * 1000:.1f}"),
    ("zero delay", "fJ/MAC", lambda e: f"{e.energy_zero_delay_pj_per_mac * 1000:.1f}"),
    ("clock", "fJ/MAC", lambda e: f"{e.clock_energy_pj_per_mac * 1000:.1f}"),
    (
        "fast energy",
        "fJ/MAC",
        lambda e: "-" if e.fast_energy_pj_per_mac is None else f"{e.fast_energy_pj_per_mac * 1000:.1f}",
    ),
    ("leakage", "nW", lambda e: f"{e.leakage_nw:.0f}"),
)


@click.command("synth")
@click.argument("names", nargs=-1, required=True, metavar="PE...|all")
@click.option("--liberty", multiple=True, required=True, metavar="PATH...", help="Of one library: .lib, .lib.gz.")
@click.option("--variant", multiple=True, metavar="NAME", help="Structure, or all. [default: the first]")
@click.option("--set", multiple=True, metavar="NAME=VALUE", help="A size, as in accumulator_bits=32.")
@click.option("--period", type=float, metavar="PS", help="Clock of the fast netlist. [default: shortest]")
@click.option(
    "--vectors",
    type=click.IntRange(min=1),
    default=4096,
    show_default=True,
    help="Operations that the energy is counted on.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the random operands.")
@click.option(
    "--operands", metavar="FILE.npz", help="Codes by input (activation, weight, first) instead of random ones."
)
@click.option("--model", metavar="NAME", help="A network's own weights and activations instead of random ones.")
@click.option("--layer", metavar="LABEL", help="Linear layer of that network. [default: a wide one of tiny_llama]")
@click.option("--dont-use", multiple=True, metavar="GLOB", help="Cells to leave out besides the usual ones.")
@click.option("--out", metavar="FILE.toml", help="Synthesis table: entries of the same circuits are replaced.")
def command(liberty: tuple[str, ...], operands: str | None, out: str | None, **given: Any) -> None:
    """Area, delay and energy per multiply-accumulate of PEs in a standard-cell library, without wires.

    all: every circuit that accumulates, in every variant, and the sizes that comparisons need. Area and energy are
    those of the netlist mapped for area, beside them those of the one mapped for speed; energy counts glitches (zero
    delay: without them).
    """
    from simhw.rtl.liberty import DONT_USE, read_library
    from simhw.rtl.selection import read_sizes
    from simhw.rtl.synthesis import synthesise
    from simhw.rtl.synthesis_table import library_of, merge_table, write_table
    from simhw.writing import require_writable

    if operands is not None and given["model"] is not None:
        raise InputError(f"--operands {operands} and --model {given['model']} were both given; leave one of them out")
    if given["layer"] is not None and given["model"] is None:
        raise InputError(f"--layer {given['layer']} was given without --model; name the network that has the layer")
    paths = [*liberty, *(name for name in given["names"] if name.endswith(_LIBRARY_SUFFIXES))]
    names = [name for name in given["names"] if name not in paths]
    circuits = list(_circuits(names, given["variant"], read_sizes(given["set"])))
    if out is not None:
        require_writable(out)
    library = read_library(paths)
    known = library_of(library) if out is not None else None
    made_by = _command({**given, "operands": operands}, paths)
    entries = []
    for name, circuit in circuits:
        click.echo(f"synthesising {circuit.name} ...", err=True)
        result = synthesise(
            name,
            circuit,
            library,
            period_ps=given["period"],
            vectors=given["vectors"],
            seed=given["seed"],
            operands=_stream(name, circuit, operands, given),
            dont_use=(*DONT_USE, *given["dont_use"]),
        )
        entries.append(result.entry())
        if out is not None and known is not None:
            write_table(out, merge_table(out, library, known, entries[-1:], made_by))
    measured = "; ".join(dict.fromkeys(entry.operands for entry in entries))
    click.echo(f"{library.name}, {library.voltage_v:g} V, {library.temperature_c:g} C; {measured}")
    click.echo(_table(entries))


def _circuits(names: Sequence[str], variants: Sequence[str], sizes: dict[str, int]) -> Iterator[tuple[str, Circuit]]:
    from simhw.pes import circuit_names, get_circuit
    from simhw.rtl.selection import own_circuits
    from simhw.rtl.synthesis import accumulator_bits
    from simhw.rtl.synthesis_table import FURTHER_SIZES

    if not names:
        raise InputError(f"no PE was given, must be {_ALL} or some of {', '.join(circuit_names())}; name one")
    for name in own_circuits() if _ALL in names else names:
        wanted: Sequence[str | None] = variants or [None]
        if _ALL in names or _ALL in variants:
            wanted = circuit_names().get(name, (None,))
        for variant in wanted:
            circuit = get_circuit(name, variant, **sizes)
            if _ALL not in names or accumulator_bits(circuit):
                yield name, circuit
        if _ALL in names:
            for variant, further in FURTHER_SIZES.get(name, ()):
                yield name, get_circuit(name, variant, **further)


def _stream(pe: str, circuit: Circuit, path: str | None, given: dict[str, Any]) -> OperandStream | None:
    """Return the operands of a file or a network, None for random ones."""
    from simhw.rtl.operands import gemm_stream, given_stream

    if path is not None:
        return given_stream(circuit, _codes(path), f"the codes in {Path(path).name}")
    if given["model"] is None:
        return None
    from simhw.model_operands import LAYER, layer_operands

    layer = layer_operands(pe, given["model"], given["layer"] or LAYER)
    return gemm_stream(
        circuit,
        layer.activation,
        layer.weight,
        vectors=given["vectors"],
        group_size=layer.group_size,
        seed=given["seed"],
        description=f"{layer.layer} of {layer.model}, {layer.datapath}",
    )


def _codes(path: str) -> dict[str, NDArray[np.int64]]:
    import numpy as np

    try:
        loaded = np.load(path)
        if not isinstance(loaded, np.ndarray):
            with loaded as file:
                return {name: file[name] for name in file.files}
    except (OSError, EOFError, ValueError, BadZipFile) as error:
        reason = getattr(error, "strerror", None) or "no file of NumPy arrays"
        raise InputError(f"operands {path} cannot be read ({reason}); give a .npz with one array per input") from error
    raise InputError(f"operands {path} is one array; give a .npz with one array per input")


def _command(given: dict[str, Any], paths: Sequence[str]) -> str:
    """Return the command line that makes these entries, the library's files and the operands named without folders."""
    words = ["simhw", "rtl", "synth", *(name for name in given["names"] if name not in paths)]
    words += ["--liberty", *(Path(path).name for path in paths)]
    for option in ("variant", "set", "dont_use"):
        words += [word for value in given[option] for word in (f"--{option.replace('_', '-')}", value)]
    for option in ("model", "layer"):
        words += [f"--{option}", given[option]] if given[option] is not None else []
    for option in ("period", "vectors", "seed"):
        if given[option] is not None:
            words += [f"--{option}", f"{given[option]:g}"]
    if given["operands"] is not None:
        words += ["--operands", Path(given["operands"]).name]
    return " ".join(words)


def _table(entries: Sequence[SynthesisedPE]) -> str:
    rows = [[name for name, _, _ in _COLUMNS], [unit for _, unit, _ in _COLUMNS]]
    rows += [[show(entry) for _, _, show in _COLUMNS] for entry in entries]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS))]
    lines = []
    for first, *others in rows:
        numbers = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        lines.append("  ".join([first.ljust(widths[0]), *numbers]))
    return "\n".join(lines)
