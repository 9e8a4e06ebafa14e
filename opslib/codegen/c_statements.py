"""Statements: loops (serial, vector, parallel), stores, memory, failures."""

from __future__ import annotations

from collections.abc import Callable

from opslib.codegen.c_expressions import Entry
from opslib.codegen.c_loops import LoopPrinter
from opslib.codegen.c_types import LOOSE, SHORT, UNARY, stored_type, value_type
from opslib.codegen.c_vector import vector_type
from opslib.ir.expr import (
    Cast,
    Const,
    Expr,
    Index,
    Read,
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
from opslib.lowering.skeletons import arith

# Scope keys of values computed before, which a store may make stale.
_COMPUTED = ("expr", "lanes", "under")


class StatementPrinter(LoopPrinter):
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
