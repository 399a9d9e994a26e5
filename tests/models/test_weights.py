from __future__ import annotations

import pytest
import safetensors.torch
import torch

from simhw.errors import InputError
from simhw.models import fashion_resnet, tiny_llama
from simhw.models.llama import Llama, LlamaShape
from simhw.models.weights import load_weights, save_weights, stored_tensors

SHAPE = LlamaShape(vocabulary=20, context=4, width=8, layers=1, heads=2, kv_heads=1, head_dim=4, hidden=8, tied=True)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "net.safetensors"
    save_weights(Llama(SHAPE), path)
    return path


def load(path):
    module = Llama(SHAPE)
    load_weights(module, path, remedy="train again")
    return module


def edit(path, change):
    tensors = safetensors.torch.load_file(path)
    change(tensors)
    path.unlink()
    safetensors.torch.save_file(tensors, path)


def test_round_trip_keeps_every_bit_and_the_tie(tmp_path):
    module = Llama(SHAPE)
    save_weights(module, tmp_path / "net.safetensors")
    again = load(tmp_path / "net.safetensors")
    assert stored_tensors(module).keys() == stored_tensors(again).keys()
    assert all(torch.equal(tensor, stored_tensors(again)[name]) for name, tensor in stored_tensors(module).items())
    assert again.head.weight is again.embedding.weight
    assert "head.weight" not in stored_tensors(module)
    assert [file.name for file in tmp_path.iterdir()] == ["net.safetensors"]


def test_absent(tmp_path):
    with pytest.raises(InputError, match=r"weights file .*none\.safetensors does not exist; train again"):
        load(tmp_path / "none.safetensors")


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_truncated(path, kept):
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"weights file .* cannot be read .*; train again"):
        load(path)


def test_too_long(path):
    path.write_bytes(path.read_bytes() + b"\0\0\0\0")
    with pytest.raises(InputError, match=r"weights file .* cannot be read"):
        load(path)


def test_damaged_header(path):
    content = bytearray(path.read_bytes())
    content[8:20] = b"not a header"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"weights file .* cannot be read"):
        load(path)


def test_a_folder(tmp_path):
    with pytest.raises(InputError, match=r"weights file .* cannot be read"):
        load(tmp_path)


def test_missing_and_unexpected(path):
    edit(path, lambda tensors: tensors.update(surplus=tensors.pop("norm.weight")))
    with pytest.raises(InputError, match=r"does not fit Llama: missing norm\.weight, unexpected surplus; exactly"):
        load(path)


def test_many_missing_are_summarised(path):
    edit(path, lambda tensors: [tensors.pop(name) for name in list(tensors)[1:]])
    with pytest.raises(InputError, match=r"missing .*, .*, .* and \d+ more, unexpected nothing"):
        load(path)


def test_other_shape(path):
    edit(path, lambda tensors: tensors.update({"norm.weight": torch.ones(9)}))
    with pytest.raises(InputError, match=r"norm\.weight is float32 of shape \(9,\), must be float32 of shape \(8,\)"):
        load(path)


def test_other_type(path):
    edit(path, lambda tensors: tensors.update({"norm.weight": torch.ones(8, dtype=torch.float16)}))
    with pytest.raises(InputError, match=r"norm\.weight is float16 of shape \(8,\), must be float32"):
        load(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_not_finite(path, value):
    edit(path, lambda tensors: tensors["blocks.0.mlp.up.weight"][3].fill_(value))
    with pytest.raises(InputError, match=r"blocks\.0\.mlp\.up\.weight holds NaN or infinity, only finite"):
        load(path)


def test_a_refused_file_changes_nothing(path):
    edit(path, lambda tensors: tensors["norm.weight"].fill_(float("nan")))
    module = Llama(SHAPE)
    before = {name: tensor.clone() for name, tensor in stored_tensors(module).items()}
    with pytest.raises(InputError):
        load_weights(module, path, remedy="train again")
    assert all(torch.equal(tensor, before[name]) for name, tensor in stored_tensors(module).items())


@pytest.mark.parametrize("file", [fashion_resnet, tiny_llama], ids=["fashion_resnet", "tiny_llama"])
def test_networks_refuse_truncated_weights(file, tmp_path, monkeypatch):
    path = tmp_path / "cut.safetensors"
    path.write_bytes(file.WEIGHTS.read_bytes()[:-1000])
    monkeypatch.setattr(file, "WEIGHTS", path)
    with pytest.raises(InputError, match=r"cut\.safetensors cannot be read .*restore models/assets"):
        file.NETWORK.load()
