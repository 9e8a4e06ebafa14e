"""Expressions of the language as `Expr`."""

from __future__ import annotations

import math
from typing import Any

from opslib.errors import DTypeError, SpecError
from opslib.ir.build import (
    arithmetic,
    boolean,
    both,
    cast,
    compare,
    either,
    function,
    integer,
    is_weak,
    negation,
    power,
    product,
    select,
    unify,
)
from opslib.ir.dtypes import (
    BOOL,
    CLASSES,
    DTYPES,
    FLOAT64,
    INT64,
    DType,
    compute_type,
)
from opslib.ir.expansion import access, calls, folds, packs
from opslib.ir.expansion.frame import Frame, Operand, Scope
from opslib.ir.expansion.philox import philox
from opslib.ir.expr import FALSE, TRUE, ZERO, Cast, Const, Expr, Prim
from opslib.ir.primitives import PRIMITIVES
from opslib.language import syntax

_ARITHMETIC = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "/": "div",
    "//": "floordiv",
    "%": "mod",
}
_BITS = {"<<": "shl", ">>": "shr", "&": "bitand", "|": "bitor"}
_COMPARISONS = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}
_RENAMED = {"gelu_erf": "gelu", "floordiv": "floordiv"}


def value(frame: Frame, node: syntax.Expression, scope: Scope) -> Expr:
    """The value of `node` at the current point."""
    try:
        return _value(frame, node, scope)
    except DTypeError as problem:
        frame.fail(node, problem.message, problem.code, problem.help)
    except RecursionError:
        frame.fail(node, "this is nested too deep", "E0109")
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as e:
        # A spec that the checker should have refused: still shown where it is.
        kind = type(e).__name__
        diagnostic = f"this has no meaning at these ranks and dtypes ({kind}: {e})"
        try:
            frame.fail(node, diagnostic, "E0901")
        except SpecError as shown:
            raise shown from e


def _value(frame: Frame, node: syntax.Expression, scope: Scope) -> Expr:
    match node:
        case syntax.Number():
            dtype = FLOAT64 if isinstance(node.value, float) else INT64
            return Const(node.value, dtype)
        case syntax.Boolean():
            return TRUE if node.value else FALSE
        case syntax.Name():
            return _name(frame, node, scope)
        case syntax.Unary():
            return _unary(frame, node, scope)
        case syntax.Binary():
            return _binary(frame, node, scope)
        case syntax.Conditional():
            return _conditional(frame, node, scope)
        case syntax.Otherwise():
            return _otherwise(frame, node, scope)
        case syntax.IsNone():
            return TRUE if _is_none(frame, node.name) != node.negated else FALSE
        case syntax.IsClass():
            name = frame.dtype_of(node.dtype).name
            inside = any(name in CLASSES.get(c, {c}) for c in node.classes)
            return TRUE if inside != node.negated else FALSE
        case syntax.Index():
            return _index(frame, node, scope)
        case syntax.Apply():
            return _apply(frame, node, scope)
        case syntax.Along():
            return folds.along(frame, node, scope)
        case syntax.Composite() if _is_position(node, scope):
            parts = tuple(value(frame, p, scope) for p in node.parts)
            return access.mixed_radix(frame, node, parts, scope)
        case syntax.Composite():
            return product([value(frame, p, scope) for p in node.parts])
    frame.fail(node, "this has no value here", "E0201")


def _is_position(node: syntax.Composite, scope: Scope) -> bool:
    return all(
        isinstance(p, syntax.Name) and p.name in scope.indices for p in node.parts
    )


def _name(frame: Frame, node: syntax.Name, scope: Scope) -> Expr:
    name = node.name
    if name in scope.indices:
        return scope.indices[name]
    if name in frame.macros:
        return frame.macros[name]
    if name in frame.sizes:
        return frame.sizes[name]
    if name in frame.operands or name in frame.absent:
        operand = frame.operands.get(name)
        everywhere: tuple[syntax.Expression, ...] = ()
        if operand is None or operand.groups:
            everywhere = (syntax.Pack(value=None, span=node.span),)
        read = syntax.Index(base=name, items=everywhere, span=node.span)
        return _index(frame, read, scope)
    if name in frame.attributes:
        found = frame.attributes[name]
        if isinstance(found, Expr):
            return found
        if isinstance(found, bool):
            return TRUE if found else FALSE
        if found is None:
            frame.fail(node, f"'{name}' is none here", "E0404")
        if isinstance(found, int):
            return integer(found)
        if isinstance(found, tuple) and len(found) == 1:
            return integer(found[0])
        frame.fail(node, f"'{name}' has no value: it is {found!r}", "E0409")
    if name == "pi":
        return Const(math.pi, FLOAT64)
    frame.fail(node, f"'{name}' is not known here", "E0301")


def _is_none(frame: Frame, name: str) -> bool:
    if name in frame.absent:
        return True
    return name in frame.attributes and frame.attributes[name] is None


def _unary(frame: Frame, node: syntax.Unary, scope: Scope) -> Expr:
    operand = value(frame, node.operand, scope)
    if node.operator == "not":
        return negation(operand)
    if node.operator == "~":
        if operand.dtype.kind == "bool":
            return negation(operand)
        return Prim("bitnot", (operand,), operand.dtype)
    if operand.dtype.kind == "bool":
        operand = cast(operand, INT64)
    if isinstance(operand, Const):
        return Const(-operand.value, operand.dtype)
    return Prim("neg", (operand,), operand.dtype)


def _binary(frame: Frame, node: syntax.Binary, scope: Scope) -> Expr:
    op = node.operator
    if op in ("and", "or"):
        return _logic(frame, node, scope)
    if op in ("==", "!="):
        strings = _static_equality(frame, node)
        if strings is not None:
            return strings
    left, right = value(frame, node.left, scope), value(frame, node.right, scope)
    if op in _COMPARISONS:
        return compare(_COMPARISONS[op], left, right)
    if op == "^":
        return power(left, right)
    if op in _BITS:
        left, right = unify(left, right)
        if left.dtype.kind == "bool" and op in "&|":
            return both(left, right) if op == "&" else either(left, right)
        return function(_BITS[op], left, right)
    return arithmetic(_ARITHMETIC[op], left, right)


def _logic(frame: Frame, node: syntax.Binary, scope: Scope) -> Expr:
    """Lazy: the right side is not looked at where the left one decides."""
    left = boolean(value(frame, node.left, scope))
    if node.operator == "and":
        if left is FALSE:
            return FALSE
        return both(left, value(frame, node.right, scope.taking(left)))
    if left is TRUE:
        return TRUE
    return either(left, value(frame, node.right, scope.taking(negation(left))))


def _static_equality(frame: Frame, node: syntax.Binary) -> Expr | None:
    """Equality of strings, dtypes and none, decided here; None for numbers."""
    sides: list[Any] = []
    for side in (node.left, node.right):
        if isinstance(side, syntax.String):
            sides.append(side.value)
        elif isinstance(side, syntax.Name) and side.name in frame.attributes:
            found = frame.attributes[side.name]
            if isinstance(found, Expr | bool | int):
                return None
            sides.append(found)
        elif isinstance(side, syntax.Name) and side.name in frame.dtypes:
            sides.append(frame.dtypes[side.name])
        elif isinstance(side, syntax.Name) and side.name in DTYPES:
            sides.append(DTYPES[side.name])
        else:
            return None
    return TRUE if (sides[0] == sides[1]) == (node.operator == "==") else FALSE


def _conditional(frame: Frame, node: syntax.Conditional, scope: Scope) -> Expr:
    condition = boolean(value(frame, node.condition, scope))
    if condition is TRUE:
        return value(frame, node.value, scope)
    if condition is FALSE:
        return value(frame, node.other, scope)
    yes = value(frame, node.value, scope.taking(condition))
    no = value(frame, node.other, scope.taking(negation(condition)))
    return select(condition, yes, no)


def _otherwise(frame: Frame, node: syntax.Otherwise, scope: Scope) -> Expr:
    read = node.read
    if isinstance(read, syntax.Name) and read.name in frame.attributes:
        absent = frame.attributes[read.name] is None
        return value(frame, node.value if absent else read, scope)
    name = read.name if isinstance(read, syntax.Name) else getattr(read, "base", "")
    if name in frame.absent:
        return value(frame, node.value, scope)
    if isinstance(read, syntax.Name):
        return value(frame, read, scope)
    if not isinstance(read, syntax.Index):
        frame.fail(read, "'??' guards a read", "E0410")
    operand = operand_of(frame, read, scope)
    found = access.indices(frame, read, operand, scope)
    condition = access.in_bounds(found, operand.dims, scope)
    taken = operand.read(found, scope)
    if condition is TRUE:
        return taken
    other = value(frame, node.value, scope.taking(negation(condition)))
    return select(condition, taken, other)


def operand_of(frame: Frame, node: syntax.Index, scope: Scope) -> Operand:
    """The tensor that an access reads; fails for an absent optional one."""
    if node.base in frame.absent:
        frame.fail(
            node,
            f"'{node.base}' is optional and was not given",
            "E0404",
            help=f"guard it: {node.base}[...] ?? 0",
        )
    if node.base in frame.variadic:
        assert node.which is not None
        which = value(frame, node.which, scope)
        if isinstance(which, Const):
            return frame.variadic[node.base][int(which.value)]
        frame.fail(node, "the selector of a variadic tensor is not static", "E0411")
    if node.base not in frame.operands:
        frame.fail(node, f"'{node.base}' is not a tensor known here", "E0301")
    return frame.operands[node.base]


def _index(frame: Frame, node: syntax.Index, scope: Scope) -> Expr:
    if node.base in frame.instance_sizes:
        which = value(frame, node.items[0], scope)
        if isinstance(which, Const):
            return frame.instance_sizes[node.base][int(which.value)]
        frame.fail(node, "the selector of a variadic size is not static", "E0411")
    attribute = frame.attributes.get(node.base)
    if isinstance(attribute, list):
        which = value(frame, node.items[0], scope)
        if isinstance(which, Const) and 0 <= which.value < len(attribute):
            found = attribute[int(which.value)]
            return found if isinstance(found, Expr) else integer(found)
        frame.fail(node, "no such element of this attribute", "E0409")
    if node.base in frame.variadic and node.which is not None:
        which = value(frame, node.which, scope)
        if not isinstance(which, Const):
            return _chosen(frame, node, which, scope)
    operand = operand_of(frame, node, scope)
    found_indices = access.indices(frame, node, operand, scope)
    found_indices = access.checked(frame, node, operand, found_indices, scope)
    return operand.read(found_indices, scope)


def _chosen(frame: Frame, node: syntax.Index, which: Expr, scope: Scope) -> Expr:
    """``xs[v][...]`` with a run-time v: a chain of lazy selections."""
    result: Expr | None = None
    for k in reversed(range(len(frame.variadic[node.base]))):
        condition = compare("eq", which, integer(k))
        number = syntax.Number(value=k, span=node.span)
        static = syntax.Index(
            base=node.base, items=node.items, which=number, span=node.span
        )
        this = _index(frame, static, scope.taking(condition))
        result = this if result is None else select(condition, this, result)
    assert result is not None
    return result


def _apply(frame: Frame, node: syntax.Apply, scope: Scope) -> Expr:
    name = node.function
    if name in DTYPES or name in frame.dtypes:
        dtype = DTYPES[name] if name in DTYPES else frame.dtypes[name]
        inner = value(frame, node.arguments[0], scope)
        return rounded(inner, dtype)
    scalar = packs.scalar_function(frame, node, scope)
    if scalar is not None:
        return scalar
    if packs.is_pack(frame, node, scope):
        frame.fail(node, "a pack has no single value", "E0506")
    name = _RENAMED.get(name, name)
    if _is_language_function(name, node):
        arguments = [value(frame, a, scope) for a in node.arguments]
        if name == "philox":
            return _random_bits(frame, node, arguments)
        return primitive(name, arguments)
    return calls.call(frame, node, scope)


def _is_language_function(name: str, node: syntax.Apply) -> bool:
    known = name in PRIMITIVES or name in ("square", "xor", "pow", "philox")
    return known and not node.keywords


def _random_bits(frame: Frame, node: syntax.Apply, arguments: list[Expr]) -> Expr:
    """``philox(seed, offset, i, word)``; the word is a literal, 0 when left out."""
    seed, offset, position = arguments[:3]
    word = arguments[3] if len(arguments) > 3 else ZERO
    if not isinstance(word, Const) or word.value not in (0, 1, 2, 3):
        frame.fail(node.arguments[3], "the word is a literal from 0 to 3", "E0409")
    return philox(seed, offset, position, int(word.value))


def primitive(name: str, arguments: list[Expr]) -> Expr:
    """A function of the language on values; max and min take any number."""
    if name in ("max", "min"):
        result = arguments[0]
        for other in arguments[1:]:
            result = arithmetic(name, result, other)
        return result
    if name == "square":
        return arithmetic("mul", arguments[0], arguments[0])
    if name == "pow":
        return power(*arguments)
    if name == "xor":
        left, right = unify(*arguments)
        return function("xor" if left.dtype == BOOL else "bitxor", left, right)
    if name in ("abs", "sign") and arguments[0].dtype.kind == "bool":
        return arguments[0]
    return function(name, *arguments)


def rounded(node: Expr, dtype: DType) -> Expr:
    """An explicit cast ``T(x)``: rounds to `dtype`, and computes on in its type."""
    if isinstance(node, Const):
        node = cast(node, dtype)
        return cast(node, compute_type(dtype))
    if is_weak(node) and node.dtype == dtype:
        return Cast(node, dtype)  # Makes it strong: the author asked for this type.
    return cast(cast(node, dtype), compute_type(dtype))
