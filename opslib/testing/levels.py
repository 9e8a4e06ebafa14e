"""The levels of docs/numerics.md, as functions of a reference, bounds and results.

Nothing here has a tolerance of its own: limits come from the spec (through
`opslib.analysis.bound`) and from what the backend's `arithmetic()` promises.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from opslib.analysis.bound import Arithmetic, Judgement, statistical_bound, usage
from opslib.ir.algebra import Wide
from opslib.ir.dtypes import DType, compute_type
from opslib.ir.evaluate import evaluate_with
from opslib.ir.expr import Program
from opslib.testing.values import limits

Array = np.ndarray[Any, np.dtype[Any]]

# The headline of a report is the first that was reached.
ORDER = ("L0", "probe", "one-hot", "L1", "L2", "L3", "L4", "M", "reach")
# A case whose bound exceeds the value on more than this part proves nothing.
VACUOUS = 0.1


@dataclass(frozen=True, slots=True)
class Measure:
    """One level at one output.

    worst: fraction of what is allowed that the worst element uses; above 1 is a miss.
    place: index of that element; got, want: its values.
    """

    level: str
    worst: float
    place: tuple[int, ...] = ()
    got: str = ""
    want: str = ""

    @property
    def holds(self) -> bool:
        """Whether the level is kept."""
        return self.worst <= 1


def worst(level: str, used: Array, got: Array, want: Array) -> Measure:
    """The measure of the element that uses most."""
    if used.size == 0:
        return Measure(level, 0.0)
    used = np.where(np.isnan(used), np.inf, used)
    flat = int(np.argmax(used))
    place = tuple(int(k) for k in np.unravel_index(flat, used.shape))
    return Measure(
        level, float(used[place]), place, _text(got[place]), _text(want[place])
    )


def _text(value: Any) -> str:
    if isinstance(value, np.bool_ | np.integer):
        return str(value)
    number = float(value)
    return f"{number!r}" if value.dtype.itemsize > 4 else f"{number:.9g}"


def wide(array: Array) -> Array:
    """The array in float64, or in long double where that holds no more than it had."""
    narrow = array.dtype.itemsize < 8
    return array.astype(np.float64 if narrow else np.longdouble)


# --- L0 ----------------------------------------------------------------------------


def bits_differ(got: Array, want: Array, zeros: bool = True) -> Array:
    """Where two arrays of one type are not the same bits; every nan is one value.

    zeros: tell -0 from 0.
    """
    if got.dtype != want.dtype or got.shape != want.shape:
        return np.ones(want.shape, np.bool_)
    if got.dtype.kind in "biu":
        return np.asarray(got != want)
    unsigned: Any = {2: np.uint16, 4: np.uint32, 8: np.uint64}.get(got.itemsize)
    if unsigned is None:
        # Long double, which a float64 operator's relations are checked in, has bytes
        # that mean nothing.
        same = (got == want) & (np.signbit(got) == np.signbit(want))
    else:
        # The copies are in row-major order, which a change of dtype needs.
        same = got.copy().view(unsigned) == want.copy().view(unsigned)
    with np.errstate(all="ignore"):
        same |= np.isnan(got) & np.isnan(want)
        if not zeros:
            same |= (got == 0) & (want == 0)
    return np.asarray(~same)


def exact(level: str, got: Array, wants: list[Array], zeros: bool = True) -> Measure:
    """Bit-equality with one of the allowed references, element by element."""
    wrong = bits_differ(got, wants[0], zeros)
    for other in wants[1:]:
        wrong &= bits_differ(got, other, zeros)
    if got.shape != wants[0].shape or got.dtype != wants[0].dtype:
        shown = f"{got.dtype}{list(got.shape)}"
        wanted = f"{wants[0].dtype}{list(wants[0].shape)}"
        return Measure(level, math.inf, (), shown, wanted)
    return worst(level, np.where(wrong, np.inf, 0.0), got, wants[0])


# --- The exact-integer probe -------------------------------------------------------


class Magnitude(Wide):
    """Largest absolute value that any order of evaluation can meet.

    Differences are taken as sums of absolute values, and so are their operands.
    """

    def __init__(self) -> None:
        super().__init__(np.dtype(np.float64))
        self.largest = 0.0

    def load(self, array: Array, dtype: DType) -> Array:
        value = super().load(array, dtype)
        return self._seen(np.abs(value)) if dtype.is_float else value

    def constant(self, number: bool | int | float, dtype: DType, ndim: int) -> Array:
        value = super().constant(number, dtype, ndim)
        if dtype.is_float and np.isfinite(value).all():
            return np.abs(value)
        return value

    def prim(self, op: str, args: tuple[Array, ...], dtype: DType) -> Array:
        if dtype.is_float:
            if op == "sub":
                op = "add"
            elif op == "neg":
                op = "abs"
            elif op in ("max", "min", "fmax", "fmin"):
                # Either may be taken; an identity is -inf.
                finite = [np.where(np.isfinite(a), np.abs(a), 0) for a in args]
                return self._seen(np.maximum(*finite))
        found = super().prim(op, args, dtype)
        if dtype.is_float and found.dtype != np.bool_:
            return self._seen(found)
        return found

    def select(self, condition: Array, yes: Array, no: Array) -> Array:
        if yes.dtype == self.wide:
            yes, no = (np.where(np.isfinite(a), np.abs(a), 0) for a in (yes, no))
            return np.asarray(np.maximum(yes, no) + 0 * condition)
        return super().select(condition, yes, no)

    def _seen(self, value: Array) -> Array:
        if value.size:
            with np.errstate(all="ignore"):
                top = np.abs(np.where(np.isfinite(value), value, np.inf)).max()
            self.largest = max(self.largest, float(top))
        return value


def magnitude(
    program: Program,
    inputs: Mapping[str, Array],
    sizes: Mapping[str, int],
    scalars: Mapping[str, int | float],
) -> float:
    """Largest intermediate of any order of evaluation; inf when it is not known."""
    watch = Magnitude()
    try:
        with np.errstate(all="ignore"):
            evaluate_with(watch, program, inputs, sizes, scalars)
    except (IndexError, ValueError, TypeError):
        return math.inf
    return watch.largest


def exact_limit(program: Program) -> float:
    """2^p of the narrowest type that values are computed in."""
    floats = [t.dtype for t in (*program.inputs, *program.outputs, *program.locals)]
    bits = [compute_type(d).mantissa for d in floats if d.is_float]
    return 2.0 ** min(bits, default=53)


# --- L1 ----------------------------------------------------------------------------


def ulps(got: Array, judgement: Judgement, dtype: DType, budget: float) -> Array:
    """Error as a fraction of a budget in units in the last place of the compute type.

    An output that is stored narrower may be off by half a unit of its own besides.
    """
    want = judgement.value
    compute = compute_type(dtype)
    shown = got.astype(np.float32) if got.dtype == ml_dtypes.bfloat16 else got
    with np.errstate(all="ignore"):
        error = np.abs(shown.astype(want.dtype) - want)
        allowed = budget * _spacing(want, compute)
        if dtype != compute:
            allowed = allowed + 0.5 * _spacing(want, dtype)
        used = np.where(error == 0, 0.0, error / allowed)
        # Overflow, underflow and what is no number are the rigorous bound's affair.
        tiny, largest = float(limits(dtype).tiny), float(limits(dtype).max)
        size = np.abs(want)
        normal = np.isfinite(shown) & (size > 2 * tiny) & (size <= largest)
        return np.asarray(np.where(normal, used, 0.0), np.float64)


def _spacing(value: Array, dtype: DType) -> Array:
    """The distance between neighbours of a type at a magnitude."""
    _, exponent = np.frexp(np.abs(value))
    return np.asarray(np.ldexp(1.0, exponent - dtype.mantissa), np.float64)


def ulp_budget(primitive: str, arithmetic: Arithmetic, dtype: DType) -> float:
    """What the backend says of a primitive, in ulp of the compute type of `dtype`.

    Half a unit where it says nothing; more where it computes in a narrower type.
    """
    compute = compute_type(dtype)
    wider = arithmetic.unit(compute) / compute.unit_roundoff if compute.is_float else 1
    return arithmetic.ulp.get(primitive, 0.5) * wider


# --- L2, L3 ------------------------------------------------------------------------


def rigorous(got: Array, judgement: Judgement) -> Measure:
    """L3: within the running error bound, and nan and inf where they must be."""
    used = usage(judgement, got)
    return worst("L3", used, got, judgement.value)


def statistical(
    got: Array, judgement: Judgement, dtype: DType, arithmetic: Arithmetic
) -> Measure | None:
    """L2: what random data may cost a linear fold; None where it is not one."""
    unit = arithmetic.sum_unit(compute_type(dtype))
    bound = statistical_bound(judgement, dtype, unit, arithmetic)
    if bound is None:
        return None
    return worst("L2", usage(judgement, got, bound), got, judgement.value)


def is_vacuous(judgement: Judgement) -> bool:
    """Whether the bound exceeds the value on too many elements to prove anything."""
    value = judgement.value
    if value.size == 0:
        return False
    with np.errstate(all="ignore"):
        size = np.abs(value.astype(np.float64))
        finite = np.isfinite(size)
        loose = (judgement.bound > size) & finite & (judgement.bound > 0)
        loose |= np.isinf(judgement.bound)
    return float(np.mean(loose)) > VACUOUS


# --- L4 ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Drift:
    """Signed differences of one case, in units in the last place of the output."""

    count: int
    total: float
    squares: float


def drift(got: Array, judgement: Judgement, dtype: DType) -> Drift:
    """Signed differences from the correctly rounded value, where that is normal.

    The value itself would not do: x - e^x is always just below x, so that even the
    correctly rounded log_sigmoid is off to one side.
    """
    want = judgement.value
    with np.errstate(all="ignore"):
        best = want.astype(dtype.numpy).astype(want.dtype)
        error = (got.astype(want.dtype) - best) / _spacing(want, dtype)
        tiny = float(limits(dtype).tiny)
        used = np.isfinite(error) & (np.abs(want) > 2 * tiny)
    chosen = np.asarray(error[used], np.float64)
    return Drift(chosen.size, float(chosen.sum()), float((chosen**2).sum()))


def bias(drifts: list[Drift], slack: float) -> tuple[Measure, float] | None:
    """L4 over many outputs, and the mean in ulp; None below 200 of them.

    slack: by how many units the primitives are allowed to be off besides rounding.
    """
    count = sum(d.count for d in drifts)
    if count < 200:
        return None
    mean = sum(d.total for d in drifts) / count
    variance = sum(d.squares for d in drifts) / count - mean**2
    limit = 4 * math.sqrt(max(variance, 0.0) / count) + slack
    worst = 0.0 if mean == 0 else math.inf if limit == 0 else abs(mean) / limit
    shown = f"mean error {mean:+.4f} ulp", f"+-{limit:.4f}"
    return Measure("L4", worst, (), *shown), mean
