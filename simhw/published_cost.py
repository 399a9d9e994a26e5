"""Cycles and energy of a design on a network by the convention of the simulators that descend from Bit Fusion's.

``load_published_model("mixpe_artifact")`` has the numbers. What the convention leaves out, and where it differs from
:mod:`simhw.layer_plan`, is told by the decision note on it; it is kept to reproduce published figures.

>>> from simhw.costs.published_loader import load_published_model
>>> model = load_published_model("mixpe_artifact")
>>> design = {name: published_cost(model, model.design(name), model.network("vit_b")) for name in ("int8", "fp16")}
>>> round(design["int8"].cycles / design["fp16"].cycles, 2)
0.82
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from simhw.arrays.fused_array import FusedArray, Stationary
from simhw.costs.published_model import DequantizationLayers, Design, DramPrices, PublishedModel, PublishedNetwork
from simhw.memory.fused_tiling import FusedCounts, FusedLayer, FusedMemory, FusedProblem, best_fused_tiling

PARTS = ("static", "dram", "buffer", "core")
"""Where the convention's energy goes: DRAM in every cycle, DRAM by bits, SRAM by bits, PEs."""


@dataclass(frozen=True, kw_only=True)
class PublishedCost:
    """What a network takes.

    Attributes:
        cycles, stall_cycles: of all layers; stalls are part of the cycles.
        macs: multiply-accumulates of the network's own products, without those of dequantization.
        static_nj, dram_nj, buffer_nj, core_nj: energy by part.
    """

    cycles: int
    stall_cycles: int
    macs: int
    static_nj: float
    dram_nj: float
    buffer_nj: float
    core_nj: float

    @property
    def parts_nj(self) -> dict[str, float]:
        """Energy by part."""
        return {part: getattr(self, f"{part}_nj") for part in PARTS}

    @property
    def total_nj(self) -> float:
        """Sum of the parts."""
        return sum(self.parts_nj.values())


@dataclass(frozen=True, kw_only=True)
class CountedLayer:
    """A layer and how many of it a network has.

    Attributes:
        count: of equal layers.
        layer: sizes and widths.
        dequantizes: whether it stands for dequantization.
    """

    count: int
    layer: FusedLayer
    dequantizes: bool = False


def layers_of(model: PublishedModel, design: Design, network: PublishedNetwork) -> Iterator[CountedLayer]:
    """Yield the layers that a design runs for a network."""
    batch, wide = model.workload.batch, design.dequantize_bits
    if network.patch:
        first = FusedLayer(
            batch=batch,
            inputs=3,
            outputs=network.hidden,
            taps=network.patch**2,
            side=network.image // network.patch,
            activation_bits=design.first_activation_bits or wide,
            weight_bits=design.first_weight_bits or wide,
        )
        yield CountedLayer(count=1, layer=first)
    for single in network.layers:
        other = design.other
        wanted = other is not None and single.name in other.layers
        layer = FusedLayer(
            batch=batch,
            inputs=single.inputs,
            outputs=single.outputs,
            taps=single.taps,
            side=single.side,
            activation_bits=other.bits if other is not None and wanted else design.activation_bits,
            weight_bits=other.bits if other is not None and wanted else design.weight_bits,
        )
        yield CountedLayer(count=single.count, layer=layer)
    if network.blocks:
        yield from _block_layers(model, design, network)


def _block_layers(model: PublishedModel, design: Design, network: PublishedNetwork) -> Iterator[CountedLayer]:
    """Yield the products of all blocks, with those that stand for their dequantization."""
    batch = model.workload.batch
    for name, (k, n) in network.products.items():
        other = design.other
        others = network.blocks // other.one_in if other is not None and name in other.layers else 0
        widths = [(network.blocks - others, design.activation_bits, design.weight_bits)]
        if other is not None and others:
            widths.append((others, other.bits, other.bits))
        for count, activation_bits, weight_bits in widths:
            product = FusedLayer(
                batch=batch, inputs=k, outputs=n, activation_bits=activation_bits, weight_bits=weight_bits
            )
            yield CountedLayer(count=count, layer=product)
        if design.dequantize is not DequantizationLayers.NONE:
            extra = _dequantization(model, design, k, n)
            yield CountedLayer(count=network.blocks, layer=extra, dequantizes=True)


def _dequantization(model: PublishedModel, design: Design, k: int, n: int) -> FusedLayer:
    work = model.workload
    if design.dequantize is DequantizationLayers.BEFORE:
        inputs, outputs = k, n // work.before_divisor
    else:
        inputs, outputs = k // work.after_divisor, n // work.group_size
    return FusedLayer(
        batch=model.workload.batch,
        inputs=max(1, inputs),
        outputs=max(1, outputs),
        activation_bits=design.dequantize_bits,
        weight_bits=design.dequantize_bits,
    )


def published_cost(model: PublishedModel, design: Design, network: PublishedNetwork) -> PublishedCost:
    """Return what ``network`` takes on ``design``; equal layers are searched once.

    Raises:
        InputError: operands wider than the array's, or an SRAM that holds no tile.
    """
    total: dict[str, Any] = {field.name: 0 for field in fields(PublishedCost)}
    for each in layers_of(model, design, network):
        cost = layer_cost(model, design, each.layer)
        for name in total:
            if name != "macs" or not each.dequantizes:
                total[name] += each.count * getattr(cost, name)
    return PublishedCost(**total)


def layer_cost(model: PublishedModel, design: Design, layer: FusedLayer) -> PublishedCost:
    """Return what one layer takes."""
    numbers = _Numbers.of(model, design)
    return _cost(numbers, layer.macs, _counts(numbers, layer), model.dram)


@dataclass(frozen=True, kw_only=True)
class _Numbers:
    """What the search depends on, as a key for equal searches."""

    array: FusedArray
    memory: FusedMemory
    core_dynamic_nj: float
    core_leakage_nj: float
    sram: Any
    dram_of_search: DramPrices

    @classmethod
    def of(cls, model: PublishedModel, design: Design) -> _Numbers:
        size = model.memory
        return cls(
            array=FusedArray(
                rows=design.rows,
                columns=design.columns,
                most_bits=design.most_bits,
                least_bits=design.least_bits,
                stationary=Stationary(design.stationary),
            ),
            memory=FusedMemory(**{field.name: getattr(size, field.name) for field in fields(size)}),
            # microwatts over megahertz are picojoules per cycle
            core_dynamic_nj=design.pes * design.dynamic_uw / model.clock_mhz / 1000,
            core_leakage_nj=design.pes * design.leakage_uw / model.clock_mhz / 1000,
            sram=model.sram,
            dram_of_search=model.dram_of_search,
        )


@lru_cache(maxsize=4096)
def _counts(numbers: _Numbers, layer: FusedLayer) -> FusedCounts:
    array = numbers.array
    problem = FusedProblem(
        layer=layer,
        memory=numbers.memory,
        weight_multiple=array.rows * array.factor(layer.weight_bits),
        activation_multiple=array.columns * array.factor(layer.activation_bits),
        cycles=lambda m, n, k: array.cycles(
            m, n, k, activation_bits=layer.activation_bits, weight_bits=layer.weight_bits
        ),
        sums_move=array.stationary is Stationary.WEIGHT,
        tie_break_nj=lambda counts: _search_nj(numbers, counts),
    )
    return best_fused_tiling(problem)


def _search_nj(numbers: _Numbers, counts: Any) -> Any:
    """Return the energy that decides between tilings: with SRAM leakage and constants of its own for DRAM."""
    cost = _cost(numbers, 0, counts, numbers.dram_of_search)
    return cost.total_nj + counts.cycles * numbers.sram.leakage_nj_per_cycle


def _cost(numbers: _Numbers, macs: int, counts: Any, dram: DramPrices) -> PublishedCost:
    sram = numbers.sram
    accesses = [name for name in vars(counts) if hasattr(sram, f"{name}_pj_per_bit")]
    return PublishedCost(
        cycles=counts.cycles,
        stall_cycles=counts.stall_cycles,
        macs=macs,
        static_nj=counts.cycles * dram.static_nj_per_cycle,
        dram_nj=(counts.dram_read * dram.read_pj_per_bit + counts.dram_write * dram.write_pj_per_bit) / 1000,
        buffer_nj=sum(getattr(counts, name) * getattr(sram, f"{name}_pj_per_bit") for name in accesses) / 1000,
        core_nj=counts.cycles * numbers.core_leakage_nj
        + (counts.cycles - counts.stall_cycles) * numbers.core_dynamic_nj,
    )
