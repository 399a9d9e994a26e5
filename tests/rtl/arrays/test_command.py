"""``simhw rtl array``."""

from simhw.cli import main


def test_export_and_check(tmp_path, capsys):
    words = ["rtl", "array", "mixpe_w4a8", "--rows", "2", "--columns", "3", "--group-size", "8"]
    assert main([*words, "--out", str(tmp_path), "--check", "--gemms", "4"]) == 0
    printed = capsys.readouterr().out.splitlines()
    name = "output_stationary_2x3_mixpe_w4a8_integer_dequantizer"
    assert printed[0].startswith(f"{name}: 2 x 3 mixpe_w4a8, one sum per PE")
    assert f"module {name}(" in (tmp_path / f"{name}.v").read_text()
    rows = [line.split() for line in printed[4:-1]]
    assert len(rows) == 8
    assert all(row[-1] == "equal" and row[-2] == row[-3] for row in rows)
    assert printed[-1] == "8 GEMMs: all results and cycles equal"


def test_a_difference_is_shown_and_is_the_exit_code(monkeypatch, capsys):
    from simhw.rtl.arrays import check

    monkeypatch.setattr(check, "predicted_cycles", lambda *_: 3)
    assert main(["rtl", "array", "int4_mac", "--rows", "1", "--columns", "1", "--check", "--gemms", "2"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "4 GEMMs: 4 differ"


def test_operands_of_several_formats(capsys):
    words = ["rtl", "array", "bitfusion", "--rows", "1", "--columns", "2", "--activation", "uint4", "--weight", "int2"]
    assert main([*words, "--check", "--gemms", "2"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[1].startswith("operands: uint4 x int2;")
    assert printed[-1] == "4 GEMMs: all results and cycles equal"


def test_bad_words_are_one_sentence(capsys):
    assert main(["rtl", "array", "bit_serial_booth", "--variant", "encoder"]) == 2
    assert "PEs of an array take operands that they hand on, first and enable" in capsys.readouterr().err
