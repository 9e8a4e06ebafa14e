"""What the names of a signature are in the program: sizes, scalars, inputs."""

from __future__ import annotations

from typing import Any

from opslib.ir.binding import pack_name
from opslib.ir.dtypes import FLOAT64, INT64, DType
from opslib.ir.expansion import definitions
from opslib.ir.expansion.draft import Draft, reader
from opslib.ir.expansion.frame import Operand
from opslib.ir.expr import Expr, Tensor
from opslib.ir.roles import (
    attribute_type,
    axes_of,
    dimension_names,
    instance_sizes,
    pack_of,
)
from opslib.language import syntax
from opslib.language.tree import names


def declare(draft: Draft) -> None:
    """Fills the frame with the signature's names, and the draft with the inputs."""
    frame, statics, operator = draft.frame, draft.statics, draft.frame.operator
    frame.dtypes = dict(statics.dtypes)
    for pack, rank in statics.ranks:
        frame.packs[pack] = [draft.size(pack_name(pack, k)) for k in range(rank)]
    _sizes(draft)
    static = dict(statics.attributes)
    for p in operator.attributes:
        _attribute(draft, p, static)
    for name, found in static.items():
        if name.startswith("fit "):
            frame.attributes[name] = found
    frame.absent = {name for name, there in statics.present if not there}
    for p in operator.tensors:
        _input(draft, p)
    _reserve(draft)


def _sizes(draft: Draft) -> None:
    frame, operator = draft.frame, draft.operator
    counts = dict(draft.statics.counts)
    own = instance_sizes(operator)
    for name in sorted(dimension_names(operator)):
        if name in own:
            sizes: list[Expr] = [
                draft.size(f"{name}{k}") for k in range(counts[own[name]])
            ]
            frame.instance_sizes[name] = sizes
        else:
            frame.sizes[name] = draft.size(name)
    # Sizes that stand in an expression only, such as the n of T[2 * n].
    attributes = {p.name for p in operator.attributes}
    for p in operator.tensors:
        for axis in axes_of(p):
            if isinstance(axis, syntax.Pack):
                continue
            for name in names(axis):
                if name not in attributes and name not in frame.instance_sizes:
                    frame.sizes[name] = draft.size(name)


def _attribute(draft: Draft, p: syntax.Parameter, static: dict[str, Any]) -> None:
    kind, frame = attribute_type(p), draft.frame
    if kind.kind == "shape":
        return  # A pack, whose extents are sizes.
    if p.name in static:
        frame.attributes[p.name] = static[p.name]
        return
    if p.name in frame.sizes:
        return
    dtype = INT64 if kind.kind == "int" else FLOAT64
    if kind.kind == "number":
        dtype = frame.dtypes[p.name]
    if kind.count is None:
        frame.attributes[p.name] = draft.scalar(p.name, dtype)
        return
    if isinstance(kind.count, syntax.Number):
        count = int(kind.count.value)
    else:
        count = len(frame.packs[pack_of(kind.count)])
    frame.attributes[p.name] = [
        draft.scalar(f"{p.name}{k}", dtype) for k in range(count)
    ]


def _input(draft: Draft, p: syntax.Parameter) -> None:
    frame = draft.frame
    if p.name in frame.absent:
        return
    assert isinstance(p.type, syntax.TensorType)
    dtype = frame.dtype_of(p.type.dtype)
    if not p.variadic:
        frame.operands[p.name] = _operand(draft, p.name, p.type.axes, dtype)
        return
    operands = []
    for k in range(dict(draft.statics.counts)[p.name]):
        own = {n: s[k] for n, s in frame.instance_sizes.items()}
        frame.sizes.update(own)
        operands.append(_operand(draft, f"{p.name}{k}", p.type.axes, dtype))
        for n in own:
            del frame.sizes[n]
    frame.variadic[p.name] = tuple(operands)


def _operand(
    draft: Draft, name: str, axes: tuple[syntax.Expression, ...], dtype: DType
) -> Operand:
    groups = definitions.declared_groups(draft.frame, axes)
    dims = tuple(d for g in groups for d in g.dims)
    draft.inputs.append(Tensor(name, dtype, dims))
    return Operand(name, tuple(groups), reader(name, dtype))


def _reserve(draft: Draft) -> None:
    """Names that no fold's index may take."""
    reserved = draft.frame.shared.reserved
    reserved |= set(draft.sizes) | set(draft.frame.attributes)
    reserved |= {t.name for t in draft.inputs}
    reserved |= {s.name for s in draft.scalars}
    most = max((len(t.shape) for t in draft.inputs), default=0)
    most = max(most, 8, *(rank for _, rank in draft.statics.ranks))
    for definition in draft.operator.definitions:
        for target in definition.targets:
            plain, packs = definitions.target_names(target)
            reserved |= {target.name, *plain}
            for base in (*packs, "b"):
                reserved |= {f"{base}{k}" for k in range(most + 1)}
