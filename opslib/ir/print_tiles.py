"""The text of `Tiles`: one line per move or operation, in program order."""

from __future__ import annotations

from collections.abc import Iterable

from opslib.ir.expr import ONE, Expr
from opslib.ir.printer import expression, monoid
from opslib.ir.tiles import (
    AllocTile,
    Copy,
    Gather,
    Map,
    Mma,
    Region,
    Role,
    RowFold,
    TileBuffer,
    TileLoop,
    TileProgram,
    TileStatement,
    Wait,
)


def tile_program_text(program: TileProgram) -> str:
    """The whole program."""
    lines = [f"tiles {program.name} ({program.skeleton})"]
    lines += [f"    note {note}" for note in program.notes]
    lines += [f"    input {buffer(b)}" for b in program.inputs]
    lines += [f"    output {buffer(b)}" for b in program.outputs]
    lines += [f"    size {name}" for name in program.sizes]
    lines += [f"    scalar {s.name}: {s.type}" for s in program.scalars]
    return "\n".join(lines + statements(program.body)) + "\n"


def buffer(b: TileBuffer) -> str:
    """Name, type, shape and where it is."""
    text = f"{b.name}: {b.dtype}[{_list(b.shape)}] {b.scope} {b.layout}"
    text += f" of {b.unit}" if b.unit != 1 else ""
    text += f" x{b.stages}" if b.stages != 1 else ""
    return text + (f" strides [{_list(b.strides)}]" if b.strides else "")


def region(r: Region) -> str:
    """``name[offset +extent, ...]``; a bare offset is one element."""
    offsets = list(map(expression, r.offsets))
    walked = r.axes or tuple(range(len(offsets)))
    for axis, extent in zip(walked, r.extents, strict=False):
        if extent is not ONE:
            offsets[axis] += f" +{expression(extent)}"
    stage = "" if r.stage is None else f"@{expression(r.stage)}"
    order = "" if r.axes is None else f" by ({', '.join(map(str, r.axes))})"
    return f"{r.buffer}{stage}[{', '.join(offsets)}]{order}"


def statements(body: Iterable[TileStatement], indent: str = "    ") -> list[str]:
    """The lines of a body."""
    lines: list[str] = []
    for s in body:
        match s:
            case AllocTile(made):
                lines.append(f"{indent}alloc {buffer(made)}")
            case Copy(target, source, fill, token):
                text = f"{indent}copy {region(target)} <- {_source(source)}"
                text += "" if fill is None else f" fill {expression(fill)}"
                lines.append(text + _token(token))
            case Mma(accumulator, a, b, clear, token):
                text = f"{indent}mma {region(accumulator)} += {region(a)} * {region(b)}"
                text += "" if clear is None else f" clear if {expression(clear)}"
                lines.append(text + _token(token))
            case Map(target, axes, value, token):
                lines.append(
                    f"{indent}map [{_list(axes)}] {region(target)} = "
                    f"{expression(value)}{_token(token)}"
                )
            case RowFold(targets, rows, axis, m, args, clear, token):
                held = ", ".join(map(region, targets))
                sign = "=" if clear else "join="
                lines.append(
                    f"{indent}fold [{_list(rows)}] {held} {sign} {monoid(m)}"
                    f"[{expression(axis)}]({_list(args)}){_token(token)}"
                )
            case Wait(token):
                lines.append(f"{indent}wait {token}")
            case TileLoop(axis, step, kind, inner, stages):
                deep = f" stages {stages}" if stages != 1 else ""
                head = (
                    f"{indent}{kind} {expression(axis)} step {expression(step)}{deep}"
                )
                lines += [head, *statements(inner, indent + "    ")]
            case Role(role, inner):
                lines += [f"{indent}role {role}", *statements(inner, indent + "    ")]
    return lines


def _source(source: Region | Gather) -> str:
    if isinstance(source, Region):
        return region(source)
    return f"gather [{_list(source.axes)}] {expression(source.value)}"


def _list(nodes: Iterable[Expr]) -> str:
    return ", ".join(map(expression, nodes))


def _token(token: str | None) -> str:
    return "" if token is None else f" -> {token}"
