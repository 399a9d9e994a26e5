"""An experiment is names and numbers; running it gives one row per datapath."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from simhw.accumulators import Exact
from simhw.arrays import Overlap, VectorOverlap, get_dataflow
from simhw.arrays.base import check_positive
from simhw.arrays.static_power import CLOCK_MHZ
from simhw.caching import Store
from simhw.caching.batch import StepCache
from simhw.calibration import calibrate, needs_calibration
from simhw.catalog import get_method, get_network, get_scheme, model_entries
from simhw.errors import InputError
from simhw.execution import Arithmetic
from simhw.executor import execute
from simhw.gemm.datapath import Datapath
from simhw.gemm.datapaths import DEFAULT_DATAPATHS, get_datapath
from simhw.graph.base import Array, Graph
from simhw.graph.network import Dataset, Network, StoredWeight
from simhw.machine import Machine, Quantizers
from simhw.measured_row import measured_row
from simhw.quantize import Calibration, Granularity, Scheme, check_fit
from simhw.recording import Recorder
from simhw.rows import Row
from simhw.sfu import SpecialFunctionUnit
from simhw.unit_choice import choose_units, parse_choice

CHECKPOINT = "checkpoint"
"""Scheme of weights that stay as their checkpoint stores them."""
Progress = Callable[[str, int, int], None]
"""Called with (what runs, steps done, steps in all)."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What to run. All fields are names and numbers, so that an experiment can be stored and repeated.

    Attributes:
        model: entry name of the network.
        datapaths: entry names; the float reference runs beside each.
        data: file with inputs, for models that are files; see ``simhw.models.user_files``.
        scheme: entry name; None means each datapath's own; ``checkpoint`` too, with the weights as they are stored.
            Products of codes that a network fixes (quantized ONNX) are computed on them under these two only.
        group_size: of group-wise weights, for schemes that have them; None means the scheme's.
        accumulator_bits: of integer accumulators, for datapaths that have one; None means as wide as the widest sum
            needs.
        accumulator: name of an accumulator that takes the place of each datapath's own; costs stay those of the PE.
        units: special function units in place of the float reference's operators, each ``FUNCTION=UNIT`` or
            ``PATTERN:FUNCTION=UNIT`` (see :mod:`simhw.unit_choice`).
        samples, tokens: how much of the data set; both None means the network's default.
        rows, columns, dataflow, overlap, vector_overlap, quantizers, technology, dram, clock_mhz: the machine.
    """

    model: str
    datapaths: tuple[str, ...] = DEFAULT_DATAPATHS
    data: str | None = None
    scheme: str | None = None
    group_size: int | None = None
    accumulator_bits: int | None = None
    accumulator: str | None = None
    units: tuple[str, ...] = ()
    samples: int | None = None
    tokens: int | None = None
    rows: int = 32
    columns: int = 32
    dataflow: str = "output_stationary"
    overlap: str = "per_fold"
    vector_overlap: str = "none"
    quantizers: str = "port"
    technology: str = "horowitz_45nm"
    dram: str | None = None
    clock_mhz: float = CLOCK_MHZ

    def machine(self) -> Machine:
        """Return the machine. Raises InputError for unknown names, sizes below 1 and a clock that is not positive."""
        check_positive("rows", self.rows)
        check_positive("columns", self.columns)
        get_dataflow(self.dataflow)
        for what, name, choices in (
            ("overlap", self.overlap, [overlap.value for overlap in Overlap]),
            ("vector overlap", self.vector_overlap, [overlap.value for overlap in VectorOverlap]),
            ("quantizers", self.quantizers, [quantizers.value for quantizers in Quantizers]),
        ):
            if name not in choices:
                raise InputError(f"{what} is {name!r}, must be one of {', '.join(choices)}; choose one")
        machine = Machine(
            rows=self.rows,
            columns=self.columns,
            dataflow=self.dataflow,
            overlap=Overlap(self.overlap),
            vector_overlap=VectorOverlap(self.vector_overlap),
            quantizers=Quantizers(self.quantizers),
            technology=self.technology,
            dram=self.dram,
            clock_mhz=self.clock_mhz,
        )
        machine.table.dram_pj_per_bit(self.dram)  # unknown names are refused before anything runs
        return machine

    def arithmetic(self) -> list[tuple[Datapath, Scheme]]:
        """Return each datapath with its scheme; group size and accumulator width go to those that have one.

        Raises InputError for unknown names, units too, for a datapath and a scheme that do not fit together, and for a
        group size or a width that none of them has.
        """
        for choice in self.units:
            parse_choice(choice)
        if not self.datapaths:
            raise InputError("no datapath was given, at least 1 is needed; see 'simhw list datapaths'")
        datapaths = self._datapaths()
        pairs = [(datapath, self._scheme(datapath)) for datapath in datapaths]
        for datapath, scheme in pairs:
            check_fit(datapath, scheme)
        if self.group_size is None:
            return pairs
        grouped = [scheme.weight.granularity is Granularity.GROUP for _, scheme in pairs]
        return [
            (datapath, scheme.with_group_size(self.group_size) if has_groups or not any(grouped) else scheme)
            for (datapath, scheme), has_groups in zip(pairs, grouped, strict=True)
        ]

    def _scheme(self, datapath: Datapath) -> Scheme:
        if self.scheme == CHECKPOINT:
            return replace(get_scheme(datapath.scheme), name=CHECKPOINT)
        return get_scheme(self.scheme or datapath.scheme)

    def network(self) -> Network:
        """Return the network. Raises InputError for an unknown one, or one without what the scheme needs."""
        network = get_network(self.model, self.data)
        if self.scheme == CHECKPOINT and network.stored is None:
            raise InputError(
                f"scheme is {CHECKPOINT!r}, the weights of {network.name} are plain numbers; leave the scheme out"
            )
        return network

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


def run_experiment(
    experiment: Experiment,
    progress: Progress = lambda *_: None,
    record: str | None = None,
    cache: Store | None = None,
) -> Iterator[Row]:
    """Yield one row per datapath, in order. Raises InputError before anything runs where settings are wrong.

    With ``record``, the outputs of all steps are kept in ``record/MODEL/DATAPATH`` (see :mod:`simhw.recording`), and
    ``cache`` is not used. Otherwise steps whose results are in ``cache`` do not run; it never changes a result.
    """
    machine = experiment.machine()
    pairs = experiment.arithmetic()
    network = experiment.network()
    dataset = network.dataset(experiment.samples, experiment.tokens)
    graph = _import(network, dataset)
    units = choose_units(graph, experiment.units)
    stored = {**_stored(network), **graph.stored} if experiment.scheme == CHECKPOINT else {}
    _check_group_size(experiment, graph)
    batches = -(-len(dataset.inputs) // (1 if graph.one_sample else network.batch))
    total = len(pairs) * batches * len(graph.nodes)
    done = 0
    kept = None if cache is None else StepCache(store=cache)
    recorders = [_recorder(record, experiment, datapath, scheme) for datapath, scheme in pairs]
    for (datapath, scheme), recorder in zip(pairs, recorders, strict=True):
        label = f"{experiment.model} on {datapath.name}"

        def step(count: int, label: str = label) -> None:
            nonlocal done
            done += count
            progress(label, done, total)

        progress(label, done, total)
        own = experiment.scheme in (None, CHECKPOINT)
        yield _run_one(network, dataset, graph, machine, datapath, scheme, step, recorder, stored, units, own, kept)
        if recorder is not None:
            recorder.close()


def _stored(network: Network) -> dict[str, StoredWeight]:
    """Return the weights of a checkpoint by the names that the importer gives a module's parameters."""
    assert network.stored is not None
    return {f"p_{name.replace('.', '_')}": weight for name, weight in network.stored().items()}


def _recorder(record: str | None, experiment: Experiment, datapath: Datapath, scheme: Scheme) -> Recorder | None:
    if record is None:
        return None
    about = {**asdict(experiment), "datapath": datapath.name, "scheme": scheme.name, "output": datapath.output}
    return Recorder(Path(record) / Path(experiment.model).stem / datapath.name, about)


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
    recorder: Recorder | None = None,
    stored: Mapping[str, StoredWeight] | None = None,
    units: Mapping[str, SpecialFunctionUnit] | None = None,
    own_codes: bool = True,
    cache: StepCache | None = None,
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
        stored=stored or {},
        units=units or {},
        own_codes=own_codes,
        chain=machine.rows if get_dataflow(machine.dataflow).sums_along_rows else None,
    )
    result = execute(
        graph, dataset.inputs, arithmetic, batch=network.batch, observe=recorder, progress=progress, cache=cache
    )
    seconds = time.perf_counter() - started
    return measured_row(network, dataset, machine, datapath, scheme, result, seconds)


def _calibration(network: Network, dataset: Dataset) -> Array:
    """Return the calibration inputs, sequences cut to the length that the graph was imported for."""
    inputs = network.calibration()
    return inputs[:, : dataset.inputs.shape[1]] if dataset.unit == "token" else inputs
