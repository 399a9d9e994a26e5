"""Checkpoints: codes and scales against independent packers and the libraries' own dequantizers; damaged files."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import gguf
import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simhw.checkpoints import (
    PackedWeight,
    as_operand,
    dequantize,
    minimum_operand,
    read_gguf,
    read_quantized_linears,
    read_safetensors,
    read_torch,
)
from simhw.errors import InputError
from simhw.gemm.datapaths import get_datapath
from simhw.gemm.engine import multiply
from simhw.gemm.operand import Operand

RNG = np.random.default_rng(0)
N, K, GROUP = 16, 64, 32


# --- packers, written number by number from the formats' descriptions ---


def pack_words(codes: np.ndarray, bits: int) -> np.ndarray:
    """Rows of codes to int32 words along the last axis, lowest bits first."""
    per = 32 // bits
    words = np.zeros((len(codes), codes.shape[1] // per), np.int64)
    for i, row in enumerate(codes):
        for j, code in enumerate(row):
            words[i, j // per] |= int(code) << (bits * (j % per))
    return words.astype(np.uint32).view(np.int32)


def gptq(codes, scale, zero, group_of, bits, version=1):
    """``codes`` (k, n), ``scale`` and ``zero`` (groups, n)."""
    return {
        "qweight": pack_words(codes.T, bits).T.copy(),
        "qzeros": pack_words(zero - (1 if version == 1 else 0), bits),
        "scales": scale.astype(np.float16),
        "g_idx": group_of.astype(np.int32),
    }


def awq(codes, scale, zero):
    """Columns of eight neighbours are stored in the order 0, 2, 4, 6, 1, 3, 5, 7."""

    def pack(values):
        words = np.zeros((len(values), values.shape[1] // 8), np.int64)
        for i, row in enumerate(values):
            for j in range(0, len(row), 8):
                for place, column in enumerate((0, 2, 4, 6, 1, 3, 5, 7)):
                    words[i, j // 8] |= int(row[j + column]) << (4 * place)
        return words.astype(np.uint32).view(np.int32)

    return {"qweight": pack(codes), "qzeros": pack(zero), "scales": scale.astype(np.float16)}


def named(parts):
    return {f"layer.{name}": value for name, value in parts.items()}


def random_layer(bits, groups, low=1):
    codes = RNG.integers(0, 1 << bits, (K, N))
    scale = RNG.uniform(0.01, 0.2, (groups, N)).astype(np.float16)
    zero = RNG.integers(low, 1 << bits, (groups, N))
    return codes, scale, zero


def real(codes, scale, zero, group_of):
    return (codes - zero[group_of]).T * scale.astype(np.float32)[group_of].T


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("bits", [4, 8])
def test_gptq(bits, version):
    codes, scale, zero = random_layer(bits, 2)
    group_of = np.arange(K) // GROUP
    config = {"quant_method": "gptq", "bits": bits, "checkpoint_format": "gptq" if version == 1 else "gptq_v2"}
    tensors = read_quantized_linears(named(gptq(codes, scale, zero, group_of, bits, version)), config)
    weight = tensors["layer.weight"]
    assert set(tensors) == {"layer.weight"}
    assert isinstance(weight, PackedWeight)
    assert np.array_equal(weight.codes, codes.T)
    assert np.array_equal(weight.zero, zero.T)
    assert weight.order is None
    assert np.array_equal(dequantize(weight), real(codes, scale, zero, group_of).astype(np.float32))


def test_gptq_in_the_order_of_activations():
    """Groups are scattered over the inputs: neighbours in the codes, with the permutation beside them."""
    codes, scale, zero = random_layer(4, 2)
    group_of = RNG.permutation(np.arange(K) // GROUP)
    tensors = named(gptq(codes, scale, zero, group_of, 4))
    weight = read_quantized_linears(tensors, {"quant_method": "gptq", "bits": 4})["layer.weight"]
    assert np.array_equal(dequantize(weight), real(codes, scale, zero, group_of).astype(np.float32))
    assert weight.order is not None
    assert np.array_equal(group_of[weight.order], np.arange(K) // GROUP)
    assert np.array_equal(weight.codes, codes.T[:, weight.order])


def test_symmetric_gptq_tells_its_version_itself():
    """Files that say version 1 and store the zero points of version 2."""
    codes, scale, _ = random_layer(4, 2)
    eight = np.full((2, N), 8)
    group_of = np.arange(K) // GROUP
    config = {"quant_method": "gptq", "bits": 4, "sym": True, "checkpoint_format": "gptq"}
    for version in (1, 2):
        found = read_quantized_linears(named(gptq(codes, scale, eight, group_of, 4, version)), config)
        assert (found["layer.weight"].zero == 8).all()


def test_awq():
    codes, scale, zero = random_layer(4, 2, low=0)
    weight = read_quantized_linears(named(awq(codes, scale, zero)), {"quant_method": "awq", "bits": 4})["layer.weight"]
    assert np.array_equal(weight.codes, codes.T)
    assert np.array_equal(dequantize(weight), real(codes, scale, zero, np.arange(K) // GROUP).astype(np.float32))


@pytest.mark.parametrize("bits", [4, 8])
def test_compressed_tensors_packed(bits):
    half = 1 << (bits - 1)
    values = RNG.integers(-half, half, (N, K))
    scale = RNG.uniform(0.01, 0.2, (N, 2)).astype(np.float32)
    parts = {
        "weight_packed": pack_words(values + half, bits),
        "weight_scale": scale,
        "weight_shape": np.array([N, K]),
        "bias": np.ones(N, np.float32),
    }
    found = read_quantized_linears(named(parts), {"quant_method": "compressed-tensors"})
    assert set(found) == {"layer.weight", "layer.bias"}
    assert np.array_equal(
        dequantize(found["layer.weight"]), values.astype(np.float32) * np.repeat(scale, GROUP, axis=1)
    )


def test_compressed_tensors_of_int8():
    values = RNG.integers(-128, 128, (N, K)).astype(np.int8)
    scale = RNG.uniform(0.01, 0.2, (N, 1)).astype(np.float32)
    parts = named({"weight": values, "weight_scale": scale})
    weight = read_quantized_linears(parts, {"quant_method": "compressed-tensors"})["layer.weight"]
    assert np.array_equal(dequantize(weight), values.astype(np.float32) * scale)
    assert as_operand(weight).row_scale is not None


@pytest.mark.parametrize("kind", ["Q4_0", "Q4_1", "Q8_0", "F16", "BF16", "F32"])
def test_gguf_against_its_own_dequantizer(tmp_path, kind):
    values = RNG.standard_normal((N, K)).astype(np.float32)
    path = write_gguf(tmp_path / "m.gguf", {"w": (values, kind)})
    found = read_gguf(path).tensors["w"]
    stored = gguf.quants.quantize(values, gguf.GGMLQuantizationType[kind])
    expected = gguf.quants.dequantize(stored, gguf.GGMLQuantizationType[kind])
    ours = dequantize(found) if isinstance(found, PackedWeight) else found
    assert np.array_equal(ours, expected)


def write_gguf(path: Path, tensors, **metadata) -> Path:
    writer = gguf.GGUFWriter(path, "llama")
    for key, value in metadata.items():
        writer.add_uint32(key, value)
    writer.add_array("words", ["a", "bc"])
    for name, (values, kind) in tensors.items():
        form = gguf.GGMLQuantizationType[kind]
        if kind in ("F32", "F16"):
            writer.add_tensor(name, values.astype(np.float16) if kind == "F16" else values)
        else:
            writer.add_tensor(name, gguf.quants.quantize(values, form), raw_dtype=form)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("datapath", ["w4a8_mixpe", "w4a16_mixpe"])
def test_codes_and_minima_make_the_product(tmp_path, datapath):
    """Q4_1 without requantizing: each group's sums in integers, its scale and its minimum in fp32."""
    values = RNG.standard_normal((N, K)).astype(np.float32)
    weight = read_gguf(write_gguf(tmp_path / "m.gguf", {"w": (values, "Q4_1")})).tensors["w"]
    x = RNG.integers(-8, 8, (1, 3, K))
    if datapath == "w4a8_mixpe":
        a = Operand(codes=x.astype(np.int8).view(np.uint8), format="int8")
    else:
        a = Operand(codes=x.astype(np.float16).view(np.uint16), format="fp16")
    record = get_datapath(datapath)
    product = multiply(a, as_operand(weight), record, minimum=minimum_operand(weight)).values[0]
    scaled, below = np.zeros((3, N), np.float32), np.zeros((3, N), np.float32)
    for group in range(2):
        ks = slice(group * GROUP, (group + 1) * GROUP)
        sums = x[0, :, ks] @ weight.codes[:, ks].astype(np.int64).T
        scaled += sums.astype(np.float32) * weight.scale[:, group]
        below += x[0, :, ks].sum(axis=1, keepdims=True).astype(np.float32) * weight.minimum[:, group]
    expected = (scaled + below).astype(np.float16).astype(np.float32)
    assert np.array_equal(product, expected)
    assert np.abs(product - x[0] @ dequantize(weight).T).max() < 0.05


def test_safetensors(tmp_path):
    tensors = {"a": RNG.standard_normal((3, 4)).astype(np.float32), "b": np.arange(5), "c": np.ones((), np.float16)}
    safetensors.numpy.save_file(tensors, tmp_path / "model.safetensors")
    bf16 = torch.tensor([[1.5, -2.0, 3.1]], dtype=torch.bfloat16)
    safetensors.torch.save_file({"d": bf16}, tmp_path / "more.safetensors")
    found = read_safetensors(tmp_path)
    assert all(np.array_equal(found[name], tensors[name]) for name in tensors)
    assert np.array_equal(found["d"], bf16.float().numpy())
    index = {"weight_map": {"a": "model.safetensors", "d": "more.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert set(read_safetensors(tmp_path)) == {"a", "b", "c", "d"}
    index["weight_map"]["missing"] = "model.safetensors"
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match="lists missing and 0 more that no shard holds"):
        read_safetensors(tmp_path)
    index["weight_map"] = {"a": "../../etc/passwd"}  # names of an index cannot leave its folder
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match="passwd cannot be read"):
        read_safetensors(tmp_path)


class Evil:
    def __reduce__(self):
        return (print, ("run",))


def test_pickles_run_no_code(tmp_path, capsys):
    good = {"w": torch.ones(2, 3), "h": torch.ones(2, dtype=torch.bfloat16)}
    torch.save({"state_dict": good}, tmp_path / "good.pt")
    found = read_torch(tmp_path / "good.pt")
    assert found["w"].shape == (2, 3)
    assert found["h"].dtype == np.float32
    torch.save({"w": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(InputError, match="cannot be read as a state dict of tensors"):
        read_torch(tmp_path / "evil.pt")
    assert "run" not in capsys.readouterr().out
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(InputError, match="holds something else than tensors by name"):
        read_torch(tmp_path / "list.pt")


def damaged(path: Path, content: bytes, read) -> None:
    """A damaged file is read, or refused by one sentence; nothing else may happen."""
    path.write_bytes(content)
    with contextlib.suppress(InputError):
        read(path)


def mutations(size: int):
    cut = st.integers(0, size - 1).map(lambda at: lambda data: data[:at])
    place = st.tuples(st.integers(0, min(size, 700) - 1), st.binary(min_size=1, max_size=9))
    change = place.map(lambda p: lambda data: data[: p[0]] + p[1] + data[p[0] + len(p[1]) :])
    return st.lists(st.one_of(change, change, cut), min_size=1, max_size=3)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, tuple[Path, bytes]]:
    folder = tmp_path_factory.mktemp("good")
    values = RNG.standard_normal((4, 32)).astype(np.float32)
    write_gguf(folder / "m.gguf", {"w": (values, "Q4_1"), "v": (values, "F32")}, alignment_of_nothing=3)
    safetensors.numpy.save_file({"a": values, "b": values}, folder / "m.safetensors")
    torch.save({"a": torch.from_numpy(values)}, folder / "m.pt")
    return {path.suffix: (folder / f"bad{path.suffix}", path.read_bytes()) for path in folder.iterdir()}


READERS = {".gguf": read_gguf, ".safetensors": read_safetensors, ".pt": read_torch}


@pytest.mark.parametrize(("kind", "examples"), [(kind, 120) for kind in READERS])
def test_mutated_files_end_in_a_sentence(files, kind, examples):
    mutate(files, kind, examples)


@pytest.mark.slow
@pytest.mark.parametrize("kind", READERS)
def test_thousands_of_mutated_files(files, kind):
    mutate(files, kind, 3000)


def mutate(files, kind, examples):
    path, content = files[kind]

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(changes=mutations(len(content)))
    def run(changes):
        data = content
        for change in changes:
            data = change(data)
        damaged(path, data, READERS[kind])

    run()


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"", "ends inside its header"),
        (b"GGML" + bytes(40), "does not begin with GGUF"),
        (b"GGUF" + (3).to_bytes(4, "little") + (1 << 60).to_bytes(8, "little") + bytes(8), "tensors and 0 entries"),
        (b"GGUF" + (9).to_bytes(4, "little") + bytes(16), "is of version 9"),
        (
            b"GGUF"
            + (3).to_bytes(4, "little")
            + bytes(8)
            + (1).to_bytes(8, "little")
            + (1 << 62).to_bytes(8, "little"),
            "ends inside its header",
        ),
    ],
)
def test_gguf_headers_that_state_too_much(tmp_path, header, message):
    path = tmp_path / "m.gguf"
    path.write_bytes(header)
    with pytest.raises(InputError, match=message):
        read_gguf(path)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 16]}, "must take 4398046511104"),
        ({"dtype": "F32", "shape": [4], "data_offsets": [8, 24]}, "must take 16 within them"),
        ({"dtype": "F32", "shape": [-4, -1], "data_offsets": [0, 16]}, "must be whole numbers"),
        ({"dtype": "Q7", "shape": [4], "data_offsets": [0, 16]}, "has the type Q7"),
        ({"shape": [4]}, "is not described"),
    ],
)
def test_safetensors_headers_that_state_too_much(tmp_path, entry, message):
    header = json.dumps({"t": entry}).encode()
    path = tmp_path / "m.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))
    with pytest.raises(InputError, match=message):
        read_safetensors(path)


@pytest.mark.parametrize(
    ("config", "change", "message"),
    [
        ({"quant_method": "magic"}, {}, "quant_method is 'magic', known are gptq, awq"),
        ({"quant_method": "gptq", "bits": 3}, {}, "bits is 3, 4 and 8 are known"),
        ({"quant_method": "gptq"}, {"scales": np.ones((2, 5), np.float16)}, "layer"),
        ({"quant_method": "gptq"}, {"g_idx": np.zeros(K, np.int32)}, "groups of unequal size"),
        ({"quant_method": "gptq"}, {"g_idx": np.full(K, 7, np.int32)}, "must name one of 2 groups"),
        ({"quant_method": "gptq"}, {"scales": np.full((2, N), np.inf, np.float16)}, "a scale is not finite"),
    ],
)
def test_layers_that_do_not_fit(config, change, message):
    codes, scale, zero = random_layer(4, 2)
    tensors = named({**gptq(codes, scale, zero, np.arange(K) // GROUP, 4), **change})
    with pytest.raises(InputError, match=message):
        read_quantized_linears(tensors, config)
