"""The checked tree of a spec: what the parser builds and every later stage reads.

Plain frozen data. Every node carries the `Span` of the characters it came from, so
that an error found at any later time (even at a call, years of stages away) is still
a caret under the very characters. Spans take no part in equality or hashing: two
spellings of one program are one program.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Source:
    """A text and the name a person knows it by (a path, or ``<op>``)."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open range of characters ``[start, stop)`` of a source."""

    source: Source = field(repr=False)
    start: int
    stop: int

    def to(self, other: Span) -> Span:
        """The span from the start of this one to the stop of `other`."""
        return Span(self.source, self.start, other.stop)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Base of all nodes."""

    span: Span = field(compare=False, repr=False)


# --- Expressions -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A literal; `value` is an int or a float as written (``inf``, ``nan`` too)."""

    value: int | float


@dataclass(frozen=True, slots=True)
class Boolean(Node):
    """``true`` or ``false``."""

    value: bool


@dataclass(frozen=True, slots=True)
class String(Node):
    """A quoted string: the value of an enumeration attribute."""

    value: str


@dataclass(frozen=True, slots=True)
class Nothing(Node):
    """``none``."""


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A size, an index, an attribute, a scalar local or a dtype, by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class TupleOf(Node):
    """``(a, b)``; used for attribute defaults and results of several values."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Composite(Node):
    """``(g r)``: one axis made of several, the last one fastest (as in einops).

    As an extent it is the product; as an index it is the mixed-radix number.
    """

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Pack(Node):
    """``...`` (name and value None), ``...s`` or ``...(s + lo)`` in an axis list.

    `value` is an expression over packs, evaluated axis by axis.
    """

    value: Expression | None


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """``-x``, ``not x``, ``~x``."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """``+ - * / // % ^ << >> & |  < <= > >= == !=  and or``; ``^`` is power."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    """``value if condition else other``; the branch not taken is never evaluated."""

    value: Expression
    condition: Expression
    other: Expression


@dataclass(frozen=True, slots=True)
class Otherwise(Node):
    """``read ?? value``: `value` where the read is out of bounds or absent."""

    read: Expression
    value: Expression


@dataclass(frozen=True, slots=True)
class IsNone(Node):
    """``bias is none`` / ``bias is not none``: decided before compilation."""

    name: str
    negated: bool


@dataclass(frozen=True, slots=True)
class IsClass(Node):
    """``T is float`` / ``T is not float``: decided before compilation."""

    dtype: DTypeExpression
    classes: tuple[str, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class Index(Node):
    """``x[..., i, 2*j + 1]``; on a variadic tensor ``xs[v][..., i]``.

    `base` is the tensor's or local's name, `which` the variadic selector or None.
    """

    base: str
    items: tuple[Expression, ...]
    which: Expression | None = None


@dataclass(frozen=True, slots=True)
class Apply(Node):
    """``f(x, y, key=z)``: a primitive, a dtype cast ``T(x)`` or another operator."""

    function: str
    arguments: tuple[Expression, ...]
    keywords: tuple[tuple[str, Expression], ...] = ()


@dataclass(frozen=True, slots=True)
class Binder(Node):
    """One bound index of a fold: ``j``, ``...j``, or ``u in lo..hi [bound b]``.

    Without a range, the extent is inferred from the reads that use the index alone.
    """

    name: str
    pack: bool = False
    start: Expression | None = None
    stop: Expression | None = None
    bound: Expression | None = None


@dataclass(frozen=True, slots=True)
class Along(Node):
    """``sum[j](...)``, ``softmax[j](...)``: a fold or an operator along indices."""

    function: str
    binders: tuple[Binder, ...]
    arguments: tuple[Expression, ...]
    keywords: tuple[tuple[str, Expression], ...] = ()


Expression = (
    Number
    | Boolean
    | String
    | Nothing
    | Name
    | TupleOf
    | Composite
    | Pack
    | Unary
    | Binary
    | Conditional
    | Otherwise
    | IsNone
    | IsClass
    | Index
    | Apply
    | Along
)


# --- Types -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DTypeExpression(Node):
    """``T``, ``float32``, or a function of a dtype such as ``sum_of(T)``."""

    name: str
    arguments: tuple[DTypeExpression, ...] = ()


@dataclass(frozen=True, slots=True)
class TensorType(Node):
    """``T[..., n]``; ``T`` without brackets is ``T[...]`` (`axes` holds one Pack).

    `absent` names the axes written ``m?``, which an array of one dimension less
    leaves out: the type then reads it as if its length were 1.
    """

    dtype: DTypeExpression
    axes: tuple[Expression, ...]
    absent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AttributeType(Node):
    """The kind of an attribute.

    kind: ``int float bool number string dtype shape axis axes``; a ``number`` is an
        int or a float as it was given, which ``k is int`` tells.
    count: for ``int[2]`` the Number, for ``int[...s]`` the Pack, else None; a list
        kind takes one number for all, or a tuple.
    choices: for ``"none" | "tanh"``.
    pack: for ``axis[s]`` and ``axes[s]`` the pack whose axes are meant; None is the
        anonymous ``...``.
    """

    kind: str
    count: Expression | None = None
    choices: tuple[str, ...] = ()
    pack: str | None = None


@dataclass(frozen=True, slots=True)
class Parameter(Node):
    """One parameter. A tensor may be optional (``?``) or variadic (``*xs``).

    `default` of an attribute may use sizes and earlier attributes.
    `placement`: ``positional`` (before ``/``), ``either``, or ``keyword`` (after a
    bare ``*``).
    """

    name: str
    type: TensorType | AttributeType
    optional: bool = False
    variadic: bool = False
    default: Expression | None = None
    placement: str = "either"


@dataclass(frozen=True, slots=True)
class Result(Node):
    """One output; `optional` outputs are computed only when asked for.

    `instances` makes it variadic: ``*ys[v in 0..count]`` is `count` arrays, whose
    axes may differ with v. The binder starts at 0.
    """

    name: str
    type: TensorType
    optional: bool = False
    instances: Binder | None = None


@dataclass(frozen=True, slots=True)
class DTypeClass(Node):
    """``T: float`` of the where-clause; `classes` is a union."""

    name: str
    classes: tuple[str, ...]


# --- Statements and clauses ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Target(Node):
    """The left side of a definition: ``e[..., i]``, ``ys[v][i]`` or a scalar ``z``.

    `which` names the instance of a variadic result.
    """

    name: str
    items: tuple[Expression, ...]
    which: Name | None = None


@dataclass(frozen=True, slots=True)
class Definition(Node):
    """``e[..., i] = expr`` or ``y[ids[i]] add= u[i]`` (combine: ``add``, ``max``...).

    Several targets take the values of a tuple: ``v[r], id[r] = topk[j](...)``.

    A piece of a result says where it holds: ``y[i] = ... for i in lo..hi when c``.
    """

    targets: tuple[Target, ...]
    value: Expression
    combine: str | None = None
    ranges: tuple[Binder, ...] = ()
    condition: Expression | None = None


@dataclass(frozen=True, slots=True)
class Sample(Node):
    """``sample x in [lo, hi]``: the domain that test inputs are drawn from."""

    name: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Require(Node):
    """``requires pad < n : "message"``."""

    condition: Expression
    message: str


@dataclass(frozen=True, slots=True)
class Workload(Node):
    """``workload name: x float32[4096, 1024], eps=1e-6``: shapes worth timing.

    `tensors` maps a parameter to (dtype name, shape); `attributes` to its value.
    """

    label: str
    tensors: tuple[tuple[str, str, tuple[int, ...]], ...]
    attributes: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True, slots=True)
class Upstream(Node):
    """``like torch.nn.functional.gelu [adapted "why"]``: where the name comes from."""

    function: str
    status: str = "aligned"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Gradient(Node):
    """``grad x = ...``: an author's closed form, tested against the derived one."""

    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Clauses:
    """Everything of an operator that is not its mathematics."""

    axis: str | None = None
    samples: tuple[Sample, ...] = ()
    exact: bool = False
    bounds: tuple[tuple[str, str], ...] = ()
    accumulate: str | None = None
    mutates: tuple[str, ...] = ()
    requires: tuple[Require, ...] = ()
    workloads: tuple[Workload, ...] = ()
    upstream: tuple[Upstream, ...] = ()
    gradients: tuple[Gradient, ...] = ()
    # Where each stands: ("axis", span), ("bounds ids", span) ...
    places: tuple[tuple[str, Span], ...] = field(default=(), compare=False, repr=False)

    def place(self, clause: str) -> Span | None:
        """The characters of the clause ``axis``, ``bounds ids`` ..., if it is there."""
        return next((span for name, span in self.places if name == clause), None)


@dataclass(frozen=True, slots=True)
class Operator(Node):
    """One ``op``, checked: everything a later stage may ask about a spec's text."""

    name: str
    doc: str
    parameters: tuple[Parameter, ...]
    results: tuple[Result, ...]
    classes: tuple[DTypeClass, ...]
    definitions: tuple[Definition, ...]
    clauses: Clauses
    name_span: Span = field(compare=False, repr=False)

    @property
    def tensors(self) -> tuple[Parameter, ...]:
        """The tensor parameters, in order."""
        return tuple(p for p in self.parameters if isinstance(p.type, TensorType))

    @property
    def attributes(self) -> tuple[Parameter, ...]:
        """The attribute parameters, in order."""
        return tuple(p for p in self.parameters if isinstance(p.type, AttributeType))
