"""The loop over layers: the float reference and the datapath side by side, step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from simhw.accumulators import Exact
from simhw.arrays.base import check_positive
from simhw.caching.batch import Functions, StepCache, run_batch
from simhw.convolution import Weights, run_convolution
from simhw.errors import InputError
from simhw.execution import Arithmetic, Execution, Observer, Step
from simhw.gemm.engine import Product, multiply, multiply_codes, prepare_weights
from simhw.gemm.operand import Operand, Storage
from simhw.gemm.stored import StoredScale
from simhw.graph.base import Array, Convolution, FloatArray, Graph, Kind, Matmul, Node, Ref, columns, inputs_of, resolve
from simhw.graph.network import StoredWeight
from simhw.graph.ops import operators
from simhw.noise import Noise
from simhw.pes import get_pe
from simhw.quantize import Granularity, OperandScheme, check_finite
from simhw.query_blocks import run_in_blocks, spans
from simhw.sfu import SpecialFunctionUnit
from simhw.unit_choice import apply_unit


def run_float(graph: Graph, inputs: Array, observe: Callable[[Node, list[Any], Any], None] | None = None) -> FloatArray:
    """Return the float reference's output for one batch; ``observe`` sees each step's arguments and its result."""
    if graph.one_sample and len(inputs) > 1:
        return np.concatenate([run_float(graph, inputs[i : i + 1], observe) for i in range(len(inputs))])
    values = _start(graph, inputs)
    last = _last_uses(graph)
    for index, node in enumerate(graph.nodes):
        args, kwargs = resolve(node, values)
        values[node.name] = _reference(node, args, kwargs)
        if observe is not None:
            observe(node, args, values[node.name])
        _forget(values, last, index)
    return np.asarray(values[graph.outputs[0]], np.float32)


def execute(
    graph: Graph,
    inputs: Array,
    arithmetic: Arithmetic,
    *,
    batch: int = 64,
    compare: bool = True,
    observe: Observer | None = None,
    progress: Callable[[int], None] = lambda _: None,
    cache: StepCache | None = None,
) -> Execution:
    """Run all samples, ``batch`` at a time, on the datapath and in float.

    Args:
        graph: the network.
        inputs: ``(samples, ...)``.
        arithmetic: the datapath and how tensors become its codes.
        batch: samples at once; the datapath's outputs do not depend on it. (The float reference adds in the order
            of BLAS, which may depend on it: its last bit may.)
        compare: whether the float reference runs, and every step is measured against it.
        observe: called with every step and its output on the datapath, in the order of execution; moves included.
        progress: called with 1 after each step of each batch.
        cache: where results of steps are kept and looked for; with ``observe``, which sees every step run, unused.

    Raises:
        InputError: no samples, a step that fails on these shapes, NaN or infinity in weights or inputs.
    """
    return Executor(graph, arithmetic, compare, observe, cache).run(inputs, batch=batch, progress=progress)


class Executor:
    """A network on a datapath: its weights are prepared at the first batch and kept, and steps count on.

    Args: as for :func:`execute`.
    """

    def __init__(
        self,
        graph: Graph,
        arithmetic: Arithmetic,
        compare: bool = True,
        observe: Observer | None = None,
        cache: StepCache | None = None,
    ) -> None:
        self.graph = graph
        self.arithmetic = arithmetic
        self.compare = compare
        self.observe = observe
        self.cache = None if observe is not None else cache
        self.stored: dict[str, Operand] = {}
        self.prepared: dict[str, Operand] = {}
        self.last = _last_uses(graph)
        self.spans = tuple(spans(graph))
        self.steps = {
            node.name: Step(label=node.label, operator=operators()[node.operator], unit=arithmetic.units.get(node.name))
            for node in graph.nodes
            if operators()[node.operator].kind is not Kind.MOVE
        }

    def run(self, inputs: Array, *, batch: int = 64, progress: Callable[[int], None] = lambda _: None) -> Execution:
        """Run samples, ``batch`` at a time; see :func:`execute`."""
        if len(inputs) == 0:
            raise InputError("the data set has 0 samples, at least 1 is needed; give a larger number of samples")
        check_positive("batch", batch)
        for part in columns(inputs):
            if part.dtype.kind == "f":
                check_finite(part, "the input data")
        outputs, references = [], []
        noise = Noise()
        batch = 1 if self.graph.one_sample else batch
        for start in range(0, len(inputs), batch):
            run = self._batch if self.cache is None else self._cached_batch
            output, reference = run(inputs[start : start + batch], progress)
            outputs.append(output)
            if reference is not None:
                references.append(reference)
                noise.add(reference, output)
        return Execution(
            outputs=_joined(outputs),
            reference=_joined(references) if references else None,
            noise=noise,
            steps=tuple(self.steps.values()),
        )

    def _batch(self, inputs: Array, progress: Callable[[int], None]) -> tuple[FloatArray, FloatArray | None]:
        actual = _start(self.graph, inputs)
        expected = _start(self.graph, inputs) if self.compare else None
        for span in self.spans:
            whole = self.observe is not None or not span.is_splittable(self.arithmetic)
            blocks = [slice(None)] if whole else span.blocks(actual)
            if len(blocks) > 1:
                both = partial(self._both, samples=len(inputs))
                run_in_blocks(span, blocks, actual, expected, self.steps, both)
            for index, node in enumerate(span.nodes, span.first):
                if len(blocks) == 1:
                    self._both(node, actual, expected, samples=len(inputs))
                    if self.observe is not None:
                        self.observe(node, actual[node.name])
                if expected is not None:
                    _forget(expected, self.last, index)
                _forget(actual, self.last, index)
                progress(1)
        name = self.graph.outputs[0]
        reference = None if expected is None else np.asarray(expected[name], np.float32)
        return np.asarray(actual[name], np.float32), reference

    def _cached_batch(self, inputs: Array, progress: Callable[[int], None]) -> tuple[FloatArray, FloatArray | None]:
        """Return the outputs of a batch; only those steps run whose results are not kept."""
        assert self.cache is not None
        functions = Functions(
            reference=lambda node, values: _reference(node, *resolve(node, values)),
            actual=lambda node, values: self._step_alone(node, values, len(inputs)),
        )
        result = run_batch(
            self.graph,
            self.arithmetic,
            _start(self.graph, inputs),
            self.steps,
            functions,
            self.cache,
            compare=self.compare,
            progress=progress,
        )
        for name, (part, noise) in result.steps.items():
            self.steps[name].join(part)
            if noise is not None:
                self.steps[name].noise.join(noise)
        reference = None if result.reference is None else np.asarray(result.reference, np.float32)
        return np.asarray(result.output, np.float32), reference

    def _step_alone(self, node: Node, values: dict[str, Any], samples: int) -> tuple[Any, Step | None]:
        """Return a step's output on the datapath, and what happened at it in this batch."""
        whole = self.steps.get(node.name)
        if whole is None:
            return self._step(node, values, samples), None
        part = self.steps[node.name] = whole.alone()
        try:
            return self._step(node, values, samples), part
        finally:
            self.steps[node.name] = whole

    def _both(
        self,
        node: Node,
        actual: dict[str, Any],
        expected: dict[str, Any] | None,
        *,
        samples: int,
        first_row: int = 0,
        more_rows: bool = False,
    ) -> None:
        """Add a step's values, of some rows where they come in parts (see :meth:`simhw.noise.Noise.add`)."""
        if expected is not None:
            args, kwargs = resolve(node, expected)
            expected[node.name] = _reference(node, args, kwargs)
        actual[node.name] = self._step(node, actual, samples)
        if expected is not None and node.name in self.steps:
            self.steps[node.name].noise.add(
                _leading(expected[node.name]),
                _leading(actual[node.name]),
                first_row=first_row,
                more_rows=more_rows,
            )

    def _step(self, node: Node, values: dict[str, Any], samples: int) -> Any:
        """Return a step's output on the datapath."""
        operator = operators()[node.operator]
        args, kwargs = resolve(node, values)
        if operator.lower is not None:
            return self._matmul(node, operator.lower(*args, **kwargs), samples)
        unit = self.arithmetic.units.get(node.name)
        result = _reference(node, args, kwargs) if unit is None else _on_unit(node, unit, args, kwargs)
        if operator.kind is Kind.VECTOR:
            arrays = [value for value in (*args, result) if isinstance(value, np.ndarray)]
            self.steps[node.name].elements = max(array.size for array in arrays) // samples
        return result

    def _matmul(self, node: Node, gemm: Matmul | Convolution, samples: int) -> Array:
        step = self.steps[node.name]
        batch, m, k = gemm.shape
        step.batch, step.m = (batch // samples, m) if gemm.samples_in_batch else (batch, m // samples)
        step.n, step.k = gemm.b.shape[1], k
        step.elements = batch * m * k // samples
        step.attention = step_is_attention(node)
        try:
            product = self._product(node, gemm, samples)
        except InputError as error:
            raise InputError(f"layer {node.label} (m={step.m}, n={step.n}, k={k}): {error}") from error
        step.tally += product.tally
        step.saturations += product.saturations
        step.kernel, step.why = product.plan.kernel, product.plan.why
        return gemm.finish(product.values)

    def _product(self, node: Node, gemm: Matmul | Convolution, samples: int) -> Product:
        """Return the product, and note how its operands are stored."""
        step, arithmetic = self.steps[node.name], self.arithmetic
        checkpoint = self._of_checkpoint(node, gemm)
        scheme = fit_group(arithmetic.scheme.activation, gemm.shape[2])
        static = arithmetic.calibration.activations.get(node.label)
        # Of a grouped convolution the rows of one sample are not neighbours across groups: each group is a tensor.
        rows = (gemm.shape[0] * gemm.shape[1] if gemm.samples_in_batch else gemm.shape[1]) // samples
        own = self._own_codes(node, gemm)
        stored = self._second(node, gemm, rows, checkpoint) if own is None else own[1]
        step.weight = Storage.of(stored)
        if step.weight_cycles is None and not step.attention:
            step.weight_cycles = get_pe(arithmetic.datapath.pe).count_cycles(stored.codes, stored.format)
        b = self._prepared(node, stored)
        if own is not None:
            step.activation = Storage.of(own[0])
            return multiply_codes(own[0], b, arithmetic.datapath, chain=arithmetic.chain)
        minimum, order = (None, None) if checkpoint is None else (checkpoint.minimum, checkpoint.order)
        if isinstance(gemm, Convolution):
            weights = Weights(operand=b, minimum=minimum, order=order)
            product, step.activation = run_convolution(
                gemm, weights, arithmetic, scheme, static=static, stored=self._stored_scale(node)
            )
            return product
        a = arithmetic.method.quantize(
            gemm.a if order is None else gemm.a[:, :, order],
            scheme,
            rows_per_scale=gemm.rows_per_scale,
            rows_per_tensor=rows,
            static=static,
        )
        step.activation = Storage.of(a)
        return multiply(
            a,
            b,
            arithmetic.datapath,
            bias=gemm.bias,
            chain=arithmetic.chain,
            stored=self._stored_scale(node),
            minimum=minimum,
        )

    def _second(self, node: Node, gemm: Matmul | Convolution, rows: int, checkpoint: StoredWeight | None) -> Operand:
        """Return the second operand as it is stored; weights are quantized once."""
        scheme, method = self.arithmetic.scheme, self.arithmetic.method
        batch, m, k = gemm.shape
        if step_is_attention(node):
            per_sample = gemm.b.shape[0] * gemm.b.shape[1] * rows // (batch * m)
            return method.quantize(gemm.b, fit_group(scheme.attention, k), rows_per_tensor=per_sample)
        if node.name not in self.stored:
            check_finite(gemm.b, "the weight")
            self.stored[node.name] = (
                method.quantize(gemm.b, fit_group(scheme.weight, k)) if checkpoint is None else checkpoint.operand
            )
        return self.stored[node.name]

    def _own_codes(self, node: Node, gemm: Matmul | Convolution) -> tuple[Operand, Operand] | None:
        """Return the codes that the network fixes, None where there are none or the datapath multiplies others."""
        if isinstance(gemm, Convolution) or gemm.codes is None or not self.arithmetic.own_codes:
            return None
        datapath = self.arithmetic.datapath
        second = datapath.attention if step_is_attention(node) else datapath.weight
        taken = (gemm.codes[0].format, gemm.codes[1].format) == (datapath.activation, second)
        return gemm.codes if taken and isinstance(datapath.accumulator, Exact) else None

    def _of_checkpoint(self, node: Node, gemm: Matmul | Convolution) -> StoredWeight | None:
        """Return the weight as a checkpoint stores it, None where it has none for this step."""
        position = operators()[node.operator].weight
        if position is None or not isinstance(node.args[position], Ref):
            return None
        found = self.arithmetic.stored.get(node.args[position].name)
        if found is not None and found.operand.codes.shape != gemm.b.shape:
            raise InputError(
                f"the checkpoint's codes have shape {found.operand.codes.shape}, the weight {gemm.b.shape}; "
                "leave --scheme checkpoint out"
            )
        return found

    def _stored_scale(self, node: Node) -> StoredScale | None:
        """Return how the results of a requantizing datapath are stored: as activations of their calibrated range."""
        if self.arithmetic.datapath.requantize is None:
            return None
        seen = self.arithmetic.calibration.results[node.label]
        one = self.arithmetic.method.quantize(
            np.zeros((1, 1, 1), np.float32), self.arithmetic.scheme.activation, static=seen
        )
        assert one.row_scale is not None
        zero = 0 if one.zero_point is None else int(one.zero_point[0, 0, 0])
        return StoredScale(scale=float(one.row_scale[0, 0]), zero_point=zero)

    def _prepared(self, node: Node, stored: Operand) -> Operand:
        """Return the second operand as the multiplier sees it; weights are converted once."""
        if step_is_attention(node):
            return stored
        if node.name not in self.prepared:
            self.prepared[node.name] = prepare_weights(stored, self.arithmetic.datapath)
        return self.prepared[node.name]


def step_is_attention(node: Node) -> bool:
    """Return whether both operands of a GEMM are activations."""
    return operators()[node.operator].weight is None


def fit_group(scheme: OperandScheme, k: int) -> OperandScheme:
    """Return the scheme for a sum of length ``k``: a group longer than the sum becomes one group."""
    if scheme.granularity is Granularity.GROUP and scheme.group_size is not None and scheme.group_size > k:
        return replace(scheme, group_size=k)
    return scheme


def _start(graph: Graph, inputs: Array) -> dict[str, Any]:
    given = columns(inputs)
    if len(given) != len(graph.inputs):
        raise InputError(
            f"{len(given)} inputs were given, the network takes {len(graph.inputs)}; give one array for each"
        )
    values = [part.astype(np.float32, copy=False) if part.dtype.kind == "f" else part for part in given]
    return {**graph.constants, **dict(zip(graph.inputs, values, strict=True))}


def _reference(node: Node, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """Return the value of a step's float reference."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # what a narrow accumulator overflowed to goes on
            return operators()[node.operator].reference(*args, **kwargs)
    except InputError as error:
        raise InputError(f"step {node.label}: {error}") from error
    except (ValueError, IndexError) as error:
        raise InputError(
            f"step {node.label} cannot compute {node.operator} ({error}); "
            "give inputs of the shape that the network was imported with"
        ) from error


def _on_unit(node: Node, unit: SpecialFunctionUnit, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """Return the value of a step on a special function unit."""
    try:
        return apply_unit(unit, args, kwargs)
    except InputError as error:
        raise InputError(f"step {node.label}: {error}") from error


def _leading(value: Any) -> Any:
    """Return the first of several results, the one that a step is measured by."""
    return value[0] if isinstance(value, tuple) else value


def _joined(batches: list[FloatArray]) -> FloatArray:
    """Return the outputs of all batches, those of a single one without a copy."""
    return batches[0] if len(batches) == 1 else np.concatenate(batches)


def _last_uses(graph: Graph) -> list[list[str]]:
    """Return, per node, the values that no later node reads."""
    keep = {*graph.constants, *graph.outputs}
    dead: list[list[str]] = [[] for _ in graph.nodes]
    seen: set[str] = set()
    for index in range(len(graph.nodes) - 1, -1, -1):
        node = graph.nodes[index]
        for name in (*inputs_of(node), node.name):
            if name not in seen and name not in keep:
                dead[index].append(name)
            seen.add(name)
    return dead


def _forget(values: dict[str, Any], last: list[list[str]], index: int) -> None:
    for name in last[index]:
        values.pop(name, None)  # what lies inside an attention may never have been there as a whole
