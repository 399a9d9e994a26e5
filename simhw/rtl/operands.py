"""Streams of operands for the energy of a circuit: Gaussian numbers in the formats of its ports, or given codes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simhw.circuits import Circuit, Port
from simhw.errors import InputError
from simhw.formats import ElementFormat, FloatFormat, encode, get_element_format

Integers = NDArray[np.int64]

GROUP = 128
"""Products of one sum, and values that share a scale, where a circuit does not say."""
_WIDE_FLOAT_BITS = 16
"""Floats from this width on carry the numbers as they are; narrower ones have a scale per group."""
_LANE = re.compile(r"(activation|weight)_\d+")
_OPERAND = re.compile(r"(activation|weight)(_\d+|_scale)?")


@dataclass(frozen=True, kw_only=True)
class OperandStream:
    """What stands at the inputs of a circuit, clock by clock.

    Attributes:
        codes: bit patterns by input, one for each clock cycle.
        macs_per_cycle: multiply-accumulates of one clock cycle, on average.
        description: in words.
    """

    codes: Mapping[str, Integers] = field(repr=False)
    macs_per_cycle: float
    description: str


def lanes(circuit: Circuit) -> int:
    """Return how many products one operation of ``circuit`` forms."""
    names = [port.name for port in circuit.inputs if _LANE.fullmatch(port.name)]
    return max(1, *(sum(name.startswith(kind) for name in names) for kind in ("activation", "weight")))


def given_stream(circuit: Circuit, codes: Mapping[str, Integers], description: str) -> OperandStream:
    """Return the stream of codes that each stay at the inputs for the cycles of one operation.

    Raises:
        InputError: an array is not one-dimensional, or holds no integers.
    """
    for name, values in codes.items():
        array = np.asarray(values)
        if array.ndim != 1 or array.dtype.kind not in "biu":
            raise InputError(
                f"codes of {name} are an array of {array.dtype} with shape {array.shape}, must be one-dimensional "
                "integers; give one bit pattern per operation"
            )
    repeated = {name: np.repeat(np.asarray(values, np.int64), circuit.cycles) for name, values in codes.items()}
    return OperandStream(codes=repeated, macs_per_cycle=lanes(circuit) / circuit.cycles, description=description)


def gemm_stream(
    circuit: Circuit,
    activation: Integers,
    weight: Integers,
    *,
    vectors: int,
    description: str,
    group_size: int | None = None,
    seed: int = 0,
) -> OperandStream:
    """Return what a PE of an output-stationary array meets in a GEMM: for one output after another, all of k.

    Args:
        circuit: with the inputs ``activation``, ``weight``, ``first`` and ``enable``.
        activation: ``(rows, k)`` codes.
        weight: ``(columns, k)`` codes.
        vectors: at least so many products, of outputs chosen at random, each whole.
        description: of the operands, in words.
        group_size: products of one sum; None: all of k.
        seed: of the choice of outputs.

    Raises:
        InputError: the circuit has other inputs, or the operands differ in k.
    """
    names = {port.name for port in circuit.inputs}
    if names != {"activation", "weight", "first", "enable"}:
        raise InputError(
            f"{circuit.name} has the inputs {', '.join(sorted(names))}, operands of a GEMM are activation, weight, "
            "first and enable; give operands for every input"
        )
    (rows, k), (columns, weight_k) = activation.shape, weight.shape
    if k != weight_k:
        raise InputError(f"activation has k = {k}, weight has k = {weight_k}, must be the same; correct one of them")
    generator, outputs = np.random.default_rng(seed), -(-vectors // k)
    codes = {
        "activation": activation[generator.integers(0, rows, outputs)].ravel(),
        "weight": weight[generator.integers(0, columns, outputs)].ravel(),
        "first": np.tile(np.arange(k) % (group_size or k) == 0, outputs),
        "enable": np.ones(outputs * k, np.int64),
    }
    return given_stream(circuit, codes, f"{outputs * k} operands: {description}")


def gaussian_stream(circuit: Circuit, vectors: int, *, seed: int = 0) -> OperandStream:
    """Return the stream of ``vectors`` random operations.

    Every operand is an independent Gaussian number, new in each operation, quantized to its port's format: scaled so
    that the largest magnitude of each group of 128 is the format's largest (``uint4`` around its middle), unscaled in
    floats of 16 bits and more. ``first`` starts a sum with every group, ``enable`` is always 1. Scales and zero points
    of groups stay for a group; integer scales are 1..15, as two-level scales over 4-bit weights in int8 are.

    Raises:
        InputError: there are no vectors, or a port states no format.
    """
    if vectors < 1:
        raise InputError(f"vectors is {vectors}, must be at least 1; give the number of operations to simulate")
    group = int(circuit.parameters.get("group_size", GROUP))
    maker = _Gaussian(circuit, vectors, group, np.random.default_rng(seed))
    codes: dict[str, Integers] = {}
    for port in circuit.inputs:
        codes[port.name] = maker.codes(port, codes)
    return given_stream(circuit, codes, describe_gaussian(vectors, seed))


def describe_gaussian(vectors: int, seed: int) -> str:
    """Return what random operands are, in words."""
    return f"{vectors} Gaussian operands (seed {seed}), a new pair in each operation"


@dataclass(frozen=True, kw_only=False)
class _Gaussian:
    """Makes the codes of one port after another."""

    circuit: Circuit
    vectors: int
    group: int
    generator: np.random.Generator

    def codes(self, port: Port, earlier: Mapping[str, Integers]) -> Integers:
        if port.name == "first":
            return np.asarray(np.arange(self.vectors) % self.group == 0, np.int64)
        if port.name == "enable":
            return np.ones(self.vectors, np.int64)
        fmt = format_of(port)
        if fmt is None:
            raise InputError(
                f"input {port.name} of {self.circuit.name} ({port.meaning}) states no format, so no random operands "
                "can be made for it; give operands for every input"
            )
        if port.name in ("group_sum", "activation_sum"):
            return self._group_sums(port)
        if port.name == "scaled_zero":
            zeros = self.generator.integers(6, 10, self.vectors)
            products = np.maximum(-earlier["scale"] * zeros, -(1 << port.bits - 1))
            return np.asarray(products & (1 << port.bits) - 1, np.int64)
        if not _OPERAND.fullmatch(port.name):
            return self._group_constants(port, fmt)
        return gaussian_codes(fmt, self.vectors, self.generator, self.group)

    def _group_sums(self, port: Port) -> Integers:
        """Sums over a group: of int8 activations, or of their products with uint4 weights."""
        shape = (self.vectors, GROUP)
        activations = gaussian_codes(get_element_format("int8"), self.vectors * GROUP, self.generator).reshape(shape)
        weights = gaussian_codes(get_element_format("uint4"), self.vectors * GROUP, self.generator).reshape(shape)
        signed = activations - (activations >> 7 << 8)
        sums = (signed * weights if port.name == "group_sum" else signed).sum(axis=1)
        return np.asarray(sums & (1 << port.bits) - 1, np.int64)

    def _group_constants(self, port: Port, fmt: ElementFormat) -> Integers:
        """Scale or zero point: new in each operation of a dequantizer, else with each group of products."""
        hold = 1 if "group_sum" in {p.name for p in self.circuit.inputs} else self.group
        count = -(-self.vectors // hold)
        if port.name.startswith("zero"):
            values = self.generator.integers(6, 10, count)
        elif isinstance(fmt, FloatFormat):
            values = encode(np.exp2(self.generator.normal(size=count) - 6), fmt).astype(np.int64)
        else:
            values = self.generator.integers(1, 16, count)
        return np.repeat(values, hold)[: self.vectors]


def gaussian_codes(fmt: ElementFormat, count: int, generator: np.random.Generator, group: int = GROUP) -> Integers:
    """Return Gaussian numbers as codes of ``fmt``; see ``gaussian_stream`` for their scale."""
    numbers = generator.normal(size=count)
    if isinstance(fmt, FloatFormat) and not fmt.signed:
        codes = encode(np.exp2(numbers), fmt)
    elif isinstance(fmt, FloatFormat) and fmt.bits >= _WIDE_FLOAT_BITS:
        codes = encode(numbers, fmt)
    else:
        padded = np.concatenate([numbers, np.zeros(-count % group)]).reshape(-1, group)
        scaled = (padded / np.abs(padded).max(axis=1, keepdims=True)).ravel()[:count]
        middle = 0.0 if fmt.signed else float(fmt.max_value) / 2
        codes = encode(scaled * (float(fmt.max_value) - middle) + middle, fmt)
    return np.asarray(codes, np.int64)


def format_of(port: Port) -> ElementFormat | None:
    """Return the format that the meaning of a port names, of the port's width."""
    for word in re.findall(r"\w+", port.meaning):
        try:
            fmt = get_element_format(word)
        except InputError:
            continue
        if fmt.bits == port.bits:
            return fmt
    return None
