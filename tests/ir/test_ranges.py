"""`within` may be too careful, and is never wrong."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.ir.build import arithmetic, integer
from opslib.ir.expr import Const, Expr, Index, Prim, Size
from opslib.ir.ranges import increases, within

SIZES = ("m", "n")
INDICES = ("i", "j")

leaves = st.sampled_from(
    [Size("m"), Size("n"), Index("i"), Index("j"), *map(integer, (-2, -1, 0, 1, 2, 3))]
)
expressions = st.recursive(
    leaves,
    lambda inner: st.builds(
        arithmetic,
        st.sampled_from(["add", "sub", "mul", "floordiv", "mod"]),
        inner,
        inner,
    ),
    max_leaves=6,
)
extents = st.sampled_from(
    [
        Size("m"),
        Size("n"),
        integer(3),
        arithmetic("add", Size("m"), Size("n")),
        arithmetic("sub", Size("n"), integer(1)),
        arithmetic("mul", Size("m"), Size("n")),
    ]
)


def value(node: Expr, known: dict[str, int]) -> int:
    if isinstance(node, Const):
        return int(node.value)
    if isinstance(node, Size | Index):
        return known[node.name]
    assert isinstance(node, Prim)
    x, y = (value(a, known) for a in node.args)
    match node.op:
        case "add":
            return x + y
        case "sub":
            return x - y
        case "mul":
            return x * y
        case "floordiv":
            return x // y if y else 0
    return x % y if y else 0


@settings(max_examples=600, deadline=None)
@given(expressions, extents, extents, extents)
def test_no_bound_is_false(
    index: Expr, extent: Expr, first: Expr, second: Expr
) -> None:
    ranges = dict(zip(INDICES, (first, second), strict=True))
    if not within(index, extent, ranges):
        return
    for m, n in itertools.product(range(5), repeat=2):
        sizes = {"m": m, "n": n}
        spans = [range(value(ranges[k], sizes)) for k in INDICES]
        for i, j in itertools.product(*spans):
            known = {**sizes, "i": i, "j": j}
            assert 0 <= value(index, known) < value(extent, known), (m, n, i, j)


@settings(max_examples=200, deadline=None)
@given(expressions)
def test_what_increases_does(node: Expr) -> None:
    if not increases(node, "i"):
        return
    for m, n, j in itertools.product(range(3), repeat=3):
        found = [value(node, {"m": m, "n": n, "j": j, "i": i}) for i in range(4)]
        assert found == sorted(found)


def test_what_is_proven() -> None:
    m, n, i, j = Size("m"), Size("n"), Index("i"), Index("j")
    ranges: dict[str, Expr] = {"i": m, "j": n}
    flat = arithmetic("add", arithmetic("mul", i, n), j)
    assert within(i, m, ranges)
    assert within(flat, arithmetic("mul", m, n), ranges)
    last = arithmetic("sub", arithmetic("sub", m, integer(1)), i)
    assert within(last, m, ranges)
    assert not within(arithmetic("add", i, integer(1)), m, ranges)
    assert not within(i, n, ranges)
    assert not within(Index("k"), m, ranges)
