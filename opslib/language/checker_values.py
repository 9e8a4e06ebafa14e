"""What stands where a value is wanted, and has none: strings, dtypes, lists, none."""

from __future__ import annotations

from opslib.language.checker_calls import callee, fits_primitive
from opslib.language.checker_scope import Context
from opslib.language.functions import DTYPES, PACK_FUNCTIONS
from opslib.language.syntax import (
    Along,
    Apply,
    AttributeType,
    Binary,
    Expression,
    Name,
    Node,
    Nothing,
    Pack,
    String,
)
from opslib.language.tree import children

# Attributes that stand for a number wherever they are named.
_NUMBERS = frozenset({"int", "float", "bool", "number", "axis", "gap"})


def check_values(context: Context) -> None:
    """Report every string, dtype, list or none that is computed with.

    They may be compared, and handed to operators and to functions of packs.
    """
    for definition in context.operator.definitions:
        items = [item for target in definition.targets for item in target.items]
        bound = {item.name for item in items if isinstance(item, Name)}
        _check(context, definition.value, bound)
    for require in context.operator.clauses.requires:
        _check(context, require.condition, set())
    for result in context.operator.results:
        for axis in result.type.axes:
            _check(context, axis, set())


def _check(context: Context, node: Node, bound: set[str]) -> None:
    stack: list[tuple[Node, bool]] = [(node, True)]
    while stack:
        item, computed = stack.pop()
        if computed and isinstance(item, Name | String | Nothing):
            _report(context, item, bound)
        if isinstance(item, Along):
            bound = bound | {binder.name for binder in item.binders}
        if isinstance(item, Pack) or _of_packs(item):
            continue  # Lists go axis by axis there: ``x[...(i - before)]``.
        inner = not _hands_on(context, item)
        stack += [(child, inner) for child in children(item)]


def _of_packs(node: Node) -> bool:
    return isinstance(node, Apply) and (
        node.function in PACK_FUNCTIONS and not fits_primitive(node)
    )


def _hands_on(context: Context, node: Node) -> bool:
    """Whether what stands directly in `node` is compared or handed on as it is."""
    if isinstance(node, Binary):
        return node.operator in ("==", "!=")
    if isinstance(node, Apply):
        if fits_primitive(node):
            return False
    elif not isinstance(node, Along):
        return False
    return callee(node.function, context.operator, context.known) is not None


def _report(context: Context, node: Expression, bound: set[str]) -> None:
    if isinstance(node, String):
        help = f'strings are only compared: mode == "{node.value}"'
        context.error("E0409", "a string has no value", node.span, help)
        return
    if isinstance(node, Nothing):
        help = "whether something was given is asked by 'is none'"
        context.error("E0409", "none has no value", node.span, help)
        return
    assert isinstance(node, Name)
    name, signature = node.name, context.signature
    if name in bound or name in context.declared:
        return
    attribute = signature.attributes.get(name)
    if attribute is None:
        if name in DTYPES or name in signature.dtypes:
            help = f"a conversion is written {name}(...)"
            message = f"'{name}' is a dtype, which has no value"
            context.error("E0409", message, node.span, help)
        return
    kind = attribute.type
    assert isinstance(kind, AttributeType)
    labels = ((attribute.span, "declared here"),)
    if kind.kind == "string":
        message = f"'{name}' is a string, which has no value"
        help = f'strings are only compared: {name} == "{kind.choices[0]}"'
    elif kind.kind == "dtype":
        message = f"'{name}' is a dtype, which has no value"
        help = f"a conversion is written {name}(...)"
    elif kind.count is not None or kind.kind not in _NUMBERS:
        message = f"'{name}' is a list, which has no single value"
        help = f"its elements are {name}[0], {name}[1] ..."
        if isinstance(kind.count, Pack) or kind.kind in ("shape", "axes"):
            help = "it is used in index lists and by the functions of packs"
    else:
        return
    context.error("E0409", message, node.span, help, labels)
