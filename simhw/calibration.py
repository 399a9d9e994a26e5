"""What a scheme with static scales, and a datapath that requantizes, take from calibration data."""

from __future__ import annotations

from typing import Any

import numpy as np

from simhw.executor import run_float
from simhw.gemm.datapath import Datapath
from simhw.graph.base import Array, Graph, Node
from simhw.graph.ops import operators
from simhw.quantize import Calibration, Method, Scheme, ValueRange


def calibrate(graph: Graph, inputs: Array, datapath: Datapath, scheme: Scheme, method: Method) -> Calibration:
    """Return the ranges that a scheme with static scales, and a datapath that requantizes, need."""
    activations: dict[str, ValueRange] = {}
    results: dict[str, ValueRange] = {}

    def observe(node: Node, args: list[Any], result: Any) -> None:
        operator = operators()[node.operator]
        if operator.lower is None:
            return
        if scheme.activation.static:  # padding adds zeros only, patches of a convolution repeat the same values
            activations[node.label] = method.calibrate(np.asarray(args[0]), scheme.activation)
        if datapath.requantize is not None:
            results[node.label] = method.calibrate(np.asarray(result), scheme.activation)

    if needs_calibration(datapath, scheme):
        run_float(graph, inputs, observe)
    return Calibration(activations=activations, results=results)


def needs_calibration(datapath: Datapath, scheme: Scheme) -> bool:
    """Return whether anything is taken from calibration data."""
    return scheme.activation.static or datapath.requantize is not None
