"""``python planted.py HOW FAULT...``: whether fenced.py finds faults of planted.c.

Says as JSON how each ended, and what was said of it.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import tempfile
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from fenced import HERE, Launches, strict

from opslib.runtime import cache, launcher, toolchain


class Planted:
    """What `Launches` needs of a kernel, for a function of planted.c."""

    def __init__(self, name: str) -> None:
        loaded = cache.default_cache().load(
            (HERE / "planted.c").read_text(encoding="utf-8"),
            "planted",
            toolchain.find_toolchain(),
            ("-std=gnu11", "-O1"),
        )
        self.program = SimpleNamespace(name=name)
        self.address = loaded.symbol(name)

    def variant(self, arrays: Sequence[Any]) -> Planted:
        """Itself."""
        return self

    def ints(
        self,
        arrays: Sequence[Any],
        sizes: Mapping[str, int],
        scalars: Mapping[str, int | float],
    ) -> bytes:
        """The length and the strides."""
        return struct.pack("=3q", len(arrays[0]), *(a.strides[0] // 4 for a in arrays))

    def reals(self, scalars: Mapping[str, int | float]) -> bytes:
        """None."""
        return b""

    def launch(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        sizes: Mapping[str, int],
        scalars: Mapping[str, int | float],
    ) -> Sequence[Any]:
        """What the kernel should do."""
        outputs[0][...] = inputs[0]
        return outputs


def trial(how: str, fault: str) -> None:
    """Launches the kernel on a row of each stride."""
    launches = Launches(how)
    launches.launch = Planted.launch
    for stride in (1, 2):
        x = np.arange(2, 2 + 37 * stride, dtype=np.float32)[::stride]
        y = np.zeros(37 * stride, np.float32)[::stride]
        launches(Planted(fault), [x], [y], {}, {})
    print(*launches.problems, sep="\n", flush=True)


def main(how: str, faults: Sequence[str]) -> None:
    """Tries each fault in a process of its own, and says how that ended."""
    strict()  # Compiled and loaded once, before any of them.
    Planted(faults[0])
    launcher.implementation()
    ends = {}
    for fault in faults:
        with tempfile.TemporaryFile() as said:
            process = os.fork()
            if process == 0:
                os.dup2(said.fileno(), 1)
                os.dup2(said.fileno(), 2)
                trial(how, fault)
                os._exit(0)
            status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            said.seek(0)
            ends[fault] = status, said.read().decode("utf-8", "replace")
    print(json.dumps(ends))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
