"""Which function a call means, and whether its arguments fit.

The language's own functions come first wherever they fit, so that an operator may be
called ``sqrt`` and be defined by ``sqrt``; then the operators known.
"""

from __future__ import annotations

from collections.abc import Mapping

from opslib.language.checker_scope import Context, Scope, is_dtype, is_tensor
from opslib.language.functions import (
    DTYPE_FUNCTIONS,
    DTYPES,
    FOLDS,
    ORDERS,
    PACK_FUNCTIONS,
    PRIMITIVES,
)
from opslib.language.syntax import (
    Along,
    Apply,
    AttributeType,
    Name,
    Node,
    Operator,
    Pack,
    Span,
    String,
)
from opslib.language.tree import children
from opslib.spelling import did_you_mean


def fits_primitive(node: Apply) -> bool:
    """Whether this call fits the primitive of its name."""
    primitive = PRIMITIVES.get(node.function)
    if primitive is None or node.keywords:
        return False
    count = len(node.arguments)
    return primitive.least <= count <= (primitive.most or count)


def is_fold(context: Context, node: Along) -> bool:
    """Whether this is a fold of the language, and not an operator of its name."""
    fits = len(node.arguments) == 1 and not node.keywords
    return node.function in FOLDS and (fits or node.function not in context.known)


def is_order(context: Context, node: Along) -> bool:
    """Whether this is a scan, sort or topk of the language."""
    order = ORDERS.get(node.function)
    if order is None:
        return False
    fits = order.least <= len(node.arguments) <= order.most
    fits = fits and all(name in order.keywords for name, _ in node.keywords)
    return fits or node.function not in context.known


def callee(
    name: str, operator: Operator, known: Mapping[str, Operator]
) -> Operator | None:
    """The operator called `name`; the one being checked knows itself."""
    return operator if name == operator.name else known.get(name)


def called(operator: Operator) -> dict[str, Span]:
    """The operators that the body may call, each with the first place."""
    found: dict[str, Span] = {}
    stack: list[Node] = list(operator.definitions)
    while stack:
        node = stack.pop()
        if isinstance(node, Apply):
            own = fits_primitive(node) or node.function in PACK_FUNCTIONS
            if not own:
                found.setdefault(node.function, node.span)
        elif isinstance(node, Along):
            order = ORDERS.get(node.function)
            own = node.function in FOLDS and len(node.arguments) == 1
            count = len(node.arguments)
            own = own or (order is not None and order.least <= count <= order.most)
            if not own:
                found.setdefault(node.function, node.span)
        stack.extend(children(node))
    return found


def check_apply(context: Context, scope: Scope, node: Apply) -> tuple[bool, bool]:
    """Report a call that fits nothing.

    Returns:
        Whether bare tensors of any rank may be arguments, and whether packs may.
    """
    name = node.function
    if fits_primitive(node):
        return False, False
    if name in PACK_FUNCTIONS:
        least, most = PACK_FUNCTIONS[name]
        if name not in context.known or least <= len(node.arguments) <= most:
            _arity(context, node, least, most)
            if name == "fit":
                _fitted(context, node)
            return True, True
    if is_dtype(context, name):
        _arity(context, node, 1, 1)
        return False, False
    if name in DTYPE_FUNCTIONS and name not in context.known:
        _arity(context, node, *DTYPE_FUNCTIONS[name])
        return False, False
    operator = callee(name, context.operator, context.known)
    if operator is not None and operator is not context.operator:
        _check_call(context, operator, node)
        return True, False
    if name in PRIMITIVES:
        primitive = PRIMITIVES[name]
        _arity(context, node, primitive.least, primitive.most)
        return False, False
    if operator is None:
        _unknown(context, scope, node)
    # An operator that calls itself is reported once, as a circle.
    return True, True


def _fitted(context: Context, node: Apply) -> None:
    """``fit(i, s)``: s is a pack of the signature, whose extents of 1 are known."""
    last = node.arguments[-1] if node.arguments else node
    if not isinstance(last, Name) or last.name not in context.signature.packs:
        message = "'fit' broadcasts to a pack of the signature"
        help = "its last argument is the s of a parameter x: T[...s]"
        context.error("E0506", message, last.span, help)


def _unknown(context: Context, scope: Scope, node: Apply | Along) -> None:
    name = node.function
    message = f"there is no function '{name}'"
    candidates = [*PRIMITIVES, *PACK_FUNCTIONS, *DTYPES, *context.known]
    if isinstance(node, Along):
        candidates = [*FOLDS, *ORDERS, *context.known]
    help = did_you_mean(name, candidates)
    if name in FOLDS or name in ORDERS:
        help = f"a fold needs its index: {name}[j](...)"
    elif is_tensor(context, name):
        message = f"'{name}' is a tensor, not a function"
        help = f"elements are read with brackets: {name}[...]"
    elif name in PRIMITIVES:
        help = f"'{name}' is an elementwise function: write {name}(...)"
    elif name in scope.indices or context.signature.kind_of(name):
        kind = context.signature.kind_of(name) or "an index"
        message = f"'{name}' is {kind}, not a function"
        help = "a product is written with '*'"
    context.error("E0302", message, _head(node), help)


def _head(node: Apply | Along) -> Span:
    """The function's name alone."""
    start = node.span.start
    return Span(node.span.source, start, start + len(node.function))


def _keyword_span(name: str, value: Node) -> Span:
    """The characters ``name=`` before an argument's value."""
    text = value.span.source.text
    start = text.rfind(name, 0, value.span.start)
    return Span(value.span.source, max(start, 0), max(start, 0) + len(name))


def _arity(
    context: Context,
    node: Apply | Along,
    least: int,
    most: int | None,
    keywords: frozenset[str] = frozenset(),
) -> None:
    for name, value in node.keywords:
        if name not in keywords:
            message = f"'{node.function}' has no keyword '{name}'"
            help = did_you_mean(name, keywords)
            if keywords and not help:
                help = "it has " + ", ".join(sorted(keywords))
            context.error("E0312", message, _keyword_span(name, value), help)
    count = len(node.arguments)
    if least <= count <= (count if most is None else most):
        return
    wanted = f"{least}" if least == most else f"{least} to {most}"
    wanted = f"at least {least}" if most is None else wanted
    plural = "" if wanted == "1" else "s"
    message = f"'{node.function}' takes {wanted} argument{plural}, not {count}"
    context.error("E0311", message, node.span)


def resolve_along(context: Context, scope: Scope, node: Along) -> bool:
    """Report a fold or operator along an index that fits nothing.

    Returns:
        Whether bare tensors of any rank may be arguments.
    """
    if is_fold(context, node):
        _arity(context, node, 1, 1)
        return False
    if is_order(context, node):
        order = ORDERS[node.function]
        _arity(context, node, order.least, order.most, order.keywords)
        return False
    operator = callee(node.function, context.operator, context.known)
    if operator is None:
        _unknown(context, scope, node)
        return True
    if operator is not context.operator:
        _check_call(context, operator, node)
    return False


def _along_axes(operator: Operator) -> bool:
    """Whether a tensor of an operator has axes of its own, beyond the anonymous."""
    types = [d.type for d in operator.tensors] + [d.type for d in operator.results]
    axes = [axis for kind in types for axis in getattr(kind, "axes", ())]
    return any(not isinstance(a, Pack) or a.value is not None for a in axes)


def _check_call(context: Context, operator: Operator, node: Apply | Along) -> None:
    """Report arguments that do not fit the operator's parameters."""
    if any(result.instances is not None for result in operator.results):
        message = f"'{operator.name}' has any number of results, and no single value"
        help = "write what you need of it: it is a few reads"
        context.error("E0412", message, node.span, help)
        return
    if isinstance(node, Apply) and _along_axes(operator):
        message = f"'{operator.name}' works along axes, and one element has none"
        help = f"name the indices: {operator.name}[j](...)"
        context.error("E0503", message, _head(node), help)
        return
    parameters = {p.name: p for p in operator.parameters}
    slots = [p for p in operator.parameters if p.placement != "keyword"]
    variadic = any(p.variadic for p in slots)
    given = {p.name for p in slots[: len(node.arguments)]}
    if len(node.arguments) > len(slots) and not variadic:
        message = f"'{operator.name}' takes at most {len(slots)} positional arguments"
        message += f", not {len(node.arguments)}"
        keyword = [p.name for p in operator.parameters if p.placement == "keyword"]
        help = f"by keyword: {', '.join(keyword)}" if keyword else ""
        help = help or f"it is {operator.name}({', '.join(parameters)})"
        context.error("E0311", message, node.span, help)
        return
    for name, value in node.keywords:
        parameter = parameters.get(name)
        if parameter is None or name in given:
            twice = "twice" if name in given else ""
            message = f"'{operator.name}' has no parameter '{name}'"
            message = f"'{name}' is given twice" if twice else message
            help = did_you_mean(name, parameters)
            context.error("E0312", message, _keyword_span(name, value), help)
            continue
        given.add(name)
        kind = parameter.type
        if (
            isinstance(kind, AttributeType)
            and kind.choices
            and isinstance(value, String)
            and value.value not in kind.choices
        ):
            message = f"'{name}' of '{operator.name}' is never \"{value.value}\""
            help = "it is " + " or ".join(f'"{c}"' for c in kind.choices)
            context.error("E0405", message, value.span, help)
    missing = [
        p.name
        for p in operator.parameters
        if p.name not in given
        and not p.optional
        and not p.variadic
        and p.default is None
    ]
    if missing:
        message = f"'{operator.name}' misses its argument '{missing[0]}'"
        help = f"it is {operator.name}({', '.join(parameters)})"
        context.error("E0311", message, node.span, help)


def value_count(context: Context, node: Node) -> int | None:
    """How many values an expression has, or None when that is not known here."""
    if isinstance(node, Along) and not is_fold(context, node):
        if is_order(context, node):
            return ORDERS[node.function].values
        operator = callee(node.function, context.operator, context.known)
        return None if operator is None else len(operator.results)
    if isinstance(node, Apply) and not fits_primitive(node):
        operator = callee(node.function, context.operator, context.known)
        return None if operator is None else len(operator.results)
    return 1
