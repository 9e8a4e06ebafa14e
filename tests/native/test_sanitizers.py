"""Generated kernels of the cpu backend under sanitizers and between guard pages.

A child process (fenced.py) compiles kernels as the backend does, but with the compiler
that OPSLIB_CC names here: gcc with sanitizers. It launches each on arrays and scratch
memory that end where nothing may be touched; whatever is reported is a failure. A slice
runs by default, the catalogue by ``pytest -m deep tests/native/test_sanitizers.py``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from opslib.backends.cpu import backend

from opslib import errors
from opslib.dispatch.handle import Handle
from opslib.language.library import load_library
from opslib.testing.conformance import LONG
from opslib.testing.shapes import dtypes_of

HERE = Path(__file__).parent
(DEVICE,) = backend().devices()
pytestmark = [
    pytest.mark.skipif(DEVICE.why_not is not None, reason=str(DEVICE.why_not)),
    pytest.mark.skipif(sys.platform != "linux", reason="mprotect, LD_PRELOAD"),
]
# Of `undefined`: the address sanitizer and the fences see wild pointers better than
# `null` and `object-size`, -fwrapv defines what `pointer-overflow` is about, and
# these three are two thirds of the compiler's time.
UNDEFINED = (
    "-fsanitize=undefined,float-cast-overflow "
    "-fno-sanitize=null,object-size,pointer-overflow "
    "-fno-sanitize-recover=undefined,float-cast-overflow"
)


@dataclass(frozen=True, slots=True)
class Way:
    """How kernels are compiled, and where their arrays lie (see fenced.py)."""

    name: str
    how: str
    flags: str
    libraries: tuple[str, ...]

    def __str__(self) -> str:
        return self.name


ADDRESS = Way(
    "address",
    "heap",
    f"-fsanitize=address {UNDEFINED}",
    ("libasan.so", "libubsan.so"),
)
FENCES = Way("fences", "pages", UNDEFINED, ())
# As users have them: -O3, where a compiler may merge what -O1 leaves apart.
PLAIN = Way("plain", "pages", "", ())


def environment(way: Way, folder: Path) -> dict[str, str]:
    """The child's; skips where the sanitizers are not installed."""
    root = str(Path(errors.__file__).parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    found = {**os.environ, "PYTHONPATH": path, "OPSLIB_NUM_THREADS": "2"}
    if not way.flags:
        return found
    # -O1, for -O3 takes three times as long with checks everywhere; the preloaded
    # library is for Python, not for the compiler.
    compiler = folder / "gcc"
    compiler.write_text(
        "#!/bin/sh\nunset LD_PRELOAD\n"
        'for a; do shift; [ "$a" = -O3 ] && a=-O1; set -- "$@" "$a"; done\n'
        f'exec gcc "$@" -g1 -fno-omit-frame-pointer {way.flags}\n',
        encoding="utf-8",
    )
    compiler.chmod(0o755)
    probe = folder / "probe.c"
    probe.write_text("int f(int x) { return x << x; }\n", encoding="utf-8")
    command = [str(compiler), "-shared", "-fPIC", str(probe), "-o", f"{probe}.so"]
    paths = []
    try:
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            pytest.skip(f"gcc has no sanitizers: {made.stderr.strip()[:200]}")
        for name in way.libraries:
            asked = ["gcc", f"-print-file-name={name}"]
            paths.append(subprocess.check_output(asked, text=True).strip())
    except OSError as error:
        pytest.skip(f"no gcc: {error}")
    return found | {
        "LD_PRELOAD": ":".join(paths),
        # Python keeps what it has until its end. 256: further than a row's last vector.
        "ASAN_OPTIONS": "detect_leaks=0:redzone=256:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "OPSLIB_CC": str(compiler),
        "OPSLIB_CACHE_DIR": str(folder / "cache"),
        "OPSLIB_COMPILE_TIMEOUT": "600",
    }


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """One for each way: what one test compiled, another may use."""
    return {w.name: tmp_path_factory.mktemp(w.name) for w in (ADDRESS, FENCES, PLAIN)}


def child(
    script: str, arguments: Sequence[str], env: Mapping[str, str], sent: str
) -> Any:
    """The finished process."""
    return subprocess.run(
        [sys.executable, str(HERE / script), *arguments],
        input=sent, capture_output=True, text=True, env=env, check=False,
        cwd=HERE, timeout=3600,
    )  # fmt: skip


# --- the fences themselves -----------------------------------------------------------

# What is said of each fault of planted.c, by the address sanitizer and between fences;
# "signal": the process ends by one, without a word.
GARBAGE = "depends on where its arrays lie, or on garbage"
OVERFLOW = "heap-buffer-overflow"
FAULTS: dict[str, tuple[str, str]] = {
    "reads_behind": (OVERFLOW, "signal"),
    "reads_before": (OVERFLOW, "signal"),
    "writes_behind": (OVERFLOW, "signal"),
    "writes_between": ("wrote [4] bytes beside", "wrote [4] bytes beside"),
    "writes_input": ("SEGV", "signal"),
    "leaves_out": (GARBAGE, GARBAGE),
    "reads_behind_scratch": (OVERFLOW, "signal"),
    "keeps_scratch": ("heap-use-after-free", "signal"),
    "alignment": (GARBAGE, GARBAGE),
    "shifts": ("shift exponent 32", "shift exponent 32"),
    "overruns": ("index 8 out of bounds", "index 8 out of bounds"),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", [ADDRESS, FENCES], ids=str)
def test_planted_faults_are_found(way: Way, folders: Mapping[str, Path]) -> None:
    env = environment(way, folders[way.name])
    ran = child("planted.py", [way.how, "nothing", *FAULTS], env, "")
    assert ran.returncode == 0, ran.stderr[-4000:]
    ends = json.loads(ran.stdout.splitlines()[-1])
    assert ends.pop("nothing") == [0, "\n"]
    for fault, expected in FAULTS.items():
        status, said = ends[fault]
        wanted = expected[way is FENCES]
        if wanted == "signal":
            assert status < 0, (fault, status, said)
        else:
            assert wanted in said, (fault, status, said)


# --- the kernels ---------------------------------------------------------------------


def jobs(
    operators: Iterable[str], dtypes: int, numbers: Sequence[int]
) -> Iterator[dict[str, Any]]:
    """Cases of the conformance suite, whose number says shapes, layouts and `out`."""
    for name in operators:
        for dtype in dtypes_of(Handle(name).operator)[:dtypes]:
            yield {"operator": name, "dtype": dtype, "numbers": [*numbers]}


def run(way: Way, folder: Path, todo: list[dict[str, Any]], least: int) -> None:
    """Runs jobs, going on behind a case that ends the process; fails on any finding."""
    env, found, launched = environment(way, folder), [], 0
    while todo:
        ran = child("fenced.py", [way.how], env, "\n".join(map(json.dumps, todo)))
        begun, done = None, False
        for message in map(json.loads, ran.stdout.splitlines()):
            begun = message.get("start", begun)
            launched += message.get("launched", 0)
            found += [f"{begun}: {text}" for text in message.get("problems", ())]
            done = done or "done" in message
        if done:
            break
        found.append(f"{begun}: ended with {ran.returncode}\n{ran.stderr[:4000]}")
        if begun is None:
            break
        todo = behind(todo, begun)
    assert not found, "\n".join(found)
    assert launched >= least


def behind(todo: list[dict[str, Any]], case: list[Any]) -> list[dict[str, Any]]:
    """The jobs that are left after a case."""
    name, dtype, number = case
    at = next(
        k for k, j in enumerate(todo) if (j["operator"], j["dtype"]) == (name, dtype)
    )
    numbers = todo[at]["numbers"]
    left = numbers[numbers.index(number) + 1 :]
    return [*([{**todo[at], "numbers": left}] if left else []), *todo[at + 1 :]]


# One operator of each skeleton and of each kind of read; of these, for the slower
# compilations with the address sanitizer, those that use scratch or move rows about.
SLICE = [
    *("add", "gelu", "where", "permute_dims", "take", "pad", "sum", "softmax"),
    *("layer_norm", "argmax", "cumsum", "sort", "matmul", "conv2d", "max_pool2d"),
    *("conv_transpose1d", "scaled_dot_product_attention"),
]
SCRATCH = ["permute_dims", "softmax", "cumsum", "sort", "matmul"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "operators"),
    [(ADDRESS, SCRATCH), (FENCES, SLICE)],
    ids=["address", "fences"],
)
def test_a_slice_of_the_catalogue(
    way: Way, operators: list[str], folders: Mapping[str, Path]
) -> None:
    chosen = list(jobs(operators, 1, [3]))
    run(way, folders[way.name], chosen, len(operators))


def families() -> dict[str, list[str]]:
    """The operators of each file of specs."""
    found: dict[str, list[str]] = {}
    for name, operator in load_library().items():
        found.setdefault(Path(operator.span.source.name).stem, []).append(name)
    return found


@pytest.mark.deep
@pytest.mark.parametrize("family", sorted(families()))
@pytest.mark.parametrize("way", [ADDRESS, FENCES, PLAIN], ids=str)
def test_the_catalogue(way: Way, family: str, folders: Mapping[str, Path]) -> None:
    names = families()[family]
    chosen = list(jobs(names, 3, [0, 3, 6, LONG]))
    run(way, folders[way.name], chosen, len(names))
