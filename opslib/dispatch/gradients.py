"""``opslib.rms_norm.grad``: the gradient of an operator, as an operator.

The spec is derived for the statics of a call and made into an operator like any other.
What is left to do here is what specs leave to binding: arrays in the axes of the
program, and axes along which an input is broadcast, whose gradient is a sum, left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from opslib.dispatch import arrays as foreign
from opslib.dispatch import call
from opslib.dispatch.caches import Cache
from opslib.errors import ArgumentError, ShapeError
from opslib.ir.binding import Binding, BoundInput
from opslib.ir.dtypes import CLASSES, DTYPES
from opslib.ir.roles import axes_of
from opslib.ir.sample import sample_binding
from opslib.ir.view import View
from opslib.language import syntax

if TYPE_CHECKING:
    from opslib.analysis.gradient.spec import Written
    from opslib.dispatch.handle import Handle
    from opslib.dispatch.inspection import OperatorFunction


@dataclass(frozen=True, slots=True)
class Derived:
    """A derived operator and the names of what it takes and gives."""

    written: Written
    function: OperatorFunction


class Gradient:
    """The gradient of an operator; ``str()`` is its spec for a typical call.

    Args:
        handle: the operator.
    """

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._made = Cache(64)
        # What binding said of calls of one kind.
        self._calls = Cache(256)

    def __str__(self) -> str:
        try:
            return self.text()
        except ArgumentError as why:  # Printing is no place to fail.
            return f"# {why.message}"

    def __repr__(self) -> str:
        return str(self)

    def text(self, dtype: str | None = None, *, rank: int = 1) -> str:
        """The spec of the gradient of a typical call.

        Args:
            dtype: of the arrays; None prefers float32.
            rank: of packs that are not alike in all ranks.

        Raises:
            ArgumentError: the operator has no gradient; the message says why.
        """
        binding = sample_binding(self._handle.operator, dtype, rank=rank)
        return self._derived(binding).written.text

    def __call__(self, *arrays: Any, backend: str | None = None, **named: Any) -> Any:
        """The gradients with respect to the inputs of floats.

        Args:
            arrays: a cotangent for each result of floats, of its shape (a sequence of
                them for a variadic result), then the arguments of the operator.
            backend: as for every operator.
            named: as for the operator itself.

        Returns:
            An array of the input's shape for each input of floats; several as a
            NamedTuple, ``dx`` for the input ``x``.

        Raises:
            ArgumentError: the operator has no gradient, or takes other arguments.
            ShapeError, DTypeError: as for the call itself.
        """
        cotangents, rest = self._split(arrays, named)
        from opslib.dispatch.inspection import dealt

        tensors, attributes = dealt(self._handle, rest, dict(named))
        return self.with_arrays(cotangents, tensors, attributes, backend)

    def with_arrays(
        self,
        cotangents: Sequence[Any],
        arrays: tuple[Any, ...],
        named: Mapping[str, Any],
        backend: str | None = None,
    ) -> Any:
        """As a call, with an entry for each tensor parameter, as `Request` has them."""
        key = _kind(arrays, named)
        known = None if key is None else self._calls.get(key)
        if known is None:
            binding, given = self._bound(arrays, named)
            derived = self._derived(binding)
            values = self._attributes(derived, binding)
            if key is not None:
                self._calls.put(key, (binding, derived, values))
        else:
            binding, derived, values = known
            given = _flat(arrays)
        tensors = self._cotangents(derived, binding, cotangents)
        views: list[tuple[BoundInput, Any]] = list(
            zip(binding.inputs, given, strict=True)
        )
        tensors += [self._input(derived, binding, b, a) for b, a in views]
        wanted = {source for _, source in derived.written.results}
        own = [(b, a) for b, a in views if b.name in wanted]
        if all(0 in o.shape for o in binding.outputs if o.dtype.is_float):
            # Nothing depends on anything. (Sizes cannot be told from empty results.)
            zeros = [_zeros(a) for _, a in own]
            made = derived.function.handle.result
            return zeros[0] if made is None else made(*zeros)
        found = _launched(derived, tensors, values, backend)
        many = isinstance(found, tuple)
        results = [
            _back(_typed(array, a), b.view, np.shape(a))
            for (b, a), array in zip(own, found if many else (found,), strict=True)
        ]
        return type(found)(*results) if many else results[0]

    def operator(self, *arrays: Any, **named: Any) -> OperatorFunction:
        """The derived operator that a call with these arguments runs."""
        from opslib.dispatch.inspection import dealt

        _, rest = self._split(arrays, named)
        tensors, attributes = dealt(self._handle, rest, dict(named))
        return self._derived(self._bound(tensors, attributes)[0]).function

    # --- the derived operator ------------------------------------------------------

    def _derived(self, binding: Binding) -> Derived:
        handle = self._handle
        dropped = {b.name: _broadcast(b.view) for b in binding.inputs}
        dropped = {name: axes for name, axes in dropped.items() if axes}
        key = (binding.statics, tuple(sorted(dropped.items())))

        def make() -> Derived:
            # Imported when the first gradient is asked for: few programs ask.
            from opslib.analysis.gradient.reverse import NoGradient
            from opslib.analysis.gradient.spec import written

            try:
                found = written(
                    handle.operator, binding.statics, handle.library, dropped
                )
            except NoGradient as why:
                raise ArgumentError(
                    f"{handle.name} has no gradient: {why}",
                    code="E0705",
                    help="pass the result to something that has one",
                ) from None
            from opslib.dispatch.made import made  # It attaches gradients.

            return Derived(found, made(found.text, handle.library))

        derived: Derived = self._made.once(key, make)
        return derived

    # --- arguments -----------------------------------------------------------------

    def _split(
        self, arrays: tuple[Any, ...], named: Mapping[str, Any]
    ) -> tuple[list[Any], tuple[Any, ...]]:
        """The cotangents, and the arguments of the operator."""
        results = [
            r
            for r in self._handle.operator.results
            if (not r.optional or named.get(f"return_{r.name}"))
            and self._may_be_float(r)
        ]
        if len(arrays) < len(results):
            names = ", ".join(f"d{r.name}" for r in results)
            raise ArgumentError(
                f"the gradient of {self._handle.name} takes the cotangents first: "
                f"{names}",
                code="E0705",
            )
        return list(arrays[: len(results)]), arrays[len(results) :]

    def _may_be_float(self, result: syntax.Result) -> bool:
        dtype = result.type.dtype
        name = dtype.arguments[0].name if dtype.arguments else dtype.name
        if name in DTYPES:
            return DTYPES[name].is_float
        classes = {c.name: c.classes for c in self._handle.operator.classes}
        allowed = classes.get(name, ("number",))
        names = {n for c in allowed for n in CLASSES.get(c, {c})}
        return any(DTYPES[n].is_float for n in names if n in DTYPES)

    def _bound(
        self, tensors: tuple[Any, ...], attributes: Mapping[str, Any]
    ) -> tuple[Binding, list[Any]]:
        """The call of the operator itself, bound, and its arrays in order."""
        request, flat = call.flattened(self._handle.request(tensors, attributes))
        binding = call.bound(request)
        return binding, [
            np.asarray(a, b.dtype.numpy) if foreign.library_of(a) == "scalar" else a
            for a, b in zip(flat, binding.inputs, strict=True)
        ]

    def _cotangents(
        self, derived: Derived, binding: Binding, given: Sequence[Any]
    ) -> list[Any]:
        flat: list[Any] = []
        for one in given:
            flat += one if isinstance(one, list | tuple) else [one]
        outputs = [o for o in binding.outputs if o.dtype.is_float]
        if len(flat) != len(outputs):
            raise ArgumentError(
                f"the gradient of {self._handle.name} takes {len(outputs)} cotangents, "
                f"and got {len(flat)}",
                code="E0705",
            )
        found: list[Any] = []
        for (name, _), o, one in zip(
            derived.written.cotangents, outputs, flat, strict=True
        ):
            array = np.asarray(one, o.dtype.numpy) if np.isscalar(one) else one
            if tuple(array.shape) != tuple(o.shape):
                raise ShapeError(
                    f"{name} must have the shape {tuple(o.shape)} of the result, not "
                    f"{tuple(array.shape)}",
                    code="E0702",
                )
            shape = tuple(o.view.extents)
            if name in derived.written.composite:
                shape = self._shape(binding, name[1:], shape)
            found.append(_moved(array, o.view, shape))
        return found

    def _input(
        self, derived: Derived, binding: Binding, bound: BoundInput, array: Any
    ) -> Any:
        view = bound.view
        dropped = _broadcast(view)
        if dropped:
            shape = tuple(n for k, n in enumerate(view.shape) if k not in dropped)
        elif bound.name in derived.written.composite:
            shape = self._shape(binding, bound.parameter, view.shape)
        else:
            shape = tuple(view.shape)
        return _moved(array, view, shape)

    def _shape(
        self, binding: Binding, name: str, dims: Sequence[int]
    ) -> tuple[int, ...]:
        """Program dims with the parts of a composite axis as one."""
        operator = self._handle.operator
        both: list[syntax.Parameter | syntax.Result] = [*operator.tensors]
        both += operator.results
        declared = next((q for q in both if q.name == name), None)
        if declared is None:
            return tuple(dims)
        from opslib.analysis.gradient.groups import grouped

        groups = grouped(axes_of(declared), dict(binding.statics.ranks))
        if groups is None or sum(groups) != len(dims):
            return tuple(dims)
        shape: list[int] = []
        at = 0
        for count in groups:
            shape.append(int(np.prod(dims[at : at + count], dtype=np.int64)))
            at += count
        return tuple(shape)

    def _attributes(self, derived: Derived, binding: Binding) -> dict[str, Any]:
        """The attributes of the derived operator, from those of the call."""
        values: dict[str, Any] = {}
        known = {**binding.sizes, **binding.scalars}
        for name in derived.written.attributes:
            if name in known:
                values[name] = known[name]
                continue
            entries: list[int | float] = []
            while f"{name}{len(entries)}" in known:
                entries.append(known[f"{name}{len(entries)}"])
            values[name] = tuple(entries)
        return values


def _flat(arrays: tuple[Any, ...]) -> list[Any]:
    """The arrays of a call in order, absent ones left out."""
    parts = [a if isinstance(a, tuple | list) else (a,) for a in arrays]
    return [a for part in parts for a in part if a is not None]


def _kind(arrays: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
    """What calls have in common that bind alike; None where that is not seen."""
    flat = _flat(arrays)
    if not all(hasattr(a, "dtype") and hasattr(a, "shape") for a in flat):
        return None
    there = tuple(
        len(a) if isinstance(a, tuple | list) else a is not None for a in arrays
    )
    shapes = tuple((type(a), a.dtype, tuple(a.shape)) for a in flat)
    # 1, 1.0 and True are equal, and not the same attribute.
    return there, shapes, tuple(sorted((k, repr(v)) for k, v in named.items()))


def _launched(
    derived: Derived, tensors: list[Any], values: dict[str, Any], backend: str | None
) -> Any:
    """The results of the derived operator, one launch or several."""
    groups = derived.written.launches
    if len(groups) == 1:
        return derived.function(*tensors, backend=backend, **values)
    handle = derived.function.handle
    request = handle.request(tuple(tensors), values, None, backend)
    results: dict[str, Any] = {}
    for group in groups:
        made = call.run(replace(request, results=group))
        results |= dict(zip(group, made, strict=True))
    return handle.result(**results)


def _broadcast(view: View) -> tuple[int, ...]:
    """The axes along which an input is repeated: its gradient is summed there."""
    lengths = enumerate(zip(view.shape, view.extents, strict=True))
    return tuple(k for k, (own, whole) in lengths if own == 1 and whole != 1)


def _moved(array: Any, view: View, shape: tuple[int, ...]) -> Any:
    """An array in a program's axes."""
    if view.permutation != tuple(range(len(view.permutation))):
        permute = array.permute if hasattr(array, "permute") else array.transpose
        array = permute(view.permutation)
    return array if tuple(array.shape) == shape else array.reshape(shape)


def _typed(array: Any, like: Any) -> Any:
    """A result in the type of its input, which the call may have promoted."""
    if array.dtype == like.dtype:
        return array
    return (array.astype if hasattr(array, "astype") else array.to)(like.dtype)


def _zeros(array: Any) -> Any:
    """Zeros like an array of any library, which need not be imported for it."""
    if hasattr(array, "new_zeros"):
        return array.new_zeros(array.shape)
    if isinstance(array, np.ndarray):
        return np.zeros_like(array)
    return array.at[...].set(0)


def _back(array: Any, view: View, shape: tuple[int, ...]) -> Any:
    """A result in a program's axes, in the axes of the argument."""
    permuted = tuple(shape[k] for k in view.permutation)
    if tuple(array.shape) != permuted:
        array = array.reshape(permuted)
    if view.permutation == tuple(range(len(shape))):
        return array
    back = tuple(view.permutation.index(k) for k in range(len(shape)))
    permute = array.permute if hasattr(array, "permute") else array.transpose
    return permute(back)
