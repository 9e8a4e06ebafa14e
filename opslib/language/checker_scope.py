"""What names mean at one place of a body, and where each read was made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from opslib.language.checker_signature import Report, Signature
from opslib.language.diagnostics import Diagnostic
from opslib.language.functions import DTYPES
from opslib.language.syntax import (
    Binary,
    Binder,
    Composite,
    Expression,
    Index,
    IsNone,
    Name,
    Operator,
    Pack,
    Span,
    TensorType,
    Unary,
)
from opslib.spelling import did_you_mean


@dataclass(frozen=True, slots=True)
class Read:
    """A read of a result or a local: by which definition, and how."""

    definition: int
    name: str
    node: Index | Name
    ranges: Mapping[str, Binder]


@dataclass(slots=True)
class Context:
    """One check of one operator.

    locals: the axes of every local, or None when a whole value was assigned.
    """

    operator: Operator
    known: Mapping[str, Operator]
    signature: Signature
    report: Report
    locals: dict[str, tuple[Expression, ...] | None] = field(default_factory=dict)
    declared: dict[str, Span] = field(default_factory=dict)
    adjoints: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    reads: list[Read] = field(default_factory=list)
    definition: int = -1

    def error(
        self,
        code: str,
        message: str,
        span: Span,
        help: str = "",
        labels: tuple[tuple[Span, str], ...] = (),
    ) -> None:
        """Report an error at `span`."""
        self.report(Diagnostic(code, message, span, labels, help))


@dataclass(frozen=True, slots=True)
class Scope:
    """The indices and packs in scope; what is known of optionals.

    packs: index packs, None for the anonymous one. present: optional tensors that a
    condition found present, or that ``??`` stands behind. whole: bare tensors may
    have any rank (arguments of operators, gradients). in_pack: inside ``...( )``.
    """

    indices: frozenset[str] = frozenset()
    packs: frozenset[str | None] = frozenset()
    present: frozenset[str] = frozenset()
    ranges: Mapping[str, Binder] = field(default_factory=dict)
    whole: bool = False
    in_pack: bool = False
    guarded: bool = False

    def with_present(self, names: Iterable[str]) -> Scope:
        """This scope, where these optional tensors are present."""
        return replace(self, present=self.present | frozenset(names))


def axes_of(context: Context, name: str) -> tuple[Expression, ...] | None:
    """The declared axes of a tensor, result or local."""
    signature = context.signature
    declared = signature.tensors.get(name) or signature.results.get(name)
    if declared is not None:
        assert isinstance(declared.type, TensorType)
        return declared.type.axes
    return context.locals.get(name)


def is_tensor(context: Context, name: str) -> bool:
    """Whether `name` holds elements: a tensor, a result or a local."""
    signature = context.signature
    return (
        name in signature.tensors
        or name in signature.results
        or name in context.declared
        or name in context.adjoints
    )


def implied(condition: Expression) -> tuple[frozenset[str], frozenset[str]]:
    """The tensors that are present if `condition` holds, and if it does not."""
    none: frozenset[str] = frozenset()
    match condition:
        case IsNone():
            names = frozenset({condition.name})
            return (names, none) if condition.negated else (none, names)
        case Unary(operator="not"):
            yes, no = implied(condition.operand)
            return no, yes
        case Binary(operator="and"):
            (a, x), (b, y) = implied(condition.left), implied(condition.right)
            return a | b, x & y
        case Binary(operator="or"):
            (a, x), (b, y) = implied(condition.left), implied(condition.right)
            return a & b, x | y
    return none, none


def unknown_name(context: Context, scope: Scope, name: str, span: Span) -> None:
    """Report a name that means nothing here."""
    signature = context.signature
    candidates = [
        *sorted(scope.indices),
        *signature.sizes,
        *signature.attributes,
        *signature.tensors,
        *signature.results,
        *context.declared,
        *("true", "false", "none", "inf", "nan", "pi"),
    ]
    help = did_you_mean(name, candidates)
    if not help and len(name) <= 2:
        help = "an index is bound by the left side or by a fold such as sum[j](...)"
    context.error("E0301", f"'{name}' is not known here", span, help)


def example_read(name: str, axes: tuple[Expression, ...]) -> str:
    """A read of the right rank, ``x[..., i]``, for a help text."""
    letters = iter("ijklpqrst")
    items = ["..." if isinstance(axis, Pack) else next(letters, "i") for axis in axes]
    return f"{name}[{', '.join(items)}]"


def axes_text(name: str, axes: tuple[Expression, ...]) -> str:
    """``x[..., n]`` for messages, from the source text of the axes."""
    if not axes:
        return name
    return f"{name}[{', '.join(_axis_text(axis) for axis in axes)}]"


def _axis_text(axis: Expression) -> str:
    if isinstance(axis, Pack) and axis.value is None:
        return "..."
    return " ".join(axis.span.source.text[axis.span.start : axis.span.stop].split())


def check_rank(
    context: Context,
    name: str,
    axes: tuple[Expression, ...],
    items: tuple[Expression, ...],
    span: Span,
    help: str = "",
) -> None:
    """Report items that do not pair with the axes; ``...`` counts once.

    Named packs may split one pack of the tensor in several, so that more of them
    than the tensor has are let pass here; expansion knows their ranks.
    """
    kinds = [isinstance(axis, Pack) for axis in axes]
    given = [isinstance(item, Pack) for item in items]
    if kinds == given:
        return
    named = all(item.value is not None for item in items if isinstance(item, Pack))
    if any(kinds) and named and sum(given) > sum(kinds):
        return
    declared = axes_text(name, axes)
    shown = "no axes" if not axes else f"the axes of {declared}"
    message = f"'{name}' has {shown}, {_count(items)} given"
    if not axes and not help:
        help = f"'{name}' is a single value: write {name}"
    if not help and any(kinds) and not any(given):
        help = f"'...' stands for any number of axes: {example_read(name, axes)}"
    if axes and not help:
        help = f"one index for each axis: {example_read(name, axes)}"
    context.error("E0503", message, span, help)


def _count(items: tuple[Expression, ...]) -> str:
    return "1 index is" if len(items) == 1 else f"{len(items)} indices are"


def size_as_index(context: Context, scope: Scope, item: Expression) -> bool:
    """Report a bare size where an index belongs: it is one past the end."""
    signature = context.signature
    for part in item.parts if isinstance(item, Composite) else (item,):
        bare = part.value if isinstance(part, Pack) else part
        if not isinstance(bare, Name) or bare.name in scope.indices:
            continue
        name = bare.name
        if isinstance(part, Pack):
            is_size = name in signature.packs and name not in scope.packs
        else:
            is_size = name in signature.sizes or name in signature.extents
        if is_size:
            what = "a pack of sizes" if isinstance(part, Pack) else "a size"
            message = f"'{name}' is {what}, not an index"
            help = "name the index differently: sizes and indices share one namespace"
            context.error("E0501", message, part.span, help)
            return True
    return False


def is_dtype(context: Context, name: str) -> bool:
    """Whether `name` is a dtype, a dtype variable or an attribute that is one."""
    return name in DTYPES or name in context.signature.dtypes
