"""The captured GEMM and the error of PEs on it, against torch and against arithmetic written out in NumPy."""

import numpy as np
import pytest
import torch

from simhw.catalog import get_network
from simhw.errors import InputError
from simhw.pes import get_pe, pe_names
from simhw.reports import real_gemm
from simhw.reports.real_gemm import LAYER, MODEL, arithmetic_of, capture, gemm_error


@pytest.fixture(scope="module")
def gemm():
    return capture()


def test_inputs_are_what_enters_the_layer_in_torch(gemm):
    network = get_network(MODEL)
    module = network.load()
    layer = module.get_submodule(LAYER)
    seen = []
    layer.register_forward_hook(lambda _, args, __: seen.append(args[0].detach().numpy()))
    with torch.no_grad():
        module(torch.from_numpy(network.calibration()))
    assert gemm.inputs.shape == seen[0].shape == (16, 128, 384)
    np.testing.assert_allclose(gemm.inputs, seen[0], rtol=1e-4, atol=1e-4)  # other kernels add in another order
    assert np.array_equal(gemm.weight, layer.weight.detach().numpy())
    assert (gemm.m, gemm.n, gemm.k) == (2048, 128, 384)


def test_the_reference_is_the_product_in_float64(gemm):
    exact = gemm.inputs.reshape(-1, gemm.k).astype(np.float64) @ gemm.weight.astype(np.float64).T
    assert np.array_equal(gemm.reference.reshape(exact.shape), exact.astype(np.float32))
    assert gemm.rms == pytest.approx(float(np.sqrt(np.mean(exact**2))))
    assert gemm.largest == pytest.approx(float(np.abs(exact).max()))


def _quality(gemm, result):
    exact = gemm.inputs.reshape(-1, gemm.k).astype(np.float64) @ gemm.weight.astype(np.float64).T
    error = result - exact
    return 10 * np.log10((exact**2).sum() / (error**2).sum()), np.abs(error).max()


def _int8_rows(values):
    scale = np.abs(values).max(axis=1, keepdims=True) / 127
    return np.rint(values / scale), scale


def _fp16(values):
    return values.astype(np.float16).astype(np.float64)


def test_int8_against_numpy(gemm):
    """Scales in float64 here, in float32 there: a hundredth of a dB and a part in a thousand is all that may differ."""
    (a, a_scale), (b, b_scale) = _int8_rows(gemm.inputs.reshape(-1, gemm.k).astype(np.float64)), _int8_rows(gemm.weight)
    sqnr_db, largest = _quality(gemm, _fp16((a @ b.T) * a_scale * b_scale.T))
    found = gemm_error(gemm, get_pe("int8_mac"))
    assert found.sqnr_db == pytest.approx(sqnr_db, abs=0.01)
    assert found.max_error == pytest.approx(largest, rel=1e-3)
    assert found.max_error_relative == found.max_error / gemm.rms
    assert (found.datapath, found.overflows) == ("w8a8_int8", 0)


def test_mixpe_against_numpy(gemm):
    """uint4 with fp16 scale and zero point for each 128 of k; a code at a rounding boundary may differ."""
    a, a_scale = _int8_rows(gemm.inputs.reshape(-1, gemm.k).astype(np.float64))
    weight = gemm.weight.reshape(gemm.n, -1, 128).astype(np.float64)
    low, high = (np.minimum(weight.min(-1, keepdims=True), 0), np.maximum(weight.max(-1, keepdims=True), 0))
    scale = _fp16((high - low) / 15)
    zero = np.clip(np.rint(-low / scale), 0, 15)
    code = np.clip(np.rint(weight / scale) + zero, 0, 15)
    sums = np.einsum("mgk,ngk->mng", a.reshape(len(a), -1, 128), code - zero)
    sqnr_db, largest = _quality(gemm, _fp16((sums * scale[None, :, :, 0]).sum(-1) * a_scale))
    found = gemm_error(gemm, get_pe("mixpe_w4a8"))
    assert found.sqnr_db == pytest.approx(sqnr_db, abs=0.05)
    assert found.max_error == pytest.approx(largest, rel=0.02)


@pytest.mark.parametrize("name", pe_names())
def test_arithmetic_is_that_of_the_catalogue(name):
    pe, arithmetic = get_pe(name), arithmetic_of(get_pe(name))
    if arithmetic is not None:
        assert arithmetic.datapath.pe == name or pe.block_size is not None
        assert get_pe(arithmetic.datapath.pe).block_size == pe.block_size


def test_pes_without_a_datapath_have_no_error(gemm, monkeypatch):
    monkeypatch.setattr(real_gemm, "DEFAULT_DATAPATHS", ())
    monkeypatch.setattr(real_gemm, "datapath_names", lambda: ["fp16", "mxfp8"])
    assert gemm_error(gemm, get_pe("int8_mac")) is None
    alike = arithmetic_of(get_pe("mx_dot"))
    assert alike is not None
    assert alike.datapath.name == "mxfp8"


def test_cycles_that_depend_on_weights_are_counted_on_these_weights(gemm):
    """Nonzero radix-4 Booth digits of the layer's int8 codes, from their bits."""
    codes = _int8_rows(gemm.weight)[0].astype(np.int64)
    bits = [(codes >> place) & 1 for place in range(8)]
    digits = [-2 * bits[i + 1] + bits[i] + (bits[i - 1] if i else 0) for i in range(0, 8, 2)]
    terms = np.maximum(sum(digit != 0 for digit in digits), 1)
    found = gemm_error(gemm, get_pe("bit_serial_booth"))
    assert found.mean_weight_cycles == pytest.approx(float(terms.mean()), rel=1e-3)  # a code may round the other way
    assert gemm_error(gemm, get_pe("int8_mac")).mean_weight_cycles is None


def test_unknown_layers_are_refused():
    with pytest.raises(InputError, match=r"layer is 'blocks\.9\.mlp\.down', .* nearest: .*blocks\.2\.mlp\.down"):
        capture(layer="blocks.9.mlp.down")
