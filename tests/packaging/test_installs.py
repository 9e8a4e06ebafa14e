"""Both kinds of install, used from the clone's root and from elsewhere; the wheel."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Environment

pytestmark = pytest.mark.slow

PROBE = """if True:
    import importlib.util, json, sys
    from importlib.metadata import entry_points
    from importlib.resources import files

    import numpy
    import opslib

    packages = sys.argv[1:]
    result = opslib.add(numpy.arange(3.0), 1.0, backend="numpy")
    print(json.dumps({
        "file": opslib.__file__,
        "lost": [p for p in packages if importlib.util.find_spec(p) is None],
        "specs": sorted(f.name for f in files("opslib.specs").iterdir()
                        if f.name.endswith(".op")),
        "backends": sorted(
            p.name for p in entry_points(group="opslib.backends")
            # The JAX backend needs its extra; the others load everywhere.
            if (p.name == "jax" and not importlib.util.find_spec("jax"))
            or callable(p.load())
        ),
        "result": numpy.asarray(result).tolist(),
        "roots": sorted({"backends", "specs", "native"} & set(sys.modules)),
    }))
"""


@pytest.fixture(scope="module", params=["plain", "editable"])
def installed(
    request: pytest.FixtureRequest,
    make_checkout: Callable[[], Path],
    make_environment: Callable[[], Environment],
) -> tuple[str, Path, Environment]:
    root, environment = make_checkout(), make_environment()
    environment.install(*(["-e"] if request.param == "editable" else []), str(root))
    return request.param, root, environment


@pytest.mark.parametrize("where", ["root", "elsewhere"])
def test_an_install_works_from_anywhere(
    installed: tuple[str, Path, Environment],
    where: str,
    tmp_path: Path,
    pyproject: dict[str, Any],
) -> None:
    kind, root, environment = installed
    packages = pyproject["tool"]["setuptools"]["packages"]
    cwd = root if where == "root" else tmp_path
    seen = json.loads(environment.run("-c", PROBE, *packages, cwd=cwd))
    from_source = kind == "editable" or where == "root"
    assert Path(seen["file"]).is_relative_to(root) is from_source
    assert seen["lost"] == []
    assert seen["specs"] == sorted(path.name for path in root.glob("specs/*.op"))
    assert seen["specs"], "there are no specs"
    assert seen["backends"] == ["cpu", "cuda", "jax", "npu", "numpy"]
    assert seen["result"] == [1.0, 2.0, 3.0]
    assert seen["roots"] == []


def test_the_command_is_installed(installed: tuple[str, Path, Environment]) -> None:
    _, _, environment = installed
    command = environment.python.parent / "opslib"
    assert (
        "usage" in environment.run(str(command), "--help", cwd=command.parent).lower()
    )


def test_the_wheel_holds_every_file_and_claims_one_name(
    make_checkout: Callable[[], Path],
    make_environment: Callable[[], Environment],
    pyproject: dict[str, Any],
) -> None:
    root = make_checkout()
    expected = {
        (Path("opslib") / path.relative_to(root)).as_posix()
        if top != "opslib"
        else path.relative_to(root).as_posix()
        for top in ("opslib", "backends", "native", "specs")
        for path in (root / top).rglob("*")
        if path.is_file()
    }
    # Without --wheel: the wheel is made from the source archive, so both are tested.
    make_environment().run("-m", "build", "--no-isolation", str(root), cwd=root)
    (wheel,) = (root / "dist").glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (info,) = {n.partition("/")[0] for n in names if ".dist-info/" in n}
        points = archive.read(f"{info}/entry_points.txt").decode()
        metadata = archive.read(f"{info}/METADATA").decode()
    code = {name for name in names if not name.startswith(f"{info}/")}
    assert not expected - code, "see [tool.setuptools.package-data]"
    assert not code - expected
    assert {name.partition("/")[0] for name in code} == {"opslib"}
    for name, value in pyproject["project"]["entry-points"]["opslib.backends"].items():
        assert f"{name} = {value}" in points
    assert "License-Expression: Apache-2.0" in metadata
    assert {f"{info}/licenses/LICENSE", f"{info}/licenses/THIRD_PARTY.md"} <= names
