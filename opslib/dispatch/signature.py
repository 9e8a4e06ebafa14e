"""The Python face of a spec: a real function with a true signature, as source text.

The functions of all shipped specs are generated into ``opslib/_api.py`` and committed
(importing opslib parses no spec); `opslib.op` makes one at run time by the same text.
"""

from __future__ import annotations

import keyword
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass

from opslib.language import syntax

_KINDS = {
    "int": "int",
    "float": "float",
    "number": "float",
    "bool": "bool",
    "string": "str",
    "dtype": "DTypeLike",
    "shape": "int | Sequence[int]",
    "axis": "int",
    "gap": "int",
    "axes": "int | Sequence[int] | None",
}


@dataclass(frozen=True, slots=True)
class Keyword:
    """An attribute as the Python function has it."""

    name: str
    annotation: str
    default: str | None
    placement: str


def python_name(name: str) -> str:
    """`name`, or with an underscore where Python reserves it."""
    return f"{name}_" if keyword.iskeyword(name) else name


def handle_name(operator: syntax.Operator) -> str:
    """The variable of an operator's `Handle`; no name of a spec begins like it."""
    return f"_op_{operator.name}"


def keywords(operator: syntax.Operator) -> tuple[Keyword, ...]:
    """Attributes in signature order, then `axis`, then a flag per optional result."""
    found = []
    for p in operator.attributes:
        default = None if p.default is None else default_text(p.default)
        annotation = attribute_annotation(p)
        if default == "None" and "None" not in annotation:
            annotation += " | None"
        found.append(Keyword(p.name, annotation, default, p.placement))
    if operator.clauses.axis:
        found.append(Keyword("axis", "int", "-1", "keyword"))
    for r in operator.results:
        if r.optional:
            found.append(Keyword(f"return_{r.name}", "bool", "False", "keyword"))
    return tuple(found)


def attribute_annotation(p: syntax.Parameter) -> str:
    """The Python type of an attribute's values."""
    kind = p.type
    assert isinstance(kind, syntax.AttributeType)
    if kind.kind == "string":
        return "Literal[" + ", ".join(map(repr, kind.choices)) + "]"
    base = _KINDS[kind.kind]
    return f"{base} | Sequence[{base}]" if kind.count is not None else base


def default_text(node: syntax.Expression) -> str:
    """A literal default as Python; ``None`` for one that depends on sizes."""
    match node:
        case syntax.Number():
            if node.value == float("inf"):
                return 'float("inf")'
            return repr(node.value)
        case syntax.Boolean():
            return repr(node.value)
        case syntax.String():
            return repr(node.value)
        case syntax.TupleOf():
            return "(" + ", ".join(map(default_text, node.items)) + ",)"
        case syntax.Unary(operator="-") if isinstance(node.operand, syntax.Number):
            if node.operand.value == float("inf"):
                return '-float("inf")'
            return repr(-node.operand.value)
    return "None"


def signature(operator: syntax.Operator) -> str:
    """The parameter list, without parentheses."""
    named = {k.name: k for k in keywords(operator)}
    parts: list[str] = []
    stage = "positional"
    positional = any(p.placement == "positional" for p in operator.parameters)
    for p in operator.parameters:
        if p.placement != "positional" and stage == "positional":
            if positional:
                parts.append("/")
            stage = "either"
        if p.placement == "keyword" and stage == "either":
            parts.append("*")
            stage = "keyword"
        name = python_name(p.name)
        if isinstance(p.type, syntax.TensorType):
            if p.variadic:
                parts.append(f"*{name}: Array")
                stage = "keyword"
            elif p.optional:
                parts.append(f"{name}: Array | None = None")
            else:
                parts.append(f"{name}: Array")
        else:
            parts.append(_parameter(named[p.name]))
    if stage == "positional" and positional:
        parts.append("/")
    if stage != "keyword":
        parts.append("*")
    own = {p.name for p in operator.parameters}
    parts += [_parameter(k) for k in named.values() if k.name not in own]
    parts += [f"out: {_out_annotation(operator)} = None"]
    parts += ["backend: str | None = None"]
    return ", ".join(parts)


def _parameter(k: Keyword) -> str:
    default = "" if k.default is None else f" = {k.default}"
    return f"{python_name(k.name)}: {k.annotation}{default}"


def _out_annotation(operator: syntax.Operator) -> str:
    single = len(operator.results) == 1 and not is_variadic(operator)
    return "Array | None" if single else "tuple[Array, ...] | None"


def result_annotation(operator: syntax.Operator) -> str:
    """``Array``, a tuple of a variadic result, or the NamedTuple of several."""
    if is_variadic(operator):
        return "tuple[Array, ...]"
    if len(operator.results) == 1:
        return "Array"
    return result_class(operator)


def is_variadic(operator: syntax.Operator) -> bool:
    """Whether the number of results depends on the call: they come as a tuple."""
    return any(result.instances is not None for result in operator.results)


def result_class(operator: syntax.Operator) -> str:
    """Name of the NamedTuple of an operator with several results."""
    return "".join(w.capitalize() for w in operator.name.split("_")) + "Result"


def docstring(operator: syntax.Operator) -> str:
    """The spec's comment, its text, and the two arguments every function has."""
    text = operator.doc.strip() or f"The operator {operator.name}."
    first, _, rest = text.partition("\n")
    lines = [first.rstrip(), *([rest.rstrip()] if rest else [])]
    upstream = ", ".join(
        f"{u.function} ({u.status}{': ' + u.reason if u.reason else ''})"
        for u in operator.clauses.upstream
    )
    status = f"Follows {upstream}." if upstream else "Custom: no upstream."
    return "\n".join([*lines, "", status])


def function_source(operator: syntax.Operator) -> str:
    """The function's source; its module has the names that `_HEADER` imports."""
    name, handle = python_name(operator.name), handle_name(operator)
    named = keywords(operator)
    tensors = operator.tensors
    arrays = ", ".join(
        ("*" if p.variadic else "") + python_name(p.name) for p in tensors
    )
    packed = "".join(f"{python_name(p.name)}, " for p in tensors).rstrip()
    attributes = ", ".join(f'"{k.name}": {python_name(k.name)}' for k in named)
    values = ", ".join(python_name(k.name) for k in named)
    doc = textwrap.indent(_escaped(docstring(operator)), "    ").strip()
    lines = [
        f"def {name}({signature(operator)}) -> {result_annotation(operator)}:",
        f'    """{doc}',
        '    """',
        "    if out is None and backend is None and _state() is None:",
    ]
    several = len(operator.results) > 1 or is_variadic(operator)
    ignored = "  # type: ignore[no-any-return]" if several else ""
    fast = f"{handle}.fast({values})" if values else f"{handle}.plain"
    lines.append(f"        return {fast}({arrays}){ignored}")
    call = f"{handle}.call(({packed}), {{{attributes}}}, out, backend)"
    lines.append(f"    return {call}{ignored}")
    return "\n".join(lines)


def _escaped(text: str) -> str:
    """The text as it stands between triple quotes, whatever is in it."""
    return "".join(
        f"\\{c}"
        if c in '\\"'
        else c
        if c == "\n" or c.isprintable()
        else c.encode("unicode_escape").decode()
        for c in text
    )


def result_class_source(operator: syntax.Operator) -> str:
    """The NamedTuple of several results; empty for one."""
    if len(operator.results) == 1:
        return ""
    fields = "\n".join(
        f"    {python_name(r.name)}: Array{' | None = None' if r.optional else ''}"
        for r in operator.results
    )
    return (
        f"class {result_class(operator)}(NamedTuple):\n"
        f'    """Results of `{operator.name}`."""\n\n{fields}'
    )


HEADER = '''\
"""The operators' functions. Generated from specs/*.op; do not edit.

Made by ``python -m opslib.dispatch.generate``; a test keeps it fresh.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from opslib.dispatch.handle import Handle as _Handle
from opslib.dispatch.handle import attach as _attach
from opslib.dispatch.state import state as _context

Array = Any
DTypeLike = Any
_state = _context.get
'''

STUB_HEADER = """\
# The operators' types: callables that also tell their spec, plan, source and cost.
# Generated from specs/*.op by ``python -m opslib.dispatch.generate``; do not edit.

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from opslib.dispatch.inspection import Described as _Operator

Array = Any
DTypeLike = Any
"""


def module_source(operators: Iterable[syntax.Operator]) -> str:
    """The whole of ``_api.py``."""
    parts = [HEADER]
    names = []
    for operator in sorted(operators, key=lambda o: o.name):
        names.append(python_name(operator.name))
        result = result_class_source(operator)
        if result:
            parts.append(f"\n{result}\n")
        made = f", {result_class(operator)}" if result else ""
        parts.append(f'\n{handle_name(operator)} = _Handle("{operator.name}"{made})\n')
        parts.append(f"\n{function_source(operator)}\n")
        parts.append(f"\n_attach({names[-1]}, {handle_name(operator)})\n")
    parts.append(_listed(names))
    return "\n".join(parts)


def stub_source(operators: Iterable[syntax.Operator]) -> str:
    """The whole of ``_api.pyi``: each operator is an object of its own class.

    A function cannot be given attributes in a type, so the stub says what is true of
    the functions instead: they are called like this, and have those attributes.
    """
    parts = [STUB_HEADER]
    names = []
    for operator in sorted(operators, key=lambda o: o.name):
        name = python_name(operator.name)
        names.append(name)
        result = result_class_source(operator)
        if result:
            parts.append(f"\n{result}\n")
        call = f"def __call__(self, {signature(operator)})"
        parts.append(
            f"\nclass _{name}(_Operator):\n"
            f"    {call} -> {result_annotation(operator)}: ...\n"
        )
        parts.append(f"\n{name}: _{name}\n")
    parts.append(_listed(names))
    return "\n".join(parts)


def _listed(names: Iterable[str]) -> str:
    lines = "".join(f'    "{n}",\n' for n in names)
    return f"\n\n__all__ = [\n{lines}]\n"
