"""A call that fits a signature, made from the signature alone.

Used where a program is wanted and no arrays are at hand: `source`, `show`, docs, the
self-check, and as the seed of the conformance suite's inputs.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from opslib.errors import OpslibError
from opslib.ir.bind import bind
from opslib.ir.binding import Argument, Binding
from opslib.ir.dtypes import CLASSES, DTYPES, DType
from opslib.ir.statics import StaticScope, evaluate, evaluate_pack
from opslib.language import syntax
from opslib.language.tree import names

_TRIES = 200
# Preference of a dtype variable whose class allows several.
_PREFERRED = ("float32", "int32", "int64", "bool")


def sample_binding(
    operator: syntax.Operator,
    dtype: str | None = None,
    *,
    rank: int = 1,
    seed: int = 0,
    present: bool = True,
    results: tuple[str, ...] | None = None,
) -> Binding:
    """A small binding of the operator.

    Args:
        operator: the checked spec.
        dtype: for every dtype variable whose class allows it; None prefers float32.
        rank: of each pack.
        seed: other sizes for another seed.
        present: whether optional tensors are given.
        results: names of the results wanted.

    Raises:
        OpslibError: no sizes were found that meet the spec's requirements.
    """
    failure: OpslibError | None = None
    for attempt in range(_TRIES):
        rng = random.Random(f"{operator.name} {seed} {attempt}")
        try:
            arguments, attributes = sample_call(operator, dtype, rng, rank, present)
            return bind(operator, arguments, attributes, results)
        except OpslibError as error:
            failure = error
        except (ValueError, KeyError, IndexError, ZeroDivisionError):
            continue
    if failure is None:
        raise OpslibError(f"no sample call of {operator.name} was found", code="E0706")
    raise failure


def sample_call(
    operator: syntax.Operator,
    dtype: str | None,
    rng: random.Random,
    rank: int,
    present: bool,
) -> tuple[dict[str, Argument | tuple[Argument, ...] | None], dict[str, Any]]:
    """Arguments and attributes that may fit; the caller lets `bind` decide."""
    packs: dict[str | None, list[int]] = {
        None: [rng.choice((1, 2, 2, 3, 4)) for _ in range(rank)]
    }
    values: dict[str, Any] = {}
    for p in operator.attributes:
        kind = p.type
        assert isinstance(kind, syntax.AttributeType)
        if kind.kind == "shape":
            packs[p.name] = [rng.choice((1, 2, 2, 3, 4)) for _ in range(rank)]
    for p in operator.tensors:
        assert isinstance(p.type, syntax.TensorType)
        for axis in p.type.axes:
            if isinstance(axis, syntax.Pack):
                for name in names(axis.value) if axis.value is not None else []:
                    packs.setdefault(
                        name, [rng.choice((1, 2, 2, 3, 4)) for _ in range(rank)]
                    )
            else:
                for name in names(axis):
                    values.setdefault(name, rng.randint(1, 8))
    attributes = _attributes(operator, values, packs, rng)
    scope = StaticScope(values, packs, {}, {}, {}, {})
    classes = {c.name: c.classes for c in operator.classes}
    arguments: dict[str, Argument | tuple[Argument, ...] | None] = {}
    for p in operator.tensors:
        if p.optional and not present:
            arguments[p.name] = None
            continue
        assert isinstance(p.type, syntax.TensorType)
        shape: list[int] = []
        for axis in p.type.axes:
            if isinstance(axis, syntax.Pack):
                shape += evaluate_pack(axis, scope)
            else:
                shape.append(evaluate(axis, scope))
        argument = Argument(element_type(p, classes, dtype), tuple(shape))
        arguments[p.name] = (argument, argument) if p.variadic else argument
    return arguments, attributes


def element_type(
    p: syntax.Parameter, classes: Mapping[str, tuple[str, ...]], wanted: str | None
) -> DType:
    """The dtype to give a tensor parameter: `wanted` where its class allows it."""
    assert isinstance(p.type, syntax.TensorType)
    name = p.type.dtype.name
    if name in DTYPES:
        return DTYPES[name]
    allowed = allowed_types(name, classes)
    for candidate in (wanted, *_PREFERRED):
        if candidate in allowed:
            return DTYPES[candidate]
    return DTYPES[sorted(allowed)[0]]


def allowed_types(
    variable: str, classes: Mapping[str, tuple[str, ...]]
) -> frozenset[str]:
    """Names of the dtypes that a dtype variable may take."""
    allowed = classes.get(variable, ("number",))
    return frozenset().union(*(CLASSES.get(c, frozenset({c})) for c in allowed))


def _attributes(
    operator: syntax.Operator,
    values: dict[str, Any],
    packs: Mapping[str | None, list[int]],
    rng: random.Random,
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for p in operator.attributes:
        kind = p.type
        assert isinstance(kind, syntax.AttributeType)
        if p.name in values:
            result[p.name] = values[p.name]
        elif p.default is None:
            result[p.name] = _value(p, kind, packs, rng)
    return result


def _value(
    p: syntax.Parameter,
    kind: syntax.AttributeType,
    packs: Mapping[str | None, list[int]],
    rng: random.Random,
) -> Any:
    match kind.kind:
        case "shape":
            return tuple(packs[p.name])
        case "axis" | "gap":
            return 0
        case "axes":
            return rng.choice((None, 0, -1))
        case "bool":
            return True
        case "string":
            return kind.choices[0]
        case "dtype":
            return "float32"
        case "float":
            return 0.5
        case "number":
            return rng.choice((1, 2, 2.5))
    if isinstance(kind.count, syntax.Pack):
        name = getattr(kind.count.value, "name", None)
        return tuple(rng.randint(0, 2) for _ in packs[name])
    return rng.randint(1, 3)
