"""Networks as shapes: what an inference computes, layer by layer, without weights."""

from __future__ import annotations

from simhw.workloads.base import Inference, Phase, Shape, Work, WorkKind
from simhw.workloads.catalog import load_shape, shape_names, shape_of_file

__all__ = ["Inference", "Phase", "Shape", "Work", "WorkKind", "load_shape", "shape_names", "shape_of_file"]
