"""The architecture, enforced: imports point one way, and no two things share a name.

The checker reads syntax trees only; nothing of opslib is imported. It is itself tested,
on a small tree with planted violations, at the end of this file.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# A unit (a subpackage or a module of opslib) may import units of earlier layers and
# itself. Units of one layer stand beside each other and do not import one another.
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"errors", "spelling", "_version", "_source_tree", "specs", "native"}),
    frozenset({"settings"}),
    frozenset({"language"}),
    frozenset({"ir"}),
    frozenset({"analysis"}),
    frozenset({"lowering"}),
    frozenset({"codegen"}),
    frozenset({"runtime"}),
    frozenset({"backends"}),
    frozenset({"dispatch"}),
    frozenset({"testing", "tuning"}),
    frozenset({"_api"}),
    frozenset({"_public"}),
    frozenset({"__init__"}),
    frozenset({"cli"}),
    frozenset({"__main__"}),
)
RANK = {unit: rank for rank, units in enumerate(LAYERS) for unit in units}

# Optional and slow to import: inside functions only. One backend is made of jax.
HEAVY = frozenset({"jax", "jaxlib", "onnx", "onnxruntime", "torch"})
HEAVY_HOMES = {"opslib.backends.jax": frozenset({"jax", "jaxlib"})}

MAPPED = ("backends", "native", "specs")
GENERATED = frozenset({"opslib/_api.py", "opslib/_api.pyi", "opslib/__init__.pyi"})
LONG, TOO_LONG = 400, 800


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module, absolute, and where it stands."""

    module: str
    line: int
    at_top: bool


def source_files(root: Path, suffixes: Iterable[str] = (".py",)) -> list[Path]:
    """The files of opslib and of the folders mapped into it."""
    folders = [root / "opslib", *(root / part for part in MAPPED)]
    return sorted(
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix in suffixes and "__pycache__" not in path.parts
    )


def module_name(root: Path, path: Path) -> str:
    """The name under which the installed package imports a file."""
    parts = list(path.relative_to(root).with_suffix("").parts)
    if parts[0] != "opslib":
        parts.insert(0, "opslib")
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts)


def unit_of(module: str) -> str:
    """The unit of opslib that a module belongs to; `__init__` is the public package."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def backend_of(module: str) -> str | None:
    """The backend folder that a module belongs to."""
    parts = module.split(".")
    return parts[2] if parts[:2] == ["opslib", "backends"] and len(parts) > 2 else None


def imports_of(tree: ast.Module, package: str, modules: frozenset[str]) -> list[Import]:
    """Every import in a file, however deep, with relative ones resolved."""
    found: list[Import] = []

    def visit(node: ast.AST, at_top: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(a.name, node.lineno, at_top) for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                upper = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*upper, *([node.module] if node.module else [])])
            for alias in node.names:
                # `from opslib import runtime` imports a module, not a name of it.
                full = f"{base}.{alias.name}"
                found.append(
                    Import(full if full in modules else base, node.lineno, at_top)
                )
        elif isinstance(node, ast.Call) and node.args:
            called = ast.unparse(node.func).rpartition(".")[2]
            first = node.args[0]
            if called in ("import_module", "__import__") and (
                isinstance(first, ast.Constant) and isinstance(first.value, str)
            ):
                found.append(Import(first.value, node.lineno, at_top))
        deeper = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        branches = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.body:  # known to the type checker, never executed
                visit(child, False)
            branches = list(node.orelse)
        for child in branches:
            visit(child, at_top and not deeper)

    visit(tree, True)
    return found


def layer_violations(root: Path) -> list[str]:
    """Sentences, one for each import that points the wrong way."""
    paths = source_files(root)
    names = {path: module_name(root, path) for path in paths}
    modules = frozenset(names.values())
    return [
        f"{path.relative_to(root)}:{imported.line}: {complaint}"
        for path, name in names.items()
        for imported in imports_of(
            ast.parse(path.read_text("utf-8"), str(path)),
            name if path.name == "__init__.py" else name.rpartition(".")[0],
            modules,
        )
        for complaint in complaints_about(name, imported)
    ]


def complaints_about(importer: str, imported: Import) -> Iterator[str]:
    """What is wrong with one import, if anything."""
    target = imported.module
    top = target.partition(".")[0]
    if top in HEAVY:
        home = ".".join(importer.split(".")[:3])
        if imported.at_top and top not in HEAVY_HOMES.get(home, frozenset()):
            yield f"imports {top} at module level; import it inside the function"
        return
    if top in MAPPED:
        yield f"imports the folder {top}; its name is opslib.{top}"
        return
    if top != "opslib":
        return
    source, sink = unit_of(importer), unit_of(target)
    for unit in (source, sink):
        if unit not in RANK:
            yield f"opslib.{unit} has no layer; give it one in tests/architecture"
            return
    if sink == "backends":
        if source != "backends":
            yield f"{source} imports {target}; backends are found by entry point"
        elif backend_of(importer) != backend_of(target):
            yield f"imports {target}; a backend imports the core and itself"
    elif source != sink and RANK[sink] >= RANK[source]:
        yield f"{source} imports {target}, which is not an earlier layer"


def public_names(root: Path) -> dict[str, str]:
    """Operators and public functions, each with the place that defines it."""
    names = {
        operator: f"specs/{path.relative_to(root / 'specs')}"
        for path in sorted((root / "specs").rglob("*.op"))
        for operator in re.findall(r"^op (\w+)", path.read_text("utf-8"), re.MULTILINE)
    }
    for file in ("_api.py", "__init__.py"):
        path = root / "opslib" / file
        if path.is_file():
            tree = ast.parse(path.read_text("utf-8"))
            names |= dict.fromkeys(bound_names(tree), f"opslib/{file}")
    return names


def bound_names(tree: ast.Module) -> Iterator[str]:
    """Public names that a module binds at its top, less the modules it imports."""
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found = [name]
            case ast.ImportFrom(module=module) if module not in (None, "opslib"):
                found = [alias.asname or alias.name for alias in node.names]
            case ast.Assign(targets=targets):
                found = [n.id for n in targets if isinstance(n, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                found = [name]
            case _:
                found = []
        yield from (name for name in found if not name.startswith("_") and name != "*")


def name_clashes(root: Path) -> list[str]:
    """Sentences, one for each name that means two things in `opslib.*`."""
    submodules = {
        unit_of(module_name(root, path))
        for path in source_files(root)
        if module_name(root, path) != "opslib"
    }
    clashes = [
        f"{place} defines {name}, but importing the submodule opslib.{name} would "
        f"overwrite it"
        for name, place in public_names(root).items()
        if name in submodules
    ]
    seen: dict[str, Path] = {}
    for path in sorted((root / "specs").rglob("*.op")):
        for name in re.findall(r"^op (\w+)", path.read_text("utf-8"), re.MULTILINE):
            if name in seen:
                clashes.append(f"{path.name} and {seen[name].name} both define {name}")
            seen[name] = path
    init = root / "opslib" / "__init__.py"
    if init.is_file():
        clashes += [
            f"opslib/__init__.py:{node.lineno} defines {node.name}, which is also an "
            f"operator ({seen[node.name].name})"
            for node in ast.parse(init.read_text("utf-8")).body
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in seen
        ]
    return clashes


def long_files(root: Path, limit: int) -> list[str]:
    """Files, generated ones aside, with more lines than `limit`."""
    files = source_files(root, (".py", ".c", ".h", ".op"))
    counts = {
        path.relative_to(root).as_posix(): len(path.read_text("utf-8").splitlines())
        for path in files
    }
    return [
        f"{name}: {count} lines"
        for name, count in counts.items()
        if count > limit and name not in GENERATED
    ]


# ------------------------------------------------------------------ the repository


def test_imports_point_only_backwards() -> None:
    assert source_files(ROOT), f"no sources under {ROOT}"
    assert not (found := layer_violations(ROOT)), "\n".join(found)


def test_no_two_things_share_a_name() -> None:
    assert not (found := name_clashes(ROOT)), "\n".join(found)


def test_files_can_be_read_in_one_sitting() -> None:
    for smell in long_files(ROOT, LONG):
        warnings.warn(f"long file: {smell}", stacklevel=1)
    assert not (found := long_files(ROOT, TOO_LONG)), "\n".join(found)


# ------------------------------------------------------------ the checker, checked

CLEAN = {
    "opslib/__init__.py": "from opslib import errors\nfrom opslib._api import add\n",
    "opslib/_api.py": "from opslib.dispatch import call\ndef add(): ...\n",
    "opslib/errors.py": "",
    "opslib/language/__init__.py": "from .parser import parse\n",
    "opslib/language/parser.py": "from ..errors import SpecError\n",
    "opslib/ir/__init__.py": "from opslib.language import parse\n",
    "opslib/runtime/__init__.py": "def find():\n    import torch\n",
    "opslib/dispatch/__init__.py": "import opslib.runtime\n",
    "opslib/tuning/__init__.py": "from opslib import dispatch\n",
    "opslib/testing/__init__.py": "from opslib.dispatch import call\n",
    "opslib/cli/__init__.py": "import opslib\n",
    "backends/__init__.py": "",
    "backends/numpy/__init__.py": "import numpy\nfrom opslib.runtime import find\n",
    "backends/cpu/__init__.py": "from .renderer import render\nfrom . import device\n",
    "backends/cpu/device.py": "",
    "backends/cpu/renderer.py": "from opslib import codegen\n",
    "backends/jax/__init__.py": "import jax.numpy as jnp\n",
    "opslib/codegen/__init__.py": "if TYPE_CHECKING:\n    import torch\n",
    "specs/__init__.py": "",
    "specs/map.op": "op add(a: T[...]) -> b: T[...]\n    b[...] = a[...]\n",
    "native/__init__.py": "",
}


def plant(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


def test_a_clean_tree_is_clean(tmp_path: Path) -> None:
    plant(tmp_path, CLEAN)
    assert layer_violations(tmp_path) == []
    assert name_clashes(tmp_path) == []
    assert long_files(tmp_path, LONG) == []


@pytest.mark.parametrize(
    ("file", "text", "complaint"),
    [
        ("opslib/errors.py", "import opslib.language", "not an earlier layer"),
        ("opslib/language/parser.py", "from ..ir import x", "not an earlier layer"),
        ("opslib/language/parser.py", "from opslib import ir", "not an earlier layer"),
        ("opslib/ir/__init__.py", "def f(): from opslib import cli", "not an earlier"),
        ("opslib/runtime/__init__.py", "import opslib.dispatch", "not an earlier"),
        ("opslib/testing/__init__.py", "import opslib.tuning", "not an earlier layer"),
        ("opslib/dispatch/__init__.py", "import opslib", "not an earlier layer"),
        ("opslib/_api.py", "from . import cli", "not an earlier layer"),
        ("opslib/cli/__init__.py", "import opslib.backends.cpu", "by entry point"),
        ("opslib/cli/__init__.py", "from ..backends import cpu", "by entry point"),
        ("opslib/cli/__init__.py", "import backends.cpu", "opslib.backends"),
        (
            "opslib/runtime/__init__.py",
            "import importlib\ndef f(): importlib.import_module('opslib.backends.cpu')",
            "by entry point",
        ),
        ("backends/cpu/__init__.py", "import opslib.dispatch", "not an earlier layer"),
        ("backends/cpu/__init__.py", "from ..numpy import x", "the core and itself"),
        ("backends/__init__.py", "from .cpu import x", "the core and itself"),
        ("backends/jax/x.py", "import opslib.backends.cpu", "the core and itself"),
        ("backends/jax/x.py", "import torch", "at module level"),
        ("backends/cpu/__init__.py", "import jax.numpy", "at module level"),
        (
            "opslib/ir/__init__.py",
            "try:\n    import torch\nfinally: ...",
            "module level",
        ),
        ("opslib/ir/__init__.py", "class A:\n    import onnx", "at module level"),
        ("opslib/extra.py", "import opslib.errors", "has no layer"),
    ],
)
def test_a_planted_import_is_found(
    tmp_path: Path, file: str, text: str, complaint: str
) -> None:
    plant(tmp_path, {**CLEAN, file: text})
    (found,) = layer_violations(tmp_path)
    assert found.startswith(f"{file}:")
    assert complaint in found


@pytest.mark.parametrize(
    ("file", "text", "complaint"),
    [
        ("specs/more.op", "op testing(a: T) -> b: T\n", "submodule opslib.testing"),
        ("specs/more.op", "op add(a: T) -> b: T\n", "both define add"),
        ("opslib/__init__.py", "def backends(): ...", "submodule opslib.backends"),
        ("opslib/__init__.py", "from .ir.x import runtime", "submodule opslib.runtime"),
        ("opslib/__init__.py", "cli = 3", "submodule opslib.cli"),
        ("opslib/__init__.py", "def add(): ...", "also an operator"),
    ],
)
def test_a_planted_clash_is_found(
    tmp_path: Path, file: str, text: str, complaint: str
) -> None:
    plant(tmp_path, {**CLEAN, file: text})
    (found,) = name_clashes(tmp_path)
    assert complaint in found


def test_a_planted_long_file_is_found(tmp_path: Path) -> None:
    long = "x = 1\n" * (LONG + 1)
    plant(tmp_path, {**CLEAN, "opslib/ir/tiles.py": long, "opslib/_api.py": long})
    assert long_files(tmp_path, LONG) == ["opslib/ir/tiles.py: 401 lines"]
    assert long_files(tmp_path, TOO_LONG) == []
