"""Costs against counts by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import opslib

F = np.float32


def zeros(*shape: int, dtype: Any = F) -> Any:
    return np.zeros(shape, dtype)


def test_matmul_is_two_operations_for_each_product() -> None:
    cost = opslib.matmul.cost(zeros(5, 7), zeros(7, 3))
    assert cost.flops == 2 * 5 * 7 * 3
    assert cost.transcendental == 0
    assert cost.bytes_read == 4 * (5 * 7 + 7 * 3)
    assert cost.bytes_written == 4 * 5 * 3


def test_add_broadcasts() -> None:
    cost = opslib.add.cost(zeros(4, 6), zeros(6))
    assert (cost.flops, cost.bytes_read, cost.bytes_written) == (24, 4 * 30, 4 * 24)


def test_softmax() -> None:
    m, n = 3, 10
    cost = opslib.softmax.cost(zeros(m, n))
    # For each element a maximum, a difference, an exp, a sum and a division.
    assert cost.flops == 4 * m * n
    assert cost.transcendental == m * n
    assert cost.bytes_read == cost.bytes_written == 4 * m * n


def test_reductions_and_scans() -> None:
    assert opslib.sum.cost(zeros(3, 10)).flops == 30
    assert opslib.mean.cost(zeros(3, 10), axis=1).flops == 30 + 3
    assert opslib.cumsum.cost(zeros(5, 8)).flops == 40
    assert opslib.sort.cost(zeros(5, 8)).flops == 5 * 8 * 3


def test_conv2d_with_its_attributes() -> None:
    image, kernel = zeros(2, 3, 9, 9), zeros(4, 3, 3, 3)
    cost = opslib.conv2d.cost(image, kernel, stride=2, padding=1)
    points = 2 * 4 * 5 * 5
    assert 2 * 27 * points <= cost.flops <= 2 * 27 * points + 2 * points
    assert cost.bytes_written == 4 * points


def test_a_gather_reads_what_it_takes() -> None:
    cost = opslib.embedding.cost(zeros(5, dtype=np.int64), zeros(1000, 7))
    assert cost.bytes_read == 5 * 8 + 5 * 7 * 4
    assert cost.flops == 0


def test_absent_arrays_cost_nothing() -> None:
    plain = opslib.layer_norm.cost(zeros(5, 8))
    scaled = opslib.layer_norm.cost(zeros(5, 8), zeros(8), zeros(8))
    assert scaled.bytes_read == plain.bytes_read + 2 * 8 * 4
    assert scaled.flops >= plain.flops


def test_attention_is_two_products() -> None:
    q = zeros(2, 4, 16, 8)
    cost = opslib.attention.cost(q, q, q)
    products = 2 * (2 * 2 * 4 * 16 * 16 * 8)
    assert products <= cost.flops <= 1.3 * products
    assert cost.intensity > 1


@pytest.mark.parametrize("name", opslib.operators())
def test_every_operator_has_a_cost(name: str) -> None:
    from opslib.analysis.cost import program_cost
    from opslib.dispatch.caches import program_for
    from opslib.ir.sample import sample_binding

    operator = opslib.spec_library()[name]
    for present in (True, False):
        binding = sample_binding(operator, present=present)
        program = program_for(operator, binding.statics, opslib.spec_library())
        cost = program_cost(program, binding.sizes, binding.scalars)
        assert min(cost.flops, cost.bytes_read, cost.transcendental) >= 0
        assert cost.bytes_written >= 0
