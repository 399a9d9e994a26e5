"""SiLU by a table with linear interpolation; ``silu_table_256`` has 256 intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from simhw.sfu.base import SpecialFunctionUnit
from simhw.sfu.table import ENTRIES, table_unit


def curve(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the function in float64."""
    return np.asarray(x * special.expit(x))


def sized(entries: int) -> SpecialFunctionUnit:
    """Return the unit with another number of intervals."""
    return table_unit("silu", curve, ((0, 0), (1, 0)), entries)


UNIT = sized(ENTRIES)
