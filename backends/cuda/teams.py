"""Teams: the threads that walk one loop together, and where they must wait."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from opslib.ir.expr import Const
from opslib.ir.loops import (
    Alloc,
    Assign,
    Buffer,
    Declare,
    Fail,
    For,
    If,
    Intrinsic,
    Let,
    Reduce,
    Statement,
    Store,
)
from opslib.lowering.phases import accesses, inside

# Threads of a block, for everything but products of matrices: registers allow four of
# them on a multiprocessor at 64 a thread, and eight warps hide a load's latency.
THREADS = 256


@dataclass(frozen=True, slots=True)
class Team:
    """Threads that share a row.

    Attributes:
        name: ``thread``, ``warp`` or ``block``.
        rank: a thread's number in it, as text.
        size: how many there are, as text.
        barrier: what all of them wait at.
    """

    name: str
    rank: str
    size: str
    barrier: str


THREAD = Team("thread", "0", "1", "")
WARP = Team("warp", "lane", "OPS_WARP", "__syncwarp();")
BLOCK = Team("block", "thread", str(THREADS), "__syncthreads();")


def by_threads(body: Iterable[Statement]) -> bool:
    """Whether single threads can run the statements: no memory, no native function."""
    for s in body:
        match s:
            case Let() | Declare() | Assign() | Store() | Fail():
                pass
            case Reduce() | For():
                if not by_threads(s.body):
                    return False
            case If():
                if not (by_threads(s.then) and by_threads(s.other)):
                    return False
            case Alloc(buffer):
                if buffer.scope != "stack":
                    return False
            case Intrinsic():
                return False
    return True


def wants_team(body: Sequence[Statement]) -> bool:
    """Whether several threads find work in one turn of a loop with this body."""
    return any(
        isinstance(s, Intrinsic)
        or (isinstance(s, Alloc) and s.buffer.scope != "stack")
        or (isinstance(s, For | Reduce) and s.kind == "vector")
        for s in inside(body)
    )


def assigned_outside(body: Sequence[Statement]) -> set[str]:
    """Variables that the statements change but do not declare."""
    found: set[str] = set()
    own: set[str] = set()
    for s in inside(body):
        if isinstance(s, Declare):
            own.add(s.name)
        elif isinstance(s, Assign):
            found |= set(s.names)
    return found - own


@dataclass
class Hazards:
    """What a team has read and written since it last waited."""

    read: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)

    def conflict(self, read: set[str], written: set[str]) -> bool:
        """Whether threads must wait before these accesses."""
        return bool(
            read & self.written or written & self.written or written & self.read
        )

    def add(self, read: set[str], written: set[str]) -> None:
        """Notes accesses."""
        self.read |= read
        self.written |= written

    def clear(self) -> None:
        """All threads have waited."""
        self.read.clear()
        self.written.clear()

    def copy(self) -> Hazards:
        """As it is now."""
        return Hazards(set(self.read), set(self.written))


def touched(
    body: Sequence[Statement], buffers: dict[str, Buffer], folds: bool
) -> tuple[set[str], set[str]]:
    """Shared memory that the statements read and write; `folds`: that of folds too."""
    read, written = accesses(body)
    shared = {
        name
        for name in read | written
        if name not in buffers or buffers[name].scope not in ("input", "stack")
    }
    read, written = read & shared, written & shared
    if folds:
        own = {
            f"fold {s.results[0]}"
            for s in inside(body)
            if isinstance(s, Reduce) and s.kind == "vector"
        }
        written |= own
    return read, written


def stack_size(buffer: Buffer) -> int:
    """Elements of a small array of constant extents."""
    size = 1
    for extent in buffer.shape:
        assert isinstance(extent, Const)
        size *= int(extent.value)
    return size
