"""Streamed attention: sequences, caches, float32; how rows and keys are cut."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opslib.backends.cuda import attention_plan, simulator
from opslib.backends.cuda import lower as lowering
from opslib.backends.cuda.launch import CudaKernel, Step, Value
from opslib.backends.cuda.targets import TARGETS

import opslib
from opslib.dispatch import judging
from opslib.dispatch.inspection import sample_program

pytestmark = [
    pytest.mark.filterwarnings("ignore::opslib.OpslibWarning"),
    pytest.mark.skipif(
        simulator.why_not() is not None, reason="the simulator needs a C++ compiler"
    ),
]
Array = np.ndarray[Any, np.dtype[Any]]
TYPES = (np.float32, np.float16, ml_dtypes.bfloat16, np.float64)
OPERATORS = (
    "attention", "scaled_dot_product_attention", "varlen_attention",
    "paged_attention", "paged_prefill_attention", "mla_decode",
)  # fmt: skip


def bounds(*lengths: int) -> Array:
    return np.cumsum([0, *lengths]).astype(np.int32)


def run(name: str, *arrays: Any, backend: str = "cuda:sim", **attributes: Any) -> Any:
    return getattr(opslib, name)(*arrays, backend=backend, **attributes)


def check(name: str, *arrays: Array, **attributes: Any) -> Array:
    """The result, which is within a rounding of what float64 gives."""
    got: Array = run(name, *arrays, **attributes)
    wide = [a if a.dtype == np.int32 else a.astype(np.float64) for a in arrays]
    wanted = run(name, *wide, backend="numpy", **attributes)
    unit = float(ml_dtypes.finfo(arrays[0].dtype).eps) / 2
    # Half a unit of the result, and what scores and sums in the type of sums are off.
    slack = 1e-13 if arrays[0].dtype == np.float64 else 1e-5
    values = got.astype(np.float64)
    assert (np.isnan(values) == np.isnan(wanted)).all()
    finite = np.isfinite(wanted)
    assert (values[~finite & ~np.isnan(wanted)] == wanted[np.isinf(wanted)]).all()
    error = np.abs(values[finite] - wanted[finite])
    assert (error <= unit * np.abs(wanted[finite]) + slack).all(), error.max()
    return got


class Maker:
    """Arrays of one type."""

    def __init__(self, dtype: Any, seed: int = 0) -> None:
        self.dtype, self.rng = dtype, np.random.default_rng(seed)

    def normal(self, *shape: int) -> Array:
        return self.rng.standard_normal(shape).astype(self.dtype)

    def caches(
        self, lengths: list[int], size: int, pages: int, heads: int, deep: int
    ) -> tuple[Array, Array, Array]:
        """A cache of nans, its table with holes behind the ends, and the lengths."""
        n = len(lengths)
        cache = np.full((n * pages, size, heads, deep), np.nan).astype(self.dtype)
        table = self.rng.permutation(n * pages).reshape(n, pages).astype(np.int32)
        for i, length in enumerate(lengths):
            for j in range(length):
                cache[table[i, j // size], j % size] = self.normal(heads, deep)
            table[i, -(-length // size) :] = self.rng.choice([-7, 1 << 30])
        return cache, table, np.array(lengths, np.int32)


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
def test_scores_are_never_in_memory(name: str, dtype: str) -> None:
    """No workspace grows with the rows times the keys, and no launch is of the nest."""
    program = sample_program(getattr(opslib, name).handle, dtype)
    kernel = lowering.lower(program, {}, TARGETS["sm_90"], name)
    assert kernel.skeleton == "streaming"
    known = {"begins", "cuts", "peaks", "bares", "sums"}
    assert {w.name for w in kernel.workspaces} <= known
    parts = ("_check", "_begins", "_64", "_128", "_narrow", "_rows", "_join")
    for launch in kernel.launches:
        assert any(p in launch.name.removeprefix(kernel.name) for p in parts)


@settings(max_examples=10, deadline=None)
@given(
    rows=st.lists(st.integers(0, 90), min_size=1, max_size=5),
    keys=st.lists(st.integers(0, 90), min_size=5, max_size=5),
    heads=st.sampled_from([(1, 1), (2, 2), (4, 2)]),
    deep=st.integers(1, 40),
    wide=st.integers(1, 70),
    causal=st.booleans(),
    dtype=st.sampled_from(TYPES[:2]),
)
def test_packed_sequences(
    rows: list[int],
    keys: list[int],
    heads: tuple[int, int],
    deep: int,
    wide: int,
    causal: bool,
    dtype: Any,
) -> None:
    make = Maker(dtype)
    lengths = keys[: len(rows)]
    check(
        "varlen_attention",
        make.normal(sum(rows), heads[0], deep),
        make.normal(sum(lengths), heads[1], deep),
        make.normal(sum(lengths), heads[1], wide),
        bounds(*rows),
        bounds(*lengths),
        causal=causal,
    )


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16])
def test_caches_in_blocks(dtype: Any) -> None:
    """Decoding; what is behind the end of a sequence is neither looked up nor seen."""
    make = Maker(dtype)
    cache, table, lengths = make.caches([70, 0, 37, 1], 16, 6, 2, 24)
    query = make.normal(4, 6, 24)
    result = check("paged_attention", query, cache, cache, table, lengths, softcap=3.0)
    assert not result[1].any()


@pytest.mark.parametrize("dtype", TYPES[:3])
def test_several_queries_of_a_cache(dtype: Any) -> None:
    make = Maker(dtype)
    cache, table, lengths = make.caches([70, 100, 37], 16, 8, 2, 24)
    rows = bounds(5, 80, 1)
    query = make.normal(86, 4, 24)
    # Seen by the last rows of a block, not by those before.
    cache[table[1, 60 // 16], 60 % 16, 1, 3] = np.inf
    cache[table[1, 95 // 16], 95 % 16, 0, 7] = np.nan
    check(
        "paged_prefill_attention", query, cache, cache, table, lengths, rows
    )  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
@pytest.mark.parametrize(("deep", "wide"), [(40, 24), (150, 140), (290, 270)])
def test_latent_attention_of_any_width(dtype: Any, deep: int, wide: int) -> None:
    make = Maker(dtype)
    cache, table, lengths = make.caches([70, 0, 300], 16, 20, 1, deep)
    check(
        "mla_decode", make.normal(3, 5, deep), cache[:, :, 0], table, lengths,
        value_size=wide,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", TYPES[:3])
def test_infinite_values(dtype: Any) -> None:
    """Weights go in parts of both signs; times an infinity these must not meet."""
    make = Maker(dtype)
    q, k, v = make.normal(2, 70, 32), make.normal(2, 150, 32), make.normal(2, 150, 48)
    v[0, 100, 3], v[1, 5, 9], v[1, 149, 47] = np.inf, -np.inf, np.nan
    check("scaled_dot_product_attention", q, k, v)


@pytest.mark.parametrize("dtype", TYPES[:3])
def test_a_row_whose_scores_are_nan_is_nan(dtype: Any) -> None:
    make = Maker(dtype)
    q, k, v = make.normal(1, 9, 8), make.normal(1, 20, 8), make.normal(1, 20, 8)
    q[0, 3] = np.nan
    result = check("scaled_dot_product_attention", q, k, v)
    assert np.isnan(result[0, 3].astype(np.float64)).all()


# --- Few rows of many keys -----------------------------------------------------------


@pytest.mark.parametrize("dtype", TYPES[:2])
@pytest.mark.parametrize("length", [256, 257, 1000, 5000])
def test_keys_in_pieces(dtype: Any, length: int) -> None:
    make = Maker(dtype)
    q, k = make.normal(1, 3, 8), make.normal(1, length, 8)
    v = make.normal(1, length, 8)
    # Peaks that come late, and a piece that no row sees.
    k[0, length // 2 :] *= 3
    mask = np.ones((3, length), bool)
    mask[1, : length // 2] = False
    mask[2] = False
    op = opslib.scaled_dot_product_attention
    got = op(q, k, v, mask, backend="cuda:sim").astype(np.float64)
    wide = (x.astype(np.float64) for x in (q, k, v))
    wanted = op(*wide, mask, backend="numpy")
    unit = float(np.finfo(dtype).eps) / 2
    assert (np.abs(got - wanted) <= unit * np.abs(wanted) + 1e-5).all()


def test_the_logarithm_of_joined_sums() -> None:
    make = Maker(np.float32)
    q, k, v = make.normal(2, 3, 8), make.normal(2, 900, 8), make.normal(2, 900, 8)
    got = opslib.attention(q, k, v, return_lse=True, causal=True, backend="cuda:sim")
    wide = (x.astype(np.float64) for x in (q, k, v))
    wanted = opslib.attention(*wide, return_lse=True, causal=True, backend="numpy")
    for a, b in zip(got, wanted, strict=True):
        assert np.abs(a - b).max() < 1e-5


@pytest.mark.parametrize("dtype", TYPES[:2])
def test_the_bits_of_a_sequence_do_not_depend_on_its_neighbours(dtype: Any) -> None:
    make = Maker(dtype)
    rows, lengths = (2, 70, 3, 1), (900, 150, 20, 600)
    q, k = make.normal(sum(rows), 4, 16), make.normal(sum(lengths), 2, 16)
    v = make.normal(sum(lengths), 2, 16)
    ends, stops = bounds(*rows), bounds(*lengths)
    together = run("varlen_attention", q, k, v, ends, stops, causal=True)
    for i, (n, m) in enumerate(zip(rows, lengths, strict=True)):
        own, seen = slice(ends[i], ends[i + 1]), slice(stops[i], stops[i + 1])
        alone = run(
            "varlen_attention", q[own], k[seen], v[seen], bounds(n), bounds(m),
            causal=True,
        )  # fmt: skip
        assert alone.tobytes() == together[own].tobytes()


@pytest.mark.parametrize("dtype", TYPES[:2])
def test_nor_on_the_pages_of_a_table(dtype: Any) -> None:
    make = Maker(dtype)
    cache, table, lengths = make.caches([700, 40, 300], 16, 60, 1, 16)
    query = make.normal(3, 2, 16)
    together = run("paged_attention", query, cache, cache, table, lengths)
    for i, length in enumerate(lengths):
        pages = -(-int(length) // 16)
        alone = run(
            "paged_attention", query[i : i + 1], cache, cache,
            table[i : i + 1, :pages].copy(), lengths[i : i + 1],
        )  # fmt: skip
        assert alone.tobytes() == together[i : i + 1].tobytes()


# --- How blocks are dealt ------------------------------------------------------------

CUTS = """#include "opslib_cuda.h"
extern "C" __global__ void __launch_bounds__(1) cuts(
    int64_t *order, int64_t *pieces, int64_t *size, int64_t blocks, int64_t run,
    int64_t keys) {
    for (int64_t k = 0; k < blocks; k++) order[k] = ops_longest_first(k, blocks, run);
    for (int64_t k = 0; k < keys; k++) {
        pieces[k] = ops_pieces(k);
        size[k] = ops_piece(k);
    }
}
"""


def test_the_longest_blocks_come_first_and_pieces_follow_from_the_length() -> None:
    launch = SimpleNamespace(name="cuts")
    target = simulator.DEFAULT
    library = simulator.build(
        simulator.with_entries(CUTS, [[launch]]), "attention_cuts", target
    )
    (entry,) = simulator.entries(library, ["cuts"])
    blocks, runs, keys = 24, 3, 9000
    order = np.zeros(blocks, np.int64)
    pieces, size = np.zeros((2, keys), np.int64)
    numbers = tuple(Value("int64", x) for x in (blocks, blocks // runs, keys))
    step = Step(0, (1, 1, 1), (1, 1, 1), 0, (0, 1, 2, *numbers))
    engine = simulator.engine(target)
    regions = [(*simulator.extent(a), 1) for a in (order, pieces, size)]
    simulator.announce(engine, simulator.merged(regions))
    try:
        found = simulator.call(entry, step, [order, pieces, size])
    finally:
        simulator.forget(engine)
    assert found.count == 0, found.report
    assert sorted(order) == list(range(blocks))
    lengths = order % (blocks // runs)
    assert (np.diff(lengths) <= 0).all()
    number = np.arange(keys)
    assert (pieces * size >= number).all()
    assert ((pieces - 1) * size < np.maximum(number, 1)).all()
    # What the host allocates for.
    most = np.maximum(
        1, np.minimum(attention_plan.PIECES, -(-number // attention_plan.PIECE))
    )
    assert (pieces <= most).all()


@pytest.mark.parametrize("name", ["attention", "varlen_attention"])
def test_blocks_that_see_further_start_first(name: str) -> None:
    program = sample_program(getattr(opslib, name).handle, "float32")
    kernel = lowering.lower(program, {}, TARGETS["sm_90"], name)
    text = "\n".join(line for x in kernel.launches for line in x.body)
    assert ("ops_longest_first" in text) == (name == "attention")


def test_keys_of_other_sequences_are_not_read() -> None:
    """Four sequences of a quarter each read a quarter of what one of all does."""
    make = Maker(np.float32)
    q, k = make.normal(512, 1, 128), make.normal(512, 1, 128)
    read: Counter[int] = Counter()
    for parts in (1, 4):
        each = bounds(*[512 // parts] * parts)
        handle = opslib.varlen_attention.handle
        program, binding, inputs = judging.prepared(handle, (q, k, k, each, each), {})
        place = simulator.Simulator()
        place.counters = {}
        kernel = CudaKernel(program, place)
        outputs = [np.zeros(o.view.extents, o.dtype.numpy) for o in binding.outputs]
        given = [inputs[t.name] for t in program.inputs]
        kernel.launch(given, outputs, binding.sizes, binding.scalars)
        (name,) = (n for n in place.counters if n.endswith("_narrow"))
        read[parts] = place.counters[name][1]
    # Queries are read again for each step along the keys, as the keys are. Each thread
    # also looks for its sequence, some ten words.
    assert read[4] < 0.3 * read[1]
