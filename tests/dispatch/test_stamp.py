"""What a generator's stamp depends on."""

from __future__ import annotations

import ast
import sys

import pytest

from opslib.dispatch import stamp

MAKERS = ("opslib.ir", "opslib.lowering", "opslib.codegen", "opslib.runtime")


def names(backend: str) -> set[str]:
    return set(stamp.sources(backend))


@pytest.mark.parametrize("backend", ["cpu", "numpy", "jax", "npu"])
def test_a_stamp_covers_every_module_that_its_sources_import(backend: str) -> None:
    found = stamp.sources(backend)
    makers = stamp._makers()
    for name, content in found.items():
        if name.endswith((".h", ".c", ".json")):
            continue
        for node in ast.walk(ast.parse(content)):
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                wanted = {node.module, *(f"{node.module}.{a.name}" for a in node.names)}
            elif isinstance(node, ast.Import):
                wanted = {a.name for a in node.names}
            else:
                continue
            assert wanted & set(makers) <= set(found), (name, wanted)


@pytest.mark.parametrize("backend", ["cpu", "numpy", "jax", "npu"])
def test_what_was_loaded_to_make_a_kernel_is_covered(backend: str) -> None:
    from opslib.runtime import registry

    registry.load(backend)
    package = f"opslib.backends.{backend}"
    loaded = {m for m in sys.modules if m == package or m.startswith(package + ".")}
    assert loaded
    assert loaded <= names(backend)


def test_a_kernel_in_c_depends_on_c_alone() -> None:
    found = names("cpu")
    assert "opslib.codegen.c_statements" in found
    assert "opslib.native/opslib_math_f32.h" in found
    assert "opslib.native/targets/avx2.h" in found
    foreign = ("onnx", "mlir", "/ascend/", "/cuda/", "array_printer")
    assert not [n for n in found if any(word in n for word in foreign)]


def test_a_simulator_belongs_to_those_who_name_it() -> None:
    assert any(n.startswith("opslib.native/ascend/") for n in names("npu"))
    assert not any("/ascend/" in n for n in names("jax"))


def test_relative_imports_are_found_in_modules_and_packages() -> None:
    text = b"from .axes import (\n    a,\n    b,\n)\nfrom ..ir import expr\n"
    module = set(stamp._imports("opslib.codegen.x", text))
    assert {"opslib.codegen.axes", "opslib.codegen.axes.b", "opslib.ir.expr"} <= module
    package = set(stamp._imports("opslib.codegen", b"from .axes import a\n"))
    assert "opslib.codegen.axes" in package


def test_a_changed_source_changes_the_stamp(monkeypatch: pytest.MonkeyPatch) -> None:
    before = stamp.generator_stamp("numpy")
    changed = dict(stamp._makers())
    changed["opslib.codegen.array_printer"] += b"\n"
    monkeypatch.setattr(stamp, "_makers", lambda: changed)
    assert stamp.generator_stamp.__wrapped__("numpy") != before
    assert stamp.generator_stamp.__wrapped__("cpu") == stamp.generator_stamp("cpu")
