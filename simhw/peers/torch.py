"""PyTorch: ``Tensor.to`` a float8 or 16-bit dtype, and back.

Since 2.12 float8_e4m3fn saturates; float8_e5m2 overflows to infinity, the FNUZ types to NaN.
"""

from __future__ import annotations

from typing import Any

from simhw.peers.base import Cast, Peer, cast_check

DTYPES = {
    "e4m3": ("float8_e4m3fn", "saturate"),
    "e5m2": ("float8_e5m2", "infinity"),
    "e4m3fnuz": ("float8_e4m3fnuz", "nan"),
    "e5m2fnuz": ("float8_e5m2fnuz", "nan"),
    "e8m0": ("float8_e8m0fnu", "nan"),
    "bf16": ("bfloat16", "infinity"),
    "fp16": ("float16", "infinity"),
}


def _casts() -> list[Cast]:
    import torch

    made = []
    for name, (dtype_name, overflow) in DTYPES.items():
        dtype = getattr(torch, dtype_name)
        bits = torch.int8 if dtype.itemsize == 1 else torch.int16

        def encode(values: Any, dtype: Any = dtype, bits: Any = bits) -> Any:
            codes = torch.from_numpy(values).to(dtype).view(bits).numpy()
            return codes.view(f"u{codes.dtype.itemsize}")

        def decode(codes: Any, dtype: Any = dtype, bits: Any = bits) -> Any:
            signed = torch.from_numpy(codes.view(f"i{codes.dtype.itemsize}"))
            assert signed.dtype == bits
            return signed.view(dtype).to(torch.float32).numpy()

        made.append(cast_check(name, f"to({dtype_name})", overflow=overflow, encode=encode, decode=decode))
    return made


PEER = Peer(name="torch", module="torch", install="pip install torch", casts=_casts)
