"""PP-OCR's data and figures with made-up scores everywhere, its networks where they are fetched (slow)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from simhw.errors import InputError
from simhw.executor import run_float
from simhw.graph.frontends.torch_export import import_module
from simhw.models import ppocr_cls, ppocr_rec
from simhw.models.fetch import cached

CHARACTERS = ("", *map(chr, range(33, 127)), " ")


@pytest.fixture
def _known(monkeypatch):
    monkeypatch.setattr(ppocr_rec, "characters", lambda: CHARACTERS)


def scores_of(texts, steps):
    """Scores that spell each text, a blank after every character."""
    path = np.zeros((len(texts), steps), np.int64)
    for row, text in zip(path, texts, strict=True):
        row[: 2 * len(text) : 2] = [CHARACTERS.index(character) for character in text]
    return np.eye(len(CHARACTERS), dtype=np.float32)[path]


@pytest.mark.usefixtures("_known")
def test_perfect_scores_read_without_error():
    data = ppocr_rec.dataset(4)
    texts = ppocr_rec.as_texts(data.targets)
    assert data.inputs.shape == (4, 3, 48, 320)
    assert (data.unit, data.units) == ("line", 4)
    assert texts[0].startswith("Madam")
    assert len(set(map(len, texts))) > 1
    perfect = scores_of(texts, 80)
    assert ppocr_rec.read(perfect, data) == {"character_error_rate": 0.0, "exact_lines": 1.0}
    perfect[0, 0] = np.nan  # the first character is lost
    total = sum(map(len, texts))
    assert ppocr_rec.read(perfect, data) == {"character_error_rate": 1 / total, "exact_lines": 0.75}
    with pytest.raises(InputError, match=r"scores have shape \(3, 80, 96\), must be \(4, steps, 96\)"):
        ppocr_rec.read(perfect[:3], data)


def test_rotated_lines_and_their_accuracy():
    data = ppocr_cls.dataset(6)
    assert data.inputs.shape == (6, 3, 48, 192)
    assert data.targets.tolist() == [0, 1, 0, 1, 0, 1]
    dark = data.inputs[:, 0] < -0.2
    upright, turned = dark[0], dark[1]
    assert upright[:, :96].sum() > upright[:, 96:].sum()  # text begins at the left
    assert turned[:, 96:].sum() > turned[:, :96].sum()
    scores = np.eye(2, dtype=np.float32)[data.targets]
    assert ppocr_cls.rotation(scores, data) == {"rotation_accuracy": 1.0}
    scores[0] = scores[0, ::-1]
    scores[1, 0] = np.nan
    assert ppocr_cls.rotation(scores, data) == {"rotation_accuracy": 4 / 6}
    with pytest.raises(InputError, match=r"scores have shape \(5, 2\), must be \(6, 2\)"):
        ppocr_cls.rotation(scores[:5], data)


@pytest.mark.parametrize("module", [ppocr_rec, ppocr_cls], ids=["rec", "cls"])
def test_lines_of_calibration_are_others_and_amounts_are_checked(module):
    data, others = module.dataset(8), module.calibration()
    assert others.shape[1:] == data.inputs.shape[1:]
    assert others.dtype == data.inputs.dtype == np.float32
    seen = {row.tobytes() for row in data.inputs}
    assert not any(row.tobytes() in seen for row in others)
    for samples in (0, 1001):
        with pytest.raises(InputError, match=rf"samples is {samples}, must be 1\.\.1000 lines"):
            module.dataset(samples)
    with pytest.raises(InputError, match=r"tokens is 9, but ppocr_.* lines; give samples"):
        module.dataset(None, 9)
    assert len(module.dataset(1000).inputs) == 1000


@pytest.mark.parametrize("module", [ppocr_rec, ppocr_cls], ids=["rec", "cls"])
def test_not_fetched(module, tmp_path, monkeypatch):
    monkeypatch.setenv("SIMHW_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=f"not fetched yet; run 'simhw models fetch {module.NETWORK.name}'"):
        module.load()


@pytest.mark.slow
@pytest.mark.parametrize(("module", "samples", "tolerance"), [(ppocr_rec, 6, 2e-4), (ppocr_cls, 40, 1e-5)])
def test_the_real_network_is_onnx_runtimes(module, samples, tolerance):
    """Scores are probabilities; the two add in float32 in another order, over 57 convolutions of `rec`."""
    name = module.NETWORK.name
    try:
        path = cached(name)
    except InputError as error:
        pytest.skip(str(error))
    session = pytest.importorskip("onnxruntime").InferenceSession(str(path))
    data = module.dataset(samples)
    (wanted,) = session.run(None, {"x": data.inputs})
    network = module.load()
    with torch.no_grad():
        np.testing.assert_allclose(network(torch.from_numpy(data.inputs)).numpy(), wanted, atol=tolerance)
    found = run_float(import_module(network, data.inputs), data.inputs[:2])
    np.testing.assert_allclose(found, wanted[:2], atol=tolerance)
    figures = module.NETWORK.metric.evaluate(wanted, data)
    if module is ppocr_rec:
        assert figures["character_error_rate"] <= 0.01
    else:
        assert figures["rotation_accuracy"] >= 0.95
