"""An output-stationary array as a circuit: ports, registers and definition.

Activations enter from the left, row r delayed by r clocks; weights enter from above, column c delayed by c. The flags
``first``, ``enable`` and ``last`` enter at the corner and travel beside the activations, down the first column and
along every row, so the products of one sum are marked in each PE without a counter anywhere. One clock after the last
product of a sum its total stands on the bus of its column, at which its row alone is not gated; the next sum may
already be under way in the same PE. Rows finish one after the other, so a column needs no second accumulator and no
shifting out, as long as ``rows`` clocks lie between the ends of two sums.

With a dequantizer, a bus ends in the one of its column. A column of ones, fed as the first column is, sums the
activations; its sums walk along the dequantizers, one column per clock, which is the skew of the columns, and so meet
the sums that they belong to. Scale and zero point of a group enter with the weights of its last element and are held
while the rows of the column pass. ``opens`` and ``closes``, given with the last element too, mark the first and the
last group of an output.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from simhw.circuits import Circuit, Codes, Port, require_rtl
from simhw.circuits.codes import to_code, to_signed
from simhw.rtl.arrays.base import (
    Integers,
    SystolicArray,
    check_sizes,
    total_port,
)
from simhw.rtl.arrays.column_dequantizer import column_dequantizer
from simhw.rtl.arrays.element import Element
from simhw.rtl.arrays.lanes import edge_codes, entering, lanes
from simhw.rtl.arrays.registers import delays, inside, move_chain, register, step_instance
from simhw.rtl.arrays.stage import Stage

FLAGS = ("first", "enable", "last")
DATAFLOW = "output_stationary"


def output_stationary(element: Element, rows: int, columns: int, *, stage: Stage | None = None) -> SystolicArray:
    """Return an output-stationary array of ``rows`` x ``columns`` PEs.

    Args:
        element: the PE and how operands enter.
        rows: of the array.
        columns: of the array.
        stage: dequantizer at the foot of each column; None: sums leave as they are.

    Raises:
        InputError: a size below 1.
    """
    check_sizes(rows, columns)
    made = _Definition(element, rows, columns, stage)
    pe = element.pe
    ports = (made.inputs(), made.outputs())

    def component(*, inline: bool) -> Any:
        require_rtl()
        from simhw.rtl.arrays.output_stationary_wiring import fill
        from simhw.rtl.arrays.placing import Wired

        return Wired(*ports, partial(fill, element, rows, columns, stage, made.foot), inline=inline)

    parts = (pe,) if made.foot is None else (pe, made.foot)
    circuit = Circuit(
        name=f"output_stationary_{rows}x{columns}_{element.name}" + (f"_{stage.name}" if stage else ""),
        variant=pe.variant,
        description=f"{rows} x {columns} {element.name}, one sum per PE, one bus per column"
        + (f", each into a {stage.dequantizer.name}" if stage else ""),
        source="H. T. Kung, Why systolic architectures?, 1982",
        parameters={"rows": rows, "columns": columns, **pe.parameters},
        inputs=ports[0],
        state=made.state(),
        outputs=ports[1],
        build=partial(component, inline=False),
        step=made.step,
        parts=parts,
    )
    return SystolicArray(
        circuit=circuit,
        dataflow=DATAFLOW,
        rows=rows,
        columns=columns,
        element=element,
        stage=stage,
        output_registers=0 if stage is None else 2,
        inline=partial(component, inline=True),
    )


class _Definition:
    """The array in NumPy: one clock from the PE's definition and the wires between PEs."""

    def __init__(self, element: Element, rows: int, columns: int, stage: Stage | None) -> None:
        self.element, self.rows, self.columns, self.stage = element, rows, columns, stage
        self.pe = pe = element.pe
        self.foot = None if stage is None else column_dequantizer(stage.dequantizer, rows)
        self.scales = () if stage is None else stage.scales
        self._lanes = lanes(element, rows, columns)
        self._places = [(r, c) for r in range(rows) for c in range(columns)]
        self._total = total_port(pe)

    def inputs(self) -> tuple[Port, ...]:
        """Ports in."""
        ports = [
            *entering(self.element, self.rows, self.columns),
            Port(name="first", bits=1, meaning="these operands start a new sum"),
            Port(name="enable", bits=1, meaning="these operands count"),
            Port(name="last", bits=1, meaning="these operands end a sum"),
        ]
        if self.stage is not None:
            ports += [
                Port(name="opens", bits=1, meaning="with last: this group is the first of its output"),
                Port(name="closes", bits=1, meaning="with last: this group is the last of its output"),
                *(self._scale(port, c) for c in range(self.columns) for port in self.scales),
            ]
        return tuple(ports)

    def outputs(self) -> tuple[Port, ...]:
        """Ports out."""
        result = self._total if self.foot is None else total_port(self.foot)
        return tuple(
            port
            for c in range(self.columns)
            for port in (
                Port(name=f"sum_{c}", bits=result.bits, meaning=f"column {c}, row after row: {result.meaning}"),
                Port(name=f"valid_{c}", bits=1, meaning=f"sum_{c} is a result"),
            )
        )

    def state(self) -> tuple[Port, ...]:
        """All registers, by their names in the flat netlist."""
        ports: list[Port] = []
        for port, index in self._lanes:
            ports += delays(f"{port.name}_{index}", port.bits, index)
        ports += [register(name) for name in self._flag_names()]
        for r, c in self._places:
            ports += inside(f"pe_{r}_{c}", self.pe)
        if self.stage is None or self.foot is None:
            return tuple(ports)
        for r in range(self.rows):
            ports += inside(f"ones_{r}", self.pe)
        ports += [register(f"activation_sum_{c}", self.stage.activation_bits) for c in range(1, self.columns)]
        for c in range(self.columns):
            for port in self.scales:
                ports += [*delays(f"{port.name}_{c}", port.bits, c + 1), register(f"{port.name}_{c}_held", port.bits)]
            ports += [register(f"{flag}_{c}{role}") for flag in ("opens", "closes") for role in ("", "_held")]
            ports += [register(f"ending_{c}"), register(f"valid_{c}"), *inside(f"dequantizer_{c}", self.foot)]
        return tuple(ports)

    def step(self, codes: Codes) -> dict[str, Integers]:
        """One clock."""
        after: dict[str, Integers] = {}
        edge = edge_codes(self.element, self._lanes, codes, after)
        for name in self._flag_names():
            after[name] = self._flag_source(codes, name)
        for r, c in self._places:
            given = {
                **{p: codes[f"pe_{r}_{c - 1}.{p}_q"] if c else edge[p, r] for p in self.element.activation},
                **{p: codes[f"pe_{r - 1}_{c}.{p}_q"] if r else edge[p, c] for p in self.element.weight},
            }
            self._step_pe(codes, after, f"pe_{r}_{c}", given, (r, c))
        buses, valid = zip(*(self._bus(codes, f"pe_{{}}_{c}", c) for c in range(self.columns)), strict=True)
        if self.stage is None or self.foot is None:
            return after | {
                name: codes_of[c]
                for c in range(self.columns)
                for name, codes_of in ((f"sum_{c}", buses), (f"valid_{c}", valid))
            }
        one = np.full_like(buses[0], self.stage.one)
        for r in range(self.rows):
            given = {"activation": edge["activation", r], "weight": one}
            self._step_pe(codes, after, f"ones_{r}", given, (r, 0))
        ones = to_code(self._bus(codes, "ones_{}", 0)[0], self.stage.activation_bits)
        for c in range(self.columns):
            self._step_column(codes, after, c, buses[c], valid[c], ones)
        return after

    def _step_column(
        self, codes: Codes, after: dict[str, Integers], c: int, bus: Integers, valid: Integers, ones: Integers
    ) -> None:
        """One clock of what stands at the foot of a column."""
        assert self.stage is not None
        assert self.foot is not None
        holds = codes[f"last_0_{c}"] == 1
        for port in self.scales:
            waiting = move_chain(codes, after, f"{port.name}_{c}", codes[f"{port.name}_{c}"], c + 1)
            held = f"{port.name}_{c}_held"
            after[held] = np.where(holds, waiting, codes[held])
        for flag in ("opens", "closes"):
            after[f"{flag}_{c}"] = codes[f"{flag}_{c - 1}"] if c else codes[flag]
            after[f"{flag}_{c}_held"] = np.where(holds, codes[f"{flag}_{c}"], codes[f"{flag}_{c}_held"])
        sums = codes[f"activation_sum_{c}"] if c else ones
        if c + 1 < self.columns:
            after[f"activation_sum_{c + 1}"] = sums
        given = {
            "group_sum": to_code(
                to_signed(to_code(bus, self.stage.sum_bits), self.stage.sum_bits), self.stage.group_bits
            ),
            "activation_sum": sums,
            "first": codes[f"opens_{c}_held"],
            "enable": valid,
            **{port.name: codes[f"{port.name}_{c}_held"] for port in self.scales},
        }
        name = f"dequantizer_{c}"
        step_instance(codes, after, name, self.foot, given)
        after[f"ending_{c}"] = valid & codes[f"closes_{c}_held"]
        after[f"valid_{c}"] = codes[f"ending_{c}"]
        after[f"sum_{c}"] = codes[f"{name}.total"]

    def _step_pe(
        self, codes: Codes, after: dict[str, Integers], name: str, given: dict[str, Integers], place: tuple[int, int]
    ) -> None:
        flags = {flag: self._flag(codes, flag, *place) for flag in ("first", "enable")}
        settings = {port: codes[port] for port in self.element.settings}
        step_instance(codes, after, name, self.pe, {**given, **settings, **flags})

    def _bus(self, codes: Codes, name: str, c: int) -> tuple[Integers, Integers]:
        """What the bus of a column carries, and whether that is a sum."""
        leaving = [codes[f"last_{r}_{c + 1}"] for r in range(self.rows)]
        totals = [codes[f"{name.format(r)}.total"] for r in range(self.rows)]
        gated = [np.where(leaves == 1, total, 0) for leaves, total in zip(leaving, totals, strict=True)]
        return np.bitwise_or.reduce(gated), np.bitwise_or.reduce(leaving)

    def _flag_names(self) -> list[str]:
        """Flags stand beside the activations of their PE; ``last`` goes one place further, to open the bus."""
        return [
            f"{flag}_{r}_{c}"
            for flag in FLAGS
            for r in range(self.rows)
            for c in range(self.columns + 1)
            if flag == "last" or c + 1 < self.columns or (c == 0 and r + 1 < self.rows)
        ]

    def _flag(self, codes: Codes, flag: str, r: int, c: int) -> Integers:
        """The flag that enters a PE with its operands."""
        if c:
            return codes[f"{flag}_{r}_{c - 1}"]
        return codes[f"{flag}_{r - 1}_0"] if r else codes[flag]

    def _flag_source(self, codes: Codes, name: str) -> Integers:
        flag, r, c = name.split("_")
        return self._flag(codes, flag, int(r), int(c))

    def _scale(self, port: Port, column: int) -> Port:
        meaning = f"with last: {port.meaning}, column {column}"
        return Port(name=f"{port.name}_{column}", bits=port.bits, meaning=meaning)
