"""Types of functions and of other operators, for `checker_dtypes`."""

from __future__ import annotations

from itertools import pairwise, product

from opslib.language import dtype_rules as rules
from opslib.language.checker_calls import callee, fits_primitive, is_fold, is_order
from opslib.language.checker_typing import (
    UNKNOWN,
    Types,
    Typing,
    classes_of,
    few,
    index,
    integer,
    one,
)
from opslib.language.dtype_rules import BOOL, FLOAT, INT, WEAK_INT, WORDS, Mixed, Value
from opslib.language.functions import DTYPES, PRIMITIVES
from opslib.language.syntax import (
    Along,
    Apply,
    AttributeType,
    Expression,
    Index,
    Name,
    Number,
    Operator,
    Pack,
    String,
    TensorType,
    TupleOf,
)
from opslib.language.tree import walk

_ROUNDING = frozenset({"floor", "ceil", "round", "trunc"})
_FLOATS = frozenset({"reciprocal", "fmax", "fmin", "copysign", "nextafter"})


def apply(typing: Typing, node: Apply) -> Types:
    """The types of a primitive, a cast or another operator."""
    name = node.function
    if name in DTYPES or name in typing.dtypes:
        value = typing.dtypes.get(name) or rules.of_dtype(name)
        inner = typing.types(node.arguments[0]) if node.arguments else one(INT)
        literal = node.arguments and isinstance(node.arguments[0], Number)
        wide = name in ("int64", "float64") and all(v.weak for v in inner)
        return one(Value(value.kind, bool(literal or wide), value.wide))
    if fits_primitive(node):
        return _primitive(typing, node)
    operator = callee(name, typing.context.operator, typing.context.known)
    if operator is None or operator is typing.context.operator:
        for argument in node.arguments:  # rank, prod, ravel: integers of packs
            if not isinstance(argument, Name):
                _visit(typing, argument)
        return one(WEAK_INT)
    return results(typing, node, operator)[0]


def _visit(typing: Typing, node: Expression) -> None:
    """Types the reads inside an argument that has no type of its own (a pack)."""
    for inner in walk(node):
        if isinstance(inner, Index):
            index(typing, inner)


def _primitive(typing: Typing, node: Apply) -> Types:
    name = node.function
    operands = [typing.types(argument) for argument in node.arguments]
    found: set[Value] = set()
    for values in product(*operands):
        try:
            common = rules.unified(*values)
        except Mixed as problem:
            pairs = zip(node.arguments, values, strict=True)
            labels = tuple((a.span, WORDS[v.kind]) for a, v in pairs)
            message = f"{problem.message}{typing.where(*values)}"
            typing.report(message, labels[0][0], labels, problem.help)
            return UNKNOWN
        result = _result(name, common)
        if result is None:
            wanted = "integers or bools" if name in ("xor", "bitxor") else "floats"
            message = f"'{name}' takes {wanted}, not {WORDS[common.kind]}"
            pairs = zip(node.arguments, values, strict=True)
            labels = tuple((a.span, WORDS[v.kind]) for a, v in pairs)
            cast = "int32(...)" if "bool" in wanted else "float32(...)"
            text = f"{message}{typing.where(*values)}"
            typing.report(text, labels[0][0], labels, f"cast first: {cast}")
            return UNKNOWN
        found.add(result)
    return few(found)


def _result(name: str, common: Value) -> Value | None:
    """The type of a primitive's value, or None where it does not take the operands."""
    if name == "philox":
        return Value("uint", False, False)
    category = PRIMITIVES[name].category
    if name in ("isnan", "isinf", "isfinite"):
        return Value("bool", common.weak)
    if name in ("xor", "bitxor"):
        return None if common.kind == "float" else common
    if name in _ROUNDING and common.is_integer:
        return common
    if name == "pow" or (category == "arithmetic" and name not in _FLOATS):
        if name in ("abs", "sign", "max", "min"):
            return common
        return Value("int", common.weak) if common.kind == "bool" else common
    if common.kind != "float" and not common.weak:
        return None
    return Value("bool" if name == "signbit" else "float", common.weak)


def along(typing: Typing, node: Along) -> Types:
    """The types of a fold, a scan, an order, or another operator along axes."""
    for binder in node.binders:
        for end in (binder.start, binder.stop, binder.bound):
            if end is not None:
                integer(typing, end)
    name, context = node.function, typing.context
    if is_fold(context, node) and node.arguments:
        return _fold(name, typing.types(node.arguments[0]))
    if is_order(context, node) and node.arguments:
        if name != "first":
            for position in node.arguments[1:2]:
                integer(typing, position)
        else:
            typing.types(node.arguments[1])
        types = typing.types(node.arguments[0])
        if name in ("cumsum", "cumprod"):
            return few({rules.summed(v) for v in types})
        if name == "argsort":
            return one(INT)
        return few({Value(v.kind, False, v.wide) for v in types})
    operator = callee(name, context.operator, context.known)
    if operator is None or operator is context.operator:
        return one(FLOAT)
    return results(typing, node, operator)[0]


def _fold(name: str, types: Types) -> Types:
    if name in ("any", "all"):
        return one(BOOL)
    if name in ("count", "argmax", "argmin"):
        return one(INT)
    if name in ("sum", "prod"):
        return few({rules.summed(v) for v in types})
    if name == "mean":
        return one(FLOAT)
    return few({Value(v.kind, False, v.wide) for v in types})


# --- other operators ---------------------------------------------------------------


def results(typing: Typing, node: Apply | Along, operator: Operator) -> list[Types]:
    """The types of an operator's results, called with these arguments."""
    slots = [p for p in operator.parameters if p.placement != "keyword"]
    given: dict[str, Expression] = {
        p.name: a for p, a in zip(slots, node.arguments, strict=False)
    }
    given |= dict(node.keywords)
    bound: dict[str, list[tuple[Expression, Value]]] = {}
    weak = True
    for p in operator.tensors:
        argument = given.get(p.name)
        if argument is None or isinstance(argument, Pack):
            continue
        assert isinstance(p.type, TensorType)
        types = typing.types(argument)
        if not types:
            return [UNKNOWN] * len(operator.results)
        for value in sorted(types, key=repr)[:1]:
            weak = weak and value.weak
            bound.setdefault(p.type.dtype.name, []).append((argument, value))
    for p in operator.attributes:
        if p.name in given and not isinstance(given[p.name], String | TupleOf):
            typing.types(given[p.name])
    inside: dict[str, Value] = {}
    for name, found in bound.items():
        if name not in DTYPES:
            inside[name] = _bound(typing, node, operator, name, found)
    for p in operator.attributes:
        kind = p.type
        if isinstance(kind, AttributeType) and kind.kind == "dtype":
            chosen = given.get(p.name, p.default)
            if isinstance(chosen, Name):
                default = Typing(
                    typing.context, {**typing.dtypes, **inside}, typing.rule
                )
                inside[p.name] = default.dtypes.get(chosen.name) or (
                    rules.of_dtype(chosen.name) if chosen.name in DTYPES else FLOAT
                )
    callee_typing = Typing(typing.context, inside, typing.rule)
    return [
        one(_as_weak(callee_typing.of(r.type.dtype), weak)) for r in operator.results
    ]


def _as_weak(value: Value, weak: bool) -> Value:
    return Value(value.kind, weak, value.wide)


def _bound(
    typing: Typing,
    node: Apply | Along,
    operator: Operator,
    name: str,
    found: list[tuple[Expression, Value]],
) -> Value:
    """The type of a dtype variable of a callee, from its arguments."""
    strong = [value for _, value in found if not value.weak]
    weak = [value for _, value in found if value.weak]
    if not strong:
        common = rules.unified(*weak)
        return Value(common.kind)
    common = strong[0]
    for (first, a), (second, b) in pairwise(found):
        if a.weak or b.weak:
            continue
        try:
            common = rules.promoted(common, b)
        except Mixed as problem:
            labels = ((first.span, WORDS[a.kind]), (second.span, WORDS[b.kind]))
            message = f"{problem.message}{typing.where(a, b)}"
            typing.report(message, first.span, labels, problem.help)
            return common
    if common.kind != "float" and any(value.kind == "float" for value in weak):
        argument = next(a for a, v in found if v.weak and v.kind == "float")
        message = f"a fraction is no {operator.name} of integers{typing.where(common)}"
        help = "cast the other argument: float32(...)"
        typing.report(message, argument.span, (), help)
    classes = classes_of(operator, name)
    if not rules.is_member(common, classes):
        argument = next(a for a, v in found if not v.weak)
        takes = " or ".join(classes)
        message = f"'{operator.name}' takes {takes}, and this is {WORDS[common.kind]}"
        cast = "float32(...)" if "float" in takes else "int64(...)"
        text = f"{message}{typing.where(common)}"
        typing.report(text, argument.span, (), f"cast first: {cast}")
    return common
