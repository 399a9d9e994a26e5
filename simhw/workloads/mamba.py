"""Mamba: blocks of projections, a short causal convolution and a selective scan (Gu and Dao, arXiv 2312.00752).

The state takes the place of a cache: it does not grow with the context. The scan is vector work, once per state
element and token.
"""

from __future__ import annotations

from dataclasses import dataclass

from simhw.arrays import Gemm
from simhw.arrays.convolution import Convolution
from simhw.errors import InputError
from simhw.workloads.base import Inference, Phase, Shape, Work, vector


@dataclass(frozen=True, kw_only=True)
class Mamba(Shape):
    """A stack of Mamba blocks.

    Attributes:
        layers: blocks.
        width: of the residual stream.
        inner: width inside a block.
        state: state elements per inner channel.
        window: taps of the convolution.
        rank: of the projection that makes the time step.
        vocabulary: tokens; the output head shares the embedding.
    """

    layers: int
    width: int
    inner: int
    state: int
    window: int
    rank: int
    vocabulary: int

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("layers", "width", "inner", "state", "window", "rank", "vocabulary"):
            if getattr(self, name) < 1:
                raise InputError(f"{self.name}: {name} is {getattr(self, name)}, must be at least 1; correct it")

    @property
    def is_decoder(self) -> bool:
        """Tokens are made one by one."""
        return True

    @property
    def parameters(self) -> int:
        """Stored numbers: projections, convolution, A, D, norms, embedding."""
        block = self.width * 2 * self.inner + self.inner * self.width
        block += self.inner * (self.window + 1)
        block += self.inner * (self.rank + 2 * self.state) + self.inner * (self.rank + 1)
        block += self.inner * (self.state + 1) + self.width
        return self.layers * block + self.vocabulary * self.width + self.width

    def work(self, inference: Inference) -> list[Work]:
        """Return the steps of an inference."""
        if inference.phase is Phase.PREFILL and inference.tokens is None:
            raise InputError(f"{self.name} needs the number of tokens; give it")
        new = 1 if inference.phase is Phase.DECODE else inference.tokens
        assert new is not None
        batch, m, layers = inference.batch, inference.batch * new, self.layers
        convolution = Convolution(
            height=1,
            width=new + self.window - 1,  # those before the first token are zeros, or the state
            channels=self.inner,
            filters=self.inner,
            filter_height=1,
            filter_width=self.window,
            groups=self.inner,
            batch=batch,
        )

        def linear(name: str, n: int, k: int) -> Work:
            return Work(name=name, count=layers, layer=Gemm(m=m, n=n, k=k))

        return [
            vector("norm", "rms_norm", m * self.width, layers),
            linear("input", 2 * self.inner, self.width),
            Work(name="convolution", count=layers, layer=convolution),
            vector("activation", "silu", m * self.inner, 2 * layers),
            linear("time_state", self.rank + 2 * self.state, self.inner),
            linear("time_step", self.inner, self.rank),
            vector("softplus", "silu", m * self.inner, layers),
            vector("scan", "selective_scan", m * self.inner * self.state, layers),
            vector("gate", "multiply", m * self.inner, layers),
            linear("output", self.width, self.inner),
            vector("residual", "add", m * self.width, layers),
            vector("final_norm", "rms_norm", m * self.width),
            Work(name="head", layer=Gemm(m=batch, n=self.vocabulary, k=self.width)),
        ]
