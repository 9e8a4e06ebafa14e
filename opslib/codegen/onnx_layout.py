"""Between the caller's arrays and a program's axes: transposes and axes of length 1.

A program's inputs are permuted, get axes of length 1, and are broadcast. In a graph a
broadcast axis is simply absent: whatever reads the tensor does not depend on it, and
the standard's own broadcasting does the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from opslib.codegen.onnx_graph import Graph
from opslib.ir.view import View


@dataclass(frozen=True, slots=True)
class Layout:
    """How one array of the caller lies in a program's axes.

    Attributes:
        permutation: of the caller's axes, first.
        axes: for each permuted axis the program's axis, or None where it has length 1
            and the program has none. None: the view splits or merges axes, and `shape`
            tells how.
        absent: the program's axes that the tensor does not have.
        shape: the caller's.
        extents: in the program's axes.
    """

    permutation: tuple[int, ...]
    axes: tuple[int | None, ...] | None
    absent: frozenset[int]
    shape: tuple[int, ...]
    extents: tuple[int, ...]


def layout(view: View, shape: Sequence[int]) -> Layout:
    """The layout of an array of `shape` under a view."""
    permuted = [shape[k] for k in view.permutation]
    axes: list[int | None] = []
    absent = {a for a, n in enumerate(view.shape) if n != view.extents[a]}
    left = list(range(len(view.shape)))
    for length in permuted:
        while left and view.shape[left[0]] != length and view.shape[left[0]] == 1:
            absent.add(left.pop(0))
        if left and view.shape[left[0]] == length:
            axes.append(left.pop(0))
        elif length == 1:
            axes.append(None)
        else:
            return Layout(
                view.permutation, None, frozenset(), tuple(shape), view.extents
            )
    if any(view.shape[a] != 1 for a in left):
        return Layout(view.permutation, None, frozenset(), tuple(shape), view.extents)
    absent.update(left)
    return Layout(
        view.permutation, tuple(axes), frozenset(absent), tuple(shape), view.extents
    )


def given(graph: Graph, name: str, how: Layout) -> str:
    """A graph's input as the tensor that the program reads, less the absent axes."""
    name = graph.transpose(name, how.permutation)
    if how.axes is None:
        # A view that splits or merges; a broadcast is then written out.
        unit = [1 if a in how.absent else n for a, n in enumerate(how.extents)]
        return graph.reshape(name, unit)
    gone = [k for k, a in enumerate(how.axes) if a is None or a in how.absent]
    return graph.op("Squeeze", name, graph.integers(*gone)) if gone else name


def returned(graph: Graph, name: str, how: Layout) -> str:
    """A program's output in the caller's shape."""
    back = [how.permutation.index(k) for k in range(len(how.permutation))]
    permuted = [how.shape[k] for k in how.permutation]
    if how.axes is None:
        name = graph.reshape(name, permuted)
    else:
        dropped = sorted(how.absent)
        if dropped:
            name = graph.op("Squeeze", name, graph.integers(*dropped))
        name = graph.unsqueeze(name, [k for k, a in enumerate(how.axes) if a is None])
    return graph.transpose(name, back)
