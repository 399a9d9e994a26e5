"""The byte-level decoders that ship with their weights, and how they are trained."""

from __future__ import annotations

import importlib
import json

import numpy as np
import pytest
import torch

from simhw.catalog import get_network, get_study, model_entries
from simhw.errors import InputError
from simhw.executor import run_float
from simhw.graph.frontends.torch_export import import_module
from simhw.models import byte_level, byte_mamba, byte_moe, norm_placements, train_byte_moe
from simhw.models.fitting import muon_and_adam
from simhw.models.muon import Muon
from simhw.models.training import prepare
from simhw.models.transformer import Decoder, FeedForwardKind, MixerKind, TransformerConfig
from simhw.models.transformer.feed_forward import choose
from simhw.models.weights import ASSETS

NETWORKS = [byte_mamba.NETWORK, byte_moe.NETWORK]
BY_NAME = pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)


@pytest.fixture(autouse=True)
def torch_as_before():
    yield
    torch.use_deterministic_algorithms(False)


def record(network) -> dict:
    return json.loads((ASSETS / f"{network.name}.json").read_text(encoding="utf-8"))


@BY_NAME
def test_entry(network):
    module = importlib.import_module(f"simhw.models.{network.name}")
    assert module.__doc__.splitlines()[0] == network.description
    assert get_network(network.name) is network
    assert network.name in model_entries()
    assert (ASSETS / f"{network.name}.safetensors").stat().st_size < 1_500_000


@BY_NAME
def test_perplexity_is_the_recorded_one(network):
    data = network.dataset(None, None)
    module = network.load()
    with torch.no_grad():
        logits = torch.cat([module(part) for part in torch.from_numpy(data.inputs).split(8)]).numpy()
    found = network.metric.evaluate(logits, data)
    # another CPU sums in another order: float32 logits move by about 1e-6 of their size
    assert found == pytest.approx(record(network)["default_dataset"], rel=1e-4)
    assert found["bits_per_byte"] == pytest.approx(np.log2(found["perplexity"]))
    assert sum(parameter.numel() for parameter in module.parameters()) == record(network)["parameters"]


@BY_NAME
def test_imported_graph_is_the_module(network):
    module, inputs = network.load(), network.dataset(1, None).inputs
    with torch.no_grad():
        expected = module(torch.from_numpy(inputs)).numpy()
    found = run_float(import_module(module, inputs), inputs)
    # float32 through four blocks
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@BY_NAME
def test_inputs_are_the_bytes_of_the_text(network):
    text = (ASSETS / "sotu_held_out.txt").read_bytes()
    data = network.dataset(3, None)
    assert data.inputs.astype(np.uint8).tobytes() == text[: 3 * 128]
    assert data.targets.astype(np.uint8).tobytes() == text[1 : 3 * 128 + 1]
    assert (data.unit, data.units, data.bytes_predicted) == ("token", 384, 384)
    assert network.calibration().shape == (16, 128)
    assert network.calibration().tobytes() not in data.inputs.tobytes()
    with pytest.raises(InputError, match=r"samples is 0, must be 1\.\."):
        network.dataset(0, None)


def test_every_expert_is_used():
    module = byte_moe.NETWORK.load()
    seen = []
    module.blocks[0].feed_forward.function.router.register_forward_hook(lambda _, __, logits: seen.append(logits))
    with torch.no_grad():
        module(torch.from_numpy(byte_moe.NETWORK.dataset(8, None).inputs))
    assert len(seen) == 4  # the router of all four blocks is the same
    used = (choose(torch.softmax(torch.cat(seen), -1), 2) > 0).float().mean((0, 1))
    assert float(used.sum()) == pytest.approx(2.0)
    assert float(used.min()) > 0.1


SMALL = {"width": 16, "layers": 2, "heads": 2, "hidden": 24, "context": 16}


@pytest.mark.parametrize(
    ("config", "more"),
    [
        (TransformerConfig(**SMALL, feed_forward=FeedForwardKind.MIXTURE_OF_EXPERTS), train_byte_moe.balance),
        (TransformerConfig(**SMALL, feed_forward=FeedForwardKind.NONE, mixer=MixerKind.MAMBA), None),
        (TransformerConfig(**SMALL, feed_forward=FeedForwardKind.MIXTURE_OF_DEPTHS), None),
    ],
    ids=["experts", "mamba", "depths"],
)
def test_small_ones_learn_and_repeat_themselves(config, more):
    ids = torch.arange(600) % 5
    runs = []
    for _ in range(2):
        prepare(1)
        runs.append(byte_level.train(config, ids, 100, more))
    assert all(torch.equal(a, b) for a, b in zip(runs[0].parameters(), runs[1].parameters(), strict=True))
    with torch.no_grad():
        loss = torch.nn.functional.cross_entropy(runs[0](ids[None, :16])[0], ids[1:17])
    assert float(loss) < np.log(5) / 2  # knowing the five bytes but not their order gives ln(5)


def test_balance_loss_covers_every_use_of_a_router_and_only_in_training():
    config = TransformerConfig(**SMALL, feed_forward=FeedForwardKind.MIXTURE_OF_EXPERTS, shared_depth=True)
    module = Decoder(config)
    loss = train_byte_moe.balance(module)
    module.eval()(torch.zeros(1, 4, dtype=torch.int64))
    module.train()(torch.zeros(1, 4, dtype=torch.int64))
    found = loss()
    assert 0.99 * train_byte_moe.BALANCE < float(found.detach()) < 4 * train_byte_moe.BALANCE
    assert found.requires_grad


def test_muon_takes_the_matrices_of_linear_layers_only():
    module = Decoder(TransformerConfig(**SMALL, mixer=MixerKind.MAMBA))
    muon, adam = muon_and_adam(module, module.blocks)
    assert isinstance(muon, Muon)
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    taken = [{names[id(p)] for group in one.param_groups for p in group["params"]} for one in (muon, adam)]
    assert taken[0] | taken[1] == set(names.values())
    assert not taken[0] & taken[1]
    assert {name.rpartition(".")[0].rpartition(".")[2] for name in taken[0]} == {
        "input",
        "selection",
        "step",
        "output",
        "up",
        "down",
    }


def test_norm_placements_train_alike_and_repeat_themselves():
    study = get_study("norm_placements")
    first, again = study.train("peri_ln", 2), study.train("peri_ln", 2)
    assert all(torch.equal(a, b) for a, b in zip(first.load().parameters(), again.load().parameters(), strict=True))
    sizes = {
        name: sum(p.numel() for p in Decoder(norm_placements.config_of(placement)).parameters())
        for name, placement in zip(study.variants, norm_placements.VARIANTS, strict=True)
    }
    assert max(sizes.values()) - min(sizes.values()) < 0.01 * min(sizes.values())  # norms alone
    assert first.dataset(None, None).units == norm_placements.MEASURED * 128


def test_norm_placements_are_not_measured_on_what_they_train_on():
    train, held_out = norm_placements.texts()
    data = norm_placements.STUDY.train("pre_ln", 1).dataset(None, None)
    assert held_out.encode().startswith(data.inputs.astype(np.uint8).tobytes())
    assert train + held_out == (ASSETS / "sotu_held_out.txt").read_bytes().decode()


def test_unknown_placement_and_study():
    with pytest.raises(InputError, match=r"placement is 'pre', which is not known; nearest: .*pre_ln"):
        get_study("norm_placements").train("pre", 1)
    with pytest.raises(InputError, match="study is 'norms', which is not known"):
        get_study("norms")
