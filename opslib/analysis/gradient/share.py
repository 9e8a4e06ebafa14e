"""Names for what rows have in common, as an author gives them.

A fold that does not depend on all indices of the place where it stands would be
written, and computed, again at each of them: ``r[...] = rsqrt(mean[j](x[..., j]^2) +
eps)`` is a local.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection

from opslib.analysis.gradient.prepare import base_name
from opslib.analysis.gradient.scopes import free, replaced
from opslib.ir.expr import (
    ZERO,
    Axis,
    Cast,
    Define,
    Expr,
    Fold,
    Index,
    Prim,
    Program,
    Read,
    Tensor,
    rebuild,
    walk,
)

_LETTERS = {
    "rsqrt": "r",
    "exp": "e",
    "sum": "s",
    "max": "m",
    "min": "m",
    "mean": "a",
    "log": "l",
    "prod": "p",
}
# What is written as part of a product or a sum: its operands get the names.
_OPEN = frozenset({"mul", "div", "add", "sub", "neg"})


def shared(
    program: Program,
    forward: Collection[str],
    names: Callable[[str], str],
    taken: Collection[str] = (),
) -> Program:
    """`program` with locals for what is shared; those of `forward` stay as they are.

    `taken` are names that a local may not have, beside those of the program.
    """
    return _Sharing(program, names, taken).run(forward)


class _Sharing:
    def __init__(
        self,
        program: Program,
        names: Callable[[str], str],
        taken: Collection[str],
    ) -> None:
        self.program = program
        self.names = names
        self.locals = list(program.locals)
        self.made: list[Define] = []
        # A value at numbered indices, and the local that it is.
        self.known: dict[tuple[Expr, ...], str] = {}
        tensors = (*program.inputs, *program.outputs, *program.locals)
        self.taken = {t.name for t in tensors} | set(program.sizes)
        self.taken |= {s.name for s in program.scalars} | set(taken)

    def run(self, forward: Collection[str]) -> Program:
        for d in self.program.defines:
            if d.name in forward:
                self.made.append(d)
                continue
            value = self.visit(d.value, d.axes, top=True)
            self.made.append(dataclasses.replace(d, value=value))
        return dataclasses.replace(
            self.program, locals=tuple(self.locals), defines=tuple(self.made)
        )

    def visit(self, node: Expr, axes: tuple[Axis, ...], top: bool = False) -> Expr:
        """`node`, which stands where these axes are live."""
        if not any(isinstance(n, Fold) for n in walk(node)):
            return node
        live = {a.name for a in axes}
        if not top and free(node) < live and _has_name(node):
            return self.name(node, axes)
        if isinstance(node, Fold):
            inner = (*axes, *node.axes)
            args = tuple(self.visit(a, inner) for a in node.args)
            return Fold(node.monoid, node.axes, args, node.output)
        return rebuild(node, lambda c: self.visit(c, axes))

    def name(self, node: Expr, axes: tuple[Axis, ...]) -> Expr:
        """A read of the local that `node` is, or becomes."""
        own = [a for a in axes if a.name in free(node)]
        if not all(_is_plain(a) and _is_seen(a, node, self.program) for a in own):
            return rebuild(node, lambda c: self.visit(c, axes))
        numbered: dict[Expr, Expr] = {
            a.index: Index(f"#{k}") for k, a in enumerate(own)
        }
        value = replaced(node, numbered, self.names)
        key = (value, *(a.stop for a in own))
        indices = tuple(a.index for a in own)
        found = self.known.get(key)
        if found is None:
            found = self.fresh(_letter(node))
            self.known[key] = found
            new = [Axis(self.names(base_name(a.name)), ZERO, a.stop) for a in own]
            back: dict[Expr, Expr] = {
                Index(f"#{k}"): a.index for k, a in enumerate(new)
            }
            value = self.visit(replaced(value, back, self.names), tuple(new), True)
            self.locals.append(Tensor(found, value.dtype, tuple(a.stop for a in own)))
            places = tuple(a.index for a in new)
            self.made.append(Define(found, tuple(new), places, value))
        return Read(found, indices, node.dtype)

    def fresh(self, letter: str) -> str:
        name, k = letter, 2
        while name in self.taken:
            name, k = f"{letter}{k}", k + 1
        self.taken.add(name)
        return name


def _has_name(node: Expr) -> bool:
    if isinstance(node, Cast):
        return False
    if isinstance(node, Prim) and node.op == "div":
        return _is_mean(node)
    return not (isinstance(node, Prim) and node.op in _OPEN) and node.dtype.is_float


def _is_mean(node: Prim) -> bool:
    return isinstance(node.args[0], Fold) and isinstance(node.args[1], Cast)


def _letter(node: Expr) -> str:
    if isinstance(node, Fold):
        return _LETTERS.get(node.monoid.name, "t")
    if isinstance(node, Prim):
        return _LETTERS.get("mean" if node.op == "div" else node.op, "t")
    return "t"


def _is_plain(axis: Axis) -> bool:
    return axis.start is ZERO and not free(axis.stop)


def _is_seen(axis: Axis, node: Expr, program: Program) -> bool:
    """Whether some read at the index alone says how far it goes."""
    for n in walk(node):
        if isinstance(n, Read):
            shape = program.tensor(n.tensor).shape
            for i, dim in zip(n.indices, shape, strict=True):
                if i is axis.index and dim is axis.stop:
                    return True
    return False
