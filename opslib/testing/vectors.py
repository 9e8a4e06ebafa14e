"""Test vectors: inputs, expected results and bounds as files, for hosts without Python.

A folder holds ``manifest.json`` and one ``.npz`` for each case (a zip of ``.npy``
files, readable everywhere). It has the arrays ``input:NAME`` in the program's order,
``expected:NAME`` (float64 for floats: what exact arithmetic gives) and ``bound:NAME``
(how far a correct kernel may be off; absent where the result must be equal). bfloat16
arrays are stored as their 16-bit patterns, and the manifest says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from opslib._version import __version__
from opslib.analysis.bound import Arithmetic
from opslib.dispatch.handle import Handle
from opslib.dispatch.routing import spec_hash
from opslib.ir.dtypes import DType
from opslib.testing.inputs import Case, NoCase, make_case
from opslib.testing.judge import arithmetic_of, reference

SCHEMA = 1

Array = np.ndarray[Any, np.dtype[Any]]


def write_vectors(
    folder: Path,
    operators: Iterable[str],
    dtypes: Iterable[str],
    *,
    cases: Iterable[int] = range(12),
    seed: int = 0,
    arithmetic: Arithmetic | None = None,
    backend: str | None = None,
) -> int:
    """Writes vectors of every operator and dtype that fit; returns how many.

    Bounds are for the promises of `backend`, else for `arithmetic`, which by default
    is IEEE arithmetic with correctly rounded functions.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    wanted = list(dtypes)
    for name in operators:
        handle = Handle(name)
        for dtype in wanted:
            for number in cases:
                try:
                    case = make_case(handle, dtype, number, seed)
                except (NoCase, KeyError):
                    continue
                promises = arithmetic or Arithmetic()
                if backend is not None:
                    promises = arithmetic_of(backend, case)
                file = f"{name}-{dtype}-{number}.npz"
                entries.append(_write(folder / file, case, handle, promises))
    manifest = {"schema": SCHEMA, "opslib": __version__, "cases": entries}
    text = json.dumps(manifest, indent=1) + "\n"
    (folder / "manifest.json").write_text(text, "utf-8")
    return len(entries)


def _write(
    path: Path, case: Case, handle: Handle, arithmetic: Arithmetic
) -> dict[str, Any]:
    binding = case.binding
    arrays: dict[str, Array] = {}
    for t, a in zip(binding.inputs, case.flat, strict=True):
        arrays[f"input:{t.name}"] = _stored(np.array(a.astype(t.dtype.numpy)))
    with np.errstate(all="ignore"):
        known = reference(case, arithmetic)
    for k, o in enumerate(binding.outputs):
        wants, judgement = known.exact[k], known.judgements[k]
        if wants is not None:
            arrays[f"expected:{o.name}"] = _stored(np.array(wants[0]))
        else:
            assert judgement is not None
            value = np.array(judgement.value)
            if o.dtype.is_float:
                value = value.astype(np.float64)
            arrays[f"expected:{o.name}"] = value
            arrays[f"bound:{o.name}"] = np.array(judgement.bound, np.float64)
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return {
        "file": path.name,
        "operator": case.operator,
        "spec": spec_hash(handle.operator, handle.library),
        "dtype": case.dtype,
        "case": case.number,
        "seed": case.seed,
        "kind": case.kind,
        "attributes": {k: _plain(v) for k, v in case.attributes.items()},
        "absent": [
            p.name
            for p, a in zip(handle.operator.tensors, case.tensors, strict=True)
            if a is None
        ],
        "inputs": [
            _described(t.name, t.dtype, a.shape)
            for t, a in zip(binding.inputs, case.flat, strict=True)
        ],
        "outputs": [_described(t.name, t.dtype, t.shape) for t in binding.outputs],
    }


def _described(name: str, dtype: DType, shape: tuple[int, ...]) -> dict[str, Any]:
    made = {"name": name, "dtype": dtype.name, "shape": list(shape)}
    if dtype.name == "bfloat16":
        made["stored"] = "uint16"
    return made


def _stored(array: Array) -> Array:
    if array.dtype == ml_dtypes.bfloat16:
        return array.view(np.uint16)
    return array


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value
