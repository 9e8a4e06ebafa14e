"""Reads as slices, reshapes and gathers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from opslib.codegen import array_integers as integers
from opslib.codegen.array_code import Code, call, method, name, subscript
from opslib.codegen.array_integers import Polynomial
from opslib.codegen.array_value import Value, union
from opslib.ir.expr import Cast, Expr, Fold, Order, Read, Scan, Select, walk
from opslib.ir.polynomial import added
from opslib.ir.ranges import within

if TYPE_CHECKING:
    from opslib.codegen.array_printer import Printer


@dataclass(frozen=True, slots=True)
class Slice:
    """An axis walked by one index variable: ``[start:stop:step]``, then reversed."""

    variable: str
    text: Code
    full: bool
    backwards: bool = False


@dataclass(frozen=True, slots=True)
class Merged:
    """An axis that several index variables walk together, the last one fastest."""

    variables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """One element of an axis, the same everywhere."""

    at: Code


@dataclass(frozen=True, slots=True)
class Gather:
    """An axis read at an array of positions."""

    at: Value
    clip: bool


Item = Slice | Merged | Point | Gather


def classify(
    printer: Printer, index: Expr, extent: Expr, *, write: bool = False
) -> Item:
    """How an axis of length `extent` is walked by `index`."""
    value = integers.polynomial(index)
    safe = printer.guards == 0 or _proven(printer, index, extent)
    if value is not None and safe:
        loose = frozenset(v for v in printer.index if v in printer.extents)
        parts = integers.split(value, loose)
        if parts is not None:
            coefficients, rest = parts
            if not coefficients:
                return Point(printer.integer(rest))
            if all(v in printer.dense for v in coefficients):
                item = _affine(printer, coefficients, rest, extent)
                if item is not None:
                    return item
    clip = not safe or (
        not write
        and _from_data(index)
        and (printer.dialect.clamps or _policy_clamps(printer))
    )
    return Gather(_position(printer, index), clip)


def _position(printer: Printer, index: Expr) -> Value:
    # Any integer type indexes; widening it first would only be noise.
    while isinstance(index, Cast) and index.value.dtype.is_integer:
        index = index.value
    return printer.emit(index)


def _from_data(index: Expr) -> bool:
    return any(isinstance(n, Read | Fold | Scan | Order | Select) for n in walk(index))


def _policy_clamps(printer: Printer) -> bool:
    return any(c.policy == "clamp" for c in printer.program.checks)


def _proven(printer: Printer, index: Expr, extent: Expr) -> bool:
    extents = {
        v: stop for v, (start, stop) in printer.dense.items() if not _nonzero(start)
    }
    return within(index, extent, extents)


def _nonzero(start: Expr) -> bool:
    return integers.polynomial(start) != {}


def _affine(
    printer: Printer,
    coefficients: dict[str, Polynomial],
    rest: Polynomial,
    extent: Expr,
) -> Slice | Merged | None:
    size = integers.polynomial(extent)
    if size is None:
        return None
    if len(coefficients) > 1:
        return _merged(printer, coefficients, rest, size)
    ((variable, coefficient),) = coefficients.items()
    start, stop = (integers.polynomial(e) for e in printer.dense[variable])
    if start is None or stop is None or list(coefficient) != [()]:
        return None
    step = coefficient[()]
    if step == -1:
        # rest - start down to rest - stop + 1.
        low = added(integers.minus(rest, stop), {(): 1})
        high = added(integers.minus(rest, start), {(): 1})
    elif step > 0:
        low = added(rest, integers.times(start, {(): step}))
        high = added(rest, integers.times(stop, {(): step}))
    else:
        return None
    full = low == {} and high == size
    first = "" if low == {} else printer.integer(low).text
    last = "" if high == size else printer.integer(high).text
    if step > 1 and _at_least(high, size):
        last = ""
    text = f"{first}:{last}" + (f":{step}" if step > 1 else "")
    return Slice(variable, name(text), full and step in (1, -1), step == -1)


def _at_least(high: Polynomial, size: Polynomial) -> bool:
    difference = integers.minus(high, size)
    return difference == {} or (list(difference) == [()] and difference[()] > 0)


def _merged(
    printer: Printer,
    coefficients: dict[str, Polynomial],
    rest: Polynomial,
    size: Polynomial,
) -> Merged | None:
    """``h * r + u`` with u in 0..r and h in 0..g reads an axis of length g * r."""
    if rest:
        return None
    step: Polynomial = integers.constant(1)
    found: list[str] = []
    left = dict(coefficients)
    while left:
        fits = [v for v, c in left.items() if c == step]
        if len(fits) != 1:
            return None
        (variable,) = fits
        start, stop = (integers.polynomial(e) for e in printer.dense[variable])
        if start != {} or stop is None:
            return None
        step = integers.times(step, stop)
        found.insert(0, variable)
        del left[variable]
    return Merged(tuple(found)) if step == size else None


def read(printer: Printer, node: Read) -> Value:
    """The value of a read, over all index variables its indices depend on."""
    tensor = printer.program.tensor(node.tensor)
    items = [
        classify(printer, i, extent)
        for i, extent in zip(node.indices, tensor.shape, strict=True)
    ]
    items = _disjoint(printer, items, node)
    code, items = _reshaped(
        printer, name(printer.names[node.tensor]), items, tensor.shape
    )
    code, items = _sliced(code, items)
    return _gathered(printer, code, items)


def _axes(item: Item) -> tuple[str, ...]:
    match item:
        case Slice():
            return (item.variable,)
        case Merged():
            return item.variables
        case Gather():
            return item.at.axes
    return ()


def _disjoint(printer: Printer, items: list[Item], node: Read) -> list[Item]:
    """Turns axes that share an index variable into gathers (a diagonal, say)."""
    counts: dict[str, int] = {}
    for item in items:
        for axis in _axes(item):
            counts[axis] = counts.get(axis, 0) + 1
    result = list(items)
    for k, item in enumerate(items):
        if isinstance(item, Slice | Merged) and any(counts[a] > 1 for a in _axes(item)):
            result[k] = Gather(printer.emit(node.indices[k]), False)
    return result


def _reshaped(
    printer: Printer, code: Code, items: list[Item], shape: tuple[Expr, ...]
) -> tuple[Code, list[Item]]:
    if not any(isinstance(i, Merged) for i in items):
        return code, items
    extents: list[Code] = []
    result: list[Item] = []
    for item, extent in zip(items, shape, strict=True):
        if isinstance(item, Merged):
            extents += [printer.extents[v] for v in item.variables]
            result += [Slice(v, name(":"), True) for v in item.variables]
        else:
            extents.append(printer.integer(extent))
            result.append(item)
    text = ", ".join(e.text for e in extents)
    return method(code, f".reshape({text})", view=True), result


def _sliced(code: Code, items: list[Item]) -> tuple[Code, list[Item]]:
    """Applies slices and single elements; keeps the axes that are left."""
    texts = []
    for item in items:
        match item:
            case Slice(text=text):
                texts.append(text.text)
            case Point(at):
                texts.append(at.text)
            case _:
                texts.append(":")
    left: list[Item] = [i for i in items if not isinstance(i, Point)]
    code = _bracketed(code, texts)
    flips = ["::-1" if isinstance(i, Slice) and i.backwards else ":" for i in left]
    return _bracketed(code, flips), left


def _bracketed(code: Code, texts: list[str]) -> Code:
    if all(t == ":" for t in texts):
        return code
    rank = len(texts)
    while texts[-1] == ":":
        texts = texts[:-1]
    lead = next(k for k, t in enumerate(texts) if t != ":")
    if lead and len(texts) == rank:
        texts = ["...", *texts[lead:]]
    return method(code, f"[{', '.join(texts)}]", view=True)


def _gathered(printer: Printer, code: Code, items: list[Item]) -> Value:
    gathers = [k for k, i in enumerate(items) if isinstance(i, Gather)]
    used = [a for k in gathers for a in _axes(items[k])]
    if len(used) == len(set(used)):
        return _each_apart(printer, code, items, gathers)
    return _pointwise(printer, code, items, gathers)


def _each_apart(
    printer: Printer, code: Code, items: list[Item], gathers: list[int]
) -> Value:
    """No two gathered axes share an index: one is taken after the other."""
    axes = [_axes(i) for i in items]
    for k in reversed(gathers):
        item = items[k]
        assert isinstance(item, Gather)
        if item.clip:
            at = f"axis={k}"
            clipped = printer.helper("clipped")
            code = call(clipped, code, item.at.code, *([at] if k else []))
        else:
            code = subscript(code, [*([":"] * k), item.at.code])
    return Value(code, tuple(a for group in axes for a in group))


def _pointwise(
    printer: Printer, code: Code, items: list[Item], gathers: list[int]
) -> Value:
    """Gathered axes share an index: all are read together, at points."""
    first, last = gathers[0], gathers[-1]
    positions: list[Value] = []
    clip = False
    for k in range(first, last + 1):
        item = items[k]
        if isinstance(item, Gather):
            clip = clip or item.clip
            positions.append(item.at)
        else:  # between two gathered axes: its slice has been applied already
            assert isinstance(item, Slice)
            length = printer.extents[item.variable]
            arange = call(f"{printer.module}.arange", length)
            positions.append(Value(arange, (item.variable,)))
    axes = union(positions, printer.order)
    points = [printer.align(p, axes) for p in positions]
    if clip:
        at = [f"axis={first}"] if first else []
        code = call(printer.helper("clipped"), code, *points, *at)
    else:
        code = subscript(code, [*([":"] * first), *points])
    before = tuple(a for i in items[:first] for a in _axes(i))
    after = tuple(a for i in items[last + 1 :] for a in _axes(i))
    return Value(code, before + axes + after)
