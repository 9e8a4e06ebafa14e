"""Construction: promotion, weak numbers, folding, identities floats have not."""

from __future__ import annotations

import math

import pytest

from opslib.errors import DTypeError
from opslib.ir.build import (
    arithmetic,
    both,
    cast,
    compare,
    either,
    function,
    integer,
    is_weak,
    negation,
    power,
    product,
    select,
    unify,
)
from opslib.ir.dtypes import (
    BFLOAT16,
    BOOL,
    FLOAT16,
    FLOAT32,
    FLOAT64,
    INT8,
    INT64,
    UINT8,
    DType,
)
from opslib.ir.expr import FALSE, TRUE, ZERO, Const, Expr, Index, Prim, Read, Size


def read(dtype: DType, name: str = "x") -> Expr:
    return Read(name, (), dtype)


F, D, I8, B = read(FLOAT32), read(FLOAT64, "d"), read(INT8, "k"), read(BOOL, "b")
HALF = Const(0.5, FLOAT64)


@pytest.mark.parametrize(
    ("nodes", "want"),
    [
        ((F, D), FLOAT64),
        ((F, HALF), FLOAT32),
        ((F, integer(2)), FLOAT32),
        ((F, Size("n")), FLOAT32),
        ((I8, integer(2)), INT8),
        ((I8, Size("n")), INT64),
        ((I8, Index("i")), INT64),
        ((read(FLOAT16), read(BFLOAT16)), FLOAT32),
        ((read(FLOAT16), HALF), FLOAT32),
        ((F, I8), FLOAT32),
        ((I8, read(UINT8)), DType("int16", "int", 16)),
        ((integer(1), HALF), FLOAT64),
        ((TRUE, integer(1)), INT64),
        ((B, integer(1)), INT64),
        ((B, TRUE), BOOL),
    ],
)
def test_one_common_type(nodes: tuple[Expr, ...], want: DType) -> None:
    assert [n.dtype for n in unify(*nodes)] == [want] * len(nodes)


def test_a_fraction_beside_an_integer_array() -> None:
    with pytest.raises(DTypeError, match="without a cast"):
        arithmetic("mul", I8, HALF)
    with pytest.raises(DTypeError, match="no true division"):
        arithmetic("div", I8, integer(2))


def test_what_is_weak() -> None:
    assert is_weak(arithmetic("add", Size("n"), HALF))
    assert not is_weak(arithmetic("add", Size("n"), F))
    assert not is_weak(cast(integer(1), FLOAT32)) or Const(1.0, FLOAT32)


def test_integers_are_folded_and_floats_are_not_rounded() -> None:
    assert arithmetic("add", integer(2), integer(3)) == integer(5)
    assert arithmetic("floordiv", integer(-7), integer(2)) == integer(-4)
    assert arithmetic("mod", integer(-7), integer(4)) == integer(1)
    assert isinstance(arithmetic("floordiv", integer(1), integer(0)), Prim)
    large = integer(2**62)
    assert isinstance(arithmetic("mul", large, integer(4)), Prim)  # It wraps.
    with_array = arithmetic("add", F, Const(0.1, FLOAT64))
    assert with_array == Prim("add", (F, Const(0.1, FLOAT32)), FLOAT32)


def test_identities() -> None:
    n = Size("n")
    assert arithmetic("add", n, ZERO) is n
    assert arithmetic("sub", n, n) is ZERO
    assert arithmetic("mul", n, integer(1)) is n
    assert isinstance(arithmetic("add", F, Const(0.0, FLOAT32)), Prim)  # -0 + 0 is 0.
    assert isinstance(
        arithmetic("mul", F, Const(0.0, FLOAT32)), Prim
    )  # inf * 0 is nan.
    assert isinstance(arithmetic("sub", F, F), Prim)
    assert product([]) == integer(1)


def test_comparisons_of_floats_keep_their_nan() -> None:
    assert compare("eq", Size("n"), Size("n")) is TRUE
    assert isinstance(compare("eq", F, F), Prim)
    less = compare("lt", F, D)
    assert negation(less) == Prim("not", (less,), BOOL)
    assert negation(compare("lt", Index("i"), Size("n"))) == compare(
        "ge", Index("i"), Size("n")
    )
    assert compare("lt", Const(math.nan, FLOAT64), HALF) is FALSE


def test_logic() -> None:
    assert both(TRUE, B) is B
    assert both(FALSE, B) is FALSE
    assert either(FALSE, B) is B
    assert either(TRUE, B) is TRUE
    assert negation(negation(B)) is B
    assert select(TRUE, F, D).dtype == FLOAT64
    assert select(B, F, F) is F


def test_powers() -> None:
    assert power(F, integer(1)) is F
    assert power(F, integer(2)) == arithmetic("mul", F, F)
    assert power(F, HALF) == Prim("sqrt", (F,), FLOAT32)
    assert power(F, integer(5)).dtype == FLOAT32


def test_functions_and_their_classes() -> None:
    assert function("sqrt", integer(2)).dtype == FLOAT64
    assert function("isnan", I8) is FALSE
    assert function("floor", I8) is I8
    with pytest.raises(DTypeError, match="it takes floats"):
        function("exp", I8)
    with pytest.raises(DTypeError, match="it takes integers"):
        function("bitand", F, F)
