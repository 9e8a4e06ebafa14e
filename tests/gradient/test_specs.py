"""The texts of gradients: readable, and the programs that they were written from."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import opslib

SHOWN = (
    "rms_norm",
    "layer_norm",
    "softmax",
    "log_softmax",
    "silu",
    "gelu",
    "relu",
    "matmul",
    "linear",
    "embedding",
    "conv1d",
    "max_pool1d",
    "cumsum",
    "cumprod",
    "linear_recurrence",
    "selective_scan",
    "sort",
    "topk",
    "scatter",
    "concat",
    "dropout",
    "logprobs_from_logits",
    "cross_entropy",
    "scaled_dot_product_attention",
)


@pytest.mark.parametrize("name", SHOWN)
def test_the_text_is_as_reviewed(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"golden/gradients/{name}.op", str(getattr(opslib, name).grad))


def test_rms_norm_reads_like_the_textbook() -> None:
    text = str(opslib.rms_norm.grad)
    assert "r[...b] = rsqrt(mean[j](x[...b, j]^2) + eps)" in text
    assert "r[...b] * (dy[...b, j] * weight[j] - a[...b] * r[...b]^2 * x[...b, j])" in (
        text
    )


def test_pivots_have_no_gradient() -> None:
    # The maximum is read in the exponent only: there is no test for who attains it.
    for name in ("softmax", "log_softmax", "softmin", "logsumexp", "softmax_with_sink"):
        text = str(getattr(opslib, name).grad)
        adjoints = [line for line in text.split("\n") if line.startswith("    d")]
        assert not any(" == " in line for line in adjoints), f"{name}:\n{text}"
        assert "count[" not in text, f"{name}:\n{text}"


def test_the_text_is_an_operator_on_its_own() -> None:
    made = opslib.op(str(opslib.layer_norm.grad))
    assert made.__name__ == "layer_norm_grad"


def test_one_spec_serves_all_ranks_and_types() -> None:
    grad = opslib.rms_norm.grad
    assert grad.text("float64", rank=3) == grad.text("bfloat16", rank=0)
    assert "T[...s, n]" in grad.text()


def test_casts_of_the_spec_stay_in_its_gradient() -> None:
    # llama_rms_norm rounds the normalised value before the weight multiplies it; the
    # gradient of the weight is of the rounded value.
    text = str(opslib.llama_rms_norm.grad)
    assert "T(x[...b, i] * r[...b])" in text or "T(x[...b, j] * r[...b])" in text, text
