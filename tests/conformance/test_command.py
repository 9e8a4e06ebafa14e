"""`opslib conformance` from outside: wrong arguments, Ctrl-C and going on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from opslib.cli import main

COMMAND = ("conformance", "--backend", "numpy", "--profile", "quick")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--op", "sofmax"], "did you mean softmax"),
        (["--op", "SOFTMAX"], "did you mean softmax"),
        (["--op", "add", "--dtype", "flot32"], "there is no dtype 'flot32'"),
        (["--op", "softmax", "--dtype", "int8"], "softmax has no dtype int8"),
        (["--op", "add", "--dtype", "int8", "--case", "9999999"], "no case 9999999"),
        (["--op", "add", "--json", "/nowhere/r.json"], "there is no folder /nowhere"),
        (["--op", "add", "--html", "/nowhere/r.html"], "there is no folder /nowhere"),
        (["--op", "add", "--json", "/"], "is a folder"),
        (["--op", "add", "--known-failures", "/nowhere.toml"], "cannot be read"),
    ],
    ids=lambda v: v.split()[-1] if isinstance(v, str) else None,
)
def test_what_cannot_be_run_is_said_before_anything_runs(
    arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*COMMAND, *arguments]) == 2
    shown = capsys.readouterr()
    assert part in shown.err
    assert "Traceback" not in shown.err
    assert not shown.out


@pytest.mark.parametrize(
    "arguments",
    [["--case", "-4"], ["--jobs", "0"], ["--jobs", "x"], ["--seed", "-1"]],
    ids=" ".join,
)
def test_numbers_that_are_none(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit:
        main([*COMMAND, "--op", "add", *arguments])
    assert exit.value.code == 2
    assert "not a whole number of at least" in capsys.readouterr().err


def test_a_file_that_cannot_be_opened_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    few = ["--op", "add", "--dtype", "float32", "--case", "1"]
    assert main([*COMMAND, *few, "--write-routes", str(blocked / "x")]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("error: ")
    assert "Not a directory" in shown


@pytest.mark.slow
def test_an_interrupted_run_ends_and_goes_on(tmp_path: Path) -> None:
    """A terminal's Ctrl-C reaches the whole process group: workers as well."""
    report = tmp_path / "report.json"
    operators = ["add", "softmax", "matmul", "conv2d", "layer_norm"]
    given = [w for o in operators for w in ("--op", o)]
    command = [sys.executable, "-m", "opslib", "conformance", "--backend", "numpy"]
    command += [*given, "--profile", "standard", "--jobs", "2", "--json", str(report)]
    child = subprocess.Popen(
        command,
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
        # What a shell starts in the background ignores it, and so would the child.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        end = time.monotonic() + 120
        while not report.exists() and time.monotonic() < end:
            time.sleep(0.2)
        os.killpg(child.pid, signal.SIGINT)
        _, said = child.communicate(timeout=60)
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
    assert child.returncode == 130, said
    assert "the same command goes on" in said
    rows = json.loads(report.read_text())["rows"]
    # What Ctrl-C cut off is not a kernel that died.
    assert not [row["failures"] for row in rows if row["state"] == "fail"]
    assert 0 < len(rows) < 5 * 7
