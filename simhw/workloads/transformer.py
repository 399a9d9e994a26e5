"""Transformers: decoders, encoders and vision transformers, dense or with a mixture of experts.

Counted as an array runs them: linear layers over all tokens of the batch; scores and values per sequence and key head
(query heads that share a key head are rows of one product, so that keys are read once); the whole square of scores
also where a mask hides half of it; logits of the last token of each sequence alone. With experts, tokens spread evenly
over them. Looking up embeddings is not counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from simhw.arrays import Gemm
from simhw.arrays.base import ceil_div
from simhw.arrays.convolution import Convolution
from simhw.errors import InputError
from simhw.workloads.base import Inference, Phase, Shape, Work, WorkKind, vector


@dataclass(frozen=True, kw_only=True)
class Transformer(Shape):
    """A stack of equal blocks of attention and feed-forward.

    Attributes:
        layers: blocks.
        width: of the residual stream.
        heads, kv_heads, head_width: of queries; of keys and values; of one head.
        hidden: inner width of the feed-forward (of one expert).
        activation: of the feed-forward.
        gated: whether a second product gates it (SwiGLU).
        norm: ``layer_norm`` (weight and bias) or ``rms_norm`` (weight).
        bias: whether linear layers have biases.
        rotary: whether queries and keys are rotated by their positions.
        decoder: whether tokens are made one by one.
        vocabulary: tokens; 0 for images.
        tied: whether the output head shares the embedding.
        positions: learned position vectors.
        most_tokens: that the network was made for; 0: any number.
        segments: learned segment vectors (BERT).
        embedding_norm, final_norm: whether there is a norm behind the embedding, before the head.
        pooler: whether a linear layer of the first token follows (BERT).
        experts, experts_per_token: of a mixture of experts; 0 and 0 for a dense feed-forward.
        image, patch, channels: of a vision transformer: sides in pixels; 0 for text.
        classes: of a classifier behind the class token; 0 without one.
    """

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_width: int
    hidden: int
    activation: str
    gated: bool
    norm: str
    bias: bool
    rotary: bool
    decoder: bool
    vocabulary: int = 0
    tied: bool = False
    positions: int = 0
    most_tokens: int = 0
    segments: int = 0
    embedding_norm: bool = False
    final_norm: bool = True
    pooler: bool = False
    experts: int = 0
    experts_per_token: int = 0
    image: int = 0
    patch: int = 0
    channels: int = 3
    classes: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("layers", "width", "heads", "kv_heads", "head_width", "hidden"):
            if getattr(self, name) < 1:
                raise InputError(f"{self.name}: {name} is {getattr(self, name)}, must be at least 1; correct it")
        if self.heads % self.kv_heads:
            raise InputError(f"{self.name}: {self.kv_heads} kv_heads do not divide {self.heads} heads; correct one")
        if self.experts < self.experts_per_token or (self.experts > 0) != (self.experts_per_token > 0):
            raise InputError(
                f"{self.name}: {self.experts_per_token} of {self.experts} experts per token; give both, or neither"
            )
        if self.image and (self.patch < 1 or self.image % self.patch):
            raise InputError(f"{self.name}: patches of {self.patch} do not tile an image of {self.image}; correct one")

    @property
    def is_decoder(self) -> bool:
        """Whether tokens are made one by one."""
        return self.decoder

    @property
    def cached_words_per_token(self) -> int:
        """Keys and values of all layers."""
        return 2 * self.layers * self.kv_heads * self.head_width if self.decoder else 0

    @property
    def parameters(self) -> int:
        """Stored numbers."""
        q, kv = self.heads * self.head_width, self.kv_heads * self.head_width
        products = 3 if self.gated else 2
        attention = self._linear(self.width, q) + 2 * self._linear(self.width, kv) + self._linear(q, self.width)
        feed = self._linear(self.width, self.hidden) * (products - 1) + self._linear(self.hidden, self.width)
        if self.experts:
            feed = feed * self.experts + self.width * self.experts
        norm = self.width * (2 if self.norm == "layer_norm" else 1)
        total = self.layers * (attention + feed + 2 * norm) + norm * (self.embedding_norm + self.final_norm)
        total += self.width * (self.vocabulary * (2 if self.decoder and not self.tied else 1) + self.positions)
        total += self.width * self.segments + self.pooler * self._linear(self.width, self.width)
        if self.image:
            total += self.width * (self.channels * self.patch**2 + 1) + self.width  # patches; class token
        return total + (self.classes * (self.width + 1))

    def work(self, inference: Inference) -> list[Work]:
        """Return the steps of an inference (see the module)."""
        new, keys = self._tokens(inference)
        batch, m = inference.batch, inference.batch * new
        q, kv = self.heads * self.head_width, self.kv_heads * self.head_width
        shared = new * self.heads // self.kv_heads
        layers = self.layers

        def linear(name: str, outputs: int, inputs: int, count: int = layers, *, makes_keys: bool = False) -> Work:
            return Work(name=name, count=count, layer=Gemm(m=m, n=outputs, k=inputs), makes_keys=makes_keys)

        def attend(name: str, n: int, k: int) -> Work:
            gemm = Gemm(m=shared, n=n, k=k, batch=batch * self.kv_heads)
            return Work(name=name, count=layers, layer=gemm, kind=WorkKind.ATTENTION)

        steps = [] if not self.image else [self._patches(batch)]
        if self.embedding_norm:
            steps.append(vector("embedding_norm", self.norm, m * self.width))
        steps += [
            vector("norm", self.norm, m * self.width, 2 * layers),
            linear("query", q, self.width),
            linear("key_value", kv, self.width, 2 * layers, makes_keys=True),
            *([vector("rotary", "rotary", m * (q + kv), layers)] if self.rotary else []),
            attend("scores", keys, self.head_width),
            vector("softmax", "softmax", batch * self.heads * new * keys, layers),
            attend("values", self.head_width, keys),
            linear("output", self.width, q),
            vector("residual", "add", m * self.width, 2 * layers),
            *self._feed_forward(m),
        ]
        if self.final_norm:
            steps.append(vector("final_norm", self.norm, m * self.width))
        if self.pooler:
            steps.append(Work(name="pooler", layer=Gemm(m=batch, n=self.width, k=self.width)))
            steps.append(vector("pooler_activation", "tanh", batch * self.width))
        outputs = self.classes or (self.vocabulary if self.decoder else 0)
        if outputs:
            steps.append(Work(name="head", layer=Gemm(m=batch, n=outputs, k=self.width)))
        return steps

    def _feed_forward(self, m: int) -> list[Work]:
        layers = self.layers
        rows, matrices, elements = m, 1, m * self.hidden
        steps = []
        if self.experts:
            routed = m * self.experts_per_token
            matrices = min(self.experts, routed)
            rows, elements = ceil_div(routed, matrices), routed * self.hidden
            steps.append(Work(name="router", count=layers, layer=Gemm(m=m, n=self.experts, k=self.width)))
            steps.append(vector("router_softmax", "softmax", m * self.experts, layers))
        up = Gemm(m=rows, n=self.hidden, k=self.width, batch=matrices)
        down = Gemm(m=rows, n=self.width, k=self.hidden, batch=matrices)
        steps.append(Work(name="gate_up" if self.gated else "up", count=layers * (1 + self.gated), layer=up))
        steps.append(vector("activation", self.activation, elements, layers))
        if self.gated:
            steps.append(vector("gate", "multiply", elements, layers))
        steps.append(Work(name="down", count=layers, layer=down))
        if self.experts:
            steps.append(vector("combine", "multiply", m * self.experts_per_token * self.width, layers))
        return steps

    def _tokens(self, inference: Inference) -> tuple[int, int]:
        """Return how many tokens of a sequence are new, and how many keys they meet."""
        if not self.decoder:
            self.refuse_decode(inference)
        if inference.phase is Phase.DECODE:
            assert inference.context is not None
            new, keys = 1, inference.context + 1
        else:
            tokens = self._image_tokens() if self.image else inference.tokens
            if self.image and inference.tokens is not None:
                raise InputError(f"tokens is {inference.tokens}, {self.name} has {tokens} for its images; leave it out")
            if tokens is None:
                raise InputError(f"{self.name} needs the number of tokens; give it")
            new = keys = tokens
        if self.most_tokens and keys > self.most_tokens:
            raise InputError(f"{keys} tokens are in a sequence, {self.name} takes {self.most_tokens}; give fewer")
        return new, keys

    def _image_tokens(self) -> int:
        return (self.image // self.patch) ** 2 + 1

    def _patches(self, batch: int) -> Work:
        side = self.patch
        layer = Convolution(
            height=self.image,
            width=self.image,
            channels=self.channels,
            filters=self.width,
            filter_height=side,
            filter_width=side,
            stride=(side, side),
            batch=batch,
        )
        return Work(name="patches", layer=layer)

    def _linear(self, inputs: int, outputs: int) -> int:
        return inputs * outputs + self.bias * outputs
