"""`Loops`: loop nests over strided buffers; the last form before text.

Values are `Expr` again: a `Read` names a buffer and its indices, a `Var` a value bound
by `Let`, `Reduce` or `Declare`. Linearisation (indices times strides) and
vectorisation are the printer's work: inside a vector loop over ``i``, whatever depends
on ``i`` is a vector; a read whose last-axis stride is 1 and whose index moves with
``i`` is a contiguous load, one that does not depend on ``i`` is a broadcast, any other
is a gather. Tails are masked, never peeled into other arithmetic, so a tail gives the
same bits as the body.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from opslib.ir.dtypes import DType
from opslib.ir.expr import Axis, Const, Expr, Scalar
from opslib.ir.monoid import Monoid

KINDS = ("serial", "unroll", "vector", "parallel")
SCOPES = ("input", "output", "workspace", "stack")


@dataclass(frozen=True, slots=True)
class Buffer:
    """Memory a kernel touches.

    Attributes:
        name: what `Read` and `Store` call it.
        dtype: of its elements as stored.
        shape: extents, for the verifier and the interpreter's bounds checks.
        strides: in elements; `Const(1)` on an axis known to be contiguous, else a
            launch-time integer (`Scalar` named ``<buffer>_stride<axis>``).
        scope: ``input``/``output`` (arguments), ``workspace`` (one per worker, from
            the context), ``stack`` (small, constant extents).
        shared: a workspace that all workers see (between two parallel loops).
    """

    name: str
    dtype: DType
    shape: tuple[Expr, ...]
    strides: tuple[Expr, ...]
    scope: str
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Let:
    """Binds ``Var(name)`` to a value for the rest of the enclosing body."""

    name: str
    value: Expr


@dataclass(frozen=True, slots=True)
class Declare:
    """A variable that `Assign` may change: scan states, running pivots."""

    name: str
    value: Expr


@dataclass(frozen=True, slots=True)
class Assign:
    """Gives a declared variable a new value; several at once are simultaneous."""

    names: tuple[str, ...]
    values: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Store:
    """``buffer[indices] = value``, converted to the buffer's type."""

    buffer: str
    indices: tuple[Expr, ...]
    value: Expr


@dataclass(frozen=True, slots=True)
class Reduce:
    """Folds `args` over `axes` and binds the *state* (unfinished) to `results`.

    kind: ``vector`` keeps lanes of partial states over the last axis and joins them
    at the end (any order); ``serial`` goes in order. `body` is evaluated before the
    arguments at each point (Lets that several args share).
    """

    axes: tuple[Axis, ...]
    kind: str
    monoid: Monoid
    args: tuple[Expr, ...]
    results: tuple[str, ...]
    body: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class For:
    """A loop. ``parallel`` splits the (flattened) range over workers.

    `step` > 1 is a blocked loop: the index takes start, start + step ... and the body
    clips by itself. `grain` is the least number of iterations worth a worker.
    """

    axis: Axis
    kind: str
    body: tuple[Statement, ...]
    step: Expr | None = None
    grain: Expr | None = None


@dataclass(frozen=True, slots=True)
class If:
    """Runs `then` or `other`.

    `alternatives` says that both compute the same, so that a machine for which only
    one of them is any good may always run that one; `other` suits every size.
    """

    condition: Expr
    then: tuple[Statement, ...]
    other: tuple[Statement, ...] = ()
    alternatives: bool = False


@dataclass(frozen=True, slots=True)
class Alloc:
    """Memory that lives to the end of the enclosing body."""

    buffer: Buffer


@dataclass(frozen=True, slots=True)
class Fail:
    """Leaves the kernel with an error when the condition does not hold.

    `check` is the position in `Kernel.checks`; value and extent are reported.
    """

    condition: Expr
    check: int
    value: Expr
    extent: Expr


@dataclass(frozen=True, slots=True)
class Intrinsic:
    """A function of ``native/``: its text (`template`) and its meaning.

    `template` is C with ``{0}``, ``{1}`` ... for the printed arguments. Arguments are
    expressions, or `Place` for the address of an element of a buffer. `meaning` is
    what the interpreter runs: it gets arrays (views that begin at the place) and
    numbers, and must leave the same values as the template does.
    """

    name: str
    template: str
    arguments: tuple[Expr | Place, ...]
    meaning: Callable[..., Any] = field(compare=False)
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """The address of ``buffer[indices]``; `writes` says what an intrinsic may do."""

    buffer: str
    indices: tuple[Expr, ...]
    writes: bool = False


Statement = (
    Let | Declare | Assign | Store | Reduce | For | If | Alloc | Fail | Intrinsic
)


@dataclass(frozen=True, slots=True)
class Kernel:
    """One launchable function.

    Launch order of integers: `sizes`, then the strides that are not constant of each
    input and output in order, then integer `scalars`; reals: the float `scalars`.

    Attributes:
        name: C identifier, mangled.
        inputs, outputs: argument buffers in launch order.
        sizes: extents by name.
        scalars: run-time attributes.
        body: statements.
        skeleton: which skeleton made it: ``map``, ``row_fold``, ``contraction``,
            ``streaming``, ``gather``, ``scan``, ``order`` or ``nest``.
        notes: what a reader of the kernel should know; printed as its comment.
        messages: text of each Fail's check, by position.
    """

    name: str
    inputs: tuple[Buffer, ...]
    outputs: tuple[Buffer, ...]
    sizes: tuple[str, ...]
    scalars: tuple[Scalar, ...]
    body: tuple[Statement, ...]
    skeleton: str
    notes: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()

    @property
    def integers(self) -> tuple[str, ...]:
        """Names of the launch-time integers, in order (the kernel's C ABI)."""
        strides = tuple(
            s.name
            for b in (*self.inputs, *self.outputs)
            for s in b.strides
            if isinstance(s, Scalar)
        )
        ints = tuple(s.name for s in self.scalars if not s.type.is_float)
        return (*self.sizes, *strides, *ints)

    @property
    def reals(self) -> tuple[str, ...]:
        """Names of the launch-time reals, in order."""
        return tuple(s.name for s in self.scalars if s.type.is_float)


def is_contiguous(buffer: Buffer) -> bool:
    """Whether the last axis is known to have stride 1."""
    last = buffer.strides[-1:] or (Const(1, Scalar("", _I64).type),)
    return isinstance(last[0], Const) and last[0].value == 1


_I64 = DType("int64", "int", 64)
