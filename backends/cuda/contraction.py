"""Sums of products without tensor cores: tiles in shared memory, sums in registers.

What is printed is the contraction's form in tiles (`opslib.ir.tiles`): one turn of its
grid loops is a block's, panels are filled by all threads, and each thread keeps 4 x 4
of 64 x 64 sums, or 8 x 8 of 128 x 128 where there are enough of these for all
multiprocessors. Every sum is taken in order, so both give the same bits. float32 has no
tensor core without loss, and float64 and wide integers have none everywhere; for what
they do have, see tensor.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from opslib.codegen.c_expressions import Entry
from opslib.codegen.c_types import (
    UNARY,
    Dialect,
    Text,
    value_type,
)
from opslib.ir import loops
from opslib.ir.dtypes import BOOL
from opslib.ir.expr import (
    FALSE,
    ONE,
    ZERO,
    Axis,
    Expr,
    Prim,
    Program,
    Read,
    free_indices,
    walk,
)
from opslib.ir.loops import Store
from opslib.ir.tiles import (
    AllocTile,
    Copy,
    Gather,
    Map,
    Mma,
    TileBuffer,
    TileLoop,
    TileStatement,
)
from opslib.lowering.skeletons import arith, contraction_tiles
from opslib.lowering.skeletons import contraction as structure
from opslib.lowering.skeletons.arith import integer
from opslib.lowering.skeletons.builder import Builder, Layout, Machine

from .launches import LaunchPrinter, Made, finish, launches
from .machine import MULTIPROCESSORS, Launch
from .teams import BLOCK, THREAD, THREADS

# Of a block: sums along m and n, and the depth of its panels. 16 x 16 threads make it.
SMALL, LARGE = (64, 16), (128, 8)
# A panel's rows are this much longer: filled by columns, they meet other banks.
PAD = 4
# Fewer rows or columns than this are better folded one by one.
LEAST = 8
_ACCUMULATORS = ("float32", "float64", "int32", "int64", "uint32", "uint64")


def lower(
    program: Program,
    layout: Layout,
    name: str,
    dialect: Dialect,
    machine: Machine,
    made: Made,
) -> tuple[list[Launch], Expr] | None:
    """The launches of a contraction, and the condition on sizes for which they are.

    None where the program is no contraction, or has no axis of its left side alone.
    """
    c = structure.match(program)
    if c is None or not c.m.axes or not c.n.axes:
        return None
    accumulator = c.dtype
    if accumulator.name not in _ACCUMULATORS:
        return None
    builder = Builder(c.program, layout, name)
    builder.machine = machine
    checks = builder.root()
    builder.checks(checks)
    condition: Expr = Prim("and", (_enough(c.m.extent), _enough(c.n.extent)), BOOL)
    kernel = builder.kernel(checks, "contraction")
    parts: list[Launch] = []
    for k, s in enumerate(kernel.body):
        parts += launches(kernel, dialect, (s,), f"{name}_check{k}", condition, made)
    blocks = arith.product(
        (
            c.batch.extent,
            *(arith.ceildiv(g.extent, integer(LARGE[0])) for g in (c.m, c.n)),
        )
    )
    # Registers of a thread's sums, of which two blocks leave it 128 in all: those of 8
    # bytes, or of two products, would have no others.
    held = (LARGE[0] // 16) ** 2 * accumulator.bits // 32 * len(c.sums)
    many: Expr = FALSE
    if held <= 64:
        many = Prim("ge", (blocks, MULTIPROCESSORS), BOOL)
    for shape, suffix, test in (
        (LARGE, "_large", many),
        (SMALL, "", Prim("not", (many,), BOOL)),
    ):
        if test is FALSE:
            continue
        tile, depth = shape
        tiled = contraction_tiles.tiles(
            c,
            builder,
            accumulator,
            (tile, tile),
            (integer(tile), integer(tile), integer(depth)),
            False,
        )
        when = Prim("and", (condition, test), BOOL)
        printer = _Tiles(kernel, dialect, tile, depth)
        # A block and an element of a panel are there only where all extents are.
        printer.positive |= {a.stop for g in (c.batch, c.m, c.n, c.k) for a in g.axes}
        body = tiled.program.body
        parts.append(printer.launch(body, f"{name}{suffix}", when, made))
    return parts, condition


def _enough(extent: Expr) -> Expr:
    return Prim("ge", (extent, integer(LEAST)), BOOL)


class _Tiles(LaunchPrinter):
    """Prints a contraction's tiles."""

    def __init__(
        self, kernel: loops.Kernel, dialect: Dialect, tile: int, depth: int
    ) -> None:
        super().__init__(kernel, dialect, BLOCK, False)
        self.side, self.deep = tile, depth
        self.each = tile // 16
        for taken in [
            "row",
            "column",
            "rows",
            "columns",
            "depth",
            "tile",
            "r",
            "s",
            "c",
        ]:
            self.names.fresh(taken)
        self.tiles: dict[str, TileBuffer] = {}
        self.here: dict[str, str] = {}

    def launch(
        self,
        body: Sequence[TileStatement],
        name: str,
        condition: Expr,
        made: Made,
    ) -> Launch:
        """The function."""
        grid: list[TileLoop] = []
        while len(body) == 1:
            (loop,) = body
            if not isinstance(loop, TileLoop) or loop.kind != "grid":
                break
            grid.append(loop)
            body = loop.body
        counts = [arith.ceildiv(loop.axis.stop, loop.step) for loop in grid]
        total = arith.product(counts)
        self.line("const int row = threadIdx.x / 16 * 4;")
        self.line("const int column = threadIdx.x % 16 * 4;")
        for s in body:
            if isinstance(s, AllocTile):
                self.tile(s.buffer)
        names = [self.names.fresh("tiles") for _ in counts[1:]]
        for n, count in zip(names, counts[1:], strict=True):
            self.line(f"const int64_t {n} = {self.scalar(count)};")
        self.line("const int64_t tile = blockIdx.x;")
        text = "tile"
        for k in reversed(range(len(grid))):
            loop = grid[k]
            at = f"ops_rest({text}, {names[k - 1]})" if k else text
            step = self.scalar(loop.step)
            index = self.names.fresh(loop.axis.name)
            by = "" if step == "1" else f" * {step}"
            self.line(f"const int64_t {index} = {at}{by};")
            self.scopes[-1][("index", loop.axis.name)] = Entry(index, "int64_t")
            self.nonnegative.add(loop.axis.name)
            if k:
                after = self.names.fresh("rest")
                left = f"ops_quotient({text}, {names[k - 1]})"
                self.line(f"const int64_t {after} = {left};")
                text = after
        maps = [s for s in body if isinstance(s, Map)]
        for axis, own in zip(maps[0].axes, ("rows", "columns"), strict=True):
            self.line(f"const int {own} = (int){self.scalar(axis.stop, UNARY)};")
            self.scopes[-1][("expr", axis.stop)] = Entry(own, "int")
        for s in body:
            if isinstance(s, TileLoop):
                self.depth(s)
        self.epilogue(maps)
        launch = finish(self, name, total, condition, [], ZERO, made)
        return dataclasses.replace(launch, resident=2)

    def tile(self, b: TileBuffer) -> None:
        """A panel in shared memory, or the sums in registers."""
        self.tiles[b.name] = b
        name = self.names.fresh(b.name)
        self.here[b.name] = name
        if b.scope != "register":
            self.line(
                f"__shared__ __align__(16) {value_type(b.dtype)} "
                f"{name}[{self.deep}][{self.side + PAD}];"
            )

    def depth(self, loop: TileLoop) -> None:
        """The walk along k."""
        sums = [s for s in loop.body if isinstance(s, Mma)]
        for s in sums:
            b = self.tiles[s.accumulator.buffer]
            n = self.each
            self.line(f"{value_type(b.dtype)} {self.here[b.name]}[{n}][{n}] = {{}};")
        index = self.names.fresh(loop.axis.name)
        stop = self.scalar(loop.axis.stop)
        if not stop.isidentifier():
            stop = self.bind(("end", loop.axis), "end", "int64_t", stop)
        with self.block(
            f"for (int64_t {index} = 0; {index} < {stop}; {index} += {self.deep})"
        ):
            self.scopes[-1][("index", loop.axis.name)] = Entry(index, "int64_t")
            self.nonnegative.add(loop.axis.name)
            copies = [s for s in loop.body if isinstance(s, Copy)]
            source = copies[0].source
            assert isinstance(source, Gather)
            deep = source.axes[1]
            self.line(f"const int depth = (int){self.scalar(deep.stop, UNARY)};")
            self.scopes[-1][("expr", deep.stop)] = Entry("depth", "int")
            for panel in copies:
                self.copy(panel)
            self.line("__syncthreads();")
            for s in sums:
                names = (self.here[x.buffer] for x in (s.accumulator, s.a, s.b))
                self.line(f"ops_multiply({', '.join(names)}, row, column);")
            self.line("__syncthreads();")

    def copy(self, s: Copy) -> None:
        """Fills a panel; beyond the operand are zeros."""
        source = s.source
        assert isinstance(source, Gather)
        lane, deep = source.axes
        b = self.tiles[s.target.buffer]
        lanes, deeps = (self.scalar(a.stop) for a in (lane, deep))
        ctype = value_type(b.dtype)
        self.line("#pragma unroll")
        with self.block(
            f"for (int c = threadIdx.x; c < {self.side * self.deep}; c += {THREADS})"
        ):
            i, k = self.names.fresh(lane.name), self.names.fresh(deep.name)
            if self._along(source.value, deep.name, lane.name):
                self.line(f"const int {i} = c / {self.deep}, {k} = c % {self.deep};")
            else:
                self.line(f"const int {k} = c / {self.side}, {i} = c % {self.side};")
            self.scopes[-1][("index", lane.name)] = Entry(i, "int64_t")
            self.scopes[-1][("index", deep.name)] = Entry(k, "int64_t")
            self.nonnegative |= {lane.name, deep.name}
            value = self.names.fresh("value")
            self.line(f"{ctype} {value} = 0;")
            test = f"{i} < {lanes} && {k} < {deeps}"
            with self.block(f"if ({test})"), self.working(THREAD):
                self.line(f"{value} = {self.scalar(source.value)};")
            self.line(f"{self.here[b.name]}[{k}][{i}] = {value};")

    def _along(self, value: Expr, deep: str, lane: str) -> bool:
        """Whether neighbours along the depth are neighbours in memory."""
        reads = [n for n in walk(value) if isinstance(n, Read)]
        for n in reads:
            for index, result in ((lane, False), (deep, True)):
                found = self.moves(n.tensor, n.indices, index)
                if found is not None and found[0] is ONE:
                    return result
        last = [free_indices(n.indices[-1]) for n in reads if n.indices]
        return any(deep in f for f in last)

    def epilogue(self, maps: Sequence[Map]) -> None:
        """The outputs' values at each of the thread's sums."""
        i, j = maps[0].axes
        lanes, columns = self.scalar(i.stop), self.scalar(j.stop)
        self.line("#pragma unroll")
        with self.block(f"for (int r = 0; r < {self.each}; r++)"):
            row, column = "row + r", "column + s"
            if self.each > 4:
                row, column = "row + r / 4 * 64 + r % 4", "column + s / 4 * 64 + s % 4"
            # Else the addresses of all sums are computed before the first is stored,
            # and addmm's went to memory on sm_80.
            self._own(i, f"ops_ptx_anew({row})")
            self.line("#pragma unroll")
            with self.block(f"for (int s = 0; s < {self.each}; s++)"):
                self._own(j, column)
                own = (self.scalar(a.index) for a in (i, j))
                test = " && ".join(
                    f"{x} < {end}" for x, end in zip(own, (lanes, columns), strict=True)
                )
                with self.block(f"if ({test})"), self.working(THREAD):
                    for m in maps:
                        where = m.target
                        self.statement(Store(where.buffer, where.offsets, m.value))

    def _own(self, axis: Axis, text: str) -> None:
        """The place of a sum along an axis of the block."""
        name = self.names.fresh(axis.name)
        self.line(f"const int {name} = {text};")
        self.scopes[-1][("index", axis.name)] = Entry(name, "int64_t")
        self.nonnegative.add(axis.name)

    def _read(self, node: Read) -> Text:
        b = self.tiles.get(node.tensor)
        if b is not None and b.scope == "register":
            return f"{self.here[b.name]}[r][s]", 15
        return super()._read(node)
