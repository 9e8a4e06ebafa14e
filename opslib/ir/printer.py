"""The canonical text of a program or kernel: what people read, and what is hashed.

The text is deterministic, and the names of bound index variables do not matter for
`fingerprint`: it numbers them in the order in which they are bound. Names of tensors,
sizes and scalars do matter, for they are the kernel's interface.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from opslib.ir import loops
from opslib.ir.expr import (
    Axis,
    Call,
    Cast,
    Check,
    Const,
    Define,
    Expr,
    Fold,
    Index,
    Order,
    Prim,
    Program,
    Read,
    Scalar,
    Scan,
    Select,
    Size,
    Tensor,
    Var,
    walk,
)
from opslib.ir.monoid import Monoid

# Binding strength; a looser operand of a tighter operator gets parentheses.
INFIX = {
    "or": ("or", 1),
    "and": ("and", 2),
    "lt": ("<", 4),
    "le": ("<=", 4),
    "gt": (">", 4),
    "ge": (">=", 4),
    "eq": ("==", 4),
    "ne": ("!=", 4),
    "bitor": ("|", 5),
    "bitand": ("&", 5),
    "shl": ("<<", 6),
    "shr": (">>", 6),
    "add": ("+", 7),
    "sub": ("-", 7),
    "mul": ("*", 8),
    "div": ("/", 8),
    "floordiv": ("//", 8),
    "mod": ("%", 8),
}
_ATOM = 10
# Sharing is shown, not expanded: a node used twice and larger than this gets a name.
_SHARED = 4


def expression(node: Expr, names: dict[Expr, str] | None = None) -> str:
    """One line for an expression; nodes in `names` are printed as their name."""
    texts: dict[Expr, tuple[str, int]] = {}
    given = names or {}
    for n in walk(node):
        found = given.get(n)
        texts[n] = (found, _ATOM) if found is not None else _one(n, texts)
    return texts[node][0]


def _one(node: Expr, texts: dict[Expr, tuple[str, int]]) -> tuple[str, int]:
    def text(child: Expr, level: int = 0) -> str:
        inner, strength = texts[child]
        return inner if strength >= level else f"({inner})"

    def many(children: Iterable[Expr]) -> str:
        return ", ".join(map(text, children))

    match node:
        case Const(value, dtype):
            return f"{value!r}:{dtype}", _ATOM
        case Size(name) | Index(name):
            return name, _ATOM
        case Scalar(name, dtype) | Var(name, dtype):
            return f"{name}:{dtype}", _ATOM
        case Read(tensor, indices):
            return f"{tensor}[{many(indices)}]", _ATOM
        case Prim(op, args, dtype) if op in INFIX and len(args) == 2:
            sign, level = INFIX[op]
            left, right = text(args[0], level), text(args[1], level + 1)
            return f"{left} {sign} {right}", level
        case Prim(op, args):
            return f"{op}({many(args)})", _ATOM
        case Cast(value, dtype):
            return f"{dtype}({text(value)})", _ATOM
        case Select(condition, yes, no):
            return f"{text(yes, 1)} if {text(condition, 1)} else {text(no)}", 0
        case Axis(name, start, stop, bound):
            limit = "" if bound is None else f" bound {text(bound)}"
            return f"{name} in {text(start)}..{text(stop)}{limit}", 0
        case Fold(_, axes, args, output):
            head = f"{monoid(node.monoid)}{f'.{output}' if output else ''}"
            return f"{head}[{many(axes)}]({many(args)})", _ATOM
        case Scan(_, axis, args, at, output):
            head = f"scan {monoid(node.monoid)}{f'.{output}' if output else ''}"
            return f"{head}[{text(axis)}]({many(args)})[{text(at)}]", _ATOM
        case Order(axis, value, at, descending, output):
            head = ("argsort" if output else "sort") + ("_down" if descending else "")
            return f"{head}[{text(axis)}]({text(value)})[{text(at)}]", _ATOM
        case Call(operator, args, axes, expansion):
            over = f"[{many(axes)}]" if axes else ""
            return f"{operator}{over}({many(args)} => {text(expansion)})", _ATOM
    raise TypeError(type(node).__name__)


def monoid(value: Monoid) -> str:
    """Name and state types, which identify a built-in monoid."""
    return f"{value.name}<{', '.join(map(str, value.state))}>"


def _tensor(t: Tensor) -> str:
    return f"{t.name}: {t.dtype}[{', '.join(map(expression, t.shape))}]"


def _value(root: Expr, indent: str) -> tuple[list[str], str]:
    """Lines that name the large shared parts of `root`, and its text by these names."""
    uses: dict[Expr, int] = {}
    weight: dict[Expr, int] = {}
    bound: dict[Expr, bool] = {}
    for node in walk(root):
        weight[node] = 1 + sum(weight[c] for c in set(node.children))
        bound[node] = isinstance(node, Index) or any(bound[c] for c in node.children)
        for child in node.children:
            uses[child] = uses.get(child, 0) + 1
    names: dict[Expr, str] = {}
    lines = []
    for node in walk(root):
        if uses.get(node, 0) > 1 and weight[node] >= _SHARED and node is not root:
            if isinstance(node, Axis):
                continue
            name = f"%{len(names)}"
            lines.append(f"{indent}{name} = {expression(node, names)}")
            names[node] = name
    return lines, expression(root, names)


def _define(d: Define) -> list[str]:
    lines, text = _value(d.value, "        ")
    axes = ", ".join(map(expression, d.axes))
    indices = ", ".join(map(expression, d.indices))
    sign = "=" if d.combine is None else f"{monoid(d.combine)}="
    tail = f" recurrent {d.recurrent}" if d.recurrent else ""
    return [
        f"    for {axes or '()'}{tail}:",
        *lines,
        f"        {d.name}[{indices}] {sign} {text}",
    ]


def _check(c: Check) -> str:
    axes = ", ".join(map(expression, c.axes))
    value = "" if c.value is None else f" value {expression(c.value)}"
    extent = "" if c.extent is None else f" extent {expression(c.extent)}"
    return (
        f"    check {c.policy} for {axes or '()'}: {expression(c.condition)}"
        f" {c.operand!r}{value}{extent} : {c.message!r}"
    )


def program_text(program: Program) -> str:
    """The whole program."""
    lines = [f"program {program.name}"]
    lines += [f"    input {_tensor(t)}" for t in program.inputs]
    lines += [f"    output {_tensor(t)}" for t in program.outputs]
    lines += [f"    local {_tensor(t)}" for t in program.locals]
    lines += [f"    scalar {s.name}: {s.type}" for s in program.scalars]
    lines += [f"    size {name}" for name in program.sizes]
    lines += [f"    claim {key} = {value!r}" for key, value in program.claim]
    lines += ["    exact"] if program.exact else []
    lines += [_check(c) for c in program.checks]
    for d in program.defines:
        lines += _define(d)
    return "\n".join(lines) + "\n"


def _buffer(b: loops.Buffer) -> str:
    shape = ", ".join(map(expression, b.shape))
    strides = ", ".join(map(expression, b.strides))
    shared = " shared" if b.shared else ""
    return f"{b.scope}{shared} {b.name}: {b.dtype}[{shape}] strides [{strides}]"


def statements(body: Iterable[loops.Statement], indent: str = "    ") -> list[str]:
    """The lines of a body of `Loops`."""
    lines: list[str] = []
    more = indent + "    "
    for s in body:
        match s:
            case loops.Let(name, value):
                lines.append(f"{indent}let {name} = {expression(value)}")
            case loops.Declare(name, value):
                lines.append(f"{indent}var {name} = {expression(value)}")
            case loops.Assign(names, values):
                right = ", ".join(map(expression, values))
                lines.append(f"{indent}{', '.join(names)} := {right}")
            case loops.Store(buffer, indices, value):
                place = ", ".join(map(expression, indices))
                lines.append(f"{indent}{buffer}[{place}] = {expression(value)}")
            case loops.Reduce(axes, kind, m, args, results, inner):
                over = ", ".join(map(expression, axes))
                given = ", ".join(map(expression, args))
                head = f"{', '.join(results)} = {kind} {monoid(m)}[{over}]({given})"
                lines.append(indent + head + (" where" if inner else ""))
                lines += statements(inner, more)
            case loops.For(axis, kind, inner, step, grain):
                extra = "" if step is None else f" step {expression(step)}"
                extra += "" if grain is None else f" grain {expression(grain)}"
                lines.append(f"{indent}for {kind} {expression(axis)}{extra}")
                lines += statements(inner, more)
            case loops.If(condition, then, other):
                lines.append(f"{indent}if {expression(condition)}")
                lines += statements(then, more)
                lines += [f"{indent}else", *statements(other, more)] if other else []
            case loops.Alloc(buffer):
                lines.append(f"{indent}alloc {_buffer(buffer)}")
            case loops.Fail(condition, check, value, extent):
                lines.append(
                    f"{indent}fail {check} unless {expression(condition)}"
                    f" value {expression(value)} extent {expression(extent)}"
                )
            case loops.Intrinsic(name, _, arguments):
                lines.append(f"{indent}{name}({', '.join(map(_argument, arguments))})")
    return lines


def _argument(argument: Expr | loops.Place) -> str:
    if isinstance(argument, Expr):
        return expression(argument)
    place = ", ".join(map(expression, argument.indices))
    return f"{'out ' if argument.writes else ''}&{argument.buffer}[{place}]"


def kernel_text(kernel: loops.Kernel) -> str:
    """The whole kernel."""
    lines = [f"kernel {kernel.name} ({kernel.skeleton})"]
    lines += [f"    note {note}" for note in kernel.notes]
    lines += [f"    {_buffer(b)}" for b in (*kernel.inputs, *kernel.outputs)]
    lines += [f"    int {n}" for n in kernel.integers]
    lines += [f"    real {n}" for n in kernel.reals]
    return "\n".join(lines + statements(kernel.body)) + "\n"


def text(form: Any) -> str:
    """The text of any of the program forms."""
    if isinstance(form, Program):
        return program_text(form)
    if isinstance(form, loops.Kernel):
        return kernel_text(form)
    from opslib.ir.print_tiles import tile_program_text  # It prints with this module.

    return tile_program_text(form)


def fingerprint(program: Program) -> str:
    """A sha256 that two programs share when only bound index names differ."""
    digest = hashlib.sha256()
    lines = program_text(
        Program(
            program.name,
            program.inputs,
            program.outputs,
            program.locals,
            program.scalars,
            program.sizes,
            tuple(_renamed(d) for d in program.defines),
            tuple(_renamed_check(c) for c in program.checks),
            program.exact,
            program.claim,
        )
    )
    digest.update(lines.encode("utf-8"))
    for m in _monoids(program):
        # Two monoids of one name must not share a kernel, so their templates count.
        parts = (*m.identity, *m.lift, *m.combine, *m.finish)
        digest.update(" ".join(map(expression, parts)).encode("utf-8"))
    return digest.hexdigest()


def _monoids(program: Program) -> list[Monoid]:
    found: list[Monoid] = [d.combine for d in program.defines if d.combine]
    for d in program.defines:
        for n in walk(d.value):
            if isinstance(n, Fold | Scan) and n.monoid not in found:
                found.append(n.monoid)
    return found


def _numbering(roots: Iterable[Expr]) -> dict[str, str]:
    names: dict[str, str] = {}
    for n in walk(*roots):
        if isinstance(n, Axis) and n.name not in names:
            names[n.name] = f"#{len(names)}"
    return names


def _renamed(d: Define) -> Define:
    names = _numbering((*d.axes, d.value))
    axes: Any = tuple(rename(a, names) for a in d.axes)
    return Define(
        d.name,
        axes,
        tuple(rename(i, names) for i in d.indices),
        rename(d.value, names),
        d.combine,
        None if d.recurrent is None else names.get(d.recurrent, d.recurrent),
    )


def _renamed_check(c: Check) -> Check:
    names = _numbering((*c.axes, c.condition))
    axes: Any = tuple(rename(a, names) for a in c.axes)
    return Check(
        axes,
        rename(c.condition, names),
        c.message,
        c.operand,
        None if c.value is None else rename(c.value, names),
        None if c.extent is None else rename(c.extent, names),
        c.policy,
    )


def rename(root: Expr, names: dict[str, str]) -> Expr:
    """`root` with index variables renamed, where they are bound as well as used."""
    from opslib.ir.expr import rebuild

    done: dict[Expr, Expr] = {}
    for node in walk(root):
        new = rebuild(node, done.__getitem__)
        if isinstance(new, Index):
            new = Index(names.get(new.name, new.name))
        elif isinstance(new, Axis):
            name = names.get(new.name, new.name)
            new = Axis(name, new.start, new.stop, new.bound)
        done[node] = new
    return done[root]
