"""Variadic results: one definition for each of the arrays that a call has."""

from __future__ import annotations

from dataclasses import replace

from opslib.ir.build import cast, integer
from opslib.ir.expansion import definitions
from opslib.ir.expansion.draft import Draft
from opslib.ir.expr import Define, Tensor
from opslib.language import syntax


def define_instances(draft: Draft, definition: syntax.Definition) -> None:
    """Adds the Defines of ``ys[v][...] = ...``; v is a number in each of them."""
    frame, target = draft.frame, definition.targets[0]
    result = draft.result(target.name)
    dtype = draft.declared(target.name)
    assert target.which is not None
    if result is None or result.instances is None or dtype is None:
        frame.fail(definition, f"'{target.name}' is not variadic", "E0411")
    for k in range(dict(draft.statics.counts)[target.name]):
        # The name of the signature, in extents; the name of this line, in its value.
        frame.sizes[result.instances.name] = integer(k)
        groups = definitions.declared_groups(frame, result.type.axes)
        axes, scope = definitions.bind_target(frame, target, groups)
        indices = {**scope.indices, target.which.name: integer(k)}
        value = frame.value(definition.value, replace(scope, indices=indices))
        name = f"{target.name}{k}"
        dims = tuple(d for group in groups for d in group.dims)
        draft.outputs[name] = Tensor(name, dtype, dims)
        positions = tuple(axis.index for axis in axes)
        draft.defines.append(Define(name, axes, positions, cast(value, dtype)))
    frame.sizes.pop(result.instances.name, None)
