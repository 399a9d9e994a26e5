"""Boolean expressions against Python's own operators."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simhw.errors import InputError
from simhw.rtl.boolean import truth_table

NAMES = ("A", "B", "C1", "IQ")


@st.composite
def expressions(draw, depth=4):
    """A liberty expression and the Python expression of the same meaning."""
    if depth == 0 or draw(st.booleans()):
        name = draw(st.sampled_from((*NAMES, "0", "1")))
        return name, {"0": "False", "1": "True"}.get(name, name)
    kind = draw(st.sampled_from(["not", "quote", "and", "or", "xor"]))
    a, python_a = draw(expressions(depth=depth - 1))
    if kind == "not":
        return f"!({a})", f"(not ({python_a}))"
    if kind == "quote":
        return f"({a})'", f"(not ({python_a}))"
    b, python_b = draw(expressions(depth=depth - 1))
    sign = {"and": draw(st.sampled_from([" * ", "&", " "])), "or": draw(st.sampled_from(["+", " | "])), "xor": "^"}[
        kind
    ]
    python = {"and": "and", "or": "or", "xor": "!="}[kind]
    return f"({a}){sign}({b})", f"(({python_a}) {python} ({python_b}))"


@given(expressions())
def test_equals_python(pair):
    liberty, python = pair
    for state, bits in enumerate(itertools.product([False, True], repeat=len(NAMES))):
        values = dict(zip(NAMES, reversed(bits), strict=True))
        assert truth_table(liberty, NAMES)[state] == bool(eval(python, values))


def test_precedence():
    assert truth_table("A + B * C", "ABC").tolist() == [bool(s & 1 or (s & 2 and s & 4)) for s in range(8)]
    assert truth_table("!A B ^ C | A", "ABC").tolist() == [
        bool(bool(not s & 1 and s & 2) != bool(s & 4) or s & 1) for s in range(8)
    ]


@pytest.mark.parametrize(
    ("text", "message"), [("A &", "too early"), ("(A", "parenthesis"), ("A $", "left over"), ("D", "'D'")]
)
def test_refused(text, message):
    with pytest.raises(InputError, match=message):
        truth_table(text, ["A", "B"])
