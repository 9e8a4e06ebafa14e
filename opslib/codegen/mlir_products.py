"""Matrix products and sliding windows of a tensor graph."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from opslib.codegen import mlir_elementwise
from opslib.codegen.mlir_function import Function
from opslib.codegen.mlir_moves import identity
from opslib.codegen.mlir_value import Value, tensor_type
from opslib.ir.dtypes import DType


def matmul(f: Function, a: Value, b: Value, result: DType) -> Value:
    """NumPy's matmul of operands of at least two axes; sums in `result`."""
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    lead = tuple(map(int, batch))
    (m, k), n = a.shape[-2:], b.shape[-1]
    shape = (*lead, m, n)
    if math.prod(b.shape[:-2]) == 1:
        # One matrix on the right: all rows on the left are of one matrix.
        left = f.reshape(a, (math.prod(lead) * m, k))
        start = f.filled(0, (left.shape[0], n), result)
        return f.reshape(product(f, left, f.reshape(b, (k, n)), start), shape)
    count = math.prod(lead)
    left = f.reshape(f.broadcast(a, (*lead, m, k)), (count, m, k))
    right = f.reshape(f.broadcast(b, (*lead, k, n)), (count, k, n))
    start = f.filled(0, (count, m, n), result)
    return f.reshape(product(f, left, right, start), shape)


def product(f: Function, a: Value, b: Value, start: Value) -> Value:
    """``start + a @ b`` of matrices, or of as many of each; sums in start's type."""
    if len(a.shape) == 3 and a.shape[0] == 1:
        flat = [f.reshape(v, v.shape[1:]) for v in (a, b, start)]
        return f.reshape(product(f, *flat), start.shape)
    a, b = f.ready(a), f.ready(b)
    kind = tensor_type(start.shape, start.dtype)
    name = "linalg.matmul" if len(a.shape) == 2 else "linalg.batch_matmul"
    made = f.fresh("product")
    f.products = True
    given = ", ".join(tensor_type(v.shape, v.dtype) for v in (a, b))
    f.line(
        f"{made} = {name} ins({a.name}, {b.name} : {given}) "
        f"outs({start.name} : {kind}) -> {kind}"
    )
    return Value(made, start.shape, start.dtype)


def _padded(f: Function, data: Value, pads: Sequence[int], value: float) -> Value:
    """`data` with `value` around its last axes."""
    axes = len(pads) // 2
    if not any(pads):
        return data
    found = f.memories.get(data.name)
    # Padded on the way, an operand goes straight to the cube. Parts of several axes
    # would have to be joined there, for which both compilers lack a copy.
    if found is not None and f.depth == 2 and axes == 1:
        before = [0] * (len(data.shape) - axes) + list(pads[:axes])
        after = [0] * (len(data.shape) - axes) + list(pads[axes:])
        return f.load_padded(*found, data, before, after, value)
    shape = list(data.shape)
    starts: list[int | str] = [0] * len(shape)
    for k in range(axes):
        place = len(shape) - axes + k
        shape[place] += pads[k] + pads[axes + k]
        starts[place] = pads[k]
    return f.insert(data, f.filled(value, shape, data.dtype), starts)


def _taps(
    f: Function, data: Value, options: Mapping[str, Any]
) -> tuple[list[Value], tuple[int, ...]]:
    """For each place of the window what all windows have there, and their number."""
    lengths = options["kernel_shape"]
    strides, dilations = options["strides"], options["dilations"]
    lead = len(data.shape) - len(lengths)
    counts = tuple(
        (n - (u - 1) * d - 1) // s + 1
        for n, u, s, d in zip(data.shape[lead:], lengths, strides, dilations,
                              strict=True)
    )  # fmt: skip
    found = []
    for tap in np.ndindex(*lengths):
        starts: list[int | str] = [0] * lead
        starts += [int(t) * d for t, d in zip(tap, dilations, strict=True)]
        shape = [*data.shape[:lead], *counts]
        found.append(f.slice(data, starts, shape, [1] * lead + list(strides)))
    return found, counts


def max_pool(f: Function, data: Value, options: Mapping[str, Any]) -> Value:
    """The largest of each window."""
    lowest = identity("Max", data.dtype)
    parts, _ = _taps(f, _padded(f, data, options["pads"], lowest), options)
    made = parts[0]
    for part in parts[1:]:
        made = mlir_elementwise.apply(f, "Max", [made, part])
    return made


def convolution(
    f: Function,
    data: Value,
    kernel: Value,
    options: Mapping[str, Any],
    result: DType,
) -> Value:
    """A sum over the places of the window, of products; or of single channels."""
    groups = options.get("group", 1)
    images = data.shape[0]
    filters, inner = kernel.shape[:2]
    parts, counts = _taps(f, _padded(f, data, options["pads"], 0.0), options)
    taps = len(parts)
    if inner == 1 and filters == groups:
        parts = [mlir_elementwise.cast(f, p, result) for p in parts]
        kernel = mlir_elementwise.cast(f, kernel, result)
        return _by_taps(f, parts, f.reshape(kernel, (filters, taps)), counts)
    # Products that sum into one another, tap by tap: a matrix of columns would have to
    # be written part by part, and the compilers crash on such operands of the cube.
    places, each = math.prod(counts), filters // groups
    shape = (images * groups, each, places)
    made = f.filled(0, shape, result)
    weights = f.reshape(kernel, (groups, each, inner, taps))
    for k, part in enumerate(parts):
        columns = f.reshape(part, (images * groups, inner, places))
        factor = f.slice(weights, [0, 0, 0, k], [groups, each, inner, 1])
        factor = f.reshape(factor, (groups, each, inner))
        if images > 1:
            factor = f.reshape(factor, (1, groups, each, inner))
            factor = f.broadcast(factor, (images, groups, each, inner))
            factor = f.reshape(factor, (images * groups, each, inner))
        made = product(f, factor, columns, made)
    return f.reshape(made, (images, filters, *counts))


def _by_taps(
    f: Function, parts: Sequence[Value], weights: Value, counts: Sequence[int]
) -> Value:
    """``sum(weights[c, t] * parts[t][n, c])``."""
    filters = weights.shape[0]
    known = weights.constant is not None
    ones = known and bool((weights.constant == 1).all())  # type: ignore[union-attr]
    made: Value | None = None
    for k, part in enumerate(parts):
        term = part
        if not ones:
            factor = f.slice(weights, [0, k], [filters, 1])
            factor = f.reshape(factor, (1, filters, *[1] * len(counts)))
            term = mlir_elementwise.apply(f, "Mul", [part, factor])
        made = term if made is None else mlir_elementwise.apply(f, "Add", [made, term])
    assert made is not None
    return made
