"""The runner, its report, known failures, routes, vectors and the plug-in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opslib.dispatch import routing, selfcheck
from opslib.dispatch.handle import Handle
from opslib.dispatch.inspection import sample_program
from opslib.dispatch.stamp import generator_stamp
from opslib.errors import ArgumentError
from opslib.runtime import registry
from opslib.testing import known, runner
from opslib.testing.conformance import Failure, Outcome, check
from opslib.testing.report import Report, read_report, to_html, to_json, write_json
from opslib.testing.vectors import write_vectors

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPSLIB_CACHE_DIR", str(tmp_path / "cache"))
    routing.forget()
    return tmp_path / "cache"


def test_a_run_in_workers_gives_a_report(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    jobs = runner.plan_jobs(["exp", "add"], ["float32"], "quick")
    told: list[str] = []
    report = runner.run(
        "numpy",
        jobs,
        "quick",
        report=path,
        notify=lambda done, total, o: told.append(o.operator),
    )
    assert sorted(told) == ["add", "exp"]
    assert report.counts() == {"pass": 2, "fail": 0, "untested": 0}
    data = json.loads(path.read_text("utf-8"))
    assert data["schema"] == 1
    row = next(r for r in data["rows"] if r["operator"] == "exp")
    assert (row["state"], row["level"]) == ("pass", "L1")
    assert 0 < row["worst"] <= 1
    assert to_json(read_report(path)) == data


def test_a_report_is_resumed(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    jobs = runner.plan_jobs(["exp", "add"], ["float32"], "quick")
    runner.run("numpy", jobs[:1], "quick", report=path)
    told: list[str] = []
    runner.run(
        "numpy",
        jobs,
        "quick",
        report=path,
        notify=lambda done, total, o: told.append(o.operator),
    )
    assert told == [jobs[1].operator]
    assert len(read_report(path).outcomes) == 2


CRASHING = """
import os, sys, time
import opslib.testing.worker as worker
import opslib.testing.conformance as conformance
real = worker.verdict
def verdict(handle, dtype, backend, number, seed=0):
    if number == 1:
        os.kill(os.getpid(), 11)
    if number == 3:
        time.sleep(60)
    return real(handle, dtype, backend, number, seed)
worker.verdict = verdict
worker.main()
"""


def test_a_crash_and_a_hang_cost_one_case_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "crashing.py"
    script.write_text(CRASHING, "utf-8")
    popen = subprocess.Popen

    def start(command: list[str], **options: Any) -> Any:
        return popen([sys.executable, str(script), command[-1]], **options)

    monkeypatch.setattr(runner.subprocess, "Popen", start)
    job = runner.Job("exp", "float32", (0, 1, 2, 3, 4), 0)
    worker = runner.Worker("numpy")
    tally = runner.run_job(worker, job, limit_s=15.0)
    worker.close()
    assert [f.case for f in tally.failures] == [1, 3]
    assert "signal 11" in tally.failures[0].message
    assert "longer than 15 s" in tally.failures[1].message
    assert tally.failures[0].line == (
        "opslib conformance --backend numpy --op exp --dtype float32 --case 1 --seed 0"
    )
    assert tally.cases == 5


def test_the_page_holds_what_the_report_says() -> None:
    outcome = check(Handle("softmax"), "float32", "numpy", "quick")
    failure = Failure(3, "L3 at [0]: got 1 < 2 & <script>", "opslib conformance ...")
    broken = replace(outcome, operator="exp", state="fail", failures=(failure,))
    report = Report.new("numpy", "numpy", "quick", 0)
    report.add(outcome, (0,))
    report.add(broken, (0,))
    page = to_html([report])
    assert "softmax" in page
    assert "1 &lt; 2 &amp; &lt;script&gt;" in page
    for outside in ("http://", "https://", "src="):
        assert outside not in page


def test_known_failures_are_explained() -> None:
    entries = known.parse(
        '[[failure]]\nop = "exp"\nlevel = "L3"\nreason = "slow unit"', "here"
    )
    failed = Outcome("exp", "float32", "chip", "f", state="fail").__class__(
        "exp", "float32", "chip", "f", state="fail", failures=(Failure(0, "L3 at", ""),)
    )
    assert known.is_known(known.explained(failed, entries))
    other = replace(failed, failures=(Failure(0, "L0 at", ""),))
    assert not known.is_known(known.explained(other, entries))
    with pytest.raises(ArgumentError, match="needs op and reason"):
        known.parse('[[failure]]\nop = "exp"', "here")
    assert all(e.reason for e in known.shipped())


# --- The routing table -------------------------------------------------------------

KEY = routing.Key("spec", "stamp", "float32", "map", "cpu-test")


def test_verdicts_are_kept_and_failure_wins(cache: Path) -> None:
    assert routing.state_of(KEY) == "untested"
    assert routing.record_verdict(KEY, "pass")
    routing.forget()
    assert routing.state_of(KEY) == "pass"
    routing.record_verdict(KEY, "fail", "wrong")
    routing.record_verdict(KEY, "pass")
    routing.forget()
    assert routing.state_of(KEY) == "fail"
    assert routing.state_of(replace(KEY, stamp="other")) == "untested"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1}', "\x00\xff"])
def test_a_damaged_verdict_is_no_verdict(cache: Path, text: str) -> None:
    routing.record_verdict(KEY, "pass")
    (file,) = (cache / "routes").glob("*.json")
    file.write_text(text, "utf-8")
    routing.forget()
    assert routing.state_of(KEY) == "untested"
    assert routing.local_rows() == []
    routing.record_verdict(KEY, "pass")
    routing.forget()
    assert routing.state_of(KEY) == "pass"


def test_many_writers(cache: Path) -> None:
    keys = [replace(KEY, spec=str(k % 5)) for k in range(40)]
    threads = [
        threading.Thread(target=routing.record_verdict, args=(k, "pass")) for k in keys
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    routing.forget()
    assert len(routing.local_rows()) == 5
    assert {routing.state_of(k) for k in keys} == {"pass"}
    assert not list((cache / "routes").glob(".new-*"))


def test_a_folder_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    monkeypatch.setenv("OPSLIB_CACHE_DIR", str(tmp_path / "file" / "cache"))
    routing.forget()
    assert not routing.record_verdict(KEY, "pass")
    assert routing.state_of(KEY) == "pass"  # in this process


def test_a_report_becomes_rows(cache: Path, tmp_path: Path) -> None:
    report = Report.new("numpy", "numpy", "quick", 0)
    outcome = check(Handle("exp"), "float32", "numpy", "quick")
    report.add(outcome, ())
    write_json(report, tmp_path / "r.json")
    assert routing.import_report((tmp_path / "r.json").read_text("utf-8")) == 1
    handle = Handle("exp")
    key = routing.Key(
        routing.spec_hash(handle.operator, handle.library),
        generator_stamp("numpy"),
        "float32",
        outcome.skeletons[0],
        "numpy",
    )
    assert routing.state_of(key) == "pass"
    with pytest.raises(ArgumentError, match="not a conformance report"):
        routing.import_report("{}")


def test_a_spec_hash_follows_what_is_called() -> None:
    handle = Handle("softmax")
    library = dict(handle.library)
    plain = routing.spec_hash(handle.operator, library)
    assert plain == routing.spec_hash(handle.operator, library)
    assert plain != routing.spec_hash(library["exp"], library)
    cross = library["cross_entropy"]
    before = routing.spec_hash(cross, library)
    library = dict(library)
    library["logsumexp"] = replace(library["exp"], name="logsumexp")
    assert before != routing.spec_hash(cross, library)


@pytest.mark.parametrize("name", ["add", "softmax", "matmul", "sum", "embedding"])
def test_the_self_check_passes_and_fails(name: str) -> None:
    backend, device = registry.device("numpy")
    program = sample_program(Handle(name), "float32", rank=2)
    kernel = backend.compile(program, device)
    assert selfcheck.self_check(backend, device, program, kernel).state == "pass"

    class Broken:
        skeleton = source = ""

        def launch(self, inputs: Any, outputs: Any, sizes: Any, scalars: Any) -> Any:
            made = kernel.launch(inputs, outputs, sizes, scalars)
            for o in outputs:
                o[..., -1:] += 1
            return made

    found = selfcheck.self_check(backend, device, program, Broken())
    assert found.state == "fail"
    assert found.reason


@pytest.mark.parametrize("failure", selfcheck.ENVIRONMENT)
def test_a_failing_device_is_no_verdict(failure: type[Exception]) -> None:
    """Out of memory or a lost driver must not brand the kernel as wrong for ever."""
    backend, device = registry.device("numpy")
    program = sample_program(Handle("exp"), "float32", rank=2)

    class Unlucky:
        skeleton = source = ""

        def launch(self, inputs: Any, outputs: Any, sizes: Any, scalars: Any) -> Any:
            raise failure("not the kernel's fault")

    found = selfcheck.self_check(backend, device, program, Unlucky())
    assert found.state == "inconclusive"


@pytest.mark.parametrize("stage", ["evaluate_bounds", "usage"])
def test_a_judge_that_fails_is_no_verdict(
    stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hole in the judge says nothing about the kernel."""
    backend, device = registry.device("numpy")
    program = sample_program(Handle("exp"), "float32", rank=2)
    kernel = backend.compile(program, device)

    def broken(*_: Any) -> Any:
        raise KeyError("y")

    monkeypatch.setattr(selfcheck, stage, broken)
    found = selfcheck.self_check(backend, device, program, kernel)
    assert found.state == "inconclusive"
    assert "KeyError" in found.reason
    monkeypatch.setattr(selfcheck, "evaluate_bounds", lambda *_: {})
    found = selfcheck.self_check(backend, device, program, kernel)
    assert found.state == "inconclusive"


def test_arrays_that_cannot_be_placed_are_no_verdict() -> None:
    backend, device = registry.device("numpy")
    program = sample_program(Handle("exp"), "float32", rank=2)
    kernel = backend.compile(program, device)

    class Full:
        strided = True
        arithmetic = staticmethod(backend.arithmetic)
        synchronize = staticmethod(backend.synchronize)

        def asarray(self, array: Any, device: Any) -> Any:
            raise KeyError("the driver's table")

    fake: Any = Full()
    found = selfcheck.self_check(fake, device, program, kernel)
    assert found.state == "inconclusive"


def test_a_result_of_another_shape_is_a_failure() -> None:
    backend, device = registry.device("numpy")
    program = sample_program(Handle("exp"), "float32", rank=2)

    class Cut:
        skeleton = source = ""

        def launch(self, inputs: Any, outputs: Any, sizes: Any, scalars: Any) -> Any:
            return [o[..., :-1] for o in outputs]

    found = selfcheck.self_check(backend, device, program, Cut())
    assert found.state == "fail"
    assert "shape" in found.reason


def test_how_often_the_self_check_decides() -> None:
    from opslib.language.library import load_library

    backend, device = registry.device("numpy")
    open_ones = []
    for name in load_library():
        try:
            program = sample_program(Handle(name))
            kernel = backend.compile(program, device)
        except Exception:
            continue
        found = selfcheck.self_check(backend, device, program, kernel)
        if found.state == "inconclusive":
            open_ones.append(name)
    assert len(open_ones) < 0.15 * len(load_library()), open_ones


# --- Vectors, the plug-in ----------------------------------------------------------


def test_vectors_can_be_read_without_opslib(tmp_path: Path) -> None:
    count = write_vectors(
        tmp_path, ["softmax", "sort"], ["float32", "bfloat16"], cases=range(3)
    )
    manifest = json.loads((tmp_path / "manifest.json").read_text("utf-8"))
    assert len(manifest["cases"]) == count == 12
    entry = next(e for e in manifest["cases"] if e["operator"] == "softmax")
    with np.load(tmp_path / entry["file"]) as arrays:
        assert arrays["input:x"].shape == tuple(entry["inputs"][0]["shape"])
        assert (arrays["bound:y"] >= 0).all()
        assert arrays["expected:y"].dtype == np.float64


def _pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ)
    command = [sys.executable, "-m", "pytest"]
    if not entry_points(group="pytest11", name="opslib"):
        # Not installed: from source the plug-in is named, and found by the path.
        environment["PYTHONPATH"] = str(ROOT)
        command += ["-p", "opslib.testing.plugin"]
    return subprocess.run(
        [*command, "-q", "--no-header", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_plug_in_adds_the_suite(tmp_path: Path) -> None:
    report = tmp_path / "r.json"
    options = ["--opslib-backend", "numpy", "--opslib-op", "exp"]
    done = _pytest(tmp_path, *options, "--opslib-report", str(report))
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    assert len(read_report(report).outcomes) == 2


def test_a_plug_ins_own_suite(tmp_path: Path) -> None:
    text = "from opslib.testing.suite import *\n"
    (tmp_path / "test_mine.py").write_text(text, "utf-8")
    options = ["--opslib-backend", "numpy", "--opslib-op", "exp", "-vv"]
    done = _pytest(tmp_path, *options)
    assert "test_mine.py::test_opslib_conformance[exp-float32]" in done.stdout
    assert "2 passed" in done.stdout


def test_an_unknown_backend_is_one_sentence(tmp_path: Path) -> None:
    done = _pytest(tmp_path, "--opslib-backend", "mychip")
    assert "there is no backend 'mychip'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_plug_in_is_light(tmp_path: Path) -> None:
    script = """
    import sys
    sys.path.insert(0, {root!r})
    import opslib.testing.plugin
    print(sorted({{"jax", "torch", "rich", "jinja2"}} & set(sys.modules)))
    """
    text = textwrap.dedent(script.format(root=str(ROOT)))
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
