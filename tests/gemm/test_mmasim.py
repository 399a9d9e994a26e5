"""Every preset that MMA-Sim has against MMA-Sim: random, adversarial and special operands, equal in every bit."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from simhw.accumulators.aligned import Addend
from simhw.accumulators.rounding import FLOAT32
from simhw.formats import decode, encode, get_element_format
from simhw.gemm.accumulate import accumulate
from simhw.gemm.datapaths import datapath_names, get_datapath
from simhw.gemm.operand import Operand


@pytest.fixture(scope="module")
def mmasim():
    """MMA-Sim; its import compiles a file with ninja, which pip puts beside the interpreter."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    try:
        import mmasim.amd
        import mmasim.nv_ptx
    except (ImportError, RuntimeError, OSError) as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"MMA-Sim cannot be imported: {error}")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # its tensors are small here
    yield mmasim
    torch.set_num_threads(threads)


ARCHITECTURES = {
    "volta": "Volta",
    "turing": "Turing",
    "ampere": "Ampere",
    "ada": "Ada Lovelace",
    "hopper": "Hopper",
    "blackwell": "Blackwell",
    "rtx_blackwell": "RTX Blackwell",
}
NAMES = {"fp16": "f16", "fp32": "f32"}
WIDE = {"volta": "m8n8k4", "turing": "m16n8k8"}
MFMA = {
    "cdna1_fp32_fp32": "f32_16x16x4f32",
    "cdna1_fp16_fp32": "f32_16x16x16f16",
    "cdna1_bf16_fp32": "f32_16x16x8bf16",
    "cdna2_fp32_fp32": "f32_16x16x4f32",
    "cdna2_fp16_fp32": "f32_16x16x16f16",
    "cdna2_bf16_fp32": "f32_16x16x16bf16_1k",
    "cdna2_bf16_pairs_fp32": "f32_16x16x8bf16",
    "cdna3_fp32_fp32": "f32_16x16x4_f32",
    "cdna3_xf32_fp32": "f32_16x16x8_xf32",
    "cdna3_fp16_fp32": "f32_16x16x16_f16",
    "cdna3_bf16_fp32": "f32_16x16x16_bf16",
    "cdna3_e4m3fnuz_fp32": "f32_16x16x32_fp8_fp8",
    "cdna3_e5m2fnuz_fp32": "f32_16x16x32_bf8_bf8",
    "cdna3_e4m3fnuz_e5m2fnuz_fp32": "f32_16x16x32_fp8_bf8",
    "cdna3_e5m2fnuz_e4m3fnuz_fp32": "f32_16x16x32_bf8_fp8",
}
NATIVE = [name for name in datapath_names() if name.split("_")[0] in (*ARCHITECTURES, "rtx")]
SCALED = [name for name in NATIVE if "mxfp" in name or "nvfp" in name]
PLAIN = [name for name in NATIVE if name not in SCALED]


def operation(mmasim, name):
    """Return MMA-Sim's instruction for a preset without block scales."""
    if name in MFMA:
        return mmasim.amd.MFMA(name.split("_")[0].upper(), MFMA[name])
    architecture = max((a for a in ARCHITECTURES if name.startswith(a)), key=len)
    datapath = get_datapath(name)
    result = NAMES[name.rsplit("_", 1)[1]]
    a, b = (NAMES.get(form, form) for form in (datapath.activation, datapath.weight))
    vendor = ARCHITECTURES[architecture]
    if architecture == "hopper":
        k = {"tf32": 8, "f16": 16, "bf16": 16}.get(a, 32)
        return mmasim.nv_ptx.WGMMA(vendor, f"m64n8k{k}.{result}.{a}.{b}")
    if architecture == "blackwell":
        kind = {"tf32": "k8.kind::tf32", "f16": "k16.kind::f16", "bf16": "k16.kind::f16"}.get(a, "k32.kind::f8f6f4")
        return mmasim.nv_ptx.TCGen05MMA(vendor, f"m64n8{kind}.{result}.{a}.{b}")
    if a in ("f16", "bf16", "tf32"):
        shape = WIDE.get(architecture, "m16n8k8" if a == "tf32" else "m16n8k16")
    else:
        shape = "m16n8k32.kind::f8f6f4" if architecture == "rtx_blackwell" else "m16n8k32"
    return mmasim.nv_ptx.MMA(vendor, f"{shape}.{result}.{a}.{b}.{result}")


TORCH = {
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "e4m3": torch.float8_e4m3fn,
    "e5m2": torch.float8_e5m2,
    "e4m3fnuz": torch.float8_e4m3fnuz,
    "e5m2fnuz": torch.float8_e5m2fnuz,
}


def to_torch(codes, name, packed=False):
    """Return codes in the containers that MMA-Sim takes."""
    codes = np.ascontiguousarray(codes)
    if name == "fp32":
        return torch.from_numpy(codes.view(np.float32).copy())
    if name == "tf32":  # the low bits are cut off by the hardware: set some
        return torch.from_numpy(((codes.astype(np.uint32) << 13) | 0x1555).view(np.float32))
    if packed:
        return torch.from_numpy(codes[:, 0::2] << 4 | codes[:, 1::2])
    if name in ("e3m2", "e2m3"):
        return torch.from_numpy(codes.copy())
    if name == "e2m1":
        return torch.from_numpy(codes << 2)
    signed = codes.view({1: np.int8, 2: np.int16}[codes.itemsize])
    return torch.from_numpy(signed.copy()).view(TORCH[name])


def draw(rng, shape, name, mode):
    """Return codes of a format."""
    form = get_element_format(name)
    codes = rng.integers(0, form.code_count, shape).astype(form.code_dtype)
    values = decode(codes, name).astype(np.float64)
    if mode == "special":
        zero = rng.random(shape) < 0.3
        rare = rng.random(shape) < 0.9
        return np.where(zero | (rare & ~np.isfinite(values)), 0, codes).astype(form.code_dtype)
    fixed = np.where(np.isfinite(values), codes, 0).astype(form.code_dtype)
    if mode == "codes":
        return fixed
    if mode == "tiny":  # products far below the smallest normal number of fp32
        return encode(rng.standard_normal(shape) * 2.0**-71, name)
    magnitude = np.sort(np.unique(np.abs(decode(np.unique(fixed), name).astype(np.float64))))
    low, high = {"middle": (0.35, 0.65), "small": (0.0, 0.15), "large": (0.85, 1.0)}[mode]
    limits = magnitude[int(low * (len(magnitude) - 1))], magnitude[int(high * (len(magnitude) - 1))]
    inside = (np.abs(values) >= limits[0]) & (np.abs(values) <= limits[1])
    pool = codes[inside]
    return rng.choice(pool, shape).astype(form.code_dtype)


MODES = ("codes", "small", "middle", "large", "cancel", "special")


def operands(datapath, mode, seed, k, m=24, n=20):
    """Return codes of both operands, (m, k) and (n, k)."""
    rng = np.random.default_rng(seed)
    plain = "middle" if mode == "cancel" else mode
    a, b = draw(rng, (m, k), datapath.activation, plain), draw(rng, (n, k), datapath.weight, plain)
    if mode == "cancel":  # the second half undoes the first, but for a few elements
        half = k // 2
        sign = get_element_format(datapath.activation).sign_bit
        a[:, half:] = a[:, :half] ^ sign
        b[:, half:] = b[:, :half]
        at = rng.integers(0, k, m)
        a[np.arange(m), at] = draw(rng, (m,), datapath.activation, "codes")
    return a, b


def addends(datapath, a, b, seed, mode, fp16):
    """Return addends (m, n): zeros, values beside the products, far above and below them, specials."""
    rng = np.random.default_rng(seed)
    shape = (len(a), len(b))
    x, y = decode(a, datapath.activation).astype(np.float64), decode(b, datapath.weight).astype(np.float64)
    peak = np.nanmax(np.where(np.isfinite(x), np.abs(x), 0), axis=1)[:, None]
    peak = peak * np.nanmax(np.where(np.isfinite(y), np.abs(y), 0), axis=1)[None]
    exponent = rng.integers(-40, 12, shape)
    c = rng.standard_normal(shape) * peak * np.exp2(exponent.astype(np.float64))
    c[rng.random(shape) < 0.2] = 0.0
    if mode == "special":
        c[rng.random(shape) < 0.03] = np.inf
        c[rng.random(shape) < 0.03] = -np.inf
        c[rng.random(shape) < 0.02] = np.nan
    limit = 65504.0 if fp16 else float(np.finfo(np.float32).max)
    c = np.where(np.isfinite(c), np.clip(c, -limit, limit), c)
    return c.astype(np.float16 if fp16 else np.float32)


def run(datapath, a, b, c, scales=(None, None), block=None):
    left, right = (
        Operand(
            codes=codes[None],
            format=form,
            group_size=None if scale is None else min(block, codes.shape[1]),
            group_scale=None if scale is None else scale[None],
        )
        for codes, form, scale in zip((a, b), (datapath.activation, datapath.weight), scales, strict=True)
    )
    return accumulate(left, right, datapath, c.astype(np.float32)[None]).to_float32()[0]


def assert_equal(got, expected, *, canonical=True):
    """Equal in every bit; NaN of NVIDIA are canonical."""
    expected = expected.numpy()
    kind = np.uint16 if expected.dtype == np.float16 else np.uint32
    with np.errstate(over="ignore"):
        bits = got.astype(expected.dtype).view(kind)
    same = bits == expected.view(kind)
    if not canonical:
        same |= np.isnan(got) & np.isnan(expected)
    where = np.argwhere(~same)
    assert same.all(), f"{len(where)} differ, first at {where[0]}: {got[tuple(where[0])]}, {expected[tuple(where[0])]}"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", PLAIN)
def test_tensor_core(mmasim, name, mode):
    datapath = get_datapath(name)
    instruction = operation(mmasim, name)
    fp16 = name.endswith("_fp16")
    k = 3 * datapath.accumulator.block
    a, b = operands(datapath, mode, seed=PLAIN.index(name), k=k)
    c = addends(datapath, a, b, PLAIN.index(name), mode, fp16)
    expected = instruction(to_torch(a, datapath.activation), to_torch(b, datapath.weight).T, torch.from_numpy(c.copy()))
    assert_equal(run(datapath, a, b, c), expected)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", MFMA)
def test_matrix_core(mmasim, name, mode):
    datapath = get_datapath(name)
    instruction = operation(mmasim, name)
    # MMA-Sim gives infinity and NaN the exponent -1, and so drops them as addends of large FP8 sums; here they stay.
    dropped = mode == "special" and "fnuz" in name
    a, b = operands(datapath, mode, seed=len(name), k=16 if dropped else 32)
    c = addends(datapath, a, b, len(name), "codes" if dropped else mode, fp16=False)
    expected = instruction(to_torch(a, datapath.activation), to_torch(b, datapath.weight).T, torch.from_numpy(c.copy()))
    assert_equal(run(datapath, a, b, c), expected, canonical=False)


def block_instruction(mmasim, name):
    """Return MMA-Sim's block-scaled instruction and whether it takes two elements per byte."""
    datapath = get_datapath(name)
    if datapath.accumulator.block == 32:
        label = f"k32.kind::mxf8f6f4.block32.f32.{datapath.activation}.{datapath.weight}"
    else:
        kind = "mxf4" if datapath.accumulator.scale_block == 32 else "mxf4nvf4"
        label = f"k64.kind::{kind}.block{datapath.accumulator.scale_block}.f32.e2m1.e2m1"
    scale = "ue4m3" if datapath.accumulator.scale_format == "ue4m3" else "ue8m0"
    if name.startswith("rtx"):
        made = mmasim.nv_ptx.MMABlockScale("RTX Blackwell", f"m16n8{label}.f32.{scale}")
    else:
        made = mmasim.nv_ptx.TCGen05MMABlockScale("Blackwell", f"m128n8{label}.{scale}")
    return made, datapath.accumulator.block == 64


def draw_scales(rng, shape, name, mode):
    """Return codes of scales: near one, over the whole range, or with a few NaN."""
    if name == "e8m0":
        codes = rng.integers(0, 255, shape) if mode in ("codes", "small") else rng.integers(110, 140, shape)
        nan = 255
    else:
        codes = rng.integers(0, 127, shape)
        nan = 127
    if mode == "special":
        codes = np.where(rng.random(shape) < 0.05, nan, codes)
    return codes.astype(np.uint8)


def compare_scaled(mmasim, name, mode, seed, change=lambda rules: rules):
    """Return what the preset, with its accumulator changed, and MMA-Sim make of the same blocks with scales."""
    datapath = get_datapath(name)
    rules = datapath.accumulator
    instruction, packed = block_instruction(mmasim, name)
    rng = np.random.default_rng(seed)
    k = 3 * rules.block
    a, b = operands(datapath, mode, seed, k)
    codes = [draw_scales(rng, (len(x), k // rules.scale_block), rules.scale_format, mode) for x in (a, b)]
    scales = [decode(part, rules.scale_format).astype(np.float32) for part in codes]
    c = addends(datapath, a, b, seed, mode, fp16=False)
    c *= np.exp2(rng.integers(-10, 10, c.shape)).astype(np.float32)
    kind = torch.float8_e8m0fnu if rules.scale_format == "e8m0" else torch.float8_e4m3fn
    # The sign of an unsigned E4M3 scale is not looked at: set some.
    signs = np.uint8(0 if rules.scale_format == "e8m0" else 0x80)
    containers = [torch.from_numpy((part | (signs * (part & 1))).view(np.int8)).view(kind) for part in codes]
    total = torch.from_numpy(c.copy())
    for start in range(0, k, rules.block):
        ks = slice(start, start + rules.block)
        groups = slice(start // rules.scale_block, (start + rules.block) // rules.scale_block)
        left, right = (to_torch(part[:, ks], datapath.activation, packed) for part in (a, b))
        total = instruction(left, right.T, total, containers[0][:, groups], containers[1][:, groups].T)
    return run(replace(datapath, accumulator=change(rules)), a, b, c, scales, rules.scale_block), total


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", SCALED)
def test_block_scaled(mmasim, name, mode):
    assert_equal(*compare_scaled(mmasim, name, mode, SCALED.index(name)))


@pytest.mark.parametrize("name", ["blackwell_mxfp8_fp32", "blackwell_mxfp6_e3m2_fp32", "blackwell_nvfp4_fp32"])
@pytest.mark.parametrize("change", ["one fraction bit less", "one fraction bit more", "nearest even", "half the block"])
def test_every_rule_of_block_scales_is_needed(mmasim, name, change):
    for seed, mode in enumerate(("middle", "codes", "cancel", "large") * 3):
        got, expected = compare_scaled(mmasim, name, mode, seed, ABLATIONS[change])
        if (got != expected.numpy()).any():
            return
    pytest.fail(f"{name} with {change} still matches")


def altered_everywhere(name, change):
    """Return a preset with its accumulator changed."""
    datapath = get_datapath(name)
    return replace(datapath, accumulator=change(datapath.accumulator))


ABLATIONS = {
    "one fraction bit less": lambda r: replace(r, fraction_bits=r.fraction_bits - 1),
    "one fraction bit more": lambda r: replace(r, fraction_bits=r.fraction_bits + 1),
    "nearest even": lambda r: replace(r, result=FLOAT32),
    "addend last": lambda r: replace(r, addend=Addend.AFTER),
    "half the block": lambda r: replace(r, block=r.block // 2),
    "zeros one exponent lower": lambda r: replace(r, zero_exponent=r.zero_exponent - 1),
    "zeros one exponent higher": lambda r: replace(r, zero_exponent=r.zero_exponent + 1),
    "one bit less of the sum": lambda r: replace(r, sum_bits=r.sum_bits - 1),
    "one bit more of the sum": lambda r: replace(r, sum_bits=r.sum_bits + 1),
    "even and odd k otherwise": lambda r: replace(r, interleaved=not r.interleaved),
}
ALIGNED = (*list(ABLATIONS)[:5],)
CASES = [
    *((name, change) for name in ("volta_fp16_fp32", "hopper_e4m3_fp32", "blackwell_e2m3_fp32") for change in ALIGNED),
    *(("ampere_bf16_fp32", change) for change in list(ABLATIONS)[:7]),
    *((name, change) for name in ("cdna3_bf16_fp32", "cdna3_e5m2fnuz_fp32") for change in list(ABLATIONS)[:2]),
    *(("cdna3_e5m2fnuz_fp32", change) for change in (list(ABLATIONS)[4], *list(ABLATIONS)[7:])),
    *(("cdna3_bf16_fp32", change) for change in (list(ABLATIONS)[4], *list(ABLATIONS)[7:])),
    ("cdna2_bf16_fp32", "half the block"),
    ("cdna1_fp16_fp32", "half the block"),
]


@pytest.mark.parametrize(("name", "change"), CASES)
def test_every_rule_is_needed(mmasim, name, change):
    """A rule changed by one step no longer matches MMA-Sim somewhere."""
    datapath = altered_everywhere(name, ABLATIONS[change])
    instruction = operation(mmasim, name)
    modes = ("tiny",) if change.startswith("zeros") else ("middle", "codes", "small", "cancel")
    for seed, mode in enumerate(modes * 4):
        a, b = operands(datapath, mode, seed, k=2 * datapath.accumulator.block, m=40, n=40)
        c = addends(datapath, a, b, seed, mode, fp16=False)
        expected = instruction(
            to_torch(a, datapath.activation), to_torch(b, datapath.weight).T, torch.from_numpy(c.copy())
        )
        got = run(datapath, a, b, c)
        if (got != expected.numpy()).any():
            return
    pytest.fail(f"{name} with {change} still matches")
