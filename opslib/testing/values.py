"""Elements of test inputs: small integers, the spec's domain, every special value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from opslib.ir.dtypes import DType

Array = np.ndarray[Any, np.dtype[Any]]

# What the elements of a case are drawn for; see docs/numerics.md.
KINDS = ("integers", "random", "special", "spread", "selector")


@dataclass(frozen=True, slots=True)
class Domain:
    """The interval that a spec's `sample` clause gives an operand."""

    low: float
    high: float


def draw(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    dtype: DType,
    kind: str,
    domain: Domain | None,
    size: int = 8,
) -> Array:
    """Elements of one operand.

    `domain` is None where the spec gives none; `size` is the largest absolute value of
    kind ``integers``.
    """
    if dtype.kind == "bool":
        return np.asarray(rng.random(shape) < 0.5)
    if kind in ("integers", "selector"):
        found = _integers(rng, shape, dtype, domain, size)
    elif dtype.is_integer:
        found = _whole(rng, shape, dtype, kind, domain)
    elif kind == "spread":
        found = _spread(rng, shape, dtype, domain)
    else:
        found = _plain(rng, shape, domain)
    result = np.asarray(found).astype(dtype.numpy)
    if kind == "special" and result.size:
        _sprinkle(rng, result, special_values(dtype))
    return result


def _integers(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    dtype: DType,
    domain: Domain | None,
    size: int,
) -> Array:
    low, high = -size, size
    if domain is not None:
        # Whole numbers of the domain; halves where it holds hardly any.
        low, high = int(np.ceil(domain.low)), int(np.floor(domain.high))
        low, high = max(low, -size), min(high, size)
        if low > high:
            low = high = round((domain.low + domain.high) / 2)
    if dtype.kind == "uint":
        low, high = max(low, 0), max(high, 0)
    return rng.integers(low, high + 1, shape)


def _whole(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    dtype: DType,
    kind: str,
    domain: Domain | None,
) -> Array:
    info = np.iinfo(dtype.numpy)
    if domain is not None:
        low, high = max(int(np.ceil(domain.low)), info.min), min(domain.high, info.max)
        return rng.integers(low, max(low, int(high)), shape, endpoint=True).astype(
            dtype.numpy
        )
    if kind == "spread":
        return rng.integers(info.min, info.max, shape, dtype.numpy, endpoint=True)
    return rng.integers(max(-50, info.min), 100, shape).astype(dtype.numpy)


def _plain(
    rng: np.random.Generator, shape: tuple[int, ...], domain: Domain | None
) -> Array:
    if domain is None:
        return rng.standard_normal(shape) * 2
    return rng.uniform(domain.low, domain.high, shape)


def _spread(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    dtype: DType,
    domain: Domain | None,
) -> Array:
    """Magnitudes over many powers of two, so that sums cancel and swamp."""
    reach = 8 if dtype.bits < 32 else 16
    size = 2.0 ** rng.uniform(-reach, reach, shape)
    if domain is None:
        return np.where(rng.random(shape) < 0.5, -size, size)
    # Towards both ends of the domain, and towards zero where that is inside.
    low, high = domain.low, domain.high
    width = (high - low) * 2.0 ** rng.uniform(-reach, 0, shape)
    near = np.where(rng.random(shape) < 0.5, low + width, high - width)
    if low < 0 < high:
        small = np.where(near < 0, low, high) * 2.0 ** rng.uniform(-reach, 0, shape)
        near = np.where(rng.random(shape) < 0.5, near, small)
    return np.clip(near, low, high)


def limits(dtype: DType) -> Any:
    """Of a float type: ``max``, ``tiny`` (the smallest normal) and the like."""
    info: Any = ml_dtypes.finfo
    return info(dtype.numpy)


def special_values(dtype: DType) -> Array:
    """Every value that arithmetic treats apart."""
    if dtype.is_integer:
        info = np.iinfo(dtype.numpy)
        chosen = {info.min, info.max, 0, 1, 2, info.max - 1}
        if dtype.kind == "int":
            chosen |= {-1, -2, info.min + 1}
        return np.array(sorted(chosen), dtype.numpy)
    finfo = limits(dtype)
    tiny, largest = float(finfo.tiny), float(finfo.max)
    least = float(finfo.smallest_subnormal)
    positive = [0.0, least, tiny / 2, tiny, 0.5, 1.0, 2.0, largest / 2, largest, np.inf]
    both = np.array([*positive, *(-x for x in positive), np.nan], np.float64)
    return both.astype(dtype.numpy)


def _sprinkle(rng: np.random.Generator, array: Array, chosen: Array) -> None:
    """Special values at about a sixteenth of the places: nan and infinities first."""
    flat = array.reshape(-1)
    count = max(1, flat.size // 16, min(3, flat.size // 2))
    places = rng.permutation(flat.size)[:count]
    values = rng.choice(chosen, count)
    if array.dtype.kind not in "biu":
        loud = np.array([np.nan, np.inf, -np.inf], array.dtype)[:count]
        values[: loud.size] = rng.permutation(loud)
    flat[places] = values


def strata(dtype: DType, rng: np.random.Generator, count: int) -> Array:
    """Values of a float type evenly over its bit patterns, special ones included.

    All of a 16-bit type's 65536 values when `count` allows.
    """
    bits = dtype.bits
    unsigned: Any = {16: np.uint16, 32: np.uint32, 64: np.uint64}[bits]
    if bits == 16 and count >= 1 << 16:
        return np.arange(1 << 16, dtype=np.uint32).astype(np.uint16).view(dtype.numpy)
    special = special_values(dtype)
    top = (1 << bits) - 1
    patterns = rng.integers(0, top, max(count - special.size, 0), unsigned, True)
    return np.concatenate([special, patterns.view(dtype.numpy)])
