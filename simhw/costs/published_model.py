"""Cost models of published simulators as data: designs, networks, memories and constants, each with its source.

A file of ``simhw.costs.published`` is one model. As in every table of costs, a number stands under a key that names
its unit, and cites a source that the file lists; :mod:`simhw.costs.published_loader` refuses anything less. What the
numbers mean is the convention's (:mod:`simhw.arrays.fused_array`, :mod:`simhw.memory.fused_tiling`); how they become
cycles and energy is in :mod:`simhw.published_cost`. They are kept to reproduce what was published, not to be believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from simhw.errors import unknown_name


class DequantizationLayers(Enum):
    """Which extra matrix product stands for the dequantization of a product of k x n."""

    BEFORE = "before"
    """k x (n / ``before_divisor``), in place of an operation on every weight."""
    AFTER = "after"
    """(k / ``after_divisor``) x (n / ``group_size``), in place of an operation on the sum of every group."""
    NONE = "none"
    """Nothing is charged."""


@dataclass(frozen=True, kw_only=True)
class OtherWidths:
    """Layers of another width: in ``blocks // one_in`` of the blocks, or the single layers of these names."""

    bits: int
    one_in: int
    layers: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Design:
    """An accelerator of a published comparison.

    Attributes:
        name, label: entry name, and name in the publication.
        rows, columns, most_bits, least_bits: of the array (:class:`simhw.arrays.fused_array.FusedArray`).
        activation_bits, weight_bits: of the network's layers.
        dequantize, dequantize_bits: the extra products and the width of both their operands.
        stationary: what stays in the array, ``output`` or ``weight``.
        first_activation_bits, first_weight_bits: of the patch embedding; None: ``dequantize_bits``.
        dynamic_uw, leakage_uw: of a PE, in microwatts.
        other: blocks whose layers have another width.
        source: full citation of the PE's figures.
    """

    name: str
    label: str
    rows: int
    columns: int
    most_bits: int
    least_bits: int
    activation_bits: int
    weight_bits: int
    dequantize: DequantizationLayers
    dequantize_bits: int
    dynamic_uw: float
    leakage_uw: float
    source: str
    stationary: str = "output"
    first_activation_bits: int | None = None
    first_weight_bits: int | None = None
    other: OtherWidths | None = None

    @property
    def pes(self) -> int:
        """PEs of the array."""
        return self.rows * self.columns


@dataclass(frozen=True, kw_only=True)
class PublishedLayer:
    """Equal convolutions (or products: one tap, one pixel) of a network.

    Attributes:
        name: of the layer.
        count: of equal ones.
        inputs, outputs: channels.
        taps: of the kernel, all together.
        side: of the square output in pixels.
    """

    name: str
    count: int
    inputs: int
    outputs: int
    taps: int
    side: int


@dataclass(frozen=True, kw_only=True)
class PublishedNetwork:
    """A network as a published comparison has it: blocks of four products and a patch embedding, or single layers.

    Attributes:
        name, label: entry name, and name in the publication.
        blocks, hidden: number and width; the inner layers are four times as wide.
        patch, image: side of a patch and of the square image in pixels; 0: there is no patch embedding.
        layers: of a network that is no transformer.
        source: full citation.
    """

    name: str
    label: str
    source: str
    blocks: int = 0
    hidden: int = 0
    patch: int = 0
    image: int = 0
    layers: tuple[PublishedLayer, ...] = ()

    @property
    def products(self) -> dict[str, tuple[int, int]]:
        """The products of a block by name, each (k, n)."""
        h = self.hidden
        return {"qkv": (h, 3 * h), "projection": (h, h), "up": (h, 4 * h), "down": (4 * h, h)}


@dataclass(frozen=True, kw_only=True)
class Workload:
    """On what the networks run.

    Attributes:
        batch: rows of activations of every product.
        before_divisor: by which n is divided in a product that dequantizes before; the batch, where each weight is to
            be dequantized once.
        after_divisor: by which k is divided in a product that dequantizes after; 1, where each sum of a group is to be
            scaled for each row.
        group_size: weights along k that share a scale.
    """

    batch: int
    before_divisor: int
    after_divisor: int
    group_size: int


@dataclass(frozen=True, kw_only=True)
class SramPrices:
    """Energy of each SRAM in picojoules per bit, and the leakage of all of them in nanojoules per cycle."""

    activation_read_pj_per_bit: float
    activation_write_pj_per_bit: float
    weight_read_pj_per_bit: float
    weight_write_pj_per_bit: float
    output_read_pj_per_bit: float
    output_write_pj_per_bit: float
    leakage_nj_per_cycle: float


@dataclass(frozen=True, kw_only=True)
class DramPrices:
    """Energy of DRAM in picojoules per bit, and what it takes in every cycle in nanojoules."""

    read_pj_per_bit: float
    write_pj_per_bit: float
    static_nj_per_cycle: float


@dataclass(frozen=True, kw_only=True)
class MemorySizes:
    """SRAM capacities in KiB, width of the way to DRAM in bits per cycle, and bits of an output."""

    activation_kib: int
    weight_kib: int
    output_kib: int
    dram_bits_per_cycle: int
    output_bits: int


@dataclass(frozen=True, kw_only=True)
class PublishedModel:
    """A cost model; see the module.

    Attributes:
        name: entry name, equal to the file name.
        description: one sentence.
        node_nm: that the figures are said to be of.
        source: full citation.
        memory, workload, sram: see there.
        clock_mhz: of array and DRAM interface.
        dram: of the figures that are reported.
        dram_of_search: of the energy that decides between tilings of equal cycles.
        networks, designs: by entry name.
        sources: what each part rests on.
    """

    name: str
    description: str
    node_nm: float
    source: str
    memory: MemorySizes
    workload: Workload
    sram: SramPrices
    clock_mhz: float
    dram: DramPrices
    dram_of_search: DramPrices
    networks: Mapping[str, PublishedNetwork]
    designs: Mapping[str, Design]
    sources: Mapping[str, str]

    def design(self, name: str) -> Design:
        """Return the design called ``name``.

        Raises:
            InputError: the model has none of that name.
        """
        found: Design = _one("design", name, self.designs)
        return found

    def network(self, name: str) -> PublishedNetwork:
        """Return the network called ``name``.

        Raises:
            InputError: the model has none of that name.
        """
        found: PublishedNetwork = _one("network", name, self.networks)
        return found


def _one(kind: str, name: str, entries: Mapping[str, Any]) -> Any:
    if name not in entries:
        raise unknown_name(kind, name, entries)
    return entries[name]
