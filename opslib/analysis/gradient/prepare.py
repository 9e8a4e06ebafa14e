"""The forward program as the derivation wants it: no calls, one name for one index."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from opslib.analysis.gradient.integers import tidy
from opslib.ir.expr import (
    Axis,
    Call,
    Const,
    Define,
    Expr,
    Fold,
    Order,
    Prim,
    Program,
    Read,
    Scalar,
    Scan,
    Size,
    free_indices,
    substitute,
    transform,
    walk,
)
from opslib.ir.printer import expression, rename

# Between the name that a spec gave an index and the number that makes it one of a kind.
MARK = "@"


def namer() -> Callable[[str], str]:
    """Gives index names that are each used once; `base_name` finds what they are of."""
    numbers = itertools.count(1)
    return lambda base: f"{base_name(base)}{MARK}{next(numbers)}"


def base_name(name: str) -> str:
    """The name that an index had in the spec."""
    return name.split(MARK)[0]


def prepared(
    program: Program,
    names: Callable[[str], str],
    keeps: Callable[[Call], bool] = lambda call: False,
) -> Program:
    """`program` without calls, with equal folds as one node, all indices of one name.

    Two folds are equal where only the names of their indices differ; an operator that
    is called twice then gives one value. `keeps` says of a call whether it stays.
    """
    classes: dict[str, Expr] = {}
    defines = tuple(_define(d, names, classes, keeps) for d in program.defines)

    shaped = _shaped(program, tidy)
    return dataclasses.replace(shaped, defines=defines, checks=(), claim=())


def _shaped(program: Program, change: Callable[[Expr], Expr]) -> Program:
    """The program with the lengths of all tensors' axes changed."""

    def each(tensors: Iterable[Any]) -> Any:
        return tuple(
            dataclasses.replace(t, shape=tuple(map(change, t.shape))) for t in tensors
        )

    return dataclasses.replace(
        program,
        inputs=each(program.inputs),
        outputs=each(program.outputs),
        locals=each(program.locals),
    )


def _define(
    d: Define,
    names: Callable[[str], str],
    classes: dict[str, Expr],
    keeps: Callable[[Call], bool],
) -> Define:
    def expanded(node: Expr) -> Expr | None:
        return node.expansion if isinstance(node, Call) and not keeps(node) else None

    value = _shared(transform(d.value, expanded), names, classes)
    indices = tuple(_shared(i, names, classes) for i in d.indices)
    new = {a.name: names(a.name) for a in d.axes}
    axes: Any = tuple(tidy(rename(a, new)) for a in d.axes)
    return Define(
        d.name,
        axes,
        tuple(rename(tidy(i), new) for i in indices),
        tidy(rename(value, new)),
        d.combine,
        None if d.recurrent is None else new[d.recurrent],
    )


def _shared(root: Expr, names: Callable[[str], str], classes: dict[str, Expr]) -> Expr:
    """`root` with every fold's indices renamed, alike for folds that are alike."""

    def rule(node: Expr) -> Expr | None:
        if not isinstance(node, Fold | Scan | Order):
            return None
        axes = node.axes if isinstance(node, Fold) else (node.axis,)
        free = free_indices(node)
        numbered: dict[str, str] = {}
        for n in walk(node):
            if isinstance(n, Axis) and n.name not in numbered and n.name not in free:
                numbered[n.name] = f"#{len(numbered)}"
        key = expression(rename(node, numbered))
        if isinstance(node, Scan | Order):
            # The place it is taken at does not name the bound index.
            parts = (node.axis, *(node.children[1:-1]))
            key = type(node).__name__ + " ".join(
                expression(rename(p, numbered)) for p in parts
            )
        new = {a.name: names(a.name) for a in axes}
        found = classes.get(key)
        if found is None:
            classes[key] = made = rename(node, new)
            return made
        if isinstance(node, Fold):
            return found
        kept = found.children[0]
        assert isinstance(kept, Axis)
        return rename(node, {node.axis.name: kept.name})

    return transform(root, rule)


def without_axes(program: Program, dropped: Mapping[str, Sequence[int]]) -> Program:
    """The program with some axes of its inputs left out: those that are broadcast."""

    def rule(node: Expr) -> Expr | None:
        if isinstance(node, Read) and node.tensor in dropped:
            gone = dropped[node.tensor]
            kept = tuple(i for k, i in enumerate(node.indices) if k not in gone)
            return Read(node.tensor, kept, node.type)
        return None

    inputs = tuple(
        dataclasses.replace(
            t,
            shape=tuple(
                s for k, s in enumerate(t.shape) if k not in dropped.get(t.name, ())
            ),
        )
        for t in program.inputs
    )
    return dataclasses.replace(program, inputs=inputs, defines=mapped(program, rule))


def mapped(program: Program, rule: Callable[[Expr], Expr | None]) -> tuple[Define, ...]:
    """The definitions with every node rewritten."""

    def axes(of: Iterable[Axis]) -> Any:
        return tuple(transform(a, rule) for a in of)

    return tuple(
        dataclasses.replace(
            d,
            axes=axes(d.axes),
            indices=tuple(transform(i, rule) for i in d.indices),
            value=transform(d.value, rule),
        )
        for d in program.defines
    )


def with_sizes(program: Program, named: Mapping[Expr, Size]) -> Program:
    """The program with sizes in place of expressions, such as lengths of results."""

    def one(root: Expr) -> Expr:
        return substitute(root, dict(named))

    def axes(of: Iterable[Axis]) -> Any:
        return tuple(map(one, of))

    defines = tuple(
        dataclasses.replace(
            d,
            axes=axes(d.axes),
            indices=tuple(map(one, d.indices)),
            value=one(d.value),
        )
        for d in program.defines
    )

    return dataclasses.replace(
        _shaped(program, one),
        sizes=(*program.sizes, *(s.name for s in named.values())),
        defines=defines,
    )


def measured(program: Program) -> tuple[Program, dict[Expr, Size]]:
    """Lengths of results that are long to say, as sizes of their own."""
    taken = set(program.sizes) | {s.name for s in program.scalars}
    tensors = (*program.inputs, *program.outputs, *program.locals)
    taken |= {t.name for t in tensors}
    named: dict[Expr, Size] = {}
    for t in program.outputs:
        for k, dim in enumerate(t.shape):
            if isinstance(dim, Size | Const) or dim in named:
                continue
            plain = ("add", "sub", "mul")
            scaled = any(
                isinstance(n, Prim)
                and n.op == "mul"
                and any(isinstance(a, Scalar) for a in n.args)
                for n in walk(dim)
            )
            ops = {n.op for n in walk(dim) if isinstance(n, Prim)}
            if ops <= set(plain) and not scaled:
                continue
            name = f"{t.name}{k}" if len(t.shape) > 1 else f"{t.name}n"
            letters = [c for c in "pqrtuvw" if c not in taken]
            name = letters[0] if letters else name
            taken.add(name)
            named[dim] = Size(name)
    return (with_sizes(program, named) if named else program), named
