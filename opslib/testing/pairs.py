"""Relations between operators: both sides of each row of `pairs.toml` must agree.

A side is an expression of operators, evaluated on the backend. Beside every array that
it gives goes what exact arithmetic gives and how far a correct kernel may be from it,
carried through all the calls: so both sides may differ by the sum of their bounds, and
where that is zero by nothing.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from types import CodeType
from typing import Any

import numpy as np

from opslib.analysis.bound import Arithmetic, Judgement
from opslib.analysis.bound_pairs import Pair, Pairs, Value
from opslib.dispatch import call, routing
from opslib.dispatch.handle import Handle
from opslib.dispatch.judging import (
    analysis_arithmetic,
    in_caller_axes,
    in_program_axes,
)
from opslib.dispatch.plan import program_for
from opslib.errors import ArgumentError, BackendUnavailable
from opslib.ir.dtypes import DTYPES, FLOAT64, DType
from opslib.ir.evaluate import evaluate_with
from opslib.language.library import load_library
from opslib.runtime import registry
from opslib.testing import levels
from opslib.testing.inputs import flatten, generator
from opslib.testing.relations import agree

Array = np.ndarray[Any, np.dtype[Any]]
FLOATS = ("float32", "float64", "bfloat16", "float16")
_SIZES = (2, 3, 5, 8, 9, 17, 33)
_INPUT = re.compile(r"(\w+): ([+#]?)(\w+)\[([\w, ]*)\](?:<(\w+))?")


@dataclass(frozen=True, slots=True)
class Row:
    """One relation.

    Attributes:
        of: the operator with whose cases it is run.
        on: the inputs, such as ``x: T[b, n]``: small letters are drawn sizes, ``T`` is
            the case's dtype, ``+T`` has positive elements, ``#T`` small whole ones,
            ``int32[n]<m`` indices below m, ``angle[n]`` float64 angles.
        left, right: expressions; see `_Side`.
        dtypes: of ``T``.
    """

    of: str
    on: str
    left: str
    right: str
    exact: bool = False
    dtypes: tuple[str, ...] = FLOATS


@functools.cache
def rows() -> tuple[Row, ...]:
    """The table."""
    text = (files("opslib.testing") / "pairs.toml").read_text("utf-8")
    found = []
    for entry in tomllib.loads(text)["rows"]:
        left, _, right = entry.pop("holds").partition(" == ")
        given = entry.pop("dtypes", FLOATS)
        found.append(Row(**entry, left=left, right=right, dtypes=tuple(given)))
    return tuple(found)


def rows_of(operator: str, dtype: str) -> list[int]:
    """Positions in the table of what runs with an operator's cases in a dtype."""
    return [k for k, r in enumerate(rows()) if r.of == operator and dtype in r.dtypes]


# --- Arrays with what is known of them ---------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Tracked:
    """What a backend gave, what is right, and by how much it may be off."""

    got: Array
    value: Array
    bound: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """Of all three."""
        return tuple(self.got.shape)

    def moved(self, change: Callable[[Array], Array]) -> Tracked:
        """The same change made to all three."""
        return Tracked(change(self.got), change(self.value), change(self.bound))

    def __getitem__(self, key: Any) -> Tracked:
        return self.moved(lambda a: np.asarray(a[key]))

    def transpose(self, *axes: int) -> Tracked:
        """As of an array."""
        return self.moved(lambda a: a.transpose(*axes))

    def reshape(self, *shape: int) -> Tracked:
        """As of an array."""
        return self.moved(lambda a: a.reshape(*shape))

    def __add__(self, other: Tracked) -> Tracked:
        # In more precision than the arrays have: nothing is rounded.
        got = levels.wide(self.got) + levels.wide(other.got)
        return Tracked(got, self.value + other.value, self.bound + other.bound)


def tracked(array: Any) -> Tracked:
    """An array as it is: nothing is uncertain."""
    if isinstance(array, Tracked):
        return array
    array = np.asarray(array)
    whole = array.dtype.kind in "biu"
    value = array if whole else levels.wide(array)
    return Tracked(array, value, np.zeros(array.shape))


def stored(value: Array, dtype: DType) -> Tracked:
    """Real numbers, as they can be stored."""
    got = value.astype(dtype.numpy)
    return Tracked(got, value, np.abs(levels.wide(got) - value).astype(np.float64))


def join(*parts: Any, axis: int = 0) -> Tracked:
    """One after the other."""
    all_parts = [tracked(p) for p in parts]
    return Tracked(
        np.concatenate([p.got for p in all_parts], axis),
        np.concatenate([p.value for p in all_parts], axis),
        np.concatenate([p.bound for p in all_parts], axis),
    )


class _Uncertain(Pairs):
    """The bounds' algebra on inputs that are themselves uncertain."""

    def __init__(
        self, arithmetic: Arithmetic, wide: np.dtype[Any], errors: Mapping[int, Array]
    ) -> None:
        super().__init__(arithmetic, wide)
        self.errors = errors

    def load(self, array: Array, dtype: DType) -> Value:
        pair = super().load(array, dtype)
        error = self.errors.get(id(array))
        if error is None:
            return pair
        assert isinstance(pair, Pair)
        return Pair(pair.value, pair.bound + error)


# --- Operators on them -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Operators:
    """Calls of operators on a backend.

    `dry`: launches raise, because their kernels are only being noted; zeros go on.
    """

    backend: str
    dry: bool = False

    def __call__(self, name: str, *tensors: Any, **attributes: Any) -> Any:
        handle = _handle(name)
        given = tuple(_mapped(t, lambda x: tracked(x).got) for t in tensors)
        given += (None,) * (len(handle.operator.tensors) - len(given))
        request = handle.request(given, attributes)
        binding = call.bound(request)
        try:
            made = handle.call(given, attributes, None, self.backend)
        except Exception:
            # While kernels are gathered nothing runs: any failure will be met again.
            if not self.dry:
                raise
            made = tuple(np.zeros(t.shape, t.dtype.numpy) for t in binding.outputs)
        results = [np.array(r) for r in (made if isinstance(made, tuple) else (made,))]
        if self.dry:
            found = [tracked(r) for r in results]
        else:
            program = program_for(handle.operator, binding.statics, handle.library)
            flat = [tracked(a) for a in flatten(tensors)]
            inputs: dict[str, Array] = {}
            errors: dict[int, Array] = {}
            for t, a in zip(binding.inputs, flat, strict=True):
                seen = np.array(in_program_axes(a.value, t.view))
                inputs[t.name] = seen
                errors[id(seen)] = np.asarray(in_program_axes(a.bound, t.view))
            used = (*program.inputs, *program.outputs, *program.locals)
            double = any(t.dtype == FLOAT64 for t in used)
            wide = np.dtype(np.longdouble if double else np.float64)
            backend, device = registry.device(self.backend)
            arithmetic = analysis_arithmetic(backend, device, {t.dtype for t in used})
            algebra = _Uncertain(arithmetic, wide, errors)
            known = evaluate_with(
                algebra, program, inputs, binding.sizes, binding.scalars
            )
            found = []
            for o, r in zip(binding.outputs, results, strict=True):
                pair = known[o.name]
                assert isinstance(pair, Pair)
                bound = np.broadcast_to(pair.bound, pair.value.shape)
                found.append(
                    Tracked(
                        r,
                        in_caller_axes(pair.value, o.view, o.shape),
                        in_caller_axes(bound, o.view, o.shape),
                    )
                )
        return found[0] if len(found) == 1 else tuple(found)


def _mapped(tensor: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(tensor, tuple):
        return tuple(map(change, tensor))
    return None if tensor is None else change(tensor)


@functools.cache
def _handle(name: str) -> Handle:
    return Handle(name)


# --- Judging -----------------------------------------------------------------------


def judge_row(backend: str, k: int, dtype: str, seed: int) -> tuple[str, Any, str]:
    """Holds a backend to a row: the status, the measure, and a message."""
    row = rows()[k]
    try:
        with np.errstate(all="ignore"), routing.trust():
            left, right = sides(row, dtype, seed, Operators(backend))
    except BackendUnavailable as error:
        return "unsupported", None, error.message
    text = f"{row.left} == {row.right}"
    bound = left.bound + right.bound
    exact = row.exact or not bound.any()
    got, want = left.got, right.got
    if got.dtype == want.dtype:
        measure = agree(text, got, want, None if exact else bound, exact)
    else:  # a side was added up, in more precision
        got, want = got.astype(np.longdouble), want.astype(np.longdouble)
        measure = agree(text, got, want, 0 * bound if exact else bound, False)
    if not measure.holds:
        at = f" at {list(measure.place)}" if measure.place else ""
        inputs = ", ".join(f"{n} {list(a.shape)}" for n, a in drawn(row, dtype, seed))
        message = f"M{at}: got {measure.got}, expected {measure.want}; {inputs}"
        return "fail", measure, message
    judgement = Judgement(left.value, bound, None, None)
    vacuous = not exact and levels.is_vacuous(judgement)
    return "vacuous" if vacuous else "pass", measure, ""


def sides(
    row: Row, dtype: str, seed: int, operators: Operators
) -> tuple[Tracked, Tracked]:
    """Both sides of a row on a backend."""
    names: dict[str, Any] = {
        name: functools.partial(operators, name) for name in load_library()
    }
    kind = DTYPES[dtype]
    names |= {
        "join": join,
        "range": range,
        "T": dtype,
        "int32": lambda values: np.array(values, np.int32),
        "cosine": lambda a: stored(np.cos(a.astype(np.longdouble)), kind),
        "sine": lambda a: stored(np.sin(a.astype(np.longdouble)), kind),
        "__builtins__": {},
    }
    names |= dict(drawn(row, dtype, seed))
    left, right = (
        tracked(eval(_code(text), dict(names))) for text in (row.left, row.right)
    )
    return left, right


@functools.cache
def _code(text: str) -> CodeType:
    return compile(text, "opslib/testing/pairs.toml", "eval")


def drawn(row: Row, dtype: str, seed: int) -> list[tuple[str, Array]]:
    """The inputs of a row by name."""
    rng = generator(row.of, row.left, dtype, seed)
    sizes: dict[str, int] = {}

    def size(text: str) -> int:
        if text.isdigit():
            return int(text)
        if text not in sizes:
            sizes[text] = int(rng.choice(_SIZES))
        return sizes[text]

    found = []
    matches = list(_INPUT.finditer(row.on))
    if "; ".join(m[0] for m in matches) != row.on:
        raise ArgumentError(f"{row.on!r} is no list of inputs", code="E0704")
    for m in matches:
        name, sign, kind, shape, limit = m.groups()
        extents = [size(t.strip()) for t in shape.split(",") if t.strip()]
        if kind == "angle":
            # Multiples of 2^-20: two of them add up without rounding.
            steps = rng.integers(-(1 << 22), 1 << 22, extents)
            found.append((name, steps * 2.0**-20))
            continue
        element = DTYPES[dtype if kind == "T" else kind]
        top = size(limit) if limit else None
        found.append((name, _elements(rng, extents, element, sign, top)))
    return found


def _elements(
    rng: np.random.Generator,
    shape: Sequence[int],
    dtype: DType,
    sign: str,
    limit: int | None,
) -> Array:
    if limit is not None:
        return rng.integers(0, limit, shape).astype(dtype.numpy)
    if sign == "#" or dtype.is_integer:
        low = 0 if dtype.kind == "uint" else -8
        return rng.integers(low, 9, shape).astype(dtype.numpy)
    if dtype.kind == "bool":
        return np.asarray(rng.random(shape) < 0.5)
    if sign == "+":
        return rng.uniform(0.25, 4.0, shape).astype(dtype.numpy)
    return rng.standard_normal(shape).astype(dtype.numpy)
