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
    TIMES,
    UNARY,
    Dialect,
    Text,
    stored_type,
    value_type,
)
from opslib.ir.dtypes import INT64
from opslib.ir.expr import (
    Axis,
    Const,
    Expr,
    Index,
    Prim,
    Read,
    Var,
    free_indices,
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
from opslib.ir.monoid import Monoid
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

# Neighbours that a thread takes of a prefix reduction.
SCANNED = 4


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

    def _facts(self, axis: Axis) -> None:
        """Signs known inside a loop; all factors of its extent are positive."""
        super()._facts(axis)
        if axis.start is arith.integer(0):
            self.positive |= set(_factors(axis.stop))

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
        for factor in _factors(axis.stop):
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

    def scan(self, s: Walk) -> None:
        """A prefix reduction.

        Each thread folds a few neighbours, and does so again from what the threads
        before it found.
        """
        assert s.monoid is not None
        axis, monoid = s.axis, s.monoid
        states = [self.need(("var", n)).text for n in s.states]
        types = ", ".join(value_type(t) for t in monoid.state)
        carry = self.names.fresh("carry")
        self.line(f"ops_states<{types}> {carry};")
        self.line(f"ops_put({carry}, {', '.join(states)});")
        start, stop = self._ends(axis)
        first = self.names.fresh(f"{axis.name}_first")
        rank, size = self.rank(), self.team.size
        head = f"for (int64_t {first} = {start}; {first} < {stop}; "
        element = Reduce((axis,), "serial", monoid, s.args, s.states, s.body[:-2])
        with self.block(f"{head}{first} += {size} * {SCANNED})"):
            parts = []
            for n, dtype, identity in zip(
                s.states, monoid.state, monoid.identity, strict=True
            ):
                part = self.names.fresh("part")
                ctype = value_type(dtype)
                self.line(f"{ctype} {part} = {self.scalar(identity)};")
                self.scopes[-1][("var", n)] = Entry(part, ctype)
                parts.append(part)
            for last in (False, True):
                self.line("#pragma unroll")
                with self.block(f"for (int e = 0; e < {SCANNED}; e++)"):
                    name = self.names.fresh(axis.name)
                    self.line(
                        f"const int64_t {name} = {first} + {rank} * {SCANNED} + e;"
                    )
                    self.scopes[-1][("index", axis.name)] = Entry(name, "int64_t")
                    self._facts(axis)
                    with self.block(f"if ({name} < {stop})"), self.working(THREAD):
                        self.step(element, parts)
                        if last:
                            self.body(s.then)
                if not last:
                    call = "warp_scan" if self.team.name == "warp" else "block_scan"
                    self.joining(call, monoid, [carry], parts)
            if self.team is BLOCK:
                self.line(self.team.barrier)
        self.line(f"ops_take({carry}, {', '.join(states)});")
        if self.team is not BLOCK:
            self.hazards.add(*self.touches([s]))

    def _counted(self, count: Prim) -> None:
        """Names for how many pieces there are, and how long they are."""
        size = count.args[1]
        for node, base in ((size, "size"), (count, "pieces")):
            if node.children and self.find(("expr", node)) is None:
                self.bind(("expr", node), base, "int64_t", self.render(node)[0])

    # -- folds -------------------------------------------------------------------------

    def reduce(self, s: Reduce) -> None:
        """By one thread in order; by a team, each thread its part, and these joined."""
        if self.team is THREAD:
            self.in_order(s)
            return
        if not by_threads(s.body):
            self._in_order(s)
            return
        names = self.start(s)
        self.parts(s, names)
        self.join(s, names)

    def start(self, s: Reduce) -> list[str]:
        """Declares the states."""
        names = []
        for result, dtype, identity in zip(
            s.results, s.monoid.state, s.monoid.identity, strict=True
        ):
            name = self.names.fresh(result)
            self.line(f"{value_type(dtype)} {name} = {self.scalar(identity)};")
            self.scopes[-1][("var", result)] = Entry(name, value_type(dtype))
            names.append(name)
        return names

    def in_order(self, s: Reduce) -> None:
        """A fold of one thread."""
        names = self.start(s)

        def nest(axes: tuple[Axis, ...]) -> None:
            if axes:
                self.loop(axes[0], lambda: nest(axes[1:]))
            else:
                self.step(s, names)

        nest(s.axes)

    def step(self, s: Reduce, names: list[str]) -> None:
        """One more element."""
        self.body(s.body)
        arg = s.args[0]
        if (
            s.monoid.name == "sum"
            and isinstance(arg, Prim)
            and arg.op == "mul"
            and arg.dtype.name in ("float32", "float64")
        ):
            # One rounding less, and one instruction.
            self.name_shared([arg])
            a, b = (self.operand(x, LOOSE) for x in arg.args)
            short = "f32" if arg.dtype.name == "float32" else "f64"
            self.line(f"{names[0]} = ops_fma_{short}({a}, {b}, {names[0]});")
        else:
            states = tuple(map(Var, s.results, s.monoid.state))
            new = self.combined(s.monoid, states, self._arguments(s))
            self.assign(names, new, s.monoid.state, False)
        self.forget(lambda n: isinstance(n, Var) and n.name in s.results)

    def parts(self, s: Reduce, names: list[str]) -> None:
        """What each thread of the team folds: by the last axis, or all as one."""
        *outer, last = s.axes
        free = {a.name for a in s.axes}
        if outer and not any(free & free_indices(a) for a in s.axes):
            self._flat(s, names)
            return

        def nest(axes: list[Axis]) -> None:
            if axes:
                self.loop(axes[0], lambda: nest(axes[1:]))
            else:
                self.part(s, last, names)

        nest(list(outer))

    def part(self, s: Reduce, axis: Axis, names: list[str]) -> None:
        """The innermost axis, dealt to the team."""
        self.deal(axis, lambda: self.step(s, names))

    def _flat(self, s: Reduce, names: list[str]) -> None:
        extents = [arith.extent(a) for a in s.axes]
        flat = Axis(self.names.fresh("k"), arith.integer(0), arith.product(extents))

        def inside() -> None:
            rest: Expr = Index(flat.name)
            text = self.need(("index", flat.name)).text
            for k in reversed(range(len(s.axes))):
                axis = s.axes[k]
                if k:
                    size = self.scalar(extents[k], LOOSE)
                    place = f"ops_rest({text}, {size})"
                    after = self.names.fresh("rest")
                    quotient = f"ops_quotient({text}, {size})"
                else:
                    place = text
                if axis.start is not arith.integer(0):
                    place = f"{self.scalar(axis.start, TIMES)} + {place}"
                name = self.names.fresh(axis.name)
                self.line(f"const int64_t {name} = {place};")
                self.scopes[-1][("index", axis.name)] = Entry(name, "int64_t")
                self._facts(axis)
                if k:
                    self.line(f"const int64_t {after} = {quotient};")
                    text = after
            del rest
            self.step(s, names)

        self.deal(flat, inside)

    def join(self, s: Reduce, names: list[str]) -> None:
        """Joins the threads' states; afterwards all have the result."""
        call = "warp_fold" if self.team.name == "warp" else "block_fold"
        self.joining(call, s.monoid, [], names)

    def joining(
        self, call: str, monoid: Monoid, before: list[str], names: list[str]
    ) -> None:
        """A call of a function that joins states, with how it is done."""
        firsts, seconds = [], []
        inner = SimtPrinter(self.dialect, self.names, self.grid, self.alone)
        inner.team = THREAD
        inner.indent = self.indent + 1
        taken = self.names.copy()
        for k, dtype in enumerate(monoid.state):
            a, b = self.names.fresh("a"), self.names.fresh("b")
            firsts.append(f"{value_type(dtype)} &{a}")
            seconds.append(f"{value_type(dtype)} {b}")
            inner.scopes[0][("var", f"a{k}")] = Entry(a, value_type(dtype))
            inner.scopes[0][("var", f"b{k}")] = Entry(b, value_type(dtype))
        targets = [inner.scopes[0][("var", f"a{k}")].text for k in range(len(names))]
        inner.assign(targets, monoid.combine, monoid.state, False)
        # They are the function's own.
        self.names.restore(taken)
        size = "" if call.startswith("warp") else f"<{BLOCK.size}>"
        head = f"ops_{call}{size}([]({', '.join(firsts + seconds)})"
        tail = f", {', '.join([*before, *names])});"
        if len(inner.lines) == 1 and len(inner.lines[0].strip()) + len(head) < 76:
            self.line(f"{head} {{ {inner.lines[0].strip()} }}{tail}")
        else:
            self.line(f"{head} {{")
            self.lines += inner.lines
            self.line(f"}}{tail}")

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


def _factors(node: Expr) -> Iterator[Expr]:
    if isinstance(node, Prim) and node.op == "mul":
        for a in node.args:
            yield from _factors(a)
    else:
        yield node
