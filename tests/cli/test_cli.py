"""The command line as people and scripts use it."""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

import opslib
from opslib.cli import COMMANDS, doctor, main, show, terminal
from opslib.dispatch.plan import kernel_for
from opslib.runtime import registry

ROOT = Path(opslib.__file__).resolve().parents[1]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    try:
        code = main(list(arguments))
    except SystemExit as end:
        code = int(end.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    code, out, err = run(capsys, *arguments, "--json")
    assert code == 0, out + err
    return json.loads(out)


# ------------------------------------------------------------------------- all commands


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert "usage" in out
    assert all(name in out for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, command, "--help")
    assert code == 0
    assert out.startswith(f"usage: opslib {command}")


def test_nothing_at_all_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys)
    assert code == 0
    assert "usage" in out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--version")[1] == f"opslib {opslib.__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["frobnicate"], ["show"], ["cache", "burn"], ["ops", "--colour"]]
)
def test_what_is_not_understood(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert not out
    assert "usage" in err


def test_errors_have_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "show", "softmx")
    assert code == 1
    assert not out
    assert "[E0705] there is no operator 'softmx'" in err
    assert "did you mean softmax" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("arguments", ["ops", "bench --list", "show softmax"])
def test_python_dash_m_and_a_closed_pipe(arguments: str) -> None:
    """Whoever has read enough is no error, whichever way a command prints."""
    first = f"'{sys.executable}' -m opslib {arguments}"
    ran = subprocess.run(
        f"set -o pipefail; {first} | head -n 1",
        shell=True,  # the pipe is what is tested
        executable="/bin/bash",
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert ran.stdout.count("\n") == 1
    assert not ran.stderr
    assert ran.returncode == 0


def test_a_closed_pipe_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """rich would end the process with 1."""

    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    with pytest.raises(BrokenPipeError):
        terminal.console().print("more than anybody reads")


def test_a_narrow_terminal_cuts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    screen = Console(file=text, force_terminal=True, width=40, color_system=None)
    monkeypatch.setattr(terminal, "console", lambda: screen)
    monkeypatch.setattr(sys, "stdout", text)
    assert main(["ops", "softmax"]) == 0
    for word in ("softmax_with_sink", "entropy_from_logits", "Adapted", "takes"):
        assert word in text.getvalue()


def test_what_is_piped_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["ops"], ["show", "softmax"], ["cache"], ["doctor"]):
        _, out, _ = run(capsys, *arguments)
        assert "\x1b" not in out
        assert not any(c in out for c in "│━┃┏")


# ----------------------------------------------------------------------------- doctor


def test_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "doctor")
    assert code in (0, 1)
    for word in ("python", "compiler", "devices", "numpy", "threads", "cache"):
        assert word in out
    assert ("no problems" in out) == (code == 0)


def test_doctor_fits_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long lines go on under their own column, and no word is cut."""
    text = io.StringIO()
    screen = Console(file=text, force_terminal=True, width=80, color_system=None)
    monkeypatch.setattr(terminal, "console", lambda: screen)
    said = "install CANN 9.0 or later, and source " + "a/very/long/path" * 8 + " first"
    finding = doctor.Finding("devices", "npu:ascend", said, "absent", said)
    monkeypatch.setattr(doctor, "examine", lambda: [finding])
    doctor.run(argparse.Namespace(json=False))
    lines = [line for line in text.getvalue().splitlines() if "/" not in line]
    assert all(len(line) <= 80 for line in lines)
    assert "a/very/long/path" * 8 in text.getvalue()
    indent = "  --  npu:ascend  "
    body = [line for line in lines if line.startswith(" ")]
    assert body[0].startswith(indent + "install")
    assert all(line.startswith(" " * len(indent)) for line in body[1:])


def test_doctor_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "doctor", "--json")
    rows = json.loads(out)
    assert {"part", "name", "value", "state", "remedy"} == set(rows[0])
    assert {r["name"] for r in rows if r["part"] == "devices"} == {
        d.name for d in opslib.devices()
    }
    for row in rows:
        assert row["remedy"] or row["state"] != "problem"


# -------------------------------------------------------------------------- ops, show


def test_ops_lists_all(capsys: pytest.CaptureFixture[str]) -> None:
    rows = run_json(capsys, "ops")
    assert [r["name"] for r in rows] == sorted(opslib.operators())
    assert {r["status"] for r in rows} == {"Aligned", "Adapted", "Custom"}
    assert all(r["doc"] and "\n" not in r["doc"] for r in rows)
    assert all(bool(r["upstream"]) or r["status"] == "Custom" for r in rows)


def test_ops_filters(capsys: pytest.CaptureFixture[str]) -> None:
    names = [r["name"] for r in run_json(capsys, "ops", "soft*")]
    assert names
    assert all(name.startswith("soft") for name in names)
    groups = {r["group"] for r in run_json(capsys, "ops", "--group", "attention")}
    assert groups == {"attention"}
    found = run_json(capsys, "ops", "--status", "custom", "--group", "softmax")
    assert all(r["status"] == "Custom" for r in found)


def test_ops_that_match_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "ops", "zzz")
    assert (code, out) == (1, "")
    assert "no operator matches" in err


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "show", "rms_norm")
    assert code == 0
    assert "op rms_norm(" in out
    assert "opslib.rms_norm(" in out
    assert "def rms_norm(" in out
    assert "within" in out


def test_show_one_part_is_only_that(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "show", "add", "--only", "spec")
    assert code == 0
    assert out.startswith("op add(")
    code, out, _ = run(
        capsys, "show", "add", "--only", "source", "--backend", "numpy", "--rank", "3"
    )
    assert code == 0
    assert "import numpy" in out


@pytest.mark.parametrize("asked", [None, "numpy"])
def test_show_compiles_for_no_device_unasked(
    asked: str | None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    recwarn: pytest.WarningsRecorder,
) -> None:
    """A simulator takes long, and says so: neither belongs in a table."""
    real = registry.devices("numpy")[0]
    fake = replace(real, name="numpy:slow", simulated=True)
    compiled = []

    def watched(backend: Any, device: Any, program: Any) -> Any:
        compiled.append(device.name)
        warnings.warn("a remark of the device", opslib.OpslibWarning, stacklevel=2)
        return kernel_for(backend, registry.devices("numpy")[0], program)

    monkeypatch.setattr(show, "kernel_for", watched)
    listed = SimpleNamespace(
        names=lambda: ("numpy", "other"),
        devices=lambda name: (
            (real,) if name == "numpy" else (replace(fake, backend="other"),)
        ),
        load=lambda name: registry.load("numpy"),
    )
    monkeypatch.setattr(show, "registry", listed)
    options = () if asked is None else ("--backend", asked)
    code, out, _ = run(capsys, "show", "exp", "--only", "coverage", *options)
    assert code == 0
    assert compiled == ["numpy"]
    assert "numpy:slow: takes it, simulated" in out
    assert not recwarn.list


def test_show_source_that_cannot_be_had(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(
        capsys, "show", "add", "--only", "source", "--backend", "abacus"
    )
    assert code == 1
    assert "abacus" in out + err


@pytest.mark.slow
def test_show_works_for_every_operator(capsys: pytest.CaptureFixture[str]) -> None:
    for name in opslib.operators():
        for part in ("about", "signature", "spec", "reference", "bound"):
            code, out, err = run(capsys, "show", name, "--only", part,
                                 "--backend", "numpy")  # fmt: skip
            assert code == 0, f"{name} {part}: {out}{err}"
            assert out.strip(), f"{name} {part}"


# ------------------------------------------------------------------------------ cache


def test_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPSLIB_CACHE_DIR", str(tmp_path))
    assert run_json(capsys, "cache") == []
    assert run(capsys, "cache", "path")[1].strip() == str(tmp_path)
    assert run(capsys, "cache", "size")[1].strip() == "0"
    assert "0 kernels are whole" in run(capsys, "cache", "verify")[1]
    folder = tmp_path / "kernels" / "ab" / ("ab" + "0" * 62)
    folder.mkdir(parents=True)
    (folder / "entry.json").write_text("{")
    code, out, _ = run(capsys, "cache", "verify")
    assert code == 1
    assert "missing or unreadable" in out
    code, out, _ = run(capsys, "cache", "clear")
    assert (code, out) == (0, "removed 1 kernels\n")
    assert run(capsys, "cache", "verify")[0] == 0


# ------------------------------------------------------------------------------ bench


def test_bench_list(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "bench", "--list")
    assert code == 0
    assert "matmul" in out.split()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--list"),
        (["add", "--against", "matlab"], "no peer 'matlab'"),
        (["add", "--workload", "tiny"], "it has large"),
        (["fmax"], "names no workload"),
    ],
)
def test_bench_says_what_it_needs(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "bench", *arguments)
    assert code == 1
    assert words in err


@pytest.mark.parametrize("given", ["--seconds=-1", "--seconds=nan", "--seconds=x"])
def test_bench_takes_time(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "bench", "add", given)
    assert code == 2
    assert "is not a positive number" in err


def test_bench_on_a_backend_that_there_is_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = run(capsys, "bench", "add", "--backend", "cpu,nope")
    assert (code, out) == (1, "")
    assert "there is no backend 'nope'" in err


@pytest.mark.slow
def test_bench(capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(
        capsys, "bench", "matmul", "--workload", "small", "--seconds", "0.05",
        "--against", "numpy,torch,jax,onnxruntime", "--backend", "numpy",
    )  # fmt: skip
    rows = {r["contender"]: r for r in found["rows"]}
    assert next(iter(rows)) == "opslib:numpy"
    assert set(rows) == {"opslib:numpy", "numpy", "torch", "jax", "onnxruntime"}
    assert rows["opslib:numpy"]["skeleton"] == "array"
    assert rows["opslib:numpy"]["ratio"] == 1.0
    for row in rows.values():
        assert row["agrees"]
        assert (row["result"] is None) == bool(row["why_not"])
    assert found["limits"]["flops"] > 1e8
    assert found["limits"]["bandwidth"] > 1e7


# ------------------------------------------------------------------------ new-backend


def test_new_backend_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    for arguments, words in (
        (["Chip-9"], "cannot be a backend's name"),
        (["numpy"], "already"),
        (["chip", "--into", str(tmp_path / "full")], "not empty"),
    ):
        code, _, err = run(capsys, "new-backend", *arguments)
        assert code == 1
        assert words in err


@pytest.mark.slow
def test_new_backend_passes_the_suite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, site = tmp_path / "opslib-mychip", tmp_path / "site"
    code, out, _ = run(capsys, "new-backend", "mychip", "--into", str(source))
    assert code == 0
    assert all(Path(line).is_file() for line in out.splitlines())
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--disable-pip-version-check"]
    command += ["--target", str(site), str(source)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    path = os.pathsep.join([str(site), str(ROOT)])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    ran = subprocess.run(
        [*command, str(source / "tests")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        cwd=source,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "7 passed" in ran.stdout
