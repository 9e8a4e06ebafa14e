"""The Backend protocol, version 1: what a chip vendor implements to join opslib.

A plug-in is a package with an entry point in the group ``opslib.backends`` whose value
is a function without arguments that returns a `Backend`. Everything a backend is
handed is plain data of `opslib.ir`; nothing assumes that the host can read its memory,
that launches are synchronous, or that float64 exists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from opslib.ir.dtypes import DType
from opslib.ir.expr import Program
from opslib.ir.view import View

__all__ = [
    "PROTOCOL_VERSION",
    "Arithmetic",
    "Backend",
    "Device",
    "Hosts",
    "Kernel",
    "PreparedCalls",
    "Prepares",
    "ProvidedKernel",
    "Provides",
    "View",
]

PROTOCOL_VERSION = 1


@dataclass(frozen=True, slots=True)
class Device:
    """A place where kernels run.

    Attributes:
        name: ``cpu``, ``jax:0``, ``npu:ascend-sim`` ...; unique in the process.
        backend: the backend's name.
        description: for people, e.g. ``AMD EPYC, 2 threads, AVX-512``.
        why_not: None when usable, else one sentence with the remedy.
        family: key of the routing table, e.g. ``cpu-avx512``, ``sm_90``.
        simulated: never picked automatically.
        host_memory: whether kernels read NumPy arrays in place.
        named_only: runs only by its own name, not by its backend's: its arithmetic is
            not what a caller who names the backend would expect.
    """

    name: str
    backend: str
    description: str
    why_not: str | None = None
    family: str = ""
    simulated: bool = False
    host_memory: bool = True
    named_only: bool = False


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """What a backend promises about a dtype's arithmetic; tests judge it by this.

    Attributes:
        unit_roundoff: of basic operations in the type's compute type.
        accumulator: the type long sums are kept in.
        ulp: primitive -> worst error in units in the last place of the compute type;
            a primitive that is absent is correctly rounded.
        flushes: subnormal operands or results may become zero.
        narrow: a type, no wider than the compute type, in which every value is held.
            Beyond its range, and from a nan, anything may come, at every step.
    """

    unit_roundoff: float
    accumulator: DType
    ulp: Mapping[str, float] = field(default_factory=dict)
    flushes: bool = False
    narrow: DType | None = None


@runtime_checkable
class Kernel(Protocol):
    """A compiled program. Thread-safe; launches with any sizes of its rank."""

    @property
    def skeleton(self) -> str:
        """Which skeleton (or ``library``, ``array``) the kernel came from."""

    @property
    def source(self) -> str:
        """Readable source, as it was compiled or interpreted."""

    def launch(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        sizes: Mapping[str, int],
        scalars: Mapping[str, int | float],
    ) -> Sequence[Any]:
        """Runs on the backend's arrays, in the program's axes.

        `outputs` are arrays to write in place where the backend is `strided`;
        otherwise they are ignored and new arrays are returned. Always returns the
        outputs. May return before the work is done when the backend is asynchronous.
        Raises OperandIndexError and KernelError, at the latest on `synchronize`.
        """


@runtime_checkable
class Backend(Protocol):
    """One device family. See docs/adding-a-backend.md for the bring-up order."""

    @property
    def name(self) -> str:
        """The name users write: ``backend="cpu"``."""

    @property
    def protocol(self) -> int:
        """The protocol version it was written for: `PROTOCOL_VERSION`."""

    @property
    def strided(self) -> bool:
        """Whether kernels read and write through strides, in place."""

    def devices(self) -> Sequence[Device]:
        """Every device, usable or not (`Device.why_not`); the best one first."""

    def supports(self, program: Program, device: Device) -> str | None:
        """None when `compile` will succeed, else the reason why not."""

    def arithmetic(self, dtype: DType, device: Device) -> Arithmetic | None:
        """Its promise about a dtype; None when it has no such type."""

    def compile(self, program: Program, device: Device) -> Kernel:
        """Compiles; raises CompileError or BackendUnavailable."""

    def owner(self, array: Any) -> Device | None:
        """The device on which `array` lives, if it is this backend's kind of array."""

    def asarray(self, array: Any, device: Device) -> Any:
        """Imports a NumPy array (or, without a copy where possible, a DLPack one)."""

    def to_numpy(self, array: Any) -> Any:
        """Exports to NumPy; waits for pending work on it."""

    def empty(self, shape: tuple[int, ...], dtype: DType, device: Device) -> Any:
        """Allocates; contents are arbitrary."""

    def view(self, array: Any, view: View) -> Any:
        """The array in a program's axes; shares memory where `strided`."""

    def synchronize(self, device: Device) -> None:
        """Waits for all launches and raises the first deferred error."""


# -- optional -------------------------------------------------------------------------


@runtime_checkable
class ProvidedKernel(Kernel, Protocol):
    """A vendor's library as one more way to run an operator of the shipped specs.

    It is held to the spec as a compiled kernel is: the routing table or a self-check
    must pass it. `skeleton` therefore names the call and the library's version, such as
    ``aclnn:aclnnMatmul@1.17.0``: a verdict is of these alone.
    """

    def takes(
        self, sizes: Mapping[str, int], scalars: Mapping[str, int | float]
    ) -> bool:
        """Whether the library can do a call of these sizes and attributes."""


@runtime_checkable
class Provides(Protocol):
    """A backend that runs some programs by libraries besides compiling them."""

    def provided(self, program: Program, device: Device) -> Sequence[ProvidedKernel]:
        """Kernels of libraries for the program, the one to be tried first in front.

        Called only for programs whose ``claim`` names an operator of the shipped specs
        and that were expanded from it. They are preferred to what `compile` gives.
        Never raises for a library that is missing: that gives nothing.
        """


class PreparedCalls(Protocol):
    """Prepared calls of one operator with certain attributes; see `Prepares`."""

    def __call__(self, arrays: tuple[Any, ...]) -> Any:
        """The result of a call with these arrays; None where none is prepared."""

    def add(
        self,
        plan: Any,
        arrays: tuple[Any, ...],
        pack: Any,
        scalar: Callable[[Any, DType], Any],
    ) -> None:
        """Prepares calls like one that just ran, where that can be.

        Args:
            plan: an `opslib.dispatch.plan.Plan`.
            arrays: of the call, in parameter order; None where absent.
            pack: makes the result of several outputs; None for one.
            scalar: makes a Python number an array without axes.
        """


@runtime_checkable
class Prepares(Protocol):
    """A backend that takes over calls like those that it ran, on its own arrays."""

    def prepared_calls(self) -> PreparedCalls:
        """An empty one, for an operator with certain attributes."""


@runtime_checkable
class Hosts(Protocol):
    """A strided backend on whose devices arrays of other libraries live.

    Such arrays are used where they lie, and results are given in the caller's kind.
    """

    def strides(self, array: Any) -> tuple[int, ...]:
        """Of an array that `Backend.owner` knows, in elements."""

    def empty_like(
        self, like: Any, shape: tuple[int, ...], dtype: DType, device: Device
    ) -> Any:
        """For a result: an array of `like`'s library where that can make one."""

    def restored(self, array: Any, like: Any) -> Any:
        """A result that was made by `empty_like`, as an array of `like`'s library."""
