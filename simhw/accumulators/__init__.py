"""How products are summed: one kind of accumulator per file, each with its exact definition."""

from simhw.accumulators.aligned import Addend, Aligned, Order
from simhw.accumulators.base import Accumulator, Number
from simhw.accumulators.exact import Exact, wrap
from simhw.accumulators.ieee import Ieee

__all__ = ["Accumulator", "Addend", "Aligned", "Exact", "Ieee", "Number", "Order", "wrap"]
