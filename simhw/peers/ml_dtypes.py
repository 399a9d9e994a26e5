"""``ml_dtypes``: astype to and from every dtype that it has.

Its casts do not saturate: beyond the largest value they give infinity, or NaN where there is none. FP6 and FP4, which
have neither, saturate.
"""

from __future__ import annotations

from typing import Any

from simhw.formats import get_element_format, view_as_dtype
from simhw.formats.arrays import FloatArray
from simhw.peers.base import Cast, Peer, cast_check

OVERFLOW = {
    "e4m3": "nan",
    "e5m2": "infinity",
    "e4m3_ieee": "infinity",
    "e3m4": "infinity",
    "e4m3fnuz": "nan",
    "e5m2fnuz": "nan",
    "e4m3b11fnuz": "nan",
    "e8m0": "nan",
    "e2m3": "saturate",
    "e3m2": "saturate",
    "e2m1": "saturate",
    "bf16": "infinity",
}


def _casts() -> list[Cast]:
    import numpy as np

    made = []
    for name, overflow in OVERFLOW.items():
        fmt = get_element_format(name)
        dtype = view_as_dtype(np.empty(0, fmt.code_dtype), fmt).dtype

        def encode(values: FloatArray, dtype: Any = dtype) -> Any:
            with np.errstate(all="ignore"):
                return values.astype(dtype)

        def decode(codes: Any, dtype: Any = dtype) -> Any:
            with np.errstate(all="ignore"):
                return codes.view(dtype).astype(np.float32)

        made.append(cast_check(name, f"astype({dtype.name})", overflow=overflow, encode=encode, decode=decode))
    return made


PEER = Peer(name="ml_dtypes", module="ml_dtypes", install="pip install ml_dtypes", casts=_casts)
