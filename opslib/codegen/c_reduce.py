"""Reductions: lanes of partial states, joined in a fixed order; or one after another.

The order of a vector reduction depends on the extent alone: element e of the last axis
goes to lane ``e % OPS_LANES`` of accumulator ``e / OPS_LANES % PARTS`` (all of the
remainder to the first), the accumulators are joined pairwise, then the lanes by halves.
"""

from __future__ import annotations

from collections.abc import Callable

from opslib.codegen.c_expressions import Entry
from opslib.codegen.c_moves import MovePrinter
from opslib.codegen.c_types import value_type
from opslib.codegen.c_vector import (
    MASK,
    Lanes,
    mask_width,
    vector_type,
)
from opslib.ir.dtypes import BOOL, DType
from opslib.ir.expr import (
    Axis,
    Const,
    Expr,
    Index,
    Prim,
    Select,
    Var,
    substitute,
    walk,
)
from opslib.ir.loops import Reduce, Statement
from opslib.ir.monoid import Monoid

# Accumulators of a vector reduction. An add takes 4 cycles and two start in each, so
# fewer would wait for each other; and more partial sums mean a smaller error.
PARTS = 4
# Larger bodies hide the latency themselves, and unrolled they only cost compile time.
_SMALL = 10
_HORIZONTAL = {"add": "hsum", "mul": "hprod", "max": "hmax", "min": "hmin"}


class ReducePrinter(MovePrinter):
    """Adds `Reduce`."""

    def body(self, statements: tuple[Statement, ...]) -> None:
        """Prints statements; see c_statements.py."""
        raise NotImplementedError

    def loop(self, axis: Axis, inside: Callable[[], None]) -> None:
        """Prints a serial loop; see c_statements.py."""
        raise NotImplementedError

    def reduce(self, s: Reduce) -> None:
        """Declares the results and computes them."""
        if (
            self.lanes is None
            and s.kind == "vector"
            and self.can_be_vector(s.axes[-1].name, s.body, s.args)
        ):
            self._by_lanes(s)
        else:
            self._in_order(s)

    def can_be_vector(
        self, index: str, body: tuple[Statement, ...], args: tuple[Expr, ...]
    ) -> bool:
        """Whether the statements can run for several values of `index` at once."""
        raise NotImplementedError

    # -- one after another -----------------------------------------------------------

    def _in_order(self, s: Reduce) -> None:
        wide = self.lanes is not None and self._results_vary(s)
        names = []
        for result, dtype, identity in zip(
            s.results, s.monoid.state, s.monoid.identity, strict=True
        ):
            name = self.names.fresh(result)
            ctype = vector_type(dtype) if wide else value_type(dtype)
            start = self.lane_text(identity)[0] if wide else self.scalar(identity)
            self.line(f"{ctype} {name} = {start};")
            self.scopes[-1][("var", result)] = Entry(name, ctype, wide)
            if wide and self.lanes is not None:
                self.lanes.varying.add(result)
            names.append(name)
        states = tuple(map(Var, s.results, s.monoid.state))

        def innermost() -> None:
            self.body(s.body)
            new = self.combined(s.monoid, states, self._arguments(s))
            self.assign(names, new, s.monoid.state, wide)

        def nest(axes: tuple[Axis, ...]) -> None:
            if axes:
                self.loop(axes[0], lambda: nest(axes[1:]))
            else:
                innermost()

        nest(s.axes)

    def _results_vary(self, s: Reduce) -> bool:
        return True

    def combined(
        self, monoid: Monoid, states: tuple[Expr, ...], args: tuple[Expr, ...]
    ) -> tuple[Expr, ...]:
        """The states after one more element."""
        lift: dict[Expr, Expr] = {Var(f"x{k}", a.dtype): a for k, a in enumerate(args)}
        mapping: dict[Expr, Expr] = {}
        for k, dtype in enumerate(monoid.state):
            mapping[Var(f"a{k}", dtype)] = states[k]
            mapping[Var(f"b{k}", dtype)] = substitute(monoid.lift[k], lift)
        return tuple(substitute(c, mapping) for c in monoid.combine)

    def assign(
        self,
        targets: list[str],
        values: tuple[Expr, ...],
        types: tuple[DType, ...],
        wide: bool,
        live: str | None = None,
    ) -> None:
        """Simultaneous assignment; `live` is a mask of the lanes that change."""
        if wide:
            self.name_vectors(list(values))
            texts = [self.lane_text(v)[0] for v in values]
        else:
            self.name_shared(list(values))
            texts = [self.operand(v, 0) for v in values]
        if live is not None:
            texts = [
                _selected(live, t, old, dtype)
                for t, old, dtype in zip(texts, targets, types, strict=True)
            ]
        if len(targets) > 1:
            for k, (text, dtype) in enumerate(zip(texts, types, strict=True)):
                ctype = vector_type(dtype) if wide else value_type(dtype)
                name = self.names.fresh("next")
                self.line(f"const {ctype} {name} = {text};")
                texts[k] = name
        for target, text in zip(targets, texts, strict=True):
            self.line(f"{target} = {text};")

    # -- lanes of partial states -------------------------------------------------------

    def _by_lanes(self, s: Reduce) -> None:
        for result, dtype in zip(s.results, s.monoid.state, strict=True):
            name = self.names.fresh(result)
            self.line(f"{value_type(dtype)} {name};")
            self.scopes[-1][("var", result)] = Entry(name, value_type(dtype))
        with self.block(None):
            parts = []
            for result, dtype, identity in zip(
                s.results, s.monoid.state, s.monoid.identity, strict=True
            ):
                part = self.names.fresh(f"{result}_part")
                start = self._splat(identity)[0]
                self.line(f"{vector_type(dtype)} {part}[{PARTS}];")
                self.line(f"for (int p = 0; p < {PARTS}; p++)")
                self.line(f"    {part}[p] = {start};")
                parts.append(part)

            def nest(axes: tuple[Axis, ...]) -> None:
                if len(axes) > 1:
                    self.loop(axes[0], lambda: nest(axes[1:]))
                else:
                    self._lane_loops(s, axes[0], parts)

            nest(s.axes)
            self._join(s, parts)

    def _lane_loops(self, s: Reduce, axis: Axis, parts: list[str]) -> None:
        """Whole groups of vectors, then what remains under a mask."""
        start = self.scalar(axis.start, 12)
        stop = self.scalar(axis.stop, 12)
        if not stop.isidentifier() and not stop.isdigit():
            stop = self.bind(("stop", axis), "stop", "int64_t", stop)
        size = sum(1 for a in (*s.args, *s.monoid.combine) for _ in walk(a))
        unroll = PARTS if size <= _SMALL and not s.body else 1
        base = self.names.fresh(f"{axis.name}_group")
        index = self.names.fresh(axis.name)
        group = f"{PARTS} * OPS_LANES"
        self.line(f"int64_t {base} = {start};")
        with self.block(f"for (; {base} + {group} <= {stop}; {base} += {group})"):
            self.line(f"#pragma GCC unroll {unroll}")
            with self.block(f"for (int p = 0; p < {PARTS}; p++)"):
                self.line(f"const int64_t {index} = {base} + p * OPS_LANES;")
                self._lane_step(s, axis, index, None, [f"{p}[p]" for p in parts])
        index = self.names.fresh(axis.name)
        head = f"for (int64_t {index} = {base}; {index} < {stop}; {index} += OPS_LANES)"
        with self.block(head):
            left = self.names.fresh("live")
            self.line(
                f"const int64_t {left} = ops_minimum_i64({stop} - {index}, OPS_LANES);"
            )
            self._lane_step(s, axis, index, left, [f"{p}[0]" for p in parts])

    def _lane_step(
        self, s: Reduce, axis: Axis, index: str, count: str | None, targets: list[str]
    ) -> None:
        self.lanes = Lanes(axis.name, index, count)
        self.scopes[-1][("index", axis.name)] = Entry(index, "int64_t", True)
        self.body(s.body)
        states = tuple(
            Var(f"{r}#part", t) for r, t in zip(s.results, s.monoid.state, strict=True)
        )
        for state, target, dtype in zip(states, targets, s.monoid.state, strict=True):
            self.scopes[-1][("var", state.name)] = Entry(
                target, vector_type(dtype), True
            )
            self.lanes.varying.add(state.name)
        live = None if count is None else f"ops_first_i32({count})"
        fused = self._fused(s, targets, live) if len(targets) == 1 else None
        if fused is not None:
            self.line(f"{targets[0]} = {fused};")
        else:
            new = self.combined(s.monoid, states, self._arguments(s))
            self.assign(targets, new, s.monoid.state, True, live)
        self.lanes = None

    def _arguments(self, s: Reduce) -> tuple[Expr, ...]:
        """The arguments as variables: computed whatever the combination then asks."""
        named: list[Expr] = []
        self.name_vectors(list(s.args))
        for arg in s.args:
            if isinstance(arg, Const | Var | Index) or (
                len(s.monoid.state) == 1
                and not any(isinstance(c, Select) for c in walk(*s.monoid.combine))
            ):
                named.append(arg)
                continue
            wide = self.lanes is not None and self.varies(arg)
            text = (
                self.lane_text(arg)[0]
                if wide
                else (
                    self._uniform(arg) if self.lanes is not None else self.scalar(arg)
                )
            )
            ctype = vector_type(arg.dtype) if wide else value_type(arg.dtype)
            name = text if text.isidentifier() else self.names.fresh("value")
            if name != text:
                self.line(f"const {ctype} {name} = {text};")
            var = Var(f"{name}#value", arg.dtype)
            self.scopes[-1][("var", var.name)] = Entry(name, ctype, wide)
            if wide and self.lanes is not None:
                self.lanes.varying.add(var.name)
            named.append(var)
        return tuple(named)

    def _fused(self, s: Reduce, targets: list[str], live: str | None) -> str | None:
        """A sum of products by fma: one rounding less, and one instruction."""
        (arg, dtype) = (s.args[0], s.monoid.state[0])
        if s.monoid.name != "sum" or not dtype.is_float or not isinstance(arg, Prim):
            return None
        if arg.op != "mul" or dtype.name not in ("float32", "float64"):
            return None
        self.name_vectors([arg])
        a, b = (self.lane_text(x)[0] for x in arg.args)
        short = "f32" if dtype.name == "float32" else "f64"
        text = f"ops_fma_v_{short}({a}, {b}, {targets[0]})"
        return text if live is None else _selected(live, text, targets[0], dtype)

    def _join(self, s: Reduce, parts: list[str]) -> None:
        step = PARTS
        monoid = s.monoid
        while step > 1:
            step //= 2
            with self.block(f"for (int p = 0; p < {step}; p++)"):
                self._pair(monoid, parts, "[p]", f"[p + {step}]", wide=True)
        simple = len(parts) == 1 and isinstance(monoid.combine[0], Prim)
        op = monoid.combine[0].op if isinstance(monoid.combine[0], Prim) else ""
        target = self.need(("var", s.results[0])).text
        plain = simple and all(isinstance(a, Var) for a in monoid.combine[0].children)
        if plain and monoid.state[0] == BOOL and op in ("or", "and"):
            test = "any" if op == "or" else "all"
            self.line(f"{target} = ops_{test}_i32({parts[0]}[0]);")
            return
        if plain and op in _HORIZONTAL and monoid.state[0] != BOOL:
            short = vector_type(monoid.state[0]).removeprefix("ops_v_")
            self.line(f"{target} = ops_{_HORIZONTAL[op]}_{short}({parts[0]}[0]);")
            return
        lanes = []
        for part, dtype in zip(parts, monoid.state, strict=True):
            lane = self.names.fresh(f"{part}_lane")
            ctype = "int32_t" if dtype == BOOL else value_type(dtype)
            self.line(f"{ctype} {lane}[OPS_LANES];")
            self.line(f"memcpy({lane}, &{part}[0], sizeof {lane});")
            lanes.append(lane)
        with (
            self.block("for (int half = OPS_LANES / 2; half > 0; half /= 2)"),
            self.block("for (int p = 0; p < half; p++)"),
        ):
            self._pair(monoid, lanes, "[p]", "[p + half]", wide=False)
        for result, lane in zip(s.results, lanes, strict=True):
            self.line(f"{self.need(('var', result)).text} = {lane}[0];")

    def _pair(
        self, monoid: Monoid, arrays: list[str], a: str, b: str, wide: bool
    ) -> None:
        """``array[a] = combine(array[a], array[b])`` for all components."""
        mapping: dict[Expr, Expr] = {}
        outer, self.lanes = self.lanes, Lanes("#none", "0") if wide else None
        for k, (array, dtype) in enumerate(zip(arrays, monoid.state, strict=True)):
            for side, place in (("a", a), ("b", b)):
                var = Var(f"{side}{k}#{array}", dtype)
                ctype = vector_type(dtype) if wide else value_type(dtype)
                self.scopes[-1][("var", var.name)] = Entry(
                    f"{array}{place}", ctype, wide
                )
                if self.lanes is not None:
                    self.lanes.varying.add(var.name)
                mapping[Var(f"{side}{k}", dtype)] = var
        values = tuple(substitute(c, mapping) for c in monoid.combine)
        self.assign([f"{x}{a}" for x in arrays], values, monoid.state, wide)
        self.lanes = outer


def _selected(live: str, new: str, old: str, dtype: DType) -> str:
    width = mask_width(dtype)
    mask = live if width == "i32" else f"ops_mask_i32_to_{width}({live})"
    short = vector_type(dtype).removeprefix("ops_v_")
    return f"ops_select_v_{short}({mask}, {new}, {old})"


__all__ = ["MASK", "PARTS", "ReducePrinter"]
