"""What the generated code promises of functions, in units in the last place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from opslib.ir.dtypes import DType, compute_type
from opslib.runtime.protocol import Arithmetic
from opslib.runtime.toolchain import native_folder

# float64: CUDA's own functions. CUDA programming guide, appendix "Mathematical
# Functions", table of double precision: the distance to the correctly rounded result.
_CUDA_F64 = {
    **dict.fromkeys(("exp", "exp2", "expm1", "log", "log2", "log10", "log1p"), 1),
    **dict.fromkeys(("sin", "cos", "tan", "asin", "acos", "atan", "atan2"), 2),
    **dict.fromkeys(("sinh", "atanh", "hypot", "pow", "erf"), 2),
    **dict.fromkeys(("cosh", "tanh", "cbrt", "rsqrt"), 1),
    **dict.fromkeys(("asinh", "acosh"), 3),
    "erfc": 5,
}
# Made of exp or erf and a few more operations; as on the CPU, with CUDA's functions.
_COMPOSED = {
    **dict.fromkeys(("sigmoid", "softplus", "log_sigmoid", "silu"), 5.0),
    **dict.fromkeys(("gelu", "gelu_tanh"), 7.0),
}


@cache
def functions(double: bool) -> Mapping[str, float]:
    """Worst errors. In float32 the functions are native/'s, as on every backend."""
    text = (native_folder() / "ulp.json").read_text(encoding="utf-8")
    rows = json.loads(text)["f64" if double else "f32"]
    found = {name: float(ulp) for name, ulp in rows.items()}
    if double:
        # To the exact result it is half a unit more.
        cuda = {name: ulp + 0.5 for name, ulp in _CUDA_F64.items()}
        for name, ulp in (cuda | _COMPOSED).items():
            found[name] = max(found.get(name, 0.0), ulp)
    return MappingProxyType(found)


def arithmetic(dtype: DType) -> Arithmetic:
    """IEEE arithmetic in the compute type, subnormals kept; sums are kept in it.

    A matrix instruction truncates what it aligns to the largest addend (Fasi et al.,
    "Numerical behavior of NVIDIA tensor cores", 2021, section 4); its operands are
    16-bit floats, whose products a float32 sum holds with room.
    """
    compute = compute_type(dtype)
    return Arithmetic(
        unit_roundoff=compute.unit_roundoff if compute.is_float else 0.0,
        accumulator=compute,
        ulp=functions(compute.bits == 64),
    )
