"""The order of definitions, and recurrences that get somewhere.

Definitions are read from top to bottom. A definition may read what it defines itself,
or what a later one defines, only as a recurrence: along one axis every such read is at
an earlier element (``y[t - 1]``), or at a later one throughout, so that an evaluation
order exists for all sizes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from opslib.language.checker_scope import Context, Read
from opslib.language.syntax import (
    Binary,
    Binder,
    Definition,
    Expression,
    Index,
    Name,
    Number,
    Span,
)

Edge = tuple[int, int, Read]


def check_order(context: Context, definitions: Sequence[Definition]) -> None:
    """Report reads before their definition, and recurrences that go nowhere."""
    writers: dict[str, list[int]] = {}
    for number, definition in enumerate(definitions):
        for target in definition.targets:
            writers.setdefault(target.name, []).append(number)
    edges: list[Edge] = [
        (read.definition, writer, read)
        for read in context.reads
        if read.definition >= 0
        for writer in writers.get(read.name, ())
    ]
    component = _components(len(definitions), edges)
    circles: dict[int, list[Edge]] = {}
    late: dict[tuple[int, str], Read] = {}
    for source, writer, read in edges:
        if component[source] == component[writer]:
            circles.setdefault(component[source], []).append((source, writer, read))
        elif writer > source and all(w > source for w in writers[read.name]):
            late.setdefault((source, read.name), read)
    for read in late.values():
        message = f"'{read.name}' is read before it is defined"
        help = "definitions are read from top to bottom: move it up"
        where = definitions[writers[read.name][0]].targets[0].span
        labels = ((where, "defined here"),)
        context.error("E0306", message, read.node.span, help, labels)
    for circle in circles.values():
        _check_circle(context, definitions, circle)


def _check_circle(
    context: Context, definitions: Sequence[Definition], circle: list[Edge]
) -> None:
    width = max(
        (len(target.items) for s, _, _ in circle for target in definitions[s].targets),
        default=0,
    )
    for axis in range(width):
        for sign in (-1, 1):
            if _descends(definitions, circle, axis, sign):
                return
    _, _, read = next(
        (e for e in circle if isinstance(e[2].node, Name) or e[0] == e[1]), circle[0]
    )
    message = f"'{read.name}' is defined by itself, at an element not always earlier"
    help = (
        "along one axis, every read of a recurrence is shifted by a literal: "
        f"{read.name}[t - 1], or {read.name}[t + 1] throughout"
    )
    context.error("E0507", message, read.node.span, help)


def _descends(
    definitions: Sequence[Definition], circle: list[Edge], axis: int, sign: int
) -> bool:
    """Whether all reads go one way along `axis`, and no circle stands still."""
    still: list[Edge] = []
    for source, writer, read in circle:
        target = definitions[source].targets[0]
        node = read.node
        if not isinstance(node, Index) or axis >= min(
            len(target.items), len(node.items)
        ):
            return False
        steps = _steps(target.items[axis], node.items[axis], read.ranges, sign)
        if steps is None or steps < 0:
            return False
        if steps == 0:
            still.append((source, writer, read))
    if any(source == writer for source, writer, _ in still):
        return False
    component = _components(len(definitions), still)
    return len(set(component)) == len(definitions)


def _steps(
    target: Expression, item: Expression, ranges: Mapping[str, Binder], sign: int
) -> int | None:
    """How many steps towards `sign` the item lies from the target's index."""
    if not isinstance(target, Name):
        return None
    if isinstance(item, Name):
        if item.name == target.name:
            return 0
        binder = ranges.get(item.name)
        if binder is None:
            return None
        # sum[k in 0..t](y[k]): every k is before t; k in t + 1..n: every k is after.
        if sign < 0 and isinstance(binder.stop, Name):
            return 1 if binder.stop.name == target.name else None
        if sign > 0 and isinstance(binder.start, Binary):
            return _steps(target, binder.start, {}, sign)
        return None
    if not isinstance(item, Binary) or item.operator not in {"+", "-"}:
        return None
    left, right = item.left, item.right
    if not (isinstance(left, Name) and left.name == target.name):
        return None
    if not isinstance(right, Number) or not isinstance(right.value, int):
        return None
    shift = right.value if item.operator == "+" else -right.value
    return shift * sign


def _components(count: int, edges: Iterable[Edge]) -> list[int]:
    """The strongly connected component of each definition (Tarjan, iterative)."""
    following: list[list[int]] = [[] for _ in range(count)]
    for source, writer, _ in edges:
        following[source].append(writer)
    order = [-1] * count
    low = [0] * count
    component = [-1] * count
    stack: list[int] = []
    clock = 0
    for root in range(count):
        if order[root] >= 0:
            continue
        work = [(root, 0)]
        while work:
            node, at = work.pop()
            if order[node] < 0:
                order[node] = low[node] = clock
                clock += 1
                stack.append(node)
            for place in range(at, len(following[node])):
                other = following[node][place]
                if order[other] < 0:
                    work += [(node, place), (other, 0)]
                    break
                if component[other] < 0:
                    low[node] = min(low[node], low[other])
            else:
                if low[node] == order[node]:
                    while component[node] < 0:
                        component[stack.pop()] = node
    return component


def circle_of(start: str, calls: Mapping[str, Mapping[str, Span]]) -> list[str]:
    """The operators on a way from `start` back to it, or an empty list."""
    came: dict[str, str] = {}
    queue = [start]
    for name in queue:
        for other in calls.get(name, {}):
            if other == start:
                way = [name]
                while way[-1] != start:
                    way.append(came[way[-1]])
                return [*reversed(way), start]
            if other not in came and other in calls:
                came[other] = name
                queue.append(other)
    return []
