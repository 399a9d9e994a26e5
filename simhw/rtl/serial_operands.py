"""Streams of operands for circuits whose inputs are no numbers: bits of activations, terms of weights, fused bricks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.circuits import Circuit
from simhw.formats import get_element_format
from simhw.pes.bit_serial_booth import booth_digits
from simhw.rtl.operands import GROUP, OperandStream, describe_gaussian, gaussian_codes, gaussian_stream, lanes

Integers = NDArray[np.int64]
_BITS = 8


def random_stream(circuit: Circuit, vectors: int, *, seed: int = 0) -> OperandStream:
    """Return the stream of ``vectors`` random operations on Gaussian numbers, whatever form the operands have.

    Serial circuits take their operands over several cycles: in each a bit of every activation, or a term of the weight.
    Fused bricks work as 8 x 8 bits.

    Raises:
        InputError: as ``gaussian_stream``.
    """
    names = {port.name for port in circuit.inputs}
    if "place" in names:
        return _bit_planes(circuit, vectors, seed)
    if "term" in names:
        return _terms(vectors, seed)
    if "activation_mode" in names:
        return _fused(vectors, seed)
    return gaussian_stream(circuit, vectors, seed=seed)


def _int8(count: int, generator: np.random.Generator) -> Integers:
    return gaussian_codes(get_element_format("int8"), count, generator)


def _flags(starts: Integers) -> dict[str, Integers]:
    return {"first": starts.astype(np.int64), "enable": np.ones(len(starts), np.int64)}


def _bit_planes(circuit: Circuit, vectors: int, seed: int) -> OperandStream:
    """Activations of all lanes bit by bit, the lowest first, while the weights stay."""
    generator, width = np.random.default_rng(seed), lanes(circuit)
    activations = np.stack([_int8(vectors, generator) for _ in range(width)])
    weights = {f"weight_{lane}": np.repeat(_int8(vectors, generator), _BITS) for lane in range(width)}
    planes = activations[:, :, None] >> np.arange(_BITS) & 1
    place = np.tile(np.arange(_BITS), vectors)
    codes = {
        "activation": (planes << np.arange(width)[:, None, None]).sum(axis=0).ravel(),
        **weights,
        "place": place,
        "negative": (place == _BITS - 1).astype(np.int64),
        **_flags(np.arange(vectors * _BITS) % (_BITS * GROUP // width) == 0),
    }
    return OperandStream(
        codes=codes, macs_per_cycle=width / _BITS, description=f"{describe_gaussian(vectors, seed)} of int8"
    )


def _terms(vectors: int, seed: int) -> OperandStream:
    """Activations beside the nonzero Booth digits of their weights, one after the other."""
    generator = np.random.default_rng(seed)
    activations, weights = _int8(vectors, generator), _int8(vectors, generator)
    held, terms, first = [], [], []
    for place, (activation, weight) in enumerate(zip(activations.tolist(), weights.tolist(), strict=True)):
        digits = [(at, digit) for at, digit in enumerate(booth_digits(weight, "int8")) if digit]
        coded = [1 | (digit < 0) << 1 | (abs(digit) == 2) << 2 | at << 3 for at, digit in digits] or [0]
        held += [activation] * len(coded)
        terms += coded
        first += [place % GROUP == 0] + [False] * (len(coded) - 1)
    codes = {"activation": np.array(held), "term": np.array(terms), **_flags(np.array(first))}
    return OperandStream(
        codes=codes, macs_per_cycle=vectors / len(terms), description=f"{describe_gaussian(vectors, seed)} of int8"
    )


def _fused(vectors: int, seed: int) -> OperandStream:
    """One pair of int8 operands per cycle; the slices beyond them are 0."""
    generator = np.random.default_rng(seed)
    widest, ones = np.full(vectors, 2), np.ones(vectors, np.int64)
    codes = {
        "activation": _int8(vectors, generator),
        "weight": _int8(vectors, generator),
        "activation_mode": widest,
        "weight_mode": widest,
        "activation_signed": ones,
        "weight_signed": ones,
        **_flags(np.arange(vectors) % GROUP == 0),
    }
    return OperandStream(
        codes=codes, macs_per_cycle=1.0, description=f"{describe_gaussian(vectors, seed)} of int8, fused to 8 x 8"
    )
