"""Checkpoints of other tools: weights as they are stored, codes with their scales where they are quantized.

Nothing here runs code from a file: safetensors and GGUF are data, pickles are read with ``weights_only=True``. Every
length in a header is checked against the file before anything is allocated.
"""

from __future__ import annotations

from simhw.checkpoints.base import PackedWeight, Tensors, as_operand, dequantize, minimum_operand
from simhw.checkpoints.gguf_file import read_gguf
from simhw.checkpoints.layouts import read_quantized_linears
from simhw.checkpoints.safetensors_files import read_safetensors
from simhw.checkpoints.torch_file import read_torch

__all__ = [
    "PackedWeight",
    "Tensors",
    "as_operand",
    "dequantize",
    "minimum_operand",
    "read_gguf",
    "read_quantized_linears",
    "read_safetensors",
    "read_torch",
]
