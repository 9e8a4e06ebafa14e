"""`Monoid`: a reduction as a value. Lowering knows one reduction, not a list of ops.

A monoid has a state of one or more typed components. Its templates are expressions
over `Var` placeholders: ``x0 x1 ...`` the folded arguments, ``a0 a1 ...`` the state so
far (earlier elements), ``b0 b1 ...`` the state joined to it (later elements), and
``s0 s1 ...`` the state that is finished. For `argmax`-like monoids the position of an
element is itself an argument.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from opslib.ir.dtypes import BOOL, INT64, DType
from opslib.ir.expr import Cast, Const, Expr, Prim, Select, Var


@dataclass(frozen=True, slots=True)
class Monoid:
    """See the module's docstring. `exact` says that any order gives the same bits.

    Attributes:
        name: its print, unique with the state's dtypes.
        state: the components' types.
        identity: constants, one for each component.
        lift: argument(s) to state, over ``x0..``.
        combine: two states to one, over ``a0..`` and ``b0..``.
        finish: state to the value(s), over ``s0..``.
        idempotent: combine(a, a) == a, so overlapping blocks are allowed.
    """

    name: str
    state: tuple[DType, ...]
    identity: tuple[Const, ...]
    lift: tuple[Expr, ...]
    combine: tuple[Expr, ...]
    finish: tuple[Expr, ...]
    exact: bool = False
    idempotent: bool = False


def lowest(dtype: DType) -> bool | int | float:
    """The identity of max: -inf, the smallest integer, or False."""
    if dtype.is_float:
        return -math.inf
    if dtype.kind == "bool":
        return False
    return -(1 << (dtype.bits - 1)) if dtype.kind == "int" else 0


def highest(dtype: DType) -> bool | int | float:
    """The identity of min: inf, the largest integer, or True."""
    if dtype.is_float:
        return math.inf
    if dtype.kind == "bool":
        return True
    return (1 << (dtype.bits - (dtype.kind == "int"))) - 1


def simple(name: str, op: str, identity: bool | int | float, dtype: DType) -> Monoid:
    """A monoid whose state is one value, joined by the primitive `op`."""
    a, b = Var("a0", dtype), Var("b0", dtype)
    return Monoid(
        name,
        (dtype,),
        (Const(identity, dtype),),
        (Var("x0", dtype),),
        (Prim(op, (a, b), dtype),),
        (Var("s0", dtype),),
        exact=not dtype.is_float or op in ("max", "min"),
        idempotent=op in ("max", "min", "and", "or"),
    )


def sum_of(dtype: DType) -> Monoid:
    """Addition; integers wrap."""
    return simple("sum", "add", 0.0 if dtype.is_float else 0, dtype)


def product_of(dtype: DType) -> Monoid:
    """Multiplication; integers wrap."""
    return simple("prod", "mul", 1.0 if dtype.is_float else 1, dtype)


def maximum_of(dtype: DType) -> Monoid:
    """The largest; a nan wins."""
    return simple("max", "max", lowest(dtype), dtype)


def minimum_of(dtype: DType) -> Monoid:
    """The smallest; a nan wins."""
    return simple("min", "min", highest(dtype), dtype)


def last_of(dtype: DType) -> Monoid:
    """The last one written: what a scatter without arithmetic does, in order.

    Not commutative, so it is never split; the identity is never seen, since a
    scatter always has an initial value.
    """
    zero: bool | int | float = 0.0 if dtype.is_float else 0
    return Monoid(
        "last",
        (dtype,),
        (Const(False if dtype.kind == "bool" else zero, dtype),),
        (Var("x0", dtype),),
        (Var("b0", dtype),),
        (Var("s0", dtype),),
        exact=True,
        idempotent=True,
    )


ANY = simple("any", "or", False, BOOL)
ALL = simple("all", "and", True, BOOL)


def arg_of(dtype: DType, largest: bool) -> Monoid:
    """Argmax / argmin over arguments (value, position): the first of equals wins.

    A nan beats every number, the first nan beats later ones (NumPy, PyTorch). The
    identity's position -1 marks "nothing yet" and loses to anything.
    """
    av, ap = Var("a0", dtype), Var("a1", INT64)
    bv, bp = Var("b0", dtype), Var("b1", INT64)
    better = Prim("gt" if largest else "lt", (bv, av), BOOL)
    if dtype.is_float:
        b_nan, a_number = Prim("ne", (bv, bv), BOOL), Prim("eq", (av, av), BOOL)
        better = Prim(
            "and",
            (Prim("or", (better, b_nan), BOOL), a_number),
            BOOL,
        )
    # Equal values (and both nan) keep the earlier position, so that blocks may be
    # joined in any order.
    same = Prim("eq", (av, bv), BOOL)
    if dtype.is_float:
        both = Prim("and", (Prim("ne", (av, av), BOOL), b_nan), BOOL)
        same = Prim("or", (same, both), BOOL)
    earlier = Prim("and", (same, Prim("lt", (bp, ap), BOOL)), BOOL)
    better = Prim("or", (better, earlier), BOOL)
    a_empty = Prim("lt", (ap, Const(0, INT64)), BOOL)
    b_full = Prim("ge", (bp, Const(0, INT64)), BOOL)
    take = Prim("and", (b_full, Prim("or", (a_empty, better), BOOL)), BOOL)
    start = lowest(dtype) if largest else highest(dtype)
    return Monoid(
        "argmax" if largest else "argmin",
        (dtype, INT64),
        (Const(start, dtype), Const(-1, INT64)),
        (Var("x0", dtype), Var("x1", INT64)),
        (Select(take, bv, av), Select(take, bp, ap)),
        (Var("s1", INT64), Var("s0", dtype)),
        exact=True,
        idempotent=True,
    )


def count_of() -> Monoid:
    """How many of the (bool) arguments are true: int64."""
    a, b = Var("a0", INT64), Var("b0", INT64)
    return Monoid(
        "count",
        (INT64,),
        (Const(0, INT64),),
        (Cast(Var("x0", BOOL), INT64),),
        (Prim("add", (a, b), INT64),),
        (Var("s0", INT64),),
        exact=True,
    )
