"""The target table, held to NVIDIA's own compiler: each instruction on each row."""

from __future__ import annotations

import pytest
from opslib.backends.cuda import nvrtc
from opslib.backends.cuda.packages import NotInstalled
from opslib.backends.cuda.targets import TARGETS, GpuTarget

from opslib.errors import CompileError

CUDA = [t for t in TARGETS.values() if t.dialect == "cuda"]


def _compiles(body: str, target: GpuTarget) -> bool:
    """Whether ptxas takes the statements for a target."""
    text = (
        'extern "C" __global__ void k(unsigned *r, void *g, unsigned s)\n{\n'
        f"    float *f = (float *)r;\n    double *d = (double *)r;\n    {body}\n}}\n"
    )
    try:
        nvrtc.compile_text(text, "k", target)
    except CompileError:
        return False
    return True


@pytest.fixture(autouse=True)
def _compiler() -> None:
    try:
        nvrtc.version()
    except NotInstalled as missing:
        pytest.skip(str(missing))


# Names in PTX of operands and sums, and bits of an operand.
_OPERANDS = {
    "float16": ("f16", "f32", 16),
    "bfloat16": ("bf16", "f32", 16),
    "tfloat32": ("tf32", "f32", 32),
    "int8": ("s8", "s32", 8),
    "float8_e4m3": ("e4m3", "f32", 8),
    "float8_e5m2": ("e5m2", "f32", 8),
    "float64": ("f64", "f64", 64),
}


def mma(dtype: str, shape: tuple[int, int, int]) -> str:
    """One mma.sync as inline assembly (PTX ISA, "Multiply-and-Accumulate: mma")."""
    operand, total, bits = _OPERANDS[dtype]
    m, n, k = shape
    unit = max(bits, 32)
    a, b = m * k * bits // 32 // unit, n * k * bits // 32 // unit
    c = m * n // 32
    kind, place = ("d", "d") if dtype == "float64" else ("f", "f")
    if total == "s32":
        kind, place = "r", "r"
    given = ("d", "d") if dtype == "float64" else ("r", "r")
    slots = iter(range(100))

    def group(count: int) -> str:
        return "{" + ", ".join(f"%{next(slots)}" for _ in range(count)) + "}"

    text = ", ".join((group(c), group(a), group(b)))
    sums = "{" + ", ".join(f"%{i}" for i in range(c)) + "}"
    outs = ", ".join(f'"+{kind}"({place}[{i}])' for i in range(c))
    ins = ", ".join(f'"{given[0]}"({given[1]}[{i}])' for i in range(a + b))
    return (
        f'asm volatile("mma.sync.aligned.m{m}n{n}k{k}.row.col.'
        f'{total}.{operand}.{operand}.{total} {text}, {sums};" : {outs} : {ins});'
    )


@pytest.mark.parametrize("target", CUDA, ids=lambda t: t.name)
def test_matrix_shapes(target: GpuTarget) -> None:
    """What a row has compiles, and what it lacks of the largest rows does not."""
    for dtype, shapes in target.mma.items():
        for shape in shapes:
            assert _compiles(mma(dtype, shape), target), (dtype, shape)
    for dtype, shapes in TARGETS["sm_90"].mma.items():
        for shape in shapes:
            if shape not in target.mma.get(dtype, ()):
                assert not _compiles(mma(dtype, shape), target), (dtype, shape)


_FEATURES = {
    "cp_async": 'asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" :: "r"(s), '
    '"l"(g));',
    "clusters": 'asm volatile("barrier.cluster.arrive.aligned;");',
    "tma": 'asm volatile("cp.async.bulk.tensor.1d.shared::cluster.global.tile.'
    'mbarrier::complete_tx::bytes [%0], [%1, {%2}], [%0];" :: "r"(s), "l"(g), "r"(s));',
    "wgmma": 'asm volatile("wgmma.fence.sync.aligned;");',
    "tcgen05": 'asm volatile("tcgen05.fence::before_thread_sync;");',
}


@pytest.mark.parametrize("feature", _FEATURES)
@pytest.mark.parametrize("target", CUDA, ids=lambda t: t.name)
def test_features(target: GpuTarget, feature: str) -> None:
    assert _compiles(_FEATURES[feature], target) == getattr(target, feature)


@pytest.mark.parametrize("target", CUDA, ids=lambda t: t.name)
def test_static_shared_memory(target: GpuTarget) -> None:
    """ptxas holds static arrays to 48 KiB, where it does not know a launch's wish."""
    for size, fits in (
        (target.shared_per_block, True),
        (target.shared_per_block + 4, False),
    ):
        body = (
            f"__shared__ char t[{size}]; t[threadIdx.x] = (char)s; __syncthreads(); "
            "r[0] = t[s];"
        )
        if target.number < 90:  # Its limit is the static one.
            fits = size <= target.shared_static
        assert _compiles(body, target) == fits, size


def test_rows_agree_with_themselves() -> None:
    for name, t in TARGETS.items():
        assert t.name == name
        assert t.threads_per_block % t.warp == 0
        assert t.shared_static <= t.shared_per_block <= t.shared_per_sm
        assert t.threads_per_block <= t.threads_per_sm
        for shapes in t.mma.values():
            volumes = [m * n * k for m, n, k in shapes]
            assert volumes == sorted(volumes, reverse=True)
