"""Contractions through the whole compiler: exactness first, then shapes and layouts."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from pathlib import Path
from types import ModuleType

import ml_dtypes
import numpy as np
import pytest

from opslib.lowering import cpu_target
from opslib.lowering.passes import prepare
from opslib.lowering.skeletons import contraction


def _load() -> ModuleType:
    name = "opslib_test_contractions"
    if name not in sys.modules:
        file = Path(__file__).with_name("contractions.py")
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


c = _load()
MR = cpu_target.host().rows
NR = cpu_target.host().vectors * cpu_target.host().vector_bytes // 4


def integers(rng: np.random.Generator, *shape: int, dtype: object = np.float32):
    return rng.integers(-9, 10, shape).astype(dtype)


def exact(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The product in wide integers: what every order of summation must give."""
    return a.astype(np.int64) @ b.astype(np.int64)


AWKWARD = [
    *itertools.product((0, 1, 2, 5), (0, 1, 3, 5), (0, 1, 7)),
    (MR - 1, NR - 1, 13), (MR, NR, 16), (MR + 1, NR + 1, 17), (33, 65, 257),
    (3 * MR + 5, 2 * NR + 7, 511), (67, 131, 512), (67, 131, 513), (1, 300, 33),
    (300, 1, 33), (4, 129, 100), (129, 4, 100), (5, 129, 1030), (600, 1100, 40),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
def test_exact_integer_probe(dtype: str) -> None:
    """No tolerance: bits equal to int64, at every tail."""
    rng = np.random.default_rng(0)
    kind = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    for m, n, k in AWKWARD:
        a, b = integers(rng, m, k, dtype=kind), integers(rng, k, n, dtype=kind)
        ran = c.Launch(c.MATMUL, {"a": a, "b": b})
        assert ran.skeleton == "contraction"
        want = exact(a, b).astype(np.float32).astype(kind)
        assert np.array_equal(ran.output, want), (m, n, k)


@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
)
def test_integers_wrap(dtype: str) -> None:
    rng = np.random.default_rng(1)
    info = np.iinfo(dtype)
    for m, n, k in [(1, 1, 1), (3, 5, 70), (33, 65, 40)]:
        a = rng.integers(info.min, info.max, (m, k), dtype=dtype, endpoint=True)
        b = rng.integers(info.min, info.max, (k, n), dtype=dtype, endpoint=True)
        ran = c.Launch(c.MATMUL, {"a": a, "b": b})
        with np.errstate(over="ignore"):
            assert np.array_equal(ran.output, a @ b), (m, n, k)


def test_one_hot_probe() -> None:
    """24-bit mantissas times a permutation come back bit for bit."""
    rng = np.random.default_rng(2)
    for n in (5, 64, 127, 600):
        a = rng.integers(1 << 23, 1 << 24, (n, n)).astype(np.float32)
        order = rng.permutation(n)
        b = np.zeros((n, n), np.float32)
        b[order, np.arange(n)] = 1
        assert np.array_equal(c.Launch(c.MATMUL, {"a": a, "b": b}).output, a[:, order])


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
def test_random_data_is_within_the_bound(dtype: str) -> None:
    rng = np.random.default_rng(3)
    kind = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    unit = {"float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
    for k in (64, 1000, 3000):
        a = rng.standard_normal((40, k)).astype(kind)
        b = rng.standard_normal((k, 70)).astype(kind)
        got = c.Launch(c.MATMUL, {"a": a, "b": b}).output
        wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
        terms = np.sqrt((wide_a**2) @ (wide_b**2))
        assert c.within(got, wide_a @ wide_b, terms, k, unit.get(dtype, 2.0**-24))


def _layouts(a: np.ndarray) -> dict[str, np.ndarray]:
    big = np.zeros((a.shape[0] * 2 + 1, a.shape[1] * 3 + 2), a.dtype)
    big[1::2, 1:-1:3][: a.shape[0], : a.shape[1]] = a
    odd = np.zeros(a.size + 1, a.dtype)[1:].reshape(a.shape)
    odd[...] = a
    return {
        "row": a,
        "column": np.asfortranarray(a),
        "strided": big[1::2, 1:-1:3][: a.shape[0], : a.shape[1]],
        "backwards": np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1],
        "misaligned": odd,
    }


@pytest.mark.parametrize(
    "shape", [(1, 70, 40), (33, 65, 40), (70, 3, 33), (200, 300, 520)]
)
def test_every_layout(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(4)
    m, n, k = shape
    a, b = integers(rng, m, k), integers(rng, k, n)
    want = exact(a, b).astype(np.float32)
    for (one, x), (two, y) in itertools.product(
        _layouts(a).items(), _layouts(b).items()
    ):
        got = c.Launch(c.MATMUL, {"a": x, "b": y}).output
        assert np.array_equal(got, want), (one, two)


def test_outputs_of_any_layout() -> None:
    rng = np.random.default_rng(5)
    a, b = integers(rng, 37, 50), integers(rng, 50, 41)
    ran = c.Launch(c.MATMUL, {"a": a, "b": b})
    for out in (
        np.zeros((41, 37), np.float32).T,
        np.zeros((37, 123), np.float32)[:, ::3],
    ):
        ran.kernel.launch([a, b], [out], ran.case.sizes, ran.case.scalars)
        assert np.array_equal(out, exact(a, b))


def test_batches_broadcast() -> None:
    rng = np.random.default_rng(6)
    for left, right in [
        ((3,), ()),
        ((), (3,)),
        ((2, 1), (3,)),
        ((2, 3), (2, 3)),
        ((0,), ()),
    ]:
        a = integers(rng, *left, 17, 30)
        b = integers(rng, *right, 30, 35)
        got = c.Launch(c.MATMUL, {"a": a, "b": b}).output
        assert np.array_equal(got, exact(a, b)), (left, right)


def test_nan_reaches_its_row_and_no_other() -> None:
    """A peer's bfloat16 matmul leaks a nan into the next row at K = 33, 65, 257."""
    for dtype in (np.float32, ml_dtypes.bfloat16, np.float16):
        for k in (1, 33, 65, 257):
            a, b = np.ones((9, k), dtype), np.ones((k, 40), dtype)
            a[4, k - 1] = np.nan
            b[0, 7] = np.inf
            got = c.Launch(c.MATMUL, {"a": a, "b": b}).output.astype(np.float32)
            assert np.isnan(got[4]).all()
            rest = np.delete(got, 4, axis=0)
            assert np.isinf(rest[:, 7]).all()
            assert (np.delete(rest, 7, axis=1) == dtype(k)).all(), (dtype, k)


# --- Other structures --------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 3, 50])
def test_epilogue(rows: int) -> None:
    rng = np.random.default_rng(7)
    x = rng.standard_normal((2, rows, 60)).astype(np.float32)
    w = rng.standard_normal((45, 60)).astype(np.float32)
    b = rng.standard_normal(45).astype(np.float32)
    ran = c.Launch(c.LINEAR, {"x": x, "w": w, "b": b})
    assert ran.skeleton == "contraction"
    np.testing.assert_allclose(ran.output, ran.reference()["y"], rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("rows", [1, 30])
def test_several_sums_share_a_side(rows: int) -> None:
    rng = np.random.default_rng(8)
    x, u, g = (
        rng.standard_normal(s).astype(np.float32)
        for s in ((rows, 70), (40, 70), (40, 70))
    )
    ran = c.Launch(c.GATED, {"x": x, "u": u, "g": g})
    assert ran.skeleton == "contraction"
    for name, want in ran.reference().items():
        np.testing.assert_allclose(ran.outputs[name], want, rtol=1e-4, atol=1e-4)


def test_several_axes_in_any_order() -> None:
    rng = np.random.default_rng(9)
    for p, x, y, q, r in [(3, 4, 5, 6, 7), (20, 7, 3, 40, 33), (1, 1, 1, 1, 1)]:
        a, b = integers(rng, p, x, y, q), integers(rng, y, r, x)
        ran = c.Launch(c.TENSORDOT, {"a": a, "b": b})
        assert ran.skeleton == "contraction"
        want = np.einsum("pxyq,yrx->qrp", a.astype(np.int64), b.astype(np.int64))
        assert np.array_equal(ran.output, want)


def test_a_computed_operand_is_packed() -> None:
    rng = np.random.default_rng(10)
    x = integers(rng, 20, 70)
    w = rng.integers(-9, 10, (35, 70)).astype(np.int8)
    s = (2.0 ** rng.integers(-3, 4, 35)).astype(np.float32)
    ran = c.Launch(c.DEQUANTISED, {"x": x, "w": w, "s": s})
    assert ran.skeleton == "contraction"
    assert np.array_equal(ran.output, exact(x, w.T) * s)


def _convolved(x, f, stride, pad, dilation, groups):
    """Convolution in int64, by its definition."""
    x = np.pad(x.astype(np.int64), ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    n, _, h, w = x.shape
    out, per, p, q = f.shape
    oh = (h - dilation * (p - 1) - 1) // stride + 1
    ow = (w - dilation * (q - 1) - 1) // stride + 1
    y = np.zeros((n, out, oh, ow), np.int64)
    for o in range(out):
        g = o // (out // groups)
        for u, v in itertools.product(range(p), range(q)):
            part = x[:, g * per : (g + 1) * per]
            part = part[:, :, u * dilation :, v * dilation :]
            part = part[:, :, : stride * oh : stride, : stride * ow : stride]
            y[:, o] += np.einsum("ncyx,c->nyx", part, f[o, :, u, v].astype(np.int64))
    return y


@pytest.mark.parametrize(
    ("shape", "filters", "options"),
    [
        ((2, 3, 9, 11), (5, 3, 3, 3), {"pad": 1}),
        ((1, 16, 7, 7), (40, 16, 1, 1), {}),
        ((2, 16, 30, 33), (20, 16, 3, 5), {"stride": 2, "pad": 2}),
        ((3, 12, 17, 13), (8, 3, 3, 3), {"pad": 1}),
        ((3, 12, 17, 13), (8, 3, 3, 3), {"stride": 3, "pad": 2, "dilation": 2}),
        ((1, 3, 5, 300), (2, 3, 2, 7), {"pad": 9, "dilation": 3}),
        ((1, 70, 20, 40), (40, 70, 3, 3), {"pad": 1}),
        ((2, 6, 9, 9), (6, 1, 3, 3), {"pad": 1}),
        ((1, 4, 9, 70), (16, 1, 3, 3), {"pad": 1, "stride": 2}),
        ((2, 40, 9, 33), (3, 40, 3, 3), {"pad": 1}),
        ((1, 20, 6, 20), (100, 20, 3, 3), {"pad": 1, "stride": 2}),
    ],
)
def test_convolution(shape, filters, options) -> None:
    rng = np.random.default_rng(11)
    options = {"stride": 1, "pad": 0, "dilation": 1} | options
    for dtype in (np.float32, ml_dtypes.bfloat16):
        high = 9 if dtype is np.float32 else 3
        x = rng.integers(-high, high + 1, shape).astype(dtype)
        f = rng.integers(-high, high + 1, filters).astype(dtype)
        ran = c.Launch(c.CONV, {"x": x, "f": f}, options)
        assert ran.skeleton == "contraction"
        want = _convolved(x, f, **options, groups=shape[1] // filters[1])
        got = ran.output.reshape(want.shape)  # groups are an axis of their own
        assert np.array_equal(got, want.astype(np.float32).astype(dtype))


def test_windows_of_a_convolution_are_not_copied_by_loops() -> None:
    """Both ways through the image are functions; the weights merge into a matrix."""
    x, f = np.zeros((2, 3, 9, 11), np.float32), np.zeros((5, 3, 3, 3), np.float32)
    program = c.case(c.CONV, {"x": x, "f": f}, {"stride": 1, "pad": 1}).program
    text = c.compiled(program).source
    assert "ops_pack_window_f32_f32(" in text
    assert "ops_few_window_f32_f32(" in text
    assert "ops_pack_f32_f32(" in text


def test_padding_times_infinity_is_nan() -> None:
    """Zeros outside are factors, in blocks and with few rows alike."""
    for rows in (1, 20):
        x = np.ones((1, 1, 6, 20), np.float32)
        f = np.ones((rows, 1, 3, 3), np.float32)
        f[:, 0, 0, 0] = np.inf
        got = c.Launch(c.CONV, {"x": x, "f": f}, {"pad": 1, "stride": 1}).output
        got = got.reshape(rows, 6, 20)
        assert np.isnan(got[:, 0]).all()
        assert np.isnan(got[:, :, 0]).all()
        assert np.isposinf(got[:, 1:, 1:]).all()


CAUSAL = """\
op causal(x: T[n, d, t], w: T[d, k]) -> y: T[n, d, t] where T: float
    y[z, h, i] = silu(sum[u](w[h, u] * (x[z, h, i + u - (k - 1)] ?? 0)))
"""


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 5), (2, 5, 300)])
@pytest.mark.parametrize("taps", [1, 4, 7])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_a_window_without_filters_is_streamed(shape, taps, dtype) -> None:
    """One filter for each channel: no axis but the channels' and the fold's."""
    rng = np.random.default_rng(14)
    kind = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    x = rng.standard_normal(shape).astype(kind)
    w = rng.standard_normal((shape[1], taps)).astype(kind)
    ran = c.Launch(CAUSAL, {"x": x, "w": w})
    assert ran.skeleton == "contraction"
    assert "ops_few_window_" in ran.kernel.source
    assert "ops_block_" not in ran.kernel.source
    tolerance = 1e-2 if dtype == "bfloat16" else 1e-5
    got, want = (a.astype(np.float64) for a in (ran.output, ran.reference()["y"]))
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


TRANSPOSED = """\
op transposed(x: T[n, (g c), w], f: T[(g c), o, k], b: T[(g o)], *, stride: int = 1,
              pad: int = 0, extra: int = 0, dilation: int = 1, g: int = 1
              ) -> y: T[n, (g o), (w - 1) * stride - 2 * pad + dilation * (k - 1)
                        + extra + 1] where T: float
    y[z, (h m), i] = sum[q, u](
        (x[z, (h q), (i + pad - u * dilation) // stride] ?? 0) * f[(h q), m, u]
        if (i + pad - u * dilation) % stride == 0 else 0) + b[(h m)]
"""


def _transposed(x, f, b, stride, pad, extra, dilation, g):
    """Each input spread over the output, in int64."""
    n, _, w = x.shape
    c, o, k = f.shape[0] // g, f.shape[1], f.shape[2]
    out = (w - 1) * stride - 2 * pad + dilation * (k - 1) + extra + 1
    y = np.zeros((n, g * o, out + 2 * pad + k * dilation), np.int64)
    for h, u, t in itertools.product(range(g), range(k), range(w)):
        part = x[:, h * c : (h + 1) * c, t].astype(np.int64)
        taps = f[h * c : (h + 1) * c, :, u].astype(np.int64)
        y[:, h * o : (h + 1) * o, t * stride + u * dilation] += part @ taps
    return y[:, :, pad : pad + out] + b.astype(np.int64)[:, None]


@pytest.mark.parametrize(
    ("shape", "filters", "options"),
    [
        ((2, 3, 9), (3, 5, 3), {}),
        ((2, 3, 9), (3, 5, 3), {"stride": 2, "pad": 1, "extra": 1}),
        ((1, 8, 70), (8, 40, 4), {"stride": 2, "pad": 1}),
        ((1, 2, 20), (2, 7, 3), {"stride": 3, "pad": 2, "dilation": 2, "extra": 1}),
        ((1, 2, 20), (2, 7, 3), {"stride": 2, "dilation": 2}),
        ((1, 2, 20), (2, 7, 3), {"stride": 4, "dilation": 6, "extra": 3}),
        ((1, 2, 5), (2, 7, 1), {"stride": 5}),
        ((1, 6, 40), (6, 1, 5), {"stride": 2, "pad": 2, "g": 6}),
        ((2, 600, 9), (600, 6, 2), {"stride": 2}),
    ],
)
def test_transposed_convolution(shape, filters, options) -> None:
    """Strides that leave taps without a remainder, remainders without a tap, ..."""
    rng = np.random.default_rng(13)
    default = {"stride": 1, "pad": 0, "extra": 0, "dilation": 1, "g": 1}
    options = default | options
    x, f = integers(rng, *shape), integers(rng, *filters)
    b = integers(rng, filters[1] * options["g"])
    ran = c.Launch(TRANSPOSED, {"x": x, "f": f, "b": b}, options)
    assert ran.skeleton == "contraction"
    want = _transposed(x, f, b, **options)
    assert np.array_equal(ran.output.reshape(want.shape), want)


def test_taps_that_are_left_out_do_not_count() -> None:
    """The term of a tap that a position does not meet is 0, whatever the weight."""
    x, b = np.ones((1, 1, 6), np.float32), np.zeros(1, np.float32)
    f = np.ones((1, 1, 2), np.float32)
    f[0, 0, 1] = np.inf
    got = c.Launch(TRANSPOSED, {"x": x, "f": f, "b": b}, {"stride": 2, "pad": 0}).output
    assert np.array_equal(got.ravel()[::2], np.ones(6))
    assert np.isposinf(got.ravel()[1::2]).all()


def test_phases_are_for_those_who_ask() -> None:
    arrays = {"x": np.zeros((1, 1, 6)), "f": np.zeros((1, 1, 2)), "b": np.zeros(1)}
    program = prepare(c.case(TRANSPOSED, arrays, {"stride": 2}).program)
    assert contraction.match(program) is None
    found = contraction.match(program, phased=True)
    assert found is not None
    assert [(p.lane, p.deep) for p in found.phases] == [("i", "u")]


def test_convolution_against_torch() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(12)
    x = rng.standard_normal((2, 8, 15, 18)).astype(np.float32)
    f = rng.standard_normal((12, 4, 3, 3)).astype(np.float32)
    got = c.Launch(c.CONV, {"x": x, "f": f}, {"stride": 2, "pad": 1}).output
    want = torch.nn.functional.conv2d(
        torch.from_numpy(x), torch.from_numpy(f), stride=2, padding=1, groups=2
    )
    got = got.reshape(want.shape)
    np.testing.assert_allclose(got, want.numpy(), rtol=1e-4, atol=1e-4)


# --- What is and what is not a contraction -----------------------------------------


def _matched(spec: str, **arrays: np.ndarray) -> contraction.Contraction | None:
    return contraction.match(prepare(c.case(spec, arrays).program))


def test_axes_are_sorted() -> None:
    found = _matched(c.TENSORDOT, a=np.zeros((2, 3, 4, 5)), b=np.zeros((4, 6, 3)))
    assert found is not None
    sizes = [[str(a.stop.name) for a in g.axes] for g in (found.m, found.n, found.k)]
    assert sizes == [["q"], ["r"], ["x", "y"]] or sizes == [
        ["r"],
        ["q", "p"],
        ["x", "y"],
    ]
    assert not found.batch.axes


@pytest.mark.parametrize(
    "spec",
    [
        "op f(x: T[m, n]) -> y: T[m] where T: float\n    y[i] = sum[j](x[i, j])\n",
        "op f(x: T[m, n]) -> y: T[m] where T: float\n    y[i] = sum[j](x[i, j]^2)\n",
        "op f(x: T[m, n]) -> y: T[m] where T: float\n    y[i] = max[j](x[i, j])\n",
    ],
)
def test_reductions_are_left_to_others(spec: str) -> None:
    assert _matched(spec, x=np.zeros((3, 4), np.float32)) is None
