"""The products of a network on a datapath: their operands as codes, weights quantized and prepared once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simhw.accumulators import Exact
from simhw.convolution import Weights, run_convolution
from simhw.errors import InputError
from simhw.execution import Arithmetic, Step
from simhw.gemm.engine import Product, multiply, multiply_codes, prepare_weights
from simhw.gemm.operand import Operand, Storage
from simhw.gemm.stored import StoredScale
from simhw.graph.base import Convolution, Matmul, Node, Ref
from simhw.graph.network import StoredWeight
from simhw.graph.ops import operators
from simhw.pes import get_pe
from simhw.quantize import Granularity, OperandScheme, check_finite


class Products:
    """Runs the GEMMs of one network; weights are kept by the name of their step.

    Args:
        arithmetic: datapath, scheme, method, ranges, stored weights.
    """

    def __init__(self, arithmetic: Arithmetic) -> None:
        self.arithmetic = arithmetic
        self.stored: dict[str, Operand] = {}
        self.prepared: dict[str, Operand] = {}

    def run(self, node: Node, gemm: Matmul | Convolution, samples: int, step: Step) -> Product:
        """Return the product of a step, and note in ``step`` how its operands are stored."""
        arithmetic = self.arithmetic
        checkpoint = self._of_checkpoint(node, gemm)
        scheme = fit_group(arithmetic.scheme.activation, gemm.shape[2])
        static = arithmetic.calibration.activations.get(node.label)
        # Of a grouped convolution the rows of one sample are not neighbours across groups: each group is a tensor.
        rows = (gemm.shape[0] * gemm.shape[1] if gemm.samples_in_batch else gemm.shape[1]) // samples
        own = self._own_codes(node, gemm)
        stored = self._second(node, gemm, rows, checkpoint) if own is None else own[1]
        step.weight = Storage.of(stored)
        if step.weight_cycles is None and not step.attention:
            step.weight_cycles = get_pe(arithmetic.datapath.pe).count_cycles(stored.codes, stored.format)
        b = self._prepared(node, stored)
        if own is not None:
            step.activation = Storage.of(own[0])
            return multiply_codes(own[0], b, arithmetic.datapath, chain=arithmetic.chain)
        minimum, order = (None, None) if checkpoint is None else (checkpoint.minimum, checkpoint.order)
        if isinstance(gemm, Convolution):
            weights = Weights(operand=b, minimum=minimum, order=order)
            product, step.activation = run_convolution(
                gemm, weights, arithmetic, scheme, static=static, stored=self._stored_scale(node)
            )
            return product
        a = arithmetic.method.quantize(
            gemm.a if order is None else gemm.a[:, :, order],
            scheme,
            rows_per_scale=gemm.rows_per_scale,
            rows_per_tensor=rows,
            static=static,
        )
        step.activation = Storage.of(a)
        return multiply(
            a,
            b,
            arithmetic.datapath,
            bias=gemm.bias,
            chain=arithmetic.chain,
            stored=self._stored_scale(node),
            minimum=minimum,
        )

    def _second(self, node: Node, gemm: Matmul | Convolution, rows: int, checkpoint: StoredWeight | None) -> Operand:
        """Return the second operand as it is stored; weights are quantized once."""
        scheme, method = self.arithmetic.scheme, self.arithmetic.method
        batch, m, k = gemm.shape
        if step_is_attention(node):
            per_sample = gemm.b.shape[0] * gemm.b.shape[1] * rows // (batch * m)
            return method.quantize(gemm.b, fit_group(scheme.attention, k), rows_per_tensor=per_sample)
        if node.name not in self.stored:
            check_finite(gemm.b, "the weight")
            self.stored[node.name] = (
                method.quantize(gemm.b, fit_group(scheme.weight, k)) if checkpoint is None else checkpoint.operand
            )
        return self.stored[node.name]

    def _own_codes(self, node: Node, gemm: Matmul | Convolution) -> tuple[Operand, Operand] | None:
        """Return the codes that the network fixes, None where there are none or the datapath multiplies others."""
        if isinstance(gemm, Convolution) or gemm.codes is None or not self.arithmetic.own_codes:
            return None
        datapath = self.arithmetic.datapath
        second = datapath.attention if step_is_attention(node) else datapath.weight
        taken = (gemm.codes[0].format, gemm.codes[1].format) == (datapath.activation, second)
        return gemm.codes if taken and isinstance(datapath.accumulator, Exact) else None

    def _of_checkpoint(self, node: Node, gemm: Matmul | Convolution) -> StoredWeight | None:
        """Return the weight as a checkpoint stores it, None where it has none for this step."""
        position = operators()[node.operator].weight
        if position is None or not isinstance(node.args[position], Ref):
            return None
        found = self.arithmetic.stored.get(node.args[position].name)
        if found is not None and found.operand.codes.shape != gemm.b.shape:
            raise InputError(
                f"the checkpoint's codes have shape {found.operand.codes.shape}, the weight {gemm.b.shape}; "
                "leave --scheme checkpoint out"
            )
        return found

    def _stored_scale(self, node: Node) -> StoredScale | None:
        """Return how the results of a requantizing datapath are stored: as activations of their calibrated range."""
        if self.arithmetic.datapath.requantize is None:
            return None
        seen = self.arithmetic.calibration.results[node.label]
        one = self.arithmetic.method.quantize(
            np.zeros((1, 1, 1), np.float32), self.arithmetic.scheme.activation, static=seen
        )
        assert one.row_scale is not None
        zero = 0 if one.zero_point is None else int(one.zero_point[0, 0, 0])
        return StoredScale(scale=float(one.row_scale[0, 0]), zero_point=zero)

    def _prepared(self, node: Node, stored: Operand) -> Operand:
        """Return the second operand as the multiplier sees it; weights are converted once."""
        if step_is_attention(node):
            return stored
        if node.name not in self.prepared:
            self.prepared[node.name] = prepare_weights(stored, self.arithmetic.datapath)
        return self.prepared[node.name]


def step_is_attention(node: Node) -> bool:
    """Return whether both operands of a GEMM are activations."""
    return operators()[node.operator].weight is None


def fit_group(scheme: OperandScheme, k: int) -> OperandScheme:
    """Return the scheme for a sum of length ``k``: a group longer than the sum becomes one group."""
    if scheme.granularity is Granularity.GROUP and scheme.group_size is not None and scheme.group_size > k:
        return replace(scheme, group_size=k)
    return scheme
