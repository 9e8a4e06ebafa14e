"""`Handle`: what stands behind an operator's function."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from typing import Any

from opslib.dispatch import arrays as foreign
from opslib.dispatch.call import Request, run, run_planned
from opslib.dispatch.prepare import record
from opslib.dispatch.signature import keywords
from opslib.errors import ArgumentError
from opslib.language.syntax import Operator, Source
from opslib.runtime import launcher

_FAST_LIMIT = 256


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
        self._lock = threading.Lock()
        self._plain: Any = None

    # --- the spec ------------------------------------------------------------------

    @property
    def library(self) -> Mapping[str, Operator]:
        """All operators that this one's spec may call."""
        if self._library is None:
            from opslib.language.library import load_library

            self._library = load_library()
        return self._library

    @property
    def operator(self) -> Operator:
        """The checked spec."""
        if self._operator is None:
            self._operator = self.library[self.name]
        return self._operator

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
        names = [k.name for k in keywords(self.operator)]
        attributes = dict(zip(names, values, strict=True))
        miss = functools.partial(self._missed, attributes)
        keep = _hashable(values)
        # 0.0 and -0.0 are one key and two values: such calls are planned by the slow
        # path, which tells them apart.
        if not keep or any(isinstance(v, float) and v == 0 for v in values):
            return miss
        made = launcher.fast_call(miss)
        with self._lock:
            if len(self._fast) >= _FAST_LIMIT:
                self._fast.clear()
            return self._fast.setdefault(values, made)

    def _missed(self, attributes: dict[str, Any], *arrays: Any) -> Any:
        """The slow path of a call that no record fits; leaves one for the next."""
        if any(type(a).__module__ == "torch" for a in arrays):
            hosted = foreign.torch_on_host(arrays)
            if hosted is not None:
                # The same memory as NumPy arrays takes the fast path.
                values = tuple(attributes.values())
                return foreign.as_torch(self.fast(*values)(*hosted))
        request = self.request(self._grouped(arrays), attributes)
        results, plan = run_planned(request)
        values = tuple(attributes.values())
        fast = self._fast.get(values) if _hashable(values) else None
        if fast is not None:
            pack = None if self.result is None else self._packer(request)
            prepared = record(plan, arrays, pack)
            if prepared is not None:
                fast.insert(prepared)
        return self.packed(request, results)

    def _packer(self, request: Request) -> Any:
        names = self.result_names(request)
        fields = self.result._fields
        if tuple(names) == fields:
            return self.result._make
        return lambda values: self.result(**dict(zip(names, values, strict=True)))

    def _grouped(self, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        """Flat arrays as `Request` wants them: a variadic parameter's as a tuple."""
        tensors = self.operator.tensors
        if any(p.variadic for p in tensors):
            at = next(k for k, p in enumerate(tensors) if p.variadic)
            return (*arrays[:at], tuple(arrays[at:]))
        return arrays

    def call(
        self,
        tensors: tuple[Any, ...],
        attributes: Mapping[str, Any],
        out: Any,
        backend: str | None,
    ) -> Any:
        """The slow path: plans, runs, prepares the next call, explains errors."""
        request = self.request(tensors, attributes, out, backend)
        return self.packed(request, run(request))

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
        return Request(
            self.operator, self.library, tensors, given, out, backend, wanted
        )

    def packed(self, request: Request, results: list[Any]) -> Any:
        """One result as it is, several as the operator's NamedTuple."""
        if self.result is None:
            return results[0] if len(results) == 1 else tuple(results)
        names = self.result_names(request)
        return self.result(**dict(zip(names, results, strict=True)))

    def result_names(self, request: Request) -> tuple[str, ...]:
        """Names of the results that a request computes."""
        if request.results is not None:
            return request.results
        return tuple(r.name for r in self.operator.results if not r.optional)


def _hashable(values: tuple[Any, ...]) -> bool:
    try:
        hash(values)
    except TypeError:
        return False
    return True


def split_keywords(
    operator: Operator, attributes: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[str, ...] | None]:
    """Attributes that were really given, and the results asked for by flags.

    None stands for "the default" where the default depends on sizes; where None is a
    value of its own, it is the default too, or `bind` refuses it.
    """
    wanted = [r.name for r in operator.results if not r.optional]
    flags = {f"return_{r.name}": r.name for r in operator.results if r.optional}
    given: dict[str, Any] = {}
    for name, value in attributes.items():
        if name in flags:
            if value:
                wanted.append(flags[name])
        elif value is not None:
            given[name] = value
    if not flags:
        return given, None
    return given, tuple(r.name for r in operator.results if r.name in wanted)


def attach(function: Callable[..., Any], handle: Handle) -> None:
    """Gives an operator's function its attributes: spec, source, plan ..."""
    from opslib.dispatch import inspection

    target: Any = function
    target.handle = handle
    target.spec = inspection.Spec(handle)
    target.plan = functools.partial(inspection.plan, handle)
    target.source = functools.partial(inspection.source, handle)
    target.cost = functools.partial(inspection.cost, handle)
    target.bound = functools.partial(inspection.bound, handle)


