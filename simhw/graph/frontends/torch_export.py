"""Import an ordinary ``torch.nn.Module`` through ``torch.export`` (ATen graph, not decomposed)."""

from __future__ import annotations

import inspect
import io
import logging
import math
import traceback
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import replace
from operator import add, floordiv, getitem, mod, mul, sub
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from simhw.errors import InputError
from simhw.graph.base import Array, Graph, Node, Ref, columns, inputs_of
from simhw.graph.frontends.codes import join_codes
from simhw.graph.frontends.in_place import reason_in_place, writes
from simhw.graph.frontends.labels import label_nodes
from simhw.graph.frontends.lengths import check_axes, check_lengths, input_shapes, open_lengths
from simhw.graph.frontends.recurrent import RECURRENT, sequence_length, split_recurrent
from simhw.graph.frontends.refusals import Samples, reason_to_refuse
from simhw.graph.frontends.rewrite import (
    check_weights,
    drop_blanks,
    fold_constants,
    fuse_rms_norm,
    place,
    products_with_constants,
    remove_dead,
    split_attention,
)
from simhw.graph.frontends.stored import stored_weights
from simhw.graph.ops import by_aten


def import_module(module: nn.Module, example: Array, dynamic: Collection[int] = (0,)) -> Graph:
    """Return the graph of ``module`` in eval mode for inputs like ``example``.

    Args:
        module: with one tensor as input and one as output.
        example: ``(samples, ...)``, at least 1 sample.
        dynamic: axes of the input that may have another length when the graph runs, the sample (0) among them; each
            other one is at least 2 long in ``example``. Empty: none may, and the graph takes one sample at a time; so
            it is where the module says that it holds for one (``module.samples`` is 1, as of an ONNX file) and no other
            import succeeds.

    Raises:
        InputError: ``torch.export`` refuses the module, or the module fixes the length of a dynamic axis; an ATen
            operator is not supported (with its node, its module path and what to do); weights are not finite.
    """
    parts = columns(example)
    check_axes(parts, dynamic)
    if not dynamic:
        return _import(module, parts, dynamic)
    try:
        return _import(module, parts, dynamic)
    except InputError:
        if getattr(module, "samples", None) != 1:
            raise
    return _import(module, parts, ())


def _import(module: nn.Module, parts: Sequence[Array], dynamic: Collection[int]) -> Graph:
    # No other length of an example is that of the samples, so that no two of them are one symbol.
    copies = 1 if not dynamic else 2 if all(2 not in open_lengths(part, dynamic).values() for part in parts) else 3
    tensors = tuple(torch.from_numpy(np.concatenate([part[:1]] * copies)) for part in parts)
    samples = torch.export.Dim("samples", min=1)
    axes = tuple(
        {**({0: samples} if dynamic else {}), **dict.fromkeys(open_lengths(part, dynamic), torch.export.Dim.AUTO)}
        for part in parts
    )
    if any(kind.kind is kind.VAR_POSITIONAL for kind in inspect.signature(module.forward).parameters.values()):
        axes = (axes,)  # type: ignore[assignment]
    with _eval_mode(module), _quiet(), torch.no_grad():
        try:
            program = torch.export.export(module, tensors, dynamic_shapes=axes, strict=False)
        except InputError:
            raise
        except Exception as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise InputError(
                f"module {type(module).__name__} cannot be exported by torch.export ({_where(error, module)}: {first});"
                " its forward must be free of data-dependent control flow and accept any number of samples"
            ) from error
    check_lengths(program, module, parts, dynamic)
    return replace(_convert(program), one_sample=not dynamic)


@contextmanager
def _eval_mode(module: nn.Module) -> Iterator[None]:
    """Put the module into eval mode and every part of it back into its own mode afterwards."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep PyTorch from printing its view of an error that becomes one sentence here."""
    log = logging.getLogger("torch.fx.experimental.symbolic_shapes")
    before, log.disabled = log.disabled, True
    try:
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        log.disabled = before


def _where(error: Exception, module: nn.Module) -> str:
    """Return the path and the line of the innermost submodule that was running when ``error`` was raised."""
    paths = {id(part): path for path, part in module.named_modules()}
    found = "top module"
    for frame, line in traceback.walk_tb(error.__traceback__ and error.__traceback__.tb_next):
        first = frame.f_locals.get(next(iter(frame.f_code.co_varnames), ""))  # self, in a method
        if id(first) in paths and "/torch/" not in frame.f_code.co_filename:
            found = f"{paths[id(first)] or 'top module'}, {frame.f_code.co_filename}:{line}"
    return found


def _convert(program: Any) -> Graph:
    constants = _constants(program)
    known = by_aten()
    samples = Samples.of_shape(input_shapes(program)[0])
    nodes: list[Node] = []
    scores: dict[str, float] = {}
    inputs: list[str] = []
    outputs: tuple[str, ...] = ()
    for node in program.graph.nodes:
        if node.op == "placeholder":
            if node.name not in constants:
                inputs.append(node.name)
        elif node.op == "output":
            outputs = _outputs(node.args[0])
        elif not _is_check(node):
            overload = _overload(node)
            operator = (
                _COMPOSITE.get(overload)
                or RECURRENT.get(overload)
                or known.get(overload)
                or _SIZE_ARITHMETIC.get(node.target)
            )
            if operator is None and writes(node):
                raise InputError(
                    f"operator {node.target} ({_place(node)}) writes into a tensor, which is no step of a graph; "
                    "compute a new tensor, by torch.where, torch.cat or an operator that is not in place"
                )
            if operator is None:
                raise InputError(
                    f"operator {node.target} ({_place(node)}) is not supported; add it to a file of simhw/graph/ops, "
                    "or rewrite the module without it (see 'simhw list operators')"
                )
            reason = reason_to_refuse(node, overload, samples) or reason_in_place(node)
            if reason is not None:
                raise InputError(f"operator {node.target} ({_place(node)}) {reason}")
            nodes.append(_node(node, operator))
            if operator == "attention":
                scores[f"{node.name}_scores"] = _scores(node)
    nodes = fold_constants(nodes, constants, keep=("dequantize_linear", *_COMPOSITE.values(), *RECURRENT.values()))
    nodes = before = join_codes(nodes, constants, outputs)
    nodes = fold_constants(fuse_rms_norm(split_recurrent(split_attention(nodes))), constants)
    nodes = products_with_constants(drop_blanks(nodes, constants), constants)
    if outputs[0] in constants:
        raise InputError("the module's output does not depend on its input; return what it computes from it")
    nodes = remove_dead(nodes, outputs)
    check_weights(nodes, constants)
    used = {name for node in nodes for name in inputs_of(node)}
    return Graph(
        inputs=tuple(inputs),
        nodes=tuple(label_nodes(nodes)),
        outputs=outputs,
        constants={name: array for name, array in constants.items() if name in used},
        stored=stored_weights(before, nodes, constants),
        scores=scores,
    )


def _scores(node: fx.Node) -> float:
    """Return the scores of one sample of an attention."""
    query, key = (operand.meta["val"].shape for operand in node.args[:2])  # type: ignore[union-attr]
    lengths = (*query[1:-1], key[-2])
    return float(math.prod(lengths)) if all(isinstance(length, int) for length in lengths) else math.inf


def _node(node: fx.Node, operator: str) -> Node:
    kwargs = {key: _argument(value) for key, value in node.kwargs.items()}
    if operator == "attention":
        query, key = (operand.meta["val"].shape for operand in node.args[:2])  # type: ignore[union-attr]
        kwargs["head_dim"] = int(query[-1])
        # Each key head serves several query heads, its neighbours.
        kwargs["copies"] = int(query[-3]) // int(key[-3]) if node.kwargs.get("enable_gqa") else 1
    if operator in ("lstm", "gru"):
        kwargs["length"] = sequence_length(node)
    return Node(
        name=node.name,
        operator=operator,
        args=tuple(_argument(value) for value in node.args),
        kwargs=kwargs,
        label=_module_path(node),
        source=_source_line(node),
    )


def _outputs(values: Any) -> tuple[str, ...]:
    names = tuple(value.name for value in values if isinstance(value, fx.Node))
    if len(values) != 1 or len(names) != 1:
        raise InputError(
            f"the module returns {len(values)} values, must return one tensor; wrap it in a module that returns the "
            "one to be compared"
        )
    return names


def _constants(program: Any) -> dict[str, Array]:
    """Return weights, buffers and lifted constants by the name that nodes use; floating-point ones as float32."""
    signature = program.graph_signature
    stored = {**program.state_dict, **program.constants}
    targets = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    found = {}
    for name, target in targets.items():
        tensor = stored[target].detach()
        array = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
        # A buffer may be a mask of minus infinity; NaN is never meant.
        if np.isnan(array).any() or (name in signature.inputs_to_parameters and np.isinf(array).any()):
            raise InputError(
                f"weight {target!r} holds NaN or infinity, every weight must be finite; check the weights file"
            )
        found[name] = array
    return found


_COMPOSITE = {"scaled_dot_product_attention.default": "attention"}
"""Operators that a rewrite splits into steps."""

_SIZE_ARITHMETIC: dict[Any, str] = {
    add: "add_sizes",
    sub: "subtract_sizes",
    mul: "multiply_sizes",
    floordiv: "divide_sizes",
    mod: "remainder_of_sizes",
    getitem: "item",
}
"""Python arithmetic on sizes, and the choice among several results."""

_CHECKS = ("_assert_tensor_metadata", "_assert_scalar", "sym_constrain_range")


def _is_check(node: fx.Node) -> bool:
    return any(name in str(node.target) for name in _CHECKS)


def _overload(node: fx.Node) -> str:
    """Return ``linear.default`` for ``torch.ops.aten.linear.default``."""
    return str(node.target).removeprefix("aten.")


def _argument(value: Any) -> Any:
    if isinstance(value, fx.Node):
        return Ref(value.name)
    if isinstance(value, (list, tuple)):
        return tuple(_argument(item) for item in value)
    return value


def _module_path(node: fx.Node) -> str:
    stack = node.meta.get("nn_module_stack") or {}
    paths = [str(path) for path, _ in stack.values()]
    return paths[-1] if paths else ""


def _source_line(node: fx.Node) -> str:
    """Return ``file:line`` of the innermost line that is not PyTorch's own."""
    lines = [line.strip() for line in str(node.meta.get("stack_trace") or "").splitlines() if "File " in line]
    own = [line for line in lines if "/torch/" not in line] or lines
    own = [line for line in own if "/frontends/onnx/" not in line]  # of a file there are no lines
    if not own:
        return ""
    parts = own[-1].split('"')
    return f"{parts[1]}:{parts[2].split('line ')[1].split(',')[0]}" if len(parts) > 2 else ""


def _place(node: fx.Node) -> str:
    return place(node.name, _module_path(node), _source_line(node))
