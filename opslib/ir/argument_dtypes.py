"""Dtypes of a call: variables from the arrays, and what each parameter then takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opslib.errors import DTypeError
from opslib.ir.dtypes import (
    BOOL,
    CLASSES,
    DTYPES,
    FLOAT64,
    INT64,
    DType,
    promote,
    sum_type,
)
from opslib.ir.facts import Facts, Placed
from opslib.language import syntax

_WEAK = {"bool": BOOL, "int": INT64, "float": FLOAT64}


def bind_dtypes(facts: Facts) -> None:
    """Finds the dtype variables, and holds every array to what its parameter takes."""
    weak: dict[str, list[str]] = {}
    strong: dict[str, DType] = {}
    for array in facts.arrays:
        declared = _declared(array.parameter)
        given = array.argument.dtype
        if declared.name in DTYPES or declared.arguments:
            continue
        if given is None:
            weak.setdefault(declared.name, []).append(array.argument.weak)
        elif declared.name not in facts.dtypes:
            try:
                known = strong.get(declared.name, given)
                strong[declared.name] = promote(known, given)
            except DTypeError as problem:
                facts.fail(
                    DTypeError,
                    array.parameter.name,
                    f"{facts.operator.name}: {problem.message}",
                    problem.code,
                    help=problem.help,
                )
    for variable, kinds in weak.items():
        if variable not in strong and variable not in facts.dtypes:
            # Only Python scalars: the widest kind decides.
            strong[variable] = _WEAK[max(kinds, key=list(_WEAK).index)]
    facts.dtypes.update(strong)
    classes = {c.name: c.classes for c in facts.operator.classes}
    for array in facts.arrays:
        _check(facts, array, classes)


def _declared(p: syntax.Parameter) -> syntax.DTypeExpression:
    assert isinstance(p.type, syntax.TensorType)
    return p.type.dtype


def _check(facts: Facts, array: Placed, classes: Mapping[str, tuple[str, ...]]) -> None:
    name, operator = array.parameter.name, facts.operator.name
    declared, argument = _declared(array.parameter), array.argument
    dtype = dtype_of(facts, declared)
    if declared.name not in DTYPES and not declared.arguments:
        allowed = classes.get(declared.name, ("number",))
        names = [n for c in allowed for n in sorted(CLASSES.get(c, {c}))]
        if dtype.name not in names:
            facts.fail(
                DTypeError,
                name,
                f"{operator} got '{name}' of dtype {dtype}, and takes "
                f"{' or '.join(allowed)}",
                "E0703",
                help="cast it first, to one of: " + ", ".join(dict.fromkeys(names)),
            )
    if argument.dtype is None:
        fits = {
            "bool": True,
            "int": dtype.kind != "bool",
            "float": dtype.is_float,
        }[argument.weak]
        if not fits:
            facts.fail(
                DTypeError,
                name,
                f"a Python {argument.weak} does not fit {dtype} in {operator}",
                "E0703",
                help="cast the array first, e.g. opslib.astype(x, dtype='float32')",
            )
    elif not _safe(argument.dtype, dtype):
        facts.fail(
            DTypeError,
            name,
            f"{operator} got '{name}' of dtype {argument.dtype}, and needs {dtype}",
            "E0703",
            help=f"cast it first: opslib.astype({name}, dtype='{dtype}')",
        )


def dtype_of(facts: Facts, node: syntax.DTypeExpression) -> DType:
    """The dtype that an expression of the signature stands for."""
    if node.arguments:
        return dtype_function(node.name, [dtype_of(facts, a) for a in node.arguments])
    if node.name in facts.dtypes:
        return facts.dtypes[node.name]
    if node.name in DTYPES:
        return DTYPES[node.name]
    facts.fail(
        DTypeError,
        "",
        f"nothing determines the dtype {node.name} of {facts.operator.name}",
        "E0703",
        help="give one of its arguments as an array",
    )


def dtype_function(name: str, arguments: Sequence[DType]) -> DType:
    """``sum_of(T)``, ``float_of(T)``, ``result(T, U)``."""
    match name:
        case "sum_of":
            return sum_type(arguments[0])
        case "result":
            return promote(*arguments)
        case "float_of":
            if arguments[0].is_float:
                return arguments[0]
            raise DTypeError(
                f"{arguments[0]} is not a floating-point type",
                code="E0703",
                help="cast the array first",
            )
    raise KeyError(name)


def _safe(source: DType, target: DType) -> bool:
    """Whether every `source` value is promoted, never narrowed, to `target`."""
    if source == target:
        return True
    if source.kind == "bool":
        return False
    try:
        return promote(source, target) == target
    except DTypeError:
        return False
