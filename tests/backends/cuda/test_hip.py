"""The kernels as HIP, compiled for AMD's chips by clang, which hiprtc is made of.

ROCm is not needed: `hip_world.h` says what its headers give. Nothing is run but in the
simulator, whose warps are 64 wide then (test_render.py).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
from opslib.backends.cuda.dialect import HIP
from opslib.backends.cuda.launch import unique_name
from opslib.backends.cuda.lower import lower
from opslib.backends.cuda.nvrtc import include_folders
from opslib.backends.cuda.renderer import print_unit
from opslib.backends.cuda.targets import TARGETS

from opslib.dispatch.handle import Handle
from opslib.dispatch.inspection import sample_program

WORLD = Path(__file__).with_name("hip_world.h")
TARGET = TARGETS["gfx90a"]
# One of each skeleton, and of each kind of helper: 16-bit floats, shuffles, atomics.
# Functions of float64 are ROCm's, and need its library.
CASES = (
    ("gelu", "bfloat16"),
    ("softmax", "float16"),
    ("argmax", "float32"),
    ("cumsum", "float64"),
    ("sort", "int32"),
    ("matrix_transpose", "int8"),
    ("take", "float16"),
    ("scatter_add", "float32"),
    ("matmul", "float16"),
    ("matmul", "int64"),
    ("conv2d", "float32"),
    ("scaled_dot_product_attention", "bfloat16"),
    ("varlen_attention", "float32"),
)


@cache
def compiler() -> str | None:
    """A clang++ that knows AMD's chips."""
    for name in ("amdclang++", "clang++"):
        found = shutil.which(name)
        if found is not None:
            command = [found, "-print-targets"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if "amdgcn" in done.stdout:
                return found
    return None


@pytest.mark.slow
@pytest.mark.parametrize(("name", "dtype"), CASES, ids=lambda v: str(v))
def test_kernels_compile(name: str, dtype: str, tmp_path: Path) -> None:
    """For waves of 64 lanes; no vector register goes to memory."""
    clang = compiler()
    if clang is None:
        pytest.skip("no clang++ that knows AMD's chips")
    program = sample_program(Handle(name), dtype)
    tensors = (*program.inputs, *program.outputs)
    layout = {t.name: "contiguous-inner" for t in tensors}
    made = lower(program, layout, TARGET, unique_name(program, ("h",)), HIP)
    source, text = tmp_path / "kernel.hip", tmp_path / "kernel.s"
    source.write_text(print_unit([made], HIP), "utf-8")
    command = [
        clang, "-x", "hip", "--cuda-device-only", f"--offload-arch={TARGET.arch}",
        "-nogpuinc", "-nogpulib", "-std=c++17", "-O2", "-ffp-contract=off",
        "-Wall", "-Werror", "-Wno-unused-function", "-Wno-pass-failed",
        "-include", str(WORLD), *(f"-I{f}" for f in include_folders()),
        "-S", "-o", str(text), str(source),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = text.read_text("utf-8")
    kernels = re.findall(r"^\s*\.amdhsa_kernel (\w+)$", report, re.MULTILINE)
    assert kernels == [launch.name for launch in made.launches]
    waves = re.findall(r"\.wavefront_size: +(\d+)", report)
    assert set(waves) == {str(TARGET.warp)}
    spills = re.findall(r"\.vgpr_spill_count: +(\d+)", report)
    assert [int(x) for x in spills] == [0] * len(kernels)
