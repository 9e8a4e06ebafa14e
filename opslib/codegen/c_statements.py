"""Statements: loops (serial, vector, parallel), stores, memory, failures."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from opslib.codegen.c_expressions import (
    LOOSE,
    PLUS,
    SHORT,
    UNARY,
    Entry,
    base_name,
    stored_type,
    value_type,
)
from opslib.codegen.c_reduce import ReducePrinter
from opslib.codegen.c_vector import Lanes, vector_type
from opslib.ir.dtypes import BOOL
from opslib.ir.expr import (
    ZERO,
    Axis,
    Cast,
    Const,
    Expr,
    Index,
    Prim,
    Read,
    Scalar,
    Select,
    Size,
    Var,
    walk,
)
from opslib.ir.loops import (
    Alloc,
    Assign,
    Buffer,
    Declare,
    Fail,
    For,
    If,
    Intrinsic,
    Let,
    Place,
    Reduce,
    Statement,
    Store,
)
from opslib.lowering.inline import CHEAP
from opslib.lowering.skeletons import arith

# Scope keys of values computed before, which a store may make stale.
_COMPUTED = ("expr", "lanes", "under")


class StatementPrinter(ReducePrinter):
    """Prints statements into one C function; c_style.py makes functions of it."""

    worker = "0"
    leave = ""

    def body(self, statements: tuple[Statement, ...]) -> None:
        """All statements, in order."""
        for s in statements:
            self.statement(s)

    def statement(self, s: Statement) -> None:
        """One statement."""
        match s:
            case Let(name, value):
                self._let(name, value)
            case Declare(name, value):
                self._declare(name, value)
            case Assign(names, values):
                self._assign(names, values)
            case Store():
                self._store(s)
            case Reduce():
                self.reduce(s)
            case For():
                self._for(s)
            case If():
                self._if(s)
            case Alloc(buffer):
                self.alloc(buffer)
            case Fail():
                self._fail(s)
            case Intrinsic():
                self._intrinsic(s)

    # -- values ------------------------------------------------------------------------

    def _let(self, name: str, value: Expr) -> None:
        if self.lanes is not None and self.varies(value):
            text = self.vector(value)
            local = self.names.fresh(name)
            ctype = vector_type(value.dtype)
            self.line(f"const {ctype} {local} = {text};")
            self.scopes[-1][("var", name)] = Entry(local, ctype, True)
            self.lanes.varying.add(name)
            return
        text = self._uniform(value) if self.lanes is not None else self.scalar(value)
        self.bind(("var", name), name, value_type(value.dtype), text)
        if not value.dtype.is_float:
            if self.is_nonnegative(value):
                self.nonnegative.add(name)
            if self.is_positive(value):
                self.positive.add(Var(name, value.dtype))

    def _declare(self, name: str, value: Expr) -> None:
        local = self.names.fresh(name)
        wide = self.lanes is not None
        text = self.vector(value) if wide else self.scalar(value)
        ctype = vector_type(value.dtype) if wide else value_type(value.dtype)
        self.line(f"{ctype} {local} = {text};")
        self.scopes[-1][("var", name)] = Entry(local, ctype, wide)
        if self.lanes is not None:
            self.lanes.varying.add(name)

    def _assign(self, names: tuple[str, ...], values: tuple[Expr, ...]) -> None:
        targets = [self.need(("var", n)).text for n in names]
        types = tuple(v.dtype for v in values)
        live = self.mask if self.lanes is not None else None
        self.assign(targets, values, types, self.lanes is not None, live)
        self.forget(lambda n: isinstance(n, Var) and n.name in names)

    def forget(self, changed: Callable[[Expr], bool]) -> None:
        """Drops named values that a store or an assignment may have changed."""
        for scope in self.scopes:
            for key in list(scope):
                if not isinstance(key, tuple) or key[0] not in _COMPUTED:
                    continue
                if any(changed(n) for n in walk(key[1])):
                    del scope[key]

    def _store(self, s: Store) -> None:
        if self.lanes is not None and (
            self.varies(s.value) or any(map(self.varies, s.indices)) or self.mask
        ):
            self.lane_store(s.buffer, s.indices, s.value)
        else:
            self._store_one(s)
        self.forget(lambda n: isinstance(n, Read) and n.tensor == s.buffer)

    def _store_one(self, s: Store) -> None:
        dtype = self.buffers[s.buffer].dtype
        value = s.value
        if not self.lazy:
            self.name_shared([value, *s.indices])
        place = f"{self.pointer(s.buffer)}[{self.offset(s.buffer, s.indices)}]"
        short = SHORT[dtype.name]
        if short in ("f16", "bf16"):
            inner = value.value if isinstance(value, Cast) else value
            if inner.dtype.name in ("float32", "float64") and inner is not value:
                kind = "f32" if inner.dtype.name == "float32" else "f64"
                text = f"ops_{kind}_to_{short}({self.operand(inner, LOOSE)})"
            else:
                text = f"ops_f32_to_{short}({self.operand(value, LOOSE)})"
        else:
            text = self.operand(value, LOOSE)
        self.line(f"{place} = {text};")

    # -- loops -------------------------------------------------------------------------

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
        if self.lanes is None:
            return self.scalar(axis.start), self.scalar(axis.stop, PLUS)
        return self._uniform(axis.start), self._uniform(axis.stop)

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
        if kind == "vector" and self.lanes is None and s.step is None:
            if self.can_be_vector(s.axis.name, s.body, ()):
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

    def _if(self, s: If) -> None:
        if self.lanes is not None and self.varies(s.condition):
            self._masked_if(s)
            return
        uniform = self.lanes is not None
        text = self._uniform(s.condition) if uniform else self.scalar(s.condition)
        if not s.other:
            with self.block(f"if ({text})"):
                self.body(s.then)
            return
        with self.block(f"if ({text})"):
            self.body(s.then)
        self.lines.pop()
        with self.block("} else"):
            self.body(s.other)

    def _masked_if(self, s: If) -> None:
        test = self.vector(s.condition)
        outer = self.mask
        if not test.isidentifier():
            test = self._named_mask(test)
        for sign, body in (("", s.then), ("~", s.other)):
            if not body:
                continue
            parts = [sign + test]
            if outer is not None:
                parts.append(outer)
            elif self.lanes is not None and self.lanes.count is not None:
                parts.append(f"ops_first_i32({self.lanes.count})")
            with self.block(None):
                self.mask = self._named_mask(" & ".join(parts))
                self.body(body)
        self.mask = outer

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

    # -- memory, errors, native functions ----------------------------------------------

    def alloc(self, buffer: Buffer) -> None:
        """Declares a buffer: on the stack, or scratch of the worker."""
        self.buffers[buffer.name] = buffer
        name = self.names.fresh(buffer.name)
        ctype = stored_type(buffer.dtype)
        if buffer.scope == "stack":
            size = 1
            for extent, stride in zip(buffer.shape, buffer.strides, strict=True):
                assert isinstance(extent, Const)
                assert isinstance(stride, Const)
                size = max(size, int(extent.value) * int(stride.value))
            self.line(f"{ctype} {name}[{size}] __attribute__((aligned(64)));")
            self.scopes[-1][("buffer", buffer.name)] = Entry(name, f"{ctype} *")
            return
        count = arith.product(buffer.shape)
        fixed = not any(isinstance(n, Index | Var | Read) for n in walk(count))
        if fixed:
            # At the head of the function: once per worker, not once per row.
            lines, self.lines = self.lines, self.head
            indent, self.indent = self.indent, 1
            scopes = self.scopes
            arguments: dict[object, Entry] = {
                k: v
                for k, v in scopes[0].items()
                if isinstance(k, tuple) and k[0] == "value"
            }
            self.scopes = [arguments]
        bytes_ = f"{self.operand(count, UNARY)} * (int64_t)sizeof({ctype})"
        self.line(f"{ctype} *{name} = ctx->workspace(ctx, {self.worker}, {bytes_});")
        self.line(f"if ({name} == NULL)")
        self.line(f"    {self.leave_without_memory};")
        if fixed:
            self.lines, self.indent, self.scopes = lines, indent, scopes
            scopes[0].update(arguments)
        where = 0 if fixed else -1
        self.scopes[where][("buffer", buffer.name)] = Entry(name, f"{ctype} *")

    head: list[str]
    leave_without_memory = ""
    leave_failed = ""

    def _fail(self, s: Fail) -> None:
        condition = self.scalar(s.condition)
        with self.block(f"if (!({condition}))"):
            value, extent = self.operand(s.value, LOOSE), self.operand(s.extent, LOOSE)
            self.line(self.leave_failed.format(f"{s.check}, {value}, {extent}"))

    def _intrinsic(self, s: Intrinsic) -> None:
        texts = []
        for argument in s.arguments:
            if isinstance(argument, Place):
                offset = self.offset(argument.buffer, argument.indices)
                pointer = self.pointer(argument.buffer)
                texts.append(pointer if offset == "0" else f"{pointer} + {offset}")
            else:
                texts.append(self.scalar(argument))
        self.headers.update(s.headers)
        self.line(s.template.format(*texts).rstrip(";") + ";")
        written = {a.buffer for a in s.arguments if isinstance(a, Place) and a.writes}
        self.forget(lambda n: isinstance(n, Read) and n.tensor in written)

    headers: set[str]


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


__all__ = ["Scalar", "StatementPrinter"]
