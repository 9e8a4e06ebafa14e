"""Numbers from timings that a busy machine has disturbed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

# Median absolute deviation times this is the standard deviation of a normal sample.
_MAD_SCALE = 1.4826
_OUTLIER = 4.0


@dataclass(frozen=True, slots=True)
class Timing:
    """What many timings of one thing say.

    The minimum is not a robust estimator: it rewards the one run in which a timer
    tick or a turbo bin fell the right way. The median of what is left after outliers
    are rejected is.

    Attributes:
        seconds: the median, outliers left out.
        spread: half the range that holds the middle half, as a fraction of `seconds`.
        samples: how many timings.
        outliers: how many of them were rejected.
    """

    seconds: float
    spread: float
    samples: int
    outliers: int


def timing(samples: Sequence[float]) -> Timing:
    """The summary of some timings in seconds (at least one)."""
    middle = median(samples)
    deviation = _MAD_SCALE * median(abs(s - middle) for s in samples)
    limit = _OUTLIER * deviation if deviation else float("inf")
    kept = sorted(s for s in samples if abs(s - middle) <= limit)
    center = median(kept)
    low, high = kept[len(kept) // 4], kept[(3 * len(kept)) // 4]
    spread = (high - low) / 2 / center if center else 0.0
    return Timing(center, spread, len(samples), len(samples) - len(kept))
