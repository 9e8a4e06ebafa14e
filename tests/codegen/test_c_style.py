"""The printed C: goldens that reviews see change, and the small rules behind it."""

from __future__ import annotations

import importlib.util
import math
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from opslib.codegen.c_names import RESERVED, Names, mangle
from opslib.codegen.c_style import print_kernel, print_unit, symbol, wrapped
from opslib.codegen.c_types import constant
from opslib.ir.dtypes import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, INT32, INT64, UINT64
from opslib.lowering import lower
from opslib.runtime.toolchain import find_toolchain, native_folder


@pytest.fixture(scope="module")
def forms() -> ModuleType:
    """Hand-made programs of tests/lowering/forms.py."""
    file = Path(__file__).parents[1] / "lowering" / "forms.py"
    spec = importlib.util.spec_from_file_location("opslib_test_forms", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "name", ["add", "shifted", "softmax", "sum_columns", "transpose", "scatter", "sort"]
)
def test_golden(
    forms: ModuleType, golden: Callable[[str, str], None], name: str
) -> None:
    golden(f"golden/c/{name}.c", print_kernel(lower(getattr(forms, name)())))


def test_printing_is_deterministic(forms: ModuleType) -> None:
    for make in forms.ALL:
        assert print_kernel(lower(make())) == print_kernel(lower(make())), make.__name__


def test_lines_are_short(forms: ModuleType) -> None:
    for make in forms.ALL:
        for line in print_kernel(lower(make())).splitlines():
            assert len(line) <= 100, (make.__name__, line)


def test_every_kernel_compiles_without_a_warning(
    forms: ModuleType, tmp_path: Path
) -> None:
    compiler = find_toolchain()
    source = tmp_path / "all.c"
    source.write_text(print_unit([lower(make()) for make in forms.ALL]))
    flags = ["-std=gnu11", "-O0", "-Wall", "-Wextra", "-Wno-psabi", "-fsyntax-only"]
    flags += ["-Wno-unused-function", "-Wno-unused-variable"]
    flags += ["-Wno-unused-but-set-variable", "-Wno-type-limits", "-Werror"]
    ran = subprocess.run(
        [*compiler.argv, *flags, "-I", str(native_folder()), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def test_names_cannot_clash() -> None:
    for name in ("int", "linux", "lambda", "unix", "NULL", "__x", "ops_load_f32", "I"):
        assert mangle(name) != name
        assert mangle(name) not in RESERVED
    assert mangle("row_fold") == "row_fold"
    names = Names()
    assert [names.fresh("x"), names.fresh("x"), names.fresh("int")] == [
        "x",
        "x_2",
        "int_",
    ]


def test_mangled_names_stay_apart() -> None:
    given = ["a", "a_", "int", "int_", "_int", "α", "β", "1", "v_1", "A", "AB"]
    names = Names()
    assert len({names.fresh(n) for n in given}) == len(given)


@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [
        (1.0, FLOAT32, "1.0f"),
        (0.5, FLOAT64, "0.5"),
        (1e-5, FLOAT32, "0x1.4f8b58p-17f"),
        (-math.inf, FLOAT32, "-INFINITY"),
        (math.nan, FLOAT64, "(double)NAN"),
        (0.1, FLOAT16, "0x1.998p-4f"),
        (0.1, BFLOAT16, "0x1.9ap-4f"),
        (-(1 << 63), INT64, "INT64_MIN"),
        (-(1 << 31), INT32, "INT32_MIN"),
        (1 << 40, INT64, "INT64_C(1099511627776)"),
        ((1 << 64) - 1, UINT64, "UINT64_C(18446744073709551615)"),
    ],
)
def test_constants(value, dtype, text: str) -> None:
    assert constant(value, dtype)[0] == text


@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT64])
def test_constants_are_exact(dtype) -> None:
    rng = np.random.default_rng(0)
    for value in rng.normal(size=200) * 10.0 ** rng.integers(-30, 30, 200):
        text = constant(float(value), dtype)[0].removesuffix("f")
        found = float.fromhex(text) if "x" in text else float(text)
        assert dtype.numpy.type(found) == dtype.numpy.type(value)


def test_a_docstring_cannot_end_the_comment(forms: ModuleType) -> None:
    import dataclasses

    kernel = dataclasses.replace(lower(forms.add()), notes=("evil */ int x; \\",))
    head = print_kernel(kernel).partition("OPS_EXPORT")[0]
    comment = head[head.rindex("/*") :]
    assert comment.count("*/") == 1
    assert "\\" not in comment


def test_wrapping() -> None:
    line = "    f(" + ", ".join(f"argument_{k}" for k in range(12)) + ");"
    parts = wrapped(line)
    assert all(len(p) <= 92 for p in parts)
    assert "".join(p.strip() for p in parts).replace(" ", "") == line.replace(" ", "")


def test_symbols(forms: ModuleType) -> None:
    assert symbol(lower(forms.add(), name="int")) == "opslib_int_"
