import dataclasses
import io

import pytest
from rich.console import Console

from simhw.errors import InputError
from simhw.reports.table import console_table, text


def lines_of(rows, datapath, **options):
    return [line for line in text(rows, **options).splitlines() if line.startswith(f"{datapath} ")]


def test_one_line_per_row_with_every_column(llama_rows):
    (line,) = lines_of(llama_rows, "w4a8_mixpe")
    assert line.split() == [
        "w4a8_mixpe", "48.03", "+2.779", "+6.14%", "21.0", "layers.4.feed_forward.down", "(15.2)",
        "82,970", "1.98x", "7,627", "SRAM", "47%", "4.49x", "0.350",
    ]  # fmt: skip
    lines = text(llama_rows).splitlines()
    assert lines[0] == "tiny_llama: 4,096 tokens on 32 x 32 PEs"
    heading = " ".join(lines[1:4]).split()
    wanted = (
        "datapath perplexity change against float logit SQNR dB worst layer (SQNR dB) cycles speed-up "
        "energy uJ by part energy ratio PE-array area mm2"
    )
    assert sorted(heading) == sorted(wanted.split())
    assert "output_stationary, overlap none, horowitz_45nm" in lines[-1]


def test_the_parts_are_the_largest(resnet_rows):
    (line,) = lines_of(resnet_rows, "fp32")
    # 3.7, 1.9, 1.3 and 0.9 of 7.82 pJ per MAC
    assert "multiply 47% SRAM 24% DRAM 17% accumulate 12%" in line


def test_plain_ascii(llama_rows, resnet_rows):
    for group in (llama_rows, resnet_rows):
        assert text(group).isascii()


@pytest.mark.parametrize("width", [400, 160, 130, 115, 100, 80])
def test_nothing_is_cut_at_any_width(llama_rows, resnet_rows, width):
    for rows in (llama_rows, resnet_rows):
        lines = text(rows, width=width).splitlines()
        assert max(map(len, lines)) <= width
        for row in rows:
            (line,) = [line for line in lines if line.startswith(f"{row.datapath} ") and "same array" not in line]
            assert f"{row.speedup:.2f}x" in line.split()
            assert f"{row.energy_ratio:.2f}x" in line.split()


def test_far_too_narrow_folds_and_keeps_every_character(llama_rows):
    page = text(llama_rows, width=40)
    assert "…" not in page
    assert max(map(len, page.splitlines())) <= 40


def test_what_is_left_out_is_named(llama_rows):
    assert "no room for" not in text(llama_rows)
    assert "no room for: cycles, worst layer" in " ".join(text(llama_rows, width=90).split())


def test_a_terminal_gets_the_same_figures(llama_rows):
    stream = io.StringIO()
    Console(file=stream, width=160, force_terminal=True, color_system=None).print(console_table(llama_rows))
    assert "7,627" in stream.getvalue()
    assert "…" not in stream.getvalue()


def test_without_fp16_there_are_dashes(llama_rows):
    row = dataclasses.replace(llama_rows[5], speedup=None, energy_ratio=None)
    assert text([row]).splitlines()[-2].split().count("-") == 2


def test_no_error_at_all(llama_rows):
    (line,) = lines_of(llama_rows, "fp32")
    assert line.split()[4:6] == ["inf", "-"]


def test_names_are_not_markup(llama_rows):
    row = dataclasses.replace(llama_rows[5], datapath="[red]mine[/red]")
    assert "[red]mine[/red]" in text([row])


def test_a_datapath_with_two_schemes_shows_them(llama_rows):
    other = dataclasses.replace(llama_rows[5], scheme="w4a8_group32")
    page = text([llama_rows[0], llama_rows[5], other], width=200)
    assert "\nw4a8_mixpe / w4a8 " in page
    assert "\nw4a8_mixpe / w4a8_group32 " in page
    assert "\nfp32 " in page


def test_rows_of_one_network_only(rows):
    with pytest.raises(InputError, match="rows of 2 networks, must be 1"):
        console_table(rows)
    with pytest.raises(InputError, match="rows of 0 networks, must be 1"):
        console_table([])
