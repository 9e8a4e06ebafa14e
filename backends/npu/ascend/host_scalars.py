"""What is the same for all elements and needs double is computed by the host.

An attribute such as ``eps`` is a double; the chip has none. The largest expressions of
attributes and sizes that double is in, but that give another type, become arguments of
the kernel: `host` is a program without inputs whose outputs they are.
"""

from __future__ import annotations

import dataclasses

from opslib.ir.dtypes import FLOAT64
from opslib.ir.expr import (
    Axis,
    Cast,
    Check,
    Const,
    Define,
    Expr,
    Prim,
    Program,
    Scalar,
    Select,
    Size,
    Tensor,
    rebuild,
    walk,
)


def split(program: Program) -> tuple[Program, Program | None]:
    """The program without such expressions, and the host's program, if needed."""
    found: dict[Expr, Scalar] = {}
    taken = {s.name for s in program.scalars} | set(program.sizes)
    taken |= {t.name for t in (*program.inputs, *program.outputs, *program.locals)}

    def replaced(root: Expr) -> Expr:
        uniform: dict[Expr, bool] = {}
        double: dict[Expr, bool] = {}
        for n in walk(root):
            uniform[n] = isinstance(
                n, Const | Size | Scalar | Prim | Cast | Select
            ) and all(uniform[c] for c in n.children)
            double[n] = n.dtype == FLOAT64 or any(double[c] for c in n.children)
        done: dict[Expr, Expr] = {}

        def change(n: Expr) -> Expr:
            if n not in done:
                whole = uniform[n] and double[n] and n.dtype != FLOAT64
                done[n] = named(n) if whole else rebuild(n, change)
            return done[n]

        return change(root)

    def named(node: Expr) -> Expr:
        if node not in found:
            inside = [n.name for n in walk(node) if isinstance(n, Scalar)]
            base = f"{inside[0] if inside else 'constant'}_host"
            name, count = base, 1
            while name in taken:
                name, count = f"{base}_{count}", count + 1
            taken.add(name)
            scalar = Scalar(name, node.dtype)
            assert isinstance(scalar, Scalar)
            found[node] = scalar
        return found[node]

    def axis(a: Axis) -> Axis:
        made = replaced(a)
        assert isinstance(made, Axis)
        return made

    def define(d: Define) -> Define:
        return dataclasses.replace(
            d,
            axes=tuple(map(axis, d.axes)),
            indices=tuple(map(replaced, d.indices)),
            value=replaced(d.value),
        )

    def check(c: Check) -> Check:
        return dataclasses.replace(
            c,
            axes=tuple(map(axis, c.axes)),
            condition=replaced(c.condition),
            value=None if c.value is None else replaced(c.value),
            extent=None if c.extent is None else replaced(c.extent),
        )

    defines = tuple(map(define, program.defines))
    checks = tuple(map(check, program.checks))
    if not found:
        return program, None
    used = {
        n.name
        for d in defines
        for n in walk(d.value, *d.axes, *d.indices)
        if isinstance(n, Scalar)
    }
    kept = tuple(s for s in program.scalars if s.name in used or s.type != FLOAT64)
    host = Program(
        f"{program.name}_host",
        (),
        tuple(Tensor(s.name, s.type, ()) for s in found.values()),
        (),
        program.scalars,
        program.sizes,
        tuple(Define(s.name, (), (), node) for node, s in found.items()),
    )
    changed = dataclasses.replace(
        program,
        scalars=(*kept, *found.values()),
        defines=defines,
        checks=checks,
    )
    return changed, host
