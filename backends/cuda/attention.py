"""Two products around a softmax in one pass, on tensor cores or without.

What is recognised is the streaming contraction (`opslib.lowering.skeletons.streaming`),
not attention. ``native/cuda/opslib_cuda_attend*.h`` have the passes; printed is what a
spec decides: where queries, keys and values lie, what becomes of a score, how far a
block of rows reaches along the keys, and what a finished row is (attention_block.py).

Rows of sequences, if a spec has them, are cut into blocks sequence by sequence, and few
rows of many keys along the keys too (`attention_plan`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from opslib.codegen.c_types import Dialect
from opslib.ir import expr
from opslib.ir.dtypes import BOOL
from opslib.ir.expr import ONE, Axis, Expr, Prim, Read
from opslib.lowering.flatten import depends
from opslib.lowering.skeletons import arith, streaming
from opslib.lowering.skeletons.arith import integer
from opslib.lowering.skeletons.builder import Builder
from opslib.lowering.skeletons.streaming import Streaming

from . import attention_parts
from .attention_plan import ROWS, both, plan_of
from .attention_ways import ROWS_THREADS, RowsText, Sides, TensorText
from .launches import LaunchPrinter, Made, finish, launches
from .machine import Kernel, Launch
from .operands import narrow_type, narrowed
from .targets import GpuTarget
from .teams import THREAD

# Of opslib_cuda_attend.h.
THREADS, KEYS = 128, 64
# Elements of a query and of a value that a block on tensor cores is made for, the
# smallest that holds them: more than 128 of each would not stay in registers.
WIDTHS = (64, 128)
# Columns of a block without tensor cores: two blocks of the first fit a multiprocessor;
# values wider than the second are several blocks'.
NARROW, WIDEST = 128, 256
_TYPES = ("float16", "bfloat16")


def lower(
    program: expr.Program,
    title: str,
    layout: Mapping[str, str],
    target: GpuTarget | None,
    dialect: Dialect,
    made: Made,
) -> Kernel | None:
    """The launches, or None where the program is no streaming contraction."""
    s = streaming.match(program)
    if s is None or s.dtype.name not in ("float32", "float64"):
        return None
    builder = Builder(s.program, layout, title)
    checks = builder.root()
    builder.checks(checks)
    kernel = builder.kernel(checks, "streaming")
    plan = plan_of(s, builder)
    parts: list[Launch] = []
    for k, check in enumerate(kernel.body):
        parts += launches(kernel, dialect, (check,), f"{title}_check{k}", None, made)
    if s.segment is not None:
        parts.append(attention_parts.begins(plan, kernel, dialect, title, made))
    notes: tuple[str, ...] = ()
    sides = _sides(s, {b.name: b.strides for b in kernel.inputs}, target)
    rest: Expr | None = None
    for width in WIDTHS if sides is not None else ():
        assert sides is not None
        fits = _fits(s, width)
        condition: Expr | None = fits if rest is None else both(fits, rest)
        rest = Prim("not", (fits,), BOOL)
        printer = LaunchPrinter(kernel, dialect, THREAD, False)
        TensorText(printer, plan, sides, width).kernel()
        shared = integer((ROWS + 4 * KEYS) * width * sides.dtype.bytes)
        note = f"{sides.dtype.name} on tensor cores, up to {width} wide"
        launch = finish(
            printer, f"{title}_{width}", plan.blocks, condition, (), shared, made,
            THREADS, (note,),
        )  # fmt: skip
        # Said, so that the compiler does not choose three blocks and spill.
        launch = dataclasses.replace(launch, grid=(plan.blocks, plan.pieces, ONE))
        parts.append(dataclasses.replace(launch, resident=2))
        notes = (f"{sides.dtype.name} on tensor cores",)
    for widest, suffix in ((NARROW, "_narrow"), (WIDEST, "_rows")):
        condition = rest
        if widest == NARROW:
            if sides is not None:
                continue
            rest = arith.less(integer(NARROW), s.columns.extent)
            condition = Prim("not", (rest,), BOOL)
        printer = LaunchPrinter(kernel, dialect, THREAD, False)
        text = RowsText(printer, plan, widest)
        text.kernel()
        launch = finish(
            printer, f"{title}{suffix}", plan.blocks, condition, (),
            integer(text.bytes), made, ROWS_THREADS,
        )  # fmt: skip
        wide = arith.most(ONE, arith.ceildiv(s.columns.extent, integer(widest)))
        grid = (plan.blocks, plan.pieces, ONE if s.v is None else wide)
        # 64 sums of 8 bytes, or 128 of 4, would not leave room for a second block.
        # Nor what tells apart which values a row sees.
        twice = widest == NARROW and s.dtype.bits == 32 and not s.hidden
        resident = 2 if twice else 1
        parts.append(dataclasses.replace(launch, grid=grid, resident=resident))
    if plan.cuts is not None:
        warp = 32 if target is None else target.warp
        parts.append(attention_parts.join(plan, kernel, dialect, title, made, warp))
    return Kernel(
        title,
        "streaming",
        tuple(parts),
        made.parameters,
        tuple(made.workspaces.values()),
        made.lets,
        kernel,
        made.can_fail,
        notes,
    )


def _fits(s: Streaming, width: int) -> Expr:
    return both(
        arith.less(s.d.extent, integer(width + 1)),
        arith.less(s.columns.extent, integer(width + 1)),
    )


def _sides(
    s: Streaming,
    strides: Mapping[str, tuple[Expr, ...]],
    target: GpuTarget | None,
) -> Sides | None:
    """What tensor cores multiply, or None where they cannot."""
    if target is None or target.dialect != "cuda" or not target.cp_async:
        return None
    if s.v is None or s.dtype.name != "float32":
        return None
    if len(s.d.axes) != 1 or len(s.columns.axes) != 1:
        return None
    dtype = narrow_type(s.k)
    if dtype is None or dtype.name not in _TYPES or dtype.name not in target.mma:
        return None
    q, k, v = (narrowed(x, dtype) for x in (s.q, s.k, s.v))
    (deep,), (wide,) = s.d.axes, s.columns.axes
    k, v = _lying(k, deep, strides), _lying(v, wide, strides)
    if q is None or k is None or v is None:
        return None
    return Sides(dtype, q, _lying(q, deep, strides) is not None, k, v)


def _lying(
    value: Expr | None, along: Axis, strides: Mapping[str, tuple[Expr, ...]]
) -> Read | None:
    """`value` as a read in which neighbours along an axis are neighbours in memory."""
    if not isinstance(value, Read) or not value.indices:
        return None
    *others, last = value.indices
    if last is not along.index or strides[value.tensor][-1] is not ONE:
        return None
    return None if any(depends(i, along.name) for i in others) else value
