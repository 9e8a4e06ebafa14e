"""What `benchmarks/gpu.py` times: workloads, and who else can compute them.

Sizes are those of language models of 7 to 70 billion parameters. Data are random
normal numbers; zeros would make tensor cores draw less power and clock higher.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.gpu_timing import Contender

# Sets of buffers: together larger than any L2 cache (B200: 126 MB), and several.
_ROTATED_BYTES = 512 << 20
_MOST_SETS = 16


@dataclass(frozen=True, slots=True)
class Case:
    """One workload.

    Attributes:
        name: operator and sizes.
        shapes: of the arrays.
        dtype: torch's name.
        opslib, torch: functions of the arrays; the first is opslib's call.
        kind: ``memory`` or ``matrix``: which ceiling it is measured against.
        bytes_: moved at least: every array read once, every result written once.
        flops: of the products.
        triton: name of a kernel of `gpu_triton`.
        goal: what the issue asks for, in words.
    """

    name: str
    shapes: tuple[tuple[int, ...], ...]
    dtype: str
    opslib: Callable[..., Any]
    torch: Callable[..., Any]
    kind: str
    bytes_: int
    flops: int = 0
    triton: str = ""
    goal: str = ""

    @property
    def sets(self) -> int:
        """How many sets of buffers are rotated."""
        return max(2, min(_MOST_SETS, -(-_ROTATED_BYTES // max(self.bytes_, 1))))


def _elements(*shapes: Sequence[int]) -> int:
    return sum(math.prod(s) for s in shapes)


_SIZE = {"float32": 4, "bfloat16": 2, "float16": 2}


def cases(tiny: bool = False) -> tuple[Case, ...]:
    """All workloads, the most telling first: a run that is short of time ends early.

    With `tiny` the arrays are small: a dry run asks whether they can be called.
    """
    import torch.nn.functional as functional

    import opslib

    found: list[Case] = []

    def memory(
        name: str,
        shapes: tuple[tuple[int, ...], ...],
        result: tuple[int, ...],
        dtype: str,
        ours: Callable[..., Any],
        torch: Callable[..., Any],
        triton: str = "",
    ) -> None:
        moved = _elements(*shapes, result) * _SIZE[dtype]
        sizes = "x".join(map(str, shapes[0]))
        found.append(
            Case(
                f"{name} {sizes} {dtype}", shapes, dtype, ours, torch, "memory", moved,
                triton=triton, goal="92 % of copy, 1.0x torch.compile",
            )
        )  # fmt: skip

    def matmul(n: int, dtype: str) -> None:
        n = n >> 8 if tiny else n
        found.append(
            Case(
                f"matmul {n}x{n}x{n} {dtype}", ((n, n), (n, n)), dtype,
                opslib.matmul, lambda a, b: a @ b, "matrix",
                3 * n * n * _SIZE[dtype], 2 * n**3, goal="95 % of cuBLAS",
            )
        )  # fmt: skip

    def attention(
        batch: int, heads: int, length: int, width: int, causal: bool
    ) -> None:
        if tiny:
            heads, length, width = 2, length >> 8, 16
        shape = (batch, heads, length, width)
        flops = 4 * batch * heads * length * length * width // (2 if causal else 1)
        found.append(
            Case(
                f"attention {batch}x{heads}x{length}x{width} bfloat16"
                f"{' causal' if causal else ''}",
                (shape,) * 3, "bfloat16",
                lambda q, k, v: opslib.scaled_dot_product_attention(
                    q, k, v, is_causal=causal
                ),
                lambda q, k, v: functional.scaled_dot_product_attention(
                    q, k, v, is_causal=causal
                ),
                "matrix", 4 * math.prod(shape) * 2, flops,
                goal="the fastest torch backend",
            )
        )  # fmt: skip

    wide = 48 if tiny else 8192
    row = (wide, wide)
    memory(
        "softmax", (row,), row, "bfloat16",
        opslib.softmax, lambda x: functional.softmax(x, -1), "softmax",
    )  # fmt: skip
    matmul(8192, "bfloat16")
    attention(4, 32, 4096, 128, True)
    memory("add", (row, row), row, "float32", opslib.add, lambda a, b: a + b, "add")
    memory(
        "rms_norm", (row, (wide,)), row, "bfloat16",
        lambda x, w: opslib.rms_norm(x, w),
        lambda x, w: functional.rms_norm(x, (x.shape[-1],), w, 1e-6),
    )  # fmt: skip
    memory("gelu", (row,), row, "bfloat16", opslib.gelu, functional.gelu)
    memory(
        "sum", (row,), (wide,), "float32",
        lambda x: opslib.sum(x, axis=-1), lambda x: x.sum(-1),
    )  # fmt: skip
    memory(
        "layer_norm", (row, (wide,), (wide,)), row, "float32",
        lambda x, w, b: opslib.layer_norm(x, w, b),
        lambda x, w, b: functional.layer_norm(x, (x.shape[-1],), w, b),
    )  # fmt: skip
    matmul(4096, "bfloat16")
    matmul(16384, "bfloat16")
    matmul(4096, "float32")
    attention(1, 32, 16384, 128, True)
    attention(4, 32, 4096, 64, False)
    # A launch's own cost: 4 KB fit everywhere.
    memory(
        "add", ((1024,), (1024,)), (1024,), "float32", opslib.add, lambda a, b: a + b
    )
    return tuple(found)


def buffers(case: Case, seed: int = 0, where: str = "cuda") -> list[tuple[Any, ...]]:
    """Sets of random arrays on the GPU."""
    import torch

    draw = torch.Generator(device=where).manual_seed(seed)
    kind = getattr(torch, case.dtype)
    return [
        tuple(
            torch.randn(s, generator=draw, device=where, dtype=kind)
            for s in case.shapes
        )
        for _ in range(case.sets)
    ]


def contenders(case: Case, sets: Sequence[tuple[Any, ...]]) -> list[Contender]:
    """opslib first, then its peers; one that is not installed says so."""
    import torch

    def on(function: Callable[..., Any]) -> Callable[[int], Any]:
        return lambda k: function(*sets[k])

    # On the host, of a dry run, its compiler would take minutes.
    how = {} if sets[0][0].is_cuda else {"backend": "eager"}
    compiled = torch.compile(case.torch, dynamic=False, **how)
    found = [
        Contender("opslib", on(case.opslib)),
        Contender("torch", on(case.torch)),
        Contender("torch.compile", on(compiled)),
    ]
    if case.name.startswith("matmul"):
        # Which may be a library's; this is opslib's own kernel.
        found.append(Contender("opslib generated", on(_generated(case.opslib))))
    if case.name.startswith("attention"):
        found += _attention_backends(case, sets)
    if case.triton:
        found.append(_triton(case.triton, sets))
    found.append(_jax(case, sets))
    return found


def _generated(function: Callable[..., Any]) -> Callable[..., Any]:
    import opslib

    def call(*arrays: Any) -> Any:
        with opslib.use(providers=False):
            return function(*arrays)

    return call


def _attention_backends(case: Case, sets: Sequence[tuple[Any, ...]]) -> list[Contender]:
    """Each of torch's own, of which its choice above is one."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    def by(backend: Any) -> Callable[[int], Any]:
        def call(k: int) -> Any:
            with sdpa_kernel(backend):
                return case.torch(*sets[k])

        return call

    return [
        Contender("torch flash", by(SDPBackend.FLASH_ATTENTION)),
        Contender("torch cudnn", by(SDPBackend.CUDNN_ATTENTION)),
    ]


def _triton(name: str, sets: Sequence[tuple[Any, ...]]) -> Contender:
    try:
        from benchmarks import gpu_triton

        kernel = getattr(gpu_triton, name)
    except ImportError as error:
        return Contender("triton", lambda k: None, why_not=f"not installed: {error}")
    return Contender("triton", lambda k: kernel(*sets[k]))


def _jax(case: Case, sets: Sequence[tuple[Any, ...]]) -> Contender:
    """XLA's, on the same memory; it has a stream of its own, so by the host's clock."""
    try:
        import jax
        import jax.numpy as jnp

        if jax.default_backend() != "gpu":
            raise ImportError("jax sees no GPU")
        functions: dict[str, Callable[..., Any]] = {
            "softmax": lambda x: jax.nn.softmax(x, -1),
            "matmul": jnp.matmul,
            "add": jnp.add,
            "gelu": lambda x: jax.nn.gelu(x, approximate=False),
            "sum": lambda x: jnp.sum(x, -1),
        }
        function = functions.get(case.name.partition(" ")[0])
        if function is None:
            raise ImportError("no counterpart was written")
    except ImportError as error:
        return Contender("jax", lambda k: None, clock="wall", why_not=str(error))
    compiled = jax.jit(function)
    own = [tuple(jax.dlpack.from_dlpack(a) for a in each) for each in sets]
    return Contender(
        "jax", lambda k: compiled(*own[k]).block_until_ready(), clock="wall"
    )
