"""The NumPy definitions of floating-point circuits, against fractions rounded by hand and the processor's own fp32."""

import math
from fractions import Fraction

import numpy as np
import pytest

from simhw.circuits.float_sums import add_to_fp32, fp32_codes, fp32_values, values
from simhw.formats import get_format
from simhw.formats.catalog import BF16, E4M3, E5M2, FP16
from simhw.pes import get_circuit
from simhw.rtl.float_stimuli import adverse_totals, float_codes

NAN, INFINITY, NEGATIVE = 0x7FFFFFFF, 0x7F800000, 0x80000000


def round_to_fp32(exact, zero_sign):
    """Code of a fraction: the nearest multiple of the last place at its exponent, ties to even; by Python integers."""
    if exact == 0:
        return zero_sign
    sign = NEGATIVE if exact < 0 else 0
    exact = abs(exact)
    exponent = max(exact.numerator.bit_length() - exact.denominator.bit_length(), -126)
    while exact >= Fraction(2) ** (exponent + 1):
        exponent += 1
    while exponent > -126 and exact < Fraction(2) ** exponent:
        exponent -= 1
    places = round(exact / Fraction(2) ** (exponent - 23))  # Python rounds halves to even
    code = ((exponent + 126) << 23) + places
    return sign | min(code, INFINITY)


def add_exactly(total, term):
    """Code of an fp32 code plus a float64 term, whatever they are."""
    old = float(np.uint32(total).view(np.float32))
    if not (math.isfinite(old) and math.isfinite(term)):
        value = old + term
        return NAN if math.isnan(value) else INFINITY | (NEGATIVE if value < 0 else 0)
    both_negative = total == NEGATIVE and math.copysign(1, term) < 0
    return round_to_fp32(Fraction(old) + Fraction(term), NEGATIVE if both_negative else 0)


@pytest.mark.parametrize("fmt", [FP16, BF16, E4M3, E5M2], ids=lambda fmt: fmt.name)
def test_one_addition_rounds_once(fmt):
    rng = np.random.default_rng(1)
    with np.errstate(invalid="ignore", over="ignore"):
        terms = values(float_codes(fmt, 4000, rng), fmt) * values(float_codes(fmt, 4000, rng), fmt)
        totals = adverse_totals(fp32_codes(terms.astype(np.float32)), rng)
    expected = [add_exactly(int(total), float(term)) for total, term in zip(totals, terms, strict=True)]
    assert add_to_fp32(totals, terms).tolist() == expected


def test_fp32_terms_add_as_the_processor_adds():
    rng = np.random.default_rng(2)
    terms = float_codes(get_format("fp32"), 1 << 18, rng)
    totals = adverse_totals(terms, rng)
    with np.errstate(over="ignore", invalid="ignore"):
        added = totals.astype(np.uint32).view(np.float32) + terms.astype(np.uint32).view(np.float32)
    assert np.array_equal(add_to_fp32(totals, fp32_values(terms)), fp32_codes(added))


@pytest.mark.parametrize("weight_signed", [0, 1])
def test_the_fixed_point_sum_is_the_integer_sum(weight_signed):
    rng = np.random.default_rng(3)
    circuit = get_circuit("mixpe_w4a16", weight_signed=weight_signed)
    bits = circuit.state[-1].bits - 2
    activations, weights = float_codes(FP16, 2000, rng), rng.integers(0, 16, 2000)
    total = rng.integers(0, 1 << bits, 2000)
    ones = np.ones(2000, np.int64)
    given = {"activation_q": activations, "weight_q": weights, "first_q": 0 * ones, "enable_q": ones, "total": total}
    idle = dict.fromkeys(("activation", "weight", "first", "enable"), 0 * ones)
    found = circuit.step({**given, **idle})["total"]
    for activation, weight, old, new in zip(activations, weights, total, found, strict=True):
        value = float(np.uint16(activation).view(np.float16))
        factor = int(weight) - 16 * (weight_signed and weight >= 8)
        with np.errstate(invalid="ignore"):
            product = value * factor
        if math.isfinite(product):
            assert int(new) == (int(old) + int(Fraction(product) * 2**24)) % (1 << bits)
        else:
            flags = 3 if math.isnan(product) else 1 if product > 0 else 2
            assert int(new) == int(old) + (flags << bits)


def test_flags_of_the_fixed_point_sum_stay():
    circuit = get_circuit("mixpe_w4a16")
    bits = circuit.state[-1].bits - 2
    infinities = np.array([0x7C00, 0xFC00], np.int64)
    one = np.ones(2, np.int64)
    state = {port.name: 0 * one for port in (*circuit.inputs, *circuit.state)}
    state |= {"activation_q": infinities, "weight_q": one, "enable_q": one}
    state["total"] = circuit.step(state)["total"]
    assert (state["total"] >> bits).tolist() == [1, 2]
    state["activation_q"] = infinities[::-1].copy()
    assert (circuit.step(state)["total"] >> bits).tolist() == [3, 3]
    state["first_q"] = one
    assert (circuit.step(state)["total"] >> bits).tolist() == [2, 1]
