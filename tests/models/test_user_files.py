"""Models from files of the user: factories, Hugging Face folders, GGUF; what is missing is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch

import simhw
import simhw.cli
from simhw.errors import InputError
from simhw.models.llama import Llama, LlamaShape
from simhw.models.llama_files import HUGGING_FACE
from simhw.models.tiny_llama import TOKENIZER
from simhw.models.user_files import network_of, read_arrays

CODE = """
import torch
from torch import nn


def factory():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))


def broken():
    raise ValueError("no weights here")


def number():
    return 3
"""
X = np.random.default_rng(0).standard_normal((20, 8)).astype(np.float32)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "net.py").write_text(CODE)
    np.savez(tmp_path / "data.npz", inputs=X)
    return str(tmp_path / "net.py"), str(tmp_path / "data.npz")


def test_a_module_of_the_user(files):
    code, data = files
    rows = simhw.run(models=[f"{code}:factory"], data=data, datapaths=["fp16", "w8a8_int8"], samples=12)
    assert [(row.model, row.samples, row.metric_name, row.metric_float) for row in rows] == [
        ("net", 12, "agreement", 1.0),
        ("net", 12, "agreement", 1.0),
    ]
    assert rows[0].sqnr_db > 40


def test_targets_make_it_top1(files, tmp_path):
    code, _ = files
    network = network_of(f"{code}:factory", files[1])
    classes = network.dataset(None, None).targets
    targets = classes.copy()
    targets[:5] = (targets[:5] + 1) % 4  # five of twenty are wrong
    np.savez(tmp_path / "labelled.npz", inputs=X, targets=targets, calibration=X[:3])
    (row,) = simhw.run(models=[f"{code}:factory"], data=str(tmp_path / "labelled.npz"), datapaths=["fp32"])
    assert (row.metric_name, row.metric_float) == ("top1", 0.75)
    assert len(network_of(f"{code}:factory", str(tmp_path / "labelled.npz")).calibration()) == 3


@pytest.mark.parametrize(
    ("factory", "data", "message"),
    [
        ("factory", None, "has no data of its own; add --data FILE.npz"),
        ("broken", "data.npz", "raised ValueError: no weights here"),
        ("number", "data.npz", "returned int, must return a torch.nn.Module"),
        ("missing", "data.npz", "raised AttributeError"),
        ("factory", "none.npz", "cannot be read"),
    ],
)
def test_factories_that_are_refused(files, tmp_path, factory, data, message):
    with pytest.raises(InputError, match=message):
        network_of(f"{files[0]}:{factory}", None if data is None else str(tmp_path / data))
    with pytest.raises(InputError, match=r"does not exist; give path/module.py:factory"):
        network_of(str(tmp_path / "absent.py:factory"), files[1])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X}, "holds x, must hold inputs"),
        ({"inputs": X[:0]}, "give numbers"),
        ({"inputs": np.array(["a"])}, "give numbers"),
        ({"inputs": X, "targets": np.zeros(3)}, "3 targets"),
    ],
)
def test_data_that_is_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(InputError, match=message):
        read_arrays(str(tmp_path / "d.npz"))
    np.save(tmp_path / "p.npy", np.array([{}], object))
    with pytest.raises(InputError, match=r"cannot be read|is damaged"):
        read_arrays(str(tmp_path / "p.npy"))


SHAPE = LlamaShape(vocabulary=512, context=64, width=32, layers=2, heads=4, kv_heads=2, head_dim=8, hidden=32)
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 0,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 32,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "max_position_embeddings": 64,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A Hugging Face folder of a small random decoder, written from the module under its other names."""
    from dataclasses import replace

    from simhw.models.language import read_tokenizer

    vocabulary = read_tokenizer(TOKENIZER, remedy="").get_vocab_size()
    torch.manual_seed(0)
    module = Llama(replace(SHAPE, vocabulary=vocabulary))
    outer = {
        "embedding.weight": "model.embed_tokens.weight",
        "norm.weight": "model.norm.weight",
        "head.weight": "lm_head.weight",
    }
    inner = {ours: theirs for theirs, ours in HUGGING_FACE.items()}
    tensors = {}
    for name, value in module.state_dict().items():
        other = outer.get(name)
        if other is None:
            _, index, rest = name.split(".", 2)
            other = f"model.layers.{index}.{inner[rest.removesuffix('.weight')]}.weight"
        tensors[other] = value.numpy().copy()
    place = tmp_path / "hf"
    place.mkdir()
    safetensors.numpy.save_file(tensors, place / "model.safetensors")
    (place / "config.json").write_text(json.dumps({**CONFIG, "vocab_size": vocabulary}))
    (place / "tokenizer.json").write_text(TOKENIZER.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "text.txt").write_text("We the people of the United States have a duty to one another. " * 20)
    return place


def test_a_hugging_face_folder(folder: Path):
    text = str(folder.parent / "text.txt")
    network = network_of(str(folder), text)
    inputs = torch.from_numpy(network.dataset(None, 16).inputs)
    (row,) = simhw.run(models=[str(folder)], data=text, datapaths=["fp32"], tokens=16)
    loss = torch.nn.functional.cross_entropy(
        network.load()(inputs)[0], torch.from_numpy(network.dataset(None, 16).targets)[0]
    )
    assert row.metric_float == pytest.approx(loss.exp().item(), rel=1e-4)


@pytest.mark.parametrize("scattered", [False, True])
def test_a_folder_with_gptq_layers_runs_on_its_own_codes(folder: Path, scattered: bool):
    """Layers packed here by hand; W4A16 on the stored codes is as near to the dequantized module as fp16 is."""
    rng = np.random.default_rng(1)
    tensors = dict(safetensors.numpy.load_file(folder / "model.safetensors"))
    for name in [name for name in tensors if "proj" in name]:
        n, k = tensors.pop(name).shape
        codes, zero = rng.integers(0, 16, (k, n)), rng.integers(1, 16, (k // 16, n))
        group_of = rng.permutation(np.arange(k) // 16) if scattered else np.arange(k) // 16
        shifts = 4 * np.arange(8)
        words = (codes.reshape(k // 8, 8, n) << shifts[None, :, None]).sum(axis=1)
        zeros = ((zero - 1).reshape(k // 16, n // 8, 8) << shifts).sum(axis=2)
        layer = name.removesuffix(".weight")
        tensors[f"{layer}.qweight"] = words.astype(np.uint32).view(np.int32)
        tensors[f"{layer}.qzeros"] = zeros.astype(np.uint32).view(np.int32)
        tensors[f"{layer}.scales"] = rng.uniform(0.005, 0.02, (k // 16, n)).astype(np.float16)
        tensors[f"{layer}.g_idx"] = group_of.astype(np.int32)
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "gptq", "bits": 4, "group_size": 16}
    (folder / "config.json").write_text(json.dumps(config))
    settings = {"models": [str(folder)], "data": str(folder.parent / "text.txt"), "tokens": 16}
    (stored,) = simhw.run(**settings, datapaths=["w4a16_mixpe"], scheme="checkpoint")
    (anew,) = simhw.run(**settings, datapaths=["w4a16_mixpe"])
    (plain,) = simhw.run(**settings, datapaths=["fp16"])
    sqnr = [
        next(layer.sqnr_db for layer in row.layers if "attention.query" in layer.name) for row in (stored, anew, plain)
    ]
    assert sqnr[0] > sqnr[2] - 6  # the first layer sees fp16 activations: no other error than fp16's
    assert sqnr[1] < 40
    assert (stored.scheme, anew.scheme) == ("checkpoint", "w4a16_mixpe")


def test_folders_that_are_refused(folder: Path):
    text = str(folder.parent / "text.txt")
    with pytest.raises(InputError, match=r"add --data FILE.txt"):
        network_of(str(folder), None)
    with pytest.raises(InputError, match="cannot be read"):
        network_of(str(folder), str(folder / "none.txt"))
    config = json.loads((folder / "config.json").read_text())
    for change, message in (
        ({"architectures": ["OtherForCausalLM"]}, "is OtherForCausalLM, known is LlamaForCausalLM"),
        ({"hidden_size": None}, "lacks or misstates"),
        ({"rope_scaling": {"rope_type": "llama3"}}, "rotary positions are scaled"),
    ):
        (folder / "config.json").write_text(json.dumps({**config, **change}))
        with pytest.raises(InputError, match=message):
            network_of(str(folder), text)
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    with pytest.raises(InputError, match=r"missing blocks.2.attention"):
        network_of(str(folder), text).load()
    (folder / "config.json").write_text(json.dumps({**config, "intermediate_size": 48}))
    with pytest.raises(InputError, match="must be float32 of shape"):
        network_of(str(folder), text).load()
    with pytest.raises(InputError, match=r"model file .net\.onnx. does not exist"):
        network_of("net.onnx", text)
    with pytest.raises(InputError, match="does not exist"):
        network_of("none/model.gguf", text)


def test_the_command_line(files, capsys):
    code, data = files
    words = ["run", "--model", f"{code}:factory", "--data", data, "--datapath", "w8a8_int8", "--json", "-"]
    assert simhw.cli.main(words) == 0
    assert json.loads(capsys.readouterr().out)[0]["model"] == "net"
    assert simhw.cli.main([*words, "--scheme", "checkpoint"]) == 2
    assert "scheme is 'checkpoint', the weights of net are plain numbers" in capsys.readouterr().err
    assert simhw.cli.main(["run", "--model", "fashion_resnet", "--data", data]) == 2
    assert "fashion_resnet has its own; leave it out" in capsys.readouterr().err
