"""The cube core's half of an attention kernel: scores, and weights times values."""

from __future__ import annotations

from collections.abc import Callable

from opslib.codegen.c_names import Names
from opslib.codegen.c_types import LOOSE, PLUS
from opslib.ir.expr import ZERO, Expr, Index, Read, substitute

from .attention import DEEP, ROWS, STEP, WIDE, Attention
from .attention_tasks import HalfPrinter, Task
from .lanes_state import Cannot
from .machine import Access, Buffer, Launch
from .scalar import ScalarPrinter, element_type

# Keys of a product; and how deep it is at a time: a square of 128 numbers of 16 bits is
# 32 KiB, and L0A and L0B hold two.
PANEL = 128
_FRACTALS = PANEL // 16


class CubeHalf(ScalarPrinter):
    """Prints the half; see attention.py for what it works with."""

    def __init__(self, names: Names, a: Attention) -> None:
        super().__init__(names)
        self.a = a
        self.half = HalfPrinter(self, a)
        ctype = element_type(a.dtype)
        panel = 2 * PANEL
        self.chip = [Buffer("q_l1", ctype, ROWS * DEEP * 2, "l1", "rows of q, NZ")]
        for tail in ("", "_next"):
            self.chip += [
                Buffer(f"k_l1{tail}", ctype, PANEL * DEEP * 2, "l1b", "keys, NZ"),
                Buffer(f"v_l1{tail}", ctype, PANEL * panel, "l1b", "values, NZ"),
                Buffer(f"w_l1{tail}", ctype, ROWS * panel, "l1", "weights, NZ"),
                Buffer(f"a_l0{tail}", ctype, ROWS * panel, "l0a", "left matrix, ZZ"),
                Buffer(f"b_l0{tail}", ctype, PANEL * panel, "l0b", "right matrix, ZN"),
                Buffer(f"c_l0{tail}", "float", ROWS * WIDE * 4, "l0c", "sums, NZ"),
            ]
        for b in self.chip:
            if names.fresh(b.name) != b.name:
                raise Cannot(f"a tensor called {b.name}")

    def emit(self) -> None:
        """The whole half."""
        half = self.half
        (deep,), (column,) = self.a.s.d.axes, self.a.s.columns.axes
        self.deep = half.constant("deep", self.scalar(deep.stop))
        self.wide = half.constant("wide", self.scalar(column.stop))
        with half.tasks("GetBlockIdx()") as t:
            self._queries(t)
            with half.steps(t) as (step, steps):
                with self.block(f"if ({step} < {steps})"):
                    self._scores(t, step)
                with self.block(f"if ({step} > 0)"):
                    before = half.constant("before", f"{step} - 1")
                    self._products(t, before)

    def _address(self, read: Read, at: dict[Expr, Expr]) -> str:
        indices = tuple(substitute(i, at) for i in read.indices)
        offset = self.operand(self.linear(read.tensor, indices), LOOSE)
        name = self.pointer(read.tensor)
        return name if offset == "0" else f"{name}[{offset}]"

    def _pitch(self, read: Read, axis: str) -> str:
        return self.scalar(self.a.pitch(read, axis), PLUS)

    def _queries(self, t: Task) -> None:
        s, q = self.a.s, self.a.q
        at = {**t.at, **s.rows.at(Index("#r0")), s.d.axes[0].index: ZERO}
        pitch = self._pitch(q, s.rows.axes[-1].name)
        self.half.issue(
            "MTE2",
            f"opslib::LoadPanel(q_l1, {self._address(q, at)}, {t.rows}, {self.deep}, "
            f"{pitch}, {ROWS});",
            Access("q_l1", True),
        )

    def _panels(self, keys: str, part: Callable[[str, str, str], None]) -> None:
        """Panels of a step's keys, on two sets of buffers in turn."""
        first = self.names.fresh("n")
        head = f"for (int64_t {first} = 0; {first} < {keys}; {first} += {2 * PANEL})"
        with self.block(head):
            for tail in ("", "_next"):
                if not tail:
                    self._panel(first, keys, tail, part)
                    continue
                with self.block(f"if ({first} + {PANEL} < {keys})"):
                    second = self.half.constant("n", f"{first} + {PANEL}")
                    self._panel(second, keys, tail, part)

    def _panel(
        self, n: str, keys: str, tail: str, part: Callable[[str, str, str], None]
    ) -> None:
        text = f"ops_minimum_i64({keys} - {n}, {PANEL})"
        part(n, self.half.constant("now", text), tail)

    def _keys_at(self, t: Task, read: Read, j0: str, n: str, last: Expr) -> str:
        """The address of the keys or values from `n` of a step on."""
        j = Index("#j")
        self.half.index(j, f"({j0} + {n})")
        return self._address(read, {**t.at, self.a.s.j.index: j, last: ZERO})

    def _scores(self, t: Task, step: str) -> None:
        """``q k^T``, for the vector cores to weigh."""
        half, s = self.half, self.a.s
        j0, keys = half.keys(t, step)
        pitch = self._pitch(self.a.k, s.j.name)
        at = half.constant("at", f"{step} % 2 * {ROWS * STEP}")

        def part(n: str, now: str, tail: str) -> None:
            where = self._keys_at(t, self.a.k, j0, n, s.d.axes[0].index)
            half.issue(
                "MTE2",
                f"opslib::LoadPanel(k_l1{tail}, {where}, {now}, {self.deep}, {pitch}, "
                f"{PANEL});",
                Access(f"k_l1{tail}", True),
            )
            k0 = self.names.fresh("k0")
            with self.block(
                f"for (int64_t {k0} = 0; {k0} < {self.deep}; {k0} += {PANEL})"
            ):
                rest = f"ops_minimum_i64({self.deep} - {k0}, {PANEL})"
                here = half.constant("here", rest)
                self._square("Left", False, f"a_l0{tail}", "q_l1", k0, t.rows, here)
                self._square(
                    "Right", False, f"b_l0{tail}", f"k_l1{tail}", k0, now, here
                )
                first = f"{k0} == 0"
                self._multiply(f"a_l0{tail}", tail, tail, t.rows, now, here, first)
            half.issue(
                "FIX",
                f"opslib::Drain<NoQuant>(scores_space[{at} + {n}], c_l0{tail}, "
                f"{t.rows}, {now}, {STEP});",
                Access(f"c_l0{tail}", False),
            )

        self._panels(keys, part)
        half.set_flag("SCORES", "FIX")

    def _products(self, t: Task, step: str) -> None:
        """The weights of a step times its values, for the vector cores to add."""
        half, s, parts = self.half, self.a.s, self.a.parts
        j0, keys = half.keys(t, step)
        pitch = self._pitch(self.a.v, s.j.name)
        half.wait_flag("WEIGHTS")
        at = half.constant("at", f"{step} % 2 * {parts * ROWS * STEP}")

        def part(n: str, now: str, tail: str) -> None:
            where = self._keys_at(t, self.a.v, j0, n, s.columns.axes[0].index)
            half.issue(
                "MTE2",
                f"opslib::LoadPanel(v_l1{tail}, {where}, {now}, {self.wide}, {pitch}, "
                f"{PANEL});",
                Access(f"v_l1{tail}", True),
            )
            self._square(
                "Right", True, f"b_l0{tail}", f"v_l1{tail}", "0", self.wide, now
            )
            for k in range(parts):
                side = "_next" if k % 2 else ""
                place = f"{at} + {k * ROWS * STEP} + {n}" if k else f"{at} + {n}"
                half.issue(
                    "MTE2",
                    f"opslib::LoadPanel(w_l1{side}, weights_space[{place}], {t.rows}, "
                    f"{now}, {STEP}, {ROWS});",
                    Access(f"w_l1{side}", True),
                )
                left = f"a_l0{side}"
                self._square("Left", False, left, f"w_l1{side}", "0", t.rows, now)
                first = "false" if k else f"{n} == 0"
                self._multiply(left, tail, "", t.rows, self.wide, now, first)

        self._panels(keys, part)
        place = f"{step} % 2 * {ROWS * WIDE}"
        half.issue(
            "FIX",
            f"opslib::Drain<NoQuant>(products_space[{place}], c_l0, {t.rows}, "
            f"{self.wide}, {WIDE});",
            Access("c_l0", False),
        )
        half.set_flag("PRODUCTS", "FIX")

    def _square(
        self, which: str, turned: bool, to: str, source: str, k: str, lanes: str,
        deep: str,
    ) -> None:  # fmt: skip
        """A square from L1 to L0."""
        turn = "true" if turned else "false"
        self.half.issue(
            "MTE1",
            f"opslib::Load{which}<{turn}>({to}, {source}, {k}, {lanes}, {deep}, "
            f"{_FRACTALS});",
            Access(source, False),
            Access(to, True),
        )

    def _multiply(
        self, left: str, b: str, c: str, rows: str, columns: str, deep: str, first: str
    ) -> None:
        self.half.issue(
            "M",
            f"opslib::Multiply(c_l0{c}, {left}, b_l0{b}, {rows}, {columns}, {deep}, "
            f"{first});",
            Access(left, False),
            Access(f"b_l0{b}", False),
            Access(f"c_l0{c}", True),
        )

    def launch(self, name: str) -> Launch:
        """The half as a launch of its own, for the flags within its core."""
        made = Launch(name, "cube", list(self.lines), self.chip)
        ends: dict[str, int] = {}
        for b in self.chip:
            scope = "l1" if b.scope == "l1b" else b.scope
            made.addresses[b.name] = ends.get(scope, 0)
            ends[scope] = made.addresses[b.name] + b.bytes
        return made


__all__ = ["CubeHalf"]
