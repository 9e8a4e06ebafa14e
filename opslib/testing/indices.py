"""Index operands: which inputs are positions, and values of them that the spec takes.

What an index may be is found by evaluating: candidates in the ranges of all extents,
sorted ones and running totals among them, are offered to the judge until it takes one.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from opslib.dispatch.judging import in_program_axes
from opslib.errors import OperandIndexError, ShapeError
from opslib.ir.bind import Binding
from opslib.ir.dtypes import DType
from opslib.ir.evaluate import evaluate
from opslib.ir.expr import (
    Axis,
    Const,
    Define,
    Expr,
    Order,
    Prim,
    Program,
    Read,
    Scalar,
    Scan,
    Size,
    walk,
)

Array = np.ndarray[Any, np.dtype[Any]]
TRIES = 60


def index_operands(program: Program) -> frozenset[str]:
    """Integer inputs whose elements decide where something is read or written."""
    integers = {t.name for t in program.inputs if t.dtype.is_integer}
    local: dict[str, list[Define]] = {}
    for define in program.defines:
        local.setdefault(define.name, []).append(define)
    found: set[str] = set()
    waiting: list[Expr] = []
    for define in program.defines:
        waiting += define.indices
        roots = (define.value, *define.axes)
        for node in walk(*roots):
            match node:
                case Read():
                    waiting += node.indices
                case Axis():
                    waiting += (node.start, node.stop)
                case Scan() | Order():
                    waiting.append(node.at)
                case Prim(op, (x, y), _) if op in ("eq", "ne", "lt", "le", "gt", "ge"):
                    # Compared with an index: slot_mapping[i] == b * z + w.
                    if x.dtype.is_integer and y.dtype.is_integer:
                        waiting += (x, y)
    waiting += [check.condition for check in program.checks]
    done: set[str] = set()
    while waiting:
        for node in walk(waiting.pop()):
            if not isinstance(node, Read) or node.tensor in done:
                continue
            done.add(node.tensor)
            if node.tensor in integers:
                found.add(node.tensor)
            waiting += [d.value for d in local.get(node.tensor, ())]
    return frozenset(found)


def limits(program: Program, sizes: Mapping[str, int]) -> list[int]:
    """Extents that an index may run to: those of checks first, then all sizes."""
    found: list[int] = []
    for check in program.checks:
        if check.extent is not None:
            extent = number(check.extent, sizes)
            found += [] if extent is None else [extent]
    extents = [n for n in sizes.values() if n >= 0]
    found += extents
    found += [a * b for k, a in enumerate(extents) for b in extents[k + 1 :]]
    return [n for n in dict.fromkeys(found) if 0 <= n < 1 << 20]


def number(expr: Expr, sizes: Mapping[str, int]) -> int | None:
    """The value of an extent, or None where it depends on more than `sizes`.

    sizes: extents, and integer attributes, by the program's names.
    """
    match expr:
        case Const(value, _):
            return int(value)
        case Size(name):
            return sizes[name]
        case Scalar(name, dtype) if dtype.is_integer:
            return sizes.get(name)
        case Prim(op, (x, y), _) if op in ("add", "sub", "mul", "max", "min"):
            a, b = number(x, sizes), number(y, sizes)
            if a is None or b is None:
                return None
            return _INTEGER[op](a, b)
    return None


_INTEGER: dict[str, Callable[[int, int], int]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "max": max,
    "min": min,
}


def candidates(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: DType, extents: list[int]
) -> Iterator[Array]:
    """Endless index arrays, the likeliest kinds first."""
    info = np.iinfo(dtype.numpy)
    extents = [n for n in extents if n <= info.max] or [1]
    turn = 0
    while True:
        extent = extents[turn // 6 % len(extents)]
        count = int(np.prod(shape))
        match turn % 6:
            case 0 if extent:
                made = rng.integers(0, extent, shape)
            case 1:
                made = np.sort(rng.integers(0, extent + 1, count)).reshape(shape)
            case 2 if count:  # running totals: 0 first, the whole last
                made = np.sort(rng.integers(0, extent + 1, count))
                made[0], made[-1] = 0, extent
                made = made.reshape(shape)
            case 3 if extent and dtype.kind == "int":
                made = rng.integers(-1, extent, shape)
            case 4 if extent:
                made = rng.permutation(np.arange(count) % extent).reshape(shape)
            case 5:
                made = rng.integers(0, min(extent, 2) + 1, shape)
            case _:
                made = np.zeros(shape, np.int64)
        yield made.astype(dtype.numpy)
        turn += 1


def solve(
    program: Program,
    binding: Binding,
    arrays: Mapping[str, Array],
    wanted: frozenset[str],
    rng: np.random.Generator,
) -> dict[str, Array] | None:
    """Values of the wanted operands with which the spec is defined, or None.

    `arrays` are all inputs, by the program's names, as the caller has them.
    """
    whole = {k: v for k, v in binding.scalars.items() if isinstance(v, int)}
    sizes = {**whole, **binding.sizes}
    extents = limits(program, sizes)
    views = {t.name: t.view for t in binding.inputs}
    seen = {k: in_program_axes(a, views[k]) for k, a in arrays.items()}
    streams = {}
    for t in binding.inputs:
        if t.name not in wanted:
            continue
        own = [
            number(c.extent, sizes)
            for c in program.checks
            if c.operand == t.name and c.extent is not None
        ]
        known = [n for n in own if n is not None]
        ranges = [min(known)] if known else extents
        streams[t.name] = candidates(rng, arrays[t.name].shape, t.dtype, ranges)
    trial: dict[str, Array] = {}
    for attempt in range(TRIES):
        for name, stream in streams.items():
            # Operands advance at different paces, so that kinds combine.
            for _ in range(1 if attempt == 0 else int(rng.integers(1, 7))):
                trial[name] = next(stream)
        tried = {k: in_program_axes(a, views[k]) for k, a in trial.items()}
        try:
            with np.errstate(all="ignore"):
                evaluate(program, {**seen, **tried}, binding.sizes, binding.scalars)
        except (OperandIndexError, ShapeError):
            continue
        return trial
    return None
