"""The machine form: instructions on pipes, with what each reads and writes.

A core has a scalar unit ``S``, which runs the program and issues instructions to the
other pipes; each pipe runs its own in order, and nothing but flags orders one pipe
against another. So that the flags can be derived (flags.py) and checked (prove.py),
every instruction says which memory it touches. renderer.py prints this form.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from opslib.ir.expr import Expr

PIPES = ("S", "V", "MTE1", "MTE2", "MTE3", "M", "FIX")
# On-chip scopes, with the position that a static tensor of it names.
POSITIONS = {
    "ub": "VECCALC",
    "l1": "A1",
    "l1b": "B1",
    "l0a": "A2",
    "l0b": "B2",
    "l0c": "CO1",
}


@dataclass(frozen=True, slots=True)
class Buffer:
    """A static tensor on the chip.

    Attributes:
        name: in the text.
        ctype: of its elements.
        bytes: of one tile.
        scope: see `POSITIONS`.
        note: what it holds, for the plan printed in the kernel's comment.
    """

    name: str
    ctype: str
    bytes: int
    scope: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """Memory that an instruction touches.

    Attributes:
        buffer: of the chip, or an argument in global memory (``is_global``).
        write: whether it is written.
        place: where in global memory, as text; "" is anywhere.
        turns: loops each turn of which touches other memory, at the same `place`.
        parallel: parallel loops each turn of which touches memory of its own.
        side: of a parallel loop whose turns alternate between two sets of tensors.
        part: (loop, number) where a range of lanes is cut into parts: loops with a
            greater number are within the cut. Parts of one turn of all others touch
            different memory, at the same `place`.
    """

    buffer: str
    write: bool
    is_global: bool = False
    place: str = ""
    turns: tuple[int, ...] = ()
    parallel: tuple[int, ...] = ()
    side: int = 0
    part: tuple[int, int] = (0, 0)


@dataclass(eq=False, slots=True)
class Instruction:
    """One instruction of a pipe; a line of text. ``S`` is a scalar statement.

    `tells` is the flag that it sets for the cores of the other kind, when its pipe has
    done what it was given before; `hears` the one that it waits for, as all pipes do.
    """

    pipe: str
    text: str
    accesses: tuple[Access, ...] = ()
    tells: str = ""
    hears: str = ""


@dataclass(eq=False, slots=True)
class Block:
    """Statements in braces: a loop, a branch, or only a scope.

    kind: ``loop``, ``branch`` (may be skipped) or ``scope``. `number` names a loop in
    `Access.turns`.
    """

    kind: str
    head: str
    body: list[Node] = field(default_factory=list)
    number: int = 0


@dataclass(eq=False, slots=True)
class Sync:
    """Half of a flag, or a barrier of one pipe.

    kind: ``set``, ``wait`` or ``barrier``. Both halves, and for a flag carried from one
    turn of a loop to the next the ones that prime and drain it, have one `group`. A
    barrier of ``ALL`` holds every pipe until all have ended what they were given.
    `part` is the group that it had before flags were joined into one; 0: this one.
    """

    kind: str
    source: str
    target: str
    group: int
    event: int = 0
    part: int = 0

    @property
    def text(self) -> str:
        """The statement."""
        if self.kind == "barrier":
            return f"PipeBarrier<PIPE_{self.source}>();"
        verb = "SetFlag" if self.kind == "set" else "WaitFlag"
        return f"{verb}<HardEvent::{self.source}_{self.target}>({self.event});"


Node = Instruction | Block | Sync


@dataclass(eq=False, slots=True)
class Launch:
    """One kernel function; a barrier for the whole chip lies between two of them.

    Attributes:
        name: exported.
        unit: ``vector``, ``cube``, or ``aicore``, which is both in one core; ``mix``
            is a cube core with the vector cores that belong to it.
        body: its statements; of ``mix`` one block for each kind of core.
        buffers: on the chip, with addresses given by allocate.py.
        blocks: how many cores may share it: 0 for all there are.
        rows: (extent, shortest, longest) where it is for rows of these lengths, up to
            that of a tile; the launch after it then is for all other lengths.
    """

    name: str
    unit: str
    body: list[Node]
    buffers: list[Buffer]
    blocks: int = 0
    addresses: dict[str, int] = field(default_factory=dict)
    rows: tuple[Expr, int, int] | None = None


# The heads of the blocks of a ``mix`` launch.
CUBE_HALF, VECTOR_HALF = "if ASCEND_IS_AIC", "if ASCEND_IS_AIV"


def cores(launch: Launch) -> list[Launch]:
    """What each kind of core runs of a launch, as a launch of its own.

    Flags within a core are derived and proven for one core at a time; those between
    the cores of a ``mix`` launch are in its text as instructions.
    """
    if launch.unit != "mix":
        return [launch]
    found = []
    for half in launch.body:
        assert isinstance(half, Block)
        unit = "cube" if half.head == CUBE_HALF else "vector"
        mine = [b for b in launch.buffers if (b.scope == "ub") == (unit == "vector")]
        places = {b.name: launch.addresses[b.name] for b in mine}
        found.append(Launch(launch.name, unit, half.body, mine, 0, places))
    return found


def instructions(body: Sequence[Node]) -> Iterator[Instruction]:
    """All instructions, in the order of the text."""
    for node in body:
        if isinstance(node, Block):
            yield from instructions(node.body)
        elif isinstance(node, Instruction):
            yield node


def syncs(body: list[Node]) -> Iterator[Sync]:
    """All flags and barriers, in the order of the text."""
    for node in body:
        if isinstance(node, Block):
            yield from syncs(node.body)
        elif isinstance(node, Sync):
            yield node
