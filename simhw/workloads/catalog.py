"""Shapes by name: one TOML file each, in ``models/shapes``; a path names a file of the user's."""

from __future__ import annotations

import tomllib
from dataclasses import MISSING, fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from simhw.errors import InputError, unknown_name
from simhw.workloads.base import Shape
from simhw.workloads.convolutional import Block, ConvolutionalNetwork
from simhw.workloads.mamba import Mamba
from simhw.workloads.transformer import Transformer

KINDS: dict[str, type[Shape]] = {"transformer": Transformer, "mamba": Mamba, "convolutional": ConvolutionalNetwork}


def shape_names() -> list[str]:
    """Return the names of all shapes, sorted."""
    return sorted(file.name.removesuffix(".toml") for file in _folder().iterdir() if file.name.endswith(".toml"))


@cache
def load_shape(name: str) -> Shape:
    """Return the shape called ``name``.

    Raises:
        InputError: there is none of that name.
    """
    if name not in shape_names():
        raise unknown_name("workload", name, shape_names())
    return _read(name, (_folder() / f"{name}.toml").read_text(encoding="utf-8"))


def shape_of_file(path: str) -> Shape:
    """Return the shape that a TOML file describes (see ``docs/workloads.md``).

    Raises:
        InputError: the file cannot be read, or a field is missing, unknown or wrong.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"shape file {path!r} cannot be read ({error}); give a TOML file") from error
    return _read(Path(path).stem, text)


def _folder() -> Any:
    return files("simhw.models.shapes")


def _read(name: str, text: str) -> Shape:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"shape {name!r} is no TOML ({error}); correct it") from error
    kind = data.pop("kind", None)
    if kind not in KINDS:
        raise InputError(f"shape {name!r} has the kind {kind!r}, must be one of {', '.join(KINDS)}; correct it")
    blocks = data.pop("blocks", None)
    if blocks is not None:
        if not isinstance(blocks, list):
            raise InputError(f"shape {name!r}: blocks must be a list of tables; write [[blocks]]")
        data["blocks"] = tuple(_record(Block, f"shape {name!r}, a block", block) for block in blocks)
    shape: Shape = _record(KINDS[kind], f"shape {name!r}", {"name": name, **data})
    return shape


def _record(kind: Any, what: str, data: dict[str, Any]) -> Any:
    known = {field.name: field for field in fields(kind)}
    for given in data:
        if given not in known:
            raise unknown_name(f"field of {what}", given, known)
    for name, field in known.items():
        if name not in data and field.default is MISSING:
            raise InputError(f"{what} lacks {name!r}; add it")
    return kind(**data)
