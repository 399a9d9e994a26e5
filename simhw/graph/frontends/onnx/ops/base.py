"""What every ONNX operator's function is given besides its inputs and attributes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Context:
    """Of one node.

    Attributes:
        opset: version of ONNX's own operators that the file states.
        outputs: how many outputs the node has.
        types: of each input that is an initializer, ONNX's type in lower case; else empty.
    """

    opset: int
    outputs: int
    types: tuple[str, ...] = ()
