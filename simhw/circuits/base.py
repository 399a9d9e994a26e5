"""What a circuit is, apart from how it is built, simulated, proven or synthesised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError

Codes = Mapping[str, NDArray[np.int64]]
"""Bit patterns by port name: non-negative integers, one per vector, all arrays of one length."""


WIDEST_PORT = 63
"""Bits of a code that int64 holds without its sign."""


@dataclass(frozen=True, kw_only=True)
class Port:
    """A named signal of a circuit.

    Attributes:
        name: of the signal, as it stands in the Verilog.
        bits: width, at most 63 (wider ones are split into lanes of their own names).
        meaning: what it carries, in one phrase, with the format of its code.
    """

    name: str
    bits: int
    meaning: str

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= WIDEST_PORT:
            raise InputError(
                f"{self.name} ({self.meaning}) is {self.bits} bits wide, must be 1..{WIDEST_PORT}; choose another size"
            )


@dataclass(frozen=True, kw_only=True)
class Circuit:
    """A synchronous circuit with one clock, and the function that it computes in one clock cycle.

    The state is what the registers hold. Everything that compares a circuit with its definition compares one step:
    for inputs and a state, the next state and the outputs. Operand registers are part of the state.

    Attributes:
        name: of the top module: a PE's name, with the variant where it is not the default.
        variant: which of several structures with one function this is.
        description: one sentence on the structure.
        source: where the structure comes from.
        parameters: sizes that it was built with, by name.
        inputs: without clock and reset.
        state: registers by the name that they have in the flat netlist.
        outputs: signals that leave the circuit (a register that is an output is listed in both).
        build: returns the Amaranth component; imports Amaranth when it is called.
        step: the definition: inputs and state -> next state and outputs, as bit patterns, written without the circuit.
        cycles: clock cycles of one multiply-accumulate.
        parts: circuits that the component instantiates by their names; each is made once, however often it stands.
    """

    name: str
    variant: str
    description: str
    source: str
    parameters: Mapping[str, int | str] = field(hash=False)
    inputs: tuple[Port, ...]
    state: tuple[Port, ...]
    outputs: tuple[Port, ...]
    build: Callable[[], Any] = field(hash=False, repr=False)
    step: Callable[[Codes], dict[str, NDArray[np.int64]]] = field(hash=False, repr=False)
    cycles: int = 1
    parts: tuple[Circuit, ...] = ()


def check_accumulator(bits: int, least: int, product: str) -> None:
    """Refuse an accumulator that cannot hold one ``product``, or is wider than a port may be.

    Raises:
        InputError: it is so.
    """
    if not least <= bits <= WIDEST_PORT:
        raise InputError(
            f"accumulator_bits is {bits}, must be {least}..{WIDEST_PORT}: {product} needs {least}; "
            "choose a width in that range"
        )


def read_flag(name: str, value: int) -> bool:
    """Return a size that is 0 or 1 as a truth value.

    Raises:
        InputError: it is neither.
    """
    if value not in (0, 1):
        raise InputError(f"{name} is {value}, must be 0 or 1; choose one of them")
    return bool(value)


def require_rtl() -> None:
    """Raise InputError unless the packages that build circuits are installed."""
    missing = [name for name in ("amaranth", "pyosys") if find_spec(name) is None]
    if missing:
        raise InputError(f"circuits need {' and '.join(missing)}, not installed; run: pip install 'simhw[rtl]'")
