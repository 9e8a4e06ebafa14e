"""Generated kernels and the mathematics on processors that are not here, by qemu-user.

Each row of native/targets that this machine cannot run is cross-compiled by zig cc (the
ziglang package) into a static program, which qemu runs. Maps, casts and whatever is
exact must give the bits that this machine's kernels give; sums in another order are
held to a bound.
"""

from __future__ import annotations

import importlib.util
import shutil
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import pytest
from opslib.backends.cpu.units import Variant

import opslib
from opslib.codegen.c_style import print_unit, symbol
from opslib.lowering import cpu_target, lower

HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "native"
RNG = np.random.default_rng(5)
NAMES = """
    exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh
    acosh atanh erf erfc cbrt sigmoid softplus log_sigmoid silu gelu gelu_tanh sqrt
    rsqrt floor ceil trunc round sign
"""
FUNCTIONS = NAMES.split()


class Machine(NamedTuple):
    """A row, and how to compile for it and run it."""

    row: str
    lanes: int
    flags: tuple[str, ...]
    qemu: tuple[str, ...]
    arm: bool = False

    def __str__(self) -> str:
        return f"{self.row}-{self.lanes * 32}"


def _sve(bits: int) -> Machine:
    flags = ("-target", "aarch64-linux-musl", "-mcpu=generic+sve")
    length = f"max,sve{bits}=on,sve-default-vector-length={bits // 8}"
    return Machine(
        "sve",
        bits // 32,
        (*flags, f"-msve-vector-bits={bits}"),
        ("qemu-aarch64", "-cpu", length),
        True,
    )


def _rvv(bits: int) -> Machine:
    cpu = f"-mcpu=generic_rv64+m+a+f+d+c+v+zvl{bits}b"
    return Machine(
        "rvv",
        bits // 32,
        ("-target", "riscv64-linux-musl", cpu, f"-mrvv-vector-bits={bits}"),
        ("qemu-riscv64", "-cpu", f"rv64,v=true,vlen={bits}"),
    )


MACHINES = [
    Machine("neon", 4, ("-target", "aarch64-linux-musl"), ("qemu-aarch64",), True),
    *map(_sve, (128, 256, 512)),
    *map(_rvv, (128, 256, 512)),
]


def _floats(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype(np.float32) * 3


def _whole(*shape: int) -> Any:
    """Whole numbers so small that any order of sums is exact."""
    return RNG.integers(-8, 9, shape).astype(np.float32)


BF16 = ml_dtypes.bfloat16
SPECIAL = np.array(
    [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-41, -1e-41, 6e-8, 65504, 3.4e38],
    np.float32,
)
WIDE = np.concatenate([SPECIAL, _floats(91)])
with np.errstate(over="ignore"):
    HALVES = WIDE.astype(np.float16)
# name: operator, arrays by parameter, attributes, largest relative difference
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any], float]] = {
    "map": ("gelu", {"input": _floats(67)}, {}, 0),
    "map_tail": ("add", {"x1": _floats(3), "x2": _floats(3)}, {}, 0),
    "map_bias": ("add", {"x1": _floats(5, 19), "x2": _floats(5, 1)}, {}, 0),
    "map_half": ("silu", {"input": _floats(45).astype(np.float16)}, {}, 0),
    "map_bfloat": ("tanh", {"x": _floats(45).astype(BF16)}, {}, 0),
    "to_half": ("astype", {"x": WIDE}, {"dtype": "float16"}, 0),
    "to_bfloat": ("astype", {"x": WIDE}, {"dtype": "bfloat16"}, 0),
    "from_half": ("astype", {"x": HALVES}, {"dtype": "float32"}, 0),
    "to_int": ("astype", {"x": _floats(53) * 1000}, {"dtype": "int8"}, 0),
    "fold": ("sum", {"x": _whole(7, 83)}, {"axis": 1}, 0),
    "fold_down": ("sum", {"x": _whole(53, 21)}, {"axis": 0}, 0),
    "most": ("max", {"x": _floats(9, 77)}, {"axis": 1}, 0),
    "where_most": ("argmax", {"x": _whole(9, 147)}, {"axis": 1}, 0),
    "softmax": ("softmax", {"x": _floats(6, 71)}, {}, 2e-6),
    "product": ("matmul", {"x1": _whole(37, 41), "x2": _whole(41, 29)}, {}, 0),
    "product_half": (
        "matmul",
        {"x1": _whole(9, 33).astype(BF16), "x2": _whole(33, 35).astype(BF16)},
        {},
        0,
    ),
    "product_random": (
        "matmul",
        {"x1": _floats(19, 64), "x2": _floats(64, 50)},
        {},
        1e-4,
    ),
    "scan": ("cumsum", {"x": _whole(3, 61)}, {}, 0),
    "sorted": ("sort", {"x": _floats(4, 45)}, {}, 0),
    "turned": ("permute_dims", {"x": _floats(23, 37)}, {"axes": (1, 0)}, 0),
}


class Program:
    """The kernels and functions, compiled for a machine, in one process of qemu."""

    def __init__(self, machine: Machine, cases: dict[str, Any], folder: Path) -> None:
        target = cpu_target.for_row(machine.row, machine.lanes * 4, arm=machine.arm)
        self.machine = machine
        self.kernels = {}
        with cpu_target.use(target):
            for name, case in cases.items():
                self.kernels[name] = lower(case.program, {}, name=name)
        unit = folder / f"{machine}.c"
        names = ", ".join(symbol(k) for k in self.kernels.values())
        table = f"static const ops_kernel kernels[] = {{{names}}};\n"
        unit.write_text(print_unit([*self.kernels.values()]) + table, encoding="utf-8")
        self.path = folder / str(machine)
        functions = "".join(f" X({f})" for f in FUNCTIONS)
        command = [
            *(sys.executable, "-m", "ziglang", "cc", *machine.flags, "-static"),
            *("-std=gnu11", "-O2", "-fwrapv", "-fno-strict-aliasing"),
            *("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"),
            *("-Wno-psabi", f"-I{NATIVE}", f'-DUNIT="{unit}"'),
            *(f"-DFUNCTIONS(X)={functions}", str(HERE / "foreign.c")),
            *("-o", str(self.path), "-lm"),
        ]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr[-4000:]

    def ask(self, requests: Sequence[tuple[int, list[Any], bytes, bytes]]) -> list[Any]:
        """The buffers after each kernel."""
        sent = b""
        for number, arrays, ints, reals in requests:
            counts = len(arrays), len(ints) // 8, len(reals) // 8
            sent += struct.pack("=4q", number, *counts)
            sent += struct.pack(f"={len(arrays)}q", *(a.nbytes for a in arrays))
            sent += ints + reals + b"".join(a.tobytes() for a in arrays)
        ran = subprocess.run(
            [*self.machine.qemu, str(self.path)],
            input=sent, capture_output=True, check=False, timeout=300,
        )  # fmt: skip
        assert ran.returncode == 0, (ran.returncode, ran.stderr[-1000:])
        answers, at = [], 0
        for _, arrays, _, _ in requests:
            assert struct.unpack_from("=q", ran.stdout, at) == (0,)
            at += 8
            found = []
            for a in arrays:
                part = np.frombuffer(ran.stdout, a.dtype, a.size, at).reshape(a.shape)
                found.append(part)
                at += a.nbytes
            answers.append(found)
        return answers


@pytest.fixture(scope="module", params=MACHINES, ids=str)
def program(
    request: pytest.FixtureRequest,
    cases: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Program:
    """The program of each machine."""
    machine: Machine = request.param
    if shutil.which(machine.qemu[0]) is None:
        pytest.skip(f"{machine.qemu[0]} is not installed (Debian: qemu-user)")
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("zig cc is not installed (pip install ziglang)")
    return Program(machine, cases, tmp_path_factory.mktemp("foreign"))


@pytest.fixture(scope="module")
def cases(programs: ModuleType) -> dict[str, Any]:
    """The programs and their arrays."""
    return {
        name: programs.case(operator, arrays, attributes)
        for name, (operator, arrays, attributes, _) in CASES.items()
    }


def bits(a: Any) -> Any:
    """Bits, all nans made one."""
    a = (
        np.where(a != a, np.array(np.nan).astype(a.dtype), a)
        if a.dtype.kind != "i"
        else a
    )
    return a.view(f"u{a.dtype.itemsize}")


@pytest.mark.deep
def test_it_is_that_row(program: Program) -> None:
    ran = subprocess.run(
        [*program.machine.qemu, str(program.path), "which"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ran.stdout.split() == [program.machine.row, str(program.machine.lanes)]


@pytest.mark.deep
def test_kernels(program: Program, cases: dict[str, Any]) -> None:
    requests = []
    for number, (name, case) in enumerate(cases.items()):
        kernel = program.kernels[name]
        arrays = [np.ascontiguousarray(a) for a in case.arrays]
        arrays += [
            np.zeros(case.shapes[t.name], t.dtype.numpy) for t in case.program.outputs
        ]
        variant = Variant(kernel, 0, "", "")
        ints = variant.ints(arrays, case.sizes, case.scalars)
        requests.append((number, arrays, ints, variant.reals(case.scalars)))
    answers = program.ask(requests)
    for (name, case), found in zip(cases.items(), answers, strict=True):
        operator, given, attributes, allowed = CASES[name]
        want = getattr(opslib, operator)(*given.values(), **attributes, backend="cpu")
        want = want if isinstance(want, tuple) else (want,)
        outputs = found[len(case.arrays) :]
        for got, expected in zip(outputs, want, strict=True):
            if allowed:
                scale = np.abs(expected).max()
                np.testing.assert_allclose(
                    got, expected, allowed, allowed * scale, err_msg=name
                )
            else:
                np.testing.assert_array_equal(bits(got), bits(expected), err_msg=name)


@pytest.mark.deep
def test_functions_give_the_bits_of_this_machine(
    program: Program, compiled: Any, first_build: Any
) -> None:
    """Each function at every exponent and in the ranges where it bends."""
    exponents = np.arange(512, dtype=np.uint32)[:, None] << 23
    mantissas = RNG.integers(0, 1 << 23, (1, 24)).astype(np.uint32)
    every = (exponents + mantissas).ravel().view(np.float32)
    x = np.concatenate([SPECIAL, every, _floats(4003), _floats(4000) * 10])
    ints = struct.pack("=q", len(x))
    first = len(program.kernels)
    answers = program.ask(
        [(first + k, [x, np.zeros_like(x)], ints, b"") for k in range(len(FUNCTIONS))]
    )
    driver = compiled("driver.c", first_build)
    for name, (_, got) in zip(FUNCTIONS, answers, strict=True):
        want = np.empty_like(x)
        driver(f"v_{name}", x, want, len(x))
        wrong = np.flatnonzero(bits(got) != bits(want))
        assert not len(wrong), f"{name}: {len(wrong)}, first at {x[wrong[0]]!r}"
