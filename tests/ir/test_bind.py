"""A call against a signature: sizes, packs, dtypes, views, and errors with carets."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from opslib.errors import ArgumentError, DTypeError, OpslibError, ShapeError
from opslib.ir.bind import bind
from opslib.ir.binding import Argument, Binding
from opslib.ir.dtypes import DTYPES, FLOAT32, FLOAT64, INT64
from opslib.ir.sample import sample_binding
from opslib.language.library import load_library, parse_operator_text

LIBRARY = load_library()


def bound(
    operator: str, *shapes: Any, results: Any = None, **attributes: Any
) -> Binding:
    """The binding of arrays of these shapes; a tuple with a name first has a dtype."""
    spec = LIBRARY.get(operator) or parse_operator_text(operator, LIBRARY)
    made: list[Any] = []
    for s in shapes:
        if s is None or isinstance(s, Argument):
            made.append(s)
        elif s and isinstance(s[0], str):
            made.append(Argument(DTYPES[s[0]], tuple(s[1:])))
        elif s and isinstance(s[0], tuple):
            made.append(tuple(Argument(FLOAT32, each) for each in s))
        else:
            made.append(Argument(FLOAT32, tuple(s)))
    names = [p.name for p in spec.tensors]
    arguments = dict(zip(names, made, strict=False))
    return bind(spec, arguments, attributes, results)


def test_sizes_and_shapes() -> None:
    found = bound("matmul", (2, 3, 4), (4, 5))
    assert found.sizes == {"batch0": 2, "m": 3, "k": 4, "n": 5}
    (y,) = found.outputs
    assert y.shape == (2, 3, 5)
    assert [t.view.extents for t in found.inputs] == [(2, 3, 4), (2, 4, 5)]
    assert [t.view.shape for t in found.inputs] == [(2, 3, 4), (1, 4, 5)]
    assert found.inputs[0].tags == ((None, 0), None, None)


def test_the_axis_clause_moves_an_axis() -> None:
    found = bound("softmax", (2, 3, 4), axis=1)
    assert found.inputs[0].view.permutation == (0, 2, 1)
    assert found.sizes["n"] == 3
    assert found.outputs[0].shape == (2, 3, 4)
    assert found.outputs[0].view.permutation == (0, 2, 1)


@pytest.mark.parametrize(
    ("extent", "given", "want"),
    [
        ("(2 n)", 6, 3),
        ("(n r)", 6, None),
    ],
)
def test_an_extent_is_solved_for_its_unknown(
    extent: str, given: int, want: Any
) -> None:
    text = f"op f(x: T[{extent}]) -> y: T[n]\n    y[i] = 0\n"
    if want is None:
        text = f"op f(x: T[{extent}], *, r: int) -> y: T[n]\n    y[i] = 0\n"
        assert bound(text, (given,), r=2).sizes["n"] == 3
        with pytest.raises(ShapeError, match="where no size fits"):
            bound(text, (given,), r=4)
        return
    assert bound(text, (given,)).sizes["n"] == want


def test_an_extent_without_a_solution() -> None:
    with pytest.raises(ShapeError, match="where no size fits"):
        bound("op f(x: T[(2 n)]) -> y: T[n]\n    y[i] = 0\n", (5,))
    text = "op f(x: T[n], z: T[2 * n + 1]) -> y: T[n]\n    y[i] = 0\n"
    assert bound(text, (3,), (7,)).sizes["n"] == 3
    with pytest.raises(ShapeError, match=r"whose axis 2 . n . 1 is 8, but .* = 7"):
        bound(text, (3,), (8,))


def test_defaults_from_sizes() -> None:
    text = "op f(x: T[n], *, k: float = 1 / sqrt(n)) -> y: T[n] where T: float\n"
    text += "    y[i] = x[i] * k\n"
    assert bound(text, (4,)).scalars == {"k": 0.5}
    assert np.isnan(bound(text, (0,)).scalars["k"])
    assert bound(text, (4,), k=3).scalars == {"k": 3.0}


def test_variadic_sizes_differ_by_instance() -> None:
    found = bound("concat", ((2, 3), (2, 5)))
    assert found.sizes["n0"], found.sizes["n1"] == (3, 5)
    assert found.outputs[0].shape == (2, 8)
    assert [t.name for t in found.inputs] == ["xs0", "xs1"]


def test_weak_scalars() -> None:
    weak = Argument(None, (), "float")
    assert bound("add", (3,), weak).inputs[1].dtype == FLOAT32
    assert bound("add", weak, weak).inputs[1].dtype == FLOAT64
    whole = Argument(None, (), "int")
    assert bound("add", whole, whole).outputs[0].dtype == INT64
    assert bound("add", whole, weak).outputs[0].dtype == FLOAT64
    with pytest.raises(DTypeError, match="a Python float does not fit int32"):
        bound("add", ("int32", 3), weak)


def test_what_selects_a_program_and_what_is_launched() -> None:
    one = bound("conv2d", (1, 2, 5, 5), (3, 2, 3, 3), stride=1)
    two = bound("conv2d", (2, 4, 9, 9), (1, 4, 2, 2), stride=2)
    assert one.statics == two.statics
    assert one.scalars != two.scalars
    assert bound("sum", (3, 4), axis=0).statics != bound("sum", (3, 4), axis=1).statics
    hash(one.statics)


@pytest.mark.parametrize("present", [False, True])
@pytest.mark.parametrize("name", sorted(LIBRARY))
def test_every_operator_binds_with_and_without_its_optional_arrays(
    name: str, present: bool
) -> None:
    found = sample_binding(LIBRARY[name], present=present)
    for t in (*found.inputs, *found.outputs):
        assert len(t.view.shape) == len(t.view.extents) == len(t.tags)


# --- errors ------------------------------------------------------------------------

CALLS: dict[str, Callable[[], Any]] = {
    "E0701_rank": lambda: bound("linear", (3,), (3,)),
    "E0702_sizes": lambda: bound("matmul", (2, 3), (4, 5)),
    "E0702_broadcast": lambda: bound("add", (2, 3), (4, 3)),
    "E0702_pack": lambda: bound("concat", ((2, 3), (4, 3))),
    "E0702_multiple": lambda: bound("silu_and_mul", (2, 5)),
    "E0703_class": lambda: bound("softmax", ("int32", 3)),
    "E0703_promotion": lambda: bound("add", ("int32", 3), ("float32", 3)),
    "E0703_needs": lambda: bound("where", ("int32", 3), (3,), (3,)),
    "E0704_axis": lambda: bound("softmax", (2, 3), axis=2),
    "E0704_axis_type": lambda: bound("softmax", (2, 3), axis=1.5),
    "E0704_choice": lambda: bound("gelu", (3,), approximate="maybe"),
    "E0704_none": lambda: bound("layer_norm", (2, 3), eps=None),
    "E0705_missing": lambda: bound("matmul", (2, 3)),
    "E0705_unknown": lambda: bound("matmul", (2, 3), (3, 4), axes=1),
    "E0705_variadic": lambda: bound("concat", ()),
    "E0706_requires": lambda: bound(
        "max_pool2d", (1, 1, 5, 5), kernel_size=2, padding=2
    ),
}


@pytest.mark.parametrize("name", sorted(CALLS))
def test_errors_are_shown_in_the_signature(
    name: str, golden: Callable[[str, str], None]
) -> None:
    with pytest.raises(OpslibError) as caught:
        CALLS[name]()
    assert caught.value.code == name[:5]
    assert "^" in str(caught.value)
    # Where the operator stands in its file is not what is tested.
    text = re.sub(r"\.op:\d+:", ".op:1:", str(caught.value))
    text = re.sub(r"^ *\d* \|", "  |", text, flags=re.MULTILINE)
    text = re.sub(r"^ +-->", " -->", text, flags=re.MULTILINE)
    golden(f"errors/{name}.txt", text + "\n")


@pytest.mark.parametrize("name", sorted(CALLS))
def test_errors_pickle(name: str) -> None:
    with pytest.raises(OpslibError) as caught:
        CALLS[name]()
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is type(caught.value)
    assert (str(again), again.code, again.help) == (
        str(caught.value),
        caught.value.code,
        caught.value.help,
    )
    assert isinstance(again, ArgumentError | ShapeError | DTypeError)
