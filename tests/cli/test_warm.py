"""``opslib warm``: what it compiled is what calls of other sizes need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import opslib
from opslib.dispatch.handle import Handle
from opslib.tuning.workloads import sample_arrays

ROOT = Path(opslib.__file__).resolve().parents[1]
CALLS = """
import numpy as np, opslib
rng = np.random.default_rng(0)
for shape in ((3,), (70, 33), (2, 1, 5), (0, 4), (2, 3, 4, 5)):
    x = rng.standard_normal(shape).astype("f4")
    y = opslib.softmax(x, backend="cpu")
    assert np.allclose(y, opslib.softmax(x, backend="numpy"), 1e-5)
    assert np.array_equal(opslib.add(x, x, backend="cpu"), x + x)
for n, k, m in ((3, 4, 5), (64, 64, 64), (1, 100, 7)):
    a, b = rng.random((n, k), "f4"), rng.random((k, m), "f4")
    assert np.allclose(opslib.matmul(a, b, backend="cpu"), a @ b, 1e-4, 1e-4)
"""


needs_cpu = pytest.mark.skipif(
    not any(d.name == "cpu" and d.why_not is None for d in opslib.devices()),
    reason="no C compiler here",
)


def run(cache: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        env={**os.environ, "OPSLIB_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def names(cache: Path) -> list[str]:
    ran = run(cache, "-m", "opslib", "cache", "--json")
    return sorted(entry["name"] for entry in json.loads(ran.stdout))


@needs_cpu
def test_later_calls_compile_nothing(tmp_path: Path) -> None:
    ran = run(
        tmp_path,
        *[
            "-m",
            "opslib",
            "warm",
            "softmax",
            "add",
            "matmul",
            "--backend",
            "cpu",
            "--json",
        ],
    )
    assert ran.returncode == 0, ran.stderr
    made = json.loads(ran.stdout)
    assert [w["operator"] for w in made] == ["softmax", "add", "matmul"]
    assert {(w["device"], w["reason"]) for w in made} == {("cpu", "")}
    before = names(tmp_path)
    assert {n.partition("_")[0] for n in before} >= {"softmax", "add", "matmul"}
    ran = run(tmp_path, "-c", CALLS)
    assert ran.returncode == 0, ran.stderr
    assert names(tmp_path) == before


def test_what_cannot_be_made_is_said(tmp_path: Path) -> None:
    ran = run(tmp_path, *["-m", "opslib", "warm", "exp", "--dtype", "int64"])
    assert ran.returncode == 1
    assert "exp takes no int64" in ran.stderr
    assert "it takes float32" in ran.stderr
    ran = run(tmp_path, *["-m", "opslib", "warm", "--group", "nope"])
    assert ran.returncode == 1
    assert "groups: " in ran.stderr


@pytest.mark.parametrize("name", ["add", "where", "bitwise_and", "lerp"])
def test_samples_without_axes_are_arrays(name: str) -> None:
    """NumPy's random functions and its arithmetic give scalars there."""
    arrays, _ = sample_arrays(Handle(name).operator, None, rank=0)
    assert all(isinstance(a, np.ndarray) for a in arrays if a is not None), arrays
