"""Pack expressions: ``...s``, ``...(i - before)``, ``...weave(i, j, axis)``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

from opslib.ir import packs
from opslib.ir.build import arithmetic, integer, multiply_add, product
from opslib.ir.expansion.frame import Frame, Scope
from opslib.ir.expr import ZERO, Const, Expr, Prim
from opslib.language import syntax

Entries = list[Expr]

_ARITHMETIC = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "//": "floordiv",
    "%": "mod",
}
# Functions from packs to a pack, and those that go axis by axis where given packs.
_MAKING = frozenset(
    {"drop", "weave", "on", "head", "tail", "permute", "unpermute", "fit", "unravel"}
    | {"swap"}
)
_MAPPING = frozenset({"abs", "max", "min"})


def is_pack(frame: Frame, node: syntax.Expression | None, scope: Scope) -> bool:
    """Whether an expression has an entry for each axis rather than one value."""
    match node:
        case None | syntax.Pack() | syntax.TupleOf():
            return True
        case syntax.Name():
            attribute = frame.attributes.get(node.name)
            indexed = node.name in scope.packs or node.name in frame.packs
            indexed = indexed or node.name in frame.instance_sizes
            return indexed or isinstance(attribute, list)
        case syntax.Unary(operator="-"):
            return is_pack(frame, node.operand, scope)
        case syntax.Binary() if node.operator in _ARITHMETIC:
            return is_pack(frame, node.left, scope) or is_pack(frame, node.right, scope)
        case syntax.Conditional():
            return is_pack(frame, node.value, scope) or is_pack(
                frame, node.other, scope
            )
        case syntax.Apply() if node.function in _MAPPING:
            return any(is_pack(frame, a, scope) for a in node.arguments)
        case syntax.Apply():
            return node.function in _MAKING
    return False


def pack(frame: Frame, node: syntax.Expression | None, scope: Scope) -> Entries | Expr:
    """The entries a pack expression stands for, or one value for every axis.

    In an index position a name means the index pack of that name if there is one,
    else the size pack.
    """
    if node is not None and not is_pack(frame, node, scope):
        return frame.value(node, scope)
    match node:
        case None:
            if None in scope.packs:
                return list(scope.packs[None])
            return list(frame.packs.get(None, []))
        case syntax.Pack():
            return pack(frame, node.value, scope)
        case syntax.Name():
            if node.name in scope.packs:
                return list(scope.packs[node.name])
            if node.name in frame.packs:
                return list(frame.packs[node.name])
            if node.name in frame.instance_sizes:
                return list(frame.instance_sizes[node.name])
            return list(frame.attributes[node.name])
        case syntax.TupleOf():
            return [frame.value(item, scope) for item in node.items]
        case syntax.Conditional():
            condition = frame.value(node.condition, scope)
            if not isinstance(condition, Const):
                frame.fail(
                    node.condition, "which pack this is must be known here", "E0506"
                )
            chosen = node.value if condition.value else node.other
            return pack(frame, chosen, scope)
        case syntax.Unary():
            inner = pack(frame, node.operand, scope)
            return zipped(lambda x: arithmetic("sub", ZERO, x), inner)
        case syntax.Binary():
            left = pack(frame, node.left, scope)
            right = pack(frame, node.right, scope)
            op = _ARITHMETIC[node.operator]
            return zipped(lambda x, y: arithmetic(op, x, y), left, right)
    assert isinstance(node, syntax.Apply)
    return _function(frame, node, scope)


def zipped(function: Callable[..., Expr], *values: Entries | Expr) -> Entries | Expr:
    """`function` axis by axis; single values stand for every axis."""
    ranks = {len(v) for v in values if isinstance(v, list)}
    if not ranks:
        return function(*values)
    rank = max(ranks)
    columns = [v if isinstance(v, list) else [v] * rank for v in values]
    return [function(*row) for row in zip(*columns, strict=True)]


def _function(frame: Frame, node: syntax.Apply, scope: Scope) -> Entries | Expr:
    arguments = node.arguments

    def entries(k: int) -> Entries:
        result = pack(frame, arguments[k], scope)
        return result if isinstance(result, list) else [result]

    match node.function:
        case "drop":
            # `keepdims` is a matter of the result's shape only: see bind.
            axes = static_axes(frame, arguments[1])
            return [e for k, e in enumerate(entries(0)) if k not in axes]
        case "weave":
            axes = static_axes(frame, arguments[2])
            inner_pack = pack(frame, arguments[1], scope)
            if not isinstance(inner_pack, list):  # One value on each of the axes.
                inner_pack = [inner_pack] * len(axes)
            return packs.weave(entries(0), inner_pack, axes)
        case "on":
            axes = static_axes(frame, arguments[0])
            chosen = pack(frame, arguments[1], scope)
            other = pack(frame, arguments[2], scope)
            ranks = [len(v) for v in (chosen, other) if isinstance(v, list)]
            if not ranks:
                frame.fail(
                    node,
                    "'on' needs an entry for each axis",
                    "E0506",
                    help="one of its last two arguments is a pack: on(axis, k, i)",
                )
            rank = max(ranks)
            wide = [v if isinstance(v, list) else [v] * rank for v in (chosen, other)]
            return packs.on(axes, *wide)
        case "head" | "tail":
            axis = static(frame, arguments[1], scope)
            # A gap lies between two axes; an axis is left out itself.
            gap = isinstance(axis, int)
            at = axis if isinstance(axis, int) else axis[0]
            after = at if gap else at + 1
            return entries(0)[:at] if node.function == "head" else entries(0)[after:]
        case "swap":
            places = [static(frame, argument, scope) for argument in arguments[1:]]
            first, second = (p if isinstance(p, int) else p[0] for p in places)
            return packs.swap(entries(0), first, second)
        case "permute":
            return packs.permute(entries(0), _order(frame, arguments[1], entries(0)))
        case "unpermute":
            order = _order(frame, arguments[1], entries(0))
            return packs.unpermute(entries(0), order)
        case "fit":
            return _fit(
                frame, node, [e for k in range(len(arguments) - 1) for e in entries(k)]
            )
        case "unravel":
            flat = frame.value(arguments[0], scope)
            return packs.unravel(
                flat,
                entries(1),
                lambda x, n: arithmetic("floordiv", x, n),
                lambda x, n: arithmetic("mod", x, n),
            )
        case "abs":
            return [Prim("abs", (e,), e.dtype) for e in entries(0)]
        case "max" | "min" as op:
            values = [pack(frame, a, scope) for a in arguments]
            result = values[0]
            for v in values[1:]:
                result = zipped(lambda x, y: arithmetic(op, x, y), result, v)
            return result
    frame.fail(node, f"'{node.function}' makes no pack", "E0506")


def _order(frame: Frame, node: syntax.Expression, entries: Entries) -> Sequence[int]:
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


def scalar_function(frame: Frame, node: syntax.Apply, scope: Scope) -> Expr | None:
    """The functions from a pack to one value: rank, prod, at, ravel, count."""
    arguments = node.arguments

    def entries(k: int) -> Entries:
        result = pack(frame, arguments[k], scope)
        return result if isinstance(result, list) else [result]

    match node.function:
        case "rank":
            return integer(len(entries(0)))
        case "prod" if len(arguments) == 1:
            return product(entries(0))
        case "total":
            zero: Expr = ZERO
            return reduce(lambda x, y: arithmetic("add", x, y), entries(0), zero)
        case "count" if isinstance(arguments[0], syntax.Name):
            return integer(len(frame.variadic[arguments[0].name]))
        case "at":
            axis = static(frame, arguments[1], scope)
            place = axis if isinstance(axis, int) else axis[0]
            found = entries(0)
            if not 0 <= place < len(found):
                frame.fail(
                    node,
                    f"there is no entry {place}: the pack has {len(found)} here",
                    "E0502",
                    help="entries are counted from 0",
                )
            return found[place]
        case "ravel":
            if len(entries(0)) != len(entries(1)):
                frame.fail(
                    node,
                    f"{len(entries(0))} indices in a shape of {len(entries(1))} axes",
                    "E0506",
                    help="ravel(i, s): one index for each axis of s",
                )
            return packs.ravel(entries(0), entries(1), ZERO, multiply_add)
    return None


def static(
    frame: Frame, node: syntax.Expression, scope: Scope | None = None
) -> int | tuple[int, ...]:
    """The value of an axis attribute (a tuple of positions, or a gap's int).

    With a scope also that of a number known here, such as the index of an instance.
    """
    value = frame.attributes.get(node.name) if isinstance(node, syntax.Name) else None
    if isinstance(node, syntax.Number) and isinstance(node.value, int):
        return (node.value,)
    if isinstance(value, int | tuple):
        return value
    if scope is not None:
        found = frame.value(node, scope)
        if isinstance(found, Const) and found.dtype.is_integer:
            return int(found.value)
    frame.fail(node, "this must be an axis attribute", "E0502")


def static_axes(frame: Frame, node: syntax.Expression) -> Sequence[int]:
    """As `static`, always a sequence."""
    value = static(frame, node)
    return (value,) if isinstance(value, int) else value
