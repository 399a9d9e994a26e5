"""Scaling of areas and energies between nodes by Stillmaker and Baas.

A. Stillmaker and B. Baas, Scaling equations for the accurate prediction of CMOS device performance from 180 nm to 7 nm,
Integration 58, 2017, pages 74 to 81. The coefficients are those of the copy in hwcomponents 1.0.114,
``hwcomponents/scaling/techscaling.py``, which begins at 130 nm.

* **Area**: times the area at the new node over that at the old one, both relative to 45 nm. (The paper's table has an
  entry for every pair, rounded to two digits; the ratios of its 45 nm row agree with all of them within that rounding
  and are 1 between equal nodes.)
* **Energy** at the supply voltage V: the polynomial a V^2 + b V + c of the new node over that of the old one.
* Between two nodes of the table both are interpolated linearly in the node.
* Delay, leakage and DRAM do not scale: a scaled technology has no leakage of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from simhw.errors import InputError

SOURCE = "A. Stillmaker and B. Baas, Scaling equations for the prediction of CMOS performance, Integration 58, 2017"
AREA: Mapping[float, float] = {
    130: 6.4, 90: 2.8, 65: 1.5, 45: 1, 32: 0.46, 20: 0.21, 16: 0.19, 14: 0.17, 10: 0.1, 7: 0.059,
}  # fmt: skip
"""Node in nanometres -> area relative to 45 nm."""
ENERGY: Mapping[float, tuple[float, float, float]] = {
    130: (7.171, -6.709, 2.904),
    90: (4.762, -4.781, 2.092),
    65: (3.755, -4.398, 1.975),
    45: (1.103, -0.362, 0.2767),
    32: (0.9559, -0.7823, 0.471),
    20: (0.373, -0.1582, 0.04104),
    16: (0.2958, -0.1241, 0.03024),
    14: (0.2363, -0.09675, 0.02239),
    10: (0.2068, -0.09311, 0.02375),
    7: (0.1776, -0.09097, 0.02447),
}
"""Node in nanometres -> coefficients a, b, c of the relative energy at V volts."""
LOWEST_V, HIGHEST_V = 0.6, 1.3
"""A choice: where all of these polynomials rise with the voltage, as energies do, up to the 130 nm supply."""


def area_factor(from_nm: float, to_nm: float) -> float:
    """Return by what an area at ``from_nm`` is multiplied.

    Raises:
        InputError: a node outside the table.
    """
    return _at(AREA, to_nm) / _at(AREA, from_nm)


def energy_factor(from_nm: float, to_nm: float, from_v: float, to_v: float) -> float:
    """Return by what an energy at ``from_nm`` and ``from_v`` volts is multiplied.

    Raises:
        InputError: a node or a voltage out of range.
    """
    return _energy(to_nm, to_v) / _energy(from_nm, from_v)


def _energy(node_nm: float, voltage_v: float) -> float:
    if not LOWEST_V <= voltage_v <= HIGHEST_V:
        raise InputError(
            f"supply voltage is {voltage_v:g} V, scaling allows {LOWEST_V:g}..{HIGHEST_V:g} V; choose one in between"
        )
    curve = {node: (a * voltage_v + b) * voltage_v + c for node, (a, b, c) in ENERGY.items()}
    return _at(curve, node_nm)


def _at(curve: Mapping[float, float], node_nm: float) -> float:
    """Return the value at a node, on the line between its neighbours."""
    if node_nm in curve:
        return curve[node_nm]
    above = min((node for node in curve if node > node_nm), default=None)
    below = max((node for node in curve if node < node_nm), default=None)
    if above is None or below is None:
        raise InputError(
            f"node is {node_nm:g} nm, Stillmaker and Baas scale {min(curve):g}..{max(curve):g} nm; choose one of those"
        )
    return curve[below] + (curve[above] - curve[below]) * (node_nm - below) / (above - below)
