"""Generated CUDA under NVIDIA's compiler, which needs no GPU."""

from __future__ import annotations

from pathlib import Path

import pytest
from opslib.backends.cuda import lower as lowering
from opslib.backends.cuda import nvrtc, renderer
from opslib.backends.cuda.packages import NotInstalled
from opslib.backends.cuda.targets import TARGETS

import opslib
from opslib.dispatch.inspection import sample_program

GOLDEN = sorted((Path(__file__).parents[2] / "golden" / "cuda").glob("*.cu"))
ARCHITECTURES = ("sm_80", "sm_90", "sm_100")
# ptxas puts a few values of no loop into memory where that makes room for more threads;
# what a loop needs would be hundreds of bytes.
SPILLED = 64
# Kernels of one unit: parsing the headers costs as much as a dozen of them.
UNIT = 12


@pytest.fixture(autouse=True)
def _compiler() -> None:
    try:
        nvrtc.version()
    except NotInstalled as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("file", GOLDEN, ids=lambda f: f.stem)
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_golden_kernels_compile(arch: str, file: Path) -> None:
    made = nvrtc.compile_text(file.read_text("utf-8"), file.stem, TARGETS[arch])
    for usage in made.usage:
        assert usage.registers <= 128, usage
        assert usage.spills <= SPILLED, usage


@pytest.mark.deep
@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "int32"])
def test_the_catalogue_compiles(arch: str, dtype: str) -> None:
    """For arrays of any strides, and float64, which test_catalogue.py leaves out."""
    kernels = []
    for k, name in enumerate(opslib.operators()):
        handle = getattr(opslib, name).handle
        try:
            program = sample_program(handle, dtype, rank=2)
        except opslib.OpslibError:
            continue  # an operator without this type
        kernels.append(lowering.lower(program, {}, TARGETS[arch], f"{name}_{k}"))
    assert len(kernels) > 100
    for k in range(0, len(kernels), UNIT):
        text = renderer.print_unit(kernels[k : k + UNIT])
        assert nvrtc.compile_text(text, f"unit {k}", TARGETS[arch]).cubin
