"""Hand-made rows of two networks on twelve datapaths: every figure invented, all of a plausible size."""

import math

import pytest

from simhw.gemm.datapaths import get_datapath
from simhw.rows import ENERGY_PARTS, LayerRow, Row

# Scheme, PE, accumulator bits, SQNR in dB, pJ per MAC by part, um2 per PE, speed-up.
DATAPATHS = {
    "fp32": ("float32", "fp32", 32, None, (3.7, 0.9, 0.0, 0.02, 1.9, 1.3), 11_884, 1.0),
    "fp16": ("float16", "fp16", 32, 70.0, (1.1, 0.9, 0.0, 0.02, 0.95, 0.65), 5_824, 1.0),
    "bf16": ("bfloat16", "bf16", 32, 51.0, (0.8, 0.9, 0.0, 0.02, 0.95, 0.65), 5_290, 1.0),
    "w8a8_int8": ("int8", "int8", 32, 37.0, (0.2, 0.1, 0.004, 0.02, 0.5, 0.33), 419, 1.0),
    "w4a8_dequantize_first": (
        "w4a8",
        "int8",
        32,
        22.5,
        (0.2, 0.1, 0.06, 0.02, 0.38, 0.19),
        471,
        0.91,
    ),
    "w4a8_mixpe": ("w4a8", "mixpe", 24, 22.5, (0.12, 0.09, 0.006, 0.02, 0.38, 0.19), 342, 1.98),
    "w4a16_mixpe": ("w4a16", "mixpe", 32, 23.4, (0.5, 0.42, 0.012, 0.02, 0.6, 0.29), 2_214, 1.0),
    "fp8_e4m3_fp32": ("e4m3", "fp8", 32, 29.0, (0.35, 0.9, 0.0, 0.02, 0.48, 0.33), 2_920, 1.0),
    "hopper_e4m3_fp32": (
        "e4m3",
        "fp8",
        25,
        28.6,
        (0.35, 0.31, 0.0, 0.02, 0.48, 0.33),
        1_730,
        1.99,
    ),
    "mxfp8": ("mxfp8", "mx", 25, 30.0, (0.36, 0.31, 0.02, 0.02, 0.49, 0.34), 1_790, 1.99),
    "mxfp4": ("mxfp4", "mx", 25, 12.8, (0.1, 0.2, 0.02, 0.02, 0.26, 0.17), 640, 3.9),
    "nvfp4": ("nvfp4", "mx", 25, 16.1, (0.11, 0.2, 0.03, 0.02, 0.27, 0.18), 702, 3.9),
}

LLAMA_PARTS = {
    "attention.query": ("linear", 128, 128, 1.0),
    "attention.key": ("linear", 64, 128, 2.1),
    "attention.value": ("linear", 64, 128, -0.9),
    "attention.scores": ("matmul", 128, 32, 3.6),
    "attention.mix": ("matmul", 32, 128, -2.2),
    "attention.output": ("linear", 128, 128, -1.4),
    "feed_forward.gate": ("linear", 384, 128, 0.7),
    "feed_forward.up": ("linear", 384, 128, 0.2),
    "feed_forward.down": ("linear", 128, 384, -4.1),
}
LLAMA = [
    (f"layers.{i}.{name}", operator, 128, n, k, shift - 0.8 * i)
    for i in range(5)
    for name, (operator, n, k, shift) in LLAMA_PARTS.items()
] + [("head", "linear", 128, 1024, 128, -3.0)]
RESNET = [
    ("stem", "conv2d", 784, 16, 9, 5.0),
    ("stage1.conv1", "conv2d", 784, 16, 144, 2.0),
    ("stage1.conv2", "conv2d", 784, 16, 144, 1.0),
    ("stage2.conv1", "conv2d", 196, 32, 144, 0.5),
    ("stage2.conv2", "conv2d", 196, 32, 288, -0.5),
    ("stage2.shortcut.0", "conv2d", 196, 32, 16, 2.0),
    ("stage3.conv1", "conv2d", 49, 64, 288, -1.0),
    ("stage3.conv2", "conv2d", 49, 64, 576, -2.0),
    ("stage3.shortcut.0", "conv2d", 49, 64, 32, 0.0),
    ("classifier", "linear", 1, 10, 64, -2.5),
]

PERPLEXITY = {
    "fp32": 45.2514, "fp16": 45.2519, "bf16": 45.3102, "w8a8_int8": 45.4871, "w4a8_dequantize_first": 48.0316,
    "w4a8_mixpe": 48.0304, "w4a16_mixpe": 47.8127, "fp8_e4m3_fp32": 46.0211, "hopper_e4m3_fp32": 46.0875,
    "mxfp8": 45.9134, "mxfp4": 59.9012, "nvfp4": 51.7733,
}  # fmt: skip
TOP1 = {
    "fp32": 468, "fp16": 468, "bf16": 468, "w8a8_int8": 467, "w4a8_dequantize_first": 461, "w4a8_mixpe": 461,
    "w4a16_mixpe": 462, "fp8_e4m3_fp32": 466, "hopper_e4m3_fp32": 466, "mxfp8": 467, "mxfp4": 436,
    "nvfp4": 452,
}  # fmt: skip


def make_layer(datapath, shape):
    _, _, _, loss, energy, _, speedup = DATAPATHS[datapath]
    name, operator, m, n, k, shift = shape
    macs = m * n * k
    return LayerRow(
        name=name,
        operator=operator,
        m=m,
        n=n,
        k=k,
        batch=1,
        sqnr_db=math.inf if loss is None else loss + shift,
        max_error=0.0 if loss is None else 10 ** (-loss / 20),
        max_error_index=(0, m // 2, n // 3),
        cycles=round(macs / 900 / speedup),
        utilization=0.87,
        words={"sram_read_activations": m * k, "sram_read_weights": n * k, "dram_weights": n * k},
        energy_pj={part: 64 * each * macs for part, each in zip(ENERGY_PARTS[:6], energy, strict=True)},
        kernel="blas_float64" if loss is None else "sequential",
        overflows=17 if datapath == "w4a8_mixpe" and name.endswith("down") else 0,
    )


def make_row(model, datapath, metric, shapes):
    scheme, pe, bits, loss, _, area, _ = DATAPATHS[datapath]
    layers = [make_layer(datapath, shape) for shape in shapes]
    energy = {part: sum(layer.energy_pj[part] for layer in layers) for part in ENERGY_PARTS}
    cycles = sum(layer.cycles for layer in layers)
    fp16 = [make_layer("fp16", shape) for shape in shapes]
    language = model == "tiny_llama"
    metrics = {"perplexity": metric, "bits_per_byte": math.log2(metric) / 3.1} if language else {"top1": metric}
    return Row(
        model=model,
        datapath=datapath,
        scheme=scheme,
        pe=pe,
        accumulator=get_datapath(datapath).accumulator.name,
        accumulator_bits=bits,
        samples=32 if language else 512,
        unit="token" if language else "image",
        units=4096 if language else 512,
        rows=32,
        columns=32,
        dataflow="output_stationary",
        overlap="none",
        technology="horowitz_45nm",
        metric_name="perplexity" if language else "top1",
        metric=metric,
        metric_float=PERPLEXITY["fp32"] if language else TOP1["fp32"] / 512,
        metric_higher_is_better=not language,
        metrics=metrics,
        sqnr_db=math.inf if loss is None else loss - 1.5,
        cycles=cycles,
        speedup=sum(layer.cycles for layer in fp16) / cycles,
        energy_pj=energy,
        energy_ratio=sum(sum(layer.energy_pj.values()) for layer in fp16) / sum(energy.values()),
        area_um2=area * 1024.0,
        saturations=23 if datapath == "w8a8_int8" else 0,
        seconds=3.25,
        layers=layers,
    )


@pytest.fixture(scope="session")
def llama_rows():
    return [make_row("tiny_llama", datapath, metric, LLAMA) for datapath, metric in PERPLEXITY.items()]


@pytest.fixture(scope="session")
def resnet_rows():
    return [make_row("fashion_resnet", datapath, right / 512, RESNET) for datapath, right in TOP1.items()]


@pytest.fixture(scope="session")
def rows(llama_rows, resnet_rows):
    return [*llama_rows, *resnet_rows]
