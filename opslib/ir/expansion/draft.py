"""`Draft`: the program while it is being written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from opslib.ir.binding import Statics
from opslib.ir.build import cast
from opslib.ir.dtypes import DType, compute_type
from opslib.ir.expansion.frame import Frame, Group, Operand, Scope
from opslib.ir.expr import Define, Expr, Read, Scalar, Size, Tensor
from opslib.language import syntax


@dataclass(slots=True)
class Draft:
    """The parts of the program written so far, and what they are made from."""

    frame: Frame
    statics: Statics
    inputs: list[Tensor] = field(default_factory=list)
    outputs: dict[str, Tensor] = field(default_factory=dict)
    locals: list[Tensor] = field(default_factory=list)
    defines: list[Define] = field(default_factory=list)
    scalars: list[Scalar] = field(default_factory=list)
    sizes: list[str] = field(default_factory=list)

    @property
    def operator(self) -> syntax.Operator:
        """The operator that is expanded."""
        return self.frame.operator

    def size(self, name: str) -> Size:
        """A size of the program, listed when first named."""
        if name not in self.sizes:
            self.sizes.append(name)
        return Size(name)

    def scalar(self, name: str, dtype: DType) -> Scalar:
        """A number that the kernel is launched with."""
        scalar = Scalar(name, dtype)
        self.scalars.append(scalar)
        return scalar

    def output_names(self) -> list[str]:
        """Names of the program's outputs: of a variadic result, of its instances."""
        counts = dict(self.statics.counts)
        names: list[str] = []
        for name in self.statics.results:
            if name in counts:
                names += [f"{name}{k}" for k in range(counts[name])]
            else:
                names.append(name)
        return names

    def result(self, name: str) -> syntax.Result | None:
        """The result of that name; None for a local."""
        return next((r for r in self.operator.results if r.name == name), None)

    def declared(self, name: str) -> DType | None:
        """The dtype that a result is declared with; None for a local."""
        result = self.result(name)
        return None if result is None else self.frame.dtype_of(result.type.dtype)

    def offer(self, name: str, groups: list[Group], dtype: DType, stored: str) -> None:
        """Makes the tensor `stored` readable as `name`."""
        operand = Operand(name, tuple(groups), reader(stored, dtype))
        self.frame.operands[name] = operand


def reader(name: str, dtype: DType) -> Callable[[tuple[Expr, ...], Scope], Expr]:
    """Reads of a tensor of the program, in the compute type."""

    def read(found: tuple[Expr, ...], scope: Scope) -> Expr:
        return cast(Read(name, found, dtype), compute_type(dtype))

    return read
