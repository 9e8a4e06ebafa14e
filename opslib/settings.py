"""Environment variables that hold a word: read where used, and refused where wrong.

A misspelt setting that is ignored does the opposite of what was asked for, quietly.
"""

from __future__ import annotations

import os
from collections.abc import Collection

from opslib.errors import ArgumentError
from opslib.spelling import did_you_mean


def words(variable: str, allowed: Collection[str]) -> frozenset[str]:
    """The words of a variable, separated by commas; none where it is not set.

    Raises:
        ArgumentError: one is not among the allowed.
    """
    text = os.environ.get(variable, "")
    if not text:
        return frozenset()
    found = frozenset(word.strip() for word in text.split(","))
    for word in sorted(found - frozenset(allowed)):
        raise ArgumentError(
            f"{variable}={text!r}: there is no {word!r}",
            code="E1013",
            help=f"{did_you_mean(word, allowed)} allowed: {', '.join(allowed)}; or "
            "unset it".strip(),
        )
    return found


def is_never(variable: str) -> bool:
    """Whether a variable says ``never``, the only word that it may hold.

    Raises:
        ArgumentError: it holds another.
    """
    return bool(words(variable, ("never",)))
