"""``f[j](...)``: folds, prefix folds, orders, and operators along an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from opslib.ir import monoid
from opslib.ir.build import (
    arithmetic,
    boolean,
    cast,
    compare,
    extent,
    integer,
    is_weak,
    multiply_add,
    negation,
    product,
    select,
)
from opslib.ir.dtypes import FLOAT64, INT64, compute_type, sum_type
from opslib.ir.expansion import calls
from opslib.ir.expansion.extents import infer
from opslib.ir.expansion.frame import Frame, Scope, fresh
from opslib.ir.expr import (
    ONE,
    ZERO,
    Axis,
    Const,
    Expr,
    Fold,
    Order,
    Scan,
    Var,
    substitute,
)
from opslib.ir.monoid import Monoid
from opslib.ir.packs import ravel
from opslib.language import syntax
from opslib.language.tree import walk

FOLDS = frozenset(
    {"sum", "prod", "max", "min", "any", "all", "mean", "count", "argmax", "argmin"}
)
SCANS = {
    "cumsum": monoid.sum_of,
    "cumprod": monoid.product_of,
    "cummax": monoid.maximum_of,
    "cummin": monoid.minimum_of,
}
ORDERS = frozenset({"sort", "argsort", "topk"})


def along(frame: Frame, node: syntax.Along, scope: Scope) -> Expr:
    """The value of an application along indices."""
    variadic = _variadic_binder(frame, node)
    if variadic:
        return _over_instances(frame, node, variadic, scope)
    axes, inner = bind_indices(frame, node, scope)
    name = node.function
    if name in FOLDS and not node.keywords:
        return _fold(frame, node, axes, inner, scope)
    if name in SCANS:
        return _scan(frame, node, axes, inner, scope)
    if name in ORDERS:
        return _order(frame, node, axes, inner, scope)
    return calls.call_along(frame, node, axes, inner, scope)


def bind_indices(
    frame: Frame, node: syntax.Along, scope: Scope
) -> tuple[tuple[Axis, ...], Scope]:
    """The fold's axes, and the scope in which its argument is evaluated.

    An operator along an index that is live already (``softmax[j]`` where j is on the
    left side) uses that index: its value is the one at j.
    """
    wanted = frozenset(
        b.name for b in node.binders if b.start is None and not _is_live(b, scope)
    )
    live = [b for b in node.binders if _is_live(b, scope)]
    found = infer(frame, node.arguments, wanted, scope) if wanted else {}
    if live:
        again = frozenset(b.name for b in live)
        found |= infer(frame, node.arguments, again, scope)
    axes: list[Axis] = []
    inner = scope
    for binder in node.binders:
        if binder.start is None and binder.name not in found:
            live_axes = {a.index: a for a in scope.axes}
            known = scope.indices.get(binder.name)
            if known in live_axes:
                found[binder.name] = (live_axes[known].stop,)
            else:
                frame.fail(
                    binder,
                    f"nothing says how far '{binder.name}' goes",
                    "E0505",
                    help=f"give a range: {binder.name} in 0..n",
                )
        made, inner = _binder_axes(frame, binder, found, inner)
        axes += made
    return tuple(axes), inner


def _is_live(binder: syntax.Binder, scope: Scope) -> bool:
    names = scope.packs if binder.pack else scope.indices
    return binder.name in names and binder.start is None


def _binder_axes(
    frame: Frame,
    binder: syntax.Binder,
    found: dict[str, tuple[Expr, ...]],
    scope: Scope,
) -> tuple[list[Axis], Scope]:
    if binder.pack:
        made = [
            Axis(fresh(frame, scope, f"{binder.name}{k}"), ZERO, n)
            for k, n in enumerate(found[binder.name])
        ]
        entries = tuple(a.index for a in made)
        packs = {**scope.packs, binder.name: entries}
        return made, replace(scope.with_axes(*made), packs=packs)
    if binder.start is not None and binder.stop is not None:
        start = cast(frame.value(binder.start, scope), INT64)
        stop = cast(frame.value(binder.stop, scope), INT64)
        bound = None
        if binder.bound is not None:
            bound = cast(frame.value(binder.bound, scope), INT64)
        axis = Axis(fresh(frame, scope, binder.name), start, stop, bound)
    else:
        axis = Axis(fresh(frame, scope, binder.name), ZERO, found[binder.name][0])
    indices = {**scope.indices, binder.name: axis.index}
    return [axis], replace(scope.with_axes(axis), indices=indices)


def _argument(frame: Frame, node: syntax.Along, scope: Scope) -> Expr:
    result = frame.value(node.arguments[0], scope)
    return strong(frame, result)


def strong(frame: Frame, node: Expr) -> Expr:
    """A folded value needs a type of its own: fractions take the operator's."""
    if is_weak(node) and node.dtype == FLOAT64:
        for dtype in frame.dtypes.values():
            if dtype.is_float:
                return cast(node, compute_type(dtype))
    return node


def _fold(
    frame: Frame,
    node: syntax.Along,
    axes: tuple[Axis, ...],
    inner: Scope,
    scope: Scope,
) -> Expr:
    argument = _argument(frame, node, inner)
    name = node.function
    if not axes:
        return _of_one(name, argument)
    match name:
        case "sum" | "prod" | "mean":
            argument = cast(argument, sum_type(argument.dtype))
            make = monoid.product_of if name == "prod" else monoid.sum_of
            total = folded(make(argument.dtype), axes, (argument,))
            if name != "mean":
                return total
            count = product([extent(a) for a in axes])
            return arithmetic("div", _as_float(total), count)
        case "max":
            return folded(monoid.maximum_of(argument.dtype), axes, (argument,))
        case "min":
            return folded(monoid.minimum_of(argument.dtype), axes, (argument,))
        case "any":
            return folded(monoid.ANY, axes, (boolean(argument),))
        case "all":
            return folded(monoid.ALL, axes, (boolean(argument),))
        case "count":
            return folded(monoid.count_of(), axes, (boolean(argument),))
    position = axes[0].index if len(axes) == 1 else _flat(axes)
    made = monoid.arg_of(argument.dtype, name == "argmax")
    return folded(made, axes, (argument, position), scope.output)


def _of_one(name: str, argument: Expr) -> Expr:
    """A fold over no axes at all: of the one element there is."""
    match name:
        case "sum" | "prod":
            return cast(argument, sum_type(argument.dtype))
        case "mean":
            return _as_float(cast(argument, sum_type(argument.dtype)))
        case "any" | "all":
            return boolean(argument)
        case "count":
            return cast(boolean(argument), INT64)
        case "argmax" | "argmin":
            return ZERO
    return argument


def folded(
    made: Monoid, axes: tuple[Axis, ...], args: tuple[Expr, ...], output: int = 0
) -> Expr:
    """A fold; over no axes at all (a scalar's sum) it is the one element itself."""
    if axes:
        return Fold(made, axes, args, output)
    given: dict[Expr, Expr] = {Var(f"x{k}", a.dtype): a for k, a in enumerate(args)}
    state: dict[Expr, Expr] = {
        Var(f"s{k}", lifted.dtype): substitute(lifted, given)
        for k, lifted in enumerate(made.lift)
    }
    return substitute(made.finish[output], state)


def _as_float(node: Expr) -> Expr:
    return node if node.dtype.is_float else cast(node, FLOAT64)


def _flat(axes: Sequence[Axis]) -> Expr:
    extents = [extent(a) for a in axes]
    return ravel([a.index for a in axes], extents, ZERO, multiply_add)


def _keyword(frame: Frame, node: syntax.Along, name: str, scope: Scope) -> bool:
    for key, given in node.keywords:
        if key == name:
            found = frame.value(given, scope)
            if isinstance(found, Const):
                return bool(found.value)
            frame.fail(given, f"'{name}' must be known before compilation", "E0312")
    return False


def _scan(
    frame: Frame,
    node: syntax.Along,
    axes: tuple[Axis, ...],
    inner: Scope,
    scope: Scope,
) -> Expr:
    argument = _argument(frame, node, inner)
    if node.function in ("cumsum", "cumprod"):
        argument = cast(argument, sum_type(argument.dtype))
    at = _position(frame, node, 1, scope)
    made = SCANS[node.function](argument.dtype)
    axis = axes[0]
    if _keyword(frame, node, "reverse", scope):
        # The suffix of x at i is the prefix of the mirrored x at n - 1 - i.
        argument = substitute(argument, {axis.index: _mirrored(axis, axis.index)})
        at = _mirrored(axis, at)
    if _keyword(frame, node, "exclusive", scope):
        before = Scan(made, axis, (argument,), arithmetic("sub", at, ONE))
        return select(compare("gt", at, axis.start), before, made.identity[0])
    return Scan(made, axis, (argument,), at)


def _mirrored(axis: Axis, at: Expr) -> Expr:
    last = arithmetic("sub", arithmetic("add", axis.start, axis.stop), ONE)
    return arithmetic("sub", last, at)


def _position(frame: Frame, node: syntax.Along, k: int, scope: Scope) -> Expr:
    """The position asked for: an explicit argument, or the live index itself."""
    if len(node.arguments) > k:
        return frame.value(node.arguments[k], scope)
    name = node.binders[0].name
    if name in scope.indices:
        return scope.indices[name]
    frame.fail(node, f"say at which position: {node.function}[j](x, i)", "E0311")


def _order(
    frame: Frame,
    node: syntax.Along,
    axes: tuple[Axis, ...],
    inner: Scope,
    scope: Scope,
) -> Expr:
    argument = _argument(frame, node, inner)
    at = _position(frame, node, 1, scope)
    output = 1 if node.function == "argsort" else scope.output
    descending = _keyword(frame, node, "descending", scope)
    if node.function == "topk":
        keys = dict(node.keywords)
        descending = _keyword(frame, node, "largest", scope) or "largest" not in keys
    return Order(axes[0], argument, at, descending, output)


# --- Over the instances of a variadic tensor ----------------------------------------


def _variadic_binder(frame: Frame, node: syntax.Along) -> str:
    """The binder that selects among tensors, if that is what this fold does."""
    if len(node.binders) != 1 or not frame.variadic:
        return ""
    name = node.binders[0].name
    for inner in walk(node.arguments):
        if isinstance(inner, syntax.Index):
            selector = inner.which
            if selector is None and inner.base in frame.instance_sizes:
                selector = inner.items[0]
            if isinstance(selector, syntax.Name) and selector.name == name:
                return name
    return ""


def _over_instances(frame: Frame, node: syntax.Along, name: str, scope: Scope) -> Expr:
    binder = node.binders[0]
    count = len(next(iter(frame.variadic.values())))
    positions = range(count)
    if binder.start is not None and binder.stop is not None:
        start = frame.value(binder.start, scope)
        stop = frame.value(binder.stop, scope)
        if not isinstance(start, Const) or not isinstance(stop, Const):
            frame.fail(binder, "the instances must be known", "E0411")
        positions = range(int(start.value), int(stop.value))
    scopes = [
        replace(scope, indices={**scope.indices, name: integer(k)}) for k in positions
    ]
    if node.function == "first":
        return _first(frame, node, scopes)
    made = [frame.value(node.arguments[0], s) for s in scopes]
    match node.function:
        case "sum":
            result: Expr = ZERO if not made else made[0]
            for other in made[1:]:
                result = arithmetic("add", result, other)
            return result
        case "prod":
            return product(made) if made else ONE
        case "max" | "min" if made:
            result = made[0]
            for other in made[1:]:
                result = arithmetic(node.function, result, other)
            return result
    frame.fail(node, f"'{node.function}' does not go over tensors", "E0302")


def _first(frame: Frame, node: syntax.Along, scopes: list[Scope]) -> Expr:
    """``first[v](value, condition)``: a chain of lazy selections.

    The last instance needs no test: the author says that one condition holds.
    """
    chain: list[tuple[Expr, Expr]] = []
    for s in scopes:
        condition = boolean(frame.value(node.arguments[1], s))
        for earlier, _ in chain:
            s = s.taking(negation(earlier))
        taken = frame.value(node.arguments[0], s.taking(condition))
        chain.append((condition, taken))
    result = chain[-1][1]
    for condition, taken in reversed(chain[:-1]):
        result = select(condition, taken, result)
    return result
