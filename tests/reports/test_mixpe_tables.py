"""The audit of published tables: what is recorded of other simulators, bounds, the waterfall, the page."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from simhw.arrays import Gemm, array_area
from simhw.cli import main
from simhw.costs import load_table
from simhw.costs.published_loader import load_published_model
from simhw.published_cost import layer_cost, layers_of
from simhw.reports import mixpe_audit, mixpe_sentences
from simhw.reports.ant_audit import ant_audit
from simhw.reports.bitmod_audit import bitmod_audit
from simhw.reports.bitmod_model import DESIGNS as BITMOD
from simhw.reports.bitmod_model import bitmod_cost
from simhw.reports.mixpe_audit import Audit, audit
from simhw.reports.mixpe_designs import DESIGNS, GROUP
from simhw.reports.mixpe_headline import candidates
from simhw.reports.mixpe_networks import BATCH, CONTEXT, products_of, published_products
from simhw.reports.mixpe_page import render
from simhw.reports.mixpe_published import CYCLES, ENERGY
from simhw.reports.mixpe_tables import to_csv, to_json
from simhw.reports.mixpe_text import text
from simhw.workloads import WorkKind

NETWORKS = ("opt_6_7b", "llama_2_13b")
EMPTY = {"meta", "br", "link", "img", "path", "use", "hr", "input"}


@pytest.fixture(scope="module")
def found() -> Audit:
    return audit(lambda _: None, NETWORKS)


def step(found: Audit, name: str) -> mixpe_audit.Step:
    return next(each for each in found.waterfall.steps if each.name == name)


class TestNetworks:
    def test_tokens_and_attention(self):
        """One product for each of 64 sequences and 32 heads of 128: scores of one query with 1,025 keys, and back."""
        attention = [p for p in products_of("opt_6_7b") if p.kind is WorkKind.ATTENTION]
        assert sum(p.macs for p in attention) == 32 * 2 * BATCH * (CONTEXT + 1) * 4096
        query = next(p for p in products_of("vit_h") if p.name == "query")
        assert query.layer == Gemm(m=64 * 257, n=1280, k=1280)

    def test_published_products_are_those_of_the_preset(self):
        model = load_published_model("mixpe_artifact")
        for name in ("vit_b", "llama_2_13b"):
            network = model.network(name)
            own = [each for each in layers_of(model, model.design("int8"), network) if not each.dequantizes]
            macs = sum(each.count * each.layer.macs for each in own)
            assert sum(p.macs for p in published_products(network)) == macs


class TestPublished:
    def test_every_cell_agrees(self, found: Audit):
        assert [(c.design, c.network) for c in found.cells if not (c.cycles_agree and c.energy_agrees)] == []
        assert len(found.cells) == len(CYCLES) * len(NETWORKS) == len(ENERGY) * len(NETWORKS)

    def test_recorded_steps(self, found: Audit):
        """Geometric means over OPT and Llama of a recorded run: 8.94x over INT8, 2.25x with equal PEs and 8 bits."""
        assert step(found, "as published").speedup("mixpe_w4a8", "int8", "opt_6_7b") == pytest.approx(8.94, abs=0.005)
        assert step(found, "equal PEs").speedup("mixpe_w4a8", "int8", "opt_6_7b") == pytest.approx(4.48, abs=0.005)
        honest = step(found, "activations as named")
        assert honest.speedup("mixpe_w4a8", "int8", "opt_6_7b") == pytest.approx(2.25, abs=0.006)
        assert honest.energy_gain("mixpe_w4a8", "int8", "opt_6_7b") == pytest.approx(1.93, abs=0.005)

    def test_candidates_of_the_abstract(self):
        agree = {each.setting: all(each.agrees) for each in candidates() if each.design == "mixpe_w4a8"}
        assert [setting for setting, all_agree in agree.items() if all_agree] == [
            "64 x 32 PEs, 8 x 4 bits, the patch embedding, too",
            "32 x 32 PEs, 4 x 4 bits, the patch embedding, too",
        ]


class TestCorrected:
    def test_cycles_are_never_fewer_than_the_products_need(self, found: Audit):
        for (design, network), cost in found.waterfall.costs.items():
            one = next(each for each in DESIGNS if each.name == design)
            products = products_of(network)
            needed = sum(
                p.macs
                * (one.attention_cycles if p.kind is WorkKind.ATTENTION else one.cycles)
                / (cost.rows * cost.columns)
                for p in products
            )
            assert cost.cycles >= needed
            assert cost.compute_cycles <= cost.cycles
            assert cost.macs == sum(p.macs for p in products)

    def test_dram_carries_at_least_the_weights_and_the_cache(self, found: Audit):
        price = found.waterfall.convention.dram_read_pj_per_bit
        for (_, network), cost in found.waterfall.costs.items():
            products = products_of(network)
            weights = sum(p.count * p.layer.n * p.layer.k * 4 for p in products if p.kind is WorkKind.WEIGHTS)
            attention = [p for p in products if p.kind is WorkKind.ATTENTION]
            cache = sum(p.count * p.layer.batch * p.layer.n * p.layer.k * 8 for p in attention)
            assert cost.parts_pj["dram"] / price >= weights + cache
            assert cost.total_pj == pytest.approx(sum(cost.parts_pj.values()))

    def test_arrays_are_the_largest_that_fit(self, found: Audit):
        table = load_table(found.waterfall.convention.technology)
        budget = found.waterfall.costs["int8", NETWORKS[0]].area_um2
        for design in DESIGNS:
            cost = found.waterfall.costs[design.name, NETWORKS[0]]
            assert cost.area_um2 <= budget
            wider = array_area(
                design.element,
                table,
                dataflow="output_stationary",
                rows=cost.rows,
                columns=cost.columns + 1,
                accumulator_bits=design.accumulator_bits,
                group_size=GROUP,
            )
            assert wider.total_um2 > budget

    def test_published_pes_on_an_equal_array_differ_by_their_rate_alone(self, found: Audit):
        equal = step(found, "an array that reuses operands")
        for design in ("mixpe_w4a8", "ant", "olaccel", "bitfusion"):
            assert equal.speedup(design, "int8") == pytest.approx(2, rel=0.01)  # 1% may be lost for less traffic
        own = step(found, "each design's own PE")
        rates = {"mixpe_w4a8": 1, "ant": 1 / 2, "olaccel": 1 / 2, "bitfusion": 2, "fp16": 1, "mixpe_w4a16": 1}
        for design, rate in rates.items():
            assert own.speedup(design, "int8") == pytest.approx(rate, rel=0.011)

    def test_technologies(self, found: Audit):
        """The first is that of the last step; in each, INT8 has its 32 x 32 PEs and every other array its area."""
        shapes, first = found.technologies[0]
        last = found.waterfall.steps[-1]
        assert first.results == last.results
        assert shapes["mixpe_w4a8"] == tuple(
            getattr(found.waterfall.costs["mixpe_w4a8", NETWORKS[0]], side) for side in ("rows", "columns")
        )
        assert all(shapes["int8"] == (32, 32) for shapes, _ in found.technologies)

    def test_dearer_dram_brings_designs_together(self, found: Audit):
        gains = [each.energy_gain("mixpe_w4a8", "int8") for _, _, each in found.dram]
        assert all(one >= two for one, two in pairwise(gains))
        assert [price for _, price, _ in found.dram] == sorted(price for _, price, _ in found.dram)


class TestAnt:
    # A run of the published simulator, its layers searched once each: cycles, then uJ of static, DRAM, buffer, core.
    LAYERS = (
        (7_375_984, (7149, 2664, 4228, 5201)),
        (1_806_576, (1751, 638, 2041, 1274)),
        (903_264, None),
        (None, None),
        (1_806_400, (1751, 1113, 2223, 1274)),
        (None, None),
        (None, None),
        (1_806_384, None),
        (None, None),
        (None, None),
        (1_806_368, (1751, 1054, 2149, 1274)),
        (1_806_368, (1751, 1054, 2149, 1274)),
        (33_056, None),
    )

    def test_recorded_layers(self):
        model = load_published_model("ant_artifact")
        design, network = model.design("ant_os"), model.network("resnet18")
        layers = list(layers_of(model, design, network))
        assert sum(each.count for each in layers) == 21
        for each, (cycles, parts) in zip(layers, self.LAYERS, strict=True):
            cost = layer_cost(model, design, each.layer)
            assert cycles is None or cost.cycles == cycles
            assert parts is None or tuple(round(part / 1000) for part in cost.parts_nj.values()) == parts

    def test_recorded_and_published_totals(self):
        costs = ant_audit().costs
        recorded = {
            "ant_os": 3.392e7, "ant_ws": 3.457e7, "bitfusion": 1.025e8, "olaccel": 1.340e8, "adafloat": 1.492e8,
        }  # fmt: skip
        assert {name: float(f"{cost.cycles:.3e}") for name, cost in costs.items()} == recorded
        ratios = [round(cost.cycles / costs["adafloat"].cycles, 3) for cost in costs.values()]
        assert ratios == [0.227, 0.232, 0.687, 0.898, 1.0]

    def test_equal_pes_and_widths_leave_no_difference(self):
        last = ant_audit().steps[-1]
        for name in ("bitfusion", "olaccel", "adafloat"):
            assert last.cycles[name] == 1
            assert last.energy[name] == pytest.approx(1)


class TestBitmod:
    def test_recorded_cycles_to_four_digits(self):
        for row in bitmod_audit().rows:
            assert f"{row.cost.cycles:.3e}" == f"{row.cycles:.3e}"

    def test_pes_and_dram_never_explain_more_than_the_recorded_energy(self):
        for row in bitmod_audit().rows:
            assert 0 < row.missing < 0.06

    def test_a_layer_by_hand(self):
        """FP16 decodes at the pace of DRAM: 16 bits of every weight over 256 bits per cycle, and little else."""
        cost = bitmod_cost(BITMOD[0], decode=True)
        weights = 32 * (4 * 4096**2 + 3 * 4096 * 11008) + 32_000 * 4096
        assert weights * 16 / 256 < cost.cycles < 1.02 * weights * 16 / 256

    def test_equal_weights_decode_alike(self):
        equal = next(each for each in bitmod_audit().steps if each.name == "one precision")
        assert equal.speedup[1] == pytest.approx(1, rel=0.01)


class Page(HTMLParser):
    """Checks that every element that opens also closes; keeps attributes."""

    def __init__(self, page: str):
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]):
        self.attributes += attrs
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str):
        if tag not in EMPTY:
            assert self.open.pop() == tag


class TestOutput:
    def test_page(self, found: Audit):
        page = render(found, command="simhw report mixpe_tables --out <here>")
        attributes = Page(page).attributes
        ids = [value for name, value in attributes if name == "id"]
        assert len(ids) == len(set(ids))
        links = {value for name, value in attributes if name == "href" and value}
        assert all(link.startswith("#") and link[1:] in ids for link in links)
        assert "&lt;here&gt;" in page
        assert not re.search(r"\bnan\b|\binf\b", re.sub(r"<svg.*?</svg>|<style.*?</style>", "", page, flags=re.DOTALL))
        for each in found.waterfall.steps:
            assert page.count(each.name.replace("'", "&#39;")) >= 1

    def test_sentences(self, found: Audit):
        assert mixpe_sentences.short(found)[0].startswith("The preset gives 14 of 14 published cycles")
        assert mixpe_sentences.bitmod(found)[0].startswith("10 of 10 recorded cycles")
        assert mixpe_sentences.ant(found)[0].startswith("5 of 5 published cycles")
        unexplained = [line for line in mixpe_sentences.headline(found) if "is not known" in line]
        assert [line.split(" of that run")[0] for line in unexplained] == ["OLAccel", "MixPE-W4A16"]

    def test_a_cell_that_is_not_reproduced_is_told(self, found: Audit):
        off = replace(found.cells[0], published_cycles=0.5)
        lines = mixpe_sentences.reproduced(replace(found, cells=[off, *found.cells[1:]]))
        assert lines[0].startswith("The preset gives 13 of 14 published cycles")
        assert lines[1].startswith("Not reproduced: MixPE-W4A8 on OPT-6.7B, cycles 0.097 (published 0.50)")

    def test_a_loss_is_called_a_loss(self, found: Audit):
        last = found.waterfall.steps[-1]
        slower = {key: replace(each, cycles=10 * each.cycles) if key[0] == "mixpe_w4a8" else each
                  for key, each in last.results.items()}  # fmt: skip
        steps = [*found.waterfall.steps[:-1], replace(last, results=slower)]
        told = mixpe_sentences.short(replace(found, waterfall=replace(found.waterfall, steps=steps)))
        assert any("more cycles and" in line for line in told)

    def test_data(self, found: Audit):
        rows = list(csv.DictReader(io.StringIO(to_csv(found))))
        assert len(rows) == len(found.waterfall.steps) * len(DESIGNS) * len(NETWORKS)
        assert {float(row["cycles_over_fp16"]) for row in rows if row["design"] == "FP16"} == {1.0}
        data = json.loads(to_json(found))
        assert all(cell["cycles_agree"] for cell in data["published"])
        assert len(data["rows"]) == len(rows)

    def test_terminal(self, found: Audit):
        lines = text(found).splitlines()
        assert all(len(line) <= 160 for line in lines)
        assert any(line.startswith("as published") and "/" in line for line in lines)

    def test_command(self, found: Audit, monkeypatch: pytest.MonkeyPatch, tmp_path, capsys):
        monkeypatch.setattr("simhw.reports.mixpe_tables.audit", lambda _: found)
        assert main(["report", "mixpe_tables", "--out", str(tmp_path)]) == 0
        names = sorted(path.name for path in tmp_path.iterdir())
        assert names == ["mixpe_tables.csv", "mixpe_tables.html", "mixpe_tables.json"]
        assert "MixPE-W4A8 over the others" in capsys.readouterr().out
