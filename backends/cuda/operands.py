"""What tensor cores multiply: operands, their types, where they lie in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opslib.codegen.c_types import LOOSE, SHORT, TIMES, stored_type
from opslib.ir.dtypes import DType
from opslib.ir.expr import (
    ONE,
    ZERO,
    Cast,
    Const,
    Expr,
    Index,
    Read,
    Select,
    substitute,
)
from opslib.lowering.flatten import Group
from opslib.lowering.skeletons import arith
from opslib.lowering.skeletons.contraction import plain_read

from .launches import LaunchPrinter
from .naming import Naming


@dataclass(frozen=True, slots=True)
class Side:
    """One operand of a sum, in the type that the tensor cores take.

    Attributes:
        value: of an element, over the contraction's axes.
        matrix: the read that `value` is, where it is a matrix with one side's elements
            next to each other; else elements are computed one by one.
        pitch: elements from row to row of the matrix.
        turned: the lanes are what lies side by side, not the depth.
    """

    value: Expr
    matrix: Read | None
    pitch: Expr
    turned: bool


def narrow_type(value: Expr) -> DType | None:
    """The type in memory of what a side is made of."""
    if isinstance(value, Select):
        return narrow_type(value.yes) or narrow_type(value.no)
    read = plain_read(value)
    return None if read is None else read.type


def narrowed(value: Expr, dtype: DType) -> Expr | None:
    """`value` in a narrower type, where that loses nothing."""
    if isinstance(value, Cast) and value.value.dtype == dtype:
        return value.value
    if value.dtype == dtype:
        return value
    if isinstance(value, Const) and value.value in (0, 1):
        return Const(value.value, dtype)
    if isinstance(value, Select):
        yes, no = narrowed(value.yes, dtype), narrowed(value.no, dtype)
        if yes is not None and no is not None:
            return Select(value.condition, yes, no)
    return None


def side_of(
    value: Expr,
    lanes: Group,
    k: Group,
    batch: Group,
    strides: Mapping[str, tuple[Expr, ...]],
) -> Side:
    """How the tensor cores get one side: `lanes` are its own axes, `k` the depth's."""
    computed = Side(value, None, ONE, _lies_across(value, lanes, strides))
    if not isinstance(value, Read) or len(lanes.axes) > 1 or len(k.axes) != 1:
        return computed
    names = [i.name if isinstance(i, Index) else None for i in value.indices]
    known = {a.name for g in (lanes, k, batch) for a in g.axes}
    steps = strides[value.tensor]
    if None in names or not set(names) <= known or len(set(names)) < len(names):
        return computed
    (deep,) = k.axes
    if deep.name not in names or not names or steps[-1] is not ONE:
        return computed
    lane = lanes.axes[0].name if lanes.axes else None
    if names[-1] == deep.name:
        pitch = steps[names.index(lane)] if lane in names else ZERO
        return Side(value, value, pitch, False)
    # Only elements of 16 bits are turned on the way from shared memory.
    if names[-1] == lane and value.type.bits == 16:
        return Side(value, value, steps[names.index(deep.name)], True)
    return computed


def _lies_across(
    value: Expr, lanes: Group, strides: Mapping[str, tuple[Expr, ...]]
) -> bool:
    """Whether neighbours in memory are neighbouring lanes; threads then take those."""
    read = plain_read(value.yes if isinstance(value, Select) else value)
    if read is None or not read.indices or not lanes.axes or read.type.bits != 16:
        return False
    found = arith.affine(read.indices[-1], lanes.axes[-1].name)
    return found is not None and found[0] is not ZERO


class BlockText(Naming):
    """Prints the body of a block's function."""

    def __init__(self, printer: LaunchPrinter, dtype: DType) -> None:
        super().__init__(printer)
        self.dtype = dtype
        self.element = stored_type(dtype)

    def matrix(
        self, read: Read, pitch: Expr, suffix: str, at: dict[Expr, Expr]
    ) -> tuple[str, str, str]:
        """Where a matrix begins, its pitch, and whether its rows begin at 16 bytes."""
        p = self.p
        offset = p.offset(read.tensor, tuple(substitute(i, at) for i in read.indices))
        pointer = p.pointer(read.tensor)
        text = pointer if offset == "0" else f"{pointer} + {offset}"
        start = self.bound(f"from_{suffix}", text, f"{self.element} *")
        step = p.scalar(pitch, TIMES)
        test = f"ops_begins_16({start})"
        if pitch is not ZERO:
            test += f" && {step} % {16 // self.dtype.bytes} == 0"
        return start, step, self.bound(f"aligned_{suffix}", test, "bool")

    def element_of(self, value: Expr) -> str:
        """The text of an element of an operand, in the type that is multiplied."""
        p = self.p
        if isinstance(value, Read):
            return f"{p.pointer(value.tensor)}[{p.offset(value.tensor, value.indices)}]"
        text = p.scalar(value, LOOSE)
        if self.dtype.is_float:
            text = f"ops_f32_to_{SHORT[self.dtype.name]}({text})"
        return text
