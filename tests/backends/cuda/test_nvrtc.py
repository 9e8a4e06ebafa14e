"""Text to machine code by NVRTC, on a machine without a GPU."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from opslib.backends.cuda import nvrtc
from opslib.backends.cuda.nvrtc import Compiled, Usage
from opslib.backends.cuda.packages import NotInstalled
from opslib.backends.cuda.targets import TARGETS

from opslib.errors import BackendUnavailable, CompileError
from opslib.runtime.cache import default_cache

SM_80, SM_90 = TARGETS["sm_80"], TARGETS["sm_90"]

# As ptxas prints it (CUDA 13.5, and an older form for the second kernel).
REPORT = """\
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'op_a' for 'sm_90a'
ptxas info    : Function properties for op_a
ptxas . 2416 bytes stack frame, 3900 bytes spill stores, 5260 bytes spill loads
ptxas info    : Used 64 registers, used 0 barriers, 2416 bytes cumulative stack size
ptxas info    : Compile time = 148.598 ms
ptxas info    : Compiling entry function 'op_b' for 'sm_90a'
ptxas info    : Function properties for op_b
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 10 registers, used 1 barriers, 1024 bytes smem, 376 bytes cmem[0]
"""


@pytest.fixture
def compiler() -> None:
    try:
        nvrtc.version()
    except NotInstalled as missing:
        pytest.skip(str(missing))


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPSLIB_CACHE_DIR", str(tmp_path / "cache"))


def test_the_report_of_ptxas() -> None:
    spilled, plain = nvrtc.usage(REPORT)
    assert spilled == Usage("op_a", 64, 3900, 5260, 2416, 0, 0)
    assert spilled.spills == 9160
    assert plain == Usage("op_b", 10, 0, 0, 0, 1024, 1)


KERNEL = """\
#include "opslib_cuda.h"

extern "C" __global__ void __launch_bounds__(256) twice(
    const float *__restrict__ x, float *__restrict__ y, int64_t n)
{
    __shared__ float tile[256];
    const int64_t i = (int64_t)blockIdx.x * 256 + threadIdx.x;
    tile[threadIdx.x] = i < n ? x[i] : 0.0f;
    __syncthreads();
    if (i < n) {
        y[i] = tile[threadIdx.x] * 2.0f + tile[255 - threadIdx.x];
    }
}
"""


@pytest.mark.parametrize("name", ["sm_75", "sm_80", "sm_90", "sm_100", "sm_120"])
def test_compiles_without_a_gpu(compiler: None, name: str) -> None:
    made = nvrtc.compile_text(KERNEL, "twice", TARGETS[name])
    assert made.cubin.startswith(b"\x7fELF")
    usage = made.of("twice")
    assert 0 < usage.registers <= 255
    assert usage.shared >= 1024
    assert usage.spills == 0


def test_products_and_sums_are_not_contracted(compiler: None) -> None:
    """x * 2 + z rounds twice, as the spec says: FMUL and FADD, and no FFMA.

    With contraction allowed the machine code differs, so the option reaches ptxas.
    """
    text = KERNEL.replace("* 2.0f +", "* 3.0f +")
    plain = nvrtc.compile_text(text, "twice", SM_90)
    fused = nvrtc.compile_text(
        text.replace(
            "tile[threadIdx.x] * 3.0f + tile[255 - threadIdx.x]",
            "fmaf(tile[threadIdx.x], 3.0f, tile[255 - threadIdx.x])",
        ),
        "twice",
        SM_90,
    )
    assert plain.cubin != fused.cubin
    assert nvrtc.options(SM_90)["fma"] is False
    assert nvrtc.options(SM_90)["use_fast_math"] is False


def test_spills_are_read(compiler: None) -> None:
    """Two hundred live values in 64 registers."""
    text = """extern "C" __global__ void __launch_bounds__(1024) k(float *x, int n)
{
    float a[200];
    for (int i = 0; i < 200; i++) a[i] = x[i * n];
    for (int j = 0; j < n; j++)
        for (int i = 0; i < 200; i++) a[i] = a[i] * a[(i + 7) % 200] + x[j];
    for (int i = 0; i < 200; i++) x[i * n] = a[i];
}
"""
    usage = nvrtc.compile_text(text, "k", SM_90).of("k")
    assert usage.registers == 64
    assert usage.spills > 0


def test_what_spills_is_compiled_sparingly(
    compiler: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second code is taken where it spills less, and no other is made twice."""

    def made(spills: int) -> Compiled:
        return Compiled(b"", (Usage("k", 32, spills, 0, spills, 0, 0),), "")

    for usual, sparing, taken in ((0, 0, 0), (16, 0, 0), (16, 8, 8), (16, 32, 16)):
        asked: list[Any] = []

        def compiles(
            *given: Any,
            asked: list[Any] = asked,
            usual: int = usual,
            sparing: int = sparing,
        ) -> Compiled:
            asked.append(given[4:])
            return made(sparing if given[4:] else usual)

        monkeypatch.setattr(nvrtc, "_compile", compiles)
        assert nvrtc._without_spills("", "k", SM_90, ()).spills == taken
        assert asked == ([(), ((nvrtc._SPARING,),)] if usual else [()])


ROOMY = """\
extern "C" __global__ void __launch_bounds__(256) a(
    int *x) {}
extern "C" __global__ void __launch_bounds__(256) ab(
    int *x) {}
extern "C" __global__ void __launch_bounds__(128, 3) c(
    int *x) {}
"""


def test_room_is_made_only_for_what_spills_and_does_not_say_its_own() -> None:
    text = nvrtc._with_room(ROOMY, ["a", "c"], 2)
    assert text == ROOMY.replace("(256) a(", "(256, 2) a(")
    assert nvrtc._with_room(ROOMY, ["b"], 2) == ROOMY


@pytest.mark.parametrize(("first", "sparing"), [(30, True), (300, False)])
def test_room_is_made_until_nothing_spills(
    monkeypatch: pytest.MonkeyPatch, first: int, sparing: bool
) -> None:
    """Two blocks for each multiprocessor, then one; sparingly before if few spill."""
    left = {"256": first, "256, 2": 10, "256, 1": 0}
    asked: list[str] = []

    def compiles(source: str, *_: Any) -> Compiled:
        found = re.search(r"__launch_bounds__\(([\d, ]+)\) a\(", source)
        assert found is not None
        asked.append(found[1])
        spills = left[found[1]]
        return Compiled(b"", (Usage("a", 32, spills, 0, spills, 0, 0),), "")

    monkeypatch.setattr(nvrtc, "_compile", compiles)
    assert nvrtc._without_spills(ROOMY, "k", SM_90, ()).spills == 0
    assert asked == ["256"] * (1 + sparing) + ["256, 2", "256, 1"]


def test_the_sparing_level_is_one_that_ptxas_knows(compiler: None) -> None:
    made = nvrtc._compile(KERNEL, "twice", SM_90, nvrtc.include_folders(), ("-v",))
    more = (nvrtc._SPARING,)
    spared = nvrtc._compile(KERNEL, "twice", SM_90, nvrtc.include_folders(), more)
    assert spared.of("twice").registers <= made.of("twice").registers
    wrong = (nvrtc._SPARING.replace("register-usage", "no-such"),)
    with pytest.raises(CompileError):
        nvrtc._compile(KERNEL, "twice", SM_90, nvrtc.include_folders(), wrong)


def test_a_second_time_comes_from_the_cache(
    compiler: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = nvrtc.compile_text(KERNEL, "twice", SM_90)

    def refuses(*_: Any) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(nvrtc, "_compile", refuses)
    assert nvrtc.compile_text(KERNEL, "twice", SM_90) == first
    for source, target in ((KERNEL + "\n", SM_90), (KERNEL, SM_80)):
        with pytest.raises(AssertionError, match="compiled again"):
            nvrtc.compile_text(source, "twice", target)
    assert [e.name for e in default_cache().entries()] == ["twice"]


def test_headers_are_part_of_the_key(
    compiler: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A changed header is another kernel."""
    header = tmp_path / "opslib_cuda_own.h"
    header.write_text("#define OWN 1.0f\n")
    folders = nvrtc.include_folders()
    monkeypatch.setattr(nvrtc, "include_folders", lambda: (str(tmp_path), *folders))
    text = '#include "opslib_cuda_own.h"\n' + KERNEL.replace("2.0f", "OWN")
    first = nvrtc.compile_text(text, "twice", SM_90)
    header.write_text("#define OWN 5.0f\n")
    assert nvrtc.compile_text(text, "twice", SM_90).cubin != first.cubin


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (
            KERNEL.replace("y[i] =", "z[i] ="),
            r'identifier "z" is undefined\n  line 11: z\[i\] = tile',
        ),
        (KERNEL.replace("opslib_cuda.h", "nowhere.h"), r'"nowhere.h"\n  line 1: #inc'),
        (KERNEL.replace("[256];", "[90000];"), "too much shared data"),
        (
            KERNEL.replace("__syncthreads();", 'asm("wgmma.fence.sync.aligned;");'),
            "'wgmma.fence' not supported on .target 'sm_80'",
        ),
        ("void host() {}", "without execution space annotations"),
    ],
)
def test_what_the_compiler_refuses(compiler: None, wrong: str, expected: str) -> None:
    """The first error, its line, the log, and what to do."""
    with pytest.raises(CompileError, match=expected) as caught:
        nvrtc.compile_text(wrong, "twice", SM_80)
    assert caught.value.code == "E1002"
    assert "opslib show" in caught.value.help
    assert not default_cache().entries()


def test_the_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise NotInstalled("cuda-bindings is not installed; pip install 'opslib[cuda]'")

    monkeypatch.setattr(nvrtc, "bindings", missing)
    nvrtc.version.cache_clear()
    try:
        with pytest.raises(BackendUnavailable, match=r"pip install 'opslib\[cuda\]'"):
            nvrtc.compile_text(KERNEL, "twice", SM_90)
    finally:
        nvrtc.version.cache_clear()
