"""Two products around a softmax as one kernel for both kinds of cores.

What is recognised is the streaming contraction (opslib.lowering.skeletons.streaming),
not attention. A core with a cube takes blocks of `ROWS` rows, and each of the two cores
with vector units that belong to it takes half of the rows. They pass tiles to each
other through a workspace, which stays in L2, in two sets:

    cube core                         vector cores
    scores of step k + 1  --SCORES->  weights of step k + 1: exp(score - peak so far)
    weights times values  <-WEIGHTS-  of step k, as they are done
    products of step k    --PRODUCTS> sums of step k: rescaled, and the products added

A step is `STEP` keys. While the vector cores weigh one step, the cube multiplies the
step before and scores the next. Weights are float32. The cube takes 16 bits, so they
come in `parts`, each the rest of the one before in the type of the values, whose
products it adds up; with them every weight has as many bits as a float32.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from opslib.codegen.c_names import Names
from opslib.ir import expr, loops
from opslib.ir.dtypes import DTYPES, INT64, DType
from opslib.ir.expr import (
    ONE,
    Cast,
    Const,
    Expr,
    Index,
    Prim,
    Read,
    Select,
    Var,
    free_indices,
    is_const,
    substitute,
    walk,
)
from opslib.lowering.flatten import Group
from opslib.lowering.skeletons import nest, streaming
from opslib.lowering.skeletons.contraction import plain_read
from opslib.lowering.skeletons.streaming import Streaming

from ..targets import AscendTarget
from .across import answers
from .contraction import show_arguments
from .cube import MOST_PITCH
from .flags import insert_flags
from .functions import TABLE
from .lanes_state import Cannot
from .machine import CUBE_HALF, VECTOR_HALF, Block, Launch
from .plan import Limit, Pointer, Program

# Rows of a block, half of them for each vector core; keys of a step; and the longest
# rows of q and k, and of v. 64 rows of sums then take 32 KiB of UB, and a panel of k
# 64 KiB of L1. A step is 8 x 8 x 8, which is three of BlockReduceMax.
ROWS, STEP, DEEP, WIDE = 128, 512, 256, 128
HALF = ROWS // 2
# In how many parts of a type a float32 goes: 24 bits as 11 + 11 and more, 8 + 8 + 8.
PARTS = {"float16": 2, "bfloat16": 3}
# float16 has no small numbers: weights of at most 1 are multiplied by this first, which
# is exact, and taken back with the division at the end.
LIFT = {"float16": 32768.0}
# Ids of the flags between cores.
FLAGS = {"SCORES": 0, "WEIGHTS": 1, "PRODUCTS": 2}

NOTES = (
    f"the cube core scores {ROWS} rows and {STEP} keys at a time, and multiplies the",
    f"weights of the step before; each vector core weighs and sums {HALF} of the rows",
)

FromLoops = Callable[[loops.Kernel, str, AscendTarget], Program]


@dataclass(frozen=True, slots=True)
class Attention:
    """A streaming contraction that both kinds of cores can share.

    Attributes:
        s: the contraction.
        q, k, v: reads of an element.
        dtype: of all three.
        outputs: (buffer, value over Var("m"), Var("bare") and Var("weighted"), whether
            it has columns).
        buffers: of the arguments, by name.
    """

    s: Streaming
    q: Read
    k: Read
    v: Read
    dtype: DType
    outputs: tuple[tuple[loops.Buffer, Expr, bool], ...]
    buffers: dict[str, loops.Buffer]

    @property
    def parts(self) -> int:
        """Into how many numbers of 16 bits a weight goes."""
        return PARTS[self.dtype.name]

    def pitch(self, read: Read, axis: str) -> Expr:
        """Elements from one value of an index to the next."""
        names = [i.name for i in read.indices if isinstance(i, Index)]
        return self.buffers[read.tensor].strides[names.index(axis)]


def lower(
    program: expr.Program, name: str, target: AscendTarget, from_loops: FromLoops
) -> Program | None:
    """The program as one launch of all cores; None where that is not possible."""
    from .attention_cube import CubeHalf
    from .attention_vector import VectorHalf

    if not target.separate or target.l0a_layout != "zz":
        return None
    s = streaming.match(program)
    if s is None:
        return None
    score, settled = _settled(s.score)
    s = dataclasses.replace(s, score=score)
    kernel = nest.lower(s.program, {}, name, "streaming", transposes=False)
    found = attention_of(s, kernel, target)
    if found is None:
        return None
    # What the loops check, they check before anything else.
    checks = kernel.body[:-1] if s.program.checks else ()
    made = from_loops(
        dataclasses.replace(kernel, body=checks, notes=NOTES), f"{name}_checks", target
    )
    spaces = workspaces(found)
    pointers = (*made.pointers[:-3], *spaces, *made.pointers[-3:])
    made = dataclasses.replace(made, pointers=pointers)
    try:
        cube = CubeHalf(_names(made), found)
        vector = VectorHalf(_names(made), found, target)
        for half in (cube, vector):
            show_arguments(half, made)
            half.emit()
        launches = cube.launch(name), vector.launch(name)
    except Cannot:
        return None
    chip, addresses = [], {}
    back = answers(*(launch.body for launch in launches))
    for launch, known in zip(launches, back, strict=True):
        insert_flags(launch, target.event_ids, known)
        chip += launch.buffers
        addresses.update(launch.addresses)
    both = Launch(
        name,
        "mix",
        [
            Block("branch", CUBE_HALF, launches[0].body),
            Block("branch", VECTOR_HALF, launches[1].body),
        ],
        chip,
    )
    both.addresses = addresses
    before = made.launches if checks else ()
    return dataclasses.replace(
        made,
        name=name,
        launches=(*before, both),
        limits=(*settled, *limits(found)),
    )


def _settled(score: Expr) -> tuple[Expr, list[Limit]]:
    """The score without long functions, and the attributes that allow that.

    With a softcap, for one, scores need a tanh, and another kernel takes over.
    """
    found: list[Limit] = []
    for n in walk(score):
        if isinstance(n, Select) and not free_indices(n.condition):
            long = [_is_long(branch) for branch in (n.yes, n.no)]
            if long.count(True) == 1:
                kept = int(long[1])
                found.append(Limit(n.condition, kept, kept))
                score = substitute(score, {n: n.yes if kept else n.no})
    return score, found


def _is_long(value: Expr) -> bool:
    """Whether a value has a function that takes the vector unit a formula."""
    return any(isinstance(n, Prim) and n.op in TABLE for n in walk(value))


def attention_of(
    s: Streaming, kernel: loops.Kernel, target: AscendTarget
) -> Attention | None:
    """The matrices of a streaming contraction, if the cube can load them.

    Float32 is not for it: of wider elements than 16 bits the values cannot be turned on
    their way to L0B.
    """
    if s.segment is not None or s.hidden or s.v is None:
        return None
    if len(s.d.axes) != 1 or len(s.columns.axes) != 1 or s.dtype.name != "float32":
        return None
    buffers = {b.name: b for b in (*kernel.inputs, *kernel.outputs)}
    (deep,), (column,) = s.d.axes, s.columns.axes
    reads = [plain_read(x) for x in (s.q, s.k, s.v)]
    q, k, v = reads
    if q is None or k is None or v is None:
        return None
    dtype = q.type
    if {k.type, v.type} != {dtype} or dtype.name not in PARTS:
        return None
    if dtype.name == "bfloat16" and not target.bf16_cube:
        return None
    batch = s.batch.names
    if not (
        _is_matrix(q, buffers, s.rows, batch, deep.name)
        and _is_matrix(k, buffers, Group((s.j,)), batch, deep.name)
        and _is_matrix(v, buffers, Group((s.j,)), batch, column.name)
    ):
        return None
    outputs = []
    for name, axes, value in s.outputs:
        buffer = buffers[name]
        wide = column.name in {a.name for a in axes}
        read = Read(name, tuple(a.index for a in axes), buffer.dtype)
        assert isinstance(read, Read)
        last = column.name if wide else ""
        if not _is_matrix(read, buffers, s.rows, batch, last):
            return None
        inner = value.value if isinstance(value, Cast) else value
        rounded = buffer.dtype if isinstance(value, Cast) else inner.dtype
        if inner.dtype.name != "float32" or rounded != buffer.dtype:
            return None
        if buffer.dtype.name not in ("float32", *PARTS) or (
            not wide and buffer.dtype.name != "float32"
        ):
            return None
        if wide and not linear(inner):
            return None
        outputs.append((buffer, inner, wide))
    if sum(wide for *_, wide in outputs) != 1:
        return None
    return Attention(s, q, k, v, dtype, tuple(outputs), buffers)


def _is_matrix(
    read: Read,
    buffers: dict[str, loops.Buffer],
    rows: Group,
    batch: frozenset[str],
    last: str,
) -> bool:
    """Whether the rows lie one behind the other, `last` is contiguous.

    Arrays come contiguous; axes of rows that are neighbours are one axis.
    """
    buffer = buffers[read.tensor]
    if not all(isinstance(i, Index) for i in read.indices):
        return False
    names = [i.name for i in read.indices if isinstance(i, Index)]
    mine = [a.name for a in rows.axes]
    known = {*mine, *batch, *([last] if last else [])}
    if len(set(names)) < len(names) or not set(names) <= known:
        return False
    if not set(mine) <= set(names) or (last and names[-1] != last):
        return False
    at = names.index(mine[0])
    if names[at : at + len(mine)] != mine:
        return False
    whole = zip(rows.axes[1:], buffer.shape[at + 1 :], strict=False)
    if any(a.stop is not extent for a, extent in whole):
        return False
    return buffer.strides[-1] is ONE and (bool(last) or names[-1] == mine[-1])


def linear(value: Expr) -> bool:
    """Whether `value` is a multiple of ``weighted``."""
    match value:
        case Var("weighted"):
            return True
        case Select(condition, yes, no):
            return not _weighted(condition) and all(
                is_const(x, 0.0) or linear(x) for x in (yes, no)
            )
        case Prim("mul", (a, b)):
            return (linear(a) and not _weighted(b)) or (linear(b) and not _weighted(a))
        case Prim("div", (a, b)):
            return linear(a) and not _weighted(b)
    return False


def _weighted(value: Expr) -> bool:
    return any(isinstance(n, Var) and n.name == "weighted" for n in walk(value))


def limits(a: Attention) -> list[Limit]:
    """What the sizes of a call must keep to."""
    (deep,), (column,) = a.s.d.axes, a.s.columns.axes
    found = [Limit(deep.stop, 1, DEEP), Limit(column.stop, 1, WIDE)]
    row = a.s.rows.axes[-1].name
    for read, axis in ((a.q, row), (a.k, a.s.j.name), (a.v, a.s.j.name)):
        found.append(Limit(a.pitch(read, axis), 1, MOST_PITCH))
    return found


def workspaces(a: Attention) -> list[Pointer]:
    """What the cores of a block pass to each other, in two sets."""
    sizes = (
        ("scores_space", "float32", ROWS * STEP),
        ("weights_space", a.dtype.name, a.parts * ROWS * STEP),
        ("products_space", "float32", ROWS * WIDE),
    )
    found = []
    for name, dtype, count in sizes:
        shape = (Const(2 * count, INT64),)
        buffer = loops.Buffer(name, DTYPES[dtype], shape, (ONE,), "workspace")
        ctype = {"float32": "float", "float16": "half"}.get(dtype, "bfloat16_t")
        memory, length = f"{name}_memory", f"{name}_count"
        found.append(Pointer(name, memory, ctype, "workspace", length, buffer, True))
    return found


def _names(made: Program) -> Names:
    names = Names()
    for word in ("numbers", "reals", "status", "opslib", "TILE", *FLAGS):
        names.fresh(word)
    for p in made.pointers[:-3]:
        names.fresh(p.name)
    for c, *_ in (*made.values, *made.reals):
        names.fresh(c)
    return names


__all__ = ["FLAGS", "ROWS", "STEP", "Attention", "attention_of", "limits", "lower"]
