"""First calls: with an empty cache, with a full one, and over many shapes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap

import numpy as np

import opslib
from opslib.runtime.cache import default_cache

OPERATORS = ("add", "softmax", "layer_norm", "matmul", "scaled_dot_product_attention")
_ARGUMENTS = {
    "add": "ones(8, 8), ones(8, 8)",
    "softmax": "ones(8, 8)",
    "layer_norm": "ones(8, 8), ones(8), ones(8)",
    "matmul": "ones(8, 8), ones(8, 8)",
    "scaled_dot_product_attention": "ones(1, 2, 8, 4), ones(1, 2, 8, 4), "
    "ones(1, 2, 8, 4)",
}


def first_call(operator: str, cache: str) -> float:
    """Seconds of the first call of an operator in a new process."""
    code = f"""
    import time
    import numpy as np
    import opslib
    ones = lambda *shape: np.ones(shape, np.float32)
    arguments = ({_ARGUMENTS[operator]},)
    opslib.negative(ones(2), backend="cpu")  # the launcher and the thread pool
    start = time.perf_counter()
    opslib.{operator}(*arguments, backend="cpu")
    print(time.perf_counter() - start)
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OPSLIB_CACHE_DIR": cache},
    )
    return float(ran.stdout)


class FirstCalls:
    """Seconds of the first call in a process, cold and warm."""

    params = OPERATORS
    param_names = ("operator",)
    unit = "seconds"

    def setup(self, operator: str) -> None:
        self.cache = tempfile.mkdtemp(prefix="opslib-bench-")

    def teardown(self, operator: str) -> None:
        shutil.rmtree(self.cache, ignore_errors=True)

    def track_cold(self, operator: str) -> float:
        """With an empty cache: parsing, lowering, printing and the compiler."""
        return first_call(operator, self.cache)

    def track_warm(self, operator: str) -> float:
        """With the kernel on disk: all of it but the compiler."""
        first_call(operator, self.cache)
        return sorted(first_call(operator, self.cache) for _ in range(3))[1]


class Kernels:
    """How many kernels are compiled for 1000 random shapes; the budget is 8."""

    params = ("add", "softmax", "sum", "matmul", "layer_norm")
    param_names = ("operator",)
    unit = "kernels"

    def track_kernels(self, operator: str) -> int:
        with tempfile.TemporaryDirectory(prefix="opslib-bench-") as folder:
            os.environ["OPSLIB_CACHE_DIR"] = folder
            try:
                rng = np.random.default_rng(0)
                function = getattr(opslib, operator)
                for _ in range(1000):
                    function(*random_arguments(operator, rng), backend="cpu")
                return sum(
                    e.name.startswith(operator) for e in default_cache().entries()
                )
            finally:
                del os.environ["OPSLIB_CACHE_DIR"]


def random_arguments(operator: str, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Float32 arrays of rank 1 to 4, some of them broadcast or transposed."""
    rank = int(rng.integers(1, 5))
    shape = tuple(int(n) for n in rng.integers(1, 9, rank))

    def ones(*sizes: int) -> np.ndarray:
        return np.ones(sizes, np.float32)

    if operator == "matmul":
        m, k, n = (int(s) for s in rng.integers(1, 40, 3))
        left = ones(*shape[:-1], m, k)
        right = ones(n, k).T if rng.random() < 0.5 else ones(k, n)
        return left, right
    if operator == "layer_norm":
        return ones(*shape), ones(shape[-1]), ones(shape[-1])
    if operator == "add":
        other = tuple(1 if rng.random() < 0.3 else n for n in shape)
        return ones(*shape), ones(*other)
    return (ones(*shape),)
