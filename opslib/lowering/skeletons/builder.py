"""From expressions with folds to statements: what every skeleton is built with.

A `Body` is a list of statements at one place of the loop nest. It knows which index
variables are bound there, so it can tell when a fold no longer depends on the loops
still to come and belongs *here*: that is how a row's maximum is computed once per row.
"""

from __future__ import annotations

import dataclasses
from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from opslib.ir import loops
from opslib.ir.dtypes import INT64, DType
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
    Program,
    Read,
    Scalar,
    Scan,
    Select,
    Size,
    Tensor,
    Var,
    free_indices,
    rebuild,
    substitute,
    walk,
)
from opslib.ir.loops import Alloc, Assign, Buffer, Declare, For, If, Let, Reduce, Store
from opslib.ir.monoid import Monoid
from opslib.ir.printer import rename
from opslib.lowering.skeletons import arith
from opslib.lowering.skeletons.arith import contiguous, integer, product

Layout = Mapping[str, str]
LAYOUTS = ("contiguous-inner", "strided", "broadcast-inner")

# One piece of a split fold is worth at least this many elements, and there are at most
# so many pieces. Both are fixed, so a sum's bits do not depend on the machine.
PIECE, PIECES = 32768, 64
# What a worker should get at least, in elements of a cheap map: about 10 us of work,
# twice what it costs to wake a thread.
GRAIN = 32768


def argument(tensor: Tensor, scope: str, layout: Layout) -> Buffer:
    """The buffer of an input or output under the caller's promise about strides."""
    kind = layout.get(tensor.name, "contiguous-inner")
    if kind not in LAYOUTS:
        raise ValueError(f"layout of {tensor.name} is {kind!r}, not one of {LAYOUTS}")
    rank = len(tensor.shape)
    strides: list[Expr] = [
        Scalar(f"{tensor.name}_stride{axis}", INT64) for axis in range(rank)
    ]
    if rank and kind != "strided":
        strides[-1] = ONE if kind == "contiguous-inner" else ZERO
    return Buffer(tensor.name, tensor.dtype, tensor.shape, tuple(strides), scope)


@dataclass(frozen=True, slots=True)
class Machine:
    """What a machine wants of the skeletons' loops.

    Attributes:
        chunk: elements of a map's last axis that one worker takes, given its axes and
            values; None: long blocks, with lanes within.
        piece, pieces: see `PIECE`.
        native: whether native functions find the place of a row's extreme.
        together: whether definitions over the same rows share their loops.
        tile: side of the tiles through which a team moves what is read across the
            grain; 0: none.
    """

    chunk: Callable[[Builder, tuple[Axis, ...], list[Expr]], int] | None = None
    piece: int = PIECE
    pieces: int = PIECES
    native: bool = True
    together: bool = True
    tile: int = 0


HOST = Machine()


class Builder:
    """Names and buffers of one kernel under construction."""

    def __init__(self, program: Program, layout: Layout, name: str | None = None):
        self.program = program
        self.name = name or program.name
        self.inputs = tuple(argument(t, "input", layout) for t in program.inputs)
        self.outputs = tuple(argument(t, "output", layout) for t in program.outputs)
        self.buffers = {b.name: b for b in (*self.inputs, *self.outputs)}
        # Where a local is now: its buffer, and how many leading axes that leaves out
        # because it is kept for one row at a time; or the value itself, for a scalar.
        self.memory: dict[str, tuple[str, int]] = {}
        self.scalar_locals: dict[str, Expr] = {}
        # Outputs whose loops are in another order: where each index of a point is.
        self.turned: dict[str, tuple[int, ...]] = {}
        # Whether reads across the grain go through square tiles on the stack.
        self.transposes = True
        self.machine = HOST
        self._taken: set[str] = {
            *(t.name for t in (*program.inputs, *program.outputs, *program.locals)),
            *program.sizes,
            *(s.name for s in program.scalars),
            *(
                s.name
                for b in self.buffers.values()
                for s in b.strides
                if isinstance(s, Scalar)
            ),
        }

    def fresh(self, base: str) -> str:
        """A name nobody has: `base`, or `base` with a number."""
        name, count = base, 1
        while name in self._taken:
            name, count = f"{base}_{count}", count + 1
        self._taken.add(name)
        return name

    def rank(self, tensor: str) -> int:
        """The rank of a tensor of the program."""
        return len(self.program.tensor(tensor).shape)

    def allocate(
        self, base: str, dtype: DType, shape: tuple[Expr, ...], shared: bool
    ) -> Buffer:
        """A new contiguous workspace; the caller emits its Alloc."""
        buffer = Buffer(
            self.fresh(base), dtype, shape, contiguous(shape), "workspace", shared
        )
        self.buffers[buffer.name] = buffer
        return buffer

    def local(self, tensor: str, dropped: int, shared: bool) -> Buffer:
        """Memory for a local without its first `dropped` axes."""
        found = self.program.tensor(tensor)
        shape = found.shape[dropped:]
        buffer = self.allocate(
            f"{tensor}_row" if dropped else f"{tensor}_all", found.dtype, shape, shared
        )
        self.memory[tensor] = (buffer.name, dropped)
        self.scalar_locals.pop(tensor, None)
        return buffer

    def turn(self, define: Define) -> Define:
        """The definition with an axis of ranks last, so that a row is ordered once."""
        inside = [n for n in walk(define.value) if isinstance(n, Order)]
        ranks = {n.at for n in inside}
        order = [k for k, a in enumerate(define.axes) if a.index not in ranks]
        order += [k for k, a in enumerate(define.axes) if a.index in ranks]
        outputs = {t.name for t in self.program.outputs}
        if (
            order == sorted(order)
            or define.name not in outputs
            or not (define.is_plain and define.recurrent is None)
            or not all(a.is_dense for a in define.axes)
            or any(
                n.tensor == define.name
                for d in self.program.defines
                for n in defines_reading(d)
            )
        ):
            return define
        self.turned[define.name] = tuple(order.index(k) for k in range(len(order)))
        axes = tuple(define.axes[k] for k in order)
        return dataclasses.replace(
            define, axes=axes, indices=tuple(a.index for a in axes)
        )

    def place_of(self, name: str, point: tuple[Expr, ...]) -> tuple[Expr, ...]:
        """Where the value at a point of the loops belongs."""
        order = self.turned.get(name)
        return point if order is None else tuple(point[k] for k in order)

    def root(self) -> Body:
        """The outermost body."""
        return Body(self, frozenset(), parallel=False)

    def kernel(
        self, body: Body, skeleton: str, notes: tuple[str, ...] = ()
    ) -> loops.Kernel:
        """The finished kernel."""
        return loops.Kernel(
            self.name,
            self.inputs,
            self.outputs,
            self.program.sizes,
            self.program.scalars,
            tuple(body.statements),
            skeleton,
            notes,
            tuple(c.message for c in self.program.checks),
        )

    def checks(self, body: Body) -> None:
        """Loops that stop the kernel at the first index outside its bounds."""
        for number, check in enumerate(self.program.checks):
            if check.policy != "raise":
                continue
            names = {a.name: self.fresh(a.name) for a in check.axes}
            found = (check.condition, check.value or ZERO, check.extent or ZERO)
            parts = tuple(rename(e, names) for e in found)
            at, opened = body, []
            for depth, axis in enumerate(check.axes):
                named = rename(axis, names)
                assert isinstance(named, Axis)
                ends = at.lower(named.start), at.lower(named.stop)
                inner = at.within((named.name,), parallel=True)
                # What the later loops do not change is computed outside of them.
                parts = tuple(inner.hoist(e) for e in parts)
                grain = None if depth else grain_of(check.axes[1:])
                kind = "serial" if depth else "parallel"
                opened.append((at, Axis(named.name, *ends), kind, inner, grain))
                at = inner
            condition, value, extent = (at.lower(e) for e in parts)
            at.statements.append(loops.Fail(condition, number, value, extent))
            for outer, loop, kind, inner, grain in reversed(opened):
                outer.statements.append(
                    For(loop, kind, tuple(inner.statements), None, grain)
                )


def grain_of(axes: tuple[Axis, ...], weight: int = 1) -> Expr:
    """Iterations worth a worker, when one runs over `axes`."""
    extents = [arith.upper_extent(a) for a in axes]
    work = product(e for e in extents if e is not None)
    if weight > 1:
        work = arith.mul(work, integer(weight))
    if work is ONE:
        return integer(GRAIN)
    return arith.add(ONE, arith.floordiv(integer(GRAIN), arith.most(work, ONE)))


def needs_statements(root: Expr) -> bool:
    """Whether the value cannot be had by an expression alone."""
    return any(isinstance(n, Fold | Scan | Order) for n in walk(root))


def joined(monoid: Monoid) -> Monoid:
    """The monoid over its own states, for joining partial results."""
    state = tuple(Var(f"x{k}", t) for k, t in enumerate(monoid.state))
    return dataclasses.replace(monoid, name=f"{monoid.name}_states", lift=state)


def row_of(node: Expr) -> Expr:
    """A scan or order without the position asked for; other nodes as they are."""
    if isinstance(node, Scan):
        return Scan(node.monoid, node.axis, node.args, ZERO, node.output)
    if isinstance(node, Order):
        return Order(node.axis, node.value, ZERO, node.descending, node.output)
    return node


def finished(monoid: Monoid, output: int, states: tuple[Expr, ...]) -> Expr:
    """One finished value of the states."""
    mapping: dict[Expr, Expr] = {
        Var(f"s{k}", t): v
        for k, (t, v) in enumerate(zip(monoid.state, states, strict=True))
    }
    return substitute(monoid.finish[output], mapping)


def combined(
    monoid: Monoid, a: tuple[Expr, ...], b: tuple[Expr, ...]
) -> tuple[Expr, ...]:
    """State a followed by state b."""
    mapping: dict[Expr, Expr] = {}
    for k, t in enumerate(monoid.state):
        mapping[Var(f"a{k}", t)] = a[k]
        mapping[Var(f"b{k}", t)] = b[k]
    return tuple(substitute(e, mapping) for e in monoid.combine)


def lifted(monoid: Monoid, args: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """The state of one element."""
    mapping: dict[Expr, Expr] = {Var(f"x{k}", a.dtype): a for k, a in enumerate(args)}
    return tuple(substitute(e, mapping) for e in monoid.lift)


@dataclass
class Body:
    """Statements at one place of the nest, and what is known there.

    Attributes:
        bound: index variables in scope.
        parallel: whether this place is run by a worker already.
        vector: whether lanes of an enclosing loop run here at once.
        known: values computed by earlier statements, by the expression they stand for.
    """

    builder: Builder
    bound: frozenset[str]
    parallel: bool
    vector: bool = False
    known: ChainMap[object, Expr] = field(default_factory=ChainMap)
    statements: list[loops.Statement] = field(default_factory=list)

    def within(
        self, names: object, parallel: bool | None = None, vector: bool | None = None
    ) -> Body:
        """The body of a loop (or branch) inside this one."""
        more = frozenset(names)  # type: ignore[call-overload]
        return Body(
            self.builder,
            self.bound | more,
            self.parallel if parallel is None else parallel or self.parallel,
            self.vector if vector is None else vector or self.vector,
            self.known.new_child(),
        )

    def let(self, base: str, value: Expr) -> Expr:
        """A name for a value, unless it is one already."""
        if isinstance(value, Const | Var | Index | Size | Scalar):
            return value
        name = self.builder.fresh(base)
        self.statements.append(Let(name, value))
        return Var(name, value.dtype)

    # -- hoisting ----------------------------------------------------------------

    def hoist(self, root: Expr) -> Expr:
        """Computes here what `root` needs from here, and returns what is left."""
        return self._hoist(root, False, False, {})

    def _hoist(
        self,
        node: Expr,
        guarded: bool,
        ranged: bool,
        done: dict[tuple[Expr, bool, bool], Expr],
    ) -> Expr:
        if not needs_statements(node):
            return node
        if node in self.known:
            return self.known[node]
        key = node, guarded, ranged
        if key in done:
            return done[key]
        new: Expr
        if isinstance(node, Scan | Order) and self._may_hoist(node, guarded, ranged):
            at = self._hoist(node.at, guarded, ranged, done)
            new = self._element(node, at)
        elif not isinstance(node, Axis) and self._may_hoist(node, guarded, ranged):
            new = self.let(_base(node), self.lower(node))
            self.known[node] = new
        elif isinstance(node, Select):
            new = Select(
                self._hoist(node.condition, guarded, ranged, done),
                self._hoist(node.yes, True, ranged, done),
                self._hoist(node.no, True, ranged, done),
            )
        else:
            if isinstance(node, Fold):
                ranged = ranged or not all(a.is_dense for a in node.axes)
            elif isinstance(node, Scan | Order):
                ranged = True
            new = rebuild(node, lambda c: self._hoist(c, guarded, ranged, done))
        done[key] = new
        return new

    def _may_hoist(self, whole: Expr, guarded: bool, ranged: bool) -> bool:
        """Whether computing it here, early and unasked, reads only what exists."""
        if not free_indices(row_of(whole)) <= self.bound:
            return False
        for n in walk(whole):
            if isinstance(n, Read):
                for i in n.indices:
                    plain = isinstance(i, Index)
                    if guarded and not plain:
                        return False
                    if ranged and any(isinstance(m, Read | Const) for m in walk(i)):
                        return False
        return True

    # -- lowering ----------------------------------------------------------------

    def lower(self, root: Expr) -> Expr:
        """The value as an expression of `Loops`; what it needs is computed here."""
        done: dict[Expr, Expr] = {}
        return self._lower(root, done)

    def _lower(self, root: Expr, done: dict[Expr, Expr]) -> Expr:
        # Explicit stack: the depth of expressions is limited, that of Python is lower.
        stack = [root]
        while stack:
            node = stack[-1]
            if node in done:
                stack.pop()
                continue
            if node in self.known:
                done[node] = self.known[node]
                stack.pop()
                continue
            match node:
                case Fold():
                    done[node] = self._fold(node)
                case Scan() | Order():
                    done[node] = self._element(node, self._lower(node.at, done))
                case Select(_, yes, no) if needs_statements(yes) or needs_statements(
                    no
                ):
                    done[node] = self._branch(node)
                case _:
                    missing = [c for c in node.children if c not in done]
                    if missing:
                        stack += missing
                        continue
                    done[node] = self._leaf(rebuild(node, done.__getitem__))
            stack.pop()
        return done[root]

    def _leaf(self, node: Expr) -> Expr:
        if isinstance(node, Read):
            scalar = self.builder.scalar_locals.get(node.tensor)
            if scalar is not None:
                return scalar
            if node.tensor in self.builder.memory:
                buffer, dropped = self.builder.memory[node.tensor]
                return Read(buffer, node.indices[dropped:], node.type)
        return node

    def _branch(self, node: Select) -> Expr:
        condition = self.lower(node.condition)
        name = self.builder.fresh("chosen")
        zero: bool | int | float = False
        if node.dtype.kind != "bool":
            zero = 0.0 if node.dtype.is_float else 0
        bodies = []
        for value in (node.yes, node.no):
            inner = self.within(())
            inner.statements.append(Assign((name,), (inner.lower(value),)))
            bodies.append(tuple(inner.statements))
        self.statements.append(Declare(name, Const(zero, node.dtype)))
        self.statements.append(If(condition, bodies[0], bodies[1]))
        return Var(name, node.dtype)

    def _fold(self, node: Fold) -> Expr:
        key = (node.monoid, node.axes, node.args)
        states = self.known.get(key)
        if states is None:
            # Kept in `known` as the first state; the rest follow by name.
            found = self._states(node)
            for k, state in enumerate(found):
                self.known[(key, k)] = state
            self.known[key] = found[0]
        states_all = tuple(self.known[(key, k)] for k in range(len(node.monoid.state)))
        return finished(node.monoid, node.output, states_all)

    def _states(self, node: Fold) -> tuple[Expr, ...]:
        builder = self.builder
        names = {a.name: builder.fresh(a.name) for a in node.axes}
        ranged = not all(a.is_dense for a in node.axes)
        args = tuple(self._hoist(a, False, ranged, {}) for a in node.args)
        named = tuple(rename(a, names) for a in args)
        axes = tuple(rename(a, names) for a in node.axes)
        assert all(isinstance(a, Axis) for a in axes)
        if any(needs_statements(a) for a in axes[1:]):
            return self._nested(node.monoid, axes, named)  # type: ignore[arg-type]
        plain = []
        for a in axes:
            assert isinstance(a, Axis)
            ends = self.lower(a.start), self.lower(a.stop)
            plain.append(Axis(a.name, *ends, a.bound))
        if not self.parallel and arith.upper_extent(plain[0]) is not None:
            return self._split(node.monoid, tuple(plain), named)
        return self.reduce(node.monoid, tuple(plain), named)

    def reduce(
        self, monoid: Monoid, axes: tuple[Axis, ...], args: tuple[Expr, ...]
    ) -> tuple[Expr, ...]:
        """A Reduce here, of arguments that may contain folds; gives its states."""
        is_place = len(axes) == 1 and len(args) == 2 and args[1] is axes[0].index
        native = is_place and not self.vector and self.builder.machine.native
        if native and monoid.name in ("argmax", "argmin"):
            from opslib.lowering.skeletons import order

            return order.best(self, monoid, axes[0], args[0])
        inner = self.within(a.name for a in axes)
        lowered = tuple(inner.lower(a) for a in args)
        results = tuple(self.builder.fresh(monoid.name) for _ in monoid.state)
        kind = "serial" if self.vector else "vector"
        self.statements.append(
            Reduce(axes, kind, monoid, lowered, results, tuple(inner.statements))
        )
        return tuple(map(Var, results, monoid.state))

    def _nested(
        self, monoid: Monoid, axes: tuple[Axis, ...], args: tuple[Expr, ...]
    ) -> tuple[Expr, ...]:
        """Plain loops, for inner ranges that themselves need statements."""
        names = tuple(self.builder.fresh(monoid.name) for _ in monoid.state)
        for name, identity in zip(names, monoid.identity, strict=True):
            self.statements.append(Declare(name, identity))
        states = tuple(map(Var, names, monoid.state))
        bodies = [self]
        opened = []
        for a in axes:
            at = bodies[-1]
            opened.append(Axis(a.name, at.lower(a.start), at.lower(a.stop)))
            bodies.append(at.within((a.name,)))
        last = bodies[-1]
        new = combined(monoid, states, lifted(monoid, tuple(map(last.lower, args))))
        last.statements.append(Assign(names, new))
        for at, axis, inner in reversed(
            list(zip(bodies[:-1], opened, bodies[1:], strict=True))
        ):
            at.statements.append(For(axis, "serial", tuple(inner.statements)))
        return states

    def _split(
        self, monoid: Monoid, axes: tuple[Axis, ...], args: tuple[Expr, ...]
    ) -> tuple[Expr, ...]:
        """Over workers: a fixed number of pieces, then the pieces in order."""
        builder, machine = self.builder, self.builder.machine
        first, rest = axes[0], axes[1:]
        extents = [arith.upper_extent(a) for a in rest]
        inner_work = product(e for e in extents if e is not None)
        n = self.let("extent", arith.extent(first))
        size = self.let(
            "piece",
            arith.most(
                arith.ceildiv(n, integer(machine.pieces)),
                integer(machine.piece)
                if inner_work is ONE
                else arith.ceildiv(integer(machine.piece), arith.most(inner_work, ONE)),
            ),
        )
        count = self.let("pieces", arith.ceildiv(n, size))
        parts = []
        for dtype in monoid.state:
            part = builder.allocate(
                f"{monoid.name}_parts", dtype, (integer(machine.pieces),), True
            )
            self.statements.append(Alloc(part))
            parts.append(part)
        at = builder.fresh("part")
        body = self.within((at,), parallel=True)
        begin = body.let("begin", arith.add(first.start, arith.mul(Index(at), size)))
        end = body.let("end", arith.least(first.stop, arith.add(begin, size)))
        states = body.reduce(monoid, (Axis(first.name, begin, end), *rest), args)
        for part, state in zip(parts, states, strict=True):
            body.statements.append(Store(part.name, (Index(at),), state))
        self.statements.append(
            For(Axis(at, ZERO, count), "parallel", tuple(body.statements))
        )
        again = builder.fresh("part")
        results = tuple(builder.fresh(monoid.name) for _ in monoid.state)
        reads = tuple(
            Read(p.name, (Index(again),), t)
            for p, t in zip(parts, monoid.state, strict=True)
        )
        self.statements.append(
            Reduce(
                (Axis(again, ZERO, count),), "serial", joined(monoid), reads, results
            )
        )
        return tuple(map(Var, results, monoid.state))

    # -- rows that are computed at once --------------------------------------------

    def _element(self, node: Scan | Order, at: Expr) -> Expr:
        key = row_of(node)
        row = self.known.get(key)
        if row is None:
            from opslib.lowering.skeletons import order, scan

            make = order.row if isinstance(node, Order) else scan.row
            row = make(self, node)  # type: ignore[arg-type]
            self.known[key] = row
        start = self.lower(node.axis.start)
        assert isinstance(row, Var)
        name = row.name
        dtype = self.builder.buffers[name].dtype
        read = Read(name, (arith.sub(at, start),), dtype)
        return read if dtype == node.dtype else Cast(read, node.dtype)


def _base(node: Expr) -> str:
    return node.monoid.name if isinstance(node, Fold | Scan) else "value"


def reads_of(root: Expr, tensors: frozenset[str]) -> set[Read]:
    """The reads of any of the tensors."""
    return {n for n in walk(root) if isinstance(n, Read) and n.tensor in tensors}


def defines_reading(define: Define) -> set[Read]:
    """All reads of a definition."""
    return {
        n
        for n in walk(*define.axes, *define.indices, define.value)
        if isinstance(n, Read)
    }
