"""The reader of SmolLM2 on a small file of the same layout; the real one when it is fetched (slow)."""

from __future__ import annotations

import dataclasses

import gguf
import numpy as np
import pytest
import torch
from tokenizers import pre_tokenizers

from simhw.errors import InputError
from simhw.models import smollm2
from simhw.models.fetch import fetch
from simhw.models.llama import Llama
from simhw.models.weights import stored_tensors

SHAPE = dataclasses.replace(
    smollm2.SHAPE, vocabulary=260, context=16, width=64, layers=2, heads=4, kv_heads=2, head_dim=16, hidden=96
)


def interleaved(rows, heads):
    """Reorder half-split query or key rows for interleaved rotary positions, as GGUF files store them."""
    size = len(rows) // heads
    order = [
        head * size + half * size // 2 + pair for head in range(heads) for pair in range(size // 2) for half in (0, 1)
    ]
    return rows[order]


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Write a GGUF file with known values; return its path and the module that it should give."""
    monkeypatch.setattr(smollm2, "SHAPE", SHAPE)
    torch.manual_seed(3)
    module = Llama(SHAPE)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    path = tmp_path / "small.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = ["<|endoftext|>", *alphabet, "he", "ll", "hell"]
    writer.add_token_list(tokens)
    writer.add_token_types([int(gguf.TokenType.CONTROL)] + [int(gguf.TokenType.NORMAL)] * (len(tokens) - 1))
    writer.add_token_merges(["h e", "l l", "he ll"])
    names = {"embedding": "token_embd", "norm": "output_norm"}
    parts = {new: old for old, new in smollm2.BLOCK_NAMES.items()}
    for name, parameter in module.named_parameters():
        values = parameter.detach().numpy()
        stem = name.removesuffix(".weight")
        if stem in names:
            stored = f"{names[stem]}.weight"
        else:
            _, index, part = stem.split(".", 2)
            stored = f"blk.{index}.{parts[part]}.weight"
            if part in ("attention.query", "attention.key"):
                values = interleaved(values, SHAPE.heads if part.endswith("query") else SHAPE.kv_heads)
        kind = gguf.GGMLQuantizationType.F32 if values.ndim == 1 else gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(stored, gguf.quants.quantize(np.ascontiguousarray(values), kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    monkeypatch.setattr(smollm2, "cached", lambda _: path)
    return path, module


def test_tensors_arrive_dequantized_under_the_module_names_in_half_split_order(small):
    _, module = small
    loaded = stored_tensors(smollm2.NETWORK.load())
    for name, wanted in stored_tensors(module).items():
        blocks = wanted.numpy().astype(np.float64).reshape(-1, 32 if wanted.ndim == 2 else wanted.numel())
        step = np.abs(blocks).max(axis=1, keepdims=True) / 127 if wanted.ndim == 2 else 0.0
        error = np.abs(loaded[name].numpy().reshape(blocks.shape) - blocks)
        # Q8_0: half a step, and the step itself rounded to float16
        assert (error <= step * (0.5 + 127 * 2**-11)).all(), name


def test_tokenizer_from_metadata_is_kept_beside_the_weights(small):
    path, _ = small
    first = smollm2.load_tokenizer()
    assert first.encode("hell 12<|endoftext|>").tokens == ["hell", "Ġ", "1", "2", "<|endoftext|>"]
    assert first.decode(first.encode("héll 🙂\n").ids) == "héll 🙂\n"
    kept = path.with_name("tokenizer.json")
    assert smollm2.load_tokenizer().to_str() == first.to_str()
    kept.write_text("{")
    with pytest.raises(InputError, match=r"tokenizer\.json cannot be read .*; delete it and run 'simhw models fetch"):
        smollm2.load_tokenizer()


@pytest.mark.usefixtures("small")
def test_missing_tensor_is_refused(monkeypatch):
    monkeypatch.setattr(smollm2, "SHAPE", dataclasses.replace(SHAPE, layers=3))
    with pytest.raises(InputError, match=r"small\.gguf does not fit Llama: missing blocks\.2\..*simhw models fetch"):
        smollm2.NETWORK.load()


@pytest.mark.parametrize("action", ["load", "dataset", "calibration"])
def test_not_fetched(tmp_path, monkeypatch, action):
    monkeypatch.setenv("SIMHW_CACHE", str(tmp_path))
    arguments = (None, None) if action == "dataset" else ()
    with pytest.raises(InputError, match="not fetched yet; run 'simhw models fetch smollm2'"):
        getattr(smollm2.NETWORK, action)(*arguments)


def test_unknown_tensor_names_stay_as_they_are():
    assert smollm2.module_name("blk.0.attn_bias.weight") == "blk.0.attn_bias.weight"
    assert smollm2.module_name("output.weight") == "output.weight"
    assert smollm2.module_name("output_norm.weight") == "norm.weight"


@pytest.mark.slow
def test_the_real_model():
    """Downloads 93 MB unless cached."""
    fetch("smollm2")
    network = smollm2.NETWORK
    module = network.load()
    data = network.dataset(None, None)
    assert data.inputs.shape == (1, 128)
    inputs = torch.from_numpy(data.inputs)
    with torch.no_grad():
        logits = module(inputs)
        exported = torch.export.export(module, (inputs,)).module()
        assert torch.equal(exported(inputs), logits)
        found = network.metric.evaluate(logits.numpy(), data)
        text = smollm2.load_tokenizer()
        ids = torch.tensor([text.encode("Gravity is").ids])
        for _ in range(15):
            ids = torch.cat([ids, module(ids)[:, -1:].argmax(-1)], dim=1)
    # what the model's publisher's tools print for this prompt, greedily
    assert text.decode(ids[0].tolist()).startswith(
        "Gravity is a fundamental concept in physics that describes the curvature of spacetime"
    )
    assert found["bits_per_byte"] < 1.05
    assert network.calibration().shape == (4, 512)
