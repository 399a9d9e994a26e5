"""What a file in ``reports/`` offers to ``simhw report``: a name, a sentence, and files made from nothing but simhw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

Say = Callable[[str], None]
"""Called with what is being computed, as a phrase."""


@dataclass(frozen=True, kw_only=True)
class ReportOutput:
    """A finished report.

    Attributes:
        text: short enough for a terminal.
        files: content by file name.
    """

    text: str
    files: Mapping[str, str]


class Report(Protocol):
    """One report: every file ``reports/NAME.py`` that has one binds it, as ``REPORT``.

    The first line of the file's docstring describes it.
    """

    @property
    def name(self) -> str:
        """Entry name, equal to the file name."""
        ...

    def make(self, *, command: str, say: Say) -> ReportOutput:
        """Compute the report.

        Args:
            command: what was run, shown so that the report can be made again.
            say: told what is being computed.
        """
        ...


@runtime_checkable
class TrainingReport(Report, Protocol):
    """A report that trains networks, for longer or shorter."""

    def with_steps(self, steps: int) -> Report:
        """Return the report with another number of training steps, at least 1."""
        ...
