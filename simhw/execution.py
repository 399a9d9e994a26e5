"""Records of a run: what is numeric about it, what each step did, what came out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simhw.gemm.datapath import Datapath
from simhw.gemm.operand import Storage
from simhw.gemm.plan import Tally
from simhw.graph.base import FloatArray, Node, Operator, VectorWork
from simhw.graph.network import StoredWeight
from simhw.noise import Noise
from simhw.quantize import Calibration, Method, Scheme
from simhw.sfu import SpecialFunctionUnit


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """Everything numeric about a run.

    Attributes:
        datapath: how GEMMs are computed.
        scheme: how tensors become codes.
        method: the quantization method that follows the scheme.
        calibration: ranges by step label, for static scales and for datapaths that requantize.
        stored: weights as a checkpoint stores them, by the name of the graph's constant: they are not quantized anew.
        units: special function units by the name of the node that they stand in for; other steps are the float
            reference's operators.
        own_codes: whether products of codes that the network itself fixes are computed on those codes, where the
            datapath multiplies their formats; otherwise the scheme quantizes the values that they stand for.
        chain: longest run of k in one chain of rounded sums, where the array cuts them (see ``engine.multiply``).
    """

    datapath: Datapath
    scheme: Scheme
    method: Method
    calibration: Calibration = field(default_factory=Calibration)
    stored: Mapping[str, StoredWeight] = field(default_factory=dict)
    units: Mapping[str, SpecialFunctionUnit] = field(default_factory=dict)
    own_codes: bool = True
    chain: int | None = None


@dataclass(kw_only=True)
class Step:
    """One executed step; sizes are per sample.

    Attributes:
        label, operator, kind: which step.
        m, n, k, batch: of the GEMM, 0 for vector steps.
        elements: values that a vector step (or the quantization of a GEMM's activations) works on.
        activation, weight: how the two operands of a GEMM are stored, None for vector steps.
        weight_cycles: ``(batch, n, k)`` cycles of one product with each weight, where the PE's depend on them.
        attention: whether both operands are activations.
        unit: the special function unit that a vector step ran on, None for the reference's operator.
        noise: error of the output against the float reference.
        tally, saturations: as the engine counts them.
        kernel, why: the planner's choice and proof.
    """

    label: str
    operator: Operator
    m: int = 0
    n: int = 0
    k: int = 0
    batch: int = 0
    elements: int = 0
    activation: Storage | None = None
    weight: Storage | None = None
    weight_cycles: NDArray[np.uint8] | None = None
    attention: bool = False
    unit: SpecialFunctionUnit | None = None
    noise: Noise = field(default_factory=Noise)
    tally: Tally = field(default_factory=Tally)
    saturations: int = 0
    kernel: str = ""
    why: str = ""

    @property
    def work(self) -> VectorWork:
        """Float operations per element of a vector step: its unit's, else the operator's."""
        return self.operator.work if self.unit is None else self.unit.work

    def alone(self) -> Step:
        """Return the same step before anything happened at it; what only its weights decide stays."""
        return Step(label=self.label, operator=self.operator, unit=self.unit, weight_cycles=self.weight_cycles)

    def join(self, part: Step) -> None:
        """Add what happened at the next batch, its noise left out."""
        for name in ("m", "n", "k", "batch", "elements", "activation", "weight", "attention", "kernel", "why"):
            setattr(self, name, getattr(part, name))
        self.weight_cycles = part.weight_cycles
        self.tally += part.tally
        self.saturations += part.saturations


@dataclass(frozen=True, kw_only=True, eq=False)
class Execution:
    """Outputs of a run and what happened at each step.

    Attributes:
        outputs: ``(samples, ...)`` of the datapath.
        reference: the same of the float reference, None where it did not run.
        noise: error of the outputs against the reference; without one, nothing was added to it, here and in the steps.
        steps: in the order of execution, moves left out.
    """

    outputs: FloatArray
    reference: FloatArray | None
    noise: Noise
    steps: tuple[Step, ...]


Observer = Callable[[Node, Any], None]
"""Called with each step and its output on the datapath, batch by batch."""
