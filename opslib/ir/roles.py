"""Which role a name plays in a signature: extent, template parameter, own size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opslib.language import syntax
from opslib.language.tree import names, walk


def axes_of(
    declared: syntax.Parameter | syntax.Result,
) -> tuple[syntax.Expression, ...]:
    """The declared axes of a tensor parameter or a result."""
    assert isinstance(declared.type, syntax.TensorType)
    return declared.type.axes


def attribute_type(p: syntax.Parameter) -> syntax.AttributeType:
    """The type of a parameter that is an attribute."""
    assert isinstance(p.type, syntax.AttributeType)
    return p.type


def pack_of(node: syntax.Expression | None) -> str | None:
    """The name in ``...s``; None for ``...``, for arithmetic, and for no pack."""
    value = node.value if isinstance(node, syntax.Pack) else None
    return value.name if isinstance(value, syntax.Name) else None


def dimension_names(operator: syntax.Operator) -> set[str]:
    """Names that stand for an extent in a tensor parameter."""
    found: set[str] = set()
    for p in operator.tensors:
        for axis in axes_of(p):
            if isinstance(axis, syntax.Name):
                found.add(axis.name)
            elif isinstance(axis, syntax.Composite):
                found |= {a.name for a in axis.parts if isinstance(a, syntax.Name)}
    return found


def instance_sizes(operator: syntax.Operator) -> dict[str, str]:
    """Sizes that differ by instance, with the variadic parameter that has them.

    They are the sizes that no other parameter mentions.
    """
    inside: dict[str, str] = {}
    outside: set[str] = set()
    for p in operator.tensors:
        for axis in axes_of(p):
            if isinstance(axis, syntax.Name):
                if p.variadic:
                    inside[axis.name] = p.name
                else:
                    outside.add(axis.name)
    return {name: p for name, p in inside.items() if name not in outside}


def measured_axes(result: syntax.Result, operator: syntax.Operator) -> dict[int, str]:
    """Axes of a result whose length follows from fractions, with a size for each.

    ``ceil((stop - start) / step)`` is computed once, when the call is bound, and the
    kernel is told: no device then rounds it otherwise.
    """
    fractions = {
        p.name
        for p in operator.attributes
        if attribute_type(p).kind in ("float", "number")
    }
    return {
        k: f"{result.name}_extent{k}"
        for k, axis in enumerate(axes_of(result))
        if not isinstance(axis, syntax.Pack) and fractions & set(names(axis))
    }


def static_names(operator: syntax.Operator) -> frozenset[str]:
    """Integer attributes that a template needs to know: permutations and counts."""
    found: set[str] = set()
    for node in walk(operator):
        if isinstance(node, syntax.Apply) and node.function in (
            "permute",
            "unpermute",
        ):
            found |= set(names(node.arguments[1]))
    return frozenset(found)


def fitted_packs(operator: syntax.Operator) -> frozenset[str]:
    """Packs s that ``fit(i, s)`` broadcasts to the index i."""
    found: set[str] = set()
    for node in walk(operator.definitions):
        if isinstance(node, syntax.Apply) and node.function == "fit":
            found |= set(names(node.arguments[-1]))
    return frozenset(found)


def split_attributes(
    operator: syntax.Operator, values: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, int | float]]:
    """Attribute values that select a program, and those that are launched with it."""
    static: dict[str, Any] = {}
    scalars: dict[str, int | float] = {}
    frozen = static_names(operator)
    for p in operator.attributes:
        kind, value = attribute_type(p), values[p.name]
        if (
            value is None
            or kind.kind not in ("int", "float", "number")
            or p.name in frozen
        ):
            # A shape is launched as sizes: only its rank selects.
            static[p.name] = None if kind.kind == "shape" else value
        elif kind.count is not None:
            scalars.update({f"{p.name}{k}": v for k, v in enumerate(value)})
        else:
            scalars[p.name] = value
    return static, scalars
