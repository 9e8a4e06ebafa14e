"""Generated kernels through NVIDIA's compiler: registers and spills of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
from opslib.backends.cuda import nvrtc
from opslib.backends.cuda.launch import unique_name
from opslib.backends.cuda.lower import lower
from opslib.backends.cuda.nvrtc import Usage
from opslib.backends.cuda.packages import NotInstalled
from opslib.backends.cuda.renderer import print_unit
from opslib.backends.cuda.targets import TARGETS, GpuTarget

from opslib.dispatch.handle import Handle
from opslib.dispatch.inspection import sample_program

from . import catalogue_survey as catalogue

ARCHITECTURES = ("sm_80", "sm_90", "sm_100")
# One program in so many, from all over the catalogue.
SLICE = 83
# One or two of each skeleton. Attention and sorts take ptxas tens of seconds each.
USUAL = (
    ("add", "float32"),
    ("gelu", "bfloat16"),
    ("transpose", "float16"),
    ("sum", "float32"),
    ("rms_norm", "float16"),
    ("embedding", "float32"),
    ("scatter_add", "float32"),
    ("cumsum", "float64"),
    ("matmul", "float32"),
    ("matmul", "bfloat16"),
)


@pytest.fixture(autouse=True)
def _compiler() -> None:
    try:
        nvrtc.version()
    except NotInstalled as missing:
        pytest.skip(str(missing))


def compiled(name: str, dtype: str, target: GpuTarget) -> tuple[Usage, ...]:
    """All launches of a typical call, compiled."""
    program = sample_program(Handle(name), dtype)
    tensors = (*program.inputs, *program.outputs)
    layout = {t.name: "contiguous-inner" for t in tensors}
    made = lower(program, layout, target, unique_name(program, ("c",)))
    found = nvrtc.compile_text(print_unit([made]), made.name, target)
    wanted = {launch.name for launch in made.launches}
    assert {u.name for u in found.usage} == wanted
    assert catalogue.complaints(found.log) == ()
    return found.usage


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("name", "dtype"), USUAL, ids=lambda v: str(v))
def test_usual_kernels(name: str, dtype: str, architecture: str) -> None:
    """They compile, within the registers of the chip."""
    target = TARGETS[architecture]
    for usage in compiled(name, dtype, target):
        assert usage.registers <= target.registers_per_thread
        assert usage.shared <= target.shared_static, usage


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dtype", "architecture"),
    [
        *product(["matmul"], ["float32", "bfloat16"], ARCHITECTURES),
        # A long epilogue, and two sums for each place.
        ("addmm", "float32", "sm_80"),
        ("gate_up", "float32", "sm_80"),
    ],
)
def test_products_do_not_spill(name: str, dtype: str, architecture: str) -> None:
    """A tile that did not fit the registers would be several times slower.

    Launches for a few rows hold no tiles, and are bound by memory.
    """
    for usage in compiled(name, dtype, TARGETS[architecture]):
        assert usage.spills == 0 or "_rows" in usage.name, usage


@pytest.mark.slow
def test_what_spills_at_the_compilers_choice_is_given_room() -> None:
    """252 bytes of conv_transpose2d, as ptxas chooses."""
    for usage in compiled("conv_transpose2d", "float32", TARGETS["sm_100"]):
        assert usage.spills == 0, usage


ATTENTION = ("attention", "paged_prefill_attention", "scaled_dot_product_attention")
# Without tensor cores and with them, in the fewest seconds.
SHORT = (
    ("attention", "float32", "sm_80"),
    ("scaled_dot_product_attention", "bfloat16", "sm_100"),
)


def attention_cases() -> Iterator[Any]:
    """All combinations, of which the compiler needs 5 to 80 seconds each."""
    for name in ATTENTION:
        for dtype in ("float32", "bfloat16"):
            for architecture in ARCHITECTURES:
                case = name, dtype, architecture
                mark = pytest.mark.slow if case in SHORT else pytest.mark.deep
                yield pytest.param(*case, marks=mark)


@pytest.mark.parametrize(("name", "dtype", "architecture"), list(attention_cases()))
def test_attention_does_not_spill(name: str, dtype: str, architecture: str) -> None:
    """With all its options, and where rows of a block see different values."""
    for usage in compiled(name, dtype, TARGETS[architecture]):
        # Launches that hold tables of pages to their bounds, once an entry and before
        # the others: one spills 4 bytes on sm_90.
        if "_check" not in usage.name:
            assert usage.spills == 0, usage


def test_a_variable_that_nobody_uses_is_a_complaint() -> None:
    text = """extern "C" __global__ void k(int *x) {
    const int unused = x[0];
    x[1] = 2;
}
"""
    log = nvrtc.compile_text(text, "k", TARGETS["sm_90"]).log
    assert "Compiling entry function" in log
    first, *_ = catalogue.complaints(log)
    assert 'variable "unused" was declared but never referenced' in first
    used = text.replace("= 2", "= unused")
    log = nvrtc.compile_text(used, "k", TARGETS["sm_90"]).log
    assert catalogue.complaints(log) == ()


@pytest.mark.slow
def test_a_slice_of_the_catalogue() -> None:
    """Whole, it takes hours: the last test."""
    found = catalogue.survey(list(catalogue.pairs())[::SLICE], ["sm_90"])
    assert [text for f in found for text in f.bad()] == []
    assert len(found) > 10


@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "first"), [("sm_75", 20), ("sm_120", 56)])
def test_a_slice_for_other_chips(architecture: str, first: int) -> None:
    """They compile without a word. Spills are counted for the three above alone.

    On sm_120 the 128 x 128 sums of int32 `bmm` have 24 bytes.
    """
    found = catalogue.survey(list(catalogue.pairs())[first::SLICE], [architecture])
    assert [text for f in found for text in f.complaints] == []
    assert len(found) > 10


@pytest.mark.deep
def test_the_catalogue(golden: Callable[[str, str], None]) -> None:
    """With --update-golden it writes the table of the documentation.

    Cut short, it goes on where it was: the kernel cache has what is compiled.
    """
    found = catalogue.survey(list(catalogue.pairs()), ARCHITECTURES)
    assert [text for f in found for text in f.bad()] == []
    golden("../docs/cuda-kernels.md", catalogue.markdown(found))
