"""The codes of a network's own layer, against a plain quantization of its weights and of what enters it."""

import numpy as np
import pytest
import torch

import simhw.model_operands
from simhw.errors import InputError
from simhw.model_operands import layer_operands

SAMPLES, TOKENS, K, COLUMNS = 3, 4, 256, 5


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.up = torch.nn.Linear(8, K)
        self.down = torch.nn.Linear(K, COLUMNS)

    def forward(self, x):
        return self.down(torch.relu(self.up(x)))


class Network:
    module = Small()

    def load(self):
        return self.module

    def calibration(self):
        return np.random.default_rng(0).normal(size=(SAMPLES, TOKENS, 8)).astype(np.float32)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    network = Network()
    monkeypatch.setattr(simhw.model_operands, "get_network", lambda name: network if name == "small" else None)
    return network


def signed(codes):
    return codes - (codes >> 7 << 8)


def expected(values):
    """int8 codes of rows, the largest magnitude of each at 127."""
    scale = np.abs(values).max(axis=1, keepdims=True).astype(np.float32) / np.float32(127)
    return np.rint(values.astype(np.float64) / scale)


def test_int8(small):
    layer = layer_operands("int8_mac", "small", "down")
    assert (layer.datapath, layer.weight_format, layer.activation_format) == ("w8a8_int8", "int8", "int8")
    assert layer.group_size == K
    weight = small.module.down.weight.detach().numpy()
    with torch.no_grad():
        entering = torch.relu(small.module.up(torch.tensor(small.calibration()))).reshape(-1, K).numpy()
    # Where a quotient lies next to a half, the order of roundings decides; relu's input may differ in its last bit.
    for codes, values in ((layer.weight, weight), (layer.activation, entering)):
        difference = np.abs(signed(codes) - expected(values))
        assert codes.shape == values.shape
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.01


def test_groups_of_four_bit_weights():
    layer = layer_operands("mixpe_w4a8", "small", "down")
    assert layer.datapath == "w4a8_mixpe"
    assert set(layer.weight.ravel().tolist()) == set(range(16))
    assert layer.group_size == 128


def test_refused():
    with pytest.raises(InputError, match=r"layer is 'downs', .* nearest: down"):
        layer_operands("int8_mac", "small", "downs")
    with pytest.raises(InputError, match="pe is 'int9_mac'"):
        layer_operands("int9_mac", "small", "down")


def test_a_pe_without_datapath(monkeypatch):
    monkeypatch.setattr(simhw.model_operands, "DEFAULT_DATAPATHS", ("w8a8_int8",))
    monkeypatch.setattr(simhw.model_operands, "datapath_names", lambda: ["fp16"])
    with pytest.raises(InputError, match=r"no datapath has the PE mixpe_w4a8, .* have one: fp16_mac, int8_mac"):
        layer_operands("mixpe_w4a8", "small", "down")
