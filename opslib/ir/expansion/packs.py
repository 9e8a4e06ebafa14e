"""Pack expressions: ``...s``, ``...(i - before)``, ``...weave(i, j, axis)``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from opslib.ir import packs
from opslib.ir.build import arithmetic, integer, multiply_add, product
from opslib.ir.expansion.frame import Frame, Scope
from opslib.ir.expr import ZERO, Const, Expr, Prim
from opslib.language import syntax

if TYPE_CHECKING:
    Value = Callable[[Frame, syntax.Expression, Scope], Expr]

Entries = list[Expr]


def pack(
    frame: Frame, node: syntax.Expression | None, scope: Scope, value: Value
) -> Entries | Expr:
    """The entries a pack expression stands for, or one value for every axis.

    In an index position a name means the index pack of that name if there is one,
    else the size pack. `value` evaluates ordinary expressions.
    """
    match node:
        case None:
            if None in scope.packs:
                return list(scope.packs[None])
            return list(frame.packs.get(None, []))
        case syntax.Pack():
            return pack(frame, node.value, scope, value)
        case syntax.Name():
            if node.name in scope.packs:
                return list(scope.packs[node.name])
            if node.name in frame.packs:
                return list(frame.packs[node.name])
            attribute = frame.attributes.get(node.name)
            if isinstance(attribute, list):
                return list(attribute)
        case syntax.TupleOf():
            return [value(frame, item, scope) for item in node.items]
        case syntax.Conditional():
            condition = value(frame, node.condition, scope)
            if isinstance(condition, Const):
                chosen = node.value if condition.value else node.other
                return pack(frame, chosen, scope, value)
        case syntax.Unary(operator="-"):
            inner = pack(frame, node.operand, scope, value)
            return zipped(lambda x: arithmetic("sub", ZERO, x), inner)
        case syntax.Binary() if node.operator in _ARITHMETIC:
            left = pack(frame, node.left, scope, value)
            right = pack(frame, node.right, scope, value)
            if isinstance(left, list) or isinstance(right, list):
                op = _ARITHMETIC[node.operator]
                return zipped(lambda x, y: arithmetic(op, x, y), left, right)
        case syntax.Apply():
            entries = _function(frame, node, scope, value)
            if entries is not None:
                return entries
    return value(frame, node, scope)


_ARITHMETIC = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "//": "floordiv",
    "%": "mod",
}


def zipped(function: Callable[..., Expr], *values: Entries | Expr) -> Entries | Expr:
    """`function` axis by axis; single values stand for every axis."""
    ranks = {len(v) for v in values if isinstance(v, list)}
    if not ranks:
        return function(*values)
    rank = max(ranks)
    columns = [v if isinstance(v, list) else [v] * rank for v in values]
    return [function(*row) for row in zip(*columns, strict=True)]


def _function(
    frame: Frame, node: syntax.Apply, scope: Scope, value: Value
) -> Entries | Expr | None:
    arguments = node.arguments

    def entries(k: int) -> Entries:
        result = pack(frame, arguments[k], scope, value)
        return result if isinstance(result, list) else [result]

    match node.function:
        case "drop":
            # `keepdims` is a matter of the result's shape only: see bind.
            axes = static_axes(frame, arguments[1])
            return [e for k, e in enumerate(entries(0)) if k not in axes]
        case "weave":
            axes = static_axes(frame, arguments[2])
            inner_pack = pack(frame, arguments[1], scope, value)
            if not isinstance(inner_pack, list):  # One value on each of the axes.
                inner_pack = [inner_pack] * len(axes)
            return packs.weave(entries(0), inner_pack, axes)
        case "on":
            axes = static_axes(frame, arguments[0])
            chosen = pack(frame, arguments[1], scope, value)
            other = pack(frame, arguments[2], scope, value)
            rank = max(len(v) for v in (chosen, other) if isinstance(v, list))
            wide = [v if isinstance(v, list) else [v] * rank for v in (chosen, other)]
            return packs.on(axes, *wide)
        case "head" | "tail":
            axis = static(frame, arguments[1])
            gap = isinstance(axis, int)
            at = axis if gap else axis[0]
            inner = entries(0)
            if node.function == "head":
                return inner[:at]
            return inner[at if gap else at + 1 :]
        case "permute":
            return packs.permute(entries(0), _order(frame, arguments[1], entries(0)))
        case "unpermute":
            order = _order(frame, arguments[1], entries(0))
            return packs.unpermute(entries(0), order)
        case "fit":
            return _fit(frame, node, [e for k in range(len(arguments) - 1)
                                      for e in entries(k)])
        case "unravel":
            flat = value(frame, arguments[0], scope)
            return packs.unravel(
                flat,
                entries(1),
                lambda x, n: arithmetic("floordiv", x, n),
                lambda x, n: arithmetic("mod", x, n),
            )
        case "abs":
            inside = pack(frame, arguments[0], scope, value)
            if isinstance(inside, list):
                return [Prim("abs", (e,), e.dtype) for e in inside]
        case "max" | "min":
            values = [pack(frame, a, scope, value) for a in arguments]
            if any(isinstance(v, list) for v in values):
                op = node.function
                result = values[0]
                for v in values[1:]:
                    result = zipped(lambda x, y: arithmetic(op, x, y), result, v)
                return result
    return None


def _order(
    frame: Frame, node: syntax.Expression, entries: Entries
) -> Sequence[int]:
    """A permutation; `none` reverses the axes."""
    if isinstance(node, syntax.Name) and frame.attributes.get(node.name, 0) is None:
        return range(len(entries))[::-1]
    return static_axes(frame, node)


def _fit(frame: Frame, node: syntax.Apply, indices: Entries) -> Entries:
    """``fit(i, s)``: i against a smaller shape, as broadcasting does.

    Leading indices that s lacks are left out, and an axis of length 1 is read at 0.
    """
    last = node.arguments[-1]
    assert isinstance(last, syntax.Name)
    ones: tuple[bool, ...] = frame.attributes[f"fit {last.name}"]
    if len(ones) > len(indices):
        frame.fail(node, f"'{last.name}' has more axes than the result", "E0701")
    kept = indices[len(indices) - len(ones) :]
    return [ZERO if one else i for one, i in zip(ones, kept, strict=True)]


def scalar_function(
    frame: Frame, node: syntax.Apply, scope: Scope, value: Value
) -> Expr | None:
    """The functions from a pack to one value: rank, prod, at, ravel, count."""
    arguments = node.arguments

    def entries(k: int) -> Entries:
        result = pack(frame, arguments[k], scope, value)
        return result if isinstance(result, list) else [result]

    match node.function:
        case "rank":
            return integer(len(entries(0)))
        case "prod" if len(arguments) == 1:
            return product(entries(0))
        case "count" if isinstance(arguments[0], syntax.Name):
            return integer(len(frame.variadic[arguments[0].name]))
        case "at":
            axis = static(frame, arguments[1])
            return entries(0)[axis if isinstance(axis, int) else axis[0]]
        case "ravel":
            return packs.ravel(entries(0), entries(1), ZERO, multiply_add)
    return None


def static(frame: Frame, node: syntax.Expression) -> int | tuple[int, ...]:
    """The value of an axis attribute (a tuple of positions, or a gap's int)."""
    value = frame.attributes.get(node.name) if isinstance(node, syntax.Name) else None
    if isinstance(node, syntax.Number) and isinstance(node.value, int):
        return (node.value,)
    if isinstance(value, int | tuple):
        return value
    frame.fail(node, "this must be an axis attribute", "E0502")


def static_axes(frame: Frame, node: syntax.Expression) -> Sequence[int]:
    """As `static`, always a sequence."""
    value = static(frame, node)
    return (value,) if isinstance(value, int) else value
