"""``simhw check``: the table, what it finds in installed libraries, and what it says of those that are not."""

import importlib.util
import sys

import numpy as np
import pytest

from simhw.cli import main
from simhw.cli.check import table
from simhw.formats import ScaleRule, quantize_blocks
from simhw.peers import get_peer, installed_version, peer_names
from simhw.testing import InputClass, check_blocks

# A library of that name with the mistake of the real one: the exponent from a float32 logarithm.
FAKE_MX = {
    "__init__.py": "",
    "formats.py": """
class ElemFormat:
    @staticmethod
    def from_str(name):
        return name
""",
    "elemwise_ops.py": """
from simhw.formats import round_to
import torch
def _quantize_elemwise(A, elem_format, round="nearest", saturate_normals=False):
    assert round == "even" and saturate_normals
    return torch.from_numpy(round_to(A.numpy(), elem_format.partition("_")[2]).astype("float32"))
""",
    "mx_ops.py": """
from simhw.formats import get_element_format, round_to
import torch
def _quantize_mx(A, scale_bits, elem_format, axes=None, block_size=0, round="nearest"):
    assert (scale_bits, axes, block_size, round) == (8, [-1], 32, "even")
    fmt = get_element_format(elem_format.partition("_")[2])
    amax = A.abs().max(dim=-1, keepdim=True).values
    exponent = torch.floor(torch.log2(amax + (amax == 0) * 2.0**-126)) - fmt.max_exponent
    scale = 2.0 ** exponent.clip(-127, 127)
    return torch.from_numpy(round_to((A / scale).numpy(), fmt).astype("float32")) * scale
""",
}


def test_every_target_names_itself():
    assert peer_names() == ["gfloat", "microxcaling", "ml_dtypes", "torch", "torchao"]
    for name in peer_names():
        peer = get_peer(name)
        assert peer.name == name
        assert peer.install.startswith("pip install")


def test_ml_dtypes(capsys):
    assert main(["check", "ml_dtypes", "--details"]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0] == f"ml_dtypes {installed_version(get_peer('ml_dtypes'))}"
    assert lines[1].split()[:2] == ["format", "cast"]
    rows = {line.split()[0]: line for line in lines[2:14]}
    for name in ("e4m3", "e5m2", "e2m1", "e3m4", "bf16"):
        assert rows[name].split()[-1] == "0", rows[name]
    # Ties between powers of two go up, whatever the code's parity.
    assert "tie 127" in rows["e8m0"]
    assert "0.75 -> 1.0, expected 0.5" in rows["e8m0"]
    assert "encode and decode of e8m0" in out
    assert "smallest disagreement (tie):" in out


def test_torch_and_gfloat_by_cast():
    torch_casts = {cast.format: cast for cast in get_peer("torch").casts()}
    assert torch_casts["e4m3"].policy == "nearest_even, saturate"
    for name in ("e4m3", "e5m2", "e4m3fnuz", "e5m2fnuz"):
        report = torch_casts[name].run()
        assert report.agrees, report
    gfloat_casts = {cast.format: cast for cast in get_peer("gfloat").casts()}
    assert gfloat_casts["e2m3"].run().agrees
    assert gfloat_casts["p3109_k6p3se"].run().agrees
    blocks = gfloat_casts["mxfp4"].run()
    # floor(log2(amax)) in float32 is one too large a few units below a power of two.
    assert blocks.wrong == blocks.counts[InputClass.NEAR_TIE].wrong > 5
    assert "quantize_block(float32)" in table([(gfloat_casts["mxfp4"], blocks)])


@pytest.mark.parametrize("name", ["torchao", "microxcaling"])
def test_what_is_not_installed_takes_one_line(capsys, name):
    peer = get_peer(name)
    if importlib.util.find_spec(peer.module) is not None:
        pytest.skip(f"{name} is installed here")
    assert main(["check", name]) == 0
    assert capsys.readouterr().out == f"{name}: not installed; {peer.install}\n"


def test_microxcaling_is_called_as_it_is_written(capsys, tmp_path, monkeypatch):
    folder = tmp_path / "mx"
    folder.mkdir()
    for name, text in FAKE_MX.items():
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    for module in [name for name in sys.modules if name == "mx" or name.startswith("mx.")]:
        monkeypatch.delitem(sys.modules, module)
    assert main(["check", "microxcaling"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "microxcaling of unknown version"
    elements = [line for line in lines if "_quantize_elemwise" in line]
    assert [line.split()[-1] for line in elements] == ["0"] * 5
    blocks = [line for line in lines if "_quantize_mx" in line]
    assert len(blocks) == 5
    assert all("beside a tie" in line for line in blocks)
    for module in [name for name in sys.modules if name == "mx" or name.startswith("mx.")]:
        del sys.modules[module]


def test_a_library_that_breaks_is_told_and_the_others_go_on(capsys, monkeypatch):
    from dataclasses import replace

    from simhw import peers

    def breaks():
        raise TypeError("takes no arguments")

    peer = get_peer("torch")
    casts = [cast for cast in peer.casts() if cast.format in ("e4m3", "e5m2")]
    broken = replace(peer, casts=lambda: [replace(casts[0], run=breaks), casts[1]])
    monkeypatch.setattr(peers, "get_peer", lambda name: broken)  # noqa: ARG005
    assert main(["check", "torch"]) == 0
    out = capsys.readouterr().out
    assert "e4m3, to(float8_e4m3fn): could not be checked: TypeError: takes no arguments" in out
    assert "to(float8_e5m2)" in out

    def old():
        raise AttributeError("no float8")

    monkeypatch.setattr(peers, "get_peer", lambda name: replace(peer, casts=old))  # noqa: ARG005
    assert main(["check", "torch"]) == 0
    assert "has other functions than those checked here (no float8)" in capsys.readouterr().out


def test_unknown_target_is_one_sentence(capsys):
    assert main(["check", "numpy"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("simhw: check target is 'numpy', which is not known; nearest:")
    assert "ml_dtypes" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("rule", ["floor", "ceil", "even", "round_up"])
@pytest.mark.parametrize("name", ["mxfp4", "mxfp8_e4m3", "mxint8"])
def test_our_own_blocks_agree(name, rule):
    report = check_blocks(
        name, quantize=lambda blocks: quantize_blocks(blocks, name, scale_rule=rule).decode(), scale_rule=rule
    )
    assert report.agrees, report
    assert report.tried > 200


def test_the_wrong_scale_rule_is_found():
    report = check_blocks(
        "mxfp4", quantize=lambda blocks: quantize_blocks(blocks, "mxfp4", scale_rule=ScaleRule.CEIL).decode()
    )
    assert report.wrong > 50
    element, peak = report.first.inputs
    assert (element.name, peak.name) == ("element", "largest of its block")


def test_check_blocks_refuses():
    from simhw.errors import InputError

    with pytest.raises(InputError, match="quantize returned an array of shape"):
        check_blocks("mxfp4", quantize=lambda blocks: blocks[0])
    with pytest.raises(InputError, match="e2m1 is an element format"):
        check_blocks("e2m1", quantize=np.asarray)
