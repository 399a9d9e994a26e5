"""What an inference of a network costs, from its shape alone: one row per distinct step, and the sum of all.

Counts, cycles, words and energies of a row are those of all its ``count`` steps together. Steps follow one another; the
vector unit works beside the array where its overlap allows it, on the results of the product before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from simhw.arrays.base import MOST_CYCLES, check_positive
from simhw.arrays.hand_over import HandOver, hand_over
from simhw.cost_settings import CostSettings
from simhw.cost_table import ENERGY_PARTS, CostRow, layer_row
from simhw.costs import load_table
from simhw.errors import InputError
from simhw.layer_plan import LayerPlan, plan_layer
from simhw.memory import TRAFFIC_PARTS
from simhw.pes import get_pe
from simhw.workloads import Inference, Phase, Shape, Work, WorkKind
from simhw.workloads.functions import function_work

LANES_PER_COLUMN = 4
"""Of the vector unit, where no number of lanes is given."""
SUMS = (
    "count",
    "macs",
    "elements",
    "compute_cycles",
    "stall_cycles",
    "total_cycles",
    "sram_reads",
    "sram_writes",
    "dram_reads",
    "dram_writes",
    *(f"energy_{part}_pj" for part in ENERGY_PARTS),
    "energy_total_pj",
    "dequantize_operations",
    "dequantize_stall_cycles",
    "vector_cycles",
    *(f"dram_{part}_bits" for part in TRAFFIC_PARTS),
)
"""Columns that add up."""
FIRST = ("phase", "name", "kind", "count", "m", "n", "k", "batch", "macs", "elements")
"""Columns in front of those of ``simhw cost``."""


def workload_cost(
    shape: Shape,
    settings: CostSettings = CostSettings(),  # noqa: B008
    *,
    phase: str = "prefill",
    batch: int = 1,
    tokens: int | None = None,
    context: int | None = None,
    generate: int = 0,
    kv_bits: int | None = None,
) -> list[CostRow]:
    """Return the cost of an inference, one row per distinct step and phase, the last row the sum of all.

    Args:
        shape: the network (``simhw.load_shape``).
        settings: the machine.
        phase: ``prefill``; ``decode``; or ``inference``, which is both: ``tokens`` of input, then ``generate`` steps,
            each with one more token in the cache.
        batch: sequences or images.
        tokens: of the input.
        context: cached tokens before the first decoding step.
        generate: decoding steps; 0 in the phase decode: one.
        kv_bits: of keys and values in the cache and in attention; None: see ``CostSettings.attention_of``.

    Raises:
        InputError: sizes and phases that contradict each other, what the machine cannot run, counts beyond int64.
    """
    if settings.vector_lanes is None:
        check_positive("columns", settings.columns)
        settings = replace(settings, vector_lanes=LANES_PER_COLUMN * settings.columns)
    pricer = _Pricer(settings, kv_bits)
    rows: list[dict[str, Any]] = []
    for name, inferences in _phases(phase, batch, tokens, context, generate):
        merged: dict[str, dict[str, Any]] = {}
        for inference in inferences:
            for row in pricer.rows(name, shape.work(inference)):
                _merge(merged, row)
        rows += merged.values()
    last = _last_context(phase, tokens, context, generate)
    cached = shape.cached_words_per_token * pricer.kv_bits * batch * last
    total = _total(rows, cached)
    return [*rows, total]


def _phases(
    phase: str, batch: int, tokens: int | None, context: int | None, generate: int
) -> Iterator[tuple[str, Iterable[Inference]]]:
    """Yield each phase with its passes."""
    phases = [*(member.value for member in Phase), "inference"]
    if phase not in phases:
        raise InputError(f"phase is {phase!r}, must be one of {', '.join(phases)}; choose one")
    if generate < 0:
        raise InputError(f"generate is {generate}, must be at least 0; give the number of tokens to be made")
    if phase == "inference":
        if tokens is None or context is not None or generate < 1:
            raise InputError("an inference has tokens of input and tokens to generate, no context; give both numbers")
        yield "prefill", [Inference(batch=batch, tokens=tokens)]
        context = tokens
    elif phase == "prefill":
        if generate:
            raise InputError(f"generate is {generate} in the phase prefill, which makes no tokens; choose inference")
        yield "prefill", [Inference(batch=batch, tokens=tokens, context=context)]
        return
    first = Inference(phase=Phase.DECODE, batch=batch, tokens=None if phase == "inference" else tokens, context=context)
    assert first.context is not None
    yield "decode", [replace(first, context=first.context + step) for step in range(max(1, generate))]


def _last_context(phase: str, tokens: int | None, context: int | None, generate: int) -> int:
    start = context if phase == "decode" else tokens
    return (start or 0) + (0 if phase == "prefill" else max(1, generate))


class _Pricer:
    """Prices steps on one machine; equal layers are planned once."""

    def __init__(self, settings: CostSettings, kv_bits: int | None) -> None:
        check_positive("rows", settings.rows)
        self.settings = settings
        self.pe, self.table = get_pe(settings.pe), load_table(settings.technology)
        self.precision, self.array = settings.precision_of(self.pe), settings.array_of(self.pe)
        self.attention = settings.attention_of(self.pe, kv_bits)
        self.kv_bits = self.attention[0].weight_bits
        self.memory = settings.memory_of(self.precision)
        settings.check_prices(self.table)
        self.standing = settings.standing(self.pe, self.table)
        unit = settings.vector_unit()
        assert unit is not None
        self.unit = unit

    def rows(self, phase: str, steps: Iterable[Work]) -> Iterator[dict[str, Any]]:
        """Yield the row of each step, its counts multiplied."""
        before = HandOver()
        for step in steps:
            if step.kind is WorkKind.VECTOR:
                row = self._vector(step, before)
                before = before.after(min(before.cycles, self._hidden(step, before)))
            else:
                plan, row = self._product(step)
                before = replace(hand_over(plan.gemm, plan.schedule), cycles=plan.total_cycles)
            front = {"phase": phase, "name": step.name, "kind": step.kind.value, "count": step.count}
            front |= {"macs": step.macs // step.count, "elements": step.elements}
            found = {**row, **front}
            for name in SUMS:
                if name != "count":
                    found[name] *= step.count
            yield found

    def _product(self, step: Work) -> tuple[LayerPlan, dict[str, Any]]:
        precision, array = self.precision, self.array
        if step.kind is WorkKind.ATTENTION:
            precision, array = self.attention
        elif step.makes_keys:
            precision = replace(precision, output_bits=self.kv_bits)
        assert step.layer is not None
        try:
            plan = plan_layer(step.layer, array, precision, self.memory)
        except InputError as error:
            raise InputError(f"step {step.name!r}: {error}") from error
        machine = self.memory, self.pe, self.table, self.settings, self.standing
        row = layer_row(step.name, plan, array, precision, *machine)
        return plan, dict(row)

    def _vector(self, step: Work, before: HandOver) -> dict[str, Any]:
        """Return the counts of a vector step."""
        work = function_work(step.function)
        cycles = before.exposed_cycles(self.unit, step.elements, work)
        clock_mhz = self.settings.clock_mhz
        parts = {
            "vector": step.elements * work.energy_pj(self.table),
            "leakage": self.standing.power.leakage_pj(cycles, clock_mhz),
            "dram_static": self.standing.power.dram_pj(cycles, clock_mhz),
        }
        counts: dict[str, Any] = dict.fromkeys(SUMS, 0)
        sizes: dict[str, Any] = dict.fromkeys(("m", "n", "k", "batch"), 0)
        counts |= {"total_cycles": cycles, "vector_cycles": cycles}
        counts |= {f"energy_{part}_pj": value for part, value in parts.items()}
        counts["energy_total_pj"] = sum(parts.values())
        counts |= {"elements": step.elements}
        return {**sizes, **counts, "function": step.function}

    def _hidden(self, step: Work, before: HandOver) -> int:
        work = function_work(step.function)
        return self.unit.cycles(step.elements, work) - before.exposed_cycles(self.unit, step.elements, work)


def _merge(merged: dict[str, dict[str, Any]], row: dict[str, Any]) -> None:
    """Add a row to the one of its name: the sizes shown are those of the last."""
    known = merged.get(row["name"])
    if known is None:
        merged[row["name"]] = row
        return
    known |= {name: known[name] + row[name] for name in SUMS}
    known |= {name: row[name] for name in ("m", "n", "k", "batch")}


def _total(rows: list[dict[str, Any]], cached_bits: int) -> dict[str, Any]:
    """Return the sum of all rows, and give all of them the same columns.

    Raises:
        InputError: a sum is beyond int64.
    """
    total: dict[str, Any] = {name: sum(row[name] for row in rows) for name in SUMS}
    if max(total["total_cycles"], total["macs"], total["sram_reads"]) > MOST_CYCLES:
        raise InputError("the inference takes counts beyond 2**63 - 1; give fewer tokens or a smaller batch")
    product = next(row for row in rows if row["macs"])
    peak = product["rows"] * product["columns"] * product["products_per_cycle"]
    total |= {"name": "total", "kind": "all", "kv_cache_bits": cached_bits}
    for row in (*rows, total):
        pace = row["rows"] * row["columns"] * row["products_per_cycle"] if "rows" in row else peak
        row["utilization"] = row["macs"] / (row["total_cycles"] * pace) if row["total_cycles"] else 0.0
    columns = list(dict.fromkeys([*FIRST, *product, "function", "kv_cache_bits"]))
    rows[:] = [{name: row.get(name, "") for name in columns} for row in rows]
    return {name: total.get(name, "") for name in columns}
