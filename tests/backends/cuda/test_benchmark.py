"""The logic of benchmarks/gpu.py, on a device whose time is made up."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def timing(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import gpu_timing

    return gpu_timing


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import gpu as found

    return found


class Clock:
    """A device on which work takes what it says it takes."""

    where = "cpu"

    def __init__(self, captures: bool = True) -> None:
        self.now = 0.0
        self.captures = captures
        self.log: list[str] = []
        self.capturing = False

    def timed(self, work: Callable[[], Any]) -> float:
        before = self.now
        work()
        return self.now - before

    def captured(self, work: Callable[[], Any]) -> Callable[[], Any]:
        if not self.captures:
            raise RuntimeError("not permitted while capturing")
        return work

    def synchronize(self) -> None:
        self.log.append("sync")

    def worker(self, name: str, seconds: float, used: list[int] | None = None) -> Any:
        def call(k: int) -> None:
            self.now += seconds
            self.log.append(name)
            if used is not None:
                used.append(k)

        return call


def test_contenders_run_in_turn(timing: ModuleType) -> None:
    clock = Clock()
    slow = timing.Contender("slow", clock.worker("slow", 2e-3))
    fast = timing.Contender("fast", clock.worker("fast", 1e-3))
    found = timing.compete([slow, fast], clock, 3, 1.0)
    assert found["slow"].seconds == pytest.approx(2e-3)
    assert found["fast"].seconds == pytest.approx(1e-3)
    runs = [e for e in clock.log if e != "sync"][8:]
    # Rounds of two, each contender once, in both orders.
    pairs = list(zip(runs[::2], runs[1::2], strict=True))
    assert len(pairs) == timing.MOST_ROUNDS
    assert set(pairs) == {("slow", "fast"), ("fast", "slow")}


def test_short_calls_are_timed_many_at_a_time(timing: ModuleType) -> None:
    """Each set of buffers equally often, in turn."""
    clock = Clock()
    used: list[int] = []
    one = timing.Contender("one", clock.worker("one", 7e-6, used))
    found = timing.compete([one], clock, 5, 1.0)
    assert found["one"].seconds == pytest.approx(7e-6)
    assert one.calls * 7e-6 >= timing.LEAST_SECONDS
    assert one.calls % 5 == 0
    assert used[-5:] == [0, 1, 2, 3, 4]
    assert one.clock == "graph"


def test_what_cannot_be_captured_is_timed_all_the_same(timing: ModuleType) -> None:
    clock = Clock(captures=False)
    one = timing.Contender("one", clock.worker("one", 1e-3))
    assert timing.compete([one], clock, 2, 1.0)["one"].seconds == pytest.approx(1e-3)
    assert one.clock == "events"


def test_a_contender_that_fails_is_left_out(timing: ModuleType) -> None:
    clock = Clock()
    count = [0]

    def fails_late(k: int) -> None:
        count[0] += 1
        clock.now += 1e-3
        if count[0] > 20:
            raise RuntimeError("CUDA error\nmore")

    def fails(k: int) -> None:
        raise ValueError("no such kernel")

    entrants = [
        timing.Contender("good", clock.worker("good", 1e-3)),
        timing.Contender("late", fails_late),
        timing.Contender("never", fails),
        timing.Contender("absent", fails, why_not="not installed"),
    ]
    found = timing.compete(entrants, clock, 2, 1.0)
    assert found["good"].samples == timing.MOST_ROUNDS
    assert entrants[1].why_not == "RuntimeError: CUDA error"
    assert entrants[2].why_not == "ValueError: no such kernel"
    assert "never" not in found


def test_rows_and_table(gpu: ModuleType, timing: ModuleType) -> None:
    case = SimpleNamespace(
        name="softmax 8x8 bfloat16", goal="92 %", kind="memory", bytes_=1000,
        flops=0, dtype="bfloat16",
    )  # fmt: skip
    clock = Clock()
    entrants = [
        timing.Contender("opslib", clock.worker("opslib", 1e-3)),
        timing.Contender("torch", clock.worker("torch", 2e-3)),
        timing.Contender("jax", lambda k: None, why_not="jax sees no GPU"),
    ]
    timings = timing.compete(entrants, clock, 2, 1.0)
    limits = {"copy_bytes_per_s": 2e6, "bfloat16_flops_per_s": 1e9}
    rows = gpu.rows_of(case, timings, entrants, limits)
    assert rows[0]["of_ceiling"] == pytest.approx(0.5)
    assert rows[1]["opslib_is"] == pytest.approx(2.0)
    assert rows[2]["why_not"] == "jax sees no GPU"
    case.kind, case.flops = "matrix", 500_000
    assert gpu.rows_of(case, timings, entrants, limits)[0][
        "of_ceiling"
    ] == pytest.approx(0.5)
    case.dtype = "float32"
    assert gpu.rows_of(case, timings, entrants, limits)[0]["of_ceiling"] is None
    result = gpu.Result(
        {"gpu": "a GPU"},
        ceilings=limits,
        calls={"opslib.add": 4.5},
        rows=rows,
        skipped=["matmul"],
    )
    text = gpu.table(result)
    assert "| softmax 8x8 bfloat16 | torch | 2000.0 | 0.25 | 2.00x | graph |" in text
    assert "jax sees no GPU" in text
    assert "* a call of opslib.add on 1024 elements, host: 4.50 us" in text
    assert "No time was left for matmul." in text
    assert json.loads(result.as_json())["rows"] == rows


def test_time_runs_out(gpu: ModuleType) -> None:
    """Workloads are in order; those that there is no time for are named."""
    now = [0.0]
    budget = gpu.Budget(60, lambda: now[0])
    result = gpu.Result()
    saved: list[int] = []

    def timed(case: Any, *_: Any) -> list[dict[str, Any]]:
        now[0] += 20
        return [{"case": case.name}]

    cases = [SimpleNamespace(name=str(k)) for k in range(5)]
    gpu.run(result, cases, Clock(), budget, timed, lambda: saved.append(1))
    assert [r["case"] for r in result.rows] == ["0", "1", "2"]
    assert result.skipped == ["3", "4"]
    assert len(saved) == 3


def test_the_conformance_run_fits_its_time(gpu: ModuleType) -> None:
    """A device that is not there: nothing is lost but the counts."""
    found = gpu.conformance(60, 1, "no-such-device")
    assert found["counts"] == {}
    assert found["whole"]


def test_the_conformance_run_says_who_may_run(
    gpu: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Libraries only where they are meant: else their products would hide opslib's."""
    seen: list[tuple[list[str], str]] = []

    def called(command: list[str], env: dict[str, str], **_: Any) -> None:
        seen.append((command, env["OPSLIB_PROVIDERS"]))

    monkeypatch.setattr(gpu.subprocess, "run", called)
    gpu.conformance(5, 1)
    gpu.conformance(5, 1, operators=["mm", "linear"], providers=True)
    (whole, first), (part, second) = seen
    assert (first, second) == ("never", "")
    assert "--op" not in whole
    assert part[-4:] == ["--op", "mm", "--op", "linear"]


def test_what_a_call_costs_the_host(gpu: ModuleType) -> None:
    pytest.importorskip("torch")
    clock = Clock()
    found = gpu.calls(clock, "cpu", 40)
    assert set(found) >= {"opslib.add", "torch.add"}
    assert all(0 < micros < 1e6 for micros in found.values())
    # No block of calls is timed while another is pending.
    assert clock.log.count("sync") == 2 * 4 * len(found)


@pytest.mark.slow
def test_a_dry_run_goes_through_all_of_it(
    gpu: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the suite to the table, in the simulator, without a GPU."""
    pytest.importorskip("torch")
    json_, md = tmp_path / "gpu.json", tmp_path / "gpu.md"
    arguments = ["--dry-run", "--jobs", "1", "--only", "add"]
    assert gpu.main([*arguments, "--json", str(json_), "--table", str(md)]) == 0
    found = json.loads(json_.read_text("utf-8"))
    assert found["conformance"]["counts"] == {"pass": 1}
    assert found["provided"]["counts"] == {"pass": 1}
    assert found["skipped"] == []
    timed = {r["contender"] for r in found["rows"] if "microseconds" in r}
    assert timed >= {"opslib", "torch", "torch.compile"}
    assert all(r.get("error_of_largest", 0) < 1e-6 for r in found["rows"])
    assert "a dry run in the simulator" in md.read_text("utf-8")
    assert "| add 48x48 float32 | opslib |" in capsys.readouterr().out


def test_a_report_in_short(gpu: ModuleType) -> None:
    report = {
        "rows": [
            {"state": "pass", "operator": "add", "dtype": "float32"},
            {"state": "fail", "operator": "sub", "dtype": "int8", "reason": "wrong"},
            {"state": "pass", "operator": "mul", "dtype": "float32"},
        ]
    }
    assert gpu.summary(report) == {
        "counts": {"pass": 2, "fail": 1},
        "failures": ["sub int8: wrong"],
    }


@pytest.mark.slow
def test_the_workloads_are_calls(gpu: ModuleType) -> None:
    """Every workload's functions take its arrays, at sizes that fit a test."""
    torch = pytest.importorskip("torch")
    from benchmarks.gpu_cases import cases

    found = cases()
    assert len({c.name for c in found}) == len(found)
    for case in found:
        assert 2 <= case.sets <= 16
        # Extents go down together, so that they still fit one another.
        small = [[max(2, n >> 8) if n > 64 else n for n in s] for s in case.shapes]
        small = [[min(n, 8) for n in s] for s in small]
        arrays = [torch.randn(s, dtype=getattr(torch, case.dtype)) for s in small]
        got, want = case.opslib(*arrays), case.torch(*arrays)
        assert got.shape == want.shape, case.name
        error = (got.double() - want.double()).abs().max()
        assert error < 2e-2 * max(1.0, float(want.double().abs().max())), case.name


def test_without_a_gpu_it_says_so(
    gpu: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is one")
    assert gpu.main([]) == 2
    assert "needs torch with CUDA and a GPU" in capsys.readouterr().err
