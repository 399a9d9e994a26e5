"""The loop over layers: the float reference and the datapath side by side, step by step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from simhw.arrays.base import check_positive
from simhw.caching.batch import Functions, StepCache, run_batch
from simhw.errors import InputError
from simhw.execution import Arithmetic, Execution, Observer, Step
from simhw.graph.base import Array, Convolution, FloatArray, Graph, Kind, Matmul, Node, columns, inputs_of, resolve
from simhw.graph.ops import operators
from simhw.noise import Noise, leading
from simhw.products import Products, step_is_attention
from simhw.quantize import check_finite
from simhw.query_blocks import SCORES, run_in_blocks, spans
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
        self.products = Products(arithmetic)
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
            some = inputs[start : start + batch]
            whole = self.cache is not None and not self._comes_in_parts(len(some))
            output, reference = (self._cached_batch if whole else self._batch)(some, progress)
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

    def _comes_in_parts(self, samples: int) -> bool:
        """Whether an attention runs some queries at a time, which the cache does not: it would add in another order."""
        scores = (self.graph.scores.get(span.nodes[0].name, 0) for span in self.spans)
        return any(samples * each > SCORES for each in scores)

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
                leading(expected[node.name]),
                leading(actual[node.name]),
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
            product = self.products.run(node, gemm, samples, step)
        except InputError as error:
            raise InputError(f"layer {node.label} (m={step.m}, n={step.n}, k={k}): {error}") from error
        step.tally += product.tally
        step.saturations += product.saturations
        step.kernel, step.why = product.plan.kernel, product.plan.why
        return gemm.finish(product.values)


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
