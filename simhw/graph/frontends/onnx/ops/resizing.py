"""Resizing of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from simhw.errors import InputError
from simhw.graph.frontends.onnx.ops.base import Context
from simhw.graph.frontends.onnx.values import Value, host, ints, tensor

HALVES = ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric")


def resize(
    context: Context,
    x: Value,
    roi: Value = None,
    scales: Value = None,
    sizes: Value = None,
    mode: str = "nearest",
    coordinate_transformation_mode: str = "half_pixel",
    nearest_mode: str = "round_prefer_floor",
    cubic_coeff_a: float = -0.75,  # noqa: ARG001
    exclude_outside: int = 0,  # noqa: ARG001
    extrapolation_value: float = 0.0,  # noqa: ARG001
    antialias: int = 0,
    axes: Sequence[int] | None = None,
    keep_aspect_ratio_policy: str = "stretch",
) -> Any:
    """Resize of two axes: nearest (asymmetric, floor; or by whole factors) and linear, where PyTorch's is the same."""
    del context, roi
    x = tensor(x)
    if x.ndim != 4 or antialias or axes or keep_aspect_ratio_policy != "stretch":
        raise InputError("it has other than two spatial axes, antialias, axes or a policy, which is not supported")
    way = coordinate_transformation_mode
    lengths = _lengths(x, scales, sizes, way)
    if way == "pytorch_half_pixel" and mode == "linear" and 1 in lengths:
        raise InputError("it resizes to one pixel with pytorch_half_pixel, which is not supported")
    if mode == "nearest":
        whole = all(isinstance(n, int) and n % m == 0 for n, m in zip(lengths, x.shape[2:], strict=True))
        # By a whole factor the centres of pixels fall into the same source pixel.
        same = whole and way in HALVES and nearest_mode.startswith("round")
        if same or (way == "asymmetric" and nearest_mode == "floor"):
            return F.interpolate(x, size=lengths, mode="nearest")
    elif mode == "linear" and x.is_floating_point() and way in (*HALVES[:2], "align_corners"):
        return F.interpolate(x, size=lengths, mode="bilinear", align_corners=way == "align_corners")
    raise InputError(
        f"its mode is {mode}, {way}, {nearest_mode}; supported are nearest with asymmetric and floor, "
        "and linear on floats with half_pixel or align_corners"
    )


def _lengths(x: torch.Tensor, scales: Value, sizes: Value, way: str) -> list[Any]:
    """Return the lengths of the spatial axes; the scale must be that of the lengths, as it is for PyTorch."""
    if sizes is not None:
        given = ints(sizes, "sizes")
        pairs = zip(given[:2], x.shape, strict=False)
        other = any(isinstance(n, int) and isinstance(m, int) and n != m for n, m in pairs)
        found, exact = given[2:], True
    else:
        factors = np.asarray(host(scales, "scales"), np.float32).reshape(-1)
        other = bool((factors[:2] != 1).any())
        stretched = [np.float32(length) * factor for length, factor in zip(x.shape[2:], factors[2:], strict=True)]
        found = [int(length) for length in stretched]
        exact = found == stretched
    if other:
        raise InputError("it resizes the first two axes, must leave samples and channels; export with channels first")
    if not exact and way != "align_corners":
        raise InputError("its scales give no whole lengths, which is not supported; export with sizes")
    return found


OPERATORS: Mapping[str, Any] = {"Resize": resize}
