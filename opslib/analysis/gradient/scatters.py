"""The adjoint of a write to where the data say, by how values that meet combine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opslib.analysis.gradient.reverse import NoGradient, Term
from opslib.ir.build import (
    both,
    compare,
    integer,
    multiply_add,
    negation,
    select,
)
from opslib.ir.dtypes import INT64
from opslib.ir.expr import (
    TRUE,
    ZERO,
    Axis,
    Const,
    Define,
    Expr,
    Fold,
    Read,
    Select,
)
from opslib.ir.monoid import maximum_of, product_of, sum_of

if TYPE_CHECKING:
    from opslib.analysis.gradient.derive import Derivation


def backward(derivation: Derivation, d: Define) -> None:
    """Hands the adjoint of what was written into on to what was written.

    `d.name` keeps the adjoint of what it held before the write.
    """
    if d.name not in derivation.adjoints:
        return
    assert d.combine is not None
    match d.combine.name:
        case "sum":
            there = derivation.adjoint(d.name, d.indices)
            derivation.pull(d.value, Term(d.axes, (), there))
        case "last":
            _last(derivation, d)
        case "prod":
            _product(derivation, d)
        case "max" | "min":
            _extreme(derivation, d)
        case name:
            raise NoGradient(f"no rule for a write that combines by {name}")


def _last(derivation: Derivation, d: Define) -> None:
    """The last that was written to a place gets its adjoint; what was there gets none.

    A local says which write that was: the largest of their row-major numbers.
    """
    places = _places(derivation, d)
    winner = derivation.define(_free(derivation, "w"), places, integer(-1))
    flat: Expr = ZERO
    for a in d.axes:
        flat = multiply_add(flat, a.stop, a.index)
    made = maximum_of(INT64)
    derivation.defines.append(Define(winner, d.axes, d.indices, flat, made))
    won = compare("eq", Read(winner, d.indices, INT64), flat)
    there = derivation.adjoint(d.name, d.indices)
    derivation.pull(d.value, Term(d.axes, (won,), there))
    at = tuple(p.index for p in places)
    kept = compare("lt", Read(winner, at, INT64), ZERO)
    _replace(derivation, d, places, kept, derivation.adjoint(d.name, at))


def _product(derivation: Derivation, d: Define) -> None:
    """Each factor gets the product of all others, which holds for zeros too."""
    products = derivation.products
    places = _places(derivation, d)
    at = tuple(p.index for p in places)
    dtype = d.value.dtype
    one = Const(1.0, dtype)
    factor = derivation.define(_free(derivation, "f"), places, one)
    derivation.defines.append(
        Define(factor, d.axes, d.indices, d.value, product_of(dtype))
    )
    first = _initial(derivation, d, d.indices)
    again = {a.index: Axis(derivation.names(a.name), a.start, a.stop) for a in d.axes}
    moved: dict[Expr, Expr] = {i: a.index for i, a in again.items()}
    meets: Expr = TRUE
    for i in d.indices:
        meets = both(meets, compare("eq", derivation.reverse.replaced(i, moved), i))
    same: Expr = TRUE
    for i, a in again.items():
        same = both(same, compare("eq", a.index, i))
    other = select(
        both(meets, negation(same)), derivation.reverse.replaced(d.value, moved), one
    )
    others = Fold(product_of(dtype), tuple(again.values()), (other,))
    there = derivation.adjoint(d.name, d.indices)
    value = products.times(there, first, others)
    derivation.pull(d.value, Term(d.axes, (), value))
    g = derivation.adjoint(d.name, at)
    _replace(derivation, d, places, TRUE, products.times(g, Read(factor, at, dtype)))


def _extreme(derivation: Derivation, d: Define) -> None:
    """All that are the largest share alike, what was there before among them."""
    products = derivation.products
    places = _places(derivation, d)
    at = tuple(p.index for p in places)
    dtype = d.value.dtype
    one, zero = Const(1.0, dtype), Const(0.0, dtype)

    def result(indices: tuple[Expr, ...]) -> Expr:
        return Read(d.name, indices, dtype)

    before = compare("eq", _initial(derivation, d, at), result(at))
    count = derivation.define(_free(derivation, "c"), places, Select(before, one, zero))
    met = compare("eq", d.value, result(d.indices))
    hit = Select(met, one, zero)
    derivation.defines.append(Define(count, d.axes, d.indices, hit, sum_of(dtype)))

    def share(indices: tuple[Expr, ...]) -> Expr:
        g = derivation.adjoint(d.name, indices)
        return products.over(g, Read(count, indices, dtype))

    derivation.pull(d.value, Term(d.axes, (met,), share(d.indices)))
    _replace(derivation, d, places, before, share(at))


def _places(derivation: Derivation, d: Define) -> tuple[Axis, ...]:
    shape = derivation.program.tensor(d.name).shape
    return tuple(Axis(derivation.names("i"), ZERO, n) for n in shape)


def _free(derivation: Derivation, base: str) -> str:
    """A name that the spec does not use."""
    program = derivation.program
    taken = {t.name for t in (*program.inputs, *program.outputs, *program.locals)}
    taken |= {t.name for t in derivation.locals}
    taken |= set(program.sizes) | {s.name for s in program.scalars}
    name, k = base, 1
    while name in taken:
        name, k = f"{base}{k}", k + 1
    return name


def _initial(derivation: Derivation, d: Define, indices: tuple[Expr, ...]) -> Expr:
    """What a tensor held before anything was written into it."""
    first = next(x for x in derivation.program.defines if x.name == d.name)
    mapping: dict[Expr, Expr] = {
        a.index: i for a, i in zip(first.axes, indices, strict=True)
    }
    return derivation.reverse.replaced(first.value, mapping)


def _replace(
    derivation: Derivation,
    d: Define,
    places: tuple[Axis, ...],
    condition: Expr,
    value: Expr,
) -> None:
    """From here on backwards, `value` where the condition holds is the adjoint."""
    kept = select(condition, value, Const(0.0, value.dtype))
    derivation.adjoints[d.name] = (places, kept)
