"""torchao: FP4 and FP6 casts, and ``MXTensor`` with its four scale rules."""

from __future__ import annotations

from typing import Any

from simhw.peers.base import Cast, Peer, cast_check
from simhw.testing import Report

ELEMENTS = {"e2m1": "f4", "e2m3": "f6_e2m3", "e3m2": "f6_e3m2"}
RULES = {"FLOOR": "floor", "CEIL": "ceil", "EVEN": "even", "RCEIL": "round_up"}


def _casts() -> list[Cast]:
    import torch
    from torchao.prototype.mx_formats import kernels

    made = []
    for name, part in ELEMENTS.items():
        to, back = getattr(kernels, f"f32_to_{part}_unpacked"), getattr(kernels, f"{part}_unpacked_to_f32")

        def encode(values: Any, to: Any = to) -> Any:
            return to(torch.from_numpy(values)).numpy()

        def decode(codes: Any, back: Any = back) -> Any:
            return back(torch.from_numpy(codes)).numpy()

        made.append(cast_check(name, f"f32_to_{part}_unpacked", encode=encode, decode=decode))
    for name, dtype in (("mxfp8_e4m3", "float8_e4m3fn"), ("mxfp4", "float4_e2m1fn_x2")):
        made += [_blocks(name, dtype, mode, rule) for mode, rule in RULES.items()]
    return made


def _blocks(name: str, dtype: str, mode: str, rule: str) -> Cast:
    def run() -> Report:
        import torch
        from torchao.prototype.mx_formats.config import ScaleCalculationMode
        from torchao.prototype.mx_formats.mx_tensor import MXTensor

        from simhw.testing import check_blocks

        def quantize(blocks: Any) -> Any:
            given = torch.from_numpy(blocks)
            made = MXTensor.to_mx(given, getattr(torch, dtype), 32, getattr(ScaleCalculationMode, mode))
            return made.dequantize(torch.float32).numpy()

        return check_blocks(name, quantize=quantize, scale_rule=rule)

    return Cast(format=name, call=f"MXTensor.to_mx({mode})", policy=f"{rule}, nearest_even", run=run)


PEER = Peer(name="torchao", module="torchao", install="pip install torchao", casts=_casts)
