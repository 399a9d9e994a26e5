"""Conformance checks for anyone's numeric hardware or library: hand over a callable, get the smallest disagreement.

Every check compares with a definition in exact fractions, on all inputs where they can be counted and on the
boundaries where they cannot, and returns a :class:`Report`::

    from simhw.testing import check_format

    def test_my_cast():
        report = check_format("e4m3", encode=my_rtl_encode)
        assert report.agrees, report

A model of one value at a time (ctypes, cocotb, plain Python) goes through :func:`elementwise`. Nothing here needs a
test framework; :mod:`simhw.strategies` has the same inputs for Hypothesis.
"""

from simhw.testing.block_check import check_blocks
from simhw.testing.boundaries import boundary_codes, boundary_values
from simhw.testing.classes import InputClass
from simhw.testing.datapath_check import check_datapath
from simhw.testing.dot_check import check_accumulator
from simhw.testing.format_check import check_format, elementwise
from simhw.testing.pe_check import check_pe
from simhw.testing.report import Count, Disagreement, Input, Report

__all__ = [
    "Count",
    "Disagreement",
    "Input",
    "InputClass",
    "Report",
    "boundary_codes",
    "boundary_values",
    "check_accumulator",
    "check_blocks",
    "check_datapath",
    "check_format",
    "check_pe",
    "elementwise",
]
