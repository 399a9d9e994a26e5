"""The decoder's parts against their equations, written out in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from simhw.errors import InputError
from simhw.models.transformer import (
    Decoder,
    FeedForwardKind,
    MixerKind,
    NormKind,
    NormPlacement,
    Routing,
    TransformerConfig,
)
from simhw.models.transformer.decoder import Sublayer, initialise
from simhw.models.transformer.depths import MixtureOfDepths, threshold_loss
from simhw.models.transformer.feed_forward import MixtureOfExperts, balance_loss, choose
from simhw.models.transformer.mamba import Mamba
from simhw.models.transformer.scan import scan_by_doubling, scan_in_order

EXACT = {"rtol": 0, "atol": 1e-12}


def config(**more) -> TransformerConfig:
    return TransformerConfig(**{"width": 8, "layers": 4, "heads": 2, "hidden": 6, "context": 12} | more)


def drawn(module: torch.nn.Module, std: float = 1.0) -> torch.nn.Module:
    torch.manual_seed(5)
    module = module.double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=std)
    return module


def norm(x: torch.Tensor, part: torch.nn.LayerNorm) -> torch.Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * part.weight + part.bias


@pytest.mark.parametrize(
    ("placement", "layer", "equation"),
    [
        (NormPlacement.POST_LN, 3, lambda x, f, s: norm(x + f(x), s.norm)),
        (NormPlacement.PRE_LN, 3, lambda x, f, s: x + f(norm(x, s.norm))),
        (NormPlacement.MIX_LN, 1, lambda x, f, s: norm(x + f(x), s.norm)),
        (NormPlacement.MIX_LN, 2, lambda x, f, s: x + f(norm(x, s.norm))),
        (NormPlacement.PERI_LN, 3, lambda x, f, s: x + norm(f(norm(x, s.norm)), s.output_norm)),
        (NormPlacement.LAYERNORM_SCALING, 3, lambda x, f, s: x + f(norm(x, s.norm) / math.sqrt(3))),
    ],
)
def test_placements(placement, layer, equation):
    function = torch.nn.Linear(8, 8)
    part = drawn(Sublayer(function, config(placement=placement), layer))
    x = torch.randn(2, 3, 8, dtype=torch.float64)
    torch.testing.assert_close(part(x), equation(x, function, part), **EXACT)


def test_norms_of_the_whole_decoder_by_placement():
    counts = {
        placement: sum(isinstance(part, torch.nn.LayerNorm) for part in Decoder(config(placement=placement)).modules())
        for placement in NormPlacement
    }
    assert counts == {
        NormPlacement.POST_LN: 8,
        NormPlacement.PRE_LN: 9,
        NormPlacement.MIX_LN: 9,
        NormPlacement.PERI_LN: 18,
        NormPlacement.LAYERNORM_SCALING: 9,
    }


def test_shared_depth_shares_all_but_the_norms():
    own = Decoder(config(feed_forward=FeedForwardKind.MIXTURE_OF_EXPERTS))
    shared = Decoder(config(feed_forward=FeedForwardKind.MIXTURE_OF_EXPERTS, shared_depth=True))
    assert shared.blocks[0].mixer.function is shared.blocks[3].mixer.function
    assert shared.blocks[0].feed_forward.function is shared.blocks[3].feed_forward.function
    assert len({id(block.mixer.norm) for block in shared.blocks}) == 4
    sizes = [sum(p.numel() for p in module.parameters()) for module in (own, shared)]
    block = sum(
        p.numel() for part in ("mixer", "feed_forward") for p in own.blocks[0].get_submodule(part).function.parameters()
    )
    assert sizes[0] - sizes[1] == 3 * block


def test_mixture_of_experts_is_a_loop_over_tokens():
    part = drawn(MixtureOfExperts(config(experts=5, chosen_experts=2)))
    x = torch.randn(2, 3, 8, dtype=torch.float64)
    found = part(x)
    for sample in range(2):
        for token in range(3):
            one = x[sample, token]
            logits = (part.router.weight @ one + part.router.bias).tolist()
            total = sum(math.exp(logit) for logit in logits)
            best = sorted(range(5), key=lambda e: -logits[e])[:2]
            expected = sum(math.exp(logits[e]) / total * part.experts[e](one) for e in best)
            torch.testing.assert_close(found[sample, token], expected, **EXACT)


def test_chosen_shares_keep_their_places_and_the_others_are_zero():
    shares = choose(torch.tensor([[0.1, 0.4, 0.2, 0.3], [0.7, 0.1, 0.15, 0.05]]), 2)
    assert torch.equal(shares, torch.tensor([[0.0, 0.4, 0.0, 0.3], [0.7, 0.0, 0.15, 0.0]]))


def test_balance_loss_is_one_for_even_use_and_largest_for_one_expert():
    even = torch.eye(4).repeat(3, 1) * 1e-3
    assert float(balance_loss(even, 1)) == pytest.approx(1.0, abs=1e-3)
    one = torch.tensor([[30.0, 0.0, 0.0, 0.0]]).repeat(6, 1)
    assert float(balance_loss(one, 1)) == pytest.approx(4.0)


@pytest.mark.parametrize("routing", Routing, ids=lambda one: one.value)
def test_mixture_of_depths_is_a_loop_over_tokens(routing):
    part = drawn(MixtureOfDepths(config(capacity=0.3, routing=routing, gate=0.7)))
    x = torch.randn(3, 7, 8, dtype=torch.float64)
    found = part(x)
    weights = [[float(part.router(token).detach()) for token in row] for row in x]
    skipped = 0
    for row, (sample, kept) in enumerate(zip(x, weights, strict=True)):
        top = sorted(kept)[-3:]  # 0.3 of 7 tokens, rounded up
        for token, weight in enumerate(kept):
            passes = weight > 0 if routing is Routing.THRESHOLD else weight in top
            skipped += not passes
            expected = 0.7 * math.tanh(weight) * part.inner(sample[token]) if passes else torch.zeros(8).double()
            torch.testing.assert_close(found[row, token], expected, **EXACT)
    assert 0 < skipped < 21


def test_mixture_of_depths_trains_with_the_largest_weights_whatever_its_routing():
    part = drawn(MixtureOfDepths(config(capacity=0.3, routing=Routing.THRESHOLD)))
    x = torch.randn(2, 10, 8, dtype=torch.float64)
    assert (part.train()(x).abs().sum(-1) > 0).sum(-1).tolist() == [3, 3]


def test_threshold_loss_moves_the_chosen_above_zero():
    weights = torch.tensor([[0.5, -1.0, 2.0, 0.1]], requires_grad=True)
    threshold_loss(weights, 0.5).backward()
    assert (weights.grad < 0).tolist() == [[True, False, True, False]]
    assert float(threshold_loss(torch.tensor([[9.0, -9.0, 9.0, -9.0]]), 0.5)) < 1e-3


@pytest.mark.parametrize("tokens", [1, 2, 3, 8, 13])
def test_scans_are_the_recurrence(tokens):
    torch.manual_seed(tokens)
    decay, drive = torch.rand(2, tokens, 3, 2, dtype=torch.float64), torch.randn(2, tokens, 3, 2, dtype=torch.float64)
    state, expected = torch.zeros(2, 3, 2, dtype=torch.float64), []
    for token in range(tokens):
        state = decay[:, token] * state + drive[:, token]
        expected.append(state)
    for scan in (scan_by_doubling, scan_in_order):
        torch.testing.assert_close(scan(decay, drive), torch.stack(expected, 1), **EXACT)


def test_gradient_of_the_scan_in_order():
    torch.manual_seed(0)
    decay = torch.rand(2, 5, 3, dtype=torch.float64, requires_grad=True)
    drive = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(scan_in_order, (decay, drive))


@pytest.mark.parametrize("training", [False, True])
def test_mamba_is_its_equations_token_by_token(training):
    # Small weights: torch's softplus is the identity above 20.
    part = drawn(Mamba(config(mixer=MixerKind.MAMBA, state=3)), 0.4).train(training)
    x = torch.randn(1, 6, 8, dtype=torch.float64)
    u, z = functional.linear(x[0], part.input.weight, part.input.bias).split(16, dim=-1)
    padded = torch.cat([torch.zeros(3, 16, dtype=torch.float64), u])
    taps = part.convolution.weight[:, 0]  # (16, 4), the last tap meets the token itself
    state, rows = torch.zeros(16, 3, dtype=torch.float64), []
    for token in range(6):
        v = functional.silu((padded[token : token + 4].T * taps).sum(-1) + part.convolution.bias)
        rank, into, out = (part.selection.weight @ v).split([1, 3, 3])
        step = torch.log1p(torch.exp(part.step.weight @ rank + part.step.bias))
        state = torch.exp(-step[:, None] * torch.exp(part.decay_log)) * state + (step * v)[:, None] * into
        rows.append((state @ out + part.skip * v) * functional.silu(z[token]))
    expected = functional.linear(torch.stack(rows), part.output.weight, part.output.bias)
    torch.testing.assert_close(part(x)[0], expected, **EXACT)


def test_step_sizes_begin_in_their_range():
    module = Decoder(config(mixer=MixerKind.MAMBA))
    initialise(module)
    steps = functional.softplus(module.blocks[0].mixer.function.step.bias).detach()
    assert 0.000999 < float(steps.min()) < float(steps.max()) < 0.1001


CAUSAL = [
    *((MixerKind.ATTENTION, kind) for kind in FeedForwardKind if kind is not FeedForwardKind.MIXTURE_OF_DEPTHS),
    (MixerKind.MAMBA, FeedForwardKind.NONE),
    (MixerKind.ATTENTION, FeedForwardKind.MIXTURE_OF_DEPTHS),
]


@pytest.mark.parametrize(("mixer", "feed_forward"), CAUSAL)
def test_later_tokens_do_not_change_earlier_logits(mixer, feed_forward):
    module = drawn(Decoder(config(mixer=mixer, feed_forward=feed_forward, routing=Routing.THRESHOLD)))
    ids = torch.randint(0, 256, (1, 12))
    changed = ids.clone()
    changed[0, 8:] = (changed[0, 8:] + 1) % 256
    before, after = module(ids), module(changed)
    torch.testing.assert_close(before[:, :8], after[:, :8], rtol=1e-10, atol=1e-10)
    assert not torch.allclose(before[:, 8:], after[:, 8:])


def test_largest_weights_of_the_sequence_are_not_causal():
    module = drawn(Decoder(config(feed_forward=FeedForwardKind.MIXTURE_OF_DEPTHS, routing=Routing.TOP_K)))
    ids = torch.randint(0, 256, (8, 12))
    changed = ids.clone()
    changed[:, 8:] = (changed[:, 8:] + 1) % 256
    assert not torch.allclose(module(ids)[:, :8], module(changed)[:, :8])


def test_crms_norm_stores_one_element_less():
    assert Decoder(config(norm=NormKind.CRMS_NORM)).embedding.weight.shape == (256, 7)


def test_initial_weights_have_the_variance_of_their_inputs():
    torch.manual_seed(0)
    module = Decoder(config(width=64, hidden=128))
    initialise(module)
    assert float(module.blocks[0].feed_forward.function.down.weight.std()) == pytest.approx(
        1 / math.sqrt(128), rel=0.05
    )
    assert float(module.head.bias.abs().max()) == 0.0
    assert np.isfinite(module(torch.zeros(1, 12, dtype=torch.int64)).detach().numpy()).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"width": 10, "heads": 2}, "width is 10 with 2 heads, must be a multiple of 4"),
        ({"layers": 0}, "layers is 0, must be at least 1"),
        ({"convolution": 0}, "convolution is 0, must be at least 1"),
        ({"chosen_experts": 5}, r"chosen_experts is 5, must be 1\.\.4; choose fewer"),
        ({"capacity": 0.0}, r"capacity is 0\.0, must be above 0 and at most 1"),
        ({"post_fraction": 1.5}, r"post_fraction is 1\.5, must be 0\.\.1"),
        ({"epsilon": 0.0}, r"epsilon is 0\.0, must be above 0"),
    ],
)
def test_impossible_configurations(wrong, message):
    with pytest.raises(InputError, match=message):
        config(**wrong)
