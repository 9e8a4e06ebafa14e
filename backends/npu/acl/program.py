"""Generated kernels on a device: compiled by CANN, loaded, launched on a stream."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from opslib.errors import OpslibError
from opslib.ir import expr
from opslib.ir.printer import fingerprint
from opslib.runtime.cache import default_cache
from opslib.runtime.cache_blobs import blob_key, cached_blob
from opslib.runtime.failures import failed_check
from opslib.runtime.toolchain import native_folder

from ..ascend import plan
from ..ascend.arguments import (
    chosen,
    failure,
    no_failures,
    prepare,
    with_host_scalars,
    within,
)
from ..ascend.lower import lower, mangle
from ..ascend.renderer import print_unit
from ..targets import TARGETS, AscendTarget
from .compiler import Compiler, compiler
from .device import Chip, Context, DeviceArray, context

# aclrtBinaryLoadOptionType and the magic numbers of aclrtBinaryLoadOptionValue.
MAGIC = 2
MIXED, VECTOR_CORE, CUBE_CORE = 0x43554245, 0x41415246, 0x41494343


def binary(source: str, name: str, chip: Chip, version: str, by: Compiler) -> bytes:
    """The device binary of a source, from the kernel cache where it is there.

    Its key is the source, the architecture, the compiler and CANN's version.
    """
    arch = chip.arch or ""
    key = blob_key("ascend", source, arch, by.kind, by.path, version)
    describes = f"{by.kind} {by.path} (ACL {version}, dav-{arch})"

    def make() -> bytes:
        return by.compile(source, name, arch)

    return cached_blob(default_cache(), key, name, source, describes, make)


@dataclass(frozen=True, slots=True, eq=False)
class AclKernel:
    """See `opslib.runtime.protocol.Kernel`: asynchronous, on the context's stream.

    Attributes:
        program: what it computes.
        made: its launches and arguments.
        source: the Ascend C text.
        functions: aclrtFuncHandle of each launch.
    """

    program: expr.Program
    made: plan.Program
    source: str
    target: AscendTarget
    chip: Chip
    context: Context
    functions: tuple[Any, ...]

    @property
    def skeleton(self) -> str:
        """Which skeleton the kernel came from."""
        return self.made.skeleton

    def launch(
        self,
        inputs: Sequence[DeviceArray],
        outputs: Sequence[Any],
        sizes: Mapping[str, int],
        scalars: Mapping[str, int | float],
    ) -> Sequence[DeviceArray]:
        """Enqueues the launches; gives arrays that they will fill."""
        made = self.made
        if not within(made, sizes, scalars, inputs):
            other = kernel(self.program, self.chip, fallback=True)
            return other.launch(inputs, outputs, sizes, scalars)
        known = {**sizes, **with_host_scalars(made, sizes, scalars)}
        results = [
            self.context.empty(
                tuple(int(plan.number(e, known, {})) for e in t.shape), t.dtype.numpy
            )
            for t in self.program.outputs
        ]
        found = prepare(
            made, inputs, results, sizes, scalars, self.target, self.context.empty
        )
        last = [found.numbers, found.reals]
        if self.program.checks:
            last.append(no_failures(self.target))
        staged = self.context.stage(last)
        if not self.program.checks:
            # No launch has a look at it.
            staged.append(staged[0])
        arrays = [*found.arrays, *staged]
        shapes = ", ".join(str(a.shape) for a in (*inputs, *results))
        where = f"{self.program.name} on arrays of {shapes}"
        # What is enqueued uses these until the next synchronisation.
        self.context.hold(arrays)
        for k, launch in chosen(made, sizes, scalars):
            blocks = launch.blocks or self._cores(launch.unit)
            self._launch(self.functions[k], blocks, arrays, where)
        if self.program.checks:
            # The launches that read with a bad index look at the status themselves
            # (renderer.py); the caller is told when it waits for the result.
            self.context.check(staged[-1], self._judge)
        return results

    def _judge(self, status: np.ndarray[Any, Any]) -> OpslibError | None:
        failed = failure(status)
        return None if failed is None else failed_check(self.program, *failed)

    def _cores(self, unit: str) -> int:
        """How many run: no more than those that have workspaces and a status."""
        if unit in ("cube", "mix"):
            return min(self.chip.cube_cores, self.target.cubes)
        return min(self.chip.vector_cores, self.target.vectors)

    def _launch(
        self, function: Any, blocks: int, arrays: Sequence[DeviceArray], where: str
    ) -> None:
        self.context.activate()
        acl = self.context.acl
        values = acl.ffi.new("void *[]", [acl.ffi.cast("void *", a.address)
                                          for a in arrays])  # fmt: skip
        pointers = acl.ffi.new(
            "void *[]", [acl.ffi.addressof(values, k) for k in range(len(arrays))]
        )
        acl.call(
            "aclrtLaunchKernelWithArgsArray",
            function,
            blocks,
            self.context.stream,
            acl.ffi.NULL,
            pointers,
            where=where,
        )
        self.context.launched(where)


def self_contained(source: str) -> str:
    """The text with opslib's own headers written out.

    aclrtcCreateProg takes no headers (the documentation: "must be 0"), and finds only
    those of CANN.
    """
    folder = native_folder()

    def text(found: re.Match[str]) -> str:
        header = folder / found[1]
        return header.read_text(encoding="utf-8") if header.is_file() else found[0]

    return re.sub(r'#include "(opslib_\w+\.h)"', text, source)


@lru_cache(maxsize=1024)
def kernel(program: expr.Program, chip: Chip, *, fallback: bool = False) -> AclKernel:
    """Compiles and loads a program, once.

    `fallback`: in the form for sizes beyond the limits of the first choice.

    Raises:
        CompileError: CANN's compiler refused the text; with its log.
        KernelError: the binary does not load.
    """
    assert chip.arch is not None
    target = TARGETS[int(chip.arch)]
    name = f"{mangle(program.name)}_{fingerprint(program)[:8]}"
    made = lower(program, f"{name}_any" if fallback else name, target, fallback)
    source = self_contained(print_unit([made]))
    here = context(chip.index)
    data = binary(source, made.name, chip, here.acl.version, compiler())
    acl = here.acl
    here.activate()
    option = acl.ffi.new("aclrtBinaryLoadOption *")
    option.type = MAGIC
    option.value.magic = MIXED
    options = acl.ffi.new("aclrtBinaryLoadOptions *")
    options.options, options.numOpt = option, 1
    loaded = acl.ffi.new("aclrtBinHandle *")
    try:
        acl.call(
            "aclrtBinaryLoadFromData", data, len(data), options, loaded, where=made.name
        )
        functions = []
        for launch in made.launches:
            found = acl.ffi.new("aclrtFuncHandle *")
            label = launch.name.encode()
            acl.call("aclrtBinaryGetFunction", loaded[0], label, found, where=made.name)
            functions.append(found[0])
    except OpslibError as error:
        error.help = error.help or "run `opslib doctor`: CANN and driver must fit"
        raise
    return AclKernel(program, made, source, target, chip, here, tuple(functions))
