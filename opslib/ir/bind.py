"""A call's arguments against a signature: what is what, how large, of which type.

`bind` looks at shapes and dtypes only, never at elements, so that the same code
serves arrays of every library, tracers and `opslib.explain`. Its result has two
halves: `Statics`, which selects a program, and numbers (sizes, scalars) that are
handed to the kernel at launch.

The data are in `binding`; `shapes` solves ranks and sizes, `argument_dtypes` dtypes,
`axes` says how an array's axes become the program's, and this module is the flow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from opslib.errors import ArgumentError, ShapeError
from opslib.ir.argument_dtypes import bind_dtypes, dtype_of
from opslib.ir.attributes import AttributeProblem, normalise, shown
from opslib.ir.axes import bound_input, bound_output
from opslib.ir.binding import (
    Argument,
    Binding,
    BoundInput,
    BoundOutput,
    Statics,
    Tag,
    pack_name,
)
from opslib.ir.dtypes import CLASSES, DTYPES, FLOAT64, INT64, DType
from opslib.ir.facts import Facts, Placed
from opslib.ir.fitting import check_fits
from opslib.ir.roles import (
    attribute_type,
    axes_of,
    dimension_names,
    fitted_packs,
    measured_axes,
    pack_of,
    split_attributes,
)
from opslib.ir.shapes import check_shapes, solve_ranks, solve_sizes, split
from opslib.ir.statics import UNDEFINED, NotStatic, evaluate
from opslib.language import syntax
from opslib.language.diagnostics import argument_error, render
from opslib.language.tree import names

__all__ = [
    "Argument",
    "Binding",
    "BoundInput",
    "BoundOutput",
    "Given",
    "Statics",
    "Tag",
    "bind",
    "pack_name",
]

# Results of one call: each is an array that a kernel gets the address of.
MAX_RESULTS = 256
# Arrays of one variadic parameter: each is a branch of the kernel, and expressions that
# deep take minutes to lower, then more stack than Python has.
MAX_ARRAYS = 128

# What may be given for a tensor parameter: an array, several (variadic), or nothing.
Given = Argument | tuple[Argument, ...] | None


def bind(
    operator: syntax.Operator,
    arguments: Mapping[str, Given],
    attributes: Mapping[str, Any],
    results: Sequence[str] | None = None,
) -> Binding:
    """Binds a call.

    Args:
        operator: the checked spec.
        arguments: for each tensor parameter its Argument, None (absent optional), or
            a tuple (variadic).
        attributes: the attributes given by the caller; the rest take their defaults.
        results: names of the results wanted; None means all that are not optional.

    Raises:
        ShapeError, DTypeError, ArgumentError: with carets into the signature.
    """
    facts = Facts(operator)
    given = dict(attributes)
    _place(facts, arguments)
    _known_attributes(facts, given)
    _axis(facts, given)
    _early_attributes(facts, given)
    solve_ranks(facts)
    unsolved = solve_sizes(facts)
    for p in operator.attributes:
        if p.name in given and _needs_pack(p):
            _attribute(facts, p, given[p.name], _pack_rank(facts, p))
    bind_dtypes(facts)
    _defaults(facts)
    check_shapes(facts, unsolved)
    check_fits(facts)
    _requirements(facts)
    return _result(facts, results)


# --- arguments ---------------------------------------------------------------------


def _place(facts: Facts, arguments: Mapping[str, Given]) -> None:
    for p in facts.operator.tensors:
        value = arguments.get(p.name)
        if p.variadic:
            items = value if isinstance(value, tuple) else ()
            if not items:
                message = f"{facts.operator.name} needs at least one array"
                facts.fail(ArgumentError, p.name, message, "E0705")
            if len(items) > MAX_ARRAYS:
                facts.fail(
                    ArgumentError,
                    p.name,
                    f"{facts.operator.name} got {len(items)} arrays",
                    "E0705",
                    help=f"at most {MAX_ARRAYS} in one call: call it on groups of them",
                )
            facts.counts[p.name] = len(items)
            for k, item in enumerate(items):
                facts.arrays.append(Placed(f"{p.name}{k}", p, k, item))
            continue
        if p.optional:
            facts.present[p.name] = value is not None
        if isinstance(value, Argument):
            facts.arrays.append(_completed(facts, p, value))
        elif not p.optional:
            message = f"'{p.name}' of {facts.operator.name} is missing"
            facts.fail(ArgumentError, p.name, message, "E0705")


def _completed(facts: Facts, p: syntax.Parameter, argument: Argument) -> Placed:
    """The array with a length of 1 for each axis that its type lets it leave out.

    As in the signatures of NumPy's generalised ufuncs, ``(m?,k),(k,n?)->(m?,n?)``: an
    array that has just the other axes leaves out all that are marked.
    """
    assert isinstance(p.type, syntax.TensorType)
    axes = [a for a in p.type.axes if not isinstance(a, syntax.Pack)]
    absent = p.type.absent
    if not absent or len(argument.shape) != len(axes) - len(absent):
        return Placed(p.name, p, -1, argument)
    facts.missing |= set(absent)
    given = iter(argument.shape)
    shape = tuple(
        1 if isinstance(a, syntax.Name) and a.name in absent else next(given)
        for a in axes
    )
    return Placed(p.name, p, -1, replace(argument, shape=shape), argument.shape)


def _known_attributes(facts: Facts, given: Mapping[str, Any]) -> None:
    operator = facts.operator
    known = {p.name for p in operator.attributes}
    if operator.clauses.axis:
        known.add("axis")
    for name in sorted(set(given) - known):
        have = [p.name for p in operator.parameters]
        have += ["axis"] if operator.clauses.axis else []
        facts.fail(
            ArgumentError,
            "",
            f"{operator.name} has no argument {name!r}",
            "E0705",
            help=f"its arguments are: {', '.join(have)}",
        )


def _axis(facts: Facts, given: dict[str, Any]) -> None:
    if not facts.operator.clauses.axis:
        return
    axis = given.pop("axis", -1)
    if isinstance(axis, bool) or not hasattr(axis, "__index__"):
        message = f"axis of {facts.operator.name} must be an integer, not {shown(axis)}"
        facts.fail(ArgumentError, "", message, "E0704")
    try:
        facts.axis = axis.__index__()
    except TypeError:  # An array of several elements.
        message = f"axis of {facts.operator.name} must be one integer"
        facts.fail(ArgumentError, "", message, "E0704")
    if not -(1 << 63) <= facts.axis < 1 << 63:
        message = f"axis of {facts.operator.name} must fit in 64 bits"
        facts.fail(ArgumentError, "", message, "E0704")


# --- attributes --------------------------------------------------------------------


def _early_attributes(facts: Facts, given: Mapping[str, Any]) -> None:
    """Attributes that need no pack: they may decide a size."""
    for p in facts.operator.attributes:
        if _needs_pack(p):
            continue
        if p.name in given:
            _attribute(facts, p, given[p.name], None)
        elif isinstance(p.default, syntax.Number | syntax.Boolean | syntax.String):
            # A literal may decide a size: `groups: int = 1`.
            _attribute(facts, p, p.default.value, None)
            facts.origin[p.name] = f"{p.name} = {p.default.value!r} by default"


def _needs_pack(p: syntax.Parameter) -> bool:
    kind = attribute_type(p)
    return kind.kind in ("axis", "axes", "gap") or isinstance(kind.count, syntax.Pack)


def _pack_rank(facts: Facts, p: syntax.Parameter) -> int:
    kind = attribute_type(p)
    name = pack_of(kind.count) if isinstance(kind.count, syntax.Pack) else kind.pack
    return len(facts.packs[name])


def _attribute(facts: Facts, p: syntax.Parameter, value: Any, rank: int | None) -> None:
    try:
        canonical = normalise(p, value, rank)
    except AttributeProblem as problem:
        message = f"{p.name} of {facts.operator.name} {problem}"
        facts.fail(ArgumentError, p.name, message, "E0704")
    kind = attribute_type(p)
    if kind.kind == "number" and not math.isfinite(canonical or 0):
        message = f"{p.name} of {facts.operator.name} must be finite, not {value!r}"
        facts.fail(ArgumentError, p.name, message, "E0704")
    if kind.kind == "shape":
        facts.packs[p.name] = list(canonical)
    elif kind.kind == "dtype" and canonical is not None:
        _allowed(facts, p, canonical)
        facts.dtypes[p.name] = canonical
    elif kind.kind == "number" and canonical is not None:
        facts.dtypes[p.name] = INT64 if isinstance(canonical, int) else FLOAT64
    facts.values[p.name] = canonical
    facts.origin[p.name] = f"{p.name} = {value!r} was given"


def _number_of(facts: Facts, node: syntax.Apply) -> str:
    """``number_of(start, stop)``: int64 where all numbers given are ints."""
    given = [facts.dtypes[n] for n in names(node.arguments) if n in facts.dtypes]
    return "float32" if any(dtype.is_float for dtype in given) else "int64"


def _allowed(facts: Facts, p: syntax.Parameter, dtype: DType) -> None:
    """Holds a dtype attribute to its class, such as ``where dtype: float``."""
    for clause in facts.operator.classes:
        if clause.name != p.name:
            continue
        names = {n for c in clause.classes for n in CLASSES.get(c, {c})}
        if dtype.name not in names:
            facts.fail(
                ArgumentError,
                p.name,
                f"{p.name} of {facts.operator.name} must be a "
                f"{' or '.join(clause.classes)}, not {dtype}",
                "E0704",
                help=f"take the default, and cast: opslib.astype(y, dtype='{dtype}')",
            )


def _defaults(facts: Facts) -> None:
    for p in facts.operator.attributes:
        if p.name in facts.values:
            continue
        if p.default is None:
            message = f"'{p.name}' of {facts.operator.name} is missing"
            facts.fail(ArgumentError, p.name, message, "E0705")
        value: Any
        try:
            value = evaluate(p.default, facts.scope())
        except NotStatic:
            value = None
        except UNDEFINED:
            # Such as 1 / sqrt(d) with d = 0: nothing will be multiplied by it.
            value = math.nan if attribute_type(p).kind == "float" else None
        if isinstance(p.default, syntax.Name) and p.default.name in DTYPES:
            value = p.default.name
        elif isinstance(p.default, syntax.Apply) and p.default.function == "number_of":
            value = _number_of(facts, p.default)
        rank = _pack_rank(facts, p) if _needs_pack(p) else None
        _attribute(facts, p, value, rank)
        facts.origin[p.name] = f"{p.name} = {value!r} by default"


def _requirements(facts: Facts) -> None:
    operator = facts.operator
    for require in operator.clauses.requires:
        try:
            holds = evaluate(require.condition, facts.scope())
        except NotStatic:
            continue  # A run-time check; expand makes it.
        except UNDEFINED:
            holds = False  # Such as a remainder by 0.
        if not holds:
            diagnostic = argument_error(
                operator,
                "",
                f"{operator.name}: {require.message}",
                labels=((require.span, "this does not hold"),),
                code="E0706",
            )
            raise ArgumentError(render(diagnostic), code="E0706")


# --- the result --------------------------------------------------------------------


def _outputs(facts: Facts, result: syntax.Result) -> list[BoundOutput]:
    """A result as arrays: one, or as many as a variadic one has in this call."""
    dtype = dtype_of(facts, result.type.dtype)
    if result.instances is None:
        return [bound_output(facts, result, dtype)]
    assert result.instances.stop is not None
    try:
        count = int(evaluate(result.instances.stop, facts.scope()))
    except (NotStatic, *UNDEFINED) as problem:
        facts.fail(
            ArgumentError,
            result.name,
            f"how many results {facts.operator.name} has cannot be computed: {problem}",
            "E0704",
        )
    if not 0 <= count <= MAX_RESULTS:
        facts.fail(
            ArgumentError,
            result.name,
            f"{facts.operator.name} would have {count} results",
            "E0704",
            help=f"at most {MAX_RESULTS}: every one is an array of its own",
        )
    facts.counts[result.name] = count
    found = []
    for k in range(count):
        facts.values[result.instances.name] = k
        made = bound_output(facts, result, dtype)
        found.append(replace(made, name=f"{result.name}{k}"))
    facts.values.pop(result.instances.name, None)
    return found


def _addressable(facts: Facts, output: BoundOutput) -> None:
    """No array has more bytes than an address counts, on any machine."""
    size = math.prod(n for n in output.shape if n) * output.dtype.bits // 8
    if size >= 1 << 63:
        facts.fail(
            ShapeError,
            "",
            f"'{output.name}' of {facts.operator.name} would have the shape "
            f"{shown(output.shape)}, more bytes than 64 bits count",
            "E0702",
        )


def _result(facts: Facts, wanted: Sequence[str] | None) -> Binding:
    operator = facts.operator
    if wanted is None:
        wanted = [r.name for r in operator.results if not r.optional]
    results = tuple(r for r in operator.results if r.name in wanted)
    sizes = {
        pack_name(pack, k): n
        for pack, extents in facts.packs.items()
        for k, n in enumerate(extents)
    }
    attributes = {p.name for p in operator.attributes}
    dimensions = dimension_names(operator)
    for name, value in facts.values.items():
        if name not in attributes or name in dimensions:
            sizes[name] = value
    for name, extents in facts.instances.items():
        sizes.update({f"{name}{k}": n for k, n in enumerate(extents)})
    static, scalars = split_attributes(operator, facts.values)
    # Which axes `fit` broadcasts decides the program: an index of 0 there.
    for name in fitted_packs(operator):
        static[f"fit {name}"] = tuple(n == 1 for n in facts.packs[name])
    inputs = []
    for array in facts.arrays:
        p = array.parameter
        assert isinstance(p.type, syntax.TensorType)
        shape = tuple(array.argument.shape[k] for k in facts.orders[array.name])
        dtype = dtype_of(facts, p.type.dtype)
        inputs.append(bound_input(facts, array, dtype, split(facts, p, shape)))
    outputs = [o for r in results for o in _outputs(facts, r)]
    for o in outputs:
        _addressable(facts, o)
    for result in results:
        for k, name in measured_axes(result, operator).items():
            sizes[name] = int(evaluate(axes_of(result)[k], facts.scope()))
    statics = Statics(
        tuple(sorted(facts.dtypes.items())),
        tuple((k, len(v)) for k, v in sorted(facts.packs.items(), key=str)),
        tuple(sorted(static.items())),
        tuple(sorted(facts.present.items())),
        tuple(sorted(facts.counts.items())),
        tuple(r.name for r in results),
    )
    # An attribute that is also a size is launched as a size.
    scalars = {k: v for k, v in scalars.items() if k not in sizes}
    return Binding(operator, statics, sizes, scalars, tuple(inputs), tuple(outputs))
