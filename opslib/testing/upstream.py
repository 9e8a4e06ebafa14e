"""The specs against the outside: a wrong spec makes every backend agree, and be wrong.

Each operator with a `like` clause is compared with the function it names, attributes
included, on generated inputs. Differences that are meant are listed with their reasons
in ``upstream_differences.toml``; any other is a bug of the spec, or of the adapter.
"""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from opslib.analysis.bound import Arithmetic
from opslib.dispatch import call
from opslib.dispatch.handle import Handle
from opslib.dispatch.plan import program_for
from opslib.errors import OpslibError, said
from opslib.ir.dtypes import DTYPES
from opslib.ir.primitives import PRIMITIVES
from opslib.testing import levels
from opslib.testing.indices import index_operands
from opslib.testing.inputs import Case, NoCase, make_case
from opslib.testing.judge import reference
from opslib.testing.peers import Adapter, Refused, adapter, generic
from opslib.testing.peers_onnx import onnx_adapter
from opslib.testing.shapes import dtypes_of

Array = np.ndarray[Any, np.dtype[Any]]

# Peers state no bounds. This one is so wide that only another meaning, or the loss of
# half of the digits, exceeds it.
PEER = Arithmetic(ulp=dict.fromkeys(PRIMITIVES, 2.0**12))
# ONNX keeps attributes in float32, which float64 results would show.
DTYPES_OF_ONNX = ("float32", "int64", "int32", "bool")
DTYPES_COMPARED = ("float64", "float32", "int64", "int32", "uint8", "bool")


@dataclass(frozen=True, slots=True)
class Difference:
    """A result of a peer that the spec does not have."""

    operator: str
    peer: str
    dtype: str
    case: int
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of comparing an operator with a peer.

    refused: why the peer did not take a case, each reason once.
    """

    operator: str
    peer: str
    compared: int
    refused: tuple[str, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Meant:
    """A difference that is meant. `dtype` and `kind` may be ``*``.

    says: what the message must begin with, such as ``shape``.
    """

    op: str
    reason: str
    peer: str = "*"
    dtype: str = "*"
    kind: str = "*"
    says: str = ""

    def fits(self, d: Difference) -> bool:
        """Whether the entry is about this difference."""
        pairs = ((self.peer, d.peer), (self.dtype, d.dtype), (self.kind, d.kind))
        same = all(mine in ("*", theirs) for mine, theirs in pairs)
        return d.operator == self.op and same and d.message.startswith(self.says)


@cache
def meant() -> tuple[Meant, ...]:
    """The shipped list of differences."""
    path = files("opslib.testing") / "upstream_differences.toml"
    table = tomllib.loads(path.read_text("utf-8"))
    return tuple(Meant(**row) for row in table.get("difference", ()))


def compare(
    handle: Handle,
    peer: str = "like",
    *,
    cases: Iterable[int] = range(12),
    dtypes: Sequence[str] | None = None,
    seed: int = 0,
) -> Comparison:
    """Compares a spec's reference with a peer.

    `peer` is ``like`` (the function the spec names), ``jax`` (the same name in
    `jax.numpy`) or ``onnx`` (the reference evaluator).

    Raises:
        Refused: there is no such peer here.
    """
    path, run = _peer(handle, peer)
    known = DTYPES_OF_ONNX if peer == "onnx" else DTYPES_COMPARED
    wanted = dtypes or [d for d in dtypes_of(handle.operator) if d in known]
    compared, refused = 0, dict[str, None]()
    found: list[Difference] = []
    for dtype in wanted:
        for number in cases:
            try:
                case = _prepared(handle, make_case(handle, dtype, number, seed))
            except NoCase:
                continue
            except OpslibError as error:
                # Expansion failed; the suite reports that by itself.
                refused[error.message.splitlines()[0][:120]] = None
                continue
            try:
                results = _ask(run, case, path)
            except Exception as error:
                # Another library's refusal, of whatever class.
                refused[said(error)[:120]] = None
                continue
            compared += 1
            message = _different(case, results, peer == "jax")
            if message:
                found.append(
                    Difference(handle.name, path, dtype, number, case.kind, message)
                )
    return Comparison(handle.name, path, compared, tuple(refused), tuple(found))


def compare_all(
    names: Iterable[str], peer: str = "like", **options: Any
) -> Iterator[Comparison]:
    """Each operator that has such a peer here."""
    for name in names:
        try:
            yield compare(Handle(name), peer, **options)
        except Refused:
            continue


def unexpected(comparison: Comparison) -> list[Difference]:
    """The differences that no entry explains."""
    entries = meant()
    return [d for d in comparison.differences if not any(m.fits(d) for m in entries)]


def _peer(handle: Handle, peer: str) -> tuple[str, Adapter]:
    operator = handle.operator
    if peer == "onnx":
        return "onnx", onnx_adapter(handle.name)
    if not operator.clauses.upstream:
        raise Refused(f"{handle.name} is like nothing else")
    path = operator.clauses.upstream[0].function
    if peer == "jax":
        if not path.startswith("numpy.") or operator.clauses.upstream[0].reason:
            raise Refused("only aligned names of numpy have a jax.numpy")
        path = f"jax.{path}"
        return path, generic(operator, path)
    return path, adapter(operator, path)


def _prepared(handle: Handle, case: Case) -> Case:
    """The case without `out`, its tensors as the peer may have them."""
    case = replace(case, out="")
    sorted_at = {"searchsorted": 0, "bucketize": 1}.get(handle.name)
    if sorted_at is None:
        return case
    tensors = list(case.tensors)
    tensors[sorted_at] = np.sort(tensors[sorted_at])
    flat = [a for a in tensors if a is not None]
    layouts = ("contiguous",) * len(flat)
    binding = call.bound(handle.request(tuple(tensors), dict(case.attributes)))
    program = program_for(handle.operator, binding.statics, handle.library)
    return replace(
        case, tensors=tuple(tensors), layouts=layouts, binding=binding, program=program
    )


def _ask(run: Adapter, case: Case, path: str) -> list[Array | None]:
    """The peer's results as NumPy arrays."""
    attributes = {
        k: v for k, v in case.attributes.items() if not k.startswith("return_")
    }
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        if path.startswith("torch."):
            made = _ask_torch(run, case, attributes)
        elif path.startswith("jax."):
            made = _ask_jax(run, case, attributes)
        else:
            made = run([_whole(t) for t in _promoted(case)], attributes)
    several = list(made) if isinstance(made, tuple | list) else [made]
    return [None if r is None else np.asarray(r) for r in several]


def _promoted(case: Case) -> list[Any]:
    """Tensors in the program's dtypes: promotion is opslib's own affair."""
    rest = [
        a.astype(t.dtype.numpy, copy=False)
        for a, t in zip(case.flat, case.binding.inputs, strict=True)
    ]
    return [
        tuple(rest.pop(0) for _ in t)
        if isinstance(t, tuple)
        else None
        if t is None
        else rest.pop(0)
        for t in case.tensors
    ]


def _whole(tensor: Any) -> Any:
    if isinstance(tensor, tuple):
        return tuple(np.array(a) for a in tensor)
    return None if tensor is None else np.array(tensor)


def _ask_torch(run: Adapter, case: Case, attributes: dict[str, Any]) -> Any:
    import torch

    positions = {
        t.parameter
        for t in case.binding.inputs
        if t.name in index_operands(case.program)
    }

    def convert(a: Array, index: bool) -> Any:
        tensor = torch.from_numpy(np.array(a))
        return tensor.long() if index else tensor

    tensors: list[Any] = []
    for p, t in zip(case.binding.operator.tensors, _promoted(case), strict=True):
        index = p.name in positions
        if isinstance(t, tuple):
            tensors.append(tuple(convert(a, index) for a in t))
        else:
            tensors.append(None if t is None else convert(t, index))
    if "dtype" in attributes:
        attributes = {**attributes, "dtype": getattr(torch, attributes["dtype"])}
    made = run(tensors, attributes)
    if isinstance(made, tuple):
        return [None if r is None else r.numpy() for r in made]
    return made.numpy()


def _ask_jax(run: Adapter, case: Case, attributes: dict[str, Any]) -> Any:
    import jax

    with jax.enable_x64(True):
        tensors = [
            tuple(map(jax.numpy.asarray, t))
            if isinstance(t, tuple)
            else None
            if t is None
            else jax.numpy.asarray(np.array(t))
            for t in _promoted(case)
        ]
        made = run(tensors, attributes)
        if isinstance(made, tuple | list):
            return [np.asarray(r) for r in made]
        return np.asarray(made)


def _different(case: Case, results: list[Array | None], flushes: bool) -> str:
    """How the peer's results differ from the spec's reference, or ""."""
    outputs = case.binding.outputs
    if len(results) != len(outputs):
        return f"{len(results)} results instead of {len(outputs)}"
    with np.errstate(all="ignore"):
        known = reference(case, replace(PEER, flushes=flushes))
        for k, (t, got) in enumerate(zip(outputs, results, strict=True)):
            if got is None:
                continue
            if got.shape != t.shape:
                return f"shape {got.shape} instead of {t.shape}; {case.describe()}"
            wants, judgement = known.exact[k], known.judgements[k]
            if got.dtype != t.dtype.numpy and _dtype_matters(t.dtype.name, got):
                return f"dtype {got.dtype} instead of {t.dtype}; {case.describe()}"
            got = got.astype(t.dtype.numpy)
            if wants is not None:
                # The sign of a zero is settled by few peers.
                measure = levels.exact("L0", got, wants, zeros=False)
            else:
                assert judgement is not None
                measure = levels.rigorous(got, judgement)
            if not measure.holds:
                used = "" if np.isinf(measure.worst) else f" ({measure.worst:.3g} x)"
                place = list(measure.place)
                return (
                    f"at {place} the peer has {measure.got}, the spec {measure.want}"
                    f"{used}; {case.describe()}"
                )
    return ""


def _dtype_matters(name: str, got: Array) -> bool:
    """Whether another dtype is another meaning: not for the width of an index."""
    want = DTYPES[name]
    return not (want.is_integer and got.dtype.kind in "iu")


__all__ = [
    "Comparison",
    "Difference",
    "Refused",
    "compare",
    "compare_all",
    "meant",
    "unexpected",
]
