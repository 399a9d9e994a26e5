"""Compression of bit heaps: sums of any addends, against Python integers; heights against Dadda's table."""

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In, Out
from hypothesis import given, settings
from hypothesis import strategies as st

from simhw.circuits import Circuit, Port
from simhw.circuits.bit_heap import BitHeap, _heights
from simhw.circuits.partial_products import add_and_products, add_booth_products
from simhw.rtl.netlist import netlist
from simhw.rtl.simulation import simulate


class _Combinational(Component):
    def __init__(self, inputs, out_bits, make):
        self._make = make
        self._names = list(inputs)
        super().__init__({**{name: In(bits) for name, bits in inputs.items()}, "out": Out(out_bits)})

    def elaborate(self, platform):  # noqa: ARG002
        module = Module()
        module.d.comb += self.out.eq(self._make(module, *(getattr(self, name) for name in self._names)))
        return module


def _gates(inputs, out_bits, make):
    circuit = Circuit(
        name="unit",
        variant="unit",
        description="",
        source="",
        parameters={},
        inputs=tuple(Port(name=name, bits=bits, meaning="") for name, bits in inputs.items()),
        state=(),
        outputs=(Port(name="out", bits=out_bits, meaning=""),),
        build=lambda: _Combinational(inputs, out_bits, make),
        step=lambda codes: codes,
    )
    return netlist(circuit)


def test_heights_are_those_of_dadda():
    assert _heights(64) == [2, 3, 4, 6, 9, 13, 19, 28, 42, 63]
    assert _heights(2) == []


addends = st.lists(
    st.tuples(st.integers(1, 9), st.integers(0, 6), st.booleans()),  # width, place, signed
    min_size=1,
    max_size=7,
)


@settings(max_examples=15, deadline=None)
@given(addends=addends, constant=st.integers(-(1 << 12), 1 << 12), width=st.integers(1, 16), seed=st.integers(0, 99))
def test_any_heap_sums(addends, constant, width, seed):
    def make(module, *words):
        heap = BitHeap(module, width)
        heap.add_constant(constant)
        for word, (_, place, signed) in zip(words, addends, strict=True):
            (heap.add_signed if signed else heap.add_unsigned)(word, place)
        return heap.sum()

    inputs = {f"in_{index}": bits for index, (bits, _, _) in enumerate(addends)}
    rng = np.random.default_rng(seed)
    codes = {name: rng.integers(0, 1 << bits, 256) for name, bits in inputs.items()}
    found = simulate(_gates(inputs, width, make), codes)["out"]
    for lane in range(256):
        total = constant
        for index, (bits, place, signed) in enumerate(addends):
            code = int(codes[f"in_{index}"][lane])
            total += (code - (signed and code >> (bits - 1)) * (1 << bits)) << place
        assert found[lane] == total % (1 << width)


def test_a_carry_costs_no_row():
    def make(module, a, b, carry):
        heap = BitHeap(module, 8)
        heap.add_unsigned(a)
        heap.add_unsigned(b)
        heap.add_carry_in(carry)
        return heap.sum()

    gates = _gates({"a": 6, "b": 7, "carry": 1}, 8, make)
    a, b, carry = (code.ravel() for code in np.meshgrid(np.arange(64), np.arange(128), np.arange(2)))
    assert (simulate(gates, {"a": a, "b": b, "carry": carry})["out"] == a + b + carry).all()


@pytest.mark.parametrize("signed_a", [False, True])
@pytest.mark.parametrize("signed_b", [False, True])
@pytest.mark.parametrize(("a_bits", "b_bits"), [(8, 8), (8, 4), (4, 5), (3, 1), (1, 3), (6, 7)])
@pytest.mark.parametrize("rows", ["and", "booth"])
def test_all_products(rows, a_bits, b_bits, signed_a, signed_b):
    def make(module, a, b):
        heap = BitHeap(module, a_bits + b_bits)
        signs = {"multiplicand_signed": signed_a, "multiplier_signed": signed_b}
        if rows == "and":
            add_and_products(heap, a, b, **signs)
        else:
            add_booth_products(module, heap, a, b, **signs)
        return heap.sum()

    a, b = (code.ravel() for code in np.meshgrid(np.arange(1 << a_bits), np.arange(1 << b_bits)))
    found = simulate(_gates({"a": a_bits, "b": b_bits}, a_bits + b_bits, make), {"a": a, "b": b})["out"]
    a_value = np.where(signed_a & (a >> (a_bits - 1) == 1), a - (1 << a_bits), a)
    b_value = np.where(signed_b & (b >> (b_bits - 1) == 1), b - (1 << b_bits), b)
    assert (found == (a_value * b_value) % (1 << a_bits + b_bits)).all()
