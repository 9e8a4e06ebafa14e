# ruff: noqa: E501 -- specs and C text keep their lines
"""Attention, derived: every variant against float64, and what is skipped."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from types import ModuleType

import ml_dtypes
import numpy as np
import pytest

from opslib.ir.tiles import Mma, RowFold, TileLoop
from opslib.lowering.passes import prepare
from opslib.lowering.skeletons import streaming, streaming_tiles
from opslib.lowering.skeletons.arith import integer
from opslib.lowering.skeletons.builder import Builder


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

ATTENTION = """\
op attend(q: T[..., (g r), s, d], k: T[..., g, t, d], v: T[..., g, t, e], bias: T[s, t]?,
          mask: bool[s, t]?, sink: T[(g r)]?, *, scale: float = 1 / sqrt(d),
          causal: bool = false, softcap: float = 0.0, window: int = 1000000)
          -> (o: T[..., (g r), s, e], lse: float32[..., (g r), s]) where T: float
    a[..., (h u), i, j] = scale * sum[c](q[..., (h u), i, c] * k[..., h, j, c])
    b[..., (h u), i, j] = softcap * tanh(a[..., (h u), i, j] / softcap) if softcap > 0 else a[..., (h u), i, j]
    l[..., (h u), i, j] = b[..., (h u), i, j] if bias is none else b[..., (h u), i, j] + bias[i, j]
    x[..., (h u), i, j] = (l[..., (h u), i, j] if (mask is none or mask[i, j])
        and (not causal or j - t <= i - s) and j > i + t - s - window else -inf)
    m[..., (h u), i] = max[j](x[..., (h u), i, j])
    y[..., (h u), i] = m[..., (h u), i] if sink is none else max(m[..., (h u), i], sink[(h u)])
    p[..., (h u), i] = 0 if y[..., (h u), i] == -inf else y[..., (h u), i]
    n[..., (h u), i] = (sum[j](exp(x[..., (h u), i, j] - p[..., (h u), i]))
                        + (0 if sink is none else exp(sink[(h u)] - p[..., (h u), i])))
    o[..., (h u), i, c] = (0 if m[..., (h u), i] == -inf else
        sum[j](exp(x[..., (h u), i, j] - p[..., (h u), i]) * v[..., h, j, c]) / n[..., (h u), i])
    lse[..., (h u), i] = p[..., (h u), i] + log(n[..., (h u), i])
"""
PLAIN = """\
op plain(q: T[s, d], k: T[t, d], v: T[t, e], *, causal: bool = false) -> o: T[s, e] where T: float
    b[i, j] = sum[c](q[i, c] * k[j, c]) if not causal or j - t <= i - s else -inf
    p[i, j] = softmax[j](b[i, j])
    o[i, c] = sum[j](p[i, j] * v[j, c])
"""


def numpy_attention(q, k, v, *, bias=None, mask=None, sink=None, scale=None, causal=False,
                    softcap=0.0, window=1000000):  # fmt: skip
    """The textbook, in float64."""
    q, k, v = (x.astype(np.float64) for x in (q, k, v))
    heads, (s, d), t = q.shape[-3], q.shape[-2:], k.shape[-2]
    k, v = (np.repeat(x, heads // x.shape[-3], axis=-3) for x in (k, v))
    x = q @ np.swapaxes(k, -1, -2) * (1 / math.sqrt(d) if scale is None else scale)
    x = softcap * np.tanh(x / softcap) if softcap else x
    x = x if bias is None else x + bias.astype(np.float64)
    i, j = np.arange(s)[:, None], np.arange(t)
    seen = np.broadcast_to(j > i + t - s - window, (s, t))
    seen = seen & (j - t <= i - s) if causal else seen
    seen = seen if mask is None else seen & mask
    x = np.where(seen, x, -np.inf)
    m = x.max(-1, keepdims=True, initial=-np.inf)
    y = m if sink is None else np.maximum(m, sink.astype(np.float64)[:, None, None])
    p = np.where(y == -np.inf, 0, y)
    w = np.exp(x - p)
    n = w.sum(-1, keepdims=True)
    n = n if sink is None else n + np.exp(sink.astype(np.float64)[:, None, None] - p)
    with np.errstate(all="ignore"):
        return np.where(m == -np.inf, 0, w @ v / n), (p + np.log(n))[..., 0]


SHAPES = [
    (1, 1, 1, 1, 1, 1, 1), (2, 2, 2, 5, 7, 4, 3), (1, 2, 3, 50, 300, 32, 33),
    (1, 1, 1, 1, 513, 64, 64), (1, 1, 1, 300, 100, 8, 8), (1, 1, 2, 230, 260, 16, 70),
]  # fmt: skip
VARIANTS = {
    "plain": {},
    "causal": {"causal": True},
    "window": {"causal": True, "window": 5},
    "softcap": {"softcap": 2.0, "scale": 1.5},
    "bias": {"bias": True},
    "mask": {"mask": True},
    "sink": {"sink": True},
    "all": {"sink": True, "bias": True, "mask": True, "causal": True, "softcap": 3.0},
}


def drawn(rng, shape, options, dtype=np.float32):
    """Arrays and attributes of a variant."""
    b, g, r, s, t, d, e = shape
    made = {
        "q": rng.standard_normal((b, g * r, s, d)).astype(dtype),
        "k": rng.standard_normal((b, g, t, d)).astype(dtype),
        "v": rng.standard_normal((b, g, t, e)).astype(dtype),
    }
    options = dict(options)
    if options.pop("bias", False):
        made["bias"] = rng.standard_normal((s, t)).astype(dtype)
    if options.pop("mask", False):
        made["mask"] = rng.random((s, t)) > 0.6
    if options.pop("sink", False):
        made["sink"] = rng.standard_normal(g * r).astype(dtype)
    return made, options


def check(shape, options, dtype, tolerance: float) -> None:
    rng = np.random.default_rng(0)
    made, attributes = drawn(rng, shape, options, dtype)
    ran = c.Launch(ATTENTION, made, attributes)
    assert ran.skeleton == "streaming"
    o, lse = numpy_attention(**made, **attributes)
    for got, want in ((ran.outputs["o"], o), (ran.outputs["lse"], lse)):
        np.testing.assert_allclose(
            got.reshape(want.shape).astype(np.float64),
            want,
            rtol=tolerance,
            atol=tolerance,
        )


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_variants(variant: str) -> None:
    for shape in SHAPES:
        check(shape, VARIANTS[variant], np.float32, 2e-5)


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(np.float64, 1e-6), (np.float16, 2e-3), (ml_dtypes.bfloat16, 2e-2)],
)
def test_dtypes(dtype: object, tolerance: float) -> None:
    for shape in SHAPES:
        check(shape, {"causal": True, "sink": True}, dtype, tolerance)


def test_float64_keeps_its_precision() -> None:
    rng = np.random.default_rng(1)
    q, k, v = (rng.standard_normal(s) for s in ((40, 16), (600, 16), (600, 9)))
    got = c.Launch(PLAIN, {"q": q, "k": k, "v": v}).output
    x = q @ k.T
    w = np.exp(x - x.max(-1, keepdims=True))
    np.testing.assert_allclose(
        got, w @ v / w.sum(-1, keepdims=True), rtol=1e-12, atol=1e-14
    )


def test_against_torch() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(2)
    made, _ = drawn(rng, (2, 4, 1, 70, 70, 32, 32), {})
    for causal in (False, True):
        got = c.Launch(ATTENTION, made, {"causal": causal}).outputs["o"]
        want = torch.nn.functional.scaled_dot_product_attention(
            *(torch.from_numpy(made[n]) for n in "qkv"), is_causal=causal
        )
        got = got.reshape(want.shape)
        np.testing.assert_allclose(got, want.numpy(), rtol=2e-5, atol=2e-5)


def test_one_hot_probabilities_select_values_exactly() -> None:
    """Scores 200 apart: the softmax is 0 and 1, and the output is a value, bit for bit."""
    rng = np.random.default_rng(3)
    for t in (1, 31, 257, 600):
        order = rng.permutation(t)
        k = np.eye(t, dtype=np.float32)
        q = np.float32(200) * k[order]
        v = rng.integers(1 << 23, 1 << 24, (t, 19)).astype(np.float32)
        assert np.array_equal(
            c.Launch(PLAIN, {"q": q, "k": k, "v": v}).output, v[order]
        )


def test_masked_rows_and_blocks() -> None:
    """Whole rows, and whole steps of j before valid ones, masked."""
    rng = np.random.default_rng(4)
    made, _ = drawn(rng, (1, 1, 1, 6, 900, 8, 8), {})
    mask = np.zeros((6, 900), bool)
    mask[1, 899] = mask[2, 0] = mask[3, 300:600] = mask[4, :] = True
    ran = c.Launch(ATTENTION, made | {"mask": mask})
    o, lse = numpy_attention(**made, mask=mask)
    got, got_lse = (
        ran.outputs["o"].reshape(o.shape),
        ran.outputs["lse"].reshape(lse.shape),
    )
    np.testing.assert_allclose(got, o, rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(got_lse, lse, rtol=2e-5, atol=2e-5)
    assert (got[0, 0, 0] == 0).all()
    assert got_lse[0, 0, 0] == -np.inf


def test_fully_masked_row_without_a_guard_is_nan() -> None:
    """What the spec's own formula gives."""
    rng = np.random.default_rng(5)
    q, k, v = (
        rng.standard_normal(s).astype(np.float32) for s in ((9, 4), (3, 4), (3, 2))
    )
    got = c.Launch(PLAIN, {"q": q, "k": k, "v": v}, {"causal": True}).output
    assert np.isnan(got[:6]).all()
    assert np.isfinite(got[6:]).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_inf_stay_in_their_row(bad: float) -> None:
    rng = np.random.default_rng(6)
    q, k, v = (
        rng.standard_normal(s).astype(np.float32) for s in ((20, 4), (300, 4), (300, 5))
    )
    q[7, 1] = bad
    got = c.Launch(PLAIN, {"q": q, "k": k, "v": v}).output
    assert np.isnan(got[7]).all()
    assert np.isfinite(np.delete(got, 7, axis=0)).all()


def test_nan_among_masked_scores_reaches_the_row() -> None:
    made, _ = drawn(np.random.default_rng(7), (1, 1, 1, 4, 10, 4, 4), {})
    made["bias"] = np.full((4, 10), -np.inf, np.float32)
    made["bias"][:2, 3] = np.nan
    ran = c.Launch(ATTENTION, made)
    got = ran.outputs["o"].reshape(4, 4)
    assert np.isnan(got[:2]).all()
    assert (got[2:] == 0).all()
    assert np.isnan(ran.outputs["lse"].reshape(4)[:2]).all()


def test_strided_inputs() -> None:
    """Sequence-major storage, as projections leave it: heads are a strided axis."""
    rng = np.random.default_rng(8)
    made, _ = drawn(rng, (2, 4, 1, 33, 65, 16, 16), {})
    o, _ = numpy_attention(**made)
    moved = {
        n: np.ascontiguousarray(x.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)
        for n, x in made.items()
    }
    moved["v"] = np.ascontiguousarray(made["v"].swapaxes(2, 3)).swapaxes(2, 3)
    got = c.Launch(ATTENTION, moved).outputs["o"].reshape(o.shape)
    np.testing.assert_allclose(got, o, rtol=2e-5, atol=2e-5)


# --- Structure ---------------------------------------------------------------------


def matched(attributes: dict[str, object]) -> streaming.Streaming:
    made, _ = drawn(np.random.default_rng(9), (1, 2, 3, 4, 5, 6, 7), {})
    program = prepare(c.case(ATTENTION, made, attributes).program)
    found = streaming.match(program)
    assert found is not None
    return found


def test_axes_are_sorted() -> None:
    found = matched({})
    sizes = [[str(a.stop.name) for a in g.axes] for g in (found.rows, found.columns)]
    assert sizes == [["r", "s"], ["e"]]
    assert [a.stop.name for a in found.batch.axes][-1] == "g"
    assert [a.stop.name for a in found.d.axes] == ["d"]


def test_causal_blocks_are_skipped() -> None:
    """The loop over j ends at the block's last visible key."""
    found = matched({"causal": True})
    program = streaming_tiles.tiles(
        found, Builder(found.program, {}), (4, 8), integer(16)
    )
    loop = program.body[0]
    while isinstance(loop, TileLoop) and loop.kind == "grid":
        inner = [s for s in loop.body if isinstance(s, TileLoop)]
        loop = inner[0]
    assert isinstance(loop, TileLoop)
    assert loop.axis.stop is not found.j.stop
    assert sum(isinstance(s, Mma) for s in loop.body) == 2
    assert sum(isinstance(s, RowFold) for s in loop.body) == 2


@pytest.mark.parametrize("rows", [4, 300])
def test_keys_that_no_row_of_a_block_sees_are_not_read(rows: int) -> None:
    """What would spoil every score and sum of the block is in steps it does not run."""
    rng = np.random.default_rng(10)
    made, _ = drawn(rng, (1, 1, 1, rows, 1600, 8, 8), {})
    for name in "kv":
        made[name][..., 1024:, :] = np.nan
    plain = {"q": made["q"][0, 0], "k": made["k"][0, 0], "v": made["v"][0, 0]}
    spec = PLAIN.replace("j - t <= i - s", "j <= i")
    got = c.Launch(spec, plain, {"causal": True}).output
    cut = {n: x if n == "q" else x[:rows] for n, x in plain.items()}
    want = c.Launch(PLAIN, cut, {"causal": True}).output
    np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-5)


def test_other_softmaxes_are_left_alone() -> None:
    spec = "op f(x: T[m, n]) -> y: T[m, n] where T: float\n    y[i, j] = softmax[j](x[i, j])\n"
    program = prepare(c.case(spec, {"x": np.zeros((2, 3), np.float32)}).program)
    assert streaming.match(program) is None
