"""The parts of the derivation: normal forms, scopes, equations, pivots."""

from __future__ import annotations

import pytest

import opslib
from opslib.analysis.gradient.integers import is_certain, tidy
from opslib.analysis.gradient.pivots import pivots
from opslib.analysis.gradient.prepare import namer, prepared
from opslib.analysis.gradient.products import Products
from opslib.analysis.gradient.scopes import free, replaced
from opslib.analysis.gradient.transpose import Equations
from opslib.dispatch.inspection import sample_program
from opslib.ir.build import arithmetic, compare, integer
from opslib.ir.dtypes import FLOAT32
from opslib.ir.expr import ZERO, Axis, Const, Expr, Fold, Index, Prim, Read, Size
from opslib.ir.monoid import sum_of
from opslib.ir.printer import expression

N = Size("n")
AT_I, AT_J = Index("i"), Index("j")


def read(name: str, *indices: Expr) -> Read:
    return Read(name, indices, FLOAT32)


def mul(x: Expr, y: Expr) -> Expr:
    return Prim("mul", (x, y), FLOAT32)


def test_equal_terms_are_added_and_shared_factors_taken_out() -> None:
    products = Products(frozenset())
    x, r = read("x", AT_I), read("r")
    assert expression(products.plus(mul(x, r), mul(r, x))) == "2.0:float32 * x[i] * r[]"
    found = products.plus(mul(x, r), mul(r, mul(r, r)))
    assert expression(found) == "r[] * (x[i] + r[] * r[])"
    nothing = products.plus(x, products.minus(x))
    assert nothing is Const(0.0, FLOAT32)


def test_what_does_not_depend_on_an_axis_leaves_its_sum() -> None:
    products = Products(frozenset())
    axis = Axis("j", ZERO, N)
    found = products.folded([axis], mul(read("x", AT_I), read("y", AT_J)))
    assert expression(found) == "x[i] * sum<float32>[j in 0:int64..n](y[j])"
    found = products.folded([axis], read("x", AT_I))
    assert expression(found) == "x[i] * float32(n)"


def test_what_a_fold_binds_is_not_replaced() -> None:
    total = Fold(sum_of(FLOAT32), (Axis("j", ZERO, N),), (read("y", AT_J),))
    ratio = Prim("div", (read("y", AT_J), total), FLOAT32)
    assert free(ratio) == {"j"}
    found = replaced(ratio, {AT_J: AT_I}, namer())
    assert expression(found) == "y[i] / sum<float32>[j in 0:int64..n](y[j])"


def test_a_binder_does_not_catch_what_is_put_in() -> None:
    total = Fold(
        sum_of(FLOAT32), (Axis("j", ZERO, N),), (mul(read("y", AT_J), read("x", AT_I)),)
    )
    found = replaced(total, {AT_I: AT_J}, namer())
    assert free(found) == {"j"}
    assert expression(found) == "sum<float32>[j@1 in 0:int64..n](y[j@1] * x[j])"


def test_indices_have_one_form() -> None:
    there = arithmetic("sub", arithmetic("sub", N, integer(1)), AT_I)
    back = arithmetic("sub", arithmetic("sub", N, integer(1)), there)
    assert tidy(back) is AT_I


def test_comparisons_are_proven_from_ranges() -> None:
    extents: dict[str, Expr] = {"i": N}
    assert is_certain(compare("ge", AT_I, ZERO), extents)
    assert is_certain(compare("lt", AT_I, N), extents)
    after = arithmetic("add", AT_I, integer(1))
    assert is_certain(compare("ne", after, ZERO), extents)
    assert not is_certain(compare("lt", after, N), extents)


def solved(index: Expr, *axes: Axis) -> tuple[dict[str, str], list[str], set[str]]:
    """What ``p == index`` says: solutions, conditions, and what is left to sum."""
    p = Axis("p", ZERO, Size("m"))
    made = Equations(
        namer(),
        lambda axes, along, value: "t",
        [(p.index, tidy(index))],
        {a.name: a for a in axes},
        (p,),
    )
    assert made.solve()
    known = {expression(k): expression(v) for k, v in made.solved.items()}
    return known, [expression(c) for c in made.conditions], set(made.unknown)


I_RANGE = Axis("i", ZERO, N)


def test_a_shift_is_solved() -> None:
    known, conditions, left = solved(arithmetic("add", AT_I, integer(2)), I_RANGE)
    assert known == {"i": "p - 2:int64"}
    assert "p - 2:int64 < n" in conditions
    assert not left


def test_a_window_is_solved_for_its_place() -> None:
    stride, window = Size("s"), Axis("j", ZERO, Size("k"))
    index = arithmetic("add", arithmetic("mul", AT_I, stride), AT_J)
    known, conditions, left = solved(index, I_RANGE, window)
    assert known == {"i": "(p - j) // s"}
    assert "(p - j) % s == 0:int64" in conditions
    assert left == {"j"}


def test_digits_are_solved_apart() -> None:
    digit = Axis("j", ZERO, Size("k"))
    index = arithmetic("add", arithmetic("mul", AT_I, Size("k")), AT_J)
    known, _, left = solved(index, I_RANGE, digit)
    assert known == {"j": "p % k", "i": "p // k"}
    assert not left


def test_a_repetition_is_summed() -> None:
    known, _, left = solved(arithmetic("floordiv", AT_I, integer(3)), I_RANGE)
    assert len(left) == 1
    (extra,) = left
    assert known["i"] in (f"{extra} + 3:int64 * p", f"3:int64 * p + {extra}")


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("softmax", 1),
        ("log_softmax", 1),
        ("logsumexp", 1),
        ("scaled_dot_product_attention", 1),
        ("max", 0),
        ("relu", 0),
        ("l2_normalize", 0),
        ("max_pool1d", 0),
    ],
)
def test_which_maxima_are_pivots(name: str, count: int) -> None:
    program = sample_program(getattr(opslib, name).handle, "float32")
    assert len(pivots(prepared(program, namer()))) == count
