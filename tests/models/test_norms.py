"""Norm modules in float64 against torch's functions and against their equations, folds against what they replace."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from simhw.executor import run_float
from simhw.graph.base import Kind
from simhw.graph.frontends.torch_export import import_module
from simhw.graph.ops import operators
from simhw.models.norms.crms_norm import CRMSNorm
from simhw.models.norms.folding import batch_norm_affine, fold_into_next
from simhw.models.norms.power_norm import PowerNorm
from simhw.models.norms.rms_norm import RMSNorm
from simhw.models.norms.unified_norm import UnifiedNorm

EXACT = {"rtol": 1e-12, "atol": 1e-12}  # float64, a few dozen roundings


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


def tokens(width: int) -> torch.Tensor:
    return torch.randn(3, 5, width, dtype=torch.float64) * 3


def test_rms_norm_is_that_of_torch():
    norm, x = drawn(RMSNorm(24, eps=1e-3)), tokens(24)
    torch.testing.assert_close(norm(x), functional.rms_norm(x, (24,), norm.weight, 1e-3), **EXACT)


@pytest.mark.parametrize("width", [1, 2, 24])
def test_crms_norm_is_the_layer_norm_of_the_whole_vector(width):
    """Of the vector of zero mean whose last element is minus the sum of the others."""
    norm, x = drawn(CRMSNorm(width, eps=1e-3)), tokens(width)
    whole = torch.cat((x, -x.sum(-1, keepdim=True)), -1)
    expected = functional.layer_norm(whole, (width + 1,), eps=1e-3)[..., :-1] * norm.weight
    torch.testing.assert_close(norm(x), expected, **EXACT)


@pytest.mark.parametrize("groups", [None, 1, 4])
def test_power_norm_equation(groups):
    norm, x = drawn(PowerNorm(24, eps=1e-3, groups=groups)), tokens(24)
    z = x
    if groups is not None:
        parts = x.unflatten(-1, (groups, -1))
        z = (parts / (parts.square().mean(-1, keepdim=True) + 1e-3) ** 0.5).flatten(-2)
    expected = norm.weight * z / (norm.mean_square + 1e-3) ** 0.5 + norm.bias
    torch.testing.assert_close(norm(x), expected, **EXACT)


def test_unified_norm_equation():
    norm, x = drawn(UnifiedNorm(24, eps=1e-3)), tokens(24)
    torch.testing.assert_close(norm(x), norm.weight * x / (norm.mean_square + 1e-3) ** 0.5 + norm.bias, **EXACT)


def test_statistics_of_power_norm():
    """During the warm-up of three batches the cumulative mean joins, then the decay alone counts."""
    norm = PowerNorm(4, groups=None, decay=0.75, warm_up=4).double()
    batches = [tokens(4) for _ in range(6)]
    phi = np.ones(4)
    for count, x in enumerate(batches, 1):
        norm.observe(x)
        square = (x.numpy() ** 2).mean((0, 1))
        if count < 4:
            phi = phi * (count - 1) / count + square / count
        phi = 0.75 * phi + 0.25 * square
    np.testing.assert_allclose(norm.mean_square.numpy(), phi, rtol=1e-12)


def test_statistics_of_unified_norm():
    """Geometric mean of the last two batches, from the third one on."""
    norm = UnifiedNorm(4, window=2, decay=0.75, warm_up=0).double()
    squares, expected = [], np.ones(4)
    for count in range(1, 7):
        x = tokens(4)
        norm.observe(x)
        squares.append((x.numpy() ** 2).mean((0, 1)))
        batch = squares[-1] if count <= 2 else np.sqrt(squares[-1] * squares[-2])
        expected = 0.75 * expected + 0.25 * batch
    np.testing.assert_allclose(norm.mean_square.numpy(), expected, rtol=1e-12)


def test_outliers_leave_the_window():
    """A batch a thousand times as large counts as it is, and what stands in the window is the running mean square."""
    norm = UnifiedNorm(4, window=2, warm_up=0, filter_outliers=True).double()
    for _ in range(4):
        norm.observe(torch.ones(1, 3, 4).double() + 0.01 * torch.randn(1, 3, 4).double())
    before = norm.mean_square.clone()
    norm.observe(torch.full((1, 3, 4), 1000.0).double())
    torch.testing.assert_close(norm.mean_square, 0.9 * before + 0.1 * torch.tensor(1e6).double(), **EXACT)
    torch.testing.assert_close(norm.recent[5 % 2], before, **EXACT)


@pytest.mark.parametrize("norm", [PowerNorm(24, groups=None), UnifiedNorm(24)])
def test_training_mode_gathers_statistics(norm):
    """Its result is the inference form with the new statistics, and gradients reach input, scale and shift."""
    norm = drawn(norm).train()
    x = tokens(24).requires_grad_()
    result = norm(x)
    result.sum().backward()
    assert int(norm.batches) == 1
    torch.testing.assert_close(norm.eval()(x), result, **EXACT)
    assert all(value.grad is not None for value in (x, norm.weight, norm.bias))
    twice = norm.train()
    twice(twice(x)).sum().backward()  # the second pass must not spoil what the first one's gradient needs


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("norm", [PowerNorm(24, groups=None), UnifiedNorm(24)])
def test_norms_of_stored_statistics_fold_into_the_next_layer(norm, bias):
    norm, layer, x = drawn(norm), drawn(nn.Linear(24, 7, bias=bias)), tokens(24)
    torch.testing.assert_close(norm.fold_into(layer)(x), layer(norm(x)), **EXACT)


@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_folds_into_the_next_layer(affine):
    norm, layer, x = drawn(nn.BatchNorm1d(24, affine=affine)), drawn(nn.Linear(24, 7)), tokens(24)[0]
    torch.testing.assert_close(fold_into_next(batch_norm_affine(norm), layer)(x), layer(norm(x)), **EXACT)


def test_batch_norm_folds_into_the_layer_before():
    """By torch's own function, on which users of these modules may rely."""
    conv, norm = drawn(nn.Conv2d(4, 6, 3, padding=1)), drawn(nn.BatchNorm2d(6))
    x = torch.randn(2, 4, 8, 8, dtype=torch.float64)
    folded = torch.nn.utils.fusion.fuse_conv_bn_eval(conv, norm)
    torch.testing.assert_close(folded(x), norm(conv(x)), **EXACT)


def test_refusals():
    with pytest.raises(ValueError, match="width 24 is not divisible by 5 groups"):
        PowerNorm(24, groups=5)
    with pytest.raises(ValueError, match="scales 1 groups per token, which does not fold; give groups=None"):
        PowerNorm(24).fold_into(nn.Linear(24, 3))
    with pytest.raises(ValueError, match="the norm has 24 channels, the layer 7 inputs"):
        UnifiedNorm(24).fold_into(nn.Linear(7, 3))
    with pytest.raises(ValueError, match="stores no statistics"):
        batch_norm_affine(nn.BatchNorm1d(3, track_running_stats=False))


STEPS = {
    "rms_norm": (RMSNorm(24), ["rms_norm"]),
    "crms_norm": (CRMSNorm(24), ["sum", "negate", "rms_norm"]),
    "power_norm": (PowerNorm(24), ["rms_norm", "batch_norm"]),
    "power_norm in groups": (PowerNorm(24, groups=4), ["rms_norm", "batch_norm"]),
    "power_norm without groups": (PowerNorm(24, groups=None), ["batch_norm"]),
    "unified_norm": (UnifiedNorm(24), ["batch_norm"]),
}


@pytest.mark.parametrize("name", STEPS)
def test_import(name):
    """Float32 against torch's, in the roundings of a norm: sums of up to 24 terms."""
    module, expected = STEPS[name]
    module = drawn(module).float()
    x = tokens(24).float()
    graph = import_module(module, x.numpy())
    np.testing.assert_allclose(run_float(graph, x.numpy()), module(x).detach().numpy(), rtol=2e-5, atol=2e-6)
    found = [node.operator for node in graph.nodes if operators()[node.operator].kind is not Kind.MOVE]
    assert found == expected
