"""Reads the cost model of a published simulator from TOML and refuses one whose numbers cannot be judged."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import lru_cache
from importlib import resources
from typing import Any

from simhw.costs.published_model import (
    DequantizationLayers,
    Design,
    DramPrices,
    MemorySizes,
    OtherWidths,
    PublishedLayer,
    PublishedModel,
    PublishedNetwork,
    SramPrices,
    Workload,
)
from simhw.errors import InputError, unknown_name

_FOLDER = "simhw.costs.published"


def published_model_names() -> list[str]:
    """Return the names of the models that ship, sorted."""
    folder = resources.files(_FOLDER)
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))


@lru_cache
def load_published_model(name: str) -> PublishedModel:
    """Return the shipped model called ``name``.

    Raises:
        InputError: there is none of that name.
    """
    if name not in published_model_names():
        raise unknown_name("cost preset", name, published_model_names())
    return parse_published_model((resources.files(_FOLDER) / f"{name}.toml").read_text("utf-8"), name)


def parse_published_model(text: str, name: str) -> PublishedModel:
    """Return the model that the TOML ``text`` describes.

    Raises:
        InputError: the text is no TOML, a key is missing or unknown, a number is not positive, or a source is not
            listed.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"cost preset {name!r} is not valid TOML ({error}); correct that line") from error
    sources = _table(data, "sources", name)

    def record(kind: type[Any], raw: Mapping[str, Any], where: str, **given: Any) -> Any:
        return _record(kind, raw, f"{where} of cost preset {name!r}", sources, given)

    clock = _table(data, "clock", name)
    return PublishedModel(
        name=name,
        description=_table_value(data, "description", str, name),
        node_nm=_table_value(data, "node_nm", int | float, name),
        source=_cite(data.get("source"), sources, f"cost preset {name!r}"),
        memory=record(MemorySizes, _table(data, "memory", name), "memory"),
        workload=record(Workload, _table(data, "workload", name), "workload"),
        sram=record(SramPrices, _table(data, "sram", name), "sram"),
        clock_mhz=_positive(clock.get("mhz"), f"mhz of the clock of cost preset {name!r}"),
        dram=record(DramPrices, _table(_table(data, "dram", name), "reported", name), "dram.reported"),
        dram_of_search=record(DramPrices, _table(_table(data, "dram", name), "optimiser", name), "dram.optimiser"),
        networks={
            key: record(PublishedNetwork, raw, f"network {key}", name=key)
            for key, raw in _table(data, "networks", name).items()
        },
        designs={
            key: record(Design, raw, f"design {key}", name=key) for key, raw in _table(data, "designs", name).items()
        },
        sources=sources,
    )


def _record(
    kind: type[Any], raw: Mapping[str, Any], where: str, sources: Mapping[str, str], given: Mapping[str, Any]
) -> Any:
    """Return the record of a table: every field stated, every number positive, its source cited."""
    known = [field.name for field in fields(kind)]
    values = {**raw, **given}
    for key in values:
        if key not in (*known, "source"):
            raise InputError(f"{where} has {key!r}, which is not known; its keys are {', '.join(known)}")
    cited = _cite(values.pop("source", None), sources, where)
    if "source" in known:
        values["source"] = cited
    for field in fields(kind):
        if field.name not in values and field.default is MISSING:
            raise InputError(f"{where} has no {field.name!r}, every one states it; add it")
    for key, value in values.items():
        if isinstance(value, int | float):
            _positive(value, f"{key} of {where}")
    if "dequantize" in values:
        values["dequantize"] = _place(values["dequantize"], where)
    if "other" in values:
        other = values["other"]
        values["other"] = OtherWidths(
            bits=int(_positive(other.get("bits"), f"other bits of {where}")),
            one_in=int(_positive(other.get("one_in", 1), f"other one_in of {where}")),
            layers=tuple(other.get("layers", ())),
        )
    if "layers" in values:
        values["layers"] = tuple(_layer(raw, where) for raw in values["layers"])
    return kind(**values)


def _layer(raw: object, where: str) -> PublishedLayer:
    """Return a layer that is written as ``[name, count, inputs, outputs, taps, side]``."""
    if not isinstance(raw, list) or len(raw) != 6 or not isinstance(raw[0], str):
        raise InputError(
            f"a layer of {where} is {raw!r}, must be [name, count, inputs, outputs, taps, side]; write it so"
        )
    count, inputs, outputs, taps, side = (
        int(_positive(size, f"a size of layer {raw[0]!r} of {where}")) for size in raw[1:]
    )
    return PublishedLayer(name=raw[0], count=count, inputs=inputs, outputs=outputs, taps=taps, side=side)


def _place(value: object, where: str) -> DequantizationLayers:
    allowed = [place.value for place in DequantizationLayers]
    if value not in allowed:
        raise InputError(f"dequantize of {where} is {value!r}, must be one of {', '.join(allowed)}; write one of them")
    return DequantizationLayers(value)


def _cite(key: object, sources: Mapping[str, str], where: str) -> str:
    if key not in sources:
        raise InputError(f"{where} cites {key!r}, the sources listed are {', '.join(sources)}; cite one of them")
    return sources[str(key)]


def _positive(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise InputError(f"{what} is {value!r}, must be a number greater than 0; state it in the unit of its key")
    return value


def _table(data: Mapping[str, Any], key: str, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = _table_value(data, key, Mapping, name)
    return found


def _table_value(data: Mapping[str, Any], key: str, kind: Any, name: str) -> Any:
    value = data.get(key)
    if not isinstance(value, kind):
        raise InputError(f"cost preset {name!r} has no {key!r}, every preset states it; add it")
    return value
