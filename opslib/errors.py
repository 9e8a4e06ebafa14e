"""Every error of opslib: a sentence, a place, a remedy, and a stable code.

All of them pickle (workers of a process pool send them back) and all derive from
`OpslibError`, so `except opslib.OpslibError` catches whatever the library raises on
purpose. The second base class is what a NumPy user would expect to catch.
"""

from __future__ import annotations

from typing import Any


class OpslibError(Exception):
    """Base of all errors raised on purpose by opslib.

    Args:
        message: one sentence that says what is wrong, then optionally the place.
        code: the stable code, such as ``"E0203"``; listed in docs/errors.md.
        help: the remedy, one sentence; shown on a line of its own.
    """

    def __init__(self, message: str, *, code: str = "E0000", help: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.help = help

    def __str__(self) -> str:
        if self.message.startswith("error["):
            return self.message  # A rendered diagnostic: it has code and help in it.
        text = f"[{self.code}] {self.message}"
        return f"{text}\n  help: {self.help}" if self.help else text

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.code, self.help)


def _rebuild(
    kind: type[OpslibError], message: str, code: str, help: str
) -> OpslibError:
    return kind(message, code=code, help=help)


def said(error: BaseException) -> str:
    """The class of an error and the first line of its text, which may be empty."""
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class SpecError(OpslibError):
    """A spec text that is not a well-formed operator; carries carets in its text."""


class ShapeError(OpslibError, ValueError):
    """An array whose rank or sizes do not fit the operator's signature."""


class ArgumentError(OpslibError, ValueError):
    """An attribute whose value does not fit the operator's signature."""


class DTypeError(OpslibError, TypeError):
    """An array whose dtype does not fit, or a promotion the standard leaves open."""


class DeviceError(OpslibError, ValueError):
    """Arrays that live in different places, or a place the backend cannot reach."""


class OperandIndexError(OpslibError, IndexError):
    """A data-dependent index outside its operand's bounds."""


class BackendUnavailable(OpslibError, RuntimeError):
    """A backend that cannot be used here; the message says why and what to do."""


class CompileError(OpslibError, RuntimeError):
    """Generated source that the compiler refused, or a compiler that failed."""


class KernelError(OpslibError, RuntimeError):
    """A kernel that ran and reported a failure (out of memory, a lost device)."""


class DeviceFailure(KernelError):
    """A device, or memory on it, that failed: it says nothing about the kernel.

    Out of memory, a driver, a lost device. No verdict about a kernel is kept of it.
    """


class VerifyError(OpslibError, RuntimeError):
    """A pass that produced an ill-formed program: a bug in opslib, never the user's."""


class OpslibWarning(UserWarning):
    """Category of every warning opslib emits (fallbacks, simulators, cache folders)."""
