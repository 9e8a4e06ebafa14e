"""What a machine needs for ``npu:ascend``, and which of it is there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from opslib.errors import OpslibError

from .compiler import compiler
from .library import NotInstalled, acl

# The node of the driver's manager; each chip has one of its own beside it.
DRIVER = Path("/dev/davinci_manager")


@dataclass(frozen=True, slots=True)
class Need:
    """One requirement: what was found, and what to do where that is not enough."""

    name: str
    found: str
    remedy: str = ""
    part: str = "ascend"


def requirements() -> Iterator[Need]:
    """Driver, runtime and compiler, in the order in which they are installed."""
    chips = sorted(Path("/dev").glob("davinci[0-9]*"))
    if DRIVER.exists():
        yield Need("driver", f"{DRIVER}, {len(chips)} chips")
    else:
        tool = shutil.which("npu-smi")
        yield Need(
            "driver",
            f"{DRIVER} is not there" + (f", though {tool} is" if tool else ""),
            "install the driver and firmware of the chip; in a container, hand in "
            "/dev/davinci*",
        )
    try:
        runtime = acl()
        yield Need("CANN runtime", f"{runtime.path}, {runtime.version}")
    except NotInstalled as reason:
        found, _, remedy = str(reason).partition("; ")
        yield Need("CANN runtime", found, remedy or "install CANN 9.0 or later")
    except OpslibError as error:
        yield Need("CANN runtime", error.message, error.help or "see CANN's log")
    try:
        made = compiler()
        yield Need("device compiler", f"{made.kind}, {made.path}")
    except NotInstalled as reason:
        found, _, remedy = str(reason).partition("; ")
        yield Need("device compiler", found, remedy or "install CANN's toolkit")
