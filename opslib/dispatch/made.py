"""Functions for operators that are made at run time, from a checked spec."""

from __future__ import annotations

import itertools
import linecache
import weakref
from collections.abc import Mapping
from typing import Any

from opslib.dispatch.handle import Handle, attach
from opslib.dispatch.inspection import OperatorFunction
from opslib.dispatch.signature import (
    HEADER,
    function_source,
    handle_name,
    python_name,
    result_class,
    result_class_source,
)
from opslib.language.diagnostics import Diagnostic, raise_spec
from opslib.language.library import parse_operator_text
from opslib.language.syntax import Operator

_numbers = itertools.count(1)


def made(text: str, known: Mapping[str, Operator]) -> OperatorFunction:
    """The function of an operator's spec.

    Args:
        text: the spec.
        known: the operators that it may call.

    Raises:
        SpecError: with carets under what is wrong.
    """
    library = dict(known)
    operator = parse_operator_text(text, library)
    _check_names(operator)
    library[operator.name] = operator
    name = python_name(operator.name)
    names: dict[str, Any] = {"__name__": f"opslib.op.{operator.name}"}
    results = result_class_source(operator)
    source = f"{HEADER}\n\n{results}\n\n\n{function_source(operator)}\n"
    filename = f"<opslib op {operator.name} {next(_numbers)}>"
    exec(compile(source, filename, "exec"), names)
    result = names[result_class(operator)] if results else None
    handle = Handle(operator.name, result, operator, library)
    names[handle_name(operator)] = handle
    function: Any = names[name]
    # A debugger can step into it, for as long as it lives.
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    weakref.finalize(function, linecache.cache.pop, filename, None)
    attach(function, handle)
    made_function: OperatorFunction = function
    return made_function


def _check_names(operator: Operator) -> None:
    """Names that a spec may have and a Python signature may not."""
    taken: dict[str, str] = {"out": "out", "backend": "backend"}
    taken |= {f"return_{r.name}": "" for r in operator.results if r.optional}
    if operator.clauses.axis:
        taken["axis"] = "axis"
    for p in operator.parameters:
        name = python_name(p.name)
        if name.startswith("_") or name in taken:
            why = "begins with '_'" if name.startswith("_") else "is taken in Python"
            message = f"a parameter's name {why}: '{p.name}'"
            help = "choose another; every operator has out=, backend= and its own"
            raise_spec([Diagnostic("E0204", message, p.span, (), help)])
        taken[name] = p.name
    fields: set[str] = set()
    for r in operator.results:
        name = python_name(r.name)
        if len(operator.results) > 1 and (name.startswith("_") or name in fields):
            message = f"'{r.name}' cannot be a field of the results"
            raise_spec([Diagnostic("E0204", message, r.span)])
        fields.add(name)
