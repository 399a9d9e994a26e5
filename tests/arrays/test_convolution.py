"""Convolutions as GEMMs: against torch's output sizes and unfolded patches."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from simhw.arrays import Gemm
from simhw.arrays.convolution import Convolution
from simhw.errors import InputError


@st.composite
def convolutions(draw):
    small = st.integers(1, 3)
    groups = draw(small)
    sizes = {
        "height": draw(st.integers(1, 9)),
        "width": draw(st.integers(1, 9)),
        "channels": groups * draw(small),
        "filters": groups * draw(small),
        "filter_height": draw(small),
        "filter_width": draw(small),
        "stride": (draw(small), draw(small)),
        "padding": (draw(st.integers(0, 2)), draw(st.integers(0, 2))),
        "dilation": (draw(small), draw(small)),
        "groups": groups,
        "batch": draw(small),
    }
    extents = [
        (sizes["filter_height"] - 1) * sizes["dilation"][0] + 1,
        (sizes["filter_width"] - 1) * sizes["dilation"][1] + 1,
    ]
    padded = [sizes["height"] + 2 * sizes["padding"][0], sizes["width"] + 2 * sizes["padding"][1]]
    assume(all(e <= p for e, p in zip(extents, padded, strict=True)))
    return Convolution(**sizes)


def _touched(layer):
    """Count distinct input words by walking over every window."""
    touched = set()
    for oh in range(layer.output_height):
        for ow in range(layer.output_width):
            for fh in range(layer.filter_height):
                for fw in range(layer.filter_width):
                    y = oh * layer.stride[0] + fh * layer.dilation[0] - layer.padding[0]
                    x = ow * layer.stride[1] + fw * layer.dilation[1] - layer.padding[1]
                    if 0 <= y < layer.height and 0 <= x < layer.width:
                        touched.add((y, x))
    return len(touched) * layer.channels * layer.batch


@given(convolutions())
def test_the_gemm_is_the_convolution(layer):
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(layer.height)
    image = torch.tensor(random.integers(-3, 4, (layer.batch, layer.channels, layer.height, layer.width))).double()
    shape = (layer.filters, layer.channels // layer.groups, layer.filter_height, layer.filter_width)
    weight = torch.tensor(random.integers(-3, 4, shape)).double()
    options = {"stride": layer.stride, "padding": layer.padding, "dilation": layer.dilation}
    expected = torch.nn.functional.conv2d(image, weight, groups=layer.groups, **options)
    patches = torch.nn.functional.unfold(image, shape[2:], **options)
    gemm = layer.gemm
    patches = (
        patches.reshape(layer.batch, layer.groups, gemm.k, -1).permute(1, 0, 3, 2).reshape(gemm.batch, gemm.m, gemm.k)
    )
    weights = weight.reshape(gemm.batch, gemm.n, gemm.k).permute(0, 2, 1)
    found = (
        (patches @ weights).reshape(layer.groups, layer.batch, -1, gemm.n).permute(1, 0, 3, 2).reshape(expected.shape)
    )
    assert (found == expected).all()
    assert expected.shape[2:] == (layer.output_height, layer.output_width)


@given(convolutions())
def test_input_words_are_the_pixels_that_windows_touch(layer):
    assert layer.input_words == _touched(layer)


def test_well_known_layers():
    first = Convolution(
        height=224, width=224, channels=3, filters=64, filter_height=7, filter_width=7, stride=(2, 2), padding=(3, 3)
    )
    assert first.gemm == Gemm(m=112 * 112, n=64, k=147)
    depthwise = Convolution(
        height=14, width=14, channels=96, filters=96, filter_height=3, filter_width=3, padding=(1, 1), groups=96
    )
    assert depthwise.gemm == Gemm(m=196, n=1, k=9, batch=96)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"height": 0}, "convolution height is 0, must be an integer of at least 1"),
        ({"stride": (1, 0)}, "convolution stride is 0, must be an integer of at least 1"),
        ({"stride": 2}, r"convolution stride is 2, must be a pair"),
        ({"padding": (-1, 0)}, "convolution padding is -1, must be an integer of at least 0"),
        ({"groups": 2}, "convolution groups is 2, must divide 3 channels and 4 filters"),
        ({"dilation": (5, 1)}, "convolution filter spans 11 rows with its dilation, the padded image has 8"),
    ],
)
def test_impossible_convolutions_are_refused(change, message):
    sizes = {"height": 8, "width": 8, "channels": 3, "filters": 4, "filter_height": 3, "filter_width": 3}
    with pytest.raises(InputError, match=message):
        Convolution(**{**sizes, **change})
