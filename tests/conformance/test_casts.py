"""Casts between types: what rounds is no sum, and what no integer holds is open."""

from __future__ import annotations

import pytest

from opslib.cli import main


@pytest.mark.parametrize("backend", ["numpy", "cpu", "jax"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_casts_conform(
    backend: str, dtype: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Case 5 of float64 rounds to 16 bits; some cases make integers of infinities."""
    asked = ["conformance", "--op", "astype", "--profile", "quick"]
    code = main([*asked, "--backend", backend, "--dtype", dtype])
    assert code == 0, capsys.readouterr().out
