"""Area, delay and energy of whole PEs from synthesis with one standard-cell library, read from TOML.

A table ``simhw/costs/synthesis/LIBRARY.toml`` states the library, its node and voltage, the command and the tool
versions that made it, and one ``[[pe]]`` entry for each circuit. Figures are those of the netlist without wires,
clock tree and layout: lower bounds of area and energy, comparable inside one library.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import lru_cache
from importlib import resources
from typing import Any

from simhw.errors import InputError, unknown_name

_FOLDER = "simhw.costs.synthesis"


@dataclass(frozen=True, kw_only=True)
class SynthesisedPE:
    """One circuit, synthesised.

    Attributes:
        pe: entry name of the processing element.
        variant: structure of its circuit.
        parameters: sizes that the circuit was built with.
        accumulator_bits: width of the accumulator register.
        lanes: products that one operation forms (32 in a block dot product unit of 32 lanes, else 1).
        cycles: clock cycles of one operation.
        cells: standard cells, flip-flops among them.
        flip_flops: flip-flops.
        area_um2: of the netlist mapped for area (relaxed clock).
        nand2_equivalents: that area over the area of the library's smallest plain two-input NAND.
        delay_ps: shortest clock period of the netlist mapped for area: clock to output, gates, setup.
        fast_area_um2: area of the netlist sized for speed.
        fast_delay_ps: shortest clock period of the netlist sized for speed.
        energy_pj_per_mac: dynamic energy of one multiply-accumulate (cycles over lanes), glitches counted, in the
            netlist mapped for area; nets, cells and the clock pins of the flip-flops.
        energy_zero_delay_pj_per_mac: the same, were every gate without delay (one toggle per net and cycle at most).
        clock_energy_pj_per_mac: the part of ``energy_pj_per_mac`` that the clock pins take.
        fast_energy_pj_per_mac: dynamic energy in the netlist sized for speed; None where it was not measured.
        leakage_nw: leakage power.
        operands: the operand stream that the energy was counted on, in words.
    """

    pe: str
    variant: str
    parameters: Mapping[str, int | str] = field(hash=False)
    accumulator_bits: int
    lanes: int
    cycles: int
    cells: int
    flip_flops: int
    area_um2: float
    nand2_equivalents: float
    delay_ps: float
    fast_area_um2: float
    fast_delay_ps: float
    energy_pj_per_mac: float
    energy_zero_delay_pj_per_mac: float
    clock_energy_pj_per_mac: float
    leakage_nw: float
    operands: str
    fast_energy_pj_per_mac: float | None = None


@dataclass(frozen=True, kw_only=True)
class SynthesisTable:
    """The PEs synthesised with one library.

    Attributes:
        name: of the table, equal to the file name.
        description: one sentence.
        library: name, as the library states it.
        node_nm: technology node in nanometres.
        voltage_v: supply voltage in volts.
        temperature_c: temperature of the corner.
        nand2_um2: area of the smallest plain two-input NAND.
        source: where the library comes from, with its licence.
        command: what wrote the table.
        tools: versions of the tools, by name.
        pes: the entries.
    """

    name: str
    description: str
    library: str
    node_nm: float
    voltage_v: float
    temperature_c: float
    nand2_um2: float
    source: str
    command: str
    tools: Mapping[str, str] = field(hash=False)
    pes: tuple[SynthesisedPE, ...]

    def entries(self, pe: str) -> tuple[SynthesisedPE, ...]:
        """Return the entries of ``pe``: its variants and sizes; empty where it was not synthesised."""
        return tuple(entry for entry in self.pes if entry.pe == pe)

    def find(self, pe: str, variant: str | None = None, accumulator_bits: int | None = None) -> SynthesisedPE:
        """Return the first entry of ``pe`` with that variant and accumulator, where they are given.

        Raises:
            InputError: there is none.
        """
        if not self.entries(pe):
            raise unknown_name(f"pe in synthesis table {self.name!r}", pe, {entry.pe for entry in self.pes})
        for entry in self.entries(pe):
            if variant in (None, entry.variant) and accumulator_bits in (None, entry.accumulator_bits):
                return entry
        stated = ", ".join(f"{entry.variant} ({entry.accumulator_bits} bits)" for entry in self.entries(pe))
        raise InputError(
            f"{pe} with variant {variant or 'any'} and {accumulator_bits or 'any number of'} accumulator bits is not "
            f"in synthesis table {self.name!r}, which has {stated}; choose one or run 'simhw rtl synth {pe}'"
        )


def synthesis_names() -> list[str]:
    """Return the names of the synthesis tables that ship, sorted."""
    files = resources.files(_FOLDER).iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


@lru_cache
def load_synthesis(name: str) -> SynthesisTable:
    """Return the shipped synthesis table called ``name``.

    Raises:
        InputError: there is no such table.
    """
    if name not in synthesis_names():
        raise unknown_name("synthesis table", name, synthesis_names())
    return parse_synthesis((resources.files(_FOLDER) / f"{name}.toml").read_text("utf-8"), name)


def parse_synthesis(text: str, name: str) -> SynthesisTable:
    """Return the table that the TOML ``text`` describes.

    Raises:
        InputError: the text is no TOML, a key is missing or unknown, or a value is of another kind.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"synthesis table {name!r} is not valid TOML ({error}); correct that line") from error
    where = f"synthesis table {name!r}"
    entries = data.pop("pe", None)
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{where} has no [[pe]] entry, must have at least one; write one for each circuit")
    pes = tuple(
        SynthesisedPE(**_values(SynthesisedPE, raw, f"entry {raw.get('pe', i)!r} of {where}"))
        for i, raw in enumerate(entries)
    )
    header = _values(SynthesisTable, {**data, "name": name, "pes": pes}, where)
    seen: set[tuple[object, ...]] = set()
    for entry in pes:
        key = (entry.pe, entry.variant, *sorted(entry.parameters.items()))
        if key in seen:
            raise InputError(f"{where} states {entry.pe} {entry.variant} twice with the same parameters; keep one")
        seen.add(key)
    return SynthesisTable(**header)


def _values(record: type, raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return ``raw`` checked against the fields of ``record``: names, kinds, and that numbers are not negative."""
    declared = {item.name: str(item.type) for item in fields(record)}
    optional = {item.name for item in fields(record) if item.default is not MISSING}
    unknown = sorted(set(raw) - set(declared))
    missing = [key for key in declared if key not in raw and key not in optional]
    if unknown or missing:
        what = f"the unknown key {unknown[0]!r}" if unknown else f"no {missing[0]!r}"
        raise InputError(f"{where} has {what}, its keys are {', '.join(declared)}; correct it")
    return {key: _value(declared[key], raw[key], f"{key} of {where}") for key in declared if key in raw}


def _value(kind: str, value: Any, what: str) -> Any:
    if kind == "str" and not (isinstance(value, str) and value.strip()):
        raise InputError(f"{what} is {value!r}, must be a text; write it in quotes")
    if kind == "int" and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise InputError(f"{what} is {value!r}, must be an integer from 0; correct it")
    if kind.startswith("float"):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            raise InputError(f"{what} is {value!r}, must be a number from 0; correct it")
        return float(value)
    if kind.startswith("Mapping") and not isinstance(value, dict):
        raise InputError(f"{what} is {value!r}, must be a table; write it under [{what.split()[0]}]")
    return value
