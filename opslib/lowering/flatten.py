"""Several axes walked as one, and the way back; forms of index arithmetic."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from opslib.ir.dtypes import INT64
from opslib.ir.expr import (
    ONE,
    Axis,
    Call,
    Expr,
    Index,
    Prim,
    Program,
    Read,
    substitute,
    transform,
    walk,
)
from opslib.ir.printer import rename
from opslib.lowering.skeletons.arith import affine, floordiv, mod, product


@dataclass(frozen=True, slots=True)
class Group:
    """Dense axes walked as one, the last fastest."""

    axes: tuple[Axis, ...]

    @property
    def names(self) -> frozenset[str]:
        """The variables of the axes."""
        return frozenset(a.name for a in self.axes)

    @property
    def extent(self) -> Expr:
        """How many points there are; 1 without axes."""
        return product(a.stop for a in self.axes)

    def at(self, flat: Expr) -> dict[Expr, Expr]:
        """Each axis's variable at the point number `flat`.

        Only ``flat // extent`` and ``flat % extent`` of the last axis involve `flat`:
        the rest is arithmetic on that quotient, so one split of a vector loop at the
        multiples of the last extent makes everything linear.
        """
        values: dict[Expr, Expr] = {}
        for axis in reversed(self.axes[1:]):
            values[axis.index] = mod(flat, axis.stop)
            flat = floordiv(flat, axis.stop)
        for axis in self.axes[:1]:
            values[axis.index] = flat
        return values


def quotient_in(root: Expr, index: str) -> Prim | None:
    """The ``flat // extent`` by which `index` must be split to be linear in `root`.

    None when there is none, or when there are several or nested ones.
    """
    found: set[Prim] = set()
    for n in walk(root):
        if isinstance(n, Prim) and n.op in ("floordiv", "mod") and depends(n, index):
            flat, extent = n.args
            linear = affine(flat, index)
            if linear is not None and linear[0] is ONE and not depends(extent, index):
                quotient = Prim("floordiv", (flat, extent), INT64)
                assert isinstance(quotient, Prim)
                found.add(quotient)
    return found.pop() if len(found) == 1 else None


def depends(root: Expr, index: str) -> bool:
    """Whether `root` mentions an index variable."""
    return any(isinstance(n, Index) and n.name == index for n in walk(root))


def absorbed(program: Program) -> Program | None:
    """The program without locals and calls; None when a local cannot be absorbed.

    Unlike `inline`, this may repeat work: it is for skeletons that recognise the
    repeated parts as the same node again (hash-consing) and compute them once.
    """
    values: dict[str, tuple[tuple[Axis, ...], Expr]] = {}
    defines = []
    outputs = {t.name for t in program.outputs}

    def expand(node: Expr) -> Expr | None:
        if isinstance(node, Call):
            return node.expansion
        if not (isinstance(node, Read) and node.tensor in values):
            return None
        axes, value = values[node.tensor]
        mapping: dict[Expr, Expr] = {
            a.index: i for a, i in zip(axes, node.indices, strict=True)
        }
        # A binder of the value must not catch a variable of the indices. The new name
        # depends on nothing but the clash, so that equal values stay the same node.
        outside = {
            n.name for i in node.indices for n in walk(i) if isinstance(n, Index)
        }
        binders = {n.name for n in walk(value) if isinstance(n, Axis)}
        renamed = {}
        for name in binders & outside:
            new = name + "_"
            while new in outside | binders:
                new += "_"
            renamed[name] = new
        if renamed:
            value = rename(value, renamed)
        return substitute(value, mapping)

    for define in program.defines:
        if not define.is_plain or define.recurrent:
            return None
        value = transform(define.value, expand)
        if define.name in outputs:
            defines.append(dataclasses.replace(define, value=value))
            values[define.name] = (define.axes, value)
        elif define.name in values:
            return None
        else:
            values[define.name] = (define.axes, value)
    return dataclasses.replace(program, locals=(), defines=tuple(defines))
