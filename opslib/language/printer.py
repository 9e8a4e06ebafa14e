"""The canonical text of a tree: what is hashed, cached, documented and shown.

One tree has one text, whatever its author's spelling: ``parse(print(tree)) == tree``,
which is a property test. Parentheses are the fewest that the grammar allows. Comments
other than the docstring are not part of the tree.
"""

from __future__ import annotations

import math

from opslib.language.parser_expressions import COMPARISONS, PRECEDENCE
from opslib.language.syntax import (
    Along,
    Apply,
    AttributeType,
    Binary,
    Binder,
    Boolean,
    Clauses,
    Composite,
    Conditional,
    Definition,
    DTypeExpression,
    Expression,
    Index,
    IsClass,
    IsNone,
    Name,
    Nothing,
    Number,
    Operator,
    Otherwise,
    Pack,
    Parameter,
    Result,
    String,
    Target,
    TensorType,
    TupleOf,
    Unary,
    Upstream,
    Workload,
)

# How tightly a node holds together; see `PRECEDENCE` for those between.
_CONDITIONAL = 0
_UNARY = 10
_POWER = 11
_POSTFIX = 12


def print_operator(operator: Operator, doc: bool = True) -> str:
    """The canonical text of `operator`, ending in a newline.

    Args:
        operator: the tree.
        doc: whether to print the docstring; a hash leaves it out.
    """
    lines = []
    if doc and operator.doc:
        lines += [f"# {line}".rstrip() for line in operator.doc.split("\n")]
    lines.append(_signature(operator))
    lines += [f"    {_definition(d)}" for d in operator.definitions]
    lines += [f"    {clause}" for clause in _clauses(operator.clauses)]
    return "\n".join(lines) + "\n"


def print_signature(operator: Operator) -> str:
    """``op name(...) -> ...``, one line without the body."""
    return _signature(operator)


def print_expression(expression: Expression) -> str:
    """The canonical text of an expression."""
    return _text(expression, _CONDITIONAL)


def _signature(operator: Operator) -> str:
    results = ", ".join(_result(r) for r in operator.results)
    if len(operator.results) > 1:
        results = f"({results})"
    text = f"op {operator.name}({_parameters(operator.parameters)}) -> {results}"
    if operator.classes:
        classes = (f"{c.name}: {' | '.join(c.classes)}" for c in operator.classes)
        text += " where " + ", ".join(classes)
    return text


def _parameters(parameters: tuple[Parameter, ...]) -> str:
    """The parameters with ``/`` and ``*``, where there is something to mark."""
    parts = [_parameter(p) for p in parameters]
    positional = sum(p.placement == "positional" for p in parameters)
    either = sum(p.placement == "either" for p in parameters)
    if positional + either < len(parameters):
        parts.insert(positional + either, "*")
    if positional:
        parts.insert(positional, "/")
    return ", ".join(parts)


def _parameter(parameter: Parameter) -> str:
    kind = parameter.type
    if isinstance(kind, TensorType):
        star = "*" if parameter.variadic else ""
        optional = "?" if parameter.optional else ""
        return f"{star}{parameter.name}: {print_tensor(kind)}{optional}"
    text = f"{parameter.name}: {print_attribute(kind)}"
    if parameter.default is not None:
        text += f" = {print_expression(parameter.default)}"
    return text


def _result(result: Result) -> str:
    optional = "?" if result.optional else ""
    name = result.name
    if result.instances is not None:
        name = f"*{name}[{_binder(result.instances)}]"
    return f"{name}: {print_tensor(result.type)}{optional}"


def print_tensor(tensor: TensorType) -> str:
    """``T[..., n]``, or ``T`` for ``T[...]``."""
    dtype = print_dtype(tensor.dtype)
    if tensor.axes and tensor.axes == (Pack(value=None, span=tensor.span),):
        # A name that also begins an attribute's kind needs its brackets.
        kinds = {"int", "float", "bool", "number", "dtype", "shape", "axis", "axes"}
        kinds |= {"gap"}
        return f"{dtype}[...]" if dtype in kinds else dtype
    if not tensor.absent:
        return f"{dtype}{_items(tensor.axes)}"
    marked = (
        f"{axis.name}?"
        if isinstance(axis, Name) and axis.name in tensor.absent
        else _text(axis, _CONDITIONAL)
        for axis in tensor.axes
    )
    return f"{dtype}[{', '.join(marked)}]"


def print_dtype(dtype: DTypeExpression) -> str:
    """``T`` or ``sum_of(T)``."""
    if not dtype.arguments:
        return dtype.name
    return f"{dtype.name}({', '.join(print_dtype(a) for a in dtype.arguments)})"


def print_attribute(kind: AttributeType) -> str:
    """``int[2]``, ``"none" | "tanh"``, ``axis[s]`` ..."""
    if kind.kind == "string":
        return " | ".join(_quoted(choice) for choice in kind.choices)
    if kind.kind in {"axis", "axes", "gap"}:
        return f"{kind.kind}[{kind.pack or '...'}]"
    if kind.count is not None:
        return f"{kind.kind}[{_text(kind.count, _CONDITIONAL)}]"
    return kind.kind


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _number(value: int | float) -> str:
    if isinstance(value, int):
        return str(value)
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf"
    if value == math.pi:
        return "pi"
    return repr(value)


def _items(items: tuple[Expression, ...]) -> str:
    return "[" + ", ".join(_text(item, _CONDITIONAL) for item in items) + "]"


def _text(node: Expression, precedence: int) -> str:
    """`node`, in parentheses if it holds together less tightly than `precedence`."""
    text, own = _bare(node)
    return f"({text})" if own < precedence else text


def _bare(node: Expression) -> tuple[str, int]:
    match node:
        case Conditional():
            value = _text(node.value, 1)
            condition = _text(node.condition, 1)
            other = _text(node.other, _CONDITIONAL)
            return f"{value} if {condition} else {other}", _CONDITIONAL
        case Binary(operator="^"):
            return _power(node), _POWER
        case Binary():
            return _binary(node.operator, node.left, node.right)
        case Otherwise():
            return _binary("??", node.read, node.value)
        case Unary(operator="not"):
            own = PRECEDENCE["not"]
            return f"not {_text(node.operand, own)}", own
        case Unary():
            return f"{node.operator}{_text(node.operand, _UNARY)}", _UNARY
        case IsNone():
            word = "is not" if node.negated else "is"
            return f"{node.name} {word} none", PRECEDENCE["<"]
        case IsClass():
            word = "is not" if node.negated else "is"
            classes = " | ".join(node.classes)
            return f"{node.dtype.name} {word} {classes}", PRECEDENCE["<"]
    return _postfix(node), _POSTFIX


def _binary(symbol: str, left: Expression, right: Expression) -> tuple[str, int]:
    own = PRECEDENCE[symbol]
    # All chain to the left; comparisons do not chain at all.
    before = _text(left, own + 1 if symbol in COMPARISONS else own)
    return f"{before} {symbol} {_text(right, own + 1)}", own


def _power(node: Binary) -> str:
    # The exponent may carry a sign, and powers chain to the right.
    return f"{_text(node.left, _POSTFIX)}^{_text(node.right, _UNARY)}"


def _postfix(node: Expression) -> str:
    match node:
        case Number():
            return _number(node.value)
        case Boolean():
            return "true" if node.value else "false"
        case String():
            return _quoted(node.value)
        case Nothing():
            return "none"
        case Name():
            return node.name
        case TupleOf():
            inner = ", ".join(_text(item, _CONDITIONAL) for item in node.items)
            return f"({inner},)" if len(node.items) == 1 else f"({inner})"
        case Composite():
            return f"({' '.join(_part(part) for part in node.parts)})"
        case Pack():
            return _pack(node)
        case Index():
            which = "" if node.which is None else f"[{print_expression(node.which)}]"
            return f"{node.base}{which}{_items(node.items)}"
        case Apply():
            return node.function + _arguments(node)
        case Along():
            binders = ", ".join(_binder(binder) for binder in node.binders)
            return f"{node.function}[{binders}]{_arguments(node)}"
    raise AssertionError(f"no print for {type(node).__name__}")


def _part(node: Expression) -> str:
    """A part of a composite axis; in parentheses whatever is not a plain part."""
    plain = isinstance(node, Name | Index | Apply | Along | Composite | TupleOf)
    if isinstance(node, Number):
        plain = math.isfinite(node.value) and node.value != math.pi
    return _text(node, _POSTFIX if plain else _POSTFIX + 1)


def _pack(node: Pack) -> str:
    if node.value is None:
        return "..."
    if isinstance(node.value, Name | Apply):
        return f"...{_postfix(node.value)}"
    return f"...({print_expression(node.value)})"


def _arguments(node: Apply | Along) -> str:
    parts = [print_expression(argument) for argument in node.arguments]
    parts += [f"{name}={print_expression(value)}" for name, value in node.keywords]
    return f"({', '.join(parts)})"


def _binder(binder: Binder) -> str:
    text = f"...{binder.name}" if binder.pack else binder.name
    if binder.start is not None and binder.stop is not None:
        start, stop = print_expression(binder.start), print_expression(binder.stop)
        text += f" in {start}..{stop}"
    if binder.bound is not None:
        text += f" bound {print_expression(binder.bound)}"
    return text


def _definition(definition: Definition) -> str:
    targets = ", ".join(_target(target) for target in definition.targets)
    sign = f"{definition.combine}=" if definition.combine else "="
    if definition.combine and targets == "grad":
        targets = "grad[]"  # ``grad add= 1`` would be the gradient of `add`.
    text = f"{targets} {sign} {print_expression(definition.value)}"
    if definition.ranges:
        text += " for " + ", ".join(map(_binder, definition.ranges))
    if definition.condition is not None:
        text += f" when {print_expression(definition.condition)}"
    return text


def _target(target: Target) -> str:
    which = f"[{target.which.name}]" if target.which is not None else ""
    items = _items(target.items) if target.items or which else ""
    return f"{target.name}{which}{items}"


def _clauses(clauses: Clauses) -> list[str]:
    lines = []
    if clauses.axis:
        lines.append(f"axis {clauses.axis}")
    lines += [
        f"sample {s.name} in [{_signed(s.low)}, {_signed(s.high)}]"
        for s in clauses.samples
    ]
    if clauses.exact:
        lines.append("exact")
    lines += [f"bounds {name} {action}" for name, action in clauses.bounds]
    if clauses.accumulate:
        lines.append(f"accumulate {clauses.accumulate}")
    if clauses.mutates:
        lines.append("mutates " + ", ".join(clauses.mutates))
    lines += [
        f"requires {print_expression(r.condition)} : {_quoted(r.message)}"
        for r in clauses.requires
    ]
    lines += [_workload(workload) for workload in clauses.workloads]
    lines += [_upstream(upstream) for upstream in clauses.upstream]
    lines += [f"grad {g.name} = {print_expression(g.value)}" for g in clauses.gradients]
    return lines


def _signed(value: float) -> str:
    return f"-{_number(-value)}" if value < 0 else _number(value)


def _workload(workload: Workload) -> str:
    parts = [
        f"{name} {dtype}[{', '.join(map(str, shape))}]"
        for name, dtype, shape in workload.tensors
    ]
    parts += [f"{name}={print_expression(v)}" for name, v in workload.attributes]
    return f"workload {workload.label}: {', '.join(parts)}"


def _upstream(upstream: Upstream) -> str:
    if upstream.status == "aligned":
        return f"like {upstream.function}"
    return f"like {upstream.function} {upstream.status} {_quoted(upstream.reason)}"
