"""Arguments of a call from a spec alone: its ``workload`` clauses, or a small sample.

Data are random, and not zero: zeros hide denormals and make branches, sparsity tricks
and power states look better than they are.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

import numpy as np

from opslib.errors import ArgumentError, OpslibError
from opslib.ir.bind import Argument, bind
from opslib.ir.dtypes import DTYPES
from opslib.ir.sample import sample_call
from opslib.language import syntax
from opslib.language.tree import walk as nodes

_TRIES = 200


def workload_text(workload: syntax.Workload) -> str:
    """The workload as one line: ``rows: x float32[4096, 1024]``."""
    parts = [
        f"{name} {dtype}[{', '.join(map(str, shape))}]"
        for name, dtype, shape in workload.tensors
    ]
    parts += [f"{name}={literal(value)}" for name, value in workload.attributes]
    return f"{workload.label}: {', '.join(parts)}"


def literal(node: syntax.Expression) -> Any:
    """The value of a literal expression, as workloads and defaults have them."""
    match node:
        case syntax.Number() | syntax.Boolean() | syntax.String():
            return node.value
        case syntax.Nothing():
            return None
        case syntax.TupleOf():
            return tuple(map(literal, node.items))
        case syntax.Unary(operator="-"):
            return -literal(node.operand)
    raise ArgumentError("a workload's attribute must be a literal", code="E0604")


def abstract_call(
    operator: syntax.Operator, workload: syntax.Workload
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments of a workload whose elements are never looked at.

    Memory that nobody touches is not really taken, so large ones cost nothing.
    """
    given = {n: np.empty(s, DTYPES[d].numpy) for n, d, s in workload.tensors}
    return _arranged(operator, given, workload)


def workload_call(
    operator: syntax.Operator, workload: syntax.Workload, seed: int = 0
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arrays and attributes of a workload, for ``opslib.NAME(*arrays, **attributes)``.

    Args:
        operator: whose workload it is.
        workload: its shapes.
        seed: other data for another seed.
    """
    shapes = {n: s for n, _, s in workload.tensors}
    rng = np.random.default_rng([seed, len(operator.name)])
    given = {
        n: random_array(rng, operator, n, d, s, shapes) for n, d, s in workload.tensors
    }
    return _arranged(operator, given, workload)


def _arranged(
    operator: syntax.Operator, given: Mapping[str, Any], workload: syntax.Workload
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    attributes = {n: literal(v) for n, v in workload.attributes}
    return arranged(operator, {**given, **attributes})


def arranged(
    operator: syntax.Operator, given: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Values by parameter name as positional and keyword arguments of the function.

    An attribute that stands before a tensor is positional, as in ``gather(x, dim, i)``.
    """
    arrays: list[Any] = []
    named = {n: v for n, v in given.items() if v is not None}
    last = max(
        (k for k, p in enumerate(operator.parameters) if p.name in named), default=-1
    )
    for p in operator.parameters[: last + 1]:
        if p.placement == "keyword" and not p.variadic:
            break
        tensor = isinstance(p.type, syntax.TensorType)
        if p.name not in named and not (tensor and p.optional):
            break
        value = named.pop(p.name, None)
        if p.variadic:
            arrays += value if isinstance(value, tuple) else (value,)
        else:
            arrays.append(value)
    while arrays and arrays[-1] is None:
        arrays.pop()
    return tuple(arrays), named


def sample_arrays(
    operator: syntax.Operator, dtype: str | None = None, rank: int = 1, seed: int = 0
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A small call that fits the signature, with random data.

    Args:
        operator: whose call it is.
        dtype: of the arrays; None prefers float32.
        rank: of every pack.
        seed: other sizes for another seed; from 1 on integers are 0, which are indices
            and lengths that always fit.

    Raises:
        OpslibError: no sizes were found that meet the spec's requirements.
    """
    failure: OpslibError | None = None
    for attempt in range(_TRIES):
        rng = random.Random(f"{operator.name} {seed} {attempt}")
        try:
            arguments, attributes = sample_call(operator, dtype, rng, rank, True)
            bind(operator, arguments, attributes, None)
        except OpslibError as error:
            failure = error
            continue
        except (ValueError, KeyError, IndexError, ZeroDivisionError):
            continue
        arrays = _filled(operator, arguments, zeros=seed > 0)
        return arranged(operator, {**arrays, **attributes})
    raise failure or OpslibError(f"no sample call of {operator.name}", code="E0706")


def _filled(
    operator: syntax.Operator, arguments: Mapping[str, Any], zeros: bool
) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    shapes = {n: a.shape for n, a in arguments.items() if isinstance(a, Argument)}
    made: dict[str, Any] = {}
    for name, a in arguments.items():
        if a is None:
            continue
        many = tuple(
            np.zeros(x.shape, x.dtype.numpy)
            if zeros and x.dtype.is_integer and not name.startswith("cu_")
            else random_array(rng, operator, name, str(x.dtype), x.shape, shapes)
            for x in (a if isinstance(a, tuple) else (a,))
        )
        made[name] = many if isinstance(a, tuple) else many[0]
    return made


def random_array(
    rng: np.random.Generator,
    operator: syntax.Operator,
    name: str,
    dtype: str,
    shape: tuple[int, ...],
    shapes: Mapping[str, tuple[int, ...]],
) -> Any:
    """Random elements that suit a parameter: in its sample range, or valid indices.

    Args:
        rng: the source.
        operator: whose parameter it is.
        name: of the parameter.
        dtype: of the array.
        shape: of the array.
        shapes: of all tensors, which say how large an index may be.
    """
    kind = DTYPES[dtype].numpy
    if dtype == "bool":
        return np.asarray(rng.random(shape) < 0.75)
    interval = next((s for s in operator.clauses.samples if s.name == name), None)
    if DTYPES[dtype].is_float:
        low, high = (interval.low, interval.high) if interval else (-2.0, 2.0)
        made = rng.random(shape, np.float32)
        made = made * np.float32(high - low) + np.float32(low)
        # (NumPy gives scalars, not arrays, where there are no axes.)
        return np.where(made == 0, (low + high) / 2 or high, made).astype(kind)
    if name.startswith("cu_") and len(shape) == 1:
        return _offsets(name, shape[0], shapes).astype(kind)
    limit = index_limit(operator, name, shapes)
    if limit is not None:
        return np.asarray(rng.integers(0, max(limit, 1), shape)).astype(kind)
    length = _length(name, shapes)
    if length is not None:
        return np.full(shape, length, kind)
    low, high = (interval.low, interval.high) if interval else (1, 100)
    return np.asarray(rng.integers(int(low), int(high) + 1, shape)).astype(kind)


def _offsets(name: str, count: int, shapes: Mapping[str, tuple[int, ...]]) -> Any:
    """Where ragged rows begin: even parts of the tensor that ``cu_seqlens_q`` names."""
    suffix = name.rpartition("_")[2]
    whole = next((s for n, s in shapes.items() if n.startswith(suffix)), None)
    total = (whole or next(iter(shapes.values())))[0]
    return np.linspace(0, total, count)


def _length(name: str, shapes: Mapping[str, tuple[int, ...]]) -> int | None:
    """Lengths of sequences: as many tokens as their block tables have room for."""
    if not name.endswith(("lens", "lengths")) or "block_tables" not in shapes:
        return None
    cache = next((s for n, s in shapes.items() if n.endswith("cache")), None)
    return shapes["block_tables"][-1] * (cache[1] if cache else 1)


def index_limit(
    operator: syntax.Operator, name: str, shapes: Mapping[str, tuple[int, ...]]
) -> int | None:
    """How large the elements of an index tensor may be; None if it is not one.

    It is one where another tensor is read at its elements: in ``table[ids[...], c]``
    `ids` is limited by the first axis of `table`.
    """
    limits: list[int] = []
    for node in nodes(operator.definitions):
        if not isinstance(node, syntax.Index) or node.base not in shapes:
            continue
        shape = shapes[node.base]
        for at, item in enumerate(node.items):
            inside = isinstance(item, syntax.Index) and item.base == name
            if not inside and not _names_scalar(item, name, operator):
                continue
            packs = any(isinstance(i, syntax.Pack) for i in node.items[:at])
            place = at - len(node.items) if packs else at
            if -len(shape) <= place < len(shape):
                limits.append(shape[place])
    return min(limits) if limits else None


def _names_scalar(item: syntax.Expression, name: str, o: syntax.Operator) -> bool:
    """Whether an index item is a local that holds an element of the tensor."""
    if not isinstance(item, syntax.Index | syntax.Name):
        return False
    local = item.base if isinstance(item, syntax.Index) else item.name
    for definition in o.definitions:
        if all(t.name != local for t in definition.targets):
            continue
        if any(
            isinstance(n, syntax.Index) and n.base == name
            for n in nodes(definition.value)
        ):
            return True
    return False


def call_bytes(arrays: tuple[Any, ...], results: Any) -> int:
    """Bytes of all arguments and results, each counted once."""
    found = [x for a in arrays for x in (a if isinstance(a, tuple) else (a,))]
    found += list(results) if isinstance(results, tuple) else [results]
    return sum(math.prod(x.shape) * x.dtype.itemsize for x in found if x is not None)
