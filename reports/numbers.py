"""How reports write numbers: four significant digits, thousands separators, signs where they matter."""

from __future__ import annotations

import math

from simhw.rows import Row


def significant(value: float, digits: int = 4) -> str:
    """Return ``value`` with that many significant digits; whole digits are never rounded away to zeros.

    >>> [significant(x) for x in (1234567.8, 123.456, 0.0012345, 2.0, 0.0, -5.00004)]
    ['1,234,568', '123.5', '0.001234', '2.000', '0', '-5.000']
    """
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value == 0:
        return "0"
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])  # after rounding: 99.996 has four digits as 100.0
    if exponent < -4:
        return f"{value:.{digits - 1}e}"
    return f"{value:,.{max(0, digits - 1 - exponent)}f}"


def is_fraction(metric_name: str) -> bool:
    """Whether a metric is a fraction of the samples, which reads best in percent (top1, top5, accuracy)."""
    return metric_name.startswith("top") or metric_name == "accuracy"


def metric(row: Row, value: float) -> str:
    """Return a value of the row's leading metric, without its name."""
    return f"{100 * value:.2f}%" if is_fraction(row.metric_name) else significant(value)


def metric_change(row: Row) -> str:
    """Return the change against float, in percentage points for fractions."""
    change = row.metric_change
    if not math.isfinite(change):
        return significant(change)
    if is_fraction(row.metric_name):
        return f"{_no_minus_zero(100 * change, 2):+.2f} pp"
    return f"{_no_minus_zero(change, 3):+,.3f}"


def relative_change(row: Row) -> str:
    """Return the change in percent of the float metric; empty for fractions and where there is none."""
    if is_fraction(row.metric_name) or not math.isfinite(row.metric_change) or not row.metric_float:
        return ""
    return f"{_no_minus_zero(100 * row.metric_change / abs(row.metric_float), 2):+,.2f}%"


def change_in_percent(share: float) -> str:
    """Return a relative change in percent with its sign; what rounds to zero is +0.

    >>> [change_in_percent(x) for x in (0.1234, -0.00001, -0.5)]
    ['+12.34%', '+0.00%', '-50.00%']
    """
    return f"{_no_minus_zero(100 * share, 2):+,.2f}%"


def _no_minus_zero(value: float, decimals: int) -> float:
    """Round, and turn what rounds to -0 into 0, so that no change is written as '-0.00'."""
    return round(value, decimals) + 0.0


def decibels(value: float) -> str:
    """Return an SQNR to a tenth of a decibel."""
    return f"{value:.1f}" if math.isfinite(value) else significant(value)


def times(value: float | None) -> str:
    """Return a factor with two decimals (three digits where those say too little), a dash for None."""
    if value is None:
        return "-"
    return f"{value:,.2f}x" if 0.1 <= value < 1000 else f"{significant(value, 3)}x"


def microjoules(energy_pj: float, digits: int = 4) -> str:
    """Return an energy in microjoules, without the unit."""
    return significant(energy_pj * 1e-6, digits)


def square_millimetres(area_um2: float) -> str:
    """Return an area in square millimetres, without the unit."""
    return significant(area_um2 * 1e-6, 3)
