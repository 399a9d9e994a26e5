"""Layouts of quantized linear layers in safetensors: GPTQ, AWQ and compressed-tensors, as codes and scales.

* **GPTQ**: ``qweight`` int32 (k / pack, n), packed along k, lowest bits first; ``qzeros`` (groups, n / pack);
  ``scales`` (groups, n); ``g_idx`` (k), the group of each input. Version 1 stores the zero point less one.
* **AWQ**: ``qweight`` (k, n / 8) and ``qzeros`` (groups, n / 8), packed along n in the order 0, 2, 4, 6, 1, 3, 5, 7.
* **compressed-tensors**, pack-quantized: ``weight_packed`` (n, k / pack), packed along k, codes with an offset of half
  their range; ``weight_scale`` (n, groups); ``weight_shape``. int-quantized: ``weight`` int8 and ``weight_scale``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.checkpoints.base import PackedWeight, Tensors
from simhw.errors import InputError

Array = NDArray[Any]
AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)


def read_quantized_linears(tensors: Mapping[str, Array], config: Mapping[str, Any]) -> Tensors:
    """Return the tensors with those of each quantized layer joined to one weight, ``NAME.weight``.

    Args:
        tensors: of a checkpoint.
        config: ``quantization_config`` of its ``config.json``: ``quant_method`` and, for GPTQ and AWQ, ``bits``.

    Raises:
        InputError: an unknown method, or tensors that do not fit each other.
    """
    method = config.get("quant_method")
    readers = {"gptq": _gptq, "awq": _awq, "compressed-tensors": _compressed}
    if method not in readers:
        raise InputError(f"quant_method is {method!r}, known are {', '.join(readers)}; convert the checkpoint")
    marks = {"gptq": "qweight", "awq": "qweight", "compressed-tensors": "weight_scale"}
    layers = sorted(name.removesuffix(f".{marks[method]}") for name in tensors if name.endswith(f".{marks[method]}"))
    found: dict[str, Array | PackedWeight] = dict(tensors)
    for layer in layers:
        parts = {
            name.removeprefix(f"{layer}."): tensors[name]
            for name in tensors
            if name.startswith(f"{layer}.") and "." not in name.removeprefix(f"{layer}.")
        }
        try:
            weight = readers[method](layer, parts, config)
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise InputError(f"layer {layer} is no {method} layer ({type(error).__name__}: {error})") from error
        for name in parts:
            if name != "bias":
                del found[f"{layer}.{name}"]
        found[f"{layer}.weight"] = weight
    return found


def _bits(config: Mapping[str, Any]) -> int:
    bits = config.get("bits", 4)
    if bits not in (4, 8):
        raise InputError(f"bits is {bits!r}, 4 and 8 are known; convert the checkpoint")
    return int(bits)


def _unpack(words: Array, bits: int, axis: int) -> NDArray[np.uint8]:
    """Return the codes of int32 words along an axis, lowest bits first."""
    shifts = np.arange(0, 32, bits, dtype=np.uint32)
    spread = np.moveaxis(words.astype(np.int64).astype(np.uint32), axis, -1)[..., None] >> shifts
    codes = (spread & np.uint32((1 << bits) - 1)).astype(np.uint8)
    flat = codes.reshape(*codes.shape[:-2], -1)
    return np.ascontiguousarray(np.moveaxis(flat, -1, axis))


def _gptq(layer: str, parts: Mapping[str, Array], config: Mapping[str, Any]) -> PackedWeight:
    bits = _bits(config)
    codes = _unpack(parts["qweight"], bits, 0).T
    n, k = codes.shape
    scale = np.asarray(parts["scales"], np.float32).T
    groups = scale.shape[1]
    stored = _unpack(parts["qzeros"], bits, 1)[:, :n].astype(np.int32).T
    zero = stored + (0 if _stores_zero(config, stored, bits) else 1)
    size = -(-k // groups)
    order = None
    if "g_idx" in parts:
        group_of = np.asarray(parts["g_idx"], np.int64)
        if group_of.shape != (k,) or group_of.min() < 0 or group_of.max() >= groups:
            raise InputError(
                f"{layer}.g_idx of shape {group_of.shape} must name one of {groups} groups for each of {k} inputs"
            )
        if not np.array_equal(group_of, np.arange(k) // size):
            order = np.argsort(group_of, kind="stable")
            if not np.array_equal(group_of[order], np.arange(k) // size):
                raise InputError(f"{layer}.g_idx has groups of unequal size; groups of {size} are needed")
            codes = codes[:, order]
    return PackedWeight(
        codes=np.ascontiguousarray(codes),
        format=f"uint{bits}",
        group_size=size,
        scale=scale,
        zero=zero,
        order=order,
        source=f"{layer} (GPTQ, {bits} bit)",
    )


def _stores_zero(config: Mapping[str, Any], stored: NDArray[np.int32], bits: int) -> bool:
    """Return whether zero points are stored as they are; symmetric ones tell where the configuration is wrong."""
    half = 1 << (bits - 1)
    if config.get("sym") and (stored == stored.flat[0]).all() and int(stored.flat[0]) in (half - 1, half):
        return int(stored.flat[0]) == half
    return config.get("checkpoint_format") == "gptq_v2"


def _awq(layer: str, parts: Mapping[str, Array], config: Mapping[str, Any]) -> PackedWeight:
    if _bits(config) != 4:
        raise InputError(f"{layer} is AWQ of {config.get('bits')} bits, 4 is known; convert the checkpoint")

    def columns(words: Array) -> NDArray[np.uint8]:
        nibbles = _unpack(words, 4, 1).reshape(len(words), -1, 8)
        ordered = np.empty_like(nibbles)
        ordered[:, :, list(AWQ_ORDER)] = nibbles
        return ordered.reshape(len(words), -1)

    codes = columns(parts["qweight"]).T
    scale = np.asarray(parts["scales"], np.float32).T
    zero = columns(parts["qzeros"]).T.astype(np.int32)
    return PackedWeight(
        codes=np.ascontiguousarray(codes),
        format="uint4",
        group_size=-(-codes.shape[1] // scale.shape[1]),
        scale=np.ascontiguousarray(scale),
        zero=np.ascontiguousarray(zero),
        source=f"{layer} (AWQ)",
    )


def _compressed(layer: str, parts: Mapping[str, Array], config: Mapping[str, Any]) -> PackedWeight:  # noqa: ARG001
    scale = np.asarray(parts["weight_scale"], np.float32)
    if "weight_packed" not in parts:
        codes = np.asarray(parts["weight"])
        if codes.dtype != np.int8:
            raise InputError(f"{layer}.weight is {codes.dtype}, int8 or packed int4 and int8 are known; convert it")
        return PackedWeight(
            codes=codes.view(np.uint8),
            format="int8",
            group_size=-(-codes.shape[1] // scale.shape[1]),
            scale=scale,
            source=f"{layer} (compressed-tensors, int-quantized)",
        )
    if parts["weight_packed"].dtype != np.int32:
        raise InputError(f"{layer}.weight_packed is {parts['weight_packed'].dtype}, int32 is known; convert it")
    n, k = (int(size) for size in parts["weight_shape"])
    words = parts["weight_packed"]
    bits = 8 if words.shape[1] * 4 >= k > words.shape[1] * 4 - 4 else 4
    codes = _unpack(words, bits, 1)[:, :k]
    half = 1 << (bits - 1)
    zero = np.full(scale.shape, half, np.int32)
    if "weight_zero_point" in parts:
        raise InputError(f"{layer} has zero points of its own, symmetric weights are known; convert it")
    if codes.shape != (n, k):
        raise InputError(f"{layer}.weight_packed unpacks to {codes.shape}, weight_shape says {(n, k)}")
    return PackedWeight(
        codes=np.ascontiguousarray(codes),
        format=f"uint{bits}",
        group_size=-(-k // scale.shape[1]),
        scale=scale,
        zero=zero,
        source=f"{layer} (compressed-tensors, {bits} bit)",
    )
