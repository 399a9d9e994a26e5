"""A weight-stationary array as a circuit: ports, registers and definition.

Weights enter from above, one row per clock, that of the last row first, column c delayed by c; ``load`` is 1 with the
first of them. They are shifted down into waiting registers: row r shifts as long as weights for it or for rows below
pass, and then keeps its own. Activations enter from the left, row r delayed by r; ``swap`` comes with the first row of
a fold and makes the waiting weights those that are multiplied, cell by cell as the activations arrive. So the next
fold's weights are loaded behind the front of the running stream. Sums pass down the columns; at the foot, the sum of a
chain joins the sums of earlier folds, which the output buffer outside hands in as ``carried``.

With a dequantizer, the foot scales each chain's sum and adds it to the carried one. A column of ones, fed as the first
column is, sums the activations of each row; its sums walk along the feet, one column per clock. Scales and zero points
enter with ``swap``, wait, and are held while the fold's rows pass the foot. ``opens``, given with every row of
activations, marks the fold that is the first of its outputs.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from simhw.circuits import Circuit, Codes, Port, require_rtl
from simhw.circuits.codes import to_code, to_signed
from simhw.rtl.arrays.base import Integers, SystolicArray, check_sizes, total_port
from simhw.rtl.arrays.element import Element
from simhw.rtl.arrays.foot import carried_dequantizer, join
from simhw.rtl.arrays.lanes import edge_codes, entering, lanes
from simhw.rtl.arrays.registers import delays, inside, move_chain, register, step_instance
from simhw.rtl.arrays.stage import Stage
from simhw.rtl.arrays.stationary_cell import stationary_cell, waiting

DATAFLOW = "weight_stationary"


def weight_stationary(element: Element, rows: int, columns: int, *, stage: Stage | None = None) -> SystolicArray:
    """Return a weight-stationary array of ``rows`` x ``columns`` PEs; arguments as ``output_stationary``.

    Raises:
        InputError: a size below 1.
    """
    check_sizes(rows, columns)
    made = _Definition(element, rows, columns, stage)
    pe = element.pe
    ports = (made.inputs(), made.outputs())

    def component(*, inline: bool) -> Any:
        require_rtl()
        from simhw.rtl.arrays.placing import Wired
        from simhw.rtl.arrays.weight_stationary_wiring import fill

        return Wired(*ports, partial(fill, element, (made.cell, made.foot), rows, columns, stage), inline=inline)

    circuit = Circuit(
        name=f"weight_stationary_{rows}x{columns}_{element.name}" + (f"_{stage.name}" if stage else ""),
        variant=pe.variant,
        description=f"{rows} x {columns} {element.name}, weights stay, sums pass down into a {made.foot.name}",
        source="N. P. Jouppi et al., the TPU, ISCA 2017",
        parameters={"rows": rows, "columns": columns, **pe.parameters},
        inputs=ports[0],
        state=made.state(),
        outputs=ports[1],
        build=partial(component, inline=False),
        step=made.step,
        parts=(made.cell, made.foot),
    )
    return SystolicArray(
        circuit=circuit,
        dataflow=DATAFLOW,
        rows=rows,
        columns=columns,
        element=element,
        stage=stage,
        output_registers=1 if stage is None else 2,
        inline=partial(component, inline=True),
    )


class _Definition:
    """The array in NumPy: one clock from the cells' definition and the wires between cells."""

    def __init__(self, element: Element, rows: int, columns: int, stage: Stage | None) -> None:
        self.element, self.rows, self.columns, self.stage = element, rows, columns, stage
        self.cell = stationary_cell(element)
        self.foot = join(element.pe) if stage is None else carried_dequantizer(stage.dequantizer)
        self._lanes = lanes(element, rows, columns)
        self._places = [(r, c) for r in range(rows) for c in range(columns)]

    def inputs(self) -> tuple[Port, ...]:
        """Ports in."""
        ports = entering(self.element, self.rows, self.columns)
        ports += [
            Port(name="load", bits=1, meaning="these weights are the first of a fold, those of the last row"),
            Port(name="swap", bits=1, meaning="these activations are the first that meet the weights of a fold"),
            Port(name="enable", bits=1, meaning="these activations count"),
        ]
        result = total_port(self.foot)
        for c in range(self.columns):
            ports.append(
                Port(name=f"carried_{c}", bits=result.bits, meaning=f"from the output buffer: {result.meaning}")
            )
        if self.stage is not None:
            ports.append(Port(name="opens", bits=1, meaning="with enable: this fold is the first of its outputs"))
            ports += [
                Port(name=f"{port.name}_{c}", bits=port.bits, meaning=f"with swap: {port.meaning}, column {c}")
                for c in range(self.columns)
                for port in self.stage.scales
            ]
        return tuple(ports)

    def outputs(self) -> tuple[Port, ...]:
        """Ports out."""
        result = total_port(self.foot)
        ports = []
        for c in range(self.columns):
            ports += [
                Port(name=f"sum_{c}", bits=result.bits, meaning=f"column {c}: {result.meaning}"),
                Port(name=f"valid_{c}", bits=1, meaning=f"sum_{c} belongs to a row of activations that counts"),
            ]
        return tuple(ports)

    def state(self) -> tuple[Port, ...]:
        """All registers, by their names in the flat netlist."""
        ports = [*delays("load", 1, self.rows - 1), *delays("enable", 1, self.rows + 1)]
        for port, index in self._lanes:
            ports += delays(f"{port.name}_{index}", port.bits, index)
        ports += [register(f"load_{r}_{c}") for r, c in self._places if c + 1 < self.columns]
        ports += [register(f"swap_{r}_{c}") for r, c in self._places if self._passes_swap(r, c)]
        for r, c in self._places:
            ports += inside(f"cell_{r}_{c}", self.cell)
        for c in range(self.columns):
            ports += [register(f"valid_{c}"), *inside(f"foot_{c}", self.foot)]
        if self.stage is None:
            return tuple(ports)
        for r in range(self.rows):
            ports += inside(f"ones_{r}", self.cell)
        ports += [*delays("opens", 1, self.rows + 1), register("enabled")]
        for c in range(self.columns):
            for port in self.stage.scales:
                ports += delays(f"{port.name}_{c}", port.bits, c)
                ports += [register(f"{port.name}_{c}_{role}", port.bits) for role in ("waiting", "held")]
            if c:
                ports += [register(f"activation_sum_{c}", self.stage.activation_bits)]
                ports += [register(f"fold_{c}"), register(f"opens_{c}")]
        return tuple(ports)

    def step(self, codes: Codes) -> dict[str, Integers]:
        """One clock."""
        after: dict[str, Integers] = {}
        edge = edge_codes(self.element, self._lanes, codes, after)
        move_chain(codes, after, "load", codes["load"], self.rows - 1)
        pulses = [codes["load"], *(codes[f"load_delay_{clock}"] for clock in range(1, self.rows))]
        for r, c in self._places:
            load = codes[f"load_{r}_{c - 1}"] if c else np.bitwise_or.reduce(pulses[r:])
            swap = self._swap(codes, r, c)
            if c + 1 < self.columns:
                after[f"load_{r}_{c}"] = load
            if self._passes_swap(r, c):
                after[f"swap_{r}_{c}"] = swap
            given = {
                **{p: codes[f"cell_{r}_{c - 1}.{p}_q"] if c else edge[p, r] for p in self.element.activation},
                **{p: codes[f"cell_{r - 1}_{c}.{waiting(p)}"] if r else edge[p, c] for p in self.element.weight},
                **{port: codes[port] for port in self.element.settings},
                "load": load,
                "swap": swap,
                "above": codes[f"cell_{r - 1}_{c}.total"] if r else np.zeros_like(load),
            }
            step_instance(codes, after, f"cell_{r}_{c}", self.cell, given)
        valid = move_chain(codes, after, "enable", codes["enable"], self.rows + 1)
        if self.stage is not None:
            self._step_ones(codes, after, edge, self.stage)
            after["enabled"], valid = valid, codes["enabled"]
        for c in range(self.columns):
            given = {"carried": codes[f"carried_{c}"]}
            chain = codes[f"cell_{self.rows - 1}_{c}.total"]
            given |= {"chain": chain} if self.stage is None else self._scaled(codes, after, c, chain, self.stage)
            step_instance(codes, after, f"foot_{c}", self.foot, given)
            after[f"valid_{c}"] = codes[f"valid_{c - 1}"] if c else valid
            after[f"sum_{c}"] = codes[f"foot_{c}.total"]
        return after

    def _step_ones(self, codes: Codes, after: dict[str, Integers], edge: dict[Any, Integers], stage: Stage) -> None:
        always = np.ones_like(codes["load"])
        for r in range(self.rows):
            given = {
                "activation": edge["activation", r],
                "weight": always * stage.one,
                "load": always,
                "swap": always,
                "above": codes[f"ones_{r - 1}.total"] if r else always * 0,
            }
            step_instance(codes, after, f"ones_{r}", self.cell, given)

    def _scaled(
        self, codes: Codes, after: dict[str, Integers], c: int, chain: Integers, stage: Stage
    ) -> dict[str, Integers]:
        """What enters the dequantizer of a column."""
        if c:
            fold, opens, sums = codes[f"fold_{c}"], codes[f"opens_{c}"], codes[f"activation_sum_{c}"]
        else:
            fold = codes[f"swap_{self.rows - 1}_0"]
            opens = move_chain(codes, after, "opens", codes["opens"], self.rows + 1)
            sums = to_code(codes[f"ones_{self.rows - 1}.total"], stage.activation_bits)
        if c + 1 < self.columns:
            after |= {f"fold_{c + 1}": fold, f"opens_{c + 1}": opens, f"activation_sum_{c + 1}": sums}
        given = {
            "group_sum": to_code(to_signed(to_code(chain, stage.sum_bits), stage.sum_bits), stage.group_bits),
            "activation_sum": sums,
            "first": opens,
        }
        for port in stage.scales:
            name = f"{port.name}_{c}"
            entering = move_chain(codes, after, name, codes[name], c)
            waiting, held = codes[f"{name}_waiting"], codes[f"{name}_held"]
            after[f"{name}_waiting"] = np.where(self._swap(codes, 0, c) == 1, entering, waiting)
            after[f"{name}_held"] = np.where(fold == 1, waiting, held)
            given[port.name] = held
        return given

    def _swap(self, codes: Codes, r: int, c: int) -> Integers:
        """The flag that enters a cell with its activation."""
        if c:
            return codes[f"swap_{r}_{c - 1}"]
        return codes[f"swap_{r - 1}_0"] if r else codes["swap"]

    def _passes_swap(self, r: int, c: int) -> bool:
        below = c == 0 and (r + 1 < self.rows or self.stage is not None)
        return below or c + 1 < self.columns
