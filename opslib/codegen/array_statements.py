"""Definitions, checks, and the module around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from opslib.codegen import array_folds, array_reads
from opslib.codegen.array_code import Code, call, infix, method, name, prefix
from opslib.codegen.array_reads import Merged, Point, Slice
from opslib.codegen.array_value import Value, shape_code, union
from opslib.ir.expr import Axis, Check, Define, Program, Read, Tensor, walk
from opslib.ir.monoid import Monoid

if TYPE_CHECKING:
    from opslib.codegen.array_printer import Printer

__all__ = ["define", "module", "needed", "statements"]

# Scatters: monoid -> NumPy's function and the method of ``x.at[...]``.
_SCATTERS = {
    "sum": ("np.add.at", "add"),
    "prod": ("np.multiply.at", "multiply"),
    "max": ("np.maximum.at", "max"),
    "min": ("np.minimum.at", "min"),
    "last": ("", "set"),
}


def _enter(printer: Printer, axes: tuple[Axis, ...]) -> list[Value]:
    """A new scope with these index variables; masks of the ragged ones."""
    printer.order.clear()
    printer.index.clear()
    printer.dense.clear()
    printer.extents.clear()
    printer.memo.clear()
    masks = []
    for axis in axes:
        mask = array_folds.bind(printer, axis)
        if mask is not None:
            masks.append(mask)
    return masks


# --- Checks ------------------------------------------------------------------------


def statements(printer: Printer, *, checks: bool, body: bool) -> None:
    """Prints definitions, and each check as soon as what it looks at is there.

    body: print all definitions, else only those that the checks need.
    """
    program = printer.program
    pending = [c for c in program.checks if c.policy == "raise" and checks]
    wanted = {t.name for t in (*program.locals, *program.outputs)}
    if not body:
        wanted = needed(program, pending)
    for position in range(len(program.defines) + 1):
        missing = {d.name for d in program.defines[position:]}
        for check in [c for c in pending if not tensors_of(c) & missing]:
            _check(printer, check)
            pending.remove(check)
        for following in program.defines[position : position + 1]:
            if following.name in wanted:
                define(printer, following)


def tensors_of(check: Check) -> set[str]:
    """Names of the tensors whose elements a check looks at."""
    roots = (*check.axes, check.condition, check.value, check.extent)
    nodes = walk(*(r for r in roots if r is not None))
    return {n.tensor for n in nodes if isinstance(n, Read)}


def needed(program: Program, checks: Sequence[Check]) -> set[str]:
    """Names of the tensors that checks depend on, through locals too."""
    names = {t for c in checks for t in tensors_of(c)}
    for d in reversed(program.defines):
        if d.name in names:
            nodes = walk(d.value, *d.indices, *d.axes)
            names |= {n.tensor for n in nodes if isinstance(n, Read)}
    return names


def _check(printer: Printer, check: Check) -> None:
    masks = _enter(printer, check.axes)
    # Beyond a ragged range there may be nothing to look at.
    printer.guards += len(masks)
    _print_check(printer, check, masks)
    printer.guards -= len(masks)


def _print_check(printer: Printer, check: Check, masks: list[Value]) -> None:
    condition = printer.emit(check.condition)
    for mask in masks:
        (c, m), axes = printer.together([condition, mask])
        condition = Value(infix("|", 2, c, prefix("~", m)), axes)
    args: list[Code | str] = [
        condition.code,
        repr(f"{printer.program.name}: {check.message}"),
    ]
    if check.operand:
        args.append(f"operand={check.operand!r}")
    for keyword, node in (("value", check.value), ("extent", check.extent)):
        if node is not None:
            args.append(
                Code((f"{keyword}=", printer.align(printer.emit(node), condition.axes)))
            )
    line = printer.settled(call(printer.helper("check"), *args))
    printer.statement("", line)


# --- Definitions -------------------------------------------------------------------


def define(printer: Printer, define: Define) -> None:
    """Prints one definition."""
    defines = printer.program.defines
    here = next(k for k, d in enumerate(defines) if d is define)
    started = any(d.name == define.name for d in defines[:here])
    continued = any(d.name == define.name for d in defines[here + 1 :])
    if define.recurrent is not None:
        _recurrent(printer, define, started)
        return
    masks = _enter(printer, define.axes)
    target = printer.names[define.name]
    tensor = printer.program.tensor(define.name)
    items = [
        array_reads.classify(printer, i, extent, write=True)
        for i, extent in zip(define.indices, tensor.shape, strict=True)
    ]
    whole = (
        not started
        and not masks
        and define.combine is None
        and all(
            isinstance(i, Merged)
            or (isinstance(i, Slice) and i.full and not i.backwards)
            for i in items
        )
    )
    if whole:
        _whole(printer, define, items, target, continued)
        return
    if not started:
        _allocate(printer, define)
    printer.guards += len(masks)
    _store(printer, define, items, masks)
    printer.guards -= len(masks)


def _typed(printer: Printer, define: Define) -> Value:
    tensor = printer.program.tensor(define.name)
    value = printer.strong(printer.emit(define.value), define.value.dtype)
    return printer._cast(value, define.value.dtype, tensor.dtype)


def _whole(
    printer: Printer,
    define: Define,
    items: list[array_reads.Item],
    target: str,
    continued: bool,
) -> None:
    value = _typed(printer, define)
    axes = tuple(a for i in items for a in array_reads._axes(i))
    code = printer.full(value, axes)
    if continued and printer.dialect.mutable:
        # What follows writes into it: neither an input nor a broadcast may be meant.
        code = call(f"{printer.module}.array", code)
    if any(isinstance(i, Merged) for i in items):
        tensor = printer.program.tensor(define.name)
        extents = ", ".join(e.text for e in printer.shape_of(tensor))
        code = method(code, f".reshape({extents})")
    printer.assign(target, code)


def _allocate(printer: Printer, define: Define) -> None:
    tensor = printer.program.tensor(define.name)
    shape = shape_code(printer.shape_of(tensor))
    dtype = printer.dtype(tensor.dtype)
    code = call(f"{printer.module}.zeros", shape, dtype)
    printer.line(f"{printer.names[define.name]} = {code}")


def _store(
    printer: Printer,
    define: Define,
    items: list[array_reads.Item],
    masks: list[Value],
) -> None:
    """Writes part of an array, or combines into it."""
    value = _typed(printer, define)
    target = printer.names[define.name]
    sliced = all(isinstance(i, Slice | Point) for i in items)
    axes = tuple(a for i in items for a in array_reads._axes(i))
    combine = define.combine
    if sliced and not masks and combine is None and len(set(axes)) == len(axes):
        texts = []
        for item in items:
            if isinstance(item, Slice):
                texts.append(item.text.text)
                if item.backwards:  # the general form below writes it point by point
                    break
            else:
                assert isinstance(item, Point)
                texts.append(item.at.text)
        else:
            order = sorted(axes, key=printer.order.__getitem__)
            if set(value.axes) == set(axes):
                code = array_folds.permuted(printer, value, axes).code
            elif list(axes) == order:
                code = printer.align(value, axes)
            else:
                code = printer.full(value, axes)
            _write(printer, target, ", ".join(texts) or "()", printer.settled(code))
            return
    _points(printer, define, value, masks)


def _write(printer: Printer, target: str, where: str, value: Code) -> None:
    if printer.dialect.mutable:
        printer.statement(f"{target}[{where}] = ", value)
    else:
        printer.statement(f"{target} = ", call(f"{target}.at[{where}].set", value))


def _points(printer: Printer, define: Define, value: Value, masks: list[Value]) -> None:
    positions = [printer.emit(i) for i in define.indices]
    names = [a.name for a in define.axes if a.name in printer.extents]
    everything = union(
        [*positions, value, *masks, *_axes_of(printer, names)], printer.order
    )
    codes = [printer.align(p, everything) for p in positions]
    target = printer.names[define.name]
    combine = define.combine
    full = printer.full(value, everything)
    if (
        masks
        or combine is None
        or not _SCATTERS.get(combine.name, ("",))[0]
        or not printer.dialect.mutable
    ):
        mask: Code | str = "None"
        for k, m in enumerate(masks):
            here = printer.align(m, everything)
            mask = here if k == 0 else infix("&", 4, mask, here)  # type: ignore[arg-type]
        how: list[Code | str] = [name(target), shape_code(codes), full, mask]
        if combine is not None:
            how.append(_combination(printer, combine))
        printer.assign(target, call(printer.helper("scatter"), *how))
        return
    function = _SCATTERS[combine.name][0]
    line = printer.settled(call(function, name(target), shape_code(codes), full))
    printer.statement("", line)


def _axes_of(printer: Printer, names: list[str]) -> list[Value]:
    return [Value(name(""), (n,)) for n in names]


def _combination(printer: Printer, monoid: Monoid) -> str:
    if monoid.name in _SCATTERS:
        return repr(_SCATTERS[monoid.name][1])
    return array_folds.combiner(printer, monoid)


# --- Recurrences -------------------------------------------------------------------


def _recurrent(printer: Printer, define: Define, started: bool) -> None:
    """A loop along the recurrent axis; everything else is an array in each step."""
    (axis,) = (a for a in define.axes if a.name == define.recurrent)
    rest = tuple(a for a in define.axes if a is not axis)
    masks = _enter(printer, rest)
    target = printer.names[define.name]
    if not started:
        _allocate(printer, define)
    variable = printer.fresh_index(axis.name)
    printer.index[axis.name] = Value(name(variable), weak=True)
    start, stop = printer.integer(axis.start), printer.integer(axis.stop)
    tensor = printer.program.tensor(define.name)
    if printer.dialect.mutable:
        span = stop.text if start.text == "0" else f"{start}, {stop}"
        printer.line(f"for {variable} in range({span}):")
    else:
        printer.line(f"def step({variable}, {target}):")
    printer.indent += 1
    items = [
        array_reads.classify(printer, i, extent, write=True)
        for i, extent in zip(define.indices, tensor.shape, strict=True)
    ]
    _store(printer, define, items, masks)
    if not printer.dialect.mutable:
        printer.line(f"return {target}")
    printer.indent -= 1
    if not printer.dialect.mutable:
        # Tracing the body would read from an empty axis.
        loop = f"lax.fori_loop({start}, {stop}, step, {target})"
        printer.line(f"if {stop} > {start}:")
        printer.line(f"    {target} = {loop}")


# --- The module --------------------------------------------------------------------


def module(printer: Printer) -> str:
    """The whole text."""
    program, names = printer.program, printer.names
    body = printer.lines or ["    pass"]
    opening = []
    for size in printer.used_sizes():
        source = printer.size_source(size)
        if source is not None:
            opening.append(f"    {names[size]} = {source}")
    if printer.wide:
        for tensor in program.inputs:
            if tensor.dtype.is_float:
                text = names[tensor.name]
                opening.append(f"    {text} = {text}.astype({printer.module}.float64)")
    tensors = [names[t.name] for t in program.inputs]
    keywords = [names[s] for s in printer.used_scalars()]
    keywords += [names[s] for s in printer.keyword_sizes()]
    parameters = tensors + (["*", *keywords] if keywords else [])
    lines = [printer.dialect.imports]
    if any("lax." in line for line in body):
        lines.append("from jax import lax")
    if any("bfloat16" in line for line in body) and printer.dialect.mutable:
        lines.append("from ml_dtypes import bfloat16")
    names_used = ", ".join(sorted(printer.helpers))
    if printer.helpers:
        lines += [
            "",
            f"from {printer.dialect.helpers} import {names_used}",
        ]
    lines += ["", "", *printer.prelude]
    opening_line = f"def {printer.entry}({', '.join(parameters)}):"
    if len(opening_line) > 88:
        opening_line = "\n".join(
            [f"def {printer.entry}(", *(f"    {p}," for p in parameters), "):"]
        )
    lines.append(opening_line)
    lines += _signature(printer)
    return "\n".join([*lines, *opening, *body]) + "\n"


def _signature(printer: Printer) -> list[str]:
    """The docstring: tensors, one a line where one line does not hold them."""
    _enter(printer, ())

    def shown(tensors: tuple[Tensor, ...]) -> list[str]:
        return [
            f"{t.name}: {t.dtype}[{', '.join(e.text for e in printer.shape_of(t))}]"
            for t in tensors
        ]

    inputs, outputs = shown(printer.program.inputs), shown(printer.program.outputs)
    text = f'    """{", ".join(inputs)} -> {", ".join(outputs)}."""'
    if len(text) <= 88:
        return [text]
    outputs[0] = f"-> {outputs[0]}"
    return ['    """', *(f"    {line}" for line in inputs + outputs), '    """']
