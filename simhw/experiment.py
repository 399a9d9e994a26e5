"""An experiment is names and numbers; running it gives one row per datapath."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from simhw.accumulators import Exact
from simhw.arrays import get_dataflow
from simhw.arrays.base import Overlap, check_positive
from simhw.calibration import calibrate, needs_calibration
from simhw.catalog import get_method, get_network, get_scheme, model_entries
from simhw.errors import InputError
from simhw.executor import Arithmetic, Execution, Step, execute
from simhw.formats import get_element_format
from simhw.gemm.datapath import Datapath
from simhw.gemm.datapaths import BASELINE, DEFAULT_DATAPATHS, get_datapath
from simhw.gemm.operand import Storage
from simhw.graph.base import Array, Graph
from simhw.graph.network import Dataset, Network
from simhw.layer_cost import Machine, accumulator_bits, area_um2, step_cost
from simhw.quantize import Calibration, Granularity, Scheme, check_fit
from simhw.rows import ENERGY_PARTS, LayerRow, Row

Progress = Callable[[str, int, int], None]
"""Called with (what runs, steps done, steps in all)."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What to run. All fields are names and numbers, so that an experiment can be stored and repeated.

    Attributes:
        model: entry name of the network.
        datapaths: entry names; the float reference runs beside each.
        scheme: entry name; None means each datapath's own.
        group_size: of group-wise weights, for schemes that have them; None means the scheme's.
        accumulator_bits: of integer accumulators, for datapaths that have one; None means as wide as the widest sum
            needs.
        accumulator: name of an accumulator that takes the place of each datapath's own; costs stay those of the PE.
        samples, tokens: how much of the data set; both None means the network's default.
        rows, columns, dataflow, overlap, technology: the machine.
    """

    model: str
    datapaths: tuple[str, ...] = DEFAULT_DATAPATHS
    scheme: str | None = None
    group_size: int | None = None
    accumulator_bits: int | None = None
    accumulator: str | None = None
    samples: int | None = None
    tokens: int | None = None
    rows: int = 32
    columns: int = 32
    dataflow: str = "output_stationary"
    overlap: str = "per_fold"
    technology: str = "horowitz_45nm"

    def machine(self) -> Machine:
        """Return the machine. Raises InputError for unknown names and sizes below 1."""
        check_positive("rows", self.rows)
        check_positive("columns", self.columns)
        get_dataflow(self.dataflow)
        conventions = [o.value for o in Overlap]
        if self.overlap not in conventions:
            raise InputError(f"overlap is {self.overlap!r}, must be one of {', '.join(conventions)}; choose one")
        machine = Machine(
            rows=self.rows,
            columns=self.columns,
            dataflow=self.dataflow,
            overlap=Overlap(self.overlap),
            technology=self.technology,
        )
        _ = machine.table  # an unknown technology is refused before anything runs
        return machine

    def arithmetic(self) -> list[tuple[Datapath, Scheme]]:
        """Return each datapath with its scheme; group size and accumulator width go to those that have one.

        Raises InputError for unknown names, for a datapath and a scheme that do not fit together, and for a group
        size or a width that none of them has.
        """
        if not self.datapaths:
            raise InputError("no datapath was given, at least 1 is needed; see 'simhw list datapaths'")
        datapaths = self._datapaths()
        pairs = [(datapath, get_scheme(self.scheme or datapath.scheme)) for datapath in datapaths]
        for datapath, scheme in pairs:
            check_fit(datapath, scheme)
        if self.group_size is None:
            return pairs
        grouped = [scheme.weight.granularity is Granularity.GROUP for _, scheme in pairs]
        return [
            (datapath, scheme.with_group_size(self.group_size) if has_groups or not any(grouped) else scheme)
            for (datapath, scheme), has_groups in zip(pairs, grouped, strict=True)
        ]

    def _datapaths(self) -> list[Datapath]:
        bits = self.accumulator_bits
        if self.accumulator is not None:
            chosen = self.accumulator
            return [get_datapath(name, accumulator_bits=bits, accumulator=chosen) for name in self.datapaths]
        plain = [get_datapath(name) for name in self.datapaths]
        integer = [isinstance(datapath.accumulator, Exact) for datapath in plain]
        return [
            get_datapath(name, accumulator_bits=bits if is_integer or not any(integer) else None)
            for name, is_integer in zip(self.datapaths, integer, strict=True)
        ]


def run(
    *, models: Sequence[str] | None = None, datapaths: Sequence[str] = DEFAULT_DATAPATHS, **settings: object
) -> list[Row]:
    """Run networks on datapaths and return one row for each pair.

    Args:
        models: entry names; None means the networks that ship with their weights.
        datapaths: entry names.
        settings: other fields of :class:`Experiment`, such as ``samples=64, rows=16, columns=16``.
    """
    tokens = settings.get("tokens")
    names = tuple(models) if models is not None else default_models(tokens if isinstance(tokens, int) else None)
    return [
        row
        for name in names
        for row in run_experiment(Experiment(model=name, datapaths=tuple(datapaths), **settings))  # type: ignore[arg-type]
    ]


def default_models(tokens: int | None = None) -> tuple[str, ...]:
    """Return the networks that ship with their weights; with a number of tokens, those that count in tokens."""
    shipped = [get_network(name) for name in model_entries()]
    return tuple(
        network.name
        for network in shipped
        if network.embedded and (tokens is None or network.dataset(1, None).unit == "token")
    )


def run_experiment(experiment: Experiment, progress: Progress = lambda *_: None) -> Iterator[Row]:
    """Yield one row per datapath, in order. Raises InputError before anything runs where settings are wrong."""
    machine = experiment.machine()
    pairs = experiment.arithmetic()
    network = get_network(experiment.model)
    dataset = network.dataset(experiment.samples, experiment.tokens)
    graph = _import(network, dataset)
    _check_group_size(experiment, graph)
    batches = -(-len(dataset.inputs) // network.batch)
    total = len(pairs) * batches * len(graph.nodes)
    done = 0
    for datapath, scheme in pairs:
        label = f"{experiment.model} on {datapath.name}"

        def step(count: int, label: str = label) -> None:
            nonlocal done
            done += count
            progress(label, done, total)

        progress(label, done, total)
        yield _run_one(network, dataset, graph, machine, datapath, scheme, step)


def _import(network: Network, dataset: Dataset) -> Graph:
    from simhw.graph.frontends.torch_export import import_module

    return import_module(network.load(), dataset.inputs)


def _check_group_size(experiment: Experiment, graph: Graph) -> None:
    """A group longer than every sum of the network is a mistake; in shorter layers it becomes one group."""
    if experiment.group_size is None:
        return
    from simhw.graph.ops import operators

    longest = 0
    for node in graph.nodes:
        weight = operators()[node.operator].weight
        if weight is not None:
            array = graph.constants[node.args[weight].name]
            longest = max(longest, array[0].size)
    if experiment.group_size > longest:
        raise InputError(
            f"group size is {experiment.group_size}, must be 1..{longest} (the longest sum of {experiment.model});"
            " choose one in that range"
        )


def _run_one(
    network: Network,
    dataset: Dataset,
    graph: Graph,
    machine: Machine,
    datapath: Datapath,
    scheme: Scheme,
    progress: Callable[[int], None],
) -> Row:
    started = time.perf_counter()
    method = get_method()
    seen = Calibration()
    if needs_calibration(datapath, scheme):
        seen = calibrate(graph, _calibration(network, dataset), datapath, scheme, method)
    arithmetic = Arithmetic(
        datapath=datapath,
        scheme=scheme,
        method=method,
        calibration=seen,
        chain=machine.rows if get_dataflow(machine.dataflow).sums_along_rows else None,
    )
    result = execute(graph, dataset.inputs, arithmetic, batch=network.batch, progress=progress)
    seconds = time.perf_counter() - started
    return _row(network, dataset, machine, datapath, scheme, result, seconds)


def _calibration(network: Network, dataset: Dataset) -> Array:
    """Return the calibration inputs, sequences cut to the length that the graph was imported for."""
    inputs = network.calibration()
    return inputs[:, : dataset.inputs.shape[1]] if dataset.unit == "token" else inputs


def _row(
    network: Network,
    dataset: Dataset,
    machine: Machine,
    datapath: Datapath,
    scheme: Scheme,
    result: Execution,
    seconds: float,
) -> Row:
    bits = accumulator_bits(datapath, result.steps)
    layers = tuple(_layer(step, datapath, machine, bits) for step in result.steps)
    energy = {part: sum(layer.energy_pj[part] for layer in layers) for part in ENERGY_PARTS}
    cycles = sum(layer.cycles for layer in layers)
    baseline_cycles, baseline_pj = _baseline(result.steps, machine)
    metrics = network.metric.evaluate(result.outputs, dataset)
    return Row(
        model=network.name,
        datapath=datapath.name,
        scheme=scheme.name,
        pe=datapath.pe,
        accumulator=datapath.accumulator.name,
        accumulator_bits=bits,
        samples=len(dataset.inputs),
        unit=dataset.unit,
        units=dataset.units,
        rows=machine.rows,
        columns=machine.columns,
        dataflow=machine.dataflow,
        overlap=machine.overlap.value,
        technology=machine.technology,
        metric_name=network.metric.name,
        metric=metrics[network.metric.name],
        metric_float=network.metric.evaluate(result.reference, dataset)[network.metric.name],
        metric_higher_is_better=network.metric.higher_is_better,
        metrics=metrics,
        sqnr_db=result.noise.sqnr_db,
        cycles=cycles,
        speedup=baseline_cycles / cycles,
        energy_pj=energy,
        energy_ratio=baseline_pj / sum(energy.values()),
        area_um2=area_um2(datapath, machine, result.steps, bits),
        saturations=sum(step.saturations for step in result.steps),
        seconds=seconds,
        layers=layers,
    )


def _layer(step: Step, datapath: Datapath, machine: Machine, bits: int) -> LayerRow:
    cost = step_cost(step, datapath, machine, bits)
    return LayerRow(
        name=step.label,
        operator=step.operator.name,
        m=step.m,
        n=step.n,
        k=step.k,
        batch=step.batch,
        sqnr_db=step.noise.sqnr_db,
        max_error=step.noise.largest,
        max_error_index=step.noise.where,
        cycles=cost.cycles,
        utilization=cost.utilization,
        words=cost.words,
        energy_pj=cost.energy_pj,
        kernel=step.kernel + _slow_steps(step),
        overflows=step.tally.overflows,
    )


def _slow_steps(step: Step) -> str:
    """Return how often the kernel had to do without a bound, where it decides step by step."""
    tally = step.tally
    return f" ({tally.slow_steps:,} of {tally.steps:,} steps without a bound)" if tally.steps else ""


def _baseline(steps: Sequence[Step], machine: Machine) -> tuple[int, float]:
    """Return cycles and energy of the same steps on the baseline datapath, whose operands need no scales."""
    datapath = get_datapath(BASELINE)
    plain = [
        replace(
            step,
            activation=_cast(datapath.activation) if step.k else None,
            weight=_cast(datapath.weight) if step.k else None,
            weight_cycles=None,
        )
        for step in steps
    ]
    bits = accumulator_bits(datapath, plain)
    costs = [step_cost(step, datapath, machine, bits) for step in plain]
    return sum(cost.cycles for cost in costs), sum(sum(cost.energy_pj.values()) for cost in costs)


def _cast(name: str) -> Storage:
    return Storage(format=name, bits=get_element_format(name).bits)
