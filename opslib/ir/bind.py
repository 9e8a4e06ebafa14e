"""A call's arguments against a signature: what is what, how large, of which type.

`bind` looks at shapes and dtypes only, never at elements, so that the same code
serves arrays of every library, tracers and `opslib.explain`. Its result has two
halves: `Statics`, which selects a program, and numbers (sizes, scalars) that are
handed to the kernel at launch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from opslib.errors import ArgumentError, DTypeError, OpslibError, ShapeError
from opslib.ir.attributes import AttributeProblem, normalise
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
from opslib.ir.statics import (
    NotStatic,
    StaticScope,
    evaluate,
    evaluate_pack,
)
from opslib.ir.view import View
from opslib.language import syntax
from opslib.language.diagnostics import argument_error, render


@dataclass(frozen=True, slots=True)
class Argument:
    """What binding needs of an array: dtype and shape.

    `weak` is ``bool``, ``int`` or ``float`` for a Python scalar, whose dtype follows
    the other arguments.
    """

    dtype: DType | None
    shape: tuple[int, ...]
    weak: str = ""


@dataclass(frozen=True, slots=True)
class Statics:
    """Everything about a call that selects its program; hashable."""

    dtypes: tuple[tuple[str, DType], ...]
    ranks: tuple[tuple[str | None, int], ...]
    attributes: tuple[tuple[str, Any], ...]
    present: tuple[tuple[str, bool], ...]
    counts: tuple[tuple[str, int], ...]
    results: tuple[str, ...]


# Which entry of which pack a program axis is; None for an axis outside packs.
Tag = tuple[str | None, int] | None


@dataclass(frozen=True, slots=True)
class BoundInput:
    """One array as the program sees it.

    name: of the program's tensor (``xs1`` for instance 1 of ``*xs``).
    parameter, instance: where the caller's array is; instance -1 if not variadic.
    tags: for each program axis the pack and the position in it, or None.
    """

    name: str
    parameter: str
    instance: int
    dtype: DType
    view: View
    tags: tuple[Tag, ...]


@dataclass(frozen=True, slots=True)
class BoundOutput:
    """One result: `shape` as the caller gets it, `view` as the program writes it."""

    name: str
    dtype: DType
    shape: tuple[int, ...]
    view: View
    tags: tuple[Tag, ...]


@dataclass(frozen=True, slots=True)
class Binding:
    """A call, bound. `sizes` and `scalars` are by the program's names."""

    operator: syntax.Operator
    statics: Statics
    sizes: Mapping[str, int]
    scalars: Mapping[str, int | float]
    inputs: tuple[BoundInput, ...]
    outputs: tuple[BoundOutput, ...]


def pack_name(pack: str | None, k: int) -> str:
    """Name of the k-th size of a pack; the anonymous one is called ``batch``."""
    return f"{pack or 'batch'}{k}"


def bind(
    operator: syntax.Operator,
    arguments: Mapping[str, Argument | tuple[Argument, ...] | None],
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
    return _Binder(operator, arguments, attributes, results).run()


class _Binder:
    """The state of one binding: what is known so far."""

    def __init__(
        self,
        operator: syntax.Operator,
        arguments: Mapping[str, Argument | tuple[Argument, ...] | None],
        attributes: Mapping[str, Any],
        results: Sequence[str] | None,
    ) -> None:
        self.operator = operator
        self.given = dict(attributes)
        self.present: dict[str, bool] = {}
        self.counts: dict[str, int] = {}
        # Every array: (program name, parameter, instance, argument).
        self.arrays: list[tuple[str, syntax.Parameter, int, Argument]] = []
        for p in operator.tensors:
            self._place(p, arguments.get(p.name))
        wanted = results
        if wanted is None:
            wanted = [r.name for r in operator.results if not r.optional]
        self.results = tuple(r for r in operator.results if r.name in wanted)
        self.values: dict[str, Any] = {}
        self.origin: dict[str, str] = {}
        self.packs: dict[str | None, list[int]] = {}
        self.dtypes: dict[str, DType] = {}
        self.instances: dict[str, list[int]] = {}

    def _place(
        self,
        p: syntax.Parameter,
        value: Argument | tuple[Argument, ...] | None,
    ) -> None:
        if p.variadic:
            items = value if isinstance(value, tuple) else ()
            if not items:
                self._fail(ArgumentError, p.name, "needs at least one array", "E0705")
            self.counts[p.name] = len(items)
            self.arrays += [(f"{p.name}{k}", p, k, a) for k, a in enumerate(items)]
            return
        if p.optional:
            self.present[p.name] = value is not None
        if value is None:
            if not p.optional:
                self._fail(ArgumentError, p.name, f"'{p.name}' is missing", "E0705")
            return
        assert isinstance(value, Argument)
        self.arrays.append((p.name, p, -1, value))

    def run(self) -> Binding:
        self._attributes_without_pack()
        self._permutations: dict[str, tuple[int, ...]] = {}
        self._pack_ranks()
        self._sizes()
        self._attributes_with_pack()
        self._bind_dtypes()
        self._defaults()
        self._check_expressions()
        self._requirements()
        return self._result()

    # --- attributes ----------------------------------------------------------------

    def scope(self) -> StaticScope:
        return StaticScope(
            self.values,
            self.packs,
            self.dtypes,
            self.present,
            self.instances,
            self.counts,
        )

    def _attributes_without_pack(self) -> None:
        unknown = set(self.given) - {p.name for p in self.operator.attributes}
        unknown.discard("axis" if self.operator.clauses.axis else "")
        for name in sorted(unknown):
            have = ", ".join(p.name for p in self.operator.parameters)
            self._fail(
                ArgumentError,
                "",
                f"{self.operator.name} has no argument {name!r}",
                "E0705",
                help=f"its arguments are: {have}",
            )
        self.axis = -1
        if self.operator.clauses.axis:
            self.axis = self.given.pop("axis", -1)
            if isinstance(self.axis, bool) or not hasattr(self.axis, "__index__"):
                message = f"axis must be an integer, not {self.axis!r}"
                self._fail(ArgumentError, "", message, "E0704")
            self.axis = int(self.axis)
        for p in self.operator.attributes:
            if self._needs_pack(p):
                continue
            if p.name in self.given:
                self._attribute(p, self.given[p.name], None)
            elif isinstance(p.default, syntax.Number | syntax.Boolean | syntax.String):
                # A literal may decide a size: `groups: int = 1`.
                self._attribute(p, p.default.value, None)
                self.origin[p.name] = f"{p.name} = {p.default.value!r} by default"

    def _needs_pack(self, p: syntax.Parameter) -> bool:
        kind = p.type
        assert isinstance(kind, syntax.AttributeType)
        return kind.kind in ("axis", "axes", "gap") or isinstance(
            kind.count, syntax.Pack
        )

    def _attribute(self, p: syntax.Parameter, value: Any, rank: int | None) -> None:
        try:
            canonical = normalise(p, value, rank)
        except AttributeProblem as problem:
            self._fail(
                ArgumentError,
                p.name,
                f"{p.name} of {self.operator.name} {problem}",
                "E0704",
            )
        kind = p.type
        assert isinstance(kind, syntax.AttributeType)
        if kind.kind == "shape":
            self.packs[p.name] = list(canonical)
        elif kind.kind == "dtype" and canonical is not None:
            self.dtypes[p.name] = canonical
        self.values[p.name] = canonical
        self.origin[p.name] = f"{p.name} = {value!r} was given"

    def _attributes_with_pack(self) -> None:
        for p in self.operator.attributes:
            if p.name in self.given and self._needs_pack(p):
                self._attribute(p, self.given[p.name], self._pack_rank(p))

    def _pack_rank(self, p: syntax.Parameter) -> int:
        kind = p.type
        assert isinstance(kind, syntax.AttributeType)
        if isinstance(kind.count, syntax.Pack):
            name = getattr(kind.count.value, "name", None)
        else:
            name = kind.pack
        return len(self.packs[name])

    def _defaults(self) -> None:
        waiting = [
            p for p in self.operator.attributes if p.name not in self.values
        ]
        for p in waiting:
            if p.default is None:
                message = f"'{p.name}' of {self.operator.name} is missing"
                self._fail(ArgumentError, p.name, message, "E0705")
            try:
                value = evaluate(p.default, self.scope())
            except NotStatic:
                value = None
            except (ZeroDivisionError, ValueError, OverflowError):
                # Such as 1 / sqrt(d) with d = 0: nothing will be multiplied by it.
                value = math.nan
            if isinstance(p.default, syntax.Name) and p.default.name in DTYPES:
                value = p.default.name
            rank = self._pack_rank(p) if self._needs_pack(p) else None
            self._attribute(p, value, rank)

    # --- shapes --------------------------------------------------------------------

    def _axes(self, p: syntax.Parameter | syntax.Result) -> tuple[Any, ...]:
        assert isinstance(p.type, syntax.TensorType)
        return p.type.axes

    def _permutation(
        self, declared: tuple[syntax.Expression, ...], shape: tuple[int, ...], name: str
    ) -> tuple[int, ...]:
        """Array axes in the declared order: the `axis` clause moves one of them."""
        rank = len(shape)
        identity = tuple(range(rank))
        moving = self.operator.clauses.axis
        packs = [k for k, a in enumerate(declared) if isinstance(a, syntax.Pack)]
        spots = [k for k, a in enumerate(declared) if _mentions(a, moving)]
        if moving is None or not packs or not spots:
            return identity
        spot = spots[0]
        if not -rank <= self.axis < rank:
            self._fail(
                ArgumentError,
                name,
                f"axis {self.axis} of {self.operator.name} is out of range for an "
                f"array of shape {shape}",
                "E0704",
                help=f"-{rank} <= axis < {rank}" if rank else "",
            )
        # The position in the declared order, counted from the end after a pack.
        after = spot > packs[0]
        target = spot - len(declared) + rank if after else spot
        order = [k for k in identity if k != self.axis % rank]
        order.insert(target, self.axis % rank)
        return tuple(order)

    def _pack_ranks(self) -> None:
        ranks: dict[str | None, int] = {k: len(v) for k, v in self.packs.items()}
        waiting = list(self.arrays)
        while waiting:
            rest = []
            for array in waiting:
                if not self._solve_rank(array, ranks):
                    rest.append(array)
            if len(rest) == len(waiting):
                _, p, _, argument = rest[0]
                self._wrong_rank(p, argument)
            waiting = rest
        self.ranks = ranks

    def _solve_rank(
        self,
        array: tuple[str, syntax.Parameter, int, Argument],
        ranks: dict[str | None, int],
    ) -> bool:
        _, p, _, argument = array
        axes = self._axes(p)
        left = len(argument.shape) - sum(not isinstance(a, syntax.Pack) for a in axes)
        unknown: list[str | None] = []
        for a in axes:
            if isinstance(a, syntax.Pack):
                name = getattr(a.value, "name", None)
                if name is None and a.value is not None:
                    name = _first_pack(a.value, ranks)
                if name is None:
                    # The anonymous pack broadcasts: each array has its own rank.
                    unknown.append(None)
                elif name in ranks:
                    left -= ranks[name]
                else:
                    unknown.append(name)
        if left < 0 or (left > 0 and not unknown):
            self._wrong_rank(p, argument)
        if len(unknown) > 1:
            return False
        if unknown and unknown[0] is not None:
            ranks[unknown[0]] = left
        return True

    def _wrong_rank(self, p: syntax.Parameter, argument: Argument) -> NoReturn:
        axes = self._axes(p)
        fixed = sum(not isinstance(a, syntax.Pack) for a in axes)
        least = "at least " if fixed < len(axes) else ""
        rank = len(argument.shape)
        self._fail(
            ShapeError,
            p.name,
            f"{self.operator.name} got '{p.name}' of shape {argument.shape}, which "
            f"has {rank} {'axis' if rank == 1 else 'axes'}, and needs "
            f"{least}{fixed}",
            "E0701",
        )

    def _split(
        self, p: syntax.Parameter, shape: tuple[int, ...]
    ) -> list[tuple[syntax.Expression, tuple[int, ...]]]:
        """The array's extents, in declared order, dealt out to the declared axes."""
        axes = self._axes(p)
        free = len(shape)
        widths: list[int | None] = []
        for a in axes:
            width: int | None = 1
            if isinstance(a, syntax.Pack):
                name = getattr(a.value, "name", None)
                if name is None and a.value is not None:
                    name = _first_pack(a.value, self.ranks)
                width = None if name is None else self.ranks[name]
            widths.append(width)
            free -= width or 0
        result, at = [], 0
        for a, width in zip(axes, widths, strict=True):
            n = free if width is None else width
            result.append((a, shape[at : at + n]))
            at += n
        return result

    def _sizes(self) -> None:
        equations: list[tuple[str, int, syntax.Expression, int, int]] = []
        batches: list[tuple[str, tuple[int, ...]]] = []
        per_instance = self._instance_sizes()
        for name, p, instance, argument in self.arrays:
            order = self._permutation(self._axes(p), argument.shape, p.name)
            self._permutations[name] = order
            shape = tuple(argument.shape[k] for k in order)
            for position, (axis, extents) in enumerate(self._split(p, shape)):
                if isinstance(axis, syntax.Pack):
                    self._pack(p, axis, extents, batches)
                elif instance >= 0 and getattr(axis, "name", None) in per_instance:
                    self.instances.setdefault(axis.name, []).append(extents[0])
                else:
                    equations.append((p.name, position, axis, extents[0], instance))
        self._broadcast(batches)
        self._solve(equations)

    def _instance_sizes(self) -> set[str]:
        """Sizes that only one variadic parameter has: they differ by instance."""
        inside: set[str] = set()
        outside: set[str] = set()
        for p in self.operator.tensors:
            for a in self._axes(p):
                if isinstance(a, syntax.Name):
                    (inside if p.variadic else outside).add(a.name)
        return inside - outside

    def _pack(
        self,
        p: syntax.Parameter,
        axis: syntax.Pack,
        extents: tuple[int, ...],
        batches: list[tuple[str, tuple[int, ...]]],
    ) -> None:
        if axis.value is None:
            batches.append((p.name, extents))
            return
        if not isinstance(axis.value, syntax.Name):
            return  # Arithmetic on a pack: checked when all packs are known.
        name = axis.value.name
        known = self.packs.get(name)
        if known is None:
            self.packs[name] = list(extents)
            self.origin[f"...{name}"] = f"'{p.name}' has ...{name} = {extents}"
        elif tuple(known) != extents:
            self._fail(
                ShapeError,
                p.name,
                f"{self.operator.name} got '{p.name}' with ...{name} = {extents}, but "
                f"{self.origin.get(f'...{name}', f'...{name} = {tuple(known)}')}",
                "E0702",
            )

    def _broadcast(self, batches: list[tuple[str, tuple[int, ...]]]) -> None:
        rank = max((len(e) for _, e in batches), default=0)
        result = [1] * rank
        for name, extents in batches:
            for k, n in enumerate(extents, rank - len(extents)):
                if n != 1 and result[k] not in (1, n):
                    shapes = "; ".join(f"'{b}' has ... = {e}" for b, e in batches)
                    self._fail(
                        ShapeError,
                        name,
                        f"the arguments of {self.operator.name} do not broadcast: "
                        f"{shapes}",
                        "E0702",
                    )
                if n != 1:
                    result[k] = n
        self.packs[None] = result
        self.ranks[None] = rank

    def _solve(
        self, equations: list[tuple[str, int, syntax.Expression, int, int]]
    ) -> None:
        self._unchecked: list[tuple[str, int, syntax.Expression, int, int]] = []
        waiting = equations
        while waiting:
            rest = []
            for equation in waiting:
                if not self._equation(equation):
                    rest.append(equation)
            if len(rest) == len(waiting):
                # Only expressions of attributes with defaults are left.
                self._unchecked = rest
                return
            waiting = rest

    def _equation(
        self, equation: tuple[str, int, syntax.Expression, int, int]
    ) -> bool:
        name, position, axis, extent, _ = equation
        unknown = _unknown_names(axis, self.values)
        if not unknown:
            try:
                value = evaluate(axis, self.scope())
            except NotStatic:
                return False
            if value != extent:
                self._mismatch(name, position, axis, extent, value)
            return True
        if len(unknown) > 1 or unknown[0] in {
            p.name for p in self.operator.attributes
        } and not isinstance(axis, syntax.Name | syntax.Composite):
            return False
        solved = _invert(axis, extent, unknown[0], self.scope())
        if solved is None or solved < 0:
            self._mismatch(name, position, axis, extent, None)
        self.values[unknown[0]] = solved
        shape = next(a.shape for n, p, _, a in self.arrays if p.name == name)
        self.origin[unknown[0]] = (
            f"'{name}' has shape {shape}, so {unknown[0]} = {solved}"
        )
        return True

    def _mismatch(
        self,
        name: str,
        position: int,
        axis: syntax.Expression,
        extent: int,
        value: int | None,
    ) -> NoReturn:
        shape = next(a.shape for _, p, _, a in self.arrays if p.name == name)
        text = _axis_text(axis)
        names = [n for n in _names(axis) if n in self.origin]
        wants = f"{text} = {value}" if value is not None else f"a multiple for {text}"
        notes = [(f"{name}:{position}", f"'{name}' has shape {shape}: {extent} here")]
        because = "; ".join(self.origin[n] for n in names)
        for n in names:
            other = self._declared_at(n, name)
            if other:
                notes.append((other, self.origin[n]))
        self._fail(
            ShapeError,
            f"{name}:{position}",
            f"{self.operator.name} got '{name}' of shape {shape}, whose axis {text} is "
            f"{extent}, but {wants}" + (f" ({because})" if because else ""),
            "E0702",
            labels=notes,
        )

    def _declared_at(self, size: str, not_in: str) -> str | None:
        for p in self.operator.tensors:
            for k, a in enumerate(self._axes(p)):
                if p.name != not_in and isinstance(a, syntax.Name) and a.name == size:
                    return f"{p.name}:{k}"
        return None

    # --- dtypes --------------------------------------------------------------------

    def _bind_dtypes(self) -> None:
        classes = {c.name: c.classes for c in self.operator.classes}
        weak: dict[str, list[tuple[str, Argument]]] = {}
        strong: dict[str, DType] = {}
        for _, p, _, argument in self.arrays:
            assert isinstance(p.type, syntax.TensorType)
            variable = p.type.dtype.name
            if variable in DTYPES or p.type.dtype.arguments:
                continue
            if argument.dtype is None:
                weak.setdefault(variable, []).append((p.name, argument))
                continue
            if variable in self.dtypes:
                continue
            try:
                known = strong.get(variable, argument.dtype)
                strong[variable] = promote(known, argument.dtype)
            except DTypeError as problem:
                self._fail(
                    DTypeError, p.name, problem.message, problem.code, help=problem.help
                )
        for variable, scalars in weak.items():
            if variable not in strong:
                order = ["bool", "int", "float"]
                kind = max((a.weak for _, a in scalars), key=order.index)
                strong[variable] = {"bool": BOOL, "int": INT64, "float": FLOAT64}[kind]
        self.dtypes.update(strong)
        for name, p, _, argument in self.arrays:
            self._check_dtype(name, p, argument, classes)

    def _check_dtype(
        self,
        name: str,
        p: syntax.Parameter,
        argument: Argument,
        classes: Mapping[str, tuple[str, ...]],
    ) -> None:
        assert isinstance(p.type, syntax.TensorType)
        dtype = self.dtype_of(p.type.dtype)
        allowed = classes.get(p.type.dtype.name, ("number",))
        names = [n for c in allowed for n in sorted(CLASSES.get(c, {c}))]
        variable = p.type.dtype.name not in DTYPES and not p.type.dtype.arguments
        if variable and p.type.dtype.name in classes or variable:
            if dtype.name not in names:
                self._fail(
                    DTypeError,
                    p.name,
                    f"{self.operator.name} got '{p.name}' of dtype {dtype}, and takes "
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
                self._fail(
                    DTypeError,
                    p.name,
                    f"a Python {argument.weak} does not fit {dtype} in "
                    f"{self.operator.name}",
                    "E0703",
                    help="cast the array first, e.g. opslib.astype(x, "
                    "dtype='float32')",
                )
        elif not _safe(argument.dtype, dtype):
            self._fail(
                DTypeError,
                p.name,
                f"{self.operator.name} got '{p.name}' of dtype {argument.dtype}, and "
                f"needs {dtype}",
                "E0703",
                help=f"cast it first: opslib.astype({p.name}, dtype='{dtype}')",
            )

    def dtype_of(self, node: syntax.DTypeExpression) -> DType:
        """The dtype that an expression of the signature stands for."""
        if node.arguments:
            inner = [self.dtype_of(a) for a in node.arguments]
            return dtype_function(node.name, inner)
        if node.name in self.dtypes:
            return self.dtypes[node.name]
        if node.name in DTYPES:
            return DTYPES[node.name]
        self._fail(
            DTypeError,
            "",
            f"nothing determines the dtype {node.name} of {self.operator.name}",
            "E0703",
        )

    # --- the rest ------------------------------------------------------------------

    def _check_expressions(self) -> None:
        for equation in self._unchecked:
            if not self._equation(equation):
                name, position, axis, extent, _ = equation
                self._mismatch(name, position, axis, extent, None)
        for name, p, _, argument in self.arrays:
            shape = tuple(argument.shape[k] for k in self._permutations[name])
            for position, (axis, extents) in enumerate(self._split(p, shape)):
                if isinstance(axis, syntax.Pack) and not isinstance(
                    axis.value, syntax.Name | None
                ):
                    wanted = tuple(evaluate_pack(axis, self.scope()))
                    if wanted != extents:
                        self._fail(
                            ShapeError,
                            f"{p.name}:{position}",
                            f"{self.operator.name} got '{p.name}' of shape "
                            f"{argument.shape}, and needs {wanted} here",
                            "E0702",
                        )

    def _requirements(self) -> None:
        for require in self.operator.clauses.requires:
            try:
                holds = evaluate(require.condition, self.scope())
            except NotStatic:
                continue  # A run-time check; expand makes it.
            if not holds:
                raise ArgumentError(
                    render(
                        argument_error(
                            self.operator,
                            "",
                            f"{self.operator.name}: {require.message}",
                            labels=((require.span, "this does not hold"),),
                            code="E0706",
                        )
                    ),
                    code="E0706",
                )

    def _result(self) -> Binding:
        sizes = {
            pack_name(pack, k): n
            for pack, extents in self.packs.items()
            for k, n in enumerate(extents)
        }
        attributes = {p.name for p in self.operator.attributes}
        dimensions = _dimension_names(self.operator)
        for name, value in self.values.items():
            if name not in attributes or name in dimensions:
                sizes[name] = value
        for name, extents in self.instances.items():
            sizes.update({f"{name}{k}": n for k, n in enumerate(extents)})
        static, scalars = split_attributes(self.operator, self.values)
        # Which axes `fit` broadcasts decides the program: an index of 0 there.
        for name in sorted(fitted_packs(self.operator) & set(filter(None, self.packs))):
            static[f"fit {name}"] = tuple(n == 1 for n in self.packs[name])
        # An attribute that is also a size is launched as a size.
        scalars = {k: v for k, v in scalars.items() if k not in sizes}
        inputs = tuple(self._input(*array) for array in self.arrays)
        outputs = tuple(self._output(r) for r in self.results)
        statics = Statics(
            tuple(sorted(self.dtypes.items())),
            tuple((k, len(v)) for k, v in sorted(self.packs.items(), key=str)),
            tuple(sorted(static.items())),
            tuple(sorted(self.present.items())),
            tuple(sorted(self.counts.items())),
            tuple(r.name for r in self.results),
        )
        return Binding(self.operator, statics, sizes, scalars, inputs, outputs)

    def _input(
        self, name: str, p: syntax.Parameter, instance: int, argument: Argument
    ) -> BoundInput:
        assert isinstance(p.type, syntax.TensorType)
        order = self._permutations[name]
        shape: list[int] = []
        extents: list[int] = []
        tags: list[Tag] = []
        permuted = tuple(argument.shape[k] for k in order)
        for axis, part in self._split(p, permuted):
            if isinstance(axis, syntax.Pack) and axis.value is None:
                full = self.packs[None]
                shape += [1] * (len(full) - len(part)) + list(part)
                extents += full
                tags += [(None, k) for k in range(len(full))]
            elif isinstance(axis, syntax.Composite):
                factors = [evaluate(f, self.scope()) for f in axis.parts]
                shape += factors
                extents += factors
                tags += [None] * len(factors)
            else:
                shape += part
                extents += part
                tags += _pack_tags(axis, self.scope(), len(part))
        view = View(order, tuple(shape), tuple(extents))
        dtype = self.dtype_of(p.type.dtype)
        return BoundInput(name, p.name, instance, dtype, view, tuple(tags))

    def _output(self, result: syntax.Result) -> BoundOutput:
        axes = result.type.axes
        final: list[int] = []
        inner: list[int] = []
        tags: list[Tag] = []
        scope = self.scope()
        try:
            for axis in axes:
                if isinstance(axis, syntax.Pack):
                    entries = evaluate_pack(axis, scope)
                    final += entries
                    kept = _dropped_positions(axis.value, scope)
                    inner += [n for k, n in enumerate(entries) if k not in kept]
                    tags += _pack_tags(axis, scope, len(entries) - len(kept))
                elif isinstance(axis, syntax.Composite):
                    factors = [evaluate(f, scope) for f in axis.parts]
                    final.append(math.prod(factors))
                    inner += factors
                    tags += [None] * len(factors)
                else:
                    n = evaluate(axis, scope)
                    final.append(n)
                    inner.append(n)
                    tags.append(None)
        except ZeroDivisionError:
            self._fail(
                ArgumentError, result.name, "an extent divides by zero", "E0704"
            )
        if any(n < 0 for n in final):
            self._fail(
                ShapeError,
                result.name,
                f"{self.operator.name} would give '{result.name}' the shape "
                f"{tuple(final)}",
                "E0702",
            )
        ordered = tuple(final)
        # `order[k]` is the array axis at declared position k; lay out accordingly.
        order = self._permutation(axes, ordered, result.name)
        shape = [0] * len(ordered)
        for position, axis_number in enumerate(order):
            shape[axis_number] = ordered[position]
        view = View(order, tuple(inner), tuple(inner))
        dtype = self.dtype_of(result.type.dtype)
        return BoundOutput(result.name, dtype, tuple(shape), view, tuple(tags))

    def _fail(
        self,
        kind: type[OpslibError],
        place: str,
        message: str,
        code: str,
        *,
        labels: Sequence[tuple[str, str]] = (),
        help: str = "",
    ) -> NoReturn:
        diagnostic = argument_error(
            self.operator, place, message, code=code, labels=labels, help=help
        )
        raise kind(render(diagnostic), code=code)


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


def split_attributes(
    operator: syntax.Operator, values: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, int | float]]:
    """Attribute values that select a program, and those that are launched with it."""
    static: dict[str, Any] = {}
    scalars: dict[str, int | float] = {}
    frozen = static_names(operator)
    for p in operator.attributes:
        kind, value = p.type, values[p.name]
        assert isinstance(kind, syntax.AttributeType)
        if value is None or kind.kind not in ("int", "float") or p.name in frozen:
            # A shape is launched as sizes: only its rank selects.
            static[p.name] = None if kind.kind == "shape" else value
        elif kind.count is not None:
            scalars.update({f"{p.name}{k}": v for k, v in enumerate(value)})
        else:
            scalars[p.name] = value
    return static, scalars


def static_names(operator: syntax.Operator) -> frozenset[str]:
    """Integer attributes that a template needs to know: permutations and counts."""
    found: set[str] = set()
    for node in nodes(operator):
        if isinstance(node, syntax.Apply) and node.function in (
            "permute",
            "unpermute",
        ):
            found |= set(_names(node.arguments[1]))
    return frozenset(found)


def fitted_packs(operator: syntax.Operator) -> frozenset[str]:
    """Packs s that ``fit(i, s)`` broadcasts to the index i."""
    found: set[str] = set()
    for node in nodes(operator.definitions):
        if isinstance(node, syntax.Apply) and node.function == "fit":
            found |= set(_names(node.arguments[-1]))
    return frozenset(found)


def nodes(root: Any) -> Any:
    """Every syntax node below `root`, itself first."""
    if isinstance(root, syntax.Node):
        yield root
        for field in root.__dataclass_fields__:
            if field not in ("span", "name_span"):
                yield from nodes(getattr(root, field))
    elif isinstance(root, tuple):
        for item in root:
            yield from nodes(item)


def _names(node: syntax.Expression) -> list[str]:
    names = [
        n.name if isinstance(n, syntax.Name) else n.base
        for n in nodes(node)
        if isinstance(n, syntax.Name | syntax.Index)
    ]
    return list(dict.fromkeys(names))


def _unknown_names(node: syntax.Expression, known: Mapping[str, Any]) -> list[str]:
    return [n for n in _names(node) if n not in known]


def _mentions(node: syntax.Expression, name: str | None) -> bool:
    if isinstance(node, syntax.Pack):
        return False
    return any(
        (isinstance(n, syntax.Name) and n.name == name)
        or (isinstance(n, syntax.Index) and n.base == name)
        for n in nodes(node)
    )


def _first_pack(
    node: syntax.Expression, ranks: Mapping[str | None, int]
) -> str | None:
    return next((n for n in _names(node) if n in ranks), None)


def _dimension_names(operator: syntax.Operator) -> set[str]:
    """Names that stand for an extent in a tensor parameter."""
    found: set[str] = set()
    for p in operator.tensors:
        assert isinstance(p.type, syntax.TensorType)
        for axis in p.type.axes:
            if isinstance(axis, syntax.Name):
                found.add(axis.name)
            elif isinstance(axis, syntax.Composite):
                found |= {a.name for a in axis.parts if isinstance(a, syntax.Name)}
    return found


def _pack_tags(
    axis: syntax.Expression, scope: StaticScope, count: int
) -> list[Tag]:
    """Which entries of which pack the program axes of a declared axis are."""
    value = axis.value if isinstance(axis, syntax.Pack) else None
    if isinstance(axis, syntax.Pack) and value is None:
        return [(None, k) for k in range(count)]
    if isinstance(value, syntax.Name):
        return [(value.name, k) for k in range(count)]
    if isinstance(value, syntax.Apply) and value.function in ("drop", "head", "tail"):
        source = value.arguments[0]
        if isinstance(source, syntax.Name):
            axis_value = evaluate(value.arguments[1], scope)
            gap = isinstance(axis_value, int)
            axes = (axis_value,) if gap else axis_value
            rank = len(scope.packs[source.name])
            if value.function == "drop":
                positions = [k for k in range(rank) if k not in axes]
            elif value.function == "head":
                positions = list(range(axes[0]))
            else:
                positions = list(range(axes[0] if gap else axes[0] + 1, rank))
            return [(source.name, k) for k in positions]
    return [None] * count


def _dropped_positions(
    node: syntax.Expression | None, scope: StaticScope
) -> tuple[int, ...]:
    """Positions of the axes of length 1 that `keepdims` keeps; not in the program."""
    if isinstance(node, syntax.Apply) and node.function == "drop":
        arguments = node.arguments
        if len(arguments) > 2 and evaluate(arguments[2], scope):
            axes: tuple[int, ...] = evaluate(arguments[1], scope)
            return axes
    return ()


def _invert(
    node: syntax.Expression, extent: int, unknown: str, scope: StaticScope
) -> int | None:
    """The value of the one unknown for which `node` equals `extent`, or None."""
    match node:
        case syntax.Name():
            return extent
        case syntax.Composite():
            known, place = 1, None
            for part in node.parts:
                if unknown in _names(part):
                    place = part
                else:
                    known *= evaluate(part, scope)
            if known == 0 or extent % known:
                return 0 if known == 0 and extent == 0 else None
            assert place is not None
            return _invert(place, extent // known, unknown, scope)
        case syntax.Binary():
            left = unknown in _names(node.left)
            side, other = (
                (node.left, node.right) if left else (node.right, node.left)
            )
            value = evaluate(other, scope)
            match node.operator:
                case "+":
                    return _invert(side, extent - value, unknown, scope)
                case "-":
                    rest = extent + value if left else value - extent
                    return _invert(side, rest, unknown, scope)
                case "*" if value and extent % value == 0:
                    return _invert(side, extent // value, unknown, scope)
                case "//" if left:
                    return _invert(side, extent * value, unknown, scope)
    return None


def _axis_text(node: syntax.Expression) -> str:
    span = node.span
    return span.source.text[span.start : span.stop]


def _safe(source: DType, target: DType) -> bool:
    if source == target:
        return True
    if source.kind == "bool":
        return False
    try:
        return promote(source, target) == target
    except DTypeError:
        return False
