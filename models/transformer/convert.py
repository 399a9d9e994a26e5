"""A Pre-LN decoder as a Pre-RMSNorm or Pre-CRMSNorm one that computes the same (Jiang et al., arXiv 2305.14858).

Layer norm subtracts the mean of the residual stream, so nothing depends on that mean. Where every layer that writes to
the stream has its own mean taken out, the stream has none, and layer norm is RMS norm. Its shift goes into the layers
that read it. A stream of zero mean is known from all its elements but the last: what remains is CRMSNorm.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from simhw.errors import InputError
from simhw.models.transformer.config import NormKind, NormPlacement, TransformerConfig
from simhw.models.transformer.decoder import Decoder, Sublayer

READERS = frozenset({"query", "key", "value", "gate", "up", "input", "router"})
"""Layers of a sublayer's function that read the normed stream, by the last part of their names."""
WRITERS = frozenset({"output", "down"})
"""Layers whose result is added to the stream, times a number per token at most."""


def to_rms_norm(module: Decoder) -> Decoder:
    """Return the decoder with RMSNorm. Raises InputError unless it has layer norms before its sublayers only."""
    return _converted(module, NormKind.RMS_NORM)


def to_crms_norm(module: Decoder) -> Decoder:
    """Return the decoder with CRMSNorm, one element of the stream less. Raises InputError as ``to_rms_norm``."""
    return _converted(module, NormKind.CRMS_NORM)


@torch.no_grad()
def _converted(module: Decoder, kind: NormKind) -> Decoder:
    config = module.config
    _check(config)
    target = Decoder(replace(config, norm=kind, bias=True)).to(module.head.weight.dtype)
    compress = kind is NormKind.CRMS_NORM
    embedding = _centred(module.embedding.weight, 1)
    target.embedding.weight.copy_(embedding[:, :-1] if compress else embedding)
    _set_norm(target.norm, module.norm, compress)
    _read(target.head, module.head, module.norm, 1.0, compress)
    for name, part in module.named_modules():
        if isinstance(part, Sublayer):
            other = cast(Sublayer, target.get_submodule(name))
            _set_norm(other.norm, part.norm, compress)
            _set_function(other.function, part, compress)
    return target.train(module.training)


def _check(config: TransformerConfig) -> None:
    pre = (NormPlacement.PRE_LN, NormPlacement.LAYERNORM_SCALING)
    if config.norm is not NormKind.LAYER_NORM or config.placement not in pre:
        raise InputError(
            f"the decoder has norm {config.norm.value!r} placed {config.placement.value!r}, must be 'layer_norm' with "
            "'pre_ln' or 'layernorm_scaling': elsewhere the norm's shift stays in the stream; convert another decoder"
        )
    if config.shared_depth:
        raise InputError(
            "the decoder shares its layers among the blocks, whose norms have shifts of their own; only layers of one "
            "block can take its norm's shift; convert one with shared_depth=False"
        )


def _set_function(target: nn.Module, part: Sublayer, compress: bool) -> None:
    """Copy what a sublayer computes, with the layers at its two ends changed."""
    changed = set()
    for name, layer in part.function.named_modules():
        role = name.rpartition(".")[2]
        if not isinstance(layer, nn.Linear) or role not in READERS | WRITERS:
            continue
        changed.add(name)
        other = cast(nn.Linear, target.get_submodule(name))
        if role in READERS:
            _read(other, layer, part.norm, part.scale, compress)
        else:
            _write(other, layer, compress)
    parameters = dict(part.function.named_parameters())
    for name, parameter in target.named_parameters():
        if name.rpartition(".")[0] not in changed:
            parameter.copy_(parameters[name])


def _set_norm(target: nn.Module, norm: nn.Module, compress: bool) -> None:
    """Keep the norm's scale; of a compressed vector it has to go into the readers, for the left-out element has one."""
    if not compress:
        cast(Tensor, target.weight).copy_(cast(Tensor, norm.weight))


def _read(target: nn.Linear, layer: nn.Linear, norm: nn.Module, scale: float, compress: bool) -> None:
    """Let a layer read what the new norm gives in place of the old norm's vector, times ``scale``."""
    weight, shift = layer.weight, cast(Tensor, norm.bias)
    target.bias.copy_(weight @ shift * scale + (0 if layer.bias is None else layer.bias))
    if compress:
        whole = weight * cast(Tensor, norm.weight)
        weight = whole[:, :-1] - whole[:, -1:]  # the last element is minus the sum of the others
    target.weight.copy_(weight)


def _write(target: nn.Linear, layer: nn.Linear, compress: bool) -> None:
    """Take the mean over the stream out of what a layer adds to it."""
    weight = _centred(layer.weight, 0)
    bias = torch.zeros_like(target.bias) if layer.bias is None else _centred(layer.bias, 0)
    target.weight.copy_(weight[:-1] if compress else weight)
    target.bias.copy_(bias[: len(target.bias)])


def _centred(x: Tensor, dim: int) -> Tensor:
    return x - x.mean(dim, keepdim=True)
