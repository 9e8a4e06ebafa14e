"""Expressions of a signature, evaluated in Python while a call is bound.

Extents of outputs, defaults of attributes and `requires` conditions are numbers by
the time of a call. What cannot be known before the kernel runs (an element of a
tensor) raises `NotStatic`, and the condition becomes a run-time check.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opslib.ir import packs
from opslib.ir.dtypes import CLASSES, DType
from opslib.language import syntax


class NotStatic(Exception):
    """The expression needs something that only the kernel knows."""


# What evaluating a well-formed expression may raise for particular values: a division
# by zero, sqrt(-1), an entry that a pack of this rank does not have, an absent number.
UNDEFINED = (ArithmeticError, ValueError, LookupError, TypeError)


@dataclass(frozen=True, slots=True)
class StaticScope:
    """What names mean while binding.

    Attributes:
        values: sizes and attributes (ints, floats, bools, strings, tuples, None).
        packs: extents of the named packs; None is the anonymous one.
        dtypes: dtype variables.
        present: for each optional tensor whether it was given.
        instances: for each variadic tensor, its sizes that differ by instance.
    """

    values: Mapping[str, Any]
    packs: Mapping[str | None, Sequence[int]]
    dtypes: Mapping[str, DType]
    present: Mapping[str, bool]
    instances: Mapping[str, Sequence[int]]
    counts: Mapping[str, int]


# An integer of a signature beyond this is a mistake: Python would compute 9^9^9 for
# minutes, and print no number of more than 4300 digits.
_MAX_BITS = 4096


def _power(x: Any, y: Any) -> Any:
    if isinstance(x, int) and isinstance(y, int) and x.bit_length() * y > _MAX_BITS:
        raise OverflowError(f"{_MAX_BITS} bits are not enough for a power")
    return x**y


def _shifted(x: Any, y: Any) -> Any:
    if y > _MAX_BITS:
        raise OverflowError(f"a shift by more than {_MAX_BITS} bits")
    return x << y


_UNARY: dict[str, Callable[[Any], Any]] = {
    "-": lambda x: -x,
    "~": lambda x: ~x,
    "not": lambda x: not x,
}
_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
    "//": lambda x, y: x // y,
    "%": lambda x, y: x % y,
    "^": lambda x, y: _power(x, y),
    "<<": lambda x, y: _shifted(x, y),
    ">>": lambda x, y: x >> y,
    "&": lambda x, y: x & y,
    "|": lambda x, y: x | y,
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y,
    "==": lambda x, y: x == y,
    "!=": lambda x, y: x != y,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "log2": math.log2,
    "floor": math.floor,
    "ceil": math.ceil,
    "abs": abs,
    "max": max,
    "min": min,
}


def evaluate(node: syntax.Expression, scope: StaticScope) -> Any:
    """The Python value of a static expression; raises NotStatic or ZeroDivisionError.

    A Pack has no single value: see `evaluate_pack`.
    """
    match node:
        case syntax.Number() | syntax.Boolean() | syntax.String():
            return node.value
        case syntax.Nothing():
            return None
        case syntax.Name():
            if node.name in scope.values:
                found = scope.values[node.name]
                return _single(found) if _is_position(found) else found
            if node.name == "pi":
                return math.pi
            raise NotStatic(node.name)
        case syntax.TupleOf():
            return tuple(evaluate(item, scope) for item in node.items)
        case syntax.Composite():
            return math.prod(evaluate(part, scope) for part in node.parts)
        case syntax.Unary():
            return _UNARY[node.operator](evaluate(node.operand, scope))
        case syntax.Binary(operator="and"):
            return evaluate(node.left, scope) and evaluate(node.right, scope)
        case syntax.Binary(operator="or"):
            return evaluate(node.left, scope) or evaluate(node.right, scope)
        case syntax.Binary():
            left, right = evaluate(node.left, scope), evaluate(node.right, scope)
            return _BINARY[node.operator](left, right)
        case syntax.Conditional():
            taken = node.value if evaluate(node.condition, scope) else node.other
            return evaluate(taken, scope)
        case syntax.IsNone():
            absent = (
                not scope.present[node.name]
                if node.name in scope.present
                else scope.values[node.name] is None
            )
            return absent != node.negated
        case syntax.IsClass():
            return is_class(node, scope.dtypes)
        case syntax.Index():
            return _entry(node, scope)
        case syntax.Apply():
            return _apply(node, scope)
        case syntax.Along():
            return _along(node, scope)
    raise NotStatic(type(node).__name__)


def is_class(node: syntax.IsClass, dtypes: Mapping[str, DType]) -> bool:
    """``T is float``: whether the dtype is of one of the classes."""
    name = dtypes[node.dtype.name].name
    inside = any(name in CLASSES.get(c, {c}) for c in node.classes)
    return inside != node.negated


def _entry(node: syntax.Index, scope: StaticScope) -> Any:
    if node.which is not None:
        raise NotStatic(node.base)
    index = evaluate(node.items[0], scope)
    if node.base in scope.instances:
        return scope.instances[node.base][index]
    if node.base in scope.values:
        return scope.values[node.base][index]
    raise NotStatic(node.base)


def _apply(node: syntax.Apply, scope: StaticScope) -> Any:
    first = node.arguments[0] if node.arguments else None
    match node.function:
        case "rank":
            return len(evaluate_pack(_argument(first), scope))
        case "prod":
            return math.prod(evaluate_pack(_argument(first), scope))
        case "total":
            return sum(evaluate_pack(_argument(first), scope))
        case "count" if isinstance(first, syntax.Name):
            return scope.counts[first.name]
        case "at":
            axis = evaluate(node.arguments[1], scope)
            return evaluate_pack(_argument(first), scope)[_single(axis)]
    if node.function in ("int32", "int64"):
        return int(evaluate(_argument(first), scope))
    if node.function in _FUNCTIONS:
        values = [evaluate(a, scope) for a in node.arguments]
        return _FUNCTIONS[node.function](*values)
    raise NotStatic(node.function)


def _argument(node: syntax.Expression | None) -> syntax.Expression:
    if node is None:
        raise NotStatic("argument")
    return node


def _single(axis: Any) -> int:
    return int(axis[0]) if isinstance(axis, tuple) else int(axis)


def _is_position(value: Any) -> bool:
    """Whether this is one axis: where a number is wanted, its position is meant."""
    return isinstance(value, tuple) and len(value) == 1


def place_of(node: syntax.Expression, scope: StaticScope) -> Any:
    """An argument that says where: a tuple of axes, or an int for a gap."""
    if isinstance(node, syntax.Name) and node.name in scope.values:
        return scope.values[node.name]
    return evaluate(node, scope)


def _along(node: syntax.Along, scope: StaticScope) -> Any:
    """``sum[v](n[v])`` over the instances of a variadic tensor, and ranges."""
    folds: dict[str, Callable[..., Any]] = {
        "sum": sum,
        "prod": math.prod,
        "max": max,
        "min": min,
    }
    if node.function not in folds or len(node.binders) != 1:
        raise NotStatic(node.function)
    binder = node.binders[0]
    if binder.start is not None and binder.stop is not None:
        values = range(evaluate(binder.start, scope), evaluate(binder.stop, scope))
    elif len(set(scope.counts.values())) == 1:
        values = range(next(iter(scope.counts.values())))
    else:
        raise NotStatic(binder.name)
    results = []
    for v in values:
        inner = StaticScope(
            {**scope.values, binder.name: v},
            scope.packs,
            scope.dtypes,
            scope.present,
            scope.instances,
            scope.counts,
        )
        results.append(evaluate(node.arguments[0], inner))
    return folds[node.function](results)


def evaluate_pack(node: syntax.Expression, scope: StaticScope) -> list[Any]:
    """The extents that a pack expression stands for; broadcasts scalars."""
    value = pack_value(node, scope)
    if not isinstance(value, list):
        raise NotStatic("a single value where a pack is needed")
    return value


def pack_value(node: syntax.Expression | None, scope: StaticScope) -> Any:
    """A list for what has an entry for each axis, else a single value."""
    match node:
        case None:
            return list(scope.packs[None])
        case syntax.Pack():
            return pack_value(node.value, scope)
        case syntax.Name() if node.name in scope.packs:
            return list(scope.packs[node.name])
        case syntax.Name() if node.name in scope.instances:
            return list(scope.instances[node.name])
        case syntax.Name() if isinstance(scope.values.get(node.name), tuple):
            return list(scope.values[node.name])
        case syntax.Unary():
            operand = pack_value(node.operand, scope)
            return _zip(_UNARY[node.operator], operand)
        case syntax.Binary() if node.operator in _BINARY:
            left = pack_value(node.left, scope)
            right = pack_value(node.right, scope)
            return _zip(_BINARY[node.operator], left, right)
        case syntax.TupleOf():
            return [evaluate(item, scope) for item in node.items]
        case syntax.Conditional():
            condition = pack_value(node.condition, scope)
            if not isinstance(condition, list):
                return pack_value(node.value if condition else node.other, scope)
            yes, no = pack_value(node.value, scope), pack_value(node.other, scope)
            return _zip(lambda c, y, n: y if c else n, condition, yes, no)
        case syntax.Apply():
            return _pack_function(node, scope)
    return evaluate(node, scope)


def _zip(function: Callable[..., Any], *values: Any) -> Any:
    ranks = {len(v) for v in values if isinstance(v, list)}
    if not ranks:
        return function(*values)
    if len(ranks) > 1:
        raise ValueError("packs of different ranks")
    rank = ranks.pop()
    columns = [v if isinstance(v, list) else [v] * rank for v in values]
    return [function(*row) for row in zip(*columns, strict=True)]


def _pack_function(node: syntax.Apply, scope: StaticScope) -> Any:
    arguments = node.arguments
    match node.function:
        case "drop":
            entries = evaluate_pack(arguments[0], scope)
            axes = place_of(arguments[1], scope)
            kept = len(arguments) > 2 and evaluate(arguments[2], scope)
            if kept:
                return [1 if k in axes else n for k, n in enumerate(entries)]
            return [n for k, n in enumerate(entries) if k not in axes]
        case "head" | "tail":
            entries = evaluate_pack(arguments[0], scope)
            axis = place_of(arguments[1], scope)
            gap = isinstance(axis, int)
            position = axis if gap else axis[0]
            if node.function == "head":
                return entries[:position]
            return entries[position if gap else position + 1 :]
        case "swap":
            places = (evaluate(arguments[1], scope), evaluate(arguments[2], scope))
            return packs.swap(evaluate_pack(arguments[0], scope), *places)
        case "permute":
            entries = evaluate_pack(arguments[0], scope)
            order = place_of(arguments[1], scope)
            return entries[::-1] if order is None else packs.permute(entries, order)
        case "on":
            axes = place_of(arguments[0], scope)
            chosen, other = (pack_value(a, scope) for a in arguments[1:])
            ranks = [len(v) for v in (chosen, other) if isinstance(v, list)]
            if not ranks:
                raise NotStatic("on")
            rank = ranks[0]
            widen = [v if isinstance(v, list) else [v] * rank for v in (chosen, other)]
            return packs.on(axes, *widen)
        case "max" | "min" | "abs" | "floor" | "ceil":
            values = [pack_value(a, scope) for a in arguments]
            return _zip(_FUNCTIONS[node.function], *values)
    return evaluate(node, scope)


EMPTY = StaticScope({}, {}, {}, {}, {}, {})
