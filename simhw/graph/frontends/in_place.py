"""Operators that write into their argument: as steps they give a new value, so no other name may see the old one.

``torch.export`` gives what follows an operator in place its result, so ``y.add_(1)`` is a step like ``y + 1``. It does
not do so for other views of the same memory: ``y[:, 0].mul_(2)`` changes ``y``, which no node of the graph tells.
"""

from __future__ import annotations

from typing import Any

from torch import fx


def reason_in_place(node: fx.Node) -> str | None:
    """Return what is wrong with an operator that writes where another name reads later, and what to do, or None."""
    if not writes(node):
        return None
    after = _later(node)
    target: Any = node.args[0]
    others = _same_memory(_root(target), node)
    if any(user in after for other in others for user in other.users):
        return (
            "writes into memory that another view of it reads later; compute a new tensor, by torch.where, torch.cat "
            "or an operator that is not in place"
        )
    return None


def writes(node: fx.Node) -> bool:
    """Whether an operator changes one of its arguments."""
    schema = getattr(node.target, "_schema", None)
    arguments = () if schema is None else schema.arguments
    return any(one.alias_info is not None and one.alias_info.is_write for one in arguments)


def _is_view(node: fx.Node) -> bool:
    """Whether the result may be memory of the first argument."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:  # one of several results
        several: Any = node.args[0] if getattr(node.target, "__name__", "") == "getitem" else None
        return several is not None and _is_view(several)
    return any(one.alias_info is not None for one in schema.returns)


def _root(node: fx.Node) -> fx.Node:
    """Return the value whose memory this is a view of."""
    while node.op == "call_function" and _is_view(node) and isinstance(node.args[0], fx.Node):
        node = node.args[0]
    return node


def _same_memory(root: fx.Node, without: fx.Node) -> list[fx.Node]:
    """Return a value and all views of it, without those of one of them, which hold its new values."""
    found = [root]
    for node in found:
        found += [user for user in node.users if _is_view(user) and user.args[0] is node and user is not without]
    return found


def _later(node: fx.Node) -> set[fx.Node]:
    after = set()
    while node.op != "output":
        node = node.next
        after.add(node)
    return after
