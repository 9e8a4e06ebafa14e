"""The chip: a process with memory of its own that executes commands in order.

Memory that a failed launch should have filled is poisoned: it holds the error. What
reads it is poisoned too, and whoever downloads it, or synchronises, gets the error.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from opslib.errors import KernelError, OpslibError
from opslib.ir.evaluate import evaluate


class Memory:
    """Arrays (or the errors that took their place) by number."""

    def __init__(self) -> None:
        self.arrays: dict[int, Any] = {}
        self.programs: dict[int, Any] = {}
        self.first_error: OpslibError | None = None

    def upload(self, number: int, array: Any) -> None:
        self.arrays[number] = array

    def allocate(self, number: int, dtype: Any, shape: tuple[int, ...]) -> None:
        self.arrays[number] = np.zeros(shape, dtype)

    def free(self, numbers: list[int]) -> None:
        for number in numbers:
            self.arrays.pop(number, None)

    def view(self, number: int, source: int, view: Any) -> None:
        array = self.arrays[source]
        if not isinstance(array, OpslibError):
            array = array.transpose(view.permutation).reshape(view.shape)
            array = np.broadcast_to(array, view.extents).copy(order="C")
        self.arrays[number] = array

    def program(self, number: int, program: Any) -> None:
        self.programs[number] = program

    def launch(
        self,
        kernel: int,
        inputs: list[int],
        outputs: list[int],
        sizes: Any,
        scalars: Any,
    ) -> None:
        program = self.programs[kernel]
        try:
            given = {}
            for t, number in zip(program.inputs, inputs, strict=True):
                array = self.arrays[number]
                if isinstance(array, OpslibError):
                    raise array
                given[t.name] = array
            with np.errstate(all="ignore"):
                found = evaluate(program, given, sizes, scalars)
            made = [flushed(found[t.name], t.dtype.numpy) for t in program.outputs]
        except OpslibError as error:
            made = [error] * len(outputs)
        except Exception as error:  # the chip must survive whatever a launch does
            text = f"the chip failed: {type(error).__name__}: {error}"
            made = [KernelError(text, code="E0804")] * len(outputs)
        for number, array in zip(outputs, made, strict=True):
            self.arrays[number] = array
            if isinstance(array, OpslibError):
                self.first_error = self.first_error or array

    def download(self, number: int) -> Any:
        array = self.arrays[number]
        if isinstance(array, OpslibError):
            self.first_error = None
            raise array
        return array

    def synchronize(self) -> None:
        error, self.first_error = self.first_error, None
        if error is not None:
            raise error


def flushed(array: Any, dtype: Any) -> Any:
    """The array with subnormal numbers as zeros of their sign."""
    array = np.asarray(array, dtype, order="C")
    if dtype != np.float32:
        return array
    tiny = np.finfo(np.float32).tiny
    small = (np.abs(array) < tiny) & (array != 0)
    return np.where(small, np.copysign(np.float32(0), array), array)


def main() -> None:
    """Executes commands until the host closes the pipe."""
    commands, answers = sys.stdin.buffer, sys.stdout.buffer
    memory = Memory()
    table: dict[str, Callable[..., Any]] = {
        name: getattr(memory, name)
        for name in (
            "upload",
            "allocate",
            "free",
            "view",
            "program",
            "launch",
            "download",
            "synchronize",
        )
    }
    while True:
        try:
            name, *arguments = pickle.load(commands)
        except EOFError:
            return
        try:
            answer = ("value", table[name](*arguments))
        except OpslibError as error:
            answer = ("error", error)
        except Exception as error:  # a command that makes no sense must not kill it
            text = f"{name} failed: {type(error).__name__}: {error}"
            memory.first_error = KernelError(text, code="E0804")
            answer = ("error", memory.first_error)
        if name in ("download", "synchronize"):
            pickle.dump(answer, answers)
            answers.flush()


if __name__ == "__main__":
    main()
