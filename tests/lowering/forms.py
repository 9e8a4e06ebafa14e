"""Small programs that between them go through every skeleton of this package."""

from __future__ import annotations

from opslib.ir.dtypes import BOOL, FLOAT32, INT64, DType
from opslib.ir.expr import (
    ONE,
    ZERO,
    Axis,
    Check,
    Const,
    Define,
    Expr,
    Fold,
    Index,
    Order,
    Prim,
    Program,
    Read,
    Scan,
    Select,
    Size,
    Tensor,
)
from opslib.ir.monoid import arg_of, maximum_of, sum_of

F = FLOAT32
M, N, S = Size("m"), Size("n"), Size("s")
ROW, J, K, L = Index("i"), Index("j"), Index("k"), Index("l")


def prim(op: str, *args: Expr) -> Prim:
    tests = ("lt", "le", "gt", "ge", "eq", "ne")
    return Prim(op, args, BOOL if op in tests else args[0].dtype)


def along(name: str, stop: Expr) -> Axis:
    return Axis(name, ZERO, stop)


def read(tensor: str, *indices: Expr, dtype: DType = F) -> Read:
    return Read(tensor, indices, dtype)


ROWS, COLUMNS = along("i", M), along("j", N)
GRID = (ROWS, COLUMNS)
X, Y, Z = Tensor("x", F, (M, N)), Tensor("y", F, (M, N)), Tensor("z", F, (M, N))


def define(name: str, value: Expr, axes: tuple[Axis, ...] = GRID, **more) -> Define:
    return Define(name, axes, tuple(a.index for a in axes), value, **more)


def program(name, inputs, outputs, *defines, local=(), checks=(), sizes=("m", "n")):
    return Program(name, inputs, outputs, tuple(local), (), sizes, defines, checks)


def add() -> Program:
    return program(
        "add",
        (X, Y),
        (Z,),
        define("z", prim("add", read("x", ROW, J), read("y", ROW, J))),
    )


def transpose() -> Program:
    given = Tensor("x", F, (N, M))
    return program("transpose", (given,), (Y,), define("y", read("x", J, ROW)))


def shifted() -> Program:
    """A read that exists only under a condition that differs between lanes."""
    before = prim("sub", J, ONE)
    value = Select(prim("ge", before, ZERO), read("x", ROW, before), Const(-1.0, F))
    return program("shifted", (X,), (Y,), define("y", value))


def softmax() -> Program:
    largest = Fold(maximum_of(F), (along("k", N),), (read("x", ROW, K),))
    total = Fold(sum_of(F), (along("l", N),), (read("e", ROW, L),))
    return program(
        "softmax",
        (X,),
        (Y,),
        define("e", prim("exp", prim("sub", read("x", ROW, J), largest))),
        define("y", prim("div", read("e", ROW, J), total)),
        local=(Tensor("e", F, (M, N)),),
    )


def sum_rows() -> Program:
    value = Fold(sum_of(F), (COLUMNS,), (read("x", ROW, J),))
    return program(
        "sum_rows", (X,), (Tensor("y", F, (M,)),), define("y", value, (ROWS,))
    )


def sum_columns() -> Program:
    value = Fold(sum_of(F), (ROWS,), (read("x", ROW, J),))
    out = Tensor("y", F, (N,))
    return program("sum_columns", (X,), (out,), define("y", value, (COLUMNS,)))


def total() -> Program:
    value = Fold(sum_of(F), (COLUMNS,), (read("x", J),))
    given, out = Tensor("x", F, (N,)), Tensor("y", F, ())
    return program("total", (given,), (out,), define("y", value, ()), sizes=("n",))


def argmax() -> Program:
    value = Fold(arg_of(F, True), (COLUMNS,), (read("x", ROW, J), J))
    out = Tensor("y", INT64, (M,))
    return program("argmax", (X,), (out,), define("y", value, (ROWS,)))


def cumsum() -> Program:
    value = Scan(sum_of(F), along("k", N), (read("x", ROW, K),), J)
    return program("cumsum", (X,), (Y,), define("y", value))


def sort() -> Program:
    parts = [Order(along("k", N), read("x", ROW, K), J, True, k) for k in (0, 1)]
    places = Tensor("p", INT64, (M, N))
    defines = (define("y", parts[0]), define("p", parts[1]))
    return program("sort", (X,), (Y, places), *defines)


def recurrence() -> Program:
    before = prim("sub", J, ONE)
    last = Select(prim("ge", before, ZERO), read("y", ROW, before), Const(0.0, F))
    value = prim("add", prim("mul", last, Const(0.5, F)), read("x", ROW, J))
    return program("recurrence", (X,), (Y,), define("y", value, recurrent="j"))


def scatter() -> Program:
    """``y[ids[i], j] add= x[i, j]``, the indices checked."""
    at = read("ids", ROW, dtype=INT64)
    fits = Prim("and", (prim("ge", at, ZERO), prim("lt", at, S)), BOOL)
    check = Check((ROWS,), fits, "an index is out of bounds", "ids", at, S)
    out = Tensor("y", F, (S, N))
    return program(
        "scatter",
        (Tensor("ids", INT64, (M,)), X),
        (out,),
        define("y", Const(0.0, F), (along("i", S), COLUMNS)),
        Define("y", GRID, (at, J), read("x", ROW, J), sum_of(F)),
        checks=(check,),
        sizes=("m", "n", "s"),
    )


ALL = (
    add,
    transpose,
    shifted,
    softmax,
    sum_rows,
    sum_columns,
    total,
    argmax,
    cumsum,
    sort,
    recurrence,
    scatter,
)
