"""Index variables, and folds over them: reductions, contractions, any monoid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from opslib.codegen import array_integers as integers
from opslib.codegen import array_windows
from opslib.codegen.array_code import (
    COMPARE,
    Code,
    call,
    infix,
    name,
    subscript,
)
from opslib.codegen.array_value import (
    Kept,
    Value,
    axis_argument,
    shape_code,
    transposed,
    union,
)
from opslib.ir.expr import (
    Axis,
    Cast,
    Const,
    Expr,
    Fold,
    Index,
    Prim,
    Select,
    Var,
    free_indices,
    walk,
)
from opslib.ir.monoid import Monoid

if TYPE_CHECKING:
    from opslib.codegen.array_printer import Printer

_REDUCTIONS = {
    "sum": "sum",
    "prod": "prod",
    "max": "max",
    "min": "min",
    "any": "any",
    "all": "all",
    "count": "sum",
}


# --- Index variables ---------------------------------------------------------------


def bind(printer: Printer, axis: Axis) -> Value | None:
    """Brings an index variable into scope; the mask of its range, if it is ragged."""
    if axis.name in printer.extents:
        return _mask_again(printer, axis)
    module = printer.module
    printer.order[axis.name] = len(printer.order)
    start, stop = integers.polynomial(axis.start), integers.polynomial(axis.stop)
    bound_here = any(
        isinstance(n, Index) and n.name in printer.extents
        for e in (axis.start, axis.stop)
        for n in walk(e)
    )
    if start is not None and stop is not None and not bound_here:
        length = integers.minus(stop, start)
        first, last = printer.integer(start), printer.integer(stop)
        args = [last] if start == {} else [first, last]
        printer.dense[axis.name] = (axis.start, axis.stop)
        printer.extents[axis.name] = printer.integer(length)
        printer.index[axis.name] = Value(call(f"{module}.arange", *args), (axis.name,))
        return None
    low, high = printer.emit(axis.start), printer.emit(axis.stop)
    if axis.bound is not None:
        bound = printer.integer(axis.bound)
    elif not printer.dialect.mutable:
        raise NotImplementedError("a range that depends on data and has no bound")
    else:
        (a, b), _ = printer.together([low, high])
        span = infix("-", 6, b, a)
        most = call(f"{module}.max", span, "initial=0")
        bound = name(next(printer.fresh))
        printer.line(f"{bound} = int({most})")
    steps = Value(call(f"{module}.arange", bound), (axis.name,))
    printer.extents[axis.name] = bound
    if isinstance(axis.start, Const) and axis.start.value == 0:
        position = steps
    else:
        (a, b), axes = printer.together([low, steps])
        position = Value(infix("+", 6, a, b), axes)
    printer.index[axis.name] = position
    (a, b), axes = printer.together([position, high])
    return Value(infix("<", COMPARE, a, b), axes)


def permuted(printer: Printer, value: Value, axes: Sequence[str]) -> Value:
    """`value` with exactly its axes in the order of `axes`."""
    return transposed(value, tuple(axes), printer.module)


# --- Folds -------------------------------------------------------------------------


def fold(printer: Printer, node: Fold) -> Value:
    """The value of a fold."""
    masks = []
    for axis in node.axes:
        mask = bind(printer, axis)
        if mask is not None:
            masks.append(mask)
            printer.guards += 1
    try:
        return _fold(printer, node, masks)
    finally:
        printer.guards -= len(masks)


def _mask_again(printer: Printer, axis: Axis) -> Value | None:
    if axis.name in printer.dense:
        return None
    high = printer.emit(axis.stop)
    (a, b), axes = printer.together([printer.index[axis.name], high])
    return Value(infix("<", COMPARE, a, b), axes)


def _fold(printer: Printer, node: Fold, masks: list[Value]) -> Value:
    names = [a.name for a in node.axes]
    monoid = node.monoid
    if printer.dialect.windows and not masks:
        windowed = array_windows.pooling(printer, node) or array_windows.convolution(
            printer, node
        )
        if windowed is not None:
            return windowed
    if monoid.name == "sum" and not masks:
        contraction = _contraction(printer, node, names)
        if contraction is not None:
            return contraction
    if monoid.name in _REDUCTIONS:
        value = printer.strong(printer.emit(node.args[0]), node.args[0].dtype)
        identity = monoid.identity[0]
        if masks:
            absent = False if monoid.name == "count" else identity.value
            value = _masked(printer, value, masks, Const(absent, node.args[0].dtype))
        return _reduction(printer, monoid, value, names)
    plain_arg = (
        monoid.name in ("argmax", "argmin")
        and len(names) == 1
        and not masks
        and node.args[1] is Index(names[0])
        and integers.polynomial(node.axes[0].start) == {}
    )
    if plain_arg:
        value = printer.strong(printer.emit(node.args[0]), node.args[0].dtype)
        return _reduction(printer, monoid, value, names, node.output)
    return _generic(printer, node, names, masks)


def _masked(printer: Printer, value: Value, masks: list[Value], absent: Expr) -> Value:
    mask = masks[0]
    for other in masks[1:]:
        (a, b), axes = printer.together([mask, other])
        mask = Value(infix("&", 4, a, b), axes)
    other_value = printer.emit(absent)
    (m, v, o), axes = printer.together([mask, value, other_value])
    return Value(call(f"{printer.module}.where", m, v, o), axes)


def _reduction(
    printer: Printer, monoid: Monoid, value: Value, names: list[str], output: int = 0
) -> Value:
    """``np.sum(x, axis=-1)`` and its like."""
    missing = [n for n in names if n not in value.axes]
    if missing:
        axes = union([value, *(Value(name(n), (n,)) for n in names)], printer.order)
        value = Value(printer.full(value, axes), axes)
    positions = sorted(value.axes.index(n) for n in names)
    args: list[Code | str] = [value.code]
    args += axis_argument(positions, len(value.axes))
    state = monoid.state[0]
    if monoid.name in ("argmax", "argmin"):
        text = monoid.name if output == 0 else monoid.name[3:]
    else:
        text = _REDUCTIONS[monoid.name]
    function = f"{printer.module}.{text}"
    own = printer.dialect.reductions.get(text)
    if own is not None and (state.is_float or text not in ("max", "min")):
        function = printer.helper(own)
    elif text in ("max", "min"):
        # Of nothing, the identity; of something, no effect.
        args.append(f"initial={_identity(printer, monoid)}")
    elif monoid.name == "count" or (
        text in ("sum", "prod") and state.is_integer and state.bits < 64
    ):
        args.append(f"dtype={printer.dtype(state)}")
    axes = tuple(a for a in value.axes if a not in names)
    kept = None
    if len(names) < len(value.axes):
        shape = tuple(None if a in names else a for a in value.axes)
        kept = Kept(call(function, *args, "keepdims=True"), shape)
    return Value(call(function, *args), axes, kept=kept)


def _identity(printer: Printer, monoid: Monoid) -> str:
    return printer.emit(monoid.identity[0]).code.text


# --- Contractions ------------------------------------------------------------------


def _factors(node: Expr) -> list[Expr]:
    if isinstance(node, Prim) and node.op == "mul":
        return [f for a in node.args for f in _factors(a)]
    return [node]


def _contraction(printer: Printer, node: Fold, names: list[str]) -> Value | None:
    """A sum of products as matmul or einsum, where the product would be larger."""
    if any(isinstance(n, Fold) for n in walk(*node.args)):
        return None
    values = [
        printer.strong(printer.emit(f), f.dtype)
        for f in _factors(node.args[0])
        if free_indices(f)
    ]
    if len(values) != len(_factors(node.args[0])) or len(values) < 2:
        return None
    groups: list[Value] = []
    for value in values:
        for k, group in enumerate(groups):
            if set(value.axes) <= set(group.axes) or set(group.axes) <= set(value.axes):
                (a, b), axes = printer.together([group, value])
                groups[k] = Value(infix("*", 7, a, b), axes)
                break
        else:
            groups.append(value)
    whole = union(groups, printer.order)
    if len(groups) < 2 or not set(names) <= set(whole):
        return None
    product = _matmul(printer, groups, names) if len(names) == 1 else None
    return product or _einsum(printer, groups, names, whole)


def _matmul(printer: Printer, groups: list[Value], names: list[str]) -> Value | None:
    if len(groups) != 2:
        return None
    (k,) = names
    a, b = groups
    order = printer.order
    if k not in a.axes or k not in b.axes:
        return None
    own = [
        sorted(set(x.axes) - set(y.axes), key=order.__getitem__)
        for x, y in ((a, b), (b, a))
    ]
    if not own[0] or not own[1]:
        return None
    if order[own[0][-1]] > order[own[1][-1]]:
        a, b, own = b, a, own[::-1]
    row, column = own[0][-1], own[1][-1]
    batch = [x for x in union([a, b], order) if x not in (row, column, k)]
    left = [x for x in batch if x in a.axes]
    right = [x for x in batch if x in b.axes]
    # Broadcasting adds leading axes only.
    if not (_is_suffix(left, batch) and _is_suffix(right, batch)):
        return None
    codes = [
        permuted(printer, a, [*left, row, k]).code,
        permuted(printer, b, [*right, k, column]).code,
    ]
    text = call(f"{printer.module}.matmul", *codes, *printer.dialect.matmul_options)
    return Value(text, (*batch, row, column))


def _is_suffix(part: list[str], whole: list[str]) -> bool:
    return not part or whole[-len(part) :] == part


def _einsum(
    printer: Printer, groups: list[Value], names: list[str], whole: tuple[str, ...]
) -> Value:
    letters: dict[str, str] = {}
    spare = iter("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    wanted = {a: a[0] for a in whole if a[0].isalpha() and a[0].isascii()}
    for axis in whole:
        letter = wanted.get(axis)
        if letter is None or letter in letters.values():
            letter = next(
                s for s in spare if s not in {*letters.values(), *wanted.values()}
            )
        letters[axis] = letter
    result = tuple(a for a in whole if a not in names)
    inputs = ",".join("".join(letters[a] for a in g.axes) for g in groups)
    formula = f'"{inputs}->{"".join(letters[a] for a in result)}"'
    args = [g.code for g in groups]
    options = printer.dialect.einsum_options
    return Value(call(f"{printer.module}.einsum", formula, *args, *options), result)


# --- Any monoid --------------------------------------------------------------------


def _generic(
    printer: Printer, node: Fold, names: list[str], masks: list[Value]
) -> Value:
    values = lifted(printer, node.monoid, node.args)
    if masks:
        values = [
            _masked(printer, v, masks, i)
            for v, i in zip(values, node.monoid.identity, strict=True)
        ]
    axes = union([*values, *(Value(name(n), (n,)) for n in names)], printer.order)
    states = [printer.full(v, axes) for v in values]
    positions = [axes.index(n) for n in names]
    at = name(str(positions[0]) if len(names) == 1 else repr(tuple(positions)))
    combine = combiner(printer, node.monoid)
    identity = constants(printer, node.monoid)
    folded = call(printer.helper("fold"), combine, identity, shape_code(states), at)
    rest = tuple(a for a in axes if a not in names)
    return finished(printer, node.monoid, folded, rest, node.output)


def constants(printer: Printer, monoid: Monoid) -> Code:
    """The identity of a monoid, as a tuple."""
    return shape_code([printer.emit(c).code for c in monoid.identity])


def lifted(printer: Printer, monoid: Monoid, args: Sequence[Expr]) -> list[Value]:
    """Arguments as states."""
    given = {
        f"x{i}": printer.strong(printer.emit(a), a.dtype) for i, a in enumerate(args)
    }
    return [template(printer, t, given) for t in monoid.lift]


def finished(
    printer: Printer, monoid: Monoid, states: Code, axes: tuple[str, ...], output: int
) -> Value:
    """One of the values of finished states (a tuple of arrays over `axes`)."""
    given = {
        f"s{i}": Value(subscript(states, [name(str(i))]), axes)
        for i in range(len(monoid.state))
    }
    return template(printer, monoid.finish[output], given)


def template(printer: Printer, root: Expr, given: dict[str, Value]) -> Value:
    """A monoid's template, with its placeholders given."""
    for node in walk(root):
        if isinstance(node, Var):
            printer.memo[node, False] = printer.memo[node, True] = given[node.name]
        elif isinstance(node, Prim | Cast | Select):
            for guarded in (False, True):
                printer.memo.pop((node, guarded), None)
    return printer.emit(root)


def combiner(printer: Printer, monoid: Monoid) -> str:
    """Name of a function that joins two states; printed before the entry."""
    key = (monoid.name, monoid.state, monoid.combine)
    if key not in printer.combiners:
        text = f"combine_{monoid.name}"
        if text in printer.combiners.values():
            text += f"_{len(printer.combiners)}"
        printer.combiners[key] = text
        count = len(monoid.state)
        names = [f"{side}{i}" for side in "ab" for i in range(count)]
        given = {n: Value(name(n)) for n in names}
        results = [template(printer, t, given).code.text for t in monoid.combine]
        printer.prelude += [
            f"def {text}({', '.join(names)}):",
            f"    return ({', '.join(results)},)",
            "",
            "",
        ]
    return printer.combiners[key]
