import dataclasses
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simhw.reports import numbers


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (1234567.8, 4, "1,234,568"),
        (99995.0, 4, "99,995"),
        (123.456, 4, "123.5"),
        (99.996, 4, "100.0"),
        (9.9996, 4, "10.00"),
        (0.0012345, 3, "0.00123"),
        (0.00001234, 3, "1.23e-05"),
        (2.0, 4, "2.000"),
        (0.0, 4, "0"),
        (-12.3456, 3, "-12.3"),
        (math.inf, 4, "inf"),
        (-math.inf, 4, "-inf"),
        (math.nan, 4, "nan"),
    ],
)
def test_significant(value, digits, text):
    assert numbers.significant(value, digits) == text


@given(st.floats(1e-4, 1e12), st.integers(2, 6))
def test_significant_is_within_half_of_the_last_digit(value, digits):
    error = abs(Fraction(numbers.significant(value, digits).replace(",", "")) - Fraction(value))
    assert error <= Fraction(value) * Fraction(1, 2 * 10 ** (digits - 1))


def test_metric_in_percent_only_for_fractions(llama_rows, resnet_rows):
    assert numbers.metric(resnet_rows[0], 0.9140625) == "91.41%"
    assert numbers.metric(llama_rows[0], 45.2514) == "45.25"
    assert numbers.metric(llama_rows[0], math.inf) == "inf"


@pytest.mark.parametrize(
    ("metric", "absolute", "relative"),
    [
        (47.5139, "+2.263", "+5.00%"),
        (45.2514, "+0.000", "+0.00%"),
        (45.25139, "+0.000", "+0.00%"),
        (40.0, "-5.251", "-11.60%"),
        (50_000.0, "+49,954.749", "+110,393.82%"),
        (math.inf, "inf", ""),
        (math.nan, "nan", ""),
    ],
)
def test_change_of_perplexity(llama_rows, metric, absolute, relative):
    row = dataclasses.replace(llama_rows[0], metric=metric)
    assert (numbers.metric_change(row), numbers.relative_change(row)) == (absolute, relative)


def test_change_of_a_fraction_is_in_points(resnet_rows):
    row = dataclasses.replace(resnet_rows[0], metric=0.9, metric_float=0.9123)
    assert (numbers.metric_change(row), numbers.relative_change(row)) == ("-1.23 pp", "")


def test_no_relative_change_to_zero(llama_rows):
    assert numbers.relative_change(dataclasses.replace(llama_rows[0], metric_float=0.0)) == ""


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (None, "-"),
        (1.0, "1.00x"),
        (3.14159, "3.14x"),
        (0.4629, "0.46x"),
        (0.012345, "0.0123x"),
        (1234.5, "1,234x"),
    ],
)
def test_times(ratio, text):
    assert numbers.times(ratio) == text


def test_units():
    assert numbers.microjoules(12_345_678.0) == "12.35"
    assert numbers.square_millimetres(428_544.0) == "0.429"
    assert numbers.decibels(31.459) == "31.5"
    assert numbers.decibels(math.inf) == "inf"
