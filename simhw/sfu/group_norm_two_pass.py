"""Group norm in float32 (Wu and He, arXiv 1803.08494): the layer norm in two passes, of each group of channels."""

from __future__ import annotations

from simhw.sfu.base import Parameters
from simhw.sfu.layer_norm_two_pass import load

UNIT = load(Parameters(), "group_norm_two_pass", "group_norm")
