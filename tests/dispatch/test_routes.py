"""Shipped rows of the routing table: what they do, and that they are fresh."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import opslib
from opslib.dispatch import admission, call, routing, selfcheck, shipped
from opslib.dispatch.shipped import Row, Timing
from opslib.dispatch.stamp import generator_stamp

X = np.arange(8, dtype=np.float32)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty table, and no verdicts of this machine."""
    monkeypatch.setattr(shipped, "folder", lambda: tmp_path)
    monkeypatch.setenv("OPSLIB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("OPSLIB_SELF_CHECK", raising=False)
    monkeypatch.setattr(call, "_plans", call.Cache())
    routing.forget()
    yield tmp_path
    routing.forget()


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The devices whose kernels were checked, in order."""
    found: list[str] = []

    def watched(backend: Any, device: Any, *rest: Any) -> selfcheck.Verdict:
        found.append(device.name)
        return selfcheck.self_check(backend, device, *rest)

    monkeypatch.setattr(admission, "self_check", watched)
    return found


def operator() -> Any:
    """A new function: prepared calls of another test do not answer for it."""
    return opslib.op("op routed(x: T[...n]) -> y: T[...n] where T: float = x * x + 1")


def row(function: Any, backend: str = "cpu", state: str = "pass") -> Row:
    """What a conformance run would say of it, as things are now."""
    handle = function.handle
    (device,) = [d for d in opslib.devices() if d.name == backend]
    return Row(
        "routed",
        routing.spec_hash(handle.operator, handle.library),
        generator_stamp(backend),
        device.family,
        {"cpu": "map", "numpy": "array"}[backend],
        state,
        ("float32",),
    )


def ship(folder: Path, *rows: Row, backend: str = "cpu") -> None:
    (folder / f"{backend}.json").write_text(shipped.rows_text(backend, rows), "utf-8")
    routing.forget()


def ran(function: Any, **named: Any) -> str:
    with opslib.receipts() as found:
        np.testing.assert_array_equal(np.asarray(function(X, **named)), X * X + 1)
    return found[0].device


def test_without_a_row_a_kernel_is_checked_once(
    folder: Path, checks: list[str]
) -> None:
    function = operator()
    assert ran(function) == "cpu"
    assert checks == ["cpu"]
    call._plans.clear()
    assert ran(operator()) == "cpu"
    assert checks == ["cpu"]


def test_a_pickled_plan_of_a_kernel_that_failed_is_refused(folder: Path) -> None:
    function = operator()
    text = pickle.dumps(function.plan(X, backend="cpu"))
    ship(folder, row(function, state="fail"))
    with pytest.raises(opslib.BackendUnavailable, match="known to be wrong"):
        pickle.loads(text)


def test_a_pass_skips_the_check(folder: Path, checks: list[str]) -> None:
    function = operator()
    ship(folder, row(function))
    assert ran(function) == "cpu"
    assert checks == []


def test_a_failure_is_no_candidate(folder: Path, checks: list[str]) -> None:
    function = operator()
    ship(folder, row(function, state="fail"))
    assert ran(function) != "cpu"
    assert "cpu" not in checks
    rows = {d: (v, why) for d, v, why in opslib.explain(function, X).rows}
    assert rows["cpu"] == ("no", "its map kernel for float32 is known to be wrong here")
    with pytest.raises(opslib.BackendUnavailable, match="known to be wrong"):
        function(X, backend="cpu")
    # Whoever says otherwise: a failure anywhere counts.
    ship(folder, row(function, state="fail"), row(function))
    call._plans.clear()
    assert ran(function) != "cpu"


GARBAGE = {
    "empty": b"",
    "half": b'{"schema": 2, "backend": "cpu", "rows": [\n["add", "SP',
    "no text": b"\xff\xfe\x00",
    "a list": b"[1, 2]",
    "a number": b"2",
    "deep": b"[" * 100_000,
    "no rows": b'{"schema": 2, "rows": 7}',
    "short rows": b'{"schema": 2, "rows": [["add"], 3, null, ["a", 1, 2, 3, 4, 5, 6]]}',
}


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("name", ["cpu.json", shipped.TIMINGS])
def test_a_damaged_table_counts_as_none_and_is_named(
    folder: Path, checks: list[str], garbage: str, name: str
) -> None:
    (folder / name).write_bytes(GARBAGE[garbage])
    routing.forget()
    with pytest.warns(opslib.OpslibWarning, match=name):
        assert ran(operator()) == "cpu"
    assert checks == ["cpu"]


def test_a_table_that_cannot_be_read(folder: Path, checks: list[str]) -> None:
    (folder / "cpu.json").mkdir()
    routing.forget()
    with pytest.warns(opslib.OpslibWarning, match="cpu.json"):
        assert ran(operator()) == "cpu"
    assert checks == ["cpu"]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_a_damaged_verdict_costs_a_check(
    folder: Path, checks: list[str], garbage: str
) -> None:
    assert ran(operator()) == "cpu"
    (verdict,) = (folder / "cache" / "routes").glob("*.json")
    verdict.write_bytes(GARBAGE[garbage])
    routing.forget()
    call._plans.clear()
    assert ran(operator()) == "cpu"
    assert checks == ["cpu", "cpu"]
    assert routing.local_rows()


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
def test_verdicts_that_others_could_write_count_for_nothing(
    folder: Path, checks: list[str]
) -> None:
    assert ran(operator(), backend="numpy") == "numpy"
    for changed in (folder / "cache", folder / "cache" / "routes"):
        before = changed.stat().st_mode
        changed.chmod(0o777)
        routing.forget()
        call._plans.clear()
        assert routing.local_rows() == []
        checks.clear()
        assert ran(operator(), backend="numpy") == "numpy"
        assert checks == ["numpy"]
        changed.chmod(before)
    routing.forget()
    assert len(routing.local_rows()) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"spec": "0" * 24},
        {"stamp": "0" * 24},
        {"dtypes": ("float64",)},
        {"family": "cpu-other"},
        {"skeleton": "nest"},
    ],
)
@pytest.mark.parametrize("state", ["pass", "fail"])
def test_a_row_of_something_else_says_nothing(
    folder: Path, checks: list[str], change: dict[str, Any], state: str
) -> None:
    function = operator()
    ship(folder, replace(row(function, state=state), **change))
    assert ran(function) == "cpu"
    assert checks == ["cpu"]


def test_files_of_another_schema_are_left_alone(
    folder: Path, checks: list[str]
) -> None:
    text = shipped.rows_text("cpu", [row(operator(), state="fail")])
    old = json.loads(text) | {"schema": shipped.SCHEMA - 1}
    (folder / "cpu.json").write_text(json.dumps(old), "utf-8")
    routing.forget()
    assert ran(operator()) == "cpu"


# --- Timings -----------------------------------------------------------------------


def timing(function: Any, elements: int, **seconds: float) -> Timing:
    about = row(function)
    measured = []
    for backend, taken in seconds.items():
        its = row(function, backend)
        measured.append((backend, its.family, its.stamp, taken))
    ordered = tuple(sorted(measured, key=lambda m: m[3]))
    return Timing("routed", about.spec, "float32", elements, ordered)


def ship_timings(folder: Path, *found: Timing) -> None:
    (folder / shipped.TIMINGS).write_text(shipped.timings_text(found), "utf-8")
    routing.forget()


def test_timings_order_the_candidates(folder: Path) -> None:
    function = operator()
    ship_timings(folder, timing(function, 8, numpy=1e-6, cpu=2e-6))
    assert ran(function) == "numpy"
    rows = {d: (v, why) for d, v, why in opslib.explain(function, X).rows}
    assert rows["numpy"] == ("runs", "array; the fastest in the timings")
    assert rows["cpu"][0] == "also"
    assert ran(function, backend="cpu") == "cpu"  # what is asked for comes first
    ship_timings(folder, timing(function, 8, numpy=2e-6, cpu=1e-6))
    call._plans.clear()
    assert ran(operator()) == "cpu"


def test_the_nearest_size_counts(folder: Path) -> None:
    function = operator()
    small = timing(function, 10, numpy=1e-6, cpu=2e-6)
    large = timing(function, 10_000, numpy=2e-3, cpu=1e-3)
    ship_timings(folder, small, large)
    ends = []
    for elements in (0, 300, 400, 10**9):
        found = shipped.fastest_first(small.spec, "float32", elements)
        ends.append(found[0][0])
    assert ends == ["numpy", "numpy", "cpu", "cpu"]
    assert shipped.fastest_first(small.spec, "float64", 10) == ()


@pytest.mark.parametrize("place", [1, 2])
def test_a_stale_timing_orders_nothing(folder: Path, place: int) -> None:
    """Neither for another device family nor for other sources."""
    function = operator()
    found = timing(function, 8, numpy=1e-6, cpu=2e-6)
    first = list(found.seconds[0])
    first[place] = "other"
    stale = (tuple(first), found.seconds[1])
    ship_timings(folder, replace(found, seconds=stale))  # type: ignore[arg-type]
    assert ran(function) == "cpu"


def test_a_fast_kernel_that_is_wrong_is_no_candidate(folder: Path) -> None:
    function = operator()
    ship(folder, row(function, "numpy", "fail"), backend="numpy")
    ship_timings(folder, timing(function, 8, numpy=1e-6, cpu=2e-6))
    assert ran(function) == "cpu"


def test_measured_timings_are_read_back(tmp_path: Path) -> None:
    from opslib.tuning import route_timings

    path = tmp_path / shipped.TIMINGS
    assert route_timings.main(["rms_norm", "--seconds", "0.2", "--to", str(path)]) == 0
    found = shipped.read_timings(path)
    assert found
    library = opslib.spec_library()
    for t in found:
        assert t.spec == routing.spec_hash(library["rms_norm"], library)
        assert {b for b, *_ in t.seconds} >= {"cpu", "numpy"}
        assert [s for *_, s in t.seconds] == sorted(s for *_, s in t.seconds)
    route_timings.write([], path)
    assert shipped.read_timings(path) == found


# --- Reports -----------------------------------------------------------------------


def report(**states: str) -> dict[str, Any]:
    """A conformance report of shipped operators on NumPy."""
    library = opslib.spec_library()
    rows = [
        {
            "operator": name.partition("__")[0],
            "dtype": name.partition("__")[2] or "float32",
            "spec": routing.spec_hash(library[name.partition("__")[0]], library),
            "stamp": generator_stamp("numpy"),
            "family": "numpy",
            "skeletons": ["array"],
            "state": state,
        }
        for name, state in states.items()
    ]
    return {"backend": "numpy", "rows": rows}


def states(path: Path) -> dict[str, str]:
    found = {}
    for r in shipped.read_rows(path):
        for d in r.dtypes:
            found[f"{r.operator}__{d}"] = r.state
    return found


def test_a_report_becomes_rows(folder: Path) -> None:
    path = shipped.write_routes(
        report(exp="pass", exp__float64="pass", add="fail", log="untested")
    )
    assert path == folder / "numpy.json"
    first, *lines, last = path.read_text("utf-8").splitlines()
    assert json.loads(first + "]}") == {
        "schema": shipped.SCHEMA, "backend": "numpy", "rows": [],
    }  # fmt: skip
    assert last == "]}"
    assert [json.loads(line.rstrip(","))[0] for line in lines] == ["add", "exp"]
    assert lines[1].endswith('"pass", "float32 float64"]')


def test_rows_that_a_report_does_not_judge_stay_while_they_are_current(
    folder: Path,
) -> None:
    path = shipped.write_routes(report(exp="pass", exp__float64="pass", add="pass"))
    (stale,) = [r for r in shipped.read_rows(path) if r.operator == "add"]
    kept = [r for r in shipped.read_rows(path) if r.operator != "add"]
    old = [*kept, replace(stale, stamp="0" * 24)]
    path.write_text(shipped.rows_text("numpy", old), "utf-8")
    shipped.write_routes(report(exp="fail"))
    assert states(path) == {"exp__float32": "fail", "exp__float64": "pass"}


def test_what_is_no_report_is_refused(folder: Path) -> None:
    with pytest.raises(opslib.ArgumentError, match="not a conformance report"):
        shipped.write_routes({"backend": "numpy", "rows": [{"state": "pass"}]})


def test_stale_rows_are_named_with_the_command(folder: Path) -> None:
    path = shipped.write_routes(report(exp="pass", add="pass"))
    assert shipped.stale() == {}
    add, exp = shipped.read_rows(path)
    other = [replace(add, spec="0" * 24), replace(exp, stamp="0" * 24)]
    gone = replace(add, operator="ad")
    path.write_text(shipped.rows_text("numpy", [*other, gone]), "utf-8")
    assert shipped.stale()["numpy"] == {
        "ad is no operator any more": ["ad"],
        "add has another spec": ["add"],
        "numpy makes kernels from other sources": ["exp"],
    }
    command = shipped.command("numpy", ["exp", "add", "add"])
    assert (
        command == "opslib conformance --backend numpy --op add --op exp --write-routes"
    )


# --- The shipped files -------------------------------------------------------------

FILES = sorted(p.stem for p in shipped.folder().glob("*.json"))


@pytest.mark.parametrize("backend", ["cpu", "jax", "numpy"])
def test_there_are_rows(backend: str) -> None:
    assert backend in FILES
    found = shipped.read_rows(shipped.folder() / f"{backend}.json")
    text = (shipped.folder() / f"{backend}.json").read_text("utf-8")
    assert shipped.rows_text(backend, found) == text, "not as the command writes it"
    assert {"add", "matmul", "softmax"} <= {r.operator for r in found}


@pytest.mark.skipif(
    not os.environ.get("OPSLIB_FRESH_ROUTES"),
    reason="every change of a spec or the generator makes rows stale, which costs a "
    "self-check and no more; whoever makes a release sets OPSLIB_FRESH_ROUTES=1",
)
def test_the_rows_are_fresh() -> None:
    complaints: list[str] = []
    for backend, reasons in shipped.stale().items():
        for why, names in reasons.items():
            shown = ", ".join(sorted(set(names))[:8])
            complaints.append(f"{why} ({len(names)} rows: {shown} ...)")
        complaints.append(f"  run: {shipped.command(backend)}")
    assert not complaints, "\n".join(complaints)
