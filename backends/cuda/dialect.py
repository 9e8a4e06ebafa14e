"""What CUDA changes of C; a second language of the kind is another row here.

HIP is such a row: the same text behind ``#define OPS_WARP 64`` and its own
``opslib_cuda_ptx.h``.
"""

from __future__ import annotations

from opslib.codegen.c_types import RENAMED, Dialect

CUDA = Dialect(
    "cuda",
    lambda name, short: f"ops_{RENAMED.get(name, name)}_{short}",
    includes=('#include "opslib_cuda.h"',),
)
HIP = Dialect(
    "hip",
    CUDA.function,
    includes=("#define OPS_WARP 64", '#include "opslib_cuda.h"'),
)
