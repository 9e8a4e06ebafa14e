"""Other operators inside an expression: expanded at this element, and kept as Call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

from opslib.errors import SpecError
from opslib.ir.build import cast, coerce, extent, is_weak
from opslib.ir.dtypes import DTYPES, FLOAT64, INT64, DType, compute_type, promote
from opslib.ir.expansion import definitions
from opslib.ir.expansion.frame import Frame, Group, Operand, Scope
from opslib.ir.expr import (
    Axis,
    Call,
    Const,
    Expr,
    Index,
    free_indices,
    substitute,
)
from opslib.language import syntax

MAX_DEPTH = 16


def call(frame: Frame, node: syntax.Apply, scope: Scope) -> Expr:
    """``f(x, y, key=z)``: operator f on single elements."""
    callee = _callee(frame, node)
    arguments = [frame.value(a, scope) for a in node.arguments]
    return _inline(frame, node, callee, arguments, (), scope, scope)


def call_along(
    frame: Frame,
    node: syntax.Along,
    axes: tuple[Axis, ...],
    inner: Scope,
    scope: Scope,
) -> Expr:
    """``softmax[j](x[..., j])``: operator along indices."""
    callee = _callee(frame, node)
    arguments = [frame.value(a, inner) for a in node.arguments]
    return _inline(frame, node, callee, arguments, axes, scope, inner)


def _callee(frame: Frame, node: syntax.Apply | syntax.Along) -> syntax.Operator:
    found = frame.shared.library.get(node.function)
    if found is None:
        frame.fail(node, f"'{node.function}' is not a function known here", "E0302")
    if frame.shared.depth >= MAX_DEPTH:
        frame.fail(node, "operators call each other too deep", "E0307")
    return found


def _inline(
    frame: Frame,
    node: syntax.Apply | syntax.Along,
    callee: syntax.Operator,
    arguments: list[Expr],
    axes: tuple[Axis, ...],
    scope: Scope,
    inner: Scope,
) -> Expr:
    """The callee's (first or `scope.output`-th) result at this element."""
    inside = Frame(frame.shared, callee)
    inside.packs[None] = []
    tensors = list(callee.tensors)
    if len(arguments) > len(callee.parameters):
        frame.fail(node, f"'{callee.name}' takes fewer arguments", "E0311")
    given = dict(zip([p.name for p in callee.parameters], arguments, strict=False))
    for key, expression in node.keywords:
        attribute = _static_keyword(frame, expression)
        given[key] = (
            attribute if attribute is not None else frame.value(expression, inner)
        )
    _bind_dtypes(frame, node, inside, tensors, given)
    for p in tensors:
        _bind_tensor(frame, node, inside, p, given, axes)
    for p in callee.attributes:
        _bind_attribute(frame, node, inside, p, given, axes)
    frame.shared.depth += 1
    try:
        expansion = _result(frame, node, inside, axes, scope)
    except SpecError as problem:
        if callee.span.source is frame.operator.span.source:
            raise
        # The caller wrote this line, not the one in the library.
        first = problem.message.partition("\n")[0].partition(": ")[2]
        frame.fail(node, f"{callee.name} cannot stand here: {first}", problem.code)
    finally:
        frame.shared.depth -= 1
    plain = tuple(given[p.name] for p in tensors if isinstance(given.get(p.name), Expr))
    return Call(callee.name, plain, axes, expansion)


def _static_keyword(frame: Frame, node: syntax.Expression) -> Any:
    if isinstance(node, syntax.String):
        return node.value
    if isinstance(node, syntax.Boolean):
        return node.value
    if isinstance(node, syntax.Name):
        found = frame.attributes.get(node.name)
        if isinstance(found, str | bool):
            return found
    return None


def _bind_dtypes(
    frame: Frame,
    node: syntax.Node,
    inside: Frame,
    tensors: Sequence[syntax.Parameter],
    given: dict[str, Any],
) -> None:
    found: dict[str, list[Expr]] = {}
    for p in tensors:
        assert isinstance(p.type, syntax.TensorType)
        if p.name in given:
            found.setdefault(p.type.dtype.name, []).append(given[p.name])
    for name, expressions in found.items():
        if name in DTYPES:
            continue
        strong = [compute_type(e.dtype) for e in expressions if not is_weak(e)]
        if strong:
            inside.dtypes[name] = reduce(promote, strong)
        else:
            inside.dtypes[name] = _weak_type(frame, expressions)
    for name in given:
        found_type = given[name]
        if isinstance(found_type, DType):
            inside.dtypes[name] = found_type


def _weak_type(frame: Frame, expressions: Sequence[Expr]) -> DType:
    if any(e.dtype.is_float for e in expressions):
        floats = [d for d in frame.dtypes.values() if d.is_float]
        return compute_type(floats[0]) if floats else FLOAT64
    return expressions[0].dtype if expressions else INT64


def _bind_tensor(
    frame: Frame,
    node: syntax.Node,
    inside: Frame,
    p: syntax.Parameter,
    given: dict[str, Any],
    axes: tuple[Axis, ...],
) -> None:
    if p.name not in given:
        if not p.optional:
            frame.fail(node, f"'{p.name}' is missing", "E0311")
        inside.absent.add(p.name)
        return
    assert isinstance(p.type, syntax.TensorType)
    dtype = inside.dtype_of(p.type.dtype)
    argument: Expr = given[p.name]
    convert = coerce if is_weak(argument) else cast
    argument = convert(argument, compute_type(dtype))
    given[p.name] = argument
    groups: list[Group] = []
    left = list(axes)
    for axis in p.type.axes:
        if isinstance(axis, syntax.Pack):
            name = getattr(axis.value, "name", None)
            taken, left = ([], left) if name is None else (left, [])
            dims = tuple(extent(a) for a in taken)
            groups.append(Group("pack", dims))
            inside.packs[name] = list(dims)
        elif isinstance(axis, syntax.Name) and left:
            first, left = left[0], left[1:]
            inside.sizes[axis.name] = extent(first)
            groups.append(Group("single", (extent(first),)))
        else:
            frame.fail(
                node,
                f"'{p.name}' of {inside.operator.name} has more axes than given",
                "E0503",
                help=f"name the indices: {inside.operator.name}[j](...)",
            )
    used = axes[: len(axes) - len(left)]
    inside.operands[p.name] = Operand(p.name, tuple(groups), _reader(argument, used))


def _reader(
    argument: Expr, axes: tuple[Axis, ...]
) -> Callable[[tuple[Expr, ...], Scope], Expr]:
    def read(found: tuple[Expr, ...], scope: Scope) -> Expr:
        mapping: dict[Expr, Expr] = {
            Index(a.name): i for a, i in zip(axes, found, strict=True)
        }
        return substitute(argument, mapping)

    return read


def _bind_attribute(
    frame: Frame,
    node: syntax.Node,
    inside: Frame,
    p: syntax.Parameter,
    given: dict[str, Any],
    axes: tuple[Axis, ...],
) -> None:
    kind = p.type
    assert isinstance(kind, syntax.AttributeType)
    if kind.kind == "axes":
        inside.attributes[p.name] = tuple(range(len(axes)))
        return
    if p.name not in given:
        if p.default is None:
            frame.fail(node, f"'{p.name}' is missing", "E0311")
        inside.attributes[p.name] = default(inside, p.default)
        return
    found = given[p.name]
    if isinstance(found, Const) and kind.kind == "bool":
        found = bool(found.value)
    if isinstance(found, Expr) and free_indices(found) & {a.name for a in axes}:
        frame.fail(
            node,
            f"'{p.name}' of {inside.operator.name} is one value for the whole axis",
            "E0506",
            help="it may not depend on the index that the operator works along",
        )
    inside.attributes[p.name] = found
    if kind.kind == "number" and isinstance(found, Expr):
        inside.dtypes[p.name] = FLOAT64 if found.dtype.is_float else INT64


def default(frame: Frame, node: syntax.Expression) -> Any:
    """A default inside an inlined call: static where it can be, else a value."""
    match node:
        case syntax.Nothing():
            return None
        case syntax.String() | syntax.Boolean():
            return node.value
        case syntax.TupleOf():
            return [frame.value(i, Scope()) for i in node.items]
        case syntax.Name() if node.name in DTYPES:
            return DTYPES[node.name]
    return frame.value(node, Scope())


def _result(
    frame: Frame,
    node: syntax.Apply | syntax.Along,
    inside: Frame,
    axes: tuple[Axis, ...],
    scope: Scope,
) -> Expr:
    callee = inside.operator
    result = callee.results[min(scope.output, len(callee.results) - 1)]
    groups = definitions.declared_groups(inside, result.type.axes)
    rank = sum(len(g.dims) for g in groups)
    at: list[Expr] = []
    if rank:
        assert isinstance(node, syntax.Along)
        for binder in node.binders:
            if binder.name in scope.indices:
                at.append(scope.indices[binder.name])
            elif binder.name in scope.packs:
                at += scope.packs[binder.name]
        if len(at) != rank:
            frame.fail(
                node,
                f"'{callee.name}' keeps the index: it must be one of the left side",
                "E0506",
            )
    outer = replace(scope, output=0)
    dtype = inside.dtype_of(result.type.dtype)
    value = element(inside, result.name, tuple(at), outer)
    return cast(value, compute_type(dtype)) if not is_weak(value) else value


def element(frame: Frame, name: str, at: tuple[Expr, ...], outer: Scope) -> Expr:
    """The element of a result or local of an inlined operator at the indices."""
    for k, definition in enumerate(frame.operator.definitions):
        for output, target in enumerate(definition.targets):
            if target.name != name:
                continue
            if definition.combine is not None:
                frame.fail(definition, "a scatter cannot be inlined", "E0508")
            _offer_locals(frame, k)
            results = {r.name: r for r in frame.operator.results}
            if name in results:
                axes = results[name].type.axes
                groups = definitions.declared_groups(frame, axes)
            else:
                groups = definitions.local_groups(frame, definition, target)
            _, scope = definitions.bind_target(frame, target, groups, at)
            scope = definitions.scope_in(scope, outer)
            return frame.value(definition.value, replace(scope, output=output))
    frame.fail(frame.operator, f"'{name}' is never defined", "E0304")


def _offer_locals(frame: Frame, before: int) -> None:
    """Makes the definitions above readable, each by inlining it in turn."""
    for definition in frame.operator.definitions[:before]:
        for target in definition.targets:
            if target.name in frame.operands:
                continue
            results = {r.name: r for r in frame.operator.results}
            if target.name in results:
                declared = results[target.name].type.axes
                groups = definitions.declared_groups(frame, declared)
            else:
                groups = definitions.local_groups(frame, definition, target)

            def read(
                at: tuple[Expr, ...], scope: Scope, name: str = target.name
            ) -> Expr:
                return element(frame, name, at, replace(scope, output=0))

            frame.operands[target.name] = Operand(target.name, tuple(groups), read)
