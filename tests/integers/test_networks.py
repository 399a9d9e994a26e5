"""Integer networks: every step against exact arithmetic in plain Python, whole networks, and no float inside."""

from __future__ import annotations

import re
from fractions import Fraction

import numba
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import simhw.cli
from simhw.catalog import get_network
from simhw.errors import InputError
from simhw.executor import run_float
from simhw.gemm.kernels import requantize as kernels
from simhw.gemm.requantize import RULES
from simhw.graph.fold import fold_batch_norms
from simhw.graph.frontends.torch_export import import_module
from simhw.integers import INTEGER_RULES, IntegerNetwork, Quantity, build_network
from simhw.integers.scaling import Scaling
from simhw.integers.steps import LEFT_SHIFT, Add, Convolution, MaxPool, MeanPool, Product, Rescale


def clamp(value: int, lowest: int = -128) -> int:
    return max(lowest, min(127, value))


codes = st.integers(-128, 127)
scales = st.floats(1e-3, 0.9)


@pytest.mark.parametrize("rule", INTEGER_RULES)
@given(data=st.data(), m=st.integers(1, 4), n=st.integers(1, 3), k=st.integers(1, 6))
def test_a_product_by_hand(rule: str, data: st.DataObject, m: int, n: int, k: int):
    x, w = (
        np.array(data.draw(st.lists(st.lists(codes, min_size=k, max_size=k), min_size=r, max_size=r))) for r in (m, n)
    )
    bias = data.draw(st.lists(st.integers(-5000, 5000), min_size=n, max_size=n))
    factors = [float(np.float32(data.draw(scales))) for _ in range(n)]
    zero = data.draw(codes)
    product = Product(
        weight=w.astype(np.int8)[None], bias=np.array([bias]), scaling=Scaling.of(factors, rule), zero_point=zero
    )
    found = product.multiply(x.astype(np.int8)[None])[0]
    for i in range(m):
        for j in range(n):
            total = sum(int(x[i, p]) * int(w[j, p]) for p in range(k)) + bias[j]
            assert found[i, j] == clamp(RULES[rule].define(total, factors[j]) + zero)


@pytest.mark.parametrize("rule", INTEGER_RULES)
@given(data=st.data())
def test_an_addition_by_hand(rule: str, data: st.DataObject):
    """TensorFlow Lite's: operands shifted left by 20, to twice the larger scale, added, to the scale of the result."""
    first, second, result = (float(np.float32(data.draw(st.floats(0.01, 1)))) for _ in range(3))
    zeros = data.draw(codes), data.draw(codes)
    zero = data.draw(codes)
    common = 2 * max(first, second)
    ratios = [
        float(np.float32(value)) for value in (first / common, second / common, common / (result * 2**LEFT_SHIFT))
    ]
    a, b, c = (Scaling.of(ratio, rule) for ratio in ratios)
    x, y = (np.array(data.draw(st.lists(codes, min_size=5, max_size=5)), np.int8) for _ in range(2))
    found = Add(zero_points=zeros, operands=(a, b), result=c, zero_point=zero).run(x, y)
    define = RULES[rule].define
    for i in range(5):
        parts = [
            define((int(one[i]) - z) << LEFT_SHIFT, ratio) for one, z, ratio in zip((x, y), zeros, ratios, strict=False)
        ]
        assert found[i] == clamp(define(sum(parts), ratios[2]) + zero)
        real = (int(x[i]) - zeros[0]) * first + (int(y[i]) - zeros[1]) * second
        assert abs(found[i] - clamp(round(real / result) + zero)) <= 1


@given(data=st.data(), positive=st.booleans())
def test_a_change_of_scale_by_hand(data: st.DataObject, positive: bool):
    before, zero, ratio = data.draw(codes), data.draw(codes), float(np.float32(data.draw(scales)))
    step = Rescale(zero_before=before, scaling=Scaling.of(ratio, "xnnpack_rndnu"), zero_point=zero, positive=positive)
    every = np.arange(-128, 128).astype(np.int8)
    for code, found in zip(range(-128, 128), step.run(every), strict=True):
        exact = (code - before) * Fraction(ratio)
        rounded = (exact + Fraction(1, 2)).__floor__()
        assert found == clamp(rounded + zero, zero if positive else -128)


def test_pools_by_hand():
    x = np.random.default_rng(0).integers(-128, 128, (2, 3, 4, 6)).astype(np.int8)
    ratio = 0.5 / 6
    mean = MeanPool(
        size=(2, 2), zero_before=5, scaling=Scaling.of(ratio, "tflite_single_rounding"), zero_point=-3, window=6
    )
    found = mean.run(x)
    for index in np.ndindex(found.shape):
        b, c, i, j = index
        window = x[b, c, 2 * i : 2 * i + 2, 3 * j : 3 * j + 3].astype(int)
        assert found[index] == clamp(RULES["tflite_single_rounding"].define(int((window - 5).sum()), ratio) - 3)
    ours = MaxPool(kernel=(3, 3), stride=(2, 2), padding=(1, 1)).run(x)
    theirs = torch.nn.functional.max_pool2d(torch.from_numpy(x.astype(np.float32)), 3, 2, 1)
    assert np.array_equal(ours, theirs.numpy())


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_a_convolution_is_that_of_real_numbers_rounded(groups: int):
    """The border holds the code of zero, whatever the zero point is; the real sum is exact in float64."""
    rng = np.random.default_rng(groups)
    x = rng.integers(-128, 128, (2, 4, 7, 6)).astype(np.int8)
    w = rng.integers(-127, 128, (8, 4 // groups, 3, 3)).astype(np.int8)
    zero_in, zero_out, ratio = 17, -9, float(np.float32(0.0037))
    rows = w.transpose(0, 2, 3, 1).reshape(groups, 8 // groups, -1)
    bias = -zero_in * rows.sum(axis=2, dtype=np.int64)
    step = Convolution(
        product=Product(weight=rows, bias=bias, scaling=Scaling.of([ratio] * 8, "xnnpack_rndnu"), zero_point=zero_out),
        kernel=(3, 3),
        stride=(2, 1),
        padding=(1, 2),
        dilation=(1, 2),
        groups=groups,
        border=zero_in,
    )
    sums = torch.nn.functional.conv2d(
        torch.from_numpy(x.astype(np.float64) - zero_in),
        torch.from_numpy(w.astype(np.float64)),
        None,
        (2, 1),
        (1, 2),
        (1, 2),
        groups,
    ).numpy()
    expected = [clamp(RULES["xnnpack_rndnu"].define(int(total), ratio) + zero_out) for total in sums.reshape(-1)]
    assert step.run(x).reshape(-1).tolist() == expected


class Residual(nn.Module):
    """Everything that has an integer step."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.branch = nn.Sequential(
            nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 1)
        )
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = self.pool(torch.relu(x + self.branch(x)))
        return self.head(torch.nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


@pytest.fixture(scope="module")
def residual() -> tuple[nn.Module, np.ndarray]:
    torch.manual_seed(0)
    module = Residual()
    x = torch.randn(32, 3, 8, 8)
    for _ in range(20):
        module(x)  # statistics of the batch norms
    return module.eval(), x.numpy()


def test_folding_keeps_the_function(residual):
    module, x = residual
    graph = import_module(module, x)
    folded = fold_batch_norms(graph)
    assert sum(node.operator == "batch_norm" for node in graph.nodes) == 2
    assert not any(node.operator == "batch_norm" for node in folded.nodes)
    expected = module(torch.from_numpy(x)).detach().numpy()
    assert np.abs(run_float(folded, x) - expected).max() < 1e-5 * np.abs(expected).max()


def test_a_batch_norm_that_shares_its_operand_is_not_folded():
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.conv(x)
            return y + self.norm(y)

    x = np.ones((2, 2, 3, 3), np.float32)
    graph = import_module(Shared().eval(), x)
    assert [node.operator for node in fold_batch_norms(graph).nodes] == [node.operator for node in graph.nodes]


@pytest.mark.parametrize("rule", INTEGER_RULES)
def test_a_whole_network_is_near_its_float_reference(residual, rule: str):
    module, x = residual
    network = build_network(import_module(module, x), x, rule)
    reference = module(torch.from_numpy(x)).detach().numpy()
    error = np.abs(network(x) - reference).max()
    # 8 steps, each within half a code of its own scale; the measured error is 2.3 codes of the output.
    assert error < 5 * network.output.scale
    relus = [placed for placed in network.steps if "relu" in placed.operator]
    assert len(relus) == 3
    assert len(network.steps) == 8


def test_samples_do_not_depend_on_the_batch(residual):
    module, x = residual
    network = build_network(import_module(module, x), x)
    assert np.array_equal(network(x, batch=32), network(x, batch=5))


class Watched(np.ndarray):
    """An array that refuses every operation that takes or gives floating-point numbers."""

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        plain = [np.asarray(value) if isinstance(value, np.ndarray) else value for value in inputs]
        kept = {} if out is None else {"out": tuple(np.asarray(one) for one in out)}
        result = getattr(ufunc, method)(*plain, **kept, **kwargs)
        for value in (*plain, result):
            kind = np.asarray(value).dtype.kind
            assert kind in "iub", f"{ufunc.__name__} works on kind {kind}"
        return result.view(Watched) if isinstance(result, np.ndarray) else result


@pytest.mark.parametrize("rule", INTEGER_RULES)
def test_no_floating_point_between_input_and_logits(residual, rule: str):
    """Constants, operands and results of every step, every NumPy operation in it, and the kernels' machine code."""
    module, x = residual
    network = build_network(import_module(module, x), x, rule)

    def constants(value: object) -> list:
        if isinstance(value, np.ndarray):
            return [value]
        if isinstance(value, tuple):
            return [found for item in value for found in constants(item)]
        parts = vars(value).values() if hasattr(value, "__dict__") and not callable(value) else ()
        return [found for part in parts for found in constants(part)] or ([value] if isinstance(value, float) else [])

    for placed in network.steps:
        for constant in constants(placed.step):
            assert not isinstance(constant, float)
            assert constant.dtype.kind == "i"
    seen = []
    values = {network.input_name: network.input.encode(x).view(Watched)}
    for placed in network.steps:
        result = placed.step.run(*(values[name] for name in placed.inputs))
        assert result.dtype == np.int8
        values[placed.name] = result.view(Watched)
        seen.append(placed.operator)
    assert np.array_equal(values[network.steps[-1].name], network.run(network.input.encode(x)))
    assert {name for text in seen for name in text.split(", ")} >= {"conv2d", "linear", "add", "relu", "max_pool"}
    assert not computes_in_float(RULES[rule].kernel, np.ones(2, np.int64), np.ones(2, np.int64))
    assert computes_in_float("scale_in_float", np.ones(2, np.float32))


def computes_in_float(name: str, *arguments: np.ndarray) -> bool:
    """Whether the machine code of a kernel has floating-point instructions."""
    fresh = numba.njit(getattr(kernels, name).py_func)  # code from the disk cache cannot be looked at
    fresh(np.ones((2, 2), np.int64), *arguments, np.ones((2, 2), np.int64))
    (text,) = fresh.inspect_llvm().values()
    return re.search(r"\b(fadd|fsub|fmul|fdiv|sitofp|uitofp|fptosi)\b", text) is not None


def test_fashion_resnet_keeps_its_accuracy():
    shipped = get_network("fashion_resnet")
    data = shipped.dataset(128, None)
    graph = import_module(shipped.load(), data.inputs)
    network: IntegerNetwork = build_network(graph, shipped.calibration())
    logits = network(data.inputs)
    same = logits.argmax(axis=1) == run_float(graph, data.inputs).argmax(axis=1)
    assert same.mean() >= 0.99


def test_quantities():
    quantity = Quantity.of_range(-1.0, 3.0)
    assert quantity.decode(quantity.encode(np.zeros(1)))[0] == 0
    assert quantity.encode(np.array([-1.0, 3.0])).tolist() == [-128, 127]
    assert Quantity.of_range(0.0, 0.0).scale == 1.0
    assert Quantity.of_range(2.0, 4.0).zero_point == -128


def test_what_has_no_integer_step_is_refused(residual, capsys):
    module, x = residual
    graph = import_module(module, x)
    with pytest.raises(InputError, match="rule is 'onnxruntime', integer networks take tflite_double_rounding"):
        build_network(graph, x, "onnxruntime")
    with pytest.raises(InputError, match="calibration gives NaN"):
        build_network(graph, x * np.nan)
    with pytest.raises(InputError, match="input codes are float32, must be int8"):
        build_network(graph, x).run(x)
    soft = import_module(nn.Sequential(nn.Linear(4, 3), nn.Softmax(-1)).eval(), np.ones((2, 4), np.float32))
    with pytest.raises(InputError, match=r"is softmax .*integer networks have steps for conv2d"):
        build_network(soft, np.ones((2, 4), np.float32))
    assert simhw.cli.main(["integer", "--samples", "8", "--rule", "xnnpack_rndnu"]) == 0
    assert "fashion_resnet: 8 samples, int8 codes from input to logits" in capsys.readouterr().out
    assert simhw.cli.main(["integer", "--rule", "none"]) == 2
