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


def test_bad_words_are_one_sentence(capsys):
    assert main(["rtl", "array", "mxfp4_dot"]) == 2
    assert "PEs of an array take activation, weight, first, enable in one" in capsys.readouterr().err
