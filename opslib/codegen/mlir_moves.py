"""Nodes of a tensor graph that move elements: slices, gathers, scatters, order, scans.

What depends on data goes element by element, or row by row, in `scf.for`: that is the
scalar unit's work, as it is in hand-written kernels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from opslib.codegen import mlir_elementwise
from opslib.codegen.mlir_function import Function
from opslib.codegen.mlir_value import Value, element, tensor_type
from opslib.ir.dtypes import BOOL, INT32, INT64


def numbers(value: Value) -> list[int]:
    """Axes, lengths, starts: integers that are known."""
    if value.constant is None:
        raise NotImplementedError("a shape that depends on data")
    return [int(n) for n in value.constant.reshape(-1)]


def around(shape: Sequence[int], axis: int) -> tuple[int, int, int]:
    """The elements before an axis, along it and behind it."""
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])


def transpose(f: Function, value: Value, order: Sequence[int]) -> Value:
    """Axes in another order."""
    shape = tuple(value.shape[k] for k in order)
    if value.constant is not None:
        return Value("", shape, value.dtype, value.constant.transpose(order))
    moved = [k for k in order if value.shape[k] != 1]
    if moved == sorted(moved):  # only axes of length 1 change places
        return f.reshape(value, shape)
    out, kind = f.empty(shape, value.dtype), tensor_type(shape, value.dtype)
    made = f.fresh("turned")
    given = tensor_type(value.shape, value.dtype)
    f.line(
        f"{made} = linalg.transpose ins({value.name} : {given}) outs({out} : {kind}) "
        f"permutation = {list(order)}"
    )
    return Value(made, shape, value.dtype)


def sliced(f: Function, value: Value, parts: Sequence[list[int]]) -> Value:
    """ONNX's Slice: starts, stops, axes and steps."""
    starts, stops, axes = parts[:3]
    steps = parts[3] if len(parts) > 3 else [1] * len(starts)
    for start, stop, axis, step in zip(starts, stops, axes, steps, strict=True):
        length = value.shape[axis]
        places = range(length)[start:stop:step]
        value = taken(f, value, places, axis)
    return value


def taken(f: Function, value: Value, places: range, axis: int) -> Value:
    """The elements at `places` of an axis."""
    shape = list(value.shape)
    count, shape[axis] = len(places), len(places)
    if value.constant is not None:
        array = value.constant.take(list(places), axis)
        return Value("", tuple(shape), value.dtype, array)
    if places == range(value.shape[axis]):
        return value
    starts: list[int | str] = [0] * len(shape)
    if count < 2 or places.step > 0:
        starts[axis] = places.start
        steps = [1] * len(shape)
        steps[axis] = places.step if count > 1 else 1
        return f.slice(value, starts, shape, steps)
    # Backwards: slice after slice, as a slice's step is at least 1.
    lead, length, rest = around(value.shape, axis)
    flat = f.reshape(value, (lead, length, rest))
    first, step = f.index(places.start), f.index(-places.step)

    def one(k: str, made: Value) -> Value:
        at = f.scalar(f"arith.muli {k}, {step} : index", "far")
        at = f.scalar(f"arith.subi {first}, {at} : index", "at")
        row = f.slice(flat, [0, at, 0], [lead, 1, rest])
        return f.insert(row, made, [0, k, 0])

    out = Value(f.empty((lead, count, rest), value.dtype), (lead, count, rest),
                value.dtype)  # fmt: skip
    return f.reshape(f.repeat(count, out, one), shape)


def concat(f: Function, values: Sequence[Value], axis: int) -> Value:
    """One after the other."""
    shape = list(values[0].shape)
    shape[axis] = sum(v.shape[axis] for v in values)
    known = [v.constant for v in values if v.constant is not None]
    if len(known) == len(values):
        array = np.concatenate(known, axis)
        return Value("", tuple(shape), values[0].dtype, array)
    dtype = values[0].dtype
    made = Value(f.empty(shape, dtype), tuple(shape), dtype)
    starts: list[int | str] = [0] * len(shape)
    at = 0
    for v in values:
        if v.size:
            starts[axis] = at
            made = f.insert(v, made, starts)
        at += v.shape[axis]
    return made


def gather(f: Function, value: Value, at: Value, axis: int) -> Value:
    """Rows at positions: the axis becomes those of `at`."""
    shape = (*value.shape[:axis], *at.shape, *value.shape[axis + 1 :])
    lead, length, rest = around(value.shape, axis)
    count = at.size
    if at.constant is not None:
        flat = at.constant.reshape(-1)
        if value.constant is not None:
            array = value.constant.take(flat, axis).reshape(shape)
            return Value("", shape, value.dtype, array)
        step = int(flat[1] - flat[0]) if count > 1 else 1
        if step > 0 and (np.diff(flat) == step).all():
            first = int(flat[0])
            places = range(first, first + count * step, step)
            return f.reshape(taken(f, value, places, axis), shape)
    same = at.constant is not None and bool((at.constant == at.constant.flat[0]).all())
    if length == 1 or same:  # one row everywhere, as positions are within bounds
        first = int(at.constant.flat[0]) if at.constant is not None else 0
        row = taken(f, value, range(first, first + 1), axis)
        row = f.reshape(row, (lead, 1, rest))
        return f.reshape(f.broadcast(row, (lead, count, rest)), shape)
    rows = f.reshape(value, (lead, length, rest))
    where = f.ready(f.reshape(at, (count,)))

    def one(k: str, made: Value) -> Value:
        place = f.position(f.take(where, [k]), where.dtype)
        if lead == rest == 1:
            zero = f.index(0)
            return f.put(f.take(rows, [zero, place, zero]), made, [zero, k, zero])
        row = f.slice(rows, [0, place, 0], [lead, 1, rest])
        return f.insert(row, made, [0, k, 0])

    rows = f.ready(rows)
    out = Value(f.empty((lead, count, rest), value.dtype), (lead, count, rest),
                value.dtype)  # fmt: skip
    return f.reshape(f.repeat(count, out, one), shape)


def nested(
    f: Function,
    counts: Sequence[int],
    start: Value,
    body: Callable[[list[str], Value], Value],
) -> Value:
    """`repeat` over several ranges, the last one fastest."""

    def level(done: list[str], made: Value) -> Value:
        if len(done) == len(counts):
            return body(done, made)
        return f.repeat(counts[len(done)], made, lambda k, v: level([*done, k], v))

    return level([], start)


def gather_elements(f: Function, value: Value, at: Value, axis: int) -> Value:
    """``value[i, at[i, j], ...]``."""
    lead, length, rest = around(value.shape, axis)
    count = at.shape[axis]
    rows = f.ready(f.reshape(f.ready(value), (lead, length, rest)))
    where = f.ready(f.reshape(f.ready(at), (lead, count, rest)))

    def one(k: list[str], made: Value) -> Value:
        place = f.position(f.take(where, k), where.dtype)
        return f.put(f.take(rows, [k[0], place, k[2]]), made, k)

    shape = (lead, count, rest)
    out = Value(f.empty(shape, value.dtype), shape, value.dtype)
    return f.reshape(nested(f, shape, out, one), at.shape)


_JOINS = {"add": "add", "mul": "mul", "max": "max", "min": "min"}


def scatter(f: Function, flat: Value, at: Value, given: Value, how: str) -> Value:
    """ScatterND into one axis, with `how` joining; the last write wins."""
    if len(flat.shape) != 1 or flat.dtype == BOOL:
        raise NotImplementedError(f"a scatter into {len(flat.shape)} axes")
    count = given.size
    where = f.ready(f.reshape(at, (count,)))
    values = f.ready(f.reshape(given, (count,)))
    dtype = flat.dtype
    suffix = "f" if dtype.is_float else "i"
    if how in ("max", "min"):
        sign = "s" if dtype.kind == "int" else "u"
        suffix = "imumf" if dtype.is_float else f"{sign}i"

    def one(k: str, made: Value) -> Value:
        place = f.position(f.take(where, [k]), where.dtype)
        new = f.take(values, [k])
        if how in _JOINS:
            old = f.take(made, [place])
            op = f"arith.{_JOINS[how]}{suffix}"
            new = f.scalar(f"{op} {old}, {new} : {element(dtype)}")
        return f.put(new, made, [place])

    # A constant cannot be written into.
    start = flat
    if flat.constant is not None:
        array = flat.constant
        if (array == array.flat[0]).all():
            start = f.filled(array.flat[0].item(), flat.shape, dtype)
    return f.repeat(count, start, one)


def top(f: Function, value: Value, axis: int, largest: bool) -> tuple[Value, Value]:
    """Values and positions in order, equal ones by position: by counting.

    An element's place is the number of elements that stand before it, which is vector
    work; only the move to that place is not.
    """
    lead, length, rest = around(value.shape, axis)
    rows = f.reshape(value, (lead, length, rest))
    wide = (lead, length, length, rest)
    mine = f.broadcast(f.reshape(rows, (lead, length, 1, rest)), wide)
    other = f.broadcast(f.reshape(rows, (lead, 1, length, rest)), wide)
    ops = mlir_elementwise.Ops(f, [mine])
    before = ops.compare("gt" if largest else "lt", other, mine)
    same = ops.compare("eq", other, mine)
    counting = mlir_elementwise.cast(f, f.count(length), INT32)
    left = f.broadcast(f.reshape(counting, (1, 1, length, 1)), wide)
    right = f.broadcast(f.reshape(counting, (1, length, 1, 1)), wide)
    earlier = ops.compare("lt", left, right)
    stands = ops("arith.ori", before, ops("arith.andi", same, earlier))
    ranks = reduced(f, mlir_elementwise.cast(f, stands, INT32), [2], "Sum")
    shape = (lead, length, rest)

    def places(k: list[str], made: Value) -> Value:
        rank = f.position(f.take(ranks, k), INT32)
        number = f.scalar(f"arith.index_cast {k[1]} : index to i64")
        return f.put(number, made, [k[0], rank, k[2]])

    out = Value(f.empty(shape, INT64), shape, INT64)
    at = f.reshape(nested(f, shape, out, places), value.shape)
    return gather_elements(f, value, at, axis), at


def cumsum(f: Function, value: Value, axis: int) -> Value:
    """Running sums along an axis."""
    lead, length, rest = around(value.shape, axis)
    rows = f.reshape(value, (lead, length, rest))
    if length < 2:
        return value
    one, box = f.index(1), [lead, 1, rest]

    def step(k: str, made: Value) -> Value:
        at = f.scalar(f"arith.addi {k}, {one} : index", "at")
        parts = [f.slice(made, [0, k, 0], box), f.slice(rows, [0, at, 0], box)]
        total = mlir_elementwise.apply(f, "Add", parts)
        return f.insert(total, made, [0, at, 0])

    out = f.filled(0, rows.shape, rows.dtype)
    out = f.insert(f.slice(rows, [0, 0, 0], box), out, [0, 0, 0])
    return f.reshape(f.repeat(length - 1, out, step), value.shape)


_IDENTITIES = {"Sum": 0, "Prod": 1}


def identity(how: str, dtype: Any) -> int | float:
    """What a reduction starts from."""
    if how in _IDENTITIES:
        return _IDENTITIES[how]
    if dtype.is_float:
        return -math.inf if how == "Max" else math.inf
    info = np.iinfo(dtype.numpy)
    return int(info.min if how == "Max" else info.max)


def reduced(f: Function, value: Value, axes: Sequence[int], how: str) -> Value:
    """Sum, Prod, Max or Min along axes, which are gone afterwards."""
    dtype = value.dtype
    value = f.ready(value)
    shape = tuple(n for k, n in enumerate(value.shape) if k not in axes)
    if all(value.shape[k] == 1 for k in axes):
        return f.reshape(value, shape)
    suffix = "f" if dtype.is_float else "i"
    name = {"Sum": "add", "Prod": "mul", "Max": "max", "Min": "min"}[how]
    if how in ("Max", "Min"):
        sign = "s" if dtype.kind == "int" else "u"
        suffix = "imumf" if dtype.is_float else f"{sign}i"
    start = f.filled(identity(how, dtype), shape, dtype)
    made, one = f.fresh(how.lower()), element(dtype)
    f.line(
        f"{made} = linalg.reduce ins({value.name} : {tensor_type(value.shape, dtype)}) "
        f"outs({start.name} : {tensor_type(shape, dtype)}) dimensions = {list(axes)}"
    )
    new, old, joined = (f.fresh(n) for n in ("new", "old", "next"))
    f.line(f"  ({new}: {one}, {old}: {one}) {{")
    f.line(f"    {joined} = arith.{name}{suffix} {new}, {old} : {one}")
    f.line(f"    linalg.yield {joined} : {one}")
    f.line("  }")
    return Value(made, shape, dtype)
