"""The same call in another library: what ``opslib bench --against`` times.

A spec's ``like`` clause names the function it follows, with its parameter names. From
it, and from short tables of what the libraries call things, comes a callable for each
library that has the operator at all.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from opslib.language.syntax import Operator

NAMES = ("numpy", "torch", "jax", "onnxruntime")

# A function on the library's arrays, and what makes those of NumPy arrays.
Peer = tuple[Callable[..., Any], Callable[[Sequence[Any]], Sequence[Any]]]


class NoPeer(Exception):
    """The library is not installed, or has no such operator; the text says which."""


# Names of the array API as torch has them, where they differ.
_TORCH = {
    "concat": "cat",
    "max": "amax",
    "min": "amin",
    "permute_dims": "permute",
    "transpose": "permute",
    "cumsum": "cumsum",
    "cumprod": "cumprod",
    "flip": "flip",
    "linalg.vecdot": "linalg.vecdot",
    "linalg.outer": "outer",
    "repeat": "repeat_interleave",
    "astype": "",
    "square": "square",
    "bitwise_invert": "bitwise_not",
    "concatenate": "cat",
    "expand_dims": "unsqueeze",
    "matvec": "mv",
}
# Operators of torch as jax has them.
_JAX = {
    "relu": "jax.nn.relu",
    "gelu": "jax.nn.gelu",
    "silu": "jax.nn.silu",
    "sigmoid": "jax.nn.sigmoid",
    "softmax": "jax.nn.softmax",
    "log_softmax": "jax.nn.log_softmax",
    "softplus": "jax.nn.softplus",
    "elu": "jax.nn.elu",
    "selu": "jax.nn.selu",
    "logsumexp": "jax.scipy.special.logsumexp",
    "erf": "jax.scipy.special.erf",
    "erfc": "jax.scipy.special.erfc",
    "rsqrt": "jax.lax.rsqrt",
    "bmm": "jax.numpy.matmul",
    "mm": "jax.numpy.matmul",
}
_RENAMED = {"torch": {"axis": "dim", "axes": "dim", "keepdims": "keepdim"}}


def peer(
    library: str,
    operator: Operator,
    arrays: Sequence[Any],
    attributes: Mapping[str, Any],
) -> Peer:
    """The call in a library.

    Raises:
        NoPeer: it is not installed, or has nothing of the kind.
    """
    if library not in NAMES:
        raise NoPeer(f"not a peer; there are {', '.join(NAMES)}")
    if importlib.util.find_spec(library) is None:
        raise NoPeer("not installed")
    find = {
        "numpy": _numpy,
        "torch": _torch,
        "jax": _jax,
        "onnxruntime": _onnxruntime,
    }[library]
    try:
        made = find(operator, arrays, attributes)
    except NoPeer:
        raise
    except Exception as error:  # another library's refusal, of whatever class
        text = (str(error).splitlines() or [""])[0]
        raise NoPeer(f"{type(error).__name__}: {text[:120]}") from error
    if made is None:
        raise NoPeer("has no such operator")
    return made


def upstream_name(operator: Operator, library: str) -> str:
    """The name after ``library.`` that the spec says it is like; "" if none."""
    for u in operator.clauses.upstream:
        root, _, rest = u.function.partition(".")
        if root == library:
            return rest
    return ""


def resolved(module: str, name: str) -> Any:
    """``module.name`` with dots in the name; None where it is missing."""
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part, None)
        if found is None:
            return None
    return found


def _bfloat16(arrays: Sequence[Any]) -> bool:
    return any(getattr(a, "dtype", None) == "bfloat16" for a in arrays)


# --- numpy -------------------------------------------------------------------------


def _numpy(
    operator: Operator, arrays: Sequence[Any], attributes: Mapping[str, Any]
) -> Peer | None:
    name = upstream_name(operator, "numpy")
    function = resolved("numpy", name) if name else None
    if function is None:
        return None
    if _bfloat16(arrays):
        raise NoPeer("has no bfloat16")
    return _bound(function, attributes), list


def _bound(function: Any, attributes: Mapping[str, Any]) -> Callable[..., Any]:
    given = dict(attributes)
    if not given:
        return function  # type: ignore[no-any-return]
    return lambda *arrays: function(*arrays, **given)


# --- torch -------------------------------------------------------------------------


def to_torch(array: Any) -> Any:
    """A tensor that shares the array's memory."""
    import torch

    if isinstance(array, tuple):
        return tuple(map(to_torch, array))
    if array is None:
        return None
    if array.dtype == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def _torch(
    operator: Operator, arrays: Sequence[Any], attributes: Mapping[str, Any]
) -> Peer | None:
    import torch

    special = _TORCH_SPECIAL.get(operator.name)
    if special is not None:
        run = special(torch, operator, arrays, dict(attributes))
    else:
        name = upstream_name(operator, "torch")
        standard = upstream_name(operator, "numpy")
        if not name and standard:
            name = _TORCH.get(standard, standard)
        function = resolved("torch", name) if name else None
        if function is None:
            return None
        run = _bound(function, _renamed(attributes, "torch", operator))

    def inferred(*tensors: Any) -> Any:
        with torch.inference_mode():
            return run(*tensors)

    return inferred, lambda given: [to_torch(a) for a in given]


def _renamed(
    attributes: Mapping[str, Any], library: str, operator: Operator
) -> dict[str, Any]:
    names = _RENAMED[library]
    made = {names.get(n, n): v for n, v in attributes.items()}
    if operator.clauses.axis and "dim" not in made and library == "torch":
        made["dim"] = -1
    return made


def _torch_layer_norm(torch: Any, o: Operator, arrays: Any, named: Any) -> Any:
    shape, eps = arrays[0].shape[-1:], named.get("eps", 1e-5)
    norm = torch.nn.functional.layer_norm
    return lambda x, *rest: norm(x, shape, *rest, eps=eps)


def _torch_rms_norm(torch: Any, o: Operator, arrays: Any, named: Any) -> Any:
    shape, eps = arrays[0].shape[-1:], named.get("eps", 1e-6)
    return lambda x, w: torch.nn.functional.rms_norm(x, shape, w, eps)


def _torch_group_norm(torch: Any, o: Operator, arrays: Any, named: Any) -> Any:
    groups, eps = named["num_groups"], named.get("eps", 1e-5)
    norm = torch.nn.functional.group_norm
    return lambda x, *rest: norm(x, groups, *rest, eps=eps)


def _torch_attention(torch: Any, o: Operator, arrays: Any, named: Any) -> Any:
    q, k = arrays[0].shape, arrays[1].shape
    if set(named) - {"causal"} or (named.get("causal") and q[-2] not in (1, k[-2])):
        raise NoPeer("has no attention like this")
    function = torch.nn.functional.scaled_dot_product_attention
    # A single query sees every key, causal from the bottom-right corner.
    causal = bool(named.get("causal")) and q[-2] != 1
    grouped = q[-3] != k[-3]
    return lambda *t: function(*t, is_causal=causal, enable_gqa=grouped)


def _torch_sum(name: str) -> Callable[..., Any]:
    def made(torch: Any, o: Operator, arrays: Any, named: Any) -> Any:
        function, axis = getattr(torch, name), named.get("axis")
        keep = bool(named.get("keepdims", False))
        if axis is None and not keep:
            return lambda x: function(x)
        axes = axis if axis is not None else tuple(range(arrays[0].ndim))
        return lambda x: function(x, dim=axes, keepdim=keep)

    return made


def _torch_permute(torch: Any, o: Operator, arrays: Any, named: Any) -> Any:
    axes = named.get("axes") or tuple(reversed(range(arrays[0].ndim)))
    # torch returns a view; the copy is what the operator does.
    return lambda x: x.permute(axes).contiguous()


def _torch_matrix_transpose(torch: Any, o: Operator, arrays: Any, named: Any) -> Any:
    return lambda x: x.mT.contiguous()


def _torch_sort(torch: Any, o: Operator, arrays: Any, named: Any) -> Any:
    return lambda x: torch.sort(x, dim=named.get("axis", -1), stable=True)[0]


def _torch_silu_and_mul(torch: Any, o: Operator, arrays: Any, named: Any) -> Any:
    n = arrays[0].shape[-1] // 2
    return lambda x: torch.nn.functional.silu(x[..., :n]) * x[..., n:]


_TORCH_SPECIAL: dict[str, Callable[..., Any]] = {
    "layer_norm": _torch_layer_norm,
    "rms_norm": _torch_rms_norm,
    "group_norm": _torch_group_norm,
    "attention": _torch_attention,
    "sum": _torch_sum("sum"),
    "mean": _torch_sum("mean"),
    "max": _torch_sum("amax"),
    "min": _torch_sum("amin"),
    "transpose": _torch_permute,
    "permute_dims": _torch_permute,
    "matrix_transpose": _torch_matrix_transpose,
    "sort": _torch_sort,
    "silu_and_mul": _torch_silu_and_mul,
}


# --- jax ---------------------------------------------------------------------------


def to_jax(array: Any) -> Any:
    """A JAX array on its default device, of the same 64-bit type."""
    import jax

    if isinstance(array, tuple):
        return tuple(map(to_jax, array))
    if array is None:
        return None
    with jax.enable_x64(True):
        return jax.device_put(array)


def _jax(
    operator: Operator, arrays: Sequence[Any], attributes: Mapping[str, Any]
) -> Peer | None:
    import jax

    standard = upstream_name(operator, "numpy")
    path = f"jax.numpy.{standard}" if standard else ""
    path = path or _JAX.get(operator.name, "")
    if operator.name == "linear":
        function: Any = lambda x, w, *b: x @ w.T + (b[0] if b else 0)  # noqa: E731
    else:
        module, _, name = path.rpartition(".")
        if not path:
            return None
        function = resolved("jax", path.removeprefix("jax."))
        if function is None:
            raise NoPeer(f"has no {module}.{name}")
    named = dict(attributes)
    if operator.name == "gelu":
        named = {"approximate": named.get("approximate") == "tanh"}
    compiled = jax.jit(lambda *given: function(*given, **named))
    return waiting(compiled, "jax"), lambda given: [to_jax(a) for a in given]


def waiting(function: Callable[..., Any], library: str) -> Callable[..., Any]:
    """The function, timed until its result is there."""
    if library != "jax":
        return function
    import jax

    def run(*arrays: Any) -> Any:
        with jax.enable_x64(True):
            made: Any = function(*arrays)
            # Not `jax.block_until_ready`, whose types older releases do not have.
            for array in made if isinstance(made, tuple | list) else (made,):
                array.block_until_ready()
            return made

    return run


# --- onnxruntime -------------------------------------------------------------------


def _onnxruntime(
    operator: Operator, arrays: Sequence[Any], attributes: Mapping[str, Any]
) -> Peer | None:
    if importlib.util.find_spec("onnx") is None:
        raise NoPeer("onnx, which makes its models, is not installed")
    from opslib.tuning import peers_onnx

    if _bfloat16(arrays):
        raise NoPeer("takes no bfloat16 arrays from NumPy")
    made: Peer | None = peers_onnx.peer(operator, arrays, attributes)
    return made


def to_numpy(result: Any) -> Any:
    """A result of any library as NumPy arrays, for comparing."""
    if isinstance(result, tuple | list):
        return tuple(map(to_numpy, result))
    if type(result).__module__.startswith("torch"):
        if str(result.dtype) == "torch.bfloat16":
            result = result.float()
        return result.detach().contiguous().numpy()
    return np.asarray(result)
