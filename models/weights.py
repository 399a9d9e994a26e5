"""Weights on disk (safetensors), read strictly: a file that does not fit the module exactly is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from simhw.errors import InputError
from simhw.writing import write_atomically

ASSETS = Path(__file__).parent / "assets"


def stored_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Return every parameter and persistent buffer once; of tied parameters only the first name."""
    seen: set[int] = set()
    tensors: dict[str, Tensor] = {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            tensors[name] = tensor.detach()
    return tensors


def save_weights(module: nn.Module, path: Path) -> None:
    """Write the module's tensors to ``path``; an interrupt leaves the old file as it was."""
    tensors = {name: tensor.contiguous() for name, tensor in stored_tensors(module).items()}
    write_atomically(path, safetensors.torch.save(tensors))


def load_weights(module: nn.Module, path: Path, *, remedy: str) -> None:
    """Read ``path`` into ``module``.

    Args:
        module: receives the tensors.
        path: safetensors file written by `save_weights`.
        remedy: what the user can do about a bad file; ends the error's sentence.

    Raises:
        InputError: the file is absent, truncated or not safetensors, or does not fit (see `fill`).
    """
    try:
        tensors = safetensors.torch.load_file(path)
    except FileNotFoundError:
        raise InputError(f"weights file {path} does not exist; {remedy}") from None
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"weights file {path} cannot be read ({error}); a complete safetensors file is needed; {remedy}"
        ) from error
    fill(module, tensors, origin=str(path), remedy=remedy)


def fill(module: nn.Module, tensors: Mapping[str, Tensor], *, origin: str, remedy: str) -> None:
    """Copy ``tensors`` into ``module``: the same names, shapes and types, all finite.

    Raises:
        InputError: a tensor is missing, unexpected, of another shape or type, or holds NaN or infinity.
    """
    wanted = stored_tensors(module)
    missing, unexpected = sorted(wanted.keys() - tensors.keys()), sorted(tensors.keys() - wanted.keys())
    if missing or unexpected:
        raise InputError(
            f"{origin} does not fit {type(module).__name__}: missing {_some(missing)}, unexpected"
            f" {_some(unexpected)}; exactly the module's {len(wanted)} tensors are allowed; {remedy}"
        )
    for name, tensor in tensors.items():
        target = wanted[name]
        if tensor.shape != target.shape or tensor.dtype != target.dtype:
            raise InputError(f"{origin}: {name} is {_kind(tensor)}, must be {_kind(target)}; {remedy}")
        if not bool(torch.isfinite(tensor).all()):
            raise InputError(f"{origin}: {name} holds NaN or infinity, only finite numbers allowed; {remedy}")
    with torch.no_grad():
        for name, tensor in tensors.items():
            wanted[name].copy_(tensor)


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3]) or "nothing"
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}"
