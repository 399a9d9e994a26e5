from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from simhw.errors import InputError
from simhw.models import tiny_llama
from simhw.models.language import perplexity, read_text, read_tokenizer, sequences, token_bytes

TEXT = read_text(tiny_llama.HELD_OUT)


@pytest.fixture(scope="module")
def tokenizer():
    return read_tokenizer(tiny_llama.TOKENIZER, remedy="train again")


@pytest.mark.parametrize("text", [TEXT[:5000], "", " leading", "tab\tand\nnew line", "naïve – 日本語 🙂", "\x00\x7f"])
def test_tokenizer_round_trip(tokenizer, text):
    ids = tokenizer.encode(text).ids
    assert tokenizer.decode(ids) == text
    assert token_bytes(tokenizer)[ids].sum() == len(text.encode())


def test_tokenizer_vocabulary(tokenizer):
    assert tokenizer.get_vocab_size() == tiny_llama.SHAPE.vocabulary == len(token_bytes(tokenizer))


@pytest.mark.parametrize(
    ("samples", "tokens", "shape"),
    [
        (None, None, (3, 8)),
        (1, None, (1, 8)),
        (5, None, (5, 8)),
        (None, 1, (1, 1)),
        (None, 7, (1, 7)),
        (None, 8, (1, 8)),
        (None, 15, (1, 8)),
        (None, 16, (2, 8)),
        (None, 31, (3, 8)),
    ],
)
def test_how_text_is_cut(tokenizer, samples, tokens, shape):
    ids = tokenizer.encode(TEXT[:2000]).ids
    data = sequences(TEXT[:2000], tokenizer, context=8, default=24, samples=samples, tokens=tokens)
    used = math.prod(shape)
    assert data.inputs.shape == data.targets.shape == shape
    assert data.inputs.flatten().tolist() == ids[:used]
    assert data.targets.flatten().tolist() == ids[1 : used + 1]
    assert (data.unit, data.units) == ("token", used)
    predicted = tokenizer.decode(ids[: used + 1])[len(tokenizer.decode(ids[:1])) :]
    assert data.bytes_predicted == len(predicted.encode())


@pytest.mark.parametrize(
    ("samples", "tokens", "message"),
    [
        (0, None, r"samples is 0, must be 1\.\.\d+ sequences of 128 tokens"),
        (-3, None, "samples is -3, must be"),
        (10_000, None, "samples is 10000, must be"),
        (None, 0, r"tokens is 0, must be 1\.\.\d+; that is all the held-out text"),
        (None, -1, "tokens is -1, must be"),
        (None, 10**9, "tokens is 1000000000, must be"),
        (2, 128, "samples is 2 and tokens is 128; only one can be given"),
    ],
)
def test_impossible_amounts(samples, tokens, message):
    with pytest.raises(InputError, match=message):
        tiny_llama.NETWORK.dataset(samples, tokens)


def test_the_most_that_is_allowed_is_there(tokenizer):
    most = len(tokenizer.encode(TEXT).ids) - 1
    assert tiny_llama.NETWORK.dataset(None, most).units == most // 128 * 128
    with pytest.raises(InputError, match=f"tokens is {most + 1}"):
        tiny_llama.NETWORK.dataset(None, most + 1)


def test_perplexity_is_the_cross_entropy_of_torch():
    data = tiny_llama.NETWORK.dataset(3, None)
    logits = np.random.default_rng(0).normal(size=(3, 128, 1024)).astype(np.float32) * 5
    mean = functional.cross_entropy(
        torch.from_numpy(logits).double().flatten(0, 1), torch.from_numpy(data.targets).flatten()
    ).item()
    found = perplexity(logits, data)
    # two float64 sums in different order
    assert found["perplexity"] == pytest.approx(math.exp(mean), rel=1e-12)
    assert found["bits_per_byte"] == pytest.approx(mean / math.log(2) * 384 / data.bytes_predicted, rel=1e-12)


def test_perplexity_of_even_certain_and_broken_logits():
    data = tiny_llama.NETWORK.dataset(1, None)
    even = np.zeros((1, 128, 1024), np.float32)
    assert perplexity(even, data)["perplexity"] == pytest.approx(1024, rel=1e-12)
    certain = np.eye(1024, dtype=np.float32)[data.targets] * 1000
    assert perplexity(certain, data) == {"perplexity": 1.0, "bits_per_byte": 0.0}
    assert perplexity(-3e38 * certain.clip(0, 1), data)["perplexity"] == math.inf
    even[0, 5, 7] = np.nan
    assert math.isnan(perplexity(even, data)["perplexity"])


@pytest.mark.parametrize("shape", [(2, 128, 1024), (1, 127, 1024), (128, 1024)])
def test_logits_of_another_shape(shape):
    data = tiny_llama.NETWORK.dataset(1, None)
    with pytest.raises(InputError, match=r"logits have shape .*, must be \(1, 128\) \+ \(vocabulary,\)"):
        perplexity(np.zeros(shape, np.float32), data)


@pytest.mark.parametrize("content", [None, "", "{", "{}", "\xff"])
def test_damaged_tokenizer(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_text(content, encoding="latin-1")
    with pytest.raises(InputError, match=r"tokenizer .*tokenizer\.json cannot be read .*; train again"):
        read_tokenizer(path, remedy="train again")


def test_absent_text():
    with pytest.raises(InputError, match=r"text .*nothing\.txt cannot be read"):
        read_text("nothing.txt")
