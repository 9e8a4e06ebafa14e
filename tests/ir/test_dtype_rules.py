"""The checker's typing and the expansion's: one set of rules, written twice."""

from __future__ import annotations

import itertools

import pytest

from opslib.errors import DTypeError
from opslib.ir.build import cast, integer, unify
from opslib.ir.dtypes import BOOL, DTYPES, FLOAT64, INT64
from opslib.ir.expr import TRUE, Const, Expr, Read
from opslib.language import dtype_rules as rules
from opslib.language.dtype_rules import Mixed, Value

WEAK: dict[str, tuple[Value, Expr]] = {
    "true": (rules.WEAK_BOOL, TRUE),
    "2": (rules.WEAK_INT, integer(2)),
    "0.5": (rules.WEAK_FLOAT, Const(0.5, FLOAT64)),
}


def operands() -> dict[str, tuple[Value, Expr]]:
    strong = {
        name: (rules.of_dtype(name), Read("x", (), dtype))
        for name, dtype in DTYPES.items()
    }
    return {**strong, **WEAK}


@pytest.mark.parametrize(
    ("left", "right"), list(itertools.product(operands(), repeat=2))
)
def test_both_say_the_same_of_two_operands(left: str, right: str) -> None:
    (a, x), (b, y) = operands()[left], operands()[right]
    try:
        expected = unify(x, y)[0].dtype
    except DTypeError:
        with pytest.raises(Mixed):
            rules.unified(a, b)
        return
    found = rules.unified(a, b)
    assert found.kind == expected.kind
    if not found.weak and expected.kind == "uint":
        assert found.wide == (expected.bits == 64)


def test_every_dtype_has_a_kind() -> None:
    for name, dtype in DTYPES.items():
        assert rules.of_dtype(name).kind == dtype.kind
    assert cast(TRUE, INT64).dtype == INT64
    assert BOOL.kind == "bool"
