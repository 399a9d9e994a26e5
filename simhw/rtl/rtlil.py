"""A circuit as RTLIL, the form that Yosys works on, and as Verilog."""

from __future__ import annotations

from pathlib import Path

from simhw.circuits import Circuit, require_rtl
from simhw.rtl.yosys import run_yosys
from simhw.writing import make_folder, write_atomically


def rtlil(circuit: Circuit) -> str:
    """Return the RTLIL of a circuit, its parts first: a function of the circuit alone, without paths or dates.

    Raises:
        InputError: Amaranth is not installed.
    """
    require_rtl()
    from amaranth.back.rtlil import convert

    text: str = convert(circuit.build(), name=circuit.name, emit_src=False)
    # Yosys takes the one that is marked as the top of the whole text.
    parts = [rtlil(part).replace("attribute \\top 1\n", "") for part in circuit.parts]
    return "\n".join([*parts, text])


def verilog(circuit: Circuit) -> str:
    """Return the Verilog of a circuit: operators, registers, comments that say what it is; a module for each part."""
    flatten = [] if circuit.parts else ["flatten"]
    text = run_yosys(
        ["read_rtlil in.il", "proc", *flatten, "opt_clean", "write_verilog -noattr out.v"],
        {"in.il": rtlil(circuit)},
        ["out.v"],
        what=f"write {circuit.name} as Verilog",
    )["out.v"]
    # The first line names the version of Yosys; what it wrote follows.
    body = text.split("\n", 1)[1] if text.startswith("/*") else text
    return "\n".join([*_heading(circuit), body.strip(), ""])


def export(circuit: Circuit, folder: Path) -> Path:
    """Write ``NAME.v`` into ``folder``, which is made if it is missing, and return its path.

    Raises:
        InputError: Amaranth or pyosys is not installed, or the file cannot be written.
    """
    text = verilog(circuit)
    path = make_folder(folder) / f"{circuit.name}.v"
    write_atomically(path, text)
    return path


def _heading(circuit: Circuit) -> list[str]:
    sizes = ", ".join(f"{name} = {value}" for name, value in circuit.parameters.items())
    lines = [
        f"// {circuit.name}: {circuit.description}",
        f"// source: {circuit.source}",
        f"// variant: {circuit.variant}" + (f"; {sizes}" if sizes else ""),
        f"// clock cycles per multiply-accumulate: {circuit.cycles}; reset is synchronous",
    ]
    # Registers of parts stand in modules of their own.
    registers = () if circuit.parts else circuit.state
    for kind, ports in (("input", circuit.inputs), ("register", registers), ("output", circuit.outputs)):
        lines += [f"// {kind} {port.name}[{port.bits - 1}:0]: {port.meaning}" for port in ports]
    return lines
