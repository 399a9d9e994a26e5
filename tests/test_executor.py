"""Layer by layer: every sample for itself, integers as integers, errors measured where they arise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (its usual name)

from simhw.calibration import calibrate
from simhw.catalog import get_method, get_network, get_scheme
from simhw.errors import InputError
from simhw.execution import Arithmetic, Execution, Step
from simhw.executor import execute, run_float
from simhw.gemm.datapaths import get_datapath
from simhw.graph.base import Graph
from simhw.graph.frontends.torch_export import import_module
from simhw.products import fit_group
from simhw.quantize import Calibration, Granularity, OperandScheme


def arithmetic(datapath: str, scheme: str | None = None, *, accumulator_bits: int | None = None) -> Arithmetic:
    record = get_datapath(datapath, accumulator_bits=accumulator_bits)
    return Arithmetic(datapath=record, scheme=get_scheme(scheme or record.scheme), method=get_method())


def run(graph: Graph, inputs: np.ndarray, datapath: str, scheme: str | None = None, batch: int = 64) -> Execution:
    return execute(graph, inputs, arithmetic(datapath, scheme), batch=batch)


class Attend(nn.Module):
    """A convolution by groups, attention over its pixels, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(4, 8, 3, padding=1, groups=2)
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.norm(F.silu(self.mix(x)).flatten(2).transpose(1, 2))
        return self.head(F.scaled_dot_product_attention(tokens, tokens, tokens, is_causal=True))


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Five images whose magnitudes differ by factors of ten."""
    x = np.random.default_rng(0).standard_normal((5, 4, 4, 4)) * 10.0 ** np.arange(-2, 3)[:, None, None, None]
    return x.astype(np.float32)


@pytest.fixture(scope="module")
def attend(images: np.ndarray) -> Graph:
    torch.manual_seed(0)
    return import_module(Attend(), images)


CHOICES = [
    ("fp32", None),
    ("fp16", None),
    ("w8a8_int8", None),
    ("w8a8_int8", "w8a8_per_tensor"),
    ("w4a8_mixpe", None),
    ("w4a8_dequantize_first", None),
    ("w4a16_mixpe", None),
    ("fp8_e4m3_fp32", None),
    ("hopper_e4m3_fp32", None),
    ("mxfp4", None),
    ("nvfp4", None),
]


@pytest.mark.parametrize(("datapath", "scheme"), CHOICES)
def test_outputs_do_not_depend_on_batches_or_threads(
    attend: Graph, images: np.ndarray, datapath: str, scheme: str | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SIMHW_THREADS", "1")
    whole = run(attend, images, datapath, scheme)
    for batch, threads in ((1, "1"), (2, "3"), (5, "2")):
        monkeypatch.setenv("SIMHW_THREADS", threads)
        other = run(attend, images, datapath, scheme, batch)
        np.testing.assert_array_equal(other.outputs, whole.outputs)
        for step, twin in zip(whole.steps, other.steps, strict=True):
            sizes = [(s.m, s.n, s.k, s.batch, s.elements, s.tally, s.saturations) for s in (step, twin)]
            assert sizes[0] == sizes[1]
    alone = run(attend, images[3:4], datapath, scheme)
    np.testing.assert_array_equal(alone.outputs, whole.outputs[3:4])


@pytest.mark.parametrize("name", ["fashion_hybrid", "fashion_resnet", "tiny_llama"])
def test_float_run_is_torch_and_fp32_is_close(name: str):
    network = get_network(name)
    inputs = network.dataset(2, None).inputs
    module = network.load()
    result = run(import_module(module, inputs), inputs, "fp32")
    with torch.no_grad():
        expected = module(torch.from_numpy(inputs)).numpy()
    # Logits of order 10 after some twenty layers of float32 sums in another order than torch's.
    np.testing.assert_allclose(result.reference, expected, atol=2e-4)
    assert result.noise.sqnr_db > 110


def quantized_rows(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int8 integers and fp32 scales, symmetric per row."""
    scale = (np.abs(x).max(axis=1).astype(np.float64) / 127).astype(np.float32)
    return np.rint(x / scale[:, None]).astype(np.int64), scale


def test_int8_layer_is_integer_arithmetic():
    """Codes, integer sums, fp32 scales one after the other, bias, fp16: nothing else."""
    torch.manual_seed(1)
    layer = nn.Linear(48, 10)
    x = np.random.default_rng(1).standard_normal((6, 48)).astype(np.float32)
    result = run(import_module(layer, x), x, "w8a8_int8")
    (a, a_scale), (w, w_scale) = quantized_rows(x), quantized_rows(layer.weight.detach().numpy())
    scaled = (a @ w.T).astype(np.float32) * a_scale[:, None] * w_scale[None, :]
    expected = (scaled + layer.bias.detach().numpy()).astype(np.float16)
    np.testing.assert_array_equal(result.outputs, expected.astype(np.float32))


def test_a_narrow_accumulator_wraps_and_is_counted():
    layer = nn.Linear(48, 10, bias=False)
    x = np.random.default_rng(1).standard_normal((6, 48)).astype(np.float32)
    result = execute(import_module(layer, x), x, arithmetic("w8a8_int8", accumulator_bits=16))
    (a, a_scale), (w, w_scale) = quantized_rows(x), quantized_rows(layer.weight.detach().numpy())
    sums = a @ w.T
    wrapped = (sums + 2**15) % 2**16 - 2**15
    assert result.steps[0].tally.overflows == np.count_nonzero(sums != wrapped) > 0
    expected = wrapped.astype(np.float32) * a_scale[:, None] * w_scale[None, :]
    np.testing.assert_array_equal(result.outputs, expected.astype(np.float16).astype(np.float32))


def test_results_beyond_the_output_format_are_counted():
    layer = nn.Linear(2, 1, bias=False)
    layer.weight.data[:] = torch.tensor([[30000.0, 1.0]])
    x = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [-4.0, 0.0]], np.float32)
    result = run(import_module(layer, x), x, "fp16")
    assert result.outputs.ravel().tolist() == [30000.0, 60000.0, 65504.0, -65504.0]
    assert result.steps[0].saturations == 2


def sqnr_db(reference: np.ndarray, value: np.ndarray) -> float:
    error = value.astype(np.float64) - reference
    return float(10 * np.log10(np.sum(reference.astype(np.float64) ** 2) / np.sum(error**2)))


def test_noise_of_a_step_is_that_of_the_network_cut_there():
    torch.manual_seed(2)
    layers = [nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3), nn.Flatten(), nn.Linear(64, 5)]
    x = np.random.default_rng(2).standard_normal((3, 3, 8, 8)).astype(np.float32)
    steps = run(import_module(nn.Sequential(*layers), x), x, "w4a8_mixpe").steps
    assert [step.label for step in steps] == ["0", "1", "2", "4"]
    for step, depth in zip(steps, (1, 2, 3, 5), strict=True):
        module = nn.Sequential(*layers[:depth])
        cut = run(import_module(module, x), x, "w4a8_mixpe")
        reference = module(torch.from_numpy(x)).detach().numpy()
        # torch's float32 sums differ from the reference's by 1e-7, the noise is 1e-2.
        assert step.noise.sqnr_db == pytest.approx(sqnr_db(reference, cut.outputs), abs=1e-3)
        difference = np.abs(cut.outputs - reference)
        assert step.noise.largest == pytest.approx(difference.max(), abs=1e-5)
        assert difference[step.noise.where] == pytest.approx(difference.max(), abs=1e-5)
    assert steps[-1].noise.where[0] in range(3)


def by_label(result: Execution) -> dict[str, Step]:
    return {step.label: step for step in result.steps}


def test_sizes_are_those_of_one_sample(attend: Graph, images: np.ndarray):
    steps = by_label(run(attend, images, "w8a8_int8"))
    expected = {
        "mix": (16, 4, 18, 2, 4 * 16 * 9),  # two groups; every pixel's patch is quantized
        "attention_scores": (16, 16, 8, 1, 128),
        "attention_values": (16, 8, 16, 1, 256),
        "head": (16, 5, 8, 1, 128),
        "silu": (0, 0, 0, 0, 128),
        "norm": (0, 0, 0, 0, 128),
        "scale_and_mask": (0, 0, 0, 0, 256),
        "softmax": (0, 0, 0, 0, 256),
    }
    assert {label: (s.m, s.n, s.k, s.batch, s.elements) for label, s in steps.items()} == expected
    assert [label for label, step in steps.items() if step.attention] == ["attention_scores", "attention_values"]
    assert np.isfinite(steps["scale_and_mask"].noise.sqnr_db)


def test_progress_is_once_per_step_and_batch(attend: Graph, images: np.ndarray):
    counted: list[int] = []
    execute(attend, images, arithmetic("fp16"), batch=2, progress=counted.append)
    assert counted == [1] * (3 * len(attend.nodes))


def test_calibrated_ranges_are_those_of_the_float_activations():
    torch.manual_seed(3)
    module = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    x = np.random.default_rng(3).standard_normal((20, 8)).astype(np.float32)
    scheme = get_scheme("w8a8_static_min_max")
    plain = get_datapath("w8a8_int8")
    found = calibrate(import_module(module, x), x, plain, scheme, get_method()).activations
    with torch.no_grad():
        hidden = module[:2](torch.from_numpy(x)).numpy()
    assert found["0"].low == x.min()
    assert found["0"].high == x.max()
    assert found["2"].low == hidden.min() == 0
    assert found["2"].high == pytest.approx(hidden.max(), rel=1e-6)  # float32 sums of 8 products in another order
    assert calibrate(import_module(module, x), x, plain, get_scheme("w8a8_int8"), get_method()) == Calibration()


def test_an_int8_network_runs_as_onnxruntime_runs_it():
    """Linear, ReLU, linear: the same int8 codes between the layers and at the end as two QLinearMatMul nodes give.

    The bias, which QLinearMatMul has not, is left out; ReLU on codes with zero point 0 is a maximum with 0.
    """
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    torch.manual_seed(4)
    module = nn.Sequential(nn.Linear(24, 16, bias=False), nn.ReLU(), nn.Linear(16, 5, bias=False))
    x = np.random.default_rng(4).standard_normal((40, 24)).astype(np.float32)
    graph, method = import_module(module, x), get_method()
    datapath, scheme = get_datapath("onnxruntime_int8"), get_scheme("w8a8_static_min_max")
    seen = calibrate(graph, x, datapath, scheme, method)
    ours = execute(graph, x, Arithmetic(datapath=datapath, scheme=scheme, method=method, calibration=seen)).outputs

    def scale(limits):
        return np.float32(max(abs(limits.low), abs(limits.high)) / np.float32(127))

    def quantized_matmul(codes, label, weight):
        per_column = (np.abs(weight).max(axis=1) / np.float32(127)).astype(np.float32)
        given = {
            "a": codes,
            "a_scale": scale(seen.activations[label]),
            "a_zero": np.int8(0),
            "b": np.clip(np.rint(weight / per_column[:, None]), -127, 127).T.astype(np.int8),
            "b_scale": per_column,
            "b_zero": np.zeros(len(per_column), np.int8),
            "y_scale": scale(seen.results[label]),
            "y_zero": np.int8(0),
        }
        kinds = onnx.helper.np_dtype_to_tensor_dtype
        inputs = [
            onnx.helper.make_tensor_value_info(name, kinds(np.asarray(value).dtype), np.shape(value))
            for name, value in given.items()
        ]
        output = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.INT8, (len(codes), len(per_column)))
        node = onnx.helper.make_node("QLinearMatMul", list(given), ["y"])
        model = onnx.helper.make_model(
            onnx.helper.make_graph([node], "g", inputs, [output]),
            opset_imports=[onnx.helper.make_opsetid("", 21)],
        )
        model.ir_version = 10
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        return session.run(None, {name: np.asarray(value) for name, value in given.items()})[0], given["y_scale"]

    weights = [module[i].weight.detach().numpy() for i in (0, 2)]
    codes = np.clip(np.rint(x / scale(seen.activations["0"])), -127, 127).astype(np.int8)
    hidden, hidden_scale = quantized_matmul(codes, "0", weights[0])
    values = np.maximum(hidden, 0).astype(np.float32) * hidden_scale
    codes = np.clip(np.rint(values / scale(seen.activations["2"])), -127, 127).astype(np.int8)
    result, result_scale = quantized_matmul(codes, "2", weights[1])
    np.testing.assert_array_equal(ours, result.astype(np.float32) * result_scale)
    assert len(np.unique(result)) > 50


def test_a_group_longer_than_the_sum_becomes_one_group():
    groups = OperandScheme(format="uint4", granularity=Granularity.GROUP, group_size=128, symmetric=False)
    assert fit_group(groups, 72).group_size == 72
    assert fit_group(groups, 300).group_size == 128


@pytest.fixture(scope="module")
def perceptron() -> Graph:
    return import_module(nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2)), np.zeros((1, 6), np.float32))


def with_value(value: float) -> np.ndarray:
    x = np.zeros((3, 6), np.float32)
    x[1, 2] = value
    return x


BAD = [
    (np.zeros((0, 6), np.float32), "has 0 samples, at least 1 is needed; give a larger number"),
    (with_value(np.nan), r"input data holds nan at \[1, 2\], every value must be finite; check"),
    (with_value(-np.inf), r"input data holds -inf at \[1, 2\]"),
    (
        np.zeros((3, 7), np.float32),
        r"step 0 cannot compute linear .*; give inputs of the shape that the network was imported",
    ),
]


@pytest.mark.parametrize(("inputs", "message"), BAD)
def test_bad_inputs(perceptron: Graph, inputs: np.ndarray, message: str):
    with pytest.raises(InputError, match=message):
        run(perceptron, inputs, "w8a8_int8")


def test_bad_tokens():
    graph = import_module(nn.Sequential(nn.Embedding(5, 4)), np.zeros((1, 3), np.int64))
    with pytest.raises(InputError, match=r"step 0\.embedding: indices are int64 in 0\.\.5, must be integers in 0\.\.4"):
        run_float(graph, np.array([[0, 5, 1]]))


def test_batches_of_nothing(perceptron: Graph):
    with pytest.raises(InputError, match="batch is 0, must be an integer of at least 1"):
        execute(perceptron, np.zeros((3, 6), np.float32), arithmetic("fp16"), batch=0)


def test_a_scheme_that_does_not_fit_names_the_layer(perceptron: Graph):
    with pytest.raises(
        InputError, match=r"layer 0 \(m=1, n=4, k=6\): operand formats are e2m1 and e2m1, datapath w8a8"
    ):
        run(perceptron, with_value(1.0), "w8a8_int8", "mxfp4")


def test_wide_inputs_are_the_same_as_narrow_ones(perceptron: Graph):
    x = np.random.default_rng(4).standard_normal((3, 6))
    wide, narrow = (run(perceptron, inputs, "fp32") for inputs in (x, x.astype(np.float32)))
    np.testing.assert_array_equal(wide.outputs, narrow.outputs)
    np.testing.assert_array_equal(wide.reference, narrow.reference)
