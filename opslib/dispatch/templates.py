"""Operators whose signature is made from an argument: einsum, tensordot.

The template is expanded to the text of a spec, and that is the operator: its hash,
kernels, bounds and gradients are those of the text.
"""

from __future__ import annotations

import operator
import re
import string
import zlib
from collections.abc import Sequence
from typing import Any

from opslib.errors import ArgumentError

# Letters of the subscripts that the name of the operator takes up.
_LONGEST = 40


def einsum_spec(subscripts: str, count: int) -> str:
    """The spec of an einsum.

    Sizes are the letters of the subscripts with ``n_`` before them, indices the letters
    with ``i_`` (``if``, ``in`` and ``is`` are words of the language).
    """
    if not isinstance(subscripts, str):
        raise ArgumentError(
            f"the subscripts of einsum are a text, not {subscripts!r}", code="E0704"
        )
    text = subscripts.replace(" ", "")
    terms, arrow, result = text.partition("->")
    inputs = terms.split(",")
    if len(inputs) != count:
        raise ArgumentError(
            f"einsum got {count} arrays for the {len(inputs)} terms of {subscripts!r}",
            code="E0705",
        )
    for term in (*inputs, result):
        if not re.fullmatch(r"[a-zA-Z]*(\.\.\.)?[a-zA-Z]*", term):
            raise ArgumentError(
                f"einsum cannot read the term {term!r} of {subscripts!r}",
                code="E0704",
                help="letters, and at most one '...'",
            )
    letters = re.findall(r"[a-zA-Z]", terms)
    if not arrow:
        once = sorted(c for c in set(letters) if letters.count(c) == 1)
        result = ("..." if "..." in terms else "") + "".join(once)
    plain = re.findall(r"[a-zA-Z]", result)
    if len(set(plain)) < len(plain) or not set(plain) <= set(letters):
        raise ArgumentError(
            f"the result {result!r} of einsum {subscripts!r} repeats an index, or has "
            "one that no term has",
            code="E0704",
        )
    parameters = []
    factors = []
    for k, term in enumerate(inputs):
        parameters.append(f"x{k}: T[{_axes(term, 'n_')}]" if term else f"x{k}: T[]")
        factors.append(f"x{k}[{_axes(term, 'i_')}]")
    folded = [c for c in dict.fromkeys(letters) if c not in plain]
    value = " * ".join(factors)
    if folded:
        binders = ", ".join(f"i_{c}" for c in folded)
        value = f"sum[{binders}]({value})"
    names = "".join(c if c.isalpha() else "_" for c in text.replace("->", "_to_"))
    if len(names) > _LONGEST:  # Only a label: the text of the spec is what counts.
        names = f"{names[:_LONGEST]}_{zlib.crc32(names.encode()):08x}"
    signature = f"({', '.join(parameters)}, /) -> y: T[{_axes(result, 'n_')}]"
    return f"op einsum_{names}{signature}\n    y[{_axes(result, 'i_')}] = {value}\n"


def _axes(term: str, prefix: str) -> str:
    parts = re.findall(r"\.\.\.|[a-zA-Z]", term)
    return ", ".join(p if p == "..." else prefix + p for p in parts)


def tensordot_spec(rank1: int, rank2: int, axes: Any) -> str:
    """The spec of a tensordot, through the einsum it is."""
    first, second = _paired(rank1, rank2, axes)
    if len(first) != len(second):
        raise ArgumentError("axes must pair as many of x1 as of x2", code="E0704")
    if any(not -rank1 <= a < rank1 for a in first) or any(
        not -rank2 <= a < rank2 for a in second
    ):
        raise ArgumentError(f"axes {axes!r} are out of range", code="E0704")
    for side, rank in ((first, rank1), (second, rank2)):
        if len({a % rank for a in side}) < len(side):
            raise ArgumentError(f"axes {axes!r} name an axis twice", code="E0704")
    letters = iter(string.ascii_letters)
    left = [next(letters) for _ in range(rank1)]
    right = [next(letters) for _ in range(rank2)]
    for a, b in zip(first, second, strict=True):
        right[b] = left[a]
    shared = {left[a] for a in first}
    result = [c for c in left + right if c not in shared]
    return einsum_spec(f"{''.join(left)},{''.join(right)}->{''.join(result)}", 2)


def _paired(rank1: int, rank2: int, axes: Any) -> tuple[list[int], list[int]]:
    """The axes of each array that meet."""
    if isinstance(axes, Sequence) and not isinstance(axes, str) and len(axes) == 2:
        sides = [side if isinstance(side, Sequence) else [side] for side in axes]
        first, second = ([_index(a) for a in side] for side in sides)
        return first, second
    n = _index(axes)
    if not 0 <= n <= min(rank1, rank2):
        raise ArgumentError(f"axes must lie in 0..{min(rank1, rank2)}", code="E0704")
    return list(range(rank1 - n, rank1)), list(range(n))


def _index(value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise ArgumentError(
            f"axes must be an integer or two sequences of them, not {value!r}",
            code="E0704",
        ) from None
