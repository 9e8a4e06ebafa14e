"""Expressions of signatures in Python, and attributes made canonical."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from opslib.ir.attributes import AttributeProblem, normalise
from opslib.ir.dtypes import BFLOAT16, FLOAT32
from opslib.ir.statics import NotStatic, StaticScope, evaluate, evaluate_pack
from opslib.language import syntax
from opslib.language.library import parse_operator_text


def expression(text: str) -> Any:
    """`text` as the condition of a spec's `requires`."""
    made = parse_operator_text(
        f"op f(x: T[...s, n], z: T[m]?, *, k: int = 1, w: float = 2.0, mode: "
        f'"a" | "b" = "a", q: int[...s] = 1, axis: axes[s] = none) -> y: T[...s, n]\n'
        f'    y[...i, j] = x[...i, j]\n    requires {text} == 0 : "no"\n',
        {},
    )
    condition = made.clauses.requires[0].condition
    assert isinstance(condition, syntax.Binary)
    return condition.left


SCOPE = StaticScope(
    values={"n": 7, "k": 3, "w": 2.5, "mode": "b", "q": (1, 2), "axis": (1,)},
    packs={"s": [4, 5], None: [2]},
    dtypes={"T": FLOAT32},
    present={"z": False},
    instances={},
    counts={},
)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("(n + 2 * k)", 13),
        ("(-n // 2)", -4),
        ("(n % 4)", 3),
        ("(2^3^2)", 512),
        ("(n << 1 | 1)", 15),
        ("(n >> 1 & 1)", 1),
        ("(1 / n)", 1 / 7),
        ("(1 if z is none else 2)", 1),
        ('(1 if mode == "b" else n // 0)', 1),
        ("(1 if T is float else 2)", 1),
        ("(1 if T is not float else 2)", 2),
        ("rank(s)", 2),
        ("prod(s)", 20),
        ("at(s, axis)", 5),
        ("max(n, k, 9)", 9),
        ("floor(w)", 2),
        ("sqrt(w)", math.sqrt(2.5)),
        ("(w * pi)", 2.5 * math.pi),
        ("sum[v in 0..n](v)", 21),
        ("(1 if n > 3 or n // 0 > 1 else 0)", 1),
    ],
)
def test_values(text: str, want: Any) -> None:
    assert evaluate(expression(text), SCOPE) == want


def test_what_only_a_kernel_knows() -> None:
    made = parse_operator_text("op f(x: T[n]) -> y: T[n]\n    y[i] = x[i]\n", {})
    with pytest.raises(NotStatic):
        evaluate(made.definitions[0].value, SCOPE)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("...s", [4, 5]),
        ("...(s + q)", [5, 7]),
        ("...(drop(s, axis))", [4]),
        ("...(max(s - 4, q))", [1, 2]),
        ("...(on(axis, 1, s))", [4, 1]),
    ],
)
def test_packs(text: str, want: list[int]) -> None:
    made = parse_operator_text(
        f"op f(x: T[...s], *, q: int[...s] = 1, axis: axes[s] = none) -> y: T[{text}]\n"
        f"    y[...i] = 0\n",
        {},
    )
    assert evaluate_pack(made.results[0].type.axes[0], SCOPE) == want


# --- attributes --------------------------------------------------------------------


def parameter(declared: str) -> Any:
    made = parse_operator_text(
        f"op f(x: T[...s], *, {declared}) -> y: T[...s]\n    y[...i] = x[...i]\n", {}
    )
    return made.attributes[0]


@pytest.mark.parametrize(
    ("declared", "value", "want"),
    [
        ("k: int", np.int8(3), 3),
        ("k: float", 3, 3.0),
        ("k: float", np.float16(0.5), 0.5),
        ("k: bool", np.True_, True),
        ("k: int[2]", 3, (3, 3)),
        ("k: int[2]", [3, 4], (3, 4)),
        ("k: int[...s]", 2, (2, 2, 2)),
        ("k: axes[s]", (-1, 0), (0, 2)),
        ("k: axis[s]", -1, (2,)),
        ("k: gap[s]", -1, 3),
        ("k: shape", 4, (4,)),
        ("k: shape", (), ()),
        ("k: dtype", "float32", FLOAT32),
        ("k: dtype", np.float32, FLOAT32),
        ("k: dtype", "bfloat16", BFLOAT16),
        ("k: int = none", None, None),
        ("k: axes[s] = none", None, (0, 1, 2)),
    ],
)
def test_canonical_values(declared: str, value: Any, want: Any) -> None:
    got = normalise(parameter(declared), value, 3)
    assert got == want
    assert type(got) is type(want)


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("k: int", 1.0),
        ("k: int", True),
        ("k: int", None),
        ("k: int", "1"),
        ("k: int", 1 << 63),
        ("k: int", np.array([1, 2])),
        ("k: float", "1"),
        ("k: float", True),
        ("k: float", None),
        ("k: float", 10**400),
        ("k: float", np.array([1.0, 2.0])),
        ("k: bool", 1),
        ("k: bool", None),
        ("k: int[2]", (1, 2, 3)),
        ("k: int[2]", "ab"),
        ("k: int[2]", None),
        ("k: axes[s]", (0, 0)),
        ("k: axes[s]", (0, -3)),
        ("k: axes[s]", 3),
        ("k: axes[s]", None),
        ("k: axis[s]", None),
        ("k: axis[s]", (0,)),
        ("k: shape", (-1,)),
        ("k: shape", None),
        ("k: shape", "ab"),
        ("k: dtype", "float33"),
        ("k: dtype", 3),
        ("k: dtype", "complex64"),
        ('k: "a" | "b"', "c"),
        ('k: "a" | "b"', ["a"]),
        ('k: "a" | "b"', None),
    ],
)
def test_values_that_do_not_fit(declared: str, value: Any) -> None:
    with pytest.raises(AttributeProblem):
        normalise(parameter(declared), value, 3)
