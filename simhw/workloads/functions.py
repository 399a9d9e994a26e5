"""Work of vector steps: that of the graph's operators, and of functions that are several of them."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType

from simhw.costs import VectorWork
from simhw.errors import unknown_name

COMPOSED = MappingProxyType(
    {
        # x cos + (x rotated) sin
        "rotary": VectorWork(adds=1, multiplies=2),
        # per state: exp(delta A) by a polynomial of degree 5, h = exp h + delta B x, y += C h
        "selective_scan": VectorWork(adds=8, multiplies=11),
        # one comparison, or one addition, per element of each window
        "pool": VectorWork(adds=1),
    }
)


@cache
def function_work(name: str) -> VectorWork:
    """Return the float operations per element of a function.

    Raises:
        InputError: there is none of that name.
    """
    from simhw.graph.ops import operators

    if name in COMPOSED:
        return COMPOSED[name]
    known = operators()
    if name not in known:
        raise unknown_name("function", name, [*COMPOSED, *known])
    return known[name].work
