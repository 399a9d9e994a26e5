"""gfloat: ``round_ndarray`` with saturation, ``decode_ndarray``, and ``quantize_block`` of float32 blocks."""

from __future__ import annotations

from typing import Any

from simhw.peers.base import Cast, Peer, cast_check
from simhw.testing import Report

ELEMENTS = {
    "e4m3": "ocp_e4m3",
    "e5m2": "ocp_e5m2",
    "e3m2": "ocp_e3m2",
    "e2m3": "ocp_e2m3",
    "e2m1": "ocp_e2m1",
    "bf16": "bfloat16",
    "fp16": "binary16",
}
BLOCKS = {
    "mxfp8_e4m3": "mxfp8_e4m3",
    "mxfp8_e5m2": "mxfp8_e5m2",
    "mxfp6_e3m2": "mxfp6_e3m2",
    "mxfp6_e2m3": "mxfp6_e2m3",
    "mxfp4": "mxfp4_e2m1",
}
P3109 = ((8, 3), (8, 4), (6, 3))


def _casts() -> list[Cast]:
    import gfloat
    import numpy as np
    from gfloat import formats

    def rounds(name: str, info: Any, call: str) -> Cast:
        return cast_check(
            name,
            call,
            round_to=lambda values: gfloat.round_ndarray(info, values, sat=True),
            decode=lambda codes: gfloat.decode_ndarray(info, codes.astype(np.int64)),
            dtype="float64",
        )

    made = [rounds(n, getattr(formats, f"format_info_{theirs}"), f"round({theirs})") for n, theirs in ELEMENTS.items()]
    for bits, precision in P3109:
        info = formats.format_info_p3109(bits, precision)
        made.append(rounds(f"p3109_k{bits}p{precision}se", info, f"round(p3109({bits}, {precision}))"))
    made += [_blocks(name, f"format_info_{theirs}") for name, theirs in BLOCKS.items()]
    return made


def _blocks(name: str, attribute: str) -> Cast:
    def run() -> Report:
        import gfloat
        import numpy as np
        from gfloat import formats

        from simhw.testing import check_blocks

        info = getattr(formats, attribute)

        def quantize(blocks: Any) -> Any:
            with np.errstate(all="ignore"):
                return np.array([gfloat.quantize_block(info, block, gfloat.compute_scale_amax) for block in blocks])

        return check_blocks(name, quantize=quantize)

    return Cast(format=name, call="quantize_block(float32)", policy="floor, nearest_even", run=run)


PEER = Peer(name="gfloat", module="gfloat", install="pip install simhw[test]", casts=_casts)
