"""Convolutional networks: a list of blocks, each of which makes layers and the next image.

Blocks are those of the published tables: ``conv``, ``max_pool``, ``basic`` and ``bottleneck`` (ResNet),
``inverted_residual`` (MobileNetV2), ``pool_mixer`` and ``attention_mixer`` (EfficientFormer), ``classifier``. Batch
norms are folded into the convolutions: they cost parameters and no work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from simhw.arrays import Gemm
from simhw.arrays.convolution import Convolution
from simhw.errors import InputError, unknown_name
from simhw.workloads.base import Inference, Shape, Work, WorkKind, vector


@dataclass(kw_only=True)
class _State:
    """The image between blocks, and what was collected on the way."""

    side: int
    channels: int
    batch: int
    steps: list[Work] = field(default_factory=list)
    parameters: int = 0

    def conv(
        self,
        name: str,
        filters: int,
        size: int,
        stride: int = 1,
        *,
        groups: int = 1,
        bias: bool = False,
        norm: bool = True,
        act: str = "",
    ) -> None:
        """Add a convolution with the padding that keeps the image, its norm and its activation."""
        layer = Convolution(
            height=self.side,
            width=self.side,
            channels=self.channels,
            filters=filters,
            filter_height=size,
            filter_width=size,
            stride=(stride, stride),
            padding=(size // 2, size // 2),
            groups=groups,
            batch=self.batch,
        )
        self.parameters += filters * (size * size * self.channels // groups + bias + 2 * norm)
        self.steps.append(Work(name=name, layer=layer))
        self.side, self.channels = layer.output_height, filters
        self.vector(f"{name}.{act}", act)

    def vector(self, name: str, function: str, elements: int | None = None) -> None:
        """Add a vector step, over the whole image unless told otherwise."""
        if function:
            every = self.batch * self.side**2 * self.channels
            self.steps.append(vector(name, function, every if elements is None else elements))

    def linear(self, name: str, rows: int, outputs: int, inputs: int) -> None:
        """Add a linear layer with bias."""
        self.parameters += outputs * (inputs + 1)
        self.steps.append(Work(name=name, layer=Gemm(m=self.batch * rows, n=outputs, k=inputs)))


@dataclass(frozen=True, kw_only=True)
class Block:
    """One line of a table.

    Attributes:
        block: which kind.
        filters: channels of the output (of ``bottleneck``: of its inner convolutions; of ``classifier``: classes).
        repeat: equal blocks; the stride is that of the first one.
        stride: of the image.
        size: side of the filter, or of the pooling window.
        expansion: of ``inverted_residual`` and the mixers' inner width.
        activation: behind each convolution; empty for none.
        bias: whether the convolution has biases.
        stride_first: ``bottleneck``: stride in the first convolution, as first published, instead of the 3 x 3 one.
        heads, key_width, value_width: of ``attention_mixer``.
    """

    block: str
    filters: int = 0
    repeat: int = 1
    stride: int = 1
    size: int = 3
    expansion: int = 4
    activation: str = ""
    bias: bool = False
    stride_first: bool = False
    heads: int = 8
    key_width: int = 32
    value_width: int = 128

    def __post_init__(self) -> None:
        from simhw.records import normalize

        normalize(self)
        if self.block not in _BLOCKS:
            raise unknown_name("block", self.block, _BLOCKS)
        for name in ("repeat", "stride", "size", "expansion"):
            if getattr(self, name) < 1:
                raise InputError(f"block {self.block}: {name} is 0, must be at least 1; correct it")


@dataclass(frozen=True, kw_only=True)
class ConvolutionalNetwork(Shape):
    """An image through a list of blocks.

    Attributes:
        image: side in pixels.
        channels: of the image.
        blocks: in order.
    """

    image: int
    channels: int
    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image < 1 or self.channels < 1 or not self.blocks:
            raise InputError(f"{self.name}: image, channels and blocks must not be empty; fill them in")

    @property
    def parameters(self) -> int:
        """Stored numbers."""
        return self._walk(1).parameters

    def work(self, inference: Inference) -> list[Work]:
        """Return the steps of an inference."""
        self.refuse_decode(inference)
        if inference.tokens is not None:
            raise InputError(f"tokens is {inference.tokens}, {self.name} takes images; leave it out")
        return self._walk(inference.batch).steps

    def _walk(self, batch: int) -> _State:
        state = _State(side=self.image, channels=self.channels, batch=batch)
        for stage, block in enumerate(self.blocks):
            for index in range(block.repeat):
                name = f"{stage}.{block.block}" + (f".{index}" if block.repeat > 1 else "")
                _BLOCKS[block.block](state, block, name, block.stride if index == 0 else 1)
        return state


def _conv(state: _State, block: Block, name: str, stride: int) -> None:
    state.conv(name, block.filters, block.size, stride, bias=block.bias, act=block.activation)


def _max_pool(state: _State, block: Block, name: str, stride: int) -> None:
    side = (state.side + 2 * (block.size // 2) - block.size) // stride + 1
    state.vector(name, "pool", state.batch * side**2 * state.channels * block.size**2)
    state.side = side


def _basic(state: _State, block: Block, name: str, stride: int) -> None:
    side, channels = state.side, state.channels
    state.conv(f"{name}.conv1", block.filters, 3, stride, act=block.activation)
    state.conv(f"{name}.conv2", block.filters, 3)
    _join(state, name, side, channels, stride, block.activation)


def _bottleneck(state: _State, block: Block, name: str, stride: int) -> None:
    side, channels = state.side, state.channels
    first, middle = (stride, 1) if block.stride_first else (1, stride)
    state.conv(f"{name}.conv1", block.filters, 1, first, act=block.activation)
    state.conv(f"{name}.conv2", block.filters, 3, middle, act=block.activation)
    state.conv(f"{name}.conv3", block.filters * block.expansion, 1)
    _join(state, name, side, channels, stride, block.activation)


def _join(state: _State, name: str, side: int, channels: int, stride: int, act: str) -> None:
    """Add the shortcut, a convolution where the shape changes."""
    if stride != 1 or channels != state.channels:
        after = state.channels
        state.side, state.channels = side, channels
        state.conv(f"{name}.shortcut", after, 1, stride)
    state.vector(f"{name}.residual", "add")
    state.vector(f"{name}.{act}", act)


def _inverted_residual(state: _State, block: Block, name: str, stride: int) -> None:
    inputs = state.channels
    if block.expansion > 1:
        state.conv(f"{name}.expand", inputs * block.expansion, 1, act=block.activation)
    state.conv(f"{name}.depthwise", state.channels, 3, stride, groups=state.channels, act=block.activation)
    state.conv(f"{name}.project", block.filters, 1)
    if stride == 1 and inputs == block.filters:
        state.vector(f"{name}.residual", "add")


def _pool_mixer(state: _State, block: Block, name: str, stride: int) -> None:  # noqa: ARG001
    width = state.channels
    state.vector(f"{name}.pool", "pool", state.batch * state.side**2 * width * block.size**2)
    state.vector(f"{name}.subtract", "subtract")
    _scaled_residual(state, f"{name}.mixer")
    state.conv(f"{name}.up", width * block.expansion, 1, bias=True, act=block.activation)
    state.conv(f"{name}.down", width, 1, bias=True)
    _scaled_residual(state, f"{name}.feed")


def _attention_mixer(state: _State, block: Block, name: str, stride: int) -> None:  # noqa: ARG001
    tokens, width, heads = state.side**2, state.channels, block.heads
    inner = heads * block.value_width
    _norm(state, f"{name}.mixer")
    state.linear(f"{name}.qkv", tokens, heads * (2 * block.key_width + block.value_width), width)
    for part, n, k in (("scores", tokens, block.key_width), ("values", block.value_width, tokens)):
        gemm = Gemm(m=tokens, n=n, k=k, batch=state.batch * heads)
        state.steps.append(Work(name=f"{name}.{part}", layer=gemm, kind=WorkKind.ATTENTION))
        if part == "scores":
            square = state.batch * heads * tokens**2
            state.parameters += heads * tokens  # a bias per head and distance
            state.vector(f"{name}.bias", "add", square)
            state.vector(f"{name}.softmax", "softmax", square)
    state.linear(f"{name}.project", tokens, width, inner)
    _scaled_residual(state, f"{name}.mixer")
    _norm(state, f"{name}.feed")
    state.linear(f"{name}.up", tokens, width * block.expansion, width)
    state.vector(f"{name}.{block.activation}", block.activation, state.batch * tokens * width * block.expansion)
    state.linear(f"{name}.down", tokens, width, width * block.expansion)
    _scaled_residual(state, f"{name}.feed")


def _scaled_residual(state: _State, name: str) -> None:
    state.parameters += state.channels
    state.vector(f"{name}.scale", "multiply")
    state.vector(f"{name}.residual", "add")


def _norm(state: _State, name: str) -> None:
    state.parameters += 2 * state.channels
    state.vector(f"{name}.norm", "layer_norm")


def _layer_norm(state: _State, block: Block, name: str, stride: int) -> None:  # noqa: ARG001
    _norm(state, name)


def _classifier(state: _State, block: Block, name: str, stride: int) -> None:  # noqa: ARG001
    """Mean over the image, then a linear layer; repeated ones are heads side by side."""
    state.vector(f"{name}.mean", "mean")
    state.linear(name, 1, block.filters, state.channels)


_BLOCKS: Mapping[str, Callable[[_State, Block, str, int], Any]] = {
    "conv": _conv,
    "max_pool": _max_pool,
    "basic": _basic,
    "bottleneck": _bottleneck,
    "inverted_residual": _inverted_residual,
    "pool_mixer": _pool_mixer,
    "attention_mixer": _attention_mixer,
    "layer_norm": _layer_norm,
    "classifier": _classifier,
}
"""Kinds of blocks; each adds its layers to the state and leaves it at its output."""
