"""What every shipped network has to offer, on its real weights and data."""

from __future__ import annotations

import importlib
import json

import numpy as np
import pytest
import torch

from simhw.errors import InputError
from simhw.graph.network import Network
from simhw.models import (
    efficientnet_lite0,
    fashion_hybrid,
    fashion_mnist,
    fashion_resnet,
    minilm,
    minilm_wordsim,
    ppocr_cls,
    ppocr_rec,
    silero_vad,
    smollm2,
    tiny_llama,
)
from simhw.models.weights import ASSETS, stored_tensors

SHIPPED = [fashion_hybrid.NETWORK, fashion_resnet.NETWORK, tiny_llama.NETWORK]
EMBEDDED = [fashion_resnet.NETWORK, tiny_llama.NETWORK]
FETCHED = [
    efficientnet_lite0.NETWORK,
    minilm.NETWORK,
    minilm_wordsim.NETWORK,
    ppocr_cls.NETWORK,
    ppocr_rec.NETWORK,
    silero_vad.NETWORK,
    smollm2.NETWORK,
]
SIMPLE_OPS = {
    "aten.adaptive_avg_pool2d.default",
    "aten.add.Tensor",
    "aten.batch_norm.default",
    "aten.cat.default",
    "aten.conv2d.default",
    "aten.embedding.default",
    "aten.expand.default",
    "aten.flatten.using_ints",
    "aten.layer_norm.default",
    "aten.linear.default",
    "aten.mean.dim",
    "aten.mul.Tensor",
    "aten.neg.default",
    "aten.pow.Tensor_Scalar",
    "aten.permute.default",
    "aten.relu.default",
    "aten.reshape.default",
    "aten.rsqrt.default",
    "aten.scaled_dot_product_attention.default",
    "aten.silu.default",
    "aten.slice.Tensor",
    "aten.transpose.int",
    "aten.unsqueeze.default",
    "aten.view.default",
}


def record(network: Network) -> dict:
    return json.loads((ASSETS / f"{network.name}.json").read_text(encoding="utf-8"))


def logits(module, inputs, size=32):
    with torch.no_grad():
        return torch.cat([module(part) for part in torch.from_numpy(inputs).split(size)]).numpy()


@pytest.mark.parametrize("network", [*SHIPPED, *FETCHED], ids=lambda network: network.name)
def test_description_is_the_first_line_of_the_file(network):
    module = importlib.import_module(f"simhw.models.{network.name}")
    assert module.__doc__.splitlines()[0] == network.description
    assert network.embedded == (network in EMBEDDED)


@pytest.mark.parametrize(
    ("network", "parameters"),
    [(fashion_hybrid.NETWORK, 267_154), (fashion_resnet.NETWORK, 77_754), (tiny_llama.NETWORK, 1_246_592)],
)
def test_parameter_count(network, parameters):
    module = network.load()
    assert not module.training
    assert sum(parameter.numel() for parameter in module.parameters()) == parameters
    assert record(network)["parameters"] == parameters


def test_parameter_count_of_smollm2():
    with torch.device("meta"):
        stored = stored_tensors(smollm2.Llama(smollm2.SHAPE))
    assert sum(tensor.numel() for tensor in stored.values()) == 134_515_008


@pytest.mark.parametrize(("network", "least"), [(fashion_resnet.NETWORK, 0.92), (fashion_hybrid.NETWORK, 0.88)])
def test_fashion_accuracy_is_the_recorded_one(network, least):
    data = network.dataset(2000, None)
    found = network.metric.evaluate(logits(network.load(), data.inputs, 500), data)["top1"]
    # another CPU sums in another order: at most two of 2,000 near-ties may fall the other way
    assert found == pytest.approx(record(network)["top1_shipped_slice"], abs=0.001)
    assert record(network)["top1_test"] >= least


def test_tiny_llama_perplexity_is_the_recorded_one(llama):
    reached = record(tiny_llama.NETWORK)["default_dataset"]
    data = tiny_llama.NETWORK.dataset(None, None)
    found = tiny_llama.NETWORK.metric.evaluate(logits(llama, data.inputs), data)
    # another CPU sums in another order: float32 logits move by about 1e-6 of their size
    assert found == pytest.approx(reached, rel=1e-4)
    assert data.inputs.shape == (32, 128)
    assert data.units == 4096


@pytest.mark.parametrize("network", SHIPPED, ids=lambda network: network.name)
def test_export_keeps_to_simple_operators_and_to_the_numbers(network):
    module = network.load()
    inputs = torch.from_numpy(network.dataset(3, None).inputs)
    with torch.no_grad():
        batch = torch.export.Dim("batch", min=1, max=4096)
        exported = torch.export.export(module, (inputs[:2],), dynamic_shapes=({0: batch},))
        used = {str(node.target) for node in exported.graph.nodes if node.op == "call_function"}
        assert used <= SIMPLE_OPS
        assert torch.equal(exported.module()(inputs), module(inputs))


def test_batch_norms_are_not_fused(resnet):
    assert sum(isinstance(part, torch.nn.BatchNorm2d) for part in resnet.modules()) == 9


def test_unfolded_patches_hold_the_same_place_of_every_patch():
    block = fashion_hybrid.MobileViTBlock(3, width=5, layers=0, heads=1, patch=2)
    image = torch.arange(2 * 5 * 4 * 6.0).reshape(2, 5, 4, 6)
    tokens = block.unfold(image)
    assert tokens.shape == (2 * 4, 6, 5)
    for place, (down, right) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        wanted = image[1, :, down::2, right::2].reshape(5, 6).T
        assert torch.equal(tokens[4 + place], wanted)
    assert torch.equal(block.fold(tokens, 4, 6), image)


@pytest.mark.parametrize("network", SHIPPED, ids=lambda network: network.name)
def test_calibration_inputs_are_like_the_dataset_but_not_of_it(network):
    inputs, ranges = network.dataset(200, None).inputs, network.calibration()
    assert ranges.shape[1:] == inputs.shape[1:]
    assert ranges.dtype == inputs.dtype
    seen = {row.tobytes() for row in inputs}
    assert not any(row.tobytes() in seen for row in ranges)


def test_images_are_normalised_and_labels_are_all_ten_classes():
    data = fashion_resnet.NETWORK.dataset(2000, None)
    assert data.inputs.shape == (2000, 1, 28, 28)
    assert data.inputs.dtype == np.float32
    assert abs(float(data.inputs.mean())) < 0.05
    assert abs(float(data.inputs.std()) - 1) < 0.05
    assert sorted(set(data.targets.tolist())) == list(range(10))
    assert (data.unit, data.units, data.bytes_predicted) == ("image", 2000, 0)
    assert fashion_resnet.NETWORK.dataset(None, None).units == 512


@pytest.mark.parametrize("samples", [0, -1, 2001])
def test_impossible_number_of_images(samples):
    with pytest.raises(InputError, match=rf"samples is {samples}, must be 1\.\.2000"):
        fashion_resnet.NETWORK.dataset(samples, None)


def test_images_are_not_counted_in_tokens():
    with pytest.raises(InputError, match="tokens is 64, but fashion_resnet classifies images; give samples"):
        fashion_resnet.NETWORK.dataset(None, 64)


@pytest.mark.parametrize("damage", ["absent", "empty", "truncated", "flipped", "other arrays"])
def test_damaged_images(damage, tmp_path, monkeypatch):
    path = tmp_path / "slice.npz"
    whole = bytearray(fashion_mnist.IMAGES.read_bytes())
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "flipped":
        whole[len(whole) // 3] ^= 0xFF
        path.write_bytes(whole)
    elif damage == "other arrays":
        np.savez(path, pictures=np.zeros(3))
    monkeypatch.setattr(fashion_mnist, "IMAGES", path)
    with pytest.raises(InputError, match=r"images .*slice\.npz cannot be read .*restore models/assets"):
        fashion_resnet.NETWORK.dataset(None, None)


def test_top1_counts_nan_as_wrong_and_refuses_other_shapes():
    data = fashion_resnet.NETWORK.dataset(4, None)
    right = np.eye(10, dtype=np.float32)[data.targets]
    assert fashion_mnist.top1(right, data) == {"top1": 1.0}
    right[0, data.targets[0]] = np.nan
    right[1] = -right[1]
    assert fashion_mnist.top1(right, data) == {"top1": 0.5}
    with pytest.raises(InputError, match=r"logits have shape \(3, 10\), must be \(4, 10\)"):
        fashion_mnist.top1(right[:3], data)


def test_everything_that_ships_is_listed_with_its_licence_and_small():
    files = [path for path in ASSETS.iterdir() if path.suffix not in (".py", ".pyc", ".md") and path.is_file()]
    terms = (ASSETS / "LICENSES.md").read_text(encoding="utf-8")
    assert [path.name for path in files if f"`{path.name}`" not in terms] == []
    assert sum(path.stat().st_size for path in files) < 12_000_000
