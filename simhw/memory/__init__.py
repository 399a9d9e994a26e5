"""Buffers and DRAM: how a layer is cut into tiles, what moves, and how long the array waits for it."""

from simhw.memory.base import Dram, Memory, Precision, Sram, TileProblem, Tiling
from simhw.memory.search import best_tiling

__all__ = ["Dram", "Memory", "Precision", "Sram", "TileProblem", "Tiling", "best_tiling"]
