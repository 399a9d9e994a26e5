"""Llama-style decoders from a Hugging Face folder or a GGUF file, with quantized weights as they are stored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from simhw.checkpoints import (
    PackedWeight,
    Tensors,
    as_operand,
    dequantize,
    minimum_operand,
    read_gguf,
    read_quantized_linears,
    read_safetensors,
)
from simhw.errors import InputError
from simhw.graph.network import Dataset, Network, StoredWeight
from simhw.models.language import PERPLEXITY, read_tokenizer, sequences
from simhw.models.llama import Llama, LlamaShape
from simhw.models.smollm2 import build_tokenizer, half_split, module_name
from simhw.models.weights import fill

CONTEXT = 512
"""Tokens of a sequence, at most."""
DEFAULT_TOKENS = 128
HUGGING_FACE = {
    "self_attn.q_proj": "attention.query",
    "self_attn.k_proj": "attention.key",
    "self_attn.v_proj": "attention.value",
    "self_attn.o_proj": "attention.output",
    "mlp.gate_proj": "mlp.gate",
    "mlp.up_proj": "mlp.up",
    "mlp.down_proj": "mlp.down",
    "input_layernorm": "attention_norm",
    "post_attention_layernorm": "mlp_norm",
}
OUTER = {
    "model.embed_tokens.weight": "embedding.weight",
    "model.norm.weight": "norm.weight",
    "lm_head.weight": "head.weight",
}


def llama_network(path: str, data: str | None) -> Network:
    """Return the network of a folder or a GGUF file, on the text of ``data``.

    Raises:
        InputError: a file is missing or cannot be read, another architecture, tensors that do not fit, no text.
    """
    place = Path(path)
    if data is None:
        raise InputError(f"model is {path!r}, which has no data of its own; add --data FILE.txt")
    try:
        text = Path(data).read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"text {data!r} cannot be read ({error}); give a text file in UTF-8") from error
    if place.is_dir():
        shape, tensors, tokenizer = _folder(place)
    elif place.is_file():
        shape, tensors, tokenizer = _gguf(place)
    else:
        raise InputError(f"model {path!r} does not exist; give a folder, a .gguf file or module.py:factory")
    packed = any(isinstance(tensor, PackedWeight) for tensor in tensors.values())

    @cache
    def load() -> Llama:
        module = Llama(shape)
        values = {name: torch.from_numpy(np.array(_plain(tensor), np.float32)) for name, tensor in tensors.items()}
        fill(module, values, origin=path, remedy="give a checkpoint of this architecture")
        return module.eval()

    def dataset(samples: int | None, tokens: int | None) -> Dataset:
        return sequences(text, tokenizer, context=shape.context, default=DEFAULT_TOKENS, samples=samples, tokens=tokens)

    def calibration() -> NDArray[np.int64]:
        return np.asarray(dataset(None, DEFAULT_TOKENS).inputs, np.int64)

    return Network(
        name=place.stem,
        description=f"Llama-style decoder of {place.name}",
        source=path,
        licence="the user's own",
        metric=PERPLEXITY,
        load=load,
        dataset=dataset,
        calibration=calibration,
        stored=(lambda: _stored(tensors)) if packed else None,
        batch=1,
    )


def stored_of_gguf(path: Path) -> Mapping[str, StoredWeight]:
    """Return the quantized weights of a GGUF file as they are stored, by the module's names."""
    return _stored(_gguf(path)[1])


def _stored(tensors: Tensors) -> dict[str, StoredWeight]:
    return {
        name: StoredWeight(operand=as_operand(weight), minimum=minimum_operand(weight), order=weight.order)
        for name, weight in tensors.items()
        if isinstance(weight, PackedWeight)
    }


def _plain(tensor: NDArray[Any] | PackedWeight) -> NDArray[Any]:
    return dequantize(tensor) if isinstance(tensor, PackedWeight) else tensor


def _folder(folder: Path) -> tuple[LlamaShape, Tensors, Tokenizer]:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        architecture = config["architectures"][0]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(f"{folder / 'config.json'} cannot be read ({error}); a Hugging Face folder has one") from error
    if architecture != "LlamaForCausalLM":
        raise InputError(f"{folder} is {architecture}, known is LlamaForCausalLM; give it as module.py:factory instead")
    shape = _shape(config, folder)
    tensors: Tensors = read_safetensors(folder)
    quantized = config.get("quantization_config")
    if quantized is not None:
        tensors = read_quantized_linears(tensors, quantized)  # type: ignore[arg-type]
    named = {_of_hugging_face(name): tensor for name, tensor in tensors.items() if not name.endswith("inv_freq")}
    if shape.tied:
        named.pop("head.weight", None)
    tokenizer = read_tokenizer(folder / "tokenizer.json", remedy="put it beside the weights")
    return shape, named, tokenizer


def _of_hugging_face(name: str) -> str:
    if name in OUTER:
        return OUTER[name]
    match name.split(".", 3):
        case ["model", "layers", index, rest]:
            part = rest.removesuffix(".weight")
            if part in HUGGING_FACE and rest != part:
                return f"blocks.{index}.{HUGGING_FACE[part]}.weight"
    return name


def _shape(config: Mapping[str, Any], folder: Path) -> LlamaShape:
    try:
        heads = int(config["num_attention_heads"])
        width = int(config["hidden_size"])
        return LlamaShape(
            vocabulary=int(config["vocab_size"]),
            context=min(CONTEXT, int(config.get("max_position_embeddings", CONTEXT))),
            width=width,
            layers=int(config["num_hidden_layers"]),
            heads=heads,
            kv_heads=int(config.get("num_key_value_heads") or heads),
            head_dim=int(config.get("head_dim") or width // heads),
            hidden=int(config["intermediate_size"]),
            rope_base=_rope_base(config),
            epsilon=float(config.get("rms_norm_eps", 1e-6)),
            tied=bool(config.get("tie_word_embeddings", False)),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise InputError(
            f"{folder / 'config.json'} lacks or misstates {error}; a Llama configuration has it"
        ) from error


def _rope_base(config: Mapping[str, Any]) -> float:
    """Return the base of the rotary positions; scaled ones are refused."""
    parameters = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = parameters.get("rope_type", parameters.get("type", "default"))
    if kind != "default":
        raise InputError(f"rotary positions are scaled ({kind}), plain ones are known; give module.py:factory instead")
    return float(parameters.get("rope_theta", config.get("rope_theta", 10_000.0)))


def _gguf(path: Path) -> tuple[LlamaShape, Tensors, Tokenizer]:
    file = read_gguf(path)
    meta = file.metadata
    if meta.get("general.architecture") != "llama":
        raise InputError(f"{path} is of the architecture {meta.get('general.architecture')!r}, known is 'llama'")
    try:
        heads, width = int(meta["llama.attention.head_count"]), int(meta["llama.embedding_length"])
        embedding = file.tensors["token_embd.weight"]
        vocabulary = len(embedding.codes if isinstance(embedding, PackedWeight) else embedding)
        shape = LlamaShape(
            vocabulary=vocabulary,
            context=min(CONTEXT, int(meta["llama.context_length"])),
            width=width,
            layers=int(meta["llama.block_count"]),
            heads=heads,
            kv_heads=int(meta.get("llama.attention.head_count_kv", heads)),
            head_dim=int(meta.get("llama.attention.key_length", width // heads)),
            hidden=int(meta["llama.feed_forward_length"]),
            rope_base=float(meta.get("llama.rope.freq_base", 10_000.0)),
            epsilon=float(meta["llama.attention.layer_norm_rms_epsilon"]),
            tied="output.weight" not in file.tensors,
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise InputError(f"{path} lacks or misstates {error} in its metadata; a llama file has it") from error
    named: dict[str, NDArray[Any] | PackedWeight] = {}
    for name, tensor in file.tensors.items():
        part = name.split(".")[-2] if "." in name else name
        count = {"attn_q": shape.heads, "attn_k": shape.kv_heads}.get(part)
        target = "head.weight" if name == "output.weight" else module_name(name)
        named[target] = tensor if count is None else _half_split(tensor, count)
    try:
        tokenizer = build_tokenizer(path)
    except Exception as error:  # of any content
        raise InputError(f"the tokenizer of {path} is not known ({type(error).__name__}: {error})") from error
    return shape, named, tokenizer


def _half_split(tensor: NDArray[Any] | PackedWeight, heads: int) -> NDArray[Any] | PackedWeight:
    """Return query or key rows in the order of half-split rotary positions (see ``models.smollm2``)."""
    if not isinstance(tensor, PackedWeight):
        return half_split(tensor, heads)
    from dataclasses import replace

    rows: dict[str, Any] = {
        name: half_split(getattr(tensor, name), heads)
        for name in ("codes", "scale", "zero", "minimum")
        if getattr(tensor, name) is not None
    }
    return replace(tensor, **rows)
