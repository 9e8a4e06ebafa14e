"""How far a correct kernel may be from the truth: levels L2 and L3 of numerics.md.

`evaluate_bounds` evaluates the unlowered program on pairs (value, bound). The value is
what exact arithmetic gives (float64, or long double where the program computes in
float64); a kernel whose every operation keeps the promises of an `Arithmetic` stays
within the bound, in whatever order it sums.

Where a condition, key or index is itself computed, the bound is the hull of all
outcomes that are reachable: a Select in doubt may give either side, an argmax in doubt
any position between the rivals, a read at a doubtful position anything (inf). The hull
of positions is larger than the set of them; everything else is as tight as the rules.
Ranges of folds are taken as certain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from opslib.analysis.bound_pairs import Arithmetic, Pair, Pairs
from opslib.ir.dtypes import FLOAT64, DType
from opslib.ir.evaluate import evaluate, evaluate_with
from opslib.ir.expr import Cast, Const, Define, Expr, Fold, Prim, Program, walk
from opslib.ir.monoid import sum_of

__all__ = ["Arithmetic", "Judgement", "evaluate_bounds", "statistical_bound", "usage"]

Array = np.ndarray[Any, np.dtype[Any]]


class Judgement(NamedTuple):
    """What is known of an output.

    value: in float64 or long double; of integers and bools, exact.
    bound: L3, how far a correct kernel may be from it; inf where anything goes.
    spread: sqrt(sum t_k^2) over the terms of a single linear fold, else None.
    terms: how many terms there are, else None.
    """

    value: Array
    bound: Array
    spread: Array | None
    terms: Array | None


def evaluate_bounds(
    program: Program,
    inputs: Mapping[str, Array],
    sizes: Mapping[str, int],
    scalars: Mapping[str, int | float] | None = None,
    arithmetic: Arithmetic | None = None,
) -> dict[str, Judgement]:
    """The outputs with their bounds, by name."""
    arithmetic = Arithmetic() if arithmetic is None else arithmetic
    given = scalars or {}
    wide = np.dtype(np.longdouble if _uses_float64(program) else np.float64)
    pairs = evaluate_with(Pairs(arithmetic, wide), program, inputs, sizes, given)
    result = {}
    for tensor in program.outputs:
        pair = pairs[tensor.name]
        assert isinstance(pair, Pair)
        bound = pair.bound
        if arithmetic.narrow is not None and tensor.dtype.is_float:
            bound = np.where(np.isfinite(pair.value), bound, np.inf)
        spread, terms = _statistics(program, tensor.name, inputs, sizes, given)
        result[tensor.name] = Judgement(pair.value, bound, spread, terms)
    return result


def _uses_float64(program: Program) -> bool:
    # Attributes are float64 until they meet an array; only tensors tell.
    tensors = (*program.inputs, *program.outputs, *program.locals)
    return any(t.dtype == FLOAT64 for t in tensors)


def _statistics(
    program: Program,
    name: str,
    inputs: Mapping[str, Array],
    sizes: Mapping[str, int],
    scalars: Mapping[str, int | float],
) -> tuple[Array | None, Array | None]:
    """Root of the sum of squared terms, and their number, of a single linear fold."""
    defines = [d for d in program.defines if d.name == name]
    fold = _linear_fold(defines[0]) if len(defines) == 1 else None
    if fold is None:
        return None, None
    term = fold.args[0]
    found = []
    for arg in (Prim("mul", (term, term), term.dtype), Const(1.0, term.dtype)):
        value = Fold(sum_of(term.dtype), fold.axes, (arg,))
        changed = replace(defines[0], value=value)
        others = tuple(changed if d is defines[0] else d for d in program.defines)
        tensors = tuple(
            replace(t, dtype=term.dtype) if t.name == name else t
            for t in program.outputs
        )
        squared = replace(program, defines=others, outputs=tensors, checks=())
        wide = evaluate(squared, inputs, sizes, scalars, precision="wide")
        found.append(wide[name])
    return np.sqrt(found[0]), found[1]


def _linear_fold(define: Define) -> Fold | None:
    value: Expr = define.value
    while isinstance(value, Cast):
        value = value.value
    if not (define.is_plain and isinstance(value, Fold)):
        return None
    linear = value.monoid.name == "sum" and value.monoid.state[0].is_float
    nested = any(isinstance(n, Fold) for a in value.args for n in walk(a))
    return value if linear and not nested else None


def statistical_bound(
    judgement: Judgement, dtype: DType, unit: float, arithmetic: Arithmetic
) -> Array | None:
    """L2: what random data may cost a single linear fold; None where it is none.

    Args:
        judgement: of the output.
        dtype: of the output as stored.
        unit: u of the accumulator.
        arithmetic: says what underflow costs.
    """
    if judgement.spread is None or judgement.terms is None:
        return None
    size = np.abs(judgement.value)
    error = 8 * np.sqrt(judgement.terms) * unit * (judgement.spread + size)
    return np.asarray(error + dtype.unit_roundoff * size + arithmetic.tiny(dtype))


def usage(judgement: Judgement, got: Array, bound: Array | None = None) -> Array:
    """Which fraction of the bound (L3 unless given) each element uses; inf: wrong.

    A nan or inf that is certain must be there exactly; where the bound is inf, any
    value passes.
    """
    limit = judgement.bound if bound is None else bound
    if got.dtype == ml_dtypes.bfloat16:
        got = got.astype(np.float32)
    with np.errstate(all="ignore"):
        want = judgement.value
        if want.dtype == np.bool_:
            wrong = np.where(want != got, np.inf, 0.0)
            return np.where(limit > 0, 0.0, wrong)
        error = np.abs(got.astype(want.dtype) - want)
        used = np.where(error == 0, 0.0, error / limit)
        same = (got == want) | (np.isnan(got) & np.isnan(want))
        used = np.where(same, 0.0, used)
        broken = ~same & ~(np.isfinite(got) & np.isfinite(want))
        used = np.where(broken, np.inf, used)
        return np.asarray(np.where(np.isinf(limit), 0.0, used), np.float64)
