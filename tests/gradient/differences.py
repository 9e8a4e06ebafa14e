"""Central differences: what a derived gradient is held to, in float64.

For a direction v of one input, ``<dx, v>`` must be the derivative of ``<dy, f(x)>``
along v. Two step sizes are compared first: where they disagree, v crosses a kink of the
operator (a maximum that changes hands, a rounding), and says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

# Steps relative to the size of the input, and how far two may disagree.
STEP = 1e-5
SMOOTH = 1e-4
# Of a difference quotient by STEP in float64: 1e-16 / 1e-5 of the summed magnitudes,
# and STEP^2 of the third derivatives.
RELATIVE = 2e-6
# Single elements that are tried, and random directions.
ELEMENTS = 6
DIRECTIONS = 2

Array = np.ndarray[Any, Any]
Forward = Callable[[Sequence[Array]], list[Array]]


@dataclass
class Found:
    """What a comparison found: directions that counted, and those that did not fit."""

    counted: int = 0
    kinks: int = 0
    wrong: list[str] = field(default_factory=list)


def directions(array: Array, rng: np.random.Generator) -> list[Array]:
    """Some single elements, and all of them at random."""
    found: list[Array] = []
    for k in rng.permutation(array.size)[:ELEMENTS]:
        one: Array = np.zeros(array.size)
        one[k] = 1
        found.append(one.reshape(array.shape))
    if array.size > 1:
        for _ in range(DIRECTIONS):
            found.append(np.asarray(rng.standard_normal(array.shape)))
    return found


def compare(
    forward: Forward,
    inputs: Sequence[Array],
    cotangents: Sequence[Array],
    gradients: dict[int, Array],
    rng: np.random.Generator,
) -> Found:
    """Compares gradients (by the input's number) with differences of `forward`."""
    found = Found()

    def total(values: Sequence[Array]) -> tuple[float, float]:
        # Where a result is infinite its cotangent is 0, and it does not count.
        kept = [
            (c[c != 0] * r[c != 0])
            for c, r in zip(cotangents, forward(values), strict=True)
        ]
        parts = [(np.sum(k), np.sum(np.abs(k))) for k in kept]
        return float(sum(p[0] for p in parts)), float(sum(p[1] for p in parts))

    _, size = total(inputs)
    # A result that is no number has no derivative: 0 * nan is nan there, as in JAX.
    whole = all(np.isfinite(r).all() for r in forward(inputs))
    # Gradients whose parts, of the size of their cotangents, cancel to nothing.
    cancelled = 1e-15 * sum(float(np.sum(np.abs(c))) for c in cotangents)
    for k, gradient in gradients.items():
        for v in directions(inputs[k], rng):

            def along(step: float, k: int = k, v: Array = v) -> float:
                there, back = list(inputs), list(inputs)
                there[k], back[k] = inputs[k] + step * v, inputs[k] - step * v
                return (total(there)[0] - total(back)[0]) / (2 * step)

            wide, narrow = along(STEP), along(STEP / 3)
            got = float(np.sum(gradient * v))
            scale = abs(narrow) + float(np.sum(np.abs(gradient * v)))
            noise = 1e-15 * size / STEP * 30 + cancelled
            if not np.isfinite(narrow) or not np.isfinite(got):
                if np.isfinite(narrow) != np.isfinite(got) and whole:
                    found.wrong.append(f"input {k}: {got} is not {narrow}")
                found.kinks += 1
                continue
            if abs(wide - narrow) > SMOOTH * scale + noise:
                found.kinks += 1
                continue
            found.counted += 1
            better = narrow + (narrow - wide) / 8  # Richardson: steps h and h / 3.
            if abs(got - better) > RELATIVE * scale + noise:
                found.wrong.append(f"input {k}: {got!r} is not {better!r}")
    return found
