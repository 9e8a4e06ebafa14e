"""Expressions as a person writes them in a spec.

From a typed expression back to the text from which expansion makes it again: implicit
conversions are left out, guards of bounds become ``??``, a sum divided by how many it
is of a ``mean``. The axes of a pack, of which the derivation had two, are one ``...i``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from opslib.analysis.gradient.integers import tidy
from opslib.analysis.gradient.patterns import (
    Text,
    constant,
    drawn_bits,
    one_part,
    power,
)
from opslib.analysis.gradient.prepare import base_name
from opslib.analysis.gradient.reverse import NoGradient
from opslib.analysis.gradient.transpose import conjuncts
from opslib.ir.build import arithmetic, cast, compare, extent, is_weak, product
from opslib.ir.dtypes import INT64, DType
from opslib.ir.expr import (
    ONE,
    ZERO,
    Axis,
    Call,
    Cast,
    Const,
    Expr,
    Fold,
    Index,
    Order,
    Prim,
    Read,
    Scalar,
    Scan,
    Select,
    Size,
    Tensor,
    substitute,
    walk,
)
from opslib.ir.printer import INFIX

# One looser than in the printer of programs, which has no `??`.
_INFIX = {op: (sign, level + 1) for op, (sign, level) in INFIX.items()}
_CONDITIONAL, _OTHERWISE, _NOT, _UNARY, _POWER, _ATOM = 0, 1, 4, 10, 11, 12
_LETTERS = "ijkluvwpqrstabcdefghmnoxyz"


def _last(axis: Axis) -> Expr:
    return arithmetic("sub", axis.stop, ONE)


def _counted(node: Expr) -> Expr:
    """A count beside a fraction, which counts as the number it is."""
    if isinstance(node, Cast) and node.type.is_float and isinstance(node.value, Fold):
        return node.value if node.value.dtype.is_integer else node
    return node


class Unliftable(Exception):
    """A pack's axes are not used alike, so that they must be named one by one."""


@dataclass
class Writer:
    """How the names of a program are written.

    Attributes:
        tensors: by name.
        groups: for tensors whose axes are not all single, how many program axes each
            declared axis has.
        packs: for a pack's two sizes the name of the pack: ``{("s0", "s1"): "s"}``.
        scalars: attribute text by scalar name, such as ``stride[0]``.
        rounding: the type that stands for the dtype variable, and its name.
        taken: names that an index may not have.
    """

    tensors: Mapping[str, Tensor]
    groups: Mapping[str, Sequence[int]]
    packs: Mapping[tuple[str, str], str]
    scalars: Mapping[str, str]
    rounding: Mapping[DType, str]
    taken: frozenset[str]
    # Text of the live indices; the second of a pack's two is None.
    live: dict[str, str | None] = field(default_factory=dict)

    # --- axes ----------------------------------------------------------------------

    def bind(self, axes: Sequence[Axis]) -> list[list[Axis]]:
        """Names for axes that are now live, and the axes that each name stands for.

        A name is not that of another live index.
        """
        groups: list[list[Axis]] = []
        waiting = list(axes)
        while waiting:
            axis = waiting.pop(0)
            pack = self._pack_of([axis, *waiting[:1]])
            if pack is not None:
                groups.append([axis, waiting.pop(0)])
            else:
                groups.append([axis])
        for group in groups:
            used = {t for t in self.live.values() if t is not None} | self.taken
            name = self._letter(base_name(group[0].name), used)
            self.live[group[0].name] = f"...{name}" if len(group) == 2 else name
            if len(group) == 2:
                self.live[group[1].name] = None
        return groups

    def _letter(self, base: str, used: set[str]) -> str:
        plain = base.rstrip("0123456789_") or "i"
        used = used | {u[3:] for u in used if u.startswith("...")}
        free_names = (n for n in (plain, *_LETTERS) if n not in used)
        found: str | None = next(free_names, None)
        if found is not None:
            return found
        k = 2
        while f"{plain}{k}" in used:
            k += 1
        return f"{plain}{k}"

    def _pack_of(self, axes: Sequence[Axis]) -> str | None:
        first = axes[0].stop
        if isinstance(first, Size) and any(first.name in k for k in self.packs):
            if len(axes) == 2 and isinstance(axes[1].stop, Size):
                found = self.packs.get((first.name, axes[1].stop.name))
                if found is not None and axes[0].start is axes[1].start is ZERO:
                    return found
            raise Unliftable(axes[0].name)
        return None

    def shape(self, tensor: Tensor) -> list[str]:
        """The axes of a tensor's type."""
        return self._spread(tensor.name, [self._dim(d) for d in self._dims(tensor)])

    def _dims(self, tensor: Tensor) -> list[list[Expr]]:
        found: list[list[Expr]] = []
        waiting = list(tensor.shape)
        while waiting:
            dim = waiting.pop(0)
            if isinstance(dim, Size) and any(dim.name in k for k in self.packs):
                if not waiting or not isinstance(waiting[0], Size):
                    raise Unliftable(dim.name)
                if (dim.name, waiting[0].name) not in self.packs:
                    raise Unliftable(dim.name)
                found.append([dim, waiting.pop(0)])
            else:
                found.append([dim])
        return found

    def _dim(self, dims: list[Expr]) -> str:
        if len(dims) == 2:
            first, second = dims
            assert isinstance(first, Size)
            assert isinstance(second, Size)
            return f"...{self.packs[first.name, second.name]}"
        return self.text(dims[0])

    def _spread(self, name: str, items: list[str]) -> list[str]:
        """Items with those of a composite axis together."""
        groups = self.groups.get(name)
        if groups is None or all(g == 1 for g in groups):
            return items
        result: list[str] = []
        at = 0
        for count in groups:
            own = items[at : at + count]
            at += count
            whole = f"({' '.join(map(one_part, own))})"
            result.append(own[0] if count == 1 else whole)
        return result

    def indices(self, name: str, indices: Sequence[Expr]) -> str:
        """The items of an access."""
        items: list[str] = []
        shape = self.tensors[name].shape
        waiting = list(zip(indices, shape, strict=True))
        while waiting:
            index, dim = waiting.pop(0)
            if isinstance(dim, Size) and any(dim.name in k for k in self.packs):
                found = [index, waiting.pop(0)[0]] if waiting else [index]
                texts = [
                    self.live.get(i.name, "") if isinstance(i, Index) else ""
                    for i in found
                ]
                first = texts[0]
                if not first or not first.startswith("...") or texts[1:] != [None]:
                    raise Unliftable(name)
                items.append(first)
            else:
                items.append(self.text(index))
        spread = self._spread(name, items)
        return f"{name}[{', '.join(spread)}]"

    # --- expressions ---------------------------------------------------------------

    def text(self, node: Expr, level: int = 0) -> str:
        """The text of an expression, in parentheses if looser than `level`."""
        inner, own = self._one(node)
        return f"({inner})" if own < level else inner

    def _one(self, node: Expr) -> Text:
        match node:
            case Const():
                return constant(node)
            case Size(name):
                if any(name in k for k in self.packs):
                    raise Unliftable(name)
                return name, _ATOM
            case Scalar(name):
                return self.scalars[name], _ATOM
            case Index(name):
                found = self.live[name]
                if found is None or found.startswith("..."):
                    raise Unliftable(name)
                return found, _ATOM
            case Read(tensor, indices):
                return self.indices(tensor, indices), _ATOM
            case Cast():
                return self._cast(node)
            case Select():
                return self._select(node)
            case Prim():
                return self._prim(node)
            case Fold():
                return self._fold(node), _ATOM
            case Scan() | Order():
                return self._placed(node), _ATOM
            case Call():
                return self._call(node), _ATOM
        raise NoGradient(f"a spec cannot say a {type(node).__name__}")

    def _cast(self, node: Cast) -> Text:
        value, source, target = node.value, node.value.dtype, node.type
        if is_weak(node) or is_weak(value):
            packed = self._count(value)
            if packed is not None:
                return packed, _ATOM
            return self._one(value)
        if target in self.rounding:
            return f"{self.rounding[target]}({self.text(value)})", _ATOM
        if source.is_float and target.is_float:
            return self._one(value)
        if source.is_integer and source.bits <= 32 and target == INT64:
            return self._one(value)
        if source == target:
            return self._one(value)
        return f"{target}({self.text(value)})", _ATOM

    def _count(self, node: Expr) -> str | None:
        """``prod(s)``, for the product of a pack's sizes."""
        match node:
            case Prim("mul", (Size(first), Size(second))) if (
                first,
                second,
            ) in self.packs:
                return f"prod({self.packs[first, second]})"
        return None

    def _select(self, node: Select) -> Text:
        guarded = self._guarded(node)
        if guarded is not None:
            return guarded
        yes, no = self.text(node.yes, 1), self.text(node.no)
        return f"{yes} if {self.text(node.condition, 1)} else {no}", _CONDITIONAL

    def _guarded(self, node: Select) -> Text | None:
        """``x[i - 1] ?? 0``, where all that is asked is whether the place exists."""
        read = self._guards(node)
        if read is None:
            return None
        text = self.indices(read.tensor, read.indices)
        return f"{text} ?? {self.text(node.no, 2)}", _OTHERWISE

    def _guards(self, node: Select) -> Read | None:
        """The read whose bounds are all that a choice asks for."""
        read = node.yes.value if isinstance(node.yes, Cast) else node.yes
        if not isinstance(read, Read) or not is_weak(node.no):
            return None
        bounds = set()
        shape = self.tensors[read.tensor].shape
        for index, dim in zip(read.indices, shape, strict=True):
            bounds |= {compare("ge", index, ZERO), compare("lt", index, dim)}
        return read if set(conjuncts(node.condition)) <= bounds else None

    def _prim(self, node: Prim) -> Text:
        op, args = node.op, node.args
        drawn = drawn_bits(node)
        if drawn is not None:
            seed, offset, place, word = drawn
            last = f", {word}" if word else ""
            given = ", ".join(map(self.text, (seed, offset, place)))
            return f"philox({given}{last})", _ATOM
        mean = self._mean(node)
        if mean is not None:
            return mean, _ATOM
        packed = self._count(node)
        if packed is not None:
            return packed, _ATOM
        raised = power(node)
        if raised is not None:
            base, exponent = raised
            return f"{self.text(base, _ATOM)}^{exponent}", _POWER
        match op:
            case "pow":
                right = self.text(args[1], _UNARY)
                return f"{self.text(args[0], _ATOM)}^{right}", _POWER
            case "neg":
                return f"-{self.text(args[0], _UNARY)}", _UNARY
            case "not":
                return f"not {self.text(args[0], _NOT)}", _NOT
            case "bitnot":
                return f"~{self.text(args[0], _UNARY)}", _UNARY
        if op in _INFIX:
            sign, level = _INFIX[op]
            chained = level == 5
            left = self.text(_counted(args[0]), level + chained)
            return f"{left} {sign} {self.text(_counted(args[1]), level + 1)}", level
        name = "xor" if op in ("xor", "bitxor") else op
        return f"{name}({', '.join(map(self.text, args))})", _ATOM

    def _mean(self, node: Prim) -> str | None:
        if node.op != "div" or not isinstance(node.args[0], Fold):
            return None
        fold, count = node.args
        assert isinstance(fold, Fold)
        number = product([extent(a) for a in fold.axes])
        if fold.monoid.name != "sum" or cast(number, count.dtype) is not count:
            return None
        return self._fold(fold, "mean")

    def _fold(self, node: Fold, name: str | None = None) -> str:
        name = name or node.monoid.name
        if node.output and name in ("argmax", "argmin"):
            name = name[3:]
        return self._bound(name, node.axes, node.args[0])

    def _bound(
        self, name: str, axes: Sequence[Axis], argument: Expr, tail: str = ""
    ) -> str:
        before = dict(self.live)
        groups = self.bind(axes)
        binders = []
        for group in groups:
            binder = self.live[group[0].name]
            assert binder is not None
            binders.append(binder + self._range(group, argument))
        inner = self.text(argument)
        if is_weak(argument) and argument.dtype.is_float:
            inner = f"{next(iter(self.rounding.values()))}({inner})"
        self.live = before
        return f"{name}[{', '.join(binders)}]({inner}{tail})"

    def _range(self, group: Sequence[Axis], argument: Expr) -> str:
        """`` in a..b``, unless reads at the index alone say it."""
        if len(group) == 2:
            if not self.seen(group[0], [argument]):
                raise Unliftable(group[0].name)
            return ""
        (axis,) = group
        if self.seen(axis, [argument]):
            return ""
        bound = "" if axis.bound is None else f" bound {self.text(axis.bound)}"
        return f" in {self.text(axis.start, 1)}..{self.text(axis.stop, 1)}{bound}"

    def seen(self, axis: Axis, roots: Iterable[Expr]) -> bool:
        """Whether all reads at the index alone agree on the axis's length."""
        if axis.start is not ZERO:
            return False
        sure: list[Expr] = []
        guarded: list[Expr] = []
        for root in roots:
            inside = {self._guards(n) for n in walk(root) if isinstance(n, Select)}
            for n in walk(root):
                if not isinstance(n, Read):
                    continue
                shape = self.tensors[n.tensor].shape
                for i, dim in zip(n.indices, shape, strict=True):
                    if i is axis.index:
                        (guarded if n in inside else sure).append(dim)
        found = sure or guarded
        return bool(found) and all(dim is axis.stop for dim in found)

    def _call(self, node: Call) -> str:
        """``logsumexp[k](x[i, k])``; an axis that is live already keeps its name."""
        before = dict(self.live)
        binders = []
        for axis in node.axes:
            if axis.name not in self.live:
                self.bind([axis])
                binders.append(
                    f"{self.live[axis.name]}{self._range([axis], node.args[0])}"
                )
            else:
                binders.append(self.text(axis.index))
        arguments = ", ".join(map(self.text, node.args))
        self.live = before
        over = f"[{', '.join(binders)}]" if binders else ""
        return f"{node.operator}{over}({arguments})"

    def _placed(self, node: Scan | Order) -> str:
        if isinstance(node, Order):
            name = "argsort" if node.output else "sort"
            down = ", descending=true" if node.descending else ""
            tail = f", {self.text(node.at)}{down}"
            return self._bound(name, (node.axis,), node.value, tail)
        name = f"cum{node.monoid.name}"
        axis = node.axis
        back = tidy(arithmetic("sub", _last(axis), node.at))
        if axis.start is ZERO and isinstance(back, Index):
            # A running sum of the mirrored values is one from the end.
            mirrored: dict[Expr, Expr] = {
                axis.index: arithmetic("sub", _last(axis), axis.index)
            }
            value = tidy(substitute(node.args[0], mirrored))
            tail = f", {self.text(back)}, reverse=true"
            return self._bound(name, (axis,), value, tail)
        tail = f", {self.text(node.at)}"
        return self._bound(name, (node.axis,), node.args[0], tail)
