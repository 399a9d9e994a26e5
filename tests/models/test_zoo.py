"""MiniLM and EfficientNet-Lite0: small random instances everywhere, the real ones where they are fetched (slow)."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional

from simhw.errors import InputError
from simhw.executor import run_float
from simhw.graph.frontends.torch_export import import_module
from simhw.graph.network import Dataset
from simhw.models import efficientnet_lite0, minilm
from simhw.models.bert import SentenceEncoder
from simhw.models.efficientnet import EfficientNet, SameConv2d, Stage
from simhw.models.fetch import cached
from simhw.models.weights import stored_tensors

SHAPE = dataclasses.replace(minilm.SHAPE, vocabulary=50, context=16, width=32, layers=2, heads=4, hidden=48)
STAGES = (
    Stage(repeats=1, kernel=3, stride=1, expansion=1, channels=8),
    Stage(repeats=2, kernel=5, stride=2, expansion=2, channels=12),
)


def randomised(module):
    """Give every parameter and statistic a value that shows when it is left out or mixed up."""
    generator = torch.Generator().manual_seed(5)
    for tensor in module.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * 0.4 + 0.1 * (tensor.ndim == 1))
    return module.eval()


@pytest.mark.parametrize(
    ("module", "inputs"),
    [
        (SentenceEncoder(SHAPE), np.random.default_rng(1).integers(0, 50, (3, 10))),
        (
            EfficientNet(STAGES, classes=7, stem=8, head=16),
            np.random.default_rng(1).standard_normal((3, 3, 16, 16), dtype=np.float32),
        ),
    ],
    ids=["encoder", "efficientnet"],
)
def test_a_small_instance_imports_and_keeps_its_numbers(module, inputs):
    randomised(module)
    with torch.no_grad():
        wanted = module(torch.from_numpy(inputs)).numpy()
    found = run_float(import_module(module, inputs), inputs)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_same_padding_is_tensorflows(kernel, stride):
    layer = SameConv2d(2, 3, kernel, stride)
    x = torch.randn(2, 2, 8, 8)
    total = max((8 // stride - 1) * stride + kernel - 8, 0)  # tensorflow.org, tf.nn: notes on padding
    edges = (total // 2, total - total // 2) * 2
    wanted = functional.conv2d(functional.pad(x, edges), layer.weight, stride=stride)
    assert layer(x).shape == (2, 3, 8 // stride, 8 // stride)
    torch.testing.assert_close(layer(x), wanted)


def test_embeddings_have_length_one():
    encoder = randomised(SentenceEncoder(SHAPE))
    with torch.no_grad():
        lengths = encoder(torch.arange(20).reshape(2, 10)).norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones(2))


def test_parameter_counts():
    with torch.device("meta"):
        encoder = sum(tensor.numel() for tensor in stored_tensors(SentenceEncoder(minilm.SHAPE)).values())
        network = EfficientNet(efficientnet_lite0.STAGES, classes=1000)
    pooler = 384 * 384 + 384
    assert encoder + pooler == 22_713_216
    assert sum(parameter.numel() for parameter in network.parameters()) == 4_652_008
    assert sum(isinstance(part, torch.nn.BatchNorm2d) for part in network.modules()) == 49


def test_unknown_tensor_names_stay_as_they_are():
    assert minilm.module_name("encoder.layer.0.crossattention.bias") == "encoder.layer.0.crossattention.bias"
    assert efficientnet_lite0.module_name("_blocks.0._se_reduce.weight") == "_blocks.0._se_reduce.weight"


@pytest.mark.parametrize("action", ["load", "dataset", "calibration"])
def test_not_fetched(action, tmp_path, monkeypatch):
    monkeypatch.setenv("SIMHW_CACHE", str(tmp_path))
    arguments = (None, None) if action == "dataset" else ()
    with pytest.raises(InputError, match="not fetched yet; run 'simhw models fetch efficientnet_lite0'"):
        getattr(efficientnet_lite0.NETWORK, action)(*arguments)


def test_cosine_of_known_embeddings():
    exact = np.zeros((2, 384), np.float32)
    exact[:, 0] = 1
    turned = exact.copy()
    turned[1, :2] = (3, 4)  # cosine 3/5
    assert minilm.mean_cosine(turned, exact) == pytest.approx(0.8)
    assert np.isnan(minilm.mean_cosine(np.where(turned == 3, np.nan, turned), exact))
    with pytest.raises(InputError, match=r"embeddings have shape \(1, 384\), must be \(2, 384\)"):
        minilm.mean_cosine(exact[:1], exact)


def test_classes_of_known_logits(monkeypatch):
    logits = np.zeros((2, 1000), np.float32)
    logits[0, 3] = logits[1, 4] = 1
    monkeypatch.setattr(efficientnet_lite0, "_float_module", lambda: lambda _: torch.from_numpy(logits))
    images = Dataset(inputs=np.zeros((2, 1), np.float32), targets=np.asarray([3, 5]), unit="image", units=2)
    assert efficientnet_lite0.top1(logits, images) == {"top1": 0.5, "agreement": 1.0}
    assert efficientnet_lite0.top1(np.where(logits > 0, np.nan, logits), images) == {"top1": 0.0, "agreement": 0.0}


def fetched(name):
    try:
        cached(name)
    except InputError as error:
        pytest.skip(str(error))


@pytest.mark.slow
def test_the_real_efficientnet_finds_fifteen_of_twenty():
    """As the publisher's module does on the same images."""
    fetched("efficientnet_lite0")
    images = np.concatenate((efficientnet_lite0.dataset().inputs, efficientnet_lite0.calibration()))
    labels = np.asarray([efficientnet_lite0.label(name) for name in efficientnet_lite0.IMAGES])
    with torch.no_grad():
        logits = efficientnet_lite0.load()(torch.from_numpy(images)).numpy()
    assert (logits.argmax(1) == labels).sum() == 15
    assert (np.argsort(logits, 1)[:, -5:] == labels[:, None]).any(1).sum() == 19


@pytest.mark.slow
def test_the_real_encoder_puts_like_sentences_together():
    fetched("minilm")
    tokenizer = minilm.load_tokenizer()
    texts = ["A man is eating food.", "A man is eating bread.", "The satellite orbits the planet."]
    with torch.no_grad():
        one, two, other = (minilm.load()(torch.tensor([tokenizer.encode(text).ids]))[0] for text in texts)
    assert one @ two > 0.7
    assert one @ other < 0.2
    assert minilm.calibration().shape == (16, 64)
    assert minilm.dataset(3).inputs[:, [0, -1]].tolist() == [[101, 102]] * 3
