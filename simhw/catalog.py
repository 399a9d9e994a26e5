"""Every entry of every kind by name, found without importing what computes."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from simhw.errors import InputError, unknown_name

if TYPE_CHECKING:
    from simhw.graph.network import Network, Study
    from simhw.quantize import Method, Scheme
    from simhw.report import Report


def _files(package: str, binding: str) -> dict[str, str]:
    """Return the modules of a package that bind a name, with the first line of their docstrings.

    The files are read, not imported: a list must not wait for what an entry computes with.
    """
    spec = find_spec(package)
    assert spec is not None
    found = {}
    for folder in spec.submodule_search_locations or ():
        for module in pkgutil.iter_modules([folder]):
            path = Path(folder, f"{module.name}.py")
            if path.exists():
                tree = ast.parse(path.read_text(encoding="utf-8"))
                if binding in _bound_names(tree):
                    found[module.name] = (ast.get_docstring(tree) or module.name).splitlines()[0]
    return dict(sorted(found.items()))


def _bound_names(tree: ast.Module) -> set[str]:
    """Return the names that a module assigns at its top level."""
    targets = [t for node in tree.body if isinstance(node, ast.Assign) for t in node.targets]
    targets += [node.target for node in tree.body if isinstance(node, ast.AnnAssign)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def model_entries() -> dict[str, str]:
    """Return the networks with their descriptions."""
    return _files("simhw.models", "NETWORK")


def get_network(name: str, data: str | None = None) -> Network:
    """Return a network by name, or from files of the user: then with the file of its data.

    Raises InputError for an unknown name, files that cannot be read, or data for a network that has its own.
    """
    if _is_path(name):
        made: Network = importlib.import_module("simhw.models.user_files").network_of(name, data)
        return made
    if data is not None:
        raise InputError(f"data is {data!r}, but {name} has its own; leave it out, or give a model's file")
    if name not in model_entries():
        raise unknown_name("model", name, model_entries())
    network: Network = importlib.import_module(f"simhw.models.{name}").NETWORK
    return network


def get_study(name: str) -> Study:
    """Return networks to be trained and compared. Raises InputError for an unknown study."""
    known = _files("simhw.models", "STUDY")
    if name not in known:
        raise unknown_name("study", name, known)
    study: Study = importlib.import_module(f"simhw.models.{name}").STUDY
    return study


def _is_path(name: str) -> bool:
    marks = any(part in name for part in ("/", ".py:", ".onnx:"))
    return marks or name.endswith((".gguf", ".onnx")) or Path(name).is_dir()


def get_scheme(name: str) -> Scheme:
    """Return a scheme by name. Raises InputError for an unknown one."""
    scheme: Scheme = importlib.import_module("simhw.quant.schemes").get_scheme(name)
    return scheme


def get_method(name: str = "round_to_nearest") -> Method:
    """Return a quantization method by name. Raises InputError for an unknown one."""
    if name not in _methods():
        raise unknown_name("method", name, _methods())
    method: Method = importlib.import_module(f"simhw.quant.{name}").METHOD
    return method


def _methods() -> dict[str, str]:
    return _files("simhw.quant", "METHOD")


def report_entries() -> dict[str, str]:
    """Return the reports with their descriptions."""
    return _files("simhw.reports", "REPORT")


def get_report(name: str) -> Report:
    """Return a report by name. Raises InputError for an unknown one."""
    if name not in report_entries():
        raise unknown_name("report", name, report_entries())
    report: Report = importlib.import_module(f"simhw.reports.{name}").REPORT
    return report


def _formats() -> dict[str, str]:
    from simhw.formats import BlockFormat, format_names, get_format

    def describe(name: str) -> str:
        form = get_format(name)
        if isinstance(form, BlockFormat):
            return f"{form.element.name} in blocks of {form.block_size}, scale {form.scale.name}"
        return f"{form.bits} bit, {float(form.min_value):g} .. {float(form.max_value):g}"

    return {name: describe(name) for name in format_names()}


def _accumulators() -> dict[str, str]:
    from simhw.accumulators.catalog import accumulator_names, get_accumulator

    return {name: get_accumulator(name).description for name in accumulator_names()}


def _multipliers() -> dict[str, str]:
    from simhw.gemm.multipliers import MULTIPLIERS

    return {name: entry.description for name, entry in MULTIPLIERS.items()}


def _datapaths() -> dict[str, str]:
    from simhw.gemm.datapaths import datapath_names, get_datapath

    return {name: get_datapath(name).description for name in datapath_names()}


def _schemes() -> dict[str, str]:
    names: list[str] = importlib.import_module("simhw.quant.schemes").scheme_names()
    return {name: get_scheme(name).description for name in names}


def _pes() -> dict[str, str]:
    from simhw.pes import get_pe, pe_names

    return {name: get_pe(name).description for name in pe_names()}


def _units() -> dict[str, str]:
    return _files("simhw.sfu", "UNIT")


def units_by_function() -> dict[str, str]:
    """Return the special function units, each with the function that it realises; this loads them all."""
    from simhw.sfu import get_unit, unit_names

    return {name: f"{get_unit(name).function}: {get_unit(name).description}" for name in unit_names()}


def _dataflows() -> dict[str, str]:
    from simhw.arrays import dataflow_names, get_dataflow

    return {name: get_dataflow(name).description for name in dataflow_names()}


def _technologies() -> dict[str, str]:
    from simhw.costs import load_table, table_names

    return {name: load_table(name).description for name in table_names()}


def _srams() -> dict[str, str]:
    from simhw.costs.sram_table import load_sram, sram_names

    return {name: load_sram(name).description for name in sram_names()}


def _workloads() -> dict[str, str]:
    from simhw.workloads import load_shape, shape_names

    return {name: load_shape(name).description for name in shape_names()}


def _operators() -> dict[str, str]:
    from simhw.graph.ops import operators

    return {name: f"{o.kind.value}: {', '.join(o.aten) or 'made by a rewrite'}" for name, o in operators().items()}


ENTRIES: Final = MappingProxyType[str, Callable[[], dict[str, str]]](
    {
        "models": model_entries,
        "datapaths": _datapaths,
        "schemes": _schemes,
        "formats": _formats,
        "accumulators": _accumulators,
        "pes": _pes,
        "units": _units,
        "multipliers": _multipliers,
        "dataflows": _dataflows,
        "technologies": _technologies,
        "srams": _srams,
        "methods": _methods,
        "operators": _operators,
        "workloads": _workloads,
        "reports": report_entries,
    }
)
"""Kinds of entries: name -> function that returns ``{entry name: description}``."""


def entries(kind: str) -> dict[str, str]:
    """Return the entries of a kind. Raises InputError for an unknown kind."""
    if kind not in ENTRIES:
        raise InputError(f"kind is {kind!r}, must be one of {', '.join(ENTRIES)}; choose one of them")
    return ENTRIES[kind]()
