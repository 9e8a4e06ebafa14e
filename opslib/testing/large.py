"""Arrays of more than 2^31 elements: where an index that is 32 bits wide wraps.

Elements are one byte wide, and what is expected follows from how the arrays are made,
so that nothing as large has to be computed by a reference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from opslib.dispatch import routing
from opslib.dispatch.handle import Handle

Array = np.ndarray[Any, np.dtype[Any]]
COUNT = (1 << 31) + 77
# Where a wrapped index would be seen: around 0, around 2^31, and at the end.
PLACES = (0, 1, (1 << 31) - 1, 1 << 31, (1 << 31) + 1, COUNT - 1)


@dataclass(frozen=True, slots=True)
class Large:
    """One call on large arrays.

    gigabytes: what it needs at most at a time, results and copies included.
    run: on a backend; says what is wrong, or nothing.
    """

    name: str
    gigabytes: float
    run: Callable[[str], str]


def marked(dtype: type[np.generic] = np.int8) -> Array:
    """Zeros, but for 1, 2, 3 ... at `PLACES`."""
    array = np.zeros(COUNT, dtype)
    for value, place in enumerate(PLACES, 1):
        array[place] = value
    return array


def _call(name: str, backend: str, *tensors: Any, **attributes: Any) -> Any:
    with routing.trust():
        return np.asarray(Handle(name).call(tensors, attributes, None, backend))


def _wrong(found: Sequence[int], expected: Sequence[int]) -> str:
    return "" if list(found) == list(expected) else f"got {found}, expected {expected}"


def _map(backend: str) -> str:
    made = _call("negative", backend, marked())
    places = [int(made[p]) for p in PLACES]
    nonzero = int(np.count_nonzero(made))
    return _wrong([*places, nonzero], [-1, -2, -3, -4, -5, -6, 6])


def _sum(backend: str) -> str:
    return _wrong([int(_call("sum", backend, marked()))], [21])


def _argmax(backend: str) -> str:
    return _wrong([int(_call("argmax", backend, marked()))], [COUNT - 1])


def _take(backend: str) -> str:
    indices = np.array(PLACES[::-1], np.int64)
    made = _call("take", backend, marked(), indices, axis=0)
    return _wrong([int(v) for v in made], [6, 5, 4, 3, 2, 1])


def _transpose(backend: str) -> str:
    rows = 3
    columns = COUNT // rows
    array = marked()[: rows * columns].reshape(rows, columns)
    made = _call("matrix_transpose", backend, array)
    flat = [p for p in PLACES if p < rows * columns]
    found = [int(made[p % columns, p // columns]) for p in flat]
    nonzero = int(np.count_nonzero(made))
    expected = [PLACES.index(p) + 1 for p in flat]
    return _wrong([*found, nonzero], [*expected, len(flat)])


def _strided(backend: str) -> str:
    """Few elements, 2^30 bytes apart: the offset is too wide, not the size."""
    array = marked()[:: 1 << 30]
    made = _call("negative", backend, array)
    return _wrong([int(v) for v in made], [-1, 0, -4])


ALL: tuple[Large, ...] = (
    Large("map", 5.0, _map),
    Large("sum", 3.0, _sum),
    Large("argmax", 3.0, _argmax),
    Large("take", 3.0, _take),
    Large("transposed copy", 5.0, _transpose),
    Large("wide stride", 3.0, _strided),
)
