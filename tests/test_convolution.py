"""Convolutions from codes of images, with ==: against the GEMM over all windows, and against integers in torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F  # noqa: N812 (its usual name)

from simhw.accumulators import Saturate
from simhw.catalog import get_method, get_scheme
from simhw.errors import InputError
from simhw.execution import Arithmetic, Step
from simhw.executor import Executor
from simhw.gemm import convolve as blocks
from simhw.gemm.datapaths import get_datapath
from simhw.gemm.window_sums import sum_windows
from simhw.gemm.windows import Windows
from simhw.graph.base import Graph, Node, Ref
from simhw.graph.ops.conv2d import lower
from simhw.quantize import Calibration, Granularity, OperandScheme, Range, ValueRange

DATAPATHS = (
    ("w8a8_int8", None),
    ("w8a8_int8", "w8a8_per_tensor"),
    ("w8a8_int8", "w8a8_static_min_max"),
    ("w4a8_mixpe", None),
    ("w4a8_mixpe_progressive", None),
    ("w4a8_dequantize_first", None),
    ("w4a16_mixpe", None),
    ("fp32", None),
    ("fp16", None),
    ("fp8_e4m3_fp32", None),
    ("hopper_e4m3_fp32", None),
    ("mxfp4", None),
    ("nvfp4", None),
    ("figna", None),
    ("olive", None),
    ("tender", None),
    ("ant_flint4", None),
    ("tflite_int8_double_rounding", None),
    ("gemmini_int8", None),
)
REGISTERS = (Saturate(bits=32), Saturate(bits=18), Saturate(bits=14))


def arithmetic(datapath: str, scheme: str | None = None) -> Arithmetic:
    record = get_datapath(datapath)
    chosen = get_scheme(scheme or record.scheme)
    ranges = {"layer": ValueRange(low=-2.0, high=2.5)}
    return Arithmetic(
        datapath=record,
        scheme=chosen,
        method=get_method(),
        calibration=Calibration(
            activations=ranges if chosen.activation.static else {},
            results=ranges if record.requantize is not None else {},
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Case:
    x: np.ndarray
    weight: np.ndarray
    bias: np.ndarray | None
    window: dict[str, Any]

    def run(self, chosen: Arithmetic, *, whole: bool) -> tuple[np.ndarray, Step]:
        """Return what the executor makes of the layer, from all windows at once or as it does by itself."""
        node = Node(name="y", operator="conv2d", args=(Ref("x"), Ref("w")), label="layer")
        graph = Graph(inputs=("x",), nodes=(node,), outputs=("y",), constants={"w": self.weight})
        executor = Executor(graph, chosen, compare=False)
        convolution = lower(self.x, self.weight, self.bias, **self.window)
        lowered = convolution.as_matmul() if whole else convolution
        return executor._matmul(node, lowered, len(self.x)), executor.steps["y"]


@st.composite
def cases(draw: st.DrawFn, most: int = 6) -> Case:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kernel = draw(st.sampled_from([(1, 1), (3, 3), (5, 5), (1, 3), (2, 1), (2, 3)]))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 3)))
    span = [(size - 1) * step + 1 for size, step in zip(kernel, dilation, strict=True)]
    batch, channels, filters = draw(st.integers(1, 3)), draw(st.integers(1, most)), draw(st.integers(1, 3))
    groups = draw(st.sampled_from([1, 1, 2, 5]))
    if draw(st.booleans()):
        groups, channels = draw(st.integers(1, 9)), 1
    height, width = (least + draw(st.integers(0, 9)) for least in span)
    magnitudes = 10.0 ** rng.uniform(-2, 1, (batch, 1, 1, 1))
    bias = rng.standard_normal(groups * filters).astype(np.float32)
    return Case(
        x=(rng.standard_normal((batch, groups * channels, height, width)) * magnitudes).astype(np.float32),
        weight=rng.standard_normal((groups * filters, channels, *kernel)).astype(np.float32),
        bias=bias if draw(st.booleans()) else None,
        window={
            "stride": draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
            "padding": draw(st.tuples(st.integers(0, 2), st.integers(0, 2))),
            "dilation": dilation,
            "groups": groups,
        },
    )


def same(case: Case, chosen: Arithmetic) -> None:
    (result, step), (expected, definition) = (case.run(chosen, whole=whole) for whole in (False, True))
    np.testing.assert_array_equal(result, expected)
    for name in ("m", "n", "k", "batch", "elements", "activation", "weight", "saturations"):
        assert getattr(step, name) == getattr(definition, name), name
    assert step.tally.overflows == definition.tally.overflows


@pytest.mark.parametrize(("datapath", "scheme"), DATAPATHS)
@settings(max_examples=20)
@given(case=cases())
def test_every_datapath_gives_what_all_windows_at_once_give(datapath: str, scheme: str | None, case: Case):
    same(case, arithmetic(datapath, scheme))


@settings(max_examples=40)
@given(case=cases(most=9), register=st.sampled_from(REGISTERS))
def test_saturating_registers(case: Case, register: Saturate):
    chosen = arithmetic("w8a8_int8")
    same(case, replace(chosen, datapath=replace(chosen.datapath, accumulator=register)))


@settings(max_examples=40)
@given(case=cases(), datapath=st.sampled_from(["w8a8_int8", "w4a8_mixpe", "fp16", "mxfp4"]), block=st.integers(1, 900))
def test_blocks_do_not_matter(case: Case, datapath: str, block: int):
    expected = case.run(arithmetic(datapath), whole=True)[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", block)
        patch.setattr("simhw.convolution.BLOCK", block)
        patch.setattr("simhw.gemm.window_sums.BLOCK", block)
        patch.setenv("SIMHW_THREADS", str(1 + block % 3))
        np.testing.assert_array_equal(case.run(arithmetic(datapath), whole=False)[0], expected)


@settings(max_examples=150)
@given(case=cases(most=9), border=st.integers(-128, 127), extreme=st.booleans(), seed=st.integers(0, 2**32 - 1))
def test_integer_sums_are_torch_in_float64(case: Case, border: int, extreme: bool, seed: int):
    rng = np.random.default_rng(seed)
    low, high = (-128, -127) if extreme else (-128, 128)
    x, weight = (rng.integers(low, high, part.shape).astype(np.int8) for part in (case.x, case.weight))
    padding, groups = case.window["padding"], case.window["groups"]
    padded = np.pad(x, ((0, 0), (0, 0), *((pad, pad) for pad in padding)), constant_values=border)
    window = {**case.window, "padding": 0}
    expected = F.conv2d(
        torch.from_numpy(padded.astype(np.float64)), torch.from_numpy(weight.astype(np.float64)), **window
    )
    windows = Windows(image=x.shape[2:], kernel=weight.shape[2:], **case.window)
    found = np.full((len(x), len(weight), windows.pixels), 1 << 30, np.int32)

    def take(image: int, first: int, pixel: int, sums: np.ndarray) -> None:
        found[image, first : first + len(sums), pixel : pixel + sums.shape[1]] = sums

    rows = weight.transpose(0, 2, 3, 1).reshape(groups, len(weight) // groups, -1)
    sum_windows(x, rows, windows, take, border)
    np.testing.assert_array_equal(found.reshape(expected.shape), expected.numpy())


@pytest.mark.parametrize(
    ("channels", "groups", "kernel"), [(8, 1, "int8_windows"), (8, 8, "int8_channels"), (8, 2, "int8_windows")]
)
def test_int8_layers_run_without_windows(channels: int, groups: int, kernel: str):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, channels, 9, 9)).astype(np.float32)
    weight = rng.standard_normal((channels, channels // groups, 3, 3)).astype(np.float32)
    case = Case(x=x, weight=weight, bias=None, window={"padding": (1, 1), "groups": groups})
    step = case.run(arithmetic("w8a8_int8"), whole=False)[1]
    assert step.kernel == kernel
    assert "exact in int32" in step.why


def test_pixels_in_no_window_have_no_say_in_the_scale():
    x = np.full((1, 1, 4, 4), 127, np.float32)
    x[0, 0, 3, 3] = x[0, 0, 1, 1] = 1e6
    weight = np.full((1, 1, 1, 1), 127, np.float32)
    case = Case(x=x, weight=weight, bias=None, window={"stride": (2, 2)})
    expected = np.full((1, 1, 2, 2), np.float16(127 * 127))
    np.testing.assert_array_equal(case.run(arithmetic("w8a8_int8"), whole=False)[0], expected)


def test_images_smaller_than_a_window_are_refused():
    with pytest.raises(InputError, match=r"windows of \(3, 3\) do not fit images of \(2, 2\) with padding \(0, 0\)"):
        Windows(image=(2, 2), kernel=(3, 3))


OTHER_SCHEMES = (
    OperandScheme(format="int8", symmetric=False),
    OperandScheme(format="int8", granularity=Granularity.TENSOR, symmetric=False),
    OperandScheme(format="int8", range=Range.PERCENTILE),
    OperandScheme(format="int8", granularity=Granularity.GROUP, group_size=4),
)


@settings(max_examples=40)
@given(case=cases(), activation=st.sampled_from(OTHER_SCHEMES))
def test_zero_points_and_other_ranges(case: Case, activation: OperandScheme):
    chosen = arithmetic("w8a8_int8")
    same(case, replace(chosen, scheme=replace(chosen.scheme, activation=activation)))


@pytest.mark.parametrize("name", ["tender", "tender_w8a8"])
@pytest.mark.parametrize("groups", [1, 2])
def test_several_scales_within_an_image(name, groups):
    """Tender has a scale for every 256 windows; images of more than that have several."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 4, 20, 21)).astype(np.float32) * np.linspace(0.1, 4, 20, dtype=np.float32)[:, None]
    weight = rng.standard_normal((4, 4 // groups, 3, 3)).astype(np.float32)
    bias = rng.standard_normal(4).astype(np.float32)
    case = Case(x=x, weight=weight, bias=bias, window={"padding": (1, 1), "groups": groups})
    chosen = arithmetic(name)
    np.testing.assert_array_equal(case.run(chosen, whole=False)[0], case.run(chosen, whole=True)[0])
