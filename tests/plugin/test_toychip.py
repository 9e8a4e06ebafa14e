"""A backend from outside, really installed, held to the suite that opslib ships."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import opslib

PACKAGE = Path(__file__).parent / "opslib-toychip"
ROOT = Path(opslib.__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the plug-in."""
    folder = tmp_path_factory.mktemp("plugin")
    work = folder / "source"
    # A copy, for setuptools leaves its build folder beside the sources.
    subprocess.run(["cp", "-r", str(PACKAGE), str(work)], check=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--disable-pip-version-check"]
    command += ["--target", str(folder / "site"), str(work)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return folder / "site"


def environment(*folders: Path) -> dict[str, str]:
    path = os.pathsep.join(map(str, (*folders, ROOT)))
    return {**os.environ, "PYTHONPATH": path}


def run(code: str, *folders: Path) -> str:
    """What a program prints that sees plug-ins in those folders."""
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env=environment(*folders),
        cwd=folders[0],
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def opslib_command(target: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "opslib", *arguments],
        capture_output=True,
        text=True,
        env=environment(target),
        cwd=target,
        timeout=600,
    )


def plant(folder: Path, name: str, text: str) -> None:
    """A plug-in as pip leaves it: a module and its metadata."""
    (folder / f"{name}_plugin.py").write_text(text)
    info = folder / f"{name}_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}-plugin\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text(
        f"[opslib.backends]\n{name} = {name}_plugin:backend\n"
    )


@pytest.mark.slow
def test_its_devices_are_listed(target: Path) -> None:
    said = run(
        """
        import opslib, sys
        found = {d.name: d.why_not for d in opslib.devices() if d.backend == "toychip"}
        print(found["toychip:0"], "|", found["toychip:1"])
        """,
        target,
    )
    assert said == "None | the second chip has lost its magic smoke; replace it\n"


@pytest.mark.slow
def test_listing_names_imports_nothing_of_it(target: Path) -> None:
    said = run(
        """
        import sys
        import numpy as np
        import opslib
        from opslib.runtime import registry
        print("toychip" in registry.names())
        opslib.add(np.ones(3), np.ones(3), backend="numpy")
        print("opslib_toychip" in sys.modules)
        """,
        target,
    )
    assert said == "True\nFalse\n"


@pytest.mark.slow
def test_calls_and_receipts(target: Path) -> None:
    said = run(
        """
        import warnings
        warnings.simplefilter("ignore", __import__("opslib").OpslibWarning)
        import numpy as np
        import opslib
        x = np.random.default_rng(0).standard_normal((5, 7)).astype("f4")
        with opslib.receipts() as receipts:
            y = opslib.softmax(x.T, axis=0, backend="toychip")
        print(type(y).__name__, receipts[0])
        assert np.allclose(y, opslib.softmax(x.T, axis=0, backend="numpy"))
        out = np.empty((7, 5), "f4")
        assert opslib.negative(x.T, out=out, backend="toychip") is out
        assert np.array_equal(out, -x.T)
        """,
        target,
    )
    assert said == "ndarray softmax ran on toychip:0 (evaluator), simulated\n"


@pytest.mark.slow
def test_it_is_never_chosen_automatically(target: Path) -> None:
    said = run(
        """
        import numpy as np
        import opslib
        print(opslib.explain("add", np.ones(3), np.ones(3)))
        """,
        target,
    )
    (line,) = [s for s in said.splitlines() if "toychip:0" in s]
    assert "no" in line.split()
    assert "simulator" in line


@pytest.mark.slow
def test_float64_is_refused_with_the_reason(target: Path) -> None:
    said = run(
        """
        import numpy as np
        import opslib
        try:
            opslib.add(np.ones(3), np.ones(3), backend="toychip")
        except opslib.BackendUnavailable as error:
            print(error)
        with opslib.use("toychip", fallback="allow"), opslib.receipts() as receipts:
            opslib.add(np.ones(3), np.ones(3))
        print(receipts[0].device != "toychip:0", receipts[0].fallback)
        """,
        target,
    )
    assert "float64" in said
    assert "True toychip:0: it has no float64" in said


@pytest.mark.slow
def test_launches_return_before_errors_show(target: Path) -> None:
    """An index out of bounds is noticed when somebody waits, and not before."""
    said = run(
        """
        import numpy as np
        from opslib.dispatch.inspection import plan
        import opslib
        from opslib.runtime import registry
        backend, device = registry.device("toychip")
        table = np.ones((4, 2), "f4")
        made = plan(opslib.embedding.handle, np.array([1, 9]), table, backend="toychip")
        given = [backend.asarray(a, device) for a in (np.array([1, 9]), table)]
        (result,) = made.run(given, None)
        print(type(result).__name__, hasattr(result, "__array__"), result.shape)
        try:
            np.asarray(result).astype("f4")
        except (TypeError, ValueError):
            print("not readable from the host")
        try:
            backend.synchronize(device)
        except opslib.OperandIndexError as error:
            print(type(error).__name__, error.code)
        backend.synchronize(device)
        try:
            backend.to_numpy(result)
        except IndexError:
            print("poisoned")
        """,
        target,
    )
    lines = said.splitlines()
    assert lines[0] == "Handle False (2, 2)"
    assert lines[1] == "not readable from the host"
    assert lines[2].startswith("OperandIndexError")
    assert lines[3] == "poisoned"


@pytest.mark.slow
def test_conformance(target: Path) -> None:
    """One operator of each kind; `pytest -m deep` tries all."""
    operators = """
        add exp gelu where sum argmax mean matmul linear conv2d softmax layer_norm
        scaled_dot_product_attention embedding scatter_add cumsum sort topk pad concat
        silu_and_mul cross_entropy
    """
    arguments = [word for name in operators.split() for word in ("--op", name)]
    ran = opslib_command(
        target, "conformance", "--backend", "toychip", "--profile", "quick", *arguments
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " 0 fail" in ran.stdout


@pytest.mark.deep
def test_conformance_of_everything(target: Path) -> None:
    ran = opslib_command(
        target, "conformance", "--backend", "toychip", "--profile", "quick"
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_plug_in_that_does_not_import(tmp_path: Path) -> None:
    plant(tmp_path, "broken", "import a_library_that_nobody_has\n")
    said = run(
        """
        import numpy as np
        import opslib
        (device,) = [d for d in opslib.devices() if d.backend == "broken"]
        print(device.why_not)
        try:
            opslib.add(np.ones(3), np.ones(3), backend="broken")
        except opslib.BackendUnavailable as error:
            print(error)
        print(opslib.add(np.ones(3), np.ones(3), backend="numpy"))
        """,
        tmp_path,
    )
    assert "No module named 'a_library_that_nobody_has'" in said
    assert "broken_plugin:backend; reinstall or remove it" in said
    assert "[2. 2. 2.]" in said


def test_a_plug_in_of_another_protocol(tmp_path: Path) -> None:
    code = "class B:\n    name = 'old'\n    protocol = 0\n\n\nbackend = B\n"
    plant(tmp_path, "old", code)
    said = run(
        """
        import opslib
        (device,) = [d for d in opslib.devices() if d.backend == "old"]
        print(device.why_not)
        """,
        tmp_path,
    )
    assert "speaks protocol 0, opslib 1" in said


def test_doctor_names_a_broken_plug_in(tmp_path: Path) -> None:
    plant(tmp_path, "broken", "raise OSError('libchip.so.3: cannot open')\n")
    ran = opslib_command(tmp_path, "doctor")
    assert ran.returncode == 1
    assert "libchip.so.3: cannot open" in ran.stdout
    assert "reinstall or remove it" in ran.stdout
    assert "Traceback" not in ran.stderr
