"""A machine program as Ascend C text: one function for each launch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from opslib.codegen.c_style import wrapped

from .machine import (
    POSITIONS,
    VECTOR_HALF,
    Block,
    Buffer,
    Instruction,
    Launch,
    Node,
    instructions,
)
from .plan import STATUS, Pointer, Program

_WORDS = re.compile(r"[A-Za-z_]\w*")
# What our headers want to know about the device.
HEAD = """\
#include "kernel_operator.h"
#define OPS_DEVICE __aicore__
#define OPS_HALF half
#define OPS_BFLOAT bfloat16_t
"""
INCLUDES = """\
#include "opslib_scalar.h"
#include "opslib_ascend.h"
"""
ROWS = '#include "opslib_ascend_rows.h"\n'


def print_unit(programs: Sequence[Program]) -> str:
    """A translation unit of several kernels, whose names differ."""
    units = {x.unit for p in programs for x in p.launches}
    wanted = "#define OPS_WANT_CUBE\n" if units & {"cube", "mix"} else ""
    if "aicore" in units:
        wanted += "#define OPS_WANT_BLOCKS\n"
    rows = ROWS if "mix" in units else ""
    lines = [HEAD + wanted + INCLUDES + rows + "\nusing namespace AscendC;\n"]
    for program in programs:
        # How many cores may have reported a failure in an earlier launch.
        reported = 0
        cores = int(program.pointers[-1].count) // STATUS
        for launch in program.launches:
            lines += _function(program, launch, reported)
            if any("Report(status" in i.text for i in instructions(launch.body)):
                reported = max(reported, launch.blocks or cores)
    return "\n".join(lines) + "\n"


def _function(program: Program, launch: Launch, reported: int) -> Iterator[str]:
    kernel = program.kernel
    yield "/*"
    for text in (f"{launch.name}: skeleton {kernel.skeleton}", *kernel.notes):
        yield f" * {text.replace('*/', '* /')}"
    if launch.buffers:
        yield " *"
        for b in launch.buffers:
            at = launch.addresses[b.name]
            note = f"  {b.note}" if b.note else ""
            yield f" * {b.scope:4} {at:7} .. {at + b.bytes:7}  {b.name}{note}"
    yield " */"
    pointers = [f"__gm__ uint8_t *{p.argument}" for p in program.pointers]
    # A block of a mix kernel is a cube core and two vector cores.
    mix = launch.unit == "mix"
    unit = "__mix__(1, 2)" if mix else f"__{launch.unit}__"
    head = f'extern "C" __global__ {unit} void {launch.name}('
    yield from wrapped(head + ", ".join(pointers) + ") {")
    body = list(_body(_with_tensors(program, launch), 1))
    if reported:
        # An index that is out of bounds must not be read with.
        guard = [f"if (opslib::Failed(status, {reported})) {{", "    return;", "}"]
        body = ["    " + line for line in guard] + body
    used = set(_WORDS.findall("\n".join(body)))
    used |= {p.count for p in program.pointers if p.name in used}
    yield from _arguments(program, used, mix)
    yield from body
    yield "}"
    yield ""


def _with_tensors(program: Program, launch: Launch) -> list[Node]:
    """The body behind the static tensors of its core."""
    if launch.unit != "mix":
        return [*_tensors(program, launch, launch.buffers), *launch.body]
    found: list[Node] = []
    for half in launch.body:
        assert isinstance(half, Block)
        vector = half.head == VECTOR_HALF
        mine = [b for b in launch.buffers if (b.scope == "ub") == vector]
        tensors = _tensors(program, launch, mine)
        found.append(Block(half.kind, half.head, [*tensors, *half.body]))
    return found


def _tensors(
    program: Program, launch: Launch, buffers: Sequence[Buffer]
) -> Iterator[Node]:
    for b in buffers:
        at = launch.addresses[b.name]
        size = b.bytes // program.sizeof(b.ctype)
        place = f"TPosition::{POSITIONS[b.scope]}, {at}, {size}"
        yield Instruction("S", f"LocalTensor<{b.ctype}> {b.name}({place});")


def _arguments(program: Program, used: set[str], mix: bool) -> Iterator[str]:
    """Names for what the function uses of its arguments."""
    *tensors, numbers, reals, status = program.pointers
    counts = [p.count for p in tensors]
    integers = [*(c for c, _ in program.values), *counts]
    if used & set(integers):
        yield f"    GlobalTensor<int64_t> {numbers.name};"
        yield from _bound(numbers, str(len(integers)))
    for k, name in enumerate(integers):
        if name in used:
            yield f"    const int64_t {name} = {numbers.name}.GetValue({k});"
    if used & {c for c, _, _ in program.reals}:
        yield f"    GlobalTensor<float> {reals.name};"
        yield from _bound(reals, str(len(program.reals)))
    for k, (name, _, ctype) in enumerate(program.reals):
        if name in used:
            yield f"    const {ctype} {name} = {reals.name}.GetValue({k});"
    for p in (*tensors, status):
        if p.name in used:
            yield f"    GlobalTensor<{p.ctype}> {p.name};"
            yield from _bound(p, p.count, mix)


def _bound(p: Pointer, count: str, mix: bool = False) -> Iterator[str]:
    memory = f"(__gm__ {p.ctype} *){p.argument}"
    if p.private:
        core = "GetBlockIdx() / GetTaskRatio()" if mix else "GetBlockIdx()"
        memory += f" + {core} * {count}"
    yield from wrapped(f"    {p.name}.SetGlobalBuffer({memory}, {count});")


def _body(body: Sequence[Node], depth: int) -> Iterator[str]:
    margin = "    " * depth
    for node in body:
        if isinstance(node, Block):
            yield from wrapped(f"{margin}{node.head}{' ' if node.head else ''}{{")
            yield from _body(node.body, depth + 1)
            yield margin + "}"
        elif not (isinstance(node, Instruction) and not node.text):
            for line in node.text.split("\n"):
                yield from wrapped(margin + line)
