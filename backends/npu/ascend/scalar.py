"""Statements for the scalar unit: the shared C printer, on tensors in global memory.

Every statement of `Loops` can run here, one element at a time, with GetValue and
SetValue: slow, and right. lanes.py puts vector instructions in place of the loops that
it can; what is printed here stays around them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from opslib.codegen.c_expressions import Entry
from opslib.codegen.c_names import Names
from opslib.codegen.c_statements import StatementPrinter
from opslib.codegen.c_types import (
    CALL,
    EQUAL,
    LOOSE,
    RENAMED,
    SHORT,
    TERNARY,
    Dialect,
    Text,
    value_type,
)
from opslib.ir.dtypes import BOOL, DType
from opslib.ir.expr import Axis, Cast, Const, Expr, Read, Select, walk
from opslib.ir.loops import Buffer, Fail, For, If, Intrinsic, Place, Statement

from .machine import Access, Block, Instruction, Node

ASCEND = Dialect(
    "ascend",
    lambda name, short: f"ops_{RENAMED.get(name, name)}_{short}",
    address_space="__gm__ ",
    includes=('#include "kernel_operator.h"', '#include "opslib_scalar.h"'),
)

_CTYPES = {
    "bool": "uint8_t",
    "float16": "half",
    "bfloat16": "bfloat16_t",
    "float32": "float",
}
_BIG_BRANCH = 14


def element_type(dtype: DType) -> str:
    """The Ascend C type of an element in memory."""
    return _CTYPES.get(dtype.name, f"{dtype.name}_t")


class ScalarPrinter(StatementPrinter):
    """Prints into a tree of machine nodes instead of lines.

    Attributes:
        lines: the body being printed; blocks nest.
        loops: how many there are so far; each has its number (see `Block`).
        around: the numbers of those that are open.
        touched: accesses of expressions that the next line will hold.
        scalar_writes: buffers in global memory that the scalar unit stores to.
        scalar_reads: those that it reads.
        workspaces: buffers that the kernel allocates, in order.
    """

    lines: list[Any]

    def __init__(self, names: Names) -> None:
        super().__init__(ASCEND, names)
        self.loops = 0
        self.around: list[int] = []
        self.touched: list[Access] = []
        self.scalar_writes: set[str] = set()
        self.scalar_reads: set[str] = set()
        self.workspaces: list[Buffer] = []
        self.lets: dict[str, Expr] = {}
        self.is_parallel = False
        self.headers: set[str] = set()

    # -- nodes -----------------------------------------------------------------------

    def line(self, text: str) -> None:
        """A scalar statement."""
        if text.startswith("#"):
            return
        touched, self.touched = tuple(dict.fromkeys(self.touched)), []
        self.lines.append(Instruction("S", text, touched))

    @contextmanager
    def block(self, head: str | None, tail: str = "}") -> Iterator[None]:
        """A block; a ``for`` is a loop, any other head a branch."""
        kind = "scope" if head is None else "branch"
        number = 0
        if head is not None and head.startswith("for "):
            self.loops += 1
            kind, number = "loop", self.loops
            self.around.append(number)
        if self.touched:
            # What the head reads is read before the block.
            self.lines.append(Instruction("S", "", tuple(self.touched)))
            self.touched = []
        block = Block(kind, head or "", [], number)
        outer, self.lines = self.lines, block.body
        self.scopes.append({})
        lazy, self.lazy = self.lazy, 0
        yield
        if number:
            self.around.pop()
        self.lazy = lazy
        self.scopes.pop()
        self.lines = outer
        self.lines.append(block)

    # -- memory ----------------------------------------------------------------------

    def _read(self, node: Read) -> Text:
        offset = self.offset(node.tensor, node.indices)
        name = self.pointer(node.tensor)
        if self.buffers[node.tensor].scope == "stack":
            place = f"{name}[{offset}]"
        else:
            self.touch(node.tensor, False)
            place = f"{name}.GetValue({offset})"
        if node.type.name in ("float16", "bfloat16"):
            return f"static_cast<float>({place})", CALL
        return (f"{place} != 0", EQUAL) if node.type == BOOL else (place, CALL)

    def touch(self, buffer: str, write: bool) -> None:
        """Notes that the scalar unit reads or writes global memory."""
        if self.buffers[buffer].scope == "stack":
            return
        (self.scalar_writes if write else self.scalar_reads).add(buffer)
        if self.buffers[buffer].scope != "input":
            self.touched.append(Access(buffer, write, True))

    def _store_one(self, s: Any) -> None:
        buffer = self.buffers[s.buffer]
        if not self.lazy:
            self.name_shared([s.value, *s.indices])
        offset = self.offset(s.buffer, s.indices)
        short = SHORT[buffer.dtype.name]
        value = s.value
        if short in ("f16", "bf16"):
            inner = value.value if isinstance(value, Cast) else value
            if inner.dtype.name != "float32":
                inner = value
            text = f"ops_f32_to_{short}({self.operand(inner, LOOSE)})"
        else:
            text = self.operand(value, LOOSE)
            if buffer.dtype == BOOL:
                text = f"static_cast<uint8_t>({text})"
        name = self.pointer(s.buffer)
        if buffer.scope == "stack":
            self.line(f"{name}[{offset}] = {text};")
            return
        self.touch(s.buffer, True)
        self.line(f"opslib::Put({name}, {offset}, {text});")

    def alloc(self, buffer: Buffer) -> None:
        """Stack memory is an array; the rest comes as an argument."""
        self.buffers[buffer.name] = buffer
        name = self.names.fresh(buffer.name)
        if buffer.scope == "stack":
            count = 1
            for extent in buffer.shape:
                assert isinstance(extent, Const)
                count *= int(extent.value)
            self.line(f"{element_type(buffer.dtype)} {name}[{count}];")
            self.scopes[-1][("buffer", buffer.name)] = Entry(name, "")
            return
        self.workspaces.append(buffer)
        self.scopes[0][("buffer", buffer.name)] = Entry(name, "")

    def _intrinsic(self, s: Intrinsic) -> None:
        texts = []
        for argument in s.arguments:
            if isinstance(argument, Place):
                offset = self.offset(argument.buffer, argument.indices)
                name = self.pointer(argument.buffer)
                if self.buffers[argument.buffer].scope == "stack":
                    texts.append(name if offset == "0" else f"{name} + {offset}")
                    continue
                self.touch(argument.buffer, argument.writes)
                texts.append(name if offset == "0" else f"{name}[{offset}]")
            else:
                texts.append(self.scalar(argument))
        self.line(s.template.format(*texts).rstrip(";") + ";")
        written = {a.buffer for a in s.arguments if isinstance(a, Place) and a.writes}
        for buffer in sorted(written):
            found = self.buffers[buffer]
            if found.scope != "stack":
                ctype, c = element_type(found.dtype), self.pointer(buffer)
                self.line(f"opslib::Flush<{ctype}>({c});")
        self.forget(lambda n: isinstance(n, Read) and n.tensor in written)

    def _fail(self, s: Fail) -> None:
        condition = self.scalar(s.condition)
        with self.block(f"if (!({condition}))"):
            value, extent = self.operand(s.value, LOOSE), self.operand(s.extent, LOOSE)
            self.line(f"opslib::Report(status, {s.check}, {value}, {extent});")
            self.line("return;")

    # -- control ---------------------------------------------------------------------

    def _let(self, name: str, value: Expr) -> None:
        self.lets[name] = value
        super()._let(name, value)

    def _if(self, s: If) -> None:
        with self.block(f"if ({self.scalar(s.condition)})"):
            self.body(s.then)
        if s.other:
            with self.block("else"):
                self.body(s.other)

    def _select(self, node: Select) -> Text:
        size = len(list(walk(node.yes, node.no)))
        if size > _BIG_BRANCH and not self.lazy:
            name = self.names.fresh("chosen")
            ctype = value_type(node.dtype)
            condition = self.scalar(node.condition)
            self.line(f"{ctype} {name};")
            with self.block(f"if ({condition})"):
                self.line(f"{name} = {self.scalar(node.yes)};")
            with self.block("else"):
                self.line(f"{name} = {self.scalar(node.no)};")
            self.scopes[-1][("expr", node)] = Entry(name, ctype)
            return name, CALL
        condition = self.operand(node.condition, TERNARY + 1)
        self.lazy += 1
        yes, no = self.operand(node.yes, TERNARY), self.operand(node.no, TERNARY)
        self.lazy -= 1
        return f"{condition} ? {yes} : {no}", TERNARY

    def parallel(self, s: For) -> None:
        """Turns are dealt to the cores, one after another."""
        self.is_parallel = True
        name = self.names.fresh(s.axis.name)
        start, stop = self._ends(s.axis)
        step = "1" if s.step is None else self.scalar(s.step)
        first = "(int64_t)GetBlockIdx()"
        by = "(int64_t)GetBlockNum()"
        if step != "1":
            first, by = f"{first} * {step}", f"{by} * {step}"
        if start != "0":
            first = f"{start} + {first}"
        twice = self.takes_turns(s)
        head = f"for (int64_t {name} = {first}; {name} < {stop}; {name} += "
        with self.block(head + (f"2 * {by})" if twice else f"{by})")):
            self.scopes[-1][("index", s.axis.name)] = Entry(name, "int64_t")
            self._facts(s.axis)
            self.side(s, 0)
            if not twice:
                return
            # What was named of the first turn's values is not the second's.
            named = [
                k for k in self.scopes[-1] if isinstance(k, tuple) and k[0] == "expr"
            ]
            for key in named:
                del self.scopes[-1][key]
            with self.block(f"if ({name} + {by} < {stop})"):
                second = self.names.fresh(s.axis.name)
                self.line(f"const int64_t {second} = {name} + {by};")
                self.scopes[-1][("index", s.axis.name)] = Entry(second, "int64_t")
                self.side(s, 1)

    def takes_turns(self, s: For) -> bool:
        """Whether turns of a parallel loop alternate between two sets of buffers."""
        return False

    def side(self, s: For, which: int) -> None:
        """The body of a parallel loop, on one of the sets."""
        del which
        self.body(s.body)

    def can_be_vector(
        self, index: str, body: tuple[Statement, ...], args: tuple[Expr, ...]
    ) -> bool:
        """Lanes of the host's kind are not for this machine; see lanes.py."""
        return False

    def loop(
        self, axis: Axis, inside: Callable[[], None], step: Expr | None = None
    ) -> None:
        """A serial loop."""
        super().loop(axis, inside, step)


__all__ = ["ASCEND", "Node", "ScalarPrinter", "element_type"]
