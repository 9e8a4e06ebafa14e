"""Statements for threads: the shared C printer, with loops dealt to teams.

What all threads of a team run is uniform: each computes the same scalars, one stores
them. A ``vector`` loop is dealt to the team's threads, a ``vector`` fold joins what
they find, and where one thread needs what another wrote they wait. Inside such a loop a
thread is alone, and the rest is plain C.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opslib.codegen.c_expressions import Entry
from opslib.codegen.c_names import Names
from opslib.codegen.c_statements import StatementPrinter
from opslib.codegen.c_types import (
    CALL,
    LOOSE,
    UNARY,
    Dialect,
    Text,
    stored_type,
)
from opslib.ir.dtypes import INT64
from opslib.ir.expr import (
    Axis,
    Const,
    Expr,
    Prim,
    Read,
    Var,
)
from opslib.ir.loops import (
    Buffer,
    Fail,
    For,
    If,
    Intrinsic,
    Place,
    Reduce,
    Statement,
    Store,
)
from opslib.lowering.skeletons import arith
from opslib.lowering.skeletons.scan import Walk

from .teams import (
    BLOCK,
    THREAD,
    Hazards,
    Team,
    assigned_outside,
    by_threads,
    stack_size,
    touched,
    wants_team,
)


class SimtPrinter(StatementPrinter):
    """Prints the statements of one launch.

    Attributes:
        grid: the team that takes a turn of the launch's parallel loop.
        team: the one that runs here.
        alone: whether the launch is a single block.
        hazards: of `team`.
        used: ``thread`` and ``lane``, where the text mentions them.
        workspaces: buffers in global memory that all blocks share.
        rows: buffers of a team's own, in order.
        lets: definitions of variables in sight of every thread.
    """

    def __init__(self, dialect: Dialect, names: Names, grid: Team, alone: bool) -> None:
        super().__init__(dialect, names)
        self.head = []
        self.headers: set[str] = set()
        self.grid = grid
        self.team = BLOCK
        self.alone = alone
        self.hazards = Hazards()
        self.used: set[str] = set()
        self.workspaces: list[Buffer] = []
        self.rows: list[Buffer] = []
        self.lets: dict[str, Expr] = {}
        self.can_fail = False
        self.items: Expr | None = None
        self.changing: set[str] = set()

    # -- teams -------------------------------------------------------------------------

    def rank(self) -> str:
        """The thread's number in the team."""
        self.used.add(self.team.rank)
        return self.team.rank

    @contextmanager
    def working(self, team: Team) -> Iterator[None]:
        """The statements in between are run by another team."""
        outer, self.team = self.team, team
        yield
        self.team = outer

    def can_be_vector(
        self, index: str, body: tuple[Statement, ...], args: tuple[Expr, ...]
    ) -> bool:
        """Lanes of the host's kind are not for this machine."""
        return False

    def touches(self, body: Sequence[Statement]) -> tuple[set[str], set[str]]:
        """What the team has to look out for in these statements."""
        return touched(body, self.buffers, self.team is BLOCK)

    def wait(self) -> None:
        """A barrier of the team."""
        self.line(self.team.barrier)
        self.hazards.clear()

    def before(self, body: Sequence[Statement]) -> None:
        """Waits if what follows would meet what is under way."""
        if self.hazards.conflict(*self.touches(body)):
            self.wait()

    # -- statements --------------------------------------------------------------------

    def body(self, statements: tuple[Statement, ...]) -> None:
        """All statements; neighbouring stores of a team are one thread's."""
        if self.team is THREAD:
            for s in statements:
                self.statement(s)
            return
        k = 0
        while k < len(statements):
            run = k
            while run < len(statements) and self._is_store(statements[run]):
                run += 1
            if run > k:
                self._stores(statements[k:run])
                k = run
                continue
            self._shared(statements[k])
            k += 1

    def _is_store(self, s: Statement) -> bool:
        if not isinstance(s, Store):
            return False
        buffer = self.buffers.get(s.buffer)
        return buffer is None or buffer.scope != "stack"

    def _stores(self, run: tuple[Statement, ...]) -> None:
        self.before(run)
        for s in run:
            assert isinstance(s, Store)
            # Outside of the condition, where what follows can use it too.
            self.name_shared([s.value, *s.indices])
        with self.block(f"if ({self.rank()} == 0)"), self.working(THREAD):
            for s in run:
                self.statement(s)
        self.hazards.add(*self.touches(run))
        written = {s.buffer for s in run if isinstance(s, Store)}
        self.forget(lambda n: isinstance(n, Read) and n.tensor in written)

    def _shared(self, s: Statement) -> None:
        """A statement that all threads of a team run."""
        self.before([s])
        if isinstance(s, For | If):
            # What is awaited inside may be skipped.
            outer = self.hazards.copy()
            self.statement(s)
            self.hazards.add(outer.read, outer.written)
        elif isinstance(s, Reduce) and self._meets(s):
            # All have waited since it read and wrote; only its own memory is in use.
            self.statement(s)
            self.hazards.clear()
            self.hazards.add(set(), {f"fold {s.results[0]}"})
        else:
            self.statement(s)
            self.hazards.add(*self.touches([s]))

    def _meets(self, s: Reduce) -> bool:
        """Whether there is a barrier of the whole block within the fold."""
        return self.team is BLOCK and s.kind == "vector" and by_threads(s.body)

    def _let(self, name: str, value: Expr) -> None:
        self.lets[name] = value
        found = self.find(("var", value.name)) if isinstance(value, Var) else None
        if found is not None and found.text not in self.changing:
            self.scopes[-1][("var", name)] = found
            return
        super()._let(name, value)

    def _declare(self, name: str, value: Expr) -> None:
        super()._declare(name, value)
        self.changing.add(self.need(("var", name)).text)

    def _if(self, s: If) -> None:
        start = self.hazards.copy()
        with self.block(f"if ({self.scalar(s.condition)})"):
            self.body(s.then)
        if s.other:
            then, self.hazards = self.hazards, start
            self.lines.pop()
            with self.block("} else"):
                self.body(s.other)
            self.hazards.add(then.read, then.written)

    def _fail(self, s: Fail) -> None:
        self.can_fail = True
        condition = self.scalar(s.condition)
        with self.block(f"if (!({condition}))"):
            value, extent = self.operand(s.value, LOOSE), self.operand(s.extent, LOOSE)
            self.line(f"ops_fail(status, {s.check}, {value}, {extent});")
            self.line("return;")

    # -- expressions -------------------------------------------------------------------

    def _read(self, node: Read) -> Text:
        """A pack's element, one from where a row begins, or any."""
        place = self._packed(node) or self._from_row(node.tensor, node.indices)
        if place is None:
            return super()._read(node)
        return self._loaded(place, node)

    def _loaded(self, place: str, node: Read) -> Text:
        from opslib.codegen.c_types import EQUAL, SHORT
        from opslib.ir.dtypes import BOOL

        if node.type.name in ("float16", "bfloat16"):
            return f"ops_{SHORT[node.type.name]}_to_f32({place})", CALL
        return (f"{place} != 0", EQUAL) if node.type == BOOL else (place, CALL)

    def _packed(self, node: Read) -> str | None:
        return None

    def _from_row(self, tensor: str, indices: tuple[Expr, ...]) -> str | None:
        return None

    def _prim(self, node: Prim) -> Text:
        """Divisions of indices are in 32 bits where that will do."""
        if node.op in ("floordiv", "mod") and node.dtype == INT64:
            a, b = node.args
            if self._divides(a, b) and not isinstance(b, Const):
                function = "ops_quotient" if node.op == "floordiv" else "ops_rest"
                left, right = self.operand(a, LOOSE), self.operand(b, LOOSE)
                return f"{function}({left}, {right})", CALL
        return super()._prim(node)

    def is_positive(self, node: Expr) -> bool:
        """Whether the integer is known to be above 0 here, itself or by its parts.

        Extents that are sums are known whole where a block exists; the printer of C
        asks of a sum only what it is made of.
        """
        return node in self.positive or super().is_positive(node)

    def _facts(self, axis: Axis) -> None:
        """Signs known inside a loop; all factors of its extent are positive."""
        super()._facts(axis)
        if axis.start is arith.integer(0):
            self.positive |= set(factors(axis.stop))

    # -- loops -------------------------------------------------------------------------

    def _for(self, s: For) -> None:
        if s.kind == "parallel":
            self.parallel(s)
        elif self.team is THREAD:
            if s.kind == "unroll":
                self.chunk(s)
            else:
                self.loop(s.axis, lambda: self.body(s.body), s.step)
        elif s.kind in ("vector", "unroll") and by_threads(s.body):
            self.dealt(s)
        elif isinstance(s, Walk) and by_threads(s.body):
            self.scan(s)
        elif (
            by_threads(s.body)
            and not wants_team(s.body)
            and not assigned_outside(s.body)
        ):
            with self.block(f"if ({self.rank()} == 0)"), self.working(THREAD):
                self.loop(s.axis, lambda: self.body(s.body), s.step)
            self.hazards.add(*self.touches([s]))
        else:
            self.loop(s.axis, lambda: self.turn(s.body), s.step)

    def turn(self, body: tuple[Statement, ...], apart: bool = False) -> None:
        """One turn of a loop that a team walks; the next may meet what it leaves.

        apart: turns that other teams might run at the same time, so that only memory of
        the team's own can be met again.
        """
        self.body(body)
        first: list[Statement] = []
        for s in body:
            if isinstance(s, Walk) and self.team is BLOCK:
                # It begins with a barrier, having read its arguments.
                first += s.body[:-1]
                break
            first.append(s)
            if isinstance(s, Reduce) and self._meets(s):
                break
        read, written = self.touches(first)
        if apart:
            own = {b.name for b in self.rows}
            own |= {name for name in written if name.startswith("fold ")}
            read, written = read & own, written & own
        if self.hazards.conflict(read, written):
            self.wait()

    def chunk(self, s: For) -> None:
        """A few elements of one thread; see packs.py."""
        self.loop(s.axis, lambda: self.body(s.body), s.step)

    def dealt(self, s: For) -> None:
        """A loop whose turns are dealt to the team; see packs.py."""
        self.deal(s.axis, lambda: self.body(s.body), s.step)
        self.hazards.add(*self.touches([s]))

    def scan(self, s: Walk) -> None:
        """A prefix reduction; see folds.py."""
        raise NotImplementedError

    def deal(self, axis: Axis, inside: object, step: Expr | None = None) -> None:
        """The loop itself: each thread takes every so-many-th turn."""
        assert callable(inside)
        name = self.names.fresh(axis.name)
        start, stop = self._ends(axis)
        rank, size = self.rank(), self.team.size
        if step is not None:
            by = self.scalar(step, UNARY)
            rank, size = f"{rank} * {by}", f"{size} * {by}"
        first = rank if start == "0" else f"{start} + {rank}"
        head = f"for (int64_t {name} = {first}; {name} < {stop}; {name} += {size})"
        with self.block(head), self.working(THREAD):
            self.scopes[-1][("index", axis.name)] = Entry(name, "int64_t")
            self._facts(axis)
            inside()

    def parallel(self, s: For) -> None:
        """The launch's loop: turns are dealt to the teams of the grid."""
        axis = s.axis
        if self.alone:
            if by_threads(s.body) and not wants_team(s.body):
                self.dealt(s)
            else:
                self.loop(axis, lambda: self.turn(s.body), s.step)
            return
        count = arith.extent(axis)
        self.items = count if s.step is None else arith.ceildiv(count, s.step)
        name = self.names.fresh(axis.name)
        for factor in factors(axis.stop):
            if isinstance(factor, Prim) and factor.op == "floordiv":
                self._counted(factor)
        start, stop = self._ends(axis)
        first, by = {
            "thread": ("ops_thread()", "ops_threads()"),
            "warp": ("ops_warp()", "ops_warps()"),
            "block": ("blockIdx.x", "gridDim.x"),
        }[self.grid.name]
        if s.step is not None:
            step = self.scalar(s.step, UNARY)
            first, by = f"{first} * {step}", f"{by} * {step}"
        if start != "0":
            first = f"{start} + {first}"
        head = f"for (int64_t {name} = {first}; {name} < {stop}; {name} += {by})"
        if self.hazards.written or self.hazards.read:
            self.wait()
        with self.block(head), self.working(self.grid):
            self.scopes[-1][("index", axis.name)] = Entry(name, "int64_t")
            self._facts(axis)
            if self.grid is THREAD:
                self.body(s.body)
            else:
                self.turn(s.body, apart=True)

    def _counted(self, count: Prim) -> None:
        """Names for how many pieces there are, and how long they are."""
        size = count.args[1]
        for node, base in ((size, "size"), (count, "pieces")):
            if node.children and self.find(("expr", node)) is None:
                self.bind(("expr", node), base, "int64_t", self.render(node)[0])

    # -- memory ------------------------------------------------------------------------

    def alloc(self, buffer: Buffer) -> None:
        """Stack memory is an array; the rest is given by the launch."""
        self.buffers[buffer.name] = buffer
        name = self.names.fresh(buffer.name)
        ctype = stored_type(buffer.dtype)
        self.scopes[-1][("buffer", buffer.name)] = Entry(name, f"{ctype} *")
        if buffer.scope == "stack":
            self.line(f"{ctype} {name}[{stack_size(buffer)}];")
        elif buffer.shared or self.alone:
            self.workspaces.append(buffer)
            self.scopes[0][("buffer", buffer.name)] = Entry(name, f"{ctype} *")
        else:
            self.rows.append(buffer)
            self.row_memory(buffer, name, ctype)

    def row_memory(self, buffer: Buffer, name: str, ctype: str) -> None:
        """Memory of a team's own; see launches.py."""
        raise NotImplementedError

    def _intrinsic(self, s: Intrinsic) -> None:
        """The native functions of rows, by the whole block."""
        if not s.name.startswith("order_"):
            raise NotImplementedError(f"{s.name} in CUDA")
        texts = []
        for argument in s.arguments:
            if isinstance(argument, Place):
                offset = self.offset(argument.buffer, argument.indices)
                pointer = self.pointer(argument.buffer)
                texts.append(pointer if offset == "0" else f"{pointer} + {offset}")
            else:
                texts.append(self.scalar(argument))
        *given, descending = texts
        flag = {"0": "false", "1": "true"}.get(descending, f"{descending} != 0")
        self.line(f"ops_block_order({', '.join(given)}, {flag});")
        written = {a.buffer for a in s.arguments if isinstance(a, Place) and a.writes}
        self.forget(lambda n: isinstance(n, Read) and n.tensor in written)


def factors(node: Expr) -> Iterator[Expr]:
    """Of a product; a number that is none is its only one."""
    if isinstance(node, Prim) and node.op == "mul":
        for a in node.args:
            yield from factors(a)
    else:
        yield node
