"""How far an index goes: inferred from the reads where it stands alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from opslib.ir.expansion.access import spread_groups
from opslib.ir.expansion.frame import Frame, Operand, Scope
from opslib.ir.expansion.packs import static_axes
from opslib.ir.expr import Expr
from opslib.language import syntax

# For a plain index its extent, for a pack the extents of its entries.
Found = dict[str, tuple[Expr, ...]]


def infer(
    frame: Frame,
    roots: Iterable[syntax.Node],
    names: frozenset[str],
    scope: Scope,
) -> Found:
    """The extents of `names`, from accesses below `roots`.

    A guarded read (``x[i] ?? 0``) may go outside on purpose, so it only decides what
    no unguarded read does.
    """
    sure: Found = {}
    guarded: Found = {}
    for root in roots:
        _visit(frame, root, names, scope, sure, guarded, False)
    return {**guarded, **sure}


def _visit(
    frame: Frame,
    node: Any,
    names: frozenset[str],
    scope: Scope,
    sure: Found,
    guarded: Found,
    under_guard: bool,
) -> None:
    if isinstance(node, tuple):
        for item in node:
            _visit(frame, item, names, scope, sure, guarded, under_guard)
        return
    if not isinstance(node, syntax.Node):
        return
    if isinstance(node, syntax.Otherwise):
        _visit(frame, node.read, names, scope, sure, guarded, True)
        _visit(frame, node.value, names, scope, sure, guarded, under_guard)
        return
    if isinstance(node, syntax.Index | syntax.Target):
        operand = _operand(frame, node)
        if operand is not None:
            found = guarded if under_guard else sure
            _access(frame, node, operand, names, scope, found)
    for field in node.__dataclass_fields__:
        if field not in ("span", "name_span"):
            child = getattr(node, field)
            _visit(frame, child, names, scope, sure, guarded, under_guard)


def _operand(frame: Frame, node: syntax.Index | syntax.Target) -> Operand | None:
    name = node.base if isinstance(node, syntax.Index) else node.name
    if name in frame.variadic:
        return frame.variadic[name][0]
    return frame.operands.get(name)


def _access(
    frame: Frame,
    node: syntax.Index | syntax.Target,
    operand: Operand,
    names: frozenset[str],
    scope: Scope,
    found: Found,
) -> None:
    axes = spread_groups(operand.groups)
    widths = [_width(frame, item, names, scope) for item in node.items]
    unknown = [k for k, w in enumerate(widths) if w is None]
    left = len(axes) - sum(w or 0 for w in widths)
    if len(unknown) > 1 or left < 0 or (left > 0 and not unknown):
        return
    at = 0
    for item, width in zip(node.items, widths, strict=True):
        n = left if width is None else width
        _item(frame, item, axes[at : at + n], names, found)
        at += n


def _width(
    frame: Frame, item: syntax.Expression, names: frozenset[str], scope: Scope
) -> int | None:
    if not isinstance(item, syntax.Pack):
        return 1
    if item.value is None:
        return len(scope.packs.get(None, frame.packs.get(None, [])))
    mentioned = _pack_names(item.value)
    for name in mentioned:
        if name not in names and name in scope.packs:
            width = len(scope.packs[name])
            if isinstance(item.value, syntax.Apply) and item.value.function == "weave":
                continue
            return width
    return None


def _pack_names(node: Any) -> list[str]:
    if isinstance(node, syntax.Name):
        return [node.name]
    if isinstance(node, tuple):
        return [n for item in node for n in _pack_names(item)]
    if isinstance(node, syntax.Node):
        return [
            n
            for field in node.__dataclass_fields__
            if field not in ("span", "function", "operator")
            for n in _pack_names(getattr(node, field))
        ]
    return []


def _item(
    frame: Frame,
    item: syntax.Expression,
    axes: list[tuple[Expr, ...]],
    names: frozenset[str],
    found: Found,
) -> None:
    dims = tuple(a[0] for a in axes)
    match item:
        case syntax.Name() if item.name in names:
            # Over a composite axis the index is flat: its extent is the product.
            if len(axes[0]) == 1:
                found.setdefault(item.name, dims)
        case syntax.Composite():
            if axes and len(axes[0]) == len(item.parts):
                for part, dim in zip(item.parts, axes[0], strict=True):
                    if isinstance(part, syntax.Name) and part.name in names:
                        found.setdefault(part.name, (dim,))
        case syntax.Pack(value=syntax.Name() as pack) if pack.name in names:
            found.setdefault(pack.name, dims)
        case syntax.Pack(value=syntax.Apply(function="weave") as weave):
            chosen = static_axes(frame, weave.arguments[2])
            outer = tuple(d for k, d in enumerate(dims) if k not in chosen)
            inner = tuple(d for k, d in enumerate(dims) if k in chosen)
            for argument, extents in (
                (weave.arguments[0], outer),
                (weave.arguments[1], inner),
            ):
                if isinstance(argument, syntax.Name) and argument.name in names:
                    found.setdefault(argument.name, extents)
