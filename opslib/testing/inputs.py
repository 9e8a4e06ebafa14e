"""Cases: calls with elements, generated from a spec's signature alone.

A case is named by operator, dtype, number and seed, and is the same on every machine:
the line that reports a failure reproduces it. Its number decides what it is drawn for:
small integers, the spec's domain, special values, wide ranges, one-hot selectors.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from opslib.dispatch.handle import Handle
from opslib.dispatch.plan import program_for
from opslib.errors import OpslibError
from opslib.ir.bind import Binding, BoundInput
from opslib.ir.expr import Axis, Expr, Index, Program, Read, walk
from opslib.language import syntax
from opslib.testing import indices, layouts, values
from opslib.testing.shapes import STYLES, Call, NoCase, draw_call, dtypes_of
from opslib.testing.structure import contraction

__all__ = ["Case", "NoCase", "case_strategy", "dtypes_of", "make_case"]

KINDS = ("integers", "random", "special", "selector", "spread", "random")
OUTS = ("", "", "", "fresh", "stepped", "alias")
# Elements of the largest array of a case, and points of its iteration space.
LIMIT = 1 << 13
WORK = 1 << 18

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One call of one operator.

    Attributes:
        kind: one of `values.KINDS`.
        tensors: for each tensor parameter an array, a Python scalar, None, or a tuple
            of arrays.
        attributes: those that are given, flags for optional results included.
        out: ``fresh``, ``stepped``, ``alias`` (of the first input that fits), or "".
        layouts: of the arrays, in the order of the program's inputs.
    """

    operator: str
    dtype: str
    number: int
    seed: int
    kind: str
    tensors: tuple[Any, ...]
    attributes: Mapping[str, Any]
    out: str
    layouts: tuple[str, ...]
    program: Program
    binding: Binding

    @property
    def flat(self) -> list[Array]:
        """All arrays, in the order of the program's inputs; of scalars too."""
        return [
            np.asarray(a, t.dtype.numpy if isinstance(a, bool | int | float) else None)
            for a, t in zip(flatten(self.tensors), self.binding.inputs, strict=True)
        ]

    @property
    def weak(self) -> list[bool]:
        """For each of `flat` whether the call has a Python scalar in its place."""
        return [isinstance(a, bool | int | float) for a in flatten(self.tensors)]

    def describe(self) -> str:
        """The call in one line, for people."""
        shapes = [
            f"{t.name} Python {type(a).__name__}"
            if isinstance(a, bool | int | float)
            else f"{t.name} {a.dtype.name}{list(a.shape)}"
            + (f" {w}" if w != "contiguous" else "")
            for t, a, w in zip(
                self.binding.inputs, flatten(self.tensors), self.layouts, strict=True
            )
        ]
        given = [f"{k}={v!r}" for k, v in self.attributes.items()]
        out = [f"out={self.out}"] if self.out else []
        return f"{self.kind}: {', '.join(shapes + given + out)}"


def flatten(tensors: tuple[Any, ...]) -> list[Any]:
    """Arrays and scalars of a call in order, absent ones left out."""
    parts = [t if isinstance(t, tuple) else (t,) for t in tensors]
    return [a for part in parts for a in part if a is not None]


def regrouped(tensors: tuple[Any, ...], flat: Sequence[Array]) -> tuple[Any, ...]:
    """The call on other arrays; where it has a Python scalar it gets one again."""
    rest = list(flat)

    def one(given: Any) -> Any:
        array = rest.pop(0)
        return array.item() if isinstance(given, bool | int | float) else array

    return tuple(
        tuple(map(one, t)) if isinstance(t, tuple) else None if t is None else one(t)
        for t in tensors
    )


def generator(*key: Any) -> np.random.Generator:
    """A generator that depends on the key alone, alike in every process."""
    text = " ".join(map(str, key)).encode()
    return np.random.default_rng([zlib.crc32(text), zlib.adler32(text)])


def make_case(
    handle: Handle,
    dtype: str,
    number: int,
    seed: int = 0,
    *,
    kind: str | None = None,
    limit: int = LIMIT,
) -> Case:
    """The case of that number.

    `kind` replaces the one that the number says; `limit` is the number of elements of
    the largest array.

    Raises:
        NoCase: nothing that fits the signature was found.
    """
    operator = handle.operator
    kind = kind or KINDS[number % len(KINDS)]
    for attempt in range(12):
        # A call too large to judge, or without valid indices, is drawn anew.
        bound = max(limit >> attempt, 64)
        call = draw_call(operator, dtype, number, seed + attempt * 1000003, bound)
        if any(n < 0 for n in call.binding.sizes.values()):
            continue
        try:
            program = program_for(operator, call.binding.statics, handle.library)
        except OpslibError as error:
            # The rank of a pack that `fit` takes is only checked here.
            if error.code != "E0701":
                raise
            continue
        if iterations(program, call.binding.sizes) > WORK and attempt < 11:
            continue
        rng = generator(operator.name, dtype, number, seed, attempt)
        made = _elements(operator, call, program, kind, number, rng)
        if made is not None:
            flat, used, shown = made
            tensors = _grouped(operator, call, flat)
            attributes = dict(call.attributes)
            for r in operator.results:
                if r.optional and r.name in call.results:
                    attributes[f"return_{r.name}"] = True
            out = OUTS[int(rng.integers(len(OUTS)))]
            return Case(
                operator.name,
                dtype,
                number,
                seed,
                used,
                tensors,
                attributes,
                out,
                shown,
                program,
                call.binding,
            )
    raise NoCase(f"{operator.name} {dtype} case {number}: no valid index operands")


def _elements(
    operator: syntax.Operator,
    call: Call,
    program: Program,
    kind: str,
    number: int,
    rng: np.random.Generator,
) -> tuple[list[Any], str, tuple[str, ...]] | None:
    """Elements for the program's inputs, the kind they really have, the layouts."""
    binding = call.binding
    shapes, dtypes = _given(operator, call)
    domains = {s.name: values.Domain(s.low, s.high) for s in operator.clauses.samples}
    positions = indices.index_operands(program)
    selector = contraction(program) if kind == "selector" else None
    if kind == "selector" and selector is None:
        kind = "integers"
    arrays: dict[str, Array] = {}
    for t, shape, dtype in zip(binding.inputs, shapes, dtypes, strict=True):
        own = "random" if kind == "selector" else kind
        domain = domains.get(t.parameter)
        arrays[t.name] = values.draw(rng, shape, dtype or t.dtype, own, domain)
    if selector is not None:
        made = one_hot(rng, program, binding, selector)
        which = next(t for t in binding.inputs if t.name == selector.tensor)
        if made.shape == arrays[which.name].shape:
            arrays[which.name] = made.astype(which.dtype.numpy)
        else:
            kind = "random"  # broadcast: its axes are not the program's
    if positions or program.checks:
        found = indices.solve(program, binding, arrays, positions, rng)
        if found is None:
            return None
        arrays |= found
    shown: list[str] = []
    first = zlib.crc32(operator.name.encode())
    for t in binding.inputs:
        array = arrays[t.name]
        exact = t.name in positions or kind == "selector"
        known = layouts.KEEPING if exact else layouts.LAYOUTS
        # In turn, so that a few cases see every layout. Where all sizes are equal, one
        # that keeps axes apart: contiguous ones may be merged, windows are symmetric.
        turn = first + number + 3 * len(shown)
        layout = known[turn % len(known)] if rng.random() < 0.85 else "contiguous"
        if STYLES[number % len(STYLES)] == "square":
            layout = ("stepped", "transposed", "offset")[len(shown) % 3]
        arrays[t.name] = layouts.laid_out(array, layout)
        shown.append(layout)
    made_flat: list[Any] = [arrays[t.name] for t in binding.inputs]
    for k, (t, given) in enumerate(zip(binding.inputs, dtypes, strict=True)):
        if given is None:
            shown[k] = "contiguous"
            made_flat[k] = arrays[t.name].item()
    return made_flat, kind, tuple(shown)


def _given(
    operator: syntax.Operator, call: Call
) -> tuple[list[tuple[int, ...]], list[Any]]:
    """Shapes and dtypes of what the caller gives; None for a Python scalar's."""
    parts = [call.arguments[p.name] for p in operator.tensors]
    flat = [
        a
        for part in parts
        for a in (part if isinstance(part, tuple) else (part,))
        if a is not None
    ]
    return [a.shape for a in flat], [a.dtype for a in flat]


def _grouped(operator: syntax.Operator, call: Call, flat: list[Any]) -> tuple[Any, ...]:
    rest = list(flat)
    tensors: list[Any] = []
    for p in operator.tensors:
        given = call.arguments[p.name]
        if isinstance(given, tuple):
            tensors.append(tuple(rest.pop(0) for _ in given))
        else:
            tensors.append(None if given is None else rest.pop(0))
    return tuple(tensors)


def one_hot(
    rng: np.random.Generator, program: Program, binding: Binding, read: Read
) -> Array:
    """Zero but for one power of two in each row that a fold runs over."""
    t: BoundInput = next(i for i in binding.inputs if i.name == read.tensor)
    shape = t.view.extents
    free = contraction_free(program, read)
    kept = [n for n, f in zip(shape, free, strict=True) if f]
    folded = [n for n, f in zip(shape, free, strict=True) if not f]
    rows, width = math.prod(kept), math.prod(folded)
    table = np.zeros((rows, width), np.float64)
    if width and rows:
        chosen = rng.integers(0, width, rows)
        table[np.arange(rows), chosen] = 2.0 ** rng.integers(-2, 3, rows)
    table = table.reshape(*kept, *folded)
    order = [k for k, f in enumerate(free) if f] + [
        k for k, f in enumerate(free) if not f
    ]
    return np.asarray(table.transpose(np.argsort(order)))


def contraction_free(program: Program, read: Read) -> list[bool]:
    """For each index of the read, whether it is of the output, not of the fold."""
    define = next(d for d in program.defines if read in set(walk(d.value)))
    outer = {a.name for a in define.axes}
    return [isinstance(i, Index) and i.name in outer for i in read.indices]


def iterations(program: Program, sizes: Mapping[str, int]) -> int:
    """Points of the largest iteration space, folds included; an upper estimate."""

    def length(axis: Axis) -> int:
        stop = axis.bound if axis.bound is not None else axis.stop
        try:
            return max(_sized(stop, sizes), 1)
        except ValueError:
            return max(list(sizes.values()) or [1])

    most = 1
    for define in program.defines:
        outer = math.prod(length(a) for a in define.axes)
        inner = 1
        for node in walk(define.value):
            if isinstance(node, Axis):
                inner = max(inner, 1) * length(node)
                inner = min(inner, 1 << 40)
        most = max(most, outer * inner)
    return most


def _sized(expr: Expr, sizes: Mapping[str, int]) -> int:
    found = indices.number(expr, sizes)
    if found is None:
        raise ValueError("depends on more than sizes")
    return found


def again(case: Case, **changes: Any) -> Case:
    """The case with other tensors or another out."""
    return replace(case, **changes)


def case_strategy(handle: Handle, dtype: str) -> Any:
    """A hypothesis strategy of cases; it shrinks towards case 0 of seed 0."""
    from hypothesis import strategies

    def build(number: int, seed: int) -> Case:
        from hypothesis import reject

        try:
            return make_case(handle, dtype, number, seed)
        except NoCase:
            return reject()

    numbers = strategies.integers(0, 1000)
    return strategies.builds(build, numbers, strategies.integers(0, 2**31 - 1))
