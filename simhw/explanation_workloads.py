"""What ``simhw explain`` says of a workload: sizes, parameters, work per token or image, cache, source."""

from __future__ import annotations

from dataclasses import fields

from simhw.workloads import Inference, Phase, Shape, load_shape
from simhw.workloads.transformer import Transformer

CONTEXT = 1024
"""Cached tokens for which the work of a decoding step is given."""


def workload_pairs(name: str) -> list[tuple[str, str]]:
    """Return the lines that explain a workload."""
    shape = load_shape(name)
    pairs = [("what", shape.description), ("parameters", f"{shape.parameters:,}"), ("sizes", _sizes(shape))]
    if shape.is_decoder:
        step = shape.macs(Inference(phase=Phase.DECODE, context=CONTEXT))
        pairs.append(("work", f"{step:,} multiply-accumulates per token behind {CONTEXT:,} others"))
        words = shape.cached_words_per_token
        pairs.append(("cache", f"{words:,} keys and values per token" if words else "none: a state of fixed size"))
    elif isinstance(shape, Transformer) and not shape.image:
        tokens = shape.most_tokens
        pairs.append(("work", f"{shape.macs(Inference(tokens=tokens)):,} multiply-accumulates of {tokens} tokens"))
    else:
        pairs.append(("work", f"{shape.macs(Inference()):,} multiply-accumulates per image"))
    return [*pairs, ("source", shape.source)]


def _sizes(shape: Shape) -> str:
    known = {field.name for field in fields(Shape)} | {"blocks"}
    found = [(field.name, getattr(shape, field.name)) for field in fields(shape) if field.name not in known]
    return ", ".join(f"{name} {value}" for name, value in found if not isinstance(value, bool) and value)
