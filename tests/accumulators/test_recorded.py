"""Dot products recorded on real GPUs, every row, by the definition and by the kernel."""

import math
from dataclasses import replace

import numpy as np
import pytest

from simhw.accumulators import Addend
from simhw.accumulators.rounding import FLOAT32
from simhw.accumulators.tensor_cores import RECORDED_ON, TENSOR_CORES, recorded, tensor_core
from simhw.errors import InputError
from simhw.gemm.paths.aligned import dot_products

FORMATS = ("fp16", "bf16", "tf32", "E4M3", "E5M2")
EVERY = 40  # rows for the definition in Python fractions; the kernel runs all of them


def load(vectors, gpu, name, result):
    path = vectors / f"{gpu}_{name}.npz"
    if not path.exists():
        return None
    data = np.load(path)
    if f"d_{result}" not in data:
        return None
    a, b, c, d = (data[key].view(np.float32) for key in ("a", "b", "c", f"d_{result}"))
    if result == "fp16":
        c = c.astype(np.float16).astype(np.float32)
    return a, b, c, d


def all_sets(vectors):
    for gpu in ("V100", "A100", "A2", "Ada", "L40S", "H100", "H200", "B200"):
        for name in FORMATS:
            for result in ("fp32", "fp16"):
                data = load(vectors, gpu, name, result)
                if data is not None:
                    yield gpu, name, result, data


def same(got, expected):
    return (got.view(np.uint32) == expected.view(np.uint32)) | (np.isnan(got) & np.isnan(expected))


def finite(data):
    return np.isfinite(data[0]).all(axis=1) & np.isfinite(data[1]).all(axis=1) & np.isfinite(data[2])


def test_kernel_equals_every_recorded_row(vectors):
    sets = 0
    for gpu, name, result, data in all_sets(vectors):
        accumulator = recorded(gpu.lower(), name.lower(), result)
        rows = finite(data)
        got = dot_products(accumulator, *(x[rows] for x in data[:3]))
        assert same(got, data[3][rows]).all(), (gpu, name, result)
        assert rows.mean() > 0.9, (gpu, name, result)
        sets += 1
    assert sets == 48


def test_definition_equals_recorded_rows(vectors):
    for gpu, name, result, (a, b, c, d) in all_sets(vectors):
        accumulator = recorded(gpu.lower(), name.lower(), result)
        special = np.flatnonzero(~finite((a, b, c, d)))[:20]
        for row in {*range(0, len(a), EVERY), *special.tolist()}:
            got = float(accumulator.dot(a[row].tolist(), b[row].tolist(), float(c[row])))
            assert np.float32(got) == d[row] or (math.isnan(got) and math.isnan(d[row])), (
                gpu,
                name,
                result,
                row,
            )


ABLATIONS = {
    "one fraction bit less": lambda r: replace(r, fraction_bits=r.fraction_bits - 1),
    "one fraction bit more": lambda r: replace(r, fraction_bits=r.fraction_bits + 1),
    "nearest even instead of toward zero": lambda r: replace(r, result=FLOAT32),
    "half the block": lambda r: replace(r, block=r.block // 2),
    "addend last": lambda r: replace(r, addend=Addend.AFTER),
}


@pytest.mark.parametrize("change", ABLATIONS.values(), ids=ABLATIONS)
@pytest.mark.parametrize(("gpu", "name"), [("V100", "fp16"), ("A100", "fp16"), ("H100", "bf16"), ("Ada", "E4M3")])
def test_every_rule_is_needed(vectors, gpu, name, change):
    data = load(vectors, gpu, name, "fp32")
    rows = finite(data)
    altered = change(recorded(gpu.lower(), name.lower(), "fp32"))
    assert not same(dot_products(altered, *(x[rows] for x in data[:3])), data[3][rows]).all()


def test_every_recorded_gpu_has_an_architecture():
    assert set(RECORDED_ON.values()) <= set(TENSOR_CORES)


def test_unknown_hardware_is_refused():
    with pytest.raises(InputError, match=r"tensor core is 'pascal'.*choose one"):
        tensor_core("pascal", "fp16", "fp32")
    with pytest.raises(InputError, match="volta tensor cores have no e4m3 operands"):
        tensor_core("volta", "e4m3", "fp32")
    with pytest.raises(InputError, match="result format is 'bf16'"):
        tensor_core("hopper", "fp16", "bf16")
    with pytest.raises(InputError, match="recorded GPU is 'k80'"):
        recorded("k80", "fp16", "fp32")
