"""A whole generated program: its launches, its arguments, and how long they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opslib.ir import expr, loops
from opslib.ir.expr import Cast, Const, Expr, Index, Prim, Scalar, Select, Size, Var

from .machine import Launch

SIZES = {
    "half": 2, "bfloat16_t": 2, "float": 4,
    "int8_t": 1, "uint8_t": 1, "int16_t": 2, "uint16_t": 2,
    "int32_t": 4, "uint32_t": 4, "int64_t": 8, "uint64_t": 8,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limit:
    """A launch-time bound on an integer, beyond which another kernel takes over."""

    value: Expr
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Pointer:
    """An argument in global memory and the tensor of it.

    Attributes:
        name: of the tensor in the text.
        argument: of the parameter.
        ctype: of its elements.
        kind: ``input``, ``output``, ``workspace``, ``ints``, ``reals``, ``status``.
        count: the name of the integer that holds the number of elements.
        buffer: of the kernel, for what `kind` says.
        private: each core has a part of its own.
    """

    name: str
    argument: str
    ctype: str
    kind: str
    count: str
    buffer: loops.Buffer | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class Program:
    """What the simulator and the device launch.

    Attributes:
        kernel: the loops it was made from.
        name: C identifier.
        launches: one after the other, each a barrier.
        pointers: arguments of every launch, in order; the last three are numbers
            (int64), reals (float) and status (int64: code, check, value, extent).
        values: (C name, name in the kernel) of the integers in `numbers`; the counts
            of the pointers follow.
        reals: the same for reals.
        lets: definitions of variables that extents of workspaces mention.
        limits: what sizes must keep to; see `cube.Limit`.
        host: gives more scalars, computed by the host; see host_scalars.py.
    """

    kernel: loops.Kernel
    name: str
    launches: tuple[Launch, ...]
    pointers: tuple[Pointer, ...]
    values: tuple[tuple[str, str], ...]
    reals: tuple[tuple[str, str, str], ...]
    lets: Mapping[str, Expr]
    host: expr.Program | None = None
    limits: tuple[Limit, ...] = ()

    @staticmethod
    def sizeof(ctype: str) -> int:
        """Bytes of an element."""
        return SIZES[ctype]

    @property
    def skeleton(self) -> str:
        """What it was lowered by."""
        return self.kernel.skeleton


def number(node: Expr, known: Mapping[str, Any], lets: Mapping[str, Expr]) -> Any:
    """The value of an integer expression of sizes and attributes.

    An index stands for its largest value where `known` gives it.
    """
    match node:
        case Const(value, _):
            return value
        case Size(name) | Scalar(name) | Index(name):
            return known[name]
        case Var(name):
            return known[name] if name in known else number(lets[name], known, lets)
        case Cast(value, _):
            return int(number(value, known, lets))
        case Select(condition, yes, no):
            chosen = yes if number(condition, known, lets) else no
            return number(chosen, known, lets)
        case Prim(op, args, _):
            return _PRIMS[op](*(number(a, known, lets) for a in args))
    raise ValueError(f"an extent that only the device knows: {type(node).__name__}")


_PRIMS: dict[str, Any] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "neg": lambda a: -a,
    "floordiv": lambda a, b: a // b if b else 0,
    "mod": lambda a, b: a % b if b else 0,
    "min": min,
    "max": max,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "and": lambda a, b: a and b,
    "or": lambda a, b: a or b,
    "not": lambda a: not a,
    "abs": abs,
}


def counts(
    program: Program, arrays: Sequence[Any], known: Mapping[str, Any]
) -> list[int]:
    """Elements of each pointer but the last three; of one core where private."""
    found = []
    for pointer, array in zip(program.pointers, arrays, strict=False):
        if array is not None:
            found.append(int(array.size))
            continue
        assert pointer.buffer is not None
        total = 1
        for extent in pointer.buffer.shape:
            total *= max(0, int(number(extent, known, program.lets)))
        # Parts of different cores share no line of the scalar unit's cache.
        line = 64 // SIZES[pointer.ctype]
        found.append((total + line) // line * line)
    return found
