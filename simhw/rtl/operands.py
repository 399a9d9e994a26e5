"""Streams of operands for the energy of a circuit: Gaussian numbers in the formats of its ports, or given codes."""

from __future__ import annotations

import re
from collections.abc import Mapping

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
_LANE = re.compile(r"activation_\d+")


def lanes(circuit: Circuit) -> int:
    """Return how many products one operation of ``circuit`` forms."""
    return max(1, sum(_LANE.fullmatch(port.name) is not None for port in circuit.inputs))


def gaussian_operands(circuit: Circuit, vectors: int, *, seed: int = 0) -> dict[str, Integers]:
    """Return ``vectors`` operands for each input, as they come in successive operations.

    Every operand is an independent Gaussian number, quantized to its port's format: scaled so that the largest
    magnitude of each group of 128 is the format's largest (``uint4`` around its middle), unscaled in floats of 16 bits
    and more. ``first`` starts a sum with every group, ``enable`` is always 1.

    Raises:
        InputError: there are no vectors, or a port states no format.
    """
    if vectors < 1:
        raise InputError(f"vectors is {vectors}, must be at least 1; give the number of operations to simulate")
    group = int(circuit.parameters.get("group_size", GROUP))
    generator = np.random.default_rng(seed)
    return {port.name: _codes(port, circuit, vectors, group, generator) for port in circuit.inputs}


def describe_gaussian(vectors: int, seed: int) -> str:
    """Return what ``gaussian_operands`` made, in words."""
    return f"{vectors} Gaussian operands (seed {seed}), a new pair in each operation"


def repeated(codes: Mapping[str, Integers], cycles: int) -> dict[str, Integers]:
    """Return codes that stay at the inputs for the ``cycles`` of one operation."""
    return {name: np.repeat(np.asarray(values, np.int64), cycles) for name, values in codes.items()}


def _codes(port: Port, circuit: Circuit, vectors: int, group: int, generator: np.random.Generator) -> Integers:
    if port.name == "first":
        return (np.arange(vectors) % group == 0).astype(np.int64)
    if port.name == "enable":
        return np.ones(vectors, np.int64)
    fmt = _format(port)
    if fmt is None:
        raise InputError(
            f"input {port.name} of {circuit.name} ({port.meaning}) states no format, so no random operands can be "
            "made for it; give operands for every input"
        )
    numbers = generator.normal(size=vectors)
    if isinstance(fmt, FloatFormat) and not fmt.signed:
        return encode(np.exp2(numbers), fmt).astype(np.int64)
    if isinstance(fmt, FloatFormat) and fmt.bits >= _WIDE_FLOAT_BITS:
        return encode(numbers, fmt).astype(np.int64)
    padded = np.concatenate([numbers, np.zeros(-vectors % group)]).reshape(-1, group)
    scaled = (padded / np.abs(padded).max(axis=1, keepdims=True)).ravel()[:vectors]
    if fmt.signed:
        return encode(scaled * float(fmt.max_value), fmt).astype(np.int64)
    middle = float(fmt.max_value) / 2
    return encode((scaled + 1) * middle, fmt).astype(np.int64)


def _format(port: Port) -> ElementFormat | None:
    """Return the format that the meaning of a port names, of the port's width."""
    for word in re.findall(r"\w+", port.meaning):
        try:
            fmt = get_element_format(word)
        except InputError:
            continue
        if fmt.bits == port.bits:
            return fmt
    return None
