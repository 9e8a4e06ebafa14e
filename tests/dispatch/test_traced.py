"""Calls inside jax.jit, vmap and grad: traced, refused with the remedy, or at once."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

import opslib
from opslib.errors import DeviceError

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="jax is not installed"
)
X = np.array([[1, 4, 2, -3], [0, -1, 7, -2]], np.float32)


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
@pytest.mark.parametrize("transform", ["jit", "vmap", "grad"])
def test_only_jax_can_be_traced(transform: str, backend: str) -> None:
    import jax

    def total(x: Any) -> Any:
        return opslib.sum(opslib.exp(x, backend=backend))

    with pytest.raises(DeviceError, match='backend="jax"') as caught:
        getattr(jax, transform)(total)(X)
    assert caught.value.code == "E0730"


def test_a_device_that_was_wished_for_gives_way_to_the_trace() -> None:
    import jax

    with opslib.use(backend="numpy", fallback="allow"):
        got = jax.jit(lambda x: opslib.exp(x))(X)
    np.testing.assert_allclose(got, np.exp(X), rtol=1e-6)


def test_arrays_of_the_host_are_computed_while_tracing() -> None:
    import jax

    kept: list[Any] = []

    def shifted(x: Any) -> Any:
        kept.append(opslib.exp(X, backend="jax"))
        return x + kept[-1]

    np.testing.assert_allclose(jax.jit(shifted)(X), X + np.exp(X), rtol=1e-6)
    assert type(kept[0]) is np.ndarray


@pytest.mark.parametrize("operator", ["argmax", "argmin"])
@pytest.mark.parametrize("attributes", [{}, {"axis": 1}, {"axis": 0, "keepdims": True}])
def test_places_are_lowered_where_the_owner_has_no_wide_types(
    operator: str, attributes: dict[str, Any]
) -> None:
    import jax

    assert jax.numpy.arange(3).dtype == np.int32  # The mode is off.
    found = jax.jit(lambda x: getattr(opslib, operator)(x, **attributes))(X)
    want = getattr(np, operator)(X, **attributes)
    assert found.dtype == np.int64
    assert np.array_equal(found, want)


def test_calls_outside_of_a_trace_are_compiled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On the host's arrays too, and in a self-check.

    In JAX's context for evaluating at once there is no jit: operations run one by one.
    """
    import jax

    asked: list[str] = []
    plain = jax.ensure_compile_time_eval

    def counted() -> Any:
        asked.append("eager")
        return plain()

    monkeypatch.setattr(jax, "ensure_compile_time_eval", counted)
    f = opslib.op("op thrice(x: T[n]) -> y: T[n]\n    y[i] = 3 * x[i]\n")
    for row in X:
        np.testing.assert_array_equal(f(row, backend="jax"), 3 * row)
    assert not asked
    jax.jit(lambda x: x + f(X[0, :2], backend="jax"))(X[0, :2])
    assert asked
