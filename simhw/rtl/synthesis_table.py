"""Synthesis tables as TOML files: what is known of a library beyond its liberty files, rendering, merging."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from simhw.costs.synthesised import SynthesisedPE, SynthesisTable, parse_synthesis
from simhw.errors import InputError
from simhw.rtl.liberty import Library
from simhw.writing import write_atomically

_TOOLS = ("simhw", "amaranth", "pyosys")
_DIGITS = 6
"""Significant digits of a figure: synthesis is deterministic, the library is not known to more."""

FURTHER_SIZES: Mapping[str, Sequence[tuple[str | None, Mapping[str, int]]]] = {
    "mixpe_w4a8": ((None, {"accumulator_bits": 32}),),
    "int8_mac": ((None, {"accumulator_bits": 24}),),
}
"""Variants and sizes beyond every PE's own that comparisons need: how much of a gain the accumulator's width is."""


@dataclass(frozen=True, kw_only=True)
class KnownLibrary:
    """What the liberty files of a library do not state.

    Attributes:
        prefix: of its name in the files.
        description: one sentence.
        node_nm: technology node.
        source: where it comes from, with its licence.
    """

    prefix: str
    description: str
    node_nm: float
    source: str


LIBRARIES = (
    KnownLibrary(
        prefix="asap7",
        description="PEs synthesised in ASAP7, a predictive 7 nm FinFET library, typical corner, without wires",
        node_nm=7,
        source="L. T. Clark et al., ASAP7: A 7-nm finFET predictive process design kit, Microelectronics Journal 2016; "
        "RVT cells, TT corner, NLDM, BSD-3-Clause",
    ),
    KnownLibrary(
        prefix="sg13g2",
        description="PEs synthesised in IHP's SG13G2 130 nm standard cells, typical corner, without wires",
        node_nm=130,
        source="IHP Open PDK, sg13g2_stdcell, typical corner, Apache-2.0",
    ),
)
"""Libraries whose tables can be written."""


def library_of(library: Library) -> KnownLibrary:
    """Return what is known of ``library``.

    Raises:
        InputError: it is not among ``LIBRARIES``.
    """
    for known in LIBRARIES:
        if library.name.startswith(known.prefix):
            return known
    raise InputError(
        f"no table can be written for library {library.name}, node and source are known of "
        f"{', '.join(known.prefix for known in LIBRARIES)}; leave --out away, or add it to LIBRARIES in "
        "simhw/rtl/synthesis_table.py"
    )


def merge_table(
    path: str | Path, library: Library, known: KnownLibrary, entries: Sequence[SynthesisedPE], command: str
) -> SynthesisTable:
    """Return the table in the file ``path`` (a new one if there is none) with ``entries`` added or replaced.

    Raises:
        InputError: the file is no synthesis table, or one of another library.
    """
    file = Path(path)
    new = SynthesisTable(
        name=file.stem,
        description=known.description,
        library=library.name,
        node_nm=known.node_nm,
        voltage_v=library.voltage_v,
        temperature_c=library.temperature_c,
        nand2_um2=library.nand2.area_um2,
        source=known.source,
        command=command,
        tools={tool: _version(tool) for tool in _TOOLS},
        pes=(),
    )
    old: tuple[SynthesisedPE, ...] = ()
    if file.exists():
        found = parse_synthesis(file.read_text("utf-8"), file.stem)
        if found.library != library.name:
            raise InputError(
                f"{path} is a table of library {found.library}, the liberty files are of {library.name}; "
                "give another --out"
            )
        old = found.pes
    merged = {_key(entry): entry for entry in (*old, *entries)}
    return replace(new, pes=tuple(sorted(merged.values(), key=lambda entry: entry.pe)))


def write_table(path: str | Path, table: SynthesisTable) -> None:
    """Write ``table`` as TOML; the file appears whole or not at all."""
    write_atomically(path, render_table(table))


def render_table(table: SynthesisTable) -> str:
    """Return ``table`` as TOML."""
    header = {
        item.name: getattr(table, item.name) for item in fields(table) if item.name not in ("name", "tools", "pes")
    }
    lines = [
        f"# Made by: {table.command} --out {table.name}.toml",
        "# A run for some PEs replaces the entries of those.",
        "",
    ]
    lines += [f"{key} = {_toml(value)}" for key, value in header.items()]
    lines += ["", "[tools]", *(f"{tool} = {_toml(number)}" for tool, number in table.tools.items())]
    for entry in table.pes:
        lines += ["", "[[pe]]"]
        for item in fields(entry):
            value = getattr(entry, item.name)
            if value is not None or item.default is MISSING:
                lines.append(f"{item.name} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def _key(entry: SynthesisedPE) -> tuple[object, ...]:
    return (entry.pe, entry.variant, *sorted(entry.parameters.items()))


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + " }" if value else "{}"
    if isinstance(value, float):
        return f"{value:.{_DIGITS}g}" if abs(value) < 10**_DIGITS else f"{value:.1f}"
    if isinstance(value, int):
        return str(value)
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _version(tool: str) -> str:
    try:
        return version(tool)
    except PackageNotFoundError:
        return "not installed"
