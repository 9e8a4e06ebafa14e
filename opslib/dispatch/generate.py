"""Writes ``opslib/_api.py`` and its stub: ``python -m opslib.dispatch.generate``."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from opslib.dispatch.signature import module_source, stub_source
from opslib.language.library import load_library


def api_source() -> str:
    """The text that ``opslib/_api.py`` should have."""
    return formatted(module_source(load_library().values()), "_api.py")


def api_stub() -> str:
    """The text that ``opslib/_api.pyi`` should have."""
    return formatted(stub_source(load_library().values()), "_api.pyi")


def main() -> int:
    """Writes the files; with ``--check`` only says whether they are fresh."""
    folder = Path(__file__).resolve().parent.parent
    stale = False
    for name, text in (("_api.py", api_source()), ("_api.pyi", api_stub())):
        path = folder / name
        if "--check" not in sys.argv[1:]:
            path.write_text(text, "utf-8")
            print(f"wrote {path}")
        elif not path.exists() or path.read_text("utf-8") != text:
            stale = True
            print(f"{name} is stale: run python -m opslib.dispatch.generate")
    return int(stale)


def formatted(text: str, name: str) -> str:
    """The text in the project's format, where ruff is installed."""
    ruff = shutil.which("ruff", path=f"{Path(sys.executable).parent}:/usr/bin")
    if ruff is None:
        return text
    found = subprocess.run(
        [ruff, "format", "--stdin-filename", name, "-"],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout


if __name__ == "__main__":
    raise SystemExit(main())
