"""Contraction: a sum of products, recognised from structure, whatever its name.

``out[batch, m, n] = epilogue(sum[k](a[batch, m, k] * b[batch, k, n]), ...)`` where each
of batch, m, n and k is any number of axes in any order: matmul, linear, einsum,
tensordot, convolution (k = channel and window, n = image and position). A factor may
be computed (cast, scaled, masked, a guarded window): that happens while it is packed.

What is found is a `Contraction`; `tiles` writes it as a TileProgram for any machine
with tiles, `kernel` as Loops for a CPU. The side that holds the output's last axis is
b, whose lanes become vector lanes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

from opslib.ir import loops
from opslib.ir.dtypes import INT32, DType
from opslib.ir.expr import (
    ONE,
    ZERO,
    Axis,
    Cast,
    Const,
    Define,
    Expr,
    Fold,
    Index,
    Order,
    Prim,
    Program,
    Read,
    Scan,
    Select,
    free_indices,
    substitute,
    transform,
    walk,
)
from opslib.ir.monoid import sum_of
from opslib.ir.printer import expression, rename
from opslib.lowering.flatten import Group, absorbed
from opslib.lowering.skeletons.arith import affine
from opslib.lowering.skeletons.builder import Layout

# Each sum has its accumulators beside the panels in L2.
MOST_SUMS = 3


@dataclass(frozen=True, slots=True)
class Sum:
    """One sum of products: the node that outputs hold for it, and its two sides."""

    fold: Fold
    a: Expr
    b: Expr


@dataclass(frozen=True, slots=True)
class Phase:
    """Terms count only where ``i + factor * u + rest`` is a multiple of `divisor`.

    A transposed convolution: of the taps u, an output position i meets every
    divisor-th one. Positions of one remainder meet the same ones, so for each
    remainder this is a contraction without a test.

    Attributes:
        numerator: the whole sum, as it is written.
        lane, deep: the names of i, an output axis, and u, a fold's.
        factor, rest: free of indices.
    """

    numerator: Expr
    divisor: Expr
    lane: str
    deep: str
    factor: Expr
    rest: Expr


@dataclass(frozen=True, slots=True)
class Contraction:
    """Sums of products over the same axes, with the axes sorted.

    Attributes:
        batch, m, n, k: axes of both sides, of a alone, of b alone, of the folds.
        sums: one, or several that share all axes (the gate and up projections).
        outputs: (tensor, value) over the axes of batch, m and n.
        axes: of the outputs, in their order.
        phases: conditions on the terms, which the sides do not repeat.
        places: output axes that are no axis of a group, by those that are.
    """

    program: Program
    batch: Group
    m: Group
    n: Group
    k: Group
    sums: tuple[Sum, ...]
    outputs: tuple[tuple[str, Expr], ...]
    axes: tuple[Axis, ...]
    phases: tuple[Phase, ...] = ()
    places: tuple[tuple[Expr, Expr], ...] = ()

    def at(self, points: dict[Expr, Expr]) -> dict[Expr, Expr]:
        """`points`, values of the groups' axes, and those of the other output axes."""
        return points | {i: substitute(e, points) for i, e in self.places}

    @property
    def dtype(self) -> DType:
        """The type of the sums."""
        return self.sums[0].fold.dtype


def match(program: Program, *, phased: bool = False) -> Contraction | None:
    """The contraction that `program` is, or None.

    phased: whether it may have phases.
    """
    whole = absorbed(program)
    if whole is None or not checks_stand_alone(whole) or not whole.defines:
        return None
    axes = whole.defines[0].axes
    if not all(a.is_dense for a in axes):
        return None
    outputs = []
    for d in whole.defines:
        value = _over(d, axes)
        if value is None:
            return None
        outputs.append((d.name, transform(value, narrowed)))
    folds = sorted({f for _, v in outputs for f in outermost_folds(v)}, key=expression)
    if not folds or len(folds) > MOST_SUMS:
        return None
    first = folds[0]
    found: list[tuple[Group, Group, Group]] = []
    conditions = set()
    sums = []
    for fold in folds:
        same = [a.stop for a in fold.axes] == [a.stop for a in first.axes]
        if fold.monoid.name != "sum" or not same or fold.dtype != first.dtype:
            return None
        names = {a.name: b.name for a, b in zip(fold.axes, first.axes, strict=True)}
        over_first = rename(fold, names)
        assert isinstance(over_first, Fold)
        phases, product = split_phases(over_first, axes) if phased else ((), None)
        conditions.add(phases)
        if product is not None:
            over_first = Fold(over_first.monoid, over_first.axes, (product,))
        sides = split_sides(over_first, axes)
        if sides is None or not all(a.is_dense for a in fold.axes):
            return None
        found.append(sides[:3])
        sums.append(Sum(fold, *sides[3:]))
    if any(f != found[0] for f in found) or len(conditions) > 1:
        return None
    batch, m, n = found[0]
    (phases,) = conditions
    if batch.names & {p.lane for p in phases}:
        return None
    result = Contraction(
        whole, batch, m, n, Group(first.axes), tuple(sums), tuple(outputs), axes, phases
    )
    return result if _worthwhile(result) else None


def checks_stand_alone(program: Program) -> bool:
    """Whether the checks can run first: they read inputs only."""
    inputs = {t.name for t in program.inputs}
    return all(
        n.tensor in inputs
        for c in program.checks
        for n in walk(c.condition, *c.axes, *(e for e in (c.value, c.extent) if e))
        if isinstance(n, Read)
    )


def narrowed(node: Expr) -> Expr | None:
    """``T(sum(int64(x * y)))`` of narrow integers, summed in 32 bits.

    Wrapped sums agree modulo 2^bits, so whatever is kept of them may be computed in any
    type that has these bits. Meant for `transform`.
    """
    if not (isinstance(node, Cast) and node.type.is_integer and node.type.bits <= 32):
        return None
    fold = node.value
    if not (isinstance(fold, Fold) and fold.monoid.name == "sum"):
        return None
    term = fold.args[0]
    if not (isinstance(term, Cast) and term.value.dtype.is_integer):
        return None
    product = term.value
    if product.dtype.bits < node.type.bits or len(factors(product)) < 2:
        return None
    wide = product_of([as_type(f, INT32) for f in factors(product)])
    return Cast(Fold(sum_of(INT32), fold.axes, (wide,)), node.type)


def _over(define: Define, axes: tuple[Axis, ...]) -> Expr | None:
    """The definition's value over the given axes, if its extents are those."""
    if [a.stop for a in define.axes] != [a.stop for a in axes]:
        return None
    names = {
        mine.name: a.name
        for mine, a in zip(define.axes, axes, strict=True)
        if mine.name != a.name
    }
    return rename(define.value, names) if names else define.value


def outermost_folds(root: Expr) -> set[Fold]:
    """Folds of `root` that are in no other; none where there is a scan or an order."""
    found: set[Fold] = set()
    seen: set[Expr] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if isinstance(node, Fold):
            found.add(node)
        elif isinstance(node, Scan | Order):
            return set()
        else:
            stack += node.children
    return found


def factors(root: Expr) -> list[Expr]:
    """What `root` is the product of."""
    if isinstance(root, Prim) and root.op == "mul":
        return [f for a in root.args for f in factors(a)]
    return [root]


Sides = tuple[Group, Group, Group, Expr, Expr]


def split_sides(fold: Fold, axes: tuple[Axis, ...]) -> Sides | None:
    """(batch, m, n, a, b) for a fold over a product, as a function of output axes."""
    terms = factors(fold.args[0])
    if any(isinstance(n, Fold | Scan | Order) for t in terms for n in walk(t)):
        return None
    inner = {a.name for a in fold.axes}
    outer = [a.name for a in axes]
    free = [free_indices(t) for t in terms]
    if len(terms) < 2:
        return None
    # b is the factor with the last output axis that some factor lacks.
    for name in reversed(outer):
        having = [i for i, f in enumerate(free) if name in f]
        if having and len(having) < len(terms):
            seed = max(having, key=lambda i: len(free[i] & inner))
            if free[seed] & inner:
                break
    else:
        return None
    rest = [i for i in range(len(terms)) if i != seed]
    partner = max(rest, key=lambda i: (len(free[i] & inner), len(free[i])))
    if not free[partner] & inner:
        return None
    b_terms, a_terms = [terms[seed]], [terms[partner]]
    b_free, a_free = free[seed] - inner, free[partner] - inner
    for i in rest:
        if i == partner:
            continue
        own = free[i] - inner
        if own <= a_free:
            a_terms.append(terms[i])
        elif own <= b_free:
            b_terms.append(terms[i])
        else:
            return None
    batch = Group(tuple(a for a in axes if a.name in a_free & b_free))
    n = Group(tuple(a for a in axes if a.name in b_free - a_free))
    m = Group(tuple(a for a in axes if a.name not in b_free))
    return batch, m, n, product_of(a_terms), product_of(b_terms)


def split_phases(
    fold: Fold, axes: tuple[Axis, ...]
) -> tuple[tuple[Phase, ...], Expr | None]:
    """The conditions ``(i + c * u + r) % s == 0`` on a fold's terms, and the terms."""
    term = fold.args[0]
    if not (isinstance(term, Select) and isinstance(term.no, Const)):
        return (), None
    tests, found = [term.condition], []
    while tests:
        test = tests.pop()
        if not isinstance(test, Prim):
            return (), None
        if test.op == "and":
            tests += test.args
            continue
        phase = _phase(test, fold, axes)
        if phase is None:
            return (), None
        found.append(phase)
    lanes, deep = {p.lane for p in found}, {p.deep for p in found}
    if term.no.value != 0 or len(lanes) < len(found) or len(deep) < len(found):
        return (), None
    return tuple(sorted(found, key=lambda p: p.lane)), term.yes


def _phase(test: Prim, fold: Fold, axes: tuple[Axis, ...]) -> Phase | None:
    if test.op != "eq" or test.args[1] != ZERO:
        return None
    remainder = test.args[0]
    if not (isinstance(remainder, Prim) and remainder.op == "mod"):
        return None
    numerator, divisor = remainder.args
    rest, factors = numerator, {}
    for axis in (*axes, *fold.axes):
        linear = affine(rest, axis.name)
        if linear is None:
            return None
        if linear[0] != ZERO:
            factors[axis.name] = linear[0]
        rest = linear[1]
    outer = [a.name for a in axes if a.name in factors]
    inner = [a.name for a in fold.axes if a.name in factors]
    if len(outer) != 1 or len(inner) != 1 or factors[outer[0]] != ONE:
        return None
    if free_indices(divisor) or free_indices(factors[inner[0]]):
        return None
    return Phase(numerator, divisor, outer[0], inner[0], factors[inner[0]], rest)


def product_of(terms: list[Expr]) -> Expr:
    """Their product."""
    return reduce(lambda x, y: Prim("mul", (x, y), x.dtype), terms)


def plain_read(value: Expr) -> Read | None:
    """The read that `value` is, through a cast."""
    node = value.value if isinstance(value, Cast) else value
    return node if isinstance(node, Read) else None


def _simple(value: Expr, names: frozenset[str]) -> bool:
    """Whether a side is a read whose axes of `names` are indices of their own."""
    read = plain_read(value)
    if read is None:
        return False
    plain = {i.name for i in read.indices if isinstance(i, Index)}
    return names <= plain


def _worthwhile(c: Contraction) -> bool:
    """Without an axis of a alone there is no reuse but that of a sliding window."""
    if c.m.axes or all(_slides(s.b, c.n.names, c.k.names) for s in c.sums):
        return True
    return all(
        _simple(s.b, c.n.names | c.k.names) and _simple(s.a, c.k.names) for s in c.sums
    )


def _slides(value: Expr, lanes: frozenset[str], deep: frozenset[str]) -> bool:
    """Whether a side is read where an axis of the output and one of the fold meet."""
    node = value.value if isinstance(value, Cast) else value
    read = plain_read(node.yes) if isinstance(node, Select) else plain_read(node)
    free = [] if read is None else [free_indices(i) for i in read.indices]
    return any(f & lanes and f & deep for f in free)


def stored_type(value: Expr) -> DType | None:
    """The element type in memory, where a side is plain."""
    read = plain_read(value)
    return None if read is None else read.type


def is_matrix(value: Expr, lanes: Group, deep: Group) -> bool:
    """Whether a side is one strided matrix (as far as its structure tells)."""
    if len(lanes.axes) > 1 or len(deep.axes) > 1:
        return False
    return _simple(value, lanes.names | deep.names)


def as_type(value: Expr, dtype: DType) -> Expr:
    """`value`, converted where it must be."""
    return value if value.dtype == dtype else Cast(value, dtype)


def _lower(program: Program, layout: Layout, name: str | None) -> loops.Kernel | None:
    # Below this module, which describes contractions for every kind of machine.
    from opslib.lowering.skeletons import contraction_cpu

    return contraction_cpu.lower(program, layout, name)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table in `choose.py`."""

    name: str
    matches: Callable[[Program], bool]
    lower: Callable[[Program, Layout, str | None], loops.Kernel | None]


def _matches(program: Program) -> bool:
    return match(program, phased=True) is not None


SKELETON = Row("contraction", _matches, _lower)
