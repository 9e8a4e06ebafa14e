"""One instantiation of a body's dtypes: what is known while its types are checked.

`checker_dtypes` types definitions and expressions, `checker_dtypes_calls` functions and
other operators; both speak through a `Typing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from opslib.language import dtype_rules as rules
from opslib.language.checker_scope import Context
from opslib.language.dtype_rules import (
    FLOAT,
    WEAK_BOOL,
    WEAK_FLOAT,
    WEAK_INT,
    WORDS,
    Mixed,
    Value,
)
from opslib.language.functions import DTYPES
from opslib.language.syntax import (
    AttributeType,
    Composite,
    DTypeExpression,
    Expression,
    Index,
    Operator,
    Pack,
    Span,
    TensorType,
)
from opslib.language.tree import walk

Types = frozenset[Value]

# Of an expression that was reported: nothing more is said about what contains it.
UNKNOWN: Types = frozenset()

# More types than this of one expression are cut: they come from nested conditions
# on attributes, and each kind is then there several times.
_MOST = 8


@dataclass(slots=True)
class Typing:
    """One instantiation: what each dtype variable and each local is.

    Attributes:
        rule: types an expression; `types` calls it.
    """

    context: Context
    dtypes: dict[str, Value]
    rule: Callable[[Typing, Expression], Types]
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
        return classes_of(self.context.operator, name)

    def types(self, node: Expression) -> Types:
        """What types the value of `node` may have; reports those that cannot be."""
        return self.rule(self, node)

    def name(self, name: str) -> Types:
        """The types of a tensor, an attribute, a local or a constant."""
        signature = self.context.signature
        if name in self.locals:
            return self.locals[name]
        if name in signature.tensors:
            kind = signature.tensors[name].type
            assert isinstance(kind, TensorType)
            return one(self.of(kind.dtype))
        if name in signature.attributes:
            attribute = signature.attributes[name].type
            assert isinstance(attribute, AttributeType)
            if attribute.kind == "number":
                return one(Value(self.dtypes[name].kind, True))
            return one(_of_attribute(attribute))
        if name in signature.results:
            return one(self.of(signature.results[name].type.dtype))
        if name in self.context.declared:
            # Read by a recurrence above its definition: kept in the operator's type.
            return one(self.own_type())
        return one(WEAK_FLOAT if name == "pi" else WEAK_INT)

    def own_type(self) -> Value:
        """The type of a local that is not seen from its right side."""
        return next(iter(self.dtypes.values()), FLOAT)

    def of(self, node: DTypeExpression) -> Value:
        """The type that an expression of dtypes stands for here."""
        if node.arguments:
            inner = [self.of(argument) for argument in node.arguments]
            if node.name == "sum_of":
                return rules.summed(inner[0])
            if node.name == "result":
                try:
                    return Value(rules.unified(*inner).kind)
                except Mixed:
                    return inner[0]
            return FLOAT if node.name == "float_of" else inner[0]
        found = self.dtypes.get(node.name)
        if found is not None:
            return found
        return rules.of_dtype(node.name) if node.name in DTYPES else FLOAT

    def report(
        self,
        message: str,
        span: Span,
        labels: tuple[tuple[Span, str], ...],
        help: str,
    ) -> None:
        """Says that types do not fit, once for each place."""
        if span not in self.reported:
            self.reported.add(span)
            if "float32" in help and "a bool" not in message:
                help += self._restriction()
            self.context.error("E0413", message, span, help, labels)

    def _restriction(self) -> str:
        """What to add to a help text where the class of a variable was not given."""
        operator = self.context.operator
        given = {clause.name for clause in operator.classes}
        open_ones = [
            name
            for name, value in self.dtypes.items()
            if name not in given and value.is_integer
        ]
        return (
            f", or say what it is for: where {open_ones[0]}: float" if open_ones else ""
        )


def classes_of(operator: Operator, variable: str) -> tuple[str, ...]:
    """The classes of dtypes that a variable of an operator may be."""
    for clause in operator.classes:
        if clause.name == variable:
            return clause.classes
    for p in operator.attributes:
        if p.name == variable and isinstance(p.type, AttributeType):
            return ("sint", "float") if p.type.kind == "number" else ("any",)
    return ("number",)


def _of_attribute(kind: AttributeType) -> Value:
    return {"float": WEAK_FLOAT, "bool": WEAK_BOOL, "string": WEAK_BOOL}.get(
        kind.kind, WEAK_INT
    )


def one(value: Value) -> Types:
    """The types of an expression that has one only."""
    return frozenset({value})


def few(values: Iterable[Value]) -> Types:
    """The types of an expression that may have several, cut to a few."""
    return frozenset(sorted(values, key=repr)[:_MOST])


def index(typing: Typing, node: Index) -> Types:
    """The types of an element; reports indices that are no integers."""
    for item in node.items:
        items(typing, item)
    if node.which is not None:
        integer(typing, node.which)
    return typing.name(node.base)


def items(typing: Typing, item: Expression) -> None:
    """Checks what stands between brackets."""
    if isinstance(item, Pack):
        if item.value is not None:
            for inner in walk(item.value):
                if isinstance(inner, Index):
                    index(typing, inner)
        return
    for part in item.parts if isinstance(item, Composite) else (item,):
        integer(typing, part)


def integer(typing: Typing, node: Expression) -> None:
    """Reports an index or a bound that is no integer."""
    for value in typing.types(node):
        if not value.is_integer:
            message = f"an index is an integer, not {WORDS[value.kind]}"
            help = "cast it: int64(...)"
            if value.kind == "float":
                help = "cast it: int64(floor(...)), or divide by '//'"
            typing.report(f"{message}{typing.where(value)}", node.span, (), help)
