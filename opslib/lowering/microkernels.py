"""The intrinsics of ``native/opslib_contract.h``: C text and what it means.

Meanings work on raw views: an argument that is a place arrives as an array that begins
there, and strides are counted in elements from it, exactly as in the C text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from opslib.ir.dtypes import FLOAT32, FLOAT64, INT32, INT64, UINT32, DType
from opslib.ir.expr import Expr
from opslib.ir.loops import Intrinsic, Place
from opslib.lowering import windows
from opslib.lowering.cpu_target import CpuTarget
from opslib.lowering.windows import Window

HEADERS = ("opslib_contract.h",)

Array = np.ndarray[Any, np.dtype[Any]]

_SHORT = {
    "float64": "f64", "float32": "f32", "float16": "f16", "bfloat16": "bf16",
    "int64": "i64", "uint64": "u64", "int32": "i32", "uint32": "u32",
    "int16": "i16", "uint16": "u16", "int8": "i8", "uint8": "u8",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """A microkernel's arithmetic.

    Attributes:
        name: suffix in C.
        accumulator: what sums are kept in.
        panel: element of a panel's buffer.
        packs: types in memory that it has a packing function for.
        few: the types in memory for which products with few rows are streamed, and
            windows are packed.
        depth: elements of k in one element of a panel.
    """

    name: str
    accumulator: DType
    panel: DType
    packs: frozenset[str]
    few: frozenset[str] = frozenset()
    depth: int = 1


F32 = Kind(
    "f32", FLOAT32, FLOAT32, frozenset({"float32", "float16", "bfloat16"}),
    frozenset({"float32", "float16", "bfloat16"}),
)  # fmt: skip
F64 = Kind("f64", FLOAT64, FLOAT64, frozenset({"float64"}), frozenset({"float64"}))
I32 = Kind(
    "i32",
    INT32,
    INT32,
    frozenset({"int32", "uint32", "int16", "uint16", "int8", "uint8"}),
)
I64 = Kind("i64", INT64, INT64, frozenset({"int64", "uint64"}))
BF16 = Kind("bf16", FLOAT32, UINT32, frozenset({"bfloat16"}), depth=2)


def kind_of(accumulator: DType) -> Kind | None:
    """The arithmetic for sums of a type; narrow integers wrap in a wider one."""
    if accumulator == FLOAT32:
        return F32
    if accumulator == FLOAT64:
        return F64
    if accumulator.is_integer:
        return I64 if accumulator.bits == 64 else I32
    return None


# --- Meanings ----------------------------------------------------------------------


def _matrix(base: Array, rows: int, columns: int, row: int, column: int) -> Array:
    item = base.itemsize
    return as_strided(base, (rows, columns), (row * item, column * item))


def _panel_shape(rows: int, unit: int) -> int:
    return -(-rows // unit)


def _pairs(matrix: Array) -> Array:
    """(rows, k) of bfloat16 as (rows, ceil(k / 2)) words, the earlier one low."""
    bits = np.ascontiguousarray(matrix).view(np.uint16).astype(np.uint32)
    bits = np.pad(bits, ((0, 0), (0, bits.shape[1] % 2)))
    words: Array = bits[:, 0::2] | bits[:, 1::2] << np.uint32(16)
    return words


def meaning_pack(
    out: Array, unit: int, source: Array, row: int, step: int, rows: int, k: int,
    *, pairs: bool = False,
) -> None:  # fmt: skip
    """Panels of `unit` rows, k slow; rows past the end are zero."""
    matrix = _matrix(source, rows, k, row, step)
    matrix = _pairs(matrix) if pairs else matrix
    deep = matrix.shape[1]
    panels = _matrix(out, _panel_shape(rows, unit) * deep, unit, unit, 1)
    for p in range(_panel_shape(rows, unit)):
        block = panels[p * deep : (p + 1) * deep]
        block[...] = 0
        part = matrix[p * unit : (p + 1) * unit]
        block[:, : len(part)] = part.T.astype(out.dtype)


def _unpacked(panels: Array, unit: int, rows: int, k: int) -> Array:
    flat = _matrix(panels, _panel_shape(rows, unit) * k, unit, unit, 1)
    shaped = flat.reshape(-1, k, unit).transpose(0, 2, 1)
    return shaped.reshape(shaped.shape[0] * unit, k)[:rows]


def _halves(words: Array) -> Array:
    """(rows, words) of pairs as (rows, 2 * words) floats."""
    both = np.stack([words << np.uint32(16), words & np.uint32(0xFFFF0000)], axis=-1)
    floats: Array = both.reshape(len(words), -1).view(np.float32)
    return floats


def meaning_block(
    m: int, n: int, k: int, a: Array, b: Array, c: Array, c_row: int,
    accumulate: int, *, unit_m: int, unit_n: int, pairs: bool = False,
) -> None:  # fmt: skip
    """Adds a times b to c, of packed panels."""
    left, right = _unpacked(a, unit_m, m, k), _unpacked(b, unit_n, n, k)
    if pairs:
        left, right = _halves(left), _halves(right)
    _add(_matrix(c, m, n, c_row, 1), left @ right.T, accumulate)


def _add(c: Array, product: Array, accumulate: int) -> None:
    with np.errstate(all="ignore"):
        c[...] = c + product.astype(c.dtype) if accumulate else product.astype(c.dtype)


def meaning_block_in_place(
    m: int, n: int, k: int, a: Array, a_row: int, a_k: int, b: Array, b_k: int,
    b_panel: int, c: Array, c_row: int, accumulate: int, *, unit_n: int,
) -> None:  # fmt: skip
    """The same with a where it lies, and b packed or where it lies."""
    left = _matrix(a, m, k, a_row, a_k)
    for j in range(0, n, unit_n):
        wide = min(unit_n, n - j)
        right = (
            _matrix(b[..., :], k, wide, b_k, 1)
            if j == 0
            else _matrix(_at(b, j // unit_n * b_panel), k, wide, b_k, 1)
        )
        _add(_matrix(_at(c, j), m, wide, c_row, 1), left @ right, accumulate)


def _at(base: Array, offset: int) -> Array:
    """The memory `offset` elements further on."""
    return as_strided(base, (offset + 1,), (base.itemsize,))[offset:]


def meaning_few(
    m: int, n: int, k: int, x: Array, b: Array, b_row: int, y: Array, y_row: int,
    *, columns: bool,
) -> None:  # fmt: skip
    """Gives x times b for few rows; `columns`: n is contiguous in b, else k is."""
    right = _matrix(b, k, n, b_row, 1) if columns else _matrix(b, n, k, b_row, 1).T
    _matrix(y, m, n, y_row, 1)[...] = _matrix(x, m, k, k, 1) @ right.astype(x.dtype)


def meaning_plan(
    batch: int, m: int, n: int, k: int, most_m: int, most_n: int,
    unit_m: int, unit_n: int, plan: Array, *, threads: int = 2,
) -> None:  # fmt: skip
    """How the output is cut; see ops_contract_plan. The same arithmetic, in Python."""
    batch, m, n, k = (max(x, 1) for x in (batch, m, n, k))
    least_i, least_j = -(-m // most_m), -(-n // most_n)
    threads = min(threads, m * n * k * batch // (1 << 21) + 1)
    extra = min(threads, 8) if threads > 1 else 0
    best: tuple[float, int, int] | None = None
    for i in range(least_i, least_i + extra + 1):
        for j in range(least_j, least_j + extra + 1):
            tm = -(-((m + i - 1) // i) // unit_m) * unit_m
            tn = -(-((n + j - 1) // j) // unit_n) * unit_n
            waves = -(-(batch * -(-m // tm) * -(-n // tn)) // threads)
            cost = float(waves) * (float(tm) * tn + 4.0 * (tm + tn))
            if best is None or cost < best[0]:
                best = cost, tm, tn
    assert best is not None
    plan[0], plan[1] = best[1:]
    plan[2] = (1 << 21) // (best[1] * best[2] * k) + 1


def meaning_phase(at: int, factor: int, divisor: int, depth: int, out: Array) -> None:
    """The taps that meet a remainder; see ops_contract_phase."""
    at, factor, divisor, depth = (int(x) for x in (at, factor, divisor, depth))
    taps = [u for u in range(depth) if (at + factor * u) % divisor == 0]
    step = next(x for x in range(1, divisor + 1) if factor * x % divisor == 0)
    first = taps[0] if taps else 0
    base = (at + factor * first) // divisor
    out[:5] = first, step, len(taps), base, factor * step // divisor


# --- Statements --------------------------------------------------------------------


def pack(
    kind: Kind, source: DType, unit: int, target: Place, place: Place,
    row: Expr, step: Expr, rows: Expr, k: Expr,
) -> Intrinsic:  # fmt: skip
    """Packs rows x k elements of memory into panels."""
    stored = _SHORT[source.name]
    if kind in (I32, I64) and source.kind == "uint" and source.bits >= 32:
        stored = "i" + stored[1:]
    name = f"ops_pack_{kind.name}_{stored}"
    pairs = kind is BF16

    def meaning(out: Array, array: Array, *numbers: int) -> None:
        meaning_pack(out, unit, array, *numbers, pairs=pairs)

    panel = "u32" if pairs else _pointer(kind)
    text = (
        f"{name}((ops_{panel} *)({{0}}), {unit}, (const ops_{stored} *)({{1}}), "
        "{2}, {3}, {4}, {5});"
    )
    return Intrinsic(name, text, (target, place, row, step, rows, k), meaning, HEADERS)


def _pointer(kind: Kind) -> str:
    return {"i32": "u32", "i64": "u64", "bf16": "f32"}.get(kind.name, kind.name)


def _units(target: CpuTarget) -> str:
    return f"OPS_CONTRACT_UNITS({target.rows}, {target.vectors});"


def block(
    kind: Kind, target: CpuTarget, m: Expr, n: Expr, k: Expr,
    a: Place, b: Place, c: Place, c_row: Expr, accumulate: Expr,
) -> Intrinsic:  # fmt: skip
    """A packed block; `k` counts elements of the panels (words, for pairs)."""
    unit_m, unit_n = target.rows, target.columns(kind.accumulator)
    name, pairs = f"ops_block_{kind.name}", kind is BF16

    def meaning(*arguments: Any) -> None:
        meaning_block(*arguments, unit_m=unit_m, unit_n=unit_n, pairs=pairs)

    c_type = _pointer(kind)
    p_type = "u32" if pairs else c_type
    text = (
        f"{_units(target)} {name}({{0}}, {{1}}, {{2}}, (const ops_{p_type} *)({{3}}), "
        f"(const ops_{p_type} *)({{4}}), (ops_{c_type} *)({{5}}), {{6}}, {{7}});"
    )
    return Intrinsic(
        name, text, (m, n, k, a, b, c, c_row, accumulate), meaning, HEADERS
    )


def block_in_place(
    kind: Kind, target: CpuTarget, m: Expr, n: Expr, k: Expr,
    a: Place, a_row: Expr, a_k: Expr, b: Place, b_k: Expr, b_panel: Expr,
    c: Place, c_row: Expr, accumulate: Expr,
) -> Intrinsic:  # fmt: skip
    """A block with a where it lies."""
    unit_n = target.columns(kind.accumulator)
    name = f"ops_block_in_place_{kind.name}"

    def meaning(*arguments: Any) -> None:
        meaning_block_in_place(*arguments, unit_n=unit_n)

    t = _pointer(kind)
    text = (
        f"{_units(target)} {name}({{0}}, {{1}}, {{2}}, "
        f"(const ops_{t} *)({{3}}), {{4}}, {{5}}, "
        f"(const ops_{t} *)({{6}}), {{7}}, {{8}}, (ops_{t} *)({{9}}), {{10}}, {{11}});"
    )
    arguments = (m, n, k, a, a_row, a_k, b, b_k, b_panel, c, c_row, accumulate)
    return Intrinsic(name, text, arguments, meaning, HEADERS)


def few(
    kind: Kind, source: DType, columns: bool, m: Expr, n: Expr, k: Expr,
    x: Place, b: Place, b_row: Expr, y: Place, y_row: Expr,
) -> Intrinsic:  # fmt: skip
    """A product with at most four rows, b streamed from memory."""
    stored = _SHORT[source.name]
    way = "columns" if columns else "rows"
    name = f"ops_rows_by_{way}_{kind.name}_{stored}"

    def meaning(*arguments: Any) -> None:
        meaning_few(*arguments, columns=columns)

    text = (
        f"{name}({{0}}, {{1}}, {{2}}, (const ops_{kind.name} *)({{3}}), "
        f"(const ops_{stored} *)({{4}}), {{5}}, (ops_{kind.name} *)({{6}}), {{7}});"
    )
    return Intrinsic(name, text, (m, n, k, x, b, b_row, y, y_row), meaning, HEADERS)


def pack_window(
    kind: Kind, unit: int, target: Place, window: Window,
    span: tuple[Expr, Expr, Expr, Expr],
) -> Intrinsic:  # fmt: skip
    """Packs lanes and depths `span` = (n0, rows, k0, k) of a window into panels."""
    stored = _SHORT[window.dtype.name]
    name = f"ops_pack_window_{kind.name}_{stored}"
    return windows.pack(
        name, _pointer(kind), stored, unit, target, window, span, HEADERS
    )


def few_window(
    kind: Kind, m: Expr, n: Expr, k: Expr, x: Place, window: Window, n0: Expr,
    y: Place, y_row: Expr,
) -> Intrinsic:  # fmt: skip
    """A product of at most four rows with a window, which is read where it lies."""
    stored = _SHORT[window.dtype.name]
    name = f"ops_few_window_{kind.name}_{stored}"
    return windows.few(
        name, kind.name, stored, m, n, k, x, window, n0, y, y_row, HEADERS
    )


def phase(at: Expr, factor: Expr, divisor: Expr, depth: Expr, out: Place) -> Intrinsic:
    """The taps u < depth with (at + factor * u) % divisor == 0."""
    text = "ops_contract_phase({0}, {1}, {2}, {3}, {4});"
    arguments = (at, factor, divisor, depth, out)
    return Intrinsic("ops_contract_phase", text, arguments, meaning_phase, HEADERS)


def plan(
    batch: Expr, m: Expr, n: Expr, k: Expr, most: tuple[Expr, Expr],
    unit: tuple[Expr, Expr], out: Place,
) -> Intrinsic:  # fmt: skip
    """Cuts the output into blocks for the workers there are."""
    text = (
        "ops_contract_plan(ctx->threads, {0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}, {8});"
    )
    arguments = (batch, m, n, k, *most, *unit, out)
    return Intrinsic("ops_contract_plan", text, arguments, meaning_plan, HEADERS)


__all__ = [
    "BF16", "F32", "F64", "I32", "I64", "Kind",
    "block", "block_in_place", "few", "few_window", "kind_of", "pack", "pack_window",
    "phase", "plan",
]  # fmt: skip
