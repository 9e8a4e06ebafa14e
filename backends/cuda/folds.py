"""Folds and prefix reductions of teams.

Each thread folds its part, and the parts are joined: in a warp by shuffles, in a block
through shared memory. The functions are in native/cuda/opslib_cuda_team.h; what joins
two states is printed as a lambda, whatever the monoid.
"""

from __future__ import annotations

from opslib.codegen.c_expressions import Entry
from opslib.codegen.c_types import LOOSE, TIMES, value_type
from opslib.ir.expr import Axis, Prim, Var, free_indices
from opslib.ir.loops import Reduce
from opslib.ir.monoid import Monoid
from opslib.lowering.skeletons import arith
from opslib.lowering.skeletons.scan import Walk

from .simt import SimtPrinter
from .teams import BLOCK, THREAD, by_threads

# Neighbours that a thread takes of a prefix reduction.
SCANNED = 4


class FoldPrinter(SimtPrinter):
    """Adds `Reduce` and `Walk`."""

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
        inner = FoldPrinter(self.dialect, self.names, self.grid, self.alone)
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
