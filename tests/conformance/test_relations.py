"""What relations are derived from, and that inputs are as varied as they should be."""

from __future__ import annotations

import numpy as np
import pytest

from opslib.analysis.bound import Arithmetic
from opslib.dispatch.handle import Handle
from opslib.dispatch.judging import error_bounds
from opslib.language.library import load_library
from opslib.testing import levels, pairs
from opslib.testing.algebraic import linear_in, shift_of
from opslib.testing.inputs import Case, flatten, make_case
from opslib.testing.judge import reference
from opslib.testing.relations import relations
from opslib.testing.symmetry import symmetries


def case(name: str, number: int = 1) -> Case:
    return make_case(Handle(name), "float32", number)


def axes(name: str) -> dict[frozenset[tuple[str, int]], bool]:
    found = symmetries(case(name).program)
    return {frozenset(s.axes): s.folded for s in found}


def test_axes_that_may_be_permuted() -> None:
    found = axes("mm")
    assert found[frozenset({("input", 0), ("y", 0)})] is False
    assert found[frozenset({("input", 1), ("mat2", 0)})] is True
    # Rows and keys of a causal mask have their places; heads have not.
    assert len(axes("causal_softmax")) == len(axes("softmax")) - 1
    assert frozenset({("index", 0), ("src", 0)}) in axes("scatter_add")


@pytest.mark.parametrize(
    ("name", "tensor", "shift"),
    [("softmax", "x", 0), ("max", "x", 1), ("argmax", "x", 0), ("exp", "x", None)],
)
def test_shifts(name: str, tensor: str, shift: float | None) -> None:
    assert set(shift_of(case(name).program, tensor).values()) == {shift}


@pytest.mark.parametrize(
    ("name", "linear"),
    [
        ("matmul", {"x1", "x2"}),
        ("attention", {"v"}),
        ("softmax", set()),
        ("add", set()),
        ("divide", {"x1"}),
        ("cumsum", {"x"}),
    ],
)
def test_linear_arguments(name: str, linear: set[str]) -> None:
    program = case(name).program
    assert {t.name for t in program.inputs if linear_in(program, t.name)} == linear


def test_most_operators_have_a_relation_of_their_own() -> None:
    without = []
    for name in load_library():
        try:
            made = [make_case(Handle(name), "float32", k) for k in (0, 1)]
        except Exception:
            continue  # no float32, or no such case
        if not any(relations(Handle(name), c) for c in made):
            without.append(name)
    assert len(without) < 0.2 * len(load_library()), without


def test_inputs_mix_scalars_dtypes_and_arrays_without_axes() -> None:
    kinds: set[str] = set()
    for name in ("add", "multiply", "where", "maximum", "less", "lerp", "clip"):
        for dtype in ("float32", "int32"):
            for number in (3, 4, 5, 9, 10, 11):
                try:
                    made = make_case(Handle(name), dtype, number)
                except Exception:
                    continue
                given = flatten(made.tensors)
                kinds |= {type(a).__name__ for a in given}
                arrays = [a for a in given if isinstance(a, np.ndarray)]
                kinds |= {"0-d" for a in arrays if a.ndim == 0}
                floats = {a.dtype for a in arrays if a.dtype.kind == "f"}
                kinds |= {"mixed"} if len(floats) > 1 else set()
    assert kinds >= {"float", "int", "ndarray", "0-d", "mixed"}, kinds


def test_every_row_names_operators_and_sizes() -> None:
    assert len(pairs.rows()) > 90
    for row in pairs.rows():
        assert row.of in load_library()
        assert row.of in row.left + row.right
        assert pairs.drawn(row, row.dtypes[0], 0)


def test_masked_attention_is_not_vacuous() -> None:
    """-inf is not rounded: what is behind a mask has a bound."""
    q = np.random.default_rng(0).standard_normal((1, 3, 4)).astype(np.float32)
    none = (None,) * 3
    given = error_bounds(
        Handle("attention"), (q, q, q, *none), {"causal": True}, "numpy"
    )
    assert np.isfinite(given[0]).all()
    assert (given[0] < 1e-4).all()


def test_an_infinite_result_has_a_bound_and_an_overflowed_term_has_not() -> None:
    x = np.array([[np.inf, 1.0], [3e38, -3e38]], np.float32)
    y = np.array([[2.0], [3.0]], np.float32)
    (sums,) = error_bounds(Handle("mm"), (x, y), {}, "numpy")
    assert sums[0, 0] == 0  # inf + 3
    assert np.isinf(sums[1, 0])  # with fma 3e38 * 2 need not be infinite
    (added,) = error_bounds(Handle("add"), (x[0], x[0]), {}, "numpy")
    assert added[0] == 0


def test_exact_operators_are_exact_in_float64() -> None:
    """What is compared there is long double, which has bytes that mean nothing."""
    a = np.array([1.0, -0.0, np.nan], np.longdouble)
    assert not levels.bits_differ(a, a.copy()).any()
    b = np.array([1.0, 0.0, np.nan], np.longdouble)
    assert levels.bits_differ(a, b).tolist() == [False, True, False]
    assert not levels.bits_differ(a, b, zeros=False).any()


def test_the_reference_takes_python_scalars() -> None:
    for number in range(3, 12):
        made = make_case(Handle("add"), "float32", number)
        if any(made.weak):
            found = reference(made, Arithmetic())
            assert found.judgements[0] is not None
            assert found.judgements[0].value.shape == made.binding.outputs[0].shape
            return
    raise AssertionError("no case of add has a Python scalar")


def test_bits_are_compared_only_between_calls_of_one_layout() -> None:
    """The order of a sum may depend on it: BLAS packs small and transposed operands."""
    compared = 0
    for name in ("matmul", "scaled_dot_product_attention", "cumsum", "sum"):
        for number in range(40):
            made = case(name, number)
            for relation in relations(Handle(name), made, new_shapes=False):
                if relation.name in ("doubled", "scaled"):
                    *before, last = (made, *relation.cases)
                    assert before[-1].layouts == last.layouts
                    compared += "windows" in made.layouts
    assert compared > 5
