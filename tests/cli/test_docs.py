"""The operator pages are those of the specs, and links in docs/ lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import opslib
from opslib.cli import docs
from opslib.language.diagnostics import CODES

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def test_operator_pages_are_fresh() -> None:
    found = docs.stale(DOCS / "operators")
    assert not found, f"run python -m opslib.cli.docs: {found}"


def test_every_operator_has_a_section() -> None:
    text = "\n".join(docs.pages().values())
    for name in opslib.operators():
        assert f"## {name}\n" in text


def test_stale_pages_are_found(tmp_path: Path) -> None:
    assert docs.main([str(tmp_path)]) == 0
    assert docs.main([str(tmp_path), "--check"]) == 0
    (tmp_path / "softmax.md").write_text("old")
    (tmp_path / "gone.md").write_text("old")
    assert docs.stale(tmp_path) == ["gone.md", "softmax.md"]
    assert docs.main([str(tmp_path), "--check"]) == 1
    assert docs.main([str(tmp_path)]) == 0
    assert docs.stale(tmp_path) == []


def test_every_environment_variable_is_explained() -> None:
    """Those that the package reads, no more and no less."""
    folders = (ROOT / name for name in ("opslib", "backends", "native"))
    text = "\n".join(p.read_text() for f in folders for p in f.rglob("*.py"))
    read = set(re.findall(r"""environ(?:\.get\(|\[)["'](OPSLIB_\w+)["']""", text))
    read |= set(re.findall(r"""^ *\(?["'](OPSLIB_C\w+)["'],""", text, re.MULTILINE))
    assert {"OPSLIB_BACKEND", "OPSLIB_CACHE_DIR", "OPSLIB_NUM_THREADS"} <= read
    page = (DOCS / "environment.md").read_text()
    explained = set(re.findall(r"`(OPSLIB_\w+)`", page))
    assert read <= explained, read - explained
    gone = {name for name in explained if f"{name}" not in text}
    assert not gone, gone


def test_every_code_is_explained() -> None:
    text = (DOCS / "errors.md").read_text("utf-8")
    listed = set(re.findall(r"^\| ([EW]\d{4}) \|", text, re.M))
    used = set(CODES)
    for path in [*ROOT.glob("opslib/**/*.py"), *ROOT.glob("backends/**/*.py")]:
        used |= set(re.findall(r'"([EW]\d{4})"', path.read_text("utf-8")))
    assert used - listed == set(), "raised, and not in docs/errors.md"


@pytest.mark.parametrize("page", sorted(p.name for p in DOCS.glob("*.md")))
def test_links_lead_somewhere(page: str) -> None:
    path = DOCS / page
    text = re.sub(r"```.*?```|`[^`]*`", "", path.read_text("utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{page}: {target}"


@pytest.mark.parametrize(
    "page", sorted(p.relative_to(ROOT).as_posix() for p in DOCS.rglob("*.md"))
)
def test_pages_name_no_machine(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    assert not re.search(r"(^|[\s`'\"(])/(opt|work|home|root)/", text)
