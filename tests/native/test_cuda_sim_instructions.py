"""The simulator's PTX instructions against the PTX ISA's formulas, element by element.

The formulas are written here as the PTX ISA has them ("Matrix Fragments for mma",
"Register Fragments and Shared Memory Matrix Layouts" of wgmma, "Swizzling Modes" of
tensors), one by one, while the simulator derives them all from one.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from .cuda_sim import COMPILERS, Unit, compiled

if not COMPILERS:
    pytest.skip("the simulator needs a C++ compiler on Linux", allow_module_level=True)

Place = Callable[[int, int, int], tuple[int, int]]


@pytest.fixture(params=COMPILERS)
def unit(request: pytest.FixtureRequest) -> Unit:
    return compiled("instructions.cu", request.param)


def aligned(shape: int | tuple[int, ...], dtype: Any, by: int = 128) -> np.ndarray:
    """Zeros at an address that is a multiple of `by`."""
    count = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(count + by, np.uint8)
    at = -raw.ctypes.data % by
    found: np.ndarray = raw[at : at + count].view(dtype).reshape(shape)
    return found


# ---- numbers

F16 = np.dtype(np.float16)


def bf16_bits(x: np.ndarray) -> np.ndarray:
    return (x.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


def e4m3_value(bits: int) -> float:
    """OCP 8-bit floating point specification, table 1."""
    sign = -1.0 if bits & 0x80 else 1.0
    exponent, fraction = bits >> 3 & 15, bits & 7
    if exponent == 15 and fraction == 7:
        return float("nan")
    if exponent == 0:
        return sign * fraction / 8 * 2.0**-6
    return sign * (1 + fraction / 8) * 2.0 ** (exponent - 7)


def e5m2_value(bits: int) -> float:
    return float(np.array([bits << 8], np.uint16).view(np.float16)[0])


class Kind:
    """An element type: bits from small whole numbers, and what they are worth."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.bits = {"f16": 16, "bf16": 16, "tf32": 32}.get(name, 8)
        self.word = {8: np.uint8, 16: np.uint16, 32: np.uint32}[self.bits]
        self.whole = name in ("s8", "u8")

    def draw(self, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Random bits, finite and small enough that sums are exact."""
        if self.whole:
            return random.integers(0, 256, shape).astype(np.uint8)
        if self.name in ("e4m3", "e5m2"):
            # -15 to 15 halves.
            table = e4m3_value if self.name == "e4m3" else e5m2_value
            values = np.array([table(b) for b in range(256)])
            with np.errstate(invalid="ignore"):
                small = (np.abs(values) < 8) & (values * 2 == np.round(values * 2))
            return random.choice(np.flatnonzero(small), shape).astype(np.uint8)
        values = random.integers(-64, 65, shape).astype(np.float32)
        if self.name == "f16":
            return values.astype(F16).view(np.uint16)
        if self.name == "bf16":
            return bf16_bits(values)
        return values.view(np.uint32)

    def value(self, bits: np.ndarray) -> np.ndarray:
        if self.name == "s8":
            return bits.view(np.int8).astype(np.float64)
        if self.name == "u8":
            return bits.astype(np.float64)
        if self.name == "f16":
            return bits.view(F16).astype(np.float64)
        if self.name == "bf16":
            return (bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
        if self.name == "tf32":
            return bits.view(np.float32).astype(np.float64)
        table = e4m3_value if self.name == "e4m3" else e5m2_value
        return np.array([table(int(b)) for b in bits.ravel()]).reshape(bits.shape)


# ---- mma.sync: row and column of element i of lane (group, thread), as documented

A_PLACES: dict[str, Place] = {
    # .f16/.bf16, m16n8k8: a0..a3
    "k8 16": lambda g, t, i: (g if i < 2 else g + 8, t * 2 + (i & 1)),
    # .f16/.bf16, m16n8k16: a0..a7
    "k16 16": lambda g, t, i: (
        g if 0 <= i < 2 or 4 <= i < 6 else g + 8,
        t * 2 + (i & 1) if i < 4 else t * 2 + (i & 1) + 8,
    ),
    # .tf32, m16n8k4: a0, a1
    "k4 32": lambda g, t, i: (g if i == 0 else g + 8, t),
    # .tf32, m16n8k8: a0..a3
    "k8 32": lambda g, t, i: (g if i in (0, 2) else g + 8, t if i < 2 else t + 4),
    # .s8/.u8, m16n8k16: a0..a7
    "k16 8": lambda g, t, i: (g if i < 4 else g + 8, t * 4 + (i & 3)),
    # .s8/.u8/.e4m3/.e5m2, m16n8k32: a0..a15
    "k32 8": lambda g, t, i: (
        g if 0 <= i < 4 or 8 <= i < 12 else g + 8,
        t * 4 + (i & 3) if i < 8 else t * 4 + (i & 3) + 16,
    ),
}
B_PLACES: dict[str, Place] = {
    "k8 16": lambda g, t, i: (t * 2 + i, g),
    "k16 16": lambda g, t, i: (t * 2 + (i & 1) + (0 if i < 2 else 8), g),
    "k4 32": lambda g, t, i: (t, g),
    "k8 32": lambda g, t, i: (t if i == 0 else t + 4, g),
    "k16 8": lambda g, t, i: (t * 4 + i, g),
    "k32 8": lambda g, t, i: (t * 4 + (i & 3) + (0 if i < 4 else 16), g),
}


def c_place(g: int, t: int, i: int) -> tuple[int, int]:
    return (g if i < 2 else g + 8, t * 2 + (i & 1))


def fragments(matrix: np.ndarray, place: Place, count: int) -> np.ndarray:
    """(32, count): what each lane holds of a matrix."""
    held = [
        [matrix[place(lane >> 2, lane % 4, i)] for i in range(count)]
        for lane in range(32)
    ]
    return np.array(held, matrix.dtype)


MMA = [
    ("f16", 8), ("f16", 16), ("bf16", 8), ("bf16", 16), ("tf32", 4), ("tf32", 8),
    ("s8", 16), ("s8", 32), ("u8", 16), ("u8", 32), ("e4m3", 32), ("e5m2", 32),
]  # fmt: skip


@pytest.mark.parametrize(("name", "k"), MMA)
def test_mma(unit: Unit, name: str, k: int) -> None:
    kind, random = Kind(name), np.random.default_rng(k)
    a, b = kind.draw(random, (16, k)), kind.draw(random, (k, 8))
    dtype = np.int32 if kind.whole else np.float32
    c = random.integers(-1000, 1000, (16, 8)).astype(dtype)
    shape = f"k{k} {kind.bits}"
    fa = fragments(a, A_PLACES[shape], 16 * k // 32).view(np.uint32)
    fb = fragments(b, B_PLACES[shape], 8 * k // 32).view(np.uint32)
    d = fragments(c, c_place, 4)
    result = unit.run(f"m16n8k{k}_{name}", fa.copy(), fb.copy(), d)
    assert result.findings == 0, result.found
    expected = kind.value(a) @ kind.value(b) + c
    np.testing.assert_array_equal(d, fragments(expected.astype(dtype), c_place, 4))


@pytest.mark.parametrize("shape", A_PLACES)
def test_documented_places_cover_each_matrix_once(shape: str) -> None:
    # So that the test above cannot miss an element.
    k = int(shape.split()[0][1:])
    for places, rows, columns in ((A_PLACES, 16, k), (B_PLACES, k, 8)):
        found = [
            places[shape](lane >> 2, lane % 4, i)
            for lane in range(32)
            for i in range(rows * columns // 32)
        ]
        assert sorted(found) == [(i, j) for i in range(rows) for j in range(columns)]


def test_tf32_ignores_the_lower_13_bits(unit: Unit) -> None:
    a = np.full((32, 4), 0x3F801FFF, np.uint32)  # 1 and as much as is ignored
    b, d = np.full((32, 2), 0x3F800000, np.uint32), np.zeros((32, 4), np.float32)
    unit.run("m16n8k8_tf32", a, b, d)
    np.testing.assert_array_equal(d, 8)


def test_integers_wrap(unit: Unit) -> None:
    a, b = (
        np.full((32, 4), 0x7F7F7F7F, np.uint32),
        np.full((32, 2), 0x01010101, np.uint32),
    )
    d = np.full((32, 4), 2**31 - 1, np.int32)
    unit.run("m16n8k32_s8", a, b, d)
    np.testing.assert_array_equal(d, -(2**31) + 32 * 127 - 1)


# ---- ldmatrix, stmatrix


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_matrices_of_eight_rows(unit: Unit, count: int, transposed: bool) -> None:
    name = f"x{count}_trans" if transposed else f"x{count}"
    rows = np.arange(32 * 8, dtype=np.uint16).reshape(32, 8)
    held = np.zeros((32, count, 2), np.uint16)
    for lane in range(32):
        for m in range(count):
            matrix = rows[8 * m : 8 * m + 8]
            if transposed:
                matrix = matrix.T
            # "each thread loads one fragment of a row": row lane / 4, elements
            # 2 * (lane % 4) and the next.
            held[lane, m] = matrix[lane // 4, lane % 4 * 2 : lane % 4 * 2 + 2]
    y = np.zeros((32, count), np.uint32)
    result = unit.run(f"ldmatrix_{name}", rows.view(np.uint32).copy(), y)
    assert result.findings == 0, result.found
    np.testing.assert_array_equal(y.view(np.uint16).reshape(held.shape), held)
    back = np.zeros((8 * count, 4), np.uint32)
    result = unit.run(f"stmatrix_{name}", held.view(np.uint32)[..., 0].copy(), back)
    assert result.findings == 0, result.found
    np.testing.assert_array_equal(back.view(np.uint16), rows[: 8 * count])


# ---- wgmma


def chunk_place(
    row: int, chunk: int, turned: bool, swizzle: int
) -> tuple[int, int, int]:
    """Which atom (along the strides "leading" and "stride") a chunk of 16 bytes is in,
    and where in it.

    Not turned: of row `row`, the chunk'th of k. Turned: of depth `row`, the chunk'th of
    the rows. Without a swizzle an atom is 8 chunks below each other, with one 8 rows of
    swizzle / 16 chunks, in which chunk c of row r is at c xor what r says.
    """
    wide = max(swizzle // 16, 1)
    if swizzle == 0:
        return (
            (chunk, row // 8, row % 8 * 16)
            if not turned
            else (row // 8, chunk, row % 8 * 16)
        )
    turns = {128: row % 8, 64: row % 8 // 2, 32: row % 8 // 4}[swizzle]
    within = row % 8 * swizzle + (chunk % wide ^ turns) * 16
    # K-major atoms side by side in k are reached by the start address, not a stride.
    return chunk // wide, row // 8, within


def laid_out(
    matrix: np.ndarray, turned: bool, swizzle: int
) -> tuple[np.ndarray, int, int]:
    """Bytes of a matrix (rows x k) in its canonical layout, and its two offsets."""
    lines = np.ascontiguousarray(matrix.T if turned else matrix).view(np.uint8)
    chunks, atom = lines.shape[1] // 16, 8 * max(swizzle, 16)
    across, down = (
        max(chunk_place(r, c, turned, swizzle)[n] for r in range(len(lines))
            for c in range(chunks)) + 1
        for n in (0, 1)
    )  # fmt: skip
    # Atoms lie one after the other, those along `stride` first.
    stride, leading = atom, atom * down
    memory = np.zeros(atom * across * down, np.uint8)
    for r in range(len(lines)):
        for c in range(chunks):
            i, j, within = chunk_place(r, c, turned, swizzle)
            at = i * leading + j * stride + within
            memory[at : at + 16] = lines[r, 16 * c : 16 * c + 16]
    return memory, leading, stride


GROUPS = [
    ("group_f16", "f16", 64, 16, False), ("group_bf16", "bf16", 128, 16, False),
    ("group_f16_turned", "f16", 64, 16, True), ("group_tf32", "tf32", 16, 8, False),
    ("group_e4m3", "e4m3", 32, 32, False), ("group_s8", "s8", 8, 32, False),
]  # fmt: skip


def group_place(thread: int, i: int) -> tuple[int, int]:
    """Of d: "Register Fragments for wgmma.mma_async.m64nNk16", matrix D."""
    warp, lane = thread // 32, thread % 32
    row = warp * 16 + lane // 4 + (8 if i // 2 % 2 else 0)
    return row, 8 * (i // 4) + lane % 4 * 2 + i % 2


@pytest.mark.parametrize("registers", [False, True])
@pytest.mark.parametrize("add", [0, 1])
@pytest.mark.parametrize("swizzle", [0, 32, 64, 128])
@pytest.mark.parametrize(("kernel", "name", "n", "k", "turned"), GROUPS)
def test_wgmma(
    unit: Unit, kernel: str, name: str, n: int, k: int, turned: bool, swizzle: int,
    add: int, registers: bool,
) -> None:  # fmt: skip
    kind, random = Kind(name), np.random.default_rng(n)
    # Of a wider matrix, the k of one instruction.
    deep = k if turned else k * max(swizzle // 32, 1)
    a, b = kind.draw(random, (64, deep)), kind.draw(random, (deep, n))
    if turned and n * kind.bits // 8 < swizzle:
        pytest.skip("a row of b is shorter than the swizzle")
    a_bytes, a_leading, a_stride = laid_out(a, turned, swizzle)
    b_bytes, b_leading, b_stride = laid_out(b.T.copy(), turned, swizzle)
    # The pattern of the swizzle begins at a multiple of 1024.
    at = -(-len(a_bytes) // 1024) * 1024
    memory = np.zeros(at + len(b_bytes), np.uint8)
    memory[: len(a_bytes)], memory[at:] = a_bytes, b_bytes
    steps = deep // k
    dtype = np.int32 if kind.whole else np.float32
    c = random.integers(-1000, 1000, (64, n)).astype(dtype)
    for step in range(steps):
        mine = slice(step * k, (step + 1) * k)
        d = np.array(
            [[c[group_place(t, i)] for i in range(n // 2)] for t in range(128)], dtype
        )
        held = np.concatenate(
            [
                fragments(
                    a[16 * w : 16 * w + 16, mine],
                    A_PLACES[f"k{k} {kind.bits}"],
                    16 * k // 32,
                )
                for w in range(4)
            ]
        ).view(np.uint32)
        result = unit.run(
            kernel, memory.view(np.uint32), held.copy(), d, len(memory) // 4,
            -16 if registers else step * 32, at + step * 32, a_leading, a_stride,
            b_leading, b_stride, swizzle, add, block=128, shared=len(memory),
        )  # fmt: skip
        assert result.findings == 0, result.found
        expected = kind.value(a[:, mine]) @ kind.value(b[mine]) + (c if add else 0)
        got = np.zeros((64, n), dtype)
        for t in range(128):
            for i in range(n // 2):
                got[group_place(t, i)] = d[t, i]
        np.testing.assert_array_equal(got, expected)


# ---- tensor copies


def tensor_map(
    unit: Unit, array: np.ndarray, box: tuple[int, ...], swizzle: int = 0, kind: int = 2
) -> Any:
    """A map of a C-contiguous array; `box` is outermost first, as its shape; `kind` a
    CUtensorMapDataType (2: uint32)."""
    words = aligned(16, np.uint64)
    sizes = (ctypes.c_uint64 * array.ndim)(*array.shape[::-1])
    strides = (ctypes.c_uint64 * array.ndim)(*array.strides[::-1][1:], 0)
    boxes = (ctypes.c_uint32 * array.ndim)(*box[::-1])
    status = unit.engine.opslib_cuda_sim_tensor_map(
        ctypes.c_void_p(words.ctypes.data), kind, array.ndim,
        ctypes.c_void_p(array.ctypes.data), sizes, strides, boxes, None, 0,
        {0: 0, 32: 1, 64: 2, 128: 3}[swizzle], 0,
    )  # fmt: skip
    return (ctypes.c_uint64 * 16)(*words) if status == 0 else None


BOXES = [
    ((64,), (16,), (8,), 0), ((64,), (16,), (-4,), 0), ((64,), (16,), (56,), 0),
    ((20, 32), (8, 8), (4, 16), 0), ((20, 32), (8, 8), (16, 28), 32),
    ((20, 32), (8, 16), (3, -3), 64), ((40, 64), (16, 32), (30, 40), 128),
    ((5, 20, 32), (2, 4, 8), (4, 18, 8), 0), ((5, 20, 32), (3, 8, 32), (1, -2, 5), 128),
]  # fmt: skip


def boxed(array: np.ndarray, box: tuple[int, ...], at: tuple[int, ...]) -> np.ndarray:
    """The box of an array, zero outside of it."""
    found = np.zeros(box, array.dtype)
    for place in np.ndindex(*box):
        there = tuple(p + a for p, a in zip(place, at, strict=True))
        if all(0 <= x < n for x, n in zip(there, array.shape, strict=True)):
            found[place] = array[there]
    return found


def swizzled(flat: np.ndarray, swizzle: int) -> np.ndarray:
    """uint32 words as they lie: 16 byte chunks of rows of 128 bytes exchanged, chunk c
    of row r going to c xor r (128), c xor (r / 2 % 4) (64), c xor (r / 4 % 2) (32)."""
    out = flat.copy()
    for at in range(0, len(flat), 4):
        row, chunk = at // 32, at // 4 % 8
        turn = {0: 0, 32: row % 2, 64: row % 4, 128: row % 8}[swizzle]
        out[row * 32 + (chunk ^ turn) * 4 :][:4] = flat[at : at + 4]
    return out


@pytest.mark.parametrize(("shape", "box", "at", "swizzle"), BOXES)
def test_tensor_copies(
    unit: Unit, shape: tuple[int, ...], box: tuple[int, ...], at: tuple[int, ...],
    swizzle: int,
) -> None:  # fmt: skip
    array = aligned(shape, np.uint32)
    array[:] = np.arange(1, array.size + 1).reshape(shape)
    mapped = tensor_map(unit, array, box, swizzle)
    size = 4 * int(np.prod(box))
    places = [*at[::-1], 0, 0][:3]
    name = f"{len(shape)}d"
    y = np.zeros(size // 4, np.uint32)
    result = unit.run(
        f"load_{name}", mapped, y, size, *places, shared=size, buffers=[array]
    )
    assert result.findings == 0, result.found
    np.testing.assert_array_equal(y, swizzled(boxed(array, box, at).ravel(), swizzle))
    new = np.arange(10_001, 10_001 + size // 4, dtype=np.uint32).reshape(box)
    expected = array.copy()
    for place in np.ndindex(*box):
        there = tuple(p + a for p, a in zip(place, at, strict=True))
        if all(0 <= x < n for x, n in zip(there, shape, strict=True)):
            expected[there] = new[place]
    x = swizzled(new.ravel(), swizzle)
    result = unit.run(
        f"store_{name}", mapped, x, size, *places, shared=size, buffers=[array]
    )
    assert result.findings == 0, result.found
    np.testing.assert_array_equal(array, expected)


def test_what_no_tensor_map_can_be(unit: Unit) -> None:
    array = aligned((8, 64), np.uint32)
    assert tensor_map(unit, array, (8, 32), 128) is not None
    assert tensor_map(unit, array, (8, 33), 128) is None  # wider than the swizzle
    assert tensor_map(unit, array, (8, 3)) is None  # no multiple of 16 bytes
    assert tensor_map(unit, array, (257, 4)) is None
    assert tensor_map(unit, aligned((8, 63), np.uint32), (8, 4)) is None  # stride
    assert tensor_map(unit, array.ravel()[1:], (4,)) is None  # address
    assert tensor_map(unit, array, (8, 4), kind=13) is None


# ---- the rest


@pytest.mark.parametrize("bytes_read", [0, 4, 8, 16])
def test_copies_fill_with_zeros(unit: Unit, bytes_read: int) -> None:
    x, y = aligned(48, np.uint8), np.zeros(28, np.uint8)
    x[:] = np.arange(1, 49)
    result = unit.run("copies", x, y, bytes_read)
    assert result.findings == 0, result.found
    expected = np.zeros(28, np.uint8)
    expected[:bytes_read] = x[:bytes_read]
    expected[16 : 16 + bytes_read // 2] = x[16 : 16 + bytes_read // 2]
    expected[24 : 24 + bytes_read // 4] = x[32 : 32 + bytes_read // 4]
    np.testing.assert_array_equal(y, expected)


def test_f16_conversions(unit: Unit) -> None:
    x = np.arange(1 << 16, dtype=np.uint16)
    values = x.view(np.float16).astype(np.float32)
    # Each number, the middles between neighbours, and a little to both sides.
    halves = np.abs(values[:0x7C00])
    middles = ((halves[:-1].astype(np.float64) + halves[1:]) / 2).astype(np.float32)
    y = np.concatenate(
        [
            values,
            *(np.copysign(np.nextafter(middles, to), s).astype(np.float32)
              for to in (np.float32(-1), middles, np.float32(1e9)) for s in (1, -1)),
            np.array([65504, 65519.996, 65520, 1e30, np.inf, -np.inf], np.float32),
        ]
    )  # fmt: skip
    y = np.resize(y, -(-len(y) // (1 << 16)) * (1 << 16)).astype(np.float32)
    for part in y.reshape(-1, 1 << 16):
        part = part.copy()
        to, back = np.zeros(1 << 16, np.float32), np.zeros(1 << 16, np.uint16)
        result = unit.run("conversions", x, part, to, back, grid=64, block=1024)
        assert result.findings == 0, result.found
        np.testing.assert_array_equal(to, values)
        with np.errstate(over="ignore"):
            expected = part.astype(np.float16)
        nan = np.isnan(part)
        np.testing.assert_array_equal(back[~nan], expected.view(np.uint16)[~nan])
        assert (back[nan] == 0x7FFF).all()  # "canonical nan" of cvt
