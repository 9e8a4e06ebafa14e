"""`Expr`, the index algebra, and `Program`: what every backend starts from.

An expression is the value of one element as a function of index variables. Nodes are
frozen and hash-consed: equal structure is the same object, so equality is identity,
a dict keyed by node is common-subexpression elimination, and a walk that remembers
nodes is linear in distinct nodes however often they are shared.

A `Program` has concrete ranks and dtypes but symbolic sizes and strides: one program
serves every shape of its rank. What a spec leaves to templates (packs, `axis`,
optional and variadic tensors, static attributes) has been expanded away.
"""

from __future__ import annotations

import math
import os
import struct
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any

from opslib.ir.dtypes import BOOL, INT64, DType

if TYPE_CHECKING:
    from opslib.ir.monoid import Monoid

_TABLE: weakref.WeakValueDictionary[tuple[Any, ...], Any] = (
    weakref.WeakValueDictionary()
)
_LOCK = threading.Lock()


def _renew_lock() -> None:
    """For a child of fork: whoever held the lock in the parent is not there."""
    global _LOCK
    _LOCK = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def _key(value: Any) -> Any:
    # 0.0 == -0.0, 1 == 1.0 == True and nan != nan: constants are told apart by bits.
    if isinstance(value, float):
        return ("float", struct.pack("<d", value))
    if isinstance(value, bool | int):
        return (type(value).__name__, value)
    return value


class _Interned(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if len(args) < len(cls.__match_args__):  # type: ignore[attr-defined]
            # Defaults are filled in first: left out or written out, it is one node.
            rest = fields(cls)[len(args) :]  # type: ignore[arg-type]
            args += tuple(
                kwargs.pop(f.name) if f.name in kwargs else f.default for f in rest
            )
        if kwargs or MISSING in args:
            raise TypeError(f"{cls.__name__} got {args} {sorted(kwargs)}")
        key = (cls, *map(_key, args))
        with _LOCK:
            found = _TABLE.get(key)
            if found is None:
                found = super().__call__(*args)
                _TABLE[key] = found
            return found


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Expr(metaclass=_Interned):
    """Base of the nodes. Equality is identity (nodes are interned)."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, f.name) for f in fields(self))

    @property
    def dtype(self) -> DType:
        """The element type of the value."""
        raise TypeError(type(self).__name__)

    @property
    def children(self) -> tuple[Expr, ...]:
        """The direct operands."""
        return ()


@dataclass(frozen=True, slots=True, eq=False)
class Const(Expr):
    """A literal of a type; `value` is a Python bool, int or float."""

    value: bool | int | float
    type: DType

    @property
    def dtype(self) -> DType:
        return self.type


@dataclass(frozen=True, slots=True, eq=False)
class Size(Expr):
    """A named extent, known at launch: int64."""

    name: str

    @property
    def dtype(self) -> DType:
        return INT64


@dataclass(frozen=True, slots=True, eq=False)
class Scalar(Expr):
    """A run-time attribute, such as ``eps``: passed at launch, not compiled in."""

    name: str
    type: DType

    @property
    def dtype(self) -> DType:
        return self.type


@dataclass(frozen=True, slots=True, eq=False)
class Index(Expr):
    """An index variable bound by a Define or a Fold: int64."""

    name: str

    @property
    def dtype(self) -> DType:
        return INT64


@dataclass(frozen=True, slots=True, eq=False)
class Var(Expr):
    """A placeholder inside a monoid's templates."""

    name: str
    type: DType

    @property
    def dtype(self) -> DType:
        return self.type


@dataclass(frozen=True, slots=True, eq=False)
class Read(Expr):
    """One element of an input, or of a local that an earlier Define gave.

    Indices are within bounds wherever this is evaluated: the spec's `??` has become
    a `Select` on the bounds. A data-dependent index that the spec does not guard is
    listed in `Program.checks`.
    """

    tensor: str
    indices: tuple[Expr, ...]
    type: DType

    @property
    def dtype(self) -> DType:
        return self.type

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.indices


@dataclass(frozen=True, slots=True, eq=False)
class Prim(Expr):
    """An elementwise primitive; all of `PRIMITIVES` in `ir/primitives.py`.

    Operands of arithmetic have the result's type; of comparisons, one common type.
    """

    op: str
    args: tuple[Expr, ...]
    type: DType

    @property
    def dtype(self) -> DType:
        return self.type

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.args


@dataclass(frozen=True, slots=True, eq=False)
class Cast(Expr):
    """Conversion with rounding to nearest even; float to int truncates."""

    value: Expr
    type: DType

    @property
    def dtype(self) -> DType:
        return self.type

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.value,)


@dataclass(frozen=True, slots=True, eq=False)
class Select(Expr):
    """``yes if condition else no``, lazily: reads not taken never happen."""

    condition: Expr
    yes: Expr
    no: Expr

    @property
    def dtype(self) -> DType:
        return self.yes.dtype

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.condition, self.yes, self.no)


@dataclass(frozen=True, slots=True, eq=False)
class Axis(Expr):
    """An index variable and its half-open range ``start..stop``, ascending.

    `start` and `stop` may depend on enclosing indices and on data (ragged rows).
    `bound` is then an expression of sizes that stop - start never exceeds, or None.
    """

    name: str
    start: Expr
    stop: Expr
    bound: Expr | None = None

    @property
    def dtype(self) -> DType:
        return INT64

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.start, self.stop) + (() if self.bound is None else (self.bound,))

    @property
    def index(self) -> Index:
        """The variable itself."""
        return Index(self.name)

    @property
    def is_dense(self) -> bool:
        """Whether the range is 0..n with n free of indices and data."""
        return self.start is ZERO and not depends_on_data(self.stop)


@dataclass(frozen=True, slots=True, eq=False)
class Fold(Expr):
    """Reduction of `args` over the axes by a monoid; the value of one output of it.

    Order is the ascending lexicographic one where it matters (argmax ties); a
    backend may re-associate. `output` selects among the monoid's finished values.
    """

    monoid: Monoid
    axes: tuple[Axis, ...]
    args: tuple[Expr, ...]
    output: int = 0

    @property
    def dtype(self) -> DType:
        return self.monoid.finish[self.output].dtype

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.axes + self.args


@dataclass(frozen=True, slots=True, eq=False)
class Scan(Expr):
    """Prefix reduction along `axis`, at position `at`: cumsum, cummax ...

    The value is the fold of `args` over ``axis.start .. at`` (inclusive).
    """

    monoid: Monoid
    axis: Axis
    args: tuple[Expr, ...]
    at: Expr
    output: int = 0

    @property
    def dtype(self) -> DType:
        return self.monoid.finish[self.output].dtype

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.axis, *self.args, self.at)


@dataclass(frozen=True, slots=True, eq=False)
class Order(Expr):
    """The `at`-th of the values along `axis` in order; stable.

    output 0 is the value, 1 its position (int64). NaN sorts last when ascending and
    first when descending (as NumPy and torch.topk do).
    """

    axis: Axis
    value: Expr
    at: Expr
    descending: bool
    output: int

    @property
    def dtype(self) -> DType:
        return INT64 if self.output else self.value.dtype

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.axis, self.value, self.at)


@dataclass(frozen=True, slots=True, eq=False)
class Call(Expr):
    """A composite operator at this element, kept whole so that a backend may claim it.

    `args` are its scalar arguments (for ``softmax[j](b)``: ``b``, with `axes` = j),
    `expansion` the same value in primitives: a backend that claims nothing reads it.
    """

    operator: str
    args: tuple[Expr, ...]
    axes: tuple[Axis, ...]
    expansion: Expr

    @property
    def dtype(self) -> DType:
        return self.expansion.dtype

    @property
    def children(self) -> tuple[Expr, ...]:
        return (*self.axes, *self.args, self.expansion)


ZERO = Const(0, INT64)
ONE = Const(1, INT64)
TRUE = Const(True, BOOL)
FALSE = Const(False, BOOL)


@dataclass(frozen=True, slots=True)
class Tensor:
    """An array a program reads or writes: concrete rank, symbolic shape."""

    name: str
    dtype: DType
    shape: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Define:
    """``name[indices] = value`` for all points of `axes`.

    Plain definitions have `indices` equal to the axes' variables. `combine` (a
    Monoid) makes it a scatter: `value` is combined into what an earlier Define of
    the same name left there. `recurrent` names the axis along which `value` reads
    its own earlier elements; it must then be walked in order.
    """

    name: str
    axes: tuple[Axis, ...]
    indices: tuple[Expr, ...]
    value: Expr
    combine: Monoid | None = None
    recurrent: str | None = None

    @property
    def is_plain(self) -> bool:
        """Whether element [i, j, ...] is defined at the point (i, j, ...) itself."""
        return self.combine is None and self.indices == tuple(
            a.index for a in self.axes
        )


@dataclass(frozen=True, slots=True)
class Check:
    """A condition that must hold, for all points of `axes`, before anything is read.

    `operand` and `value` name what is reported when it does not (an index operand
    and the index it held); `policy` is ``raise`` or ``clamp``.
    """

    axes: tuple[Axis, ...]
    condition: Expr
    message: str
    operand: str = ""
    value: Expr | None = None
    extent: Expr | None = None
    policy: str = "raise"


@dataclass(frozen=True, slots=True)
class Program:
    """A whole operator at concrete rank and dtypes.

    Attributes:
        name: the operator's name.
        inputs: in the order the kernel receives them.
        outputs: in the order of the results; absent optional ones are left out.
        locals: intermediate tensors, in the compute type.
        scalars: run-time attributes, in launch order.
        sizes: names of the extents, in launch order.
        defines: in dependency order, locals first use before them.
        checks: what must be verified at run time about data-dependent indices.
        exact: outputs are bit-equal on every backend.
        claim: (operator name, static attributes) for a backend that has it whole.
    """

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    locals: tuple[Tensor, ...]
    scalars: tuple[Scalar, ...]
    sizes: tuple[str, ...]
    defines: tuple[Define, ...]
    checks: tuple[Check, ...] = ()
    exact: bool = False
    claim: tuple[tuple[str, Any], ...] = ()

    def tensor(self, name: str) -> Tensor:
        """The tensor of that name; raises KeyError."""
        for t in (*self.inputs, *self.outputs, *self.locals):
            if t.name == name:
                return t
        raise KeyError(name)


# --- Walking -----------------------------------------------------------------------


def walk(*roots: Expr) -> Iterator[Expr]:
    """Every distinct node below the roots, each once, operands before their users."""
    seen: set[Expr] = set()
    stack: list[tuple[Expr, bool]] = [(r, False) for r in reversed(roots)]
    while stack:
        node, ready = stack.pop()
        if ready:
            yield node
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((c, False) for c in reversed(node.children) if c not in seen)


def rebuild(node: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """`node` with `change` applied to each direct operand (and Axis)."""
    match node:
        case Read():
            return Read(node.tensor, tuple(map(change, node.indices)), node.type)
        case Prim():
            return Prim(node.op, tuple(map(change, node.args)), node.type)
        case Cast():
            return Cast(change(node.value), node.type)
        case Select():
            return Select(*map(change, node.children))
        case Axis():
            bound = None if node.bound is None else change(node.bound)
            return Axis(node.name, change(node.start), change(node.stop), bound)
        case Fold():
            return Fold(
                node.monoid,
                tuple(map(change, node.axes)),  # type: ignore[arg-type]
                tuple(map(change, node.args)),
                node.output,
            )
        case Scan():
            axis: Any = change(node.axis)
            args = tuple(map(change, node.args))
            return Scan(node.monoid, axis, args, change(node.at), node.output)
        case Order():
            axis = change(node.axis)
            value, at = change(node.value), change(node.at)
            return Order(axis, value, at, node.descending, node.output)
        case Call():
            return Call(
                node.operator,
                tuple(map(change, node.args)),
                tuple(map(change, node.axes)),  # type: ignore[arg-type]
                change(node.expansion),
            )
    return node


def transform(root: Expr, rule: Callable[[Expr], Expr | None]) -> Expr:
    """Bottom-up rewriting: `rule` sees each node with its operands already done."""
    done: dict[Expr, Expr] = {}
    for node in walk(root):
        new = rebuild(node, done.__getitem__)
        done[node] = rule(new) or new
    return done[root]


def substitute(root: Expr, mapping: dict[Expr, Expr]) -> Expr:
    """Replaces nodes by others, simultaneously.

    The caller keeps bound index names unique (`expand` does), so nothing is captured.
    """
    done: dict[Expr, Expr] = {}
    for node in walk(root):
        if node in mapping:
            done[node] = mapping[node]
        else:
            done[node] = rebuild(node, done.__getitem__)
    return done[root]


def free_indices(root: Expr) -> frozenset[str]:
    """Names of the index variables `root` depends on and does not bind."""
    free: dict[Expr, frozenset[str]] = {}
    for node in walk(root):
        below: frozenset[str] = frozenset().union(*(free[c] for c in node.children))
        match node:
            case Index(name):
                below |= {name}
            case Fold():
                below -= {a.name for a in node.axes}
            case Scan() | Order():
                # `at` is outside the binder, but expand gives binders fresh names.
                below -= {node.axis.name}
            case Call():
                below -= {a.name for a in node.axes} - free[node.expansion]
        free[node] = below
    return free[root]


def depends_on_data(root: Expr) -> bool:
    """Whether the value depends on an index variable or on an array's elements."""
    return any(isinstance(n, Index | Read | Fold | Scan | Order) for n in walk(root))


def is_const(node: Expr, value: bool | int | float) -> bool:
    """Whether `node` is the literal `value` (of any type; nan is never)."""
    return (
        isinstance(node, Const)
        and not (isinstance(node.value, float) and math.isnan(node.value))
        and node.value == value
    )
