"""Programs as linalg MLIR: printed, run by LLVM's tools, planned by BiShengIR."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from opslib.codegen.mlir_function import Function
from opslib.codegen.mlir_style import Kernel, render
from opslib.codegen.mlir_value import Value, grouped, literal
from opslib.dispatch.handle import Handle
from opslib.errors import BackendUnavailable, CompileError
from opslib.ir.dtypes import BFLOAT16, BOOL, FLOAT16, FLOAT32, FLOAT64, INT64, UINT8
from opslib.runtime import bishengir as compiler
from opslib.runtime import mlir_host as host
from opslib.testing import mlir_table
from opslib.testing.inputs import make_case

needs_tools = pytest.mark.skipif(
    host.missing_tools() is not None, reason=str(host.missing_tools())
)
needs_compiler = pytest.mark.skipif(
    compiler.missing() is not None, reason=str(compiler.missing())
)
# An operator of each way in which a tensor graph computes or moves.
OPERATORS = (
    ("add", "int32"), ("gelu", "float32"), ("softmax", "float32"),
    ("matmul", "float16"), ("layer_norm", "float16"), ("where", "float32"),
    ("transpose", "float32"), ("embedding", "float32"), ("cumsum", "float32"),
    ("sort", "float32"), ("argmax", "int32"), ("conv1d", "float32"),
    ("scatter_add", "float32"), ("floor_divide", "int32"), ("tril", "float32"),
    ("flip", "int32"), ("linear_recurrence", "float32"), ("isnan", "float16"),
)  # fmt: skip


def of(operator: str, dtype: str = "float32") -> Kernel:
    case = mlir_table.small_case(operator, dtype)
    assert case is not None
    return mlir_table.kernel_of(case)


# --- Printing ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [(1.5, FLOAT32, "1.500000000e+00"), (-np.inf, FLOAT32, "0xFF800000"),
     (np.inf, BFLOAT16, "0x7F80"), (np.nan, FLOAT16, "0x7E00"),
     (np.nan, FLOAT64, "0x7FF8000000000000"), (200, UINT8, "-56"), (7, INT64, "7"),
     (True, BOOL, "true")],
)  # fmt: skip
def test_numbers_are_written_as_mlir_reads_them(
    value: Any, dtype: Any, text: str
) -> None:
    assert literal(value, dtype) == text


@pytest.mark.parametrize(
    ("source", "target", "middle"),
    [((6,), (2, 3), (6,)), ((2, 3, 1), (2, 3), (2, 3)), ((4, 6), (2, 12), (24,)),
     ((1, 5), (5,), (5,)), ((), (1, 1), ()), ((2, 3, 4), (6, 2, 2), (6, 4))],
)  # fmt: skip
def test_a_reshape_joins_no_more_than_it_must(
    source: Sequence[int], target: Sequence[int], middle: Sequence[int]
) -> None:
    assert grouped(source, target)[0] == tuple(middle)


def test_the_text_is_the_same_each_time_and_names_no_value_twice() -> None:
    text = of("softmax").text
    assert text == of("softmax").text
    made = [line.split(" = ")[0].strip() for line in text.splitlines() if " = " in line]
    made = [name for name in made if name.startswith("%")]
    assert len(made) == len(set(made))
    assert "math.exp" in text
    assert "linalg.reduce" in text


def test_a_product_of_halves_reads_halves_and_sums_floats() -> None:
    text = of("matmul", "float16").text
    (line,) = [x for x in text.splitlines() if "matmul ins" in x]
    given, made = line.split(" outs")
    assert "xf16>" in given
    assert "xf32>" not in given
    assert "xf32>" in made
    assert 'mix_mode = "mix"' in text
    assert 'mix_mode = "aiv"' in of("add").text


def test_arrays_of_constants_are_arguments() -> None:
    # The compiler crashes on a literal of several numbers.
    kernel = of("tril")
    assert kernel.tables
    assert "dense<[" not in kernel.text
    assert kernel.text.count("%table") >= 3


def test_what_has_no_form_is_named() -> None:
    case = make_case(Handle("nextafter"), "float32", 1)
    with pytest.raises(NotImplementedError, match="nextafter"):
        mlir_table.kernel_of(case)


def test_counting_is_done_by_the_kernel() -> None:
    function = Function()
    steps = Value("", (5, 1), INT64, np.arange(3, 18, 3).reshape(5, 1))
    assert function.ready(steps).shape == (5, 1)
    assert not function.tables
    assert any("linalg.index" in line for line in function.lines)


# --- The host ------------------------------------------------------------------------


@needs_tools
@pytest.mark.parametrize(("operator", "dtype"), OPERATORS)
def test_kernels_run_on_the_host_within_the_bounds(operator: str, dtype: str) -> None:
    case = mlir_table.small_case(operator, dtype)
    assert case is not None
    assert mlir_table.executed(case) is None


@needs_tools
def test_a_wrong_kernel_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    case = mlir_table.small_case("add", "float32")
    assert case is not None
    kernel = mlir_table.kernel_of(case)
    wrong = Kernel(
        kernel.name,
        kernel.text.replace("arith.addf", "arith.subf"),
        kernel.inputs,
        kernel.tables,
        kernel.outputs,
    )
    monkeypatch.setattr(mlir_table, "kernel_of", lambda case: wrong)
    assert "times the bound" in str(mlir_table.executed(case))


@needs_tools
def test_results_are_those_of_numpy(programs: ModuleType) -> None:
    # Tails: no length is a multiple of a vector.
    x = np.random.default_rng(0).standard_normal((13, 37)).astype(np.float32)
    case = programs.case("softmax", {"x": x}, {"axis": -1})
    module = host.Module.of(render(case.program, case.sizes, case.scalars))
    (made,) = module(case.arrays)
    wanted = np.exp(x - x.max(1, keepdims=True))
    wanted /= wanted.sum(1, keepdims=True)
    np.testing.assert_allclose(made.reshape(x.shape), wanted, rtol=2e-6, atol=0)


@needs_tools
def test_a_tool_that_fails_is_named() -> None:
    kernel = of("add")
    broken = Kernel("add", "module {", kernel.inputs, (), kernel.outputs)
    with pytest.raises(CompileError, match=r"mlir-opt-19 failed: .*error"):
        host.Module.of(broken)


def test_missing_tools_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host.shutil, "which", lambda name: None)
    assert "mlir-19-tools" in str(host.missing_tools())


# --- The official compiler -----------------------------------------------------------


@needs_compiler
@pytest.mark.parametrize("target", compiler.TARGETS)
@pytest.mark.parametrize(("operator", "dtype"), OPERATORS)
def test_operators_are_planned(operator: str, dtype: str, target: str) -> None:
    verdict = compiler.plan(of(operator, dtype).text, target)
    assert verdict.state == "planned", verdict.reason
    assert "hivm.hir" in verdict.plan


@needs_compiler
@pytest.mark.parametrize("target", compiler.TARGETS)
def test_what_exceeds_the_buffer_is_refused(target: str, programs: ModuleType) -> None:
    x = np.zeros((512, 512), np.float32)
    case = programs.case("add", {"x1": x, "x2": x})
    text = render(case.program, case.sizes, case.scalars).text
    verdict = compiler.plan(text, target)
    assert verdict.state == "refused"
    assert "ub overflow" in verdict.reason


def test_a_missing_compiler_is_a_reason_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compiler, "_folder", lambda: None)
    assert "opslib[ascend-check]" in str(compiler.missing())
    with pytest.raises(BackendUnavailable, match="ascend-check"):
        compiler.plan("module {}", "Ascend910B1")


def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str) -> None:
    """A compiler that is a shell script; ``$5`` is where plans are kept."""
    program = tmp_path / "bishengir-compile"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(compiler, "_folder", lambda: str(tmp_path))


NOISE = "echo '[ERROR] Cannot find hivmc under $PATH' >&2"
REFUSES = "echo 'loc(\"k.mlir\":1:2): error: no such thing' >&2; exit 1"
PLANS = """
for a; do case $a in --save-temps=*) d=${a#*=};; esac; done
mkdir -p $d; echo planned > $d/module.hivm.opt.mlir; exit 1
"""


@pytest.mark.parametrize(
    ("script", "state", "reason"),
    [
        (f"{NOISE}; {REFUSES}", "refused", "no such thing"),
        ("echo 'a.cpp:3: f(): Assertion `x failed.'; exit 134", "crashed", "`x failed"),
        ("echo 'LLVM ERROR: unsupported' >&2; exit 134", "crashed", "LLVM ERROR"),
        ("kill -SEGV $$", "crashed", "exit -11"),
        ("exit 3", "refused", "exit 3"),
        (PLANS, "planned", ""),
    ],
)
def test_what_the_compiler_says_becomes_a_verdict(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    script: str,
    state: str,
    reason: str,
) -> None:
    fake(monkeypatch, tmp_path, script)
    verdict = compiler.plan("module {}", "Ascend910B1")
    assert (verdict.state, reason in verdict.reason) == (state, True)
    assert str(tmp_path) not in verdict.reason


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads Linux's /proc")
def test_a_compiler_that_does_not_end_is_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # So are the programs that it started: `&` makes one that outlives its parent.
    started = tmp_path / "started"
    fake(monkeypatch, tmp_path, f"sleep 60 & echo $! > {started}; wait")
    verdict = compiler.plan("module {}", "Ascend910B1", seconds=1.0)
    assert verdict.state == "timeout"
    child = int(started.read_text())
    for _ in range(50):
        if not _runs(child):
            return
        time.sleep(0.1)
    pytest.fail("a child of the compiler is still there")


def _runs(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


# --- The table -----------------------------------------------------------------------


def test_the_table_counts_and_gives_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(text: str, target: str) -> compiler.Verdict:
        if target == "Ascend910B1":
            return compiler.Verdict(target, "planned")
        return compiler.Verdict(target, "refused", "a | b")

    monkeypatch.setattr(mlir_table, "plan", answer)
    work = [("add", "float32"), ("nextafter", "float32")]
    page = mlir_table.markdown(list(mlir_table.rows(work)))
    assert "Ascend910B1: 1 of 2 operators are planned" in page
    assert "Ascend950PR_9589: 0 of 2" in page
    assert "| planned | refused | a / b |" in page
    assert "| unprinted | unprinted | the primitive 'nextafter' |" in page


def test_the_committed_table_is_of_this_catalogue() -> None:
    folder = Path(__file__).resolve().parents[3]
    page = (folder / "docs/npu-bishengir-operators.md").read_text(encoding="utf-8")
    for operator, dtype in mlir_table.pairs(mlir_table.DTYPES):
        assert f"\n| {operator} | {dtype} |" in page
