"""The two twins of opslib_cuda_ptx.h: the same functions, and NVRTC takes every one."""

from __future__ import annotations

import re
import subprocess
import warnings
from pathlib import Path

import pytest

from .cuda_sim import COMPILERS, CUDA, SIM, compiled_text

REAL = sorted(CUDA.glob("opslib_cuda_ptx*.h"))
TWIN = [SIM / "opslib_cuda_ptx.h", *sorted(SIM.glob("opslib_cuda_sim_ptx_*.h"))]
# Least target of each function, where it is not sm_75; wgmma is of sm_90a alone.
TARGETS = ("sm_75", "sm_80", "sm_89", "sm_90a", "sm_100a", "sm_120a")

TYPES = {"f16": 16, "bf16": 16, "tf32": 8, "e4m3": 32, "e5m2": 32, "s8": 32, "u8": 32}
SIZES = (8, 16, 32, 64, 96, 128, 192, 256)


def preprocessed(path: Path, *flags: str) -> str:
    """What a host compiler sees of a header, definitions of macros expanded."""
    command = [COMPILERS[0], "-E", "-P", "-x", "c++", "-std=c++17", *flags, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout


def functions(text: str) -> dict[str, list[str]]:
    """Name to the names and types of parameters, without the twin's last one."""
    found = {}
    for name, parameters in re.findall(
        r"\b(ops_ptx_\w+)\s*\(((?:[^()]|\([^()]*\))*)\)\s*\{", text
    ):
        cleaned = [re.sub(r"\s+", " ", p.strip()) for p in split(parameters)]
        cleaned = [p for p in cleaned if p and "opslib_cuda_sim::Site" not in p]
        found[name] = [re.sub(r"\s*([*&()\[\]])\s*", r"\1", p) for p in cleaned]
    return found


def split(parameters: str) -> list[str]:
    """At commas outside of brackets."""
    parts, depth = [""], 0
    for c in parameters:
        depth += {"(": 1, "{": 1, "[": 1, ")": -1, "}": -1, "]": -1}.get(c, 0)
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return parts


def real_functions() -> dict[str, list[str]]:
    """As for the target with most: everything is there for sm_90a."""
    names = ("-D__CUDACC__", "-D__CUDACC_RTC__", "-D__CUDA_ARCH__=900",
             "-D__CUDA_ARCH_FEAT_SM90_ALL", "-D__device__=",
             "-D__align__(x)=")  # fmt: skip
    return functions(preprocessed(CUDA / "opslib_cuda_ptx.h", *names))


def twin_functions() -> dict[str, list[str]]:
    text = preprocessed(SIM / "opslib_cuda_ptx.h", f"-I{SIM}")
    return functions(text.replace("int(__builtin_LINE())", "0"))


needs_compiler = pytest.mark.skipif(not COMPILERS, reason="no C++ compiler on Linux")


@needs_compiler
def test_both_have_the_same_functions() -> None:
    real, twin = real_functions(), twin_functions()
    assert len(real) > 150
    assert set(real) == set(twin)
    for name, parameters in real.items():
        plain = [re.sub(r"\[N ?/ ?2\]|\[\d+ ?/ ?2\]", "[]", p) for p in twin[name]]
        wanted = [re.sub(r"\[\d+\]$", "[]", p) for p in parameters]
        if "wgmma_m64" in name:
            plain = [re.sub(r"\[\d+\]$", "[]", p) for p in plain]
        else:
            wanted = parameters
        if name == "ops_ptx_wgmma_hold":
            continue  # the twin has no use for its parameter's name
        assert [types(p) for p in plain] == [types(p) for p in wanted], name


def types(parameter: str) -> str:
    """A parameter without its name."""
    if "(&" in parameter:
        return re.sub(r"\(&\w*\)", "(&)", parameter)
    return re.sub(r"(?<=[\s*&])\w+( = \w+)?$", r"\1", parameter).strip()


def calls() -> str:
    """A kernel that calls each function, as far as the target has it."""
    lines = [
        '#include "opslib_cuda_ptx.h"',
        'extern "C" __global__ void everything(',
        "    const __grid_constant__ ops_tensor_map map, float *f, int *q,",
        "    uint32_t *w, const uint32_t *x) {",
        "    extern __shared__ __align__(1024) unsigned char ops_shared[];",
        "    uint64_t *const bar = reinterpret_cast<uint64_t *>(ops_shared);",
        "    const uint32_t even = ops_ptx_shared_address(ops_shared) % 2;",
        "    void *const sm = ops_shared + 1024 + even;",
        "    float d[4] = {f[0], f[1], f[2], f[3]};",
        "    int32_t n[4] = {q[0], q[1], q[2], q[3]};",
        "    uint32_t a4[4] = {x[0], x[1], x[2], x[3]}, a2[2] = {x[4], x[5]};",
        "    uint32_t b2[2] = {x[6], x[7]}, b1[1] = {x[8]};",
        "    w[40] = ops_ptx_f32_to_f16(f[5]);",
        "    q[4] = ops_ptx_anew(q[5]);",
        "    f[6] = ops_ptx_f16_to_f32(uint16_t(x[9]));",
        "    ops_ptx_mma_m16n8k8_f16(d, a2, b1);",
        "#if __CUDA_ARCH__ >= 800",
    ]
    for shape, name in [(8, "bf16"), (4, "tf32")]:
        lines.append(f"    ops_ptx_mma_m16n8k{shape}_{name}(d, a2, b1);")
    for shape, name in [(16, "f16"), (16, "bf16"), (8, "tf32")]:
        lines.append(f"    ops_ptx_mma_m16n8k{shape}_{name}(d, a4, b2);")
    for name in ("s8", "u8"):
        lines.append(f"    ops_ptx_mma_m16n8k16_{name}(n, a2, b1);")
        lines.append(f"    ops_ptx_mma_m16n8k32_{name}(n, a4, b2);")
    lines += [f"    ops_ptx_cp_async{size}(sm, x, {size});" for size in (4, 8, 16)]
    lines += [
        "    ops_ptx_cp_async_commit();",
        "    ops_ptx_cp_async_wait<0>();",
        "    ops_ptx_cp_async_wait_all();",
        "    ops_ptx_mbarrier_init(bar, 3);",
        "    w[0] = ops_ptx_mbarrier_test_wait(bar, 0);",
        "    ops_ptx_mbarrier_arrive(bar);",
        "    ops_ptx_cp_async_mbarrier_arrive(bar);",
        "    ops_ptx_mbarrier_invalidate(bar);",
        "#endif",
        "#if __CUDA_ARCH__ >= 890",
        "    ops_ptx_mma_m16n8k32_e4m3(d, a4, b2);",
        "    ops_ptx_mma_m16n8k32_e5m2(d, a4, b2);",
        "#endif",
    ]
    for turn in ("", "_trans"):
        for count in (1, 2, 4):
            lines += [
                f"    {{ uint32_t r[{count}]; ops_ptx_ldmatrix_x{count}{turn}(r, sm);",
                f"      for (int i = 0; i < {count}; i++) w[i] += r[i];",
                "#if __CUDA_ARCH__ >= 900",
                f"      ops_ptx_stmatrix_x{count}{turn}(sm, r);",
                "#endif",
                "    }",
            ]
    lines += [
        "    ops_ptx_barrier_sync(1, 64);",
        "    ops_ptx_barrier_arrive(2, 64);",
        "    for (int i = 0; i < 4; i++) f[i] = d[i], q[i] = n[i];",
        "#if __CUDA_ARCH__ >= 900",
        "    ops_ptx_fence_mbarrier_init();",
        "    ops_ptx_fence_proxy_async();",
        "    ops_ptx_mbarrier_expect_tx(bar, 64);",
        "    ops_ptx_mbarrier_arrive_expect_tx(bar, 64);",
        "    w[1] = ops_ptx_mbarrier_try_wait(bar, 1);",
        "    ops_ptx_mbarrier_wait(bar, 0);",
        "    ops_ptx_bulk_load(sm, x, 64, bar);",
        "    ops_ptx_bulk_store(w, sm, 64);",
        "    ops_ptx_bulk_commit();",
        "    ops_ptx_bulk_wait<0>();",
        "    ops_ptx_bulk_wait_read<1>();",
        "    ops_ptx_tensor_prefetch(&map);",
        "    ops_ptx_tensor_load_1d(sm, &map, 1, bar);",
        "    ops_ptx_tensor_load_2d(sm, &map, 1, 2, bar);",
        "    ops_ptx_tensor_load_3d(sm, &map, 1, 2, 3, bar);",
        "    ops_ptx_tensor_store_1d(&map, 1, sm);",
        "    ops_ptx_tensor_store_2d(&map, 1, 2, sm);",
        "    ops_ptx_tensor_store_3d(&map, 1, 2, 3, sm);",
        "    if (ops_ptx_elect())",
        "        w[2] = ops_ptx_cluster_rank() + ops_ptx_cluster_size();",
        "    ops_ptx_cluster_sync();",
        "#endif",
        "#if defined(__CUDA_ARCH_FEAT_SM90_ALL) || defined(__CUDA_ARCH_FEAT_SM100_ALL)",
        "    ops_ptx_registers_decrease<40>();",
        "    ops_ptx_registers_increase<232>();",
        "#endif",
        "    uint64_t da = ops_ptx_wgmma_descriptor(sm, 16, 1024, 128), db = da + 5;",
        "    w[3] = uint32_t(da + db);",
        "#if defined(__CUDA_ARCH_FEAT_SM90_ALL)",
    ]
    for size in SIZES:
        for name, k in TYPES.items():
            kind = "int32_t" if name in ("s8", "u8") else "float"
            call = f"ops_ptx_wgmma_m64n{size}k{k}_{name}"
            lines += [
                f"    {{ {kind} s[{size // 2}];",
                f"      for (int i = 0; i < {size // 2}; i++) s[i] = {kind}(f[i]);",
                "      ops_ptx_wgmma_hold(s);",
                "      ops_ptx_wgmma_fence();",
                f"      {call}(s, da, db);",
                f"      {call}_registers(s, a4, db, false);",
            ]
            if k == 16:
                lines.append(f"      {call}<1, 1>(s, da, db, true);")
                lines.append(f"      {call}_registers<1>(s, a4, db);")
            lines += [
                "      ops_ptx_wgmma_commit();",
                "      ops_ptx_wgmma_wait<0>();",
                "      ops_ptx_wgmma_hold(s);",
                f"      for (int i = 0; i < {size // 2}; i++) f[i] = float(s[i]); }}",
            ]
    lines += ["#endif", "}", ""]
    return "\n".join(lines)


@needs_compiler
def test_each_function_is_called_below() -> None:
    assert set(re.findall(r"ops_ptx_\w+", calls())) == set(real_functions())


@needs_compiler
@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_twin_compiles(compiler: str) -> None:
    everything = "-D__CUDA_ARCH_FEAT_SM90_ALL\n"
    define = f"#define {everything.removeprefix('-D').strip()}\n"
    unit = compiled_text(define + calls(), compiler)
    assert hasattr(unit.library, "everything_sim")


@pytest.mark.parametrize("target", TARGETS)
def test_nvrtc_takes_each_function(target: str) -> None:
    core = pytest.importorskip("cuda.core", reason="opslib[cuda] is not installed")
    options = core.ProgramOptions(
        std="c++17", arch=target, include_path=[str(CUDA), str(CUDA.parent)]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            program = core.Program(calls(), "c++", options)
        except Exception as error:  # no NVRTC beside the bindings
            pytest.skip(f"no NVRTC: {error}")
        code = program.compile("cubin").code
    assert code[:4] == b"\x7fELF"


def test_the_header_reads_as_asm_only_where_it_should() -> None:
    # No asm elsewhere, so that the twins are all there is.
    for path in sorted(CUDA.glob("*.h")):
        if path not in REAL:
            assert not re.search(r"\basm\b", path.read_text("utf-8")), path.name
    for path in TWIN:
        assert not re.search(r"\basm\b", path.read_text("utf-8")), path.name
