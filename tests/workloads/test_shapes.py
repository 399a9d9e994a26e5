"""Shapes against published parameter counts, published work, and networks built in torch."""

from __future__ import annotations

from importlib.resources import files

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from simhw.arrays import Gemm
from simhw.arrays.convolution import Convolution
from simhw.errors import InputError
from simhw.workloads import Inference, Phase, Work, WorkKind, load_shape, shape_names, shape_of_file
from simhw.workloads.base import Shape
from simhw.workloads.functions import function_work

PARAMETERS = {
    # as the published checkpoints have them
    "llama2_7b": 6_738_415_616,
    "llama2_13b": 13_015_864_320,
    "llama2_70b": 68_976_648_192,
    "llama3_8b": 8_030_261_248,
    "mixtral_8x7b": 46_702_792_704,
    "opt_6_7b": 6_658_473_984,
    "bert_base": 109_482_240,
    "vit_b": 86_567_656,
    "vit_h": 632_045_800,
    "mamba_2_8b": 2_768_345_600,
    "resnet18": 11_689_512,
    "resnet50": 25_557_032,
    "mobilenet_v2": 3_504_872,
    "efficientformer_l1": 12_289_928,
}


def test_every_shape_has_the_published_number_of_parameters():
    assert {name: load_shape(name).parameters for name in shape_names()} == PARAMETERS


@pytest.mark.parametrize(
    ("name", "giga_macs"),
    [
        ("resnet18", 1.814),
        ("resnet50", 4.089),
        ("mobilenet_v2", 0.301),
        ("efficientformer_l1", 1.3),
        ("vit_b", 17.56),
    ],
)
def test_work_of_an_image_as_published(name: str, giga_macs: float):
    digits = len(str(giga_macs).split(".")[1])
    assert round(load_shape(name).macs(Inference()) / 1e9, digits) == giga_macs


def test_resnet50_as_first_published_has_the_stride_in_the_first_convolution(tmp_path):
    """3.858 G multiply-accumulates, 6 % fewer than with the stride in the 3 x 3 convolutions."""
    text = (files("simhw.models.shapes") / "resnet50.toml").read_text()
    file = tmp_path / "first.toml"
    file.write_text(text.replace('"bottleneck",', '"bottleneck", stride_first = true,'))
    found = shape_of_file(str(file))
    assert round(found.macs(Inference()) / 1e9, 3) == 3.858
    assert found.parameters == PARAMETERS["resnet50"]


class Residual(nn.Module):
    """An inverted residual in torch, for its sizes alone."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        parts = [nn.Conv2d(inputs, wide, 1, bias=False), nn.BatchNorm2d(wide)] if expansion > 1 else []
        parts += [nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False), nn.BatchNorm2d(wide)]
        self.parts = nn.Sequential(*parts, nn.Conv2d(wide, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        self.joins = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.parts(x) if self.joins else self.parts(x)


def test_mobilenet_against_torch():
    """Parameters, and the sizes of every convolution, from a module of the published table."""
    layers: list[nn.Module] = [nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32)]
    channels = 32
    for t, c, n, s in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2)):
        for index in range(n):
            layers.append(Residual(channels, c, s if index == 0 else 1, t))
            channels = c
    layers += [Residual(160, 320, 1, 6), nn.Conv2d(320, 1280, 1, bias=False), nn.BatchNorm2d(1280)]
    module = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000)).eval()
    seen: list[tuple[int, ...]] = []

    def note(layer: nn.Module, _: object, out: torch.Tensor) -> None:
        if isinstance(layer, nn.Conv2d):
            k = layer.weight[0].numel()
            seen.append((out.shape[2] * out.shape[3], layer.out_channels // layer.groups, k, layer.groups))

    for part in module.modules():
        part.register_forward_hook(note)
    with torch.no_grad():
        module(torch.zeros(1, 3, 224, 224))
    shape = load_shape("mobilenet_v2")
    assert shape.parameters == sum(p.numel() for p in module.parameters())
    ours = [step.layer.gemm for step in shape.work(Inference()) if isinstance(step.layer, Convolution)]
    assert [(gemm.m, gemm.n, gemm.k, gemm.batch) for gemm in ours] == seen


def linear_macs(work: list[Work]) -> int:
    return sum(step.macs for step in work if step.kind is WorkKind.WEIGHTS and step.name != "head")


@pytest.mark.parametrize("name", ["llama2_7b", "llama2_70b", "llama3_8b", "mixtral_8x7b", "opt_6_7b"])
@given(tokens=st.integers(1, 1000), batch=st.integers(1, 8))
def test_every_weight_meets_every_token_once(name: str, tokens: int, batch: int):
    """Multiply-accumulates of linear layers are tokens times weights: of the experts, those that a token visits."""
    shape = load_shape(name)
    block = shape.width * (shape.heads + shape.kv_heads) * shape.head_width * 2
    used = shape.experts_per_token or 1
    feed = (3 if shape.gated else 2) * shape.width * shape.hidden * used + shape.width * shape.experts
    found = linear_macs(shape.work(Inference(tokens=tokens, batch=batch)))
    exact = tokens * batch * shape.layers * (block + feed)
    if shape.experts:  # tokens do not divide evenly among the experts: the last rows are empty
        assert exact <= found <= exact + shape.layers * 3 * shape.width * shape.hidden * shape.experts
    else:
        assert found == exact


@given(context=st.integers(1, 2000), batch=st.integers(1, 8))
def test_decoding_sees_the_cache_and_the_new_token(context: int, batch: int):
    shape = load_shape("llama3_8b")
    work = {step.name: step for step in shape.work(Inference(phase=Phase.DECODE, context=context, batch=batch))}
    assert work["scores"].layer == Gemm(m=4, n=context + 1, k=128, batch=8 * batch)
    assert work["values"].layer == Gemm(m=4, n=128, k=context + 1, batch=8 * batch)
    assert work["softmax"].elements == batch * 32 * (context + 1)
    assert work["key_value"].makes_keys
    assert shape.cached_words_per_token == 2 * 32 * 8 * 128


def test_an_inference_of_one_token_is_a_decoding_step_behind_one():
    """Prefill of n tokens and n decoding steps multiply the same weights; attention sees the triangle."""
    shape = load_shape("llama2_7b")
    steps = [shape.work(Inference(phase=Phase.DECODE, context=c)) for c in range(1, 16)]
    assert sum(map(linear_macs, steps)) == linear_macs(shape.work(Inference(tokens=15)))
    scores = sum(step.macs for work in steps for step in work if step.name == "scores")
    assert scores == 32 * 32 * 128 * sum(range(2, 17))


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_every_vector_step_has_a_function(name: str):
    shape = load_shape(name)
    tokens = 64 if getattr(shape, "vocabulary", 0) else None
    work = shape.work(Inference(tokens=tokens))
    for step in work:
        if step.kind is WorkKind.VECTOR:
            assert step.elements > 0
            assert function_work(step.function).operations > 0
    assert len({step.name for step in work}) == len(work)


BAD = [
    ({"tokens": 4097}, "llama2_7b", "4097 tokens are in a sequence, llama2_7b takes 4096"),
    ({}, "llama2_7b", "llama2_7b needs the number of tokens"),
    ({}, "mamba_2_8b", "mamba_2_8b needs the number of tokens"),
    ({"tokens": 5}, "vit_b", "tokens is 5, vit_b has 197 for its images"),
    ({"tokens": 5}, "resnet18", "tokens is 5, resnet18 takes images"),
    ({"phase": Phase.DECODE, "context": 5}, "bert_base", "bert_base makes no tokens one by one"),
    ({"phase": Phase.DECODE, "context": 5}, "resnet50", "resnet50 makes no tokens one by one"),
]


@pytest.mark.parametrize(("settings", "name", "message"), BAD)
def test_inferences_that_a_network_does_not_have(settings: dict, name: str, message: str):
    with pytest.raises(InputError, match=message):
        load_shape(name).work(Inference(**settings))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch": 0}, "batch is 0, must be an integer of at least 1"),
        ({"tokens": -1}, "tokens is -1, must be an integer of at least 1"),
        ({"phase": Phase.DECODE}, "the phase decode needs the context"),
        ({"phase": Phase.DECODE, "context": 3, "tokens": 2}, "tokens is 2 in the phase decode"),
        ({"context": 3}, "context is 3 in the phase prefill"),
    ],
)
def test_inferences_that_cannot_be(settings: dict, message: str):
    with pytest.raises(InputError, match=message):
        Inference(**settings)


ABOUT = 'description = "d"\nsource = "s"\n'
GOOD = f'kind = "mamba"\n{ABOUT}layers = 1\nwidth = 2\ninner = 4\nstate = 2\nwindow = 2\nrank = 1\n'
IMAGES = f'kind = "convolutional"\n{ABOUT}image = 8\nchannels = 3\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind = ", "is no TOML"),
        ("", "has the kind None, must be one of transformer, mamba, convolutional"),
        (GOOD, "lacks 'vocabulary'; add it"),
        (GOOD + "vocabulary = 0", "vocabulary is 0, must be at least 1"),
        (GOOD + "vocabulary = 8\nlayer = 2", "'layer', which is not known.*layers"),
        (GOOD.replace('"s"', '""') + "vocabulary = 8", "has an empty source"),
        (GOOD.replace("width = 2", 'width = "2"') + "vocabulary = 8", "width is '2', must be a whole number"),
        (
            IMAGES + "blocks = 3",
            "list of tables",
        ),
        (
            IMAGES + '[[blocks]]\nblock = "cnv"',
            "block is 'cnv', which is not known",
        ),
    ],
)
def test_files_that_describe_no_shape(tmp_path, text: str, message: str):
    file = tmp_path / "net.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        shape_of_file(str(file))


def test_files_and_names_that_are_not_there():
    with pytest.raises(InputError, match="cannot be read"):
        shape_of_file("/nowhere/net.toml")
    with pytest.raises(InputError, match=r"workload is 'llama2_7', which is not known.*llama2_7b"):
        load_shape("llama2_7")


def test_a_file_of_the_users_own(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(GOOD + "vocabulary = 8")
    shape: Shape = shape_of_file(str(file))
    assert (shape.name, shape.is_decoder) == ("mine", True)
    assert shape.macs(Inference(tokens=3)) == 3 * (2 * 8 + 4 * 2 + 4 * (1 + 4) + 1 * 4 + 4 * 2) + 2 * 8
