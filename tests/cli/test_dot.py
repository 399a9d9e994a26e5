"""``simhw dot``: what it prints, and the sentence for every bad file."""

import ml_dtypes
import numpy as np
import pytest

from simhw.cli import main


@pytest.fixture
def save(tmp_path):
    def write(name, array):
        path = tmp_path / f"{name}.npy"
        np.save(path, array)
        return str(path)

    return write


def run(capsys, *arguments):
    code = main(["dot", *arguments])
    out = capsys.readouterr()
    return code, out.out, out.err


def test_trace_of_values(capsys, save):
    a, b = save("a", np.float32([16.0, 2.0**-9, 0.3])), save("b", np.float32([16.0, 1.0, 0.0]))
    code, out, _ = run(capsys, "--trace", a, b)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("datapath  hopper_e4m3_fp32: aligned L=32 F=13")
    assert "3 values (float32) encoded to e4m3, 1 rounded" in lines[1]
    small = next(line for line in lines if line.startswith("k = 1"))
    assert small.split()[3:5] == ["0x1", "0x38"]
    numbers = small.split()[7:]
    assert numbers == ["0.001953125", "-6", "14", "1", "0.001953125", "256.0"]  # product .. sum
    assert [line.split() for line in lines[-3:]] == [
        ["result", "256.0"],
        ["exact", "256.001953125"],
        ["error", "-0.001953125"],
    ]


def test_codes_addend_and_other_datapaths(capsys, save):
    codes = np.array([0x38, 0xB8, 0x40], np.uint8)  # 1, -1, 2
    a = save("a", codes)
    code, out, _ = run(capsys, "--datapath", "fp8_e4m3_fp32", "--c", "0.5", a, a)
    assert code == 0
    assert "3 codes of e4m3" in out
    assert "result    6.5" in out
    own = save("own", codes.view(ml_dtypes.float8_e4m3fn))
    assert run(capsys, "--datapath", "fp8_e4m3_fp32", own, own)[1].count("3 codes of e4m3") == 2
    row = save("row", np.array([[3, -4]], np.int8))
    code, out, _ = run(capsys, "--datapath", "w8a8_int8", row, row)
    assert "result    25.0" in out


def test_nan_has_no_error_line(capsys, save):
    nan = save("nan", np.float32([np.nan]))
    code, out, _ = run(capsys, "--trace", nan, nan)
    assert code == 0
    assert "result    nan" in out
    assert not any(line.startswith("error") for line in out.splitlines())
    assert "encoded to e4m3, 0 rounded" in out


BAD = {
    "two axes": (np.zeros((2, 3)), "holds an array of shape (2, 3), must be one vector"),
    "no axis": (np.float32(3), "holds an array of shape (), must be one vector"),
    "empty": (np.zeros(0), "with k at least 1"),
    "text": (np.array(["x"]), "values have dtype <U1, must be real numbers"),
    "complex": (np.zeros(3, complex), "values have dtype complex128"),
    "length": (np.zeros(4), "must be two vectors of one length"),
    "codes": (np.full(3, 300, np.uint16), "a_codes: code is 300, must be 0..255 for e4m3"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_arrays_are_one_sentence(capsys, save, kind):
    array, message = BAD[kind]
    code, out, err = run(capsys, save("bad", array), save("good", np.zeros(3)))
    assert (code, out) == (2, "")
    assert message in err
    assert err.startswith("simhw: ")
    assert err.count("\n") == 1


def test_bad_files_are_one_sentence(capsys, save, tmp_path):
    good = save("good", np.zeros(3))
    text = tmp_path / "text.npy"
    text.write_text("not an array")
    objects = tmp_path / "objects.npy"
    np.save(objects, np.array([None, {}], object), allow_pickle=True)
    archive = tmp_path / "archive.npz"
    np.savez(archive, a=np.zeros(3))
    cases = [
        (tmp_path / "missing.npy", "cannot be read: No such file or directory; give a .npy file"),
        (tmp_path, "cannot be read: Is a directory"),
        (text, "is no array of numbers"),
        (objects, "is no array of numbers"),
        (archive, "holds several arrays"),
    ]
    for path, message in cases:
        code, _, err = run(capsys, str(path), good)
        assert code == 2
        assert message in err
        assert err.count("\n") == 1
    code, _, err = run(capsys, "--datapath", "hoper", good, good)
    assert code == 2
    assert "datapath is 'hoper', which is not known" in err
    code, _, err = run(capsys, "--c", "0.1", good, good)
    assert code == 2
    assert "c holds values that fp32, the format of the result, has not" in err
