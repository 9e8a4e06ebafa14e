"""Do the types of a body go together, for every dtype its classes allow?

Each definition is typed once for every kind (bool, int, uint, float) that each dtype
variable may be: there are at most four, so that a spec is proven for all its dtypes
and not for those that somebody calls it with. An expression may have several types,
because a condition on an attribute chooses between branches; each must fit.
"""

from __future__ import annotations

from itertools import product

from opslib.language import dtype_rules as rules
from opslib.language.checker_calls import callee, is_order
from opslib.language.checker_dtypes_calls import along, apply, results
from opslib.language.checker_scope import Context
from opslib.language.checker_typing import (
    UNKNOWN,
    Types,
    Typing,
    classes_of,
    few,
    index,
    items,
    one,
)
from opslib.language.dtype_rules import (
    FLOAT,
    INT,
    WEAK_BOOL,
    WEAK_FLOAT,
    WEAK_INT,
    WORDS,
    Mixed,
    Value,
)
from opslib.language.functions import DTYPES
from opslib.language.syntax import (
    Along,
    Apply,
    AttributeType,
    Binary,
    Boolean,
    Composite,
    Conditional,
    Definition,
    Expression,
    Index,
    IsClass,
    IsNone,
    Name,
    Number,
    Otherwise,
    Result,
    Span,
    String,
    TupleOf,
    Unary,
)
from opslib.language.tree import walk

# Instantiations of the dtype variables; beyond, the first ones are looked at.
_INSTANCES = 64

_COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})


def check_dtypes(context: Context) -> None:
    """Report every mix of types, in any instantiation, once for each place."""
    operator = context.operator
    variables = list(context.signature.dtypes)
    choices = [rules.members(classes_of(operator, v)) for v in variables]
    reported: set[Span] = set()
    for number, chosen in enumerate(product(*choices)):
        if number >= _INSTANCES:
            break
        dtypes = dict(zip(variables, chosen, strict=True))
        typing = Typing(context, dtypes, _types, reported=reported)
        for definition in operator.definitions:
            _definition(typing, definition)
        for require in operator.clauses.requires:
            if not _is_static(require.condition):
                typing.types(require.condition)


def _is_static(node: Expression) -> bool:
    """Whether a condition speaks of packs or extents, which binding evaluates."""
    return not any(isinstance(n, Index) for n in walk(node))


def _definition(typing: Typing, definition: Definition) -> None:
    for target in definition.targets:
        for item in target.items:
            items(typing, item)
    results = {r.name: r for r in typing.context.operator.results}
    reads = {n.base for n in walk(definition.value) if isinstance(n, Index)}
    reads |= {n.name for n in walk(definition.value) if isinstance(n, Name)}
    for target in definition.targets:
        name = target.name
        declared = results.get(name)
        if declared is not None and (name in reads or definition.combine):
            typing.locals.setdefault(name, frozenset({typing.of(declared.type.dtype)}))
        elif name in reads:
            typing.locals.setdefault(name, frozenset({typing.own_type()}))
    found = _several(typing, definition)
    for target, types in zip(definition.targets, found, strict=False):
        if definition.combine is not None:
            stored = typing.locals.get(target.name, frozenset({FLOAT}))
            for value in types:
                if value.weak and value.kind == "float":
                    _stored(typing, definition, stored)
            continue
        declared = results.get(target.name)
        if declared is not None:
            _fits_result(typing, definition, declared, types)
        if declared is not None and types and all(v.weak for v in types):
            types = frozenset({typing.of(declared.type.dtype)})
        elif declared is None and target.items:
            types = frozenset(_strong(typing, value) for value in types)
        typing.locals[target.name] = types


def _fits_result(
    typing: Typing, definition: Definition, result: Result, types: Types
) -> None:
    """Report a value that its result would cut: a fraction, or a number as a bool."""
    wanted = typing.of(result.type.dtype)
    for value in types:
        loses = value.kind == "float" and wanted.kind != "float"
        if loses or (wanted.kind == "bool" and value.kind != "bool"):
            message = f"'{result.name}' is {WORDS[wanted.kind]}, and this is "
            message += f"{WORDS[value.kind]}{typing.where(value, wanted)}"
            labels = ((result.span, "declared here"),)
            help = "compare it: ... != 0"
            if wanted.kind != "bool":
                help = f"cast it: {result.type.dtype.name}(...)"
            typing.report(message, definition.value.span, labels, help)
            return


def _stored(typing: Typing, definition: Definition, stored: Types) -> None:
    if any(value.kind != "float" for value in stored):
        name = definition.targets[0].name
        message = f"a fraction cannot be combined into '{name}'{typing.where(*stored)}"
        help = "cast it, or restrict the class: where T: float"
        typing.report(message, definition.value.span, (), help)


def _strong(typing: Typing, value: Value) -> Value:
    """A stored value takes a type of its own: fractions that of the operator."""
    return Value(value.kind, False, value.wide)


def _several(typing: Typing, definition: Definition) -> list[Types]:
    value = definition.value
    count = len(definition.targets)
    if isinstance(value, TupleOf):
        return [typing.types(item) for item in value.items]
    found = typing.types(value)
    if count > 1 and isinstance(value, Along):
        if is_order(typing.context, value):
            return [found, frozenset({INT})]
        if value.function in ("argmax", "argmin"):
            return [found] * count
    if count > 1 and isinstance(value, Along | Apply):
        operator = callee(value.function, typing.context.operator, typing.context.known)
        if operator is not None:
            return results(typing, value, operator)
    return [found] * count


# --- expressions -------------------------------------------------------------------


def _types(typing: Typing, node: Expression) -> Types:
    """What types the value of `node` may have; reports those that cannot be."""
    match node:
        case Number():
            return one(WEAK_FLOAT if isinstance(node.value, float) else WEAK_INT)
        case Boolean():
            return one(WEAK_BOOL)
        case String() | IsNone():
            return one(WEAK_BOOL)
        case IsClass():
            return one(WEAK_BOOL)
        case Name():
            return typing.name(node.name)
        case Composite():
            return one(WEAK_INT)
        case Unary():
            return _unary(typing, node)
        case Binary():
            return _binary(typing, node)
        case Conditional():
            return _conditional(typing, node)
        case Otherwise():
            return _otherwise(typing, node)
        case Index():
            return index(typing, node)
        case Apply():
            return apply(typing, node)
        case Along():
            return along(typing, node)
    return one(WEAK_INT)


def _unary(typing: Typing, node: Unary) -> Types:
    operand = typing.types(node.operand)
    if node.operator == "not":
        return frozenset(Value("bool", v.weak) for v in operand)
    if node.operator == "~":
        for value in operand:
            if value.kind == "float":
                message = (
                    f"'~' takes integers or bools, not a float{typing.where(value)}"
                )
                help = "cast first: int32(...)"
                typing.report(message, node.operand.span, (), help)
                return UNKNOWN
        return operand
    return frozenset(Value("int", v.weak) if v.kind == "bool" else v for v in operand)


def _binary(typing: Typing, node: Binary) -> Types:
    op = node.operator
    if op in ("==", "!=") and _is_static_equality(typing, node):
        return one(WEAK_BOOL)
    left, right = typing.types(node.left), typing.types(node.right)
    if op in ("and", "or"):
        return frozenset(
            Value("bool", a.weak and b.weak) for a, b in product(left, right)
        )
    found: set[Value] = set()
    for a, b in product(left, right):
        try:
            common = rules.unified(a, b)
        except Mixed as problem:
            labels = (
                (node.left.span, WORDS[a.kind]),
                (node.right.span, WORDS[b.kind]),
            )
            message = f"{problem.message}{typing.where(a, b)}"
            typing.report(message, node.left.span, labels, problem.help)
            return UNKNOWN
        result = _operation(typing, node, op, a, b, common)
        if result is None:
            return UNKNOWN
        found.add(result)
    return few(found)


def _operation(
    typing: Typing, node: Binary, op: str, a: Value, b: Value, common: Value
) -> Value | None:
    if op in _COMPARISONS:
        return Value("bool", a.weak and b.weak)
    if op in ("<<", ">>", "&", "|"):
        if common.kind == "bool" and op in "&|":
            return common
        if not common.is_integer:
            words = "integers" if op in ("<<", ">>") else "integers or bools"
            _operands(typing, node, f"'{op}' takes {words}", a, b, "int32(...)")
            return None
        return common
    if op == "/" and common.kind != "float" and not common.weak:
        message = "'/' of integers: they have no true division"
        _operands(typing, node, message, a, b, "float32(x) / y, or write '//'")
        return None
    if op == "/":
        return Value("float", common.weak)
    if common.kind == "bool":
        return Value("int", common.weak)
    return common


def _operands(
    typing: Typing, node: Binary, message: str, a: Value, b: Value, cast: str
) -> None:
    labels = ((node.left.span, WORDS[a.kind]), (node.right.span, WORDS[b.kind]))
    text = f"{message}{typing.where(a, b)}"
    typing.report(text, node.left.span, labels, f"cast first: {cast}")


def _is_static_equality(typing: Typing, node: Binary) -> bool:
    """Of strings, dtypes and none: compared before anything is typed."""
    for side in (node.left, node.right):
        if isinstance(side, String):
            return True
        if isinstance(side, Name) and (
            side.name in typing.dtypes or side.name in DTYPES
        ):
            return True
    return False


def _truth(typing: Typing, node: Expression) -> bool | None:
    """What a condition is in this instantiation, where its dtypes decide it."""
    match node:
        case Boolean():
            return node.value
        case IsClass():
            value = typing.of(node.dtype)
            inside = rules.is_member(value, node.classes)
            single = value.kind == "bool" or not all(c in DTYPES for c in node.classes)
            if inside and not single:
                return None  # ``T is bfloat16``: of this kind, perhaps.
            return inside != node.negated
        case Unary(operator="not"):
            inner = _truth(typing, node.operand)
            return None if inner is None else not inner
        case Binary(operator="and" | "or"):
            decisive = node.operator == "or"
            sides = (_truth(typing, node.left), _truth(typing, node.right))
            if decisive in sides:
                return decisive
            return None if None in sides else not decisive
    return None


def _chooses(typing: Typing, node: Expression) -> bool:
    """Whether a condition is decided before types are: only one branch exists."""
    match node:
        case IsNone() | IsClass() | Boolean():
            return True
        case Name():
            attribute = typing.context.signature.attributes.get(node.name)
            kind = attribute.type if attribute is not None else None
            return isinstance(kind, AttributeType) and kind.kind == "bool"
        case Unary(operator="not"):
            return _chooses(typing, node.operand)
        case Binary(operator="and" | "or"):
            return _chooses(typing, node.left) or _chooses(typing, node.right)
        case Binary(operator="==" | "!="):
            return _is_static_equality(typing, node)
    return False


def _conditional(typing: Typing, node: Conditional) -> Types:
    decided = _truth(typing, node.condition)
    if decided is not None:
        return typing.types(node.value if decided else node.other)
    typing.types(node.condition)
    yes, no = typing.types(node.value), typing.types(node.other)
    if _chooses(typing, node.condition):
        return few(yes | no)
    return _together(typing, node.value, yes, node.other, no)


def _together(
    typing: Typing, first: Expression, yes: Types, second: Expression, no: Types
) -> Types:
    """The types of a value that is one or the other, at run time."""
    found: set[Value] = set()
    for a, b in product(yes, no):
        try:
            found.add(rules.unified(a, b))
        except Mixed as problem:
            labels = ((first.span, WORDS[a.kind]), (second.span, WORDS[b.kind]))
            message = f"{problem.message}{typing.where(a, b)}"
            typing.report(message, first.span, labels, problem.help)
            return UNKNOWN
    return few(found)


def _otherwise(typing: Typing, node: Otherwise) -> Types:
    read, other = typing.types(node.read), typing.types(node.value)
    signature = typing.context.signature
    name = node.read.name if isinstance(node.read, Name) else ""
    if name in signature.attributes:
        return few(read | other)
    if name or not isinstance(node.read, Index):
        return few(read | other)
    found = _together(typing, node.read, read, node.value, other)
    declared = signature.tensors.get(node.read.base)
    if declared is not None and declared.optional:
        return few(found | other)
    return found
