"""What `opslib.use` sets, for the current context: backend, fallback, receipts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Literal

from opslib.errors import ArgumentError
from opslib.runtime import registry

Fallback = Literal["error", "warn", "allow"]
Accumulate = Literal["float32", "float64"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """Which kernel ran a call.

    Attributes:
        operator: its name.
        device: where it ran.
        skeleton: what kind of kernel (``map``, ``contraction``, ``array`` ...).
        dtypes: of the inputs, by the program's names.
        shapes: of the inputs, as the caller gave them.
        simulated: whether the device is a simulator.
        fallback: why the wanted device did not run it; empty when it did.
        accumulate: the narrowest type that its long sums of floats are kept in, by the
            backend's promise; empty without floats.
    """

    operator: str
    device: str
    skeleton: str
    dtypes: tuple[tuple[str, str], ...]
    shapes: tuple[tuple[int, ...], ...]
    simulated: bool = False
    fallback: str = ""
    accumulate: str = ""

    def __str__(self) -> str:
        text = f"{self.operator} ran on {self.device} ({self.skeleton})"
        if self.simulated:
            text += ", simulated"
        return f"{text}; {self.fallback}" if self.fallback else text


@dataclass(frozen=True, slots=True)
class State:
    """Settings of a context. `receipts` collects when it is not None."""

    backend: str | None = None
    fallback: Fallback = "error"
    receipts: list[Receipt] | None = field(default=None, compare=False)
    accumulate: str | None = None
    providers: bool = True

    @property
    def is_plain(self) -> bool:
        """Whether a prepared call does all that these settings ask for."""
        return (
            self.receipts is None
            and self.fallback == "error"
            and self.accumulate is None
            and self.providers
        )


# None while nothing is set, which is what the fast path asks for.
state: ContextVar[State | None] = ContextVar("opslib_state", default=None)


@contextmanager
def use(
    backend: str | None = None,
    *,
    fallback: Fallback | None = None,
    accumulate: Accumulate | None = None,
    providers: bool | None = None,
) -> Iterator[None]:
    """Sets the backend (and policies) for the calls in a ``with`` block.

    Args:
        backend: a backend's or device's name; None keeps the one in force.
        fallback: what happens when that device cannot run an operator: ``error``
            (the default), ``warn`` or ``allow`` (another device runs it).
        accumulate: ``float32`` or ``float64``: long sums of floats are kept in a type
            at least that wide; None keeps what is in force. A device that does not
            promise it does not run the call. NumPy's computes in float64 throughout:
            it is ``numpy:float64``, which then stands in for ``numpy``.
        providers: whether vendors' libraries (aclnn on an Ascend chip) may run
            operators where they pass for right; False leaves opslib's own kernels, as
            ``OPSLIB_PROVIDERS=never`` does for the process. None keeps what is in
            force.

    The setting follows the context (threads start without it, tasks inherit it).

    Raises:
        ArgumentError: `fallback` or `backend` is of another kind.
        BackendUnavailable: no backend of that name is registered.
    """
    if not _is_one_of(fallback, ("error", "warn", "allow")):
        raise ArgumentError(
            f"fallback must be 'error', 'warn' or 'allow', not {fallback!r}",
            code="E0704",
        )
    if not _is_one_of(accumulate, ("float32", "float64")):
        raise ArgumentError(
            f"accumulate must be 'float32' or 'float64', not {accumulate!r}",
            code="E0704",
        )
    if providers is not None and not isinstance(providers, bool):
        raise ArgumentError(
            f"providers must be True or False, not {providers!r}", code="E0704"
        )
    if backend is not None and not isinstance(backend, str):
        raise ArgumentError(
            f"a backend is named by a string, not {backend!r}",
            code="E0704",
            help="opslib.devices() lists them",
        )
    if backend is not None:
        registry.known(backend)
    old = state.get() or State()
    new = replace(
        old,
        backend=backend if backend is not None else old.backend,
        fallback=fallback if fallback is not None else old.fallback,
        accumulate=accumulate if accumulate is not None else old.accumulate,
        providers=providers if providers is not None else old.providers,
    )
    token = state.set(new)
    try:
        yield
    finally:
        state.reset(token)


def _is_one_of(value: object, words: tuple[str, ...]) -> bool:
    # By type first: an array compares with a word element by element.
    return value is None or (isinstance(value, str) and value in words)


@contextmanager
def receipts() -> Iterator[list[Receipt]]:
    """Collects a `Receipt` for each call in the block, in order."""
    collected: list[Receipt] = []
    token = state.set(replace(state.get() or State(), receipts=collected))
    try:
        yield collected
    finally:
        state.reset(token)
