"""The machine form: a program as launches, for C-like languages with blocks and warps.

Everything that a host must know to run the printed text is here as data; nothing has to
be read from the text. Extents are `Expr` over sizes, strides, integer attributes and
`MULTIPROCESSORS`; `opslib.lowering.numbers.number` gives their values, with
`Kernel.lets` for the variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opslib.ir import loops
from opslib.ir.dtypes import INT64, DType
from opslib.ir.expr import Expr, Scalar

# The device's number of multiprocessors, which the host knows under this name.
MULTIPROCESSORS = Scalar("multiprocessors", INT64)
# Words of the status that a kernel may leave: code (1: a check failed), its number, the
# value and the extent it is reported with; then where to note the same for the host.
STATUS_WORDS = 5
KINDS = ("input", "output", "workspace", "status", "integer", "real")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the kernels.

    Attributes:
        name: in the text.
        ctype: as declared, e.g. ``const float *__restrict__`` or ``int64_t``.
        kind: one of `KINDS`; ``integer`` is a size, a stride in elements or an integer
            attribute, ``real`` an attribute in `dtype`.
        source: the tensor, workspace or number that it is, by its name in the program
            (strides: ``<tensor>_stride<axis>``).
        dtype: of the elements, or of the number.
    """

    name: str
    ctype: str
    kind: str
    source: str
    dtype: DType


@dataclass(frozen=True, slots=True)
class Workspace:
    """Global memory that launches share; not initialised.

    Attributes:
        name: as a parameter's `source`.
        dtype: of the elements.
        count: how many of them.
    """

    name: str
    dtype: DType
    count: Expr


@dataclass(frozen=True, slots=True)
class Launch:
    """One function.

    Attributes:
        name: exported.
        parameters: names of the parameters it takes, in order.
        grid: blocks along x, y and z; where one is 0 there is nothing to launch.
        block: threads along x, y and z.
        shared: bytes of dynamic shared memory.
        condition: where it is not true, the launch is left out; None is always. Of
            several launches that do the same for different sizes one is true.
        body: lines of the text between the braces.
        notes: lines of its comment.
        resident: blocks that must fit a multiprocessor at once, which limits a thread's
            registers; 0: as it comes.
    """

    name: str
    parameters: tuple[str, ...]
    grid: tuple[Expr, Expr, Expr]
    block: tuple[int, int, int]
    shared: Expr
    condition: Expr | None
    body: tuple[str, ...]
    notes: tuple[str, ...] = ()
    resident: int = 0


@dataclass(frozen=True, slots=True)
class Kernel:
    """A whole operator: launches in order on one stream.

    Attributes:
        name: C identifier, the stem of its launches' names.
        skeleton: what it was lowered by.
        launches: in order; each sees all that those before it wrote.
        parameters: of all launches together, by name.
        workspaces: what the host must allocate.
        lets: definitions of variables that extents mention.
        loops: the kernel it was made from: argument buffers, sizes, messages of checks.
        can_fail: whether a check may fail; then one parameter is the status, zeros
            before the first launch.
        notes: for the comment.
    """

    name: str
    skeleton: str
    launches: tuple[Launch, ...]
    parameters: Mapping[str, Parameter]
    workspaces: tuple[Workspace, ...]
    lets: Mapping[str, Expr]
    loops: loops.Kernel
    can_fail: bool = False
    notes: tuple[str, ...] = ()
