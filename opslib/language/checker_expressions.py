"""Checks of an expression: every name, read, call and fold in its scope."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from opslib.language.checker_calls import check_apply, is_fold, resolve_along
from opslib.language.checker_scope import (
    Context,
    Read,
    Scope,
    axes_of,
    axes_text,
    check_rank,
    example_read,
    implied,
    is_dtype,
    is_tensor,
    size_as_index,
    unknown_name,
)
from opslib.language.checker_signature import check_classes, names_in
from opslib.language.syntax import (
    Along,
    Apply,
    AttributeType,
    Binary,
    Binder,
    Composite,
    Conditional,
    Expression,
    Index,
    IsClass,
    IsNone,
    Name,
    Node,
    Nothing,
    Number,
    Otherwise,
    Pack,
    String,
)
from opslib.language.tree import children
from opslib.spelling import did_you_mean


def check_expression(context: Context, scope: Scope, node: Expression) -> None:
    """Report everything that is wrong in `node`."""
    match node:
        case Name():
            _name(context, scope, node)
        case Index():
            _index(context, scope, node)
        case Pack():
            _pack(context, scope, node)
        case Otherwise():
            if not isinstance(node.read, Index | Name):
                message = "'??' follows something that is not a read"
                help = "put it behind the read: f(x[i] ?? 0)"
                context.error("E0410", message, node.read.span, help)
                check_expression(context, scope, node.read)
            else:
                guarded = replace(scope, guarded=True)
                check_expression(context, guarded, node.read)
            check_expression(context, scope, node.value)
        case Conditional():
            yes, no = implied(node.condition)
            check_expression(context, scope, node.condition)
            check_expression(context, scope.with_present(yes), node.value)
            check_expression(context, scope.with_present(no), node.other)
        case Binary(operator="and" | "or"):
            yes, no = implied(node.left)
            after = yes if node.operator == "and" else no
            check_expression(context, scope, node.left)
            check_expression(context, scope.with_present(after), node.right)
        case Binary():
            if node.operator in {"==", "!="}:
                _choice(context, node)
            check_expression(context, scope, node.left)
            check_expression(context, scope, node.right)
        case IsNone():
            _is_none(context, scope, node)
        case IsClass():
            if not is_dtype(context, node.dtype.name):
                message = f"'{node.dtype.name}' is no dtype of the signature"
                help = did_you_mean(node.dtype.name, context.signature.dtypes)
                context.error("E0406", message, node.dtype.span, help)
            check_classes(node.classes, node.span, context.report)
        case Apply():
            _apply(context, scope, node)
        case Along():
            _along(context, scope, node)
        case _:
            for child in children(node):
                check_expression(context, scope, child)  # type: ignore[arg-type]


def _name(context: Context, scope: Scope, node: Name) -> None:
    name, signature = node.name, context.signature
    if name in scope.indices:
        return
    context.used.add(name)
    if is_tensor(context, name):
        _bare_tensor(context, scope, node)
        return
    if name in signature.sizes or name in signature.attributes:
        return
    if name in scope.packs or name in signature.packs:
        if not scope.in_pack and not scope.whole:
            message = f"'{name}' is a pack, which has no single value"
            help = f"use it in an index list, ...({name} + 1), or as at({name}, k)"
            context.error("E0506", message, node.span, help)
        return
    if not is_dtype(context, name):
        unknown_name(context, scope, name, node.span)


def _bare_tensor(context: Context, scope: Scope, node: Name) -> None:
    name = node.name
    _guard(context, scope, node)
    if name not in context.signature.tensors and name not in context.adjoints:
        context.reads.append(Read(context.definition, name, node, scope.ranges))
    parameter = context.signature.tensors.get(name)
    result = context.signature.results.get(name)
    if result is not None and result.instances is not None:
        message = f"'{name}' is variadic, and a variadic result cannot be read"
        help = "define a local, and both from it"
        context.error("E0411", message, node.span, help)
        return
    if parameter is not None and parameter.variadic and not scope.whole:
        message = f"'{name}' is variadic: which of its tensors is meant?"
        help = f"select one: {name}[v][...]"
        context.error("E0411", message, node.span, help)
        return
    axes = axes_of(context, name)
    if axes is None or not axes or scope.whole:
        return
    if len(axes) != 1 or not isinstance(axes[0], Pack):
        message = (
            f"'{name}' has the axes of {axes_text(name, axes)}, so it needs indices"
        )
        help = f"write {example_read(name, axes)}: only a T[...] is read by its name"
        context.error("E0503", message, node.span, help)
    elif not scope.packs:
        message = f"'{name}' is read at the position '...', and there is none here"
        help = "the left side has no '...': write y[...] = ..., or give indices"
        context.error("E0506", message, node.span, help)


def _guard(context: Context, scope: Scope, node: Name | Index) -> None:
    """Report a read of an optional tensor that may be absent."""
    name = node.name if isinstance(node, Name) else node.base
    declared = context.signature.tensors.get(name)
    if declared is None or not declared.optional:
        return
    if scope.guarded or scope.whole or name in scope.present:
        return
    shown = name if isinstance(node, Name) else f"{name}[...]"
    message = f"'{name}' is optional, and may be absent here"
    help = f"write {shown} ?? 0, or ... if {name} is not none else ..."
    labels = ((declared.span, "declared optional here"),)
    context.error("E0404", message, node.span, help, labels)


def _index(context: Context, scope: Scope, node: Index) -> None:
    inner = replace(scope, guarded=False, whole=False)
    signature, name = context.signature, node.base
    context.used.add(name)
    if is_tensor(context, name) and name not in scope.indices:
        _guard(context, scope, node)
        if name not in signature.tensors and name not in context.adjoints:
            context.reads.append(Read(context.definition, name, node, scope.ranges))
        result = signature.results.get(name)
        if result is not None and result.instances is not None:
            message = f"'{name}' is variadic, and a variadic result cannot be read"
            help = "define a local, and both from it"
            context.error("E0411", message, node.span, help)
            return
        parameter = signature.tensors.get(name)
        variadic = parameter is not None and parameter.variadic
        if variadic != (node.which is not None):
            message = f"'{name}' is {'variadic' if variadic else 'one tensor'}"
            help = f"select one: {name}[v][..., i]" if variadic else ""
            help = help or f"write {name}[..., i], without a selector"
            context.error("E0411", message, node.span, help)
        axes = axes_of(context, name)
        if axes is not None and variadic == (node.which is not None):
            check_rank(context, name, axes, node.items, node.span)
    else:
        _elements(context, scope, node)
    if node.which is not None:
        check_expression(context, inner, node.which)
    for item in node.items:
        if not size_as_index(context, inner, item):
            check_expression(context, inner, item)


def _elements(context: Context, scope: Scope, node: Index) -> None:
    """``stride[0]`` of a list attribute, ``n[v]`` of a variadic tensor's size."""
    name, signature = node.base, context.signature
    attribute = signature.attributes.get(name)
    if attribute is not None:
        kind = attribute.type
        assert isinstance(kind, AttributeType)
        listed = kind.count is not None or kind.kind in {"shape", "axes"}
        first = node.items[0] if len(node.items) == 1 else None
        if not listed or first is None:
            message = f"'{name}' is {_kind_text(kind)}, not a tensor"
            help = f"write {name}" if not listed else f"write {name}[0]"
            context.error("E0409", message, node.span, help)
        elif (
            isinstance(first, Number)
            and isinstance(kind.count, Number)
            and not first.value < kind.count.value
        ):
            message = f"'{name}' has {kind.count.value} elements"
            help = "they are counted from 0"
            context.error("E0409", message, first.span, help)
        return
    if name in signature.instances and len(node.items) == 1:
        return
    kind_text = signature.kind_of(name)
    if name in scope.indices:
        kind_text = "an index"
    if not kind_text and name not in scope.packs:
        unknown_name(context, scope, name, node.span)
        return
    message = f"'{name}' is {kind_text or 'a pack'}, which has no elements"
    is_pack = name in signature.packs or name in scope.packs
    help = f"one extent of a pack is at({name}, k)" if is_pack else ""
    context.error("E0409", message, node.span, help)


def _kind_text(kind: AttributeType) -> str:
    article = "an" if kind.kind[0] in "aeiou" else "a"
    suffix = " list" if kind.count is not None else ""
    return f"{article} {kind.kind}{suffix} attribute"


def _pack(context: Context, scope: Scope, node: Pack) -> None:
    if node.value is None:
        if None not in scope.packs:
            message = "'...' has no position here"
            help = "the left side has no '...'"
            context.error("E0506", message, node.span, help)
        return
    check_expression(context, replace(scope, in_pack=True), node.value)


def _choice(context: Context, node: Binary) -> None:
    """``approximate == "tanh"``: the string is one of the attribute's choices."""
    for text, other in ((node.left, node.right), (node.right, node.left)):
        if not isinstance(text, String):
            continue
        name = other.name if isinstance(other, Name) else ""
        attribute = context.signature.attributes.get(name)
        kind = attribute.type if attribute is not None else None
        if attribute is None or not isinstance(kind, AttributeType) or not kind.choices:
            message = "a string is compared to something that is no choice of strings"
            help = 'declare an attribute such as mode: "none" | "tanh"'
            context.error("E0405", message, node.span, help)
        elif text.value not in kind.choices:
            message = f"'{name}' is never \"{text.value}\""
            help = did_you_mean(text.value, kind.choices)
            help = help or "it is " + " or ".join(f'"{c}"' for c in kind.choices)
            labels = ((attribute.span, "declared here"),)
            context.error("E0405", message, text.span, help, labels)


def _is_none(context: Context, scope: Scope, node: IsNone) -> None:
    signature, name = context.signature, node.name
    context.used.add(name)
    tensor = signature.tensors.get(name) or signature.results.get(name)
    attribute = signature.attributes.get(name)
    if tensor is None and attribute is None:
        if name in scope.indices or signature.kind_of(name) or name in context.declared:
            message = f"'{name}' is always present"
            context.error("E0408", message, node.span)
        else:
            unknown_name(context, scope, name, node.span)
        return
    absent = tensor is not None and tensor.optional
    if attribute is not None:
        absent = isinstance(attribute.default, Nothing)
    if not absent:
        message = f"'{name}' is never none"
        help = f"mark the tensor optional: {name}: T[...]?"
        if attribute is not None:
            help = f"give it the default: {name}: ... = none"
        context.error("E0408", message, node.span, help)


def _apply(context: Context, scope: Scope, node: Apply) -> None:
    whole, packs = check_apply(context, scope, node)
    inner = replace(
        scope,
        guarded=False,
        whole=whole or (scope.whole and packs),
        in_pack=packs or scope.in_pack,
    )
    for argument in (*node.arguments, *(value for _, value in node.keywords)):
        if packs and isinstance(argument, Name) and argument.name in scope.packs:
            continue
        check_expression(context, inner, argument)


def _along(context: Context, scope: Scope, node: Along) -> None:
    fold = is_fold(context, node)
    whole = resolve_along(context, scope, node)
    inner = scope
    for binder in node.binders:
        for bound in (binder.start, binder.stop, binder.bound):
            if bound is not None:
                check_expression(context, replace(inner, whole=False), bound)
        inner = _bind(context, scope, inner, binder, fold)
    inner = replace(inner, guarded=False, whole=whole)
    values = (*node.arguments, *(value for _, value in node.keywords))
    for argument in values:
        check_expression(context, inner, argument)
    if node.arguments:
        for binder in node.binders:
            if fold or binder.name not in {*scope.indices, *scope.packs}:
                _used(context, binder, values, node)


def _bind(
    context: Context, outer: Scope, inner: Scope, binder: Binder, fold: bool
) -> Scope:
    name, signature = binder.name, context.signature
    in_scope = name in inner.indices or name in inner.packs
    kind = "an index" if in_scope else signature.kind_of(name)
    if not kind and name in context.declared:
        kind = "a local"
    fresh = name not in outer.indices and name not in outer.packs
    if kind and (fold or fresh):
        message = f"'{name}' is {kind} already"
        help = "bind another name"
        context.error("E0308", message, binder.span, help)
    ranges = {**inner.ranges, name: binder}
    if binder.pack:
        return replace(inner, packs=inner.packs | {name}, ranges=ranges)
    return replace(inner, indices=inner.indices | {name}, ranges=ranges)


def _used(
    context: Context, binder: Binder, values: Iterable[Expression], node: Along
) -> None:
    """Report a binder that is not used, or that nothing gives an extent."""
    # Extents of earlier binders may use it too: sum[b, t in 0..lengths[b]](...).
    mentions = [*values, *node.binders]
    names = {name.name for value in mentions for name in names_in(value)}
    if binder.name not in names:
        message = f"'{binder.name}' is bound, but not used in '{node.function}'"
        help = f"read something at it, or leave the fold out: x[{binder.name}]"
        context.error("E0504", message, binder.span, help)
        return
    if binder.pack or binder.start is not None:
        return
    if not any(_reads_alone(binder.name, value) for value in mentions):
        message = f"nothing determines how far '{binder.name}' runs"
        help = f"give its range: {node.function}[{binder.name} in 0..n](...)"
        context.error("E0505", message, binder.span, help)


def _reads_alone(name: str, root: Node) -> bool:
    stack: list[Node] = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, Index):
            items = list(node.items) + ([node.which] if node.which else [])
            for item in items:
                parts = item.parts if isinstance(item, Composite) else (item,)
                if any(isinstance(p, Name) and p.name == name for p in parts):
                    return True
        stack.extend(children(node))
    return False
