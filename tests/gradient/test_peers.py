"""Derived gradients against those of JAX and PyTorch."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import opslib
from opslib.testing.inputs import NoCase, generator, regrouped

jax = pytest.importorskip("jax")
torch = pytest.importorskip("torch")
F = torch.nn.functional

HERE = Path(__file__).parent
WITHOUT = tomllib.loads((HERE / "without.toml").read_text())
NONE = {*WITHOUT["discrete"], *WITHOUT["constant"], *WITHOUT["other"]}
# Operators whose gradient JAX's own differs from, or does not have, with the reason.
JAX_DIFFERS: dict[str, str] = tomllib.loads((HERE / "jax.toml").read_text())["differs"]
TOLERANCE = 1e-9
TRIED = 40


@pytest.mark.parametrize(
    "name", [n for n in opslib.operators() if n not in NONE and n not in JAX_DIFFERS]
)
def test_jax_agrees(name: str, calls: ModuleType) -> None:
    call = None
    for number in range(1, TRIED, 2):
        try:
            call = calls.make(name, number)
        except NoCase:
            continue
        # A Python scalar cannot be traced.
        if call.is_full and not any(call.case.weak):
            break
    assert call is not None
    # Of operators that keep some values in float32, whatever the rest is.
    types = {a.dtype for a in call.inputs}
    tolerance = 1e-5 if np.dtype(np.float32) in types else TOLERANCE
    rng = generator("jax", name)
    cotangents = call.cotangents(rng)
    derived = call.gradients(cotangents)
    handle = call.function.handle
    attributes = {"backend": "jax"}

    def forward(*floats: Any) -> list[Any]:
        values = [jax.numpy.asarray(a) for a in call.inputs]
        for k, a in zip(call.floats, floats, strict=True):
            values[k] = a
        tensors = regrouped(call.case.tensors, values)
        found = handle.call(tensors, call.case.attributes, None, attributes["backend"])
        parts = list(found) if isinstance(found, tuple) else [found]
        return [parts[k] for k in call.results]

    with jax.enable_x64(True):
        primals = [jax.numpy.asarray(call.inputs[k]) for k in call.floats]
        _, pull = jax.vjp(forward, *primals)
        wanted = pull([jax.numpy.asarray(c) for c in cotangents])
    for k, want in zip(call.floats, wanted, strict=True):
        close(
            derived[k],
            np.asarray(want),
            f"input {k} of {call.case.describe()}",
            tolerance,
        )


def close(got: Any, want: Any, what: str, tolerance: float = TOLERANCE) -> None:
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    size = 1 + float(np.max(np.abs(want), initial=0, where=np.isfinite(want)))
    assert np.allclose(
        got, want, rtol=tolerance, atol=tolerance * size, equal_nan=True
    ), f"{what}: {got} is not {want}"


rng = np.random.default_rng(5)
X = rng.standard_normal((3, 8))
Y = rng.standard_normal((3, 8))
POSITIVE = np.abs(X) + 0.5
P = 1 / (1 + np.exp(-X))
W = rng.standard_normal(8)
IMAGE = rng.standard_normal((2, 4, 7, 6))
KERNEL = rng.standard_normal((6, 2, 3, 2))
LINE = rng.standard_normal((2, 4, 9))
Q, K, V = (rng.standard_normal((2, 3, n, 4)) for n in (5, 6, 6))
IDS = np.array([[1, 0, 2], [2, 2, 0], [1, 1, 1]])
CLASSES = np.array([1, 7, -100])

# Where torch computes with a constant of single precision: 1 / 6.
LOOSE = {"hardsigmoid": 1e-7}

Peer = Callable[..., Any]
# Operator, arrays, attributes, and torch's own of the arrays.
TORCH: list[tuple[str, tuple[Any, ...], dict[str, Any], Peer]] = [
    ("relu", (X,), {}, F.relu),
    ("gelu", (X,), {}, F.gelu),
    ("silu", (X,), {}, F.silu),
    ("mish", (X,), {}, F.mish),
    ("selu", (X,), {}, F.selu),
    ("elu", (X,), {}, F.elu),
    ("celu", (X,), {}, F.celu),
    ("softplus", (X,), {}, F.softplus),
    ("softsign", (X,), {}, F.softsign),
    ("hardswish", (X,), {}, F.hardswish),
    ("hardsigmoid", (X,), {}, F.hardsigmoid),
    ("leaky_relu", (X,), {}, F.leaky_relu),
    ("glu", (X,), {}, F.glu),
    ("erf", (X,), {}, torch.erf),
    ("pow", (POSITIVE, Y), {}, torch.pow),
    ("atan2", (X, Y), {}, torch.atan2),
    ("hypot", (X, Y), {}, torch.hypot),
    ("logaddexp", (X, Y), {}, torch.logaddexp),
    ("xlogy", (X, POSITIVE), {}, torch.xlogy),
    ("maximum", (X, Y), {}, torch.maximum),
    ("fmax", (X, Y), {}, torch.fmax),
    ("remainder", (X, Y), {}, torch.remainder),
    ("fmod", (X, Y), {}, torch.fmod),
    ("softmax", (X,), {}, lambda x: F.softmax(x, -1)),
    ("softmax", (X,), {"axis": 0}, lambda x: F.softmax(x, 0)),
    ("log_softmax", (X,), {}, lambda x: F.log_softmax(x, -1)),
    ("logsumexp", (X,), {"axis": 1}, lambda x: torch.logsumexp(x, 1)),
    ("max", (X,), {"axis": 1}, lambda x: torch.amax(x, 1)),
    ("prod", (X,), {"axis": 0}, lambda x: torch.prod(x, 0)),
    ("mean", (X,), {"axis": 0}, lambda x: torch.mean(x, 0)),
    ("var", (X,), {"axis": 1}, lambda x: torch.var(x, 1, correction=0)),
    ("cumsum", (X,), {}, lambda x: torch.cumsum(x, -1)),
    ("cumprod", (X,), {}, lambda x: torch.cumprod(x, -1)),
    ("cummax", (X,), {}, lambda x: torch.cummax(x, -1).values),
    ("logcumsumexp", (X,), {}, lambda x: torch.logcumsumexp(x, -1)),
    ("sort", (X,), {}, lambda x: torch.sort(x, -1).values),
    ("rms_norm", (X, W), {}, lambda x, w: F.rms_norm(x, (8,), w, 1e-6)),
    ("layer_norm", (X, W, W), {}, lambda x, w, b: F.layer_norm(x, (8,), w, b)),
    (
        "group_norm",
        (IMAGE, 2, W[:4], W[4:]),
        {},
        F.group_norm,
    ),
    ("instance_norm", (LINE, W[:4], W[4:]), {}, lambda x, w, b: F.instance_norm(
        x, weight=w, bias=b
    )),
    ("l2_normalize", (X,), {}, lambda x: F.normalize(x, dim=-1)),
    ("matmul", (X, Y.T), {}, torch.matmul),
    ("linear", (X, Y, W[:3]), {}, F.linear),
    ("bilinear", (X, Y, rng.standard_normal((2, 8, 8))), {}, F.bilinear),
    (
        "conv2d",
        (IMAGE, KERNEL, W[:6]),
        {"stride": 2, "padding": 1, "groups": 2},
        lambda x, w, b: F.conv2d(x, w, b, 2, 1, 1, 2),
    ),
    (
        "conv_transpose1d",
        (LINE, rng.standard_normal((4, 3, 3))),
        {"stride": 2, "padding": 1},
        lambda x, w: F.conv_transpose1d(x, w, None, 2, 1),
    ),
    (
        "max_pool2d",
        (IMAGE,),
        {"kernel_size": 3, "stride": 2, "padding": 1},
        lambda x: F.max_pool2d(x, 3, 2, 1),
    ),
    (
        "avg_pool2d",
        (IMAGE,),
        {"kernel_size": 2, "stride": 1},
        lambda x: F.avg_pool2d(x, 2, 1),
    ),
    ("mse_loss", (X, Y), {}, F.mse_loss),
    ("l1_loss", (X, Y), {"reduction": "sum"}, lambda x, y: F.l1_loss(
        x, y, reduction="sum"
    )),
    ("huber_loss", (X, Y), {}, F.huber_loss),
    ("binary_cross_entropy", (P, P[::-1].copy()), {}, F.binary_cross_entropy),
    ("cross_entropy", (X, CLASSES), {}, F.cross_entropy),
    ("cross_entropy", (X, CLASSES, POSITIVE[0]), {"label_smoothing": 0.1},
     lambda x, t, w: F.cross_entropy(x, t, w.detach(), label_smoothing=0.1)),
    ("embedding", (IDS, Y), {}, F.embedding),
    ("gather", (X, 1, IDS), {}, torch.gather),
    ("scatter_add", (X, 1, IDS, Y[:, :3].copy()), {}, torch.scatter_add),
    ("index_select", (X, 0, IDS[0]), {}, torch.index_select),
    (
        "scaled_dot_product_attention",
        (Q, K, V),
        {"is_causal": True},
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
    ),
]  # fmt: skip


@pytest.mark.parametrize("row", TORCH, ids=[f"{r[0]}-{k}" for k, r in enumerate(TORCH)])
def test_torch_agrees(
    row: tuple[str, tuple[Any, ...], dict[str, Any], Peer],
) -> None:
    name, given, attributes, peer = row
    tensors = [
        torch.tensor(a, requires_grad=a.dtype == np.float64)
        if isinstance(a, np.ndarray)
        else a
        for a in given
    ]
    result = peer(*tensors)
    dy = np.random.default_rng(9).standard_normal(tuple(result.shape))
    result.backward(torch.tensor(dy))
    found = getattr(opslib, name).grad(dy, *given, backend="numpy", **attributes)
    parts = found if isinstance(found, tuple) else (found,)
    wanted = [t.grad for t in tensors if getattr(t, "requires_grad", False)]
    for got, want in zip(parts, wanted, strict=True):
        if want is not None:  # Of what torch takes no gradient of.
            close(got, want.numpy(), name, LOOSE.get(name, TOLERANCE))


def test_tensors_of_torch_come_back_as_such() -> None:
    x, dy = torch.tensor(X), torch.tensor(Y)
    found = opslib.softmax.grad(dy, x)
    assert isinstance(found, torch.Tensor)
    want = torch.ops.aten._softmax_backward_data(
        dy, F.softmax(x, -1), -1, torch.float64
    )
    close(found, want, "softmax")


def test_arrays_of_jax_come_back_as_such() -> None:
    x = jax.numpy.asarray(X, "float32")
    dy = jax.numpy.asarray(Y, "float32")
    found = opslib.softmax.grad(dy, x)
    assert isinstance(found, jax.Array)
    _, pull = jax.vjp(jax.nn.softmax, x)
    close(found, pull(dy)[0], "softmax", 1e-6)
