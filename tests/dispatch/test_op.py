"""`opslib.op`: operators made at run time, hostile ones too."""

from __future__ import annotations

import gc
import inspect
import linecache
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import opslib

X = np.linspace(-2, 2, 7, dtype=np.float32)


@pytest.mark.parametrize("backend", ["cpu", "numpy", "jax"])
def test_one_line_runs_on_every_backend(backend: str) -> None:
    if backend == "jax":
        pytest.importorskip("jax")
    relu2 = opslib.op("op relu2(x: T) -> y: T = max(x, 0)^2")
    got = relu2(X, backend=backend)
    np.testing.assert_allclose(got, np.maximum(X, 0) ** 2, rtol=1e-6)


@pytest.mark.parametrize("backend", ["cpu", "numpy", "jax"])
@pytest.mark.parametrize("dtype", ["int64", "uint64", "uint8"])
def test_a_literal_of_64_bits_wraps(backend: str, dtype: str) -> None:
    f = opslib.op("op f(x: T) -> y: T where T: int = x * 18446744073709551615")
    x = np.arange(4).astype(dtype)
    assert f(x, backend=backend).tolist() == (0 - x).tolist()


@pytest.mark.parametrize("backend", ["cpu", "numpy", "jax"])
@pytest.mark.parametrize("k", [-3, 0, 2])
def test_a_window_that_ends_before_it_begins_is_empty(backend: str, k: int) -> None:
    f = opslib.op(
        "op f(x: T[n], k: int) -> y: T[n]\n    y[i] = sum[j in 0..k](x[i + j] ?? 0)\n"
    )
    want = X + np.append(X[1:], 0) if k == 2 else 0 * X
    np.testing.assert_allclose(f(X, k, backend=backend), want, atol=1e-6)


@pytest.mark.parametrize("backend", ["cpu", "numpy", "jax"])
def test_a_result_that_no_memory_holds_is_an_error(backend: str) -> None:
    f = opslib.op("op f(x: T[n], k: int) -> y: T[k]\n    y[i] = x[i] ?? 0\n")
    with pytest.raises(MemoryError):
        f(X, 10**15, backend=backend)
    assert f(X, 2, backend=backend).tolist() == X[:2].tolist()


def test_an_attribute_is_one_value_for_the_whole_axis() -> None:
    f = opslib.op(
        "op f(x: T[n]) -> y: T[n] where T: float\n"
        "    y[i] = layer_norm[i](x[i], eps=x[i])\n"
    )
    with pytest.raises(opslib.SpecError, match="one value for the whole axis"):
        f(X)


def test_it_tells_about_itself() -> None:
    f = opslib.op(
        """
        # Twice x.
        #
        # In full.
        op double(x: T, *, k: float = 2.0) -> y: T where T: float
            y[...] = x[...] * k
        """
    )
    assert f.__name__ == "double"
    assert inspect.getdoc(f) is not None
    assert str(inspect.getdoc(f)).startswith("Twice x.")
    assert str(f.spec).startswith("op double(")
    assert "double" in f.source()
    assert f.cost(X).flops == 7
    (bound,) = f.bound(X)
    assert (np.abs(f(X) - 2 * X.astype(float)) <= bound).all()
    assert list(inspect.signature(f).parameters) == ["x", "k", "out", "backend"]
    assert f.plan(X).operator.name == "double"


def test_it_calls_shipped_operators() -> None:
    f = opslib.op(
        "op smooth(x: T[..., n]) -> y: T[..., n] where T: float\n"
        "    y[..., i] = softmax[i](x[..., i]) * 2\n"
    )
    np.testing.assert_allclose(f(X), opslib.softmax(X) * 2, rtol=1e-5)


def test_softmax_along_an_index_as_a_local() -> None:
    f = opslib.op(
        "op expectation(x: T[..., n], v: T[..., n]) -> y: T[...] where T: float\n"
        "    p[..., j] = softmax[j](x[..., j])\n"
        "    y[...] = sum[j](p[..., j] * v[..., j])\n"
    )
    x = np.random.default_rng(0).random((3, 5))
    p = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
    for backend in ("cpu", "numpy"):
        np.testing.assert_allclose(f(x, x, backend=backend), (p * x).sum(-1))


ATTENTION = """
op scaled_dot_product(q: T[..., (g r), s, d], k: T[..., g, t, d], v: T[..., g, t, e],
                      scale: float = 1 / sqrt(d), causal: bool = false
                      ) -> o: T[..., (g r), s, e] where T: float
    a[..., (h u), i, j] = scale * sum[c](q[..., (h u), i, c] * k[..., h, j, c])
    b[..., (h u), i, j] = a[..., (h u), i, j] if not causal or j - t <= i - s else -inf
    p[..., (h u), i, j] = softmax[j](b[..., (h u), i, j])
    o[..., (h u), i, c] = sum[j](p[..., (h u), i, j] * v[..., h, j, c])
"""


@pytest.mark.parametrize("backend", ["cpu", "numpy"])
@pytest.mark.parametrize("causal", [False, True])
def test_the_attention_of_the_design(backend: str, causal: bool) -> None:
    rng = np.random.default_rng(0)
    q, k, v = (
        rng.random((2, 6, 4, 5)),
        rng.random((2, 3, 7, 5)),
        rng.random((2, 3, 7, 8)),
    )
    got = opslib.op(ATTENTION)(q, k, v, causal=causal, backend=backend)
    a = q @ np.repeat(k, 2, 1).swapaxes(-1, -2) / np.sqrt(5)
    if causal:
        seen = np.arange(7)[None] - 7 <= np.arange(4)[:, None] - 4
        a = np.where(seen, a, -np.inf)
    p = np.exp(a - a.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    np.testing.assert_allclose(got, p @ np.repeat(v, 2, 1), rtol=1e-12)


# --- errors ------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [3, None, b"op f(x: T) -> y: T = x", ["x"]])
def test_a_spec_is_a_text(bad: Any) -> None:
    with pytest.raises(opslib.ArgumentError, match="a spec is a text"):
        opslib.op(bad)


@pytest.mark.parametrize("body", ["x[i] / 2", "2 + (x[i] & 1)", "sqrt(x[i])"])
def test_types_that_do_not_fit_are_shown_before_any_call(body: str) -> None:
    with pytest.raises(opslib.SpecError) as caught:
        opslib.op(f"op f(x: T[n]) -> y: T[n]\n    y[i] = {body}\n")
    assert caught.value.code == "E0413"
    lines = str(caught.value).splitlines()
    at = next(k for k, line in enumerate(lines) if "^" in line)
    first = lines[at].index("^")
    assert lines[at - 1][first : first + lines[at].count("^")] == "x[i]"
    assert "--> <op>:2:" in str(caught.value)


def test_an_operator_that_does_not_take_the_type_is_shown_where_it_is_called() -> None:
    text = "op f(x: T[n]) -> y: T[n]\n    y[i] = x[i] + hardswish(x[i])\n"
    with pytest.raises(opslib.SpecError, match="'hardswish' takes float") as caught:
        opslib.op(text)
    assert "--> <op>:2:" in str(caught.value)
    opslib.op(text.replace("-> y: T[n]", "-> y: T[n] where T: float"))


# --- hostile names and texts -------------------------------------------------------

NAMES = ["lambda", "int", "linux", "print", "None", "class", "state", "context", "unix"]
NAMES += ["Handle", "attach", "NamedTuple", "Array", "self", "numpy", "main", "float_"]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_mean_something_elsewhere(name: str) -> None:
    try:
        f = opslib.op(
            f"op {name}({name}_x: T, {name}y: T) -> y: T = {name}_x + {name}y"
        )
        g = opslib.op(f"op g({name}: T) -> y: T = {name} * 2")
        h = opslib.op(f"op h(x: T, *, {name}: int = 2) -> y: T = x * T({name})")
    except opslib.SpecError:
        return  # A word of the language.
    for backend in ("cpu", "numpy"):
        np.testing.assert_array_equal(f(X, X, backend=backend), X + X)
        np.testing.assert_array_equal(g(X, backend=backend), X * 2)
        np.testing.assert_array_equal(h(X, backend=backend), X * 2)


@pytest.mark.parametrize("name", ["out", "backend", "_x", "__import__", "_state"])
def test_names_that_a_python_signature_cannot_have(name: str) -> None:
    with pytest.raises(opslib.SpecError) as caught:
        opslib.op(f"op f({name}: T) -> y: T = {name}")
    assert "^" in str(caught.value)


def test_two_names_that_python_cannot_tell_apart() -> None:
    with pytest.raises(opslib.SpecError, match="taken"):
        opslib.op("op f(lambda: T, lambda_: T) -> y: T = lambda + lambda_")


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=60))
@example('"""')
@example("\\")
@example('"')
@example("'''\\\"\"\"\\")
@example("{}%s\\N{BULLET}\\u0041\\x")
@example('""" + __import__("os").system("false") + """')
def test_a_docstring_cannot_break_out(text: str) -> None:
    try:
        f = opslib.op(f"# {text}\nop f(x: T) -> y: T = x")
    except opslib.SpecError:
        return  # A character that the language does not use.
    want = re.sub(r"\s+", " ", text).strip()
    have = re.sub(r"\s+", " ", str(f.__doc__)).strip()
    assert have.startswith(want)
    np.testing.assert_array_equal(f(X), X)


identifier = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)


@settings(max_examples=150, deadline=None)
@given(identifier, st.lists(identifier, min_size=1, max_size=4), identifier)
def test_generated_source_always_compiles(
    name: str, parameters: list[str], result: str
) -> None:
    typed = ", ".join(f"{p}: T" for p in parameters)
    try:
        f = opslib.op(f"op {name}({typed}) -> {result}: T = {' + '.join(parameters)}")
    except opslib.SpecError:
        return
    got = f(*[X] * len(parameters), backend="numpy")
    np.testing.assert_allclose(got, X * len(parameters), rtol=1e-6)


def test_what_is_made_is_forgotten() -> None:
    f = opslib.op("op forgotten(x: T) -> y: T = x")
    filename = f.__code__.co_filename  # type: ignore[attr-defined]
    assert linecache.getlines(filename)
    del f
    gc.collect()
    assert filename not in linecache.cache
