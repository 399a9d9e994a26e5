"""A bit heap: bits of any weight, compressed by full and half adders to two rows and added once.

A sum of many addends (partial products, an accumulator) is one heap. Full adders turn three bits of a column into one
there and one in the next column without passing a carry along; when no column holds more than two bits, a single
carry-propagate adder finishes the sum. The order is Dadda's: each stage brings every column down to the next number of
2, 3, 4, 6, 9, 13 ..., which takes the fewest adders for the fewest stages.

Negative weights need no sign extension: -b = (1 - b) - 1, so the inverted bit goes into the heap and the -1 into a
constant; all constants together are one addend.

Source: L. Dadda, Some schemes for parallel multipliers, Alta Frequenza 34 (1965); the name is FloPoCo's.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value


class BitHeap:
    """A sum modulo 2^width that is being put together.

    Args:
        module: takes the adders.
        width: bits of the sum; what is worth more falls away.
        name: prefix of the names of the signals, where a module has several heaps.
    """

    def __init__(self, module: Module, width: int, name: str = "sum") -> None:
        self.width = width
        self._module = module
        self._name = name
        self._columns: list[list[Value]] = [[] for _ in range(width)]
        self._constant = 0
        self._carry_in: Value | None = None
        self._signals = 0

    def add_bit(self, place: int, bit: Value, *, negative: bool = False) -> None:
        """Add ``bit`` x 2^``place``, or take it away."""
        if place >= self.width:
            return
        self._columns[place].append(~bit if negative else bit)
        if negative:
            self._constant -= 1 << place

    def add_constant(self, value: int) -> None:
        """Add an integer."""
        self._constant += value

    def add_unsigned(self, value: Value, place: int = 0) -> None:
        """Add a word x 2^``place``, all of whose bits count positive."""
        word = self._word(value)
        for index in range(len(word)):
            self.add_bit(place + index, word[index])

    def add_signed(self, value: Value, place: int = 0) -> None:
        """Add a two's-complement word x 2^``place``: its top bit counts negative."""
        word = self._word(value)
        for index in range(len(word)):
            self.add_bit(place + index, word[index], negative=index == len(word) - 1)

    def add_carry_in(self, bit: Value) -> None:
        """Add ``bit`` in the final adder, at no cost: once per heap, for the 1 that an inverted addend lacks."""
        assert self._carry_in is None, "an adder has one carry input"
        self._carry_in = bit

    def sum(self) -> Value:
        """Return the sum: compression, then one carry-propagate adder. The heap is used up."""
        self._spread_constant()
        for target in reversed(_heights(max(map(len, self._columns), default=0))):
            self._reduce_to(target)
        first, second = (self._row(index) for index in range(2))
        result = self._signal(self.width, "total")
        if self._carry_in is None:
            self._module.d.comb += result.eq(first + second)
        else:
            # One more place below: 1 + carry carries exactly when the carry is 1.
            self._module.d.comb += result.eq((Cat(Const(1, 1), first) + Cat(self._carry_in, second))[1:])
        return result

    def _spread_constant(self) -> None:
        constant = self._constant % (1 << self.width)
        for place in range(self.width):
            if constant >> place & 1:
                self._columns[place].insert(0, Const(1, 1))
        self._constant = 0

    def _reduce_to(self, target: int) -> None:
        """One stage: inputs of its adders are bits of the stage before, so that no carry ripples."""
        reduced: list[list[Value]] = [[] for _ in range(self.width + 1)]
        for place, column in enumerate(self._columns):
            excess = len(column) + len(reduced[place]) - target
            waiting = list(column)
            while excess > 0:
                taken = 3 if excess > 1 and len(waiting) > 2 else 2
                assert len(waiting) >= taken, "Dadda's heights leave enough bits of the stage before"
                bits, waiting = waiting[:taken], waiting[taken:]
                total, carry = self._full_adder(*bits) if taken == 3 else self._half_adder(*bits)
                reduced[place].append(total)
                reduced[place + 1].append(carry)
                excess -= taken - 1
            # Bits that this stage leaves alone are early ones: they stand first, the next stage takes them first.
            reduced[place] = waiting + reduced[place]
        self._columns = reduced[: self.width]

    def _full_adder(self, a: Value, b: Value, c: Value) -> tuple[Value, Value]:
        half = self._named("half", a ^ b)
        return self._named("bit", half ^ c), self._named("carry", (a & b) | (half & c))

    def _half_adder(self, a: Value, b: Value) -> tuple[Value, Value]:
        return self._named("bit", a ^ b), self._named("carry", a & b)

    def _word(self, value: Value) -> Any:
        """Name an expression: Amaranth writes an unnamed one out again at every use."""
        if isinstance(value, Signal):
            return value
        return self._named("addend", value)

    def _row(self, index: int) -> Value:
        return Cat(*(column[index] if len(column) > index else Const(0, 1) for column in self._columns))

    def _named(self, role: str, value: Value) -> Any:
        signal = self._signal(len(value), role)
        self._module.d.comb += signal.eq(value)
        return signal

    def _signal(self, width: int, role: str) -> Any:
        self._signals += 1
        return Signal(width, name=f"{self._name}_{role}_{self._signals}")


def _heights(tallest: int) -> list[int]:
    """Return Dadda's column heights below ``tallest``, smallest first."""
    heights = [2]
    while heights[-1] < tallest:
        heights.append(heights[-1] * 3 // 2)
    return [height for height in heights if height < tallest]
