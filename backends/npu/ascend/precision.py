"""What the generated kernels promise about functions, in ulp of float32.

The scalar unit runs native/opslib_math_f32.h (native/ulp.json). The vector unit's own
Exp and Ln are good to about one ulp on finite numbers [R: Exp, Ln: the documentation
gives no figure; the twin rounds correctly]; composites add the roundings of their
formula.
"""

from __future__ import annotations

import functools
import json

from opslib.runtime import toolchain

# Exp, Ln and what functions.py makes of them; the others are as good as the table's.
# The largest errors of some million arguments each are in the comments.
_COMPOSED = {
    "exp": 1.0,
    "log": 1.0,
    "log1p": 1.6,  # 1.44
    "log2": 1.6,  # 1.43
    "log10": 1.9,  # 1.73
    "rsqrt": 1.5,  # 1.48
    "sigmoid": 3.0,  # 2.24
    "silu": 3.5,  # 2.68
    "softplus": 2.0,  # 1.83
    "log_sigmoid": 2.0,  # 1.83
    "gelu": 6.0,  # 5.36
    "gelu_tanh": 3.5,  # 3.20
    "erf": 1.4,  # 1.26
    "erfc": 5.5,  # 5.02
    "tanh": 1.2,  # 1.05
    "sinh": 1.7,  # 1.56
    "cosh": 1.6,  # 1.46
    "asinh": 2.4,  # 2.19
    "acosh": 2.8,  # 2.54
    "atanh": 1.4,  # 1.23
    "tan": 1.3,  # 1.15
    "atan": 1.2,  # 1.06
    "atan2": 1.3,  # 1.14
    "pow": 1.1,  # 1.00
    "hypot": 2.1,  # 1.92
    "expm1": 1.1,  # 0.95
}


@functools.cache
def ulp() -> dict[str, float]:
    """Primitive to worst error."""
    text = (toolchain.native_folder() / "ulp.json").read_text(encoding="utf-8")
    table = json.loads(text)["f32"]
    found = {
        name: float(row["ulp"] if isinstance(row, dict) else row)
        for name, row in table.items()
        if isinstance(row, int | float) or "ulp" in row
    }
    for name, value in _COMPOSED.items():
        found[name] = max(found.get(name, 0.0), value)
    return found


ULP = ulp()
