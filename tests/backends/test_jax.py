"""The jax backend, held to the judge; skipped where jax is not installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from opslib.backends.jax import backend, device

from opslib.analysis.bound import Arithmetic, evaluate_bounds, usage
from opslib.errors import BackendUnavailable, OperandIndexError
from opslib.ir.dtypes import FLOAT32, INT64
from opslib.ir.view import View
from opslib.language.library import load_library
from opslib.runtime import protocol

needs_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="jax is not installed"
)
BACKEND = backend()
rng = np.random.default_rng(0)


def normal(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return rng.normal(size=shape).astype(dtype)


CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("add", {"x1": normal(3, 1), "x2": normal(4)}, {}),
    ("add", {"x1": normal(3, dtype=np.float64), "x2": normal(3, dtype=np.float64)}, {}),
    ("gelu", {"input": normal(33, dtype=np.float16)}, {}),
    ("softmax", {"x": normal(3, 17)}, {}),
    ("matmul", {"x1": normal(2, 3, 200), "x2": normal(200, 4)}, {}),
    ("rms_norm", {"x": normal(3, 8, dtype=np.float16),
                  "weight": normal(8, dtype=np.float16)}, {}),
    ("conv2d", {"input": normal(2, 4, 6, 5), "weight": normal(6, 2, 3, 2)},
     {"groups": 2, "padding": (1, 0), "stride": (2, 1)}),
    ("conv1d", {"input": normal(2, 4, 9), "weight": normal(6, 4, 3)},
     {"dilation": 2, "stride": 2}),
    ("max_pool2d", {"input": normal(2, 7, 6)}, {"kernel_size": 3, "padding": 1}),
    ("embedding", {"input": np.array([[2, 0]]), "weight": normal(3, 4)}, {}),
    ("cumsum", {"x": normal(4, 9)}, {}),
    ("cummax", {"x": np.float32([[1, np.nan, 3, 2]])}, {}),
    ("sort", {"x": normal(4, 9)}, {}),
    ("topk", {"x": np.float32([[1, 3, 3, np.nan, -0.0, 0]])}, {"k": 4}),
    ("linear_recurrence", {"a": normal(2, 6), "x": normal(2, 6)}, {}),
    ("linear_recurrence", {"a": normal(2, 0), "x": normal(2, 0)}, {}),
]  # fmt: skip


def launched(case: Any, place: protocol.Device) -> list[Any]:
    kernel = BACKEND.compile(case.program, place)
    arrays = [BACKEND.asarray(np.ascontiguousarray(a), place) for a in case.arrays]
    return list(kernel.launch(arrays, [], case.sizes, case.scalars))


@needs_jax
@pytest.mark.parametrize(("operator", "arrays", "attributes"), CASES)
def test_against_the_judge(
    operator: str,
    arrays: dict[str, Any],
    attributes: dict[str, Any],
    programs: ModuleType,
) -> None:
    case = programs.case(operator, arrays, attributes)
    place = BACKEND.devices()[0]
    promise = BACKEND.arithmetic(FLOAT32, place)
    assert promise is not None
    arithmetic = Arithmetic(ulp=promise.ulp, flushes=promise.flushes)
    judged = evaluate_bounds(*case.arguments, arithmetic)
    for tensor, got in zip(case.program.outputs, launched(case, place), strict=True):
        assert got.dtype == tensor.dtype.numpy
        assert usage(judged[tensor.name], BACKEND.to_numpy(got)).max(initial=0) <= 1


def test_it_is_a_backend() -> None:
    assert isinstance(BACKEND, protocol.Backend)
    assert BACKEND.protocol == protocol.PROTOCOL_VERSION
    assert not BACKEND.strided


def test_importing_it_does_not_import_jax() -> None:
    code = (
        "import sys, opslib.backends.jax as b; b.backend().owner(1);"
        "print('jax' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_without_jax_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "jax", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    (only,) = BACKEND.devices()
    assert only.why_not == "jax is not installed: pip install 'opslib[jax]'"
    with pytest.raises(BackendUnavailable, match="pip install"):
        BACKEND.compile(None, only)  # type: ignore[arg-type]


@needs_jax
def test_sixty_four_bits_are_scoped(programs: ModuleType) -> None:
    import jax

    place = BACKEND.devices()[0]
    before = jax.config.jax_enable_x64
    big = np.array([2**40, -1])
    case = programs.case("add", {"x1": big, "x2": big})
    (got,) = launched(case, place)
    assert np.array_equal(BACKEND.to_numpy(got), 2 * big)
    assert BACKEND.empty((2,), INT64, place).dtype == np.int64
    assert jax.config.jax_enable_x64 == before
    assert jax.numpy.arange(3).dtype == np.int32


@needs_jax
def test_a_kernel_can_be_traced(programs: ModuleType) -> None:
    import jax

    case = programs.case("softmax", {"x": normal(3, 5)})
    kernel = BACKEND.compile(case.program, BACKEND.devices()[0])

    def loss(x: Any) -> Any:
        (y,) = kernel.traceable([x], case.sizes, case.scalars)
        return (y[:, 0]).sum()

    x = case.arrays[0]
    slope = jax.jit(jax.grad(loss))(x)
    step = np.zeros_like(x)
    step[1, 2] = 1e-2
    numeric = (loss(x + step) - loss(x - step)) / 2e-2
    np.testing.assert_allclose(slope[1, 2], numeric, rtol=1e-2)


SIZED: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((2, 3), {"axis": 1}),
    ((64, 300), {"axis": 1}),
    ((64, 300), {"axis": 0}),
    ((40000,), {}),
    ((17, 8, 8, 17), {"axis": (1, 3)}),
]


@needs_jax
@pytest.mark.parametrize("operator", ["max", "min"])
@pytest.mark.parametrize(("shape", "attributes"), SIZED)
def test_extremes_keep_nan_and_tell_zeros_at_any_size(
    operator: str,
    shape: tuple[int, ...],
    attributes: dict[str, Any],
    programs: ModuleType,
) -> None:
    """XLA's own loses both, from some hundreds of elements on."""
    place = BACKEND.devices()[0]
    for x in (normal(*shape), np.zeros(shape, np.float32)):
        x.reshape(-1)[1::7] *= np.float32(-0.0)
        if x.any():
            x.reshape(-1)[3] = np.nan
        case = programs.case(operator, {"x": x}, attributes)
        (got,) = (BACKEND.to_numpy(a) for a in launched(case, place))
        axis = attributes.get("axis")
        want = getattr(np, operator)(x, axis=axis)
        assert np.array_equal(got, want, equal_nan=True)
        if not x.any():
            negative = np.signbit(x)
            assert np.array_equal(
                np.signbit(got),
                negative.all(axis) if operator == "max" else negative.any(axis),
            )


@needs_jax
@pytest.mark.parametrize("kernel", [2, 30, (1, 30)])
def test_a_window_with_a_nan_gives_nan(kernel: Any, programs: ModuleType) -> None:
    x = normal(20, 30, 30)
    x.reshape(-1)[::500] = np.nan
    case = programs.case("max_pool2d", {"input": x}, {"kernel_size": kernel})
    (got,) = launched(case, BACKEND.devices()[0])
    high, wide = (kernel, kernel) if isinstance(kernel, int) else kernel
    want = x.reshape(20, 30 // high, high, 30 // wide, wide).max(axis=(2, 4))
    np.testing.assert_array_equal(BACKEND.to_numpy(got), want)


@needs_jax
@pytest.mark.parametrize("operator", ["max", "min", "cummax", "softmax"])
def test_the_slope_of_an_extreme_is_that_of_its_place(
    operator: str, programs: ModuleType
) -> None:
    import jax

    x = np.float32([1, 4, 2, -3])
    case = programs.case(operator, {"x": x}, {"axis": -1})
    kernel = BACKEND.compile(case.program, BACKEND.devices()[0])

    def loss(x: Any) -> Any:
        (y,) = kernel.traceable([x], case.sizes, case.scalars)
        return (y * jax.numpy.arange(1.0, y.size + 1)).sum()

    slope = jax.jit(jax.grad(loss))(x)
    steps = np.eye(4, dtype=np.float32) * np.float32(1e-2)
    numeric = [(loss(x + s) - loss(x - s)) / 2e-2 for s in steps]
    np.testing.assert_allclose(slope, numeric, rtol=1e-2, atol=1e-3)


@needs_jax
def test_indices_are_checked_outside_a_trace_and_clamped_inside(
    programs: ModuleType,
) -> None:
    import jax

    table = normal(3, 2)
    case = programs.case("embedding", {"input": np.array([1, 7, -1]), "weight": table})
    place = BACKEND.devices()[0]
    with pytest.raises(OperandIndexError, match="holds 7 at"):
        launched(case, place)
    kernel = BACKEND.compile(case.program, place)
    (got,) = jax.jit(lambda i, w: kernel.launch([i, w], [], case.sizes, case.scalars))(
        *case.arrays
    )
    assert np.array_equal(got, table[[1, 2, 0]])


@needs_jax
def test_rounding_to_sixteen_bits_is_kept(programs: ModuleType) -> None:
    spec = """op rounded(x: float32[n]) -> y: float32[n]
    y[i] = float32(bfloat16(x[i]))"""
    case = programs.case(spec, {"x": np.float32([1.01, 3.14159])})
    (got,) = launched(case, BACKEND.devices()[0])
    assert (BACKEND.to_numpy(got) != case.arrays[0]).all()


@needs_jax
def test_arrays_and_views() -> None:
    import jax.numpy as jnp

    place = BACKEND.devices()[0]
    x = BACKEND.asarray(normal(2, 3), place)
    found = BACKEND.owner(x)
    assert found is not None
    assert found.name == place.name
    assert BACKEND.owner(np.zeros(3)) is None
    assert BACKEND.asarray(jnp.ones(3), place).shape == (3,)
    assert BACKEND.view(x, View((1, 0), (3, 1, 2), (3, 4, 2))).shape == (3, 4, 2)
    BACKEND.synchronize(place)


@needs_jax
def test_every_function_keeps_its_stated_ulp(programs: ModuleType) -> None:
    place = BACKEND.devices()[0]
    x = np.concatenate([np.linspace(-8, 8, 4001), np.geomspace(1e-30, 1e30, 997)])
    x = x.astype(np.float32)
    arithmetic = Arithmetic(ulp=device.ULP, flushes=True)
    for operator in ("exp", "tanh", "sin", "log1p", "erf", "silu", "gelu", "sigmoid"):
        name = load_library()[operator].tensors[0].name
        case = programs.case(operator, {name: x})
        judged = evaluate_bounds(*case.arguments, arithmetic)["y"]
        (got,) = launched(case, place)
        assert usage(judged, BACKEND.to_numpy(got)).max() <= 1, operator
