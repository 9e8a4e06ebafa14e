"""More than 2^31 elements: `pytest -m deep tests/conformance/test_large.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from opslib.errors import BackendUnavailable
from opslib.runtime import registry
from opslib.testing import large


def free_gigabytes() -> float:
    """Memory that can be had without swapping; infinite where nobody says."""
    try:
        lines = Path("/proc/meminfo").read_text("utf-8").splitlines()
    except OSError:
        return float("inf")
    found = {k: float(v.split()[0]) for k, _, v in (x.partition(":") for x in lines)}
    return found.get("MemAvailable", float("inf")) / 2**20


@pytest.mark.deep
@pytest.mark.parametrize("backend", ["numpy", "cpu"])
@pytest.mark.parametrize("case", large.ALL, ids=lambda c: c.name.replace(" ", "-"))
def test_more_than_2_to_the_31_elements(case: large.Large, backend: str) -> None:
    try:
        registry.device(backend)
    except BackendUnavailable as error:
        pytest.skip(error.message)
    needed = case.gigabytes + 1
    if free_gigabytes() < needed:
        pytest.skip(f"it needs {needed:g} GB, and {free_gigabytes():.1f} are free")
    wrong = case.run(backend)
    assert not wrong, f"{case.name} on {backend}: {wrong}"
