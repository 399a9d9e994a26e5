"""A netlist of standard cells: what synthesis leaves, in the order in which it can be evaluated."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from simhw.errors import InputError
from simhw.rtl.liberty import Library

CLOCK = "clk"
"""The one clock of every circuit."""
_CONSTANTS = {"0": 0, "1": 1, "x": 0}


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One standard cell in a netlist.

    Attributes:
        cell: its type.
        inputs: nets of its inputs, in the order of ``Cell.inputs``; the clock of a flip-flop counts as constant 0.
        output: net of its output.
    """

    cell: str
    inputs: tuple[int, ...]
    output: int


@dataclass(frozen=True, kw_only=True)
class MappedNetlist:
    """A circuit of standard cells. Nets are numbers; 0 and 1 are the constants.

    Attributes:
        name: of the circuit.
        nets: how many there are.
        inputs: nets of each input but the clock, lowest bit first.
        outputs: nets of each output.
        gates: combinational cells; each stands behind those that feed it.
        flip_flops: registers, one bit each; all hold 0 at the start.
        verilog: the netlist as text.
    """

    name: str
    nets: int
    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    gates: tuple[Instance, ...] = field(repr=False)
    flip_flops: tuple[Instance, ...] = field(repr=False)
    verilog: str = field(repr=False, default="")

    @property
    def cells(self) -> dict[str, int]:
        """How many cells of each type there are, by name."""
        return dict(sorted(Counter(instance.cell for instance in (*self.gates, *self.flip_flops)).items()))

    def area_um2(self, library: Library) -> float:
        """Return the sum of the cells' areas."""
        return sum(library.cell(name).area_um2 * count for name, count in self.cells.items())

    def leakage_nw(self, library: Library) -> float:
        """Return the sum of the cells' leakage."""
        return sum(library.cell(name).leakage_nw * count for name, count in self.cells.items())


def read_mapped(text: str, library: Library, verilog: str = "") -> MappedNetlist:
    """Return the netlist that Yosys wrote as JSON, all of whose cells are in ``library``.

    Raises:
        InputError: a cell is neither a gate with one output nor a plain flip-flop of the library.
    """
    ((name, module),) = json.loads(text)["modules"].items()
    nets: dict[Any, int] = dict(_CONSTANTS)
    nets.update({bit: 1 + place for place, bit in enumerate(_bits(module), start=1)})
    gates: list[Instance] = []
    flip_flops: list[Instance] = []
    for raw in module["cells"].values():
        cell = library.cell(raw["type"])
        pins = {pin: nets[bits[0]] for pin, bits in raw["connections"].items()}
        if not (cell.gate or cell.flip_flop):
            raise InputError(
                f"{name} was mapped to the cell {cell.name}, which is neither a gate with one output nor a plain "
                "flip-flop; exclude it with --dont-use"
            )
        clock = cell.flip_flop.clock if cell.flip_flop else ""
        instance = Instance(
            cell=cell.name,
            inputs=tuple(0 if pin == clock else pins[pin] for pin in cell.input_names),
            output=pins[cell.outputs[0].name],
        )
        (flip_flops if cell.flip_flop else gates).append(instance)
    ports = {
        direction: {
            port: tuple(nets[bit] for bit in found["bits"])
            for port, found in module["ports"].items()
            if found["direction"] == direction and port != CLOCK
        }
        for direction in ("input", "output")
    }
    known = {0, 1, *(net for bits in ports["input"].values() for net in bits), *(f.output for f in flip_flops)}
    return MappedNetlist(
        name=name,
        nets=max(nets.values()) + 1,
        inputs=ports["input"],
        outputs=ports["output"],
        gates=tuple(_in_order(gates, known)),
        flip_flops=tuple(flip_flops),
        verilog=verilog,
    )


def _bits(module: Mapping[str, Any]) -> list[int]:
    """Return the numbers of all nets in the order in which ports, then cells name them."""
    clock = set(module["ports"].get(CLOCK, {"bits": []})["bits"])
    named = [bit for port in module["ports"].values() for bit in port["bits"]]
    named += [bit for cell in module["cells"].values() for bits in cell["connections"].values() for bit in bits]
    return [bit for bit in dict.fromkeys(named) if isinstance(bit, int) and bit not in clock] + sorted(clock)


def _in_order(gates: list[Instance], known: set[int]) -> list[Instance]:
    """Return the gates in an order in which each stands behind those that feed it."""
    driver = {gate.output: gate for gate in gates}
    ordered: list[Instance] = []
    done = set(known)
    for gate in gates:
        stack = [gate.output]
        while stack:
            net = stack[-1]
            if net in done:
                stack.pop()
                continue
            if net not in driver:
                done.add(net)  # nothing drives it: it keeps its 0
                continue
            missing = [source for source in driver[net].inputs if source not in done]
            if missing:
                assert len(stack) <= len(gates) * 16, "a loop of gates"
                stack += missing
                continue
            done.add(net)
            ordered.append(driver[net])
            stack.pop()
    return ordered
