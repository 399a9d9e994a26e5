"""Numba kernel of the bit-sliced simulator: 64 vectors in one machine word per net.

Ports lie side by side in words of 64 bits, so that one transposition of 64 x 64 bits turns 64 vectors of several ports
into nets, and another turns nets into results.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.kernel import kernel

WORDS = 16
"""Words per net that are evaluated together: the nets of a PE stay in the cache, and a gate is a few vector
instructions."""
LANES = 64


@kernel
def transpose(block):
    """Transpose WORDS matrices of 64 x 64 bits in place: in each, bit j of row i becomes bit i of row j.

    Row i of matrix w is ``block[i * WORDS + w]``, so that a step is one vector instruction for several matrices.
    """
    width = 32
    mask = np.uint64(0x00000000FFFFFFFF)
    while width:
        shift = np.uint64(width)
        for low in range(0, LANES, 2 * width):
            for row in range(low * WORDS, (low + width) * WORDS):
                moved = ((block[row] >> shift) ^ block[row + width * WORDS]) & mask
                block[row] ^= moved << shift
                block[row + width * WORDS] ^= moved
        width >>= 1
        mask ^= mask << np.uint64(width)


@kernel
def gather(codes, word_of, offset_of, nets_of, block, start, nets):
    """Turn the codes of LANES x WORDS vectors from ``start`` on into words of nets.

    Vector lane x WORDS + w is bit ``lane`` of word w: which vector lies where is free, and so all is read in order.
    """
    for packed in range(nets_of.shape[0]):
        block[:] = 0
        for port in range(codes.shape[0]):
            if word_of[port] == packed:
                offset = np.uint64(offset_of[port])
                for vector in range(LANES * WORDS):
                    block[vector] |= np.uint64(codes[port, start + vector]) << offset
        transpose(block)
        for bit in range(LANES):
            net = nets_of[packed, bit]
            if net >= 0:
                for word in range(WORDS):
                    nets[net * WORDS + word] = block[bit * WORDS + word]


@kernel
def scatter(nets, word_of, offset_of, masks, nets_of, block, start, codes):
    """Turn words of nets into the codes of LANES x WORDS vectors from ``start`` on."""
    for packed in range(nets_of.shape[0]):
        block[:] = 0
        for bit in range(LANES):
            net = nets_of[packed, bit]
            if net >= 0:
                for word in range(WORDS):
                    block[bit * WORDS + word] = nets[net * WORDS + word]
        transpose(block)
        for port in range(codes.shape[0]):
            if word_of[port] == packed:
                offset, mask = np.uint64(offset_of[port]), np.uint64(masks[port])
                for vector in range(LANES * WORDS):
                    codes[port, start + vector] = np.int64((block[vector] >> offset) & mask)


@kernel
def evaluate_gates(kinds, operands, first_gate, nets):
    """Evaluate all gates in order on WORDS words each."""
    for gate in range(kinds.shape[0]):
        kind = kinds[gate]
        a = operands[gate, 0] * WORDS
        b = operands[gate, 1] * WORDS
        out = (first_gate + gate) * WORDS
        if kind == 1:
            for word in range(WORDS):
                nets[out + word] = nets[a + word] & nets[b + word]
        elif kind == 5:
            for word in range(WORDS):
                nets[out + word] = nets[a + word] ^ nets[b + word]
        elif kind == 3:
            for word in range(WORDS):
                nets[out + word] = nets[a + word] | nets[b + word]
        elif kind == 0:
            for word in range(WORDS):
                nets[out + word] = ~nets[a + word]
        elif kind == 9:
            select = operands[gate, 2] * WORDS
            for word in range(WORDS):
                nets[out + word] = nets[a + word] ^ ((nets[a + word] ^ nets[b + word]) & nets[select + word])
        elif kind == 2:
            for word in range(WORDS):
                nets[out + word] = ~(nets[a + word] & nets[b + word])
        elif kind == 4:
            for word in range(WORDS):
                nets[out + word] = ~(nets[a + word] | nets[b + word])
        elif kind == 6:
            for word in range(WORDS):
                nets[out + word] = ~(nets[a + word] ^ nets[b + word])
        elif kind == 7:
            for word in range(WORDS):
                nets[out + word] = nets[a + word] & ~nets[b + word]
        else:
            for word in range(WORDS):
                nets[out + word] = nets[a + word] | ~nets[b + word]


@kernel
def evaluate(
    kinds: NDArray[Any],
    operands: NDArray[Any],
    first_gate: int,
    in_codes: NDArray[Any],
    in_word: NDArray[Any],
    in_offset: NDArray[Any],
    in_nets: NDArray[Any],
    out_codes: NDArray[Any],
    out_word: NDArray[Any],
    out_offset: NDArray[Any],
    out_masks: NDArray[Any],
    out_nets: NDArray[Any],
) -> None:
    """Evaluate all gates on all vectors, whose number is a multiple of LANES x WORDS.

    Args:
        kinds: gate kinds, in order.
        operands: three nets per gate.
        first_gate: net of the first gate.
        in_codes: per input port one code per vector.
        in_word: per input port the packed word that it lies in.
        in_offset: per input port its lowest bit there.
        in_nets: per packed word the net of each bit, -1 for none.
        out_codes: receives the codes.
        out_word: likewise, for outputs.
        out_offset: likewise, for outputs.
        out_masks: per output port the mask of its width.
        out_nets: likewise, for outputs.
    """
    nets = np.zeros((first_gate + kinds.shape[0]) * WORDS, np.uint64)
    block = np.zeros(LANES * WORDS, np.uint64)
    for word in range(WORDS):
        nets[WORDS + word] = ~np.uint64(0)
    for start in range(0, in_codes.shape[1], LANES * WORDS):
        gather(in_codes, in_word, in_offset, in_nets, block, start, nets)
        evaluate_gates(kinds, operands, first_gate, nets)
        scatter(nets, out_word, out_offset, out_masks, out_nets, block, start, out_codes)
