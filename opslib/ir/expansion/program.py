"""The whole operator: inputs, definitions in order, outputs, checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from opslib.ir import monoid
from opslib.ir.bind import (
    Statics,
    _dimension_names,
    pack_name,
)
from opslib.ir.build import arithmetic, cast, coerce, integer, is_weak
from opslib.ir.dtypes import FLOAT64, INT64, DType, compute_type
from opslib.ir.expansion import access, definitions, values
from opslib.ir.expansion.extents import infer
from opslib.ir.expansion.frame import (
    Frame,
    Group,
    LocalValue,
    Operand,
    Scope,
    Shared,
)
from opslib.ir.expr import (
    ZERO,
    Axis,
    Check,
    Const,
    Define,
    Expr,
    Prim,
    Program,
    Read,
    Scalar,
    Size,
    Tensor,
    Var,
    depends_on_data,
    substitute,
    walk,
)
from opslib.ir.monoid import Monoid
from opslib.language import syntax

COMBINES = {
    "add": monoid.sum_of,
    "mul": monoid.product_of,
    "max": monoid.maximum_of,
    "min": monoid.minimum_of,
    "set": monoid.last_of,
}


def expand(
    operator: syntax.Operator,
    statics: Statics,
    library: Mapping[str, syntax.Operator],
) -> Program:
    """The program of `operator` for a binding's statics.

    Raises:
        SpecError: what only shows at concrete ranks and dtypes, with carets.
    """
    return _Expansion(operator, statics, library).run()


@dataclass
class _Expansion:
    operator: syntax.Operator
    statics: Statics
    library: Mapping[str, syntax.Operator]
    inputs: list[Tensor] = field(default_factory=list)
    outputs: dict[str, Tensor] = field(default_factory=dict)
    locals: list[Tensor] = field(default_factory=list)
    defines: list[Define] = field(default_factory=list)
    scalars: list[Scalar] = field(default_factory=list)
    size_names: list[str] = field(default_factory=list)

    def run(self) -> Program:
        self.frame = Frame(Shared(self.library), self.operator)
        self._names()
        for p in self.operator.tensors:
            self._input(p)
        self._reserve()
        results = {r.name: r for r in self.operator.results}
        self.results = results
        needed = self._needed()
        for number, definition in enumerate(self.operator.definitions):
            self.frame.shared.definition = number
            if any(t.name in needed for t in definition.targets):
                self._definition(definition)
        self._round_outputs()
        self._requirements()
        return Program(
            self.operator.name,
            tuple(self.inputs),
            tuple(self.outputs[name] for name in self.statics.results),
            tuple(self.locals),
            tuple(self.scalars),
            tuple(self.size_names),
            tuple(self.defines),
            tuple(self.frame.shared.checks),
            self.operator.clauses.exact,
            (("op", self.operator.name), *self.statics.attributes),
        )

    # --- names ---------------------------------------------------------------------

    def _size(self, name: str) -> Size:
        if name not in self.size_names:
            self.size_names.append(name)
        return Size(name)

    def _names(self) -> None:
        frame, statics = self.frame, self.statics
        frame.dtypes = dict(statics.dtypes)
        counts = dict(statics.counts)
        for pack, rank in statics.ranks:
            frame.packs[pack] = [self._size(pack_name(pack, k)) for k in range(rank)]
        attributes = {p.name for p in self.operator.attributes}
        variadic_sizes = self._variadic_sizes()
        for name in sorted(_dimension_names(self.operator)):
            if name in variadic_sizes:
                count = counts[variadic_sizes[name]]
                sizes: list[Expr] = [self._size(f"{name}{k}") for k in range(count)]
                frame.instance_sizes[name] = sizes
            else:
                frame.sizes[name] = self._size(name)
        for p in self.operator.tensors:
            assert isinstance(p.type, syntax.TensorType)
            for axis in p.type.axes:
                if not isinstance(axis, syntax.Pack):
                    for name in _plain_names(axis):
                        if name not in attributes and name not in frame.sizes:
                            if name not in frame.instance_sizes:
                                frame.sizes[name] = self._size(name)
        static = dict(statics.attributes)
        for p in self.operator.attributes:
            self._attribute(p, static)
        for name, found in static.items():
            if name.startswith("fit "):
                frame.attributes[name] = found
        frame.absent = {name for name, there in statics.present if not there}

    def _variadic_sizes(self) -> dict[str, str]:
        """Sizes that differ by instance, with their variadic parameter."""
        inside: dict[str, str] = {}
        outside: set[str] = set()
        for p in self.operator.tensors:
            assert isinstance(p.type, syntax.TensorType)
            for axis in p.type.axes:
                if isinstance(axis, syntax.Name):
                    if p.variadic:
                        inside[axis.name] = p.name
                    else:
                        outside.add(axis.name)
        return {n: p for n, p in inside.items() if n not in outside}

    def _attribute(self, p: syntax.Parameter, static: dict[str, Any]) -> None:
        kind, frame = p.type, self.frame
        assert isinstance(kind, syntax.AttributeType)
        if kind.kind == "shape":
            return  # A pack, whose extents are sizes.
        if p.name in static:
            found = static[p.name]
            frame.attributes[p.name] = found
            return
        if p.name in frame.sizes:
            return
        dtype = INT64 if kind.kind == "int" else FLOAT64
        if kind.count is None:
            frame.attributes[p.name] = self._scalar(p.name, dtype)
            return
        if isinstance(kind.count, syntax.Number):
            count = int(kind.count.value)
        else:
            pack = getattr(getattr(kind.count, "value", None), "name", None)
            count = len(frame.packs[pack])
        frame.attributes[p.name] = [
            self._scalar(f"{p.name}{k}", dtype) for k in range(count)
        ]

    def _scalar(self, name: str, dtype: DType) -> Scalar:
        scalar = Scalar(name, dtype)
        self.scalars.append(scalar)
        return scalar

    def _input(self, p: syntax.Parameter) -> None:
        frame = self.frame
        if p.name in frame.absent:
            return
        assert isinstance(p.type, syntax.TensorType)
        dtype = values.dtype_of(frame, p.type.dtype)
        if not p.variadic:
            frame.operands[p.name] = self._operand(p.name, p.type.axes, dtype)
            return
        operands = []
        for k in range(dict(self.statics.counts)[p.name]):
            own = {n: s[k] for n, s in frame.instance_sizes.items()}
            frame.sizes.update(own)
            operands.append(self._operand(f"{p.name}{k}", p.type.axes, dtype))
            for n in own:
                del frame.sizes[n]
        frame.variadic[p.name] = tuple(operands)

    def _operand(
        self, name: str, axes: tuple[syntax.Expression, ...], dtype: DType
    ) -> Operand:
        groups = definitions.declared_groups(self.frame, axes)
        dims = tuple(d for g in groups for d in g.dims)
        self.inputs.append(Tensor(name, dtype, dims))
        return Operand(name, tuple(groups), _reader(name, dtype))

    def _reserve(self) -> None:
        """Names that no fold's index may take."""
        reserved = self.frame.shared.reserved
        reserved |= set(self.size_names) | set(self.frame.attributes)
        reserved |= {t.name for t in self.inputs}
        reserved |= {s.name for s in self.scalars}
        for definition in self.operator.definitions:
            for target in definition.targets:
                plain, packs = definitions.target_names(target)
                reserved |= {target.name, *plain}
                for base in (*packs, "b"):
                    reserved |= {f"{base}{k}" for k in range(9)}

    # --- definitions ---------------------------------------------------------------

    def _needed(self) -> set[str]:
        """Targets that a wanted result depends on."""
        from opslib.ir.bind import nodes

        needed = set(self.statics.results)
        targets = {t.name for d in self.operator.definitions for t in d.targets}
        while True:
            more = set(needed)
            for definition in self.operator.definitions:
                if any(t.name in needed for t in definition.targets):
                    for node in nodes((definition.value, definition.targets)):
                        name = getattr(node, "base", getattr(node, "name", None))
                        if name in targets:
                            more.add(name)
            if more == needed:
                return needed
            needed = more

    def _definition(self, definition: syntax.Definition) -> None:
        if definition.combine is not None:
            self._scatter(definition)
            return
        for output, target in enumerate(definition.targets):
            self._plain(definition, target, output)

    def _groups(
        self, definition: syntax.Definition, target: syntax.Target
    ) -> list[Group]:
        if target.name in self.results:
            axes = self.results[target.name].type.axes
            return definitions.declared_groups(self.frame, axes)
        return definitions.local_groups(self.frame, definition, target)

    def _plain(
        self, definition: syntax.Definition, target: syntax.Target, output: int
    ) -> None:
        frame = self.frame
        groups = self._groups(definition, target)
        axes, scope = definitions.bind_target(frame, target, groups)
        scope = replace(scope, output=output)
        dims = tuple(d for g in groups for d in g.dims)
        recursive = self._reads_itself(definition, target)
        if recursive:
            # Its type is that of what it is made from; the declared one at the end.
            dtype = self._recursive_type(target)
            own = Operand(target.name, tuple(groups), _reader(target.name, dtype))
            frame.operands[target.name] = own
            value = values.value(frame, definition.value, scope)
            value = coerce(value, dtype) if is_weak(value) else cast(value, dtype)
            along, backward = self._recurrent_axis(definition, target, axes, value)
            if backward:
                self._keep_backward(target, groups, dims, axes, value, along)
            else:
                self._keep(target, groups, dims, axes, value, along)
            return
        value = values.value(frame, definition.value, scope)
        if target.name not in self.results and not axes and is_weak(value):
            frame.macros[target.name] = value
            return
        self._keep(target, groups, dims, axes, self._strong(target, value), None)

    def _strong(self, target: syntax.Target, value: Expr) -> Expr:
        if not is_weak(value):
            return value
        if target.name in self.results:
            declared = self.results[target.name].type.dtype
            dtype = compute_type(values.dtype_of(self.frame, declared))
            return cast(value, dtype)
        if value.dtype == FLOAT64:
            for dtype in self.frame.dtypes.values():
                if dtype.is_float:
                    return cast(value, compute_type(dtype))
        return value

    def _keep(
        self,
        target: syntax.Target,
        groups: list[Group],
        dims: tuple[Expr, ...],
        axes: tuple[Axis, ...],
        value: Expr,
        recurrent: str | None,
    ) -> None:
        """Adds the Define, as an output where it may be written directly.

        A result that other definitions read stays unrounded for them: a local in the
        compute type, which `_round_outputs` copies out.
        """
        name = target.name
        indices = tuple(a.index for a in axes)
        if name in self.statics.results and not self._is_read(name):
            declared = values.dtype_of(self.frame, self.results[name].type.dtype)
            tensor = Tensor(name, declared, dims)
            if recurrent is None or declared == value.dtype:
                self.outputs[name] = tensor
                rounded = cast(value, declared)
                self.defines.append(
                    Define(name, axes, indices, rounded, None, recurrent)
                )
                return
        local = f"{name}_wide" if name in self.statics.results else name
        if recurrent is not None and local != name:
            value = _renamed(value, name, local)
        self.locals.append(Tensor(local, value.dtype, dims))
        self.frame.shared.locals[local] = LocalValue(
            # A recurrence is not a formula of its index: it counts as a fraction.
            FLOAT64 if recurrent is not None else value.dtype,
            indices,
            value,
        )
        self.defines.append(Define(local, axes, indices, value, None, recurrent))
        reader = _reader(local, value.dtype)
        self.frame.operands[name] = Operand(name, tuple(groups), reader)

    def _is_read(self, name: str) -> bool:
        from opslib.ir.bind import nodes

        for definition in self.operator.definitions:
            own = {t.name for t in definition.targets}
            if definition.combine is not None and name in own:
                return True
            for node in nodes(definition.value):
                found = getattr(node, "base", getattr(node, "name", None))
                if found == name and name not in own:
                    return True
        return False

    def _round_outputs(self) -> None:
        """Copies results that were kept as wide locals to the outputs, rounding."""
        for name in self.statics.results:
            if name in self.outputs:
                continue
            operand = self.frame.operands[name]
            dtype = values.dtype_of(self.frame, self.results[name].type.dtype)
            axes = tuple(
                Axis(f"o{k}", ZERO, d) for k, d in enumerate(operand.dims)
            )
            indices = tuple(a.index for a in axes)
            value = cast(operand.read(indices, Scope()), dtype)
            self.outputs[name] = Tensor(name, dtype, operand.dims)
            self.defines.append(Define(name, axes, indices, value))

    # --- recurrences ---------------------------------------------------------------

    def _reads_itself(
        self, definition: syntax.Definition, target: syntax.Target
    ) -> bool:
        from opslib.ir.bind import nodes

        return any(
            isinstance(n, syntax.Index) and n.base == target.name
            for n in nodes(definition.value)
        )

    def _recursive_type(self, target: syntax.Target) -> DType:
        if target.name in self.results:
            declared = self.results[target.name].type.dtype
            return compute_type(values.dtype_of(self.frame, declared))
        for dtype in self.frame.dtypes.values():
            return compute_type(dtype)
        return FLOAT64

    def _recurrent_axis(
        self,
        definition: syntax.Definition,
        target: syntax.Target,
        axes: tuple[Axis, ...],
        value: Expr,
    ) -> tuple[str, bool]:
        """The axis along which the target reads itself, and whether backwards."""
        found: set[tuple[str, bool]] = set()
        for node in walk(value):
            if isinstance(node, Read) and node.tensor == target.name:
                for axis, index in zip(axes, node.indices, strict=True):
                    if index is not axis.index:
                        found.add((axis.name, _shift(axis, index) > 0))
        if len(found) != 1:
            self.frame.fail(
                definition,
                f"'{target.name}' must read itself along exactly one axis",
                "E0507",
                help="such as y[t - 1] in the definition of y[t]",
            )
        return found.pop()

    def _keep_backward(
        self,
        target: syntax.Target,
        groups: list[Group],
        dims: tuple[Expr, ...],
        axes: tuple[Axis, ...],
        value: Expr,
        along: str,
    ) -> None:
        """A recurrence that reads later elements: a forward one of the mirror image.

        ``r[t] = y[n - 1 - t]`` turns y[t + k] into r[t - k], so that everything
        behind this point knows one direction only.
        """
        place = next(k for k, a in enumerate(axes) if a.name == along)
        axis = axes[place]
        mirror = f"{target.name}_mirrored"

        def rule(node: Expr) -> Expr | None:
            if isinstance(node, Read) and node.tensor == target.name:
                indices = list(node.indices)
                shift = _shift(axis, indices[place])
                indices[place] = arithmetic("sub", axis.index, integer(shift))
                return Read(mirror, tuple(indices), node.type)
            return None

        last = arithmetic("sub", axis.stop, integer(1))
        there = arithmetic("sub", last, axis.index)
        # First everything else at the mirrored place, then the reads of itself.
        hidden: dict[Expr, Expr] = {
            node: Var(f"own{k}", node.dtype)
            for k, node in enumerate(walk(value))
            if isinstance(node, Read) and node.tensor == target.name
        }
        shown: dict[Expr, Expr] = {
            v: rule(node) or node for node, v in hidden.items()
        }
        mirrored = substitute(substitute(value, hidden), {axis.index: there})
        mirrored = substitute(mirrored, shown)
        indices = tuple(a.index for a in axes)
        self.locals.append(Tensor(mirror, mirrored.dtype, dims))
        self.frame.shared.locals[mirror] = LocalValue(FLOAT64, indices, mirrored)
        self.defines.append(Define(mirror, axes, indices, mirrored, None, along))
        back = tuple(there if k == place else i for k, i in enumerate(indices))
        read = Read(mirror, back, mirrored.dtype)
        self._keep(target, groups, dims, axes, read, None)

    # --- scatter -------------------------------------------------------------------

    def _scatter(self, definition: syntax.Definition) -> None:
        frame, target = self.frame, definition.targets[0]
        operand = frame.operands.get(target.name)
        if operand is None:
            frame.fail(
                definition,
                f"'{target.name}' has no initial value",
                "E0509",
                help=f"write first: {target.name}[...] = 0",
            )
        axes, scope = self._scatter_axes(definition, target)
        place = syntax.Index(base=target.name, items=target.items, span=target.span)
        at = access.indices(frame, place, operand, scope, values.value)
        at = access.checked(frame, place, operand, at, scope)
        value = values.value(frame, definition.value, scope)
        dtype = next(t.dtype for t in self.locals if t.name in self._stored(target))
        value = coerce(value, dtype) if is_weak(value) else cast(value, dtype)
        made: Monoid = COMBINES[str(definition.combine)](dtype)
        name = next(n for n in self._stored(target) if n in self._local_names())
        self.defines.append(Define(name, axes, at, value, made))

    def _stored(self, target: syntax.Target) -> tuple[str, str]:
        return target.name, f"{target.name}_wide"

    def _local_names(self) -> set[str]:
        return {t.name for t in self.locals}

    def _scatter_axes(
        self, definition: syntax.Definition, target: syntax.Target
    ) -> tuple[tuple[Axis, ...], Scope]:
        """Indices of a scatter: every name that is not a size, by first use."""
        from opslib.ir.bind import nodes

        frame = self.frame
        bound = {
            b.name
            for n in nodes(definition.value)
            if isinstance(n, syntax.Along)
            for b in n.binders
        }
        known = set(frame.sizes) | set(frame.attributes) | set(frame.operands)
        names: list[str] = []
        for node in nodes((target.items, definition.value)):
            if isinstance(node, syntax.Name) and node.name not in known | bound:
                if node.name not in names and node.name != "pi":
                    names.append(node.name)
        roots = (target, definition.value)
        found = infer(frame, roots, frozenset(names), Scope())
        axes: list[Axis] = []
        indices: dict[str, Expr] = {}
        packs: dict[str | None, tuple[Expr, ...]] = {}
        if any(isinstance(n, syntax.Pack) and n.value is None for n in nodes(roots)):
            batch = [
                Axis(f"b{k}", ZERO, d) for k, d in enumerate(frame.packs.get(None, []))
            ]
            axes += batch
            packs[None] = tuple(a.index for a in batch)
        in_packs = {
            n.value.name
            for n in nodes(roots)
            if isinstance(n, syntax.Pack) and isinstance(n.value, syntax.Name)
        }
        for name in names:
            if name not in found:
                frame.fail(
                    definition, f"nothing says how far '{name}' goes", "E0502"
                )
            if name in in_packs:
                made = [
                    Axis(f"{name}{k}", ZERO, d) for k, d in enumerate(found[name])
                ]
                packs[name] = tuple(a.index for a in made)
            else:
                made = [Axis(name, ZERO, found[name][0])]
                indices[name] = made[0].index
            axes += made
        scope = Scope(indices=indices, packs=packs, axes=tuple(axes))
        return tuple(axes), scope

    # --- requirements on data ------------------------------------------------------

    def _requirements(self) -> None:
        for require in self.operator.clauses.requires:
            try:
                condition = values.value(self.frame, require.condition, Scope())
            except Exception:  # noqa: BLE001 - static ones were decided while binding
                continue
            if depends_on_data(condition):
                check = Check((), condition, require.message)
                self.frame.shared.checks.append(check)


def _shift(axis: Axis, index: Expr) -> int:
    """k of the index ``axis + k``; the checker admits only literal shifts."""
    if isinstance(index, Prim) and index.op in ("add", "sub"):
        left, right = index.args
        sign = 1 if index.op == "add" else -1
        if left is axis.index and isinstance(right, Const):
            return sign * int(right.value)
        if right is axis.index and isinstance(left, Const) and sign > 0:
            return int(left.value)
    return -1


def _reader(name: str, dtype: DType) -> Any:
    def read(found: tuple[Expr, ...], scope: Scope) -> Expr:
        return cast(Read(name, found, dtype), compute_type(dtype))

    return read


def _renamed(value: Expr, old: str, new: str) -> Expr:
    from opslib.ir.expr import transform

    def rule(node: Expr) -> Expr | None:
        if isinstance(node, Read) and node.tensor == old:
            return Read(new, node.indices, node.type)
        return None

    return transform(value, rule)


def _plain_names(node: syntax.Expression) -> list[str]:
    from opslib.ir.bind import _names

    return _names(node)


