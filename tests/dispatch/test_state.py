"""`use`, receipts, fallbacks, the environment: what runs where."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import opslib

X = np.arange(6, dtype=np.float32)
ROOT = Path(__file__).parents[2]


def ran(*args: Any, **named: Any) -> str:
    with opslib.receipts() as found:
        opslib.add(X, X, *args, **named)
    (receipt,) = found
    return receipt.device


def test_use_and_its_nesting() -> None:
    with opslib.use("numpy"):
        assert ran() == "numpy"
        with opslib.use("cpu"):
            assert ran() == "cpu"
            assert ran(backend="numpy") == "numpy"
        assert ran() == "numpy"
        with opslib.use(fallback="allow"):
            assert ran() == "numpy"
    assert ran() == "cpu"


@pytest.mark.parametrize("first", ["use", "argument"])
def test_one_backend_by_use_and_by_argument(
    first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both share their prepared calls; a new shape must go to that backend too."""
    from opslib.dispatch import handle

    devices = []

    def watched(request: Any) -> Any:
        results, plan = whole(request)
        devices.append(plan.device.name)
        return results, plan

    whole = handle.run_planned
    monkeypatch.setattr(handle, "run_planned", watched)
    double = opslib.op("op double_of(x: T) -> y: T = x + x")

    def by_use(n: int) -> None:
        with opslib.use("numpy"):
            double(np.ones(n, np.float32))

    def by_argument(n: int) -> None:
        double(np.ones(n, np.float32), backend="numpy")

    calls = [by_use, by_argument] if first == "use" else [by_argument, by_use]
    for n, call in enumerate(calls, start=3):
        call(n)
    assert devices == ["numpy", "numpy"]


@pytest.mark.parametrize("name", ["backend", "fallback", "accumulate", "providers"])
@pytest.mark.parametrize("value", [np.ones(2), b"cpu", 7, ["cpu"]])
def test_settings_of_another_kind(name: str, value: Any) -> None:
    with pytest.raises(opslib.ArgumentError, match=r"must be|named by"):
        opslib.use(**{name: value}).__enter__()


def test_use_ends_with_an_exception() -> None:
    with pytest.raises(KeyError), opslib.use("numpy"):
        raise KeyError
    assert ran() == "cpu"


def test_a_thread_starts_without_settings() -> None:
    found: list[str] = []
    with opslib.use("numpy"):
        thread = threading.Thread(target=lambda: found.append(ran()))
        thread.start()
        thread.join()
    assert found == ["cpu"]


def test_receipts() -> None:
    with opslib.receipts() as found:
        opslib.add(X, X)
        opslib.add(X, 2)
        with opslib.receipts() as inner:
            opslib.exp(X)
    assert [r.operator for r in found] == ["add", "add"]
    assert [r.operator for r in inner] == ["exp"]
    first = found[0]
    assert first.shapes == ((6,), (6,))
    assert first.dtypes == (("x1", "float32"), ("x2", "float32"))
    assert first.fallback == ""
    assert not first.simulated
    assert str(first).startswith("add ran on cpu (")


def test_an_unknown_backend() -> None:
    with pytest.raises(
        opslib.BackendUnavailable, match="did you mean 'numpy'"
    ) as caught:
        opslib.add(X, X, backend="numpi")
    assert "registered here" in str(caught.value)
    with pytest.raises(opslib.BackendUnavailable, match="did you mean 'cpu'"):
        opslib.use("cpuu").__enter__()
    with pytest.raises(opslib.BackendUnavailable):
        opslib.add(X, X, backend="cpu:7")
    with pytest.raises(opslib.ArgumentError):
        opslib.use(3).__enter__()  # type: ignore[arg-type]
    with pytest.raises(opslib.ArgumentError, match="fallback must be"):
        opslib.use(fallback="never").__enter__()  # type: ignore[arg-type]


# --- Wider sums ---------------------------------------------------------------------

LONG = np.random.default_rng(0).standard_normal(100_000).astype(np.float32)


def summed(backend: str | None = None, **settings: Any) -> tuple[float, opslib.Receipt]:
    """The error of the last of 100000 running sums, and what ran."""
    with opslib.use(**settings), opslib.receipts() as found:
        got = opslib.cumsum(LONG, backend=backend)
    assert got.dtype == np.float32
    return abs(float(got[-1]) - LONG.astype(np.float64).sum()), found[0]


def test_wider_sums_on_request() -> None:
    narrow, plain = summed(backend="numpy")
    assert (plain.device, plain.accumulate) == ("numpy", "float32")
    with opslib.use("numpy"):
        under_use = summed(accumulate="float64")
    asked, anywhere = (
        summed("numpy", accumulate="float64"),
        summed(accumulate="float64"),
    )
    for wide, receipt in (under_use, asked, anywhere):
        assert (receipt.device, receipt.accumulate) == ("numpy:float64", "float64")
        assert wide < narrow / 20
    # Two settings, two plans: one does not answer for the other.
    assert summed(backend="numpy")[1].device == "numpy"
    assert summed(backend="numpy:float64")[1].device == "numpy:float64"


def test_who_cannot_sum_wider_says_so() -> None:
    why = "cpu: it sums float32 in float32, not in float64"
    with opslib.use("cpu", accumulate="float64"):
        with pytest.raises(opslib.BackendUnavailable, match=why):
            opslib.sum(LONG)
        opslib.sum(LONG.astype(np.float64))
        opslib.sum(np.arange(5))  # no float, nothing to keep wider
    _, receipt = summed(backend="cpu", accumulate="float64", fallback="allow")
    assert receipt.device == "numpy:float64"
    assert why in receipt.fallback
    with pytest.warns(opslib.OpslibWarning, match=why):
        summed(backend="cpu", accumulate="float64", fallback="warn")


def test_half_precision_sums_are_wide_enough_for_float32() -> None:
    with opslib.use("cpu", accumulate="float32"), opslib.receipts() as found:
        opslib.sum(LONG.astype(np.float16))
    assert found[0].accumulate == "float32"


def test_wider_sums_in_explain_and_source() -> None:
    with opslib.use(accumulate="float64"):
        rows = {d: (v, why) for d, v, why in opslib.explain("sum", LONG).rows}
    assert rows["cpu"] == ("no", "it sums float32 in float32, not in float64")
    assert rows["numpy:float64"][0] == "runs"
    assert rows["numpy:float64"][1].endswith("sums in float64")
    assert "astype(np.float64)" in opslib.softmax.source("numpy:float64")
    assert "float64" not in opslib.softmax.source("numpy")


def test_wider_sums_nest_and_are_checked() -> None:
    with opslib.use(accumulate="float64"), opslib.use("numpy"):
        assert summed()[1].device == "numpy:float64"
    assert summed(backend="numpy")[1].device == "numpy"
    with pytest.raises(opslib.ArgumentError, match="accumulate must be"):
        opslib.use(accumulate="float16").__enter__()  # type: ignore[arg-type]


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The NumPy backend supports nothing."""
    from opslib.dispatch import call
    from opslib.runtime import registry

    backend = registry.load("numpy")
    monkeypatch.setattr(
        type(backend), "supports", lambda self, program, device: "it is on strike"
    )
    monkeypatch.setattr(call, "_plans", call.Cache())


@pytest.mark.usefixtures("refusing")
def test_fallback_policies() -> None:
    x = X[:5].copy()
    with pytest.raises(opslib.BackendUnavailable, match="on strike"):
        opslib.add(x, x, backend="numpy")
    with opslib.use("numpy"), pytest.raises(opslib.BackendUnavailable):
        opslib.add(x, x)
    with opslib.use("numpy", fallback="allow"), opslib.receipts() as found:
        np.testing.assert_array_equal(opslib.add(x, x), x + x)
    assert found[0].device == "cpu"
    assert found[0].fallback == "numpy: it is on strike"
    with opslib.use("numpy", fallback="warn"):
        for _ in range(2):
            with pytest.warns(opslib.OpslibWarning, match="add runs on cpu: .*strike"):
                opslib.add(x, x)


def test_a_mistyped_name_is_no_reason_to_fall_back() -> None:
    with opslib.use(fallback="allow"), pytest.raises(opslib.BackendUnavailable):
        opslib.add(X, X, backend="nummpy")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("value", "want"), [("numpy", "numpy"), ("", "cpu"), ("nunpy", "did you mean")]
)
def test_the_environment(value: str, want: str) -> None:
    code = (
        "import numpy as np, opslib\n"
        "with opslib.receipts() as r: opslib.add(np.ones(2), np.ones(2))\n"
        "print(r[0].device)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "OPSLIB_BACKEND": value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert want in found.stdout + found.stderr
    if want == "did you mean":
        assert "OPSLIB_BACKEND=nunpy" in found.stderr
