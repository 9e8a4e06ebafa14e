"""opslib: write an operator once, as mathematics; run it, checked, on every chip.

Every operator is a function of this module (``opslib.matmul``, ``opslib.softmax`` ...)
and takes NumPy, JAX and PyTorch arrays. Besides them:

* `op` defines an operator from a line of text;
* `use`, `devices`, `explain`, `receipts` say and ask what runs where;
* `set_num_threads`, `get_num_threads` for the CPU backend.
"""

from __future__ import annotations

from opslib import _source_tree

_source_tree.ensure_parts()

from opslib import _api  # noqa: E402
from opslib._api import *  # noqa: E402, F403
from opslib._public import (  # noqa: E402
    devices,
    einsum,
    explain,
    export_onnx,
    get_num_threads,
    op,
    operators,
    set_num_threads,
    spec_library,
    tensordot,
)
from opslib._version import __version__  # noqa: E402
from opslib.dispatch.state import Receipt, receipts, use  # noqa: E402
from opslib.errors import (  # noqa: E402
    ArgumentError,
    BackendUnavailable,
    CompileError,
    DeviceError,
    DeviceFailure,
    DTypeError,
    KernelError,
    OperandIndexError,
    OpslibError,
    OpslibWarning,
    ShapeError,
    SpecError,
)

__all__ = [
    "ArgumentError",
    "BackendUnavailable",
    "CompileError",
    "DTypeError",
    "DeviceError",
    "DeviceFailure",
    "KernelError",
    "OperandIndexError",
    "OpslibError",
    "OpslibWarning",
    "Receipt",
    "ShapeError",
    "SpecError",
    "__version__",
    "devices",
    "einsum",
    "explain",
    "export_onnx",
    "get_num_threads",
    "op",
    "operators",
    "receipts",
    "set_num_threads",
    "spec_library",
    "tensordot",
    "use",
]
__all__ += _api.__all__
