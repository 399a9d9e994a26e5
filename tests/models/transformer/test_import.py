"""Every combination of placement, norm, feed-forward and mixer runs through the importer with torch's numbers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from simhw.executor import run_float
from simhw.graph.frontends.torch_export import import_module
from simhw.models.transformer import (
    Decoder,
    FeedForwardKind,
    MixerKind,
    NormKind,
    NormPlacement,
    Routing,
    TransformerConfig,
)
from simhw.models.transformer.decoder import initialise

ALL = list(itertools.product(NormPlacement, NormKind, FeedForwardKind, MixerKind))
IDS = np.random.default_rng(7).integers(0, 256, (3, 9))


def few() -> list[tuple[NormPlacement, NormKind, FeedForwardKind, MixerKind]]:
    """Every pair of two choices at least once (each new combination is the one with most pairs not yet seen)."""
    missing = {pair for chosen in ALL for pair in itertools.combinations(chosen, 2)}
    kept = []
    while missing:
        best = max(ALL, key=lambda chosen: sum(pair in missing for pair in itertools.combinations(chosen, 2)))
        kept.append(best)
        missing -= set(itertools.combinations(best, 2))
    return kept


def check(**choices: object) -> None:
    layers = 2 if choices.get("placement") is NormPlacement.MIX_LN or "shared_depth" in choices else 1
    numbers = {"width": 8, "layers": layers, "heads": 2, "hidden": 6, "context": 9, "post_fraction": 0.5, "state": 2}
    config = TransformerConfig(**numbers, **choices)
    torch.manual_seed(0)
    module = Decoder(config)
    initialise(module)
    with torch.no_grad():
        module(torch.from_numpy(IDS))  # in training mode: stored statistics are no longer those of the beginning
        module.eval()
        expected = module(torch.from_numpy(IDS)).numpy()
    found = run_float(import_module(module, IDS), IDS)
    # float32: a few dozen sums of a few dozen terms
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * np.abs(expected).max())


def name_of(chosen: tuple[object, ...]) -> str:
    return "-".join(choice.value for choice in chosen)


@pytest.mark.parametrize("chosen", few(), ids=name_of)
def test_every_pair_of_choices_imports(chosen):
    placement, norm, feed_forward, mixer = chosen
    check(placement=placement, norm=norm, feed_forward=feed_forward, mixer=mixer)


@pytest.mark.slow
@pytest.mark.parametrize("chosen", ALL, ids=name_of)
def test_every_combination_imports(chosen):
    placement, norm, feed_forward, mixer = chosen
    check(placement=placement, norm=norm, feed_forward=feed_forward, mixer=mixer)


def test_shared_depth_and_the_threshold_import():
    check(feed_forward=FeedForwardKind.MIXTURE_OF_EXPERTS, shared_depth=True)
    check(feed_forward=FeedForwardKind.MIXTURE_OF_DEPTHS, routing=Routing.THRESHOLD, bias=False)


def test_one_graph_serves_any_number_of_samples():
    config = TransformerConfig(
        width=8, layers=1, heads=2, hidden=6, feed_forward=FeedForwardKind.MIXTURE_OF_DEPTHS, mixer=MixerKind.MAMBA
    )
    torch.manual_seed(0)
    module = Decoder(config).eval()
    graph = import_module(module, IDS[:1])
    together = run_float(graph, IDS)
    alone = np.concatenate([run_float(graph, IDS[i : i + 1]) for i in range(3)])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-5)
