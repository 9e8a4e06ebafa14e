"""Aligned operators are called as the functions whose names they borrow."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import opslib
from opslib.dispatch.signature import python_name
from opslib.language.library import load_library

KINDS = inspect.Parameter

# Where the array API standard and NumPy differ, the standard's form is taken.
POSITIONAL = {
    "clip": "clip(x, min, max): NumPy has these as a_min and a_max",
    "astype": "the standard has dtype positional only; it may be named here",
}


def borrowed() -> list[tuple[str, str]]:
    return [
        (name, upstream.function)
        for name, operator in load_library().items()
        for upstream in operator.clauses.upstream
        if upstream.status == "aligned"
    ]


def resolve(path: str) -> Any:
    root, *names = path.split(".")
    found: Any = np if root == "numpy" else pytest.importorskip(root)
    for name in names:
        found = getattr(found, name)
    return found


def parameters(function: Any) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(function).parameters)
    except (ValueError, TypeError):
        pytest.skip("the function tells nobody its signature")


@pytest.mark.parametrize(("name", "path"), borrowed())
def test_arguments_are_given_in_the_same_ways(name: str, path: str) -> None:
    theirs = parameters(resolve(path))
    ours = parameters(getattr(opslib, python_name(name)))
    order = list(theirs)
    for place, (key, own) in enumerate(ours.items()):
        other = theirs.get(key)
        if other is None or key in ("out", "backend"):
            continue  # test_specs.py wants a reason for each name.
        if own.kind is KINDS.POSITIONAL_ONLY:
            assert other.kind is KINDS.POSITIONAL_ONLY, key
        if own.kind is KINDS.POSITIONAL_OR_KEYWORD and name not in POSITIONAL:
            assert other.kind is KINDS.POSITIONAL_OR_KEYWORD, key
            assert order.index(key) == place, key


@pytest.mark.parametrize(("name", "path"), borrowed())
def test_defaults_are_the_same(name: str, path: str) -> None:
    theirs = parameters(resolve(path))
    for key, own in parameters(getattr(opslib, python_name(name))).items():
        other = theirs.get(key)
        if other is None or key in ("out", "backend"):
            continue
        if (name, key) == ("expand_dims", "axis"):
            assert own.default == 0  # The array API standard's; NumPy wants it said.
            continue
        if own.default is None or other.default is np._NoValue:
            continue  # A default that is computed, or one that is not shown.
        if own.default is inspect.Parameter.empty:
            assert other.default is inspect.Parameter.empty, key
        else:
            assert own.default == other.default, key
