"""int8 search against integer arithmetic in Python and against NumPy's float search."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from simhw.models.vector_search import int8_codes, int8_scores, nearest, recall


def rounded(vectors):
    """Codes by exact arithmetic: the nearest integer of 127 x / largest, ties to even."""
    largest = Fraction(float(np.abs(vectors).max()))
    return [[round(127 * Fraction(float(x)) / largest) for x in row] for row in vectors]


@pytest.fixture
def vectors():
    random = np.random.default_rng(3)
    drawn = random.standard_normal((40, 96), dtype=np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def test_codes_are_the_nearest_of_one_scale(vectors):
    codes = int8_codes(vectors).view(np.int8)
    wanted = np.asarray(rounded(vectors))
    assert np.abs(codes).max() == 127
    # the scale is a float32: a value within its rounding of a tie may go either way
    assert np.abs(codes - wanted).max() <= 1
    assert (codes == wanted).mean() > 0.999


def test_scores_are_exact_integers(vectors):
    queries, corpus = vectors[:7], vectors[7:]
    a, b = (int8_codes(part).view(np.int8).tolist() for part in (queries, corpus))
    wanted = [[sum(x * y for x, y in zip(one, other, strict=True)) for other in b] for one in a]
    assert int8_scores(queries, corpus).tolist() == wanted


def test_the_longest_sum_of_the_largest_codes_is_exact():
    ones = np.ones((1, 384), np.float32)
    assert int8_scores(ones, -ones).tolist() == [[-384 * 127 * 127]]


def test_vectors_that_are_not_finite_are_never_found(vectors):
    broken = vectors.copy()
    broken[0, 3], broken[9, 0] = np.nan, np.inf
    scores = int8_scores(broken[:5], broken[5:])
    assert (scores[0] == -np.inf).all()
    assert (scores[:, 4] == -np.inf).all()
    found = nearest(scores, 35)
    assert (found[0] == -1).all()
    assert 4 not in found
    assert sorted(found[1].tolist()) == [-1, *range(4), *range(5, 35)]


def test_nearest_is_the_order_of_the_scores_and_ties_go_to_the_first():
    scores = np.asarray([[1.0, 5.0, 3.0, 5.0], [0.0, 0.0, 0.0, -np.inf]])
    assert nearest(scores, 3).tolist() == [[1, 3, 2], [0, 1, 2]]
    assert nearest(scores, 4).tolist() == [[1, 3, 2, 0], [0, 1, 2, -1]]


def test_recall_counts_what_was_wanted():
    found = np.asarray([[4, 2], [0, 1]])
    assert recall(found, np.asarray([[2], [3]])) == 0.5
    assert recall(found, np.asarray([[2, 4], [1, 5]])) == 0.75


def test_int8_search_finds_nearly_what_float_search_finds(vectors):
    queries, corpus = vectors[:10], vectors[10:]
    exact = nearest((queries @ corpus.T).astype(np.float64), 10)
    assert recall(nearest(int8_scores(queries, corpus), 10), exact) >= 0.9


def test_vectors_of_zeros_score_zero():
    zeros = np.zeros((2, 8), np.float32)
    assert int8_scores(zeros, zeros).tolist() == [[0, 0], [0, 0]]
