"""Silero VAD, which hears speech (310 k parameters, convolutions and an LSTM); 'simhw models fetch silero_vad'.

Frames of 512 samples at 16 kHz (32 ms), each with the 64 samples before it. A convolution with a Fourier basis gives
129 magnitudes at 4 places, four convolutions one vector of 128, an LSTM carries it from frame to frame. The weights are
those of the package's safetensors file; its ONNX files hold another training of the same network.
"""

from __future__ import annotations

import io
import wave
from functools import cache
from pathlib import PurePosixPath

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional

from simhw.errors import InputError
from simhw.graph.network import Dataset, Metric, Network
from simhw.models.fetch import cached
from simhw.models.packages import RECORDINGS
from simhw.models.weights import fill

RATE, FRAME, CONTEXT = 16_000, 512, 64
"""Samples per second, per frame, and before each frame."""
WINDOW, HOP, BINS = 256, 128, 129
WIDTH = 128
FRAMES = 62
"""Of one sample: 2 seconds, of which nothing is known at the start."""
THRESHOLD = 0.5
EVALUATED, CALIBRATING = "librivox", "cards"
REMEDY = "run 'simhw models fetch silero_vad'"
LSTM_NAMES = {f"lstm_cell.{name}": f"lstm.{name}_l0" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}


class SileroVAD(nn.Module):
    """Probability of speech in each frame of a stretch of sound, heard from its start."""

    def __init__(self) -> None:
        super().__init__()
        self.stft_conv = nn.Conv1d(1, 2 * BINS, WINDOW, stride=HOP, bias=False)
        self.conv1 = nn.Conv1d(BINS, WIDTH, 3, padding=1)
        self.conv2 = nn.Conv1d(WIDTH, 64, 3, stride=2, padding=1)
        self.conv3 = nn.Conv1d(64, 64, 3, stride=2, padding=1)
        self.conv4 = nn.Conv1d(64, WIDTH, 3, padding=1)
        self.lstm = nn.LSTM(WIDTH, WIDTH, batch_first=True)
        self.final_conv = nn.Conv1d(WIDTH, 1, 1)

    def forward(self, sound: Tensor) -> Tensor:
        """Return ``(batch, frames)`` probabilities for ``(batch, 64 + 512 * frames)`` samples in -1 .. 1."""
        frames = (sound.shape[1] - CONTEXT) // FRAME
        pieces = sound.unfold(1, CONTEXT + FRAME, FRAME).reshape(-1, CONTEXT + FRAME)
        x = self.stft_conv(functional.pad(pieces, (0, CONTEXT), "reflect")[:, None])
        x = torch.sqrt(x[:, :BINS] ** 2 + x[:, BINS:] ** 2)
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            x = functional.relu(conv(x))
        states, _ = self.lstm(x.reshape(-1, frames, WIDTH))
        return torch.sigmoid(self.final_conv(functional.relu(states).transpose(1, 2)))[:, 0]


def load() -> SileroVAD:
    """Return the network in eval mode with its float32 weights; InputError when not fetched or damaged."""
    path = cached("silero_vad")
    try:
        tensors: dict[str, Tensor] = safetensors.torch.load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"weights file {path} cannot be read ({error}); {REMEDY}") from error
    module = SileroVAD()
    named = {LSTM_NAMES.get(name, name): tensor for name, tensor in tensors.items()}
    fill(module, named, origin=str(path), remedy=REMEDY)
    return module.eval()


def read_wave(data: bytes) -> NDArray[np.float32]:
    """Return the samples of a WAVE file in -1 .. 1; InputError unless it is 16 bit, mono, 16 kHz."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            form = (file.getframerate(), file.getnchannels(), 8 * file.getsampwidth())
            samples = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise InputError(f"sound cannot be read ({error}); a WAVE file is needed; {REMEDY}") from error
    if form != (RATE, 1, 16):
        raise InputError(f"sound has (Hz, channels, bits) {form}, must be {(RATE, 1, 16)}; convert it")
    return np.frombuffer(samples, "<i2").astype(np.float32) / np.float32(1 << 15)


def stretches(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ``(stretches, 64 + 512 * 62)``: consecutive ones, each after 64 zeros; zeros fill the last up."""
    length = FRAMES * FRAME
    count = -(-len(sound) // length)
    whole = np.zeros((count, CONTEXT + length), np.float32)
    whole[:, CONTEXT:] = np.pad(sound, (0, count * length - len(sound))).reshape(count, length)
    return whole


def recordings(folder: str) -> NDArray[np.float32]:
    """Return the stretches of all recordings of one folder of the package; InputError when they are not fetched."""
    names = [PurePosixPath(name) for name in RECORDINGS]
    files = [cached("silero_vad", name.name) for name in names if name.parent.name == folder]
    return np.concatenate([stretches(read_wave(file.read_bytes())) for file in files])


def dataset(samples: int | None = None, tokens: int | None = None) -> Dataset:
    """Return the first stretches of 2 s of read speech (default all 15); there are no targets, see `agreement`.

    Raises:
        InputError: samples is below 1 or above 15, tokens is given, or the recordings are not fetched.
    """
    if tokens is not None:
        raise InputError(f"tokens is {tokens}, but silero_vad hears stretches of sound; give samples instead")
    found = recordings(EVALUATED)
    count = len(found) if samples is None else samples
    if not 1 <= count <= len(found):
        raise InputError(f"samples is {count}, must be 1..{len(found)} stretches of {FRAMES} frames")
    return Dataset(inputs=found[:count], targets=np.zeros(count, np.int64), unit="frame", units=count * FRAMES)


def calibration() -> NDArray[np.float32]:
    """Return the stretches of 2 s of another speaker, who names playing cards."""
    return recordings(CALIBRATING)


@cache
def _float_module() -> SileroVAD:
    return load()


def agreement(logits: NDArray[np.float32], dataset: Dataset) -> dict[str, float]:
    """Return how often ``(stretches, frames)`` probabilities decide as those of the float model in torch.

    Returns:
        ``frame_agreement``: fraction of frames on the same side of 0.5, NaN counted as wrong; ``probability_error``:
        mean absolute difference, NaN where one is NaN; ``speech``: fraction of frames taken for speech.
    """
    wanted = (len(dataset.inputs), FRAMES)
    if logits.shape != wanted:
        raise InputError(
            f"probabilities have shape {logits.shape}, must be {wanted}; evaluate them with the dataset that produced"
            " them"
        )
    with torch.no_grad():
        exact = _float_module()(torch.from_numpy(np.asarray(dataset.inputs))).numpy()
    same = ~np.isnan(logits) & ((logits >= THRESHOLD) == (exact >= THRESHOLD))
    return {
        "frame_agreement": float(same.mean()),
        "probability_error": float(np.abs(logits.astype(np.float64) - exact).mean()),
        "speech": float((logits >= THRESHOLD).mean()),
    }


NETWORK = Network(
    name="silero_vad",
    description="Silero VAD, which hears speech (310 k parameters, convolutions and an LSTM);"
    " 'simhw models fetch silero_vad'.",
    source="silero-vad 6.2.3, float32, its 16 kHz network; speech: Debian's pocketsphinx-testdata",
    licence="weights MIT (Silero Team); speech BSD-2-Clause (pocketsphinx-testdata), not shipped here",
    metric=Metric(name="frame_agreement", higher_is_better=True, evaluate=agreement),
    load=load,
    dataset=dataset,
    calibration=calibration,
    batch=8,
    requirements=("simhw models fetch silero_vad",),
)
