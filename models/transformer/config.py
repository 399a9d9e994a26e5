"""The choices and numbers that define one decoder."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from simhw.errors import InputError
from simhw.models.llama import LlamaShape


class NormPlacement(enum.Enum):
    """Where the norm of a sublayer F stands; l counts the blocks from 1."""

    POST_LN = "post_ln"
    """``x = norm(x + F(x))``, and no norm before the head (Vaswani et al., arXiv 1706.03762)."""
    PRE_LN = "pre_ln"
    """``x = x + F(norm(x))``, a norm before the head (Xiong et al., arXiv 2002.04745)."""
    MIX_LN = "mix_ln"
    """Post-LN in the first blocks, Pre-LN in the others (Li et al., arXiv 2412.13795)."""
    PERI_LN = "peri_ln"
    """``x = x + norm(F(norm(x)))``, norms behind the embedding and before the head (Kim et al., arXiv 2502.02732)."""
    LAYERNORM_SCALING = "layernorm_scaling"
    """``x = x + F(norm(x) / sqrt(l))``, else as Pre-LN (Sun et al., arXiv 2502.05795)."""


class NormKind(enum.Enum):
    """What a norm computes; see ``simhw.models.norms``."""

    LAYER_NORM = "layer_norm"
    """Mean and variance of the vector."""
    RMS_NORM = "rms_norm"
    """Root mean square of the vector."""
    CRMS_NORM = "crms_norm"
    """RMS norm of a vector of zero mean whose last element is left out: the residual stream is one shorter."""
    POWER_NORM = "power_norm"
    """Stored mean square per channel, behind a scaling of each vector by its root mean square."""
    POWER_NORM_UNSCALED = "power_norm_unscaled"
    """Stored mean square per channel alone."""
    UNIFIED = "unified"
    """Stored mean square per channel from the geometric mean of a few batches."""


class FeedForwardKind(enum.Enum):
    """The second sublayer of a block."""

    NONE = "none"
    """The mixer alone, as in Mamba."""
    DENSE = "dense"
    """``down(gelu(up(x)))``."""
    SWIGLU = "swiglu"
    """``down(silu(gate(x)) * up(x))`` (Shazeer, arXiv 2002.05202)."""
    MIXTURE_OF_EXPERTS = "mixture_of_experts"
    """A router weights the best few of several dense ones per token; with ``shared_depth`` WideNet's layer."""
    MIXTURE_OF_DEPTHS = "mixture_of_depths"
    """A router lets some tokens of a sequence pass a dense one, the others skip it."""


class MixerKind(enum.Enum):
    """The first sublayer of a block, which brings tokens together."""

    ATTENTION = "attention"
    """Causal softmax attention with rotary positions."""
    MAMBA = "mamba"
    """Selective state space (Gu and Dao, arXiv 2312.00752)."""


class Routing(enum.Enum):
    """How a mixture of depths chooses its tokens at inference; training always takes the largest weights."""

    TOP_K = "top_k"
    """The largest router weights of the sequence: a fixed number, but later tokens decide about earlier ones."""
    THRESHOLD = "threshold"
    """All tokens with a positive router weight: causal, each token decides for itself."""


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """One decoder.

    Attributes:
        width: length d of the residual vector (with CRMSNorm d - 1 of its elements are stored).
        layers: blocks.
        heads: of the attention; ``width / heads`` is even.
        hidden: inner width of the feed-forward, or of each expert.
        vocabulary: token ids are 0 .. vocabulary-1; 256 are bytes.
        context: longest sequence.
        placement, norm, feed_forward, mixer: the four choices.
        shared_depth: whether all blocks share one mixer and one feed-forward and only the norms are their own
            (WideNet, arXiv 2107.11857).
        post_fraction: share of the blocks that are Post-LN in Mix-LN, rounded down; the paper's is a quarter.
        experts, chosen_experts: of a mixture of experts, and how many work on a token.
        capacity: share of a sequence's tokens that a mixture of depths works on, rounded up.
        routing: of a mixture of depths.
        gate: TanhNorm's factor: a mixture of depths weights what it adds by ``gate * tanh(weight)``
            (p-MoD, arXiv 2412.04449). Its default is a choice.
        state, expansion, convolution: of Mamba: states per channel, inner width over outer, taps; the paper's
            default state is 16.
        bias: whether linear layers have one.
        epsilon: added to variances and mean squares.
    """

    width: int
    layers: int
    heads: int
    hidden: int
    vocabulary: int = 256
    context: int = 128
    placement: NormPlacement = NormPlacement.PRE_LN
    norm: NormKind = NormKind.LAYER_NORM
    feed_forward: FeedForwardKind = FeedForwardKind.DENSE
    mixer: MixerKind = MixerKind.ATTENTION
    shared_depth: bool = False
    post_fraction: float = 0.25
    experts: int = 4
    chosen_experts: int = 2
    capacity: float = 0.5
    routing: Routing = Routing.TOP_K
    gate: float = 0.2
    state: int = 8
    expansion: int = 2
    convolution: int = 4
    bias: bool = True
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        for name in ("layers", "heads", "hidden", "vocabulary", "context", "experts", "state", "expansion"):
            _check_positive(name, getattr(self, name))
        _check_positive("width", self.width, least=2)
        _check_positive("convolution", self.convolution)
        if self.width % (2 * self.heads):
            raise InputError(
                f"width is {self.width} with {self.heads} heads, must be a multiple of {2 * self.heads}: each head "
                "turns pairs of elements; choose another width or number of heads"
            )
        if not 1 <= self.chosen_experts <= self.experts:
            raise InputError(
                f"chosen_experts is {self.chosen_experts}, must be 1..{self.experts}; choose fewer, or more experts"
            )
        if not 0 < self.capacity <= 1:
            raise InputError(f"capacity is {self.capacity}, must be above 0 and at most 1; give the share of tokens")
        if not 0 <= self.post_fraction <= 1:
            raise InputError(f"post_fraction is {self.post_fraction}, must be 0..1; give the share of Post-LN blocks")
        if not self.epsilon > 0:
            raise InputError(f"epsilon is {self.epsilon}, must be above 0; 1e-5 is usual")

    @property
    def stream(self) -> int:
        """Stored elements of the residual vector."""
        return self.width - 1 if self.norm is NormKind.CRMS_NORM else self.width

    @property
    def inner(self) -> int:
        """Inner width of Mamba."""
        return self.expansion * self.width

    @property
    def step_rank(self) -> int:
        """Rank of Mamba's step sizes, a sixteenth of the width, rounded up."""
        return -(-self.width // 16)

    @property
    def llama(self) -> LlamaShape:
        """The same numbers for the parts that are those of a Llama."""
        return LlamaShape(
            vocabulary=self.vocabulary,
            context=self.context,
            width=self.stream,
            layers=self.layers,
            heads=self.heads,
            kv_heads=self.heads,
            head_dim=self.width // self.heads,
            hidden=self.hidden,
            epsilon=self.epsilon,
            bias=self.bias,
        )

    def placement_of(self, layer: int) -> NormPlacement:
        """Return where the norms of a block stand; ``layer`` counts from 1."""
        if self.placement is not NormPlacement.MIX_LN:
            return self.placement
        return NormPlacement.POST_LN if layer <= int(self.post_fraction * self.layers) else NormPlacement.PRE_LN


def _check_positive(name: str, value: int, least: int = 1) -> None:
    if value < least:
        raise InputError(f"{name} is {value}, must be at least {least}; give a larger number")
