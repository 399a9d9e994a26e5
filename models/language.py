"""What language models share: text cut into sequences of token ids, perplexity and bits per byte."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from simhw.errors import InputError
from simhw.graph.network import Dataset, Metric
from simhw.models.weights import ASSETS


def read_tokenizer(path: Path, *, remedy: str) -> Tokenizer:
    """Return the tokenizer stored at ``path`` as JSON; InputError when it is absent or damaged."""
    try:
        return Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # the library raises bare Exception for bad JSON
        raise InputError(f"tokenizer {path} cannot be read ({error}); {remedy}") from error


def read_text(name: str) -> str:
    """Return a text that ships in ``models/assets``, with its line ends as they are."""
    path = ASSETS / name
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"text {path} cannot be read ({error}); restore it from the repository") from error


def sequences(
    text: str, tokenizer: Tokenizer, *, context: int, default: int, samples: int | None, tokens: int | None
) -> Dataset:
    """Cut the first tokens of ``text`` into sequences; the target of each token is the one that follows it.

    Sequences do not overlap and each starts without history. ``samples`` counts sequences of ``context``
    tokens. ``tokens`` counts predicted tokens: below ``context`` it gives one sequence of exactly that
    length, otherwise it is shortened to whole sequences. With neither, ``default`` tokens are taken.

    Returns:
        inputs and targets ``(sequences, length)`` int64; ``bytes_predicted`` is the targets' length as text.

    Raises:
        InputError: both are given, one is below 1, or the text is too short.
    """
    ids = np.asarray(tokenizer.encode(text, add_special_tokens=False).ids, dtype=np.int64)
    return cut(ids, token_bytes(tokenizer), context=context, default=default, samples=samples, tokens=tokens)


def byte_sequences(text: str, *, context: int, default: int, samples: int | None, tokens: int | None) -> Dataset:
    """Cut the first bytes of ``text``, each a token of its own, into sequences; else as :func:`sequences`."""
    lengths = np.ones(256, dtype=np.int64)
    return cut(bytes_of(text), lengths, context=context, default=default, samples=samples, tokens=tokens)


def bytes_of(text: str) -> NDArray[np.int64]:
    """Return the text's bytes as token ids."""
    return np.frombuffer(text.encode("utf-8"), dtype=np.uint8).astype(np.int64)


def cut(
    ids: NDArray[np.int64],
    lengths: NDArray[np.int64],
    *,
    context: int,
    default: int,
    samples: int | None,
    tokens: int | None,
) -> Dataset:
    """Cut token ids into sequences, as :func:`sequences` says; ``lengths`` are the bytes of each token of the list."""
    if samples is not None and tokens is not None:
        raise InputError(f"samples is {samples} and tokens is {tokens}; only one can be given; drop the other")
    if samples is not None:
        most = (len(ids) - 1) // context
        if not 1 <= samples <= most:
            raise InputError(f"samples is {samples}, must be 1..{most} sequences of {context} tokens")
        length, count = context, samples
    else:
        given = default if tokens is None else tokens
        if not 1 <= given < len(ids):
            raise InputError(f"tokens is {given}, must be 1..{len(ids) - 1}; that is all the held-out text")
        length = min(given, context)
        count = given // length
    used = count * length
    targets = ids[1 : used + 1].reshape(count, length)
    return Dataset(
        inputs=ids[:used].reshape(count, length),
        targets=targets,
        unit="token",
        units=used,
        bytes_predicted=int(lengths[targets].sum()),
    )


def token_bytes(tokenizer: Tokenizer) -> NDArray[np.int64]:
    """Return how many bytes of text each token id stands for.

    A byte-level tokenizer writes every byte as one printable character, so a token's length is its bytes.
    """
    lengths = {index: len(name) for name, index in tokenizer.get_vocab().items()}
    return np.asarray([lengths[index] for index in range(len(lengths))], dtype=np.int64)


def perplexity(logits: NDArray[np.float32], dataset: Dataset) -> dict[str, float]:
    """Return the perplexity ``exp(mean negative log likelihood)`` and the bits per byte of the targets' text.

    Both are NaN when a logit is NaN or infinite; perplexity is infinite when it exceeds float64.
    """
    if logits.ndim != 3 or logits.shape[:2] != dataset.targets.shape:
        raise InputError(
            f"logits have shape {logits.shape}, must be {dataset.targets.shape} + (vocabulary,); "
            "evaluate them with the dataset that produced them"
        )
    nats = 0.0
    for row, target in zip(logits, dataset.targets, strict=True):
        nats += negative_log_likelihood(row.astype(np.float64), target)
    with np.errstate(over="ignore"):
        mean = float(np.exp(np.float64(nats / dataset.targets.size)))
    return {"perplexity": mean, "bits_per_byte": nats / math.log(2) / dataset.bytes_predicted}


def negative_log_likelihood(logits: NDArray[np.float64], targets: NDArray[np.int64]) -> float:
    """Return the sum over tokens of ``-log softmax(logits)[target]``, for ``(tokens, vocabulary)`` logits."""
    with np.errstate(invalid="ignore"):
        shifted = logits - logits.max(axis=1, keepdims=True)
        chosen = shifted[np.arange(len(targets)), targets]
        return float((np.log(np.exp(shifted).sum(axis=1)) - chosen).sum())


PERPLEXITY = Metric(name="perplexity", higher_is_better=False, evaluate=perplexity)
