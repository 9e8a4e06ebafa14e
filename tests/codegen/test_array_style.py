"""What programs look like as NumPy and jax code, and that nothing is left out."""

from __future__ import annotations

import inspect
import linecache
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import opslib
from opslib.codegen import array_dialect, array_erf, array_helpers
from opslib.codegen.array_code import call, infix, name, named, wrapped
from opslib.codegen.array_style import JAX, NUMPY, render
from opslib.ir.dtypes import DTYPES
from opslib.ir.primitives import PRIMITIVES

f32 = np.float32


def ones(*shape: int, dtype: Any = f32) -> np.ndarray:
    return np.ones(shape, dtype)


# operator: arrays, attributes. One for each idiom a reader should recognise.
SHOWN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "softmax": ({"x": ones(2, 3)}, {}),
    "matmul": ({"x1": ones(2, 3, 4), "x2": ones(4, 5)}, {}),
    "linear": ({"input": ones(2, 3), "weight": ones(4, 3), "bias": ones(4)}, {}),
    "rms_norm": (
        {"x": ones(2, 3, dtype=np.float16), "weight": ones(3, dtype=np.float16)},
        {},
    ),
    "layer_norm": ({"x": ones(2, 3), "weight": ones(3), "bias": ones(3)}, {}),
    "embedding": ({"input": ones(2, 3, dtype=np.int64), "weight": ones(4, 5)}, {}),
    "silu_and_mul": ({"x": ones(2, 6)}, {}),
    "gelu": ({"x": ones(2, 3)}, {}),
    "scaled_dot_product_attention": (
        {"query": ones(2, 2, 3, 4), "key": ones(2, 2, 5, 4), "value": ones(2, 2, 5, 4)},
        {"is_causal": True},
    ),
    "conv2d": ({"input": ones(1, 2, 5, 5), "weight": ones(3, 2, 3, 3)}, {"padding": 1}),
    "max_pool2d": ({"input": ones(1, 2, 6, 6)}, {"kernel_size": 2}),
    "argmax": ({"x": ones(2, 3)}, {"axis": -1}),
    "cumsum": ({"x": ones(2, 3)}, {}),
    "topk": ({"x": ones(2, 3)}, {"k": 2}),
    "flip": ({"x": ones(2, 3)}, {}),
    "index_add": (
        {"input": ones(4, 3), "index": ones(2, dtype=np.int64), "source": ones(2, 3)},
        {"dim": 0},
    ),
    "linear_recurrence": ({"a": ones(2, 3), "x": ones(2, 3)}, {}),
}


def _case(programs: ModuleType, operator: str) -> Any:
    arrays, attributes = SHOWN[operator]
    from opslib.language.library import load_library

    spec = load_library()[operator]
    known = {p.name for p in spec.parameters}
    given = {k: v for k, v in arrays.items() if k in known}
    if len(given) < len(arrays):  # named otherwise: by position
        tensors = [p.name for p in spec.parameters if hasattr(p.type, "axes")]
        given = dict(zip(tensors, arrays.values(), strict=False))
    return programs.case(operator, given, attributes)


@pytest.mark.parametrize("operator", SHOWN)
def test_numpy_source(
    operator: str, programs: ModuleType, golden: Callable[[str, str], None]
) -> None:
    text = render(_case(programs, operator).program, NUMPY).text
    golden(f"golden/numpy/{operator}.py.txt", text)


@pytest.mark.parametrize("operator", SHOWN)
def test_jax_source_compiles(operator: str, programs: ModuleType) -> None:
    text = render(_case(programs, operator).program, JAX).text
    compile(text, operator, "exec")
    assert not re.search(r"\bnp\.", text)


def test_softmax_reads_as_a_person_writes_it(programs: ModuleType) -> None:
    text = render(_case(programs, "softmax").program, NUMPY).text
    assert "np.exp(" in text
    assert "keepdims=True" in text
    assert "arange" not in text


def test_matmul_is_matmul(programs: ModuleType) -> None:
    text = render(_case(programs, "matmul").program, NUMPY).text
    assert "np.matmul(x1, x2)" in text


def test_jax_multiplies_in_full_precision(programs: ModuleType) -> None:
    text = render(_case(programs, "matmul").program, JAX).text
    assert "precision=lax.Precision.HIGHEST" in text


@pytest.mark.parametrize(
    ("operator", "function"),
    [("conv2d", "convolution("), ("max_pool2d", "reduce_windows(")],
)
def test_jax_has_windows_as_operators(
    operator: str, function: str, programs: ModuleType
) -> None:
    text = render(_case(programs, operator).program, JAX).text
    assert function in text
    assert "einsum" not in text


def test_a_guard_that_is_not_the_bounds_is_no_convolution(programs: ModuleType) -> None:
    spec = """op partial(x: float32[c, n], w: float32[o, c, k]) -> y: float32[o, n]
    y[a, i] = sum[q, u](w[a, q, u] * (x[q, i + u] if i + u < n - 1 else 0.0))"""
    case = programs.case(spec, {"x": ones(2, 5), "w": ones(3, 2, 2)})
    assert "convolution" not in render(case.program, JAX).text


@pytest.mark.parametrize("dialect", [NUMPY, JAX], ids=lambda d: d.name)
def test_every_primitive_is_covered(dialect: array_dialect.Dialect) -> None:
    assert array_dialect.covered(dialect) == set(PRIMITIVES)


def test_every_helper_that_is_named_exists() -> None:
    jax_helpers = (
        Path(inspect.getfile(array_helpers)).parents[2] / "backends/jax/helpers.py"
    )
    if not jax_helpers.exists():
        import opslib.backends.jax as package

        jax_helpers = Path(package.__file__).parent / "helpers.py"
    twins = set(re.findall(r"^(?:def )?(\w+)", jax_helpers.read_text("utf-8"), re.M))
    for helper in NUMPY.helper_names.values():
        assert hasattr(array_helpers, helper)
    assert set(JAX.helper_names.values()) <= twins


def test_wide_computes_in_float64(programs: ModuleType) -> None:
    case = _case(programs, "rms_norm")
    printed = render(case.program, NUMPY, wide=True)
    keywords = {p: case.scalars[s] for s, p in printed.scalars.items()}
    result = printed.function()(*case.arrays, **keywords)
    assert result.dtype == np.float64
    assert "float16" not in printed.text.split('"""')[2]


def test_a_debugger_can_step_into_it(programs: ModuleType) -> None:
    printed = render(_case(programs, "softmax").program, NUMPY)
    function = printed.function()
    assert linecache.getline(printed.source_name, 1) == "import numpy as np\n"
    assert inspect.getsource(function) in printed.text


def test_names_do_not_clash_with_python(programs: ModuleType) -> None:
    spec = "op lambda_(np: float32[n], where: float32[n]) -> t1: float32[n]\n"
    case = programs.case(
        spec + "    t1[i] = np[i] * where[i] + np[i] * where[i]\n",
        {"np": ones(3), "where": ones(3)},
    )
    function = render(case.program, NUMPY).function()
    assert np.array_equal(function(*case.arrays), [2, 2, 2])


def test_repeated_parts_get_one_name() -> None:
    part = call("np.exp", infix("-", 6, name("x"), name("y")))
    assignments, rest = named(infix("/", 7, part, call("np.sum", part)), iter(["t"]))
    assert [(n, c.text) for n, c in assignments] == [("t", "np.exp(x - y)")]
    assert rest.text == "t / np.sum(t)"


def test_long_lines_are_broken_without_changing_their_meaning() -> None:
    long = name("a" * 40)
    total = infix("*", 7, infix("+", 6, long, infix("+", 6, long, long)), long)
    text = "\n".join(wrapped(call("f", total, total), "y = ", "", 60))
    seen: dict[str, Any] = {"a" * 40: 3, "f": lambda *args: args}
    exec(text, seen)
    assert seen["y"] == (27, 27)
    assert max(map(len, text.splitlines())) <= 60


@pytest.mark.parametrize("function", ["erf", "erfc"])
def test_erf_is_good_to_float64(function: str) -> None:
    import math

    x = np.concatenate([np.linspace(-6, 6, 4001), np.linspace(6, 26, 500)])
    want = np.array([getattr(math, function)(v) for v in x])
    got = getattr(array_erf, function)(x)
    assert np.max(np.abs(got - want) / np.spacing(want)) <= 8


def test_helpers_settle_what_numpy_leaves_open() -> None:
    zero, minus = f32([0.0]), f32([-0.0])
    h = array_helpers
    assert not np.signbit(h.maximum(minus, zero))
    assert not np.signbit(h.maximum(zero, minus))
    assert np.signbit(h.minimum(zero, minus))
    assert np.signbit(h.maximum(minus, minus))
    assert np.isnan(h.maximum(f32([np.nan]), zero)).all()
    assert np.signbit(h.sign(minus)).all()
    seven, nil = np.int32([7]), np.int32([0])
    assert h.floordiv(seven, nil) == 0
    assert h.mod(seven, nil) == 0
    assert h.floordiv(7, 0) == 0
    assert h.mod(7, 0) == 0
    assert h.pow(np.int32([-1]), np.int32([-3])) == -1
    assert h.pow(np.int32([2]), np.int32([-3])) == 0
    assert h.shl(seven, np.int32([40])) == 0
    assert h.shr(-seven, np.int32([40])) == -1
    assert h.clipped(np.zeros((0, 3), f32), np.arange(2)).shape == (2, 3)


@pytest.mark.parametrize("dtype", sorted(DTYPES))
@pytest.mark.parametrize("value", [0, 1])
def test_a_constant_of_every_type_can_be_called_for(dtype: str, value: int) -> None:
    """``np.bool_(False)`` once lost its parentheses: the name ends in no letter."""
    constant = str(bool(value)).lower() if dtype == "bool" else value
    text = f"op filled(s: shape) -> y: {dtype}[...s]\n    y[...i] = {constant}"
    got = opslib.op(text)((3,), backend="numpy")
    assert got.dtype == DTYPES[dtype].numpy
    assert (got == value).all()
