"""The CPU backend against the judge: every shape, stride and tail, every primitive."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opslib.backends.cpu import backend
from opslib.backends.cpu.renderer import MAX_LAYOUTS, layout_of
from opslib.backends.cpu.target import TARGETS, compiler_flags, host_target

from opslib.errors import BackendUnavailable, OperandIndexError
from opslib.ir.dtypes import (
    BFLOAT16,
    BOOL,
    DTYPES,
    FLOAT16,
    FLOAT32,
    FLOAT64,
    INT64,
    DType,
)
from opslib.ir.evaluate import evaluate
from opslib.ir.expr import (
    ZERO,
    Axis,
    Cast,
    Define,
    Index,
    Prim,
    Program,
    Read,
    Size,
    Tensor,
)
from opslib.ir.primitives import PRIMITIVES
from opslib.runtime.protocol import Backend, Kernel

BACKEND = backend()
(DEVICE,) = BACKEND.devices()
pytestmark = pytest.mark.skipif(DEVICE.why_not is not None, reason=str(DEVICE.why_not))
LANES = host_target().lanes
N, J = Size("n"), Index("j")


@pytest.fixture(scope="module")
def forms() -> ModuleType:
    """Hand-made programs of tests/lowering/forms.py."""
    file = Path(__file__).parents[1] / "lowering" / "forms.py"
    spec = importlib.util.spec_from_file_location("opslib_test_forms", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def compiled(forms: ModuleType) -> dict[str, Any]:
    """All hand-made programs, compiled together."""
    programs = [make() for make in forms.ALL]
    kernels = BACKEND.compile_many(programs, DEVICE)
    return {p.name: k for p, k in zip(programs, kernels, strict=True)}


def test_it_is_a_backend(compiled: dict[str, Any]) -> None:
    assert isinstance(BACKEND, Backend)
    assert isinstance(compiled["add"], Kernel)
    assert DEVICE.family == f"cpu-{host_target().name}"
    assert "opslib_kernel.h" in compiled["add"].source


def laid_out(values: np.ndarray, how: str) -> np.ndarray:
    """The same values in other memory."""
    match how:
        case "offset":  # misaligned for vectors by one element
            flat = np.empty(values.size + 1, values.dtype)
            room = flat[1:].reshape(values.shape)
        case "transposed":
            room = np.empty(values.shape[::-1], values.dtype).T
        case "negative":
            room = np.empty(values.shape, values.dtype)[..., ::-1]
        case "spread":
            room = np.empty((*values.shape[:-1], values.shape[-1] * 3), values.dtype)
            room = room[..., ::3]
        case _:
            return values.copy()
    room[...] = values
    return room


LAYOUTS = ("plain", "offset", "transposed", "negative", "spread")
# Around one vector, and around the four of an unrolled reduction.
WIDTHS = sorted(
    {0, 1, 2, 3, 5, *(k * LANES + d for k in (1, 2, 4, 5) for d in (-1, 0, 1))}
)
NAMES = (
    *("add", "transpose", "shifted", "softmax", "sum_rows", "sum_columns", "argmax"),
    *("cumsum", "sort", "recurrence", "scatter"),
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    name=st.sampled_from(NAMES),
    m=st.integers(0, 9),
    n=st.sampled_from(WIDTHS),
    how=st.sampled_from(LAYOUTS),
    seed=st.integers(0, 1 << 30),
)
def test_shapes_and_strides(
    compiled: dict[str, Any], name: str, m: int, n: int, how: str, seed: int
) -> None:
    kernel = compiled[name]
    program, rng = kernel.program, np.random.default_rng(seed)
    sizes = {"m": m, "n": n, "s": 4}

    def values(tensor: Tensor) -> np.ndarray:
        shape = tuple(sizes[e.name] for e in tensor.shape)
        if tensor.name == "ids":
            return rng.integers(0, 4, shape)
        return rng.normal(size=shape).astype(tensor.dtype.numpy)

    inputs = [laid_out(values(t), how) for t in program.inputs]
    outputs = [
        laid_out(np.full(tuple(sizes[e.name] for e in t.shape), 77, t.dtype.numpy), how)
        for t in program.outputs
    ]
    given_ = {t.name: a for t, a in zip(program.inputs, inputs, strict=True)}
    expected = evaluate(program, given_, sizes)
    kernel.launch(inputs, outputs, sizes, {})
    for tensor, found in zip(program.outputs, outputs, strict=True):
        np.testing.assert_allclose(
            found,
            expected[tensor.name],
            rtol=2e-5,
            atol=2e-5,
            err_msg=f"{name} {m} {n}",
        )


def test_zero_strides(compiled: dict[str, Any]) -> None:
    x = np.broadcast_to(np.float32([[1], [2], [3]]), (3, 37))
    y = np.broadcast_to(np.arange(37, dtype=np.float32), (3, 37))
    z = np.empty((3, 37), np.float32)
    compiled["add"].launch([x, y], [z], {"m": 3, "n": 37}, {})
    assert (z == x + y).all()


def test_memory_that_no_kernel_can_address_is_copied(compiled: dict[str, Any]) -> None:
    packed = np.zeros(7, np.dtype([("a", "i1"), ("v", "<f4")]))["v"].reshape(1, 7)
    packed[...] = np.arange(7)
    assert not packed.flags.aligned
    compiled["add"].launch([packed, packed], [packed], {"m": 1, "n": 7}, {})
    assert (packed == 2 * np.arange(7)).all()


def test_layouts_are_few(compiled: dict[str, Any]) -> None:
    kernel = compiled["add"]
    x = np.ones((4, 8), np.float32)
    for a in (x, x[:, ::2], np.broadcast_to(x[:, :1], (4, 4)), x.T):
        for b in (x, x[:, ::2], np.broadcast_to(x[:, :1], (4, 4)), x.T):
            for c in (x, x[:, ::2]):
                assert len(layout_of([a, b, c], 2)) == 3
                m, n = 4, 4
                out = np.empty((4, 8), np.float32)[:, :: 2 if c is not x else 1][:, :4]
                kernel.launch([a[:4, :4], b[:4, :4]], [out], {"m": m, "n": n}, {})
                assert (out == 2).all()
    assert len(kernel._variants) <= MAX_LAYOUTS + 1


def test_an_index_out_of_bounds(compiled: dict[str, Any]) -> None:
    ids, x = np.array([0, 9]), np.ones((2, 3), np.float32)
    out = np.empty((4, 3), np.float32)
    with pytest.raises(OperandIndexError, match=r"ids holds 9, and the extent is 4"):
        compiled["scatter"].launch([ids, x], [out], {"m": 2, "n": 3, "s": 4}, {})


def test_memory_is_not_touched_outside_the_arrays(compiled: dict[str, Any]) -> None:
    """Arrays that end where the next page may not be read or written."""
    import mmap

    page = mmap.PAGESIZE
    memory = mmap.mmap(-1, 4 * page)
    whole = np.frombuffer(memory, np.uint8)
    import ctypes

    base = whole.ctypes.data
    libc = ctypes.CDLL(None, use_errno=True)
    for guard in (1, 3):
        assert libc.mprotect(ctypes.c_void_p(base + guard * page), page, 0) == 0
    for n in WIDTHS[1:]:
        first = whole[:page][-4 * n :].view(np.float32).reshape(1, n)
        second = whole[2 * page : 3 * page][-4 * n :].view(np.float32).reshape(1, n)
        first[...] = np.arange(n)
        for name in ("shifted", "softmax", "cumsum", "recurrence"):
            compiled[name].launch([first], [second], {"m": 1, "n": n}, {})
        compiled["add"].launch([first, first], [second], {"m": 1, "n": n}, {})
        assert (second == 2 * first).all()
    for guard in (1, 3):
        libc.mprotect(ctypes.c_void_p(base + guard * page), page, 3)


def test_a_fold_has_the_same_bits_for_any_number_of_threads(
    compiled: dict[str, Any],
) -> None:
    from opslib.runtime import pool

    x = np.random.default_rng(0).normal(size=300_000).astype(np.float32)
    before, found = pool.num_threads(), set()
    try:
        for threads in (1, 2, 3, 7):
            pool.set_num_threads(threads)
            out = np.empty((), np.float32)
            compiled["total"].launch([x], [out], {"n": x.size}, {})
            found.add(out.tobytes())
    finally:
        pool.set_num_threads(before)
    assert len(found) == 1


# --- primitives and conversions ------------------------------------------------------

CLASSES = {
    "number": [d for d in DTYPES.values() if d != BOOL],
    "any": list(DTYPES.values()),
    "float": [FLOAT16, BFLOAT16, FLOAT32, FLOAT64],
    "int": [d for d in DTYPES.values() if d.is_integer],
    "bool": [BOOL],
}
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -2.5, np.inf, -np.inf, np.nan]


def pointwise(name: str, inputs: list[DType], make) -> Program:
    tensors = tuple(Tensor(f"x{k}", d, (N,)) for k, d in enumerate(inputs))
    value = make(*(Read(t.name, (J,), t.dtype) for t in tensors))
    define = Define("y", (Axis("j", ZERO, N),), (J,), value)
    out = Tensor("y", value.dtype, (N,))
    return Program(name, tensors, (out,), (), (), ("n",), (define,))


def samples(dtype: DType, count: int, rng: np.random.Generator) -> np.ndarray:
    if dtype == BOOL:
        return rng.random(count) < 0.5
    if dtype.is_integer:
        info = np.iinfo(dtype.numpy)
        low = -5 if dtype.kind == "int" else 0
        values = rng.integers(low, 6, count).astype(dtype.numpy)
        values[rng.random(count) < 0.1] = info.max
        values[rng.random(count) < 0.1] = info.min
        return values
    values = rng.normal(size=count) * 3
    special = rng.random(count) < 0.3
    values[special] = rng.choice(SPECIAL, special.sum())
    return values.astype(dtype.numpy)


def result(op: str, dtype: DType) -> DType:
    return BOOL if PRIMITIVES[op].result == "bool" else dtype


def operator(op: str, dtype: DType) -> Program:
    return pointwise(
        f"{op}_{dtype}",
        [dtype] * PRIMITIVES[op].arity,
        lambda *args: Prim(op, args, result(op, dtype)),
    )


def check(programs: list[Program], exact: bool) -> None:
    """Compiled together; whole arrays, and each element by itself: the same bits."""
    if not programs:
        return
    count = 2 * LANES + 3
    for program, kernel in zip(
        programs, BACKEND.compile_many(programs, DEVICE), strict=True
    ):
        rng = np.random.default_rng(len(program.name))
        inputs = [samples(t.dtype, count, rng) for t in program.inputs]
        given_ = {t.name: a for t, a in zip(program.inputs, inputs, strict=True)}
        with np.errstate(all="ignore"):
            expected = evaluate(program, given_, {"n": count})["y"]
        found, alone = np.empty_like(expected), np.empty_like(expected)
        kernel.launch(inputs, [found], {"n": count}, {})
        for k in range(count):
            one = [a[k : k + 1] for a in inputs]
            kernel.launch(one, [alone[k : k + 1]], {"n": 1}, {})
        same = (found == alone) | (found != found) & (alone != alone)
        assert same.all(), f"{program.name}: a tail gives other bits than the body"
        if exact or not program.outputs[0].dtype.is_float:
            ok = (found == expected) | (found != found) & (expected != expected)
        else:
            loose = {"float16": 2e-3, "bfloat16": 2e-2, "float32": 4e-6}
            ok = np.isclose(
                found.astype(float),
                expected.astype(float),
                rtol=loose.get(str(program.outputs[0].dtype), 1e-13),
                atol=1e-300,
                equal_nan=True,
            )
        bad = np.flatnonzero(~ok)[:3]
        assert ok.all(), (
            f"{program.name}{[tuple(a[k] for a in inputs) for k in bad]}: "
            f"{found[bad]}, not {expected[bad]}"
        )


# Elementary functions have a stated error; the native tests hold them to it.
BASIC = [
    p.name
    for p in PRIMITIVES.values()
    if p.arity == 2 or p.classes != "float" or p.result == "bool"
]
INEXACT = ("pow", "atan2", "hypot", "mod", "fmod")


@pytest.mark.parametrize("dtype", list(DTYPES.values()), ids=str)
def test_primitives(dtype: DType) -> None:
    names = [p for p in BASIC if dtype in CLASSES[PRIMITIVES[p].classes]]
    exact = [p for p in names if p not in INEXACT]
    check([operator(p, dtype) for p in exact], exact=True)
    check([operator(p, dtype) for p in names if p in INEXACT], exact=False)


@pytest.mark.parametrize("dtype", [FLOAT16, FLOAT32, FLOAT64], ids=str)
def test_functions_run(dtype: DType) -> None:
    names = [p for p in PRIMITIVES if p not in BASIC]
    kernels = BACKEND.compile_many([operator(p, dtype) for p in names], DEVICE)
    x = np.linspace(0.1, 0.9, 37).astype(dtype.numpy)
    for name, kernel in zip(names, kernels, strict=True):
        found = np.empty_like(x)
        kernel.launch([x], [found], {"n": 37}, {})
        with np.errstate(all="ignore"):
            expected = evaluate(kernel.program, {"x0": x}, {"n": 37})["y"]
        np.testing.assert_allclose(
            found.astype(float),
            expected.astype(float),
            rtol=1e-3 if dtype == FLOAT16 else 1e-5,
            err_msg=name,
        )


@pytest.mark.parametrize("source", list(DTYPES.values()), ids=str)
def test_casts(source: DType) -> None:
    # Out of range, float to integer has no one answer; only safe values are compared.
    targets = [t for t in DTYPES.values() if not (source.is_float and t.is_integer)]
    check(
        [
            pointwise(f"cast_{source}_{t}", [source], lambda x, t=t: Cast(x, t))
            for t in targets
        ],
        exact=True,
    )


def test_flags_of_every_target() -> None:
    for target in TARGETS:
        for compiler in ("gcc", "clang", "zig"):
            flags = compiler_flags(target, compiler)
            assert "-ffp-contract=off" in flags
            assert not any("fast-math" in f for f in flags)


def test_without_a_compiler_the_device_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPSLIB_CC", "/nowhere/cc")
    (device,) = BACKEND.devices()
    assert device.why_not is not None
    assert "OPSLIB_CC" in device.why_not
    with pytest.raises(BackendUnavailable):
        BACKEND.compile(operator("add", INT64), device)
