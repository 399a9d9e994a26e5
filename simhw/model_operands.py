"""The codes that a network's linear layer brings to the PEs: its own weights, and what enters it on real data."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.catalog import get_method, get_network, get_scheme
from simhw.errors import InputError, unknown_name
from simhw.executor import run_float
from simhw.gemm.datapaths import DEFAULT_DATAPATHS, datapath_names, get_datapath
from simhw.graph.base import Node
from simhw.pes import get_pe
from simhw.products import fit_group

MODEL = "tiny_llama"
LAYER = "blocks.2.mlp.down"
"""Of the middle block, behind SwiGLU: its widest sum, k = 384, with the network's largest outliers."""

SAMPLES = 8
"""Of the calibration data: hundreds of tokens, or tens of thousands of pixels."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerOperands:
    """Both operands of a linear layer as codes, quantized as a datapath's scheme says.

    Attributes:
        model, layer, datapath: where they come from.
        activation: ``(rows, k)`` codes of ``activation_format``.
        weight: ``(columns, k)`` codes of ``weight_format``.
        activation_format, weight_format: names.
        group_size: products of one sum before scales are applied; k where there are no groups.
    """

    model: str
    layer: str
    datapath: str
    activation: NDArray[np.int64] = field(repr=False)
    weight: NDArray[np.int64] = field(repr=False)
    activation_format: str
    weight_format: str
    group_size: int


def layer_operands(pe: str, model: str = MODEL, layer: str = LAYER) -> LayerOperands:
    """Return the operands of ``layer`` for a PE: as the first datapath that names the PE has them.

    The network runs in float on the first samples of its calibration data; what enters the layer is quantized by the
    datapath's scheme.

    Raises:
        InputError: no such model, layer or PE, or no datapath has the PE.
    """
    get_pe(pe)
    datapaths = [get_datapath(name) for name in (*DEFAULT_DATAPATHS, *datapath_names())]
    found = next((datapath for datapath in datapaths if datapath.pe == pe), None)
    if found is None:
        raise InputError(
            f"no datapath has the PE {pe}, so a network's numbers do not become its codes; "
            f"PEs that have one: {', '.join(sorted({datapath.pe for datapath in datapaths}))}"
        )
    scheme, method = get_scheme(found.scheme), get_method()
    inputs, weights = capture_layer(model, layer, SAMPLES)[:2]
    k = weights.shape[1]
    activation = method.quantize(inputs.reshape(1, -1, k), fit_group(scheme.activation, k))
    weight = method.quantize(weights[None], fit_group(scheme.weight, k))
    return LayerOperands(
        model=model,
        layer=layer,
        datapath=found.name,
        activation=activation.codes[0].astype(np.int64),
        weight=weight.codes[0].astype(np.int64),
        activation_format=activation.format,
        weight_format=weight.format,
        group_size=min(weight.group_size or k, activation.group_size or k),
    )


@lru_cache(maxsize=2)
def capture_layer(model: str, layer: str, samples: int | None = None) -> tuple[NDArray[np.float32], ...]:
    """Run a network in float on its calibration data and return what enters one linear layer.

    Args:
        model: name.
        layer: label.
        samples: of the data, the first ones; None: all.

    Returns:
        ``(..., k)`` activations, ``(n, k)`` weights, and a bias where the layer has one.

    Raises:
        InputError: no such model, or no linear layer of that name in it.
    """
    from simhw.graph.frontends.torch_export import import_module

    network = get_network(model)
    data = network.calibration()[:samples]
    graph = import_module(network.load(), data)
    found: list[tuple[NDArray[np.float32], ...]] = []

    def observe(node: Node, args: list[Any], *_: Any) -> None:
        if node.operator == "linear" and node.label == layer:
            found.append(tuple(np.array(value, np.float32) for value in args))

    run_float(graph, data, observe)
    if not found:
        raise unknown_name("layer", layer, [node.label for node in graph.nodes if node.operator == "linear"])
    return found[0]
