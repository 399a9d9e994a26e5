"""One GEMM with a trained network's own weights and activations, on the datapath of every PE."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.catalog import get_method, get_scheme
from simhw.execution import Arithmetic
from simhw.executor import execute
from simhw.formats import get_element_format
from simhw.gemm.datapaths import DEFAULT_DATAPATHS, datapath_names, get_datapath
from simhw.graph.base import FloatArray, Graph, Node, Ref
from simhw.model_operands import LAYER, MODEL, capture_layer
from simhw.noise import Noise
from simhw.pes import ProcessingElement, get_pe
from simhw.products import fit_group


@dataclass(frozen=True, kw_only=True, eq=False)
class RealGemm:
    """A linear layer alone, and what entered it when the network ran in float.

    Attributes:
        model, layer: where it comes from.
        graph: the layer as a network of one step.
        inputs: ``(samples, tokens, k)``.
        m, n, k: of the GEMM, all samples together.
        reference: the product in float64, rounded once to float32.
        rms, largest: of the reference.
    """

    model: str
    layer: str
    graph: Graph
    inputs: FloatArray
    m: int
    n: int
    k: int
    reference: FloatArray
    rms: float
    largest: float

    @property
    def weight(self) -> FloatArray:
        """The ``(n, k)`` weights."""
        return np.asarray(self.graph.constants["weight"], np.float32)


@dataclass(frozen=True, kw_only=True)
class GemmError:
    """What a PE's arithmetic makes of the GEMM.

    Attributes:
        pe, datapath, scheme: names.
        sqnr_db: against the reference.
        max_error: largest absolute difference to it.
        max_error_relative: that over the rms of the reference.
        overflows: sums that did not fit.
        mean_weight_cycles: cycles per product averaged over the layer's weight codes, where they depend on the data.
    """

    pe: str
    datapath: str
    scheme: str
    sqnr_db: float
    max_error: float
    max_error_relative: float
    overflows: int
    mean_weight_cycles: float | None


def capture(model: str = MODEL, layer: str = LAYER) -> RealGemm:
    """Run the network in float on its calibration data and keep what enters one linear layer.

    Raises:
        InputError: no such network, or no linear layer of that name in it.
    """
    inputs, weight, *bias = capture_layer(model, layer)
    names = ("weight", "bias")[: 1 + len(bias)]
    node = Node(name="out", operator="linear", args=(Ref("x"), *map(Ref, names)), label=layer)
    alone = Graph(
        inputs=("x",), nodes=(node,), outputs=("out",), constants=dict(zip(names, (weight, *bias), strict=True))
    )
    exact = inputs.astype(np.float64) @ weight.astype(np.float64).T
    if bias:
        exact += bias[0]
    n, k = weight.shape
    return RealGemm(
        model=model,
        layer=layer,
        graph=alone,
        inputs=inputs,
        m=inputs.size // k,
        n=n,
        k=k,
        reference=exact.astype(np.float32),
        rms=math.sqrt(float(np.mean(np.square(exact)))),
        largest=float(np.abs(exact).max()),
    )


def arithmetic_of(pe: ProcessingElement) -> Arithmetic | None:
    """Return how a GEMM runs on a PE by the catalogue, None where no datapath of it names the PE.

    A block unit of several formats runs as the unit of its first format: the codes and the exact sums are the same.
    """
    names = [get_datapath(name) for name in (*DEFAULT_DATAPATHS, *datapath_names())]
    own = [datapath for datapath in names if datapath.pe == pe.name]
    alike = [
        datapath
        for datapath in names
        if pe.block_size is not None
        and get_pe(datapath.pe).block_size == pe.block_size
        and (datapath.activation, datapath.weight) == (pe.activation_format, pe.weight_format)
    ]
    for datapath in (*own, *alike):
        return Arithmetic(datapath=datapath, scheme=get_scheme(datapath.scheme), method=get_method())
    return None


def gemm_error(gemm: RealGemm, pe: ProcessingElement) -> GemmError | None:
    """Run the GEMM on a PE, bit for bit, and compare with the reference; None where the PE has no datapath."""
    arithmetic = arithmetic_of(pe)
    if arithmetic is None:
        return None
    result = execute(gemm.graph, gemm.inputs, arithmetic, batch=len(gemm.inputs))
    noise = Noise()
    noise.add(gemm.reference, result.outputs)
    return GemmError(
        pe=pe.name,
        datapath=arithmetic.datapath.name,
        scheme=arithmetic.scheme.name,
        sqnr_db=noise.sqnr_db,
        max_error=noise.largest,
        max_error_relative=noise.largest / gemm.rms,
        overflows=sum(step.tally.overflows for step in result.steps),
        mean_weight_cycles=_mean_weight_cycles(gemm, pe, arithmetic),
    )


def _mean_weight_cycles(gemm: RealGemm, pe: ProcessingElement, arithmetic: Arithmetic) -> float | None:
    if pe.weight_cycles is None:
        return None
    stored = arithmetic.method.quantize(gemm.weight[None], fit_group(arithmetic.scheme.weight, gemm.k))
    codes: NDArray[Any] = stored.codes
    return float(pe.weight_cycles(codes, get_element_format(stored.format).name).mean())
