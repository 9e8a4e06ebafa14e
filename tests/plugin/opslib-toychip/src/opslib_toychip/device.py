"""The backend: what the chip is, what it promises, how programs get onto it."""

from __future__ import annotations

import itertools
import os
import pickle
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from opslib.errors import BackendUnavailable
from opslib.ir.algebra import Exact
from opslib.ir.dtypes import DType, compute_type
from opslib.ir.evaluator import Evaluator, Grid
from opslib.ir.expr import Program
from opslib.ir.printer import program_text
from opslib.runtime.protocol import Arithmetic, Device, View

from .driver import Handle, chip

DEVICE = Device(
    name="toychip:0",
    backend="toychip",
    description="a chip that does not exist, in a process of its own",
    family="toychip",
    simulated=True,
    host_memory=False,
)
# One that is there and cannot be used, as a machine may have.
BROKEN = Device(
    name="toychip:1",
    backend="toychip",
    description="its broken sibling",
    why_not="the second chip has lost its magic smoke; replace it",
    family="toychip",
    simulated=True,
    host_memory=False,
)
FUNCTIONS = """
    exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh
    acosh atanh atan2 hypot pow rsqrt sigmoid softplus log_sigmoid silu gelu gelu_tanh
    erf erfc
""".split()  # noqa: SIM905
_numbers = itertools.count(1)


class Kernel:
    """A program on the chip. Compiling is sending it there."""

    skeleton = "evaluator"

    def __init__(self, program: Program) -> None:
        self._program = program
        self._number = next(_numbers)
        # A program crosses into the chip's address space as bytes.
        self._bytes = pickle.dumps(program)
        self._sent_by = 0

    @property
    def source(self) -> str:
        """The program, as the chip reads it."""
        return program_text(self._program)

    def launch(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        sizes: Mapping[str, int],
        scalars: Mapping[str, int | float],
    ) -> Sequence[Any]:
        """Returns at once; the results are handles to memory not yet filled."""
        device = chip()
        if self._sent_by != os.getpid():
            device.post("program", self._number, pickle.loads(self._bytes))
            self._sent_by = os.getpid()
        shapes = output_shapes(self._program, sizes, scalars)
        made = [
            device.handle(t.dtype.numpy, shape)
            for t, shape in zip(self._program.outputs, shapes, strict=True)
        ]
        numbers = [h.number for h in inputs], [h.number for h in made]
        device.post("launch", self._number, *numbers, dict(sizes), dict(scalars))
        return made


def output_shapes(
    program: Program, sizes: Mapping[str, int], scalars: Mapping[str, int | float]
) -> list[tuple[int, ...]]:
    """Shapes of the outputs, known before anything has run."""
    algebra = Exact()
    evaluator = Evaluator(algebra, program, sizes, scalars)
    root: Grid[Any] = Grid((), {})
    return [
        tuple(int(algebra.data(evaluator.value(e, root, None))) for e in t.shape)
        for t in program.outputs
    ]


class ToychipBackend:
    """See `opslib.runtime.protocol.Backend`."""

    name = "toychip"
    protocol = 1
    strided = False

    def devices(self) -> Sequence[Device]:
        """One that works, and one that does not."""
        return (DEVICE, BROKEN)

    def supports(self, program: Program, device: Device) -> str | None:
        """Everything without float64."""
        if device.why_not is not None:
            return device.why_not
        tensors = (*program.inputs, *program.outputs)
        if any(t.dtype.name == "float64" for t in tensors):
            return "the chip has no float64"
        return None

    def arithmetic(self, dtype: DType, device: Device) -> Arithmetic | None:
        """That of NumPy, less float64, and subnormals are flushed."""
        if dtype.name == "float64":
            return None
        compute = compute_type(dtype)
        return Arithmetic(
            unit_roundoff=compute.unit_roundoff if compute.is_float else 0.0,
            accumulator=compute,
            ulp=dict.fromkeys(FUNCTIONS, 4.0),
            flushes=True,
        )

    def compile(self, program: Program, device: Device) -> Kernel:
        """Makes a kernel; nothing is sent before it is launched."""
        if device.why_not is not None:
            raise BackendUnavailable(device.why_not, code="E0801")
        return Kernel(program)

    def owner(self, array: Any) -> Device | None:
        """The chip, for its handles."""
        return DEVICE if isinstance(array, Handle) else None

    def asarray(self, array: Any, device: Device) -> Any:
        """Uploads a host array."""
        if isinstance(array, Handle):
            return array
        host = np.asarray(array, order="C")
        made = chip().handle(host.dtype, host.shape)
        chip().post("upload", made.number, host)
        return made

    def to_numpy(self, array: Any) -> Any:
        """Downloads; waits, and raises what went wrong on the way."""
        return chip().ask("download", array.number)

    def empty(self, shape: tuple[int, ...], dtype: DType, device: Device) -> Any:
        """Allocates."""
        made = chip().handle(dtype.numpy, shape)
        chip().post("allocate", made.number, dtype.numpy, shape)
        return made

    def view(self, array: Any, view: View) -> Any:
        """A copy on the chip, in the program's axes."""
        made = chip().handle(array.dtype, view.extents)
        chip().post("view", made.number, array.number, view)
        return made

    def synchronize(self, device: Device) -> None:
        """Waits for everything, and raises the first deferred error."""
        chip().ask("synchronize")
