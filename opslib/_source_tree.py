"""Makes a source checkout importable as it lies.

The folders `backends/`, `native/` and `specs/` lie beside `opslib/` and become
`opslib.backends`, ... only when installed. Python started in the clone's root finds the
source folder `opslib/` before any installed one, and would miss them. `ensure_parts`
maps them, so that it just works, whether or not opslib is installed as well.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from importlib.metadata import EntryPoint
    from types import ModuleType

PARTS = ("backends", "native", "specs")
BACKEND_GROUP = "opslib.backends"

_PACKAGE = Path(__file__).resolve().parent
_ROOT = _PACKAGE.parent


class _PartsFinder:
    """Finds the mapped folders of one checkout, and nothing else."""

    def __init__(self, folders: dict[str, Path]) -> None:
        self.folders = folders

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        folder = self.folders.get(fullname)
        if folder is None:
            return None
        return importlib.util.spec_from_file_location(
            fullname,
            folder / "__init__.py",
            submodule_search_locations=[str(folder)],
        )


def ensure_parts() -> None:
    """Let `opslib.backends`, `.native` and `.specs` be imported; cheap if they can be.

    Raises:
        ImportError: the folder `opslib/` was found without its parts beside or in it.
    """
    if (_PACKAGE / "specs").is_dir():
        return  # installed: the parts are inside
    folders = {f"opslib.{part}": _ROOT / part for part in PARTS}
    if all((folder / "__init__.py").is_file() for folder in folders.values()):
        if not any(_is_finder_of(folders, finder) for finder in sys.meta_path):
            # Last, so that it answers only where an installed finder does not.
            sys.meta_path.append(_PartsFinder(folders))
        return
    missing = [name for name in folders if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"opslib was found as a source folder in {_ROOT} without "
            f"{', '.join(missing)}: run 'pip install .' in the root of the clone, then "
            f"start Python in another folder"
        )


def source_entry_points() -> tuple[EntryPoint, ...]:
    """The backends that this checkout's pyproject.toml declares.

    The registry falls back on them where opslib runs from source and no installed
    metadata names its backends. Empty when opslib does not run from a checkout.
    """
    table = _ROOT / "pyproject.toml"
    if (_PACKAGE / "specs").is_dir() or not table.is_file():
        return ()
    # Imported here: both cost more than all of the common case above.
    import tomllib
    from importlib.metadata import EntryPoint

    project = tomllib.loads(table.read_text("utf-8")).get("project", {})
    if project.get("name") != "opslib":
        return ()
    declared = project.get("entry-points", {}).get(BACKEND_GROUP, {})
    return tuple(
        EntryPoint(name=name, value=value, group=BACKEND_GROUP)
        for name, value in sorted(declared.items())
    )


def _is_finder_of(folders: dict[str, Path], finder: object) -> bool:
    # By name: after a reload of this module the class is another one.
    return (
        type(finder).__name__ == _PartsFinder.__name__
        and getattr(finder, "folders", None) == folders
    )
