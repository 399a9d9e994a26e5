"""``simhw explain`` of accumulators and datapaths: widths, overflow, error bounds; and of names that nothing has."""

import subprocess
import sys

import pytest

import simhw
from simhw.accumulators.catalog import accumulator_names
from simhw.catalog import entries
from simhw.cli import main
from simhw.gemm.datapaths import datapath_names
from simhw.pes import get_pe


def test_twice_from_the_package():
    """The module is not called like the function, or importing it would hide the function."""
    assert simhw.explain("e2m1") == simhw.explain("e2m1")
    assert callable(simhw.matmul)
    assert callable(simhw.plan)
    assert callable(simhw.explain)


@pytest.mark.parametrize("name", accumulator_names())
def test_every_accumulator(name):
    text = simhw.explain(name, k=256)
    assert f"accumulator {name}" in text
    for label in ("what", "rule", "worst-case sum", "overflow", "error bound", "source"):
        assert f"\n  {label} " in text
    assert "K = 256" in text


@pytest.mark.parametrize("name", datapath_names())
def test_every_datapath(name):
    text = simhw.explain(name)
    assert "worst-case sum" in text
    assert "error bound" in text


def test_figures(capsys):
    assert main(["explain", "w8a8_int8", "--k", "1000"]) == 0
    out = capsys.readouterr().out
    assert "K x 16384 = 2^24.0 for K = 1000 products of int8 x int8; exact in 25 bits from 2^0 on" in out.replace(
        "= 16384000", "= 2^24.0"
    )
    assert "possible from K = 131072 on" in out
    assert main(["explain", "hopper_e4m3_fp32", "--k", "4096"]) == 0
    out = capsys.readouterr().out
    assert "|error| <= 0.531 S + " in out
    assert "N = 128 blocks of L = 32, F = 13" in out
    assert main(["explain", "mxfp4"]) == 0
    assert "K = 32 products of e2m1 x e2m1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hopper_fp9"], "entry is 'hopper_fp9', which is not known; nearest: hopper_fp"),
        (["hopper_e4m3_fp32", "--k", "0"], "k is 0, must be at least 1"),
    ],
)
def test_bad_input_is_one_sentence(capsys, arguments, message):
    assert main(["explain", *arguments]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_accumulators_are_listed(capsys):
    assert main(["list", "accumulators"]) == 0
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()] == list(entries("accumulators")) == accumulator_names()


@pytest.mark.parametrize("arguments", ["--help", "list formats", "explain e4m3", "check --help", "dot --help"])
def test_commands_that_compute_nothing_import_neither_numba_nor_torch(arguments):
    code = (
        "import sys\nfrom simhw.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "assert not {'numba', 'torch', 'hypothesis'} & set(sys.modules), 'imported'\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments.split()], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", entries("pes"))
def test_every_pe_says_what_sets_its_widths(name):
    text = simhw.explain(name)
    pe = get_pe(name)
    for signal in pe.signals:
        assert f"{signal.bits} bit: {signal.worst_case}" in text
    for wanted in (pe.description, pe.source, "products per cycle", "horowitz_45nm", "um2", pe.dequantization.value):
        assert wanted in text


def test_accumulators_of_pes_follow_k():
    assert "20 bit: worst case of 128 products (19 with int4, 23 with int8)" in simhw.explain("mixpe_w4a8")
    assert "17 bit: worst case of 16 products" in simhw.explain("mixpe_w4a8", 16)
    assert "14 bit: worst case of 32 products" in simhw.explain("mxfp4_dot")


def test_rates_follow_both_operands():
    text = simhw.explain("bitfusion")
    assert "2 at 2 x 16, 4 x 8, 8 x 4, 16 x 2 bit" in text
    assert "(64 pairings)" in text
    assert "1/4 at 8 x 8 bit, 1/3 at 8 x 4 bit in the worst case; exact counts follow" in simhw.explain(
        "bit_serial_booth"
    )
