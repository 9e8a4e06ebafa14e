"""The operators' functions. Generated from specs/*.op; do not edit.

Made by ``python -m opslib.dispatch.generate``; a test keeps it fresh.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from opslib.dispatch.handle import Handle as _Handle
from opslib.dispatch.handle import attach as _attach
from opslib.dispatch.state import state as _context

Array = Any
DTypeLike = Any
_state = _context.get


_abs = _Handle("abs")


def abs(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """|x|. The smallest integer has no counterpart and stays itself; abs(-0) is 0.

    Follows numpy.abs (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _abs.plain(x)  # type: ignore[no-any-return]
    return _abs.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_acos = _Handle("acos")


def acos(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Arc cosine, in 0 .. pi; nan outside [-1, 1].

    Follows numpy.acos (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _acos.plain(x)  # type: ignore[no-any-return]
    return _acos.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_acosh = _Handle("acosh")


def acosh(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Inverse hyperbolic cosine; nan for x < 1.

    Follows numpy.acosh (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _acosh.plain(x)  # type: ignore[no-any-return]
    return _acosh.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_adaptive_avg_pool1d = _Handle("adaptive_avg_pool1d")


def adaptive_avg_pool1d(
    input: Array,
    output_size: int | Sequence[int],
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """The last axis divided into output_size parts, which may overlap by one element: the mean of each.

    Follows torch.nn.functional.adaptive_avg_pool1d (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _adaptive_avg_pool1d.fast(output_size)(input)  # type: ignore[no-any-return]
    return _adaptive_avg_pool1d.call(
        (input,), {"output_size": output_size}, out, backend
    )  # type: ignore[no-any-return]


_adaptive_avg_pool2d = _Handle("adaptive_avg_pool2d")


def adaptive_avg_pool2d(
    input: Array,
    output_size: int | Sequence[int],
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """The image divided into output_size parts, which may overlap by one element: the mean of each.

    Follows torch.nn.functional.adaptive_avg_pool2d (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _adaptive_avg_pool2d.fast(output_size)(input)  # type: ignore[no-any-return]
    return _adaptive_avg_pool2d.call(
        (input,), {"output_size": output_size}, out, backend
    )  # type: ignore[no-any-return]


_adaptive_max_pool2d = _Handle("adaptive_max_pool2d")


def adaptive_max_pool2d(
    input: Array,
    output_size: int | Sequence[int],
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """The image divided into output_size parts, which may overlap by one element: the largest of each.

    Follows torch.nn.functional.adaptive_max_pool2d (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _adaptive_max_pool2d.fast(output_size)(input)  # type: ignore[no-any-return]
    return _adaptive_max_pool2d.call(
        (input,), {"output_size": output_size}, out, backend
    )  # type: ignore[no-any-return]


_add = _Handle("add")


def add(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Sum; integers wrap.

    Follows numpy.add (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _add.plain(x1, x2)  # type: ignore[no-any-return]
    return _add.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_addcdiv = _Handle("addcdiv")


def addcdiv(
    input: Array,
    tensor1: Array,
    tensor2: Array,
    *,
    value: float = 1.0,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """input + value tensor1 / tensor2, rounded once for 16-bit floats.

    Follows torch.addcdiv (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _addcdiv.fast(value)(input, tensor1, tensor2)  # type: ignore[no-any-return]
    return _addcdiv.call(
        (
            input,
            tensor1,
            tensor2,
        ),
        {"value": value},
        out,
        backend,
    )  # type: ignore[no-any-return]


_addcmul = _Handle("addcmul")


def addcmul(
    input: Array,
    tensor1: Array,
    tensor2: Array,
    *,
    value: float = 1.0,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """input + value tensor1 tensor2, rounded once for 16-bit floats.

    Follows torch.addcmul (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _addcmul.fast(value)(input, tensor1, tensor2)  # type: ignore[no-any-return]
    return _addcmul.call(
        (
            input,
            tensor1,
            tensor2,
        ),
        {"value": value},
        out,
        backend,
    )  # type: ignore[no-any-return]


_addmm = _Handle("addmm")


def addmm(
    input: Array,
    mat1: Array,
    mat2: Array,
    *,
    beta: float = 1.0,
    alpha: float = 1.0,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """beta input + alpha mat1 mat2; input is broadcast to the product. With beta = 0 it is not read.

    Follows torch.addmm (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _addmm.fast(beta, alpha)(input, mat1, mat2)  # type: ignore[no-any-return]
    return _addmm.call(
        (
            input,
            mat1,
            mat2,
        ),
        {"beta": beta, "alpha": alpha},
        out,
        backend,
    )  # type: ignore[no-any-return]


_alibi_bias = _Handle("alibi_bias")


def alibi_bias(
    slopes: Array,
    *,
    queries: int,
    keys: int,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Linear biases for attention: slopes [h] -> [h, queries, keys], the slope times the distance j - (i + keys -
    queries), 0 at the query's own position and negative before it. Press, Smith & Lewis, 2022.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _alibi_bias.fast(queries, keys)(slopes)  # type: ignore[no-any-return]
    return _alibi_bias.call((slopes,), {"queries": queries, "keys": keys}, out, backend)  # type: ignore[no-any-return]


_all = _Handle("all")


def all(
    x: Array,
    /,
    *,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Whether all elements are true (a number: not 0; nan is not 0). Of nothing: true.

    Follows numpy.all (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _all.fast(axis, keepdims)(x)  # type: ignore[no-any-return]
    return _all.call((x,), {"axis": axis, "keepdims": keepdims}, out, backend)  # type: ignore[no-any-return]


_any = _Handle("any")


def any(
    x: Array,
    /,
    *,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Whether any element is true (a number: not 0; nan is not 0). Of nothing: false.

    Follows numpy.any (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _any.fast(axis, keepdims)(x)  # type: ignore[no-any-return]
    return _any.call((x,), {"axis": axis, "keepdims": keepdims}, out, backend)  # type: ignore[no-any-return]


_apply_rotary = _Handle("apply_rotary")


def apply_rotary(
    x: Array,
    cos: Array,
    sin: Array,
    *,
    interleaved: bool = False,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Rotary position embedding by given cosines and sines: x [..., n, h, d], cos and sin [n, r]. Of the d
    entries of a head the first 2 r turn: entry c with c + r, or with its neighbour when interleaved.

    Follows flash_attn.layers.rotary.apply_rotary_emb (adapted: n and h may have any number of axes before them).
    """
    if out is None and backend is None and _state() is None:
        return _apply_rotary.fast(interleaved)(x, cos, sin)  # type: ignore[no-any-return]
    return _apply_rotary.call(
        (
            x,
            cos,
            sin,
        ),
        {"interleaved": interleaved},
        out,
        backend,
    )  # type: ignore[no-any-return]


_arange = _Handle("arange")


def arange(
    start: int,
    /,
    stop: int | None = None,
    step: int = 1,
    *,
    dtype: DTypeLike | None = None,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """The integers start, start + step, ... before stop; with one argument, 0 .. start - 1.

    Follows numpy.arange (adapted: integers only; for floats use linspace).
    """
    if out is None and backend is None and _state() is None:
        return _arange.fast(start, stop, step, dtype)()  # type: ignore[no-any-return]
    return _arange.call(
        (), {"start": start, "stop": stop, "step": step, "dtype": dtype}, out, backend
    )  # type: ignore[no-any-return]


_argmax = _Handle("argmax")


def argmax(
    x: Array,
    /,
    *,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Index of the largest element, flat over the axes that are folded. Of equal elements the first;
    the first nan, if there is one, counts as the largest. There must be at least one element.

    Follows numpy.argmax (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _argmax.fast(axis, keepdims)(x)  # type: ignore[no-any-return]
    return _argmax.call((x,), {"axis": axis, "keepdims": keepdims}, out, backend)  # type: ignore[no-any-return]


_argmin = _Handle("argmin")


def argmin(
    x: Array,
    /,
    *,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Index of the smallest element, flat over the axes that are folded. Of equal elements the first;
    the first nan, if there is one, counts as the smallest. There must be at least one element.

    Follows numpy.argmin (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _argmin.fast(axis, keepdims)(x)  # type: ignore[no-any-return]
    return _argmin.call((x,), {"axis": axis, "keepdims": keepdims}, out, backend)  # type: ignore[no-any-return]


_argsort = _Handle("argsort")


def argsort(
    x: Array,
    /,
    *,
    descending: bool = False,
    axis: int = -1,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """The indices that sort an axis; equal elements keep their order, also when descending.

    Follows numpy.argsort (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _argsort.fast(descending, axis)(x)  # type: ignore[no-any-return]
    return _argsort.call((x,), {"descending": descending, "axis": axis}, out, backend)  # type: ignore[no-any-return]


_asin = _Handle("asin")


def asin(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Arc sine, in -pi/2 .. pi/2; nan outside [-1, 1].

    Follows numpy.asin (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _asin.plain(x)  # type: ignore[no-any-return]
    return _asin.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_asinh = _Handle("asinh")


def asinh(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Inverse hyperbolic sine.

    Follows numpy.asinh (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _asinh.plain(x)  # type: ignore[no-any-return]
    return _asinh.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_astype = _Handle("astype")


def astype(
    x: Array,
    /,
    dtype: DTypeLike,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Every element converted to a dtype. To an integer: towards zero; to bool: whether it is not 0; to
    a narrower float: to nearest, ties to even. A float that does not fit the integer is not defined
    by the array API, and differs between devices.

    Follows numpy.astype (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _astype.fast(dtype)(x)  # type: ignore[no-any-return]
    return _astype.call((x,), {"dtype": dtype}, out, backend)  # type: ignore[no-any-return]


_atan = _Handle("atan")


def atan(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Arc tangent, in -pi/2 .. pi/2.

    Follows numpy.atan (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _atan.plain(x)  # type: ignore[no-any-return]
    return _atan.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_atan2 = _Handle("atan2")


def atan2(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Angle of the point (x2, x1), in -pi .. pi, with the special cases of C99.

    Follows numpy.atan2 (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _atan2.plain(x1, x2)  # type: ignore[no-any-return]
    return _atan2.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_atanh = _Handle("atanh")


def atanh(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Inverse hyperbolic tangent; inf and -inf at 1 and -1, nan outside.

    Follows numpy.atanh (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _atanh.plain(x)  # type: ignore[no-any-return]
    return _atanh.call((x,), {}, out, backend)  # type: ignore[no-any-return]


class AttentionResult(NamedTuple):
    """Results of `attention`."""

    o: Array
    lse: Array | None = None


_attention = _Handle("attention", AttentionResult)


def attention(
    q: Array,
    k: Array,
    v: Array,
    mask: Array | None = None,
    bias: Array | None = None,
    sink: Array | None = None,
    *,
    scale: float | None = None,
    causal: bool = False,
    softcap: float = 0.0,
    window: int | Sequence[int] = -1,
    return_lse: bool = False,
    out: tuple[Array, ...] | None = None,
    backend: str | None = None,
) -> AttentionResult:
    """Attention with everything that models add to it, causal from the bottom-right corner: the last query
    sees the last key, as in decoding with a cache.

    q: [..., g r, s, d], k: [..., g, t, d], v: [..., g, t, e] -> o [..., g r, s, e], and with
    return_lse=True the log of the sum of exponentials [..., g r, s], sink included.

    In this order: scores times scale (1 / sqrt(d)); softcap tanh(scores / softcap), if softcap is positive
    (Gemma 2); plus bias; masked where mask is false, by causal, and outside the window (left, right) around
    position i + t - s, where -1 is no limit (Beltagy et al., 2020); softmax with sink [g r], one more logit
    for each head that takes probability and has no value (Xiao et al., 2023). mask and bias are broadcast to
    [..., g r, s, t]. A query that sees no key gets zeros, and the lse -inf (the sink, if there is one).

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _attention.fast(scale, causal, softcap, window, return_lse)(
            q, k, v, mask, bias, sink
        )  # type: ignore[no-any-return]
    return _attention.call(
        (
            q,
            k,
            v,
            mask,
            bias,
            sink,
        ),
        {
            "scale": scale,
            "causal": causal,
            "softcap": softcap,
            "window": window,
            "return_lse": return_lse,
        },
        out,
        backend,
    )  # type: ignore[no-any-return]


_avg_pool1d = _Handle("avg_pool1d")


def avg_pool1d(
    input: Array,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Mean of each window of the last axis. With count_include_pad the zeros of the padding count as
    elements; what ceil_mode adds beyond the padding never does.

    Follows torch.nn.functional.avg_pool1d (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _avg_pool1d.fast(
            kernel_size, stride, padding, ceil_mode, count_include_pad
        )(input)  # type: ignore[no-any-return]
    return _avg_pool1d.call(
        (input,),
        {
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": padding,
            "ceil_mode": ceil_mode,
            "count_include_pad": count_include_pad,
        },
        out,
        backend,
    )  # type: ignore[no-any-return]


_avg_pool2d = _Handle("avg_pool2d")


def avg_pool2d(
    input: Array,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Mean of each window of the last two axes. With count_include_pad the zeros of the padding count as
    elements; what ceil_mode adds beyond the padding never does. divisor_override divides the sum instead.

    Follows torch.nn.functional.avg_pool2d (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _avg_pool2d.fast(
            kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        )(input)  # type: ignore[no-any-return]
    return _avg_pool2d.call(
        (input,),
        {
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": padding,
            "ceil_mode": ceil_mode,
            "count_include_pad": count_include_pad,
            "divisor_override": divisor_override,
        },
        out,
        backend,
    )  # type: ignore[no-any-return]


_baddbmm = _Handle("baddbmm")


def baddbmm(
    input: Array,
    batch1: Array,
    batch2: Array,
    *,
    beta: float = 1.0,
    alpha: float = 1.0,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """beta input + alpha times the products of two batches; input is broadcast to the result. With
    beta = 0 it is not read.

    Follows torch.baddbmm (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _baddbmm.fast(beta, alpha)(input, batch1, batch2)  # type: ignore[no-any-return]
    return _baddbmm.call(
        (
            input,
            batch1,
            batch2,
        ),
        {"beta": beta, "alpha": alpha},
        out,
        backend,
    )  # type: ignore[no-any-return]


_batch_norm = _Handle("batch_norm")


def batch_norm(
    input: Array,
    running_mean: Array,
    running_var: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-05,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Normalisation of channels by given statistics, as at inference. Ioffe & Szegedy, 2015.

    input: [n, c, ...], running_mean and running_var, weight and bias: [c].

    Follows torch.nn.functional.batch_norm (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _batch_norm.fast(training, momentum, eps)(
            input, running_mean, running_var, weight, bias
        )  # type: ignore[no-any-return]
    return _batch_norm.call(
        (
            input,
            running_mean,
            running_var,
            weight,
            bias,
        ),
        {"training": training, "momentum": momentum, "eps": eps},
        out,
        backend,
    )  # type: ignore[no-any-return]


_bilinear = _Handle("bilinear")


def bilinear(
    input1: Array,
    input2: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """x1^T A x2 + b for each matrix A of the weight: [..., k], [..., m], [n, k, m] -> [..., n].

    Follows torch.nn.functional.bilinear (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _bilinear.plain(input1, input2, weight, bias)  # type: ignore[no-any-return]
    return _bilinear.call(
        (
            input1,
            input2,
            weight,
            bias,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_binary_cross_entropy = _Handle("binary_cross_entropy")


def binary_cross_entropy(
    input: Array,
    target: Array,
    weight: Array | None = None,
    *,
    reduction: Literal["none", "mean", "sum"] = "mean",
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """-(t log(p) + (1 - t) log(1 - p)) of probabilities p; a logarithm counts as -100 at least, as in torch.

    Follows torch.nn.functional.binary_cross_entropy (adapted: weight has the shape of the input).
    """
    if out is None and backend is None and _state() is None:
        return _binary_cross_entropy.fast(reduction)(input, target, weight)  # type: ignore[no-any-return]
    return _binary_cross_entropy.call(
        (
            input,
            target,
            weight,
        ),
        {"reduction": reduction},
        out,
        backend,
    )  # type: ignore[no-any-return]


_binary_cross_entropy_with_logits = _Handle("binary_cross_entropy_with_logits")


def binary_cross_entropy_with_logits(
    input: Array,
    target: Array,
    weight: Array | None = None,
    pos_weight: Array | None = None,
    *,
    reduction: Literal["none", "mean", "sum"] = "mean",
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """binary_cross_entropy of sigmoid(x), from the logits: (1 - t) x + p (max(-x, 0) + log(1 + e^-|x|)), with
    p = 1 + (pos_weight - 1) t.

    Follows torch.nn.functional.binary_cross_entropy_with_logits (adapted: weights have the shape of the input).
    """
    if out is None and backend is None and _state() is None:
        return _binary_cross_entropy_with_logits.fast(reduction)(
            input, target, weight, pos_weight
        )  # type: ignore[no-any-return]
    return _binary_cross_entropy_with_logits.call(
        (
            input,
            target,
            weight,
            pos_weight,
        ),
        {"reduction": reduction},
        out,
        backend,
    )  # type: ignore[no-any-return]


_bincount = _Handle("bincount")


def bincount(
    input: Array, *, length: int, out: Array | None = None, backend: str | None = None
) -> Array:
    """How often each value of 0 .. length - 1 occurs.

    Follows torch.bincount (adapted: the length is given, and no weights).
    """
    if out is None and backend is None and _state() is None:
        return _bincount.fast(length)(input)  # type: ignore[no-any-return]
    return _bincount.call((input,), {"length": length}, out, backend)  # type: ignore[no-any-return]


_bitwise_and = _Handle("bitwise_and")


def bitwise_and(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Bitwise and.

    Follows numpy.bitwise_and (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _bitwise_and.plain(x1, x2)  # type: ignore[no-any-return]
    return _bitwise_and.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_bitwise_invert = _Handle("bitwise_invert")


def bitwise_invert(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Complement of every bit; of a bool its negation.

    Follows numpy.bitwise_invert (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _bitwise_invert.plain(x)  # type: ignore[no-any-return]
    return _bitwise_invert.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_bitwise_left_shift = _Handle("bitwise_left_shift")


def bitwise_left_shift(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x1 2^x2, wrapped. A shift by less than 0 or by the number of bits or more gives 0.

    Follows numpy.bitwise_left_shift (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _bitwise_left_shift.plain(x1, x2)  # type: ignore[no-any-return]
    return _bitwise_left_shift.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_bitwise_or = _Handle("bitwise_or")


def bitwise_or(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Bitwise or.

    Follows numpy.bitwise_or (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _bitwise_or.plain(x1, x2)  # type: ignore[no-any-return]
    return _bitwise_or.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_bitwise_right_shift = _Handle("bitwise_right_shift")


def bitwise_right_shift(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """floor(x1 / 2^x2). A shift by less than 0 or by the number of bits or more gives 0, or -1 for a
    negative x1.

    Follows numpy.bitwise_right_shift (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _bitwise_right_shift.plain(x1, x2)  # type: ignore[no-any-return]
    return _bitwise_right_shift.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_bitwise_xor = _Handle("bitwise_xor")


def bitwise_xor(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Bitwise exclusive or.

    Follows numpy.bitwise_xor (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _bitwise_xor.plain(x1, x2)  # type: ignore[no-any-return]
    return _bitwise_xor.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_bmm = _Handle("bmm")


def bmm(
    input: Array,
    mat2: Array,
    /,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Matrix products of two batches of equal length.

    Follows torch.bmm (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _bmm.plain(input, mat2)  # type: ignore[no-any-return]
    return _bmm.call(
        (
            input,
            mat2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_broadcast_to = _Handle("broadcast_to")


def broadcast_to(
    x: Array,
    /,
    shape: int | Sequence[int],
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Broadcast to a shape: missing axes in front and axes of length 1 are repeated.

    Follows numpy.broadcast_to (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _broadcast_to.fast(shape)(x)  # type: ignore[no-any-return]
    return _broadcast_to.call((x,), {"shape": shape}, out, backend)  # type: ignore[no-any-return]


_bucketize = _Handle("bucketize")


def bucketize(
    input: Array,
    boundaries: Array,
    *,
    right: bool = False,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """The number of the interval between sorted boundaries [n] that each element lies in: boundary[i - 1] <
    x <= boundary[i], or with right=True boundary[i - 1] <= x < boundary[i].

    Follows torch.bucketize (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _bucketize.fast(right)(input, boundaries)  # type: ignore[no-any-return]
    return _bucketize.call(
        (
            input,
            boundaries,
        ),
        {"right": right},
        out,
        backend,
    )  # type: ignore[no-any-return]


class CannRmsNormResult(NamedTuple):
    """Results of `cann_rms_norm`."""

    y: Array
    rstd: Array


_cann_rms_norm = _Handle("cann_rms_norm", CannRmsNormResult)


def cann_rms_norm(
    x: Array,
    gamma: Array,
    *,
    epsilon: float = 1e-06,
    out: tuple[Array, ...] | None = None,
    backend: str | None = None,
) -> CannRmsNormResult:
    """rms_norm as in CANN's aclnnRmsNorm: rounded before the weight, and with the reciprocal of the root
    mean square as a second result, in float32: x [..., n] -> y [..., n], rstd [...].

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _cann_rms_norm.fast(epsilon)(x, gamma)  # type: ignore[no-any-return]
    return _cann_rms_norm.call(
        (
            x,
            gamma,
        ),
        {"epsilon": epsilon},
        out,
        backend,
    )  # type: ignore[no-any-return]


_causal_conv1d = _Handle("causal_conv1d")


def causal_conv1d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    activation: Literal["none", "silu"] = "none",
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Depthwise 1-d convolution that sees only the present and the past, as in Mamba. Gu & Dao, 2023.

    x: [..., d, n], weight: [d, k], bias: [d] -> [..., d, n]; what precedes x is zero.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _causal_conv1d.fast(activation)(x, weight, bias)  # type: ignore[no-any-return]
    return _causal_conv1d.call(
        (
            x,
            weight,
            bias,
        ),
        {"activation": activation},
        out,
        backend,
    )  # type: ignore[no-any-return]


_causal_softmax = _Handle("causal_softmax")


def causal_softmax(
    x: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Softmax over the last axis of attention scores [..., s, t], causal from the bottom-right corner: query
    i sees key j when j - t <= i - s. A row that sees no key (s > t) is all zeros.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _causal_softmax.plain(x)  # type: ignore[no-any-return]
    return _causal_softmax.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_cdist = _Handle("cdist")


def cdist(
    x1: Array, x2: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Distances |x1_i - x2_j| between all rows of two batches: [..., m, d], [..., n, d] -> [..., m, n]. From the
    differences, not from |x|^2 - 2 x y + |y|^2, which cancels for close points.

    Follows torch.cdist (adapted: the Euclidean distance only).
    """
    if out is None and backend is None and _state() is None:
        return _cdist.plain(x1, x2)  # type: ignore[no-any-return]
    return _cdist.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_ceil = _Handle("ceil")


def ceil(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Smallest integer not below x, of the same dtype. Integers stay.

    Follows numpy.ceil (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _ceil.plain(x)  # type: ignore[no-any-return]
    return _ceil.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_celu = _Handle("celu")


def celu(
    input: Array,
    alpha: float = 1.0,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Elu that is differentiable for every alpha. Barron, 2017.

    Follows torch.nn.functional.celu (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _celu.fast(alpha)(input)  # type: ignore[no-any-return]
    return _celu.call((input,), {"alpha": alpha}, out, backend)  # type: ignore[no-any-return]


_clip = _Handle("clip")


def clip(
    x: Array,
    /,
    min: Array | None = None,
    max: Array | None = None,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """x limited to the interval min .. max, either of which may be absent. A nan stays nan; where
    min > max the result is max.

    Follows numpy.clip (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _clip.plain(x, min, max)  # type: ignore[no-any-return]
    return _clip.call(
        (
            x,
            min,
            max,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_concat = _Handle("concat")


def concat(
    *xs: Array, axis: int = -1, out: Array | None = None, backend: str | None = None
) -> Array:
    """Arrays behind one another along an axis (the last by default); the other axes agree.

    Follows numpy.concat (adapted: the arrays are arguments of their own, and the axis is the last by default).
    """
    if out is None and backend is None and _state() is None:
        return _concat.fast(axis)(*xs)  # type: ignore[no-any-return]
    return _concat.call((xs,), {"axis": axis}, out, backend)  # type: ignore[no-any-return]


_conj = _Handle("conj")


def conj(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Complex conjugate, which for real numbers is x.

    Follows numpy.conj (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _conj.plain(x)  # type: ignore[no-any-return]
    return _conj.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_conv1d = _Handle("conv1d")


def conv1d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """1-d convolution. input: [..., groups c, w], weight: [groups o, c, kw], bias: [groups o].

    Follows torch.nn.functional.conv1d (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _conv1d.fast(stride, padding, dilation, groups)(input, weight, bias)  # type: ignore[no-any-return]
    return _conv1d.call(
        (
            input,
            weight,
            bias,
        ),
        {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups},
        out,
        backend,
    )  # type: ignore[no-any-return]


_conv2d = _Handle("conv2d")


def conv2d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """2-d convolution. LeCun et al., 1989.

    input: [..., groups c, h, w], weight: [groups o, c, kh, kw], bias: [groups o].

    Follows torch.nn.functional.conv2d (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _conv2d.fast(stride, padding, dilation, groups)(input, weight, bias)  # type: ignore[no-any-return]
    return _conv2d.call(
        (
            input,
            weight,
            bias,
        ),
        {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups},
        out,
        backend,
    )  # type: ignore[no-any-return]


_conv3d = _Handle("conv3d")


def conv3d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """3-d convolution. input: [..., groups c, d, h, w], weight: [groups o, c, kd, kh, kw], bias: [groups o].

    Follows torch.nn.functional.conv3d (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _conv3d.fast(stride, padding, dilation, groups)(input, weight, bias)  # type: ignore[no-any-return]
    return _conv3d.call(
        (
            input,
            weight,
            bias,
        ),
        {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups},
        out,
        backend,
    )  # type: ignore[no-any-return]


_conv_transpose1d = _Handle("conv_transpose1d")


def conv_transpose1d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Transposed 1-d convolution, the gradient of conv1d with respect to its input.

    input: [..., groups c, w], weight: [groups c, o, kw], bias: [groups o]. An output position is read by the
    input positions that are a whole number of strides away.

    Follows torch.nn.functional.conv_transpose1d (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _conv_transpose1d.fast(
            stride, padding, output_padding, groups, dilation
        )(input, weight, bias)  # type: ignore[no-any-return]
    return _conv_transpose1d.call(
        (
            input,
            weight,
            bias,
        ),
        {
            "stride": stride,
            "padding": padding,
            "output_padding": output_padding,
            "groups": groups,
            "dilation": dilation,
        },
        out,
        backend,
    )  # type: ignore[no-any-return]


_conv_transpose2d = _Handle("conv_transpose2d")


def conv_transpose2d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Transposed 2-d convolution, the gradient of conv2d with respect to its input.

    input: [..., groups c, h, w], weight: [groups c, o, kh, kw], bias: [groups o].

    Follows torch.nn.functional.conv_transpose2d (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _conv_transpose2d.fast(
            stride, padding, output_padding, groups, dilation
        )(input, weight, bias)  # type: ignore[no-any-return]
    return _conv_transpose2d.call(
        (
            input,
            weight,
            bias,
        ),
        {
            "stride": stride,
            "padding": padding,
            "output_padding": output_padding,
            "groups": groups,
            "dilation": dilation,
        },
        out,
        backend,
    )  # type: ignore[no-any-return]


_copysign = _Handle("copysign")


def copysign(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """|x1| with the sign bit of x2.

    Follows numpy.copysign (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _copysign.plain(x1, x2)  # type: ignore[no-any-return]
    return _copysign.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_cos = _Handle("cos")


def cos(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Cosine of an angle in radians.

    Follows numpy.cos (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _cos.plain(x)  # type: ignore[no-any-return]
    return _cos.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_cosh = _Handle("cosh")


def cosh(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Hyperbolic cosine.

    Follows numpy.cosh (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _cosh.plain(x)  # type: ignore[no-any-return]
    return _cosh.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_cosine_similarity = _Handle("cosine_similarity")


def cosine_similarity(
    x1: Array,
    x2: Array,
    *,
    eps: float = 1e-08,
    axis: int = -1,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """x1 x2 / max(|x1| |x2|), the cosine of the angle, along an axis; each norm is at least eps.

    Follows torch.nn.functional.cosine_similarity (adapted: axis instead of dim, and the last one by default).
    """
    if out is None and backend is None and _state() is None:
        return _cosine_similarity.fast(eps, axis)(x1, x2)  # type: ignore[no-any-return]
    return _cosine_similarity.call(
        (
            x1,
            x2,
        ),
        {"eps": eps, "axis": axis},
        out,
        backend,
    )  # type: ignore[no-any-return]


_count_nonzero = _Handle("count_nonzero")


def count_nonzero(
    x: Array,
    /,
    *,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """How many elements are not 0 (or true); nan is not 0.

    Follows numpy.count_nonzero (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _count_nonzero.fast(axis, keepdims)(x)  # type: ignore[no-any-return]
    return _count_nonzero.call((x,), {"axis": axis, "keepdims": keepdims}, out, backend)  # type: ignore[no-any-return]


_cross = _Handle("cross")


def cross(
    x1: Array,
    x2: Array,
    /,
    *,
    axis: int = -1,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Vector product in three dimensions, along an axis of length 3.

    Follows numpy.linalg.cross (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _cross.fast(axis)(x1, x2)  # type: ignore[no-any-return]
    return _cross.call(
        (
            x1,
            x2,
        ),
        {"axis": axis},
        out,
        backend,
    )  # type: ignore[no-any-return]


_cross_entropy = _Handle("cross_entropy")


def cross_entropy(
    input: Array,
    target: Array,
    weight: Array | None = None,
    *,
    ignore_index: int = -100,
    reduction: Literal["none", "mean", "sum"] = "mean",
    label_smoothing: float = 0.0,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Cross entropy of softmax(input) against class numbers, from the logits. input: [..., c], target: [...].

    The loss of an element is logsumexp(x) - x[target], times the weight of its class. label_smoothing mixes in
    the mean over all classes (Szegedy et al., 2016). Elements whose target is ignore_index are 0 and do not
    count; the mean divides by the sum of the weights, as in torch, and is nan when nothing counts.

    Follows torch.nn.functional.cross_entropy (adapted: the classes are the last axis, and the target holds class numbers).
    """
    if out is None and backend is None and _state() is None:
        return _cross_entropy.fast(ignore_index, reduction, label_smoothing)(
            input, target, weight
        )  # type: ignore[no-any-return]
    return _cross_entropy.call(
        (
            input,
            target,
            weight,
        ),
        {
            "ignore_index": ignore_index,
            "reduction": reduction,
            "label_smoothing": label_smoothing,
        },
        out,
        backend,
    )  # type: ignore[no-any-return]


_cummax = _Handle("cummax")


def cummax(
    x: Array, /, *, axis: int = -1, out: Array | None = None, backend: str | None = None
) -> Array:
    """Running maximum, inclusive. From a nan on, everything is nan.

    Follows torch.cummax (adapted: the values only, and the last axis by default).
    """
    if out is None and backend is None and _state() is None:
        return _cummax.fast(axis)(x)  # type: ignore[no-any-return]
    return _cummax.call((x,), {"axis": axis}, out, backend)  # type: ignore[no-any-return]


_cummin = _Handle("cummin")


def cummin(
    x: Array, /, *, axis: int = -1, out: Array | None = None, backend: str | None = None
) -> Array:
    """Running minimum, inclusive. From a nan on, everything is nan.

    Follows torch.cummin (adapted: the values only, and the last axis by default).
    """
    if out is None and backend is None and _state() is None:
        return _cummin.fast(axis)(x)  # type: ignore[no-any-return]
    return _cummin.call((x,), {"axis": axis}, out, backend)  # type: ignore[no-any-return]


_cumprod = _Handle("cumprod")


def cumprod(
    x: Array, /, *, axis: int = -1, out: Array | None = None, backend: str | None = None
) -> Array:
    """Running product, inclusive. Integers are multiplied in int64 (unsigned: uint64) and wrap.

    Follows numpy.cumprod (adapted: one axis, the last by default, instead of flattening).
    """
    if out is None and backend is None and _state() is None:
        return _cumprod.fast(axis)(x)  # type: ignore[no-any-return]
    return _cumprod.call((x,), {"axis": axis}, out, backend)  # type: ignore[no-any-return]


_cumsum = _Handle("cumsum")


def cumsum(
    x: Array, /, *, axis: int = -1, out: Array | None = None, backend: str | None = None
) -> Array:
    """Running sum, inclusive. Integers are summed in int64 (unsigned: uint64) and wrap. From a nan on,
    everything is nan.

    Follows numpy.cumsum (adapted: one axis, the last by default, instead of flattening).
    """
    if out is None and backend is None and _state() is None:
        return _cumsum.fast(axis)(x)  # type: ignore[no-any-return]
    return _cumsum.call((x,), {"axis": axis}, out, backend)  # type: ignore[no-any-return]


_diag_embed = _Handle("diag_embed")


def diag_embed(
    input: Array,
    offset: int = 0,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Matrices with the last axis of the input on a diagonal, zero elsewhere.

    Follows torch.diag_embed (adapted: the new axes are the last two).
    """
    if out is None and backend is None and _state() is None:
        return _diag_embed.fast(offset)(input)  # type: ignore[no-any-return]
    return _diag_embed.call((input,), {"offset": offset}, out, backend)  # type: ignore[no-any-return]


_diagonal = _Handle("diagonal")


def diagonal(
    x: Array,
    /,
    *,
    offset: int = 0,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """A diagonal of the last two axes; offset > 0 is above the main one, < 0 below.

    Follows numpy.linalg.diagonal (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _diagonal.fast(offset)(x)  # type: ignore[no-any-return]
    return _diagonal.call((x,), {"offset": offset}, out, backend)  # type: ignore[no-any-return]


_diff = _Handle("diff")


def diff(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Differences of neighbours: x[i + 1] - x[i], one element fewer.

    Follows numpy.diff (adapted: the first difference, along the last axis).
    """
    if out is None and backend is None and _state() is None:
        return _diff.plain(x)  # type: ignore[no-any-return]
    return _diff.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_discounted_return = _Handle("discounted_return")


def discounted_return(
    rewards: Array,
    *,
    gamma: float = 0.99,
    axis: int = -1,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Discounted sum of the rewards to come: y[t] = rewards[t] + gamma y[t + 1].

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _discounted_return.fast(gamma, axis)(rewards)  # type: ignore[no-any-return]
    return _discounted_return.call(
        (rewards,), {"gamma": gamma, "axis": axis}, out, backend
    )  # type: ignore[no-any-return]


_divide = _Handle("divide")


def divide(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Quotient of floats, correctly rounded. Integers are refused: cast them first, or use
    floor_divide.

    Follows numpy.divide (adapted: integers are refused, as the array API permits).
    """
    if out is None and backend is None and _state() is None:
        return _divide.plain(x1, x2)  # type: ignore[no-any-return]
    return _divide.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_elu = _Handle("elu")


def elu(
    input: Array,
    alpha: float = 1.0,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """x where positive, else alpha (e^x - 1). Clevert, Unterthiner & Hochreiter, 2016.

    Follows torch.nn.functional.elu (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _elu.fast(alpha)(input)  # type: ignore[no-any-return]
    return _elu.call((input,), {"alpha": alpha}, out, backend)  # type: ignore[no-any-return]


_embedding = _Handle("embedding")


def embedding(
    input: Array, weight: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Rows of a table. input: integers [...], weight: [v, d] -> [..., d].

    Follows torch.nn.functional.embedding (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _embedding.plain(input, weight)  # type: ignore[no-any-return]
    return _embedding.call(
        (
            input,
            weight,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_embedding_bag = _Handle("embedding_bag")


def embedding_bag(
    input: Array,
    weight: Array,
    offsets: Array,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Sums of the rows of a table, one for each bag: input [n] indices, offsets [b] where each bag begins.

    Follows torch.nn.functional.embedding_bag (adapted: bags are always given by offsets, and summed).
    """
    if out is None and backend is None and _state() is None:
        return _embedding_bag.plain(input, weight, offsets)  # type: ignore[no-any-return]
    return _embedding_bag.call(
        (
            input,
            weight,
            offsets,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_entropy_from_logits = _Handle("entropy_from_logits")


def entropy_from_logits(
    logits: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Entropy of softmax(logits) over the last axis: log(z) - sum(p a), with a the logits below their maximum and
    z the sum of exp(a).

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _entropy_from_logits.plain(logits)  # type: ignore[no-any-return]
    return _entropy_from_logits.call((logits,), {}, out, backend)  # type: ignore[no-any-return]


_equal = _Handle("equal")


def equal(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether x1 = x2; a nan equals nothing, -0 equals 0.

    Follows numpy.equal (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _equal.plain(x1, x2)  # type: ignore[no-any-return]
    return _equal.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_erf = _Handle("erf")


def erf(
    input: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Error function, 2 / sqrt(pi) times the integral of exp(-t^2) over t from 0 to x.

    Follows torch.erf (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _erf.plain(input)  # type: ignore[no-any-return]
    return _erf.call((input,), {}, out, backend)  # type: ignore[no-any-return]


_erfc = _Handle("erfc")


def erfc(
    input: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """1 - erf(x), without cancellation for large x.

    Follows torch.erfc (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _erfc.plain(input)  # type: ignore[no-any-return]
    return _erfc.call((input,), {}, out, backend)  # type: ignore[no-any-return]


_exp = _Handle("exp")


def exp(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """e to the power x.

    Follows numpy.exp (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _exp.plain(x)  # type: ignore[no-any-return]
    return _exp.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_exp2 = _Handle("exp2")


def exp2(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """2 to the power x.

    Follows numpy.exp2 (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _exp2.plain(x)  # type: ignore[no-any-return]
    return _exp2.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_expand_dims = _Handle("expand_dims")


def expand_dims(
    x: Array, /, *, axis: int = 0, out: Array | None = None, backend: str | None = None
) -> Array:
    """A new axis of length 1, put before the axis of that number.

    Follows numpy.expand_dims (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _expand_dims.fast(axis)(x)  # type: ignore[no-any-return]
    return _expand_dims.call((x,), {"axis": axis}, out, backend)  # type: ignore[no-any-return]


_expm1 = _Handle("expm1")


def expm1(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """exp(x) - 1, without cancellation near 0.

    Follows numpy.expm1 (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _expm1.plain(x)  # type: ignore[no-any-return]
    return _expm1.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_eye = _Handle("eye")


def eye(
    n_rows: int,
    n_cols: int | None = None,
    /,
    *,
    k: int = 0,
    dtype: DTypeLike | None = None,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Ones on a diagonal, zeros elsewhere; k > 0 is above the main diagonal, k < 0 below.

    Follows numpy.eye (adapted: the default dtype is float32).
    """
    if out is None and backend is None and _state() is None:
        return _eye.fast(n_rows, n_cols, k, dtype)()  # type: ignore[no-any-return]
    return _eye.call(
        (), {"n_rows": n_rows, "n_cols": n_cols, "k": k, "dtype": dtype}, out, backend
    )  # type: ignore[no-any-return]


_fatrelu_and_mul = _Handle("fatrelu_and_mul")


def fatrelu_and_mul(
    x: Array,
    *,
    threshold: float = 0.0,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """relu of the first half where it exceeds a threshold, times the second half.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _fatrelu_and_mul.fast(threshold)(x)  # type: ignore[no-any-return]
    return _fatrelu_and_mul.call((x,), {"threshold": threshold}, out, backend)  # type: ignore[no-any-return]


_flip = _Handle("flip")


def flip(
    x: Array,
    /,
    *,
    axis: int | Sequence[int] | None = None,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """The order of elements reversed along axes (None: all).

    Follows numpy.flip (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _flip.fast(axis)(x)  # type: ignore[no-any-return]
    return _flip.call((x,), {"axis": axis}, out, backend)  # type: ignore[no-any-return]


_floor = _Handle("floor")


def floor(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Largest integer not above x, of the same dtype. Integers stay.

    Follows numpy.floor (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _floor.plain(x)  # type: ignore[no-any-return]
    return _floor.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_floor_divide = _Handle("floor_divide")


def floor_divide(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """floor(x1 / x2), towards minus infinity. An integer divided by 0 is 0; inf // 1 is inf, which the
    array API permits (NumPy has nan).

    Follows numpy.floor_divide (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _floor_divide.plain(x1, x2)  # type: ignore[no-any-return]
    return _floor_divide.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_fmax = _Handle("fmax")


def fmax(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """The larger of two values, where a nan counts as absent; nan only when both are.

    Follows numpy.fmax (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _fmax.plain(x1, x2)  # type: ignore[no-any-return]
    return _fmax.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_fmin = _Handle("fmin")


def fmin(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """The smaller of two values, where a nan counts as absent; nan only when both are.

    Follows numpy.fmin (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _fmin.plain(x1, x2)  # type: ignore[no-any-return]
    return _fmin.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_fmod = _Handle("fmod")


def fmod(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x1 - trunc(x1 / x2) x2, with the sign of x1; exact for floats. An integer modulo 0 is 0.

    Follows numpy.fmod (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _fmod.plain(x1, x2)  # type: ignore[no-any-return]
    return _fmod.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_frac = _Handle("frac")


def frac(
    input: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Fractional part, x - trunc(x), with the sign of x; nan for an infinity.

    Follows torch.frac (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _frac.plain(input)  # type: ignore[no-any-return]
    return _frac.call((input,), {}, out, backend)  # type: ignore[no-any-return]


_full = _Handle("full")


def full(
    shape: int | Sequence[int],
    fill_value: float,
    *,
    dtype: DTypeLike | None = None,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """An array of one value. An integer dtype takes the integer part of the value.

    Follows numpy.full (adapted: the default dtype is float32, never taken from the value).
    """
    if out is None and backend is None and _state() is None:
        return _full.fast(shape, fill_value, dtype)()  # type: ignore[no-any-return]
    return _full.call(
        (), {"shape": shape, "fill_value": fill_value, "dtype": dtype}, out, backend
    )  # type: ignore[no-any-return]


_full_like = _Handle("full_like")


def full_like(
    x: Array,
    /,
    fill_value: float,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """An array of one value, with the shape and the dtype of x.

    Follows numpy.full_like (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _full_like.fast(fill_value)(x)  # type: ignore[no-any-return]
    return _full_like.call((x,), {"fill_value": fill_value}, out, backend)  # type: ignore[no-any-return]


class FusedAddRmsNormResult(NamedTuple):
    """Results of `fused_add_rms_norm`."""

    y: Array
    residual_sum: Array


_fused_add_rms_norm = _Handle("fused_add_rms_norm", FusedAddRmsNormResult)


def fused_add_rms_norm(
    input: Array,
    residual: Array,
    weight: Array,
    epsilon: float = 1e-06,
    *,
    out: tuple[Array, ...] | None = None,
    backend: str | None = None,
) -> FusedAddRmsNormResult:
    """Residual sum and its rms_norm: y = norm(x + residual) weight, with the sum as a second result.

    As in vLLM, the sum is rounded to the dtype before it is normalised, and the normalised value before
    the weight multiplies it.

    Follows vllm._custom_ops.fused_add_rms_norm (adapted: two results instead of two arguments overwritten).
    """
    if out is None and backend is None and _state() is None:
        return _fused_add_rms_norm.fast(epsilon)(input, residual, weight)  # type: ignore[no-any-return]
    return _fused_add_rms_norm.call(
        (
            input,
            residual,
            weight,
        ),
        {"epsilon": epsilon},
        out,
        backend,
    )  # type: ignore[no-any-return]


_fused_linear_cross_entropy = _Handle("fused_linear_cross_entropy")


def fused_linear_cross_entropy(
    x: Array,
    weight: Array,
    target: Array,
    bias: Array | None = None,
    *,
    ignore_index: int = -100,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Cross entropy of a linear layer without its logits as an array: x [n, k], weight [c, k], target [n], bias
    [c] -> the mean over the elements that are not ignored. Liger kernel, 2024.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _fused_linear_cross_entropy.fast(ignore_index)(x, weight, target, bias)  # type: ignore[no-any-return]
    return _fused_linear_cross_entropy.call(
        (
            x,
            weight,
            target,
            bias,
        ),
        {"ignore_index": ignore_index},
        out,
        backend,
    )  # type: ignore[no-any-return]


class GaeResult(NamedTuple):
    """Results of `gae`."""

    advantages: Array
    returns: Array


_gae = _Handle("gae", GaeResult)


def gae(
    rewards: Array,
    values: Array,
    *,
    gamma: float = 1.0,
    lam: float = 0.95,
    out: tuple[Array, ...] | None = None,
    backend: str | None = None,
) -> GaeResult:
    """Generalised advantage estimation. Schulman et al., 2016.

    rewards, values: [..., n] -> advantages and returns (advantages + values); the value behind the end
    is 0.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _gae.fast(gamma, lam)(rewards, values)  # type: ignore[no-any-return]
    return _gae.call(
        (
            rewards,
            values,
        ),
        {"gamma": gamma, "lam": lam},
        out,
        backend,
    )  # type: ignore[no-any-return]


_gate_up = _Handle("gate_up")


def gate_up(
    input: Array,
    gate: Array,
    up: Array,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """The gate and up projections of a SwiGLU layer, silu(x G^T) * (x U^T), rounded once. Shazeer, 2020.

    input: [..., k], gate and up: [n, k] -> [..., n].

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _gate_up.plain(input, gate, up)  # type: ignore[no-any-return]
    return _gate_up.call(
        (
            input,
            gate,
            up,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_gather = _Handle("gather")


def gather(
    input: Array,
    dim: int,
    index: Array,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Elements of an axis, at an index given for each element of the result. On the other axes `index` may
    be shorter than `input`.

    Follows torch.gather (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _gather.fast(dim)(input, index)  # type: ignore[no-any-return]
    return _gather.call(
        (
            input,
            index,
        ),
        {"dim": dim},
        out,
        backend,
    )  # type: ignore[no-any-return]


_geglu = _Handle("geglu")


def geglu(x: Array, *, out: Array | None = None, backend: str | None = None) -> Array:
    """The first half times gelu of the second half: the order of Shazeer's paper.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _geglu.plain(x)  # type: ignore[no-any-return]
    return _geglu.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_gelu = _Handle("gelu")


def gelu(
    input: Array,
    /,
    *,
    approximate: Literal["none", "tanh"] = "none",
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Gaussian error linear unit, x Phi(x). Hendrycks & Gimpel, 2016.

    The exact form is x erfc(-x / sqrt(2)) / 2: in the textbook form x (1 + erf(x / sqrt(2))) / 2
    the sum cancels for x < 0, and float32 has lost every digit at x = -6. `approximate="tanh"`
    is the tanh approximation of the same paper. At -inf the result is nan (-inf * 0), as in torch; at inf it
    is inf, where torch's CPU kernel has nan.

    Follows torch.nn.functional.gelu (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _gelu.fast(approximate)(input)  # type: ignore[no-any-return]
    return _gelu.call((input,), {"approximate": approximate}, out, backend)  # type: ignore[no-any-return]


_gelu_and_mul = _Handle("gelu_and_mul")


def gelu_and_mul(
    x: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """gelu of the first half times the second half. Shazeer, 2020 (GEGLU).

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _gelu_and_mul.plain(x)  # type: ignore[no-any-return]
    return _gelu_and_mul.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_gelu_tanh_and_mul = _Handle("gelu_tanh_and_mul")


def gelu_tanh_and_mul(
    x: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """gelu, in its tanh approximation, of the first half times the second half.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _gelu_tanh_and_mul.plain(x)  # type: ignore[no-any-return]
    return _gelu_tanh_and_mul.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_gemma_rms_norm = _Handle("gemma_rms_norm")


def gemma_rms_norm(
    x: Array,
    weight: Array,
    *,
    eps: float = 1e-06,
    axis: int = -1,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """rms_norm as in Gemma: the weight is an offset from 1, and rounding is at the end only. Gemma Team,
    2024.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _gemma_rms_norm.fast(eps, axis)(x, weight)  # type: ignore[no-any-return]
    return _gemma_rms_norm.call(
        (
            x,
            weight,
        ),
        {"eps": eps, "axis": axis},
        out,
        backend,
    )  # type: ignore[no-any-return]


_glu = _Handle("glu")


def glu(x: Array, *, out: Array | None = None, backend: str | None = None) -> Array:
    """The first half times sigmoid of the second half. Dauphin et al., 2017.

    Follows torch.nn.functional.glu (adapted: the last axis only).
    """
    if out is None and backend is None and _state() is None:
        return _glu.plain(x)  # type: ignore[no-any-return]
    return _glu.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_greater = _Handle("greater")


def greater(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether x1 > x2; false with a nan.

    Follows numpy.greater (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _greater.plain(x1, x2)  # type: ignore[no-any-return]
    return _greater.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_greater_equal = _Handle("greater_equal")


def greater_equal(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether x1 >= x2; false with a nan.

    Follows numpy.greater_equal (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _greater_equal.plain(x1, x2)  # type: ignore[no-any-return]
    return _greater_equal.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_group_norm = _Handle("group_norm")


def group_norm(
    input: Array,
    num_groups: int,
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-05,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Normalisation of groups of channels, each with all positions. Wu & He, 2018.

    input: [n, c, ...], weight and bias: [c]; num_groups divides c.

    Follows torch.nn.functional.group_norm (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _group_norm.fast(num_groups, eps)(input, weight, bias)  # type: ignore[no-any-return]
    return _group_norm.call(
        (
            input,
            weight,
            bias,
        ),
        {"num_groups": num_groups, "eps": eps},
        out,
        backend,
    )  # type: ignore[no-any-return]


_grouped_mm = _Handle("grouped_mm")


def grouped_mm(
    x: Array,
    w: Array,
    offsets: Array,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Rows multiplied by the matrix of their group: rows offsets[e - 1] .. offsets[e] - 1 of x by w[e].

    x: [n, k] sorted by group, w: [e, k, m], offsets: [e], the end of each group -> [n, m]. Rows after the
    last group are zero.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _grouped_mm.plain(x, w, offsets)  # type: ignore[no-any-return]
    return _grouped_mm.call(
        (
            x,
            w,
            offsets,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_hardshrink = _Handle("hardshrink")


def hardshrink(
    input: Array,
    /,
    lambd: float = 0.5,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """x, but zero where |x| <= lambd; a nan stays nan.

    Follows torch.nn.functional.hardshrink (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _hardshrink.fast(lambd)(input)  # type: ignore[no-any-return]
    return _hardshrink.call((input,), {"lambd": lambd}, out, backend)  # type: ignore[no-any-return]


_hardsigmoid = _Handle("hardsigmoid")


def hardsigmoid(
    input: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """(x + 3) / 6, limited to 0 .. 1.

    Follows torch.nn.functional.hardsigmoid (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _hardsigmoid.plain(input)  # type: ignore[no-any-return]
    return _hardsigmoid.call((input,), {}, out, backend)  # type: ignore[no-any-return]


_hardswish = _Handle("hardswish")


def hardswish(
    input: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x (x + 3) / 6, the second factor limited to 0 .. 1. Howard et al., 2019.

    Follows torch.nn.functional.hardswish (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _hardswish.plain(input)  # type: ignore[no-any-return]
    return _hardswish.call((input,), {}, out, backend)  # type: ignore[no-any-return]


_hardtanh = _Handle("hardtanh")


def hardtanh(
    input: Array,
    min_val: float = -1.0,
    max_val: float = 1.0,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """x limited to min_val .. max_val.

    Follows torch.nn.functional.hardtanh (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _hardtanh.fast(min_val, max_val)(input)  # type: ignore[no-any-return]
    return _hardtanh.call(
        (input,), {"min_val": min_val, "max_val": max_val}, out, backend
    )  # type: ignore[no-any-return]


_heaviside = _Handle("heaviside")


def heaviside(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """0 for x1 < 0, x2 at x1 = 0, 1 for x1 > 0; nan for a nan x1.

    Follows numpy.heaviside (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _heaviside.plain(x1, x2)  # type: ignore[no-any-return]
    return _heaviside.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_huber_loss = _Handle("huber_loss")


def huber_loss(
    input: Array,
    target: Array,
    *,
    reduction: Literal["none", "mean", "sum"] = "mean",
    delta: float = 1.0,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """d^2 / 2 where d = |input - target| <= delta, else delta (d - delta / 2). Huber, 1964.

    Follows torch.nn.functional.huber_loss (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _huber_loss.fast(reduction, delta)(input, target)  # type: ignore[no-any-return]
    return _huber_loss.call(
        (
            input,
            target,
        ),
        {"reduction": reduction, "delta": delta},
        out,
        backend,
    )  # type: ignore[no-any-return]


_hypot = _Handle("hypot")


def hypot(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """sqrt(x1^2 + x2^2), without overflow or underflow on the way. An infinity wins over a nan.

    Follows numpy.hypot (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _hypot.plain(x1, x2)  # type: ignore[no-any-return]
    return _hypot.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_index_add = _Handle("index_add")


def index_add(
    input: Array,
    dim: int,
    index: Array,
    source: Array,
    *,
    alpha: float = 1.0,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """input with alpha times the slices of source added at a list of indices of an axis.

    Follows torch.index_add (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _index_add.fast(dim, alpha)(input, index, source)  # type: ignore[no-any-return]
    return _index_add.call(
        (
            input,
            index,
            source,
        ),
        {"dim": dim, "alpha": alpha},
        out,
        backend,
    )  # type: ignore[no-any-return]


_index_select = _Handle("index_select")


def index_select(
    input: Array,
    dim: int,
    index: Array,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Elements of an axis, at a list of indices.

    Follows torch.index_select (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _index_select.fast(dim)(input, index)  # type: ignore[no-any-return]
    return _index_select.call(
        (
            input,
            index,
        ),
        {"dim": dim},
        out,
        backend,
    )  # type: ignore[no-any-return]


_instance_norm = _Handle("instance_norm")


def instance_norm(
    input: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    eps: float = 1e-05,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Normalisation of each channel of each sample over its positions. Ulyanov, Vedaldi & Lempitsky, 2016.

    input: [n, c, ...], weight and bias: [c].

    Follows torch.nn.functional.instance_norm (adapted: no running statistics).
    """
    if out is None and backend is None and _state() is None:
        return _instance_norm.fast(eps)(input, weight, bias)  # type: ignore[no-any-return]
    return _instance_norm.call(
        (
            input,
            weight,
            bias,
        ),
        {"eps": eps},
        out,
        backend,
    )  # type: ignore[no-any-return]


_interpolate_bilinear = _Handle("interpolate_bilinear")


def interpolate_bilinear(
    input: Array,
    size: int | Sequence[int],
    align_corners: bool = False,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """An image in another size, by linear interpolation in both directions. With align_corners the centres
    of the corner pixels stay where they are, else the corners of the image.

    Output row i lies at the input row (i a + b) / m, a fraction of integers, so that the rows that are read
    never depend on rounding; columns likewise.

    Follows torch.nn.functional.interpolate (adapted: mode='bilinear' of images).
    """
    if out is None and backend is None and _state() is None:
        return _interpolate_bilinear.fast(size, align_corners)(input)  # type: ignore[no-any-return]
    return _interpolate_bilinear.call(
        (input,), {"size": size, "align_corners": align_corners}, out, backend
    )  # type: ignore[no-any-return]


_interpolate_linear = _Handle("interpolate_linear")


def interpolate_linear(
    input: Array,
    size: int | Sequence[int],
    align_corners: bool = False,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """The last axis in another size, by linear interpolation; align_corners as in interpolate_bilinear.

    Follows torch.nn.functional.interpolate (adapted: mode='linear').
    """
    if out is None and backend is None and _state() is None:
        return _interpolate_linear.fast(size, align_corners)(input)  # type: ignore[no-any-return]
    return _interpolate_linear.call(
        (input,), {"size": size, "align_corners": align_corners}, out, backend
    )  # type: ignore[no-any-return]


_interpolate_nearest = _Handle("interpolate_nearest")


def interpolate_nearest(
    input: Array,
    size: int | Sequence[int],
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """An image in another size, by the nearest pixel to the left and above. Positions are integers: pixel i
    is read at floor(i h / size), never at a rounded quotient.

    Follows torch.nn.functional.interpolate (adapted: mode='nearest' of images, and positions in exact arithmetic).
    """
    if out is None and backend is None and _state() is None:
        return _interpolate_nearest.fast(size)(input)  # type: ignore[no-any-return]
    return _interpolate_nearest.call((input,), {"size": size}, out, backend)  # type: ignore[no-any-return]


_isfinite = _Handle("isfinite")


def isfinite(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether x is neither nan nor infinite; true for integers.

    Follows numpy.isfinite (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _isfinite.plain(x)  # type: ignore[no-any-return]
    return _isfinite.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_isin = _Handle("isin")


def isin(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether each element occurs among the test elements. A nan occurs nowhere.

    Follows numpy.isin (adapted: x2 has one axis).
    """
    if out is None and backend is None and _state() is None:
        return _isin.plain(x1, x2)  # type: ignore[no-any-return]
    return _isin.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_isinf = _Handle("isinf")


def isinf(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether x is inf or -inf; false for integers.

    Follows numpy.isinf (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _isinf.plain(x)  # type: ignore[no-any-return]
    return _isinf.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_isnan = _Handle("isnan")


def isnan(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether x is nan; false for integers.

    Follows numpy.isnan (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _isnan.plain(x)  # type: ignore[no-any-return]
    return _isnan.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_jsd = _Handle("jsd")


def jsd(
    log_p: Array,
    log_q: Array,
    *,
    beta: float = 0.5,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Jensen-Shannon divergence, generalised: beta KL(p | m) + (1 - beta) KL(q | m) with m = beta p + (1 - beta) q,
    over the last axis of log-probabilities. Lin, 1991.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _jsd.fast(beta)(log_p, log_q)  # type: ignore[no-any-return]
    return _jsd.call(
        (
            log_p,
            log_q,
        ),
        {"beta": beta},
        out,
        backend,
    )  # type: ignore[no-any-return]


_kl_div = _Handle("kl_div")


def kl_div(
    input: Array,
    target: Array,
    *,
    reduction: Literal["none", "mean", "sum", "batchmean"] = "mean",
    log_target: bool = False,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """t (log(t) - x) for log-probabilities x and probabilities t, and 0 where t = 0; with log_target the
    target is a log-probability too. "mean" is over elements, "batchmean" over the first axis only.

    Follows torch.nn.functional.kl_div (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _kl_div.fast(reduction, log_target)(input, target)  # type: ignore[no-any-return]
    return _kl_div.call(
        (
            input,
            target,
        ),
        {"reduction": reduction, "log_target": log_target},
        out,
        backend,
    )  # type: ignore[no-any-return]


_kron = _Handle("kron")


def kron(
    a: Array, b: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Kronecker product of matrices: [..., m, n], [..., p, q] -> [..., m p, n q].

    Follows numpy.kron (adapted: over the last two axes, the axes before them broadcast).
    """
    if out is None and backend is None and _state() is None:
        return _kron.plain(a, b)  # type: ignore[no-any-return]
    return _kron.call(
        (
            a,
            b,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


class KthvalueResult(NamedTuple):
    """Results of `kthvalue`."""

    values: Array
    indices: Array


_kthvalue = _Handle("kthvalue", KthvalueResult)


def kthvalue(
    input: Array,
    k: int,
    *,
    out: tuple[Array, ...] | None = None,
    backend: str | None = None,
) -> KthvalueResult:
    """The k-th smallest element of the last axis, counted from 1, and its position. A nan is the largest.

    Follows torch.kthvalue (adapted: the last axis; the earliest of equal elements).
    """
    if out is None and backend is None and _state() is None:
        return _kthvalue.fast(k)(input)  # type: ignore[no-any-return]
    return _kthvalue.call((input,), {"k": k}, out, backend)  # type: ignore[no-any-return]


_l1_loss = _Handle("l1_loss")


def l1_loss(
    input: Array,
    target: Array,
    *,
    reduction: Literal["none", "mean", "sum"] = "mean",
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """|input - target|.

    Follows torch.nn.functional.l1_loss (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _l1_loss.fast(reduction)(input, target)  # type: ignore[no-any-return]
    return _l1_loss.call(
        (
            input,
            target,
        ),
        {"reduction": reduction},
        out,
        backend,
    )  # type: ignore[no-any-return]


_l2_normalize = _Handle("l2_normalize")


def l2_normalize(
    x: Array,
    *,
    eps: float = 1e-12,
    axis: int = -1,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """x divided by its Euclidean norm along an axis, which counts as eps where it is smaller.

    Follows torch.nn.functional.normalize (adapted: p = 2, and the last axis by default).
    """
    if out is None and backend is None and _state() is None:
        return _l2_normalize.fast(eps, axis)(x)  # type: ignore[no-any-return]
    return _l2_normalize.call((x,), {"eps": eps, "axis": axis}, out, backend)  # type: ignore[no-any-return]


_layer_norm = _Handle("layer_norm")


def layer_norm(
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    eps: float = 1e-05,
    axis: int = -1,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Layer normalisation along an axis. Ba, Kiros & Hinton, 2016.

    x: [..., n], weight and bias: [n].

    Follows torch.nn.functional.layer_norm (adapted: one axis instead of normalized_shape).
    """
    if out is None and backend is None and _state() is None:
        return _layer_norm.fast(eps, axis)(x, weight, bias)  # type: ignore[no-any-return]
    return _layer_norm.call(
        (
            x,
            weight,
            bias,
        ),
        {"eps": eps, "axis": axis},
        out,
        backend,
    )  # type: ignore[no-any-return]


_leaky_relu = _Handle("leaky_relu")


def leaky_relu(
    input: Array,
    negative_slope: float = 0.01,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """x where positive, else a small multiple of it. Maas, Hannun & Ng, 2013.

    Follows torch.nn.functional.leaky_relu (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _leaky_relu.fast(negative_slope)(input)  # type: ignore[no-any-return]
    return _leaky_relu.call((input,), {"negative_slope": negative_slope}, out, backend)  # type: ignore[no-any-return]


_lerp = _Handle("lerp")


def lerp(
    input: Array,
    end: Array,
    weight: Array,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """input + weight (end - input), from the nearer end, so that weight = 1 gives `end` exactly.

    Follows torch.lerp (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _lerp.plain(input, end, weight)  # type: ignore[no-any-return]
    return _lerp.call(
        (
            input,
            end,
            weight,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_less = _Handle("less")


def less(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether x1 < x2; false with a nan.

    Follows numpy.less (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _less.plain(x1, x2)  # type: ignore[no-any-return]
    return _less.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_less_equal = _Handle("less_equal")


def less_equal(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether x1 <= x2; false with a nan.

    Follows numpy.less_equal (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _less_equal.plain(x1, x2)  # type: ignore[no-any-return]
    return _less_equal.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_linear = _Handle("linear")


def linear(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Affine map of the last axis, x W^T + b.

    input: [..., k], weight: [n, k], bias: [n] -> [..., n].

    Follows torch.nn.functional.linear (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _linear.plain(input, weight, bias)  # type: ignore[no-any-return]
    return _linear.call(
        (
            input,
            weight,
            bias,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_linear_activation = _Handle("linear_activation")


def linear_activation(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    activation: Literal["none", "relu", "gelu", "gelu_tanh", "silu"] = "none",
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Affine map followed by an activation, rounded once: what a fused epilogue computes.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _linear_activation.fast(activation)(input, weight, bias)  # type: ignore[no-any-return]
    return _linear_activation.call(
        (
            input,
            weight,
            bias,
        ),
        {"activation": activation},
        out,
        backend,
    )  # type: ignore[no-any-return]


_linear_recurrence = _Handle("linear_recurrence")


def linear_recurrence(
    a: Array,
    x: Array,
    *,
    axis: int = -1,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """y[t] = a[t] y[t - 1] + x[t], with y[-1] = 0: the core of state-space models. Computed in float32
    for 16-bit floats, and rounded at the output only.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _linear_recurrence.fast(axis)(a, x)  # type: ignore[no-any-return]
    return _linear_recurrence.call(
        (
            a,
            x,
        ),
        {"axis": axis},
        out,
        backend,
    )  # type: ignore[no-any-return]


_linspace = _Handle("linspace")


def linspace(
    start: float,
    stop: float,
    /,
    num: int,
    *,
    dtype: DTypeLike | None = None,
    endpoint: bool = True,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """num evenly spaced numbers from start to stop, which is the last one exactly unless endpoint=False.

    Follows numpy.linspace (adapted: the default dtype is float32; num has no default, as in the array API).
    """
    if out is None and backend is None and _state() is None:
        return _linspace.fast(start, stop, num, dtype, endpoint)()  # type: ignore[no-any-return]
    return _linspace.call(
        (),
        {
            "start": start,
            "stop": stop,
            "num": num,
            "dtype": dtype,
            "endpoint": endpoint,
        },
        out,
        backend,
    )  # type: ignore[no-any-return]


_llama_rms_norm = _Handle("llama_rms_norm")


def llama_rms_norm(
    x: Array,
    weight: Array,
    *,
    eps: float = 1e-06,
    axis: int = -1,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """rms_norm as in Llama: the normalised value is rounded to the dtype of x before the weight multiplies
    it, and the product is rounded again. Touvron et al., 2023.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _llama_rms_norm.fast(eps, axis)(x, weight)  # type: ignore[no-any-return]
    return _llama_rms_norm.call(
        (
            x,
            weight,
        ),
        {"eps": eps, "axis": axis},
        out,
        backend,
    )  # type: ignore[no-any-return]


_local_response_norm = _Handle("local_response_norm")


def local_response_norm(
    input: Array,
    size: int,
    alpha: float = 0.0001,
    beta: float = 0.75,
    k: float = 1.0,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Local response normalisation across `size` neighbouring channels of [n, c, ...]. Krizhevsky et al.,
    2012. The sum is divided by size at the border too.

    Follows torch.nn.functional.local_response_norm (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _local_response_norm.fast(size, alpha, beta, k)(input)  # type: ignore[no-any-return]
    return _local_response_norm.call(
        (input,), {"size": size, "alpha": alpha, "beta": beta, "k": k}, out, backend
    )  # type: ignore[no-any-return]


_log = _Handle("log")


def log(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Natural logarithm: -inf at 0 (of either sign), nan for x < 0.

    Follows numpy.log (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _log.plain(x)  # type: ignore[no-any-return]
    return _log.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_log10 = _Handle("log10")


def log10(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Logarithm to base 10.

    Follows numpy.log10 (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _log10.plain(x)  # type: ignore[no-any-return]
    return _log10.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_log1p = _Handle("log1p")


def log1p(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """log(1 + x), without cancellation near 0; -inf at -1, nan below.

    Follows numpy.log1p (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _log1p.plain(x)  # type: ignore[no-any-return]
    return _log1p.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_log2 = _Handle("log2")


def log2(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Logarithm to base 2; exact at the powers of two.

    Follows numpy.log2 (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _log2.plain(x)  # type: ignore[no-any-return]
    return _log2.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_log_sigmoid = _Handle("log_sigmoid")


def log_sigmoid(
    input: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """log(sigmoid(x)) = -softplus(-x), without overflow or cancellation.

    Follows torch.nn.functional.logsigmoid (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _log_sigmoid.plain(input)  # type: ignore[no-any-return]
    return _log_sigmoid.call((input,), {}, out, backend)  # type: ignore[no-any-return]


_log_softmax = _Handle("log_softmax")


def log_softmax(
    x: Array, *, axis: int = -1, out: Array | None = None, backend: str | None = None
) -> Array:
    """log(softmax(x)), from the logits: x - max - log(sum(exp(x - max))). A row of -inf only is nan.

    Follows torch.nn.functional.log_softmax (adapted: the axis is called axis, and is the last one by default).
    """
    if out is None and backend is None and _state() is None:
        return _log_softmax.fast(axis)(x)  # type: ignore[no-any-return]
    return _log_softmax.call((x,), {"axis": axis}, out, backend)  # type: ignore[no-any-return]


_logaddexp = _Handle("logaddexp")


def logaddexp(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """log(e^x1 + e^x2), without overflow. Equal infinities give that infinity.

    Follows numpy.logaddexp (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _logaddexp.plain(x1, x2)  # type: ignore[no-any-return]
    return _logaddexp.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_logcumsumexp = _Handle("logcumsumexp")


def logcumsumexp(
    x: Array, /, *, axis: int = -1, out: Array | None = None, backend: str | None = None
) -> Array:
    """log of the running sum of exp(x), without overflow.

    Follows torch.logcumsumexp (adapted: axis instead of dim, and the last one by default).
    """
    if out is None and backend is None and _state() is None:
        return _logcumsumexp.fast(axis)(x)  # type: ignore[no-any-return]
    return _logcumsumexp.call((x,), {"axis": axis}, out, backend)  # type: ignore[no-any-return]


_logical_and = _Handle("logical_and")


def logical_and(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether both are true. Only bool, as in the array API.

    Follows numpy.logical_and (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _logical_and.plain(x1, x2)  # type: ignore[no-any-return]
    return _logical_and.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_logical_not = _Handle("logical_not")


def logical_not(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Negation of a truth value. Only bool: for numbers write equal(x, 0).

    Follows numpy.logical_not (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _logical_not.plain(x)  # type: ignore[no-any-return]
    return _logical_not.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_logical_or = _Handle("logical_or")


def logical_or(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether at least one is true. Only bool.

    Follows numpy.logical_or (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _logical_or.plain(x1, x2)  # type: ignore[no-any-return]
    return _logical_or.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_logical_xor = _Handle("logical_xor")


def logical_xor(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether exactly one is true. Only bool.

    Follows numpy.logical_xor (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _logical_xor.plain(x1, x2)  # type: ignore[no-any-return]
    return _logical_xor.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_logit = _Handle("logit")


def logit(
    input: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """log(x / (1 - x)), the inverse of sigmoid; nan outside [0, 1].

    For x < 1/2 as log(x) - log1p(-x), which loses nothing; the difference 1 - x is exact above.

    Follows torch.logit (adapted: no eps; clip the input instead).
    """
    if out is None and backend is None and _state() is None:
        return _logit.plain(input)  # type: ignore[no-any-return]
    return _logit.call((input,), {}, out, backend)  # type: ignore[no-any-return]


_logprobs_from_logits = _Handle("logprobs_from_logits")


def logprobs_from_logits(
    logits: Array,
    labels: Array,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Log-probabilities of given tokens, from the logits: [..., c], [...] -> [...].

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _logprobs_from_logits.plain(logits, labels)  # type: ignore[no-any-return]
    return _logprobs_from_logits.call(
        (
            logits,
            labels,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_logsumexp = _Handle("logsumexp")


def logsumexp(
    x: Array,
    /,
    *,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """log(sum(exp(x))) over axes, with the maximum as pivot. Of -inf only, and of nothing: -inf.

    Follows torch.logsumexp (adapted: axis and keepdims instead of dim and keepdim).
    """
    if out is None and backend is None and _state() is None:
        return _logsumexp.fast(axis, keepdims)(x)  # type: ignore[no-any-return]
    return _logsumexp.call((x,), {"axis": axis, "keepdims": keepdims}, out, backend)  # type: ignore[no-any-return]


_lora_expand = _Handle("lora_expand")


def lora_expand(
    y: Array,
    x: Array,
    lora_b: Array,
    indices: Array,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Low-rank adapters, second half: added to the output of the layer, rounded once.

    y: [n, m], x: [n, r], lora_b: [adapters, m, r], indices: [n] -> [n, m]. A row with index -1 stays.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _lora_expand.plain(y, x, lora_b, indices)  # type: ignore[no-any-return]
    return _lora_expand.call(
        (
            y,
            x,
            lora_b,
            indices,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_lora_shrink = _Handle("lora_shrink")


def lora_shrink(
    x: Array,
    lora_a: Array,
    indices: Array,
    *,
    scale: float = 1.0,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Low-rank adapters, first half: each row by the A of its adapter. Hu et al., 2021.

    x: [n, k], lora_a: [adapters, r, k], indices: [n] -> [n, r]. A row with index -1 has no adapter: zeros.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _lora_shrink.fast(scale)(x, lora_a, indices)  # type: ignore[no-any-return]
    return _lora_shrink.call(
        (
            x,
            lora_a,
            indices,
        ),
        {"scale": scale},
        out,
        backend,
    )  # type: ignore[no-any-return]


_margin_ranking_loss = _Handle("margin_ranking_loss")


def margin_ranking_loss(
    input1: Array,
    input2: Array,
    target: Array,
    *,
    margin: float = 0.0,
    reduction: Literal["none", "mean", "sum"] = "mean",
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """max(0, margin - target (x1 - x2)), averaged: a pair should be in the order that the target, 1 or -1, says.

    Follows torch.nn.functional.margin_ranking_loss (adapted: the three tensors have one shape).
    """
    if out is None and backend is None and _state() is None:
        return _margin_ranking_loss.fast(margin, reduction)(input1, input2, target)  # type: ignore[no-any-return]
    return _margin_ranking_loss.call(
        (
            input1,
            input2,
            target,
        ),
        {"margin": margin, "reduction": reduction},
        out,
        backend,
    )  # type: ignore[no-any-return]


_masked_fill = _Handle("masked_fill")


def masked_fill(
    input: Array,
    mask: Array,
    value: float,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """input, but `value` where the mask holds.

    Follows torch.masked_fill (adapted: the result has the broadcast shape of both).
    """
    if out is None and backend is None and _state() is None:
        return _masked_fill.fast(value)(input, mask)  # type: ignore[no-any-return]
    return _masked_fill.call(
        (
            input,
            mask,
        ),
        {"value": value},
        out,
        backend,
    )  # type: ignore[no-any-return]


_masked_mean = _Handle("masked_mean")


def masked_mean(
    values: Array,
    mask: Array,
    *,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Mean of the elements where the mask holds; 0 where it holds nowhere. No epsilon in the divisor.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _masked_mean.fast(axis, keepdims)(values, mask)  # type: ignore[no-any-return]
    return _masked_mean.call(
        (
            values,
            mask,
        ),
        {"axis": axis, "keepdims": keepdims},
        out,
        backend,
    )  # type: ignore[no-any-return]


_masked_softmax = _Handle("masked_softmax")


def masked_softmax(
    x: Array, mask: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Softmax over the last axis of the elements where the mask (broadcast to x) holds, 0 elsewhere. A
    row where it holds nowhere is all zeros.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _masked_softmax.plain(x, mask)  # type: ignore[no-any-return]
    return _masked_softmax.call(
        (
            x,
            mask,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_masked_sum = _Handle("masked_sum")


def masked_sum(
    values: Array,
    mask: Array,
    *,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Sum of the elements where the mask holds; a nan where it does not has no effect.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _masked_sum.fast(axis, keepdims)(values, mask)  # type: ignore[no-any-return]
    return _masked_sum.call(
        (
            values,
            mask,
        ),
        {"axis": axis, "keepdims": keepdims},
        out,
        backend,
    )  # type: ignore[no-any-return]


_masked_var = _Handle("masked_var")


def masked_var(
    values: Array,
    mask: Array,
    *,
    axis: int | Sequence[int] | None = None,
    correction: float = 1.0,
    keepdims: bool = False,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Variance of the elements where the mask holds, divided by n - correction; 0 where that is not
    positive (no element, or one element and correction = 1).

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _masked_var.fast(axis, correction, keepdims)(values, mask)  # type: ignore[no-any-return]
    return _masked_var.call(
        (
            values,
            mask,
        ),
        {"axis": axis, "correction": correction, "keepdims": keepdims},
        out,
        backend,
    )  # type: ignore[no-any-return]


_matmul = _Handle("matmul")


def matmul(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Matrix product over the last two axes, the axes before them broadcast.

    x1: [..., m, k], x2: [..., k, n] -> [..., m, n]. An empty inner axis (k = 0) gives zeros.

    Follows numpy.matmul (adapted: operands have two axes or more; for vectors use vecdot, matvec and vecmat).
    """
    if out is None and backend is None and _state() is None:
        return _matmul.plain(x1, x2)  # type: ignore[no-any-return]
    return _matmul.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_matrix_transpose = _Handle("matrix_transpose")


def matrix_transpose(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """The last two axes exchanged.

    Follows numpy.matrix_transpose (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _matrix_transpose.plain(x)  # type: ignore[no-any-return]
    return _matrix_transpose.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_matvec = _Handle("matvec")


def matvec(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Products of matrices and vectors: [..., m, n], [..., n] -> [..., m].

    Follows numpy.matvec (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _matvec.plain(x1, x2)  # type: ignore[no-any-return]
    return _matvec.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_max = _Handle("max")


def max(
    x: Array,
    /,
    *,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Largest element over axes; a nan wins, and of 0 and -0 it is 0. There must be at least one.

    Follows numpy.max (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _max.fast(axis, keepdims)(x)  # type: ignore[no-any-return]
    return _max.call((x,), {"axis": axis, "keepdims": keepdims}, out, backend)  # type: ignore[no-any-return]


_max_pool1d = _Handle("max_pool1d")


def max_pool1d(
    input: Array,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Largest element of each window of the last axis; what lies outside takes no part. A nan wins.

    Follows torch.nn.functional.max_pool1d (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _max_pool1d.fast(kernel_size, stride, padding, dilation, ceil_mode)(
            input
        )  # type: ignore[no-any-return]
    return _max_pool1d.call(
        (input,),
        {
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "ceil_mode": ceil_mode,
        },
        out,
        backend,
    )  # type: ignore[no-any-return]


_max_pool2d = _Handle("max_pool2d")


def max_pool2d(
    input: Array,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Largest element of each window of the last two axes; what lies outside the image takes no part. A nan
    wins.

    Follows torch.nn.functional.max_pool2d (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _max_pool2d.fast(kernel_size, stride, padding, dilation, ceil_mode)(
            input
        )  # type: ignore[no-any-return]
    return _max_pool2d.call(
        (input,),
        {
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
            "ceil_mode": ceil_mode,
        },
        out,
        backend,
    )  # type: ignore[no-any-return]


_maximum = _Handle("maximum")


def maximum(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """The larger of two values. A nan in either is the result.

    Follows numpy.maximum (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _maximum.plain(x1, x2)  # type: ignore[no-any-return]
    return _maximum.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_mean = _Handle("mean")


def mean(
    x: Array,
    /,
    *,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Arithmetic mean over axes; the mean of nothing is nan.

    Follows numpy.mean (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _mean.fast(axis, keepdims)(x)  # type: ignore[no-any-return]
    return _mean.call((x,), {"axis": axis, "keepdims": keepdims}, out, backend)  # type: ignore[no-any-return]


_median = _Handle("median")


def median(x: Array, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Middle element of the sorted last axis, or the mean of the two in the middle; nan if any is nan.

    Follows numpy.median (adapted: the last axis only).
    """
    if out is None and backend is None and _state() is None:
        return _median.plain(x)  # type: ignore[no-any-return]
    return _median.call((x,), {}, out, backend)  # type: ignore[no-any-return]


class MergeAttnStatesResult(NamedTuple):
    """Results of `merge_attn_states`."""

    output: Array
    output_lse: Array | None = None


_merge_attn_states = _Handle("merge_attn_states", MergeAttnStatesResult)


def merge_attn_states(
    prefix_output: Array,
    prefix_lse: Array,
    suffix_output: Array,
    suffix_lse: Array,
    *,
    return_output_lse: bool = False,
    out: tuple[Array, ...] | None = None,
    backend: str | None = None,
) -> MergeAttnStatesResult:
    """Two partial results of attention, over disjoint sets of keys, merged by their log-sum-exps.

    outputs: [n, h, d], lses: float32 [h, n] -> output [n, h, d], and with return_output_lse=True its lse
    [h, n]. A part with lse -inf (or inf, as some kernels mark an empty part) has no weight; when neither has,
    the output is zero.

    Follows vllm._custom_ops.merge_attn_states (adapted: results are returned, not written to arguments).
    """
    if out is None and backend is None and _state() is None:
        return _merge_attn_states.fast(return_output_lse)(
            prefix_output, prefix_lse, suffix_output, suffix_lse
        )  # type: ignore[no-any-return]
    return _merge_attn_states.call(
        (
            prefix_output,
            prefix_lse,
            suffix_output,
            suffix_lse,
        ),
        {"return_output_lse": return_output_lse},
        out,
        backend,
    )  # type: ignore[no-any-return]


_min = _Handle("min")


def min(
    x: Array,
    /,
    *,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Smallest element over axes; a nan wins, and of 0 and -0 it is -0. There must be at least one.

    Follows numpy.min (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _min.fast(axis, keepdims)(x)  # type: ignore[no-any-return]
    return _min.call((x,), {"axis": axis, "keepdims": keepdims}, out, backend)  # type: ignore[no-any-return]


_minimum = _Handle("minimum")


def minimum(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """The smaller of two values. A nan in either is the result.

    Follows numpy.minimum (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _minimum.plain(x1, x2)  # type: ignore[no-any-return]
    return _minimum.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_mish = _Handle("mish")


def mish(
    input: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x tanh(softplus(x)). Misra, 2019.

    Follows torch.nn.functional.mish (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _mish.plain(input)  # type: ignore[no-any-return]
    return _mish.call((input,), {}, out, backend)  # type: ignore[no-any-return]


_mla_decode = _Handle("mla_decode")


def mla_decode(
    query: Array,
    cache: Array,
    block_tables: Array,
    seq_lens: Array,
    *,
    value_size: int,
    scale: float | None = None,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Decoding with multi-head latent attention, in its absorbed form: all heads share one cached row of length d
    for each token, whose first value_size entries are the value too. DeepSeek-AI, 2024.

    query: [n, h, d], cache: [blocks, block size, d], block_tables: [n, pages], seq_lens: [n] -> [n, h, value_size].

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _mla_decode.fast(value_size, scale)(query, cache, block_tables, seq_lens)  # type: ignore[no-any-return]
    return _mla_decode.call(
        (
            query,
            cache,
            block_tables,
            seq_lens,
        ),
        {"value_size": value_size, "scale": scale},
        out,
        backend,
    )  # type: ignore[no-any-return]


_mm = _Handle("mm")


def mm(
    input: Array,
    mat2: Array,
    /,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Matrix product of two matrices.

    Follows torch.mm (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _mm.plain(input, mat2)  # type: ignore[no-any-return]
    return _mm.call(
        (
            input,
            mat2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_mse_loss = _Handle("mse_loss")


def mse_loss(
    input: Array,
    target: Array,
    *,
    reduction: Literal["none", "mean", "sum"] = "mean",
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """(input - target)^2.

    Follows torch.nn.functional.mse_loss (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _mse_loss.fast(reduction)(input, target)  # type: ignore[no-any-return]
    return _mse_loss.call(
        (
            input,
            target,
        ),
        {"reduction": reduction},
        out,
        backend,
    )  # type: ignore[no-any-return]


_mul_and_silu = _Handle("mul_and_silu")


def mul_and_silu(
    x: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """The first half times silu of the second half.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _mul_and_silu.plain(x)  # type: ignore[no-any-return]
    return _mul_and_silu.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_multiply = _Handle("multiply")


def multiply(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Product; integers wrap.

    Follows numpy.multiply (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _multiply.plain(x1, x2)  # type: ignore[no-any-return]
    return _multiply.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_nan_to_num = _Handle("nan_to_num")


def nan_to_num(
    x: Array,
    /,
    *,
    value: float = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Replaces nan by `value`, and infinities by `posinf` and `neginf`, by default the largest and
    the smallest number of the dtype.

    Follows numpy.nan_to_num (adapted: nan is a word of the spec language, so the keyword is called value).
    """
    if out is None and backend is None and _state() is None:
        return _nan_to_num.fast(value, posinf, neginf)(x)  # type: ignore[no-any-return]
    return _nan_to_num.call(
        (x,), {"value": value, "posinf": posinf, "neginf": neginf}, out, backend
    )  # type: ignore[no-any-return]


_narrow = _Handle("narrow")


def narrow(
    input: Array,
    dim: int,
    start: int,
    length: int,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """`length` elements from `start` on, along an axis.

    Follows torch.narrow (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _narrow.fast(dim, start, length)(input)  # type: ignore[no-any-return]
    return _narrow.call(
        (input,), {"dim": dim, "start": start, "length": length}, out, backend
    )  # type: ignore[no-any-return]


_negative = _Handle("negative")


def negative(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """-x; unsigned integers wrap.

    Follows numpy.negative (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _negative.plain(x)  # type: ignore[no-any-return]
    return _negative.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_nextafter = _Handle("nextafter")


def nextafter(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """The next number from x1 towards x2.

    Follows numpy.nextafter (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _nextafter.plain(x1, x2)  # type: ignore[no-any-return]
    return _nextafter.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_nll_loss = _Handle("nll_loss")


def nll_loss(
    input: Array,
    target: Array,
    weight: Array | None = None,
    *,
    ignore_index: int = -100,
    reduction: Literal["none", "mean", "sum"] = "mean",
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Minus the log-probability of the target class: input [..., c] holds log-probabilities. Weights, ignore_index
    and the mean as in cross_entropy.

    Follows torch.nn.functional.nll_loss (adapted: the classes are the last axis).
    """
    if out is None and backend is None and _state() is None:
        return _nll_loss.fast(ignore_index, reduction)(input, target, weight)  # type: ignore[no-any-return]
    return _nll_loss.call(
        (
            input,
            target,
            weight,
        ),
        {"ignore_index": ignore_index, "reduction": reduction},
        out,
        backend,
    )  # type: ignore[no-any-return]


_not_equal = _Handle("not_equal")


def not_equal(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether x1 and x2 differ; a nan differs from everything.

    Follows numpy.not_equal (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _not_equal.plain(x1, x2)  # type: ignore[no-any-return]
    return _not_equal.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_one_hot = _Handle("one_hot")


def one_hot(
    input: Array,
    num_classes: int,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """One where the index is the value, else zero: [...] -> [..., num_classes]. An index outside
    0..num_classes - 1 gives zeros.

    Follows torch.nn.functional.one_hot (adapted: num_classes is required; an index out of range gives zeros, as in JAX).
    """
    if out is None and backend is None and _state() is None:
        return _one_hot.fast(num_classes)(input)  # type: ignore[no-any-return]
    return _one_hot.call((input,), {"num_classes": num_classes}, out, backend)  # type: ignore[no-any-return]


_ones = _Handle("ones")


def ones(
    shape: int | Sequence[int],
    *,
    dtype: DTypeLike | None = None,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """An array of ones.

    Follows numpy.ones (adapted: the default dtype is float32).
    """
    if out is None and backend is None and _state() is None:
        return _ones.fast(shape, dtype)()  # type: ignore[no-any-return]
    return _ones.call((), {"shape": shape, "dtype": dtype}, out, backend)  # type: ignore[no-any-return]


_ones_like = _Handle("ones_like")


def ones_like(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Ones, with the shape and the dtype of x.

    Follows numpy.ones_like (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _ones_like.plain(x)  # type: ignore[no-any-return]
    return _ones_like.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_outer = _Handle("outer")


def outer(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """All products of two vectors: [m], [n] -> [m, n].

    Follows numpy.linalg.outer (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _outer.plain(x1, x2)  # type: ignore[no-any-return]
    return _outer.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_pack_padded = _Handle("pack_padded")


def pack_padded(
    x: Array,
    cu_seqlens: Array,
    *,
    total: int,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Padded sequences packed: x [b, n, ...] -> [total, ...], row r of sequence q at cu_seqlens[q] + r.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _pack_padded.fast(total)(x, cu_seqlens)  # type: ignore[no-any-return]
    return _pack_padded.call(
        (
            x,
            cu_seqlens,
        ),
        {"total": total},
        out,
        backend,
    )  # type: ignore[no-any-return]


_pad = _Handle("pad")


def pad(
    x: Array,
    before: int | Sequence[int],
    after: int | Sequence[int],
    *,
    mode: Literal["constant", "reflect", "replicate", "circular"] = "constant",
    value: float = 0.0,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """x with `before` and `after` elements more at the ends of each axis; one int for each axis.

    constant: `value`. replicate: the border element. reflect: mirrored at the border element, which is
    not repeated; circular: periodic; these two need fewer new elements than the axis has.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _pad.fast(before, after, mode, value)(x)  # type: ignore[no-any-return]
    return _pad.call(
        (x,),
        {"before": before, "after": after, "mode": mode, "value": value},
        out,
        backend,
    )  # type: ignore[no-any-return]


_pad_packed = _Handle("pad_packed")


def pad_packed(
    x: Array,
    cu_seqlens: Array,
    *,
    max_length: int,
    value: float = 0.0,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Packed sequences padded: x [total, ...] -> [sequences, max_length, ...]; what is behind the end of
    a sequence is `value`.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _pad_packed.fast(max_length, value)(x, cu_seqlens)  # type: ignore[no-any-return]
    return _pad_packed.call(
        (
            x,
            cu_seqlens,
        ),
        {"max_length": max_length, "value": value},
        out,
        backend,
    )  # type: ignore[no-any-return]


_paged_attention = _Handle("paged_attention")


def paged_attention(
    query: Array,
    key_cache: Array,
    value_cache: Array,
    block_tables: Array,
    seq_lens: Array,
    *,
    scale: float | None = None,
    softcap: float = 0.0,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Attention of one new query for each sequence to a cache in blocks: decoding. Kwon et al., 2023.

    query: [n, g r, d], key_cache and value_cache: [blocks, block size, g, d], block_tables: [n, pages],
    seq_lens: [n] -> [n, g r, d]. Key j of sequence i is in block block_tables[i, j // block size]; entries of
    the table behind the end of a sequence are never read. An empty sequence gets zeros.

    Follows vllm._custom_ops.paged_attention_v1 (adapted: results are returned; the cache has flash-attention's layout).
    """
    if out is None and backend is None and _state() is None:
        return _paged_attention.fast(scale, softcap)(
            query, key_cache, value_cache, block_tables, seq_lens
        )  # type: ignore[no-any-return]
    return _paged_attention.call(
        (
            query,
            key_cache,
            value_cache,
            block_tables,
            seq_lens,
        ),
        {"scale": scale, "softcap": softcap},
        out,
        backend,
    )  # type: ignore[no-any-return]


_paged_prefill_attention = _Handle("paged_prefill_attention")


def paged_prefill_attention(
    query: Array,
    key_cache: Array,
    value_cache: Array,
    block_tables: Array,
    seq_lens: Array,
    cu_seqlens_q: Array,
    *,
    scale: float | None = None,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Attention of several new queries for each sequence to a cache in blocks, causal: prefill in chunks, or
    verification of drafted tokens. The new keys are in the cache already.

    query: [n, g r, d], packed; sequence b has the rows cu_seqlens_q[b] .. cu_seqlens_q[b + 1] - 1, which are its last
    ones, and seq_lens[b] keys in all. Caches and tables as in paged_attention -> [n, g r, e].

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _paged_prefill_attention.fast(scale)(
            query, key_cache, value_cache, block_tables, seq_lens, cu_seqlens_q
        )  # type: ignore[no-any-return]
    return _paged_prefill_attention.call(
        (
            query,
            key_cache,
            value_cache,
            block_tables,
            seq_lens,
            cu_seqlens_q,
        ),
        {"scale": scale},
        out,
        backend,
    )  # type: ignore[no-any-return]


_permute_dims = _Handle("permute_dims")


def permute_dims(
    x: Array,
    /,
    axes: int | Sequence[int],
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """The axes in another order: axis k of the result is axis axes[k] of x.

    Follows numpy.permute_dims (adapted: axes is required, as in the array API).
    """
    if out is None and backend is None and _state() is None:
        return _permute_dims.fast(axes)(x)  # type: ignore[no-any-return]
    return _permute_dims.call((x,), {"axes": axes}, out, backend)  # type: ignore[no-any-return]


_pixel_shuffle = _Handle("pixel_shuffle")


def pixel_shuffle(
    input: Array,
    upscale_factor: int,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Channels into space: [..., c r r, h, w] -> [..., c, h r, w r]. Shi et al., 2016.

    Follows torch.nn.functional.pixel_shuffle (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _pixel_shuffle.fast(upscale_factor)(input)  # type: ignore[no-any-return]
    return _pixel_shuffle.call(
        (input,), {"upscale_factor": upscale_factor}, out, backend
    )  # type: ignore[no-any-return]


_pixel_unshuffle = _Handle("pixel_unshuffle")


def pixel_unshuffle(
    input: Array,
    downscale_factor: int,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Space into channels: [..., c, h r, w r] -> [..., c r r, h, w], the inverse of pixel_shuffle.

    Follows torch.nn.functional.pixel_unshuffle (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _pixel_unshuffle.fast(downscale_factor)(input)  # type: ignore[no-any-return]
    return _pixel_unshuffle.call(
        (input,), {"downscale_factor": downscale_factor}, out, backend
    )  # type: ignore[no-any-return]


_positive = _Handle("positive")


def positive(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x itself, as a new array.

    Follows numpy.positive (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _positive.plain(x)  # type: ignore[no-any-return]
    return _positive.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_pow = _Handle("pow")


def pow(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x1 to the power x2. Integers wrap; floats have the special cases of C99: pow(x, 0) and pow(1, x)
    are 1 even for nan, and a negative x1 with a fractional x2 is nan.

    Follows numpy.pow (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _pow.plain(x1, x2)  # type: ignore[no-any-return]
    return _pow.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_prelu = _Handle("prelu")


def prelu(
    input: Array, weight: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x where positive, else a multiple given for each channel: input [n, c, ...], weight [c].
    He, Zhang, Ren & Sun, 2015.

    Follows torch.nn.functional.prelu (adapted: the input has a channel axis, and weight one entry for each channel).
    """
    if out is None and backend is None and _state() is None:
        return _prelu.plain(input, weight)  # type: ignore[no-any-return]
    return _prelu.call(
        (
            input,
            weight,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_prod = _Handle("prod")


def prod(
    x: Array,
    /,
    *,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Product over axes. Integers are multiplied in int64 (unsigned: uint64) and wrap; the product of
    nothing is 1.

    Follows numpy.prod (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _prod.fast(axis, keepdims)(x)  # type: ignore[no-any-return]
    return _prod.call((x,), {"axis": axis, "keepdims": keepdims}, out, backend)  # type: ignore[no-any-return]


class QkNormResult(NamedTuple):
    """Results of `qk_norm`."""

    q_out: Array
    k_out: Array


_qk_norm = _Handle("qk_norm", QkNormResult)


def qk_norm(
    q: Array,
    k: Array,
    q_weight: Array,
    k_weight: Array,
    *,
    eps: float = 1e-06,
    out: tuple[Array, ...] | None = None,
    backend: str | None = None,
) -> QkNormResult:
    """rms_norm of the queries and keys of attention, each head by itself. Dehghani et al., 2023; Qwen3.

    q: [..., h, d], k: [..., g, d], weights: [d].

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _qk_norm.fast(eps)(q, k, q_weight, k_weight)  # type: ignore[no-any-return]
    return _qk_norm.call(
        (
            q,
            k,
            q_weight,
            k_weight,
        ),
        {"eps": eps},
        out,
        backend,
    )  # type: ignore[no-any-return]


_quick_gelu = _Handle("quick_gelu")


def quick_gelu(
    x: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x sigmoid(1.702 x), the first approximation of gelu; OpenAI's CLIP uses it.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _quick_gelu.plain(x)  # type: ignore[no-any-return]
    return _quick_gelu.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_ragged_max = _Handle("ragged_max")


def ragged_max(
    x: Array, cu_seqlens: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Largest of the rows of each sequence: [n, ...] -> [sequences, ...]. An empty one gives -inf.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _ragged_max.plain(x, cu_seqlens)  # type: ignore[no-any-return]
    return _ragged_max.call(
        (
            x,
            cu_seqlens,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_ragged_mean = _Handle("ragged_mean")


def ragged_mean(
    x: Array, cu_seqlens: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Mean of the rows of each sequence: [n, ...] -> [sequences, ...]. An empty one gives nan.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _ragged_mean.plain(x, cu_seqlens)  # type: ignore[no-any-return]
    return _ragged_mean.call(
        (
            x,
            cu_seqlens,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_ragged_sum = _Handle("ragged_sum")


def ragged_sum(
    x: Array, cu_seqlens: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Sum of the rows of each sequence: [n, ...] -> [sequences, ...]. An empty one gives 0.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _ragged_sum.plain(x, cu_seqlens)  # type: ignore[no-any-return]
    return _ragged_sum.call(
        (
            x,
            cu_seqlens,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_reciprocal = _Handle("reciprocal")


def reciprocal(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """1 / x, correctly rounded.

    Follows numpy.reciprocal (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _reciprocal.plain(x)  # type: ignore[no-any-return]
    return _reciprocal.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_reglu = _Handle("reglu")


def reglu(x: Array, *, out: Array | None = None, backend: str | None = None) -> Array:
    """The first half times relu of the second half: the order of Shazeer's paper.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _reglu.plain(x)  # type: ignore[no-any-return]
    return _reglu.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_relu = _Handle("relu")


def relu(
    input: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """The larger of x and zero; relu(nan) is nan and relu(-0) is 0.

    Follows torch.nn.functional.relu (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _relu.plain(input)  # type: ignore[no-any-return]
    return _relu.call((input,), {}, out, backend)  # type: ignore[no-any-return]


_relu6 = _Handle("relu6")


def relu6(
    input: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x limited to 0 .. 6.

    Follows torch.nn.functional.relu6 (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _relu6.plain(input)  # type: ignore[no-any-return]
    return _relu6.call((input,), {}, out, backend)  # type: ignore[no-any-return]


_relu_and_mul = _Handle("relu_and_mul")


def relu_and_mul(
    x: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """relu of the first half times the second half. Shazeer, 2020 (ReGLU).

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _relu_and_mul.plain(x)  # type: ignore[no-any-return]
    return _relu_and_mul.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_remainder = _Handle("remainder")


def remainder(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x1 - floor(x1 / x2) x2, with the sign of x2. An integer modulo 0 is 0.

    Follows numpy.remainder (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _remainder.plain(x1, x2)  # type: ignore[no-any-return]
    return _remainder.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_repeat = _Handle("repeat")


def repeat(
    x: Array,
    repeats: int,
    /,
    *,
    axis: int,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Each element repeated so many times along an axis.

    Follows numpy.repeat (adapted: repeats is one int, and the axis is required).
    """
    if out is None and backend is None and _state() is None:
        return _repeat.fast(repeats, axis)(x)  # type: ignore[no-any-return]
    return _repeat.call((x,), {"repeats": repeats, "axis": axis}, out, backend)  # type: ignore[no-any-return]


_reshape = _Handle("reshape")


def reshape(
    x: Array,
    /,
    shape: int | Sequence[int],
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """The same elements, in row-major order, in another shape.

    Follows numpy.reshape (adapted: no -1, and always row-major).
    """
    if out is None and backend is None and _state() is None:
        return _reshape.fast(shape)(x)  # type: ignore[no-any-return]
    return _reshape.call((x,), {"shape": shape}, out, backend)  # type: ignore[no-any-return]


class ReshapeAndCacheResult(NamedTuple):
    """Results of `reshape_and_cache`."""

    new_key_cache: Array
    new_value_cache: Array


_reshape_and_cache = _Handle("reshape_and_cache", ReshapeAndCacheResult)


def reshape_and_cache(
    key: Array,
    value: Array,
    key_cache: Array,
    value_cache: Array,
    slot_mapping: Array,
    *,
    out: tuple[Array, ...] | None = None,
    backend: str | None = None,
) -> ReshapeAndCacheResult:
    """The new keys and values of tokens put into a cache in blocks: token i goes to slot slot_mapping[i], which
    is block number times block size plus the place in the block. A negative slot is left out; of tokens with
    one slot the last stays.

    key: [n, g, d], value: [n, g, e], caches: [blocks, block size, g, d] -> the new caches.

    Follows vllm._custom_ops.reshape_and_cache_flash (adapted: the new caches are returned; no scales).
    """
    if out is None and backend is None and _state() is None:
        return _reshape_and_cache.plain(
            key, value, key_cache, value_cache, slot_mapping
        )  # type: ignore[no-any-return]
    return _reshape_and_cache.call(
        (
            key,
            value,
            key_cache,
            value_cache,
            slot_mapping,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_rms_norm = _Handle("rms_norm")


def rms_norm(
    x: Array,
    weight: Array,
    *,
    eps: float = 1e-06,
    axis: int = -1,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Root-mean-square normalisation along an axis. Zhang & Sennrich, 2019.

    x: [..., n], weight: [n]. Rounded once, at the end; llama_rms_norm, gemma_rms_norm and
    cann_rms_norm are the variants that models were trained with.

    Follows torch.nn.functional.rms_norm (adapted: one axis instead of normalized_shape; weight is required; eps has vLLM's default).
    """
    if out is None and backend is None and _state() is None:
        return _rms_norm.fast(eps, axis)(x, weight)  # type: ignore[no-any-return]
    return _rms_norm.call(
        (
            x,
            weight,
        ),
        {"eps": eps, "axis": axis},
        out,
        backend,
    )  # type: ignore[no-any-return]


_roll = _Handle("roll")


def roll(
    x: Array,
    /,
    shift: int,
    *,
    axis: int,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Elements moved by `shift` places along an axis; those that fall off come in at the other end.

    Follows numpy.roll (adapted: one axis, which is required).
    """
    if out is None and backend is None and _state() is None:
        return _roll.fast(shift, axis)(x)  # type: ignore[no-any-return]
    return _roll.call((x,), {"shift": shift, "axis": axis}, out, backend)  # type: ignore[no-any-return]


_rotary_cos_sin = _Handle("rotary_cos_sin")


def rotary_cos_sin(
    positions: Array,
    *,
    pairs: int,
    base: float = 10000.0,
    factor: float = 1.0,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Cosines and sines of rotary embeddings: positions [n] -> [n, 2 r], the angle of pair c being the position
    times base^(-c / r). Scaled positions (linear interpolation) divide by `factor`. Computed in float32.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _rotary_cos_sin.fast(pairs, base, factor)(positions)  # type: ignore[no-any-return]
    return _rotary_cos_sin.call(
        (positions,), {"pairs": pairs, "base": base, "factor": factor}, out, backend
    )  # type: ignore[no-any-return]


class RotaryEmbeddingResult(NamedTuple):
    """Results of `rotary_embedding`."""

    query_out: Array
    key_out: Array


_rotary_embedding = _Handle("rotary_embedding", RotaryEmbeddingResult)


def rotary_embedding(
    positions: Array,
    query: Array,
    key: Array,
    cos_sin_cache: Array,
    *,
    is_neox: bool = True,
    out: tuple[Array, ...] | None = None,
    backend: str | None = None,
) -> RotaryEmbeddingResult:
    """Rotary position embedding of queries and keys, the angles from a table. Su et al., 2021.

    positions: [n], query: [n, h, d], key: [n, g, d], cos_sin_cache: [positions, 2 r] with r cosines
    and r sines in a row. The first 2 r of the d entries of each head turn (partial rotation when 2 r < d),
    the others stay. is_neox: entry c turns with entry c + r (the halves), else (GPT-J) with its neighbour.

    Follows vllm._custom_ops.rotary_embedding (adapted: results are returned, heads are an axis, and head_size is not needed).
    """
    if out is None and backend is None and _state() is None:
        return _rotary_embedding.fast(is_neox)(positions, query, key, cos_sin_cache)  # type: ignore[no-any-return]
    return _rotary_embedding.call(
        (
            positions,
            query,
            key,
            cos_sin_cache,
        ),
        {"is_neox": is_neox},
        out,
        backend,
    )  # type: ignore[no-any-return]


_round = _Handle("round")


def round(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Nearest integer, half to even, of the same dtype. Integers stay.

    Follows numpy.round (adapted: no decimals, as in the array API).
    """
    if out is None and backend is None and _state() is None:
        return _round.plain(x)  # type: ignore[no-any-return]
    return _round.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_rsqrt = _Handle("rsqrt")


def rsqrt(
    input: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """1 / sqrt(x): inf at 0, nan for x < 0.

    Follows torch.rsqrt (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _rsqrt.plain(input)  # type: ignore[no-any-return]
    return _rsqrt.call((input,), {}, out, backend)  # type: ignore[no-any-return]


_scaled_dot_product_attention = _Handle("scaled_dot_product_attention")


def scaled_dot_product_attention(
    query: Array,
    key: Array,
    value: Array,
    attn_mask: Array | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Attention exactly as torch.nn.functional has it, causal from the top-left corner: query i sees key j
    when j <= i, whatever the lengths. Vaswani et al., 2017.

    query: [..., g r, s, d], key: [..., g, t, d], value: [..., g, t, e] -> [..., g r, s, e]; r = 1
    unless enable_gqa. attn_mask is broadcast to [..., g r, s, t]: a bool (true takes part) or a float that
    is added to the scores. A query with every key masked gets zeros, as in torch.

    Follows torch.nn.functional.scaled_dot_product_attention (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _scaled_dot_product_attention.fast(
            dropout_p, is_causal, scale, enable_gqa
        )(query, key, value, attn_mask)  # type: ignore[no-any-return]
    return _scaled_dot_product_attention.call(
        (
            query,
            key,
            value,
            attn_mask,
        ),
        {
            "dropout_p": dropout_p,
            "is_causal": is_causal,
            "scale": scale,
            "enable_gqa": enable_gqa,
        },
        out,
        backend,
    )  # type: ignore[no-any-return]


_scatter = _Handle("scatter")


def scatter(
    input: Array,
    dim: int,
    index: Array,
    src: Array,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """input with the values of src put at the indices of an axis. Where several meet, the last one in the
    row-major order of src stays.

    Follows torch.scatter (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _scatter.fast(dim)(input, index, src)  # type: ignore[no-any-return]
    return _scatter.call(
        (
            input,
            index,
            src,
        ),
        {"dim": dim},
        out,
        backend,
    )  # type: ignore[no-any-return]


_scatter_add = _Handle("scatter_add")


def scatter_add(
    input: Array,
    dim: int,
    index: Array,
    src: Array,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """input with the values of src added at the indices of an axis; values that meet add up.

    Follows torch.scatter_add (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _scatter_add.fast(dim)(input, index, src)  # type: ignore[no-any-return]
    return _scatter_add.call(
        (
            input,
            index,
            src,
        ),
        {"dim": dim},
        out,
        backend,
    )  # type: ignore[no-any-return]


_searchsorted = _Handle("searchsorted")


def searchsorted(
    x1: Array,
    x2: Array,
    /,
    *,
    side: Literal["left", "right"] = "left",
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Where each element of x2 would be put into the sorted x1 [n]: before its equals (left) or after them
    (right). A nan in x2 goes to the end.

    Follows numpy.searchsorted (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _searchsorted.fast(side)(x1, x2)  # type: ignore[no-any-return]
    return _searchsorted.call(
        (
            x1,
            x2,
        ),
        {"side": side},
        out,
        backend,
    )  # type: ignore[no-any-return]


_segment_sum = _Handle("segment_sum")


def segment_sum(
    data: Array,
    segment_ids: Array,
    *,
    num_segments: int,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Sums of rows by segment: data [n, ...], segment_ids [n] -> [num_segments, ...]. The ids need not be
    sorted; a segment without rows is zero.

    Follows jax.ops.segment_sum (adapted: num_segments is required; an id out of range is an error).
    """
    if out is None and backend is None and _state() is None:
        return _segment_sum.fast(num_segments)(data, segment_ids)  # type: ignore[no-any-return]
    return _segment_sum.call(
        (
            data,
            segment_ids,
        ),
        {"num_segments": num_segments},
        out,
        backend,
    )  # type: ignore[no-any-return]


_selective_scan = _Handle("selective_scan")


def selective_scan(
    u: Array,
    delta: Array,
    a: Array,
    b: Array,
    c: Array,
    skip: Array | None = None,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Selective scan, a state-space model with input-dependent coefficients. Gu & Dao, 2023 (Mamba).

    u, delta: [b, d, n], a: [d, s], b and c: [b, s, n], skip: [d]:
    h[t] = exp(delta[t] a) h[t - 1] + delta[t] b[t] u[t],  y[t] = c[t] . h[t] + skip u[t].

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _selective_scan.plain(u, delta, a, b, c, skip)  # type: ignore[no-any-return]
    return _selective_scan.call(
        (
            u,
            delta,
            a,
            b,
            c,
            skip,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_selu = _Handle("selu")


def selu(
    input: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Elu scaled so that activations keep mean 0 and variance 1. Klambauer et al., 2017.

    Follows torch.nn.functional.selu (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _selu.plain(input)  # type: ignore[no-any-return]
    return _selu.call((input,), {}, out, backend)  # type: ignore[no-any-return]


_sigmoid = _Handle("sigmoid")


def sigmoid(
    input: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """1 / (1 + e^-x), without overflow.

    Follows torch.nn.functional.sigmoid (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _sigmoid.plain(input)  # type: ignore[no-any-return]
    return _sigmoid.call((input,), {}, out, backend)  # type: ignore[no-any-return]


_sign = _Handle("sign")


def sign(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """-1, 0 or 1. A nan stays nan, -0 stays -0 (NumPy has 0).

    Follows numpy.sign (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _sign.plain(x)  # type: ignore[no-any-return]
    return _sign.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_signbit = _Handle("signbit")


def signbit(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether the sign bit is set: true for -0 and for a nan with the bit; for integers x < 0.

    Follows numpy.signbit (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _signbit.plain(x)  # type: ignore[no-any-return]
    return _signbit.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_silu = _Handle("silu")


def silu(
    input: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x sigmoid(x), also called swish. Elfwing, Uchibe & Doya, 2018. At -inf nan (-inf * 0).

    Follows torch.nn.functional.silu (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _silu.plain(input)  # type: ignore[no-any-return]
    return _silu.call((input,), {}, out, backend)  # type: ignore[no-any-return]


_silu_and_mul = _Handle("silu_and_mul")


def silu_and_mul(
    x: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """silu of the first half times the second half. Shazeer, 2020 (SwiGLU).

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _silu_and_mul.plain(x)  # type: ignore[no-any-return]
    return _silu_and_mul.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_sin = _Handle("sin")


def sin(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Sine of an angle in radians.

    Follows numpy.sin (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _sin.plain(x)  # type: ignore[no-any-return]
    return _sin.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_sinh = _Handle("sinh")


def sinh(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Hyperbolic sine.

    Follows numpy.sinh (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _sinh.plain(x)  # type: ignore[no-any-return]
    return _sinh.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_slice = _Handle("slice")


def slice(
    x: Array,
    start: int | Sequence[int],
    stop: int | Sequence[int],
    step: int | Sequence[int] = 1,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Elements start, start + step, ... before stop, along each axis; one int for each axis.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _slice.fast(start, stop, step)(x)  # type: ignore[no-any-return]
    return _slice.call((x,), {"start": start, "stop": stop, "step": step}, out, backend)  # type: ignore[no-any-return]


_sliding_window = _Handle("sliding_window")


def sliding_window(
    x: Array,
    size: int,
    step: int = 1,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Windows of `size` elements, `step` apart, along the last axis: [..., n] -> [..., windows, size].

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _sliding_window.fast(size, step)(x)  # type: ignore[no-any-return]
    return _sliding_window.call((x,), {"size": size, "step": step}, out, backend)  # type: ignore[no-any-return]


_smooth_l1_loss = _Handle("smooth_l1_loss")


def smooth_l1_loss(
    input: Array,
    target: Array,
    *,
    reduction: Literal["none", "mean", "sum"] = "mean",
    beta: float = 1.0,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """d^2 / (2 beta) where d = |input - target| < beta, else d - beta / 2. Girshick, 2015.

    Follows torch.nn.functional.smooth_l1_loss (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _smooth_l1_loss.fast(reduction, beta)(input, target)  # type: ignore[no-any-return]
    return _smooth_l1_loss.call(
        (
            input,
            target,
        ),
        {"reduction": reduction, "beta": beta},
        out,
        backend,
    )  # type: ignore[no-any-return]


_softmax = _Handle("softmax")


def softmax(
    x: Array, *, axis: int = -1, out: Array | None = None, backend: str | None = None
) -> Array:
    """exp(x) divided by its sum along an axis.

    A row of -inf only (fully masked), or with an inf, is nan, as in torch and JAX; masked_softmax and
    causal_softmax give zeros for a masked row instead.

    Follows torch.nn.functional.softmax (adapted: the axis is called axis, and is the last one by default).
    """
    if out is None and backend is None and _state() is None:
        return _softmax.fast(axis)(x)  # type: ignore[no-any-return]
    return _softmax.call((x,), {"axis": axis}, out, backend)  # type: ignore[no-any-return]


_softmax_with_sink = _Handle("softmax_with_sink")


def softmax_with_sink(
    x: Array, sink: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Softmax over the last axis with one more logit for each head, which takes probability and gives no
    output: scores [..., h, s, t], sink [h]. Xiao et al., 2023; gpt-oss. A row of -inf only is all zeros.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _softmax_with_sink.plain(x, sink)  # type: ignore[no-any-return]
    return _softmax_with_sink.call(
        (
            x,
            sink,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_softmin = _Handle("softmin")


def softmin(
    x: Array, *, axis: int = -1, out: Array | None = None, backend: str | None = None
) -> Array:
    """softmax(-x).

    Follows torch.nn.functional.softmin (adapted: the axis is called axis, and is the last one by default).
    """
    if out is None and backend is None and _state() is None:
        return _softmin.fast(axis)(x)  # type: ignore[no-any-return]
    return _softmin.call((x,), {"axis": axis}, out, backend)  # type: ignore[no-any-return]


_softplus = _Handle("softplus")


def softplus(
    input: Array,
    /,
    beta: float = 1.0,
    threshold: float = 20.0,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """log(1 + e^(beta x)) / beta, without overflow; x itself where beta x > threshold.

    Follows torch.nn.functional.softplus (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _softplus.fast(beta, threshold)(input)  # type: ignore[no-any-return]
    return _softplus.call(
        (input,), {"beta": beta, "threshold": threshold}, out, backend
    )  # type: ignore[no-any-return]


_softshrink = _Handle("softshrink")


def softshrink(
    input: Array,
    /,
    lambd: float = 0.5,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """x moved towards zero by lambd, zero where |x| <= lambd; a nan stays nan.

    Follows torch.nn.functional.softshrink (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _softshrink.fast(lambd)(input)  # type: ignore[no-any-return]
    return _softshrink.call((input,), {"lambd": lambd}, out, backend)  # type: ignore[no-any-return]


_softsign = _Handle("softsign")


def softsign(
    input: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x / (1 + |x|).

    Follows torch.nn.functional.softsign (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _softsign.plain(input)  # type: ignore[no-any-return]
    return _softsign.call((input,), {}, out, backend)  # type: ignore[no-any-return]


_sort = _Handle("sort")


def sort(
    x: Array,
    /,
    *,
    descending: bool = False,
    axis: int = -1,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """The elements of an axis in ascending (or descending) order.

    Follows numpy.sort (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _sort.fast(descending, axis)(x)  # type: ignore[no-any-return]
    return _sort.call((x,), {"descending": descending, "axis": axis}, out, backend)  # type: ignore[no-any-return]


_sqrt = _Handle("sqrt")


def sqrt(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Square root, correctly rounded; nan for x < 0, and sqrt(-0) is -0.

    Follows numpy.sqrt (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _sqrt.plain(x)  # type: ignore[no-any-return]
    return _sqrt.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_square = _Handle("square")


def square(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x * x; integers wrap.

    Follows numpy.square (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _square.plain(x)  # type: ignore[no-any-return]
    return _square.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_squeeze = _Handle("squeeze")


def squeeze(
    x: Array,
    /,
    axis: int | Sequence[int] | None,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Axes of length 1 removed.

    Follows numpy.squeeze (adapted: the axis is required, as in the array API).
    """
    if out is None and backend is None and _state() is None:
        return _squeeze.fast(axis)(x)  # type: ignore[no-any-return]
    return _squeeze.call((x,), {"axis": axis}, out, backend)  # type: ignore[no-any-return]


_stack = _Handle("stack")


def stack(
    *xs: Array, axis: int = 0, out: Array | None = None, backend: str | None = None
) -> Array:
    """Arrays of one shape along a new axis, put before the axis of that number.

    Follows numpy.stack (adapted: the arrays are arguments of their own).
    """
    if out is None and backend is None and _state() is None:
        return _stack.fast(axis)(*xs)  # type: ignore[no-any-return]
    return _stack.call((xs,), {"axis": axis}, out, backend)  # type: ignore[no-any-return]


_std = _Handle("std")


def std(
    x: Array,
    /,
    *,
    axis: int | Sequence[int] | None = None,
    correction: float = 0.0,
    keepdims: bool = False,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Standard deviation over axes, the square root of `var`.

    Follows numpy.std (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _std.fast(axis, correction, keepdims)(x)  # type: ignore[no-any-return]
    return _std.call(
        (x,),
        {"axis": axis, "correction": correction, "keepdims": keepdims},
        out,
        backend,
    )  # type: ignore[no-any-return]


_subtract = _Handle("subtract")


def subtract(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Difference; integers wrap.

    Follows numpy.subtract (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _subtract.plain(x1, x2)  # type: ignore[no-any-return]
    return _subtract.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_sum = _Handle("sum")


def sum(
    x: Array,
    /,
    *,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Sum over axes. Integers are summed in int64 (unsigned: uint64) and wrap; the sum of nothing is 0.

    Follows numpy.sum (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _sum.fast(axis, keepdims)(x)  # type: ignore[no-any-return]
    return _sum.call((x,), {"axis": axis, "keepdims": keepdims}, out, backend)  # type: ignore[no-any-return]


_swigluoai_and_mul = _Handle("swigluoai_and_mul")


def swigluoai_and_mul(
    x: Array,
    *,
    alpha: float = 1.702,
    limit: float = 7.0,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """The gated activation of gpt-oss: gate and up values alternate, the gate is limited above, the up
    value on both sides: (up + 1) gate sigmoid(alpha gate).

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _swigluoai_and_mul.fast(alpha, limit)(x)  # type: ignore[no-any-return]
    return _swigluoai_and_mul.call((x,), {"alpha": alpha, "limit": limit}, out, backend)  # type: ignore[no-any-return]


_take = _Handle("take")


def take(
    x: Array,
    indices: Array,
    /,
    *,
    axis: int,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Elements of an axis, at indices of any shape: the axis is replaced by the axes of `indices`.

    Follows numpy.take (adapted: the axis is required: an array is not flattened).
    """
    if out is None and backend is None and _state() is None:
        return _take.fast(axis)(x, indices)  # type: ignore[no-any-return]
    return _take.call(
        (
            x,
            indices,
        ),
        {"axis": axis},
        out,
        backend,
    )  # type: ignore[no-any-return]


_take_along_axis = _Handle("take_along_axis")


def take_along_axis(
    x: Array,
    indices: Array,
    /,
    *,
    axis: int = -1,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Elements of an axis, at an index given for each element of the result. Apart from the axis, x and
    indices have one shape.

    Follows numpy.take_along_axis (adapted: the other axes are not broadcast).
    """
    if out is None and backend is None and _state() is None:
        return _take_along_axis.fast(axis)(x, indices)  # type: ignore[no-any-return]
    return _take_along_axis.call(
        (
            x,
            indices,
        ),
        {"axis": axis},
        out,
        backend,
    )  # type: ignore[no-any-return]


_tan = _Handle("tan")


def tan(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Tangent of an angle in radians.

    Follows numpy.tan (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _tan.plain(x)  # type: ignore[no-any-return]
    return _tan.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_tanh = _Handle("tanh")


def tanh(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Hyperbolic tangent.

    Follows numpy.tanh (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _tanh.plain(x)  # type: ignore[no-any-return]
    return _tanh.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_tanhshrink = _Handle("tanhshrink")


def tanhshrink(
    input: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x - tanh(x); near 0 the difference cancels, and the absolute error is the tanh's.

    Follows torch.nn.functional.tanhshrink (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _tanhshrink.plain(input)  # type: ignore[no-any-return]
    return _tanhshrink.call((input,), {}, out, backend)  # type: ignore[no-any-return]


_threshold = _Handle("threshold")


def threshold(
    input: Array,
    threshold: float,
    value: float,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """x where x > threshold, else value.

    Follows torch.nn.functional.threshold (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _threshold.fast(threshold, value)(input)  # type: ignore[no-any-return]
    return _threshold.call(
        (input,), {"threshold": threshold, "value": value}, out, backend
    )  # type: ignore[no-any-return]


_tile = _Handle("tile")


def tile(
    x: Array,
    repetitions: int | Sequence[int],
    /,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """The array repeated as a whole, so many times along each axis; one int for each axis.

    Follows numpy.tile (adapted: one number for each axis of x).
    """
    if out is None and backend is None and _state() is None:
        return _tile.fast(repetitions)(x)  # type: ignore[no-any-return]
    return _tile.call((x,), {"repetitions": repetitions}, out, backend)  # type: ignore[no-any-return]


class TopkResult(NamedTuple):
    """Results of `topk`."""

    values: Array
    indices: Array


_topk = _Handle("topk", TopkResult)


def topk(
    x: Array,
    k: int,
    *,
    axis: int = -1,
    largest: bool = True,
    out: tuple[Array, ...] | None = None,
    backend: str | None = None,
) -> TopkResult:
    """The k largest elements of an axis and their positions, largest first.

    Of equal elements the earlier comes first; a nan counts as the largest. largest=False gives the
    smallest, smallest first, nan last.

    Follows torch.topk (adapted: axis instead of dim; ties and nan are settled; always sorted).
    """
    if out is None and backend is None and _state() is None:
        return _topk.fast(k, axis, largest)(x)  # type: ignore[no-any-return]
    return _topk.call((x,), {"k": k, "axis": axis, "largest": largest}, out, backend)  # type: ignore[no-any-return]


_trace = _Handle("trace")


def trace(
    x: Array,
    /,
    *,
    offset: int = 0,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Sum of a diagonal of the last two axes; offset > 0 is above the main one, < 0 below.

    Follows numpy.linalg.trace (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _trace.fast(offset)(x)  # type: ignore[no-any-return]
    return _trace.call((x,), {"offset": offset}, out, backend)  # type: ignore[no-any-return]


_transpose = _Handle("transpose")


def transpose(
    a: Array,
    axes: int | Sequence[int] | None = None,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """The axes in another order; without `axes`, in reverse order.

    Follows numpy.transpose (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _transpose.fast(axes)(a)  # type: ignore[no-any-return]
    return _transpose.call((a,), {"axes": axes}, out, backend)  # type: ignore[no-any-return]


_tril = _Handle("tril")


def tril(
    x: Array, /, *, k: int = 0, out: Array | None = None, backend: str | None = None
) -> Array:
    """The lower triangle of the last two axes: column <= row + k, else zero.

    Follows numpy.tril (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _tril.fast(k)(x)  # type: ignore[no-any-return]
    return _tril.call((x,), {"k": k}, out, backend)  # type: ignore[no-any-return]


_triu = _Handle("triu")


def triu(
    x: Array, /, *, k: int = 0, out: Array | None = None, backend: str | None = None
) -> Array:
    """The upper triangle of the last two axes: column >= row + k, else zero.

    Follows numpy.triu (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _triu.fast(k)(x)  # type: ignore[no-any-return]
    return _triu.call((x,), {"k": k}, out, backend)  # type: ignore[no-any-return]


_trunc = _Handle("trunc")


def trunc(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Integer part (towards zero), of the same dtype. Integers stay.

    Follows numpy.trunc (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _trunc.plain(x)  # type: ignore[no-any-return]
    return _trunc.call((x,), {}, out, backend)  # type: ignore[no-any-return]


_unfold = _Handle("unfold")


def unfold(
    input: Array,
    kernel_size: int | Sequence[int],
    dilation: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """The windows of an image as columns: [..., c, h, w] -> [..., c kernel_h kernel_w, windows] (im2col). Out of
    the image is zero.

    Follows torch.nn.functional.unfold (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _unfold.fast(kernel_size, dilation, padding, stride)(input)  # type: ignore[no-any-return]
    return _unfold.call(
        (input,),
        {
            "kernel_size": kernel_size,
            "dilation": dilation,
            "padding": padding,
            "stride": stride,
        },
        out,
        backend,
    )  # type: ignore[no-any-return]


_vander = _Handle("vander")


def vander(
    x: Array,
    N: int | None = None,
    increasing: bool = False,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Powers of each element, one column for each: [n] -> [n, N], the highest first unless `increasing`.

    Follows numpy.vander (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _vander.fast(N, increasing)(x)  # type: ignore[no-any-return]
    return _vander.call((x,), {"N": N, "increasing": increasing}, out, backend)  # type: ignore[no-any-return]


_var = _Handle("var")


def var(
    x: Array,
    /,
    *,
    axis: int | Sequence[int] | None = None,
    correction: float = 0.0,
    keepdims: bool = False,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Variance over axes, in two passes: the squared deviations from the mean, summed and divided by
    n - correction (1 gives the unbiased estimate). nan when n - correction is not positive and the
    deviations are 0, else inf.

    Follows numpy.var (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _var.fast(axis, correction, keepdims)(x)  # type: ignore[no-any-return]
    return _var.call(
        (x,),
        {"axis": axis, "correction": correction, "keepdims": keepdims},
        out,
        backend,
    )  # type: ignore[no-any-return]


_varlen_attention = _Handle("varlen_attention")


def varlen_attention(
    q: Array,
    k: Array,
    v: Array,
    cu_seqlens_q: Array,
    cu_seqlens_k: Array,
    *,
    scale: float | None = None,
    causal: bool = False,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Attention of sequences of different lengths, packed behind one another; causal from the bottom-right
    corner of each. Dao et al., 2022.

    q: [n, g r, d], k: [m, g, d], v: [m, g, e]; sequence b has the query rows cu_seqlens_q[b] ..
    cu_seqlens_q[b + 1] - 1 and the key rows cu_seqlens_k[b] .. cu_seqlens_k[b + 1] - 1 -> [n, g r, e]. A query that
    sees no key gets zeros.

    Follows flash_attn.flash_attn_varlen_func (adapted: no maximum lengths; causal and scale are keywords).
    """
    if out is None and backend is None and _state() is None:
        return _varlen_attention.fast(scale, causal)(
            q, k, v, cu_seqlens_q, cu_seqlens_k
        )  # type: ignore[no-any-return]
    return _varlen_attention.call(
        (
            q,
            k,
            v,
            cu_seqlens_q,
            cu_seqlens_k,
        ),
        {"scale": scale, "causal": causal},
        out,
        backend,
    )  # type: ignore[no-any-return]


_vecdot = _Handle("vecdot")


def vecdot(
    x1: Array,
    x2: Array,
    /,
    *,
    axis: int = -1,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Dot products along an axis, the other axes broadcast.

    Follows numpy.linalg.vecdot (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _vecdot.fast(axis)(x1, x2)  # type: ignore[no-any-return]
    return _vecdot.call(
        (
            x1,
            x2,
        ),
        {"axis": axis},
        out,
        backend,
    )  # type: ignore[no-any-return]


_vecmat = _Handle("vecmat")


def vecmat(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Products of vectors and matrices: [..., n], [..., n, m] -> [..., m].

    Follows numpy.vecmat (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _vecmat.plain(x1, x2)  # type: ignore[no-any-return]
    return _vecmat.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_vector_norm = _Handle("vector_norm")


def vector_norm(
    x: Array,
    /,
    *,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    ord: float = 2.0,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Vector norm (sum |x|^ord)^(1 / ord) over axes; ord = inf and -inf are the largest and smallest
    |x|, ord = 0 counts what is not 0. The squares of ord = 2 overflow where |x| > 2^63 in float32.

    Follows numpy.linalg.vector_norm (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _vector_norm.fast(axis, keepdims, ord)(x)  # type: ignore[no-any-return]
    return _vector_norm.call(
        (x,), {"axis": axis, "keepdims": keepdims, "ord": ord}, out, backend
    )  # type: ignore[no-any-return]


_where = _Handle("where")


def where(
    condition: Array,
    x1: Array,
    x2: Array,
    /,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """x1 where the condition holds, else x2; the value not taken has no effect, nan or not.

    Follows numpy.where (adapted: condition, x1 and x2 are all given).
    """
    if out is None and backend is None and _state() is None:
        return _where.plain(condition, x1, x2)  # type: ignore[no-any-return]
    return _where.call(
        (
            condition,
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_xlogy = _Handle("xlogy")


def xlogy(
    input: Array, other: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x1 log(x2), and 0 where x1 = 0, unless x2 is nan.

    Follows torch.xlogy (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _xlogy.plain(input, other)  # type: ignore[no-any-return]
    return _xlogy.call(
        (
            input,
            other,
        ),
        {},
        out,
        backend,
    )  # type: ignore[no-any-return]


_zeros = _Handle("zeros")


def zeros(
    shape: int | Sequence[int],
    *,
    dtype: DTypeLike | None = None,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """An array of zeros.

    Follows numpy.zeros (adapted: the default dtype is float32).
    """
    if out is None and backend is None and _state() is None:
        return _zeros.fast(shape, dtype)()  # type: ignore[no-any-return]
    return _zeros.call((), {"shape": shape, "dtype": dtype}, out, backend)  # type: ignore[no-any-return]


_zeros_like = _Handle("zeros_like")


def zeros_like(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Zeros, with the shape and the dtype of x.

    Follows numpy.zeros_like (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _zeros_like.plain(x)  # type: ignore[no-any-return]
    return _zeros_like.call((x,), {}, out, backend)  # type: ignore[no-any-return]


# Each function carries its spec, plans, source, bound and cost.

_attach(abs, _abs)

_attach(acos, _acos)

_attach(acosh, _acosh)

_attach(adaptive_avg_pool1d, _adaptive_avg_pool1d)

_attach(adaptive_avg_pool2d, _adaptive_avg_pool2d)

_attach(adaptive_max_pool2d, _adaptive_max_pool2d)

_attach(add, _add)

_attach(addcdiv, _addcdiv)

_attach(addcmul, _addcmul)

_attach(addmm, _addmm)

_attach(alibi_bias, _alibi_bias)

_attach(all, _all)

_attach(any, _any)

_attach(apply_rotary, _apply_rotary)

_attach(arange, _arange)

_attach(argmax, _argmax)

_attach(argmin, _argmin)

_attach(argsort, _argsort)

_attach(asin, _asin)

_attach(asinh, _asinh)

_attach(astype, _astype)

_attach(atan, _atan)

_attach(atan2, _atan2)

_attach(atanh, _atanh)

_attach(attention, _attention)

_attach(avg_pool1d, _avg_pool1d)

_attach(avg_pool2d, _avg_pool2d)

_attach(baddbmm, _baddbmm)

_attach(batch_norm, _batch_norm)

_attach(bilinear, _bilinear)

_attach(binary_cross_entropy, _binary_cross_entropy)

_attach(binary_cross_entropy_with_logits, _binary_cross_entropy_with_logits)

_attach(bincount, _bincount)

_attach(bitwise_and, _bitwise_and)

_attach(bitwise_invert, _bitwise_invert)

_attach(bitwise_left_shift, _bitwise_left_shift)

_attach(bitwise_or, _bitwise_or)

_attach(bitwise_right_shift, _bitwise_right_shift)

_attach(bitwise_xor, _bitwise_xor)

_attach(bmm, _bmm)

_attach(broadcast_to, _broadcast_to)

_attach(bucketize, _bucketize)

_attach(cann_rms_norm, _cann_rms_norm)

_attach(causal_conv1d, _causal_conv1d)

_attach(causal_softmax, _causal_softmax)

_attach(cdist, _cdist)

_attach(ceil, _ceil)

_attach(celu, _celu)

_attach(clip, _clip)

_attach(concat, _concat)

_attach(conj, _conj)

_attach(conv1d, _conv1d)

_attach(conv2d, _conv2d)

_attach(conv3d, _conv3d)

_attach(conv_transpose1d, _conv_transpose1d)

_attach(conv_transpose2d, _conv_transpose2d)

_attach(copysign, _copysign)

_attach(cos, _cos)

_attach(cosh, _cosh)

_attach(cosine_similarity, _cosine_similarity)

_attach(count_nonzero, _count_nonzero)

_attach(cross, _cross)

_attach(cross_entropy, _cross_entropy)

_attach(cummax, _cummax)

_attach(cummin, _cummin)

_attach(cumprod, _cumprod)

_attach(cumsum, _cumsum)

_attach(diag_embed, _diag_embed)

_attach(diagonal, _diagonal)

_attach(diff, _diff)

_attach(discounted_return, _discounted_return)

_attach(divide, _divide)

_attach(elu, _elu)

_attach(embedding, _embedding)

_attach(embedding_bag, _embedding_bag)

_attach(entropy_from_logits, _entropy_from_logits)

_attach(equal, _equal)

_attach(erf, _erf)

_attach(erfc, _erfc)

_attach(exp, _exp)

_attach(exp2, _exp2)

_attach(expand_dims, _expand_dims)

_attach(expm1, _expm1)

_attach(eye, _eye)

_attach(fatrelu_and_mul, _fatrelu_and_mul)

_attach(flip, _flip)

_attach(floor, _floor)

_attach(floor_divide, _floor_divide)

_attach(fmax, _fmax)

_attach(fmin, _fmin)

_attach(fmod, _fmod)

_attach(frac, _frac)

_attach(full, _full)

_attach(full_like, _full_like)

_attach(fused_add_rms_norm, _fused_add_rms_norm)

_attach(fused_linear_cross_entropy, _fused_linear_cross_entropy)

_attach(gae, _gae)

_attach(gate_up, _gate_up)

_attach(gather, _gather)

_attach(geglu, _geglu)

_attach(gelu, _gelu)

_attach(gelu_and_mul, _gelu_and_mul)

_attach(gelu_tanh_and_mul, _gelu_tanh_and_mul)

_attach(gemma_rms_norm, _gemma_rms_norm)

_attach(glu, _glu)

_attach(greater, _greater)

_attach(greater_equal, _greater_equal)

_attach(group_norm, _group_norm)

_attach(grouped_mm, _grouped_mm)

_attach(hardshrink, _hardshrink)

_attach(hardsigmoid, _hardsigmoid)

_attach(hardswish, _hardswish)

_attach(hardtanh, _hardtanh)

_attach(heaviside, _heaviside)

_attach(huber_loss, _huber_loss)

_attach(hypot, _hypot)

_attach(index_add, _index_add)

_attach(index_select, _index_select)

_attach(instance_norm, _instance_norm)

_attach(interpolate_bilinear, _interpolate_bilinear)

_attach(interpolate_linear, _interpolate_linear)

_attach(interpolate_nearest, _interpolate_nearest)

_attach(isfinite, _isfinite)

_attach(isin, _isin)

_attach(isinf, _isinf)

_attach(isnan, _isnan)

_attach(jsd, _jsd)

_attach(kl_div, _kl_div)

_attach(kron, _kron)

_attach(kthvalue, _kthvalue)

_attach(l1_loss, _l1_loss)

_attach(l2_normalize, _l2_normalize)

_attach(layer_norm, _layer_norm)

_attach(leaky_relu, _leaky_relu)

_attach(lerp, _lerp)

_attach(less, _less)

_attach(less_equal, _less_equal)

_attach(linear, _linear)

_attach(linear_activation, _linear_activation)

_attach(linear_recurrence, _linear_recurrence)

_attach(linspace, _linspace)

_attach(llama_rms_norm, _llama_rms_norm)

_attach(local_response_norm, _local_response_norm)

_attach(log, _log)

_attach(log10, _log10)

_attach(log1p, _log1p)

_attach(log2, _log2)

_attach(log_sigmoid, _log_sigmoid)

_attach(log_softmax, _log_softmax)

_attach(logaddexp, _logaddexp)

_attach(logcumsumexp, _logcumsumexp)

_attach(logical_and, _logical_and)

_attach(logical_not, _logical_not)

_attach(logical_or, _logical_or)

_attach(logical_xor, _logical_xor)

_attach(logit, _logit)

_attach(logprobs_from_logits, _logprobs_from_logits)

_attach(logsumexp, _logsumexp)

_attach(lora_expand, _lora_expand)

_attach(lora_shrink, _lora_shrink)

_attach(margin_ranking_loss, _margin_ranking_loss)

_attach(masked_fill, _masked_fill)

_attach(masked_mean, _masked_mean)

_attach(masked_softmax, _masked_softmax)

_attach(masked_sum, _masked_sum)

_attach(masked_var, _masked_var)

_attach(matmul, _matmul)

_attach(matrix_transpose, _matrix_transpose)

_attach(matvec, _matvec)

_attach(max, _max)

_attach(max_pool1d, _max_pool1d)

_attach(max_pool2d, _max_pool2d)

_attach(maximum, _maximum)

_attach(mean, _mean)

_attach(median, _median)

_attach(merge_attn_states, _merge_attn_states)

_attach(min, _min)

_attach(minimum, _minimum)

_attach(mish, _mish)

_attach(mla_decode, _mla_decode)

_attach(mm, _mm)

_attach(mse_loss, _mse_loss)

_attach(mul_and_silu, _mul_and_silu)

_attach(multiply, _multiply)

_attach(nan_to_num, _nan_to_num)

_attach(narrow, _narrow)

_attach(negative, _negative)

_attach(nextafter, _nextafter)

_attach(nll_loss, _nll_loss)

_attach(not_equal, _not_equal)

_attach(one_hot, _one_hot)

_attach(ones, _ones)

_attach(ones_like, _ones_like)

_attach(outer, _outer)

_attach(pack_padded, _pack_padded)

_attach(pad, _pad)

_attach(pad_packed, _pad_packed)

_attach(paged_attention, _paged_attention)

_attach(paged_prefill_attention, _paged_prefill_attention)

_attach(permute_dims, _permute_dims)

_attach(pixel_shuffle, _pixel_shuffle)

_attach(pixel_unshuffle, _pixel_unshuffle)

_attach(positive, _positive)

_attach(pow, _pow)

_attach(prelu, _prelu)

_attach(prod, _prod)

_attach(qk_norm, _qk_norm)

_attach(quick_gelu, _quick_gelu)

_attach(ragged_max, _ragged_max)

_attach(ragged_mean, _ragged_mean)

_attach(ragged_sum, _ragged_sum)

_attach(reciprocal, _reciprocal)

_attach(reglu, _reglu)

_attach(relu, _relu)

_attach(relu6, _relu6)

_attach(relu_and_mul, _relu_and_mul)

_attach(remainder, _remainder)

_attach(repeat, _repeat)

_attach(reshape, _reshape)

_attach(reshape_and_cache, _reshape_and_cache)

_attach(rms_norm, _rms_norm)

_attach(roll, _roll)

_attach(rotary_cos_sin, _rotary_cos_sin)

_attach(rotary_embedding, _rotary_embedding)

_attach(round, _round)

_attach(rsqrt, _rsqrt)

_attach(scaled_dot_product_attention, _scaled_dot_product_attention)

_attach(scatter, _scatter)

_attach(scatter_add, _scatter_add)

_attach(searchsorted, _searchsorted)

_attach(segment_sum, _segment_sum)

_attach(selective_scan, _selective_scan)

_attach(selu, _selu)

_attach(sigmoid, _sigmoid)

_attach(sign, _sign)

_attach(signbit, _signbit)

_attach(silu, _silu)

_attach(silu_and_mul, _silu_and_mul)

_attach(sin, _sin)

_attach(sinh, _sinh)

_attach(slice, _slice)

_attach(sliding_window, _sliding_window)

_attach(smooth_l1_loss, _smooth_l1_loss)

_attach(softmax, _softmax)

_attach(softmax_with_sink, _softmax_with_sink)

_attach(softmin, _softmin)

_attach(softplus, _softplus)

_attach(softshrink, _softshrink)

_attach(softsign, _softsign)

_attach(sort, _sort)

_attach(sqrt, _sqrt)

_attach(square, _square)

_attach(squeeze, _squeeze)

_attach(stack, _stack)

_attach(std, _std)

_attach(subtract, _subtract)

_attach(sum, _sum)

_attach(swigluoai_and_mul, _swigluoai_and_mul)

_attach(take, _take)

_attach(take_along_axis, _take_along_axis)

_attach(tan, _tan)

_attach(tanh, _tanh)

_attach(tanhshrink, _tanhshrink)

_attach(threshold, _threshold)

_attach(tile, _tile)

_attach(topk, _topk)

_attach(trace, _trace)

_attach(transpose, _transpose)

_attach(tril, _tril)

_attach(triu, _triu)

_attach(trunc, _trunc)

_attach(unfold, _unfold)

_attach(vander, _vander)

_attach(var, _var)

_attach(varlen_attention, _varlen_attention)

_attach(vecdot, _vecdot)

_attach(vecmat, _vecmat)

_attach(vector_norm, _vector_norm)

_attach(where, _where)

_attach(xlogy, _xlogy)

_attach(zeros, _zeros)

_attach(zeros_like, _zeros_like)


__all__ = [
    "abs",
    "acos",
    "acosh",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool2d",
    "add",
    "addcdiv",
    "addcmul",
    "addmm",
    "alibi_bias",
    "all",
    "any",
    "apply_rotary",
    "arange",
    "argmax",
    "argmin",
    "argsort",
    "asin",
    "asinh",
    "astype",
    "atan",
    "atan2",
    "atanh",
    "attention",
    "avg_pool1d",
    "avg_pool2d",
    "baddbmm",
    "batch_norm",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "bincount",
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "bmm",
    "broadcast_to",
    "bucketize",
    "cann_rms_norm",
    "causal_conv1d",
    "causal_softmax",
    "cdist",
    "ceil",
    "celu",
    "clip",
    "concat",
    "conj",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "copysign",
    "cos",
    "cosh",
    "cosine_similarity",
    "count_nonzero",
    "cross",
    "cross_entropy",
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "diag_embed",
    "diagonal",
    "diff",
    "discounted_return",
    "divide",
    "elu",
    "embedding",
    "embedding_bag",
    "entropy_from_logits",
    "equal",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expand_dims",
    "expm1",
    "eye",
    "fatrelu_and_mul",
    "flip",
    "floor",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "frac",
    "full",
    "full_like",
    "fused_add_rms_norm",
    "fused_linear_cross_entropy",
    "gae",
    "gate_up",
    "gather",
    "geglu",
    "gelu",
    "gelu_and_mul",
    "gelu_tanh_and_mul",
    "gemma_rms_norm",
    "glu",
    "greater",
    "greater_equal",
    "group_norm",
    "grouped_mm",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "heaviside",
    "huber_loss",
    "hypot",
    "index_add",
    "index_select",
    "instance_norm",
    "interpolate_bilinear",
    "interpolate_linear",
    "interpolate_nearest",
    "isfinite",
    "isin",
    "isinf",
    "isnan",
    "jsd",
    "kl_div",
    "kron",
    "kthvalue",
    "l1_loss",
    "l2_normalize",
    "layer_norm",
    "leaky_relu",
    "lerp",
    "less",
    "less_equal",
    "linear",
    "linear_activation",
    "linear_recurrence",
    "linspace",
    "llama_rms_norm",
    "local_response_norm",
    "log",
    "log10",
    "log1p",
    "log2",
    "log_sigmoid",
    "log_softmax",
    "logaddexp",
    "logcumsumexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logit",
    "logprobs_from_logits",
    "logsumexp",
    "lora_expand",
    "lora_shrink",
    "margin_ranking_loss",
    "masked_fill",
    "masked_mean",
    "masked_softmax",
    "masked_sum",
    "masked_var",
    "matmul",
    "matrix_transpose",
    "matvec",
    "max",
    "max_pool1d",
    "max_pool2d",
    "maximum",
    "mean",
    "median",
    "merge_attn_states",
    "min",
    "minimum",
    "mish",
    "mla_decode",
    "mm",
    "mse_loss",
    "mul_and_silu",
    "multiply",
    "nan_to_num",
    "narrow",
    "negative",
    "nextafter",
    "nll_loss",
    "not_equal",
    "one_hot",
    "ones",
    "ones_like",
    "outer",
    "pack_padded",
    "pad",
    "pad_packed",
    "paged_attention",
    "paged_prefill_attention",
    "permute_dims",
    "pixel_shuffle",
    "pixel_unshuffle",
    "positive",
    "pow",
    "prelu",
    "prod",
    "qk_norm",
    "quick_gelu",
    "ragged_max",
    "ragged_mean",
    "ragged_sum",
    "reciprocal",
    "reglu",
    "relu",
    "relu6",
    "relu_and_mul",
    "remainder",
    "repeat",
    "reshape",
    "reshape_and_cache",
    "rms_norm",
    "roll",
    "rotary_cos_sin",
    "rotary_embedding",
    "round",
    "rsqrt",
    "scaled_dot_product_attention",
    "scatter",
    "scatter_add",
    "searchsorted",
    "segment_sum",
    "selective_scan",
    "selu",
    "sigmoid",
    "sign",
    "signbit",
    "silu",
    "silu_and_mul",
    "sin",
    "sinh",
    "slice",
    "sliding_window",
    "smooth_l1_loss",
    "softmax",
    "softmax_with_sink",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "sort",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "subtract",
    "sum",
    "swigluoai_and_mul",
    "take",
    "take_along_axis",
    "tan",
    "tanh",
    "tanhshrink",
    "threshold",
    "tile",
    "topk",
    "trace",
    "transpose",
    "tril",
    "triu",
    "trunc",
    "unfold",
    "vander",
    "var",
    "varlen_attention",
    "vecdot",
    "vecmat",
    "vector_norm",
    "where",
    "xlogy",
    "zeros",
    "zeros_like",
]
