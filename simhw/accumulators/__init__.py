"""How products are summed: one kind of accumulator per file, each with its exact definition."""

from simhw.accumulators.aligned import Addend, Aligned, Order
from simhw.accumulators.base import Accumulator, IntegerAccumulator, Number
from simhw.accumulators.chunked import Chunked
from simhw.accumulators.exact import Exact, wrap
from simhw.accumulators.ieee import Ieee
from simhw.accumulators.lsb_truncated import Cut, LsbTruncated, Where
from simhw.accumulators.pairwise import Pairwise, Split
from simhw.accumulators.partial_sums import PartialSums
from simhw.accumulators.rounding import Precision, float_precision
from simhw.accumulators.saturate import Saturate, clamp
from simhw.accumulators.tree import Tree
from simhw.accumulators.vpmaddubsw import Vpmaddubsw

__all__ = [
    "Accumulator",
    "Addend",
    "Aligned",
    "Chunked",
    "Cut",
    "Exact",
    "Ieee",
    "IntegerAccumulator",
    "LsbTruncated",
    "Number",
    "Order",
    "Pairwise",
    "PartialSums",
    "Precision",
    "Saturate",
    "Split",
    "Tree",
    "Vpmaddubsw",
    "Where",
    "clamp",
    "float_precision",
    "wrap",
]
