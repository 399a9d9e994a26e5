"""How well a network reads: greedy decoding of its classes, character error rate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BLANK = 0
"""Class of no character, which also parts equal neighbours."""


def decode_greedily(scores: NDArray[np.float32], characters: Sequence[str]) -> str:
    """Return the text of ``(steps, classes)`` scores: the best class of each step, repeats and blanks taken out.

    Best path decoding of connectionist temporal classification (Graves et al., ICML 2006, section 3.2). Steps that hold
    NaN count as blanks.

    >>> import numpy as np
    >>> decode_greedily(np.eye(3, dtype=np.float32)[[1, 1, 0, 1, 2, 2]], ["", "a", "b"])
    'aab'
    """
    best = np.where(np.isnan(scores).any(axis=1), BLANK, scores.argmax(axis=1))
    new = np.concatenate(([True], best[1:] != best[:-1])) & (best != BLANK)
    return "".join(characters[index] for index in best[new])


def edit_distance(a: str, b: str) -> int:
    """Return the fewest insertions, deletions and substitutions of one character that turn ``a`` into ``b``.

    >>> edit_distance("kitten", "sitting")
    3
    """
    costs = list(range(len(b) + 1))
    for row, left in enumerate(a, 1):
        diagonal, costs[0] = costs[0], row
        for column, right in enumerate(b, 1):
            diagonal, costs[column] = (
                costs[column],
                min(costs[column] + 1, costs[column - 1] + 1, diagonal + (left != right)),
            )
    return costs[-1]


def character_error_rate(found: Sequence[str], wanted: Sequence[str]) -> float:
    """Return the edit distances of all lines over the characters of all wanted lines; it can exceed 1."""
    errors = sum(edit_distance(*pair) for pair in zip(found, wanted, strict=True))
    return errors / sum(map(len, wanted))
