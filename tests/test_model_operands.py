"""The codes of a network's own layer, against a plain quantization of its weights."""

import numpy as np
import pytest

from simhw.catalog import get_network
from simhw.errors import InputError
from simhw.model_operands import LAYER, layer_operands


@pytest.fixture(scope="module")
def int8():
    return layer_operands("int8_mac")


def test_weights_are_the_networks(int8):
    module = get_network("tiny_llama").load().get_submodule(LAYER)
    weight = module.weight.detach().numpy().astype(np.float64)
    scale = np.abs(weight).max(axis=1, keepdims=True).astype(np.float32) / np.float32(127)
    expected = np.rint(weight / scale).astype(np.int64)
    signed = int8.weight - (int8.weight >> 7 << 8)
    assert (int8.datapath, int8.weight_format, int8.activation_format) == ("w8a8_int8", "int8", "int8")
    # Where the quotient lies next to a half, the order of roundings decides.
    assert np.abs(signed - expected).max() <= 1
    assert (signed != expected).mean() < 1e-3
    assert int8.group_size == weight.shape[1]


def test_every_token_reaches_the_largest_activation(int8):
    signed = int8.activation - (int8.activation >> 7 << 8)
    assert int8.activation.shape[1] == int8.weight.shape[1]
    assert (np.abs(signed).max(axis=1) == 127).all()


def test_groups_of_four_bit_weights():
    layer = layer_operands("mixpe_w4a8")
    assert layer.datapath == "w4a8_mixpe"
    assert layer.weight.max() <= 15
    assert layer.group_size < layer.weight.shape[1]


def test_refused():
    with pytest.raises(InputError, match="layer is 'blocks9'"):
        layer_operands("int8_mac", layer="blocks9")
    with pytest.raises(InputError, match="pe is 'int9_mac'"):
        layer_operands("int9_mac")
    with pytest.raises(InputError, match="model is 'no_llama'"):
        layer_operands("int8_mac", "no_llama")
