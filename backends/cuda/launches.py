"""Launches of a loop nest: who takes a turn, how many blocks there are, which memory.

A parallel loop whose turns have work for several threads is launched in up to three
ways, of which sizes choose one: a thread, a warp or a block for each turn. What a team
keeps of its row lies in shared memory where that is large enough, else in a workspace.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from opslib.codegen.c_expressions import Entry
from opslib.codegen.c_names import Names
from opslib.codegen.c_types import UNARY, Dialect, stored_type, value_type
from opslib.ir import loops
from opslib.ir.dtypes import BOOL, INT64
from opslib.ir.expr import (
    FALSE,
    ONE,
    TRUE,
    ZERO,
    Axis,
    Const,
    Expr,
    Index,
    Prim,
    Read,
    Select,
    Var,
    substitute,
    walk,
)
from opslib.ir.loops import Buffer, For, Intrinsic, Let, Reduce, Statement
from opslib.lowering.phases import inside
from opslib.lowering.skeletons import arith
from opslib.lowering.skeletons.arith import integer

from .machine import MULTIPROCESSORS, Launch, Parameter, Workspace
from .packs import PackPrinter
from .teams import BLOCK, THREAD, THREADS, WARP, Team, by_threads, wants_team

# Names, but not members: threadIdx.x is no argument x.
_WORDS = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
# Turns with no more work than this are a thread's, a warp's; a block takes the others.
THREAD_WORK, WARP_WORK = 32, 1024
# Below so many rows warps would leave multiprocessors idle, and blocks are better.
FEW_ROWS, FEW_WORK = 512, 256
# Static and dynamic shared memory that every device gives without asking: 48 KiB.
SHARED = 48 << 10
# Left to the states of folds.
_STATIC = 1 << 10
# Blocks for each multiprocessor; turns beyond are taken by strides of the grid.
BLOCKS = 32
# Warps in a block, for the host, whose warps have 32 threads at least.
_WARPS = THREADS // 32


@dataclass
class Made:
    """What the launches of a kernel have in common, filled while they are printed."""

    parameters: dict[str, Parameter] = field(default_factory=dict)
    workspaces: dict[str, Workspace] = field(default_factory=dict)
    lets: dict[str, Expr] = field(default_factory=dict)
    can_fail: bool = False


class LaunchPrinter(PackPrinter):
    """A launch: its statements, its arguments, memory of its teams."""

    def __init__(
        self, kernel: loops.Kernel, dialect: Dialect, grid: Team, alone: bool
    ) -> None:
        names = Names()
        for taken in ("thread", "lane", "status", "own", "e", "ops_shared", "dim3"):
            names.fresh(taken)
        super().__init__(dialect, names, grid, alone)
        self.kernel = kernel
        scope = self.scopes[0]
        for b in (*kernel.inputs, *kernel.outputs):
            self.buffers[b.name] = b
            const = "const " if b.scope == "input" else ""
            ctype = f"{const}{stored_type(b.dtype)} *"
            scope[("buffer", b.name)] = Entry(names.fresh(b.name), ctype)
        types = {s.name: s.type for s in kernel.scalars}
        for n in (*kernel.integers, *kernel.reals):
            dtype = types.get(n)
            ctype = "int64_t" if dtype is None else value_type(dtype)
            scope[("value", n)] = Entry(names.fresh(n), ctype)
        self.row_names: list[tuple[Buffer, str, str]] = []
        self.outside: list[Buffer] = []

    def row_memory(self, buffer: Buffer, name: str, ctype: str) -> None:
        """Declared at the head, once it is known what else there is."""
        self.row_names.append((buffer, name, ctype))
        self.scopes[0][("buffer", buffer.name)] = Entry(name, f"{ctype} *")

    def sized(self, node: Expr, head: list[str]) -> str:
        """The text of an extent in sizes, at the head of the function."""
        scopes, lines = self.scopes, self.lines
        sizes: dict[object, Entry] = {
            k: v
            for k, v in scopes[0].items()
            if isinstance(k, tuple) and k[0] == "value"
        }
        self.scopes, self.lines = [sizes], head
        text = self.operand(self.resolved(node), UNARY)
        self.scopes, self.lines = scopes, lines
        return text

    def resolved(self, node: Expr) -> Expr:
        """The expression without variables that `lets` defines."""
        while True:
            found: dict[Expr, Expr] = {
                n: self.lets[n.name]
                for n in walk(node)
                if isinstance(n, Var) and n.name in self.lets
            }
            if not found:
                return node
            node = substitute(node, found)


def on_host(node: Expr) -> bool:
    """Whether the host can compute it."""
    return not any(isinstance(n, Index | Read | Var) for n in walk(node))


def launches(
    kernel: loops.Kernel,
    dialect: Dialect,
    body: tuple[Statement, ...],
    name: str,
    condition: Expr | None,
    made: Made,
) -> list[Launch]:
    """The alternatives for one phase."""
    last = body[-1]
    alone = not (isinstance(last, For) and last.kind == "parallel")
    if alone:
        return [_printed(kernel, dialect, body, name, condition, made, BLOCK, alone)]
    assert isinstance(last, For)
    if by_threads(last.body) and not wants_team(last.body):
        return [_printed(kernel, dialect, body, name, condition, made, THREAD, alone)]
    lets = {s.name: s.value for s in inside(body) if isinstance(s, Let)}
    work = _work(last.body, lets)
    rows = _resolved(arith.extent(last.axis), lets)
    kept = _kept(last.body, lets)
    ordered = any(isinstance(s, Intrinsic) for s in inside(last.body))
    found: list[tuple[str, Team, bool, Expr | None]] = []
    if work is None or not on_host(rows):
        team = BLOCK if ordered else WARP
        found.append(("", team, False, None))
    else:
        short = _at_most(work, integer(THREAD_WORK))
        least = _least(work)
        single = by_threads(last.body) and least <= THREAD_WORK
        if single:
            found.append(("_threads", THREAD, False, short))
        narrow = _at_most(work, integer(WARP_WORK))
        few = _both(
            arith.less(rows, integer(FEW_ROWS)), _no(_at_most(work, integer(FEW_WORK)))
        )
        warp = _both(narrow, _no(few))
        if kept is not None:
            warp = _both(warp, _at_most(arith.mul(kept, integer(_WARPS)), _shared()))
        if ordered or least >= WARP_WORK:
            warp = FALSE
        else:
            mine = _both(warp, _no(short)) if single else warp
            found.append(("_warps", WARP, kept is not None, mine))
        rest = _no(warp)
        if single:
            rest = _both(rest, _no(short))
        if kept is not None:
            fits = _at_most(kept, _shared())
            found.append(("_blocks", BLOCK, True, _both(rest, fits)))
            found.append(("_long", BLOCK, False, _both(rest, _no(fits))))
        else:
            found.append(("_blocks", BLOCK, False, rest))
    found = [f for f in found if f[3] is not FALSE]
    if len(found) == 1:
        found = [("", *found[0][1:])]
    found = [(n, t, s, None if c is TRUE else c) for n, t, s, c in found]
    return [
        _printed(
            kernel, dialect, body, name + suffix, _every(condition, test), made, team,
            False, shared,
        )
        for suffix, team, shared, test in found
    ]  # fmt: skip


def _printed(
    kernel: loops.Kernel,
    dialect: Dialect,
    body: tuple[Statement, ...],
    name: str,
    condition: Expr | None,
    made: Made,
    team: Team,
    alone: bool,
    shared: bool = False,
) -> Launch:
    p = LaunchPrinter(kernel, dialect, team, alone)
    p.body(body)
    items = None if p.items is None else p.resolved(p.items)
    if alone:
        blocks: Expr = ONE
    elif items is None or not on_host(items):
        blocks = arith.mul(MULTIPROCESSORS, integer(8))
    else:
        per = {"thread": THREADS, "warp": _WARPS, "block": 1}[team.name]
        most = arith.mul(MULTIPROCESSORS, integer(BLOCKS))
        blocks = arith.least(arith.ceildiv(items, integer(per)), most)
    head, bytes_ = _row_lines(p, team, shared, blocks, condition, made)
    return finish(p, name, blocks, condition, head, bytes_, made)


def finish(
    p: LaunchPrinter,
    name: str,
    blocks: Expr,
    condition: Expr | None,
    head: Sequence[str],
    shared: Expr,
    made: Made,
    threads: int = THREADS,
    notes: tuple[str, ...] = (),
) -> Launch:
    """The launch of what was printed, with what the text uses of the arguments."""
    for b in p.workspaces:
        count = p.resolved(arith.product(b.shape))
        made.workspaces.setdefault(b.name, Workspace(b.name, b.dtype, count))
    made.lets.update(p.lets)
    made.can_fail |= p.can_fail
    used = {w for line in (*head, *p.lines) for w in _WORDS.findall(line)}
    ranks = []
    if "thread" in used and "thread" in p.used:
        ranks.append("    const int thread = threadIdx.x;")
    if "lane" in used and "lane" in p.used:
        ranks.append("    const int lane = ops_lane();")
    parameters = parameters_of(p, (*head, *p.lines))
    for q in parameters:
        made.parameters.setdefault(q.name, q)
    return Launch(
        name,
        tuple(q.name for q in parameters),
        (blocks, ONE, ONE),
        (threads, 1, 1),
        shared,
        condition,
        (*ranks, *head, *p.lines),
        notes,
    )


def _row_lines(
    p: LaunchPrinter,
    team: Team,
    shared: bool,
    blocks: Expr,
    condition: Expr | None,
    made: Made,
) -> tuple[list[str], Expr]:
    """Declarations of the teams' memory, and the bytes of it that are shared."""
    if not p.row_names:
        return [], ZERO
    lines: list[str] = []
    if not shared:
        teams = arith.mul(blocks, integer(_WARPS)) if team is WARP else blocks
        number = "ops_warp()" if team is WARP else "blockIdx.x"
        for b, name, ctype in p.row_names:
            each = p.resolved(arith.product(b.shape))
            if not on_host(each):
                raise ValueError(f"{b.name} has an extent that only the device knows")
            total: Expr = arith.mul(each, teams)
            if condition is not None:
                total = Select(condition, total, ZERO)
            made.workspaces[b.name] = Workspace(b.name, b.dtype, total)
            whole = f"{name}_all"
            p.outside.append(b)
            p.scopes[0][("buffer", b.name)] = Entry(whole, f"{ctype} *")
            text = p.sized(each, lines)
            lines.append(f"    {ctype} *{name} = {whole} + {number} * {text};")
        return lines, ZERO
    lines.append("    extern __shared__ __align__(16) unsigned char ops_shared[];")
    start = "ops_shared"
    size: Expr = ZERO
    sizes = [_padded(p.resolved(arith.product(b.shape)), b) for b, _, _ in p.row_names]
    if team is WARP:
        whole = p.sized(_sum(sizes), lines)
        lines.append(
            f"    unsigned char *own = ops_shared + threadIdx.x / OPS_WARP * {whole};"
        )
        start = "own"
    for (_, name, ctype), bytes_ in zip(p.row_names, sizes, strict=True):
        place = start if size is ZERO else f"({start} + {p.sized(size, lines)})"
        lines.append(f"    {ctype} *{name} = ({ctype} *){place};")
        size = arith.add(size, bytes_)
    return lines, arith.mul(size, integer(_WARPS)) if team is WARP else size


def _sum(values: Sequence[Expr]) -> Expr:
    total: Expr = ZERO
    for v in values:
        total = arith.add(total, v)
    return total


def _padded(count: Expr, b: Buffer) -> Expr:
    """Bytes of a buffer, in whole 16 bytes."""
    bytes_ = arith.mul(count, integer(max(1, b.dtype.bits // 8)))
    return arith.mul(arith.ceildiv(bytes_, integer(16)), integer(16))


def parameters_of(p: LaunchPrinter, text: Sequence[str]) -> list[Parameter]:
    """The parameters that the text mentions, in order."""
    used = {w for line in text for w in _WORDS.findall(line)}
    return [q for q in _parameters(p) if q.name in used]


def _parameters(p: LaunchPrinter) -> Iterator[Parameter]:
    """All parameters there can be, in order."""
    kernel, scope = p.kernel, p.scopes[0]
    for b in (*kernel.inputs, *kernel.outputs):
        entry = scope[("buffer", b.name)]
        yield Parameter(
            entry.text, f"{entry.ctype}__restrict__", b.scope, b.name, b.dtype
        )
    for b in (*p.workspaces, *p.outside):
        entry = scope[("buffer", b.name)]
        yield Parameter(entry.text, entry.ctype, "workspace", b.name, b.dtype)
    yield Parameter("status", "int64_t *", "status", "status", INT64)
    types = {s.name: s.type for s in kernel.scalars}
    for kind, found in (("integer", kernel.integers), ("real", kernel.reals)):
        for n in found:
            entry = scope[("value", n)]
            yield Parameter(entry.text, entry.ctype, kind, n, types.get(n, INT64))


# -- sizes of the work ----------------------------------------------------------------


def _work(body: Sequence[Statement], lets: Mapping[str, Expr]) -> Expr | None:
    """The longest loop that a team shares, where the host can tell."""
    longest: Expr | None = None
    for s in inside(body):
        axes: tuple[Axis, ...] = ()
        if isinstance(s, For) and s.kind == "vector":
            axes = (s.axis,)
        elif isinstance(s, Reduce) and s.kind == "vector":
            axes = s.axes
        elif isinstance(s, Intrinsic):
            continue
        if not axes:
            continue
        bounds = [_longest(a, lets) for a in axes]
        known = [b for b in bounds if b is not None and on_host(b)]
        if len(known) < len(bounds):
            continue
        total = arith.product(known)
        longest = total if longest is None else arith.most(longest, total)
    return longest


def _least(node: Expr) -> int:
    """What a number of elements is at least, by its form alone."""
    match node:
        case Const(value, _):
            return int(value)
        case Prim("max", (a, b), _):
            return max(_least(a), _least(b))
    return 0


def _longest(axis: Axis, lets: Mapping[str, Expr]) -> Expr | None:
    """What an axis's extent never exceeds."""
    if isinstance(axis.bound, Const):
        return axis.bound
    whole = _resolved(arith.extent(axis), lets)
    if on_host(whole):
        return whole
    stop = axis.stop
    if isinstance(stop, Var):
        stop = lets.get(stop.name, stop)
    if isinstance(stop, Prim) and stop.op == "min":
        # begin .. min(begin + piece, n)
        for end in stop.args:
            if isinstance(end, Prim) and end.op == "add" and axis.start in end.args:
                a, b = end.args
                size = _resolved(b if a is axis.start else a, lets)
                if on_host(size):
                    return size
    return axis.bound


def _kept(body: Sequence[Statement], lets: Mapping[str, Expr]) -> Expr | None:
    """Bytes of the memory that a team needs; None: none, or the device's secret."""
    sizes = []
    for s in inside(body):
        if isinstance(s, loops.Alloc) and s.buffer.scope != "stack":
            size = _padded(_resolved(arith.product(s.buffer.shape), lets), s.buffer)
            if not on_host(size):
                return None
            sizes.append(size)
    return _sum(sizes) if sizes else None


def _resolved(node: Expr, lets: Mapping[str, Expr]) -> Expr:
    while True:
        found: dict[Expr, Expr] = {
            n: lets[n.name] for n in walk(node) if isinstance(n, Var) and n.name in lets
        }
        if not found:
            return node
        node = substitute(node, found)


def _shared() -> Expr:
    return integer(SHARED - _STATIC)


def _at_most(a: Expr, b: Expr) -> Expr:
    if isinstance(a, Const) and isinstance(b, Const):
        return TRUE if a.value <= b.value else FALSE
    return Prim("le", (a, b), BOOL)


def _both(a: Expr, b: Expr) -> Expr:
    if FALSE in (a, b):
        return FALSE
    if TRUE in (a, b):
        return b if a is TRUE else a
    return Prim("and", (a, b), BOOL)


def _no(a: Expr) -> Expr:
    if a in (TRUE, FALSE):
        return FALSE if a is TRUE else TRUE
    return Prim("not", (a,), BOOL)


def _every(a: Expr | None, b: Expr | None) -> Expr | None:
    if a is None or b is None:
        return b if a is None else a
    return _both(a, b)
