"""Contractions on tensor cores: mma.sync for every chip since sm_80, wgmma on sm_90.

``native/cuda/opslib_cuda_contract.h`` and ``opslib_cuda_group.h`` have the loops.
Printed is what an operator decides: where the operands lie, how an element is computed
that is not simply read, and what becomes of a sum before it is stored.

Operands must have a type that the hardware multiplies exactly into wide sums: float16
and bfloat16 into float32, 8-bit integers into int32. A float32 contraction stays with
the scalar units, for tfloat32 drops 13 of its 24 bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opslib.codegen.c_expressions import Entry
from opslib.codegen.c_types import PLUS, Dialect
from opslib.ir import expr
from opslib.ir.dtypes import BOOL, DType
from opslib.ir.expr import (
    ZERO,
    Expr,
    Prim,
    Var,
    substitute,
)
from opslib.ir.loops import Store
from opslib.lowering.skeletons import arith
from opslib.lowering.skeletons.arith import integer
from opslib.lowering.skeletons.builder import Builder
from opslib.lowering.skeletons.contraction import Contraction, match

from .launches import LaunchPrinter, Made, finish, launches
from .machine import MULTIPROCESSORS, Kernel, Launch
from .operands import BlockText, Side, narrow_type, narrowed, side_of
from .targets import GpuTarget
from .teams import THREAD

STAGES = 4
_SUMS = {
    "float16": "float32",
    "bfloat16": "float32",
    "int8": "int32",
    "uint8": "int32",
}


@dataclass(frozen=True, slots=True)
class Cut:
    """How a product is cut into blocks.

    Attributes:
        suffix: of the launch's name.
        prefix: of the functions in the header.
        threads: of a block.
        bytes: of depth in a tile.
        align: of the tiles, in bytes.
        rows, columns: of a block of sums.
    """

    suffix: str
    prefix: str
    threads: int
    bytes: int
    align: int
    rows: int
    columns: int


def _warps(suffix: str, rows: int, columns: int) -> Cut:
    return Cut(suffix, "ops", 128, 64, 16, rows, columns)


def _groups(suffix: str, columns: int) -> Cut:
    return Cut(suffix, "ops_group", 256, 128, 1024, 128, columns)


# By the number of sums, the largest first: large ones read the least memory for each
# product, and are for grids that still fill the chip. 128 x 128 sums of four warps, and
# 128 x 256 of eight, are 128 registers of a thread; several sums share these.
_WARPS = {
    1: (_warps("", 128, 128), _warps("_small", 64, 64)),
    2: (_warps("", 128, 64), _warps("_small", 64, 64)),
    3: (_warps("", 64, 64),),
}
_GROUPS = {1: (_groups("_wide", 256), _groups("", 128)), 2: (_groups("", 128),), 3: ()}


def cuts(sums: int, target: GpuTarget, joined: bool = True) -> tuple[Cut, ...]:
    """The ways in which a target's contractions are cut, the largest first.

    Of two sums `joined` says whether they are one product (`_joined`). Without it they
    are left to warps.
    """
    groups = _GROUPS[sums] if target.wgmma and (joined or sums == 1) else ()
    return (*groups, _WARPS[sums][-1]) if groups else _WARPS[sums]


def lower(
    program: expr.Program,
    title: str,
    layout: Mapping[str, str],
    target: GpuTarget | None,
    dialect: Dialect,
    made: Made,
) -> Kernel | None:
    """The launches, or None where tensor cores cannot do it.

    Args:
        program: prepared.
        title: of the kernel.
        layout: as for `opslib.lowering.lower`.
        target: whose tensor cores; None is any device, hence none.
        dialect: of the text.
        made: what is printed is noted here.
    """
    if target is None or target.dialect != "cuda" or not target.cp_async:
        return None
    c = match(program)
    if c is None:
        return None
    builder = Builder(c.program, layout, title)
    checks = builder.root()
    builder.checks(checks)
    kernel = builder.kernel(checks, "contraction")
    strides = {b.name: b.strides for b in kernel.inputs}
    dtype, sides = _sides(c, strides)
    if dtype is None or dtype.name not in target.mma:
        return None
    parts: list[Launch] = []
    for k, check in enumerate(kernel.body):
        parts += launches(kernel, dialect, (check,), f"{title}_check{k}", None, made)
    ways = cuts(len(c.sums), target, _joined(sides))
    before: Expr | None = None
    for cut in ways:
        # A grid that leaves multiprocessors idle is cut finer.
        fills = Prim("le", (MULTIPROCESSORS, _blocks(c, cut)), BOOL)
        here = before
        if cut is not ways[-1]:
            here = fills if before is None else _both(before, fills)
            no = Prim("not", (fills,), BOOL)
            before = no if before is None else _both(before, no)
        printer = LaunchPrinter(kernel, dialect, THREAD, False)
        _Text(printer, c, sides, dtype, cut).kernel()
        shared = integer(shared_bytes(sides, cut))
        parts.append(
            finish(
                printer, title + cut.suffix, _blocks(c, cut), here, (), shared, made,
                cut.threads,
            )
        )  # fmt: skip
    return Kernel(
        title,
        "contraction",
        tuple(parts),
        made.parameters,
        (),
        made.lets,
        kernel,
        made.can_fail,
        notes=(f"{dtype.name} on tensor cores",),
    )


def _both(a: Expr, b: Expr) -> Expr:
    return Prim("and", (a, b), BOOL)


def _blocks(c: Contraction, cut: Cut) -> Expr:
    found = arith.mul(
        arith.ceildiv(c.m.extent, integer(cut.rows)),
        arith.ceildiv(c.n.extent, integer(cut.columns)),
    )
    return arith.mul(found, c.batch.extent)


def shared_bytes(sides: list[Side], cut: Cut) -> int:
    """Of all stages' tiles; sums may share a side."""
    lanes = zip((cut.rows, cut.columns), (sides[::2], sides[1::2]), strict=True)
    return STAGES * cut.bytes * sum(n * len({s.value for s in x}) for n, x in lanes)


# --- Operands ----------------------------------------------------------------------


def _sides(
    c: Contraction, strides: Mapping[str, tuple[Expr, ...]]
) -> tuple[DType | None, list[Side]]:
    """(element type, a and b of each sum); no type where there is not one of all."""
    found: list[Side] = []
    dtype = narrow_type(c.sums[0].a)
    if dtype is None or _SUMS.get(dtype.name) != c.dtype.name:
        return None, []
    for s in c.sums:
        for value, lanes in ((s.a, c.m), (s.b, c.n)):
            exact = narrowed(value, dtype)
            if exact is None:
                return None, []
            found.append(side_of(exact, lanes, c.k, c.batch, strides))
    return dtype, found


def _joined(sides: list[Side]) -> bool:
    """Whether two sums have one left side, and right sides that are turned alike.

    The tiles of these lie one behind the other, and are one of twice as many lanes.
    """
    if len(sides) != 4:
        return False
    a, b, same, other = sides
    return a.value == same.value and b.value != other.value and b.turned == other.turned


# --- Text --------------------------------------------------------------------------


class _Text(BlockText):
    """Prints one launch."""

    def __init__(
        self,
        printer: LaunchPrinter,
        c: Contraction,
        sides: list[Side],
        dtype: DType,
        cut: Cut,
    ) -> None:
        super().__init__(printer, dtype)
        self.c, self.sides, self.cut = c, sides, cut
        self.block = cut.rows, cut.columns
        self.joined = cut.prefix == "ops_group" and _joined(sides)
        for word in ("to", "from", "stage", "first", "use", "lane", "depth", "all"):
            printer.names.fresh(word)

    def kernel(self) -> None:
        """The whole body."""
        p, c, (m, n) = self.p, self.c, self.block
        p.indent = 1
        align = f"__align__({self.cut.align})"
        p.line(f"extern __shared__ {align} unsigned char ops_shared[];")
        kinds: dict[tuple[int, Expr], str] = {}
        for k, side in enumerate(self.sides):
            if (k % 2, side.value) in kinds:
                continue
            kind = p.names.fresh("side_a" if k % 2 == 0 else "side_b")
            kinds[k % 2, side.value] = kind
            turned = "true" if side.turned else "false"
            lanes = self.block[k % 2]
            whole = f"{self.cut.prefix}_side<{self.element}, {lanes}, {turned}>"
            p.line(f"typedef {whole} {kind};")
        self.kinds = kinds
        self.rows = self.bound("rows", p.scalar(c.m.extent))
        self.columns = self.bound("columns", p.scalar(c.n.extent))
        self.deep = self.bound("deep", p.scalar(c.k.extent))
        place = "blockIdx.x"
        batch: Expr | None = None
        if c.batch.axes:
            per = self.bound(
                "blocks", f"ops_block_count<{m}, {n}>({self.rows}, {self.columns})"
            )
            batch = self.index("batch", f"ops_quotient(blockIdx.x, {per})")
            place = f"ops_rest(blockIdx.x, {per})"
        m0, n0 = p.names.fresh("m0"), p.names.fresh("n0")
        p.line(f"int64_t {m0}, {n0};")
        given = f"{place}, {self.rows}, {self.columns}, {m0}, {n0}"
        p.line(f"ops_block_place<{m}, {n}>({given});")
        self.m0, self.n0 = self.given(m0), self.given(n0)
        self.starts = (m0, n0)
        # A block and an element of a side are there only where all extents are
        # positive. NVRTC took minutes for a dozen divisions that mind signs.
        p.positive |= {a.stop for g in (c.batch, c.m, c.n, c.k) for a in g.axes}
        self.batch = {} if batch is None else c.batch.at(batch)
        self._matrices()
        names = [p.names.fresh(f"sum{k}" if k else "sum") for k in range(len(c.sums))]
        totals = [p.names.fresh(f"{x}s") for x in names]
        ctype = "float" if c.dtype.is_float else "int32_t"
        if self.joined:
            del totals[1:]
            n *= 2
        for total in totals:
            p.line(f"{self.cut.prefix}_sums<{ctype}, {m}, {n}> {total};")
            p.line(f"{total}.clear();")
        self._pipeline(totals)
        self._epilogue(names, totals, ctype)

    def at(self, m: Expr, n: Expr, k: Expr) -> dict[Expr, Expr]:
        """Values of the contraction's axes."""
        c = self.c
        points = {**self.batch, **c.m.at(m), **c.n.at(n), **c.k.at(k)}
        return c.at(points)

    def _distinct(self) -> list[tuple[int, Side, str]]:
        """(0 for a or 1 for b, the side, its type), each once."""
        found: dict[str, tuple[int, Side, str]] = {}
        for k, side in enumerate(self.sides):
            kind = self.kinds[k % 2, side.value]
            found.setdefault(kind, (k % 2, side, kind))
        return list(found.values())

    def _matrices(self) -> None:
        """Where the block's part of each matrix begins, and whether it is aligned."""
        at = self.at(self.m0, self.n0, ZERO)
        self.matrices = {
            kind: self.matrix(side.matrix, side.pitch, kind.removeprefix("side_"), at)
            for _, side, kind in self._distinct()
            if side.matrix is not None
        }

    def _pipeline(self, totals: list[str]) -> None:
        p = self.p
        kinds = [kind for _, _, kind in self._distinct()]
        size = self.bound("size", " + ".join(f"{k}::bytes" for k in kinds), "int")
        step = self.cut.bytes // self.dtype.bytes
        given = "int stage, int64_t first"
        if self.cut.prefix == "ops":
            head = f"ops_pipeline<{STAGES}>({self.deep}, {step}, "
        elif len(self.matrices) < len(kinds):
            head = f"ops_group_walk<{STAGES}, 1>({self.deep}, {step}, "
        else:
            every = " && ".join(x[2] for x in self.matrices.values())
            head = f"ops_group_pipeline<{STAGES}>({self.deep}, {step}, {every}, "
            given += ", bool all"
        p.line(f"{head}[&]({given}) {{")
        p.indent += 1
        p.scopes.append({})
        p.line(f"unsigned char *to = ops_shared + stage * {size};")
        before: list[str] = []
        for which, side, kind in self._distinct():
            to = " + ".join(["to", *before])
            self._stage(which, side, kind, to)
            before.append(f"{kind}::bytes")
        p.scopes.pop()
        p.indent -= 1
        p.line("}, [&](int use, int64_t) {")
        p.indent += 1
        p.line(f"const unsigned char *from = ops_shared + use * {size};")
        places = {}
        before = []
        for kind in kinds:
            places[kind] = " + ".join(["from", *before])
            before.append(f"{kind}::bytes")
        for k, total in enumerate(totals):
            a, b = self.sides[2 * k : 2 * k + 2]
            turned = ", ".join("true" if s.turned else "false" for s in (a, b))
            m, n = self.block
            n *= 2 if self.joined else 1
            left = places[self.kinds[0, a.value]]
            right = places[self.kinds[1, b.value]]
            kind = f"{self.element}, {m}, {n}, {turned}"
            p.line(f"{self.cut.prefix}_multiply<{kind}>({total}, {left}, {right});")
        p.indent -= 1
        p.line("});")

    def _stage(self, which: int, side: Side, kind: str, to: str) -> None:
        """Fills one tile."""
        p = self.p
        lanes = f"{(self.rows, self.columns)[which]} - {self.starts[which]}"
        deep = f"{self.deep} - first"
        if side.matrix is not None:
            start, pitch, aligned = self.matrices[kind]
            if self.cut.prefix == "ops_group" and len(self.matrices) == len(self.kinds):
                aligned = f"all || {aligned}"
            step = "first" if not side.turned else f"first * {pitch}"
            given = f"{start} + {step}, {pitch}, {lanes}, {deep}, {aligned}"
            p.line(f"{kind}::copy({to}, {given});")
            return
        head = f"{kind}::fill({to}, {lanes}, {deep}, [&](int lane, int depth)"
        with p.block(head, "});"):
            lane = self.index("at", f"{self.starts[which]} + lane")
            depth = self.index("k", "first + depth")
            m, n = (lane, ZERO) if which == 0 else (ZERO, lane)
            at = self.at(m, n, depth)
            value = substitute(side.value, at)
            p.line(f"return {self.element_of(value)};")

    def _epilogue(self, names: list[str], totals: list[str], ctype: str) -> None:
        p, c, (m, n) = self.p, self.c, self.block
        given = ", ".join(f"{ctype} {x}" for x in names)
        each = f"{self.cut.prefix}_each_{'pair' if self.joined else 'sum'}"
        head = f"{each}<{m}, {n}>(ops_shared, [&](int lane, int across, {given})"
        with p.block(head, f"}}, {', '.join(totals)});"):
            m0, n0 = self.starts
            i = self.index("i", f"{m0} + lane")
            j = self.index("j", f"{n0} + across")
            row, column = (p.scalar(x, PLUS) for x in (i, j))
            p.line(f"if ({row} >= {self.rows} || {column} >= {self.columns}) return;")
            at = self.at(i, j, ZERO)
            for k, s in enumerate(c.sums):
                p.scopes[-1][("var", f"#sum{k}")] = Entry(names[k], ctype)
                at[s.fold] = Var(f"#sum{k}", s.fold.dtype)
            where = tuple(substitute(a.index, at) for a in c.axes)
            for name, value in c.outputs:
                p.statement(Store(name, where, substitute(value, at)))
