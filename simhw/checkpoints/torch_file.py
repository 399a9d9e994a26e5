"""State dicts of ``torch.save``: tensors only, no code of the file is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.errors import InputError


def read_torch(path: str | Path) -> dict[str, NDArray[Any]]:
    """Return the tensors of a state dict, bf16 as float32.

    Raises:
        InputError: the file cannot be read, holds anything but tensors, or would run code.
    """
    import torch

    try:
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # a file of any content
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"{path} cannot be read as a state dict of tensors ({first}); save one with torch.save(module.state_dict())"
        ) from error
    if isinstance(found, dict) and isinstance(found.get("state_dict"), dict):
        found = found["state_dict"]
    if not isinstance(found, dict) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise InputError(f"{path} holds something else than tensors by name; save module.state_dict() alone")
    return {
        str(name): np.asarray((value.float() if value.dtype == torch.bfloat16 else value).detach().numpy())
        for name, value in found.items()
    }
