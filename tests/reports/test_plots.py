"""The figures, read back as XML: what is drawn is what the rows say."""

import dataclasses
import math
import re
from xml.etree import ElementTree

import pytest

from simhw.reports import plots
from simhw.reports.svg import PAGE_COLORS
from simhw.rows import ENERGY_PARTS

FIGURES = [plots.accuracy_against_energy, plots.energy_by_part, plots.layer_sqnr]


def parse(svg):
    """Parse the element as an HTML page does, where ``xlink`` needs no declaration."""
    return ElementTree.fromstring(svg.replace("<svg", '<svg xmlns:xlink="xlink"', 1))


def texts(svg):
    return [element.text for element in parse(svg).iter("text")]


@pytest.fixture(scope="module", params=FIGURES, ids=lambda figure: figure.__name__)
def figure(request):
    return request.param


@pytest.fixture(scope="module")
def svg(figure, llama_rows):
    return figure(llama_rows)


def test_self_contained_and_themed(svg):
    assert "http" not in svg
    assert "data:" not in svg
    assert "DejaVu" not in svg
    assert not any(stand_in in svg for stand_in in PAGE_COLORS)
    assert "currentColor" in svg
    assert 'role="img"' in svg


def test_ids_are_unique_and_references_lead_somewhere(svg):
    ids = re.findall(r' id="([^"]*)"', svg)
    assert len(ids) == len(set(ids))
    assert all(name.startswith("tiny_llama-") for name in ids)
    assert set(re.findall(r'(?:href="|url\()#([^")]*)', svg)) <= set(ids)


def test_the_same_rows_give_the_same_bytes(figure, svg, llama_rows):
    assert figure(list(llama_rows)) == svg


def test_every_datapath_is_named(figure, svg, llama_rows):
    without_error = {"fp32"} if figure is plots.layer_sqnr else set()
    assert {row.datapath for row in llama_rows} - set(texts(svg)) == without_error


def markers(svg):
    """Return the position of each point in the scatter, by datapath."""
    positions = {}
    for group in parse(svg).iter("g"):
        name = group.get("id", "").partition("-point-")[2]
        if name:
            (use,) = group.iter("use")
            positions[name] = (float(use.get("x")), float(use.get("y")))
    return positions


@pytest.mark.parametrize("network", ["llama_rows", "resnet_rows"])
def test_points_lie_where_the_rows_say(network, request):
    rows = request.getfixturevalue(network)
    places = markers(plots.accuracy_against_energy(rows))
    assert list(places) == [row.datapath for row in rows]
    a, b = rows[0], rows[-2]
    width = places[a.datapath][0] - places[b.datapath][0]
    height = places[a.datapath][1] - places[b.datapath][1]
    for row in rows:
        x, y = places[row.datapath]
        share = math.log(row.energy_total_pj / b.energy_total_pj) / math.log(a.energy_total_pj / b.energy_total_pj)
        # The SVG rounds coordinates to a millionth.
        assert math.isclose(x, places[b.datapath][0] + share * width, abs_tol=1e-4)
        share = (row.metric - b.metric) / (a.metric - b.metric)
        assert math.isclose(y, places[b.datapath][1] + share * height, abs_tol=1e-4)


def test_the_front_is_drawn_in_bold_and_in_the_accent(llama_rows):
    svg = plots.accuracy_against_energy(llama_rows)
    bold = {element.text for element in parse(svg).iter("text") if "700" in element.get("style", "")}
    # By hand: from little energy to much, each better than all before.
    assert bold == {"mxfp4", "w4a8_mixpe", "w8a8_int8", "bf16", "fp16", "fp32"}


def test_energies_close_together_have_a_linear_axis(llama_rows):
    rows = [row for row in llama_rows if row.datapath in ("fp8_e4m3_fp32", "w4a16_mixpe")]
    marks = [text for text in texts(plots.accuracy_against_energy(rows)) if re.fullmatch(r"[\d,]+", text)]
    assert len(marks) >= 3


def test_large_energies_are_written_out(llama_rows):
    rows = [
        dataclasses.replace(row, energy_pj={part: 1e3 * energy for part, energy in row.energy_pj.items()})
        for row in llama_rows
    ]
    assert "10,000,000" in texts(plots.accuracy_against_energy(rows))
    assert not any("e+" in text for figure in FIGURES for text in texts(figure(rows)))


def test_a_row_without_a_number_has_no_point(llama_rows):
    broken = dataclasses.replace(llama_rows[-1], metric=math.nan)
    names = texts(plots.accuracy_against_energy([*llama_rows[:-1], broken]))
    assert "nvfp4" not in names
    assert "mxfp4" in names
    assert plots.accuracy_against_energy([broken]) == ""
    assert plots.front_of([broken]) == []


def test_infinite_perplexity_is_on_no_front(llama_rows):
    broken = dataclasses.replace(llama_rows[-2], metric=math.inf)
    assert 0 not in plots.front_of([broken, *llama_rows[:4]])


def bars(svg):
    """Return (left, right, fill) of every bar, in the order in which they are drawn."""
    found = []
    for path in parse(svg).iter("path"):
        fill = re.search(r"fill: (#\w+)", path.get("style", ""))
        if fill and fill[1] in plots.PART_COLORS.values() and path.get("clip-path"):
            x = [float(value) for value in re.findall(r"[ML] (\S+) \S+", path.get("d"))]
            found.append((min(x), max(x), fill[1]))
    return found


def test_bars_are_as_long_as_the_parts(llama_rows):
    resting = {"leakage": 0.1 * llama_rows[0].energy_pj["sram"], "static": 0.2 * llama_rows[0].energy_pj["dram"]}
    llama_rows = [dataclasses.replace(row, energy_pj={**row.energy_pj, **resting}) for row in llama_rows]
    drawn = bars(plots.energy_by_part(llama_rows))
    assert len(drawn) == len(ENERGY_PARTS) * len(llama_rows)
    scale = (drawn[0][1] - drawn[0][0]) / llama_rows[0].energy_pj["multiply"]
    for p, part in enumerate(ENERGY_PARTS):
        for r, row in enumerate(llama_rows):
            left, right, fill = drawn[p * len(llama_rows) + r]
            assert fill == plots.PART_COLORS[part]
            # The SVG rounds coordinates to a millionth.
            assert math.isclose(right - left, scale * row.energy_pj[part], abs_tol=1e-4)
            if p:
                assert math.isclose(left, drawn[(p - 1) * len(llama_rows) + r][1], abs_tol=1e-4)


def test_every_part_has_a_colour_of_its_own():
    assert set(plots.PART_COLORS) == set(ENERGY_PARTS)
    assert len(set(plots.PART_COLORS.values())) == len(ENERGY_PARTS)


def test_the_heat_map_writes_every_value(resnet_rows):
    found = texts(plots.layer_sqnr(resnet_rows))
    values = [f"{layer.sqnr_db:.1f}" for i in range(10) for row in resnet_rows[1:] for layer in [row.layers[i]]]
    assert [text for text in found if re.fullmatch(r"[\d.]+", text)] == values
    assert {layer.name for layer in resnet_rows[0].layers} <= set(found)


def test_the_heat_map_without_any_error_is_empty(llama_rows):
    assert plots.layer_sqnr(llama_rows[:1]) == ""


def test_the_heat_map_of_a_broken_layer(resnet_rows):
    row = resnet_rows[3]
    layers = [dataclasses.replace(row.layers[0], sqnr_db=math.nan), *row.layers[1:]]
    assert "nan" in texts(plots.layer_sqnr([dataclasses.replace(row, layers=layers)]))


def test_a_deep_network_has_thin_rows_without_values(resnet_rows):
    row = resnet_rows[3]
    layers = [dataclasses.replace(row.layers[0], name=f"layers.{i}") for i in range(270)]
    deep = plots.layer_sqnr([dataclasses.replace(row, layers=layers)])
    height = float(re.search(r'viewBox="0 0 \S+ (\S+)"', deep)[1])
    assert height < 72 * 20
    assert not any(re.fullmatch(r"[\d.]+", text) for text in texts(deep))
    assert "layers.0" in texts(deep)


def test_names_are_text_not_markup(llama_rows):
    row = dataclasses.replace(llama_rows[5], datapath="<b>$x_1$ & co</b>")
    for figure in FIGURES:
        assert "<b>$x_1$ & co</b>" in texts(figure([row]))
