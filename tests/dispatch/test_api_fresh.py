"""The generated API: fresh, without clashes, and imported without reading a spec."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import opslib
from opslib.dispatch import generate
from opslib.dispatch.signature import docstring

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("name", "make"),
    [("_api.py", generate.api_source), ("_api.pyi", generate.api_stub)],
)
def test_the_generated_files_are_fresh(name: str, make: object) -> None:
    path = ROOT / "opslib" / name
    # ruff formats it where it is installed; compare what the text means elsewhere.
    text = path.read_text("utf-8")
    made = make()  # type: ignore[operator]
    if text != made:
        assert ast.dump(ast.parse(text)) == ast.dump(ast.parse(made)), (
            "run python -m opslib.dispatch.generate"
        )


def test_every_operator_has_a_function_with_its_signature() -> None:
    for name, operator in opslib.spec_library().items():
        function = getattr(opslib, name)
        assert function.__name__ == name
        parameters = list(inspect.signature(function).parameters)
        for p in operator.parameters:
            assert p.name in parameters
        assert parameters[-2:] == ["out", "backend"]
        assert inspect.getdoc(function) == inspect.cleandoc(docstring(operator))


def test_public_names_are_distinct() -> None:
    names = list(opslib.__all__)
    assert len(names) == len(set(names))
    folders = {p.stem for p in (ROOT / "opslib").iterdir()} | {"backends", "specs"}
    assert not set(names) & {f for f in folders if not f.startswith("_")}


@pytest.mark.slow
def test_importing_reads_no_spec() -> None:
    code = """
import sys
opened = []
def hook(event, args):
    if event == "open":
        opened.append(str(args[0]))
sys.addaudithook(hook)
import opslib
assert not [name for name in opened if name.endswith(".op")], opened
from opslib.language.library import load_library
assert load_library.cache_info().currsize == 0
assert opslib.operators()
assert not {"jax", "torch", "opslib.backends.cpu"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.slow
def test_types_that_users_see(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    code = """
import opslib
opslib.softmax([1], axis=0)
opslib.softmax([1], axes=0)
text: str = opslib.softmax.source("cpu")
flops: int = opslib.matmul.cost([1], [2]).flops
values = opslib.topk([1], k=2).values
made = opslib.op("op f(x: T) -> y: T = x")
made(1).anything
made.no_such_attribute
"""
    file = tmp_path / "user.py"
    file.write_text(code)
    found = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(file)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    errors = [x for x in found.stdout.splitlines() if "user.py:" in x and "error:" in x]
    assert len(errors) == 2, found.stdout
    assert 'Unexpected keyword argument "axes"' in errors[0]
    assert "no_such_attribute" in errors[1]
