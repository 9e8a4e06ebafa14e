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


_op_abs = _Handle("abs")


def abs(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """|x|. The smallest integer has no counterpart and stays itself; abs(-0) is 0.

    Follows numpy.abs (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_abs.plain(x)
    return _op_abs.call((x,), {}, out, backend)


_attach(abs, _op_abs)


_op_acos = _Handle("acos")


def acos(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Arc cosine, in 0 .. pi; nan outside [-1, 1].

    Follows numpy.acos (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_acos.plain(x)
    return _op_acos.call((x,), {}, out, backend)


_attach(acos, _op_acos)


_op_acosh = _Handle("acosh")


def acosh(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Inverse hyperbolic cosine; nan for x < 1.

    Follows numpy.acosh (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_acosh.plain(x)
    return _op_acosh.call((x,), {}, out, backend)


_attach(acosh, _op_acosh)


_op_adaptive_avg_pool1d = _Handle("adaptive_avg_pool1d")


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
        return _op_adaptive_avg_pool1d.fast(output_size)(input)
    return _op_adaptive_avg_pool1d.call(
        (input,), {"output_size": output_size}, out, backend
    )


_attach(adaptive_avg_pool1d, _op_adaptive_avg_pool1d)


_op_adaptive_avg_pool2d = _Handle("adaptive_avg_pool2d")


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
        return _op_adaptive_avg_pool2d.fast(output_size)(input)
    return _op_adaptive_avg_pool2d.call(
        (input,), {"output_size": output_size}, out, backend
    )


_attach(adaptive_avg_pool2d, _op_adaptive_avg_pool2d)


_op_adaptive_max_pool1d = _Handle("adaptive_max_pool1d")


def adaptive_max_pool1d(
    input: Array,
    output_size: int | Sequence[int],
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """The last axis divided into output_size parts, which may overlap by one element: the largest of each.

    Follows torch.nn.functional.adaptive_max_pool1d (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_adaptive_max_pool1d.fast(output_size)(input)
    return _op_adaptive_max_pool1d.call(
        (input,), {"output_size": output_size}, out, backend
    )


_attach(adaptive_max_pool1d, _op_adaptive_max_pool1d)


_op_adaptive_max_pool2d = _Handle("adaptive_max_pool2d")


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
        return _op_adaptive_max_pool2d.fast(output_size)(input)
    return _op_adaptive_max_pool2d.call(
        (input,), {"output_size": output_size}, out, backend
    )


_attach(adaptive_max_pool2d, _op_adaptive_max_pool2d)


_op_add = _Handle("add")


def add(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Sum; integers wrap.

    Follows numpy.add (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_add.plain(x1, x2)
    return _op_add.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(add, _op_add)


_op_addcdiv = _Handle("addcdiv")


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
        return _op_addcdiv.fast(value)(input, tensor1, tensor2)
    return _op_addcdiv.call(
        (
            input,
            tensor1,
            tensor2,
        ),
        {"value": value},
        out,
        backend,
    )


_attach(addcdiv, _op_addcdiv)


_op_addcmul = _Handle("addcmul")


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
        return _op_addcmul.fast(value)(input, tensor1, tensor2)
    return _op_addcmul.call(
        (
            input,
            tensor1,
            tensor2,
        ),
        {"value": value},
        out,
        backend,
    )


_attach(addcmul, _op_addcmul)


_op_addmm = _Handle("addmm")


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
        return _op_addmm.fast(beta, alpha)(input, mat1, mat2)
    return _op_addmm.call(
        (
            input,
            mat1,
            mat2,
        ),
        {"beta": beta, "alpha": alpha},
        out,
        backend,
    )


_attach(addmm, _op_addmm)


_op_alibi_bias = _Handle("alibi_bias")


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
        return _op_alibi_bias.fast(queries, keys)(slopes)
    return _op_alibi_bias.call(
        (slopes,), {"queries": queries, "keys": keys}, out, backend
    )


_attach(alibi_bias, _op_alibi_bias)


_op_all = _Handle("all")


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
        return _op_all.fast(axis, keepdims)(x)
    return _op_all.call((x,), {"axis": axis, "keepdims": keepdims}, out, backend)


_attach(all, _op_all)


_op_any = _Handle("any")


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
        return _op_any.fast(axis, keepdims)(x)
    return _op_any.call((x,), {"axis": axis, "keepdims": keepdims}, out, backend)


_attach(any, _op_any)


_op_apply_rotary = _Handle("apply_rotary")


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
        return _op_apply_rotary.fast(interleaved)(x, cos, sin)
    return _op_apply_rotary.call(
        (
            x,
            cos,
            sin,
        ),
        {"interleaved": interleaved},
        out,
        backend,
    )


_attach(apply_rotary, _op_apply_rotary)


_op_arange = _Handle("arange")


def arange(
    start: float,
    /,
    stop: float | None = None,
    step: float = 1,
    *,
    dtype: DTypeLike | None = None,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """The numbers start, start + step, ... before stop; with one argument, 0, 1, ... before start. There
    are ceil((stop - start) / step) of them, which rounding may make one more than expected where step is
    a fraction: linspace states the number. The dtype is int64 where all are ints, else float32.

    Follows numpy.arange (adapted: the default dtype of fractions is float32).
    """
    if out is None and backend is None and _state() is None:
        return _op_arange.fast(start, stop, step, dtype)()
    return _op_arange.call(
        (), {"start": start, "stop": stop, "step": step, "dtype": dtype}, out, backend
    )


_attach(arange, _op_arange)


_op_argmax = _Handle("argmax")


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
        return _op_argmax.fast(axis, keepdims)(x)
    return _op_argmax.call((x,), {"axis": axis, "keepdims": keepdims}, out, backend)


_attach(argmax, _op_argmax)


_op_argmin = _Handle("argmin")


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
        return _op_argmin.fast(axis, keepdims)(x)
    return _op_argmin.call((x,), {"axis": axis, "keepdims": keepdims}, out, backend)


_attach(argmin, _op_argmin)


_op_argsort = _Handle("argsort")


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
        return _op_argsort.fast(descending, axis)(x)
    return _op_argsort.call(
        (x,), {"descending": descending, "axis": axis}, out, backend
    )


_attach(argsort, _op_argsort)


_op_asin = _Handle("asin")


def asin(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Arc sine, in -pi/2 .. pi/2; nan outside [-1, 1].

    Follows numpy.asin (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_asin.plain(x)
    return _op_asin.call((x,), {}, out, backend)


_attach(asin, _op_asin)


_op_asinh = _Handle("asinh")


def asinh(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Inverse hyperbolic sine.

    Follows numpy.asinh (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_asinh.plain(x)
    return _op_asinh.call((x,), {}, out, backend)


_attach(asinh, _op_asinh)


_op_astype = _Handle("astype")


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
        return _op_astype.fast(dtype)(x)
    return _op_astype.call((x,), {"dtype": dtype}, out, backend)


_attach(astype, _op_astype)


_op_atan = _Handle("atan")


def atan(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Arc tangent, in -pi/2 .. pi/2.

    Follows numpy.atan (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_atan.plain(x)
    return _op_atan.call((x,), {}, out, backend)


_attach(atan, _op_atan)


_op_atan2 = _Handle("atan2")


def atan2(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Angle of the point (x2, x1), in -pi .. pi, with the special cases of C99.

    Follows numpy.atan2 (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_atan2.plain(x1, x2)
    return _op_atan2.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(atan2, _op_atan2)


_op_atanh = _Handle("atanh")


def atanh(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Inverse hyperbolic tangent; inf and -inf at 1 and -1, nan outside.

    Follows numpy.atanh (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_atanh.plain(x)
    return _op_atanh.call((x,), {}, out, backend)


_attach(atanh, _op_atanh)


class AttentionResult(NamedTuple):
    """Results of `attention`."""

    o: Array
    lse: Array | None = None


_op_attention = _Handle("attention", AttentionResult)


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
        return _op_attention.fast(scale, causal, softcap, window, return_lse)(
            q, k, v, mask, bias, sink
        )  # type: ignore[no-any-return]
    return _op_attention.call(
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


_attach(attention, _op_attention)


_op_avg_pool1d = _Handle("avg_pool1d")


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
        return _op_avg_pool1d.fast(
            kernel_size, stride, padding, ceil_mode, count_include_pad
        )(input)
    return _op_avg_pool1d.call(
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
    )


_attach(avg_pool1d, _op_avg_pool1d)


_op_avg_pool2d = _Handle("avg_pool2d")


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
        return _op_avg_pool2d.fast(
            kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        )(input)
    return _op_avg_pool2d.call(
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
    )


_attach(avg_pool2d, _op_avg_pool2d)


_op_baddbmm = _Handle("baddbmm")


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
        return _op_baddbmm.fast(beta, alpha)(input, batch1, batch2)
    return _op_baddbmm.call(
        (
            input,
            batch1,
            batch2,
        ),
        {"beta": beta, "alpha": alpha},
        out,
        backend,
    )


_attach(baddbmm, _op_baddbmm)


_op_batch_norm = _Handle("batch_norm")


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
        return _op_batch_norm.fast(training, momentum, eps)(
            input, running_mean, running_var, weight, bias
        )
    return _op_batch_norm.call(
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
    )


_attach(batch_norm, _op_batch_norm)


_op_bernoulli = _Handle("bernoulli")


def bernoulli(
    p: Array,
    *,
    seed: int,
    offset: int = 0,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """1 with probability p, elementwise, else 0.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _op_bernoulli.fast(seed, offset)(p)
    return _op_bernoulli.call((p,), {"seed": seed, "offset": offset}, out, backend)


_attach(bernoulli, _op_bernoulli)


_op_bilinear = _Handle("bilinear")


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
        return _op_bilinear.plain(input1, input2, weight, bias)
    return _op_bilinear.call(
        (
            input1,
            input2,
            weight,
            bias,
        ),
        {},
        out,
        backend,
    )


_attach(bilinear, _op_bilinear)


_op_binary_cross_entropy = _Handle("binary_cross_entropy")


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
        return _op_binary_cross_entropy.fast(reduction)(input, target, weight)
    return _op_binary_cross_entropy.call(
        (
            input,
            target,
            weight,
        ),
        {"reduction": reduction},
        out,
        backend,
    )


_attach(binary_cross_entropy, _op_binary_cross_entropy)


_op_binary_cross_entropy_with_logits = _Handle("binary_cross_entropy_with_logits")


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
        return _op_binary_cross_entropy_with_logits.fast(reduction)(
            input, target, weight, pos_weight
        )
    return _op_binary_cross_entropy_with_logits.call(
        (
            input,
            target,
            weight,
            pos_weight,
        ),
        {"reduction": reduction},
        out,
        backend,
    )


_attach(binary_cross_entropy_with_logits, _op_binary_cross_entropy_with_logits)


_op_bincount = _Handle("bincount")


def bincount(
    input: Array, *, length: int, out: Array | None = None, backend: str | None = None
) -> Array:
    """How often each value of 0 .. length - 1 occurs.

    Follows torch.bincount (adapted: the length is given, and no weights).
    """
    if out is None and backend is None and _state() is None:
        return _op_bincount.fast(length)(input)
    return _op_bincount.call((input,), {"length": length}, out, backend)


_attach(bincount, _op_bincount)


_op_bitwise_and = _Handle("bitwise_and")


def bitwise_and(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Bitwise and.

    Follows numpy.bitwise_and (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_bitwise_and.plain(x1, x2)
    return _op_bitwise_and.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(bitwise_and, _op_bitwise_and)


_op_bitwise_invert = _Handle("bitwise_invert")


def bitwise_invert(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Complement of every bit; of a bool its negation.

    Follows numpy.bitwise_invert (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_bitwise_invert.plain(x)
    return _op_bitwise_invert.call((x,), {}, out, backend)


_attach(bitwise_invert, _op_bitwise_invert)


_op_bitwise_left_shift = _Handle("bitwise_left_shift")


def bitwise_left_shift(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x1 2^x2, wrapped. A shift by less than 0 or by the number of bits or more gives 0.

    Follows numpy.bitwise_left_shift (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_bitwise_left_shift.plain(x1, x2)
    return _op_bitwise_left_shift.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(bitwise_left_shift, _op_bitwise_left_shift)


_op_bitwise_or = _Handle("bitwise_or")


def bitwise_or(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Bitwise or.

    Follows numpy.bitwise_or (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_bitwise_or.plain(x1, x2)
    return _op_bitwise_or.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(bitwise_or, _op_bitwise_or)


_op_bitwise_right_shift = _Handle("bitwise_right_shift")


def bitwise_right_shift(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """floor(x1 / 2^x2). A shift by less than 0 or by the number of bits or more gives 0, or -1 for a
    negative x1.

    Follows numpy.bitwise_right_shift (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_bitwise_right_shift.plain(x1, x2)
    return _op_bitwise_right_shift.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(bitwise_right_shift, _op_bitwise_right_shift)


_op_bitwise_xor = _Handle("bitwise_xor")


def bitwise_xor(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Bitwise exclusive or.

    Follows numpy.bitwise_xor (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_bitwise_xor.plain(x1, x2)
    return _op_bitwise_xor.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(bitwise_xor, _op_bitwise_xor)


_op_bmm = _Handle("bmm")


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
        return _op_bmm.plain(input, mat2)
    return _op_bmm.call(
        (
            input,
            mat2,
        ),
        {},
        out,
        backend,
    )


_attach(bmm, _op_bmm)


_op_broadcast_to = _Handle("broadcast_to")


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
        return _op_broadcast_to.fast(shape)(x)
    return _op_broadcast_to.call((x,), {"shape": shape}, out, backend)


_attach(broadcast_to, _op_broadcast_to)


_op_bucketize = _Handle("bucketize")


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
        return _op_bucketize.fast(right)(input, boundaries)
    return _op_bucketize.call(
        (
            input,
            boundaries,
        ),
        {"right": right},
        out,
        backend,
    )


_attach(bucketize, _op_bucketize)


class CannRmsNormResult(NamedTuple):
    """Results of `cann_rms_norm`."""

    y: Array
    rstd: Array


_op_cann_rms_norm = _Handle("cann_rms_norm", CannRmsNormResult)


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
        return _op_cann_rms_norm.fast(epsilon)(x, gamma)  # type: ignore[no-any-return]
    return _op_cann_rms_norm.call(
        (
            x,
            gamma,
        ),
        {"epsilon": epsilon},
        out,
        backend,
    )  # type: ignore[no-any-return]


_attach(cann_rms_norm, _op_cann_rms_norm)


_op_causal_conv1d = _Handle("causal_conv1d")


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
        return _op_causal_conv1d.fast(activation)(x, weight, bias)
    return _op_causal_conv1d.call(
        (
            x,
            weight,
            bias,
        ),
        {"activation": activation},
        out,
        backend,
    )


_attach(causal_conv1d, _op_causal_conv1d)


_op_causal_softmax = _Handle("causal_softmax")


def causal_softmax(
    x: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Softmax over the last axis of attention scores [..., s, t], causal from the bottom-right corner: query
    i sees key j when j - t <= i - s. A row that sees no key (s > t) is all zeros.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _op_causal_softmax.plain(x)
    return _op_causal_softmax.call((x,), {}, out, backend)


_attach(causal_softmax, _op_causal_softmax)


_op_cdist = _Handle("cdist")


def cdist(
    x1: Array, x2: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Distances |x1_i - x2_j| between all rows of two batches: [..., m, d], [..., n, d] -> [..., m, n]. From the
    differences, not from |x|^2 - 2 x y + |y|^2, which cancels for close points.

    Follows torch.cdist (adapted: the Euclidean distance only).
    """
    if out is None and backend is None and _state() is None:
        return _op_cdist.plain(x1, x2)
    return _op_cdist.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(cdist, _op_cdist)


_op_ceil = _Handle("ceil")


def ceil(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Smallest integer not below x, of the same dtype. Integers stay.

    Follows numpy.ceil (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_ceil.plain(x)
    return _op_ceil.call((x,), {}, out, backend)


_attach(ceil, _op_ceil)


_op_celu = _Handle("celu")


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
        return _op_celu.fast(alpha)(input)
    return _op_celu.call((input,), {"alpha": alpha}, out, backend)


_attach(celu, _op_celu)


_op_clip = _Handle("clip")


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
        return _op_clip.plain(x, min, max)
    return _op_clip.call(
        (
            x,
            min,
            max,
        ),
        {},
        out,
        backend,
    )


_attach(clip, _op_clip)


_op_concat = _Handle("concat")


def concat(
    *xs: Array, axis: int = -1, out: Array | None = None, backend: str | None = None
) -> Array:
    """Arrays behind one another along an axis (the last by default); the other axes agree.

    Follows numpy.concat (adapted: the arrays are arguments of their own, and the axis is the last by default).
    """
    if out is None and backend is None and _state() is None:
        return _op_concat.fast(axis)(*xs)
    return _op_concat.call((xs,), {"axis": axis}, out, backend)


_attach(concat, _op_concat)


_op_conj = _Handle("conj")


def conj(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Complex conjugate, which for real numbers is x.

    Follows numpy.conj (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_conj.plain(x)
    return _op_conj.call((x,), {}, out, backend)


_attach(conj, _op_conj)


_op_conv1d = _Handle("conv1d")


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
        return _op_conv1d.fast(stride, padding, dilation, groups)(input, weight, bias)
    return _op_conv1d.call(
        (
            input,
            weight,
            bias,
        ),
        {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups},
        out,
        backend,
    )


_attach(conv1d, _op_conv1d)


_op_conv2d = _Handle("conv2d")


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
        return _op_conv2d.fast(stride, padding, dilation, groups)(input, weight, bias)
    return _op_conv2d.call(
        (
            input,
            weight,
            bias,
        ),
        {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups},
        out,
        backend,
    )


_attach(conv2d, _op_conv2d)


_op_conv3d = _Handle("conv3d")


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
        return _op_conv3d.fast(stride, padding, dilation, groups)(input, weight, bias)
    return _op_conv3d.call(
        (
            input,
            weight,
            bias,
        ),
        {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups},
        out,
        backend,
    )


_attach(conv3d, _op_conv3d)


_op_conv_transpose1d = _Handle("conv_transpose1d")


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
        return _op_conv_transpose1d.fast(
            stride, padding, output_padding, groups, dilation
        )(input, weight, bias)
    return _op_conv_transpose1d.call(
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
    )


_attach(conv_transpose1d, _op_conv_transpose1d)


_op_conv_transpose2d = _Handle("conv_transpose2d")


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
        return _op_conv_transpose2d.fast(
            stride, padding, output_padding, groups, dilation
        )(input, weight, bias)
    return _op_conv_transpose2d.call(
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
    )


_attach(conv_transpose2d, _op_conv_transpose2d)


_op_copysign = _Handle("copysign")


def copysign(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """|x1| with the sign bit of x2.

    Follows numpy.copysign (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_copysign.plain(x1, x2)
    return _op_copysign.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(copysign, _op_copysign)


_op_cos = _Handle("cos")


def cos(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Cosine of an angle in radians.

    Follows numpy.cos (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_cos.plain(x)
    return _op_cos.call((x,), {}, out, backend)


_attach(cos, _op_cos)


_op_cosh = _Handle("cosh")


def cosh(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Hyperbolic cosine.

    Follows numpy.cosh (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_cosh.plain(x)
    return _op_cosh.call((x,), {}, out, backend)


_attach(cosh, _op_cosh)


_op_cosine_similarity = _Handle("cosine_similarity")


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
        return _op_cosine_similarity.fast(eps, axis)(x1, x2)
    return _op_cosine_similarity.call(
        (
            x1,
            x2,
        ),
        {"eps": eps, "axis": axis},
        out,
        backend,
    )


_attach(cosine_similarity, _op_cosine_similarity)


_op_count_nonzero = _Handle("count_nonzero")


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
        return _op_count_nonzero.fast(axis, keepdims)(x)
    return _op_count_nonzero.call(
        (x,), {"axis": axis, "keepdims": keepdims}, out, backend
    )


_attach(count_nonzero, _op_count_nonzero)


_op_cross = _Handle("cross")


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
        return _op_cross.fast(axis)(x1, x2)
    return _op_cross.call(
        (
            x1,
            x2,
        ),
        {"axis": axis},
        out,
        backend,
    )


_attach(cross, _op_cross)


_op_cross_entropy = _Handle("cross_entropy")


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
        return _op_cross_entropy.fast(ignore_index, reduction, label_smoothing)(
            input, target, weight
        )
    return _op_cross_entropy.call(
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
    )


_attach(cross_entropy, _op_cross_entropy)


_op_cummax = _Handle("cummax")


def cummax(
    x: Array, /, *, axis: int = -1, out: Array | None = None, backend: str | None = None
) -> Array:
    """Running maximum, inclusive. From a nan on, everything is nan.

    Follows torch.cummax (adapted: the values only, and the last axis by default).
    """
    if out is None and backend is None and _state() is None:
        return _op_cummax.fast(axis)(x)
    return _op_cummax.call((x,), {"axis": axis}, out, backend)


_attach(cummax, _op_cummax)


_op_cummin = _Handle("cummin")


def cummin(
    x: Array, /, *, axis: int = -1, out: Array | None = None, backend: str | None = None
) -> Array:
    """Running minimum, inclusive. From a nan on, everything is nan.

    Follows torch.cummin (adapted: the values only, and the last axis by default).
    """
    if out is None and backend is None and _state() is None:
        return _op_cummin.fast(axis)(x)
    return _op_cummin.call((x,), {"axis": axis}, out, backend)


_attach(cummin, _op_cummin)


_op_cumprod = _Handle("cumprod")


def cumprod(
    x: Array, /, *, axis: int = -1, out: Array | None = None, backend: str | None = None
) -> Array:
    """Running product, inclusive. Integers are multiplied in int64 (unsigned: uint64) and wrap.

    Follows numpy.cumprod (adapted: one axis, the last by default, instead of flattening).
    """
    if out is None and backend is None and _state() is None:
        return _op_cumprod.fast(axis)(x)
    return _op_cumprod.call((x,), {"axis": axis}, out, backend)


_attach(cumprod, _op_cumprod)


_op_cumsum = _Handle("cumsum")


def cumsum(
    x: Array, /, *, axis: int = -1, out: Array | None = None, backend: str | None = None
) -> Array:
    """Running sum, inclusive. Integers are summed in int64 (unsigned: uint64) and wrap. From a nan on,
    everything is nan.

    Follows numpy.cumsum (adapted: one axis, the last by default, instead of flattening).
    """
    if out is None and backend is None and _state() is None:
        return _op_cumsum.fast(axis)(x)
    return _op_cumsum.call((x,), {"axis": axis}, out, backend)


_attach(cumsum, _op_cumsum)


_op_diag = _Handle("diag")


def diag(
    v: Array, k: int = 0, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Of a vector the matrix with it on a diagonal, zero elsewhere; of a matrix a diagonal. k > 0 is above the
    main one, < 0 below.

    Follows numpy.diag (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_diag.fast(k)(v)
    return _op_diag.call((v,), {"k": k}, out, backend)


_attach(diag, _op_diag)


_op_diag_embed = _Handle("diag_embed")


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
        return _op_diag_embed.fast(offset)(input)
    return _op_diag_embed.call((input,), {"offset": offset}, out, backend)


_attach(diag_embed, _op_diag_embed)


_op_diagonal = _Handle("diagonal")


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
        return _op_diagonal.fast(offset)(x)
    return _op_diagonal.call((x,), {"offset": offset}, out, backend)


_attach(diagonal, _op_diagonal)


_op_diff = _Handle("diff")


def diff(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Differences of neighbours: x[i + 1] - x[i], one element fewer.

    Follows numpy.diff (adapted: the first difference, along the last axis).
    """
    if out is None and backend is None and _state() is None:
        return _op_diff.plain(x)
    return _op_diff.call((x,), {}, out, backend)


_attach(diff, _op_diff)


_op_discounted_return = _Handle("discounted_return")


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
        return _op_discounted_return.fast(gamma, axis)(rewards)
    return _op_discounted_return.call(
        (rewards,), {"gamma": gamma, "axis": axis}, out, backend
    )


_attach(discounted_return, _op_discounted_return)


_op_divide = _Handle("divide")


def divide(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Quotient of floats, correctly rounded. Integers are refused: cast them first, or use
    floor_divide.

    Follows numpy.divide (adapted: integers are refused, as the array API permits).
    """
    if out is None and backend is None and _state() is None:
        return _op_divide.plain(x1, x2)
    return _op_divide.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(divide, _op_divide)


_op_dropout = _Handle("dropout")


def dropout(
    x: Array,
    *,
    p: float = 0.5,
    seed: int,
    offset: int = 0,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Zeroes each element with probability p and scales the others by 1 / (1 - p).

    Follows torch.nn.functional.dropout (adapted: seed and offset instead of hidden state; always in training mode).
    """
    if out is None and backend is None and _state() is None:
        return _op_dropout.fast(p, seed, offset)(x)
    return _op_dropout.call(
        (x,), {"p": p, "seed": seed, "offset": offset}, out, backend
    )


_attach(dropout, _op_dropout)


_op_elu = _Handle("elu")


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
        return _op_elu.fast(alpha)(input)
    return _op_elu.call((input,), {"alpha": alpha}, out, backend)


_attach(elu, _op_elu)


_op_embedding = _Handle("embedding")


def embedding(
    input: Array, weight: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Rows of a table. input: integers [...], weight: [v, d] -> [..., d].

    Follows torch.nn.functional.embedding (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_embedding.plain(input, weight)
    return _op_embedding.call(
        (
            input,
            weight,
        ),
        {},
        out,
        backend,
    )


_attach(embedding, _op_embedding)


_op_embedding_bag = _Handle("embedding_bag")


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
        return _op_embedding_bag.plain(input, weight, offsets)
    return _op_embedding_bag.call(
        (
            input,
            weight,
            offsets,
        ),
        {},
        out,
        backend,
    )


_attach(embedding_bag, _op_embedding_bag)


_op_entropy_from_logits = _Handle("entropy_from_logits")


def entropy_from_logits(
    logits: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Entropy of softmax(logits) over the last axis: log(z) - sum(p a), with a the logits below their maximum and
    z the sum of exp(a).

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _op_entropy_from_logits.plain(logits)
    return _op_entropy_from_logits.call((logits,), {}, out, backend)


_attach(entropy_from_logits, _op_entropy_from_logits)


_op_equal = _Handle("equal")


def equal(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether x1 = x2; a nan equals nothing, -0 equals 0.

    Follows numpy.equal (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_equal.plain(x1, x2)
    return _op_equal.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(equal, _op_equal)


_op_erf = _Handle("erf")


def erf(
    input: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Error function, 2 / sqrt(pi) times the integral of exp(-t^2) over t from 0 to x.

    Follows torch.erf (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_erf.plain(input)
    return _op_erf.call((input,), {}, out, backend)


_attach(erf, _op_erf)


_op_erfc = _Handle("erfc")


def erfc(
    input: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """1 - erf(x), without cancellation for large x.

    Follows torch.erfc (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_erfc.plain(input)
    return _op_erfc.call((input,), {}, out, backend)


_attach(erfc, _op_erfc)


_op_exp = _Handle("exp")


def exp(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """e to the power x.

    Follows numpy.exp (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_exp.plain(x)
    return _op_exp.call((x,), {}, out, backend)


_attach(exp, _op_exp)


_op_exp2 = _Handle("exp2")


def exp2(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """2 to the power x.

    Follows numpy.exp2 (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_exp2.plain(x)
    return _op_exp2.call((x,), {}, out, backend)


_attach(exp2, _op_exp2)


_op_expand_dims = _Handle("expand_dims")


def expand_dims(
    x: Array, /, *, axis: int = 0, out: Array | None = None, backend: str | None = None
) -> Array:
    """A new axis of length 1, put before the axis of that number.

    Follows numpy.expand_dims (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_expand_dims.fast(axis)(x)
    return _op_expand_dims.call((x,), {"axis": axis}, out, backend)


_attach(expand_dims, _op_expand_dims)


_op_expm1 = _Handle("expm1")


def expm1(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """exp(x) - 1, without cancellation near 0.

    Follows numpy.expm1 (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_expm1.plain(x)
    return _op_expm1.call((x,), {}, out, backend)


_attach(expm1, _op_expm1)


_op_exponential = _Handle("exponential")


def exponential(
    *,
    shape: int | Sequence[int],
    seed: int,
    offset: int = 0,
    rate: float = 1.0,
    dtype: DTypeLike | None = None,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Exponentially distributed numbers with the given rate.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _op_exponential.fast(shape, seed, offset, rate, dtype)()
    return _op_exponential.call(
        (),
        {"shape": shape, "seed": seed, "offset": offset, "rate": rate, "dtype": dtype},
        out,
        backend,
    )


_attach(exponential, _op_exponential)


_op_eye = _Handle("eye")


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
        return _op_eye.fast(n_rows, n_cols, k, dtype)()
    return _op_eye.call(
        (), {"n_rows": n_rows, "n_cols": n_cols, "k": k, "dtype": dtype}, out, backend
    )


_attach(eye, _op_eye)


_op_fatrelu_and_mul = _Handle("fatrelu_and_mul")


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
        return _op_fatrelu_and_mul.fast(threshold)(x)
    return _op_fatrelu_and_mul.call((x,), {"threshold": threshold}, out, backend)


_attach(fatrelu_and_mul, _op_fatrelu_and_mul)


_op_flip = _Handle("flip")


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
        return _op_flip.fast(axis)(x)
    return _op_flip.call((x,), {"axis": axis}, out, backend)


_attach(flip, _op_flip)


_op_floor = _Handle("floor")


def floor(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Largest integer not above x, of the same dtype. Integers stay.

    Follows numpy.floor (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_floor.plain(x)
    return _op_floor.call((x,), {}, out, backend)


_attach(floor, _op_floor)


_op_floor_divide = _Handle("floor_divide")


def floor_divide(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """The floor of the exact quotient, towards minus infinity: 1 // 0.1 is 9, though 1 / 0.1 rounds to 10.
    An integer divided by 0 is 0, a float x1 / 0; an infinite x1 gives nan, and a finite x1 divided by
    an infinity of the other sign -1.

    Follows numpy.floor_divide (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_floor_divide.plain(x1, x2)
    return _op_floor_divide.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(floor_divide, _op_floor_divide)


_op_fmax = _Handle("fmax")


def fmax(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """The larger of two values, where a nan counts as absent; nan only when both are.

    Follows numpy.fmax (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_fmax.plain(x1, x2)
    return _op_fmax.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(fmax, _op_fmax)


_op_fmin = _Handle("fmin")


def fmin(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """The smaller of two values, where a nan counts as absent; nan only when both are.

    Follows numpy.fmin (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_fmin.plain(x1, x2)
    return _op_fmin.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(fmin, _op_fmin)


_op_fmod = _Handle("fmod")


def fmod(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x1 - trunc(x1 / x2) x2, with the sign of x1; exact for floats. An integer modulo 0 is 0.

    Follows numpy.fmod (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_fmod.plain(x1, x2)
    return _op_fmod.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(fmod, _op_fmod)


_op_frac = _Handle("frac")


def frac(
    input: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Fractional part, x - trunc(x), with the sign of x; nan for an infinity.

    Follows torch.frac (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_frac.plain(input)
    return _op_frac.call((input,), {}, out, backend)


_attach(frac, _op_frac)


_op_full = _Handle("full")


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
        return _op_full.fast(shape, fill_value, dtype)()
    return _op_full.call(
        (), {"shape": shape, "fill_value": fill_value, "dtype": dtype}, out, backend
    )


_attach(full, _op_full)


_op_full_like = _Handle("full_like")


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
        return _op_full_like.fast(fill_value)(x)
    return _op_full_like.call((x,), {"fill_value": fill_value}, out, backend)


_attach(full_like, _op_full_like)


class FusedAddRmsNormResult(NamedTuple):
    """Results of `fused_add_rms_norm`."""

    y: Array
    residual_sum: Array


_op_fused_add_rms_norm = _Handle("fused_add_rms_norm", FusedAddRmsNormResult)


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
        return _op_fused_add_rms_norm.fast(epsilon)(input, residual, weight)  # type: ignore[no-any-return]
    return _op_fused_add_rms_norm.call(
        (
            input,
            residual,
            weight,
        ),
        {"epsilon": epsilon},
        out,
        backend,
    )  # type: ignore[no-any-return]


_attach(fused_add_rms_norm, _op_fused_add_rms_norm)


_op_fused_linear_cross_entropy = _Handle("fused_linear_cross_entropy")


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
        return _op_fused_linear_cross_entropy.fast(ignore_index)(
            x, weight, target, bias
        )
    return _op_fused_linear_cross_entropy.call(
        (
            x,
            weight,
            target,
            bias,
        ),
        {"ignore_index": ignore_index},
        out,
        backend,
    )


_attach(fused_linear_cross_entropy, _op_fused_linear_cross_entropy)


class GaeResult(NamedTuple):
    """Results of `gae`."""

    advantages: Array
    returns: Array


_op_gae = _Handle("gae", GaeResult)


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
        return _op_gae.fast(gamma, lam)(rewards, values)  # type: ignore[no-any-return]
    return _op_gae.call(
        (
            rewards,
            values,
        ),
        {"gamma": gamma, "lam": lam},
        out,
        backend,
    )  # type: ignore[no-any-return]


_attach(gae, _op_gae)


_op_gate_up = _Handle("gate_up")


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
        return _op_gate_up.plain(input, gate, up)
    return _op_gate_up.call(
        (
            input,
            gate,
            up,
        ),
        {},
        out,
        backend,
    )


_attach(gate_up, _op_gate_up)


_op_gather = _Handle("gather")


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
        return _op_gather.fast(dim)(input, index)
    return _op_gather.call(
        (
            input,
            index,
        ),
        {"dim": dim},
        out,
        backend,
    )


_attach(gather, _op_gather)


_op_geglu = _Handle("geglu")


def geglu(x: Array, *, out: Array | None = None, backend: str | None = None) -> Array:
    """The first half times gelu of the second half: the order of Shazeer's paper.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _op_geglu.plain(x)
    return _op_geglu.call((x,), {}, out, backend)


_attach(geglu, _op_geglu)


_op_gelu = _Handle("gelu")


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
    the sum cancels for x < 0, and float32 has lost every digit at x = -6. `approximate=\"tanh\"`
    is the tanh approximation of the same paper. At -inf the result is nan (-inf * 0), as in torch; at inf it
    is inf, where torch's CPU kernel has nan.

    Follows torch.nn.functional.gelu (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_gelu.fast(approximate)(input)
    return _op_gelu.call((input,), {"approximate": approximate}, out, backend)


_attach(gelu, _op_gelu)


_op_gelu_and_mul = _Handle("gelu_and_mul")


def gelu_and_mul(
    x: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """gelu of the first half times the second half. Shazeer, 2020 (GEGLU).

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _op_gelu_and_mul.plain(x)
    return _op_gelu_and_mul.call((x,), {}, out, backend)


_attach(gelu_and_mul, _op_gelu_and_mul)


_op_gelu_tanh_and_mul = _Handle("gelu_tanh_and_mul")


def gelu_tanh_and_mul(
    x: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """gelu, in its tanh approximation, of the first half times the second half.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _op_gelu_tanh_and_mul.plain(x)
    return _op_gelu_tanh_and_mul.call((x,), {}, out, backend)


_attach(gelu_tanh_and_mul, _op_gelu_tanh_and_mul)


_op_gemma_rms_norm = _Handle("gemma_rms_norm")


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
        return _op_gemma_rms_norm.fast(eps, axis)(x, weight)
    return _op_gemma_rms_norm.call(
        (
            x,
            weight,
        ),
        {"eps": eps, "axis": axis},
        out,
        backend,
    )


_attach(gemma_rms_norm, _op_gemma_rms_norm)


_op_glu = _Handle("glu")


def glu(x: Array, *, out: Array | None = None, backend: str | None = None) -> Array:
    """The first half times sigmoid of the second half. Dauphin et al., 2017.

    Follows torch.nn.functional.glu (adapted: the last axis only).
    """
    if out is None and backend is None and _state() is None:
        return _op_glu.plain(x)
    return _op_glu.call((x,), {}, out, backend)


_attach(glu, _op_glu)


_op_greater = _Handle("greater")


def greater(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether x1 > x2; false with a nan.

    Follows numpy.greater (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_greater.plain(x1, x2)
    return _op_greater.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(greater, _op_greater)


_op_greater_equal = _Handle("greater_equal")


def greater_equal(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether x1 >= x2; false with a nan.

    Follows numpy.greater_equal (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_greater_equal.plain(x1, x2)
    return _op_greater_equal.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(greater_equal, _op_greater_equal)


_op_group_norm = _Handle("group_norm")


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
        return _op_group_norm.fast(num_groups, eps)(input, weight, bias)
    return _op_group_norm.call(
        (
            input,
            weight,
            bias,
        ),
        {"num_groups": num_groups, "eps": eps},
        out,
        backend,
    )


_attach(group_norm, _op_group_norm)


_op_grouped_mm = _Handle("grouped_mm")


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
        return _op_grouped_mm.plain(x, w, offsets)
    return _op_grouped_mm.call(
        (
            x,
            w,
            offsets,
        ),
        {},
        out,
        backend,
    )


_attach(grouped_mm, _op_grouped_mm)


_op_hardshrink = _Handle("hardshrink")


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
        return _op_hardshrink.fast(lambd)(input)
    return _op_hardshrink.call((input,), {"lambd": lambd}, out, backend)


_attach(hardshrink, _op_hardshrink)


_op_hardsigmoid = _Handle("hardsigmoid")


def hardsigmoid(
    input: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """(x + 3) / 6, limited to 0 .. 1.

    Follows torch.nn.functional.hardsigmoid (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_hardsigmoid.plain(input)
    return _op_hardsigmoid.call((input,), {}, out, backend)


_attach(hardsigmoid, _op_hardsigmoid)


_op_hardswish = _Handle("hardswish")


def hardswish(
    input: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x (x + 3) / 6, the second factor limited to 0 .. 1. Howard et al., 2019.

    Follows torch.nn.functional.hardswish (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_hardswish.plain(input)
    return _op_hardswish.call((input,), {}, out, backend)


_attach(hardswish, _op_hardswish)


_op_hardtanh = _Handle("hardtanh")


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
        return _op_hardtanh.fast(min_val, max_val)(input)
    return _op_hardtanh.call(
        (input,), {"min_val": min_val, "max_val": max_val}, out, backend
    )


_attach(hardtanh, _op_hardtanh)


_op_heaviside = _Handle("heaviside")


def heaviside(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """0 for x1 < 0, x2 at x1 = 0, 1 for x1 > 0; nan for a nan x1.

    Follows numpy.heaviside (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_heaviside.plain(x1, x2)
    return _op_heaviside.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(heaviside, _op_heaviside)


_op_huber_loss = _Handle("huber_loss")


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
        return _op_huber_loss.fast(reduction, delta)(input, target)
    return _op_huber_loss.call(
        (
            input,
            target,
        ),
        {"reduction": reduction, "delta": delta},
        out,
        backend,
    )


_attach(huber_loss, _op_huber_loss)


_op_hypot = _Handle("hypot")


def hypot(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """sqrt(x1^2 + x2^2), without overflow or underflow on the way. An infinity wins over a nan.

    Follows numpy.hypot (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_hypot.plain(x1, x2)
    return _op_hypot.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(hypot, _op_hypot)


_op_index_add = _Handle("index_add")


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
        return _op_index_add.fast(dim, alpha)(input, index, source)
    return _op_index_add.call(
        (
            input,
            index,
            source,
        ),
        {"dim": dim, "alpha": alpha},
        out,
        backend,
    )


_attach(index_add, _op_index_add)


_op_index_put = _Handle("index_put")


def index_put(
    input: Array,
    indices: Array,
    values: Array,
    accumulate: bool = False,
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """input with rows put at the indices of its first axis; with accumulate they are added. Where several
    meet without it, the last one in the row-major order of indices stays.

    input: [n, ...], indices: [...], values: [indices..., ...] -> [n, ...].

    Follows torch.index_put (adapted: one array of indices, for the first axis).
    """
    if out is None and backend is None and _state() is None:
        return _op_index_put.fast(accumulate)(input, indices, values)
    return _op_index_put.call(
        (
            input,
            indices,
            values,
        ),
        {"accumulate": accumulate},
        out,
        backend,
    )


_attach(index_put, _op_index_put)


_op_index_select = _Handle("index_select")


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
        return _op_index_select.fast(dim)(input, index)
    return _op_index_select.call(
        (
            input,
            index,
        ),
        {"dim": dim},
        out,
        backend,
    )


_attach(index_select, _op_index_select)


_op_instance_norm = _Handle("instance_norm")


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
        return _op_instance_norm.fast(eps)(input, weight, bias)
    return _op_instance_norm.call(
        (
            input,
            weight,
            bias,
        ),
        {"eps": eps},
        out,
        backend,
    )


_attach(instance_norm, _op_instance_norm)


_op_interpolate_bilinear = _Handle("interpolate_bilinear")


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
        return _op_interpolate_bilinear.fast(size, align_corners)(input)
    return _op_interpolate_bilinear.call(
        (input,), {"size": size, "align_corners": align_corners}, out, backend
    )


_attach(interpolate_bilinear, _op_interpolate_bilinear)


_op_interpolate_linear = _Handle("interpolate_linear")


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
        return _op_interpolate_linear.fast(size, align_corners)(input)
    return _op_interpolate_linear.call(
        (input,), {"size": size, "align_corners": align_corners}, out, backend
    )


_attach(interpolate_linear, _op_interpolate_linear)


_op_interpolate_nearest = _Handle("interpolate_nearest")


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
        return _op_interpolate_nearest.fast(size)(input)
    return _op_interpolate_nearest.call((input,), {"size": size}, out, backend)


_attach(interpolate_nearest, _op_interpolate_nearest)


_op_isfinite = _Handle("isfinite")


def isfinite(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether x is neither nan nor infinite; true for integers.

    Follows numpy.isfinite (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_isfinite.plain(x)
    return _op_isfinite.call((x,), {}, out, backend)


_attach(isfinite, _op_isfinite)


_op_isin = _Handle("isin")


def isin(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether each element occurs among the test elements. A nan occurs nowhere.

    Follows numpy.isin (adapted: x2 has one axis).
    """
    if out is None and backend is None and _state() is None:
        return _op_isin.plain(x1, x2)
    return _op_isin.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(isin, _op_isin)


_op_isinf = _Handle("isinf")


def isinf(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether x is inf or -inf; false for integers.

    Follows numpy.isinf (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_isinf.plain(x)
    return _op_isinf.call((x,), {}, out, backend)


_attach(isinf, _op_isinf)


_op_isnan = _Handle("isnan")


def isnan(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether x is nan; false for integers.

    Follows numpy.isnan (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_isnan.plain(x)
    return _op_isnan.call((x,), {}, out, backend)


_attach(isnan, _op_isnan)


_op_jsd = _Handle("jsd")


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
        return _op_jsd.fast(beta)(log_p, log_q)
    return _op_jsd.call(
        (
            log_p,
            log_q,
        ),
        {"beta": beta},
        out,
        backend,
    )


_attach(jsd, _op_jsd)


_op_kl_div = _Handle("kl_div")


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
    target is a log-probability too. \"mean\" is over elements, \"batchmean\" over the first axis only.

    Follows torch.nn.functional.kl_div (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_kl_div.fast(reduction, log_target)(input, target)
    return _op_kl_div.call(
        (
            input,
            target,
        ),
        {"reduction": reduction, "log_target": log_target},
        out,
        backend,
    )


_attach(kl_div, _op_kl_div)


_op_kron = _Handle("kron")


def kron(
    a: Array, b: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Kronecker product of matrices: [..., m, n], [..., p, q] -> [..., m p, n q].

    Follows numpy.kron (adapted: over the last two axes, the axes before them broadcast).
    """
    if out is None and backend is None and _state() is None:
        return _op_kron.plain(a, b)
    return _op_kron.call(
        (
            a,
            b,
        ),
        {},
        out,
        backend,
    )


_attach(kron, _op_kron)


class KthvalueResult(NamedTuple):
    """Results of `kthvalue`."""

    values: Array
    indices: Array


_op_kthvalue = _Handle("kthvalue", KthvalueResult)


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
        return _op_kthvalue.fast(k)(input)  # type: ignore[no-any-return]
    return _op_kthvalue.call((input,), {"k": k}, out, backend)  # type: ignore[no-any-return]


_attach(kthvalue, _op_kthvalue)


_op_l1_loss = _Handle("l1_loss")


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
        return _op_l1_loss.fast(reduction)(input, target)
    return _op_l1_loss.call(
        (
            input,
            target,
        ),
        {"reduction": reduction},
        out,
        backend,
    )


_attach(l1_loss, _op_l1_loss)


_op_l2_normalize = _Handle("l2_normalize")


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
        return _op_l2_normalize.fast(eps, axis)(x)
    return _op_l2_normalize.call((x,), {"eps": eps, "axis": axis}, out, backend)


_attach(l2_normalize, _op_l2_normalize)


_op_layer_norm = _Handle("layer_norm")


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
        return _op_layer_norm.fast(eps, axis)(x, weight, bias)
    return _op_layer_norm.call(
        (
            x,
            weight,
            bias,
        ),
        {"eps": eps, "axis": axis},
        out,
        backend,
    )


_attach(layer_norm, _op_layer_norm)


_op_leaky_relu = _Handle("leaky_relu")


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
        return _op_leaky_relu.fast(negative_slope)(input)
    return _op_leaky_relu.call(
        (input,), {"negative_slope": negative_slope}, out, backend
    )


_attach(leaky_relu, _op_leaky_relu)


_op_lerp = _Handle("lerp")


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
        return _op_lerp.plain(input, end, weight)
    return _op_lerp.call(
        (
            input,
            end,
            weight,
        ),
        {},
        out,
        backend,
    )


_attach(lerp, _op_lerp)


_op_less = _Handle("less")


def less(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether x1 < x2; false with a nan.

    Follows numpy.less (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_less.plain(x1, x2)
    return _op_less.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(less, _op_less)


_op_less_equal = _Handle("less_equal")


def less_equal(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether x1 <= x2; false with a nan.

    Follows numpy.less_equal (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_less_equal.plain(x1, x2)
    return _op_less_equal.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(less_equal, _op_less_equal)


_op_linear = _Handle("linear")


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
        return _op_linear.plain(input, weight, bias)
    return _op_linear.call(
        (
            input,
            weight,
            bias,
        ),
        {},
        out,
        backend,
    )


_attach(linear, _op_linear)


_op_linear_activation = _Handle("linear_activation")


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
        return _op_linear_activation.fast(activation)(input, weight, bias)
    return _op_linear_activation.call(
        (
            input,
            weight,
            bias,
        ),
        {"activation": activation},
        out,
        backend,
    )


_attach(linear_activation, _op_linear_activation)


_op_linear_recurrence = _Handle("linear_recurrence")


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
        return _op_linear_recurrence.fast(axis)(a, x)
    return _op_linear_recurrence.call(
        (
            a,
            x,
        ),
        {"axis": axis},
        out,
        backend,
    )


_attach(linear_recurrence, _op_linear_recurrence)


_op_linspace = _Handle("linspace")


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
        return _op_linspace.fast(start, stop, num, dtype, endpoint)()
    return _op_linspace.call(
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
    )


_attach(linspace, _op_linspace)


_op_llama_rms_norm = _Handle("llama_rms_norm")


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
        return _op_llama_rms_norm.fast(eps, axis)(x, weight)
    return _op_llama_rms_norm.call(
        (
            x,
            weight,
        ),
        {"eps": eps, "axis": axis},
        out,
        backend,
    )


_attach(llama_rms_norm, _op_llama_rms_norm)


_op_local_response_norm = _Handle("local_response_norm")


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
        return _op_local_response_norm.fast(size, alpha, beta, k)(input)
    return _op_local_response_norm.call(
        (input,), {"size": size, "alpha": alpha, "beta": beta, "k": k}, out, backend
    )


_attach(local_response_norm, _op_local_response_norm)


_op_log = _Handle("log")


def log(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Natural logarithm: -inf at 0 (of either sign), nan for x < 0.

    Follows numpy.log (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_log.plain(x)
    return _op_log.call((x,), {}, out, backend)


_attach(log, _op_log)


_op_log10 = _Handle("log10")


def log10(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Logarithm to base 10.

    Follows numpy.log10 (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_log10.plain(x)
    return _op_log10.call((x,), {}, out, backend)


_attach(log10, _op_log10)


_op_log1p = _Handle("log1p")


def log1p(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """log(1 + x), without cancellation near 0; -inf at -1, nan below.

    Follows numpy.log1p (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_log1p.plain(x)
    return _op_log1p.call((x,), {}, out, backend)


_attach(log1p, _op_log1p)


_op_log2 = _Handle("log2")


def log2(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Logarithm to base 2; exact at the powers of two.

    Follows numpy.log2 (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_log2.plain(x)
    return _op_log2.call((x,), {}, out, backend)


_attach(log2, _op_log2)


_op_log_sigmoid = _Handle("log_sigmoid")


def log_sigmoid(
    input: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """log(sigmoid(x)) = -softplus(-x), without overflow or cancellation.

    Follows torch.nn.functional.logsigmoid (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_log_sigmoid.plain(input)
    return _op_log_sigmoid.call((input,), {}, out, backend)


_attach(log_sigmoid, _op_log_sigmoid)


_op_log_softmax = _Handle("log_softmax")


def log_softmax(
    x: Array, *, axis: int = -1, out: Array | None = None, backend: str | None = None
) -> Array:
    """log(softmax(x)), from the logits: x - max - log(sum(exp(x - max))). A row of -inf only is nan.

    Follows torch.nn.functional.log_softmax (adapted: the axis is called axis, and is the last one by default).
    """
    if out is None and backend is None and _state() is None:
        return _op_log_softmax.fast(axis)(x)
    return _op_log_softmax.call((x,), {"axis": axis}, out, backend)


_attach(log_softmax, _op_log_softmax)


_op_logaddexp = _Handle("logaddexp")


def logaddexp(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """log(e^x1 + e^x2), without overflow. Equal infinities give that infinity.

    Follows numpy.logaddexp (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_logaddexp.plain(x1, x2)
    return _op_logaddexp.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(logaddexp, _op_logaddexp)


_op_logcumsumexp = _Handle("logcumsumexp")


def logcumsumexp(
    x: Array, /, *, axis: int = -1, out: Array | None = None, backend: str | None = None
) -> Array:
    """log of the running sum of exp(x), without overflow.

    Follows torch.logcumsumexp (adapted: axis instead of dim, and the last one by default).
    """
    if out is None and backend is None and _state() is None:
        return _op_logcumsumexp.fast(axis)(x)
    return _op_logcumsumexp.call((x,), {"axis": axis}, out, backend)


_attach(logcumsumexp, _op_logcumsumexp)


_op_logical_and = _Handle("logical_and")


def logical_and(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether both are true. Only bool, as in the array API.

    Follows numpy.logical_and (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_logical_and.plain(x1, x2)
    return _op_logical_and.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(logical_and, _op_logical_and)


_op_logical_not = _Handle("logical_not")


def logical_not(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Negation of a truth value. Only bool: for numbers write equal(x, 0).

    Follows numpy.logical_not (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_logical_not.plain(x)
    return _op_logical_not.call((x,), {}, out, backend)


_attach(logical_not, _op_logical_not)


_op_logical_or = _Handle("logical_or")


def logical_or(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether at least one is true. Only bool.

    Follows numpy.logical_or (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_logical_or.plain(x1, x2)
    return _op_logical_or.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(logical_or, _op_logical_or)


_op_logical_xor = _Handle("logical_xor")


def logical_xor(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether exactly one is true. Only bool.

    Follows numpy.logical_xor (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_logical_xor.plain(x1, x2)
    return _op_logical_xor.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(logical_xor, _op_logical_xor)


_op_logit = _Handle("logit")


def logit(
    input: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """log(x / (1 - x)), the inverse of sigmoid; nan outside [0, 1].

    For x < 1/2 as log(x) - log1p(-x), which loses nothing; the difference 1 - x is exact above.

    Follows torch.logit (adapted: no eps; clip the input instead).
    """
    if out is None and backend is None and _state() is None:
        return _op_logit.plain(input)
    return _op_logit.call((input,), {}, out, backend)


_attach(logit, _op_logit)


_op_logprobs_from_logits = _Handle("logprobs_from_logits")


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
        return _op_logprobs_from_logits.plain(logits, labels)
    return _op_logprobs_from_logits.call(
        (
            logits,
            labels,
        ),
        {},
        out,
        backend,
    )


_attach(logprobs_from_logits, _op_logprobs_from_logits)


_op_logsumexp = _Handle("logsumexp")


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
        return _op_logsumexp.fast(axis, keepdims)(x)
    return _op_logsumexp.call((x,), {"axis": axis, "keepdims": keepdims}, out, backend)


_attach(logsumexp, _op_logsumexp)


_op_lora_expand = _Handle("lora_expand")


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
        return _op_lora_expand.plain(y, x, lora_b, indices)
    return _op_lora_expand.call(
        (
            y,
            x,
            lora_b,
            indices,
        ),
        {},
        out,
        backend,
    )


_attach(lora_expand, _op_lora_expand)


_op_lora_shrink = _Handle("lora_shrink")


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
        return _op_lora_shrink.fast(scale)(x, lora_a, indices)
    return _op_lora_shrink.call(
        (
            x,
            lora_a,
            indices,
        ),
        {"scale": scale},
        out,
        backend,
    )


_attach(lora_shrink, _op_lora_shrink)


_op_margin_ranking_loss = _Handle("margin_ranking_loss")


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
        return _op_margin_ranking_loss.fast(margin, reduction)(input1, input2, target)
    return _op_margin_ranking_loss.call(
        (
            input1,
            input2,
            target,
        ),
        {"margin": margin, "reduction": reduction},
        out,
        backend,
    )


_attach(margin_ranking_loss, _op_margin_ranking_loss)


_op_masked_fill = _Handle("masked_fill")


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
        return _op_masked_fill.fast(value)(input, mask)
    return _op_masked_fill.call(
        (
            input,
            mask,
        ),
        {"value": value},
        out,
        backend,
    )


_attach(masked_fill, _op_masked_fill)


_op_masked_mean = _Handle("masked_mean")


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
        return _op_masked_mean.fast(axis, keepdims)(values, mask)
    return _op_masked_mean.call(
        (
            values,
            mask,
        ),
        {"axis": axis, "keepdims": keepdims},
        out,
        backend,
    )


_attach(masked_mean, _op_masked_mean)


_op_masked_softmax = _Handle("masked_softmax")


def masked_softmax(
    x: Array, mask: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Softmax over the last axis of the elements where the mask (broadcast to x) holds, 0 elsewhere. A
    row where it holds nowhere is all zeros.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _op_masked_softmax.plain(x, mask)
    return _op_masked_softmax.call(
        (
            x,
            mask,
        ),
        {},
        out,
        backend,
    )


_attach(masked_softmax, _op_masked_softmax)


_op_masked_sum = _Handle("masked_sum")


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
        return _op_masked_sum.fast(axis, keepdims)(values, mask)
    return _op_masked_sum.call(
        (
            values,
            mask,
        ),
        {"axis": axis, "keepdims": keepdims},
        out,
        backend,
    )


_attach(masked_sum, _op_masked_sum)


_op_masked_var = _Handle("masked_var")


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
        return _op_masked_var.fast(axis, correction, keepdims)(values, mask)
    return _op_masked_var.call(
        (
            values,
            mask,
        ),
        {"axis": axis, "correction": correction, "keepdims": keepdims},
        out,
        backend,
    )


_attach(masked_var, _op_masked_var)


_op_matmul = _Handle("matmul")


def matmul(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Matrix product over the last two axes, the axes before them broadcast.

    x1: [..., m, k], x2: [..., k, n] -> [..., m, n]. An empty inner axis (k = 0) gives zeros. A vector x1
    is a row, a vector x2 a column, and the result has no axis for it: [k], [..., k, n] -> [..., n].

    Follows numpy.matmul (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_matmul.plain(x1, x2)
    return _op_matmul.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(matmul, _op_matmul)


_op_matrix_transpose = _Handle("matrix_transpose")


def matrix_transpose(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """The last two axes exchanged.

    Follows numpy.matrix_transpose (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_matrix_transpose.plain(x)
    return _op_matrix_transpose.call((x,), {}, out, backend)


_attach(matrix_transpose, _op_matrix_transpose)


_op_matvec = _Handle("matvec")


def matvec(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Products of matrices and vectors: [..., m, n], [..., n] -> [..., m].

    Follows numpy.matvec (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_matvec.plain(x1, x2)
    return _op_matvec.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(matvec, _op_matvec)


_op_max = _Handle("max")


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
        return _op_max.fast(axis, keepdims)(x)
    return _op_max.call((x,), {"axis": axis, "keepdims": keepdims}, out, backend)


_attach(max, _op_max)


_op_max_pool1d = _Handle("max_pool1d")


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
        return _op_max_pool1d.fast(kernel_size, stride, padding, dilation, ceil_mode)(
            input
        )
    return _op_max_pool1d.call(
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
    )


_attach(max_pool1d, _op_max_pool1d)


_op_max_pool2d = _Handle("max_pool2d")


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
        return _op_max_pool2d.fast(kernel_size, stride, padding, dilation, ceil_mode)(
            input
        )
    return _op_max_pool2d.call(
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
    )


_attach(max_pool2d, _op_max_pool2d)


_op_maximum = _Handle("maximum")


def maximum(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """The larger of two values. A nan in either is the result.

    Follows numpy.maximum (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_maximum.plain(x1, x2)
    return _op_maximum.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(maximum, _op_maximum)


_op_mean = _Handle("mean")


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
        return _op_mean.fast(axis, keepdims)(x)
    return _op_mean.call((x,), {"axis": axis, "keepdims": keepdims}, out, backend)


_attach(mean, _op_mean)


_op_median = _Handle("median")


def median(x: Array, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Middle element of the sorted last axis, or the mean of the two in the middle; nan if any is nan.

    Follows numpy.median (adapted: the last axis only).
    """
    if out is None and backend is None and _state() is None:
        return _op_median.plain(x)
    return _op_median.call((x,), {}, out, backend)


_attach(median, _op_median)


class MergeAttnStatesResult(NamedTuple):
    """Results of `merge_attn_states`."""

    output: Array
    output_lse: Array | None = None


_op_merge_attn_states = _Handle("merge_attn_states", MergeAttnStatesResult)


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
        return _op_merge_attn_states.fast(return_output_lse)(
            prefix_output, prefix_lse, suffix_output, suffix_lse
        )  # type: ignore[no-any-return]
    return _op_merge_attn_states.call(
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


_attach(merge_attn_states, _op_merge_attn_states)


_op_meshgrid = _Handle("meshgrid")


def meshgrid(
    *xs: Array,
    indexing: Literal["xy", "ij"] = "xy",
    out: tuple[Array, ...] | None = None,
    backend: str | None = None,
) -> tuple[Array, ...]:
    """The grids of coordinates that vectors span: result v varies with vector v along an axis of its own.
    indexing=\"ij\": axis v belongs to vector v; \"xy\": the first two are exchanged.

    Follows numpy.meshgrid (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_meshgrid.fast(indexing)(*xs)  # type: ignore[no-any-return]
    return _op_meshgrid.call((xs,), {"indexing": indexing}, out, backend)  # type: ignore[no-any-return]


_attach(meshgrid, _op_meshgrid)


_op_min = _Handle("min")


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
        return _op_min.fast(axis, keepdims)(x)
    return _op_min.call((x,), {"axis": axis, "keepdims": keepdims}, out, backend)


_attach(min, _op_min)


_op_minimum = _Handle("minimum")


def minimum(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """The smaller of two values. A nan in either is the result.

    Follows numpy.minimum (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_minimum.plain(x1, x2)
    return _op_minimum.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(minimum, _op_minimum)


_op_mish = _Handle("mish")


def mish(
    input: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x tanh(softplus(x)). Misra, 2019.

    Follows torch.nn.functional.mish (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_mish.plain(input)
    return _op_mish.call((input,), {}, out, backend)


_attach(mish, _op_mish)


_op_mla_decode = _Handle("mla_decode")


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
        return _op_mla_decode.fast(value_size, scale)(
            query, cache, block_tables, seq_lens
        )
    return _op_mla_decode.call(
        (
            query,
            cache,
            block_tables,
            seq_lens,
        ),
        {"value_size": value_size, "scale": scale},
        out,
        backend,
    )


_attach(mla_decode, _op_mla_decode)


_op_mm = _Handle("mm")


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
        return _op_mm.plain(input, mat2)
    return _op_mm.call(
        (
            input,
            mat2,
        ),
        {},
        out,
        backend,
    )


_attach(mm, _op_mm)


_op_mse_loss = _Handle("mse_loss")


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
        return _op_mse_loss.fast(reduction)(input, target)
    return _op_mse_loss.call(
        (
            input,
            target,
        ),
        {"reduction": reduction},
        out,
        backend,
    )


_attach(mse_loss, _op_mse_loss)


_op_mul_and_silu = _Handle("mul_and_silu")


def mul_and_silu(
    x: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """The first half times silu of the second half.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _op_mul_and_silu.plain(x)
    return _op_mul_and_silu.call((x,), {}, out, backend)


_attach(mul_and_silu, _op_mul_and_silu)


_op_multiply = _Handle("multiply")


def multiply(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Product; integers wrap.

    Follows numpy.multiply (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_multiply.plain(x1, x2)
    return _op_multiply.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(multiply, _op_multiply)


_op_nan_to_num = _Handle("nan_to_num")


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
        return _op_nan_to_num.fast(value, posinf, neginf)(x)
    return _op_nan_to_num.call(
        (x,), {"value": value, "posinf": posinf, "neginf": neginf}, out, backend
    )


_attach(nan_to_num, _op_nan_to_num)


_op_narrow = _Handle("narrow")


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
        return _op_narrow.fast(dim, start, length)(input)
    return _op_narrow.call(
        (input,), {"dim": dim, "start": start, "length": length}, out, backend
    )


_attach(narrow, _op_narrow)


_op_negative = _Handle("negative")


def negative(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """-x; unsigned integers wrap.

    Follows numpy.negative (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_negative.plain(x)
    return _op_negative.call((x,), {}, out, backend)


_attach(negative, _op_negative)


_op_nextafter = _Handle("nextafter")


def nextafter(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """The next number from x1 towards x2.

    Follows numpy.nextafter (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_nextafter.plain(x1, x2)
    return _op_nextafter.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(nextafter, _op_nextafter)


_op_nll_loss = _Handle("nll_loss")


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
        return _op_nll_loss.fast(ignore_index, reduction)(input, target, weight)
    return _op_nll_loss.call(
        (
            input,
            target,
            weight,
        ),
        {"ignore_index": ignore_index, "reduction": reduction},
        out,
        backend,
    )


_attach(nll_loss, _op_nll_loss)


_op_normal = _Handle("normal")


def normal(
    *,
    shape: int | Sequence[int],
    seed: int,
    offset: int = 0,
    mean: float = 0.0,
    std: float = 1.0,
    dtype: DTypeLike | None = None,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Normal numbers by Box and Muller, 1958; two words of the generator each.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _op_normal.fast(shape, seed, offset, mean, std, dtype)()
    return _op_normal.call(
        (),
        {
            "shape": shape,
            "seed": seed,
            "offset": offset,
            "mean": mean,
            "std": std,
            "dtype": dtype,
        },
        out,
        backend,
    )


_attach(normal, _op_normal)


_op_not_equal = _Handle("not_equal")


def not_equal(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether x1 and x2 differ; a nan differs from everything.

    Follows numpy.not_equal (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_not_equal.plain(x1, x2)
    return _op_not_equal.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(not_equal, _op_not_equal)


_op_one_hot = _Handle("one_hot")


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
        return _op_one_hot.fast(num_classes)(input)
    return _op_one_hot.call((input,), {"num_classes": num_classes}, out, backend)


_attach(one_hot, _op_one_hot)


_op_ones = _Handle("ones")


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
        return _op_ones.fast(shape, dtype)()
    return _op_ones.call((), {"shape": shape, "dtype": dtype}, out, backend)


_attach(ones, _op_ones)


_op_ones_like = _Handle("ones_like")


def ones_like(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Ones, with the shape and the dtype of x.

    Follows numpy.ones_like (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_ones_like.plain(x)
    return _op_ones_like.call((x,), {}, out, backend)


_attach(ones_like, _op_ones_like)


_op_outer = _Handle("outer")


def outer(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """All products of two vectors: [m], [n] -> [m, n].

    Follows numpy.linalg.outer (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_outer.plain(x1, x2)
    return _op_outer.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(outer, _op_outer)


_op_pack_padded = _Handle("pack_padded")


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
        return _op_pack_padded.fast(total)(x, cu_seqlens)
    return _op_pack_padded.call(
        (
            x,
            cu_seqlens,
        ),
        {"total": total},
        out,
        backend,
    )


_attach(pack_padded, _op_pack_padded)


_op_pad = _Handle("pad")


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
        return _op_pad.fast(before, after, mode, value)(x)
    return _op_pad.call(
        (x,),
        {"before": before, "after": after, "mode": mode, "value": value},
        out,
        backend,
    )


_attach(pad, _op_pad)


_op_pad_packed = _Handle("pad_packed")


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
        return _op_pad_packed.fast(max_length, value)(x, cu_seqlens)
    return _op_pad_packed.call(
        (
            x,
            cu_seqlens,
        ),
        {"max_length": max_length, "value": value},
        out,
        backend,
    )


_attach(pad_packed, _op_pad_packed)


_op_paged_attention = _Handle("paged_attention")


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
        return _op_paged_attention.fast(scale, softcap)(
            query, key_cache, value_cache, block_tables, seq_lens
        )
    return _op_paged_attention.call(
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
    )


_attach(paged_attention, _op_paged_attention)


_op_paged_prefill_attention = _Handle("paged_prefill_attention")


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
        return _op_paged_prefill_attention.fast(scale)(
            query, key_cache, value_cache, block_tables, seq_lens, cu_seqlens_q
        )
    return _op_paged_prefill_attention.call(
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
    )


_attach(paged_prefill_attention, _op_paged_prefill_attention)


_op_permute_dims = _Handle("permute_dims")


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
        return _op_permute_dims.fast(axes)(x)
    return _op_permute_dims.call((x,), {"axes": axes}, out, backend)


_attach(permute_dims, _op_permute_dims)


_op_pixel_shuffle = _Handle("pixel_shuffle")


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
        return _op_pixel_shuffle.fast(upscale_factor)(input)
    return _op_pixel_shuffle.call(
        (input,), {"upscale_factor": upscale_factor}, out, backend
    )


_attach(pixel_shuffle, _op_pixel_shuffle)


_op_pixel_unshuffle = _Handle("pixel_unshuffle")


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
        return _op_pixel_unshuffle.fast(downscale_factor)(input)
    return _op_pixel_unshuffle.call(
        (input,), {"downscale_factor": downscale_factor}, out, backend
    )


_attach(pixel_unshuffle, _op_pixel_unshuffle)


_op_positive = _Handle("positive")


def positive(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x itself, as a new array.

    Follows numpy.positive (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_positive.plain(x)
    return _op_positive.call((x,), {}, out, backend)


_attach(positive, _op_positive)


_op_pow = _Handle("pow")


def pow(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x1 to the power x2. Integers wrap; floats have the special cases of C99: pow(x, 0) and pow(1, x)
    are 1 even for nan, and a negative x1 with a fractional x2 is nan.

    Follows numpy.pow (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_pow.plain(x1, x2)
    return _op_pow.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(pow, _op_pow)


_op_prelu = _Handle("prelu")


def prelu(
    input: Array, weight: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x where positive, else a multiple given for each channel: input [n, c, ...], weight [c].
    He, Zhang, Ren & Sun, 2015.

    Follows torch.nn.functional.prelu (adapted: the input has a channel axis, and weight one entry for each channel).
    """
    if out is None and backend is None and _state() is None:
        return _op_prelu.plain(input, weight)
    return _op_prelu.call(
        (
            input,
            weight,
        ),
        {},
        out,
        backend,
    )


_attach(prelu, _op_prelu)


_op_prod = _Handle("prod")


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
        return _op_prod.fast(axis, keepdims)(x)
    return _op_prod.call((x,), {"axis": axis, "keepdims": keepdims}, out, backend)


_attach(prod, _op_prod)


class QkNormResult(NamedTuple):
    """Results of `qk_norm`."""

    q_out: Array
    k_out: Array


_op_qk_norm = _Handle("qk_norm", QkNormResult)


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
        return _op_qk_norm.fast(eps)(q, k, q_weight, k_weight)  # type: ignore[no-any-return]
    return _op_qk_norm.call(
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


_attach(qk_norm, _op_qk_norm)


_op_quick_gelu = _Handle("quick_gelu")


def quick_gelu(
    x: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x sigmoid(1.702 x), the first approximation of gelu; OpenAI's CLIP uses it.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _op_quick_gelu.plain(x)
    return _op_quick_gelu.call((x,), {}, out, backend)


_attach(quick_gelu, _op_quick_gelu)


_op_ragged_max = _Handle("ragged_max")


def ragged_max(
    x: Array, cu_seqlens: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Largest of the rows of each sequence: [n, ...] -> [sequences, ...]. An empty one gives -inf.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _op_ragged_max.plain(x, cu_seqlens)
    return _op_ragged_max.call(
        (
            x,
            cu_seqlens,
        ),
        {},
        out,
        backend,
    )


_attach(ragged_max, _op_ragged_max)


_op_ragged_mean = _Handle("ragged_mean")


def ragged_mean(
    x: Array, cu_seqlens: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Mean of the rows of each sequence: [n, ...] -> [sequences, ...]. An empty one gives nan.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _op_ragged_mean.plain(x, cu_seqlens)
    return _op_ragged_mean.call(
        (
            x,
            cu_seqlens,
        ),
        {},
        out,
        backend,
    )


_attach(ragged_mean, _op_ragged_mean)


_op_ragged_sum = _Handle("ragged_sum")


def ragged_sum(
    x: Array, cu_seqlens: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Sum of the rows of each sequence: [n, ...] -> [sequences, ...]. An empty one gives 0.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _op_ragged_sum.plain(x, cu_seqlens)
    return _op_ragged_sum.call(
        (
            x,
            cu_seqlens,
        ),
        {},
        out,
        backend,
    )


_attach(ragged_sum, _op_ragged_sum)


_op_randint = _Handle("randint")


def randint(
    low: int,
    high: int,
    *,
    shape: int | Sequence[int],
    seed: int,
    offset: int = 0,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Whole numbers in low .. high - 1, by multiply and shift (Lemire, 2019, without his rejection: the bias is
    below (high - low) / 2^32).

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _op_randint.fast(low, high, shape, seed, offset)()
    return _op_randint.call(
        (),
        {"low": low, "high": high, "shape": shape, "seed": seed, "offset": offset},
        out,
        backend,
    )


_attach(randint, _op_randint)


_op_random_bits = _Handle("random_bits")


def random_bits(
    *,
    shape: int | Sequence[int],
    seed: int,
    offset: int = 0,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Random bits: word 0 of the generator at counter i, for the row-major position i.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _op_random_bits.fast(shape, seed, offset)()
    return _op_random_bits.call(
        (), {"shape": shape, "seed": seed, "offset": offset}, out, backend
    )


_attach(random_bits, _op_random_bits)


_op_randperm = _Handle("randperm")


def randperm(
    n: int,
    *,
    seed: int,
    offset: int = 0,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """The numbers 0 .. n - 1 in a random order: that of 64 random bits for each.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _op_randperm.fast(n, seed, offset)()
    return _op_randperm.call((), {"n": n, "seed": seed, "offset": offset}, out, backend)


_attach(randperm, _op_randperm)


_op_reciprocal = _Handle("reciprocal")


def reciprocal(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """1 / x, correctly rounded.

    Follows numpy.reciprocal (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_reciprocal.plain(x)
    return _op_reciprocal.call((x,), {}, out, backend)


_attach(reciprocal, _op_reciprocal)


_op_reglu = _Handle("reglu")


def reglu(x: Array, *, out: Array | None = None, backend: str | None = None) -> Array:
    """The first half times relu of the second half: the order of Shazeer's paper.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _op_reglu.plain(x)
    return _op_reglu.call((x,), {}, out, backend)


_attach(reglu, _op_reglu)


_op_relu = _Handle("relu")


def relu(
    input: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """The larger of x and zero; relu(nan) is nan and relu(-0) is 0.

    Follows torch.nn.functional.relu (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_relu.plain(input)
    return _op_relu.call((input,), {}, out, backend)


_attach(relu, _op_relu)


_op_relu6 = _Handle("relu6")


def relu6(
    input: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x limited to 0 .. 6.

    Follows torch.nn.functional.relu6 (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_relu6.plain(input)
    return _op_relu6.call((input,), {}, out, backend)


_attach(relu6, _op_relu6)


_op_relu_and_mul = _Handle("relu_and_mul")


def relu_and_mul(
    x: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """relu of the first half times the second half. Shazeer, 2020 (ReGLU).

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _op_relu_and_mul.plain(x)
    return _op_relu_and_mul.call((x,), {}, out, backend)


_attach(relu_and_mul, _op_relu_and_mul)


_op_remainder = _Handle("remainder")


def remainder(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x1 - floor(x1 / x2) x2, with the sign of x2. An integer modulo 0 is 0.

    Follows numpy.remainder (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_remainder.plain(x1, x2)
    return _op_remainder.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(remainder, _op_remainder)


_op_repeat = _Handle("repeat")


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
        return _op_repeat.fast(repeats, axis)(x)
    return _op_repeat.call((x,), {"repeats": repeats, "axis": axis}, out, backend)


_attach(repeat, _op_repeat)


_op_reshape = _Handle("reshape")


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
        return _op_reshape.fast(shape)(x)
    return _op_reshape.call((x,), {"shape": shape}, out, backend)


_attach(reshape, _op_reshape)


class ReshapeAndCacheResult(NamedTuple):
    """Results of `reshape_and_cache`."""

    new_key_cache: Array
    new_value_cache: Array


_op_reshape_and_cache = _Handle("reshape_and_cache", ReshapeAndCacheResult)


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
        return _op_reshape_and_cache.plain(
            key, value, key_cache, value_cache, slot_mapping
        )  # type: ignore[no-any-return]
    return _op_reshape_and_cache.call(
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


_attach(reshape_and_cache, _op_reshape_and_cache)


_op_rms_norm = _Handle("rms_norm")


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
        return _op_rms_norm.fast(eps, axis)(x, weight)
    return _op_rms_norm.call(
        (
            x,
            weight,
        ),
        {"eps": eps, "axis": axis},
        out,
        backend,
    )


_attach(rms_norm, _op_rms_norm)


_op_roll = _Handle("roll")


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
        return _op_roll.fast(shift, axis)(x)
    return _op_roll.call((x,), {"shift": shift, "axis": axis}, out, backend)


_attach(roll, _op_roll)


_op_rotary_cos_sin = _Handle("rotary_cos_sin")


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
        return _op_rotary_cos_sin.fast(pairs, base, factor)(positions)
    return _op_rotary_cos_sin.call(
        (positions,), {"pairs": pairs, "base": base, "factor": factor}, out, backend
    )


_attach(rotary_cos_sin, _op_rotary_cos_sin)


class RotaryEmbeddingResult(NamedTuple):
    """Results of `rotary_embedding`."""

    query_out: Array
    key_out: Array


_op_rotary_embedding = _Handle("rotary_embedding", RotaryEmbeddingResult)


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
        return _op_rotary_embedding.fast(is_neox)(positions, query, key, cos_sin_cache)  # type: ignore[no-any-return]
    return _op_rotary_embedding.call(
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


_attach(rotary_embedding, _op_rotary_embedding)


_op_round = _Handle("round")


def round(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Nearest integer, half to even, of the same dtype. Integers stay.

    Follows numpy.round (adapted: no decimals, as in the array API).
    """
    if out is None and backend is None and _state() is None:
        return _op_round.plain(x)
    return _op_round.call((x,), {}, out, backend)


_attach(round, _op_round)


_op_rsqrt = _Handle("rsqrt")


def rsqrt(
    input: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """1 / sqrt(x): inf at 0, nan for x < 0.

    Follows torch.rsqrt (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_rsqrt.plain(input)
    return _op_rsqrt.call((input,), {}, out, backend)


_attach(rsqrt, _op_rsqrt)


_op_scaled_dot_product_attention = _Handle("scaled_dot_product_attention")


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
        return _op_scaled_dot_product_attention.fast(
            dropout_p, is_causal, scale, enable_gqa
        )(query, key, value, attn_mask)
    return _op_scaled_dot_product_attention.call(
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
    )


_attach(scaled_dot_product_attention, _op_scaled_dot_product_attention)


_op_scatter = _Handle("scatter")


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
        return _op_scatter.fast(dim)(input, index, src)
    return _op_scatter.call(
        (
            input,
            index,
            src,
        ),
        {"dim": dim},
        out,
        backend,
    )


_attach(scatter, _op_scatter)


_op_scatter_add = _Handle("scatter_add")


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
        return _op_scatter_add.fast(dim)(input, index, src)
    return _op_scatter_add.call(
        (
            input,
            index,
            src,
        ),
        {"dim": dim},
        out,
        backend,
    )


_attach(scatter_add, _op_scatter_add)


_op_scatter_reduce = _Handle("scatter_reduce")


def scatter_reduce(
    input: Array,
    dim: int,
    index: Array,
    src: Array,
    reduce: Literal["sum", "prod", "amax", "amin"],
    *,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """input with the values of src combined into the elements at the indices of an axis: their sum,
    product, largest or smallest, together with what was there.

    Follows torch.scatter_reduce (adapted: no reduce='mean', and include_self always).
    """
    if out is None and backend is None and _state() is None:
        return _op_scatter_reduce.fast(dim, reduce)(input, index, src)
    return _op_scatter_reduce.call(
        (
            input,
            index,
            src,
        ),
        {"dim": dim, "reduce": reduce},
        out,
        backend,
    )


_attach(scatter_reduce, _op_scatter_reduce)


_op_searchsorted = _Handle("searchsorted")


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
        return _op_searchsorted.fast(side)(x1, x2)
    return _op_searchsorted.call(
        (
            x1,
            x2,
        ),
        {"side": side},
        out,
        backend,
    )


_attach(searchsorted, _op_searchsorted)


_op_segment_sum = _Handle("segment_sum")


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
        return _op_segment_sum.fast(num_segments)(data, segment_ids)
    return _op_segment_sum.call(
        (
            data,
            segment_ids,
        ),
        {"num_segments": num_segments},
        out,
        backend,
    )


_attach(segment_sum, _op_segment_sum)


_op_selective_scan = _Handle("selective_scan")


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
        return _op_selective_scan.plain(u, delta, a, b, c, skip)
    return _op_selective_scan.call(
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
    )


_attach(selective_scan, _op_selective_scan)


_op_selu = _Handle("selu")


def selu(
    input: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Elu scaled so that activations keep mean 0 and variance 1. Klambauer et al., 2017.

    Follows torch.nn.functional.selu (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_selu.plain(input)
    return _op_selu.call((input,), {}, out, backend)


_attach(selu, _op_selu)


_op_sigmoid = _Handle("sigmoid")


def sigmoid(
    input: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """1 / (1 + e^-x), without overflow.

    Follows torch.nn.functional.sigmoid (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_sigmoid.plain(input)
    return _op_sigmoid.call((input,), {}, out, backend)


_attach(sigmoid, _op_sigmoid)


_op_sign = _Handle("sign")


def sign(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """-1, 0 or 1. A nan stays nan, -0 stays -0 (NumPy has 0).

    Follows numpy.sign (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_sign.plain(x)
    return _op_sign.call((x,), {}, out, backend)


_attach(sign, _op_sign)


_op_signbit = _Handle("signbit")


def signbit(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Whether the sign bit is set: true for -0 and for a nan with the bit; for integers x < 0.

    Follows numpy.signbit (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_signbit.plain(x)
    return _op_signbit.call((x,), {}, out, backend)


_attach(signbit, _op_signbit)


_op_silu = _Handle("silu")


def silu(
    input: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x sigmoid(x), also called swish. Elfwing, Uchibe & Doya, 2018. At -inf nan (-inf * 0).

    Follows torch.nn.functional.silu (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_silu.plain(input)
    return _op_silu.call((input,), {}, out, backend)


_attach(silu, _op_silu)


_op_silu_and_mul = _Handle("silu_and_mul")


def silu_and_mul(
    x: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """silu of the first half times the second half. Shazeer, 2020 (SwiGLU).

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _op_silu_and_mul.plain(x)
    return _op_silu_and_mul.call((x,), {}, out, backend)


_attach(silu_and_mul, _op_silu_and_mul)


_op_sin = _Handle("sin")


def sin(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Sine of an angle in radians.

    Follows numpy.sin (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_sin.plain(x)
    return _op_sin.call((x,), {}, out, backend)


_attach(sin, _op_sin)


_op_sinh = _Handle("sinh")


def sinh(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Hyperbolic sine.

    Follows numpy.sinh (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_sinh.plain(x)
    return _op_sinh.call((x,), {}, out, backend)


_attach(sinh, _op_sinh)


_op_slice = _Handle("slice")


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
        return _op_slice.fast(start, stop, step)(x)
    return _op_slice.call(
        (x,), {"start": start, "stop": stop, "step": step}, out, backend
    )


_attach(slice, _op_slice)


_op_sliding_window = _Handle("sliding_window")


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
        return _op_sliding_window.fast(size, step)(x)
    return _op_sliding_window.call((x,), {"size": size, "step": step}, out, backend)


_attach(sliding_window, _op_sliding_window)


_op_smooth_l1_loss = _Handle("smooth_l1_loss")


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
        return _op_smooth_l1_loss.fast(reduction, beta)(input, target)
    return _op_smooth_l1_loss.call(
        (
            input,
            target,
        ),
        {"reduction": reduction, "beta": beta},
        out,
        backend,
    )


_attach(smooth_l1_loss, _op_smooth_l1_loss)


_op_softmax = _Handle("softmax")


def softmax(
    x: Array, *, axis: int = -1, out: Array | None = None, backend: str | None = None
) -> Array:
    """exp(x) divided by its sum along an axis.

    A row of -inf only (fully masked), or with an inf, is nan, as in torch and JAX; masked_softmax and
    causal_softmax give zeros for a masked row instead.

    Follows torch.nn.functional.softmax (adapted: the axis is called axis, and is the last one by default).
    """
    if out is None and backend is None and _state() is None:
        return _op_softmax.fast(axis)(x)
    return _op_softmax.call((x,), {"axis": axis}, out, backend)


_attach(softmax, _op_softmax)


_op_softmax_with_sink = _Handle("softmax_with_sink")


def softmax_with_sink(
    x: Array, sink: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Softmax over the last axis with one more logit for each head, which takes probability and gives no
    output: scores [..., h, s, t], sink [h]. Xiao et al., 2023; gpt-oss. A row of -inf only is all zeros.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _op_softmax_with_sink.plain(x, sink)
    return _op_softmax_with_sink.call(
        (
            x,
            sink,
        ),
        {},
        out,
        backend,
    )


_attach(softmax_with_sink, _op_softmax_with_sink)


_op_softmin = _Handle("softmin")


def softmin(
    x: Array, *, axis: int = -1, out: Array | None = None, backend: str | None = None
) -> Array:
    """softmax(-x).

    Follows torch.nn.functional.softmin (adapted: the axis is called axis, and is the last one by default).
    """
    if out is None and backend is None and _state() is None:
        return _op_softmin.fast(axis)(x)
    return _op_softmin.call((x,), {"axis": axis}, out, backend)


_attach(softmin, _op_softmin)


_op_softplus = _Handle("softplus")


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
        return _op_softplus.fast(beta, threshold)(input)
    return _op_softplus.call(
        (input,), {"beta": beta, "threshold": threshold}, out, backend
    )


_attach(softplus, _op_softplus)


_op_softshrink = _Handle("softshrink")


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
        return _op_softshrink.fast(lambd)(input)
    return _op_softshrink.call((input,), {"lambd": lambd}, out, backend)


_attach(softshrink, _op_softshrink)


_op_softsign = _Handle("softsign")


def softsign(
    input: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x / (1 + |x|).

    Follows torch.nn.functional.softsign (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_softsign.plain(input)
    return _op_softsign.call((input,), {}, out, backend)


_attach(softsign, _op_softsign)


_op_sort = _Handle("sort")


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
        return _op_sort.fast(descending, axis)(x)
    return _op_sort.call((x,), {"descending": descending, "axis": axis}, out, backend)


_attach(sort, _op_sort)


_op_split = _Handle("split")


def split(
    tensor: Array,
    split_size_or_sections: int | Sequence[int],
    dim: int = 0,
    *,
    out: tuple[Array, ...] | None = None,
    backend: str | None = None,
) -> tuple[Array, ...]:
    """Consecutive parts of an axis, at most 256. One length: parts of that length, the last one shorter where
    the axis is no multiple of it. Several lengths: parts of these lengths, which add up to the axis.

    Follows torch.split (adapted: a list of one length is that length: parts of it, as for an int).
    """
    if out is None and backend is None and _state() is None:
        return _op_split.fast(split_size_or_sections, dim)(tensor)  # type: ignore[no-any-return]
    return _op_split.call(
        (tensor,),
        {"split_size_or_sections": split_size_or_sections, "dim": dim},
        out,
        backend,
    )  # type: ignore[no-any-return]


_attach(split, _op_split)


_op_sqrt = _Handle("sqrt")


def sqrt(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Square root, correctly rounded; nan for x < 0, and sqrt(-0) is -0.

    Follows numpy.sqrt (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_sqrt.plain(x)
    return _op_sqrt.call((x,), {}, out, backend)


_attach(sqrt, _op_sqrt)


_op_square = _Handle("square")


def square(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x * x; integers wrap.

    Follows numpy.square (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_square.plain(x)
    return _op_square.call((x,), {}, out, backend)


_attach(square, _op_square)


_op_squeeze = _Handle("squeeze")


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
        return _op_squeeze.fast(axis)(x)
    return _op_squeeze.call((x,), {"axis": axis}, out, backend)


_attach(squeeze, _op_squeeze)


_op_stack = _Handle("stack")


def stack(
    *xs: Array, axis: int = 0, out: Array | None = None, backend: str | None = None
) -> Array:
    """Arrays of one shape along a new axis, put before the axis of that number.

    Follows numpy.stack (adapted: the arrays are arguments of their own).
    """
    if out is None and backend is None and _state() is None:
        return _op_stack.fast(axis)(*xs)
    return _op_stack.call((xs,), {"axis": axis}, out, backend)


_attach(stack, _op_stack)


_op_std = _Handle("std")


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
        return _op_std.fast(axis, correction, keepdims)(x)
    return _op_std.call(
        (x,),
        {"axis": axis, "correction": correction, "keepdims": keepdims},
        out,
        backend,
    )


_attach(std, _op_std)


_op_subtract = _Handle("subtract")


def subtract(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Difference; integers wrap.

    Follows numpy.subtract (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_subtract.plain(x1, x2)
    return _op_subtract.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(subtract, _op_subtract)


_op_sum = _Handle("sum")


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
        return _op_sum.fast(axis, keepdims)(x)
    return _op_sum.call((x,), {"axis": axis, "keepdims": keepdims}, out, backend)


_attach(sum, _op_sum)


_op_swigluoai_and_mul = _Handle("swigluoai_and_mul")


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
        return _op_swigluoai_and_mul.fast(alpha, limit)(x)
    return _op_swigluoai_and_mul.call(
        (x,), {"alpha": alpha, "limit": limit}, out, backend
    )


_attach(swigluoai_and_mul, _op_swigluoai_and_mul)


_op_take = _Handle("take")


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
        return _op_take.fast(axis)(x, indices)
    return _op_take.call(
        (
            x,
            indices,
        ),
        {"axis": axis},
        out,
        backend,
    )


_attach(take, _op_take)


_op_take_along_axis = _Handle("take_along_axis")


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
        return _op_take_along_axis.fast(axis)(x, indices)
    return _op_take_along_axis.call(
        (
            x,
            indices,
        ),
        {"axis": axis},
        out,
        backend,
    )


_attach(take_along_axis, _op_take_along_axis)


_op_tan = _Handle("tan")


def tan(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Tangent of an angle in radians.

    Follows numpy.tan (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_tan.plain(x)
    return _op_tan.call((x,), {}, out, backend)


_attach(tan, _op_tan)


_op_tanh = _Handle("tanh")


def tanh(x: Array, /, *, out: Array | None = None, backend: str | None = None) -> Array:
    """Hyperbolic tangent.

    Follows numpy.tanh (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_tanh.plain(x)
    return _op_tanh.call((x,), {}, out, backend)


_attach(tanh, _op_tanh)


_op_tanhshrink = _Handle("tanhshrink")


def tanhshrink(
    input: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x - tanh(x); near 0 the difference cancels, and the absolute error is the tanh's.

    Follows torch.nn.functional.tanhshrink (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_tanhshrink.plain(input)
    return _op_tanhshrink.call((input,), {}, out, backend)


_attach(tanhshrink, _op_tanhshrink)


_op_threshold = _Handle("threshold")


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
        return _op_threshold.fast(threshold, value)(input)
    return _op_threshold.call(
        (input,), {"threshold": threshold, "value": value}, out, backend
    )


_attach(threshold, _op_threshold)


_op_tile = _Handle("tile")


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
        return _op_tile.fast(repetitions)(x)
    return _op_tile.call((x,), {"repetitions": repetitions}, out, backend)


_attach(tile, _op_tile)


class TopkResult(NamedTuple):
    """Results of `topk`."""

    values: Array
    indices: Array


_op_topk = _Handle("topk", TopkResult)


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
        return _op_topk.fast(k, axis, largest)(x)  # type: ignore[no-any-return]
    return _op_topk.call((x,), {"k": k, "axis": axis, "largest": largest}, out, backend)  # type: ignore[no-any-return]


_attach(topk, _op_topk)


_op_trace = _Handle("trace")


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
        return _op_trace.fast(offset)(x)
    return _op_trace.call((x,), {"offset": offset}, out, backend)


_attach(trace, _op_trace)


_op_transpose = _Handle("transpose")


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
        return _op_transpose.fast(axes)(a)
    return _op_transpose.call((a,), {"axes": axes}, out, backend)


_attach(transpose, _op_transpose)


_op_tril = _Handle("tril")


def tril(
    x: Array, /, *, k: int = 0, out: Array | None = None, backend: str | None = None
) -> Array:
    """The lower triangle of the last two axes: column <= row + k, else zero.

    Follows numpy.tril (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_tril.fast(k)(x)
    return _op_tril.call((x,), {"k": k}, out, backend)


_attach(tril, _op_tril)


_op_triu = _Handle("triu")


def triu(
    x: Array, /, *, k: int = 0, out: Array | None = None, backend: str | None = None
) -> Array:
    """The upper triangle of the last two axes: column >= row + k, else zero.

    Follows numpy.triu (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_triu.fast(k)(x)
    return _op_triu.call((x,), {"k": k}, out, backend)


_attach(triu, _op_triu)


_op_trunc = _Handle("trunc")


def trunc(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Integer part (towards zero), of the same dtype. Integers stay.

    Follows numpy.trunc (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_trunc.plain(x)
    return _op_trunc.call((x,), {}, out, backend)


_attach(trunc, _op_trunc)


_op_unfold = _Handle("unfold")


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
        return _op_unfold.fast(kernel_size, dilation, padding, stride)(input)
    return _op_unfold.call(
        (input,),
        {
            "kernel_size": kernel_size,
            "dilation": dilation,
            "padding": padding,
            "stride": stride,
        },
        out,
        backend,
    )


_attach(unfold, _op_unfold)


_op_uniform = _Handle("uniform")


def uniform(
    *,
    shape: int | Sequence[int],
    seed: int,
    offset: int = 0,
    low: float = 0.0,
    high: float = 1.0,
    dtype: DTypeLike | None = None,
    out: Array | None = None,
    backend: str | None = None,
) -> Array:
    """Uniform numbers in [low, high), with 24 random bits each.

    Custom: no upstream.
    """
    if out is None and backend is None and _state() is None:
        return _op_uniform.fast(shape, seed, offset, low, high, dtype)()
    return _op_uniform.call(
        (),
        {
            "shape": shape,
            "seed": seed,
            "offset": offset,
            "low": low,
            "high": high,
            "dtype": dtype,
        },
        out,
        backend,
    )


_attach(uniform, _op_uniform)


_op_unstack = _Handle("unstack")


def unstack(
    x: Array,
    /,
    *,
    axis: int = 0,
    out: tuple[Array, ...] | None = None,
    backend: str | None = None,
) -> tuple[Array, ...]:
    """The slices along an axis, as many arrays as the axis is long, each without that axis. At most 256.

    Follows numpy.unstack (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_unstack.fast(axis)(x)  # type: ignore[no-any-return]
    return _op_unstack.call((x,), {"axis": axis}, out, backend)  # type: ignore[no-any-return]


_attach(unstack, _op_unstack)


_op_vander = _Handle("vander")


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
        return _op_vander.fast(N, increasing)(x)
    return _op_vander.call((x,), {"N": N, "increasing": increasing}, out, backend)


_attach(vander, _op_vander)


_op_var = _Handle("var")


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
        return _op_var.fast(axis, correction, keepdims)(x)
    return _op_var.call(
        (x,),
        {"axis": axis, "correction": correction, "keepdims": keepdims},
        out,
        backend,
    )


_attach(var, _op_var)


_op_varlen_attention = _Handle("varlen_attention")


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
        return _op_varlen_attention.fast(scale, causal)(
            q, k, v, cu_seqlens_q, cu_seqlens_k
        )
    return _op_varlen_attention.call(
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
    )


_attach(varlen_attention, _op_varlen_attention)


_op_vecdot = _Handle("vecdot")


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
        return _op_vecdot.fast(axis)(x1, x2)
    return _op_vecdot.call(
        (
            x1,
            x2,
        ),
        {"axis": axis},
        out,
        backend,
    )


_attach(vecdot, _op_vecdot)


_op_vecmat = _Handle("vecmat")


def vecmat(
    x1: Array, x2: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Products of vectors and matrices: [..., n], [..., n, m] -> [..., m].

    Follows numpy.vecmat (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_vecmat.plain(x1, x2)
    return _op_vecmat.call(
        (
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(vecmat, _op_vecmat)


_op_vector_norm = _Handle("vector_norm")


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
        return _op_vector_norm.fast(axis, keepdims, ord)(x)
    return _op_vector_norm.call(
        (x,), {"axis": axis, "keepdims": keepdims, "ord": ord}, out, backend
    )


_attach(vector_norm, _op_vector_norm)


_op_where = _Handle("where")


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
        return _op_where.plain(condition, x1, x2)
    return _op_where.call(
        (
            condition,
            x1,
            x2,
        ),
        {},
        out,
        backend,
    )


_attach(where, _op_where)


_op_xlogy = _Handle("xlogy")


def xlogy(
    input: Array, other: Array, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """x1 log(x2), and 0 where x1 = 0, unless x2 is nan.

    Follows torch.xlogy (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_xlogy.plain(input, other)
    return _op_xlogy.call(
        (
            input,
            other,
        ),
        {},
        out,
        backend,
    )


_attach(xlogy, _op_xlogy)


_op_zeros = _Handle("zeros")


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
        return _op_zeros.fast(shape, dtype)()
    return _op_zeros.call((), {"shape": shape, "dtype": dtype}, out, backend)


_attach(zeros, _op_zeros)


_op_zeros_like = _Handle("zeros_like")


def zeros_like(
    x: Array, /, *, out: Array | None = None, backend: str | None = None
) -> Array:
    """Zeros, with the shape and the dtype of x.

    Follows numpy.zeros_like (aligned).
    """
    if out is None and backend is None and _state() is None:
        return _op_zeros_like.plain(x)
    return _op_zeros_like.call((x,), {}, out, backend)


_attach(zeros_like, _op_zeros_like)


__all__ = [
    "abs",
    "acos",
    "acosh",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
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
    "bernoulli",
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
    "diag",
    "diag_embed",
    "diagonal",
    "diff",
    "discounted_return",
    "divide",
    "dropout",
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
    "exponential",
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
    "index_put",
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
    "meshgrid",
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
    "normal",
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
    "randint",
    "random_bits",
    "randperm",
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
    "scatter_reduce",
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
    "split",
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
    "uniform",
    "unstack",
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
