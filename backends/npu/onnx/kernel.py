"""A program as ONNX Runtime sessions, one for each set of sizes it is launched with."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from opslib.codegen.array_style import NUMPY
from opslib.codegen.array_style import render as array_render
from opslib.codegen.onnx_graph import Port
from opslib.codegen.onnx_style import Options, Rendered, model, render
from opslib.errors import BackendUnavailable, KernelError
from opslib.ir.expr import Const, Program, Size

# Sessions that a kernel keeps; the least recently used one goes.
_KEPT = 64

# Makes a session of a serialised model; raises RuntimeError with the provider's words.
Opener = Callable[[bytes], Any]


@dataclass(slots=True)
class OnnxKernel:
    """See `opslib.runtime.protocol.Kernel`.

    ONNX Runtime's providers compile for fixed shapes, as XLA does: the first launch
    with new sizes or attributes prints and compiles a graph.

    Attributes:
        program: unlowered.
        options: what the graphs are printed for.
        opener: of the provider.
        label: what errors call the provider.
    """

    program: Program
    options: Options
    opener: Opener
    label: str
    _sessions: OrderedDict[Any, tuple[Any, Rendered]] = field(
        default_factory=OrderedDict
    )
    _lock: Any = field(default_factory=threading.Lock)
    _check: Callable[..., Any] | None = None
    _check_sizes: Mapping[str, str] = field(default_factory=dict)
    _check_scalars: Mapping[str, str] = field(default_factory=dict)
    _last: str = ""

    def __post_init__(self) -> None:
        if any(c.policy == "raise" for c in self.program.checks):
            text = array_render(self.program, NUMPY, body=False)
            self._check = text.function()
            self._check_sizes, self._check_scalars = text.sizes, text.scalars

    @property
    def skeleton(self) -> str:
        """Every kernel here is a graph."""
        return "onnx"

    @property
    def source(self) -> str:
        """The nodes of the last graph; of one with small sizes before any launch."""
        if not self._last:
            sizes = {s: 3 + k for k, s in enumerate(self.program.sizes)}
            scalars = {s.name: 1 for s in self.program.scalars}
            self._last = render(self.program, sizes, scalars, self.options).text
        return self._last

    def launch(
        self,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        sizes: Mapping[str, int],
        scalars: Mapping[str, int | float],
    ) -> Sequence[Any]:
        """Runs on NumPy arrays in the program's axes; returns new ones."""
        if self._check is not None:
            given: dict[str, Any] = {p: sizes[s] for s, p in self._check_sizes.items()}
            given |= {p: scalars[s] for s, p in self._check_scalars.items()}
            with np.errstate(all="ignore"):
                self._check(*inputs, **given)
        session, printed = self._session(sizes, scalars)
        if session is None:
            return [np.empty(_lengths(p), p.dtype.numpy) for p in printed.outputs]
        names = [p.name for p in printed.outputs]
        feeds = {
            p.name: np.ascontiguousarray(a).reshape(_lengths(p))
            for p, a in zip(printed.inputs, inputs, strict=True)
        }
        # A graph need not read all of its inputs, and providers may drop such.
        known = {i.name for i in session.get_inputs()}
        feeds = {k: v for k, v in feeds.items() if k in known}
        try:
            found: Sequence[Any] = session.run(names, feeds)
        except Exception as error:  # ONNX Runtime's exceptions share no base
            raise KernelError(
                f"{self.program.name}: {self.label} failed: {_short(error)}",
                code="E0804",
            ) from error
        return [
            np.asarray(a).reshape(_lengths(p))
            for a, p in zip(found, printed.outputs, strict=True)
        ]

    def _session(
        self, sizes: Mapping[str, int], scalars: Mapping[str, int | float]
    ) -> tuple[Any, Rendered]:
        # repr, as 0.0 and -0.0 are equal.
        key = (tuple(sizes.items()), repr(sorted(scalars.items())))
        with self._lock:
            found = self._sessions.get(key)
            if found is not None:
                self._sessions.move_to_end(key)
                return found
        made = self._open(sizes, scalars)
        with self._lock:
            self._sessions[key] = made
            if len(self._sessions) > _KEPT:
                self._sessions.popitem(last=False)
        return made

    def _open(
        self, sizes: Mapping[str, int], scalars: Mapping[str, int | float]
    ) -> tuple[Any, Rendered]:
        try:
            printed = render(self.program, sizes, scalars, self.options)
        except NotImplementedError as error:
            raise BackendUnavailable(
                f"{self.program.name}: no ONNX form for {error}",
                code="E0802",
                help="run it elsewhere: opslib.explain says which backends can",
            ) from None
        self._last = printed.text
        if all(0 in p.shape for p in printed.outputs):
            return None, printed
        try:
            session = self.opener(model(printed).SerializeToString())
        except Exception as error:  # as above
            raise BackendUnavailable(
                f"{self.program.name}: {self.label} refuses the graph: {_short(error)}",
                code="E0802",
                help="run it elsewhere: opslib.explain says which backends can",
            ) from error
        return session, printed


def _lengths(port: Port) -> tuple[int, ...]:
    """The shape of a port of a graph that was printed for numbers."""
    return tuple(int(n) for n in port.shape)


def printable(program: Program, options: Options) -> str | None:
    """None, or what of the program has no ONNX form at any sizes."""
    sizes = dict.fromkeys(program.sizes, 4)
    for t in program.inputs:
        for extent in t.shape:
            if not isinstance(extent, Size | Const):
                return None  # only the launch tells which sizes fit
    try:
        render(program, sizes, {s.name: 1 for s in program.scalars}, options)
    except NotImplementedError as error:
        return f"no ONNX form for {error}"
    return None


def _short(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
