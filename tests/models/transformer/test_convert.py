"""Pre-LN decoders and what they are converted to compute the same function."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from simhw.errors import InputError
from simhw.models.norms.crms_norm import CRMSNorm
from simhw.models.norms.rms_norm import RMSNorm
from simhw.models.transformer import (
    Decoder,
    FeedForwardKind,
    MixerKind,
    NormKind,
    NormPlacement,
    Routing,
    TransformerConfig,
)
from simhw.models.transformer.convert import to_crms_norm, to_rms_norm

PRE = (NormPlacement.PRE_LN, NormPlacement.LAYERNORM_SCALING)
ROUNDING = 1e-12
"""Of the largest logit, in float64."""


def drawn(config: TransformerConfig, seed: int) -> Decoder:
    """A decoder in float64 with every parameter drawn: scales of both signs, shifts, biases, a stream with a mean."""
    torch.manual_seed(seed)
    module = Decoder(config).double().eval()
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.normal_(std=0.6)
            if name.endswith("embedding.weight"):
                parameter += 1.5
    return module


def least_margin(module: Decoder, ids: torch.Tensor) -> float:
    """How near a router comes to choosing otherwise: there the function jumps, and rounding decides."""
    seen = []
    for name, part in module.named_modules():
        if name.endswith("router"):
            part.register_forward_hook(lambda _, __, out: seen.append(out.detach()))
    module(ids)
    gaps = [torch.ones(1)]
    for weights in seen:
        along = -1 if weights.shape[-1] > 1 else 1  # experts of a token, or tokens of a sequence
        gaps += [weights.sort(along).values.diff(dim=along).abs().flatten(), weights.abs().flatten()]
    return float(torch.cat(gaps).min())


@settings(max_examples=25, deadline=None)
@given(
    heads=st.integers(1, 3),
    pairs=st.integers(1, 4),
    layers=st.integers(1, 3),
    hidden=st.integers(1, 9),
    tokens=st.integers(1, 6),
    placement=st.sampled_from(PRE),
    feed_forward=st.sampled_from(FeedForwardKind),
    mixer=st.sampled_from(MixerKind),
    routing=st.sampled_from(Routing),
    bias=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_converted_decoders_compute_the_same(
    heads, pairs, layers, hidden, tokens, placement, feed_forward, mixer, routing, bias, seed
):
    config = TransformerConfig(
        width=2 * heads * pairs,
        heads=heads,
        layers=layers,
        hidden=hidden,
        vocabulary=11,
        context=6,
        placement=placement,
        feed_forward=feed_forward,
        mixer=mixer,
        routing=routing,
        bias=bias,
        state=2,
    )
    module = drawn(config, seed)
    ids = torch.randint(0, 11, (2, tokens))
    assume(least_margin(module, ids) > 1e-6)
    with torch.no_grad():
        expected = module(ids)
        for convert, kind in ((to_rms_norm, RMSNorm), (to_crms_norm, CRMSNorm)):
            other = convert(module)
            assert not any(isinstance(part, torch.nn.LayerNorm) for part in other.modules())
            assert sum(isinstance(part, kind) for part in other.modules()) == 1 + layers * (
                1 if feed_forward is FeedForwardKind.NONE else 2
            )
            found = other(ids)
            assert float((found - expected).abs().max()) <= ROUNDING * float(expected.abs().max())


def test_the_stream_of_a_converted_decoder_has_no_mean_and_a_compressed_one_lacks_its_last_element():
    module = drawn(TransformerConfig(width=8, heads=2, layers=2, hidden=12, vocabulary=11, context=5), 3)
    ids = torch.randint(0, 11, (2, 5))
    seen = {}
    for name, one in (("ln", module), ("rms", to_rms_norm(module)), ("crms", to_crms_norm(module))):
        one.blocks[1].register_forward_hook(lambda _, __, out, name=name: seen.__setitem__(name, out.detach()))
        one(ids)
    assert float(seen["ln"].mean(-1).abs().mean()) > 0.3
    assert float(seen["rms"].mean(-1).abs().max()) < 1e-13
    torch.testing.assert_close(seen["rms"], seen["ln"] - seen["ln"].mean(-1, keepdim=True), rtol=0, atol=1e-12)
    torch.testing.assert_close(seen["crms"], seen["rms"][..., :-1], rtol=0, atol=1e-12)


def test_the_given_decoder_stays_as_it_was():
    module = drawn(TransformerConfig(width=4, heads=1, layers=1, hidden=3, vocabulary=5, context=4), 0)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    to_rms_norm(module)
    to_crms_norm(module)
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


@pytest.mark.parametrize(
    "placement", [NormPlacement.POST_LN, NormPlacement.MIX_LN, NormPlacement.PERI_LN], ids=lambda one: one.value
)
def test_other_placements_are_refused(placement):
    module = Decoder(TransformerConfig(width=4, heads=1, layers=1, hidden=3, placement=placement))
    with pytest.raises(
        InputError, match=rf"'layer_norm' placed '{placement.value}', must be 'layer_norm' with 'pre_ln'"
    ):
        to_rms_norm(module)


def test_other_norms_and_shared_layers_are_refused():
    rms = Decoder(TransformerConfig(width=4, heads=1, layers=1, hidden=3, norm=NormKind.RMS_NORM))
    with pytest.raises(InputError, match="norm 'rms_norm' placed 'pre_ln', must be 'layer_norm'"):
        to_crms_norm(rms)
    shared = Decoder(TransformerConfig(width=4, heads=1, layers=2, hidden=3, shared_depth=True))
    with pytest.raises(InputError, match=r"shares its layers .* convert one with shared_depth=False"):
        to_crms_norm(shared)
