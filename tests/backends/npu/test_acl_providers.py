"""CANN's own operators as a further way to run a spec, on a fake libopapi."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from opslib.backends.npu.acl.aclnn_table import CALLS, TABLE
from opslib.backends.npu.acl.errors import acl_error

import opslib
from opslib.errors import DeviceFailure, KernelError

from .acl_runs import Run, outcome

pytestmark = pytest.mark.skipif(
    shutil.which("g++") is None, reason="the fake CANN is compiled with g++"
)

# A call of every operator in the table, with what NumPy's backend says of it.
CASES = """
def f(*shape): return rng.normal(size=shape).astype(np.float32)
def h(*shape): return rng.normal(size=shape).astype(np.float16)
calls = {
    "matmul": [h(4, 5), h(5, 6)], "mm": [h(4, 5), h(5, 6)],
    "bmm": [f(2, 4, 5), f(2, 5, 6)], "linear": [f(4, 5), f(6, 5), f(6)],
    "addmm": [f(4, 6), f(4, 5), f(5, 6)], "matvec": [f(4, 5), f(5)],
    "outer": [f(4), f(5)], "add": [f(3, 4), f(3, 4)], "multiply": [f(3, 4), f(4)],
    "greater": [f(3, 4), f(3, 4)], "logaddexp": [f(3, 4), f(3, 4)], "exp": [f(3, 4)],
    "expm1": [f(3, 4)], "negative": [f(3, 4)], "selu": [f(3, 4)], "elu": [f(3, 4)],
    "prelu": [f(3, 4, 5), f(4)], "glu": [f(3, 8)], "addcmul": [f(7), f(7), f(7)],
    "softmax": [f(3, 40)], "logsumexp": [f(3, 40)], "sum": [f(3, 40)],
    "cumsum": [f(3, 40)], "layer_norm": [f(3, 40), f(40), f(40)],
    "rms_norm": [h(3, 40), h(40)], "cann_rms_norm": [h(3, 40), h(40)],
    "fused_add_rms_norm": [h(3, 40), h(3, 40), h(40)],
    "scaled_dot_product_attention": [f(2, 4, 6, 8), f(2, 4, 9, 8), f(2, 4, 9, 8)],
}
def tupled(y): return y if isinstance(y, tuple) else (y,)
"""


def test_every_row_names_a_spec_and_a_page() -> None:
    for name, rows in TABLE.items():
        assert name in opslib.operators()
        for row in rows:
            assert row.page.startswith("hiascend.com/document/"), row.call
            assert row.page.endswith((".md", ".html"))
    # One call has one signature, wherever it is used.
    assert len({call for call, _ in CALLS}) == len(CALLS)


def test_each_operator_runs_by_the_library_and_is_right(
    run: Run, full_cann: Path
) -> None:
    """Every row of the table, judged by the reference; receipts name the call."""
    text = outcome(
        run(
            CASES
            + """
for name, arrays in calls.items():
    function = getattr(opslib, name)
    with opslib.receipts() as found:
        got = function(*arrays, backend="npu")
    for a, b in zip(tupled(got), tupled(function(*arrays, backend="numpy"))):
        assert a.dtype == b.dtype and a.shape == b.shape, name
        close = 2e-3 if a.dtype == np.float16 else 1e-5
        assert np.allclose(a, b, rtol=close, atol=close), name
    print(name, found[-1].skeleton)
context(0).synchronize()
import gc; gc.collect()
print("left", operators().fake_opapi_live())
""",
            full_cann,
        )
    )
    *lines, left = text.splitlines()
    found = dict(line.split() for line in lines)
    assert set(found) == set(TABLE)
    for name, skeleton in found.items():
        calls = {f"aclnn:{row.call}@1.17.0" for row in TABLE[name]}
        assert skeleton in calls, name
    assert left == "left 0"


def test_explain_and_receipts_and_the_switch(run: Run, full_cann: Path) -> None:
    """The library is named; `use` and the environment switch it off."""
    script = """
    def who():
        with opslib.receipts() as found:
            opslib.softmax(x, backend="npu")
        return found[-1].skeleton
    print(who())
    print("aclnn:aclnnSoftmax@" in str(opslib.explain("softmax", x, backend="npu")))
    with opslib.use(providers=False):
        print(who())
        with opslib.use(backend="npu"):
            print("aclnn" in str(opslib.explain("softmax", x)))
    print(who())
    """
    assert outcome(run(script, full_cann)).splitlines() == [
        "aclnn:aclnnSoftmax@1.17.0",
        "True",
        "row_fold",
        "False",
        "aclnn:aclnnSoftmax@1.17.0",
    ]
    off = outcome(run(script, full_cann, OPSLIB_PROVIDERS="never")).splitlines()
    assert off[0] == "row_fold"


def test_a_wrong_operator_is_not_taken(run: Run, full_cann: Path) -> None:
    """Held to the spec: a failed self-check is kept, and opslib's own kernel runs."""
    script = """
    operators().fake_opapi_wrong(b"aclnnExp")
    print(opslib.explain("exp", x, backend="npu"))
    with opslib.receipts() as found:
        y = opslib.exp(x, backend="npu")
    print(found[-1].skeleton, np.allclose(y, np.exp(x)))
    """
    text = outcome(run(script, full_cann))
    assert text.endswith("map True\n")
    assert "not aclnn:aclnnExp@1.17.0: its kernel failed the self-check" in text
    # Another process knows, though the library would be right there.
    right = script.replace("operators().fake_opapi_wrong", "str")
    again = outcome(run(right, full_cann))
    assert again.endswith("map True\n")
    assert "is known to be wrong here" in again


def test_an_untested_operator_is_not_taken(run: Run, full_cann: Path) -> None:
    """It needs a verdict, where opslib's own kernels are trusted without one."""
    text = outcome(
        run(
            """
            with opslib.receipts() as found:
                opslib.exp(x, backend="npu")
            print(found[-1].skeleton)
            print(opslib.explain("exp", x, backend="npu"))
            """,
            full_cann,
            OPSLIB_SELF_CHECK="never",
        )
    )
    assert text.startswith("map\n")
    assert "it was not tested here" in text


def test_an_operator_of_the_same_name_is_another(run: Run, full_cann: Path) -> None:
    """A library's operator stands for the shipped spec, not for any of its name."""
    text = outcome(
        run(
            """
            mine = opslib.op("op exp(x: T, /) -> y: T where T: float = 2 ^ x")
            with opslib.receipts() as found:
                y = mine(x, backend="npu")
            print(found[-1].skeleton, np.allclose(y, np.exp2(x), rtol=1e-5))
            """,
            full_cann,
        )
    )
    assert text == "map True\n"


@pytest.mark.parametrize(
    ("call", "code", "kind", "expected"),
    [
        ("aclnnExpGetWorkspaceSize", 161002, "KernelError", "refuses the arguments"),
        ("aclnnExpGetWorkspaceSize", 361001, "DeviceFailure", "call of the runtime"),
        ("aclnnExp", 561003, "DeviceFailure", "package of operators"),
    ],
)
def test_an_error_of_the_library_is_an_exception(
    run: Run, full_cann: Path, call: str, code: int, kind: str, expected: str
) -> None:
    """With ACL's message, shapes and what to do; nothing is left; the next works."""
    text = outcome(
        run(
            f"""
            opslib.exp(x, backend="npu")
            operators().fake_opapi_fail(b"{call}", {code}, b"EZ1001: the fake refuses")
            try:
                opslib.exp(x, backend="npu")
            except opslib.OpslibError as error:
                print(type(error).__name__, error)
            print(np.allclose(opslib.exp(x, backend="npu"), np.exp(x)))
            import gc; context(0).synchronize(); gc.collect()
            print(operators().fake_opapi_live())
            """,
            full_cann,
        )
    )
    assert text.startswith(kind)
    assert f"{call} returned {code}" in text
    assert expected in text
    assert "while running exp on arrays of" in text
    assert "EZ1001: the fake refuses" in text
    assert "help:" in text
    assert text.endswith("True\n0\n")


def test_no_memory_for_the_workspace(run: Run, full_cann: Path) -> None:
    """The executor, which the second phase would have used up, is undone."""
    text = outcome(
        run(
            """
            import gc
            opslib.exp(x, backend="npu")
            from opslib.backends.npu.acl import device
            real = device.Context.empty
            def short(self, shape, dtype):
                if dtype == "uint8":
                    fake().fake_acl_fail(b"aclrtMalloc", 207001, b"EZ: full")
                return real(self, shape, dtype)
            device.Context.empty = short
            try:
                opslib.exp(x, backend="npu")
            except opslib.OpslibError as error:
                print("out of memory" in str(error))
                del error
            device.Context.empty = real
            context(0).synchronize(); gc.collect()
            print(operators().fake_opapi_live())
            """,
            full_cann,
        )
    )
    assert text == "True\n0\n"


def test_what_the_library_does_not_take(run: Run, full_cann: Path) -> None:
    """No elements, other head sizes, unaligned memory: each has its way."""
    text = outcome(
        run(
            """
            def f(*shape): return rng.normal(size=shape).astype(np.float32)
            def who(name, *arrays, **more):
                with opslib.receipts() as found:
                    y = getattr(opslib, name)(*arrays, backend="npu", **more)
                want = getattr(opslib, name)(*arrays, backend="numpy", **more)
                assert np.allclose(y, want, rtol=1e-4, atol=1e-5), name
                return found[-1].skeleton.partition("@")[0]
            print(who("exp", f(0, 3)))
            attention = "scaled_dot_product_attention"
            print(who(attention, f(1, 2, 5, 4), f(1, 2, 6, 4), f(1, 2, 6, 7)))
            print(who(attention, *[f(1, 2, 5, 4)] * 3, is_causal=True))
            print(who("addmm", f(4, 6), f(4, 5), f(5, 6), beta=0.0))
            print(who("matmul", f(2, 4, 5), f(5, 3)))
            print(who("linear", f(2, 4, 5), f(3, 5)))
            here = context(0)
            whole = here.upload(x.reshape(-1))
            from opslib.backends.npu.acl.device import DeviceArray
            part = DeviceArray(whole.address + 4, (20,), whole.dtype, 0, whole)
            plan = opslib.exp.plan(x.reshape(-1)[1:21], backend="npu")
            (y,) = plan.run([part], None)
            print(plan.kernel.skeleton, np.allclose(here.download(y),
                                                    np.exp(x.reshape(-1)[1:21])))
            """,
            full_cann,
        )
    )
    lines = text.splitlines()
    assert lines[0] == "map"
    assert "aclnn" not in lines[1]
    assert "aclnn" not in lines[2]
    assert "aclnn" not in lines[3]
    assert lines[4:6] == ["aclnn:aclnnMatmul", "aclnn:aclnnMatmul"]
    assert lines[6] == "aclnn:aclnnExp@1.17.0 True"


def test_without_the_library_nothing_changes(run: Run) -> None:
    """It is a part of CANN of its own: its absence is no error."""
    text = outcome(
        run("""
        with opslib.receipts() as found:
            opslib.exp(x, backend="npu")
        print(found[-1].skeleton)
        """)
    )
    assert text == "map\n"


def test_return_codes_of_the_library() -> None:
    refused = acl_error(161002, "aclnnAddGetWorkspaceSize", "why")
    assert isinstance(refused, KernelError)
    assert "providers=False" in str(refused.help)
    assert isinstance(acl_error(561103, "aclnnAdd"), DeviceFailure)
