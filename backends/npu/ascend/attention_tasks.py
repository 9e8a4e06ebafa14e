"""How the blocks of rows of an attention kernel are dealt to cores, and their keys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opslib.codegen.c_expressions import Entry
from opslib.codegen.c_types import PLUS, TIMES
from opslib.ir.expr import ONE, Expr, Index
from opslib.lowering.skeletons.streaming_range import Block, reach

from .attention import FLAGS, ROWS, STEP, Attention
from .machine import Access, Instruction
from .scalar import ScalarPrinter


@dataclass(frozen=True, slots=True)
class Task:
    """C names of a block of rows, and index variables by what they are there.

    Attributes:
        r0, rows: its first row, and how many it has.
        low, high: the keys that some row of it sees.
        at: substitutes the indices of the batch.
    """

    r0: str
    rows: str
    low: str
    high: str
    at: dict[Expr, Expr]


class HalfPrinter:
    """What both halves of the kernel print; beside a ScalarPrinter."""

    def constant(self, base: str, text: str, ctype: str = "int64_t") -> str:
        """A constant."""
        p = self.printer
        name = p.names.fresh(base)
        p.line(f"const {ctype} {name} = {text};")
        return name

    def __init__(self, printer: ScalarPrinter, a: Attention) -> None:
        self.printer, self.a = printer, a

    def index(self, node: Index, text: str) -> None:
        """Says what an index variable is, from here on."""
        p = self.printer
        p.scopes[-1][("index", node.name)] = Entry(text, "int64_t")
        p.nonnegative.add(node.name)

    def issue(self, pipe: str, text: str, *accesses: Access) -> None:
        """One instruction."""
        self.printer.lines.append(Instruction(pipe, text, accesses))

    def set_flag(self, name: str, pipe: str) -> None:
        """Tells the cores of the other kind that `pipe` has done its part."""
        text = f"CrossCoreSetFlag<2, PIPE_{pipe}>({name});"
        self.printer.lines.append(Instruction(pipe, text, tells=name))

    def wait_flag(self, name: str) -> None:
        """Waits for the cores of the other kind."""
        text = f"CrossCoreWaitFlag({name});"
        self.printer.lines.append(Instruction("S", text, hears=name))

    @contextmanager
    def tasks(self, core: str) -> Iterator[Task]:
        """The loop over the blocks of rows of one core."""
        p, s = self.printer, self.a.s
        named = ", ".join(f"{name} = {k}" for name, k in FLAGS.items())
        p.line(f"constexpr uint16_t {named};")
        extent = self.constant("all_rows", p.scalar(s.rows.extent))
        blocks = self.constant("blocks", f"({extent} + {ROWS - 1}) / {ROWS}")
        batches = p.scalar(s.batch.extent, TIMES) if s.batch.axes else "1"
        total = self.constant("tasks", f"{batches} * {blocks}")
        task = p.names.fresh("task")
        batch, r0, rows = (Index(f"#{x}") for x in ("batch", "r0", "rows"))
        with p.block(
            f"for (int64_t {task} = {core}; {task} < {total}; {task} += GetBlockNum())"
        ):
            if s.batch.axes:
                self.index(batch, self.constant("batch", f"{task} / {blocks}"))
            first = self.constant("r0", f"{task} % {blocks} * {ROWS}")
            text = f"ops_minimum_i64({extent} - {first}, {ROWS})"
            count = self.constant("rows", text)
            self.index(r0, first)
            self.index(rows, count)
            at = s.batch.at(batch) if s.batch.axes else {}
            ends = reach(s, Block(s.rows, r0, rows, at))
            low, high = (
                self.constant(base, p.scalar(e))
                for base, e in zip(("low", "high"), ends, strict=True)
            )
            yield Task(first, count, low, high, at)

    @contextmanager
    def steps(self, t: Task) -> Iterator[tuple[str, str]]:
        """The loop over steps and one turn more: its variable, and their number."""
        p = self.printer
        left = f"ops_maximum_i64({t.high} - {t.low}, 0)"
        count = self.constant("steps", f"({left} + {STEP - 1}) / {STEP}")
        step = p.names.fresh("step")
        with p.block(f"for (int64_t {step} = 0; {step} <= {count}; {step}++)"):
            yield step, count

    def keys(self, t: Task, step: str) -> tuple[str, str]:
        """First key of a step, and how many it has."""
        first = self.constant("j0", f"{t.low} + {step} * {STEP}")
        return first, self.constant(
            "keys", f"ops_minimum_i64({t.high} - {first}, {STEP})"
        )

    def row_pitch(self, tensor: str, names: list[str]) -> str:
        """Elements from row to row of a matrix whose indices have these names."""
        p, row = self.printer, self.a.s.rows.axes[-1].name
        pitch = self.a.buffers[tensor].strides[names.index(row)]
        return "1" if pitch is ONE else p.scalar(pitch, PLUS)


__all__ = ["HalfPrinter", "Task"]
