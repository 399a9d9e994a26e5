"""Names and moves of an array's registers, for the definitions in NumPy."""

from __future__ import annotations

from simhw.circuits import Circuit, Codes, Port
from simhw.rtl.arrays.base import Integers


def register(name: str, bits: int = 1) -> Port:
    """Return a register of the array itself."""
    return Port(name=name, bits=bits, meaning="register of the array")


def delays(name: str, bits: int, clocks: int) -> list[Port]:
    """Return a chain of registers."""
    return [register(f"{name}_delay_{clock}", bits) for clock in range(1, clocks + 1)]


def inside(instance: str, circuit: Circuit) -> list[Port]:
    """Return the registers of an instance, as they are called in the flat netlist."""
    return [Port(name=f"{instance}.{port.name}", bits=port.bits, meaning=port.meaning) for port in circuit.state]


def move_chain(codes: Codes, after: dict[str, Integers], name: str, source: Integers, clocks: int) -> Integers:
    """Move a chain of registers one on, and return what stands at its end."""
    for clock in range(1, clocks + 1):
        after[f"{name}_delay_{clock}"] = source
        source = codes[f"{name}_delay_{clock}"]
    return source


def step_instance(
    codes: Codes, after: dict[str, Integers], instance: str, circuit: Circuit, given: dict[str, Integers]
) -> None:
    """One clock of an instance."""
    held = {port.name: codes[f"{instance}.{port.name}"] for port in circuit.state}
    found = circuit.step({**given, **held})
    after |= {f"{instance}.{port.name}": found[port.name] for port in circuit.state}
