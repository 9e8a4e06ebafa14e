"""Backends that wrap numpy's, right or with one planted bug each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any

import ml_dtypes
import numpy as np

from opslib.ir.dtypes import DType
from opslib.ir.expr import Fold, Program, walk
from opslib.ir.view import View
from opslib.runtime import registry
from opslib.runtime.protocol import PROTOCOL_VERSION, Arithmetic, Device

Array = np.ndarray[Any, np.dtype[Any]]
# From a kernel's inputs (which it may change), results and program to other results.
Before = Callable[[Program, list[Array]], list[Array]]
After = Callable[[Program, list[Array], list[Array]], list[Array]]


@dataclass(frozen=True)
class Bug:
    """What goes wrong: in the inputs as the kernel sees them, or in its results."""

    name: str
    before: Before | None = None
    after: After | None = None
    stale: bool = False
    # Only where the results are not in row-major order.
    only_strided: bool = False
    # Only the launch of that number, of programs of that name.
    launch: int | None = None
    program: str = ""


# How often a program with a counted bug has been launched.
LAUNCHES = [0]


class FakeKernel:
    """numpy's kernel and a bug."""

    def __init__(self, kernel: Any, program: Program, bug: Bug | None) -> None:
        self.kernel, self.program, self.bug = kernel, program, bug
        self.previous: list[Array] | None = None
        self.skeleton = "fake"
        self.source = ""

    def launch(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        sizes: Mapping[str, int],
        scalars: Mapping[str, int | float],
    ) -> Sequence[Any]:
        bug = self.bug
        given = list(inputs)
        if bug is not None and bug.before is not None:
            given = bug.before(self.program, [np.array(a) for a in given])
        self.kernel.launch(given, outputs, sizes, scalars)
        if bug is None:
            return list(outputs)
        made = [np.array(o) for o in outputs]
        here = not bug.only_strided or not all(o.flags.c_contiguous for o in outputs)
        if bug.launch is not None:
            here = self.program.name == bug.program and LAUNCHES[0] == bug.launch
            LAUNCHES[0] += self.program.name == bug.program
        if bug.after is not None and here:
            for target, changed in zip(
                outputs, bug.after(self.program, given, made), strict=True
            ):
                target[...] = changed
        if bug.stale:
            # A missing synchronisation: half of what is read is from the last launch.
            fresh = [np.array(o) for o in outputs]
            for target, old in zip(outputs, self.previous or [], strict=False):
                if old.shape == target.shape and target.ndim:
                    target[..., target.shape[-1] // 2 :] = old[
                        ..., target.shape[-1] // 2 :
                    ]
                elif target.ndim:
                    target[..., target.shape[-1] // 2 :] = 0
            self.previous = fresh
        return list(outputs)


class FakeBackend:
    """The Backend protocol, on numpy's kernels."""

    protocol = PROTOCOL_VERSION
    strided = True

    def __init__(self, name: str, bug: Bug | None) -> None:
        self.name, self.bug = name, bug
        self.inner = registry.load("numpy")
        self.device = Device(name, name, "fake", family=f"fake-{name}")

    def devices(self) -> Sequence[Device]:
        return (self.device,)

    def supports(self, program: Program, device: Device) -> str | None:
        return self.inner.supports(program, self.inner.devices()[0])

    def arithmetic(self, dtype: DType, device: Device) -> Arithmetic | None:
        return self.inner.arithmetic(dtype, self.inner.devices()[0])

    def compile(self, program: Program, device: Device) -> FakeKernel:
        made = self.inner.compile(program, self.inner.devices()[0])
        return FakeKernel(made, program, self.bug)

    def owner(self, array: Any) -> Device | None:
        return None

    def asarray(self, array: Any, device: Device) -> Any:
        return np.asarray(array)

    def to_numpy(self, array: Any) -> Any:
        return array

    def empty(self, shape: tuple[int, ...], dtype: DType, device: Device) -> Any:
        return np.empty(shape, dtype.numpy)

    def view(self, array: Any, view: View) -> Any:
        return self.inner.view(array, view)

    def synchronize(self, device: Device) -> None:
        pass


# --- The bugs ----------------------------------------------------------------------


def has_fold(program: Program, *names: str) -> bool:
    """Whether the program folds (with one of these monoids)."""
    return any(
        isinstance(n, Fold) and (not names or n.monoid.name in names)
        for d in program.defines
        for n in walk(d.value)
    )


def _wrong_tail(
    program: Program, inputs: list[Array], outputs: list[Array]
) -> list[Array]:
    for o in outputs:
        if o.ndim and o.shape[-1] % 8 == 1 and o.shape[-1] > 8:
            o[..., -1] = o[..., -2]
    return outputs


def _dropped_term(program: Program, inputs: list[Array]) -> list[Array]:
    """The last slice along the last axis of the first input takes no part in sums."""
    if has_fold(program, "sum"):
        for a in inputs[:1]:
            if a.ndim and a.shape[-1] > 1:
                a[..., -1] = 0
    return inputs


def _half_accumulator(
    program: Program, inputs: list[Array], outputs: list[Array]
) -> list[Array]:
    if has_fold(program, "sum"):
        for o in outputs:
            if o.dtype == np.float32:
                with np.errstate(all="ignore"):
                    o[...] = o.astype(np.float16)
    return outputs


def _swapped_axes(program: Program, inputs: list[Array]) -> list[Array]:
    return [
        a.swapaxes(-1, -2) if a.ndim > 1 and a.shape[-1] == a.shape[-2] else a
        for a in inputs
    ]


def _nan_swallowed(
    program: Program, inputs: list[Array], outputs: list[Array]
) -> list[Array]:
    if has_fold(program, "max", "min") or program.name in ("maximum", "minimum"):
        for o in outputs:
            if o.dtype.kind not in "biu":
                o[np.isnan(o)] = 0
    return outputs


def _rounds_up(
    program: Program, inputs: list[Array], outputs: list[Array]
) -> list[Array]:
    """Half of the results are the next number: what rounding up instead of to nearest
    does, a mean error of half a unit in the last place."""
    for o in outputs:
        if o.dtype.kind in "biu":
            continue
        flat = o.reshape(-1)
        half = flat[::2]
        with np.errstate(all="ignore"):
            finite = np.isfinite(half)
            if o.dtype == ml_dtypes.bfloat16:
                bits = half.view(np.int16)
                up = (bits + np.where(bits < 0, -1, 1).astype(np.int16)).view(o.dtype)
            else:
                up = np.nextafter(half, np.array(np.inf, o.dtype))
            flat[::2] = np.where(finite & (half != 0), up, half)
        o[...] = flat.reshape(o.shape)
    return outputs


def _off_by_one(program: Program, inputs: list[Array]) -> list[Array]:
    return [
        np.maximum(a.astype(np.int64) - 1, 0).astype(a.dtype)
        if a.dtype.kind in "iu" and k > 0
        else a
        for k, a in enumerate(inputs)
    ]


class IgnoresStrides(FakeBackend):
    """Reads memory in row-major order whatever the strides are."""

    def view(self, array: Any, view: View) -> Any:
        flat = np.asarray(array)
        if flat.ndim and not flat.flags.c_contiguous and flat.flags.writeable:
            base = flat
            while isinstance(base.base, np.ndarray):
                base = base.base
            if base.size >= flat.size and base.dtype == flat.dtype:
                seen = base.reshape(-1)[: flat.size].reshape(flat.shape)
                return self.inner.view(seen, view)
        return self.inner.view(array, view)


# --- Bugs that break a relation, each another one ----------------------------------


def _changed(change: Callable[[Array, list[Array]], Array]) -> After:
    """`change` of each float result (in float64) and the inputs."""

    def after(
        program: Program, inputs: list[Array], outputs: list[Array]
    ) -> list[Array]:
        for o in outputs:
            if o.dtype.kind not in "biu":
                o[...] = change(o.astype(np.float64), inputs).astype(o.dtype)
        return outputs

    return after


def _by_place(o: Array, inputs: list[Array]) -> Array:
    return o + 0.01 * np.arange(o.size).reshape(o.shape)


def _by_size(o: Array, inputs: list[Array]) -> Array:
    return o * (1 + 0.01 * o.size)


def _by_level(o: Array, inputs: list[Array]) -> Array:
    return o + 0.01 * inputs[0].astype(np.float64).sum()


def _bent(o: Array, inputs: list[Array]) -> Array:
    return o + 0.01 * o * o


def _lifted(o: Array, inputs: list[Array]) -> Array:
    return o + 0.25


def off(program: Program, inputs: list[Array], outputs: list[Array]) -> list[Array]:
    """Every element of every result is another one."""
    for o in outputs:
        if o.dtype == np.bool_:
            o[...] = ~o
        elif o.dtype.kind in "iu":
            o[...] = o + 1
        else:
            o[...] = (o.astype(np.float64) * 1.25 + 0.75).astype(o.dtype)
    return outputs


# Relation, bug, operators on which the relation must see it.
RELATIONS: tuple[tuple[str, Bug, tuple[str, ...]], ...] = (
    ("permuted", Bug("place", after=_changed(_by_place)), ("add", "softmax", "matmul")),
    (":", Bug("size", after=_changed(_by_size)), ("exp", "softmax", "embedding")),
    (
        "+ ",
        Bug("level", after=_changed(_by_level)),
        ("softmax", "logprobs_from_logits"),
    ),
    ("2 ", Bug("bent", after=_changed(_bent)), ("matmul", "sum", "attention")),
    ("as a sum", Bug("lifted", after=_changed(_lifted)), ("matmul", "conv2d", "mean")),
    ("contiguous copies", Bug("ignored stride"), ("exp", "add", "softmax", "sort")),
    ("out=", Bug("strided out", after=off, only_strided=True), ("exp", "add")),
)

BUGS = (
    Bug("wrong tail", after=_wrong_tail),
    Bug("dropped last term", before=_dropped_term),
    Bug("float16 accumulation", after=_half_accumulator),
    Bug("ignored stride"),
    Bug("swapped axes", before=_swapped_axes),
    Bug("nan swallowed by max", after=_nan_swallowed),
    Bug("rounds up", after=_rounds_up),
    Bug("off-by-one index", before=_off_by_one),
    Bug("missing synchronisation", stale=True),
)
# Operators on which a bug shows; each must be caught on every one of them.
SHOWS: dict[str, tuple[str, ...]] = {
    "wrong tail": ("add", "softmax", "exp", "cumsum", "matmul", "rms_norm"),
    "dropped last term": ("matmul", "linear", "sum", "rms_norm", "vecdot", "mm"),
    "float16 accumulation": ("matmul", "sum", "vecdot", "layer_norm", "cdist"),
    "ignored stride": ("add", "softmax", "matmul", "sort", "exp", "embedding"),
    "swapped axes": ("exp", "add", "softmax", "tril", "matmul", "cumsum"),
    "nan swallowed by max": ("max", "softmax", "amax", "maximum", "max_pool2d"),
    "rounds up": ("sqrt", "add", "multiply", "divide", "matmul"),
    "off-by-one index": (
        "index_select",
        "gather",
        "scatter_add",
        "take",
        "segment_sum",
    ),
    "missing synchronisation": ("add", "softmax", "matmul", "sum", "sort", "embedding"),
}


def install(bug: Bug | None, name: str) -> str:
    """Registers a fake backend under a name; returns the name."""
    kind = (
        IgnoresStrides
        if bug is not None and bug.name == "ignored stride"
        else FakeBackend
    )
    point = EntryPoint(name, "nowhere:nothing", registry.GROUP)
    registry._entry_points()[name] = point
    registry._loaded[name] = kind(name, bug)
    return name
