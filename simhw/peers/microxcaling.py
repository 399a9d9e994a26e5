"""microxcaling, the reference emulator of OCP MX: element casts and blocks, rounded to even."""

from __future__ import annotations

from typing import Any

from simhw.peers.base import Cast, Peer, cast_check
from simhw.testing import Report

FORMATS = {
    "e4m3": ("mxfp8_e4m3", "fp8_e4m3"),
    "e5m2": ("mxfp8_e5m2", "fp8_e5m2"),
    "e3m2": ("mxfp6_e3m2", "fp6_e3m2"),
    "e2m3": ("mxfp6_e2m3", "fp6_e2m3"),
    "e2m1": ("mxfp4", "fp4_e2m1"),
}


def _casts() -> list[Cast]:
    import torch
    from mx.elemwise_ops import _quantize_elemwise
    from mx.formats import ElemFormat

    made = []
    for name, (blocks, theirs) in FORMATS.items():
        fmt = ElemFormat.from_str(theirs)

        def round_to(values: Any, fmt: Any = fmt) -> Any:
            return _quantize_elemwise(torch.from_numpy(values), fmt, round="even", saturate_normals=True).numpy()

        made.append(cast_check(name, f"_quantize_elemwise({theirs}, even)", round_to=round_to))
        made.append(_blocks(blocks, theirs))
    return made


def _blocks(name: str, theirs: str) -> Cast:
    def run() -> Report:
        import torch
        from mx.formats import ElemFormat
        from mx.mx_ops import _quantize_mx

        from simhw.testing import check_blocks

        def quantize(blocks: Any) -> Any:
            given = torch.from_numpy(blocks)
            fmt = ElemFormat.from_str(theirs)
            return _quantize_mx(given, 8, fmt, axes=[-1], block_size=32, round="even").numpy()

        return check_blocks(name, quantize=quantize)

    return Cast(format=name, call=f"_quantize_mx({theirs}, even)", policy="floor, nearest_even", run=run)


PEER = Peer(
    name="microxcaling",
    module="mx",
    install="pip install git+https://github.com/microsoft/microxcaling",
    casts=_casts,
)
