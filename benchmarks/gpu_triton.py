"""Triton kernels for two of the workloads of `gpu_cases`: what one writes by hand."""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl


@triton.jit  # type: ignore[untyped-decorator]
def _add(a: Any, b: Any, c: Any, n: Any, block: tl.constexpr) -> None:
    at = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    inside = at < n
    total = tl.load(a + at, mask=inside) + tl.load(b + at, mask=inside)
    tl.store(c + at, total, mask=inside)


def add(a: Any, b: Any) -> Any:
    """The sum of two arrays of one shape, contiguous."""
    c = torch.empty_like(a)
    _add[(triton.cdiv(a.numel(), 2048),)](a, b, c, a.numel(), block=2048, num_warps=8)
    return c


@triton.jit  # type: ignore[untyped-decorator]
def _softmax(x: Any, y: Any, n: Any, block: tl.constexpr) -> None:
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, block)
    values = tl.load(x + row * n + at, mask=at < n, other=-float("inf")).to(tl.float32)
    powers = tl.exp(values - tl.max(values, 0))
    result = powers / tl.sum(powers, 0)
    tl.store(y + row * n + at, result.to(y.dtype.element_ty), mask=at < n)


def softmax(x: Any) -> Any:
    """Softmax of the rows of a matrix, each held by one block."""
    y = torch.empty_like(x)
    block = triton.next_power_of_2(x.shape[1])
    _softmax[(x.shape[0],)](x, y, x.shape[1], block=block, num_warps=16)
    return y
