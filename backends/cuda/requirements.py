"""What a GPU needs of the machine, and which of it is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import cublaslt_library, nvrtc, simulator
from .packages import INSTALL, NotInstalled, core, version

# The kernel module's word of itself.
DRIVER = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True, slots=True)
class Need:
    """One requirement: what was found, and what to do where that is not enough."""

    name: str
    found: str
    remedy: str = ""
    part: str = "cuda"


def requirements() -> Iterator[Need]:
    """Packages, compiler, driver, simulator: in the order in which they are needed."""
    try:
        core()
        yield Need(
            "cuda-core",
            f"{version('cuda-core')}, cuda-bindings {version('cuda-bindings')}",
        )
    except NotInstalled as missing:
        found, _, remedy = str(missing).partition("; ")
        yield Need("cuda-core", found, remedy or INSTALL)
    try:
        yield Need("NVRTC", f"{nvrtc.version()}: compiles without a GPU")
    except NotInstalled as missing:
        found, _, remedy = str(missing).partition("; ")
        yield Need("NVRTC", found, remedy or INSTALL)
    if DRIVER.is_file():
        yield Need("driver", DRIVER.read_text(encoding="utf-8").splitlines()[0])
    else:
        yield Need(
            "driver",
            f"{DRIVER} is not there",
            "install NVIDIA's driver; in a container, hand the GPU in (--gpus all)",
        )
    try:
        yield Need("cuBLASLt", f"{cublaslt_library.version()}: products of matrices")
    except NotInstalled as missing:
        found, _, remedy = str(missing).partition("; ")
        yield Need("cuBLASLt", found, f"{remedy or INSTALL} (optional)")
    why = simulator.why_not()
    if why is None:
        yield Need("simulator", "g++; cuda:sim runs and checks the kernels' text")
    else:
        found, _, remedy = why.partition("; ")
        yield Need("simulator", found, remedy)
