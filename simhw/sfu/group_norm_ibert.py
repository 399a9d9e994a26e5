"""Group norm in I-BERT's integers: its layer norm, of each group of channels."""

from __future__ import annotations

from simhw.sfu.base import Parameters
from simhw.sfu.layer_norm_ibert import load

UNIT = load(Parameters(), "group_norm_ibert", "group_norm")
