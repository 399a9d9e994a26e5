"""The convention of published simulators against the figures that were published with them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simhw.costs.published_loader import load_published_model
from simhw.costs.published_model import DequantizationLayers
from simhw.published_cost import PublishedCost, layers_of, published_cost
from simhw.reports.mixpe_published import CYCLES, ENERGY, NETWORKS

MODEL = load_published_model("mixpe_artifact")


def cost(design: str, network: str, **changes: object) -> PublishedCost:
    return published_cost(MODEL, replace(MODEL.design(design), **changes), MODEL.network(network))  # type: ignore[arg-type]


@pytest.mark.parametrize("design", CYCLES)
def test_published_cycles_to_two_decimals(design: str) -> None:
    found = tuple(round(cost(design, name).cycles / cost("fp16", name).cycles, 2) for name in NETWORKS)
    assert found == CYCLES[design]


@pytest.mark.parametrize("design", ENERGY)
def test_published_energy_within_rounding_of_its_four_parts(design: str) -> None:
    # The published total is the sum of four parts of two decimals: off by up to 4 x 0.005.
    for name, published in zip(NETWORKS, ENERGY[design], strict=True):
        assert abs(cost(design, name).total_nj / cost("fp16", name).total_nj - published) <= 0.02


def test_published_parts_of_energy() -> None:
    whole = cost("fp16", "opt_6_7b").total_nj
    published = {"mixpe_w4a8": (0.02, 0.01, 0.05, 0.06), "fp16": (0.22, 0.13, 0.23, 0.42)}
    for design, parts in published.items():
        found = cost(design, "opt_6_7b").parts_nj.values()
        assert tuple(round(part / whole, 2) for part in found) == parts


# A run of the published simulator itself, with its layers searched once each (cycles to four digits, energy in mJ).
WHAT_IF = [
    ("mixpe_w4a8", {}, 5.067e7, 325.9),
    ("mixpe_w4a8", {"rows": 32, "columns": 32}, 1.011e8, 332.2),
    ("mixpe_w4a8", {"rows": 32, "columns": 32, "activation_bits": 8}, 2.018e8, 593.5),
    ("mixpe_w4a8", {"activation_bits": 8}, 5.059e7, 388.8),
    ("int8", {}, 4.530e8, 1146.0),
    ("int8", {"dequantize": DequantizationLayers.AFTER}, 4.031e8, 1020.0),
    ("int8", {"dequantize": DequantizationLayers.AFTER, "rows": 64, "columns": 64}, 1.009e8, 661.0),
]


@pytest.mark.parametrize(("design", "changes", "cycles", "energy_mj"), WHAT_IF)
def test_what_if_runs_of_the_published_simulator(
    design: str, changes: dict[str, object], cycles: float, energy_mj: float
) -> None:
    found = cost(design, "opt_6_7b", **changes)
    assert found.cycles == pytest.approx(cycles, rel=5e-4)  # four digits are recorded
    assert found.total_nj / 1e6 == pytest.approx(energy_mj, rel=5e-4)


def test_true_geometric_means() -> None:
    # recorded of the same run
    recorded = {"mixpe_w4a8": 0.114, "ant": 0.463, "bitfusion": 0.682, "int8": 0.840, "mixpe_w4a16": 0.282}
    for design, mean in recorded.items():
        product = 1.0
        for name in NETWORKS:
            product *= cost(design, name).cycles / cost("fp16", name).cycles
        assert round(product**0.25, 3) == mean


def test_network_layers_cover_its_products() -> None:
    # 12 blocks of 12 h^2 multiply-accumulates for each of 64 rows, and 196 patches of 3 x 16 x 16 for each image
    design, network = MODEL.design("int8"), MODEL.network("vit_b")
    macs = 64 * (12 * 12 * 768**2 + 196 * 768 * 768)
    assert published_cost(MODEL, design, network).macs == macs
    own = [each for each in layers_of(MODEL, design, network) if not each.dequantizes]
    assert sum(each.count * each.layer.macs for each in own) == macs
