"""Plans: a call's arguments, bound, merged, expanded, compiled; ready to run again."""

from __future__ import annotations

import functools
from collections import namedtuple
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, cast

import numpy as np

from opslib.dispatch import arrays as foreign
from opslib.dispatch import outputs
from opslib.dispatch.caches import Cache, kernel_for, program_for
from opslib.dispatch.coalesce import coalesce
from opslib.dispatch.signature import is_variadic, python_name, result_class
from opslib.dispatch.strides import Layout, Strides, host_strides
from opslib.errors import (
    ArgumentError,
    BackendUnavailable,
    DTypeError,
    OpslibError,
    ShapeError,
    SpecError,
)
from opslib.ir.bind import Given, bind
from opslib.ir.binding import Argument, Binding
from opslib.ir.expr import Program
from opslib.ir.view import View
from opslib.language.library import load_library, parse_operator_text
from opslib.language.syntax import Operator
from opslib.runtime import registry
from opslib.runtime.protocol import Backend, Device, Hosts, Kernel

__all__ = ["Cache", "Plan", "PlanKey", "kernel_for", "program_for"]


@dataclass(frozen=True, slots=True)
class PlanKey:
    """What a plan was made for; with the spec it is the whole plan.

    Attributes:
        arguments: by parameter, as `bind` takes them.
        attributes: those that were given.
        results: names of the results wanted, or None for all that are not optional.
        strides: of all arrays in the program's axes.
        device: its name.
        library: whose arrays it takes.
    """

    arguments: tuple[tuple[str, Given], ...]
    attributes: tuple[tuple[str, Any], ...]
    results: tuple[str, ...] | None
    strides: Strides
    device: str
    library: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A call that has been prepared for one device.

    ``plan(*arrays)`` runs it again, on arrays of the same dtypes, shapes and layout;
    others are refused. A plan may be used by many threads, and pickles: as the text
    of its spec and its key, from which it is made anew where it is loaded.

    Attributes:
        binding: as the caller sees it; `merged` as the program does.
        at_home: which inputs live on the device already.
        passed_over: libraries that have the operator and do not run this plan.
    """

    operator: Operator
    backend: Backend
    device: Device
    binding: Binding
    merged: Binding
    program: Program
    kernel: Kernel
    key: PlanKey
    at_home: tuple[bool, ...]
    passed_over: tuple[str, ...] = ()

    def __call__(self, *arrays: Any, out: Any = None) -> Any:
        """Runs the plan.

        Args:
            arrays: one for each tensor parameter that was given when the plan was
                made, in the order of the signature; absent ones may be left out, or
                None.
            out: as for the operator.

        Raises:
            ShapeError, DTypeError, ArgumentError: the plan does not fit the arrays.
        """
        name = self.operator.name
        flat = [foreign.plain(a, name) for a in arrays if a is not None]
        self._match(flat)
        targets = outputs.targets(out, name, self.key.library)
        if targets is not None:
            outputs.check(targets, self.binding, name)
        results = self.execute(self._laid_out(flat), targets, out)
        if is_variadic(self.operator):
            return tuple(results)
        if len(results) == 1:
            return results[0]
        return _result_type(self.operator, self.key.results)(*results)

    def _match(self, flat: Sequence[Any]) -> None:
        wanted = _flat_arguments(self.key.arguments)
        if len(flat) != len(wanted):
            self._refuse(
                ArgumentError, f"takes {len(wanted)} arrays, and got {len(flat)}"
            )
        library = foreign.common_library(flat, self.operator.name)
        if library != self.key.library:
            self._refuse(
                ArgumentError, f"takes arrays of {self.key.library}, not of {library}"
            )
        for array, t, want in zip(flat, self.binding.inputs, wanted, strict=True):
            have = foreign.argument(array)
            if have.shape != want.shape:
                self._refuse(
                    ShapeError, f"takes '{t.name}' of {want.shape}, not {have.shape}"
                )
            if (have.dtype, have.weak) != (want.dtype, want.weak):
                given = have.dtype or f"a Python {have.weak}"
                expected = want.dtype or f"a Python {want.weak}"
                self._refuse(DTypeError, f"takes '{t.name}' of {expected}, not {given}")

    def _laid_out(self, flat: Sequence[Any]) -> list[Any]:
        """The arrays, copied where their axes do not merge as those of the plan."""
        if not self.backend.strided:
            return list(flat)
        planned = dict(self.key.strides)
        if not self.device.host_memory:
            self._match_layouts(flat, planned)
            return list(flat)
        found = []
        for array, t, home in zip(flat, self.binding.inputs, self.at_home, strict=True):
            if not home:
                array = foreign.on_host(array, t.dtype)
                if host_strides(array, t.view) != planned[t.name]:
                    array = np.ascontiguousarray(array).reshape(array.shape)
            found.append(array)
        return found

    def _match_layouts(
        self, flat: Sequence[Any], planned: Mapping[str, tuple[int, ...]]
    ) -> None:
        if not isinstance(self.backend, Hosts):
            return
        for array, t, home in zip(flat, self.binding.inputs, self.at_home, strict=True):
            if home:
                steps = self.backend.strides(array)
                if Layout(tuple(array.shape), steps).seen(t.view) != planned[t.name]:
                    self._refuse(
                        ArgumentError,
                        f"takes '{t.name}' with other strides, not {steps}",
                    )

    def _refuse(self, kind: type[OpslibError], what: str) -> NoReturn:
        raise kind(
            f"this plan of {self.operator.name} {what}",
            code="E0705",
            help="call the operator, or make a plan for these arrays",
        )

    def execute(
        self, flat: Sequence[Any], targets: Sequence[Any] | None, out: Any
    ) -> list[Any]:
        """Runs on the caller's arrays, which fit; `targets` are `out` on the host."""
        results = self._executed(flat, targets, out)
        if out is not None and targets is None:
            return outputs.assign(out, results, self.operator.name)
        return results

    def _executed(
        self, flat: Sequence[Any], targets: Sequence[Any] | None, out: Any
    ) -> list[Any]:
        backend, device, library = self.backend, self.device, self.key.library
        inputs: list[Any] = []
        for array, t, home in zip(flat, self.binding.inputs, self.at_home, strict=True):
            if not home:
                array = backend.asarray(foreign.on_host(array, t.dtype), device)
            inputs.append(array)
        on_host = backend.strided and device.host_memory
        at_home = True in self.at_home and targets is None
        hosts = _hosts(cast(Hashable, backend)) if at_home else None
        if hosts is not None:
            like = flat[self.at_home.index(True)]
            made = [
                hosts.empty_like(like, t.shape, t.dtype, device)
                for t in self.merged.outputs
            ]
            return [hosts.restored(r, like) for r in self.run(inputs, made)]
        if targets is not None and on_host:
            outputs.into(self, inputs, targets)
            return outputs.listed(out)
        results = self.run(inputs, None)
        if True not in self.at_home and any(map(foreign.is_traced, results)):
            # Arrays of the host are known, even while JAX traces what is around.
            with foreign.untraced():
                return self._executed(flat, targets, out)
        if targets is None and any(self.at_home) and library != "numpy":
            return results
        hosted = results if on_host else [backend.to_numpy(r) for r in results]
        if targets is not None:
            outputs.copy(targets, hosted)
            return outputs.listed(out)
        return [foreign.from_host(r, library) for r in hosted]

    def run(self, inputs: Sequence[Any], outputs: Sequence[Any] | None) -> list[Any]:
        """Runs on the backend's own arrays, in the order of ``binding.inputs``.

        `outputs` are arrays of the results' shapes to write, or None to allocate.
        Results have the callers' shapes.
        """
        if not self.merged.outputs:
            return []  # Such as unstack along an axis of length 0.
        backend = self.backend
        views = [
            backend.view(a, t.view)
            for a, t in zip(inputs, self.merged.inputs, strict=True)
        ]
        if not backend.strided:
            made = self.kernel.launch(views, (), self.merged.sizes, self.merged.scalars)
            return [
                _restored(backend, r, t.view, t.shape)
                for r, t in zip(made, self.merged.outputs, strict=True)
            ]
        if outputs is None:
            outputs = [
                backend.empty(t.shape, t.dtype, self.device)
                for t in self.merged.outputs
            ]
        targets = [
            backend.view(a, t.view)
            for a, t in zip(outputs, self.merged.outputs, strict=True)
        ]
        self.kernel.launch(views, targets, self.merged.sizes, self.merged.scalars)
        return list(outputs)

    def __reduce__(self) -> tuple[Any, ...]:
        text = _text(self.operator)
        return _again, (self.operator.name, text, self.key, self.at_home)


@functools.cache
def _hosts(backend: Hashable) -> Hosts | None:
    """The backend if it hosts other libraries' arrays; asking takes microseconds."""
    return backend if isinstance(backend, Hosts) else None


def _again(name: str, text: str, key: PlanKey, at_home: tuple[bool, ...]) -> Plan:
    """A plan that was pickled, made anew: what may run there may not run here.

    Raises:
        BackendUnavailable: the device is not here, or has no kernel that may run.
    """
    from opslib.dispatch import admission  # Which needs plans.
    from opslib.dispatch.state import state

    library = load_library()
    operator = library.get(name)
    if operator is None or _text(operator) != text:
        try:
            operator = parse_operator_text(text, library)
        except SpecError as problem:
            raise SpecError(
                f"a pickled plan of {name} is from another opslib: {problem.message}",
                code=problem.code,
            ) from problem
        library = {**library, operator.name: operator}
    backend, device = registry.device(key.device)
    binding = bind(operator, dict(key.arguments), dict(key.attributes), key.results)
    merged = coalesce(binding, dict(key.strides))
    program = program_for(operator, merged.statics, library)
    settings = state.get()
    allowed = settings is None or settings.providers
    refusal = backend.supports(program, device)
    if refusal is None:
        choice = admission.choose(
            operator, library, backend, device, program, merged, allowed
        )
        if choice.kernel is not None:
            return Plan(
                operator,
                backend,
                device,
                binding,
                merged,
                program,
                choice.kernel,
                key,
                at_home,
                choice.passed_over,
            )
        refusal = choice.refusal
    raise BackendUnavailable(
        f"a pickled plan of {name} cannot run here: {device.name}: {refusal}",
        code="E0802",
        help="call the operator, or make a plan here",
    )


def _text(operator: Operator) -> str:
    span = operator.span
    return span.source.text[span.start : span.stop]


def _flat_arguments(arguments: Sequence[tuple[str, Given]]) -> list[Argument]:
    flat: list[Argument] = []
    for _, given in arguments:
        if isinstance(given, tuple):
            flat += given
        elif given is not None:
            flat.append(given)
    return flat


@functools.lru_cache(maxsize=256)
def _tuple_class(name: str, fields: tuple[str, ...]) -> Any:
    return namedtuple(name, fields)


def _result_type(operator: Operator, results: tuple[str, ...] | None) -> Any:
    names = [r.name for r in operator.results if not r.optional or results]
    if results is not None:
        names = [n for n in names if n in results]
    return _tuple_class(result_class(operator), tuple(map(python_name, names)))


def _restored(backend: Backend, array: Any, view: View, shape: tuple[int, ...]) -> Any:
    """A result in a program's axes as an array of the caller's `shape`."""
    permuted = tuple(shape[k] for k in view.permutation)
    order = tuple(range(len(shape)))
    if len(view.extents) or shape:
        flat = tuple(range(len(view.extents)))
        array = backend.view(array, View(flat, permuted, permuted))
    if view.permutation == order:
        return array
    back = tuple(view.permutation.index(k) for k in order)
    return backend.view(array, View(back, shape, shape))
