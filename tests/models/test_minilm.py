"""MiniLM's data and figures: with made-up embeddings everywhere, with the real ones where they are fetched (slow)."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from simhw.errors import InputError
from simhw.executor import run_float
from simhw.graph.frontends.torch_export import import_module
from simhw.graph.network import Dataset
from simhw.models import minilm, minilm_wordsim
from simhw.models.bert import PADDING, PaddedSentenceEncoder, SentenceEncoder
from simhw.models.fetch import cached

SHAPE = dataclasses.replace(minilm.SHAPE, vocabulary=50, context=16, width=32, layers=2, heads=4, hidden=48)


@pytest.fixture(scope="module")
def encoders():
    torch.manual_seed(4)
    plain = SentenceEncoder(SHAPE).eval()
    filled = PaddedSentenceEncoder(SHAPE).eval()
    filled.load_state_dict(plain.state_dict())
    return plain, filled


def texts(lengths, width):
    random = np.random.default_rng(2)
    rows = [[*random.integers(1, 50, length), *[PADDING] * (width - length)] for length in lengths]
    return np.asarray(rows, np.int64)


def test_filling_does_not_change_an_embedding(encoders):
    plain, filled = encoders
    tokens = texts((3, 5, 9), 9)
    with torch.no_grad():
        found = filled(torch.from_numpy(tokens))
        for row, embedding in zip(tokens, found, strict=True):
            alone = plain(torch.from_numpy(row[row != PADDING][None]))[0]
            torch.testing.assert_close(embedding, alone, rtol=1e-5, atol=1e-6)


def test_the_padded_encoder_imports_and_keeps_its_numbers(encoders):
    tokens = texts((3, 5, 6, 4), 6)
    with torch.no_grad():
        wanted = encoders[1](torch.from_numpy(tokens)).numpy()
    found = run_float(import_module(encoders[1], tokens), tokens)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("ties", [False, True])
def test_spearman_is_scipys(ties):
    random = np.random.default_rng(8)
    a, b = random.standard_normal((2, 60))
    b += a
    if ties:
        a, b = np.round(a), np.round(b)
    assert minilm_wordsim.spearman(a, b) == pytest.approx(spearmanr(a, b).statistic, rel=1e-12)


def test_spearman_with_nan_or_without_order():
    a = np.arange(5.0)
    assert minilm_wordsim.spearman(a, -(a**3)) == pytest.approx(-1)
    assert np.isnan(minilm_wordsim.spearman(a, np.ones(5)))
    assert np.isnan(minilm_wordsim.spearman(a, np.where(a == 3, np.nan, a)))


@pytest.fixture
def pairs(monkeypatch):
    """Four words, three pairs, and a float model that gives the embeddings it is told."""
    rated = (("sea", "ship", 9.0), ("sea", "desk", 1.0), ("ship", "boat", 8.0))
    monkeypatch.setattr(minilm_wordsim, "rated_pairs", lambda: rated)
    exact = np.asarray([[1, 0, 0], [0.8, 0.6, 0], [0, 0, 1], [0.5, 0.5, 0.1]], np.float32)
    monkeypatch.setattr(minilm_wordsim, "_float_module", lambda: lambda _: torch.from_numpy(exact))
    data = Dataset(inputs=np.zeros((4, 6), np.int64), targets=np.zeros(4, np.int64), unit="word", units=4)
    return rated, exact, data


def test_words_come_once_and_figures_follow_the_pairs(pairs):
    _, exact, data = pairs
    assert minilm_wordsim.words() == ["sea", "ship", "desk", "boat"]
    assert minilm_wordsim.evaluate(3 * exact, data) == {
        "spearman": pytest.approx(0.5),  # cosines 0.8, 0, 0.98 rank 2, 1, 3; ratings rank 3, 1, 2
        "cosine": pytest.approx(1.0),
    }
    swapped = exact[[0, 1, 2, 0]]  # boat is as sea: cosines 0.8, 0, 0.8
    assert minilm_wordsim.evaluate(swapped, data)["spearman"] == pytest.approx(np.sqrt(0.75))
    broken = np.where(exact == np.float32(0.5), np.nan, exact)
    assert np.isnan(list(minilm_wordsim.evaluate(broken, data).values())).all()


def passages(count):
    return Dataset(inputs=np.zeros((count, 4), np.int64), targets=np.zeros(count, np.int64), unit="token", units=count)


def test_search_figures_on_known_embeddings(monkeypatch):
    random = np.random.default_rng(6)
    corpus = random.standard_normal((24, 384)).astype(np.float32)
    exact = np.repeat(corpus, 2, axis=0)  # every query is the passage that it should find
    monkeypatch.setattr(minilm, "_float_module", lambda: lambda rows: torch.from_numpy(exact[: len(rows)]))
    monkeypatch.setattr(minilm, "embeddings", lambda module, inputs: module(inputs).numpy())
    figures = minilm.evaluate(exact, passages(48))
    assert figures["cosine"] == pytest.approx(1.0)
    assert figures["recall_at_10"] == 1.0
    assert 0.9 <= figures["overlap_at_10"] <= 1.0
    opposite = exact.copy()
    opposite[::2] *= -1
    figures = minilm.evaluate(opposite, passages(48))
    assert figures["cosine"] == pytest.approx(0.0, abs=1e-12)
    assert figures["recall_at_10"] == 0.0
    assert minilm.evaluate(exact[:20], passages(20)).keys() == {"cosine"}  # 10 passages: a search finds them all


@pytest.mark.parametrize("network", [minilm.NETWORK, minilm_wordsim.NETWORK], ids=lambda network: network.name)
@pytest.mark.parametrize("action", ["load", "dataset", "calibration"])
def test_not_fetched(network, action, tmp_path, monkeypatch):
    monkeypatch.setenv("SIMHW_CACHE", str(tmp_path))
    minilm_wordsim.rated_pairs.cache_clear()
    arguments = (None, None) if action == "dataset" else ()
    with pytest.raises(InputError, match="not fetched yet; run 'simhw models fetch minilm'"):
        getattr(network, action)(*arguments)


def fetched():
    try:
        for file in (None, minilm.ARTICLES, minilm_wordsim.PAIRS):
            cached("minilm", file)
    except InputError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("samples", [3, 438])
def test_impossible_number_of_words(samples):
    fetched()
    with pytest.raises(InputError, match=rf"samples is {samples}, must be 4\.\.437 words"):
        minilm_wordsim.dataset(samples)


def test_words_are_not_counted_in_tokens():
    with pytest.raises(InputError, match="tokens is 5, but minilm_wordsim counts words"):
        minilm_wordsim.dataset(None, 5)


@pytest.mark.slow
def test_the_float_model_ranks_the_word_pairs_as_recorded():
    """0.7289 is what the publisher's encoder (transformers) reached on the same pairs."""
    fetched()
    data = minilm_wordsim.dataset()
    figures = minilm_wordsim.evaluate(minilm.embeddings(minilm_wordsim.load(), data.inputs), data)
    assert figures["spearman"] == pytest.approx(0.7289, abs=5e-5)
    assert not set(minilm_wordsim.words()) & set(minilm_wordsim.CALIBRATION_WORDS)
    assert data.inputs.shape == (437, 6)


@pytest.mark.slow
def test_the_float_model_finds_the_second_half_of_an_article():
    fetched()
    assert minilm.article_passages().shape == (548, 64)
    data = minilm.dataset(64)
    figures = minilm.evaluate(minilm.embeddings(minilm.load(), data.inputs), data)
    assert figures["recall_at_10"] >= 0.95
    assert figures["overlap_at_10"] >= 0.95
