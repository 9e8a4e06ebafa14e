"""`Facts`: what is known of a call while it is being bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from opslib.errors import OpslibError
from opslib.ir.binding import Argument
from opslib.ir.dtypes import DType
from opslib.ir.statics import StaticScope
from opslib.language import syntax
from opslib.language.diagnostics import argument_error, render


@dataclass(frozen=True, slots=True)
class Placed:
    """An array and the parameter it was given for.

    name: of the program's tensor (``xs1`` for instance 1 of ``*xs``).
    instance: -1 if the parameter is not variadic.
    given: shape of the caller's array, where `argument` has axes that it leaves out.
    """

    name: str
    parameter: syntax.Parameter
    instance: int
    argument: Argument
    given: tuple[int, ...] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the caller's array."""
        return self.argument.shape if self.given is None else self.given

    @property
    def label(self) -> str:
        """What to call it in a message: ``x``, or ``xs[1]`` of a variadic one."""
        name = self.parameter.name
        return name if self.instance < 0 else f"{name}[{self.instance}]"


@dataclass(slots=True)
class Facts:
    """What is known so far.

    Attributes:
        arrays: every array given, in the order of the parameters.
        present: for each optional tensor whether it was given.
        counts: for each variadic tensor how many were given.
        values: sizes and attributes.
        origin: for a name, how its value came about, as part of a sentence.
        packs: extents of packs; None is the anonymous one.
        ranks: of packs.
        dtypes: dtype variables and dtype attributes.
        instances: sizes that differ between the instances of a variadic tensor.
        axis: what the caller gave for the `axis` clause.
        orders: for each array, its axes in declared order.
        missing: axes such as the m of ``x1: T[..., m?, k]`` that an array leaves out;
            its argument then has a length of 1 there.
    """

    operator: syntax.Operator
    arrays: list[Placed] = field(default_factory=list)
    present: dict[str, bool] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    origin: dict[str, str] = field(default_factory=dict)
    packs: dict[str | None, list[int]] = field(default_factory=dict)
    ranks: dict[str | None, int] = field(default_factory=dict)
    dtypes: dict[str, DType] = field(default_factory=dict)
    instances: dict[str, list[int]] = field(default_factory=dict)
    axis: int = -1
    orders: dict[str, tuple[int, ...]] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)

    def scope(self) -> StaticScope:
        """What names mean in expressions of the signature."""
        return StaticScope(
            self.values,
            self.packs,
            self.dtypes,
            self.present,
            self.instances,
            self.counts,
        )

    def fail(
        self,
        kind: type[OpslibError],
        place: str,
        message: str,
        code: str,
        *,
        labels: Sequence[tuple[syntax.Span | str, str]] = (),
        help: str = "",
    ) -> NoReturn:
        """Raises `kind` with carets in the signature, as `argument_error` has them."""
        diagnostic = argument_error(
            self.operator, place, message, code=code, labels=labels, help=help
        )
        raise kind(render(diagnostic), code=code, help=help)
