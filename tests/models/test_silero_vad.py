"""Silero VAD: a random instance and made-up sound everywhere; the publisher's ONNX where it is fetched (slow)."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest
import torch
from torch.nn import functional

from simhw.errors import InputError
from simhw.executor import run_float
from simhw.graph.frontends.torch_export import import_module
from simhw.graph.network import Dataset
from simhw.models import silero_vad
from simhw.models.fetch import cached
from simhw.models.silero_vad import SileroVAD, read_wave, stretches


def sound(frames, count=2):
    random = np.random.default_rng(7)
    return random.uniform(-0.5, 0.5, (count, 64 + 512 * frames)).astype(np.float32)


@pytest.fixture(scope="module")
def module():
    torch.manual_seed(2)
    return SileroVAD().eval()


def frame_by_frame(module, row):
    """The network as its publisher streams it: one frame after the other through a cell, the state handed on."""
    cell = torch.nn.LSTMCell(128, 128)
    cell.load_state_dict({name.removesuffix("_l0"): tensor for name, tensor in module.lstm.state_dict().items()})
    state = (torch.zeros(1, 128), torch.zeros(1, 128))
    found = []
    for start in range(64, len(row), 512):
        x = functional.pad(row[None, None, start - 64 : start + 512], (0, 64), "reflect")
        x = module.stft_conv(x)
        x = (x[:, :129] ** 2 + x[:, 129:] ** 2).sqrt()
        for conv in (module.conv1, module.conv2, module.conv3, module.conv4):
            x = conv(x).relu()
        state = cell(x.squeeze(-1), state)
        found.append(module.final_conv(state[0].relu()[..., None]).sigmoid().item())
    return found


def test_all_frames_at_once_are_the_frames_one_by_one(module):
    inputs = torch.from_numpy(sound(5))
    with torch.no_grad():
        found = module(inputs)
        wanted = [frame_by_frame(module, row) for row in inputs]
    assert found.shape == (2, 5)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5, atol=1e-6)


def test_it_imports_and_keeps_its_numbers(module):
    inputs = sound(3, 4)
    with torch.no_grad():
        wanted = module(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(run_float(import_module(module, inputs), inputs), wanted, rtol=1e-5, atol=1e-6)


def test_parameter_count():
    assert sum(parameter.numel() for parameter in SileroVAD().parameters()) == 309_633


def wave_file(samples, rate=16_000, channels=1):
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setframerate(rate)
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.writeframes(np.asarray(samples, "<i2").tobytes())
    return data.getvalue()


def test_samples_of_a_wave_file():
    assert read_wave(wave_file([0, -32768, 16384])).tolist() == [0.0, -1.0, 0.5]
    with pytest.raises(InputError, match=r"sound has \(Hz, channels, bits\) \(8000, 1, 16\), must be \(16000, 1, 16\)"):
        read_wave(wave_file([0], rate=8000))
    for damaged in (b"", b"RIFF", wave_file([0])[:30], b"no wave file at all, but long enough to look at"):
        with pytest.raises(InputError, match=r"sound cannot be read .* a WAVE file is needed"):
            read_wave(damaged)


def test_stretches_keep_every_sample_and_begin_in_silence():
    samples = np.arange(1, 62 * 512 + 1001, dtype=np.float32)
    found = stretches(samples)
    assert found.shape == (2, 64 + 62 * 512)
    assert not found[:, :64].any()
    assert found[:, 64:].reshape(-1)[: len(samples)].tolist() == samples.tolist()
    assert not found[1, 64 + 1000 :].any()


def test_figures_of_known_probabilities(monkeypatch):
    exact = np.tile(np.asarray([0.2, 0.9], np.float32), (1, 31))
    monkeypatch.setattr(silero_vad, "_float_module", lambda: lambda _: torch.from_numpy(exact))
    data = Dataset(inputs=np.zeros((1, 8), np.float32), targets=np.zeros(1, np.int64), unit="frame", units=62)
    assert silero_vad.agreement(exact, data) == {"frame_agreement": 1.0, "probability_error": 0.0, "speech": 0.5}
    moved = exact + np.float32(0.25)
    moved[0, 0] = 0.75
    figures = silero_vad.agreement(moved, data)
    assert figures["frame_agreement"] == 61 / 62
    assert figures["probability_error"] == pytest.approx((61 * 0.25 + 0.55) / 62)
    figures = silero_vad.agreement(np.where(exact > 0.5, np.nan, exact), data)
    assert figures["frame_agreement"] == 0.5
    assert np.isnan(figures["probability_error"])
    with pytest.raises(InputError, match=r"probabilities have shape \(1, 5\), must be \(1, 62\)"):
        silero_vad.agreement(exact[:, :5], data)


@pytest.mark.parametrize("action", ["load", "dataset", "calibration"])
def test_not_fetched(action, tmp_path, monkeypatch):
    monkeypatch.setenv("SIMHW_CACHE", str(tmp_path))
    arguments = (None, None) if action == "dataset" else ()
    with pytest.raises(InputError, match="not fetched yet; run 'simhw models fetch silero_vad'"):
        getattr(silero_vad.NETWORK, action)(*arguments)


def test_sound_is_not_counted_in_tokens():
    with pytest.raises(InputError, match="tokens is 8, but silero_vad hears stretches of sound; give samples"):
        silero_vad.dataset(None, 8)


def fetched(file=None):
    try:
        silero_vad.recordings(silero_vad.EVALUATED)
        return cached("silero_vad", file)
    except InputError as error:
        pytest.skip(str(error))


def with_weights_of(graph):
    """The module with the weights of the publisher's ONNX file, which are not those of its safetensors file."""
    from onnx import numpy_helper

    arrays = {item.name: torch.from_numpy(numpy_helper.to_array(item).copy()) for item in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    (lstm,) = (node for node in graph.node if node.op_type == "LSTM")
    names = ("stft_conv", "conv1", "conv2", "conv3", "conv4", "final_conv")
    state = {}
    for name, node in zip(names, convolutions, strict=True):
        state |= {f"{name}.{kind}": arrays[key] for kind, key in zip(("weight", "bias"), node.input[1:], strict=False)}

    def gates(x):
        """ONNX orders them input, output, forget, cell; PyTorch input, forget, cell, output."""
        i, o, f, c = x.chunk(4)
        return torch.cat((i, f, c, o))

    w, r, b = (arrays[name][0] for name in lstm.input[1:4])
    state |= {"lstm.weight_ih_l0": gates(w), "lstm.weight_hh_l0": gates(r)}
    state |= {"lstm.bias_ih_l0": gates(b[:512]), "lstm.bias_hh_l0": gates(b[512:])}
    module = SileroVAD()
    module.load_state_dict(state)
    return module.eval()


@pytest.mark.slow
def test_the_module_hears_as_the_publishers_onnx_does():
    path = fetched("silero_vad_16k_sequence.onnx")
    onnx = pytest.importorskip("onnx")
    session = pytest.importorskip("onnxruntime").InferenceSession(str(path))
    data = silero_vad.dataset()
    with torch.no_grad():
        found = with_weights_of(onnx.load(path).graph)(torch.from_numpy(data.inputs)).numpy()
        other = silero_vad.load()(torch.from_numpy(data.inputs)).numpy()
    zeros = np.zeros((1, 1, 128), np.float32)
    wanted = np.empty_like(found)
    for row, probabilities in zip(data.inputs, wanted, strict=True):
        frames = np.lib.stride_tricks.sliding_window_view(row, 576)[::512]
        probabilities[:] = session.run(["speech_probs"], {"input": frames, "h": zeros, "c": zeros})[0]
    # both add in float32 in an order of their own, over 62 frames of a recurrent state
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    # the two trainings hear the same speech: they decide alike in 0.985 of the frames
    assert ((other >= 0.5) == (wanted >= 0.5)).mean() > 0.95


@pytest.mark.slow
def test_the_real_network_hears_read_speech_and_its_pauses():
    fetched()
    data = silero_vad.dataset()
    with torch.no_grad():
        found = silero_vad.load()(torch.from_numpy(data.inputs)).numpy()
    assert data.inputs.shape == (15, 64 + 62 * 512)
    assert 0.65 < (found >= 0.5).mean() < 0.9
    with pytest.raises(InputError, match=r"samples is 16, must be 1\.\.15 stretches"):
        silero_vad.dataset(16)


@pytest.mark.slow
def test_the_real_network_hears_no_speech_in_noise():
    fetched()
    noise = np.random.default_rng(1).normal(0, 0.1, (1, 64 + 62 * 512)).astype(np.float32)
    with torch.no_grad():
        assert float(silero_vad.load()(torch.from_numpy(noise)).max()) < 0.5
