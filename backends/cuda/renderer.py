"""Launches as text: one function each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from opslib.codegen.c_style import wrapped
from opslib.codegen.c_types import Dialect

from .dialect import CUDA
from .machine import Kernel, Launch


def print_unit(kernels: Sequence[Kernel], dialect: Dialect = CUDA) -> str:
    """A translation unit of several kernels, whose names differ."""
    lines = list(dialect.includes)
    for kernel in kernels:
        for launch in kernel.launches:
            lines += ["", *_function(kernel, launch)]
    return "\n".join(lines) + "\n"


def _function(kernel: Kernel, launch: Launch) -> Iterator[str]:
    text = [f"{launch.name}: skeleton {kernel.skeleton}", *kernel.notes, *launch.notes]
    safe = [t.replace("*/", "* /").replace("\\", "/") for t in text]
    if len(safe) == 1:
        yield f"/* {safe[0]} */"
    else:
        yield from (f"/* {safe[0]}", *(f" * {t}" for t in safe[1:]), " */")
    given = [_declared(kernel.parameters[n].ctype, n) for n in launch.parameters]
    threads = launch.block[0] * launch.block[1] * launch.block[2]
    bounds = f"{threads}, {launch.resident}" if launch.resident else f"{threads}"
    yield f'extern "C" __global__ void __launch_bounds__({bounds}) {launch.name}('
    yield from _filled(given)
    for line in launch.body:
        yield from wrapped(line)
    yield "}"


def _declared(ctype: str, name: str) -> str:
    return f"{ctype}{name}" if ctype.endswith("*") else f"{ctype} {name}"


def _filled(given: Sequence[str], width: int = 88) -> Iterator[str]:
    """Parameters on as few lines as hold them."""
    line = "   "
    for k, g in enumerate(given):
        text = f" {g}" + (") {" if k == len(given) - 1 else ",")
        if len(line) + len(text) > width:
            yield line
            line = "   "
        line += text
    yield line if given else "    ) {"
