"""The default order of devices, and what is said where a setting changes it."""

from __future__ import annotations

import os
import subprocess
import sys

CALLS = """
import warnings
import numpy as np
import opslib
with warnings.catch_warnings(record=True) as said, opslib.receipts() as made:
    warnings.simplefilter("always")
    for operator in (opslib.exp, opslib.sin, opslib.exp):
        operator(np.ones(3, np.float32))
print([str(r).split()[3].partition(":")[0] for r in made])
for w in said:
    if issubclass(w.category, opslib.errors.OpslibWarning):
        print(w.message)
"""


def run(**variables: str) -> list[str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("OPSLIB_CC", "CC")}
    done = subprocess.run(
        [sys.executable, "-c", CALLS],
        env={**kept, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_a_wrong_compiler_is_said_once() -> None:
    ran, *said = run(OPSLIB_CC="/no/such/compiler")
    assert "cpu" not in ran
    assert len(said) == 1
    assert "OPSLIB_CC='/no/such/compiler'" in said[0]
    assert "correct OPSLIB_CC" in said[0]


def test_a_machine_without_a_compiler_is_no_mistake() -> None:
    _, *said = run(PATH="/no/such/folder")
    assert not said
