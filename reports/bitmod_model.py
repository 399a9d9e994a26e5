"""BitMoD's comparison by the convention of the simulator published with it, as far as its facts are recorded.

A layer takes the larger of its compute and its DRAM cycles. An array of rows x columns PEs, each of which multiplies
``dot`` pairs in ``latency`` cycles, takes ceil(k / dot) ceil(n / rows) ceil(tokens / columns) latency. DRAM moves 256
bits per cycle; an operand that does not fit in its 512 KiB beside another that does not fit in its own comes again for
each part of the other, whichever costs less. The heads of a block are computed one after the other and fetched as one
operand; ``latency`` is a cycle for every two bits of a weight, key or value where the PE is serial. Energy is that of
PEs (times 1.5 for placement and routing) in every compute cycle and of DRAM at 18.75 pJ per bit; SRAM energy comes from
CACTI runs whose results are not recorded, so it is the part that is missing here.

Source: the simulator published with BitMoD (HPCA 2025, github.com/abdelfattah-lab/BitMoD-HPCA-25, bitmod_sim).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

SOURCE = "bitmod_sim of github.com/abdelfattah-lab/BitMoD-HPCA-25, run on the sizes of Llama-2-7B"
DRAM_BITS_PER_CYCLE = 256
DRAM_PJ_PER_BIT = 1200 / 64
BUFFER_BYTES = 512 * 1024
ACTIVATION_BITS = 16
PLACE_AND_ROUTE = 1.5
CONTEXT = 256


@dataclass(frozen=True, kw_only=True)
class BitmodDesign:
    """A design of BitMoD's comparison.

    Attributes:
        label: name in the publication.
        energy_pj, area_um2: of a PE, before placement and routing.
        prefill_array, decode_array: rows and columns.
        dot: pairs that a PE multiplies at once.
        serial: whether a PE takes two bits of a weight per cycle.
        prefill_bits, decode_bits: of a weight, with its share of scales.
        cache_bits: of a key or value.
        recorded: cycles and millijoules of a run of the published simulator, prefill then decode.
    """

    label: str
    energy_pj: float
    area_um2: float
    prefill_array: tuple[int, int]
    decode_array: tuple[int, int]
    dot: int = 1
    serial: bool = False
    prefill_bits: float
    decode_bits: float
    cache_bits: int = 16
    recorded: tuple[tuple[float, float], tuple[float, float]]

    @property
    def array_um2(self) -> float:
        """Area of the PEs with placement and routing."""
        rows, columns = self.prefill_array
        return PLACE_AND_ROUTE * rows * columns * self.area_um2


DESIGNS = (
    BitmodDesign(
        label="FP16",
        energy_pj=0.77,
        area_um2=1968.7,
        prefill_array=(32, 24),
        decode_array=(64, 12),
        prefill_bits=16,
        decode_bits=16,
        recorded=((2.811e9, 13_861), (4.173e8, 2_133)),
    ),
    BitmodDesign(
        label="ANT",
        energy_pj=0.56,
        area_um2=1318.6,
        prefill_array=(32, 32),
        decode_array=(64, 16),
        prefill_bits=5,
        decode_bits=5,
        recorded=((1.687e9, 5_537), (1.334e8, 753)),
    ),
    BitmodDesign(
        label="OliVe",
        energy_pj=0.613,
        area_um2=1318.6,
        prefill_array=(36, 32),
        decode_array=(72, 16),
        prefill_bits=4,
        decode_bits=4,
        recorded=((1.506e9, 4_952), (1.076e8, 634)),
    ),
    BitmodDesign(
        label="BitMoD lossy",
        energy_pj=0.56,
        area_um2=1507.7,
        prefill_array=(32, 32),
        decode_array=(64, 16),
        dot=4,
        serial=True,
        cache_bits=8,
        prefill_bits=4.0625,
        decode_bits=3.0625,
        recorded=((9.261e8, 3_926), (8.134e7, 444)),
    ),
    BitmodDesign(
        label="BitMoD lossless",
        energy_pj=0.56,
        area_um2=1507.7,
        prefill_array=(32, 32),
        decode_array=(64, 16),
        dot=4,
        serial=True,
        cache_bits=8,
        prefill_bits=6.0625,
        decode_bits=6.0625,
        recorded=((1.373e9, 5_662), (1.588e8, 842)),
    ),
)


@dataclass(frozen=True, kw_only=True)
class BitmodLayer:
    """Equal layers: ``count`` products of ``tokens`` x k with k x n, of so many heads where they are attention."""

    count: int
    heads: int = 1
    n: int
    k: int
    tokens: int
    attention: bool = False


def llama_2_7b(*, decode: bool) -> Iterator[BitmodLayer]:
    """Yield the layers of Llama-2-7B (arXiv 2307.09288): 32 blocks, 4096 wide, 11008 inside, 32,000 words."""
    tokens = 1 if decode else CONTEXT
    yield BitmodLayer(count=32 * 4, n=4096, k=4096, tokens=tokens)
    yield BitmodLayer(count=32 * 2, n=11008, k=4096, tokens=tokens)
    yield BitmodLayer(count=32, n=4096, k=11008, tokens=tokens)
    yield BitmodLayer(count=1, n=32_000, k=4096, tokens=tokens)
    yield BitmodLayer(count=32, heads=32, n=CONTEXT, k=128, tokens=tokens, attention=True)
    yield BitmodLayer(count=32, heads=32, n=128, k=CONTEXT, tokens=tokens, attention=True)


@dataclass(frozen=True, kw_only=True)
class BitmodCost:
    """Cycles, and the energy of PEs and DRAM in millijoules."""

    cycles: int
    pe_mj: float
    dram_mj: float


def bitmod_cost(design: BitmodDesign, *, decode: bool, bits: float | None = None) -> BitmodCost:
    """Return what Llama-2-7B takes on ``design``, for weights of ``bits`` (None: its own)."""
    array = design.decode_array if decode else design.prefill_array
    stored = bits or (design.decode_bits if decode else design.prefill_bits)
    cycles = computing = 0
    moved = 0.0
    for layer in llama_2_7b(decode=decode):
        width = design.cache_bits if layer.attention else stored
        compute = (
            layer.heads
            * math.ceil(layer.k / design.dot)
            * math.ceil(layer.n / array[0])
            * math.ceil(layer.tokens / array[1])
            * (math.ceil(math.floor(width) / 2) if design.serial else 1)
        )
        bytes_moved = _bytes_moved(layer, width)
        cycles += layer.count * max(compute, int(8 * bytes_moved / DRAM_BITS_PER_CYCLE))
        computing += layer.count * compute
        moved += layer.count * 8 * bytes_moved
    pe_pj = PLACE_AND_ROUTE * design.energy_pj * array[0] * array[1] * computing
    return BitmodCost(cycles=cycles, pe_mj=pe_pj / 1e9, dram_mj=moved * DRAM_PJ_PER_BIT / 1e9)


def _bytes_moved(layer: BitmodLayer, weight_bits: float) -> int:
    weights = math.ceil(layer.k * weight_bits / 8) * layer.n * layer.heads
    inputs = math.ceil(layer.k * ACTIVATION_BITS / 8) * layer.tokens * layer.heads
    outputs = math.ceil(layer.n * ACTIVATION_BITS / 8) * layer.tokens * layer.heads
    if weights <= BUFFER_BYTES or inputs <= BUFFER_BYTES:
        return weights + inputs + outputs
    weights_again = weights * math.ceil(inputs / BUFFER_BYTES) + inputs
    inputs_again = inputs * math.ceil(weights / BUFFER_BYTES) + weights
    return min(weights_again, inputs_again) + outputs
