"""One clock cycle of a netlist on millions of vectors: every net is one bit of a machine word per vector."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from simhw.circuits import Codes
from simhw.errors import InputError
from simhw.rtl.bitslice_kernel import LANES, WORDS, evaluate
from simhw.rtl.netlist import RESET, Netlist

_CHUNK = 8 * LANES * WORDS
"""Vectors per call of the kernel: its buffers stay in the cache."""


def simulate(netlist: Netlist, codes: Codes) -> dict[str, NDArray[np.int64]]:
    """Return the next state, and the outputs that are no registers, as they stand before the clock edge.

    Args:
        netlist: of the circuit.
        codes: bit patterns of every input and every register, arrays of one length. A reset that is not given is 0.

    Raises:
        InputError: a port is missing, unknown, of another length, or holds a code beyond its width.
    """
    sources = {**netlist.inputs, **netlist.state}
    results = {**netlist.next_state, **netlist.outputs}
    given = _checked(netlist.name, codes, sources)
    vectors = len(next(iter(given.values())))
    padded = -(-min(vectors, _CHUNK) // (LANES * WORDS)) * LANES * WORDS
    sent, received = np.zeros((len(sources), padded), np.int64), np.empty((len(results), padded), np.int64)
    masks = np.array([(1 << len(nets)) - 1 for nets in results.values()], np.int64)
    in_word, in_offset, in_nets = _side_by_side(sources.values())
    out_word, out_offset, out_nets = _side_by_side(results.values())
    found = {name: np.empty(vectors, np.int64) for name in results}
    for start in range(0, vectors, _CHUNK):
        size = min(_CHUNK, vectors - start)
        for row, name in enumerate(sources):
            sent[row, :size] = given[name][start : start + size]
        evaluate(
            netlist.kinds,
            netlist.operands,
            netlist.first_gate,
            sent,
            in_word,
            in_offset,
            in_nets,
            received,
            out_word,
            out_offset,
            masks,
            out_nets,
        )
        for row, values in enumerate(found.values()):
            values[start : start + size] = received[row, :size]
    return found


def _checked(name: str, codes: Codes, sources: dict[str, tuple[int, ...]]) -> dict[str, NDArray[np.int64]]:
    given = {port: np.asarray(values) for port, values in codes.items()}
    if RESET in sources and RESET not in given and given:
        given[RESET] = np.zeros(len(next(iter(given.values()))), np.int64)
    if given.keys() != sources.keys():
        missing, unknown = sorted(sources.keys() - given.keys()), sorted(given.keys() - sources.keys())
        raise InputError(
            f"{name}: {missing} not given, {unknown} not known; give one array for each input and register"
        )
    vectors = len(next(iter(given.values())))
    for port, nets in sources.items():
        values = given[port]
        if values.shape != (vectors,):
            raise InputError(
                f"{port} has shape {values.shape}, other ports have ({vectors},); give one code per vector"
            )
        if vectors and (values.min() < 0 or int(values.max()) >> len(nets)):
            raise InputError(
                f"{port} was given {values.min()}..{values.max()}, its codes are 0..{(1 << len(nets)) - 1}; "
                "give bit patterns, unsigned"
            )
    return given


def _side_by_side(
    ports: Iterable[Sequence[int]],
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Lay ports into words of 64 bits: each port's word and offset, and the net of each bit of each word."""
    words: list[list[int]] = []
    places = []
    for nets in ports:
        free = next((index for index, word in enumerate(words) if len(word) + len(nets) <= LANES), len(words))
        if free == len(words):
            words.append([])
        places.append((free, len(words[free])))
        words[free] += nets
    table = np.full((len(words), LANES), -1, np.int32)
    for row, numbers in enumerate(words):
        table[row, : len(numbers)] = numbers
    word, offset = np.array(places, np.int32).reshape(-1, 2).T.copy()
    return word, offset, table
