"""The case of an elementwise operator's special values, every one with every other.

Drawn at random two special values hardly ever meet, and never two numbers of which one
is the next behind the other: inf - inf, 0 / 0, the least integer by -1, a < next(a).
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from opslib.dispatch import call
from opslib.dispatch.handle import Handle
from opslib.dispatch.plan import program_for
from opslib.ir.dtypes import DTYPES, DType
from opslib.ir.sample import allowed_types
from opslib.language import syntax
from opslib.testing import structure, values
from opslib.testing.inputs import Case, NoCase, again, generator, make_case
from opslib.testing.judge import flush
from opslib.testing.shapes import main_variable

Array = np.ndarray[Any, np.dtype[Any]]

GRID = 950_000
# Numbers drawn, each of them with itself and its neighbours.
_NEAR = 256


def has_grid(handle: Handle, dtype: str) -> bool:
    """Whether the operator is elementwise, of several operands of any one shape."""
    tensors = handle.operator.tensors
    if len(tensors) < 2 or any(p.default is None for p in handle.operator.attributes):
        return False
    for p in tensors:
        axes: tuple[syntax.Expression, ...] = getattr(p.type, "axes", ())
        anonymous = len(axes) == 1 and isinstance(axes[0], syntax.Pack)
        if p.variadic or not anonymous or getattr(axes[0], "value", None) is not None:
            return False
    try:
        case = make_case(handle, dtype, 1)
    except NoCase:
        return False
    return structure.is_map(case.program) and not case.program.checks


def grid_case(handle: Handle, dtype: str, seed: int) -> Case:
    """The case, its operands of one axis.

    Raises:
        NoCase: the operator has none; see `has_grid`.
    """
    if not has_grid(handle, dtype):
        raise NoCase(f"{handle.name} {dtype} is not elementwise in several operands")
    rng = generator(handle.name, dtype, GRID, seed)
    arrays = grid(rng, _dtypes(handle.operator, dtype))
    binding = call.bound(handle.request(arrays, {}))
    program = program_for(handle.operator, binding.statics, handle.library)
    shown = ("contiguous",) * len(arrays)
    return Case(
        handle.name,
        dtype,
        GRID,
        seed,
        "special",
        arrays,
        {},
        "",
        shown,
        program,
        binding,
    )


def without_subnormals(case: Case) -> Case:
    """The case for a backend that flushes: which operand it flushes when is its own."""
    arrays = tuple(flush(a) for a in case.tensors)
    return again(case, tensors=arrays)


def grid(rng: np.random.Generator, dtypes: list[DType]) -> tuple[Array, ...]:
    """Operands in which all pairs of neighbouring operands' special values meet."""
    chosen = [_special(d) for d in dtypes]
    rows: list[tuple[Any, ...]] = []
    for k in range(len(dtypes) - 1):
        for one, other in itertools.product(chosen[k], chosen[k + 1]):
            row = [special[rng.integers(len(special))] for special in chosen]
            row[k], row[k + 1] = one, other
            rows.append(tuple(row))
    columns = [
        np.array(c, d.numpy)
        for c, d in zip(zip(*rows, strict=True), dtypes, strict=True)
    ]
    near = [_near(d, step) for step, d in enumerate(dtypes)]
    return tuple(np.concatenate(pair) for pair in zip(columns, near, strict=True))


def _special(dtype: DType) -> Array:
    if dtype.kind == "bool":
        return np.array([False, True])
    return values.special_values(dtype)


def _near(dtype: DType, operand: int) -> Array:
    """Bit patterns, those of later operands beside the first one's."""
    if dtype.kind == "bool":
        return np.asarray(np.arange(3 * _NEAR) % 2 == operand % 2)
    bits = dtype.bits
    unsigned: Any = np.dtype(f"u{bits // 8}")
    rng = np.random.default_rng(bits)
    first = rng.integers(0, (1 << bits) - 1, _NEAR, unsigned, endpoint=True)
    steps = (0, 1, -1) if operand else (0, 0, 0)
    with np.errstate(over="ignore"):
        moved = [first + np.array(s).astype(unsigned) for s in steps]
    return np.asarray(np.concatenate(moved).view(dtype.numpy))


def _dtypes(operator: syntax.Operator, dtype: str) -> list[DType]:
    """The operands' dtypes, where the signature's main one is this."""
    classes = {c.name: c.classes for c in operator.classes}
    main = main_variable(operator)
    found = []
    for p in operator.tensors:
        assert isinstance(p.type, syntax.TensorType)
        name = p.type.dtype.name
        if name not in DTYPES:
            allowed = allowed_types(name, classes)
            fits = name == main or dtype in allowed
            # Counts, which have a dtype of their own: any will do.
            usual = "int64" if "int64" in allowed else min(allowed)
            name = dtype if fits else usual
        found.append(DTYPES[name])
    return found
