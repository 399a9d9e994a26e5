"""Operators in place: a step where nothing else sees the memory, refused where a view would keep the old values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from simhw.errors import InputError
from simhw.executor import run_float
from simhw.graph.frontends.torch_export import import_module

X = np.random.default_rng(0).standard_normal((3, 4, 6)).astype(np.float32)
Body = Callable[[Tensor], Tensor]


class Function(nn.Module):
    def __init__(self, body: Body) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


def used_again(x: Tensor) -> Tensor:
    y = x * 1
    z = y
    y.add_(1)
    return z * y


def residual(x: Tensor) -> Tensor:
    y = (x * 2).relu_()
    y += x
    return y.relu_()


def through_a_view(x: Tensor) -> Tensor:
    return (x * 2).flatten(1).add_(1).mul_(2)


def parts(x: Tensor) -> Tensor:
    first, second = (x * 2).chunk(2, -1)
    return first.mul_(2) + 1 if second is None else first.mul_(2)


def one_of_several_results(x: Tensor) -> Tensor:
    values, places = x.topk(2)
    values /= values.sum(-1, keepdim=True)
    return values * places


@pytest.mark.parametrize("body", [one_of_several_results, used_again, residual, through_a_view, parts])
def test_in_place_is_a_step(body: Body):
    expected = body(torch.from_numpy(X.copy())).numpy()
    np.testing.assert_array_equal(run_float(import_module(Function(body), X), X), expected)


def chosen(x: Tensor) -> Tensor:
    y = x.clone()
    y[:, 0].mul_(2)
    return y


def seen_through_a_view(x: Tensor) -> Tensor:
    y = x * 1
    view = y.view(-1, 24)
    y.mul_(3)
    return view


def turned(x: Tensor) -> Tensor:
    y = x * 1
    y.transpose(1, 2).mul_(2)
    return y


def one_of_several(x: Tensor) -> Tensor:
    y = x * 1
    y.chunk(2, -1)[0].mul_(2)
    return y


def input_itself(x: Tensor) -> Tensor:
    x.view(-1, 24).add_(1)
    return x * 2


def assigned(x: Tensor) -> Tensor:
    y = x * 1
    y[:, :1] += 1
    return y


@pytest.mark.parametrize("body", [chosen, assigned, seen_through_a_view, turned, one_of_several, input_itself])
def test_in_place_under_another_view_is_refused(body: Body):
    with pytest.raises(InputError, match=r"operator aten\.(mul|add)_\.Tensor .* another view of it reads later; c"):
        import_module(Function(body), X)


def put_into(x: Tensor) -> Tensor:
    y = torch.zeros(x.shape)
    y[:, 1:] = x[:, :-1]
    return y


def masked(x: Tensor) -> Tensor:
    y = x * 1
    y[x < 0] = x.new_zeros(1)
    return y


@pytest.mark.parametrize("body", [put_into, masked])
def test_assignments_to_parts_are_refused(body: Body):
    with pytest.raises(InputError, match=r"operator aten\.\w+_\.\w+ .* writes into a tensor, .* by torch\.where"):
        import_module(Function(body), X)
