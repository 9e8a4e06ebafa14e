"""pyproject.toml against the folders, file by file; nothing is built."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]


def folder_of(package: str, mapping: dict[str, str]) -> Path:
    for name, folder in mapping.items():
        if package == name or package.startswith(f"{name}."):
            return ROOT / folder / package[len(name) + 1 :].replace(".", "/")
    return ROOT / package.replace(".", "/")


# Data beside a package's modules, named in `package-data`.
DATA = {"templates", "routes"}


def folders_with_files(top: Path) -> set[Path]:
    """Folders under (and with) `top` that hold Python modules, headers or specs."""
    suffixes = {".py", ".op", ".c", ".h", ".json"}
    return {
        path.parent
        for path in top.rglob("*")
        if path.suffix in suffixes and path.parent.name not in DATA
    }


def test_package_list_equals_the_folders(pyproject: dict[str, Any]) -> None:
    table = pyproject["tool"]["setuptools"]
    listed = {folder_of(p, table["package-dir"]): p for p in table["packages"]}
    tops = [ROOT / "opslib", *(ROOT / f for f in table["package-dir"].values())]
    on_disk = set().union(*map(folders_with_files, tops))

    def short(paths: set[Path]) -> list[str]:
        return sorted(path.relative_to(ROOT).as_posix() for path in paths)

    assert not short(on_disk - set(listed)), "not listed in pyproject.toml"
    assert not short(set(listed) - on_disk), "listed in pyproject.toml, not on disk"
    assert table["packages"] == sorted(table["packages"])


def test_every_package_folder_says_what_it_is_for(pyproject: dict[str, Any]) -> None:
    table = pyproject["tool"]["setuptools"]
    for package in table["packages"]:
        init = folder_of(package, table["package-dir"]) / "__init__.py"
        assert init.is_file(), f"{package} needs {init.relative_to(ROOT)}"
        start = init.read_text("utf-8").lstrip()
        assert start.startswith(('"""', 'r"""')), f"{init} has no docstring"


def test_every_backend_folder_has_an_entry_point(pyproject: dict[str, Any]) -> None:
    declared = pyproject["project"]["entry-points"]["opslib.backends"]
    folders = {p.parent.name for p in ROOT.glob("backends/*/__init__.py")}
    assert declared == {f: f"opslib.backends.{f}:backend" for f in folders}


def test_every_dependency_is_accounted_for(pyproject: dict[str, Any]) -> None:
    project = pyproject["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    names = {Requirement(text).name for entries in lists for text in entries}
    told = set(
        re.findall(r"^\| `([\w-]+)`", (ROOT / "THIRD_PARTY.md").read_text(), re.M)
    )
    assert names - {"opslib"} == told


@pytest.mark.parametrize("script", ["setup.sh", "test.sh", ".ci/run"])
def test_scripts_are_executable_and_name_no_machine(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    assert not re.search(r"/(opt|work|home|root)/", path.read_text("utf-8"))


@pytest.mark.skipif(
    "OPSLIB_TEST_INSTALLED" not in os.environ, reason="test.sh and .ci/run set it"
)
def test_the_tests_see_the_installed_package() -> None:
    import opslib

    assert not Path(opslib.__file__).is_relative_to(ROOT / "opslib")
