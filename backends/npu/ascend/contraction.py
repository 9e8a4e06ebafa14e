"""Contractions as launches: the cube for the sums, loops for what is done with them.

Sums that an output is (through a conversion that Fixpipe makes) are written straight
to it. Otherwise the cube leaves them in a workspace, and the outputs' expressions
become a map that reads it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from opslib.codegen.c_expressions import Entry
from opslib.codegen.c_names import Names
from opslib.ir import expr, loops
from opslib.ir.expr import Expr, Read, Tensor, substitute
from opslib.lowering.skeletons import nest
from opslib.lowering.skeletons.builder import argument
from opslib.lowering.skeletons.contraction import Contraction, match

from ..targets import AscendTarget
from .cube import CubePrinter, Cut, limits, sides, stored
from .flags import insert_flags
from .plan import Cutting, Pointer, Program
from .scalar import ScalarPrinter
from .tune import FORCED, room

FromLoops = Callable[[loops.Kernel, str, AscendTarget], Program]


def lower(
    program: expr.Program, name: str, target: AscendTarget, from_loops: FromLoops
) -> Program | None:
    """The program on the cube; None where it is no contraction for it."""
    c = match(program)
    if c is None or c.program.checks:
        return None
    buffers = {t.name: argument(t, "input", {}) for t in c.program.inputs}
    found = [sides(c, s, buffers, target) for s in c.sums]
    if any(f is None for f in found):
        return None
    direct = _direct(c)
    taken = {t.name for t in (*c.program.inputs, *c.program.outputs)}
    products: list[Tensor] = []
    known: dict[Expr, Expr] = {}
    axes = c.axes
    if not direct:
        for k, s in enumerate(c.sums):
            base = "product" if len(c.sums) == 1 else f"product{k}"
            while base in taken:
                base += "_"
            taken.add(base)
            shape = tuple(a.stop for a in axes)
            products.append(Tensor(base, s.fold.dtype, shape))
            where = tuple(a.index for a in axes)
            known[s.fold] = Read(base, where, s.fold.dtype)
    rest = _rest(c, products, known, name)
    kernel = nest.lower(rest, {}, name, "contraction", transposes=False)
    if direct:
        # Nothing is left for loops but the arguments.
        kernel = dataclasses.replace(kernel, body=())
    made = from_loops(kernel, f"{name}_rest" if not direct else name, target)
    names = {t.name for t in products}
    pointers = tuple(
        dataclasses.replace(p, kind="workspace") if _is(p, names) else p
        for p in made.pointers
    )
    launches = []
    bounds = []
    cuttings = []
    space = room(target)
    for k, matrices in enumerate(found):
        assert matrices is not None
        cut, inner = _cut(made, k)
        made = dataclasses.replace(made, values=(*made.values, *inner))
        target_name = direct[k] if direct else products[k].name
        (out,) = (p.buffer for p in pointers if _is(p, {target_name}))
        assert out is not None
        printer = CubePrinter(
            _names(made), c, matrices, out, tuple(a.index for a in axes), cut, space
        )
        show_arguments(printer, made)
        printer.emit()
        title = name if direct and len(c.sums) == 1 else f"{name}_cube{k}"
        launch = printer.launch(title)
        insert_flags(launch, target.event_ids)
        launches.append(launch)
        bounds += limits(c, matrices)
        a, b, x, y = (name for _, name in inner)
        cuttings.append(
            Cutting(
                (a, b, x, y),
                (c.batch.extent, c.m.extent, c.n.extent, c.k.extent),
                matrices[0].read.type.bytes,
                out.dtype.bytes,
                FORCED.get(),
            )
        )
    if not direct:
        launches += made.launches
    return dataclasses.replace(
        made,
        name=name,
        launches=tuple(launches),
        pointers=pointers,
        limits=(*made.limits, *bounds),
        cuttings=tuple(cuttings),
    )


def _cut(made: Program, k: int) -> tuple[Cut, list[tuple[str, str]]]:
    """The names of the k-th sum's tile: in the text, and with those of the values."""
    names = _names(made)
    words = ("block_m", "block_n", "block_k", "panel_k")
    inner = [(names.fresh(word), f"{word}:{k}") for word in words]
    return Cut(*(c for c, _ in inner)), inner


def _direct(c: Contraction) -> list[str]:
    """The output that each sum is, if all outputs are sums; else nothing."""
    if len(c.outputs) != len(c.sums):
        return []
    found = []
    for s in c.sums:
        names = [n for n, value in c.outputs if stored(value, s) is not None]
        found += names[:1]
    return found if len(set(found)) == len(c.sums) else []


def _rest(
    c: Contraction, products: list[Tensor], known: dict[Expr, Expr], name: str
) -> expr.Program:
    """The outputs in terms of the products."""
    defines = tuple(
        dataclasses.replace(
            d,
            axes=c.axes,
            indices=tuple(a.index for a in c.axes),
            value=substitute(value, known),
        )
        for d, (_, value) in zip(c.program.defines, c.outputs, strict=True)
    )
    return dataclasses.replace(
        c.program,
        name=name,
        inputs=(*c.program.inputs, *products),
        locals=(),
        defines=defines,
    )


def _is(p: Pointer, names: set[str]) -> bool:
    return p.buffer is not None and p.buffer.name in names


def _names(made: Program) -> Names:
    names = Names()
    for word in ("numbers", "reals", "status", "opslib"):
        names.fresh(word)
    for p in made.pointers:
        names.fresh(p.name)
    for c, _ in made.values:
        names.fresh(c)
    return names


def show_arguments(printer: ScalarPrinter, made: Program) -> None:
    """Puts the arguments in sight of a printer."""
    scope = printer.scopes[0]
    for p in made.pointers:
        if p.buffer is not None:
            printer.buffers[p.buffer.name] = p.buffer
            scope[("buffer", p.buffer.name)] = Entry(p.name, "")
    for c, n in made.values:
        scope[("value", n)] = Entry(c, "int64_t")
    for c, n, ctype in made.reals:
        scope[("value", n)] = Entry(c, ctype)
