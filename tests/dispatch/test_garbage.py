"""Garbage in: an error of opslib's, a TypeError or a ValueError, and no crash."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import opslib
from opslib.language import syntax

NAMES = ["add", "where", "matmul", "sum", "softmax", "layer_norm", "concat", "take"]
NAMES += ["conv2d", "max_pool2d", "embedding", "attention", "topk", "sort", "cumsum"]
NAMES += ["reshape", "pad", "arange", "full", "astype", "one_hot", "clip", "squeeze"]
NAMES = [n for n in NAMES if n in opslib.operators()]

odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 4),
    st.sampled_from([2**31, -(2**63), 2**63, 2**70, 10**400]),
    st.floats(),
    st.text(max_size=3),
    st.sampled_from(
        ["float32", "int64", "none", "reflect", b"x", 1j, object(), len, ()]
    ),
    st.lists(st.integers(-3, 4), max_size=3),
    st.tuples(st.integers(-3, 4), st.integers(-3, 4)),
    st.dictionaries(st.text(max_size=1), st.integers(), max_size=1),
)
dtypes = ["f4", "f8", "i4", "i8", "?", "f2", "u1", ">f4", "c8", "O", "M8[s]", "U1"]


@st.composite
def array(draw: st.DrawFn) -> Any:
    shape = draw(st.lists(st.sampled_from([0, 1, 2, 3]), max_size=4))
    dtype = np.dtype(draw(st.sampled_from(dtypes[: draw(st.integers(4, len(dtypes)))])))
    if dtype.kind in "OMU":
        return np.empty(shape, dtype)
    return (np.arange(np.prod(shape, dtype=int)) % 3).reshape(shape).astype(dtype)


argument = st.one_of(array(), array(), array(), odd)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_garbage(name: str, data: st.DataObject) -> None:
    function = getattr(opslib, name)
    operator = opslib.spec_library()[name]
    tensors = [p for p in operator.parameters if isinstance(p.type, syntax.TensorType)]
    given_arrays = [data.draw(argument) for _ in tensors]
    given_arrays += data.draw(st.lists(argument, max_size=1))
    named = {
        p.name: data.draw(odd)
        for p in operator.attributes
        if data.draw(st.booleans()) or p.default is None
    }
    if data.draw(st.booleans()):
        named["axis"] = data.draw(odd)
    if data.draw(st.integers(0, 4)) == 0:
        named["out"] = data.draw(argument)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function(*given_arrays, backend="numpy", **named)
    except (opslib.OpslibError, TypeError, ValueError) as error:
        said = str(error)
    except MemoryError:
        return  # Such as arange(2**62).
    else:
        return
    assert said
