"""Do the types of a body go together, for every dtype its classes allow?

Each definition is typed once for every kind (bool, int, uint, float) that each dtype
variable may be: there are at most four, so that a spec is proven for all its dtypes
and not for those that somebody calls it with. An expression may have several types,
because a condition on an attribute chooses between branches; each must fit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise, product

from opslib.language import dtype_rules as rules
from opslib.language.checker_calls import callee, fits_primitive, is_fold, is_order
from opslib.language.checker_scope import Context
from opslib.language.dtype_rules import (
    BOOL,
    FLOAT,
    INT,
    WEAK_BOOL,
    WEAK_FLOAT,
    WEAK_INT,
    WORDS,
    Mixed,
    Value,
)
from opslib.language.functions import DTYPES, PRIMITIVES
from opslib.language.syntax import (
    Along,
    Apply,
    AttributeType,
    Binary,
    Boolean,
    Composite,
    Conditional,
    Definition,
    DTypeExpression,
    Expression,
    Index,
    IsClass,
    IsNone,
    Name,
    Number,
    Operator,
    Otherwise,
    Pack,
    Result,
    Span,
    String,
    TensorType,
    TupleOf,
    Unary,
)
from opslib.language.tree import walk

Types = frozenset[Value]

# Of an expression that was reported: nothing more is said about what contains it.
_UNKNOWN: Types = frozenset()

# More types than this of one expression are cut: they come from nested conditions
# on attributes, and each kind is then there several times.
_MOST = 8
# Instantiations of the dtype variables; beyond, the first ones are looked at.
_INSTANCES = 64

_ROUNDING = frozenset({"floor", "ceil", "round", "trunc"})
_FLOATS = frozenset({"reciprocal", "fmax", "fmin", "copysign", "nextafter"})
_COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})


@dataclass(slots=True)
class _Typing:
    """One instantiation: what each dtype variable and each local is."""

    context: Context
    dtypes: dict[str, Value]
    locals: dict[str, Types] = field(default_factory=dict)
    reported: set[Span] = field(default_factory=set)

    def where(self, *values: Value) -> str:
        """The variables that are of the kinds in question, in words for messages."""
        kinds = {value.kind for value in values}
        named = [
            f"{name} is {WORDS[value.kind]}"
            for name, value in self.dtypes.items()
            if value.kind in kinds and len(rules.members(self.classes(name))) > 1
        ]
        return f" where {' and '.join(named)}" if named else ""

    def classes(self, name: str) -> tuple[str, ...]:
        """What a dtype variable may be."""
        return _classes(self.context.operator, name)


def check_dtypes(context: Context) -> None:
    """Report every mix of types, in any instantiation, once for each place."""
    operator = context.operator
    variables = list(context.signature.dtypes)
    choices = [rules.members(_classes(operator, v)) for v in variables]
    reported: set[Span] = set()
    for number, chosen in enumerate(product(*choices)):
        if number >= _INSTANCES:
            break
        dtypes = dict(zip(variables, chosen, strict=True))
        typing = _Typing(context, dtypes, reported=reported)
        for definition in operator.definitions:
            _definition(typing, definition)
        for require in operator.clauses.requires:
            if not _is_static(require.condition):
                _types(typing, require.condition)


def _is_static(node: Expression) -> bool:
    """Whether a condition speaks of packs or extents, which binding evaluates."""
    return not any(isinstance(n, Index) for n in walk(node))


def _classes(operator: Operator, variable: str) -> tuple[str, ...]:
    for clause in operator.classes:
        if clause.name == variable:
            return clause.classes
    for p in operator.attributes:
        if p.name == variable and isinstance(p.type, AttributeType):
            return ("sint", "float") if p.type.kind == "number" else ("any",)
    return ("number",)


def _definition(typing: _Typing, definition: Definition) -> None:
    for target in definition.targets:
        for item in target.items:
            _items(typing, item)
    results = {r.name: r for r in typing.context.operator.results}
    reads = {n.base for n in walk(definition.value) if isinstance(n, Index)}
    reads |= {n.name for n in walk(definition.value) if isinstance(n, Name)}
    for target in definition.targets:
        name = target.name
        declared = results.get(name)
        if declared is not None and (name in reads or definition.combine):
            typing.locals.setdefault(
                name, frozenset({_of(typing, declared.type.dtype)})
            )
        elif name in reads:
            typing.locals.setdefault(name, frozenset({_own_type(typing)}))
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
            types = frozenset({_of(typing, declared.type.dtype)})
        elif declared is None and target.items:
            types = frozenset(_strong(typing, value) for value in types)
        typing.locals[target.name] = types


def _fits_result(
    typing: _Typing, definition: Definition, result: Result, types: Types
) -> None:
    """Report a value that its result would cut: a fraction, or a number as a bool."""
    wanted = _of(typing, result.type.dtype)
    for value in types:
        loses = value.kind == "float" and wanted.kind != "float"
        if loses or (wanted.kind == "bool" and value.kind != "bool"):
            message = f"'{result.name}' is {WORDS[wanted.kind]}, and this is "
            message += f"{WORDS[value.kind]}{typing.where(value, wanted)}"
            labels = ((result.span, "declared here"),)
            help = "compare it: ... != 0"
            if wanted.kind != "bool":
                help = f"cast it: {result.type.dtype.name}(...)"
            _report(typing, message, definition.value.span, labels, help)
            return


def _stored(typing: _Typing, definition: Definition, stored: Types) -> None:
    if any(value.kind != "float" for value in stored):
        name = definition.targets[0].name
        message = f"a fraction cannot be combined into '{name}'{typing.where(*stored)}"
        help = "cast it, or restrict the class: where T: float"
        _report(typing, message, definition.value.span, (), help)


def _strong(typing: _Typing, value: Value) -> Value:
    """A stored value takes a type of its own: fractions that of the operator."""
    return Value(value.kind, False, value.wide)


def _several(typing: _Typing, definition: Definition) -> list[Types]:
    value = definition.value
    count = len(definition.targets)
    if isinstance(value, TupleOf):
        return [_types(typing, item) for item in value.items]
    found = _types(typing, value)
    if count > 1 and isinstance(value, Along):
        if is_order(typing.context, value):
            return [found, frozenset({INT})]
        if value.function in ("argmax", "argmin"):
            return [found] * count
    if count > 1 and isinstance(value, Along | Apply):
        operator = callee(value.function, typing.context.operator, typing.context.known)
        if operator is not None:
            return _results(typing, value, operator)
    return [found] * count


# --- expressions -------------------------------------------------------------------


def _types(typing: _Typing, node: Expression) -> Types:
    """What types the value of `node` may have; reports those that cannot be."""
    match node:
        case Number():
            return _one(WEAK_FLOAT if isinstance(node.value, float) else WEAK_INT)
        case Boolean():
            return _one(WEAK_BOOL)
        case String() | IsNone():
            return _one(WEAK_BOOL)
        case IsClass():
            return _one(WEAK_BOOL)
        case Name():
            return _name(typing, node.name)
        case Composite():
            return _one(WEAK_INT)
        case Unary():
            return _unary(typing, node)
        case Binary():
            return _binary(typing, node)
        case Conditional():
            return _conditional(typing, node)
        case Otherwise():
            return _otherwise(typing, node)
        case Index():
            return _index(typing, node)
        case Apply():
            return _apply(typing, node)
        case Along():
            return _along(typing, node)
    return _one(WEAK_INT)


def _one(value: Value) -> Types:
    return frozenset({value})


def _name(typing: _Typing, name: str) -> Types:
    signature = typing.context.signature
    if name in typing.locals:
        return typing.locals[name]
    if name in signature.tensors:
        kind = signature.tensors[name].type
        assert isinstance(kind, TensorType)
        return _one(_of(typing, kind.dtype))
    if name in signature.attributes:
        attribute = signature.attributes[name].type
        assert isinstance(attribute, AttributeType)
        if attribute.kind == "number":
            return _one(Value(typing.dtypes[name].kind, True))
        return _one(_of_attribute(attribute))
    if name in signature.results:
        return _one(_of(typing, signature.results[name].type.dtype))
    if name in typing.context.declared:
        # Read by a recurrence above its definition: kept in the operator's type.
        return _one(_own_type(typing))
    return _one(WEAK_FLOAT if name == "pi" else WEAK_INT)


def _own_type(typing: _Typing) -> Value:
    """The type of a local that is not seen from its right side."""
    return next(iter(typing.dtypes.values()), FLOAT)


def _of_attribute(kind: AttributeType) -> Value:
    return {"float": WEAK_FLOAT, "bool": WEAK_BOOL, "string": WEAK_BOOL}.get(
        kind.kind, WEAK_INT
    )


def _of(typing: _Typing, node: DTypeExpression) -> Value:
    """The type that an expression of dtypes stands for here."""
    if node.arguments:
        inner = [_of(typing, argument) for argument in node.arguments]
        if node.name == "sum_of":
            return rules.summed(inner[0])
        if node.name == "result":
            try:
                return Value(rules.unified(*inner).kind)
            except Mixed:
                return inner[0]
        return FLOAT if node.name == "float_of" else inner[0]
    found = typing.dtypes.get(node.name)
    if found is not None:
        return found
    return rules.of_dtype(node.name) if node.name in DTYPES else FLOAT


def _unary(typing: _Typing, node: Unary) -> Types:
    operand = _types(typing, node.operand)
    if node.operator == "not":
        return frozenset(Value("bool", v.weak) for v in operand)
    if node.operator == "~":
        for value in operand:
            if value.kind == "float":
                message = (
                    f"'~' takes integers or bools, not a float{typing.where(value)}"
                )
                help = "cast first: int32(...)"
                _report(typing, message, node.operand.span, (), help)
                return _UNKNOWN
        return operand
    return frozenset(Value("int", v.weak) if v.kind == "bool" else v for v in operand)


def _binary(typing: _Typing, node: Binary) -> Types:
    op = node.operator
    if op in ("==", "!=") and _is_static_equality(typing, node):
        return _one(WEAK_BOOL)
    left, right = _types(typing, node.left), _types(typing, node.right)
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
            _report(typing, message, node.left.span, labels, problem.help)
            return _UNKNOWN
        result = _operation(typing, node, op, a, b, common)
        if result is None:
            return _UNKNOWN
        found.add(result)
    return _few(found)


def _operation(
    typing: _Typing, node: Binary, op: str, a: Value, b: Value, common: Value
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
    typing: _Typing, node: Binary, message: str, a: Value, b: Value, cast: str
) -> None:
    labels = ((node.left.span, WORDS[a.kind]), (node.right.span, WORDS[b.kind]))
    text = f"{message}{typing.where(a, b)}"
    _report(typing, text, node.left.span, labels, f"cast first: {cast}")


def _is_static_equality(typing: _Typing, node: Binary) -> bool:
    """Of strings, dtypes and none: compared before anything is typed."""
    for side in (node.left, node.right):
        if isinstance(side, String):
            return True
        if isinstance(side, Name) and (
            side.name in typing.dtypes or side.name in DTYPES
        ):
            return True
    return False


def _truth(typing: _Typing, node: Expression) -> bool | None:
    """What a condition is in this instantiation, where its dtypes decide it."""
    match node:
        case Boolean():
            return node.value
        case IsClass():
            value = _of(typing, node.dtype)
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


def _chooses(typing: _Typing, node: Expression) -> bool:
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


def _conditional(typing: _Typing, node: Conditional) -> Types:
    decided = _truth(typing, node.condition)
    if decided is not None:
        return _types(typing, node.value if decided else node.other)
    _types(typing, node.condition)
    yes, no = _types(typing, node.value), _types(typing, node.other)
    if _chooses(typing, node.condition):
        return _few(yes | no)
    return _together(typing, node.value, yes, node.other, no)


def _together(
    typing: _Typing, first: Expression, yes: Types, second: Expression, no: Types
) -> Types:
    """The types of a value that is one or the other, at run time."""
    found: set[Value] = set()
    for a, b in product(yes, no):
        try:
            found.add(rules.unified(a, b))
        except Mixed as problem:
            labels = ((first.span, WORDS[a.kind]), (second.span, WORDS[b.kind]))
            message = f"{problem.message}{typing.where(a, b)}"
            _report(typing, message, first.span, labels, problem.help)
            return _UNKNOWN
    return _few(found)


def _otherwise(typing: _Typing, node: Otherwise) -> Types:
    read, other = _types(typing, node.read), _types(typing, node.value)
    signature = typing.context.signature
    name = node.read.name if isinstance(node.read, Name) else ""
    if name in signature.attributes:
        return _few(read | other)
    if name or not isinstance(node.read, Index):
        return _few(read | other)
    found = _together(typing, node.read, read, node.value, other)
    declared = signature.tensors.get(node.read.base)
    if declared is not None and declared.optional:
        return _few(found | other)
    return found


def _index(typing: _Typing, node: Index) -> Types:
    for item in node.items:
        _items(typing, item)
    if node.which is not None:
        _integer(typing, node.which)
    return _name(typing, node.base)


def _items(typing: _Typing, item: Expression) -> None:
    if isinstance(item, Pack):
        if item.value is not None:
            for inner in walk(item.value):
                if isinstance(inner, Index):
                    _index(typing, inner)
        return
    for part in item.parts if isinstance(item, Composite) else (item,):
        _integer(typing, part)


def _integer(typing: _Typing, node: Expression) -> None:
    for value in _types(typing, node):
        if not value.is_integer:
            message = f"an index is an integer, not {WORDS[value.kind]}"
            help = "cast it: int64(...)"
            if value.kind == "float":
                help = "cast it: int64(floor(...)), or divide by '//'"
            _report(typing, f"{message}{typing.where(value)}", node.span, (), help)


# --- functions ---------------------------------------------------------------------


def _apply(typing: _Typing, node: Apply) -> Types:
    name = node.function
    if name in DTYPES or name in typing.dtypes:
        value = typing.dtypes.get(name) or rules.of_dtype(name)
        inner = _types(typing, node.arguments[0]) if node.arguments else _one(INT)
        literal = node.arguments and isinstance(node.arguments[0], Number)
        wide = name in ("int64", "float64") and all(v.weak for v in inner)
        return _one(Value(value.kind, bool(literal or wide), value.wide))
    if fits_primitive(node):
        return _primitive(typing, node)
    operator = callee(name, typing.context.operator, typing.context.known)
    if operator is None or operator is typing.context.operator:
        for argument in node.arguments:  # rank, prod, ravel: integers of packs
            if not isinstance(argument, Name):
                _visit(typing, argument)
        return _one(WEAK_INT)
    return _results(typing, node, operator)[0]


def _visit(typing: _Typing, node: Expression) -> None:
    """Types the reads inside an argument that has no type of its own (a pack)."""
    for inner in walk(node):
        if isinstance(inner, Index):
            _index(typing, inner)


def _primitive(typing: _Typing, node: Apply) -> Types:
    name = node.function
    operands = [_types(typing, argument) for argument in node.arguments]
    found: set[Value] = set()
    for values in product(*operands):
        try:
            common = rules.unified(*values)
        except Mixed as problem:
            pairs = zip(node.arguments, values, strict=True)
            labels = tuple((a.span, WORDS[v.kind]) for a, v in pairs)
            message = f"{problem.message}{typing.where(*values)}"
            _report(typing, message, labels[0][0], labels, problem.help)
            return _UNKNOWN
        result = _result(name, common)
        if result is None:
            wanted = "integers or bools" if name in ("xor", "bitxor") else "floats"
            message = f"'{name}' takes {wanted}, not {WORDS[common.kind]}"
            pairs = zip(node.arguments, values, strict=True)
            labels = tuple((a.span, WORDS[v.kind]) for a, v in pairs)
            cast = "int32(...)" if "bool" in wanted else "float32(...)"
            text = f"{message}{typing.where(*values)}"
            _report(typing, text, labels[0][0], labels, f"cast first: {cast}")
            return _UNKNOWN
        found.add(result)
    return _few(found)


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


def _along(typing: _Typing, node: Along) -> Types:
    for binder in node.binders:
        for end in (binder.start, binder.stop, binder.bound):
            if end is not None:
                _integer(typing, end)
    name, context = node.function, typing.context
    if is_fold(context, node) and node.arguments:
        return _fold(name, _types(typing, node.arguments[0]))
    if is_order(context, node) and node.arguments:
        if name != "first":
            for position in node.arguments[1:2]:
                _integer(typing, position)
        else:
            _types(typing, node.arguments[1])
        types = _types(typing, node.arguments[0])
        if name in ("cumsum", "cumprod"):
            return _few({rules.summed(v) for v in types})
        if name == "argsort":
            return _one(INT)
        return _few({Value(v.kind, False, v.wide) for v in types})
    operator = callee(name, context.operator, context.known)
    if operator is None or operator is context.operator:
        return _one(FLOAT)
    return _results(typing, node, operator)[0]


def _fold(name: str, types: Types) -> Types:
    if name in ("any", "all"):
        return _one(BOOL)
    if name in ("count", "argmax", "argmin"):
        return _one(INT)
    if name in ("sum", "prod"):
        return _few({rules.summed(v) for v in types})
    if name == "mean":
        return _one(FLOAT)
    return _few({Value(v.kind, False, v.wide) for v in types})


# --- other operators ---------------------------------------------------------------


def _results(typing: _Typing, node: Apply | Along, operator: Operator) -> list[Types]:
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
        types = _types(typing, argument)
        if not types:
            return [_UNKNOWN] * len(operator.results)
        for value in sorted(types, key=repr)[:1]:
            weak = weak and value.weak
            bound.setdefault(p.type.dtype.name, []).append((argument, value))
    for p in operator.attributes:
        if p.name in given and not isinstance(given[p.name], String | TupleOf):
            _types(typing, given[p.name])
    inside: dict[str, Value] = {}
    for name, found in bound.items():
        if name not in DTYPES:
            inside[name] = _bound(typing, node, operator, name, found)
    for p in operator.attributes:
        kind = p.type
        if isinstance(kind, AttributeType) and kind.kind == "dtype":
            chosen = given.get(p.name, p.default)
            if isinstance(chosen, Name):
                default = _Typing(typing.context, {**typing.dtypes, **inside})
                inside[p.name] = default.dtypes.get(chosen.name) or (
                    rules.of_dtype(chosen.name) if chosen.name in DTYPES else FLOAT
                )
    callee_typing = _Typing(typing.context, inside)
    return [
        _one(_as_weak(_of(callee_typing, r.type.dtype), weak)) for r in operator.results
    ]


def _as_weak(value: Value, weak: bool) -> Value:
    return Value(value.kind, weak, value.wide)


def _bound(
    typing: _Typing,
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
            _report(typing, message, first.span, labels, problem.help)
            return common
    if common.kind != "float" and any(value.kind == "float" for value in weak):
        argument = next(a for a, v in found if v.weak and v.kind == "float")
        message = f"a fraction is no {operator.name} of integers{typing.where(common)}"
        help = "cast the other argument: float32(...)"
        _report(typing, message, argument.span, (), help)
    classes = _classes(operator, name)
    if not rules.is_member(common, classes):
        argument = next(a for a, v in found if not v.weak)
        takes = " or ".join(classes)
        message = f"'{operator.name}' takes {takes}, and this is {WORDS[common.kind]}"
        cast = "float32(...)" if "float" in takes else "int64(...)"
        text = f"{message}{typing.where(common)}"
        _report(typing, text, argument.span, (), f"cast first: {cast}")
    return common


# --- small things ------------------------------------------------------------------


def _few(values: Iterable[Value]) -> Types:
    return frozenset(sorted(values, key=repr)[:_MOST])


def _restriction(typing: _Typing) -> str:
    """What to add to a help text where the class of a variable was not given."""
    operator = typing.context.operator
    given = {clause.name for clause in operator.classes}
    open_ones = [
        name
        for name, value in typing.dtypes.items()
        if name not in given and value.is_integer
    ]
    return f", or say what it is for: where {open_ones[0]}: float" if open_ones else ""


def _report(
    typing: _Typing,
    message: str,
    span: Span,
    labels: tuple[tuple[Span, str], ...],
    help: str,
) -> None:
    if span not in typing.reported:
        typing.reported.add(span)
        if "float32" in help and "a bool" not in message:
            help += _restriction(typing)
        typing.context.error("E0413", message, span, help, labels)
