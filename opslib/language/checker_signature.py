"""What the signature of an operator declares, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from opslib.language.diagnostics import Diagnostic
from opslib.language.functions import CLASSES, DTYPE_FUNCTIONS, DTYPES
from opslib.language.syntax import (
    Apply,
    AttributeType,
    Binary,
    Boolean,
    Composite,
    Conditional,
    DTypeExpression,
    Expression,
    Index,
    IsNone,
    Name,
    Node,
    Nothing,
    Number,
    Operator,
    Pack,
    Parameter,
    Result,
    Span,
    String,
    TensorType,
    TupleOf,
    Unary,
)
from opslib.language.tree import children
from opslib.spelling import did_you_mean

Report = Callable[[Diagnostic], None]


@dataclass(slots=True)
class Signature:
    """The names that a signature declares, by what they are.

    sizes: extents bound by a tensor. instances: those of them that a variadic tensor
    has one of for each instance (``n[v]``). packs: named packs. extents: attributes
    that stand for an extent somewhere.
    """

    operator: Operator
    tensors: dict[str, Parameter] = field(default_factory=dict)
    attributes: dict[str, Parameter] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)
    sizes: dict[str, Span] = field(default_factory=dict)
    instances: set[str] = field(default_factory=set)
    packs: dict[str, Span] = field(default_factory=dict)
    extents: set[str] = field(default_factory=set)
    dtypes: dict[str, Span] = field(default_factory=dict)

    def kind_of(self, name: str) -> str:
        """What `name` is, in words, or an empty string."""
        tables: tuple[tuple[str, Iterable[str]], ...] = (
            ("a tensor", self.tensors),
            ("an attribute", self.attributes),
            ("a result", self.results),
            ("a size", self.sizes),
            ("a pack", self.packs),
            ("a dtype", self.dtypes),
        )
        return next((kind for kind, names in tables if name in names), "")


def names_in(node: Node) -> Iterable[Name]:
    """All bare names below `node`, iteratively."""
    stack = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, Name):
            yield item
        stack.extend(reversed(children(item)))


def declare(operator: Operator, report: Report) -> Signature:
    """Collect what the signature declares, reporting names declared twice."""
    signature = Signature(operator)
    seen: dict[str, Span] = {}
    declarations: tuple[Parameter | Result, ...]
    declarations = (*operator.parameters, *operator.results)
    for declared in declarations:
        if declared.name in seen:
            _twice(declared.name, declared.span, seen[declared.name], report)
            continue
        seen[declared.name] = declared.span
        if isinstance(declared, Result):
            signature.results[declared.name] = declared
        elif isinstance(declared.type, TensorType):
            signature.tensors[declared.name] = declared
        else:
            signature.attributes[declared.name] = declared
    for parameter in operator.parameters:
        if isinstance(parameter.type, TensorType):
            for axis in parameter.type.axes:
                _bind(axis, parameter.variadic, signature)
            _dtypes(parameter.type.dtype, signature.dtypes)
        elif parameter.type.kind == "shape":
            signature.packs[parameter.name] = parameter.span
        elif parameter.type.kind in ("dtype", "number"):
            signature.dtypes[parameter.name] = parameter.span
        elif isinstance(parameter.type.count, Pack):
            for name in names_in(parameter.type.count):
                signature.packs.setdefault(name.name, name.span)
    for size, span in (*signature.sizes.items(), *signature.packs.items()):
        other = signature.tensors.get(size) or signature.results.get(size)
        if other is not None:
            _twice(size, span, other.span, report)
        if size in signature.dtypes and size not in signature.attributes:
            _twice(size, span, signature.dtypes[size], report)
    return signature


def _twice(name: str, span: Span, first: Span, report: Report) -> None:
    labels = ((first, "first declared here"),)
    help = "every name of an operator means one thing"
    report(Diagnostic("E0303", f"'{name}' is declared twice", span, labels, help))


def _bind(axis: Expression, variadic: bool, signature: Signature) -> None:
    """An axis that is a name, or a composite of names, binds them."""
    parts = axis.parts if isinstance(axis, Composite) else (axis,)
    for part in parts:
        if isinstance(part, Name):
            if part.name in signature.attributes:
                signature.extents.add(part.name)
            elif part.name not in signature.sizes:
                signature.sizes[part.name] = part.span
                if variadic:
                    signature.instances.add(part.name)
            elif not variadic:
                signature.instances.discard(part.name)
        elif isinstance(part, Pack) and isinstance(part.value, Name):
            signature.packs.setdefault(part.value.name, part.span)


def _dtypes(dtype: DTypeExpression, found: dict[str, Span]) -> None:
    """A capitalised name that is no dtype is a dtype variable."""
    if not dtype.arguments and dtype.name not in DTYPES and dtype.name[0].isupper():
        found.setdefault(dtype.name, dtype.span)


def check_signature(signature: Signature, report: Report) -> None:
    """Report unknown dtypes and classes, unbound extents and misfit defaults."""
    operator = signature.operator
    declarations: tuple[Parameter | Result, ...]
    declarations = (*operator.parameters, *operator.results)
    for declared in declarations:
        if isinstance(declared.type, TensorType):
            is_result = isinstance(declared, Result)
            _check_dtype(declared.type.dtype, is_result, signature, report)
            instance = declared.instances if isinstance(declared, Result) else None
            own = frozenset() if instance is None else frozenset({instance.name})
            _check_dots(declared, report)
            for axis in declared.type.axes:
                check_extent(axis, signature, report, own)
            if instance is not None and instance.stop is not None:
                check_extent(instance.stop, signature, report)
                _check_instances(declared, signature, report)
    anonymous = any(_has_anonymous(p) for p in operator.parameters)
    for result in operator.results:
        for axis in result.type.axes:
            bare = isinstance(axis, Pack) and axis.value is None
            if bare and not anonymous and signature.tensors:
                message = "no parameter has '...', so nothing determines it here"
                help = "write the axes, or give a parameter '...'"
                report(Diagnostic("E0502", message, result.span, (), help))
    _check_absent(signature, report)
    _check_needed(operator, report)
    before: set[str] = set()
    for parameter in operator.attributes:
        assert isinstance(parameter.type, AttributeType)
        if parameter.type.pack and parameter.type.pack not in signature.packs:
            name = parameter.type.pack
            message = f"there is no pack '...{name}' in the signature"
            help = did_you_mean(name, signature.packs)
            help = help or f"a pack is named in a tensor: x: T[...{name}]"
            span = parameter.type.span
            report(Diagnostic("E0502", message, span, (), help))
        if isinstance(parameter.type.count, Pack):
            _check_list(parameter, parameter.type.count, signature, report)
        if parameter.default is not None:
            _check_default(parameter, before, signature, report)
        before.add(parameter.name)
    for clause in operator.classes:
        if clause.name not in signature.dtypes:
            message = f"'{clause.name}' is no dtype of the signature"
            help = did_you_mean(clause.name, signature.dtypes)
            listed = ", ".join(signature.dtypes)
            help = help or (f"there is {listed}" if listed else "there is none")
            report(Diagnostic("E0406", message, clause.span, (), help))
        check_classes(clause.classes, clause.span, report)


def _check_dots(declared: Parameter | Result, report: Report) -> None:
    """``T[..., n, ...]``: nothing says how many axes the first of the dots takes."""
    assert isinstance(declared.type, TensorType)
    dots = [a for a in declared.type.axes if isinstance(a, Pack) and a.value is None]
    if len(dots) > 1:
        message = f"'{declared.name}' has '...' twice, and where one ends is not known"
        help = "keep one of them, or name the packs, so that others say: T[...s, n]"
        report(Diagnostic("E0502", message, dots[1].span, (), help))


def _check_needed(operator: Operator, report: Report) -> None:
    """A parameter that must be given does not stand behind one that need not be."""
    before: Parameter | None = None
    for p in operator.parameters:
        needed = not p.optional and p.default is None
        if p.placement == "keyword" or p.variadic:
            return
        if needed and before is not None:
            message = f"'{p.name}' must be given, and stands behind '{before.name}'"
            message += ", which need not be"
            labels = ((before.span, "may be left out"),)
            help = f"put '{p.name}' first, or a '*' between them: (.., *, {p.name}: ..)"
            report(Diagnostic("E0209", message, p.span, labels, help))
            return
        before = before if needed else p


def _check_absent(signature: Signature, report: Report) -> None:
    """``m?``: parameters leave it out, results follow; no axis is moved meanwhile."""
    operator = signature.operator
    given = {n for p in operator.tensors for n in getattr(p.type, "absent", ())}
    for result in operator.results:
        for name in result.type.absent:
            if name not in given:
                message = f"no parameter can leave out the axis '{name}'"
                help = f"mark it there too: {name}?"
                report(Diagnostic("E0209", message, result.span, (), help))
    for parameter in operator.tensors:
        absent = getattr(parameter.type, "absent", ())
        if absent and (operator.clauses.axis or parameter.variadic):
            message = f"'{parameter.name}' leaves out axes, and "
            message += "is variadic" if parameter.variadic else "'axis' moves them"
            help = "name the axes one by one, or drop the mark '?'"
            report(Diagnostic("E0209", message, parameter.span, (), help))


def _check_list(
    parameter: Parameter, count: Pack, signature: Signature, report: Report
) -> None:
    """``int[...s]``: the pack s is one that a tensor or a shape binds."""
    bound = {p.name for p in signature.operator.attributes if _is_shape(p)}
    for tensor in signature.tensors.values():
        axes = getattr(tensor.type, "axes", ())
        bound |= {n.name for a in axes if isinstance(a, Pack) for n in names_in(a)}
    for name in names_in(count) if count.value is not None else ():
        if name.name not in bound:
            message = f"no tensor has a pack '...{name.name}'"
            help = did_you_mean(name.name, bound)
            report(Diagnostic("E0502", message, parameter.type.span, (), help))


def _is_shape(parameter: Parameter) -> bool:
    return isinstance(parameter.type, AttributeType) and parameter.type.kind == "shape"


def check_classes(classes: Iterable[str], span: Span, report: Report) -> None:
    """Report a dtype class that does not exist."""
    for name in classes:
        if name not in CLASSES and name not in DTYPES:
            message = f"there is no dtype class '{name}'"
            help = did_you_mean(name, [*CLASSES, *DTYPES])
            help = help or "the classes are " + ", ".join(sorted(CLASSES))
            report(Diagnostic("E0402", message, span, (), help))


def _has_anonymous(parameter: Parameter) -> bool:
    axes = getattr(parameter.type, "axes", ())
    return any(isinstance(axis, Pack) and axis.value is None for axis in axes)


def _check_dtype(
    dtype: DTypeExpression, is_result: bool, signature: Signature, report: Report
) -> None:
    if dtype.arguments:
        arity = DTYPE_FUNCTIONS.get(dtype.name)
        if arity is None:
            message = f"there is no function of dtypes '{dtype.name}'"
            help = did_you_mean(dtype.name, DTYPE_FUNCTIONS)
            help = help or "they are " + ", ".join(sorted(DTYPE_FUNCTIONS))
            report(Diagnostic("E0401", message, dtype.span, (), help))
        elif not arity[0] <= len(dtype.arguments) <= arity[1]:
            message = f"'{dtype.name}' takes {arity[0]} argument"
            report(Diagnostic("E0311", message, dtype.span))
        for argument in dtype.arguments:
            _check_dtype(argument, is_result, signature, report)
        return
    if dtype.name in DTYPES or dtype.name in signature.dtypes:
        return
    if is_result and dtype.name[0].isupper():
        message = f"no parameter has the dtype '{dtype.name}'"
        help = did_you_mean(dtype.name, signature.dtypes)
        help = help or "use the dtype of a parameter, or one such as float32"
        report(Diagnostic("E0407", message, dtype.span, (), help))
        return
    message = f"there is no dtype '{dtype.name}'"
    help = did_you_mean(dtype.name, [*DTYPES, *signature.dtypes])
    if dtype.name in CLASSES:
        help = f"'{dtype.name}' is a class: write I[...] and 'where I: {dtype.name}'"
    help = help or "a dtype variable begins with a capital letter, such as T"
    report(Diagnostic("E0401", message, dtype.span, (), help))


def _check_instances(
    declared: Parameter | Result, signature: Signature, report: Report
) -> None:
    """A variadic result stands alone, and its index is a name of its own."""
    assert isinstance(declared, Result)
    assert declared.instances is not None
    if len(signature.operator.results) > 1:
        message = f"the variadic result '{declared.name}' stands beside others"
        help = "an operator has one variadic result, or any number of single ones"
        report(Diagnostic("E0209", message, declared.span, (), help))
    name = declared.instances.name
    kind = signature.kind_of(name)
    if kind:
        message = f"'{name}' is {kind} already"
        help = "bind another name"
        report(Diagnostic("E0308", message, declared.instances.span, (), help))


def check_extent(
    axis: Expression,
    signature: Signature,
    report: Report,
    own: frozenset[str] = frozenset(),
) -> None:
    """Report a name in an extent that no tensor and no attribute binds."""
    if isinstance(axis, TupleOf | Nothing | String | Boolean):
        message = "this is no extent"
        help = "an extent is a whole number; of several axes it is written (g r)"
        report(Diagnostic("E0502", message, axis.span, (), help))
    whole = _not_whole(axis, signature)
    if whole is not None:
        message = "an extent is a whole number, and this is none"
        help = "divide by '//', or declare the attribute as an int"
        report(Diagnostic("E0502", message, whole.span, (), help))
    # A bound index of a fold inside an extent (``sum[v](n[v])``) is its own binder.
    bound = {
        binder.name for node in _walk(axis) for binder in getattr(node, "binders", ())
    }
    variadic = [name for name, p in signature.tensors.items() if p.variadic]
    known = [*signature.sizes, *signature.attributes, *signature.packs, *variadic]
    mentioned = [(n.name, n.span) for n in names_in(axis)]
    mentioned += [(n.base, n.span) for n in _walk(axis) if isinstance(n, Index)]
    mentioned += [(n.name, n.span) for n in _walk(axis) if isinstance(n, IsNone)]
    for name, span in mentioned:
        if name in signature.attributes:
            signature.extents.add(name)
        if name in bound | own or name in known or name in signature.tensors:
            continue
        message = f"nothing determines the extent '{name}'"
        help = did_you_mean(name, known)
        help = help or (
            "a size is bound by an axis that is just its name, such as x: T[n], "
            "or by an attribute"
        )
        report(Diagnostic("E0502", message, span, (), help))


def _not_whole(axis: Expression, signature: Signature) -> Node | None:
    """What makes an extent a fraction: ``/``, ``0.5``, an attribute that is no int.

    Conditions and arguments of functions are values of their own.
    """
    stack: list[Node] = [axis]
    while stack:
        node = stack.pop()
        if isinstance(node, Conditional):
            stack += [node.value, node.other]
            continue
        if isinstance(node, Number) and isinstance(node.value, float):
            return node
        if isinstance(node, Binary) and node.operator == "/":
            return node
        attribute = signature.attributes.get(getattr(node, "name", ""))
        if isinstance(node, Name) and attribute is not None:
            kind = attribute.type
            assert isinstance(kind, AttributeType)
            if kind.kind in ("float", "bool", "string", "dtype"):
                return node
        if not isinstance(node, Apply):
            stack.extend(children(node))
    return None


def _walk(node: Node) -> Iterable[Node]:
    stack = [node]
    while stack:
        item = stack.pop()
        yield item
        stack.extend(reversed(children(item)))


def _check_default(
    parameter: Parameter, before: set[str], signature: Signature, report: Report
) -> None:
    default, kind = parameter.default, parameter.type
    assert default is not None
    assert isinstance(kind, AttributeType)
    for name in names_in(default):
        known = name.name in signature.sizes or name.name in before
        if kind.kind == "dtype":
            known = name.name in DTYPES or name.name in signature.dtypes
        if not known and name.name not in signature.packs:
            message = f"'{name.name}' is not known where this default is used"
            candidates = [*signature.sizes, *before, "true", "false", "none"]
            if kind.kind == "dtype":
                candidates = [*DTYPES, *signature.dtypes]
            help = did_you_mean(name.name, candidates)
            help = help or "a default may use sizes and earlier attributes"
            report(Diagnostic("E0301", message, name.span, (), help))
    problem = _misfit(default, kind)
    if problem:
        message = f"the default of '{parameter.name}' should be {problem}"
        example = f'"{kind.choices[0]}"' if kind.choices else _EXAMPLES[kind.kind]
        if isinstance(kind.count, Number):
            example = f"({', '.join([example] * int(kind.count.value))})"
        help = f"such as {parameter.name} = {example}"
        report(Diagnostic("E0403", message, default.span, (), help))


_EXAMPLES = {
    "int": "1",
    "float": "0.5",
    "number": "1",
    "bool": "true",
    "dtype": "float32",
    "shape": "(2, 3)",
    "axis": "-1",
    "gap": "0",
    "axes": "none",
}


def _misfit(default: Expression, kind: AttributeType) -> str:
    """What a default should have been, or an empty string when it may fit."""
    if isinstance(default, Nothing):
        return ""
    value = default.operand if isinstance(default, Unary) else default
    if isinstance(default, TupleOf):
        if kind.kind in {"shape", "axes"}:
            return ""
        if kind.count is None:
            return _wanted(kind)
        count = kind.count.value if isinstance(kind.count, Number) else None
        if count is not None and count != len(default.items):
            return f"{count} values"
        element = AttributeType(kind=kind.kind, span=kind.span)
        return next((p for i in default.items if (p := _misfit(i, element))), "")
    if kind.kind == "string":
        fits = isinstance(value, String) and value.value in kind.choices
        return "" if fits else "one of " + ", ".join(f'"{c}"' for c in kind.choices)
    if isinstance(value, String):
        return _wanted(kind)
    if isinstance(value, Boolean):
        return "" if kind.kind == "bool" else _wanted(kind)
    if isinstance(value, Number):
        integer = isinstance(value.value, int)
        fits = kind.kind in ("float", "number") or (
            integer and kind.kind in {"int", "axis", "axes", "gap", "shape"}
        )
        return "" if fits else _wanted(kind)
    if kind.kind == "dtype":
        is_dtype = isinstance(value, Name) or (
            isinstance(value, Apply) and value.function in DTYPE_FUNCTIONS
        )
        return "" if is_dtype else _wanted(kind)
    return ""


def _wanted(kind: AttributeType) -> str:
    words = {
        "int": "an integer",
        "float": "a number",
        "number": "a number",
        "bool": "true or false",
        "dtype": "a dtype",
        "shape": "a tuple of sizes",
        "axis": "an integer",
        "gap": "an integer",
        "axes": "a tuple of integers",
    }
    return words.get(kind.kind, f"of the kind {kind.kind}")
