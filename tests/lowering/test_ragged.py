# ruff: noqa: E501 -- specs keep their lines
"""Attention over sequences of different lengths: against a loop over the sequences.

Caches are poisoned: whatever lies behind the end of a sequence is nan, and tables hold
-1 there, so that a read too many shows.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import ml_dtypes
import numpy as np
import pytest

from opslib.ir.expr import Fold, walk
from opslib.lowering import ragged
from opslib.lowering.flatten import absorbed
from opslib.lowering.online_softmax import derive
from opslib.lowering.passes import prepare
from opslib.lowering.skeletons import streaming, streaming_tiles


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


def attend(q, k, v, seen=None, softcap=0.0):
    """One sequence in float64; query i sees the first seen(i) keys."""
    (s, heads, d), (t, g, e) = q.shape, v.shape
    q, k, v = (x.astype(np.float64) for x in (q, k, v))
    k, v = (np.repeat(x, heads // g, axis=1) for x in (k, v))
    out = np.zeros((s, heads, e))
    for i in range(s):
        n = t if seen is None else max(0, min(t, seen(i)))
        for h in range(heads if n else 0):
            x = k[:n, h] @ q[i, h] / np.sqrt(d)
            x = softcap * np.tanh(x / softcap) if softcap else x
            w = np.exp(x - x.max())
            out[i, h] = w @ v[:n, h] / w.sum()
    return out


def starts(lengths) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)


def launch(operator: str, arrays, attributes=None, tolerance: float = 5e-6, want=None):
    ran = c.Launch(operator, arrays, attributes)
    assert ran.skeleton == "streaming"
    got = ran.outputs["o"].reshape(want.shape)
    np.testing.assert_allclose(
        got.astype(np.float64), want, rtol=tolerance, atol=tolerance
    )
    return got


# --- Packed sequences --------------------------------------------------------------

LENGTHS = [
    ([3], [3]),
    ([5, 0, 7], [5, 4, 9]),  # an empty one of queries
    ([100, 1, 0, 0, 300, 5], [120, 1, 0, 30, 300, 0]),  # and one of keys
    ([1, 1, 1, 1], [100, 0, 300, 17]),  # decoding
    ([7, 7], [3, 2]),  # queries that see no key
    ([0, 0, 2], [0, 5, 600]),
]


def packed(lq, lk, heads, g, d, e, dtype=np.float32):
    rng = np.random.default_rng(len(lq))
    cq, ck = starts(lq), starts(lk)
    return {
        "q": rng.standard_normal((cq[-1], heads, d)).astype(dtype),
        "k": rng.standard_normal((ck[-1], g, d)).astype(dtype),
        "v": rng.standard_normal((ck[-1], g, e)).astype(dtype),
        "cu_seqlens_q": cq,
        "cu_seqlens_k": ck,
    }


def by_sequence(made, causal):
    cq, ck = made["cu_seqlens_q"], made["cu_seqlens_k"]
    parts = []
    for b in range(len(cq) - 1):
        q = made["q"][cq[b] : cq[b + 1]]
        k, v = (made[n][ck[b] : ck[b + 1]] for n in "kv")
        more = len(k) - len(q)
        seen = (lambda i, more=more: i + 1 + more) if causal else None
        parts.append(attend(q, k, v, seen))
    return np.concatenate(parts)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("lq", "lk"), LENGTHS)
def test_packed_sequences(lq, lk, causal) -> None:
    for heads, g, d, e in ((4, 2, 16, 24), (3, 3, 5, 7), (32, 1, 8, 8)):
        made = packed(lq, lk, heads, g, d, e)
        want = by_sequence(made, causal)
        launch("varlen_attention", made, {"causal": causal}, want=want)


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(np.float64, 1e-6), (np.float16, 2e-3), (ml_dtypes.bfloat16, 2e-2)],
)
def test_packed_dtypes(dtype, tolerance) -> None:
    made = packed([40, 3, 9], [40, 70, 9], 4, 2, 16, 16, dtype)
    want = by_sequence(made, True)
    launch("varlen_attention", made, {"causal": True}, tolerance, want)


def test_one_sequence_is_attention() -> None:
    made = packed([90], [150], 4, 2, 16, 16)
    whole = {n: made[n].swapaxes(0, 1)[None] for n in "qkv"}
    want = c.Launch("attention", whole, {"causal": True}).outputs["o"]
    want = want.reshape(4, 90, 16).swapaxes(0, 1)
    launch("varlen_attention", made, {"causal": True}, want=want)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_a_row_does_not_see_has_no_effect(bad) -> None:
    """The last key and value of a sequence: only its last query has terms for them."""
    for heads in (1, 4):
        made = packed([30, 400], [30, 400], heads, 1, 8, 8)
        clean = by_sequence(made, True)
        made["v"][29], made["v"][300, 0, 3], made["k"][429] = bad, bad, bad
        ran = c.Launch("varlen_attention", made, {"causal": True})
        got = ran.outputs["o"].reshape(clean.shape)
        rows = np.r_[0:29, 30:300]
        np.testing.assert_allclose(got[rows], clean[rows], rtol=5e-6, atol=5e-6)
        for touched in (got[29], got[300:429, :, 3], got[429]):
            assert not np.isfinite(touched).any()
        others = np.delete(np.arange(8), 3)
        np.testing.assert_allclose(
            got[300:429][..., others], clean[300:429][..., others], rtol=5e-6, atol=5e-6
        )


def test_starts_that_are_out_of_order_mean_what_the_spec_says() -> None:
    """A row's sequence is how many starts lie at or before it, sorted or not."""
    made = packed([6, 6], [6, 6], 2, 1, 4, 4)
    made["cu_seqlens_q"] = np.array([0, 9, 3, 12], np.int32)
    made["cu_seqlens_k"] = np.array([0, 2, 7, 12], np.int32)
    ran = c.Launch("varlen_attention", made)
    want = ran.reference()["o"].reshape(12, 2, 4)
    got = ran.outputs["o"].reshape(12, 2, 4)
    np.testing.assert_allclose(got, want, rtol=5e-6, atol=5e-6)


# --- Caches in blocks --------------------------------------------------------------


def cached(lengths, z, g, d, e, dtype=np.float32):
    """Caches and tables, poisoned behind each end; and the sequences' keys and values."""
    rng = np.random.default_rng(sum(lengths) + z)
    pages = max(1, *(-(-n // z) + 1 for n in lengths))
    blocks = sum(-(-n // z) for n in lengths) + 3
    order, tables, used = rng.permutation(blocks), [], 0
    keys = np.full((blocks, z, g, d), np.nan, dtype)
    values = np.full((blocks, z, g, e), np.nan, dtype)
    sequences = []
    for n in lengths:
        here = -(-n // z)
        table = np.full(pages, -1, np.int32)
        table[:here] = order[used : used + here]
        used += here
        k, v = (rng.standard_normal((n, g, w)).astype(dtype) for w in (d, e))
        for j in range(n):
            keys[table[j // z], j % z], values[table[j // z], j % z] = k[j], v[j]
        tables.append(table)
        sequences.append((k, v))
    return keys, values, np.stack(tables), np.array(lengths, np.int32), sequences


# (lengths, block size, heads, key heads): a length that is a whole number of blocks,
# one less and one more, none; few rows and many of them.
CACHES = [
    ([5, 0, 33, 64], 16, 8, 2),
    ([100, 99, 101], 10, 4, 4),
    ([300, 17, 0], 7, 32, 1),
    ([600], 1, 3, 3),
]


@pytest.mark.parametrize(("lengths", "z", "heads", "g"), CACHES)
@pytest.mark.parametrize("softcap", [0.0, 2.0])
def test_paged_decode(lengths, z, heads, g, softcap) -> None:
    keys, values, tables, ends, sequences = cached(lengths, z, g, 20, 12)
    q = np.random.default_rng(1).standard_normal((len(lengths), heads, 20))
    q = q.astype(np.float32)
    want = np.concatenate(
        [attend(q[i : i + 1], *s, softcap=softcap) for i, s in enumerate(sequences)]
    )
    made = {
        "query": q, "key_cache": keys, "value_cache": values,
        "block_tables": tables, "seq_lens": ends,
    }  # fmt: skip
    launch("paged_attention", made, {"softcap": softcap}, want=want)


def test_paged_decode_is_attention() -> None:
    keys, values, tables, ends, ((k, v),) = cached([130], 16, 2, 16, 16)
    q = np.random.default_rng(2).standard_normal((1, 4, 16)).astype(np.float32)
    whole = {
        "q": q.swapaxes(0, 1)[None],
        "k": k.swapaxes(0, 1)[None],
        "v": v.swapaxes(0, 1)[None],
    }
    want = c.Launch("attention", whole).outputs["o"].reshape(4, 16)[None]
    made = {
        "query": q, "key_cache": keys, "value_cache": values,
        "block_tables": tables, "seq_lens": ends,
    }  # fmt: skip
    launch("paged_attention", made, want=want)


@pytest.mark.parametrize("heads", [1, 4, 8, 9, 128])
def test_mla_decode(heads) -> None:
    keys, _, tables, ends, sequences = cached([5, 0, 270], 8, 1, 24, 1)
    q = np.random.default_rng(3).standard_normal((3, heads, 24)).astype(np.float32)
    want = np.concatenate(
        [attend(q[i : i + 1], k, k[..., :16]) for i, (k, _) in enumerate(sequences)]
    )
    made = {
        "query": q, "cache": keys[:, :, 0], "block_tables": tables, "seq_lens": ends,
    }  # fmt: skip
    launch("mla_decode", made, {"value_size": 16}, want=want)


@pytest.mark.parametrize(
    ("lq", "lk"),
    [
        ([3, 0, 40], [3, 9, 100]),
        ([300, 1, 1], [500, 33, 64]),
        ([1, 1, 5], [1, 64, 5]),
        ([2, 9], [1, 4]),  # more queries than keys: the first ones see none
    ],
)
def test_paged_prefill(lq, lk) -> None:
    """Values that later rows of the block see, and earlier ones do not, are finite."""
    for heads, g, z in ((4, 2, 16), (1, 1, 3), (8, 1, 5)):
        keys, values, tables, ends, sequences = cached(lk, z, g, 12, 8)
        cq = starts(lq)
        q = np.random.default_rng(4).standard_normal((cq[-1], heads, 12))
        q = q.astype(np.float32)
        want = np.concatenate(
            [
                attend(q[cq[b] : cq[b + 1]], *s, lambda i, m=lk[b] - lq[b]: i + 1 + m)
                for b, s in enumerate(sequences)
            ]
        )
        made = {
            "query": q, "key_cache": keys, "value_cache": values,
            "block_tables": tables, "seq_lens": ends, "cu_seqlens_q": cq,
        }  # fmt: skip
        launch("paged_prefill_attention", made, want=want)


def test_nan_in_a_page_reaches_only_the_rows_that_see_it() -> None:
    keys, values, tables, ends, (s,) = cached([50], 16, 1, 8, 8)
    q = np.random.default_rng(5).standard_normal((50, 2, 8)).astype(np.float32)
    want = attend(q, *s, lambda i: i + 1)
    values[tables[0, 2], 8] = np.nan  # key 40
    made = {
        "query": q, "key_cache": keys, "value_cache": values, "block_tables": tables,
        "seq_lens": ends, "cu_seqlens_q": starts([50]),
    }  # fmt: skip
    got = c.Launch("paged_prefill_attention", made).outputs["o"].reshape(50, 2, 8)
    np.testing.assert_allclose(got[:40], want[:40], rtol=5e-6, atol=5e-6)
    assert np.isnan(got[40:]).all()


# --- Structure ---------------------------------------------------------------------

# Not attention by name, nor by its index names: a mask that a table of places decides.
LOOKED_UP = """\
op looked(q: T[s, d], k: T[m, d], v: T[m, e], where: int32[t], mask: bool[s, t]) -> o: T[s, e] where T: float
    a[i, j] = sum[c](q[i, c] * k[where[j], c]) if mask[i, j] else -inf
    x[i] = max[j](a[i, j])
    y[i] = 0 if x[i] == -inf else x[i]
    o[i, c] = (0 if x[i] == -inf else
               sum[j](exp(a[i, j] - y[i]) * v[where[j], c] if mask[i, j] else 0) / sum[j](exp(a[i, j] - y[i])))
    bounds where raise
"""


def test_keys_behind_a_mask_of_any_form_are_not_looked_up_in_blocks() -> None:
    """Only the rows that a mask leaves may look: a block cannot know which."""
    rng = np.random.default_rng(6)
    made = {
        "q": rng.standard_normal((5, 4)).astype(np.float32),
        "k": rng.standard_normal((6, 4)).astype(np.float32),
        "v": rng.standard_normal((6, 3)).astype(np.float32),
        "where": np.array([0, -1, 5, 2], np.int32),
        "mask": np.ones((5, 4), bool),
    }
    made["mask"][:, 1] = False
    ran = c.Launch(LOOKED_UP, made)
    assert ran.skeleton != "streaming"
    got, want = ran.outputs["o"], ran.reference()["o"]
    np.testing.assert_allclose(got, want, rtol=5e-6, atol=5e-6)


def prepared(operator: str, arrays, attributes=None):
    return prepare(c.case(operator, arrays, attributes or {}).program)


def test_a_sequence_is_found_in_the_rows() -> None:
    program = prepared("varlen_attention", packed([3, 2], [3, 2], 2, 1, 4, 4))
    found = streaming.match(program)
    assert found is not None
    assert found.segment is not None
    assert [a.stop.name for a in found.rows.axes] == ["n", "r"]
    assert [a.stop.name for a in found.batch.axes] == ["g"]
    folds = [n for n in walk(found.score, found.k, found.j) if isinstance(n, Fold)]
    assert not any(f.monoid.name == "count" for f in folds)


def test_pages_become_one_axis() -> None:
    keys, values, tables, ends, _ = cached([9, 4], 4, 1, 8, 8)
    q = np.zeros((2, 3, 8), np.float32)
    made = {
        "query": q, "key_cache": keys, "value_cache": values,
        "block_tables": tables, "seq_lens": ends,
    }  # fmt: skip
    whole = absorbed(prepared("paged_attention", made))
    assert whole is not None
    online = derive(whole.defines[0].value)
    assert online is not None
    masks, _ = ragged.masks(online.score)
    (mask,) = masks
    assert ragged.limit(mask, online.axis.name) is not None
    found = streaming.match(whole)
    assert found is not None
    # Whole blocks of rows end with the sequence: nothing is left to ask for each key.
    assert found.masks == ()
    assert found.hidden == ()
    assert streaming_tiles.FEW >= 3


def test_guards_stay_with_scores_that_are_not_nothing() -> None:
    """``exp(x) g if p else 0``: dropping p needs the score to be -inf there."""
    spec = """\
op f(x: T[m, n], v: T[n], p: bool[n]) -> y: T[m] where T: float
    y[i] = sum[j](exp(x[i, j]) * v[j] if p[j] else 0)
"""
    made = {
        "x": np.zeros((2, 3), np.float32), "v": np.zeros(3, np.float32),
        "p": np.zeros(3, bool),
    }  # fmt: skip
    whole = absorbed(prepared(spec, made))
    assert whole is not None
    assert derive(whole.defines[0].value) is None
