"""Names that people type: of operators and dtypes, with what they may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from opslib.errors import ArgumentError
from opslib.ir.dtypes import DTYPES
from opslib.language.library import load_library


def checked_operator(name: str, names: Iterable[str] | None = None) -> str:
    """The name, where the shipped library (or `names`) has it.

    Raises:
        ArgumentError: it has not; close names are suggested, whatever their case.
    """
    known = list(load_library() if names is None else names)
    if name not in known:
        close = difflib.get_close_matches(name.lower().replace("-", "_"), known, 3)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise ArgumentError(
            f"there is no operator {name!r}",
            code="E0705",
            help=f"{hint}`opslib ops` lists them",
        )
    return name


def checked_dtype(name: str) -> str:
    """The name, where it is a dtype's.

    Raises:
        ArgumentError: it is not.
    """
    if name not in DTYPES:
        raise ArgumentError(
            f"there is no dtype {name!r}",
            code="E0704",
            help=f"dtypes: {', '.join(DTYPES)}",
        )
    return name
