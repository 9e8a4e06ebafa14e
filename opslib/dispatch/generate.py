"""Writes ``opslib/_api.py`` from the specs: ``python -m opslib.dispatch.generate``."""

from __future__ import annotations

import sys
from pathlib import Path

from opslib.dispatch.signature import module_source
from opslib.language.library import load_library


def api_source() -> str:
    """The text that ``opslib/_api.py`` should have."""
    return module_source((o.span.source.name, o) for o in load_library().values())


def main() -> int:
    """Writes the file; with ``--check`` only says whether it is fresh."""
    path = Path(__file__).resolve().parent.parent / "_api.py"
    text = formatted(api_source())
    if "--check" in sys.argv[1:]:
        fresh = path.exists() and path.read_text("utf-8") == text
        print("fresh" if fresh else "stale: run python -m opslib.dispatch.generate")
        return 0 if fresh else 1
    path.write_text(text, "utf-8")
    print(f"wrote {path}")
    return 0


def formatted(text: str) -> str:
    """The text in the project's format, where ruff is installed."""
    import shutil
    import subprocess

    ruff = shutil.which("ruff", path=f"{Path(sys.executable).parent}:/usr/bin")
    if ruff is None:
        return text
    found = subprocess.run(
        [ruff, "format", "--stdin-filename", "_api.py", "-"],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout


if __name__ == "__main__":
    raise SystemExit(main())
