"""The PE comparison as a whole, in gates and with an invented synthesis table: records, sentences, page and data."""

import csv
import dataclasses
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from simhw.arrays import Gemm, array_area
from simhw.cli import main
from simhw.costs import Register, load_table
from simhw.costs.combined import combine, parse_combination
from simhw.costs.synthesised import parse_synthesis
from simhw.pes import get_pe
from simhw.reports import pe_comparison, pe_sentences
from simhw.reports.pe_claims import PUBLISHED
from simhw.reports.pe_comparison import compare, rows, to_csv, to_json
from simhw.reports.pe_costs import find
from simhw.reports.pe_page import render
from simhw.reports.pe_table import text
from simhw.reports.pe_variants import (
    dequantizers,
    reference_of,
    shift_and_add_groups,
    structure_gain,
    verdict,
)

PES = (
    "mixpe_w4a8_progressive",
    "int8_mac",
    "mixpe_w4a8",
    "w4a8_dequantize_first",
    "fp16_mac",
    "mixpe_w4a16",
    "w4a16_dequantize_first",
    "mxfp4_dot",
    "bit_serial_booth",
)
COMMAND = "simhw report pe_comparison --out <here>"
EMPTY = {"meta", "br", "wbr", "link", "img", "path", "use", "hr", "input", "col"}
SYNTHESIS = parse_synthesis((Path(__file__).parents[1] / "costs" / "synthetic.toml").read_text("utf-8"), "test_7nm")
GATES = load_table("gates_28nm")
REFERENCE = {"full_adders": 88, "ands": 64, "xors": 0, "multiplexers": 0, "flip_flops": 48}
SPEC = {
    "description": "invented for tests",
    "combined": {
        "synthesis": "test_7nm",
        "gates": "gates_28nm",
        "memory": "jouppi_7nm",
        "reference": {"pe": "int8_mac", "accumulator_bits": 32, **REFERENCE},
    },
}
MIXED = combine(
    "mixed", parse_combination(SPEC, "mixed"), synthesis=SYNTHESIS, gates=GATES, memory=load_table("jouppi_7nm")
)


@pytest.fixture(scope="module")
def found():
    return compare(lambda _: None, synthesis=[SYNTHESIS], priced=[GATES, MIXED], names=PES)


@pytest.fixture(scope="module")
def without_synthesis(found):
    kept = [cost for cost in found.costs if cost.technology == "gates_28nm"]
    return dataclasses.replace(
        found, technologies=[GATES], costs=kept, synthesis=[], entries={}, groups=[], ratios=[],
        claims=[(claim, measured[:1]) for claim, measured in found.claims],
        crossings=[crossing for crossing in found.crossings if crossing.technology == "gates_28nm"],
        areas={key: pair for key, pair in found.areas.items() if key[0] == "gates_28nm"},
    )  # fmt: skip


class Page(HTMLParser):
    """Checks that every element that opens also closes, and keeps attributes, identifiers and words."""

    def __init__(self, page):
        super().__init__()
        self.open, self.attributes, self.ids, self.words = [], [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.attributes.extend((tag, name, value) for name, value in attributes)
        self.ids.extend(value for name, value in attributes if name == "id")
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)


def test_every_pe_is_in_every_technology(found):
    assert [(cost.technology, cost.pe) for cost in found.costs] == [
        (name, pe) for name in ("gates_28nm", "mixed") for pe in PES
    ]
    assert found.main == "mixed"
    assert set(found.errors) == set(PES)


def test_a_cost_by_hand(found):
    """MixPE in gates: the PE alone, and in the 32 x 32 array with its dequantizers and a register per PE."""
    cost, pe = find(found.costs, "mixpe_w4a8", "gates_28nm"), get_pe("mixpe_w4a8")
    assert (cost.accumulator_bits, cost.cycles_per_mac, cost.operands) == (20, 1, "int8 x uint4")
    assert cost.area_um2 == pe.area_um2(GATES, 20)
    assert cost.energy_pj == pytest.approx(pe.multiply_energy_pj(GATES) + pe.accumulate_energy_pj(GATES, 20))
    whole = array_area(
        pe, GATES, dataflow="output_stationary", rows=32, columns=32, accumulator_bits=20, group_size=128
    )
    assert cost.array_area_um2 == pytest.approx(whole.total_um2 / 1024)
    parts = pe.dequantize_parts(128)
    sums = GATES.total_energy_pj((*parts.scale, *parts.zero_point)) / 128
    activations = GATES.total_energy_pj(parts.activation_sum) * 4 / 128  # 128 columns of outputs, 32 at a time
    outputs = GATES.total_energy_pj(parts.output) / 384
    assert cost.shared_energy_pj == pytest.approx(sums + activations + outputs)
    assert cost.tops_per_mm2 == pytest.approx(2 * 500e6 / (cost.array_area_um2 * 1e-6) / 1e12)
    assert cost.tops_per_watt == pytest.approx(2 / (cost.array_energy_pj * 1e-12) / 1e12)
    assert cost.pes_per_mm2 * cost.array_area_um2 == pytest.approx(1e6)
    assert (cost.synthesised, cost.delay_ps, cost.meets_clock) == (False, None, None)


def test_a_pe_of_several_cycles_has_fewer_products_per_area(found):
    cost, pe = find(found.costs, "bit_serial_booth", "gates_28nm"), get_pe("bit_serial_booth")
    bits = cost.accumulator_bits
    assert cost.cycles_per_mac == 4
    assert cost.energy_pj == pytest.approx(4 * (pe.multiply_energy_pj(GATES) + pe.accumulate_energy_pj(GATES, bits)))
    assert cost.macs_per_cycle_mm2 == pytest.approx(cost.pes_per_mm2 / 4)


def test_synthesis_stands_for_a_pe_that_has_it(found):
    cost = find(found.costs, "mixpe_w4a8", "mixed")
    assert (cost.synthesised, cost.area_um2, cost.delay_ps, cost.meets_clock) == (True, 40, 800, True)
    assert cost.energy_pj == pytest.approx(0.2)
    assert cost.source == "synthesised, mixpe_w4a8 carry_save, 20 accumulator bits"
    late = find(found.costs, "mxfp4_dot", "mixed")
    assert (late.delay_ps, late.meets_clock) == (2500, False)
    assert "2,000 ps: mxfp4_dot." in " ".join(pe_sentences.equal_area(found.costs, found.errors, "mixed"))
    other = find(found.costs, "fp16_mac", "mixed")
    assert (other.synthesised, other.source) == (False, "parts of mixed")


def test_published_claims():
    ratios = {claim.words: round(claim.ratio, 2) for claim in PUBLISHED}
    assert ratios == {"W4A8": 2.29, "W4A16": 4.82}


def test_measured_claims_by_hand(found):
    """Invented figures: int8 80 um2 and 0.4 pJ over 40 and 0.2; at 32 bits over 60 and 0.25; its own entry 90, 0.45."""
    (_, (_, w4a8)), (_, (_, w4a16)) = found.claims
    assert (w4a8.area, w4a8.energy) == (pytest.approx(80 / 40), pytest.approx(0.4 / 0.2))
    assert w4a8.product == pytest.approx(80 * 0.4 / (40 * 0.2))
    assert w4a8.same_width == pytest.approx(80 * 0.4 / (60 * 0.25))
    assert w4a8.inside == pytest.approx(90 * 0.45 / (40 * 0.2))
    assert w4a16.inside is None
    assert found.claims[1][1][0].same_width is None  # fixed point of 32 bits holds no product of fp16
    assert w4a16.same_width is None
    own, base = find(found.costs, "mixpe_w4a8", "mixed"), find(found.costs, "w4a8_dequantize_first", "mixed")
    register = MIXED.area_um2(Register(bits=32))
    assert own.shared_area_um2 > register
    assert w4a8.with_shares == pytest.approx(
        base.array_area_um2 * base.array_energy_pj / (own.array_area_um2 * own.array_energy_pj)
    )
    sentence = pe_sentences.claim(PUBLISHED[0], [w4a8])[0]
    assert "published 2.29x" in sentence
    assert f"mixed has {w4a8.product:.2f}x" in sentence
    assert f"above the claim by {w4a8.product / PUBLISHED[0].ratio - 1:.0%}" in sentence


def test_the_reference_is_the_best_int8_pe():
    reference = reference_of(SYNTHESIS)
    assert reference is not None
    assert (reference.variant, reference.area_um2) == ("carry_save", 80)
    assert structure_gain(SYNTHESIS) == pytest.approx(100 / 80)
    assert [entry.variant for entry in dequantizers(SYNTHESIS)] == ["integer_dequantizer"]


def _table(**changed):
    """The invented table with other area times energy of variants of the shift-and-add PE, at 20 bits."""
    pes = [
        dataclasses.replace(entry, area_um2=changed[entry.variant], energy_pj_per_mac=1.0)
        if entry.pe == "mixpe_w4a8" and entry.accumulator_bits == 20 and entry.variant in changed
        else entry
        for entry in SYNTHESIS.pes
    ]
    return dataclasses.replace(SYNTHESIS, pes=tuple(pes))


def test_structures_are_grouped_by_width_against_the_plain_multiplier():
    (group,) = shift_and_add_groups(SYNTHESIS)
    assert (group.accumulator_bits, group.reference) == (20, "multiplier")
    assert [v.entry.variant for v in group.variants] == ["carry_save", "adders", "booth", "multiplier"]
    fused = group.get("carry_save")
    assert fused is not None
    assert (fused.area, fused.energy, fused.delay) == pytest.approx((40 / 50, 0.2 / 0.3, 400 / 500))


@pytest.mark.parametrize(
    ("areas", "answer"),
    [
        ({"carry_save": 1.0, "adders": 2.0, "booth": 1.5, "multiplier": 3.0}, "shift-and-add wins by 1.50x"),
        ({"carry_save": 1.0, "adders": 2.0, "booth": 1.5, "multiplier": 3.0}, "is this very circuit"),
        ({"carry_save": 3.0, "adders": 2.0, "booth": 1.5, "multiplier": 1.0}, "the multiplier wins by 2.00x"),
        ({"carry_save": 1.01, "adders": 2.0, "booth": 1.0, "multiplier": 9.0}, "they are equal within 2%"),
    ],
)
def test_the_verdict_follows_the_figures(areas, answer):
    (group,) = shift_and_add_groups(_table(**areas))
    assert answer in verdict(group)[-1]


def test_no_verdict_without_a_multiplier():
    table = dataclasses.replace(SYNTHESIS, pes=tuple(e for e in SYNTHESIS.pes if e.variant != "multiplier"))
    (group,) = shift_and_add_groups(table)
    assert "no plain multiplier was synthesised" in verdict(group)[0]


def test_gate_model_beside_synthesis(found):
    by_key = {(ratio.pe, ratio.accumulator_bits): ratio for ratio in found.ratios}
    assert set(by_key) == {
        ("int8_mac", 32),
        ("mixpe_w4a8", 20),
        ("mixpe_w4a8", 32),
        ("w4a8_dequantize_first", 32),
        ("mxfp4_dot", 14),
    }
    one = by_key["mixpe_w4a8", 20]
    int8, mixpe = get_pe("int8_mac"), get_pe("mixpe_w4a8")
    assert one.gate_area == pytest.approx(mixpe.area_um2(GATES, 20) / int8.area_um2(GATES, 32))
    assert (one.areas, one.variants) == ({"test_7nm": pytest.approx(40 / 80)}, {"test_7nm": "carry_save"})
    mxfp4 = get_pe("mxfp4_dot")
    scale_pj = GATES.total_energy_pj(mxfp4.dequantize_parts(32).scale) / 32
    lane_pj = mxfp4.multiply_energy_pj(GATES) + mxfp4.accumulate_energy_pj(GATES, 14)
    int8_pj = int8.multiply_energy_pj(GATES) + int8.accumulate_energy_pj(GATES, 32)
    assert by_key["mxfp4_dot", 14].gate_energy == pytest.approx((lane_pj + scale_pj) / int8_pj)
    assert by_key["mxfp4_dot", 14].areas["test_7nm"] == pytest.approx(640 / 32 / 80)
    spread = pe_sentences.spread(found.ratios, "test_7nm")
    assert spread is not None
    assert "over 4 PEs and widths" in spread
    assert pe_sentences.spread([], "test_7nm") is None


def test_figures_in_sentences_move_with_the_records(found):
    worse = {name: dataclasses.replace(e, sqnr_db=e.sqnr_db / 2) for name, e in found.errors.items()}
    assert pe_sentences.numeric(found.gemm, worse) != pe_sentences.numeric(found.gemm, found.errors)
    larger = [
        dataclasses.replace(c, area_um2=2 * c.area_um2 if c.pe == "int8_mac" else c.area_um2) for c in found.costs
    ]
    before, after = (pe_sentences.equal_area(costs, found.errors, "mixed")[0] for costs in (found.costs, larger))
    ratio = re.compile(r"mixpe_w4a8 ([\d.]+)x")
    assert float(ratio.search(after)[1]) == pytest.approx(
        float(ratio.search(before)[1])
        * find(larger, "int8_mac", "mixed").array_area_um2
        / find(found.costs, "int8_mac", "mixed").array_area_um2,
        abs=0.02,
    )


def test_the_page_is_complete_and_needs_nothing_else(found):
    page = render(found, command=COMMAND)
    parsed = Page(page)
    words = " ".join(parsed.words)
    for name in PES:
        assert words.count(name) >= 2
    for section in ("gates_28nm", "mixed", "shift-and-add", "dequantize", "claims", "gates", "conventions"):
        assert section in parsed.ids
    assert len(parsed.ids) == len(set(parsed.ids))
    assert "<here>" not in page
    assert "yuzhang712/mixpe_simulator, dse.py" in words  # a published figure names where it was published
    links = [value for _, name, value in parsed.attributes if name in ("href", "src", "xlink:href")]
    assert all(link.startswith("#") for link in links)
    assert {link[1:] for link in links} <= set(parsed.ids)
    assert "wins by" in words
    for what, _ in MIXED.sources:
        assert what in words
    assert page == render(found, command=COMMAND)


def test_the_page_without_synthesis_says_so(without_synthesis):
    words = " ".join(Page(render(without_synthesis, command=COMMAND)).words)
    assert "the question stays open here" in words
    assert "No synthesis table is installed" in words
    assert "mixed" not in words


def test_the_table_fits_and_names_every_pe(found, without_synthesis):
    for one in (found, without_synthesis):
        lines = text(one).splitlines()
        assert max(map(len, lines)) <= 160
        for name in PES:
            assert any(line.startswith(name) for line in lines)
    assert "mixpe_w4a8*" in text(found)
    assert "2,500!" in text(found)


def test_the_csv_has_the_records(found):
    read = list(csv.DictReader(io.StringIO(to_csv(found))))
    assert len(read) == len(found.costs)
    for line, cost in zip(read, found.costs, strict=True):
        assert (line["pe"], line["technology"]) == (cost.pe, cost.technology)
        assert float(line["tops_per_mm2"]) == cost.tops_per_mm2
        assert float(line["sqnr_db"]) == found.errors[cost.pe].sqnr_db


def test_the_json_is_strict_and_whole(found):
    def refuse(constant):
        raise AssertionError(constant)

    data = json.loads(to_json(found), parse_constant=refuse)
    assert len(data["rows"]) == len(rows(found))
    assert data["gemm"]["m"] == Gemm(m=found.gemm.m, n=1, k=1).m == 2048
    assert data["claims"][0]["measured"][1]["technology"] == "mixed"
    assert {entry["variant"] for entry in data["dequantizers"]["test_7nm"]} == {"integer_dequantizer"}
    assert len(data["break_even"]) == 2 * 2 * 13


def test_the_command_writes_page_and_data(found, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(pe_comparison, "compare", lambda *_, **__: found)
    folder = tmp_path / "new" / "out"
    assert main(["report", "pe_comparison", "--out", str(folder)]) == 0
    assert {file.name for file in folder.iterdir()} == {
        "pe_comparison.html",
        "pe_comparison.csv",
        "pe_comparison.json",
    }
    assert "mixpe_w4a8" in capsys.readouterr().out


def test_unknown_reports_and_impossible_folders_are_refused(tmp_path, capsys):
    assert main(["report", "pe_comparisons", "--out", str(tmp_path)]) == 2
    assert "report is 'pe_comparisons', which is not known; nearest: pe_comparison" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["report", "pe_comparison", "--out", str(tmp_path / "file" / "out")]) == 2
    assert "which cannot be made" in capsys.readouterr().err
    assert main(["list", "reports"]) == 0
    assert "pe_comparison All PEs side by side" in " ".join(capsys.readouterr().out.split())
