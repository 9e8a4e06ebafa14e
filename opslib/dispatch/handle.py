"""`Handle`: what stands behind an operator's function."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from opslib.dispatch import arrays as foreign
from opslib.dispatch.call import Request, run, run_planned
from opslib.dispatch.prepare import record
from opslib.dispatch.signature import default_text, is_variadic, keywords
from opslib.dispatch.state import state
from opslib.errors import ArgumentError
from opslib.ir.dtypes import DType
from opslib.ir.roles import attribute_type
from opslib.language.library import load_library
from opslib.language.syntax import Operator, Source
from opslib.runtime import launcher
from opslib.runtime.protocol import PreparedCalls, Prepares

_FAST_LIMIT = 256


# Held while the shipped specs are read, and while prepared calls are added.
_loading = threading.Lock()
_adding = threading.Lock()


def _renew_locks() -> None:
    """For a child of fork: whoever held a lock in the parent is not there."""
    global _loading, _adding
    _loading, _adding = threading.Lock(), threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


class Handle:
    """One operator: its spec (parsed when first needed) and its prepared calls.

    Args:
        name: of the operator.
        result: the NamedTuple class of several results, or None.
        operator: the checked spec of an operator made at run time; None means that
            `name` is one of the shipped library.
        library: the operators its spec may call.
    """

    def __init__(
        self,
        name: str,
        result: Any = None,
        operator: Operator | None = None,
        library: Mapping[str, Operator] | None = None,
    ) -> None:
        self.name = name
        self.result = result
        self._operator = operator
        self._library = library
        self._fast: dict[tuple[Any, ...], Any] = {}
        # The same where a backend is wanted, by its name.
        self._routed: dict[tuple[str, tuple[Any, ...]], Any] = {}
        self._names: tuple[str, ...] | None = None
        self._types: tuple[frozenset[type] | None, ...] | None = None
        self._plain: Any = None

    # --- the spec ------------------------------------------------------------------

    @property
    def library(self) -> Mapping[str, Operator]:
        """All operators that this one's spec may call."""
        if self._library is None:
            with _loading:  # All handles share one library, whichever thread reads it.
                self._library = load_library()
        return self._library

    @property
    def operator(self) -> Operator:
        """The checked spec."""
        if self._operator is None:
            self._operator = self.library[self.name]
        return self._operator

    @property
    def keyword_names(self) -> tuple[str, ...]:
        """Names of the attributes, in the order in which `fast` takes their values."""
        if self._names is None:
            self._names = tuple(k.name for k in keywords(self.operator))
        return self._names

    @property
    def text(self) -> str:
        """The spec as it is written."""
        span = self.operator.span
        return span.source.text[span.start : span.stop]

    @property
    def source_file(self) -> Source:
        """The text the spec is from."""
        return self.operator.span.source

    # --- calling -------------------------------------------------------------------

    @property
    def plain(self) -> Any:
        """The prepared calls of an operator without attributes."""
        found = self._plain
        if found is None:
            found = self._plain = self.fast()
        return found

    def fast(self, *values: Any) -> Any:
        """The prepared calls with these attribute values: call it with the arrays."""
        try:
            return self._fast[values]
        except (KeyError, TypeError):
            return self._new_fast(values)

    def _new_fast(self, values: tuple[Any, ...]) -> Any:
        miss = Miss(self, values)
        if not self._is_key(values):
            return miss
        made = launcher.fast_call(miss)
        miss.calls = made
        with _adding:
            if len(self._fast) >= _FAST_LIMIT:
                self._fast.clear()
            return self._fast.setdefault(values, made)

    def _is_key(self, values: tuple[Any, ...]) -> bool:
        """Whether calls that are prepared for these values may be found by them.

        1, 1.0 and True are one key: only what is of the attribute's own type is kept,
        so that no wrong value stands for a right one. (A wrong one that comes later
        counts as the right one that it equals.) 0.0 and -0.0 are one key too.
        """
        try:
            hash(values)
        except TypeError:
            return False
        if self._types is None:
            kinds = {p.name: attribute_type(p).kind for p in self.operator.attributes}
            self._types = tuple(
                _KEPT.get(kinds.get(n, "int" if n == "axis" else "bool"))
                for n in self.keyword_names
            )
        for kept, value in zip(self._types, values, strict=True):
            entries = value if isinstance(value, tuple) else (value,)
            for entry in entries:
                if kept is not None and entry is not None and type(entry) not in kept:
                    return False
                if kept is _KEPT["float"] and entry == 0:
                    return False
        return True

    def packer(self, request: Request) -> Any:
        """What makes the NamedTuple of a tuple of results; None for one result."""
        if self.result is None:
            return tuple if is_variadic(self.operator) else None
        names = self.result_names(request)
        fields = self.result._fields
        if tuple(names) == fields:
            return self.result._make
        return lambda values: self.result(**dict(zip(names, values, strict=True)))

    def grouped(self, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        """Flat arrays as `Request` wants them: a variadic parameter's as a tuple."""
        tensors = self.operator.tensors
        if any(p.variadic for p in tensors):
            at = next(k for k, p in enumerate(tensors) if p.variadic)
            return (*arrays[:at], tuple(arrays[at:]))
        return arrays

    def spread(self, tensors: tuple[Any, ...]) -> tuple[Any, ...]:
        """``concat([a, b])`` as ``concat(a, b)``, which NumPy and torch write so.

        Where the operator takes nothing but the variadic arrays: there a single list
        can be nothing else.
        """
        parameters = self.operator.tensors
        if len(parameters) == 1 and parameters[0].variadic:
            (given,) = tensors
            if len(given) == 1 and isinstance(given[0], list | tuple):
                inner = tuple(given[0])
                if not any(isinstance(a, list | tuple) for a in inner):
                    return (inner,)
        return tensors

    def call(
        self,
        tensors: tuple[Any, ...],
        attributes: Mapping[str, Any],
        out: Any,
        backend: str | None,
    ) -> Any:
        """A call with `out`, with a wanted backend, or under `opslib.use`."""
        settings = state.get()
        if out is None and (settings is None or settings.is_plain):
            wanted = backend if settings is None else backend or settings.backend
            if isinstance(wanted, str) and tuple(attributes) == self.keyword_names:
                flat: list[Any] = []
                for p, t in zip(self.operator.tensors, tensors, strict=True):
                    flat += t if p.variadic else (t,)
                return self._routed_call(wanted, attributes)(*flat)
        request = self.request(tensors, attributes, out, backend)
        return self.packed(request, run(request))

    def _routed_call(self, wanted: str, attributes: Mapping[str, Any]) -> Any:
        """The prepared calls on one wanted backend.

        They are shared by `backend=` and `opslib.use`, so what plans for them names the
        backend itself: the context of a later call may not be that of the first.
        """
        values = tuple(attributes.values())
        try:
            return self._routed[wanted, values]
        except (KeyError, TypeError):
            miss = Miss(self, values, wanted)
        if not self._is_key(values):
            return miss
        miss.calls = launcher.fast_call(miss)
        with _adding:
            if len(self._routed) >= _FAST_LIMIT:
                self._routed.clear()
            return self._routed.setdefault((wanted, values), miss.calls)

    def request(
        self,
        tensors: tuple[Any, ...],
        attributes: Mapping[str, Any],
        out: Any = None,
        backend: str | None = None,
    ) -> Request:
        """The call as data."""
        if backend is not None and not isinstance(backend, str):
            raise ArgumentError(
                f"backend must be a string, not {backend!r}",
                code="E0704",
                help="opslib.devices() lists the names",
            )
        given, wanted = split_keywords(self.operator, attributes)
        tensors = self.spread(tensors)
        return Request(
            self.operator, self.library, tensors, given, out, backend, wanted
        )

    def packed(self, request: Request, results: list[Any]) -> Any:
        """One result as it is, several as the operator's NamedTuple."""
        if self.result is None:
            single = len(results) == 1 and not is_variadic(self.operator)
            return results[0] if single else tuple(results)
        names = self.result_names(request)
        return self.result(**dict(zip(names, results, strict=True)))

    def result_names(self, request: Request) -> tuple[str, ...]:
        """Names of the results that a request computes."""
        if request.results is not None:
            return request.results
        return tuple(r.name for r in self.operator.results if not r.optional)


# Types of attribute values that prepared calls are kept for; of dtypes, any.
_INT = frozenset({int})
_KEPT: dict[str, frozenset[type]] = {
    "int": _INT,
    "axis": _INT,
    "axes": _INT,
    "gap": _INT,
    "shape": _INT,
    "bool": frozenset({bool}),
    "string": frozenset({str}),
    "float": frozenset({int, float}),
    # 1 and 1.0 are one key, and not one program: never kept.
    "number": frozenset(),
}


class Miss:
    """What an operator's prepared calls do when no record fits: the slow path.

    It leaves a record for the next call of the kind. Arrays of other libraries, and
    Python scalars beside arrays, become NumPy arrays of the same memory or value, for
    which there may be a record.

    Args:
        handle: the operator.
        values: of its attributes, in the order of `keywords`.
        backend: the one that the calls want, if they do.
    """

    __slots__ = ("_attributes", "_backend", "_handle", "_resident", "_weak", "calls")

    def __init__(
        self, handle: Handle, values: tuple[Any, ...], backend: str | None = None
    ) -> None:
        self._handle = handle
        self._backend = backend
        self._attributes = dict(zip(handle.keyword_names, values, strict=True))
        # For kinds of arguments, which type each Python scalar among them takes.
        self._weak: dict[Any, tuple[DType | None, ...]] = {}
        self.calls: Any = None
        # Prepared calls on arrays of a device, by its backend.
        self._resident: PreparedCalls | None = None

    def __call__(self, *arrays: Any) -> Any:
        if self._resident is not None:
            found = self._resident(arrays)
            if found is not None:
                return found
        if len(arrays) == 1 and isinstance(arrays[0], list | tuple):
            grouped = self._handle.grouped(arrays)
            spread = self._handle.spread(grouped)
            if spread is not grouped:
                return self._again(spread[0])
        kinds = set(map(type, arrays))
        if not kinds <= _NATIVE:
            if "torch" in map(foreign.library_of, arrays):
                hosted = foreign.torch_on_host(arrays)
                if hosted is not None:
                    return foreign.as_torch(self._again(hosted))
            else:
                name = self._handle.name
                plain = [None if a is None else foreign.plain(a, name) for a in arrays]
                if any(a is not b for a, b in zip(plain, arrays, strict=True)):
                    return self._again(plain)
        elif not kinds.isdisjoint(_SCALARS):
            takes = self._weak.get(_kinds(arrays))
            if takes is not None:
                return self._again(
                    a if t is None else foreign.scalar(a, t)
                    for a, t in zip(arrays, takes, strict=True)
                )
        return self._planned(arrays)

    def _again(self, arrays: Iterable[Any]) -> Any:
        return (self if self.calls is None else self.calls)(*arrays)

    def _planned(self, arrays: tuple[Any, ...]) -> Any:
        handle = self._handle
        request = handle.request(
            handle.grouped(arrays), self._attributes, None, self._backend
        )
        results, plan = run_planned(request)
        if True in plan.at_home:
            if self._resident is None and isinstance(plan.backend, Prepares):
                self._resident = plan.backend.prepared_calls()
            if self._resident is not None:
                pack = handle.packer(request)
                self._resident.add(plan, arrays, pack, foreign.scalar)
        inputs = iter(plan.binding.inputs)
        types = [None if a is None else next(inputs).dtype for a in arrays]
        if any(type(a) in _SCALARS for a in arrays):
            takes = tuple(
                t if type(a) in _SCALARS else None
                for a, t in zip(arrays, types, strict=True)
            )
            if len(self._weak) < _FAST_LIMIT and np.ndarray in map(type, arrays):
                self._weak[_kinds(arrays)] = takes
        elif self.calls is not None:
            prepared = record(plan, arrays, handle.packer(request))
            if prepared is not None:
                self.calls.insert(prepared)
        return handle.packed(request, results)


_SCALARS = frozenset({bool, int, float})
_NATIVE = _SCALARS | {np.ndarray, type(None)}


def _kinds(arrays: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple([a.dtype if type(a) is np.ndarray else type(a) for a in arrays])


def split_keywords(
    operator: Operator, attributes: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[str, ...] | None]:
    """Attributes that were really given, and the results asked for by flags.

    None stands for the default where the signature shows it as the default: where it
    is a value of its own, or where the default depends on sizes.
    """
    shown = {
        p.name
        for p in operator.attributes
        if p.default is not None and default_text(p.default) == "None"
    }
    wanted = [r.name for r in operator.results if not r.optional]
    flags = {f"return_{r.name}": r.name for r in operator.results if r.optional}
    given: dict[str, Any] = {}
    for name, value in attributes.items():
        if name in flags:
            if value:
                wanted.append(flags[name])
        elif value is not None or name not in shown:
            given[name] = value
    if not flags:
        return given, None
    return given, tuple(r.name for r in operator.results if r.name in wanted)


def attach(function: Callable[..., Any], handle: Handle) -> None:
    """Gives an operator's function its attributes: spec, source, plan ..."""
    from opslib.dispatch import gradients, inspection

    target: Any = function
    target.handle = handle
    target.spec = inspection.Spec(handle)
    target.plan = functools.partial(inspection.plan, handle)
    target.source = functools.partial(inspection.source, handle)
    target.cost = functools.partial(inspection.cost, handle)
    target.bound = functools.partial(inspection.bound, handle)
    target.grad = gradients.Gradient(handle)
