"""The catalogue on each simulated chip and in the narrow types: a slice, or all of it.

`tests/conformance/parts.toml` has the whole catalogue on the usual chip in the usual
types.
"""

from __future__ import annotations

import pytest

from opslib.testing import known, runner

from .ascend_cases import has_compiler

pytestmark = [
    pytest.mark.skipif(not has_compiler(), reason="no C++ compiler"),
    pytest.mark.slow,
]

# One or two of each skeleton and each kind of instruction.
SLICE = (
    "add", "clip", "equal", "exp", "floor_divide", "where",  # maps
    "concat", "flip", "pad", "permute_dims", "take", "unstack",  # moves
    "argmax", "cumsum", "layer_norm", "mean", "softmax", "sort", "sum",  # rows
    "bmm", "conv2d", "linear", "matmul",  # contractions
    "one_hot", "ragged_max", "topk",
)  # fmt: skip
WAYS = [
    ("npu:ascend-sim", "float16"),
    ("npu:ascend-sim", "bfloat16"),
    ("npu:ascend-sim", "int8"),
    ("npu:ascend-sim", "int32"),
    ("npu:ascend-sim:3510", "float32"),
    ("npu:ascend-sim:3510", "float16"),
    ("npu:ascend-sim:3510", "int8"),
    ("npu:ascend-sim:2002", "float32"),
    ("npu:ascend-sim:2002", "float16"),
    ("npu:ascend-sim:2002", "int8"),
]
DEEP = [
    (chip, dtype)
    for chip in ("npu:ascend-sim", "npu:ascend-sim:3510", "npu:ascend-sim:2002")
    for dtype in ("float32", "float16", "bfloat16", "int8", "int32")
]


# Of a softmax, an exp2 or a tail of erfc random elements (case 1) prove nothing in
# float16: most results are below its least number, and their bounds above them. Cases 3
# and 4, of one-hot elements and of some far apart, do, but for erfc.


def hold(
    device: str,
    dtype: str,
    numbers: tuple[int, ...],
    operators: tuple[str, ...] | None = None,
) -> None:
    """Fails with what fails and is not known, a line each."""
    jobs = runner.plan_jobs(operators, [dtype], "quick", numbers=numbers)
    assert jobs
    report = runner.run(
        device, jobs, "quick", workers=2, known_failures=known.shipped()
    )
    failed = [
        f"{o.operator} {o.dtype}: {f.message}\n    {f.line}"
        for o in report.outcomes
        for f in o.failures
        if not known.is_known(o)
    ]
    assert not failed, "\n".join(failed)
    if operators is not None:
        nothing = [o for o in report.outcomes if o.state == "untested" and o.vacuous]
        assert not nothing, f"no case proves anything: {[o.operator for o in nothing]}"
    # A device that refuses everything would pass as well.
    if (device, dtype) != ("npu:ascend-sim:2002", "bfloat16"):
        passed = [o for o in report.outcomes if o.state == "pass"]
        assert len(passed) > len(jobs) / 2


@pytest.mark.parametrize(("device", "dtype"), WAYS)
def test_slice(device: str, dtype: str) -> None:
    hold(device, dtype, (1, 3) if dtype == "float16" else (1,), SLICE)


@pytest.mark.deep
@pytest.mark.parametrize(("device", "dtype"), DEEP)
def test_catalogue(device: str, dtype: str) -> None:
    hold(device, dtype, (1, 3, 4))
