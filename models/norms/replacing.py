"""Batch norms of a network replaced by others: to gather statistics at test time, and to store them again."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import TypeVar

from torch import nn

Norm = TypeVar("Norm", bound=nn.Module)


def replaced(network: nn.Module, kind: type[Norm], make: Callable[[Norm], nn.Module]) -> nn.Module:
    """Return a copy of a network in which ``make`` has replaced every module of a kind.

    alpha-BN of a whole network, and its statistics stored after a batch, so that it can be imported::

        adapting = replaced(network, nn.BatchNorm2d, lambda norm: AlphaBatchNorm2d(norm, 0.9))
        adapting(batch)
        stored = replaced(adapting, AlphaBatchNorm2d, AlphaBatchNorm2d.stored)

    Args:
        network: in inference mode; it stays as it is.
        kind: of the modules that are replaced, subclasses too.
        make: from one module, the one in its place.
    """
    copy = deepcopy(network)
    if isinstance(copy, kind):
        return make(copy)
    _replace(copy, kind, make)
    return copy


def _replace(module: nn.Module, kind: type[Norm], make: Callable[[Norm], nn.Module]) -> None:
    """Replace the children of a module, and theirs; what is replaced is not looked into."""
    for name, child in module.named_children():
        if isinstance(child, kind):
            setattr(module, name, make(child))
        else:
            _replace(child, kind, make)
