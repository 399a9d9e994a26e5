from __future__ import annotations

import pytest

from simhw.arrays.fused_array import FusedArray, Stationary
from simhw.errors import InputError


def test_cycles_of_the_convention() -> None:
    # 128 x 768 x 768 on 32 x 32 PEs without fill and drain: 4 x 24 folds of 768
    array = FusedArray(rows=32, columns=32, most_bits=8, least_bits=4)
    assert array.cycles(128, 768, 768, activation_bits=8, weight_bits=8) == 73_728
    assert array.cycles(128, 768, 768, activation_bits=4, weight_bits=4) == 73_728 // 4
    assert array.cycles(128, 768, 768, activation_bits=8, weight_bits=4) == 73_728 // 2
    held = FusedArray(rows=32, columns=32, most_bits=8, least_bits=4, stationary=Stationary.WEIGHT)
    assert held.cycles(128, 768, 768, activation_bits=8, weight_bits=8) == 128 * 24 * 24


def test_nothing_is_gained_below_the_least_width() -> None:
    array = FusedArray(rows=1, columns=1, most_bits=16, least_bits=8)
    assert [array.factor(bits) for bits in (16, 9, 8, 4)] == [1, 1, 2, 2]


def test_bad_input() -> None:
    with pytest.raises(InputError, match=r"least_bits is 8, must be 1\.\.4"):
        FusedArray(rows=1, columns=1, most_bits=4, least_bits=8)
    with pytest.raises(InputError, match="rows of a fused array is 0"):
        FusedArray(rows=0, columns=1, most_bits=4, least_bits=4)
    with pytest.raises(InputError, match=r"operand has 16 bits, must be 1\.\.8"):
        FusedArray(rows=1, columns=1, most_bits=8, least_bits=4).factor(16)
