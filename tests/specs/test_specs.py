"""The shipped specs: well formed, documented, and true to the names they borrow."""

from __future__ import annotations

import importlib
import inspect
import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from opslib.language.checker import diagnose
from opslib.language.diagnostics import render
from opslib.language.library import parse_sources, shipped_sources
from opslib.language.syntax import (
    Boolean,
    Expression,
    Nothing,
    Number,
    Operator,
    String,
    TensorType,
    Unary,
    Upstream,
)

SOURCES = shipped_sources()
OPERATORS = parse_sources(SOURCES)
BORROWED = [(o, u) for o in OPERATORS.values() for u in o.clauses.upstream]
TABLE: dict[str, Any] = tomllib.loads(
    (Path(__file__).parent / "upstream_differences.toml").read_text(encoding="utf-8")
)
WIDTH = 120

each_operator = pytest.mark.parametrize(
    "operator", OPERATORS.values(), ids=lambda o: o.name
)
each_borrowed = pytest.mark.parametrize(
    ("operator", "upstream"),
    BORROWED,
    ids=[f"{o.name}-{u.function}" for o, u in BORROWED],
)


# --- Form ------------------------------------------------------------------------


@each_operator
def test_is_well_formed(operator: Operator) -> None:
    errors, warnings = diagnose(operator, OPERATORS)
    found = [*errors, *warnings]
    assert not found, "\n".join(render(d) for d in found)


@each_operator
def test_has_a_docstring(operator: Operator) -> None:
    doc = operator.doc.strip()
    assert doc, f"{operator.name} has no comment above it: that is its docstring"
    assert doc.rstrip().endswith((".", ":")), f"{operator.name}: {doc!r} is no sentence"


@each_operator
def test_says_on_which_domain_it_is_tested(operator: Operator) -> None:
    """A logarithm of a parameter needs inputs that have one."""
    text = operator.span.source.text[operator.span.start : operator.span.stop]
    for function, low in {"log": 0.0, "log2": 0.0, "log10": 0.0, "acosh": 1.0}.items():
        names = re.findall(rf"\b{function}\((\w+)(?:\[\.\.\.\w*\])?\)", text)
        for name in {p.name for p in operator.tensors} & set(names):
            domain = [s for s in operator.clauses.samples if s.name == name]
            assert domain, f"{operator.name} takes {function} of '{name}': write sample"
            assert domain[0].low >= low


@each_operator
def test_workloads_name_parameters(operator: Operator) -> None:
    tensors = {p.name for p in operator.tensors}
    required = {p.name for p in operator.tensors if not (p.optional or p.variadic)}
    attributes = {p.name for p in operator.attributes} | {"axis"}
    for workload in operator.clauses.workloads:
        given = {name for name, _, _ in workload.tensors}
        assert required <= given <= tensors, workload.label
        assert {name for name, _ in workload.attributes} <= attributes, workload.label


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.name)
def test_file_is_tidy(source: Any) -> None:
    lines = source.text.splitlines()
    assert source.text.endswith("\n")
    assert not source.text.endswith("\n\n")
    assert lines[0].startswith("# "), "a file begins with a comment on its family"
    for number, line in enumerate(lines, 1):
        place = f"{source.name}:{number}"
        assert line == line.rstrip(), f"{place} ends with blanks"
        # A clause is one line, however long its message.
        clause = line.lstrip().startswith(("requires ", "workload ", "like "))
        assert clause or len(line) <= WIDTH, f"{place} is longer than {WIDTH}"


def test_families_are_complete() -> None:
    """The operators that other parts of the project build upon exist."""
    needed = (
        "add exp relu gelu sum mean matmul linear softmax rms_norm layer_norm "
        "embedding scaled_dot_product_attention attention conv2d max_pool2d argmax "
        "cumsum topk concat transpose astype take where cross_entropy "
        "rotary_embedding silu_and_mul"
    )
    assert set(needed.split()) <= set(OPERATORS)


# --- Borrowed names ---------------------------------------------------------------


@dataclass(frozen=True)
class Given:
    """A parameter: its name and default; `required` when it has none."""

    name: str
    default: Any
    by_name: bool = True
    keyword_only: bool = False


REQUIRED = object()
COMPUTED = object()  # A default that is an expression, such as 1 / sqrt(d).


def resolve(path: str) -> Any:
    """The object of a dotted path; skips the test where its library is missing."""
    root, *names = path.split(".")
    found = pytest.importorskip(root)
    for name in names:
        if not hasattr(found, name) and inspect.ismodule(found):
            importlib.import_module(f"{found.__name__}.{name}")
        found = getattr(found, name)
    return found


def constant(node: Expression | None) -> Any:
    """The Python value of a default, or COMPUTED."""
    match node:
        case None:
            return REQUIRED
        case Number() | Boolean() | String():
            return node.value
        case Nothing():
            return None
        case Unary(operator="-", operand=Number() as inner):
            return -inner.value
    return COMPUTED


def own_parameters(operator: Operator) -> list[Given]:
    """The Python signature that an operator gets, without ``out`` and ``backend``."""
    found = []
    for p in operator.parameters:
        tensor = isinstance(p.type, TensorType)
        default = None if p.optional else REQUIRED if tensor else constant(p.default)
        keyword_only = p.placement == "keyword"
        by_name = p.placement != "positional"
        found.append(Given(p.name, default, by_name, keyword_only))
    if operator.clauses.axis:
        found.append(Given("axis", -1, keyword_only=True))
    found += [
        Given(f"return_{r.name}", False, keyword_only=True)
        for r in operator.results
        if r.optional
    ]
    return found


def upstream_signatures(function: Any, path: str) -> list[list[Given]]:
    """The signatures that can be found, one for each overload; empty when none can."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        signature = None
    if signature is not None:
        kinds = {p.kind for p in signature.parameters.values()}
        if inspect.Parameter.VAR_POSITIONAL not in kinds:
            return [
                [
                    Given(p.name, REQUIRED if p.default is p.empty else p.default)
                    for p in signature.parameters.values()
                    if p.kind is not p.VAR_KEYWORD
                ]
            ]
    if not path.startswith("torch."):
        return []
    torch = pytest.importorskip("torch")
    schemas = getattr(torch._C, "_jit_get_schemas_for_operator", lambda name: [])
    overloads = []
    name = path.rpartition(".")[2]
    for schema in schemas(f"aten::{ATEN.get(name, name)}"):
        overloads.append(
            [
                Given(
                    "input" if a.name == "self" else a.name,
                    a.default_value if a.has_default_value() else REQUIRED,
                )
                for a in schema.arguments
            ]
        )
    return overloads


# Functions of torch.nn.functional that ATen knows by another name.
ATEN = {"logsigmoid": "log_sigmoid"}


def same_default(ours: Any, theirs: Any) -> bool:
    """Whether two defaults say the same."""
    if "no value" in repr(theirs):
        return True  # NumPy's word for: not given.
    if ours is COMPUTED:
        return theirs is None or theirs == []
    if theirs is REQUIRED or ours is REQUIRED:
        return ours is theirs
    if isinstance(theirs, list | tuple):
        return all(same_default(ours, x) for x in theirs) and ours is not None
    if isinstance(ours, float) or isinstance(theirs, float):
        return theirs is not None and math.isclose(ours, theirs)
    return bool(ours == theirs)


def differences(ours: list[Given], theirs: list[Given]) -> Iterator[str]:
    """Names that are not in both, stand in another order or differ in default."""
    named = {p.name: p for p in theirs}
    matched: set[str] = set()
    last = -1
    for position, p in enumerate(ours):
        if not p.by_name:
            if position >= len(theirs):
                yield p.name
                continue
            other = theirs[position]
        elif p.name in named:
            other = named[p.name]
            place = theirs.index(other)
            if place < last and not p.keyword_only:
                yield p.name
            last = max(last, place)
        else:
            yield p.name
            continue
        matched.add(other.name)
        if not same_default(p.default, other.default):
            yield p.name
    yield from (p.name for p in theirs if p.name not in matched)


def test_differences_are_seen() -> None:
    """The comparison itself, on signatures made up for it."""

    def parse(*defaults: Any) -> list[Given]:
        return [Given(*d) for d in defaults]

    theirs = parse(("input", REQUIRED), ("dim", None), ("eps", 1e-5), ("bias", None))

    def found(*own: Any) -> list[str]:
        return sorted(differences(parse(*own), theirs))

    same = [("input", REQUIRED), ("dim", COMPUTED), ("eps", 1e-5), ("bias", None)]
    assert found(*same) == []
    assert found(*same[:-1]) == ["bias"]
    assert found(*same, ("new", 1)) == ["new"]
    assert found(*same[:2], ("eps", 1e-6), same[3]) == ["eps"]
    assert found(*same[:2], same[3], same[2]) == ["eps"]
    assert found(("x", REQUIRED, False), *same[1:]) == []
    assert found(("x", REQUIRED), *same[1:]) == ["input", "x"]


def found_differences(operator: Operator, upstream: Upstream) -> set[str] | None:
    """The differences from the nearest overload, less those that are usual."""
    function = resolve(upstream.function)
    overloads = upstream_signatures(function, upstream.function)
    if not overloads:
        return None
    root = upstream.function.partition(".")[0]
    omitted = set(TABLE["omitted"].get(root, {}))
    ours = own_parameters(operator)
    taken = {p.name for p in ours}
    return min(
        (set(differences(ours, theirs)) - (omitted - taken) for theirs in overloads),
        key=len,
    )


@each_borrowed
def test_upstream_exists(operator: Operator, upstream: Upstream) -> None:
    assert callable(resolve(upstream.function))


@each_borrowed
def test_signature_is_the_upstreams(operator: Operator, upstream: Upstream) -> None:
    if upstream.status != "aligned":
        assert upstream.reason, f"{operator.name} is {upstream.status}: say why"
        return
    found = found_differences(operator, upstream)
    if found is None:
        pytest.skip(f"{upstream.function} has no signature to look at")
    listed = set(TABLE["operators"].get(operator.name, {}))
    assert found <= listed, (
        f"{operator.name} differs from {upstream.function} in "
        f"{sorted(found - listed)}: change the spec, call it adapted, or give the "
        "reason in upstream_differences.toml"
    )
    assert listed <= found, (
        f"{operator.name} does not differ in {sorted(listed - found)} (any more): "
        "delete the entry"
    )


def test_differences_are_of_operators_and_have_reasons() -> None:
    aligned = {o.name for o, u in BORROWED if u.status == "aligned"}
    assert set(TABLE["operators"]) <= aligned
    assert set(TABLE["results"]) <= {o.name for o, _ in BORROWED}
    sections = (*TABLE["operators"].values(), *TABLE["omitted"].values())
    for section in (TABLE["results"], *sections):
        for reason in section.values():
            assert isinstance(reason, str)
            assert len(reason.split()) > 2, f"{reason!r} is no reason"


def test_names_are_borrowed_once() -> None:
    """Two operators of one upstream function are one too many, unless adapted."""
    counted = Counter(u.function for _, u in BORROWED if u.status == "aligned")
    assert [name for name, n in counted.items() if n > 1] == []
