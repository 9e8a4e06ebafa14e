"""What a program's structure lets one expect of it, whatever the operator's name."""

from __future__ import annotations

import math
from dataclasses import replace

from opslib.ir.dtypes import BOOL
from opslib.ir.expr import (
    Cast,
    Const,
    Expr,
    Fold,
    Index,
    Order,
    Prim,
    Program,
    Read,
    Scalar,
    Scan,
    Select,
    transform,
    walk,
)

# Exact on integers that stay below 2^24, in every order of a sum.
_WHOLE = frozenset({"add", "sub", "mul", "neg", "abs", "sign", "copysign"})
_WHOLE |= {"max", "min", "fmax", "fmin", "floor", "ceil", "round", "trunc"}
_WHOLE |= {"lt", "le", "gt", "ge", "eq", "ne", "and", "or", "xor", "not"}
_WHOLE |= {"isnan", "isinf", "isfinite"}
_LINEAR_MONOIDS = frozenset({"sum"})


def reachable(program: Program) -> set[Expr]:
    """Every node of the program's definitions."""
    roots: list[Expr] = []
    for define in program.defines:
        roots += (define.value, *define.indices, *define.axes)
    return set(walk(*roots))


def keeps_integers(program: Program) -> bool:
    """Whether integers in give integers out through exact operations only."""
    for define in program.defines:
        monoids = [define.combine] if define.combine is not None else []
        for node in _value_nodes(define.value):
            match node:
                case Prim(op, args, _):
                    if args[0].dtype.is_float and op not in _WHOLE:
                        return False
                case Const(value, dtype) if dtype.is_float:
                    if isinstance(value, float) and not _is_whole(value):
                        return False
                case Scalar(_, dtype) if dtype.is_float:
                    return False
                case Fold() | Scan():
                    monoids.append(node.monoid)
        for monoid in monoids:
            templates = (*monoid.lift, *monoid.combine, *monoid.finish)
            prims = [n for n in walk(*templates) if isinstance(n, Prim)]
            floats = [n for n in prims if n.args[0].dtype.is_float]
            if any(n.op not in _WHOLE for n in floats):
                return False
    return True


def _is_whole(value: float) -> bool:
    return math.isinf(value) or (not math.isnan(value) and value == int(value))


def _value_nodes(root: Expr) -> set[Expr]:
    return set(walk(root))


def contraction(program: Program) -> Read | None:
    """One factor of a sum of products that may serve as a one-hot selector.

    The fold must run over plain indices of that factor, each of them.
    """
    if len(program.defines) != 1 or program.defines[0].combine is not None:
        return None
    value = program.defines[0].value
    while isinstance(value, Cast):
        value = value.value
    if not isinstance(value, Fold) or value.monoid.name not in _LINEAR_MONOIDS:
        return None
    if not value.monoid.state[0].is_float:
        return None
    factors = _factors(value.args[0])
    if factors is None or len(factors) != 2:
        return None
    names = {a.name for a in value.axes if a.is_dense}
    if len(names) != len(value.axes) or factors[0].tensor == factors[1].tensor:
        return None
    for read in reversed(factors):
        plain = all(isinstance(i, Index) for i in read.indices)
        used = {i.name for i in read.indices if isinstance(i, Index)}
        if plain and names <= used:
            return read
    return None


def _factors(term: Expr) -> list[Read] | None:
    """The reads that a term is the product of."""
    match term:
        case Read():
            return [term]
        case Cast(value, dtype) if dtype.is_float:
            return _factors(value)
        case Prim("mul", (x, y), _):
            a, b = _factors(x), _factors(y)
            return None if a is None or b is None else a + b
    return None


def degree(program: Program) -> int | None:
    """How often each term of a single linear fold multiplies inputs: f(2x) = 2^k f(x).

    None for any other program.
    """
    if len(program.defines) != 1 or program.defines[0].combine is not None:
        return None
    value = program.defines[0].value
    while isinstance(value, Cast) and value.dtype.is_float:
        value = value.value
    if isinstance(value, Fold):
        if value.monoid.name != "sum" or not value.monoid.state[0].is_float:
            return None
        value = value.args[0]
    factors = _factors(value)
    return None if factors is None else len(factors)


def single_primitive(program: Program) -> str | None:
    """The one float primitive of a map ``y = f(x, ...)`` over its inputs, else None."""
    if len(program.defines) != 1:
        return None
    define = program.defines[0]
    if define.combine is not None or not program.outputs[0].dtype.is_float:
        return None
    value = define.value
    while isinstance(value, Cast):
        value = value.value
    if not isinstance(value, Prim) or not value.dtype.is_float:
        return None
    for arg in value.args:
        while isinstance(arg, Cast):
            if not arg.value.dtype.is_float:
                return None
            arg = arg.value
        if not isinstance(arg, Read):
            return None
    return value.op


def is_map(program: Program) -> bool:
    """Whether no definition folds, scans or sorts, and reads only at plain places."""
    return not any(
        isinstance(n, Fold | Scan | Order) for n in reachable(program)
    ) and all(d.is_plain and d.recurrent is None for d in program.defines)


def is_exact(program: Program) -> bool:
    """Whether outputs are bit-equal everywhere: by the spec, or without any floats."""
    if program.exact:
        return True
    if any(t.dtype.is_float for t in program.outputs):
        return False
    return not any(
        isinstance(n, Prim | Fold | Scan) and _computes_floats(n)
        for n in reachable(program)
    )


def makes_integers(program: Program) -> bool:
    """Whether floats become integers, which is left open where they do not fit."""
    return any(
        isinstance(n, Cast) and n.dtype.is_integer and n.value.dtype.is_float
        for n in reachable(program)
    )


def without_hidden(program: Program) -> Program | None:
    """The program in which a weight of exactly 0 takes nothing; None if it is the same.

    Weights are exponentials in a sum of products. A streaming contraction does not read
    what a mask hides, so that a nan there has no effect, where the formula's 0 * nan is
    nan (lowering/skeletons/streaming.py). Which of the two comes out is left open.
    """
    exponentials: set[str] = set()

    def is_weight(node: Expr) -> bool:
        return any(
            (isinstance(n, Prim) and n.op == "exp")
            or (isinstance(n, Read) and n.tensor in exponentials)
            for n in walk(node)
        )

    def skips(node: Expr) -> Expr | None:
        match node:
            case Fold(monoid, _, (Prim("mul", factors) as body,)) if (
                monoid.name == "sum"
            ):
                for weight in filter(is_weight, factors):
                    hidden = Prim("eq", (weight, Const(0, weight.dtype)), BOOL)
                    taken = Select(hidden, Const(0, body.dtype), body)
                    return replace(node, args=(taken,))
        return None

    defines = []
    for d in program.defines:
        defines.append(replace(d, value=transform(d.value, skips)))
        if is_weight(d.value):
            exponentials.add(d.name)
    made = replace(program, defines=tuple(defines))
    return None if made.defines == program.defines else made


def narrows(program: Program) -> bool:
    """Whether floats are rounded to a type with fewer bits."""
    return any(
        isinstance(n, Cast)
        and n.dtype.is_float
        and n.value.dtype.is_float
        and n.dtype.mantissa < n.value.dtype.mantissa
        for n in reachable(program)
    )


def _computes_floats(node: Prim | Fold | Scan) -> bool:
    if isinstance(node, Prim):
        comparing = node.op in _WHOLE and node.op not in ("add", "sub", "mul")
        return node.dtype.is_float and not comparing
    return any(t.is_float for t in node.monoid.state) and not node.monoid.exact
