"""Rewrites after import: composite operators become steps that a unit of the machine can take over."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from simhw.errors import InputError
from simhw.graph.base import Array, Node, Ref, inputs_of, references, resolve
from simhw.graph.ops import operators
from simhw.graph.ops.attention import visible

TURNED = ".turned"
"""Behind the name of a constant that was turned; no name of PyTorch's has a dot."""


def place(name: str, module: str, source: str) -> str:
    """Return where a step stands, for messages."""
    return f"node {name!r}, {'module ' + module if module else 'top module'}{', ' + source if source else ''}"


def fold_constants(nodes: list[Node], constants: dict[str, Array], *, keep: tuple[str, ...] = ()) -> list[Node]:
    """Compute once what depends on no input (a scaled weight, a slice of a table); it joins ``constants``.

    Nodes of the operators in ``keep`` stay.
    """
    kept = []
    for node in nodes:
        if node.operator in keep or not all(name in constants for name in inputs_of(node)):
            kept.append(node)
            continue
        args, kwargs = resolve(node, constants)
        constants[node.name] = operators()[node.operator].reference(*args, **kwargs)
    return kept


def products_with_constants(nodes: list[Node], constants: dict[str, Array]) -> list[Node]:
    """Replace products with a constant matrix by linear layers, so that the constant is a weight.

    ``addmm`` of a bias, an activation and a constant is one as well; of two activations it becomes a product and a sum.
    """
    result = []
    for node in nodes:
        if node.operator == "add_product":
            bias, x, y = node.args[:3]
            if any(node.kwargs.get(key, 1) != 1 for key in ("alpha", "beta")):
                raise InputError(
                    f"addmm ({place(node.name, node.label, node.source)}) has alpha or beta; multiply before"
                )
            if _is_matrix(y, constants) and _is_vector(bias, constants):
                result.append(replace(node, operator="linear", args=(x, _turned(y, constants), bias), kwargs={}))
                continue
            name = f"{node.name}_product"
            product = Node(name=name, operator="matmul", args=(x, y), label=node.label, source=node.source)
            result += products_with_constants([product], constants)
            result.append(replace(node, operator="add", args=(Ref(name), bias), kwargs={}))
        elif node.operator == "matmul" and _is_matrix(node.args[1], constants):
            result.append(replace(node, operator="linear", args=(node.args[0], _turned(node.args[1], constants))))
        else:
            result.append(node)
    return result


def _is_matrix(value: object, constants: Mapping[str, Array]) -> bool:
    return isinstance(value, Ref) and value.name in constants and constants[value.name].ndim == 2


def _is_vector(value: object, constants: Mapping[str, Array]) -> bool:
    return isinstance(value, Ref) and value.name in constants and constants[value.name].ndim == 1


def _turned(value: Ref, constants: dict[str, Array]) -> Ref:
    """Return the constant ``(k, n)`` as a weight ``(n, k)``."""
    name = f"{value.name}{TURNED}"
    constants[name] = np.ascontiguousarray(constants[value.name].T)
    return Ref(name)


def check_weights(nodes: list[Node], constants: Mapping[str, Array]) -> None:
    """Raise InputError for a linear layer or convolution whose weight is computed from the input."""
    for node in nodes:
        position = operators()[node.operator].weight
        if position is not None and node.args[position].name not in constants:
            raise InputError(
                f"the weight of {node.operator} ({place(node.name, node.label, node.source)}) is computed from the "
                "input, must be constant; write a product of two activations as scaled_dot_product_attention"
            )


def remove_dead(nodes: list[Node], outputs: tuple[str, ...]) -> list[Node]:
    """Return the nodes whose values are used."""
    needed = set(outputs)
    kept = []
    for node in reversed(nodes):
        if node.name in needed:
            needed.update(inputs_of(node))
            kept.append(node)
    return kept[::-1]


def split_attention(nodes: list[Node]) -> list[Node]:
    """Replace scaled dot-product attention by scores, scale and mask, softmax, values."""
    result: list[Node] = []
    for node in nodes:
        result += _attention_steps(node) if node.operator == "attention" else [node]
    return result


def _attention_steps(node: Node) -> list[Node]:
    names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa")
    given = dict(zip(names, node.args, strict=False)) | dict(node.kwargs)
    if given.get("dropout_p"):
        raise InputError(
            f"attention ({place(node.name, node.label, node.source)}) drops values at random (dropout_p), which is "
            "not supported; set dropout_p=0, as in eval mode"
        )
    scale = given.get("scale")
    head_dim = node.kwargs["head_dim"]
    name = node.name
    key, value = given["key"], given["value"]
    shared: tuple[tuple[str, str, tuple[object, ...]], ...] = ()
    if node.kwargs["copies"] > 1:
        copies = (node.kwargs["copies"], -3)
        shared = (
            (f"{name}_keys", "repeat_each", (key, *copies)),
            (f"{name}_values", "repeat_each", (value, *copies)),
        )
        key, value = Ref(f"{name}_keys"), Ref(f"{name}_values")
    factor = 1.0 / math.sqrt(head_dim) if scale is None else scale
    causal = bool(given.get("is_causal", False))
    mask, weights = given.get("attn_mask"), Ref(f"{name}_softmax")
    steps = (
        *shared,
        (f"{name}_scores", "attention_scores", (given["query"], key)),
        (f"{name}_scaled", "scale_and_mask", (Ref(f"{name}_scores"), factor, mask, causal)),
        (f"{name}_softmax", "softmax", (Ref(f"{name}_scaled"), -1)),
        *(() if mask is None else ((f"{name}_seen", "blank_hidden", (weights, mask)),)),
        (name, "attention_values", (weights if mask is None else Ref(f"{name}_seen"), value)),
    )
    return [
        Node(name=step, operator=operator, args=args, label=node.label, source=node.source)
        for step, operator, args in steps
    ]


def drop_blanks(nodes: list[Node], constants: Mapping[str, Array]) -> list[Node]:
    """Remove the steps that blank tokens hidden from all keys, where a constant mask hides none."""
    kept: list[Node] = []
    replaced: dict[str, Ref] = {}
    for node in nodes:
        mask = constants.get(references(node.args[1:])[0]) if node.operator == "blank_hidden" else None
        if mask is not None and visible(mask).all():
            replaced[node.name] = node.args[0]
            continue
        args = tuple(replaced.get(arg.name, arg) if isinstance(arg, Ref) else arg for arg in node.args)
        kept.append(replace(node, args=args))
    return kept


def fuse_rms_norm(nodes: list[Node]) -> list[Node]:
    """Replace ``x * rsqrt(mean(x^2, -1) + eps) * weight`` by one RMS norm."""
    by_name = {node.name: node for node in nodes}
    uses = Counter(name for node in nodes for name in inputs_of(node))
    fused: dict[str, Node] = {}
    gone: set[str] = set()
    for root in nodes:
        if root.operator != "rsqrt":
            continue
        chain = _mean_square(root, by_name)
        if chain is None or any(uses[node.name] != 1 for node in chain):
            continue
        x, epsilon = chain[0].args[0], chain[2].args[1]
        scaled = _factor_of(root, nodes)
        if scaled is None or x not in scaled.args or uses[scaled.name] != 1:
            continue
        last = _factor_of(scaled, nodes)
        if last is None:
            continue
        weight = next(arg for arg in last.args if arg != Ref(scaled.name))
        fused[last.name] = replace(
            last, operator="rms_norm", args=(x, (1,), weight, epsilon), kwargs={}, label=root.label
        )
        gone.update((*(node.name for node in chain), scaled.name))
    return [fused.get(node.name, node) for node in nodes if node.name not in gone]


def _factor_of(node: Node, nodes: list[Node]) -> Node | None:
    """Return the multiplication that takes ``node``'s value as a factor."""
    return next((other for other in nodes if other.operator == "multiply" and Ref(node.name) in other.args), None)


def _mean_square(root: Node, by_name: dict[str, Node]) -> tuple[Node, Node, Node, Node] | None:
    """Return (square, mean, add, rsqrt) if ``root`` takes the root of a mean square over the last axis."""
    add = by_name.get(references(root.args)[0])
    if add is None or add.operator != "add" or len(add.args) != 2 or not isinstance(add.args[1], float):
        return None
    mean = by_name.get(references(add.args)[0])
    if mean is None or mean.operator != "mean" or mean.args[1:] != ((-1,), True):
        return None
    square = by_name.get(references(mean.args)[0])
    if square is None or square.operator != "power" or square.args[1] != 2:
        return None
    return square, mean, add, root
