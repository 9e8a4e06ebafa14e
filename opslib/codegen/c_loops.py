"""Loops: serial ones, and vector loops with what does not change along them first."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from opslib.codegen.c_expressions import Entry, base_name
from opslib.codegen.c_reduce import ReducePrinter
from opslib.codegen.c_types import LOOSE, PLUS, stored_type, value_type
from opslib.codegen.c_vector import Lanes
from opslib.ir.dtypes import BOOL
from opslib.ir.expr import (
    ZERO,
    Axis,
    Expr,
    Index,
    Prim,
    Read,
    Select,
    Size,
    Var,
    walk,
)
from opslib.ir.loops import (
    Assign,
    Declare,
    For,
    If,
    Let,
    Reduce,
    Statement,
    Store,
)
from opslib.lowering.inline import CHEAP


class LoopPrinter(ReducePrinter):
    """Adds `For`."""

    def loop(
        self, axis: Axis, inside: Callable[[], None], step: Expr | None = None
    ) -> None:
        """A serial loop."""
        name = self.names.fresh(axis.name)
        start, stop = self._ends(axis)
        by = f"{name}++" if step is None else f"{name} += {self.scalar(step)}"
        with self.block(f"for (int64_t {name} = {start}; {name} < {stop}; {by})"):
            self.scopes[-1][("index", axis.name)] = Entry(name, "int64_t")
            self._facts(axis)
            inside()

    def _ends(self, axis: Axis) -> tuple[str, str]:
        ends = []
        for end, name in ((axis.start, "start"), (axis.stop, "stop")):
            wide = self.lanes is not None
            text = self._uniform(end) if wide else self.scalar(end)
            if end.children and not text.isidentifier():
                # Computed once: it may read memory that the loop writes.
                text = self.bind(("end", end), name, "int64_t", text)
            ends.append(text)
        return ends[0], ends[1]

    def _facts(self, axis: Axis) -> None:
        """Signs known inside the loop, where its range is not empty."""
        if self.is_nonnegative(axis.start):
            self.nonnegative.add(axis.name)
            waiting = [axis.stop]
            while waiting:
                node = waiting.pop()
                if isinstance(node, Prim) and node.op == "mul":
                    if all(map(self.is_nonnegative, node.args)):
                        waiting.extend(node.args)
                elif isinstance(node, Prim) and node.op == "min":
                    waiting.extend(node.args)
                elif isinstance(node, Size | Var):
                    self.positive.add(node)

    def _for(self, s: For) -> None:
        kind = s.kind
        if kind == "parallel":
            self.parallel(s)
            return
        wide = kind == "vector" and self.lanes is None and s.step is None
        if wide and self.can_be_vector(s.axis.name, s.body, ()):
            self._vector_loop(s)
            return
        if kind == "unroll":
            self.line("#pragma GCC unroll 16")
        self.loop(s.axis, lambda: self.body(s.body), s.step)

    def parallel(self, s: For) -> None:
        """A loop over workers; see c_style.py."""
        raise NotImplementedError

    def _vector_loop(self, s: For) -> None:
        axis = s.axis
        with self.block(None):
            start = self.scalar(axis.start)
            stop = self.scalar(axis.stop, PLUS)
            index = self.names.fresh(axis.name)
            self._prologue(s, start, stop)
            self.line(f"int64_t {index} = {start};")
            with self.block(
                f"for (; {index} + OPS_LANES <= {stop}; {index} += OPS_LANES)"
            ):
                self._lane_body(s, index, None)
            with self.block(f"if ({index} < {stop})"):
                left = self.names.fresh("live")
                self.line(f"const int64_t {left} = {stop} - {index};")
                self._lane_body(s, index, left)

    def _lane_body(self, s: For, index: str, count: str | None) -> None:
        self.lanes = Lanes(s.axis.name, index, count)
        self.scopes[-1][("index", s.axis.name)] = Entry(index, "int64_t", True)
        self._facts(s.axis)
        self.body(s.body)
        self.lanes = None

    def _prologue(self, s: For, start: str, stop: str) -> None:
        """What does not change along the loop: row addresses, loads, functions."""
        inner = _defined(s.body) | {s.axis.name}
        stored = {b.buffer for b in _all(s.body) if isinstance(b, Store)}
        self.lanes = Lanes(
            s.axis.name, "#", None, {n for n in inner if n != s.axis.name}
        )
        places: list[tuple[str, Expr]] = []
        for b in s.body:
            if isinstance(b, Store):
                places += self._rows(b.buffer, b.indices)
            for root in _roots(b):
                for n in walk(root):
                    if isinstance(n, Read):
                        places += self._rows(n.tensor, n.indices)
        invariant = [
            n
            for b in s.body
            if isinstance(b, Let | Store)
            for n in self._invariants(b.value, inner, stored)
        ]
        self.lanes = None
        for node in dict.fromkeys(invariant):
            if self.find(("expr", node)) is None:
                reads = any(isinstance(n, Read) for n in walk(node))
                text = self.operand(node, 4 if reads else LOOSE)
                if reads:
                    zero = "false" if node.dtype == BOOL else "0"
                    text = f"{start} < {stop} ? {text} : {zero}"
                self.bind(("expr", node), base_name(node), value_type(node.dtype), text)
        for buffer, base in dict.fromkeys(places):
            if base is ZERO or self.find(("row", buffer, base)) is not None:
                continue
            if any(isinstance(n, Index | Var) and n.name in inner for n in walk(base)):
                continue
            if any(isinstance(n, Read) for n in walk(base)):
                continue
            found = self.buffers[buffer]
            const = "const " if found.scope == "input" else ""
            text = self.shifted(buffer, base)
            name = self.names.fresh(f"{buffer}_from")
            self.line(f"{const}{stored_type(found.dtype)} *{name} = {text};")
            self.scopes[-1][("row", buffer, base)] = Entry(name, "")

    def shifted(self, buffer: str, base: Expr) -> str:
        """The address `base` elements into a buffer."""
        if isinstance(base, Prim) and base.op == "sub" and base.args[0] is ZERO:
            return f"{self.pointer(buffer)} - {self.operand(base.args[1], PLUS + 1)}"
        return f"{self.pointer(buffer)} + {self.operand(base, PLUS)}"

    def _rows(self, buffer: str, indices: tuple[Expr, ...]) -> list[tuple[str, Expr]]:
        moves = self._moves(indices, buffer)
        if moves is None or moves[0] is ZERO:
            return []
        return [(buffer, moves[1])]

    def _invariants(self, root: Expr, inner: set[str], stored: set[str]) -> list[Expr]:
        """Maximal parts that are the same at all iterations and worth a local."""
        found: list[Expr] = []
        stack = [root]
        while stack:
            node = stack.pop()
            below = list(walk(node))
            if not any(
                (isinstance(n, Index | Var) and n.name in inner)
                or (isinstance(n, Read) and n.tensor in stored)
                for n in below
            ):
                if any(
                    isinstance(n, Read)
                    or (isinstance(n, Prim) and n.op not in CHEAP and n.dtype.is_float)
                    for n in below
                ):
                    found.append(node)
                continue
            if isinstance(node, Select):
                stack.append(node.condition)
            elif isinstance(node, Prim) and node.op in ("and", "or"):
                stack.append(node.args[0])
            else:
                stack.extend(node.children)
        return found

    def can_be_vector(
        self, index: str, body: tuple[Statement, ...], args: tuple[Expr, ...]
    ) -> bool:
        """Whether lanes can run the body: inner ranges are the same for all of them."""
        del args
        varying = {index}

        def depends(*roots: Expr) -> bool:
            return any(
                isinstance(n, Index | Var) and n.name in varying for n in walk(*roots)
            )

        def fits(statements: tuple[Statement, ...]) -> bool:
            for s in statements:
                match s:
                    case Let(name, value):
                        if depends(value):
                            varying.add(name)
                    case Declare(name, _):
                        varying.add(name)
                    case Assign() | Store():
                        pass
                    case Reduce(axes, _, _, _, results, inner):
                        if depends(*axes):
                            return False
                        varying.update(results)
                        if not fits(inner):
                            return False
                    case For(axis, kind, inner, step, _):
                        if kind == "parallel" or depends(axis) or step is not None:
                            return False
                        if not fits(inner):
                            return False
                    case If(_, then, other):
                        if not (fits(then) and fits(other)):
                            return False
                    case _:
                        return False
            return True

        return fits(body)


def _all(body: Iterable[Statement]) -> Iterable[Statement]:
    for s in body:
        yield s
        match s:
            case For() | Reduce():
                yield from _all(s.body)
            case If():
                yield from _all(s.then)
                yield from _all(s.other)


def _defined(body: Iterable[Statement]) -> set[str]:
    """Names that the statements bind, loop indices included."""
    names: set[str] = set()
    for s in _all(body):
        match s:
            case Let(name, _) | Declare(name, _):
                names.add(name)
            case Assign(found, _):
                names.update(found)
            case Reduce():
                names.update(s.results)
                names.update(a.name for a in s.axes)
            case For():
                names.add(s.axis.name)
    return names


def _roots(s: Statement) -> list[Expr]:
    match s:
        case Let() | Declare():
            return [s.value]
        case Assign():
            return list(s.values)
        case Store():
            return [s.value, *s.indices]
    return []
