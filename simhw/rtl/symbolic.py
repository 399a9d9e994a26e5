"""Symbols in the place of arrays: a definition written in NumPy becomes a formula for all inputs at once.

A ``Symbol`` behaves as an int64 array in the operations that definitions use (arithmetic, shifts, comparisons,
``np.where``, ``np.clip``, ``np.abs``), and writes what is done to it as SMT-LIB over bit vectors. It knows between
which bounds it lies, so that every bit vector is as narrow as its values allow: an int8 product takes 16 bits, not 64.
Beyond int64 it wraps, as int64 does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from simhw.rtl.smt import Script

_LOW, _HIGH = -(1 << 63), (1 << 63) - 1


class Symbol:
    """An integer of which bounds and a bit vector (two's complement) are known; or a truth value, 0 or 1.

    Args:
        script: takes the definitions.
        term: SMT-LIB term of the bit vector.
        low: least value.
        high: greatest value.
        truth: whether NumPy would call it a bool.
    """

    def __init__(self, script: Script, term: str, low: int, high: int, *, truth: bool = False) -> None:
        self._script = script
        self.term = term
        self.low = low
        self.high = high
        self.truth = truth

    @property
    def bits(self) -> int:
        """Width of the bit vector."""
        return _bits(self.low, self.high)

    def resized(self, bits: int) -> str:
        """Return the term of the lowest ``bits``, or with its sign extended to that many."""
        if bits < self.bits:
            return f"((_ extract {bits - 1} 0) {self.term})"
        return self.term if bits == self.bits else f"((_ sign_extend {bits - self.bits}) {self.term})"

    def astype(self, dtype: Any) -> Symbol:
        """Return it as an integer; definitions convert truth values to int64 only."""
        assert dtype is np.int64, "definitions work on int64"
        return Symbol(self._script, self.term, self.low, self.high)

    # NumPy hands its functions over here.
    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Symbol:
        if method != "__call__" or kwargs or ufunc.__name__ not in _FUNCTIONS:
            raise TypeError(f"a definition uses np.{ufunc.__name__}, which symbols do not know")
        return _FUNCTIONS[ufunc.__name__](*(self._symbol(value) for value in inputs))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if kwargs or function.__name__ not in _FUNCTIONS:
            raise TypeError(f"a definition uses np.{function.__name__}, which symbols do not know")
        return _FUNCTIONS[function.__name__](*(self._symbol(value) for value in args))

    def _symbol(self, value: Any) -> Symbol:
        if isinstance(value, Symbol):
            return value
        number = int(value)
        return Symbol(self._script, _constant(number, _bits(number, number)), number, number)

    def _named(self, term: str, low: int, high: int, *, truth: bool = False) -> Symbol:
        bits = _bits(low, high)
        return Symbol(self._script, self._script.define(term, bits), low, high, truth=truth)

    def _arithmetic(self, operation: str, other: Symbol, low: int, high: int) -> Symbol:
        bits = _bits(low, high)
        return self._named(f"({operation} {self.resized(bits)} {other.resized(bits)})", low, high)

    def __add__(self, other: Any) -> Symbol:
        y = self._symbol(other)
        return self._arithmetic("bvadd", y, *_bounds(self.low + y.low, self.high + y.high))

    def __sub__(self, other: Any) -> Symbol:
        y = self._symbol(other)
        return self._arithmetic("bvsub", y, *_bounds(self.low - y.high, self.high - y.low))

    def __mul__(self, other: Any) -> Symbol:
        y = self._symbol(other)
        for factor, flag in ((self, y), (y, self)):
            if (flag.low, flag.high) == (0, 1):
                return _where(flag == 1, factor, factor._symbol(0))
        ends = [a * b for a in (self.low, self.high) for b in (y.low, y.high)]
        return self._arithmetic("bvmul", y, *_bounds(min(ends), max(ends)))

    def __neg__(self) -> Symbol:
        return self._symbol(0) - self

    def __invert__(self) -> Symbol:
        return self._symbol(1) - self if self.truth else self._symbol(-1) - self

    def __lshift__(self, other: Any) -> Symbol:
        return self._shifted(self._symbol(other), lambda value, places: value * (1 << places))

    def __rlshift__(self, other: Any) -> Symbol:
        return self._symbol(other) << self

    def __rshift__(self, other: Any) -> Symbol:
        return self._shifted(self._symbol(other), Symbol._right)

    def _shifted(self, places: Symbol, shift: Callable[[Symbol, int], Symbol]) -> Symbol:
        """Shift by a constant, or choose among the shifts that there are."""
        assert 0 <= places.low <= places.high < 64, "int64 is shifted by 0..63"
        result = shift(self, places.low)
        for number in range(places.low + 1, places.high + 1):
            result = _where(places == number, shift(self, number), result)
        return result

    def _right(self, places: int) -> Symbol:
        if places >= self.bits:
            places = self.bits - 1
        term = f"((_ extract {self.bits - 1} {places}) {self.term})"
        low, high = self.low >> places, self.high >> places
        return Symbol(self._script, term, low, high)._fitted(self.bits - places)

    def _fitted(self, bits: int) -> Symbol:
        """Name a term of ``bits`` bits in the width that its bounds ask for."""
        wanted = self.bits
        term = f"((_ extract {wanted - 1} 0) {self.term})" if wanted < bits else self.term
        return self._named(term, self.low, self.high)

    def __and__(self, other: Any) -> Symbol:
        y = self._symbol(other)
        for value, mask in ((self, y), (y, self)):
            if mask.low == mask.high >= 0 and mask.low & (mask.low + 1) == 0:
                return value._lowest(mask.low.bit_length())
        return self._bitwise("bvand", y)

    def _lowest(self, bits: int) -> Symbol:
        """Return the code of the lowest bits, which is never negative."""
        if self.low >= 0 and self.high < 1 << bits:
            return self
        if bits == 0:
            return self._symbol(0)
        return self._named(f"((_ zero_extend 1) {self.resized(bits)})", 0, (1 << bits) - 1)

    def __or__(self, other: Any) -> Symbol:
        return self._bitwise("bvor", self._symbol(other))

    def __xor__(self, other: Any) -> Symbol:
        return self._bitwise("bvxor", self._symbol(other))

    def _bitwise(self, operation: str, other: Symbol) -> Symbol:
        bits = max(self.bits, other.bits)
        low = 0 if min(self.low, other.low) >= 0 else -(1 << (bits - 1))
        term = f"({operation} {self.resized(bits)} {other.resized(bits)})"
        return self._named(term, low, (1 << (bits - 1)) - 1, truth=self.truth and other.truth)

    def _compared(self, operation: str, other: Any) -> Symbol:
        y = self._symbol(other)
        bits = max(self.bits, y.bits)
        term = f"(ite ({operation} {self.resized(bits)} {y.resized(bits)}) #b01 #b00)"
        return self._named(term, 0, 1, truth=True)

    def __eq__(self, other: object) -> Symbol:  # type: ignore[override]
        return self._compared("=", other)

    def __ne__(self, other: object) -> Symbol:  # type: ignore[override]
        return self._compared("distinct", other)

    def __lt__(self, other: Any) -> Symbol:
        return self._compared("bvslt", other)

    def __le__(self, other: Any) -> Symbol:
        return self._compared("bvsle", other)

    def __gt__(self, other: Any) -> Symbol:
        return self._compared("bvsgt", other)

    def __ge__(self, other: Any) -> Symbol:
        return self._compared("bvsge", other)

    __hash__ = None  # type: ignore[assignment]
    __radd__ = __add__
    __rmul__ = __mul__
    __rand__ = __and__
    __ror__ = __or__

    def __rsub__(self, other: Any) -> Symbol:
        return self._symbol(other) - self


def _where(condition: Symbol, chosen: Symbol, otherwise: Symbol) -> Symbol:
    low, high = min(chosen.low, otherwise.low), max(chosen.high, otherwise.high)
    bits = _bits(low, high)
    test = f"(distinct {condition.term} {_constant(0, condition.bits)})"
    return condition._named(f"(ite {test} {chosen.resized(bits)} {otherwise.resized(bits)})", low, high)


def _least(a: Symbol, b: Symbol) -> Symbol:
    return _bounded(_where(a < b, a, b), min(a.low, b.low), min(a.high, b.high))


def _greatest(a: Symbol, b: Symbol) -> Symbol:
    return _bounded(_where(a > b, a, b), max(a.low, b.low), max(a.high, b.high))


def _bounded(value: Symbol, low: int, high: int) -> Symbol:
    """Narrow a value to bounds that are known from elsewhere."""
    return Symbol(value._script, value.term, low, high)._fitted(value.bits)


_FUNCTIONS: dict[str, Callable[..., Symbol]] = {
    "where": _where,
    "clip": lambda value, low, high: _greatest(_least(value, high), low),
    "minimum": _least,
    "maximum": _greatest,
    "absolute": lambda value: _bounded(_where(value < 0, -value, value), 0, max(abs(value.low), abs(value.high))),
    "zeros_like": lambda value: value._symbol(0),
    "add": Symbol.__add__,
    "subtract": Symbol.__sub__,
    "multiply": Symbol.__mul__,
    "negative": Symbol.__neg__,
    "left_shift": Symbol.__lshift__,
    "right_shift": Symbol.__rshift__,
    "bitwise_and": Symbol.__and__,
    "bitwise_or": Symbol.__or__,
    "bitwise_xor": Symbol.__xor__,
    "equal": Symbol.__eq__,
    "not_equal": Symbol.__ne__,
    "less": Symbol.__lt__,
    "greater": Symbol.__gt__,
}


def _bits(low: int, high: int) -> int:
    return 1 + max((-1 - low).bit_length() if low < 0 else 0, max(high, 0).bit_length())


def _bounds(low: int, high: int) -> tuple[int, int]:
    """Return the bounds, or all of int64 where they are exceeded: then it wraps."""
    return (low, high) if low >= _LOW and high <= _HIGH else (_LOW, _HIGH)


def _constant(value: int, bits: int) -> str:
    return f"#b{value % (1 << bits):0{bits}b}"
