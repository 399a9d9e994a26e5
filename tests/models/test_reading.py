"""Decoding and error rates against definitions written out in full, lines of text against what they must look like."""

from __future__ import annotations

from functools import cache
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simhw.errors import InputError
from simhw.models.language import read_text
from simhw.models.reading import character_error_rate, decode_greedily, edit_distance
from simhw.models.text_lines import HEIGHT, MARGIN, draw, font, lines_of, network_input
from simhw.models.tiny_llama import HELD_OUT


def distance_by_definition(a: str, b: str) -> int:
    @cache
    def between(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        return min(between(i - 1, j) + 1, between(i, j - 1) + 1, between(i - 1, j - 1) + (a[i - 1] != b[j - 1]))

    return between(len(a), len(b))


@settings(max_examples=60)
@given(st.text("abc", max_size=8), st.text("abc", max_size=8))
def test_edit_distance_is_its_definition(a, b):
    assert edit_distance(a, b) == distance_by_definition(a, b)


def test_error_rate_is_over_all_characters():
    assert character_error_rate(["abc", "x"], ["abd", "xyzw"]) == (1 + 3) / 7
    assert character_error_rate(["aaaa"], ["b"]) == 4.0
    assert character_error_rate(["ab"], ["ab"]) == 0.0


@settings(max_examples=60)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=20))
def test_decoding_merges_repeats_then_drops_blanks(path):
    scores = np.eye(4, dtype=np.float32)[path]
    wanted = "".join(".abc"[index] for index, _ in groupby(path) if index)
    assert decode_greedily(scores, ["", "a", "b", "c"]) == wanted


def test_steps_with_nan_are_blanks():
    scores = np.eye(3, dtype=np.float32)[[1, 1, 1, 2]]
    scores[1, 2] = np.nan
    assert decode_greedily(scores, ["", "a", "b"]) == "aab"


@pytest.mark.parametrize("width", [192, 320])
def test_lines_fit_and_keep_every_word(width):
    lines = lines_of(HELD_OUT, width, 60)
    assert max(font().getlength(line) for line in lines) <= width - 2 * MARGIN
    assert lines_of(HELD_OUT, width, 5) == lines[:5]
    words = " ".join(lines).split()
    fitting = [word for word in read_text(HELD_OUT).split() if font().getlength(word) <= width - 2 * MARGIN]
    assert words == fitting[: len(words)]
    assert all(lines)


def test_a_text_that_is_too_short():
    with pytest.raises(InputError, match=r"gives \d+ lines of 320 pixels, 1000000 are needed; take fewer"):
        lines_of(HELD_OUT, 320, 1_000_000)


def test_a_line_is_dark_on_light_with_noise_of_its_own():
    image = draw("Madam Speaker", 320, 3)
    assert image.shape == (HEIGHT, 320)
    assert (image == draw("Madam Speaker", 320, 3)).all()
    assert (image != draw("Madam Speaker", 320, 4)).any()
    columns = np.flatnonzero(image.min(axis=0) < 100)
    assert MARGIN <= columns.min() < MARGIN + 6
    assert columns.max() < MARGIN + font().getlength("Madam Speaker")
    rows = np.flatnonzero((image < 100).sum(axis=1) > 2)
    assert 4 < rows.min() < rows.max() < HEIGHT - 4


def test_network_input_is_three_equal_channels_between_minus_one_and_one():
    found = network_input(np.asarray([[[0, 255, 51]]], np.uint8))
    assert found.shape == (1, 3, 1, 3)
    assert (found == found[:, :1]).all()
    np.testing.assert_allclose(found[0, 0, 0], [-1, 1, -0.6], atol=1e-6)
