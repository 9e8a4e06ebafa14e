"""A result defined in pieces: one definition that asks where it is.

``y[2*i] = a[i]`` and ``y[2*i + 1] = b[i]`` become ``y[p] = a[p // 2] if p % 2 == 0
else b[p // 2]``: a left side that is affine in its index is turned round, so that
every backend, and every skeleton, sees a definition at plain indices.

That the pieces cover each element exactly once is proven where it follows from the
ranges for all sizes, and checked before the kernel runs otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from opslib.ir.build import (
    arithmetic,
    both,
    cast,
    compare,
    integer,
    select,
)
from opslib.ir.dtypes import INT64
from opslib.ir.expansion import access, definitions
from opslib.ir.expansion.draft import Draft
from opslib.ir.expansion.extents import infer
from opslib.ir.expansion.frame import Frame, Group, Scope
from opslib.ir.expansion.partition import Part, partition_checks
from opslib.ir.expr import (
    TRUE,
    ZERO,
    Axis,
    Check,
    Const,
    Expr,
    Index,
    Prim,
    free_indices,
    is_const,
    substitute,
)
from opslib.language import syntax
from opslib.language.pieces import is_piece
from opslib.language.tree import names


@dataclass(frozen=True, slots=True)
class _Solved:
    """A piece at the element p: its condition and its value.

    parts: what it takes of each axis. condition: TRUE where it takes everything.
    """

    parts: tuple[Part, ...]
    when: Expr
    condition: Expr
    value: Expr


def pieces_of(operator: syntax.Operator, name: str) -> tuple[syntax.Definition, ...]:
    """All definitions of a result, if one of them is a piece of it; else none."""
    if all(r.name != name for r in operator.results):
        return ()  # Behind a local, ranges say how far its indices go.
    found = tuple(
        d
        for d in operator.definitions
        if d.combine is None and any(t.name == name for t in d.targets)
    )
    return found if any(is_piece(d) for d in found) else ()


def joined(
    draft: Draft, pieces: Sequence[syntax.Definition], groups: list[Group]
) -> tuple[tuple[Axis, ...], Expr]:
    """The axes of a result, and its value at their indices."""
    frame = draft.frame
    axes = _axes(frame, pieces[0].targets[0], groups)
    solved = [_solve(frame, piece, groups, axes) for piece in pieces]
    name = pieces[0].targets[0].name
    stops = tuple(axis.stop for axis in axes)
    checks = partition_checks(
        [(piece.parts, piece.when) for piece in solved],
        stops,
        {axis.name: axis.stop for axis in axes},
    )
    for condition, everywhere in checks:
        whole = access.inlined_integers(frame, condition)
        if whole is None:
            frame.fail(
                pieces[0],
                f"the pieces of '{name}' depend on computed fractions",
                "E0510",
                help="decide by inputs, sizes and attributes only",
            )
        message = f"the pieces of '{name}' do not define each element exactly once"
        made = Check(axes if everywhere else (), whole, message)
        if made not in frame.shared.checks:
            frame.shared.checks.append(made)
    value = solved[-1].value
    for piece in reversed(solved[:-1]):
        value = select(piece.condition, piece.value, value)
    return axes, value


def _axes(
    frame: Frame, target: syntax.Target, groups: Sequence[Group]
) -> tuple[Axis, ...]:
    """One axis for each dim of the result, by the names of the first piece."""
    axes: list[Axis] = []
    for number, (item, dims) in enumerate(_dealt(frame, target, groups)):
        if isinstance(item, syntax.Pack):
            base = "b" if item.value is None else str(getattr(item.value, "name", "b"))
            made = [f"{base}{k}" for k in range(len(dims))]
        elif isinstance(item, syntax.Composite):
            made = [f"p{number}_{k}" for k in range(len(dims))]
        else:
            made = (
                [f"p{number}"]
                if len(dims) == 1
                else [f"p{number}_{k}" for k in range(len(dims))]
            )
        for name, dim in zip(made, dims, strict=True):
            axes.append(Axis(definitions.unique(frame, name, axes), ZERO, dim))
    return tuple(axes)


def _dealt(
    frame: Frame, target: syntax.Target, groups: Sequence[Group]
) -> list[tuple[syntax.Expression, list[Expr]]]:
    parts = definitions.widths(frame, target, groups)
    return [
        (item, [d for g in part for d in g.dims])
        for item, part in zip(target.items, parts, strict=True)
    ]


def _solve(
    frame: Frame,
    piece: syntax.Definition,
    groups: Sequence[Group],
    axes: tuple[Axis, ...],
) -> _Solved:
    """A piece turned round: its indices as functions of the element's position."""
    target = piece.targets[0]
    own = _own_names(frame, piece)
    found = infer(frame, (piece.value,), frozenset(own), Scope())
    ranges = {b.name: b for b in piece.ranges}
    indices: dict[str, Expr] = {}
    packs: dict[str | None, tuple[Expr, ...]] = {}
    parts: list[Part] = []
    facts: list[Expr] = []
    rest = list(axes)
    for item, dims in _dealt(frame, target, groups):
        here, rest = rest[: len(dims)], rest[len(dims) :]
        if isinstance(item, syntax.Pack):
            name = None if item.value is None else getattr(item.value, "name", None)
            packs[name] = tuple(axis.index for axis in here)
            parts += [Part.all()] * len(here)
            continue
        if isinstance(item, syntax.Composite) and len(item.parts) == len(here):
            inside = zip(item.parts, here, strict=True)
        elif len(here) == 1:
            inside = zip((item,), here, strict=True)
        else:
            frame.fail(
                item,
                "a piece names the parts of a composite axis one by one",
                "E0503",
                help="write (i j) instead of one flat index",
            )
        for inner, axis in inside:
            parts.append(_part(frame, inner, axis, own, found, ranges, indices, facts))
    scope = Scope(indices=indices, packs=packs, axes=axes, path=tuple(facts))
    when: Expr = TRUE
    if piece.condition is not None:
        when = frame.value(piece.condition, scope)
        scope = scope.taking(when)
    value = frame.value(piece.value, scope)
    condition = when
    for fact in reversed(facts):
        condition = both(fact, condition)
    return _Solved(tuple(parts), when, condition, value)


def _own_names(frame: Frame, piece: syntax.Definition) -> list[str]:
    """Names on the left side that are indices of this piece."""
    known = set(frame.sizes) | set(frame.attributes) | set(frame.operands)
    known |= set(frame.macros) | frame.absent
    own: list[str] = []
    for item in piece.targets[0].items:
        if isinstance(item, syntax.Pack):
            continue
        own += [n for n in names(item) if n not in known and n not in own]
    return own


def _part(
    frame: Frame,
    item: syntax.Expression,
    axis: Axis,
    own: Sequence[str],
    found: dict[str, tuple[Expr, ...]],
    ranges: dict[str, syntax.Binder],
    indices: dict[str, Expr],
    facts: list[Expr],
) -> Part:
    """What one item of a left side takes of its axis; binds its index."""
    mine = [name for name in names(item) if name in own]
    position = axis.index
    if not mine:
        at = cast(frame.value(item, Scope(indices=indices)), INT64)
        facts.append(compare("eq", position, at))
        return Part.single(at)
    name = mine[0]
    if len(mine) > 1 or name in indices:
        frame.fail(
            item,
            f"'{name}' must stand alone in one place of the left side",
            "E0508",
            help="a piece is turned round axis by axis: y[2 * i, j]",
        )
    bare = isinstance(item, syntax.Name)
    scope = Scope(indices={name: Index(name)})
    factor, offset = _affine(frame, item, frame.value(item, scope), name)
    start: Expr = ZERO
    stop: Expr = axis.stop
    if name in ranges:
        start, stop = _ends(frame, ranges[name])
    elif not bare:
        if name not in found:
            frame.fail(
                item,
                f"nothing says how far '{name}' goes",
                "E0502",
                help=f"say it behind the value: for {name} in 0..n",
            )
        stop = found[name][0]
    moved = arithmetic("sub", position, offset)
    if factor < 0:
        moved = arithmetic("sub", offset, position)
    size = abs(factor)
    index = moved if size == 1 else arithmetic("floordiv", moved, integer(size))
    indices[name] = index
    if bare and name not in ranges:
        return Part.all()
    if size > 1:
        rest = arithmetic("mod", moved, integer(size))
        facts.append(compare("eq", rest, ZERO))
    low, high = compare("ge", index, start), compare("lt", index, stop)
    facts.append(both(low, high))
    return Part(factor, offset, start, stop)


def _ends(frame: Frame, binder: syntax.Binder) -> tuple[Expr, Expr]:
    assert binder.start is not None
    assert binder.stop is not None
    start = cast(frame.value(binder.start, Scope()), INT64)
    return start, cast(frame.value(binder.stop, Scope()), INT64)


def _affine(
    frame: Frame, item: syntax.Expression, value: Expr, name: str
) -> tuple[int, Expr]:
    """C and d of an item ``c * i + d``, c a literal and d without indices."""
    found = _coefficient(value, name)
    if found is None or found == 0:
        frame.fail(
            item,
            f"this is no multiple of '{name}' plus something fixed",
            "E0508",
            help="a piece has items such as i, 2 * i + 1, n - 1 - i; or write add=",
        )
    offset = substitute(value, {Index(name): ZERO})
    return found, _simple(offset)


def _coefficient(value: Expr, name: str) -> int | None:
    if name not in free_indices(value):
        return 0
    match value:
        case Index():
            return 1
        case Prim(op="add" | "sub", args=(left, right)):
            first, second = _coefficient(left, name), _coefficient(right, name)
            if first is None or second is None:
                return None
            return first + second if value.op == "add" else first - second
        case Prim(op="mul", args=(left, right)):
            for number, other in ((left, right), (right, left)):
                inner = _coefficient(other, name)
                if isinstance(number, Const) and inner is not None:
                    return int(number.value) * inner
        case Prim(op="neg", args=(inside,)):
            inner = _coefficient(inside, name)
            return None if inner is None else -inner
    return None


def _simple(node: Expr) -> Expr:
    """The offset without what the index at 0 leaves behind: ``2 * 0 + 1`` is 1."""
    if isinstance(node, Prim) and node.op in ("add", "sub", "mul"):
        left, right = (_simple(a) for a in node.args)
        return arithmetic(node.op, left, right)
    if isinstance(node, Prim) and node.op == "neg":
        inside = _simple(node.args[0])
        return ZERO if is_const(inside, 0) else Prim("neg", (inside,), node.dtype)
    return node
