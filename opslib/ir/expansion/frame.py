"""What names mean while one operator is expanded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from opslib.errors import SpecError
from opslib.ir.argument_dtypes import dtype_function
from opslib.ir.dtypes import DTYPES, DType
from opslib.ir.expr import Axis, Check, Expr
from opslib.language import syntax
from opslib.language.diagnostics import Diagnostic, render


@dataclass(frozen=True, slots=True)
class Group:
    """One declared axis of a tensor: a pack's dims, a composite's, or a single one."""

    kind: str
    dims: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Operand:
    """A tensor as an expression may read it.

    `read` gives the element at flat program indices: a Read for real arrays, an
    expression for the arguments and locals of an inlined call. It is told the scope
    of the access, whose live indices an inlined fold must not capture.
    """

    name: str
    groups: tuple[Group, ...]
    read: Callable[[tuple[Expr, ...], Scope], Expr]

    @property
    def dims(self) -> tuple[Expr, ...]:
        """All program dims, in order."""
        return tuple(d for g in self.groups for d in g.dims)


@dataclass(frozen=True, slots=True)
class LocalValue:
    """What a local is, as a function of its indices."""

    dtype: DType
    indices: tuple[Expr, ...]
    value: Expr


@dataclass
class Shared:
    """State of a whole expansion.

    Attributes:
        library: the operators that may be called.
        evaluator: gives an expression's value in a frame. It is `values.value`,
            handed down here because it needs every other module of the expansion,
            and they need it for the expressions inside theirs.
        checks: those found so far.
        locals: what each local is, for checks that must not read it.
        owners, reserved, definition: see `fresh`.
        depth: of operators that call operators.
    """

    library: Mapping[str, syntax.Operator]
    evaluator: Callable[[Frame, syntax.Expression, Scope], Expr]
    checks: list[Check] = field(default_factory=list)
    locals: dict[str, LocalValue] = field(default_factory=dict)
    owners: dict[str, int] = field(default_factory=dict)
    reserved: set[str] = field(default_factory=set)
    definition: int = 0
    depth: int = 0


@dataclass
class Frame:
    """One operator being expanded: the outermost, or a call inside it.

    Attributes:
        sizes: extents and integer attributes by name.
        packs: extents of size packs; None is the anonymous one.
        attributes: static values (bool, str, None, DType, axes) or expressions.
        dtypes: dtype variables.
        operands: tensors and locals by name; variadic ones as tuples.
        absent: optional tensors that were not given.
        counts: instances of variadic tensors; instance_sizes their own sizes.
        macros: locals that are plain scalars.
    """

    shared: Shared
    operator: syntax.Operator
    sizes: dict[str, Expr] = field(default_factory=dict)
    packs: dict[str | None, list[Expr]] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    dtypes: dict[str, DType] = field(default_factory=dict)
    operands: dict[str, Operand] = field(default_factory=dict)
    variadic: dict[str, tuple[Operand, ...]] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    instance_sizes: dict[str, list[Expr]] = field(default_factory=dict)
    macros: dict[str, Expr] = field(default_factory=dict)

    def value(self, node: syntax.Expression, scope: Scope) -> Expr:
        """The value of an expression at the current point."""
        return self.shared.evaluator(self, node, scope)

    def dtype_of(self, node: syntax.DTypeExpression) -> DType:
        """The dtype that an expression of the signature stands for."""
        if node.arguments:
            inner = [self.dtype_of(a) for a in node.arguments]
            return dtype_function(node.name, inner)
        if node.name in self.dtypes:
            return self.dtypes[node.name]
        if node.name in DTYPES:
            return DTYPES[node.name]
        self.fail(node, f"nothing determines the dtype {node.name}", "E0407")

    def fail(
        self, node: syntax.Node, message: str, code: str, help: str = ""
    ) -> NoReturn:
        """Raises a SpecError with carets under `node`."""
        diagnostic = Diagnostic(code, message, node.span, (), help)
        raise SpecError(render(diagnostic), code=code, help=help)


@dataclass(frozen=True, slots=True)
class Scope:
    """What changes inside a frame: the indices in sight and the path taken.

    Attributes:
        indices: index name -> its expression.
        packs: index packs; None is the anonymous one, the current batch position.
        axes: every index variable that is live, with its range.
        path: conditions under which this point is evaluated.
        statics: variadic selectors whose value is known (``v`` in ``first[v]``).
        output: which of several values a tuple-valued fold gives.
    """

    indices: Mapping[str, Expr] = field(default_factory=dict)
    packs: Mapping[str | None, tuple[Expr, ...]] = field(default_factory=dict)
    axes: tuple[Axis, ...] = ()
    path: tuple[Expr, ...] = ()
    output: int = 0

    def with_axes(self, *axes: Axis) -> Scope:
        """The scope inside a fold over `axes`."""
        return replace(self, axes=self.axes + axes)

    def taking(self, condition: Expr) -> Scope:
        """The scope where `condition` holds."""
        return replace(self, path=(*self.path, condition))

    @property
    def extents(self) -> dict[str, Expr]:
        """Live index variables that run from zero, with their extents."""
        return {a.name: a.stop for a in self.axes if a.is_dense}


def fresh(frame: Frame, scope: Scope, base: str) -> str:
    """A name for a fold's index: `base`, or with a number where that is taken.

    Names are unique among live indices, the left sides of all definitions, and the
    folds of other definitions, so that any local may be inlined anywhere without
    capturing; within a definition equal folds share a name and become one node.
    """
    shared = frame.shared
    live = {a.name for a in scope.axes}
    number, joint = 1, "_" if base[-1:].isdigit() else ""
    while True:
        name = base if number == 1 else f"{base}{joint}{number}"
        owner = shared.owners.get(name, shared.definition)
        free = name not in live and name not in shared.reserved
        if free and owner == shared.definition:
            shared.owners[name] = owner
            return name
        number += 1
