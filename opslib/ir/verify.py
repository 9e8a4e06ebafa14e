"""Well-formedness, checked after every pass: a failure is a bug of opslib.

For `Program`: operands have the types their primitive wants, indices are bound, reads
have the tensor's rank and type and come after its definition. For `Kernel`: every
buffer and variable is declared before use, types agree, intrinsics write only where
they say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NoReturn

from opslib.errors import VerifyError
from opslib.ir import loops
from opslib.ir.dtypes import BOOL, INT64, DType
from opslib.ir.expr import (
    Axis,
    Call,
    Const,
    Expr,
    Fold,
    Index,
    Order,
    Prim,
    Program,
    Read,
    Scalar,
    Scan,
    Select,
    Size,
    Var,
    free_indices,
    walk,
)
from opslib.ir.monoid import Monoid
from opslib.ir.primitives import PRIMITIVES
from opslib.ir.printer import expression


def _fail(message: str, place: str) -> NoReturn:
    raise VerifyError(
        f"{message}, in {place}",
        code="E0901",
        help="this is a bug in the pass that just ran; OPSLIB_DEBUG=all prints each",
    )


def check_expression(root: Expr, place: str) -> None:
    """Types of every node below `root`."""
    for node in walk(root):
        match node:
            case Prim(op, args, dtype):
                _check_prim(op, args, dtype, place)
            case Select(condition, yes, no):
                if condition.dtype != BOOL:
                    _fail(f"a condition of type {condition.dtype}", place)
                if yes.dtype != no.dtype:
                    _fail(f"branches of types {yes.dtype} and {no.dtype}", place)
            case Read(tensor, indices):
                for index in indices:
                    if not index.dtype.is_integer:
                        _fail(f"an index of {tensor} has type {index.dtype}", place)
            case Const(value, dtype):
                if dtype.kind == "bool" and not isinstance(value, bool):
                    _fail(f"the constant {value!r} is no bool", place)
                if dtype.is_integer and (
                    isinstance(value, bool) or not isinstance(value, int)
                ):
                    _fail(f"the constant {value!r} is no integer", place)
            case Fold(monoid, axes, args) if not axes:
                _fail(f"{monoid.name} of {len(args)} arguments has no axis", place)
            case Fold(monoid, _, args) | Scan(monoid, _, args):
                check_monoid(monoid, args, place)
            case Axis(name, start, stop):
                if not (start.dtype.is_integer and stop.dtype.is_integer):
                    _fail(f"the range of {name} is not of integers", place)


def check_monoid(monoid: Monoid, args: tuple[Expr, ...], place: str) -> None:
    """That a monoid's templates fit each other and the arguments."""
    state = monoid.state
    for what, found in (
        ("identity", monoid.identity),
        ("lift", monoid.lift),
        ("combine", monoid.combine),
    ):
        if tuple(e.dtype for e in found) != state:
            _fail(f"{what} of {monoid.name} does not have the state's types", place)
    for template, prefix in (
        (monoid.lift, "x"),
        (monoid.combine, "ab"),
        (monoid.finish, "s"),
    ):
        for node in walk(*template):
            if isinstance(node, Var) and node.name[:1] not in prefix:
                _fail(f"{monoid.name} uses {node.name} in the wrong template", place)
            if isinstance(node, Var) and node.name[:1] == "x":
                at = int(node.name[1:])
                if at >= len(args) or args[at].dtype != node.type:
                    got = args[at].dtype if at < len(args) else "nothing"
                    _fail(f"{monoid.name} gets {got} for {node.name}", place)


def _check_prim(op: str, args: tuple[Expr, ...], dtype: DType, place: str) -> None:
    primitive = PRIMITIVES.get(op)
    if primitive is None:
        _fail(f"an unknown primitive {op!r}", place)
    if len(args) != primitive.arity:
        _fail(f"{op} with {len(args)} operands", place)
    types = {a.dtype for a in args}
    if len(types) != 1:
        _fail(f"{op} of {' and '.join(sorted(map(str, types)))}", place)
    result = BOOL if primitive.result == "bool" else args[0].dtype
    if dtype != result:
        _fail(f"{op} of {args[0].dtype} typed {dtype}", place)


def check_program(program: Program) -> None:
    """Raises VerifyError if the program is not well-formed."""
    defined = {t.name for t in program.inputs}
    names = {t.name: t for t in (*program.inputs, *program.outputs, *program.locals)}
    sizes = set(program.sizes)
    scalars = set(program.scalars)
    for c in program.checks:
        place = f"a check of {program.name}"
        bound = _bind(c.axes, frozenset(), place)
        for e in (c.condition, c.value, c.extent):
            if e is not None:
                _check_value(e, bound, program, names, sizes, scalars, defined, place)
    for d in program.defines:
        place = f"the definition of {d.name} in {program.name}"
        tensor = names.get(d.name)
        if tensor is None or tensor in program.inputs:
            _fail("a definition of no output or local", place)
        if len(d.indices) != len(tensor.shape):
            _fail(f"{len(d.indices)} indices for rank {len(tensor.shape)}", place)
        bound = _bind(d.axes, frozenset(), place)
        if d.value.dtype != tensor.dtype and d.combine is None:
            _fail(f"a value of {d.value.dtype} for {tensor.dtype}", place)
        readable = defined | ({d.name} if d.recurrent or d.combine else set())
        for e in (*d.axes, *d.indices, d.value):
            _check_value(e, bound, program, names, sizes, scalars, readable, place)
        if d.combine is not None and d.name not in defined:
            _fail("a scatter into what was never given a first value", place)
        defined.add(d.name)
    for t in program.outputs:
        if t.name not in defined:
            _fail(f"output {t.name} is never defined", program.name)


def _bind(axes: Iterable[Axis], bound: frozenset[str], place: str) -> frozenset[str]:
    for axis in axes:
        loose = (free_indices(axis.start) | free_indices(axis.stop)) - bound
        if loose:
            _fail(f"the range of {axis.name} uses unbound {sorted(loose)}", place)
        bound |= {axis.name}
    return bound


def _check_value(
    root: Expr,
    bound: frozenset[str],
    program: Program,
    names: Mapping[str, object],
    sizes: set[str],
    scalars: set[Scalar],
    defined: set[str],
    place: str,
) -> None:
    check_expression(root, place)
    loose = free_indices(root) - bound
    if loose:
        _fail(f"unbound {sorted(loose)} in {expression(root)}", place)
    for node in walk(root):
        match node:
            case Size(name) if name not in sizes:
                _fail(f"an unknown size {name}", place)
            case Scalar() if node not in scalars:
                _fail(f"an unknown scalar {node.name}", place)
            case Var(name):
                _fail(f"a placeholder {name} outside a monoid", place)
            case Read(tensor, indices, dtype):
                if tensor not in defined:
                    _fail(f"{tensor} is read before it is defined", place)
                found = program.tensor(tensor)
                if len(found.shape) != len(indices) or found.dtype != dtype:
                    _fail(f"{expression(node)} does not fit {tensor}", place)


def check_kernel(kernel: loops.Kernel) -> None:
    """Raises VerifyError if the kernel is not well-formed."""
    buffers = {b.name: b for b in (*kernel.inputs, *kernel.outputs)}
    if len(buffers) != len(kernel.inputs) + len(kernel.outputs):
        _fail("two buffers of one name", kernel.name)
    ints = set(kernel.integers)
    known = dict.fromkeys(ints, INT64) | {s.name: s.type for s in kernel.scalars}
    for b in buffers.values():
        for e in (*b.shape, *b.strides):
            _check_loops(e, {}, known, buffers, kernel.name)
    _check_body(kernel.body, {}, known, buffers, kernel)


_Scope = dict[str, DType]


def _check_body(
    body: Iterable[loops.Statement],
    scope: _Scope,
    known: _Scope,
    buffers: dict[str, loops.Buffer],
    kernel: loops.Kernel,
) -> None:
    scope, buffers = dict(scope), dict(buffers)
    place = kernel.name

    def check(e: Expr, inner: _Scope | None = None) -> None:
        _check_loops(e, scope if inner is None else inner, known, buffers, place)

    for s in body:
        match s:
            case loops.Let(name, value) | loops.Declare(name, value):
                check(value)
                scope[name] = value.dtype
            case loops.Assign(names, values):
                for name, value in zip(names, values, strict=True):
                    check(value)
                    if scope.get(name) != value.dtype:
                        _fail(f"{name} is assigned a {value.dtype}", place)
            case loops.Store(buffer, indices, value):
                _check_place(buffer, indices, buffers, place)
                for e in (*indices, value):
                    check(e)
                if buffers[buffer].scope == "input":
                    _fail(f"a store into the input {buffer}", place)
            case loops.Reduce(axes, kind, monoid, args, results, inner):
                if kind not in ("vector", "serial"):
                    _fail(f"a reduction of kind {kind}", place)
                if len(results) != len(monoid.state):
                    _fail(f"{len(results)} names for {monoid.name}'s state", place)
                within = dict(scope)
                for axis in axes:
                    check(axis, within)
                    within[axis.name] = INT64
                _check_body(inner, within, known, buffers, kernel)
                for b in inner:
                    if isinstance(b, loops.Let | loops.Declare):
                        within[b.name] = b.value.dtype
                    elif isinstance(b, loops.Reduce):
                        within |= dict(zip(b.results, b.monoid.state, strict=True))
                for e in args:
                    check(e, within)
                check_monoid(monoid, args, place)
                scope |= dict(zip(results, monoid.state, strict=True))
            case loops.For(axis, kind, inner, step, grain):
                if kind not in loops.KINDS:
                    _fail(f"a loop of kind {kind}", place)
                for e in filter(None, (axis, step, grain)):
                    check(e)
                _check_body(inner, {**scope, axis.name: INT64}, known, buffers, kernel)
            case loops.If(condition, then, other):
                check(condition)
                _check_body(then, scope, known, buffers, kernel)
                _check_body(other, scope, known, buffers, kernel)
            case loops.Alloc(buffer):
                if buffer.name in buffers:
                    _fail(f"a second buffer {buffer.name}", place)
                for e in (*buffer.shape, *buffer.strides):
                    check(e)
                buffers[buffer.name] = buffer
            case loops.Fail(condition, number, value, extent):
                for e in (condition, value, extent):
                    check(e)
                if not 0 <= number < len(kernel.messages):
                    _fail(f"check {number} has no message", place)
            case loops.Intrinsic(_, _, arguments):
                for argument in arguments:
                    if isinstance(argument, Expr):
                        check(argument)
                    else:
                        _check_place(argument.buffer, argument.indices, buffers, place)
                        for e in argument.indices:
                            check(e)


def _check_place(
    buffer: str,
    indices: tuple[Expr, ...],
    buffers: dict[str, loops.Buffer],
    place: str,
) -> None:
    if buffer not in buffers:
        _fail(f"an undeclared buffer {buffer}", place)
    if len(indices) != len(buffers[buffer].shape):
        _fail(f"{len(indices)} indices for {buffer}", place)


def _check_loops(
    root: Expr,
    scope: _Scope,
    known: _Scope,
    buffers: dict[str, loops.Buffer],
    place: str,
) -> None:
    check_expression(root, place)
    for node in walk(root):
        match node:
            case Fold() | Scan() | Order() | Call():
                _fail(f"a {type(node).__name__} is left in a kernel", place)
            case Index(name):
                if name not in scope:
                    _fail(f"unbound index {name}", place)
            case Var(name, dtype):
                if scope.get(name) != dtype:
                    _fail(f"{name} is {scope.get(name)}, used as {dtype}", place)
            case Size(name) if name not in known:
                _fail(f"an unknown size {name}", place)
            case Scalar(name) if name not in known:
                _fail(f"an unknown scalar {name}", place)
            case Read(tensor, indices, dtype):
                _check_place(tensor, indices, buffers, place)
                for index in indices:
                    if index.dtype != INT64:
                        _fail(f"an index of {tensor} has type {index.dtype}", place)
                if buffers[tensor].dtype != dtype:
                    _fail(f"{tensor} is read as {dtype}", place)
