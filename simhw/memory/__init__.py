"""Buffers and DRAM: how a layer is cut into tiles, what moves, and how long the array waits for it."""

from simhw.memory.base import Dram, Memory, Precision, Sram, TileProblem, Tiling
from simhw.memory.price import BufferPrice, buffer_price
from simhw.memory.search import best_tiling
from simhw.memory.traffic import TRAFFIC_PARTS, traffic_bits

__all__ = [
    "TRAFFIC_PARTS",
    "BufferPrice",
    "Dram",
    "Memory",
    "Precision",
    "Sram",
    "TileProblem",
    "Tiling",
    "best_tiling",
    "buffer_price",
    "traffic_bits",
]
