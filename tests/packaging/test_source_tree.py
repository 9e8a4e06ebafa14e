"""A source folder without its mapped parts works, or says in a sentence what to do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("backends", "native", "specs")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The smallest tree of our shape."""
    root = tmp_path / "clone"
    for part in ("opslib", *PARTS, "backends/cpu"):
        (root / part).mkdir(parents=True)
        (root / part / "__init__.py").touch()
    (root / "specs" / "map.op").write_text("op add\n")
    (root / "backends" / "cpu" / "device.py").write_text("NAME = 'cpu'\n")
    shutil.copy(ROOT / "opslib" / "_source_tree.py", root / "opslib")
    shutil.copy(ROOT / "pyproject.toml", root)
    (root / "opslib" / "__init__.py").write_text(
        "from opslib import _source_tree\n_source_tree.ensure_parts()\n"
    )
    return root


def run(program: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    # -I would drop the current folder from sys.path, which is the very thing tested.
    return subprocess.run(
        [sys.executable, "-S", "-c", program],
        cwd=cwd,
        text=True,
        capture_output=True,
        env={},
        timeout=60,
    )


def test_parts_are_found_beside_the_package(checkout: Path) -> None:
    program = """if True:
        import sys, opslib, importlib.resources as resources
        from opslib.backends.cpu import device
        import opslib.native
        print(device.__name__, device.NAME)
        print(*[f.name for f in resources.files('opslib.specs').iterdir()
                if f.name.endswith('.op')])
        finders = len(sys.meta_path)
        opslib._source_tree.ensure_parts()
        print(len(sys.meta_path) - finders)
        print(*{'backends', 'specs', 'native'} & set(sys.modules))
    """
    done = run(program, checkout)
    assert done.stdout.splitlines() == [
        "opslib.backends.cpu.device cpu",
        "map.op",
        "0",
        "",
    ], done.stderr


def test_a_missing_submodule_stays_missing(checkout: Path) -> None:
    done = run("import opslib.backends.tpu", checkout)
    assert "ModuleNotFoundError: No module named 'opslib.backends.tpu'" in done.stderr


def test_entry_points_come_from_the_table(checkout: Path) -> None:
    program = """if True:
        import opslib
        for point in opslib._source_tree.source_entry_points():
            print(point.group, point.name, point.value)
    """
    done = run(program, checkout)
    assert done.stdout.splitlines() == [
        f"opslib.backends {name} opslib.backends.{name}:backend"
        for name in ("cpu", "cuda", "jax", "npu", "numpy")
    ], done.stderr


def test_a_lone_source_folder_says_what_to_do(checkout: Path) -> None:
    for part in PARTS:
        shutil.rmtree(checkout / part)
    done = run("import opslib", checkout)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: opslib was found as a source folder in ")
    assert "run 'pip install .' in the root of the clone" in last


def test_an_installed_package_needs_no_finder(checkout: Path) -> None:
    for part in PARTS:
        shutil.move(checkout / part, checkout / "opslib" / part)
    (checkout / "pyproject.toml").unlink()
    program = """if True:
        import sys
        before = list(sys.meta_path)
        import opslib.backends.cpu.device
        print(before == sys.meta_path, opslib._source_tree.source_entry_points())
    """
    done = run(program, checkout)
    assert done.stdout == "True ()\n", done.stderr
