"""Norm modules of images in float64 against their equations, in loops over samples and channels where those vary."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import special
from torch import nn
from torch.nn import functional

from simhw.errors import InputError
from simhw.executor import run_float
from simhw.graph.base import Kind
from simhw.graph.frontends.torch_export import import_module
from simhw.graph.ops import operators
from simhw.models.norms.alpha_batch_norm import AlphaBatchNorm2d
from simhw.models.norms.batch_channel_norm import BatchChannelNorm2d
from simhw.models.norms.evo_norm import EvoNormB0, EvoNormS0
from simhw.models.norms.replacing import replaced
from simhw.models.norms.unmix_norm import UnMixNorm2d
from simhw.models.norms.weight_standardization import (
    RELU_GAIN,
    ScaledWeightStandardizedConv2d,
    WeightStandardizedConv2d,
)

EXACT = {"rtol": 1e-12, "atol": 1e-12}  # float64, a few hundred roundings of numbers of order 1
CHANNELS = 6


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def drawn(module: nn.Module) -> nn.Module:
    """Return the module in float64, parameters and statistics drawn, in inference mode."""
    module = module.double().eval()
    with torch.no_grad():
        for value in module.parameters():
            value.copy_(torch.randn_like(value))
        for name, value in module.named_buffers():
            if value.dtype == torch.float64:
                value.copy_(torch.randn_like(value) if name.endswith("mean") else torch.rand_like(value) + 0.1)
    return module


def images() -> torch.Tensor:
    return torch.randn(3, CHANNELS, 4, 5, dtype=torch.float64) * 2 + 1


def array(value: torch.Tensor) -> np.ndarray:
    return value.detach().numpy()


def test_evo_norm_s0_equation():
    norm, x = drawn(EvoNormS0(CHANNELS, eps=1e-3, groups=2)), images()
    found, values = array(norm(x)), x.numpy()
    for sample in range(3):
        for channel in range(CHANNELS):
            group = values[sample, channel // 3 * 3 : channel // 3 * 3 + 3]
            own = values[sample, channel]
            gated = own * special.expit(norm.v[channel].item() * own) / np.sqrt(group.var() + 1e-3)
            expected = gated * norm.weight[channel].item() + norm.bias[channel].item()
            np.testing.assert_allclose(found[sample, channel], expected, **EXACT)


def test_evo_norm_b0_equation():
    norm, x = drawn(EvoNormB0(CHANNELS, eps=1e-3)), images()
    found, values = array(norm(x)), x.numpy()
    for sample in range(3):
        for channel in range(CHANNELS):
            own = values[sample, channel]
            below = np.maximum(
                np.sqrt(norm.variance[channel].item() + 1e-3),
                norm.v[channel].item() * own + np.sqrt(own.var() + 1e-3),
            )
            expected = own / below * norm.weight[channel].item() + norm.bias[channel].item()
            np.testing.assert_allclose(found[sample, channel], expected, **EXACT)


def test_evo_norm_b0_gathers_as_batch_norm_does():
    norm, other = EvoNormB0(CHANNELS).double(), nn.BatchNorm2d(CHANNELS).double()
    for _ in range(3):
        x = images()
        norm(x)
        other(x)
    torch.testing.assert_close(norm.variance, other.running_var, **EXACT)


@pytest.mark.parametrize("made", [WeightStandardizedConv2d, ScaledWeightStandardizedConv2d])
@pytest.mark.parametrize("options", [{}, {"groups": 2, "stride": 2, "padding": 1, "bias": False}, {"dilation": 2}])
def test_weight_standardization_folds(made, options):
    conv, x = drawn(made(CHANNELS, 8, 2, **options)), images()
    plain = conv.folded()
    assert type(plain) is nn.Conv2d
    torch.testing.assert_close(plain(x), conv(x), **EXACT)


def test_standardized_weights():
    """Mean 0 and variance ``v / (v + eps)`` per filter; scaled, a sum of squares of (gain gamma)**2."""
    conv = drawn(WeightStandardizedConv2d(CHANNELS, 8, 3))
    weight, before = array(conv.folded().weight).reshape(8, -1), array(conv.weight).reshape(8, -1)
    np.testing.assert_allclose(weight.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(weight.var(axis=1), before.var(axis=1) / (before.var(axis=1) + 1e-5), rtol=1e-12)
    conv = drawn(ScaledWeightStandardizedConv2d(CHANNELS, 8, 3))
    weight = array(conv.folded().weight).reshape(8, -1)
    np.testing.assert_allclose(weight.mean(axis=1), 0, atol=1e-12)
    expected = (array(conv.gain).reshape(8) * RELU_GAIN) ** 2
    np.testing.assert_allclose(np.square(weight).sum(axis=1), expected, rtol=1e-12)


def test_the_gain_of_relu_keeps_the_variance():
    """ReLU of a standard normal variable has variance ``(1 - 1 / pi) / 2``, by integrals of its density."""
    assert abs(RELU_GAIN**2 * (0.5 - 1 / (2 * np.pi)) - 1) < 1e-12


def test_batch_channel_norm():
    """Its batch norm folds into the standardised convolution before it, its group norm stays."""
    conv, norm, x = drawn(WeightStandardizedConv2d(CHANNELS, 8, 3)), drawn(BatchChannelNorm2d(8, groups=4)), images()
    batch = norm.batch
    y = functional.batch_norm(conv(x), batch.running_mean, batch.running_var, batch.weight, batch.bias, eps=1e-5)
    expected = functional.group_norm(y, 4, norm.channel.weight, norm.channel.bias, 1e-5)
    torch.testing.assert_close(norm(conv(x)), expected, **EXACT)
    folded = torch.nn.utils.fusion.fuse_conv_bn_eval(conv.folded(), batch)
    torch.testing.assert_close(norm.channel(folded(x)), expected, **EXACT)


@pytest.mark.parametrize("alpha", [0, 0.25, 1])
def test_alpha_batch_norm(alpha):
    norm, x = drawn(nn.BatchNorm2d(CHANNELS)), images()
    mixed = AlphaBatchNorm2d(norm, alpha)
    values = x.numpy()
    mean = alpha * norm.running_mean.numpy() + (1 - alpha) * values.mean(axis=(0, 2, 3))
    variance = alpha * norm.running_var.numpy() + (1 - alpha) * values.var(axis=(0, 2, 3))
    scale = array(norm.weight) / np.sqrt(variance + norm.eps)
    shape = (1, -1, 1, 1)
    expected = (values - mean.reshape(shape)) * scale.reshape(shape) + array(norm.bias).reshape(shape)
    np.testing.assert_allclose(array(mixed(x)), expected, **EXACT)
    torch.testing.assert_close(mixed.stored()(x), mixed(x), **EXACT)
    if alpha == 1:
        torch.testing.assert_close(mixed(x), norm(x), **EXACT)


def mixture(means: np.ndarray, variances: np.ndarray, sample: np.ndarray) -> tuple[np.ndarray, ...]:
    """UnMix-TNS's statistics of one sample, component by component, and what each component moves by."""
    mean, variance = sample.mean(axis=(1, 2)), sample.var(axis=(1, 2))
    cosines = [mean @ m / np.linalg.norm(mean) / np.linalg.norm(m) for m in means]
    p = special.softmax(np.array(cosines) / 0.07)
    seen = [(1 - q) * m + q * mean for q, m in zip(p, means, strict=True)]
    inside = [(1 - q) * v + q * variance for q, v in zip(p, variances, strict=True)]
    middle = np.mean(seen, axis=0)
    total = np.mean(inside, axis=0) + np.mean(np.square(seen), axis=0) - np.square(middle)
    return middle, total, p[:, None] * (mean - means), p[:, None] * (variance - variances)


def test_unmix_norm_over_two_batches():
    norm = drawn(nn.BatchNorm2d(CHANNELS))
    unmixed = UnMixNorm2d(norm, components=4, momentum=0.3)
    means, variances = array(unmixed.means).copy(), array(unmixed.variances).copy()
    for _ in range(2):
        x = images()
        found = array(unmixed(x))
        statistics = [mixture(means, variances, sample) for sample in x.numpy()]
        for sample, (middle, total, *_), result in zip(x.numpy(), statistics, found, strict=True):
            scale = array(norm.weight) / np.sqrt(total + norm.eps)
            expected = (sample - middle[:, None, None]) * scale[:, None, None] + array(norm.bias)[:, None, None]
            np.testing.assert_allclose(result, expected, rtol=1e-10, atol=1e-10)  # squares of means cancel
        means = means + 0.3 * np.mean([entry[2] for entry in statistics], axis=0)
        variances = variances + 0.3 * np.mean([entry[3] for entry in statistics], axis=0)
        np.testing.assert_allclose(array(unmixed.means), means, **EXACT)
        np.testing.assert_allclose(array(unmixed.variances), variances, **EXACT)


def test_unmix_components_start_around_the_stored_statistics():
    """Many of them: their mixture's mean and variance are the stored ones, to the noise of 4,000 draws."""
    norm = drawn(nn.BatchNorm2d(CHANNELS))
    unmixed = UnMixNorm2d(norm, components=4000)
    total = unmixed.variances.mean(0) + unmixed.means.var(0, unbiased=False)
    torch.testing.assert_close(unmixed.means.mean(0), norm.running_mean, rtol=0, atol=0.08)
    torch.testing.assert_close(total, norm.running_var, rtol=0.08, atol=0)


def test_one_component_that_never_moves_is_the_instance():
    """With one component p is 1: the sample's own statistics."""
    norm, x = drawn(nn.BatchNorm2d(CHANNELS)), images()
    expected = functional.instance_norm(x, weight=norm.weight, bias=norm.bias, eps=norm.eps)
    torch.testing.assert_close(UnMixNorm2d(norm, components=1)(x), expected, **EXACT)


def test_norms_without_scale_and_shift():
    norm, x = drawn(nn.BatchNorm2d(CHANNELS, affine=False)), images()
    expected = functional.instance_norm(x, eps=norm.eps)
    torch.testing.assert_close(UnMixNorm2d(norm, components=1)(x), expected, **EXACT)
    mixed = AlphaBatchNorm2d(norm, 1)
    torch.testing.assert_close(mixed(x), norm(x), **EXACT)
    torch.testing.assert_close(mixed.stored()(x), norm(x), **EXACT)


def test_a_network_adapts_and_stores_what_it_found():
    """Its statistics of one batch, stored, give that batch the same results, through the importer too."""
    parts = [nn.Conv2d(CHANNELS, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 2), nn.BatchNorm2d(5)]
    network, x = drawn(nn.Sequential(nn.Sequential(*parts[:3]), *parts[3:])), images()
    before = network(x)
    same = replaced(network, nn.BatchNorm2d, lambda norm: AlphaBatchNorm2d(norm, 1))
    torch.testing.assert_close(same(x), before, **EXACT)
    adapting = replaced(network, nn.BatchNorm2d, lambda norm: AlphaBatchNorm2d(norm, 0.5))
    adapted = adapting(x)
    assert not torch.allclose(adapted, before)
    stored = replaced(adapting, AlphaBatchNorm2d, AlphaBatchNorm2d.stored)
    assert [type(part) for part in stored.modules()] == [type(part) for part in network.modules()]
    torch.testing.assert_close(stored(x), adapted, **EXACT)
    graph = import_module(stored.float(), x.float().numpy())
    np.testing.assert_allclose(run_float(graph, x.float().numpy()), array(adapted), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(network(x), before, rtol=0, atol=0)
    assert type(replaced(parts[1], nn.BatchNorm2d, UnMixNorm2d)) is UnMixNorm2d


def test_refusals():
    with pytest.raises(ValueError, match="6 channels are not divisible by 4 groups"):
        EvoNormS0(6, groups=4)
    with pytest.raises(ValueError, match=r"alpha is 1.5, must be 0..1"):
        AlphaBatchNorm2d(nn.BatchNorm2d(3), 1.5)
    for made in (AlphaBatchNorm2d, UnMixNorm2d):
        with pytest.raises(ValueError, match="stores no statistics"):
            made(nn.BatchNorm2d(3, track_running_stats=False))
    with pytest.raises(ValueError, match="components are 0, must be 1 or more"):
        UnMixNorm2d(nn.BatchNorm2d(3), components=0)


STEPS = {
    "evo_norm_s0": (EvoNormS0(CHANNELS, groups=2), None),
    "evo_norm_b0": (EvoNormB0(CHANNELS), None),
    "weight_standardization": (WeightStandardizedConv2d(CHANNELS, 8, 3), ["conv2d"]),
    "scaled_weight_standardization": (ScaledWeightStandardizedConv2d(CHANNELS, 8, 3), ["conv2d"]),
    "batch_channel_norm": (BatchChannelNorm2d(CHANNELS, groups=2), ["batch_norm", "group_norm"]),
    "alpha_batch_norm, stored": (AlphaBatchNorm2d(nn.BatchNorm2d(CHANNELS)).stored(), ["batch_norm"]),
}


@pytest.mark.parametrize("name", STEPS)
def test_import(name):
    """Float32 against torch's, in the roundings of a norm or of sums of 54 products."""
    module, expected = STEPS[name]
    module, x = drawn(module).float(), images().float()
    graph = import_module(module, x.numpy())
    np.testing.assert_allclose(run_float(graph, x.numpy()), array(module(x)), rtol=5e-5, atol=1e-5)
    found = [node.operator for node in graph.nodes if operators()[node.operator].kind is not Kind.MOVE]
    if expected is not None:
        assert found == expected


@pytest.mark.parametrize("made", [AlphaBatchNorm2d, UnMixNorm2d])
def test_norms_by_the_test_batch_are_no_steps(made):
    with pytest.raises(InputError):
        import_module(made(nn.BatchNorm2d(CHANNELS)), images().float().numpy())
