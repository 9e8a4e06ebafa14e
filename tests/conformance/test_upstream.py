"""The specs against NumPy, PyTorch and ONNX: every difference is one that is meant."""

from __future__ import annotations

import pytest

from opslib.dispatch.handle import Handle
from opslib.language.library import load_library
from opslib.testing.upstream import Refused, compare, meant, unexpected

OPERATORS = sorted(n for n, o in load_library().items() if o.clauses.upstream)


def _hold(name: str, peer: str, cases: range) -> None:
    try:
        comparison = compare(Handle(name), peer, cases=cases)
    except Refused as error:
        pytest.skip(str(error))
    found = unexpected(comparison)
    text = "\n".join(f"{d.dtype} case {d.case}: {d.message}" for d in found[:5])
    assert not found, f"{name} is not what {comparison.peer} is:\n{text}"
    if not comparison.compared:
        pytest.skip(f"{comparison.peer} refused: {'; '.join(comparison.refused)}")


@pytest.mark.parametrize("name", OPERATORS)
def test_like_what_it_names(name: str) -> None:
    path = load_library()[name].clauses.upstream[0].function
    pytest.importorskip(path.split(".")[0])
    _hold(name, "like", range(7))


@pytest.mark.parametrize("name", OPERATORS)
def test_like_onnx(name: str) -> None:
    pytest.importorskip("onnx")
    _hold(name, "onnx", range(5))


@pytest.mark.deep
@pytest.mark.parametrize("name", OPERATORS)
def test_like_jax(name: str) -> None:
    pytest.importorskip("jax")
    _hold(name, "jax", range(7))


def test_every_listed_difference_has_an_operator_and_a_reason() -> None:
    assert all(m.op in OPERATORS and len(m.reason) > 8 for m in meant())
