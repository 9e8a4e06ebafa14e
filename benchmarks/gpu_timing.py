"""The clock of `benchmarks/gpu.py`: contenders in turn, on rotated buffers, by events.

All contenders of a workload run in turn, in an order drawn anew each round, so that a
GPU that slows down slows all of them down. Each call takes the next of several sets of
buffers, together larger than the L2 cache. Several calls lie between two events, and
are captured into a CUDA graph where the contender allows it, so that short kernels are
timed and not Python. What counts is the median after outliers are rejected.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from opslib.errors import said
from opslib.tuning.statistics import Timing, timing

# Between two events lies at least so much work: an event is good to half a microsecond
# (CUDA runtime API, cudaEventElapsedTime).
LEAST_SECONDS = 500e-6
MOST_CALLS = 200
LEAST_ROUNDS, MOST_ROUNDS = 5, 60


class Device(Protocol):
    """What the clock asks of a GPU's library.

    Attributes:
        where: arrays are made there, as PyTorch names it.
    """

    where: str

    def timed(self, work: Callable[[], Any]) -> float:
        """Seconds on the device between events around `work`; waits for it."""

    def captured(self, work: Callable[[], Any]) -> Callable[[], Any]:
        """`work` as a graph that can be replayed; raises where it cannot be."""

    def synchronize(self) -> None:
        """Waits for all work."""


@dataclass(slots=True)
class Contender:
    """One way to compute a workload.

    Attributes:
        name: ``opslib``, ``torch``, ``torch.compile`` ...
        call: computes on the set of buffers of a number.
        clock: ``graph``, ``events``, or ``wall`` for what runs on a stream that events
            of ours do not see.
        why_not: why it has no result.
    """

    name: str
    call: Callable[[int], Any]
    clock: str = "events"
    why_not: str = ""
    samples: list[float] = field(default_factory=list)
    calls: int = 1
    work: Callable[[], Any] | None = None
    at: int = 0

    def run(self, sets: int) -> None:
        """So many calls as lie between two events, on the sets that come next."""
        for _ in range(self.calls):
            self.call(self.at)
            self.at = (self.at + 1) % sets


def prepare(contender: Contender, device: Device, sets: int) -> None:
    """Compiles, counts how many calls make a sample, and captures them.

    What raises here leaves the contender out, with its reason.
    """
    try:
        for k in range(min(sets, 3)):  # compiles, and fills allocators' pools
            contender.call(k)
        device.synchronize()
        once = _sample(contender, device, lambda: contender.call(0))
        wanted = LEAST_SECONDS / max(once, 1e-7)
        contender.calls = max(1, min(MOST_CALLS, int(wanted) + 1))
        if contender.calls > 1:
            # Each set as often as any other.
            contender.calls = -(-contender.calls // sets) * sets
    except Exception as error:  # a peer's own failure: the others are still timed
        contender.why_not = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        return
    contender.work = lambda: contender.run(sets)
    if contender.clock == "wall":
        return
    try:
        contender.work = device.captured(contender.work)
        contender.clock = "graph"
    except Exception:  # not every library's calls can be captured
        device.synchronize()


def _sample(contender: Contender, device: Device, work: Callable[[], Any]) -> float:
    if contender.clock != "wall":
        return device.timed(work)
    device.synchronize()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compete(
    contenders: Sequence[Contender],
    device: Device,
    sets: int,
    seconds: float,
    seed: int = 0,
) -> dict[str, Timing]:
    """Times contenders in turn; those that fail get a `why_not`.

    Args:
        contenders: of one workload.
        device: whose events they are.
        sets: of buffers.
        seconds: to spend, about; each has at least `LEAST_ROUNDS` samples.
        seed: of the order.
    """
    for c in contenders:
        prepare(c, device, sets)
    order = [c for c in contenders if not c.why_not]
    draw = random.Random(seed)
    start = time.perf_counter()
    for k in range(MOST_ROUNDS):
        if k >= LEAST_ROUNDS and time.perf_counter() - start > seconds:
            break
        draw.shuffle(order)
        for c in list(order):
            assert c.work is not None
            try:
                c.samples.append(_sample(c, device, c.work) / c.calls)
            except Exception as error:
                # A contender's library raises what it likes; the others go on.
                c.why_not = said(error)
                order.remove(c)
    return {c.name: timing(c.samples) for c in contenders if c.samples}


class TorchDevice:
    """A CUDA device through PyTorch, on whose stream all contenders but JAX run."""

    where = "cuda"

    def __init__(self) -> None:
        import torch

        self.torch = torch
        self.pool: Any = None

    def timed(self, work: Callable[[], Any]) -> float:
        """Seconds between events on the current stream."""
        event = self.torch.cuda.Event
        first, last = event(enable_timing=True), event(enable_timing=True)
        first.record()
        work()
        last.record()
        last.synchronize()
        return float(first.elapsed_time(last)) * 1e-3

    def captured(self, work: Callable[[], Any]) -> Callable[[], Any]:
        """A graph in a memory pool that all graphs of a workload share."""
        graph = self.torch.cuda.CUDAGraph()
        if self.pool is None:
            self.pool = self.torch.cuda.graph_pool_handle()
        with self.torch.cuda.graph(graph, pool=self.pool):
            work()
        replay: Callable[[], Any] = graph.replay
        return replay

    def synchronize(self) -> None:
        """Waits for the device."""
        self.torch.cuda.synchronize()

    def release(self) -> None:
        """Gives graphs' memory back after a workload."""
        self.pool = None
        self.torch.cuda.empty_cache()


class HostDevice:
    """The host in a GPU's place, for a dry run."""

    where = "cpu"

    def timed(self, work: Callable[[], Any]) -> float:
        """Seconds by the host's clock."""
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    def captured(self, work: Callable[[], Any]) -> Callable[[], Any]:
        """Raises: the host has no graphs."""
        raise RuntimeError("the host captures nothing")

    def synchronize(self) -> None:
        """Nothing is pending."""
