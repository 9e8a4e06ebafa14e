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

# Functions that vector.py writes from Exp, Ln, Sqrt and Div.
_COMPOSED = {
    "exp": 1.0,
    "log": 1.0,
    "rsqrt": 1.5,
    "sigmoid": 3.0,
    "silu": 3.5,
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
