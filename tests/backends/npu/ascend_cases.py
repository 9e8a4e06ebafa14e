"""Kernels for the tests of the Ascend generator, and how they run on the twin."""

from __future__ import annotations

import importlib.util
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from opslib.backends.npu.ascend import plan, renderer, simulator
from opslib.backends.npu.ascend.lower import lower
from opslib.backends.npu.targets import DEFAULT

from opslib.errors import KernelError
from opslib.ir.evaluate import evaluate
from opslib.runtime import cache as kernel_cache
from opslib.runtime import toolchain

FFI = simulator._FFI
SYNC = re.compile(r"\s+(WaitFlag|CrossCoreWaitFlag|PipeBarrier)")


def programs() -> Any:
    """tests/programs.py; see conftest.py."""
    name = "opslib_test_programs"
    if name not in sys.modules:
        file = Path(__file__).parents[2] / "programs.py"
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def case(operator: str, *arrays: Any, **attributes: Any) -> Any:
    """A program bound to arrays, in the order of the operator's tensors."""
    library = programs().load_library()
    names = [p.name for p in library[operator].tensors]
    return programs().case(operator, dict(zip(names, arrays, strict=False)), attributes)


def normal(*shape: int, dtype: str = "float32", seed: int = 0) -> Any:
    """Normal numbers, the same ones each time."""
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


@dataclass
class Built:
    """A program on the twin, with its switch for mutations."""

    made: plan.Program
    text: str
    entries: list[Any]
    drop: Any

    def run(self, found: Any, cores: int = 0) -> list[Any]:
        """The outputs; raises KernelError with the twin's findings."""
        outputs = [
            np.zeros(found.shapes[t.name], t.dtype.numpy) for t in found.program.outputs
        ]
        inputs = [np.ascontiguousarray(a) for a in found.arrays]
        simulator.run(
            self.made, self.entries, inputs, outputs, found.sizes, found.scalars,
            DEFAULT, found.program.name, cores=cores,
        )  # fmt: skip
        return outputs

    def findings(self, found: Any, cores: int = 1) -> str:
        """The twin's words, or nothing."""
        try:
            self.run(found, cores)
        except KernelError as error:
            return error.message
        return ""

    def lines(self) -> list[int]:
        """The lines of waits and barriers, from 1."""
        rows = self.text.split("\n")
        return [k for k, row in enumerate(rows, 1) if SYNC.match(row)]


_BUILT: dict[Any, Built] = {}


def built(found: Any) -> Built:
    """The program of a case, compiled."""
    if found.program not in _BUILT:
        made = lower(found.program, found.program.name)
        _BUILT[found.program] = compiled(made, renderer.print_unit([made]))
    return _BUILT[found.program]


def compiled(made: plan.Program, text: str) -> Built:
    """A text of a program (that tests may have changed), compiled."""
    library = kernel_cache.default_cache().load(
        simulator.with_entries(text, [made]),
        f"ascend_{made.name}",
        toolchain.find_toolchain("c++"),
        simulator.flags(DEFAULT),
        timeout_s=600,
    )
    entries = [
        FFI.cast("opslib_twin", library.symbol(f"{x.name}_twin")) for x in made.launches
    ]
    drop = FFI.cast("void (*)(int)", library.symbol("opslib_twin_drop_line"))
    return Built(made, text, entries, drop)


def expected(found: Any) -> list[Any]:
    """What the spec means, in float64."""
    values = evaluate(*found.arguments, precision="wide")
    return [values[t.name] for t in found.program.outputs]


@cache
def has_compiler() -> bool:
    """Whether the twin can be compiled."""
    try:
        toolchain.find_toolchain("c++")
    except Exception:
        return False
    return True
