"""ONNX as a front end: a file becomes a ``torch.nn.Module`` that interprets it, which ``torch.export`` then traces.

So a graph from ONNX has the same operators, rewrites and refusals as one from PyTorch. What ONNX has and PyTorch has
not (QuantizeLinear, QLinearConv, ...) are PyTorch operators of the library ``simhw``.
"""

from __future__ import annotations

from simhw.graph.frontends.onnx.file import OnnxFile, read_file
from simhw.graph.frontends.onnx.module import OnnxModule, load_onnx

__all__ = ["OnnxFile", "OnnxModule", "load_onnx", "read_file"]
