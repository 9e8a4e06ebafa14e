"""`Loops` as C: an exported function per kernel, a static one per parallel loop.

``int32_t opslib_NAME(ops_context *ctx, void *const *buffers, const int64_t *ints,
const double *reals)``, integers and reals in the order of `Kernel.integers`, `.reals`.
"""

from __future__ import annotations

from collections.abc import Sequence

from opslib.codegen.c_expressions import Entry
from opslib.codegen.c_names import Names, mangle
from opslib.codegen.c_statements import StatementPrinter
from opslib.codegen.c_types import (
    HOST,
    LOOSE,
    PLUS,
    UNARY,
    Dialect,
    stored_type,
    value_type,
)
from opslib.ir.dtypes import BOOL
from opslib.ir.expr import ONE, Expr, Prim, walk
from opslib.ir.loops import Buffer, For, If, Kernel, Reduce, Statement
from opslib.lowering.inline import CHEAP
from opslib.lowering.skeletons import arith

# Primitives that opslib_simd.h has; any other needs opslib_math.h, which is larger.
_PLAIN = CHEAP | frozenset(
    [
        "div",
        "floordiv",
        "floor",
        "ceil",
        "round",
        "trunc",
        "sqrt",
        "fmax",
        "fmin",
        "shl",
        "shr",
    ]
)


def symbol(kernel: Kernel) -> str:
    """The exported name of a kernel."""
    return "opslib_" + mangle(kernel.name)


def print_kernel(kernel: Kernel, dialect: Dialect = HOST) -> str:
    """A whole translation unit of one kernel."""
    return print_unit([kernel], dialect)


def print_unit(kernels: Sequence[Kernel], dialect: Dialect = HOST) -> str:
    """A translation unit of several kernels, whose names differ."""
    printed = [_Function.of_kernel(k, dialect) for k in kernels]
    headers = sorted(set().union(*(p.headers for p in printed)))
    lines = []
    if any(_needs_math(k) for k in kernels) or headers:
        lines.append("#define OPS_WANT_MATH")
    lines += dialect.includes
    lines += [f'#include "{h}"' for h in headers]
    for p in printed:
        for function in (*p.functions, p.lines):
            lines.append("")
            for line in function:
                lines += wrapped(line)
    return "\n".join(lines) + "\n"


def wrapped(line: str, width: int = 92) -> list[str]:
    """A long line cut after a comma or before an operator, the rest indented."""
    found = []
    margin = " " * (len(line) - len(line.lstrip()) + 4)
    while len(line) > width and "/*" not in line:
        cut = max(
            line.rfind(", ", 0, width) + 1,
            line.rfind(" = ", 0, width) + 2,
            line.rfind(" && ", 0, width),
            line.rfind(" || ", 0, width),
            line.rfind(" & ", 0, width),
            line.rfind(" | ", 0, width),
            line.rfind(" ? ", 0, width),
            line.rfind(" + ", 0, width),
        )
        if cut <= len(margin) + 8:
            break
        found.append(line[:cut].rstrip())
        line = margin + line[cut:].lstrip()
    return [*found, line]


def _needs_math(kernel: Kernel) -> bool:
    def scan(body: Sequence[Statement]) -> bool:
        for s in body:
            match s:
                case For():
                    found = scan(s.body)
                case If():
                    found = scan(s.then) or scan(s.other)
                case _:
                    roots = list(_values(s))
                    found = any(_wants_math(n) for n in walk(*roots))
                    if isinstance(s, Reduce):
                        templates = (*s.monoid.lift, *s.monoid.combine)
                        found = (
                            found
                            or scan(s.body)
                            or any(_wants_math(n) for n in walk(*templates))
                        )
            if found:
                return True
        return False

    return scan(kernel.body)


def _wants_math(node: object) -> bool:
    if not isinstance(node, Prim):
        return False
    if not node.args[0].dtype.is_float:
        return node.op == "pow"
    return node.op not in _PLAIN or node.op in ("neg", "abs")


def _values(s: Statement) -> Sequence[Expr]:
    found: list[Expr] = []
    for name in ("value", "condition", "extent"):
        value = getattr(s, name, None)
        if isinstance(value, Expr):
            found.append(value)
    for name in ("values", "args", "indices", "arguments"):
        found += [v for v in getattr(s, name, ()) if isinstance(v, Expr)]
    return found


class _Function(StatementPrinter):
    """A C function: the kernel itself, or the body of a parallel loop."""

    def __init__(
        self,
        kernel: Kernel,
        dialect: Dialect,
        names: Names,
        parent: _Function | None = None,
    ) -> None:
        super().__init__(dialect, names, parent)
        self.kernel = kernel
        self.head = []
        self.headers: set[str] = parent.headers if parent else set()
        self.functions: list[list[str]] = parent.functions if parent else []

    @classmethod
    def of_kernel(cls, kernel: Kernel, dialect: Dialect) -> _Function:
        """Prints the kernel; the result's `lines` are its function."""
        self = cls(kernel, dialect, Names())
        self.leave_without_memory = "return ops_no_memory(ctx, status)"
        self.leave_failed = "return ops_fail(ctx, status, {});"
        name = symbol(kernel)
        unpack = self._unpack()
        self.body(kernel.body)
        head = [
            *self._comment(),
            f"OPS_EXPORT int32_t {name}(ops_context *ctx, void *const *buffers,",
            " " * (len(name) + 20) + "const int64_t *ints, const double *reals)",
            "{",
            *unpack,
            *self.head,
        ]
        self.lines = [*head, *self.lines, "    return *status;", "}"]
        return self

    def _comment(self) -> list[str]:
        kernel = self.kernel
        text = [f"{kernel.name}: skeleton {kernel.skeleton}", *kernel.notes]
        safe = [
            line.replace("*/", "* /")
            .replace("\\", "/")
            .encode("ascii", "replace")
            .decode()
            for note in text
            for line in note.splitlines()
        ]
        return (
            [f"/* {safe[0]}", *(f" * {line}" for line in safe[1:]), " */"]
            if (len(safe) > 1)
            else [f"/* {safe[0]} */"]
        )

    def _unpack(self) -> list[str]:
        """Gives the arguments their names."""
        kernel, scope = self.kernel, self.scopes[0]
        lines = []
        for k, b in enumerate((*kernel.inputs, *kernel.outputs)):
            self.buffers[b.name] = b
            name = self.names.fresh(b.name)
            const = "const " if b.scope == "input" else ""
            ctype = f"{const}{stored_type(b.dtype)} *"
            lines.append(f"    {ctype}{name} = buffers[{k}];")
            scope[("buffer", b.name)] = Entry(name, ctype)
        types = {s.name: s.type for s in kernel.scalars}
        for array, found in (("ints", kernel.integers), ("reals", kernel.reals)):
            for k, n in enumerate(found):
                name = self.names.fresh(n)
                dtype = types.get(n)
                ctype = "int64_t" if dtype is None else value_type(dtype)
                text = f"{array}[{k}]"
                if dtype is not None and ctype not in ("int64_t", "double"):
                    text = f"{text} != 0" if dtype == BOOL else f"({ctype}){text}"
                lines.append(f"    const {ctype} {name} = {text};")
                scope[("value", n)] = Entry(name, ctype)
        lines.append("    int32_t status_now = OPS_OK, *const status = &status_now;")
        lines += [
            f"    (void){unused};" for unused in ("ctx", "buffers", "ints", "reals")
        ]
        return lines

    def parallel(self, s: For) -> None:
        """Prints the body as a function of its own, and the call that runs it."""
        axis = s.axis
        title = self.names.fresh(f"{symbol(self.kernel)[7:]}_{axis.name}")
        inner = _Function(self.kernel, self.dialect, self.names, self)
        inner.worker = "worker"
        inner.leave_without_memory = (
            "{\n        ops_no_memory(ctx, status);\n        return;\n    }"
        )
        inner.leave_without_memory = "return (void)ops_no_memory(ctx, status)"
        inner.leave_failed = "return (void)ops_fail(ctx, status, {});"
        index = self.names.fresh(axis.name)
        start, step = axis.start, s.step
        count = arith.sub(axis.stop, start)
        if step is not None:
            count = arith.ceildiv(count, step)
        inner.indent = 2
        inner.scopes.append({("index", axis.name): Entry(index, "int64_t")})
        inner._facts(axis)
        simple = step is None and start is arith.integer(0)
        if not simple:
            by = inner.operand(step or ONE, UNARY)
            first = inner.operand(start, PLUS)
            inner.line(f"const int64_t {index} = {first} + turn * {by};")
        inner.body(s.body)
        loop = index if simple else "turn"
        body = [
            *inner.head,
            f"    for (int64_t {loop} = first; {loop} < past; {loop}++) {{",
            *inner.lines,
            "    }",
        ]
        self._emit_function(title, inner, body)
        n = self.scalar(count)
        grain = "1" if s.grain is None else self.scalar(s.grain)
        with self.block(None):
            fields = ["ctx", "status", *inner.captured]
            self.line(f"struct {title} shared = {{")
            for field in fields:
                self.line(f"    .{field} = {field},")
            self.line("};")
            self.line(f"ctx->parallel(ctx, {title}_run, &shared, {n}, {grain});")
        self.line("if (*status != OPS_OK)")
        nested = self.parent is not None
        self.line("    return;" if nested else "    return *status;")
        stored = set(inner.buffers)
        self.forget(
            lambda node: (
                getattr(node, "tensor", None) in stored
                and (
                    self.buffers.get(getattr(node, "tensor", ""), _NONE).scope
                    != "input"
                )
            )
        )

    def _emit_function(self, title: str, inner: _Function, body: list[str]) -> None:
        fields = {"ctx": "ops_context *", "status": "int32_t *", **inner.captured}
        lines = [f"struct {title} {{"]
        for name, ctype in fields.items():
            lines.append(f"    {_declared(ctype, name)};")
        lines += [
            "};",
            "",
            f"static void {title}_run(void *state, int64_t first, int64_t past,",
            " " * (len(title) + 17) + "int32_t worker)",
            "{",
            f"    const struct {title} *self = state;",
        ]
        for name, ctype in fields.items():
            const = "" if ctype.endswith("*") else "const "
            lines.append(f"    {const}{_declared(ctype, name)} = self->{name};")
        lines += [f"    (void){name};" for name in ("ctx", "status", "worker")]
        self.functions.append([*lines, *body, "}"])


_NONE = Buffer("", BOOL, (), (), "input")


def _declared(ctype: str, name: str) -> str:
    return f"{ctype}{name}" if ctype.endswith("*") else f"{ctype} {name}"


__all__ = ["LOOSE", "print_kernel", "print_unit", "symbol"]
