"""The spec of a gradient: its signature, its definitions, its clauses, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opslib.analysis.gradient.derive import gradient
from opslib.analysis.gradient.groups import grouped
from opslib.analysis.gradient.launches import launches
from opslib.analysis.gradient.layout import WIDTH, broken, filled
from opslib.analysis.gradient.prepare import (
    measured,
    namer,
    without_axes,
)
from opslib.analysis.gradient.settle import settled
from opslib.analysis.gradient.share import shared
from opslib.analysis.gradient.write import Unliftable, Writer
from opslib.errors import SpecError
from opslib.ir.binding import Statics, pack_name
from opslib.ir.build import is_weak
from opslib.ir.dtypes import DTYPES, DType
from opslib.ir.expansion import expand, values
from opslib.ir.expansion.draft import Draft
from opslib.ir.expansion.frame import Frame, Scope, Shared
from opslib.ir.expansion.signature import declare
from opslib.ir.expr import (
    Call,
    Cast,
    Const,
    Define,
    Expr,
    Program,
    Read,
    Scalar,
    Size,
    Tensor,
    substitute,
    walk,
)
from opslib.ir.roles import attribute_type, axes_of, static_names
from opslib.language import syntax
from opslib.language.printer import print_expression
from opslib.language.tree import names as names_in
from opslib.language.tree import walk as walk_tree

# Types that stand for a dtype variable: narrow, so that roundings are seen.
_STAND_INS = ("bfloat16", "float16")
_PACKS = ("s", "r", "q")


@dataclass(frozen=True, slots=True)
class Written:
    """A gradient's spec.

    text: of the operator.
    cotangents, results: names, in order, with the result or input that each is of.
    attributes: names of the attributes that it takes.
    composite: tensors some of whose axes are composite.
    launches: groups of results that are best computed by themselves.
    """

    text: str
    cotangents: tuple[tuple[str, str], ...]
    results: tuple[tuple[str, str], ...]
    attributes: tuple[str, ...]
    composite: frozenset[str]
    launches: tuple[tuple[str, ...], ...]


def written(
    operator: syntax.Operator,
    statics: Statics,
    library: Mapping[str, syntax.Operator],
    dropped: Mapping[str, Sequence[int]] | None = None,
) -> Written:
    """The spec of the gradient of a call.

    Args:
        operator: the forward spec.
        statics: of the call.
        library: the operators that it may call.
        dropped: for an input the program axes along which it is broadcast; the gradient
            takes it without them.

    Raises:
        NoGradient: it has none; the message says why.
    """
    if not dropped and _is_general(operator, statics):
        try:
            return _Spec(operator, statics, library, {}, lift=True).written()
        except Unliftable:
            pass
    return _Spec(operator, statics, library, dropped or {}, lift=False).written()


def _is_general(operator: syntax.Operator, statics: Statics) -> bool:
    """Whether nothing but packs' ranks would change with the ranks of the packs."""
    if not statics.ranks:
        return True
    if any(isinstance(v, tuple) for _, v in statics.attributes):
        return False
    for p in operator.attributes:
        kind = attribute_type(p)
        if isinstance(kind.count, syntax.Pack) or kind.kind in ("shape", "axes"):
            return False
    return True


class _Spec:
    def __init__(
        self,
        operator: syntax.Operator,
        statics: Statics,
        library: Mapping[str, syntax.Operator],
        dropped: Mapping[str, Sequence[int]],
        lift: bool,
    ) -> None:
        self.operator = operator
        self.names = namer()
        self.variables = {n for n, _ in statics.dtypes}
        dtypes, self.rounding = self._stand_ins(statics)
        ranks = statics.ranks
        self.packs: dict[tuple[str, str], str] = {}
        if lift:
            ranks = tuple((pack, 2) for pack, _ in ranks)
            taken = {n.name for n in walk_tree(operator) if isinstance(n, syntax.Name)}
            for pack, _ in ranks:
                name = pack or next(p for p in (*_PACKS, "batch") if p not in taken)
                taken.add(name)
                self.packs[pack_name(pack, 0), pack_name(pack, 1)] = name
        self.statics = Statics(
            dtypes,
            ranks,
            statics.attributes,
            statics.present,
            statics.counts,
            statics.results,
        )
        program = expand(operator, self.statics, library)
        program = without_axes(program, dropped)
        self.dropped = dropped
        self.library = library
        self.forward, self.measured = measured(program)
        made = gradient(self.forward, self._keeps)
        known = frozenset(t.name for t in self.forward.locals)
        self.program = shared(
            settled(made, known),
            known,
            self.names,
            {
                *self.packs.values(),
                *self.variables,
                *(p.name for p in operator.attributes),
            },
        )

    def _keeps(self, call: Call) -> bool:
        """Whether a call may stand in the text: all that it is given are tensors."""
        called = self.library.get(call.operator)
        if called is None or any(p.default is None for p in called.attributes):
            return False
        for n in walk_tree(self.operator):
            if isinstance(n, syntax.Apply | syntax.Along):
                if n.function == call.operator and n.keywords:
                    return False
                if n.function == call.operator and len(n.arguments) != len(call.args):
                    return False
        return len(called.tensors) == len(call.args) and not any(
            p.optional or p.variadic for p in called.tensors
        )

    def _stand_ins(
        self, statics: Statics
    ) -> tuple[tuple[tuple[str, DType], ...], dict[DType, str]]:
        """The dtypes of the derivation, and which variable a rounding names."""
        attributes = {p.name for p in self.operator.attributes}
        used = {d for n, d in statics.dtypes if n in attributes}
        used |= {
            DTYPES[n.name]
            for n in walk_tree(self.operator)
            if isinstance(n, syntax.DTypeExpression | syntax.Name) and n.name in DTYPES
        }
        found: list[tuple[str, DType]] = []
        rounding: dict[DType, str] = {}
        for name, dtype in statics.dtypes:
            if dtype.is_float and name not in attributes:
                free_ones = [DTYPES[s] for s in _STAND_INS if DTYPES[s] not in used]
                if free_ones:
                    dtype = free_ones[0]
                    rounding.setdefault(dtype, name)
            found.append((name, dtype))
        return tuple(found), rounding

    # --- the text ------------------------------------------------------------------

    def written(self) -> Written:
        """The whole spec."""
        program = self.program
        tensors = {
            t.name: t for t in (*program.inputs, *program.outputs, *program.locals)
        }
        scalars, attributes = self._attributes(program)
        taken = set(tensors) | set(program.sizes) | set(attributes)
        taken |= set(self.packs.values()) | self.variables | _RESERVED
        self.writer = Writer(
            tensors,
            self._groups(program),
            self.packs,
            scalars,
            self.rounding,
            frozenset(taken),
        )
        self.types = self._types(program)
        lines = [self._comment(), *self._signature(program, attributes)]
        for d in program.defines:
            lines += self._definition(program, d)
        lines += self._clauses(program, attributes)
        results = [t for t in self.forward.outputs if t.dtype.is_float]
        inputs = [t for t in self.forward.inputs if t.dtype.is_float]
        return Written(
            "\n".join(lines) + "\n",
            tuple((f"d{t.name}", t.name) for t in results),
            tuple((f"d{t.name}", t.name) for t in inputs),
            tuple(attributes),
            frozenset(self.writer.groups),
            launches(program),
        )

    def _comment(self) -> str:
        return f"# The gradient of {self.operator.name}, derived from its spec."

    def _attributes(self, program: Program) -> tuple[dict[str, str], dict[str, str]]:
        """Scalars as texts, and the attributes in order with their declarations."""
        frozen = static_names(self.operator)
        values = dict(self.statics.attributes)
        sizes = set(program.sizes)
        scalars: dict[str, str] = {}
        declared: dict[str, str] = {}
        launched = {s.name for s in program.scalars}
        for p in self.operator.attributes:
            kind = attribute_type(p)
            if p.name in frozen or kind.kind not in ("int", "float", "number"):
                continue
            if p.name in values and p.name not in sizes:
                continue
            if kind.count is not None:
                count = sum(
                    s.startswith(p.name) and s[len(p.name) :].isdigit()
                    for s in launched
                )
                if not count:
                    continue
                for k in range(count):
                    scalars[f"{p.name}{k}"] = f"{p.name}[{k}]"
                text = f"{p.name}: {kind.kind}[{count}]"
            else:
                scalars[p.name] = p.name
                name = kind.kind
                if name == "number":
                    found = [s for s in program.scalars if s.name == p.name]
                    name = "float" if found and found[0].type.is_float else "int"
                text = f"{p.name}: {name}"
            declared[p.name] = text
        for p in self.operator.attributes:
            default = p.default
            if p.name not in declared or default is None:
                continue
            if isinstance(default, syntax.Nothing):
                continue
            known = set(declared) | sizes
            if set(names_in(default)) <= known and not _speaks_of_packs(default):
                declared[p.name] += f" = {print_expression(default)}"
        for name in self._told(program):
            declared.setdefault(name, f"{name}: int")
        used = {
            n.name
            for d in program.defines
            for e in (*d.axes, *d.indices, d.value)
            for n in walk(e)
            if isinstance(n, Scalar)
        } | {
            n.name
            for t in (*program.inputs, *program.outputs)
            for s in t.shape
            for n in walk(s)
            if isinstance(n, Scalar | Size)
        }
        kept: dict[str, str] = {}
        for name, text in declared.items():
            own = [
                s for s, t in scalars.items() if t == name or t.startswith(f"{name}[")
            ]
            needed = any(s in used for s in own) or name in sizes
            needed = needed or any(f" = {name}" in t for t in declared.values())
            if needed:
                kept[name] = text
        return scalars, kept

    def _told(self, program: Program) -> list[str]:
        """Sizes that no array has, such as entries of a shape that was given."""
        seen = {
            n.name
            for t in program.inputs
            for s in t.shape
            if isinstance(s, Size)
            for n in (s,)
        }
        used = {
            n.name
            for e in (
                *(s for t in (*program.inputs, *program.outputs) for s in t.shape),
                *(x for d in program.defines for x in (*d.axes, *d.indices, d.value)),
            )
            for n in walk(e)
            if isinstance(n, Size)
        }
        inside = {n for pair in self.packs for n in pair}
        return sorted(used - seen - inside)

    def _groups(self, program: Program) -> dict[str, Sequence[int]]:
        """How the axes of parameters and results are grouped: composites are one."""
        declared: dict[str, syntax.Parameter | syntax.Result] = {}
        for p in self.operator.tensors:
            declared[p.name] = p
        for r in self.operator.results:
            declared[r.name] = r
        found: dict[str, Sequence[int]] = {}
        ranks = dict(self.statics.ranks)
        for t in (*program.inputs, *program.outputs):
            name = t.name if t.name in declared else t.name[1:]
            if name not in declared or self.dropped.get(name):
                continue
            shown = {k: 1 if self.packs else n for k, n in ranks.items()}
            groups = grouped(axes_of(declared[name]), shown)
            pairs = sum(self._is_first(d) for d in t.shape) if self.packs else 0
            if groups is None or all(g == 1 for g in groups):
                continue
            # Two lengths of one axis that nothing else tells cannot be told apart.
            if len(set(self.measured.values()) & set(_composites(t, groups))) > 1:
                continue
            if sum(groups) == len(t.shape) - pairs:
                found[t.name] = groups
        return found

    def _is_first(self, dim: Expr) -> bool:
        return isinstance(dim, Size) and any(dim.name == k[0] for k in self.packs)

    def _types(self, program: Program) -> dict[str, str]:
        """The declared dtype of each parameter and result."""
        found: dict[str, str] = {}
        by_name: dict[str, syntax.TensorType] = {}
        both: list[syntax.Parameter | syntax.Result] = [*self.operator.tensors]
        for q in (*both, *self.operator.results):
            assert isinstance(q.type, syntax.TensorType)
            by_name[q.name] = q.type
        for t in (*program.inputs, *program.outputs):
            base = t.name
            forms = [
                base,
                base[1:],
                base.rstrip("0123456789"),
                base[1:].rstrip("0123456789"),
            ]
            kind = next((by_name[f] for f in forms if f in by_name), None)
            name = kind.dtype.name if kind is not None else ""
            if kind is not None and kind.dtype.arguments:
                name = kind.dtype.arguments[0].name
            if name not in self.variables or not self._is_variable(name):
                name = self.rounding.get(t.dtype, str(t.dtype))
            found[t.name] = name
        return found

    def _is_variable(self, name: str) -> bool:
        return all(p.name != name for p in self.operator.attributes)

    def _tensor(self, t: Tensor) -> str:
        return f"{self.types[t.name]}[{', '.join(self.writer.shape(t))}]"

    def _signature(self, program: Program, attributes: Mapping[str, str]) -> list[str]:
        parts = [f"{t.name}: {self._tensor(t)}" for t in program.inputs]
        if attributes:
            parts.append("*")
        parts += attributes.values()
        results = [f"{t.name}: {self._tensor(t)}" for t in program.outputs]
        result = results[0] if len(results) == 1 else f"({', '.join(results)})"
        used = set(self.types.values())
        classes = []
        for variable, dtype in self.statics.dtypes:
            if variable in used and self._is_variable(variable):
                classes.append(f"{variable}: {self._class(variable, dtype)}")
        where = f" where {', '.join(classes)}" if classes else ""
        head = f"op {program.name}("
        line = f"{head}{', '.join(parts)}) -> {result}{where}"
        if len(line) <= WIDTH:
            return [line]
        indent = " " * len(head)
        lines = filled(head, parts, indent)
        lines[-1] += ")"
        tail = f"{indent}-> "
        if len(results) > 1 and len(tail + result + where) > WIDTH:
            more = filled(f"{tail}(", results, " " * (len(tail) + 1))
            more[-1] += f"){where}"
            return [*lines, *more]
        return [*lines, f"{tail}{result}{where}"]

    def _class(self, variable: str, dtype: DType) -> str:
        if dtype.is_float:
            return "float"
        if dtype.kind == "bool":
            return "bool"
        given = [c for c in self.operator.classes if c.name == variable]
        if given and given[0].classes in (("int",), ("sint",), ("uint",)):
            return given[0].classes[0]
        return "int"

    def _definition(self, program: Program, d: Define) -> list[str]:
        writer = self.writer
        tensor = program.tensor(d.name)
        value = d.value
        is_output = any(t.name == d.name for t in program.outputs)
        if is_output and isinstance(value, Cast) and value.type == tensor.dtype:
            value = value.value
        writer.live = {}
        writer.bind(d.axes)
        target = writer.indices(d.name, d.indices)
        text = writer.text(value)
        if is_weak(value) and tensor.dtype.is_float and not is_output:
            text = f"{self._float()}({text})"
        tail = ""
        is_local = any(t.name == d.name for t in program.locals)
        if is_local or d.combine is not None:
            ranges = []
            # A combining write sees what it writes to, too.
            roots = [value]
            if d.combine is not None:
                roots += [*d.indices, Read(d.name, d.indices, tensor.dtype)]
            for a in d.axes:
                name = writer.live[a.name]
                if name is None or writer.seen(a, roots):
                    continue
                if name.startswith("..."):
                    raise Unliftable(a.name)
                ranges.append(f"{name} in 0..{writer.text(a.stop, 1)}")
            tail = f" for {', '.join(ranges)}" if ranges else ""
        sign = "=" if d.combine is None else f"{_COMBINE[d.combine.name]}="
        writer.live = {}
        return [f"    {line}" for line in broken(f"{target} {sign} {text}{tail}")]

    def _float(self) -> str:
        return next(iter(self.rounding.values()), "float32")

    def _clauses(self, program: Program, attributes: Mapping[str, str]) -> list[str]:
        clauses = self.operator.clauses
        lines = []
        inputs = {t.name: t for t in program.inputs}
        if clauses.axis and clauses.axis in program.sizes and not self.dropped:
            lines.append(f"axis {clauses.axis}")
        for s in clauses.samples:
            if s.name in inputs:
                lines.append(f"sample {s.name} in [{s.low!r}, {s.high!r}]")
        for name, action in clauses.bounds:
            if name in inputs:
                lines.append(f"bounds {name} {action}")
        for condition, message in self._requirements(program, attributes):
            text = message.replace("\\", "\\\\").replace('"', '\\"')
            lines.append(f'requires {condition} : "{text}"')
        return [f"    {line}" for line in lines]

    def _requirements(
        self, program: Program, attributes: Mapping[str, str]
    ) -> list[tuple[str, str]]:
        """What a call must satisfy, where it speaks of sizes and attributes."""
        draft = Draft(
            Frame(Shared(self.library, values.value), self.operator), self.statics
        )
        declare(draft)
        known = {d.name for t in program.inputs for d in t.shape if isinstance(d, Size)}
        known |= set(attributes)
        told = set(attributes)
        found = []
        for r in self.operator.clauses.requires:
            try:
                condition = draft.frame.value(r.condition, Scope())
            except (SpecError, NotImplementedError):
                continue  # It speaks of packs, as only binding can.
            condition = substitute(condition, dict(self.measured))
            nodes = list(walk(condition))
            if any(isinstance(n, Size) and n.name not in known for n in nodes):
                continue
            scalars = {
                self.writer.scalars.get(n.name, "")
                for n in nodes
                if isinstance(n, Scalar)
            }
            if isinstance(condition, Const):
                continue
            if not {s.split("[")[0] for s in scalars} <= told:
                continue
            if any(isinstance(n, Read) for n in nodes):
                continue
            found.append((self.writer.text(condition), r.message))
        return found


_RESERVED = frozenset(
    {"if", "else", "and", "or", "not", "is", "true", "false", "none", "inf", "nan"}
) | {"pi"}
_COMBINE = {"sum": "add", "prod": "mul", "max": "max", "min": "min", "last": "set"}
_PACK_FUNCTIONS = frozenset(
    ("rank", "prod", "total", "at", "swap", "drop", "weave", "on", "head", "tail")
) | {"permute", "unpermute", "ravel", "unravel", "fit", "count"}


def _composites(t: Tensor, groups: Sequence[int]) -> list[Expr]:
    """The program axes that are parts of composite ones, counted from the last."""
    found: list[Expr] = []
    at = len(t.shape)
    for count in reversed(groups):
        found += t.shape[at - count : at] if count > 1 else ()
        at -= count
    return found


def _speaks_of_packs(node: syntax.Expression) -> bool:
    return any(
        isinstance(n, syntax.Pack)
        or (isinstance(n, syntax.Apply) and n.function in _PACK_FUNCTIONS)
        for n in walk_tree(node)
    )
