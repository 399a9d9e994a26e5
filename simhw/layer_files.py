"""Layers from files: tables of GEMMs or convolutions, and SCALE-Sim's topologies and configurations.

Tables are CSV with a header. Which kind it is follows from the header:

* ``name,m,n,k`` and optionally ``batch``;
* ``name,kind,height,width,channels,filters,filter_height,filter_width,stride,padding,groups`` and optionally
  ``dilation,batch``; kind is ``conv`` or ``depthwise``; stride, padding and dilation are one number, or two as in
  ``2x1`` (vertical x horizontal); an empty cell is the usual value (1, for padding 0);
* SCALE-Sim's topologies, for convolutions (``Layer name, IFMAP Height, ...``) and GEMMs (``Layer, M, N, K``), whose
  rows end with a comma.
"""

from __future__ import annotations

import configparser
import csv
from dataclasses import dataclass
from pathlib import Path

from simhw.arrays import Gemm
from simhw.arrays.convolution import Convolution
from simhw.errors import InputError

_GEMM = {"name", "m", "n", "k"}
_CONVOLUTION = {"name", "kind", "height", "width", "channels", "filters", "filter_height", "filter_width"}
_SCALESIM = ["name", "height", "width", "filter_height", "filter_width", "channels", "filters", "stride"]
_OPTIONAL = {"gemm": {"batch"}, "convolution": {"stride", "padding", "groups", "dilation", "batch"}}
_CONFIG = {
    "arrayheight": "rows",
    "arraywidth": "columns",
    "ifmapsramszkb": "ifmap_kb",
    "filtersramszkb": "filter_kb",
    "ofmapsramszkb": "ofmap_kb",
}
_DATAFLOWS = {"os": "output_stationary", "ws": "weight_stationary", "is": "input_stationary"}


@dataclass(frozen=True, kw_only=True)
class NamedLayer:
    """A layer of a table."""

    name: str
    layer: Gemm | Convolution

    @property
    def gemm(self) -> Gemm:
        """The GEMM that an array runs."""
        return self.layer.gemm if isinstance(self.layer, Convolution) else self.layer


@dataclass(frozen=True, kw_only=True)
class ScalesimConfig:
    """What a SCALE-Sim configuration states about the array and its buffers."""

    dataflow: str
    rows: int
    columns: int
    ifmap_kb: int
    filter_kb: int
    ofmap_kb: int


def read_layers(path: str) -> list[NamedLayer]:
    """Return the layers of a table (see the module).

    Raises:
        InputError: the file cannot be read, its header is none of those known, or a row is wrong; the sentence
            names the line.
    """
    lines = [[cell.strip() for cell in row] for row in csv.reader(_text(path).splitlines())]
    numbered = [(number, row) for number, row in enumerate(lines, start=1) if any(row)]
    if not numbered:
        raise InputError(f"{path} is empty, a table of layers has a header and rows; write name,m,n,k first")
    header = [cell.lower().replace(" ", "_") for cell in numbered[0][1] if cell]
    if header[0] in ("layer", "layer_name"):
        header, kind = _scalesim_header(header), "scalesim"
    else:
        kind = _kind(header, path)
    if len(numbered) == 1:
        raise InputError(f"{path} has a header and no layer; add one row for each")
    layers = []
    for number, row in numbered[1:]:
        try:
            layers.append(_layer(dict(zip(header, row, strict=False)), kind, len(row) < len(header), number))
        except InputError as error:
            raise InputError(f"{path}, line {number}: {error}") from error
    return layers


def read_scalesim_config(path: str) -> ScalesimConfig:
    """Return array, buffers and dataflow of a SCALE-Sim ``.cfg`` file.

    Raises:
        InputError: the file cannot be read, or lacks one of them.
    """
    parser = configparser.ConfigParser()
    try:
        parser.read_string(_text(path))
    except configparser.Error as error:
        raise InputError(f"{path} is no SCALE-Sim configuration ({error.message}); correct it") from error
    if not parser.has_section("architecture_presets"):
        raise InputError(f"{path} has no section [architecture_presets], where SCALE-Sim states the array; add it")
    section = dict(parser.items("architecture_presets"))
    sizes = {name: _integer(key, section.get(key, "")) for key, name in _CONFIG.items()}
    given = section.get("dataflow", "").strip()
    if given not in _DATAFLOWS:
        raise InputError(f"{path}: Dataflow is {given!r}, must be one of os, ws, is; correct it")
    return ScalesimConfig(dataflow=_DATAFLOWS[given], **sizes)


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise InputError(f"file {path!r} cannot be read ({reason}); give a readable table") from error


def _scalesim_header(header: list[str]) -> list[str]:
    return ["name", "m", "n", "k"] if header[1:4] == ["m", "n", "k"] else _SCALESIM


def _kind(header: list[str], path: str) -> str:
    names = set(header)
    if len(names) != len(header):
        raise InputError(f"{path}: the header names a column twice ({','.join(header)}); keep one of them")
    kind, needed = ("gemm", _GEMM) if "m" in names else ("convolution", _CONVOLUTION)
    missing = sorted(needed - names)
    unknown = sorted(names - needed - _OPTIONAL[kind])
    if missing or unknown:
        wrong = f"lacks {', '.join(missing)}" if missing else f"has the unknown column {unknown[0]}"
        raise InputError(
            f"{path}: the header {wrong}; columns are name,m,n,k[,batch] or name,kind,height,width,channels,filters,"
            "filter_height,filter_width[,stride,padding,groups,dilation,batch]"
        )
    return kind


def _layer(row: dict[str, str], kind: str, short: bool, number: int) -> NamedLayer:
    if short:
        raise InputError(f"the row has {len(row)} cells, fewer than the header; complete it")
    name = row["name"] or f"line{number}"
    if "m" in row:
        sizes = {size: _integer(size, row[size]) for size in ("m", "n", "k")}
        return NamedLayer(name=name, layer=Gemm(**sizes, batch=_integer("batch", row.get("batch") or "1")))
    depthwise = "DP" in name if kind == "scalesim" else row["kind"] == "depthwise"
    if kind != "scalesim" and row["kind"] not in ("conv", "depthwise"):
        raise InputError(f"kind is {row['kind']!r}, must be conv or depthwise; give a table name,m,n,k for GEMMs")
    sizes = {
        size: _integer(size, row[size])
        for size in ("height", "width", "channels", "filters", "filter_height", "filter_width")
    }
    if kind == "scalesim" and depthwise:
        sizes["filters"] *= sizes["channels"]  # it states the filters of one channel
    groups = row.get("groups") or (str(sizes["channels"]) if depthwise else "1")
    convolution = Convolution(
        **sizes,
        stride=_pair("stride", row.get("stride") or "1"),
        padding=_pair("padding", row.get("padding") or "0"),
        dilation=_pair("dilation", row.get("dilation") or "1"),
        groups=_integer("groups", groups),
        batch=_integer("batch", row.get("batch") or "1"),
    )
    if depthwise and convolution.groups != convolution.channels:
        raise InputError(
            f"groups is {groups} in a depthwise convolution of {convolution.channels} channels; leave it empty, or "
            "write conv"
        )
    return NamedLayer(name=name, layer=convolution)


def _pair(what: str, text: str) -> tuple[int, int]:
    first, _, second = text.partition("x")
    return _integer(what, first), _integer(what, second or first)


def _integer(what: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{what} is {text!r}, must be a whole number; correct it") from None
