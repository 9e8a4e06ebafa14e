"""Operators of CANN's library as kernels: a further way to run a spec (`Provides`)."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opslib.ir.expr import Program
from opslib.lowering.numbers import number

from .aclnn_arguments import Call
from .aclnn_library import Opapi, destroy, opapi
from .aclnn_table import CALLS, TABLE, Row
from .device import Chip, Context, DeviceArray, context
from .errors import acl_error

# aclCreateTensor wants addresses of tensors to be multiples of this.
_ALIGNED = 32


class _Objects:
    """Keeps objects of the library until it is gone itself."""

    __slots__ = ("__weakref__",)


@dataclass(frozen=True, slots=True, eq=False)
class AclnnKernel:
    """See `opslib.runtime.protocol.ProvidedKernel`.

    Attributes:
        program: what the operator stands for.
        row: of the table.
    """

    program: Program
    row: Row
    library: Opapi
    context: Context

    @property
    def skeleton(self) -> str:
        """The call, and the release of CANN: a verdict is of both."""
        return f"aclnn:{self.row.call}@{self.library.version}"

    @property
    def source(self) -> str:
        """The two calls as C, and where they are described."""
        call = self.row.call
        given = ", ".join(a.text for a in self.row.arguments)
        return (
            f"/* {self.program.name} by {self.library.path}; {self.row.page} */\n"
            f"{call}GetWorkspaceSize({given}, &workspaceSize, &executor);\n"
            f"{call}(workspace, workspaceSize, executor, stream);\n"
        )

    def takes(
        self, sizes: Mapping[str, int], scalars: Mapping[str, int | float]
    ) -> bool:
        """What the row says; and there are elements."""
        return self.row.takes(self.program, sizes, scalars)

    def launch(
        self,
        inputs: Sequence[DeviceArray],
        outputs: Sequence[Any],
        sizes: Mapping[str, int],
        scalars: Mapping[str, int | float],
    ) -> Sequence[DeviceArray]:
        """Enqueues both phases; gives arrays that will be filled.

        Raises:
            KernelError: the library refuses the arguments; with its own message.
            DeviceFailure: it, or the memory for its workspace, fails.
        """
        here, program = self.context, self.program
        aligned = [a if a.address % _ALIGNED == 0 else here.copied(a) for a in inputs]
        results = [
            here.empty(tuple(int(number(n, sizes, {})) for n in t.shape), t.dtype.numpy)
            for t in program.outputs
        ]
        names = [t.name for t in (*program.inputs, *program.outputs)]
        arrays = dict(zip(names, (*aligned, *results), strict=True))
        call = Call(self.library, here, program, arrays, scalars)
        shapes = ", ".join(str(a.shape) for a in arrays.values())
        where = f"{program.name} on arrays of {shapes}"
        held = _Objects()
        weakref.finalize(held, destroy, self.library, call.made)
        workspace = self._enqueue(call, where)
        here.hold([*arrays.values(), *call.spare, workspace, held])
        here.launched(where)
        return results

    def _enqueue(self, call: Call, where: str) -> DeviceArray | None:
        """Both phases; gives the workspace."""
        ffi, functions = self.library.ffi, self.library.functions
        here, name = self.context, self.row.call
        here.activate()
        size = ffi.new("uint64_t *")
        executor = ffi.new("aclOpExecutor **")
        first = f"{name}GetWorkspaceSize"
        given = [a.make(call) for a in self.row.arguments]
        code = getattr(functions, first)(*given, size, executor)
        if code:
            raise acl_error(code, first, here.acl.message(), where=where)
        workspace = None
        try:
            if size[0]:
                workspace = here.empty((size[0],), "uint8")
        except BaseException:
            # The second phase would have used it up.
            functions.aclSetAclOpExecutorRepeatable(executor[0])
            functions.aclDestroyAclOpExecutor(executor[0])
            raise
        address = 0 if workspace is None else workspace.address
        stream = ffi.cast("void *", int(here.acl.ffi.cast("uintptr_t", here.stream)))
        code = getattr(functions, name)(
            ffi.cast("void *", address), size[0], executor[0], stream
        )
        if code:
            raise acl_error(code, name, here.acl.message(), where=where)
        return workspace


def provided(program: Program, chip: Chip) -> Sequence[AclnnKernel]:
    """The library's kernels for a program on a chip."""
    rows = TABLE.get(str(dict(program.claim).get("op")), ())
    fitting = [row for row in rows if row.fits(program, chip.arch or "")]
    if not fitting:
        return ()
    library = opapi(CALLS)
    if library is None:
        return ()
    here = context(chip.index)
    return [
        AclnnKernel(program, row, library, here)
        for row in fitting
        if library.has(row.call)
    ]
