"""What a call costs before any arithmetic: 16 floats, which fit a cache line."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np

import opslib


class SmallCalls:
    """Seconds of add, and of operators with attributes, on 16 floats."""

    params = ("opslib", "opslib named", "numpy", "torch")
    param_names = ("library",)
    repeat = (10, 100, 3.0)

    def setup(self, library: str) -> None:
        a, b = np.ones(16, np.float32), np.ones(16, np.float32)
        self.a: Any = a
        self.b: Any = b
        if library == "torch":
            if importlib.util.find_spec("torch") is None:
                raise NotImplementedError("torch is not installed")
            import torch

            self.a, self.b = torch.from_numpy(a), torch.from_numpy(b)
            self.add: Any = torch.add
            self.softmax: Any = lambda x: torch.softmax(x, -1)
        elif library == "numpy":
            self.add = np.add
            self.softmax = _numpy_softmax
        elif library == "opslib":
            self.add, self.softmax = opslib.add, opslib.softmax
        else:
            # With an argument that leaves the prepared path.
            self.add = lambda x, y: opslib.add(x, y, backend="cpu")
            self.softmax = lambda x: opslib.softmax(x, backend="cpu")
        for _ in range(3):
            self.add(self.a, self.b)
            self.softmax(self.a)

    def time_add(self, library: str) -> None:
        self.add(self.a, self.b)

    def time_softmax(self, library: str) -> None:
        self.softmax(self.a)


def _numpy_softmax(x: Any) -> Any:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


class Imports:
    """Seconds until opslib is imported, in a fresh process."""

    def timeraw_import(self) -> str:
        return "import opslib"

    def timeraw_import_and_specs(self) -> str:
        return "import opslib; opslib.spec_library()"
