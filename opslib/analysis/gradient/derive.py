"""The gradient of a program: another program, from cotangents and inputs to adjoints.

Definitions are gone through backwards. What a definition's value reads gets its part of
the adjoint (`reverse`), as an element of what was read (`transpose`); when all users of
a local are done, its adjoint is complete, and becomes a local of the gradient. Forward
locals that adjoints need are computed again: nothing is saved between the two calls.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from opslib.analysis.gradient import scatters
from opslib.analysis.gradient.pivots import pivots
from opslib.analysis.gradient.prepare import namer, prepared
from opslib.analysis.gradient.products import Products
from opslib.analysis.gradient.reverse import (
    Contribution,
    NoGradient,
    Reverse,
    Term,
)
from opslib.analysis.gradient.scopes import free, replaced
from opslib.analysis.gradient.transpose import Scattered, everywhere, turned
from opslib.ir.build import arithmetic, cast, extent, integer, product
from opslib.ir.dtypes import DType, compute_type
from opslib.ir.expr import (
    ZERO,
    Axis,
    Call,
    Cast,
    Const,
    Define,
    Expr,
    Fold,
    Order,
    Prim,
    Program,
    Read,
    Scan,
    Tensor,
    walk,
)
from opslib.ir.monoid import sum_of
from opslib.ir.verify import check_program

# An adjoint of a local no larger than this is put in where it is read.
_SMALL = 16


def gradient(
    program: Program, keeps: Callable[[Call], bool] = lambda call: False
) -> Program:
    """The gradient of `program` with respect to every input of floats.

    Its inputs are a cotangent ``dy`` for each result y of floats, then the inputs of
    `program`; its results a ``dx`` for each input x of floats. A recurrence may run
    backwards along its axis, as in a spec. Of the calls in forward locals, those stay
    that `keeps` says so of.

    Raises:
        NoGradient: something in it has no derivative, or no rule; it says what.
    """
    derivation = Derivation(program, keeps)
    return derivation.run()


@dataclass
class Derivation:
    """The state of one derivation."""

    source: Program
    keeps: Callable[[Call], bool] = lambda call: False
    names: Callable[[str], str] = field(default_factory=namer)
    defines: list[Define] = field(default_factory=list)
    locals: list[Tensor] = field(default_factory=list)
    # The name of the adjoint of each tensor that has one, or its value as a function.
    adjoints: dict[str, str | tuple[tuple[Axis, ...], Expr]] = field(
        default_factory=dict
    )
    waiting: dict[str, list[Contribution]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.program = prepared(self.source, self.names)
        given = {
            n
            for d in self.program.defines
            for n in walk(d.value)
            if isinstance(n, Prim) and n.op in ("add", "sub", "neg")
        }
        self.products = Products(given, self._vanishes)
        self.reverse = Reverse(
            self._active(),
            pivots(self.program),
            self.products,
            self.carry,
            self.names,
        )

    def _vanishes(self, axes: Sequence[Axis], value: Expr) -> bool:
        """Deviations from a mean sum to 0: x - m over what m is the mean of."""
        if not isinstance(value, Prim) or value.op != "sub":
            return False
        one, mean = value.args
        if isinstance(mean, Read):
            found = [d for d in self.program.defines if d.name == mean.tensor]
            if len(found) != 1 or not found[0].is_plain or found[0].recurrent:
                return False
            known: dict[Expr, Expr] = {
                a.index: i for a, i in zip(found[0].axes, mean.indices, strict=True)
            }
            mean = replaced(found[0].value, known, self.names)
        if not isinstance(mean, Prim) or mean.op != "div":
            return False
        total, count = mean.args
        if not isinstance(total, Fold) or total.monoid.name != "sum":
            return False
        if len(total.axes) != len(axes) or [a.stop for a in total.axes] != [
            a.stop for a in axes
        ]:
            return False
        own: dict[Expr, Expr] = {
            a.index: b.index for a, b in zip(total.axes, axes, strict=True)
        }
        number = cast(product([extent(a) for a in axes]), count.dtype)
        return count is number and replaced(total.args[0], own, self.names) is one

    def _active(self) -> set[str]:
        """Tensors of floats that depend on an input of floats."""
        active = {t.name for t in self.program.inputs if t.dtype.is_float}
        for d in self.program.defines:
            dtype = self.program.tensor(d.name).dtype
            reads = (n.tensor for n in walk(d.value) if isinstance(n, Read))
            if dtype.is_float and any(r in active or r == d.name for r in reads):
                active.add(d.name)
        return active

    # --- the whole -----------------------------------------------------------------

    def run(self) -> Program:
        """The gradient."""
        inputs = [t for t in self.program.inputs if t.dtype.is_float]
        results = [t for t in self.program.outputs if t.dtype.is_float]
        if not results:
            raise NoGradient("its results are discrete")
        if not inputs:
            raise NoGradient("it has no input of floats")
        cotangents = [dataclasses.replace(t, name=f"d{t.name}") for t in results]
        for t in results:
            self.adjoints[t.name] = f"d{t.name}"
        last = {d.name: k for k, d in enumerate(self.program.defines)}
        for k in reversed(range(len(self.program.defines))):
            d = self.program.defines[k]
            if d.name in self.reverse.active:
                self._step(d, is_last=last[d.name] == k)
        outputs = [self._output(t) for t in inputs]
        self._drop_unread(outputs)
        self._forward()
        made = Program(
            f"{self.source.name}_grad",
            (*cotangents, *self.program.inputs),
            tuple(outputs),
            tuple(self.locals),
            self.program.scalars,
            self.program.sizes,
            tuple(self.defines),
        )
        check_program(made)
        return made

    def _step(self, d: Define, is_last: bool) -> None:
        if d.recurrent is not None:
            self._recurrent(d)
        elif d.combine is not None:
            if not is_last and d.combine.name != "sum":
                raise NoGradient(f"two writes to {d.name}, one by {d.combine.name}")
            self._finish(d.name)
            scatters.backward(self, d)
        else:
            self._finish(d.name)
            if d.name in self.adjoints:
                term = Term(d.axes, (), self.adjoint(d.name, d.indices))
                self.pull(d.value, term, d if self._is_local(d.name) else None)

    def _is_local(self, name: str) -> bool:
        return any(t.name == name for t in self.program.locals)

    def pull(self, root: Expr, term: Term, local: Define | None = None) -> None:
        """Adds what the reads of `root` get to what waits for the tensors they read.

        Where it is the value of a local, adjoints that contain it read the local.
        """
        self.reverse.run(root, term)
        known: dict[Expr, Expr] = {}
        whole = (
            local is not None
            and sum(d.name == local.name for d in self.program.defines) == 1
        )
        plain = root.value if isinstance(root, Cast) else root
        if local is not None and whole and not isinstance(plain, Read | Const):
            known[root] = Read(local.name, local.indices, root.dtype)
        for c in self.reverse.found:
            if known:
                value = self.reverse.replaced(c.term.value, known)
                c = dataclasses.replace(
                    c, term=dataclasses.replace(c.term, value=value)
                )
            self.waiting.setdefault(c.tensor, []).append(c)
        self.reverse.found.clear()

    def adjoint(self, name: str, indices: tuple[Expr, ...]) -> Expr:
        """The adjoint of a tensor's element, in the compute type."""
        found = self.adjoints[name]
        if isinstance(found, str):
            dtype = self._dtype(found)
            return cast(Read(found, indices, dtype), compute_type(dtype))
        places, value = found
        mapping: dict[Expr, Expr] = {
            p.index: i for p, i in zip(places, indices, strict=True)
        }
        return self.reverse.replaced(value, mapping)

    def _dtype(self, adjoint: str) -> DType:
        for t in self.locals:
            if t.name == adjoint:
                return t.dtype
        return self.program.tensor(adjoint[1:]).dtype

    # --- adjoints ------------------------------------------------------------------

    def _places(self, name: str) -> tuple[Axis, ...]:
        """An axis for each of a tensor's, called as where it is defined or read."""
        tensor = self.program.tensor(name)
        bases = [f"i{k}" for k in range(len(tensor.shape))]
        for d in reversed(self.program.defines):
            reads = [
                n.indices
                for n in walk(d.value)
                if isinstance(n, Read) and n.tensor == name
            ]
            if d.name == name:
                reads.append(d.indices)
            for indices in reads:
                for k, i in enumerate(indices):
                    base = getattr(i, "name", None)
                    if base is not None:
                        bases[k] = str(base)
        return tuple(
            Axis(self.names(b), ZERO, n)
            for b, n in zip(bases, tensor.shape, strict=True)
        )

    def collected(
        self, name: str, places: tuple[Axis, ...]
    ) -> tuple[Expr | None, list[Scattered]]:
        """What waits for a tensor: a value at `places`, and scatters on top of it."""
        parts: list[Expr] = []
        scatters_: list[Scattered] = []
        for c in self.waiting.pop(name, []):
            found = turned(c, places, self.reverse)
            if isinstance(found, Scattered) and not _is_scatter(found):
                found = everywhere(c, places, self.reverse)
            if isinstance(found, Scattered):
                scatters_.append(found)
            else:
                parts.append(found)
        total = self.products.plus(*parts) if parts else None
        return total, scatters_

    def _finish(self, name: str) -> None:
        """The adjoint of a local, all of whose users are done."""
        if name in self.adjoints or name not in self.waiting:
            return
        places = self._places(name)
        value, added = self.collected(name, places)
        dtype = self.program.tensor(name).dtype
        folded = any(
            isinstance(n, Fold)
            for d in self.program.defines
            if d.name == name
            for n in walk(d.value)
        )
        if not added and value is not None and _is_small(value, places, folded):
            self.adjoints[name] = (places, value)
            return
        if value is None:
            value = Const(0.0, dtype)
        made = self.adjoints[name] = self.define(f"d{name}", places, value)
        for s in added:
            self._add(made, s)

    def define(
        self, name: str, axes: tuple[Axis, ...], value: Expr, along: str | None = None
    ) -> str:
        """A new local, and its name."""
        taken = {t.name for t in (*self.locals, *self.program.locals)}
        taken |= {t.name for t in (*self.program.inputs, *self.program.outputs)}
        taken |= {f"d{t}" for t in taken if self._is_io(t)} | set(self.program.sizes)
        taken |= {s.name for s in self.program.scalars}
        while name in taken:
            name += "_"
        shape = tuple(a.stop for a in axes)
        self.locals.append(Tensor(name, value.dtype, shape))
        indices = tuple(a.index for a in axes)
        self.defines.append(Define(name, axes, indices, value, None, along))
        return name

    def _is_io(self, name: str) -> bool:
        return any(
            t.name == name for t in (*self.program.inputs, *self.program.outputs)
        )

    def _add(self, name: str, s: Scattered) -> None:
        """A scatter; a place that has to be searched for is a local of its own."""
        indices = []
        for index in s.indices:
            if any(isinstance(n, Fold | Scan | Order) for n in walk(index)):
                own = tuple(a for a in s.axes if a.name in free(index))
                new = {a.index: Axis(self.names(a.name), a.start, a.stop) for a in own}
                known: dict[Expr, Expr] = {i: a.index for i, a in new.items()}
                value = self.reverse.replaced(index, known)
                local = self.define(self._letter("p"), tuple(new.values()), value)
                index = Read(local, tuple(new), index.dtype)
            indices.append(index)
        made = sum_of(s.value.dtype)
        self.defines.append(Define(name, s.axes, tuple(indices), s.value, made))

    def _letter(self, base: str) -> str:
        """A name that nothing has."""
        taken = {t.name for t in (*self.locals, *self.program.locals)}
        taken |= {t.name for t in (*self.program.inputs, *self.program.outputs)}
        taken |= set(self.program.sizes) | {s.name for s in self.program.scalars}
        name, k = base, 1
        while name in taken:
            name, k = f"{base}{k}", k + 1
        return name

    def _output(self, t: Tensor) -> Tensor:
        """The result for an input, rounded to its type."""
        name = f"d{t.name}"
        places = self._places(t.name)
        value, added = self.collected(t.name, places)
        wide = compute_type(t.dtype)
        if value is None:
            value = Const(0.0, wide)
        indices = tuple(p.index for p in places)
        self.defines.append(Define(name, places, indices, cast(value, t.dtype)))
        for s in added:
            self._add(name, s)
        return Tensor(name, t.dtype, t.shape)

    # --- recurrences ---------------------------------------------------------------

    def carry(
        self,
        axes: tuple[Axis, ...],
        along: Axis | None,
        value: Callable[[Expr], Expr],
    ) -> str:
        """A new local; one that reads its own next element where there is an axis."""
        name = self._letter("h" if along is not None else "t")
        new = {a.index: Axis(self.names(a.name), a.start, a.stop) for a in axes}
        after = tuple(
            arithmetic("add", a.index, integer(1)) if a is along else a.index
            for a in axes
        )
        made = value(Read(name, after, self._wide()))
        moved = self.reverse.replaced(made, {i: a.index for i, a in new.items()})
        places = tuple(new[a.index] for a in axes)
        stepped = None if along is None else new[along.index].name
        return self.define(name, places, moved, stepped)

    def _wide(self) -> DType:
        return next(
            compute_type(t.dtype) for t in self.program.inputs if t.dtype.is_float
        )

    def _recurrent(self, d: Define) -> None:
        """The adjoint of what reads itself: what reads it later, and it itself."""
        name = d.name
        if name not in self.waiting and name not in self.adjoints:
            return
        known = self.adjoints.pop(name, None)
        dtype = compute_type(self.program.tensor(name).dtype)
        own = f"d{name}" if known is None else f"d{name}_sum"
        self.pull(d.value, Term(d.axes, (), Read(own, d.indices, dtype)))
        places = self._places(name)
        value, added = self.collected(name, places)
        if added:
            raise NoGradient("a recurrence that reads places that are data")
        parts = [] if value is None else [value]
        if isinstance(known, str):
            self.adjoints[name] = known
            parts.insert(0, self.adjoint(name, tuple(p.index for p in places)))
        total = self.products.plus(*parts)
        along = next(
            p
            for p, i in zip(places, d.indices, strict=True)
            if getattr(i, "name", None) == d.recurrent
        )
        made = self.define(own, places, total, along.name)
        assert made == own, made
        self.adjoints[name] = made
        # Definitions stand in the order in which they are needed.
        self._before_users(made)

    def _before_users(self, name: str) -> None:
        at = next(k for k, d in enumerate(self.defines) if d.name == name)
        moved = self.defines.pop(at)
        first = next(
            (
                k
                for k, d in enumerate(self.defines)
                if any(isinstance(n, Read) and n.tensor == name for n in walk(d.value))
            ),
            len(self.defines),
        )
        self.defines.insert(first, moved)

    def _drop_unread(self, outputs: list[Tensor]) -> None:
        """Leaves out what nobody reads: the adjoint of a pivot, for one."""
        wanted = {t.name for t in outputs}
        while True:
            more = wanted | {
                n.tensor
                for d in self.defines
                if d.name in wanted
                for e in (*d.axes, *d.indices, d.value)
                for n in walk(e)
                if isinstance(n, Read)
            }
            if more == wanted:
                break
            wanted = more
        self.defines = [d for d in self.defines if d.name in wanted]
        self.locals = [t for t in self.locals if t.name in wanted]

    # --- the forward part ----------------------------------------------------------

    def _forward(self) -> None:
        """Puts the forward locals in front that the adjoints read."""
        needed: set[str] = set()
        roots = list(self.defines)
        locals_ = {t.name: t for t in self.program.locals}
        kept: set[str] = set()
        while True:
            reads = {
                n.tensor
                for d in roots
                for e in (*d.axes, *d.indices, d.value)
                for n in walk(e)
                if isinstance(n, Read)
            }
            outputs = {t.name for t in self.program.outputs}
            if reads & outputs:
                raise NoGradient("a result is read again")  # A wide local is, instead.
            more = (reads & set(locals_)) - needed
            if not more:
                break
            needed |= more
            roots = [d for d in self.program.defines if d.name in more]
            kept |= more
        shown = prepared(self.source, self.names, self.keeps)
        front = [d for d in shown.defines if d.name in kept]
        self.defines[:0] = front
        self.locals[:0] = [t for t in self.program.locals if t.name in kept]


def _is_small(value: Expr, places: tuple[Axis, ...], folded: bool) -> bool:
    """Whether to put a value in where it is read; folds of whole rows get names.

    `folded` says that it is the adjoint of a fold, so that it is read along more axes
    than its own: all its folds are then of whole rows.
    """
    every = {p.name for p in places}
    count = 0
    waiting = [value]
    while waiting:
        node = waiting.pop()
        count += 1
        if count > _SMALL or isinstance(node, Scan | Order):
            return False
        if isinstance(node, Fold):
            if every <= free(node) and not folded:
                return False
        else:
            waiting += node.children
    return True


def _is_scatter(s: Scattered) -> bool:
    """Whether a spec can say it: every axis is seen from a read at it alone."""
    return all(a.start is ZERO and not free(a.stop) for a in s.axes)
