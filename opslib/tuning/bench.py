"""Operators against their peers, on the specs' workloads, in one interleaved run.

How it is measured, and why:

* All contenders run in turn, in an order drawn anew each round, so that a machine that
  slows down slows all of them down.
* Each call takes the next of several copies of its inputs, together larger than the
  last cache, so that memory is read from memory; a small workload is said to be warm.
* Data are random and not zero.
* Medians after outliers are rejected, never minima; see `opslib.tuning.statistics`.
* Every contender's result is compared with opslib's: a fast wrong answer is no peer.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from opslib.dispatch import inspection
from opslib.dispatch.handle import Handle
from opslib.errors import OpslibError
from opslib.language.syntax import Workload
from opslib.runtime import pool
from opslib.tuning import machine, peers
from opslib.tuning.statistics import Timing, timing
from opslib.tuning.workloads import call_bytes, workload_call, workload_text

_LEAST_ROUNDS, _MOST_ROUNDS = 7, 400
_SHORT = 50e-6
_MOST_COPIES_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Row:
    """One contender on one workload.

    Attributes:
        contender: ``opslib:cpu``, ``torch`` ...
        skeleton: the kernel's kind, for opslib's own.
        result: the timing, or None with the reason in `why_not`.
        ratio: its time over opslib's; above 1 opslib is faster.
        of_limit: the machine's least possible time over its time, at most about 1.
        agrees: whether its result is opslib's, within what the dtype allows.
    """

    operator: str
    workload: str
    contender: str
    skeleton: str = ""
    result: Timing | None = None
    ratio: float | None = None
    of_limit: float | None = None
    agrees: bool = True
    why_not: str = ""


class _Call:
    """One call with its arguments: a contender's function on one set of inputs."""

    __slots__ = ("arguments", "function", "prepare")

    def __init__(self, function: Any, prepare: Any, given: Any) -> None:
        self.function, self.prepare = function, prepare
        self.arguments = prepare(given)

    def __call__(self) -> Any:
        return self.function(*self.arguments)

    def on(self, given: Any) -> _Call:
        """The same call on other inputs."""
        return _Call(self.function, self.prepare, given)


@dataclass(slots=True)
class _Contender:
    name: str
    calls: list[_Call]
    skeleton: str = ""
    samples: list[float] = field(default_factory=list)
    repeat: int = 1
    at: int = 0
    agrees: bool = True


def bench(
    function: Callable[..., Any],
    handle: Handle,
    *,
    against: Sequence[str] = (),
    backends: Sequence[str] = (),
    only: str | None = None,
    seconds: float = 2.0,
    limits: machine.Limits | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[Row]:
    """Times an operator on its workloads.

    Args:
        function: the operator's function.
        handle: what stands behind it.
        against: peers, of `peers.NAMES`.
        backends: of opslib, the first being what ratios refer to; empty means the one
            that opslib would choose.
        only: label of the one workload wanted.
        seconds: to spend on each workload, about.
        limits: the machine's; None leaves `Row.of_limit` empty.
        on_progress: told (rounds done, rounds planned).
    """
    for workload in handle.operator.clauses.workloads:
        if only is not None and workload.label != only:
            continue
        yield from _workload(
            function, handle, workload, against, backends, seconds, limits, on_progress
        )


def _workload(
    function: Callable[..., Any],
    handle: Handle,
    workload: Workload,
    against: Sequence[str],
    backends: Sequence[str],
    seconds: float,
    limits: machine.Limits | None,
    on_progress: Callable[[int, int], None],
) -> Iterator[Row]:
    label = workload_text(workload)
    sets = [workload_call(handle.operator, workload)]
    refusals: list[Row] = []
    contenders: list[_Contender] = []
    expected: Any = None
    for backend in backends or (None,):
        try:
            made, expected = _own(function, handle, sets, backend, expected)
            contenders.append(made)
        except OpslibError as error:
            name = f"opslib:{backend or 'auto'}"
            refusals.append(_refusal(handle, label, name, error.message))
    for name in against:
        try:
            contenders.append(_peer(name, handle, sets, expected))
        except peers.NoPeer as error:
            refusals.append(_refusal(handle, label, name, str(error)))
    if contenders:
        _copies(sets, expected, handle, workload)
        for c in contenders:
            c.calls += [c.calls[0].on(given) for given in sets[1:]]
        with same_threads(pool.num_threads()):
            _time(contenders, seconds, on_progress)
    yield from _rows(handle, label, contenders, sets[0], expected, limits)
    yield from refusals


def _refusal(handle: Handle, label: str, name: str, why: str) -> Row:
    return Row(handle.name, label, name, why_not=why)


def _own(
    function: Callable[..., Any],
    handle: Handle,
    sets: list[Any],
    backend: str | None,
    expected: Any,
) -> tuple[_Contender, Any]:
    arrays, attributes = sets[0]
    plan = inspection.plan(handle, *arrays, backend=backend, **attributes)
    placed = _to_jax if plan.backend.name == "jax" else _as_they_are
    # Without `backend=` where opslib would choose it anyway: that is the fast path.
    named = dict(attributes) if backend is None else {**attributes, "backend": backend}

    def run(*given: Any) -> Any:
        return function(*given, **named)

    call = _Call(peers.waiting(run, plan.backend.name), placed, sets[0])
    found = peers.to_numpy(call())
    made = _Contender(f"opslib:{plan.device.name}", [call], plan.kernel.skeleton)
    if expected is not None:
        made.agrees = _close(found, expected)
    return made, found if expected is None else expected


def _as_they_are(given: Any) -> tuple[Any, ...]:
    return tuple(given[0])


def _to_jax(given: Any) -> tuple[Any, ...]:
    return tuple(peers.to_jax(a) for a in given[0])


def _peer(name: str, handle: Handle, sets: list[Any], expected: Any) -> _Contender:
    arrays, attributes = sets[0]
    function, prepare = peers.peer(name, handle.operator, arrays, attributes)
    call = _Call(function, lambda given: tuple(prepare(given[0])), sets[0])
    try:
        found = peers.to_numpy(call())
    except Exception as error:  # a peer may refuse a dtype in any way it likes
        text = (str(error).splitlines() or [""])[0]
        raise peers.NoPeer(f"{type(error).__name__}: {text[:120]}") from error
    agrees = expected is None or _close(found, expected)
    return _Contender(name, [call], agrees=agrees)


def _close(found: Any, expected: Any) -> bool:
    first = expected[0] if isinstance(expected, tuple) else expected
    other = found[0] if isinstance(found, tuple | list) else found
    a, b = np.asarray(first), np.asarray(other)
    if a.shape != b.shape:
        return False
    if a.dtype.kind in "biu":
        return bool(np.array_equal(a, b))
    a, b = a.astype(np.float64), b.astype(np.float64)
    size = float(np.nanmax(np.abs(a), initial=0.0))
    scale = 0.05 if first.dtype.itemsize < 4 else 1e-3
    same = np.abs(a - b) <= scale * (np.abs(a) + 0.02 * size)
    return bool(np.all(same | (a == b) | (np.isnan(a) & np.isnan(b))))


def _copies(sets: list[Any], expected: Any, handle: Handle, workload: Workload) -> None:
    """Adds copies of the inputs until all together no cache holds them."""
    one = call_bytes(sets[0][0], expected if expected is not None else ())
    wanted = min(2 * machine.cache_bytes(), _MOST_COPIES_BYTES)
    count = max(2, min(64, -(-wanted // max(one, 1))))
    if one * count > _MOST_COPIES_BYTES:
        count = 2 if 2 * one <= 2 * _MOST_COPIES_BYTES else 1
    arrays, attributes = sets[0]
    for _ in range(count - 1):
        copied = tuple(
            tuple(x.copy() for x in a)
            if isinstance(a, tuple)
            else None
            if a is None
            else a.copy()
            for a in arrays
        )
        sets.append((copied, attributes))


def _time(
    contenders: list[_Contender],
    seconds: float,
    on_progress: Callable[[int, int], None],
) -> None:
    once = 0.0
    for c in contenders:
        for call in c.calls[:3]:
            call()
        start = time.perf_counter()
        c.calls[0]()
        took = time.perf_counter() - start
        c.repeat = max(1, round(_SHORT / max(took, 1e-7)))
        once += max(took, _SHORT)
    rounds = int(min(_MOST_ROUNDS, max(_LEAST_ROUNDS, seconds / max(once, 1e-9))))
    order = random.Random(0)
    for done in range(rounds):
        for c in order.sample(contenders, len(contenders)):
            calls, at, repeat = c.calls, c.at, c.repeat
            start = time.perf_counter()
            for k in range(repeat):
                calls[(at + k) % len(calls)]()
            c.samples.append((time.perf_counter() - start) / repeat)
            c.at = (at + repeat) % len(calls)
        on_progress(done + 1, rounds)


@contextmanager
def same_threads(count: int) -> Iterator[None]:
    """Gives every library in the process as many threads, where it can be told."""
    import importlib.util
    import sys

    limiter: Any = None
    if importlib.util.find_spec("threadpoolctl") is not None:
        import threadpoolctl

        limiter = threadpoolctl.threadpool_limits(count)
    torch: Any = sys.modules.get("torch")
    before = torch.get_num_threads() if torch is not None else 0
    if torch is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if torch is not None:
            torch.set_num_threads(before)
        if limiter is not None:
            limiter.restore_original_limits()


def _rows(
    handle: Handle,
    label: str,
    contenders: list[_Contender],
    given: Any,
    expected: Any,
    limits: machine.Limits | None,
) -> Iterator[Row]:
    if not contenders:
        return
    times = [timing(c.samples) for c in contenders]
    own = next(
        (
            t
            for c, t in zip(contenders, times, strict=True)
            if c.name.startswith("opslib")
        ),
        None,
    )
    least = None
    if limits is not None and expected is not None:
        operations, moved = work(handle, given, expected)
        least = limits.least_seconds(operations, moved)
    for c, t in zip(contenders, times, strict=True):
        yield Row(
            handle.name,
            label,
            c.name,
            c.skeleton,
            t,
            t.seconds / own.seconds if own is not None else None,
            least / t.seconds if least is not None else None,
            c.agrees,
        )


def work(handle: Handle, given: Any, expected: Any) -> tuple[float, float]:
    """Operations and bytes of a call, at least."""
    arrays, attributes = given
    try:
        cost = inspection.cost(handle, *arrays, **attributes)
    except OpslibError:
        return 0.0, float(call_bytes(arrays, expected))
    return float(cost.flops), float(cost.bytes_read + cost.bytes_written)
