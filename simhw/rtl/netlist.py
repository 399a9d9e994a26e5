"""A circuit as gates: one flat netlist in the order of its levels, its registers cut open.

Nets are numbers: 0 and 1 are the constants, then the bits of inputs and registers, then one net per gate, in an order
in which every gate stands behind those that feed it. A register is no gate: what it holds is given, what it takes next
is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.circuits import Circuit
from simhw.errors import InputError
from simhw.rtl.rtlil import rtlil
from simhw.rtl.yosys import run_yosys

RESET = "rst"
"""Input that clears the registers: Amaranth adds it, it belongs to no PE's definition."""
_CLOCK = "clk"
_CONSTANTS: dict[int | str, int] = {"0": 0, "1": 1, "x": 0}


class Gate(IntEnum):
    """Kinds of gates, as Yosys' simple cells are."""

    NOT = 0
    """Not a."""
    AND = 1
    """a and b."""
    NAND = 2
    """Not (a and b)."""
    OR = 3
    """a or b."""
    NOR = 4
    """Not (a or b)."""
    XOR = 5
    """a or b, not both."""
    XNOR = 6
    """a equals b."""
    ANDNOT = 7
    """a and not b."""
    ORNOT = 8
    """a or not b."""
    MUX = 9
    """b if s, else a."""


@dataclass(frozen=True, kw_only=True)
class Netlist:
    """Gates in an order in which they can be evaluated.

    Attributes:
        name: of the circuit.
        kinds: one ``Gate`` per gate.
        operands: the nets that feed it, three per gate (a, b, s; those that a kind does not have are 0).
        first_gate: net of gate 0; gate g drives net ``first_gate`` + g.
        inputs: nets of each input, lowest bit first; the reset is among them where there is one.
        state: nets that carry what each register holds.
        next_state: nets that carry what it takes at the next clock edge.
        outputs: nets of each output that is no register.
    """

    name: str
    kinds: NDArray[np.uint8] = field(repr=False)
    operands: NDArray[np.int32] = field(repr=False)
    first_gate: int
    inputs: Mapping[str, tuple[int, ...]]
    state: Mapping[str, tuple[int, ...]]
    next_state: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]

    @property
    def gates(self) -> int:
        """How many gates there are."""
        return len(self.kinds)

    @property
    def levels(self) -> int:
        """Gates on the longest path."""
        level = np.zeros(self.first_gate + self.gates, np.int64)
        for gate, operands in enumerate(self.operands):
            level[self.first_gate + gate] = 1 + level[operands].max()
        return int(level.max())

    def count(self) -> dict[str, int]:
        """Return how many gates of each kind there are."""
        kinds, numbers = np.unique(self.kinds, return_counts=True)
        return {Gate(kind).name: int(number) for kind, number in zip(kinds, numbers, strict=True)}


def netlist(circuit: Circuit) -> Netlist:
    """Return the gates of a circuit, as its description has them: operators become gates, nothing is restructured.

    Raises:
        InputError: Yosys is missing or fails, or the registers of the netlist are not those that the circuit declares.
    """
    return gates_of(rtlil(circuit), circuit)


def gates_of(text: str, circuit: Circuit) -> Netlist:
    """Return the gates of RTLIL ``text``, whose ports and registers are those of ``circuit``."""
    state = {port.name: port.bits for port in circuit.state}
    outputs = {port.name for port in circuit.outputs} - state.keys()
    return _cut(circuit.name, _gate_json(text, circuit.name), state, outputs)


@lru_cache(maxsize=64)
def _gate_json(text: str, name: str) -> str:
    # Where modules are instantiated, each is reduced once, and nothing is merged in the wiring between them: equal
    # registers of neighbours stay apart, as they are declared.
    several = text.count("\nmodule ") > 1
    optimise = f"opt -noff * {name} %d" if several else "opt -noff"
    passes = [
        "read_rtlil in.il",
        "proc",
        *([] if several else ["flatten"]),
        optimise,
        "alumacc",
        optimise,
        "techmap",
        optimise,
        "dffunmap",
        "opt_expr -mux_bool",
        "simplemap",
        "opt_expr",
        "opt_clean",
        *(["flatten"] if several else []),
        "write_json out.json",
    ]
    return run_yosys(passes, {"in.il": text}, ["out.json"], what=f"reduce {name} to gates")["out.json"]


def dependences(netlist: Netlist) -> dict[str, frozenset[str]]:
    """Return which inputs and registers each register's next state and each output is connected to."""
    names = [*netlist.inputs, *netlist.state]
    reached = np.zeros((netlist.first_gate + netlist.gates, len(names)), bool)
    for index, nets in enumerate((*netlist.inputs.values(), *netlist.state.values())):
        reached[list(nets), index] = True
    for gate, operands in enumerate(netlist.operands):
        reached[netlist.first_gate + gate] = reached[operands].any(axis=0)
    return {
        result: frozenset(names[index] for index in np.flatnonzero(reached[list(nets)].any(axis=0)))
        for result, nets in (*netlist.next_state.items(), *netlist.outputs.items())
    }


def _cut(name: str, text: str, state: Mapping[str, int], outputs: set[str]) -> Netlist:
    modules = list(json.loads(text)["modules"].values())
    if len(modules) != 1:
        raise InputError(f"{name} is {len(modules)} modules after flattening, must be 1; give RTLIL of one top module")
    module = modules[0]
    nets = dict(_CONSTANTS)
    inputs: dict[str, tuple[int, ...]] = {}

    def new(bits: list[Any]) -> tuple[int, ...]:
        for bit in bits:
            nets[bit] = len(nets) - 1  # two names stand for net 0
        return tuple(nets[bit] for bit in bits)

    # Yosys leaves a cell without pins where a module was flattened.
    found_cells = (cell for cell in module["cells"].values() if cell["connections"])
    cells = [(cell["type"].strip("$_"), cell["connections"]) for cell in found_cells]
    registers = {c["Q"][0]: c["D"][0] for kind, c in cells if kind.startswith("DFF")}
    for port, found in module["ports"].items():
        if found["direction"] == "input" and port != _CLOCK:
            inputs[port] = new(found["bits"])
    held = {port: _register_bits(name, module, port, bits, registers) for port, bits in state.items()}
    undeclared = registers.keys() - {bit for bits in held.values() for bit in bits}
    if undeclared or sum(map(len, held.values())) != len(registers):
        raise InputError(
            f"{name} holds {len(registers)} bits in registers, {sum(map(len, held.values()))} are declared as its "
            "state; name every register in Circuit.state once"
        )
    states = {port: new(bits) for port, bits in held.items()}
    first_gate = len(nets) - 1
    kinds, operands = _in_order([cell for cell in cells if not cell[0].startswith("DFF")], nets, first_gate)
    return Netlist(
        name=name,
        kinds=kinds,
        operands=operands,
        first_gate=first_gate,
        inputs=inputs,
        state=states,
        next_state={port: tuple(nets[registers[bit]] for bit in bits) for port, bits in held.items()},
        outputs={port: tuple(nets[bit] for bit in module["ports"][port]["bits"]) for port in sorted(outputs)},
    )


def _register_bits(name: str, module: Any, port: str, bits: int, registers: Mapping[Any, Any]) -> list[Any]:
    found = module["netnames"].get(port, {}).get("bits", [])
    if len(found) != bits or any(bit not in registers for bit in found):
        driven = sum(bit in registers for bit in found)
        raise InputError(
            f"state {port} of {name} has {bits} bits, the netlist has {driven} register bits of that name; "
            "give the register this name and width, and let every bit depend on something"
        )
    return list(found)


def _in_order(
    cells: list[tuple[str, Any]], nets: dict[int | str, int], first_gate: int
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Sort gates by level (then as listed) and number their nets; a loop of gates is an error of the generator."""
    waiting = {connections["Y"][0]: (kind, connections) for kind, connections in cells}
    level: dict[int | str, int] = dict.fromkeys(nets, 0)
    stack = list(waiting)
    while stack:
        bit = stack[-1]
        if bit in level:
            stack.pop()
            continue
        feeding = [source[0] for pin, source in waiting[bit][1].items() if pin != "Y"]
        missing = [source for source in feeding if source not in level]
        if missing:
            stack += missing
            assert len(stack) <= len(waiting) ** 2 + len(waiting), "a loop of gates"
        else:
            level[bit] = 1 + max(level[source] for source in feeding)
            stack.pop()
    ordered = sorted(waiting, key=lambda bit: level[bit])
    for index, bit in enumerate(ordered):
        nets[bit] = first_gate + index
    kinds = np.array([Gate[waiting[bit][0]] for bit in ordered], np.uint8)
    operands = np.zeros((len(ordered), 3), np.int32)
    for index, bit in enumerate(ordered):
        for pin, source in waiting[bit][1].items():
            if pin != "Y":
                operands[index, "ABS".index(pin)] = nets[source[0]]
    return kinds, operands
