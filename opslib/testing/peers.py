"""How the functions that operators are named after are called with a spec's arguments.

Aligned operators need nothing but their own names. For the adapted ones the table below
says what the `adapted` clause of the spec says, in code.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from opslib.language import syntax

# (tensors in the spec's order, attributes that were given) -> result or results.
# A None among the results is not compared.
Adapter = Callable[[Sequence[Any], dict[str, Any]], Any]


class Refused(Exception):
    """The peer has no such call."""


def resolve(path: str) -> Any:
    """The function of a dotted name such as ``torch.nn.functional.gelu``."""
    from importlib import import_module

    parts = path.split(".")
    try:
        found: Any = import_module(parts[0])
    except ImportError:
        raise Refused(f"{parts[0]} is not installed") from None
    for k, part in enumerate(parts[1:], 2):
        if not hasattr(found, part):
            try:
                import_module(".".join(parts[:k]))
            except ImportError:
                raise Refused(f"there is no {path} here") from None
        found = getattr(found, part)
    return found


def generic(operator: syntax.Operator, path: str) -> Adapter:
    """The call with the operator's own parameter names."""
    function = resolve(path)
    positional = path.startswith(("numpy.", "jax.numpy."))

    def call(tensors: Sequence[Any], attributes: dict[str, Any]) -> Any:
        given = dict(attributes)
        arguments: list[Any] = []
        keywords: dict[str, Any] = {}
        rest = list(tensors)
        for p in operator.parameters:
            if p in operator.tensors:
                value = rest.pop(0)
                if positional or p.placement == "positional":
                    arguments.append(value)
                elif value is not None:
                    keywords[p.name] = value
            elif p.name in given:
                value = given.pop(p.name)
                if p.placement == "positional":
                    arguments.append(value)
                else:
                    keywords[p.name] = value
        while arguments and arguments[-1] is None:
            arguments.pop()
        return function(*arguments, **keywords, **given)

    return call


def adapter(operator: syntax.Operator, path: str) -> Adapter:
    """How to call the peer at `path` as the operator."""
    table = TORCH if path.startswith("torch.") else NUMPY
    made = table.get(operator.name)
    return generic(operator, path) if made is None else made


# --- NumPy -------------------------------------------------------------------------


def _descending(x: Any, axis: int) -> Any:
    """Stable positions from the largest on; nan first."""
    order = np.argsort(np.flip(x, axis), axis=axis, kind="stable")
    return x.shape[axis] - 1 - np.flip(order, axis)


def _np_sort(t: Sequence[Any], a: dict[str, Any]) -> Any:
    axis = a.get("axis", -1)
    made = np.sort(t[0], axis=axis, kind="stable")
    return np.flip(made, axis) if a.get("descending") else made


def _np_argsort(t: Sequence[Any], a: dict[str, Any]) -> Any:
    axis = a.get("axis", -1)
    if a.get("descending"):
        return _descending(t[0], axis)
    return np.argsort(t[0], axis=axis, kind="stable")


def _np_kron(t: Sequence[Any], a: dict[str, Any]) -> Any:
    if t[0].ndim != 2 or t[1].ndim != 2:
        raise Refused("numpy.kron runs over all axes")
    return np.kron(*t)


def _np_arg(name: str) -> Adapter:
    def call(t: Sequence[Any], a: dict[str, Any]) -> Any:
        axis = a.get("axis")
        if isinstance(axis, tuple):
            if len(axis) != 1:
                raise Refused("one axis only")
            axis = axis[0]
        function = getattr(np, name)
        return function(t[0], axis=axis, keepdims=a.get("keepdims", False))

    return call


def _np_dtype(a: dict[str, Any], default: str) -> Any:
    name = a.get("dtype", default)
    if name == "bfloat16":
        raise Refused("numpy has no bfloat16")
    return np.dtype(name)


def _np_linspace(t: Sequence[Any], a: dict[str, Any]) -> Any:
    dtype = _np_dtype(a, "float32")
    if dtype.kind != "f":
        raise Refused("numpy rounds integers down")
    return np.linspace(
        a["start"], a["stop"], a["num"], endpoint=a.get("endpoint", True), dtype=dtype
    )


def _np_arange(t: Sequence[Any], a: dict[str, Any]) -> Any:
    start, stop, step = a["start"], a.get("stop"), a.get("step", 1)
    low, high = (0, start) if stop is None else (start, stop)
    whole = all(isinstance(n, int) for n in (low, high, step))
    return np.arange(low, high, step).astype(
        _np_dtype(a, "int64" if whole else "float32")
    )


def _np_vander(t: Sequence[Any], a: dict[str, Any]) -> Any:
    return np.vander(t[0], a.get("N"), a.get("increasing", False)).astype(t[0].dtype)


def _np_astype(t: Sequence[Any], a: dict[str, Any]) -> Any:
    target = _np_dtype(a, "float32")
    if target.kind in "iu" and t[0].dtype.kind == "f":
        info = np.iinfo(target)
        inside = (t[0] > float(info.min) - 1) & (t[0] < float(info.max))
        if not inside.all():
            raise Refused("not defined by the array API")
    return t[0].astype(target)


def _scan_axis(name: str) -> Adapter:
    return lambda t, a: getattr(np, name)(t[0], axis=a.get("axis", -1))


NUMPY: dict[str, Adapter] = {
    "sort": _np_sort,
    "argsort": _np_argsort,
    "kron": _np_kron,
    "argmax": _np_arg("argmax"),
    "argmin": _np_arg("argmin"),
    "full": lambda t, a: np.full(
        a["shape"], a["fill_value"], dtype=_np_dtype(a, "float32")
    ),
    "zeros": lambda t, a: np.zeros(a["shape"], _np_dtype(a, "float32")),
    "ones": lambda t, a: np.ones(a["shape"], _np_dtype(a, "float32")),
    "eye": lambda t, a: np.eye(
        a["n_rows"], a.get("n_cols"), a.get("k", 0), dtype=_np_dtype(a, "float32")
    ),
    "arange": _np_arange,
    "linspace": _np_linspace,
    "vander": _np_vander,
    "astype": _np_astype,
    "concat": lambda t, a: np.concatenate(t[0], axis=a.get("axis", -1)),
    "stack": lambda t, a: np.stack(t[0], axis=a.get("axis", 0)),
    "meshgrid": lambda t, a: np.meshgrid(*t[0], indexing=a.get("indexing", "xy")),
    "expand_dims": lambda t, a: np.expand_dims(t[0], a.get("axis", 0)),
    "nan_to_num": lambda t, a: np.nan_to_num(
        t[0], nan=a.get("value", 0.0), posinf=a.get("posinf"), neginf=a.get("neginf")
    ),
    "median": lambda t, a: np.median(t[0], axis=-1),
    "diff": lambda t, a: np.diff(t[0]),
    "cumsum": _scan_axis("cumsum"),
    "cumprod": _scan_axis("cumprod"),
}


# --- torch -------------------------------------------------------------------------


def _functional() -> Any:
    return resolve("torch.nn.functional")


def _rows(name: str, spatial: int, channels: bool = False) -> Adapter:
    """A function of images, whatever axes stand before them."""

    def call(t: Sequence[Any], a: dict[str, Any]) -> Any:
        x, *others = t
        kept = spatial + channels
        lead = tuple(x.shape[: x.dim() - kept])
        flat = math.prod(lead)
        shape = (flat, *x.shape[x.dim() - kept :])
        if not channels:
            shape = (1, *shape)
        made = getattr(_functional(), name)(x.reshape(shape), *others, **a)
        tail = made.shape[1:] if channels else made.shape[2:]
        return made.reshape(*lead, *tail)

    return call


def _along(name: str) -> Adapter:
    """The axis is called dim, and is the last one by default."""

    def call(t: Sequence[Any], a: dict[str, Any]) -> Any:
        given = dict(a)
        function = getattr(_functional(), name, None) or getattr(_torch(), name)
        return function(*t, dim=given.pop("axis", -1), **given)

    return call


def _torch() -> Any:
    return resolve("torch")


def _index_put(t: Sequence[Any], a: dict[str, Any]) -> Any:
    indices, adds = t[1].long(), a.get("accumulate", False)
    if not adds and indices.unique().numel() < indices.numel():
        raise Refused("which of several values stays is not defined in torch")
    return _torch().index_put(t[0], (indices,), t[2], adds)


def _normalised(name: str, eps: float) -> Adapter:
    def call(t: Sequence[Any], a: dict[str, Any]) -> Any:
        axis = a.get("axis", -1)
        x = t[0].movedim(axis, -1)
        function = getattr(_functional(), name)
        made = function(x, x.shape[-1:], *t[1:], eps=a.get("eps", eps))
        return made.movedim(-1, axis)

    return call


def _classes_last(name: str) -> Adapter:
    def call(t: Sequence[Any], a: dict[str, Any]) -> Any:
        x = t[0].movedim(-1, 1) if t[0].dim() > 1 else t[0]
        return getattr(_functional(), name)(x, t[1], t[2], **a)

    return call


def _logsumexp(t: Sequence[Any], a: dict[str, Any]) -> Any:
    axis = a.get("axis")
    dims = tuple(range(t[0].dim())) if axis is None else axis
    if dims == ():
        raise Refused("torch takes no axis for all of them")
    return _torch().logsumexp(t[0], dims, keepdim=a.get("keepdims", False))


def _topk(t: Sequence[Any], a: dict[str, Any]) -> Any:
    values, _ = _torch().topk(
        t[0], a["k"], a.get("axis", -1), a.get("largest", True), True
    )
    return values, None


def _instance_norm(t: Sequence[Any], a: dict[str, Any]) -> Any:
    x, weight, bias = t
    return _functional().instance_norm(
        x, weight=weight, bias=bias, eps=a.get("eps", 1e-5)
    )


def _interpolate(mode: str, spatial: int) -> Adapter:
    def call(t: Sequence[Any], a: dict[str, Any]) -> Any:
        given = dict(a)
        size = given.pop("size")
        size = (size,) * spatial if isinstance(size, int) else tuple(size)
        if mode != "nearest":
            given.setdefault("align_corners", False)
        return _rows("interpolate", spatial)(t, {"size": size, "mode": mode, **given})

    return call


def _scatter_last(t: Sequence[Any], a: dict[str, Any]) -> Any:
    input, index, src = t
    return _torch().scatter(input, a["dim"], index, src)


def _cosine(t: Sequence[Any], a: dict[str, Any]) -> Any:
    return _functional().cosine_similarity(
        *t, dim=a.get("axis", -1), eps=a.get("eps", 1e-8)
    )


def _bincount(t: Sequence[Any], a: dict[str, Any]) -> Any:
    return _torch().bincount(t[0], minlength=a["length"])


TORCH: dict[str, Adapter] = {
    "glu": lambda t, a: _functional().glu(t[0], -1),
    "cosine_similarity": _cosine,
    "one_hot": lambda t, a: _functional().one_hot(t[0], a["num_classes"]),
    "bincount": _bincount,
    "cross_entropy": _classes_last("cross_entropy"),
    "nll_loss": _classes_last("nll_loss"),
    "rms_norm": _normalised("rms_norm", 1e-6),
    "layer_norm": _normalised("layer_norm", 1e-5),
    "instance_norm": _instance_norm,
    "l2_normalize": _along("normalize"),
    "topk": _topk,
    "kthvalue": lambda t, a: (_torch().kthvalue(t[0], a["k"]).values, None),
    "scatter": _scatter_last,
    "logsumexp": _logsumexp,
    "cummax": lambda t, a: _torch().cummax(t[0], a.get("axis", -1)).values,
    "cummin": lambda t, a: _torch().cummin(t[0], a.get("axis", -1)).values,
    "logcumsumexp": _along("logcumsumexp"),
    "softmax": _along("softmax"),
    "softmin": _along("softmin"),
    "log_softmax": _along("log_softmax"),
    "embedding_bag": lambda t, a: _functional().embedding_bag(
        t[0], t[1], t[2], mode="sum"
    ),
    "interpolate_nearest": _interpolate("nearest", 2),
    "interpolate_linear": _interpolate("linear", 1),
    "interpolate_bilinear": _interpolate("bilinear", 2),
    "conv1d": _rows("conv1d", 1, True),
    "conv2d": _rows("conv2d", 2, True),
    "conv3d": _rows("conv3d", 3, True),
    "conv_transpose1d": _rows("conv_transpose1d", 1, True),
    "conv_transpose2d": _rows("conv_transpose2d", 2, True),
    "unfold": _rows("unfold", 2, True),
    "max_pool1d": _rows("max_pool1d", 1),
    "max_pool2d": _rows("max_pool2d", 2),
    "avg_pool1d": _rows("avg_pool1d", 1),
    "avg_pool2d": _rows("avg_pool2d", 2),
    "adaptive_avg_pool1d": _rows("adaptive_avg_pool1d", 1),
    "adaptive_max_pool1d": _rows("adaptive_max_pool1d", 1),
    "index_put": _index_put,
    "adaptive_avg_pool2d": _rows("adaptive_avg_pool2d", 2),
    "adaptive_max_pool2d": _rows("adaptive_max_pool2d", 2),
}
