"""Python text as a tree: precedence gives the parentheses, sharing the temporaries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

# Python's precedence, loosest first.
CONDITIONAL, COMPARE, BIT_OR, BIT_XOR, BIT_AND = 0, 1, 2, 3, 4
SHIFT, SUM, PRODUCT, UNARY, POWER, ATOM = 5, 6, 7, 8, 9, 10


@dataclass(frozen=True, slots=True)
class Code:
    """A piece of Python: literal text and sub-expressions.

    Attributes:
        parts: text and operands, in order; operands carry their own parentheses.
        level: precedence of the whole.
        view: costs nothing (a name, a literal, a slice), so it is never named.
    """

    parts: tuple[str | Code, ...]
    level: int = ATOM
    view: bool = False
    text: str = field(init=False, default="")

    def __post_init__(self) -> None:
        text = "".join(p if isinstance(p, str) else p.text for p in self.parts)
        object.__setattr__(self, "text", text)

    def __str__(self) -> str:
        return self.text

    @property
    def operands(self) -> Iterator[Code]:
        """The sub-expressions."""
        return (p for p in self.parts if isinstance(p, Code))


def name(text: str) -> Code:
    """A name or a literal."""
    return Code((text,), ATOM, view=True)


def number(value: int) -> Code:
    """An integer literal."""
    return Code((str(value),), ATOM if value >= 0 else UNARY, view=True)


def grouped(code: Code, level: int) -> tuple[str | Code, ...]:
    """The parts of `code` where something of at least `level` must stand."""
    return (code,) if code.level >= level else ("(", code, ")")


def call(function: str | Code, *args: Code | str) -> Code:
    """``function(a, b, ...)``."""
    parts: list[str | Code] = [function, "("]
    for i, arg in enumerate(args):
        parts += [", ", arg] if i else [arg]
    return Code((*parts, ")"))


def method(receiver: Code, text: str, view: bool = False) -> Code:
    """``receiver.text`` or ``receiver[...]``: whatever follows an atom."""
    return Code((*grouped(receiver, ATOM), text), ATOM, view and receiver.view)


def subscript(receiver: Code, items: list[Code | str]) -> Code:
    """``receiver[i, j, ...]``; a view when every item is a slice or an integer."""
    parts: list[str | Code] = [*grouped(receiver, ATOM), "["]
    for i, item in enumerate(items):
        parts += [", ", item] if i else [item]
    slices = all(isinstance(i, str) or i.view for i in items)
    return Code((*parts, "]"), ATOM, receiver.view and slices)


def infix(operator: str, level: int, left: Code, right: Code) -> Code:
    """``left operator right``; left-associative, comparisons not at all."""
    floor = level + 1 if level == COMPARE else level
    parts = (*grouped(left, floor), f" {operator} ", *grouped(right, level + 1))
    return Code(parts, level)


def prefix(operator: str, operand: Code) -> Code:
    """``-x`` or ``~x``."""
    return Code((operator, *grouped(operand, UNARY)), UNARY)


def wrapped(
    code: Code, before: str, after: str, width: int, *, inside: bool = False
) -> list[str]:
    """Lines of ``before code after``, broken where brackets and operators allow it.

    `before` carries the indentation. inside: brackets stand around it already.
    """
    line = before + code.text + after
    if len(line) <= width:
        return [line]
    parts = code.parts
    match parts:
        case (str() as text, Code() as operand):  # ``- x``, ``keyword=x``
            return wrapped(operand, before + text, after, width)
        case (str() as text, "(", Code() as operand, ")") if not _names(text):
            group = Code(("(", operand, ")"))
            if text != "(":  # ``+ (a + b)``
                return wrapped(group, before + text, after, width)
        case (Code() as receiver, str() as text) if code.level == ATOM:  # ``x.f()``
            return wrapped(receiver, before, text + after, width)
    indent = before[: len(before) - len(before.lstrip())] + "    "
    if parts[0] == "(" and len(parts) > 2 and isinstance(parts[1], Code):
        rest = "".join(p if isinstance(p, str) else p.text for p in parts[2:])
        if rest[0] == ")":
            inner = wrapped(parts[1], indent, "", width, inside=True)
            return [before + "(", *inner, indent[:-4] + rest + after]
    opening = _bracket(code)
    if opening is not None:
        function = code.parts[: opening + 1]
        head = "".join(p if isinstance(p, str) else p.text for p in function)
        items = _items(code.parts[opening + 1 :])
        closing = items.pop()
        if len(before + head) <= width:
            lines = [before + head]
            for item in items:
                lines += wrapped(item, indent, ",", width)
            return [*lines, indent[:-4] + closing.text + after]
    operands = _operands(code)
    if len(operands) > 1:
        if inside and not before.strip() and not after:
            return [
                line
                for operand in operands
                for line in wrapped(operand, before, "", width)
            ]
        lines = [before + "("]
        for operand in operands:
            lines += wrapped(operand, indent, "", width)
        return [*lines, indent[:-4] + ")" + after]
    return [line]


def _bracket(code: Code) -> int | None:
    """Where the arguments of a call begin; None for anything else."""
    if code.level != ATOM or code.parts[-1] != ")":
        return None
    for k, part in enumerate(code.parts):
        if isinstance(part, str) and part[-1:] == "(":
            before = "".join(map(str, code.parts[:k])) + part[:-1]
            # ``f(``, or a tuple of several; a mere group would become a tuple.
            several = k == 0 and any(p == ", " for p in code.parts)
            return k if before[-1:].isalnum() or before[-1:] == "_" or several else None
    return None


def _items(parts: tuple[str | Code, ...]) -> list[Code]:
    """Arguments, then the closing bracket."""
    items: list[Code] = []
    current: list[str | Code] = []
    for part in parts:
        if part == ", " or part == ")":
            if current:
                level = current[0].level if isinstance(current[0], Code) else ATOM
                items.append(Code(tuple(current), level if len(current) == 1 else ATOM))
            current = []
        elif isinstance(part, str) and part.startswith(", "):
            items.append(Code(tuple(current)))
            current = [part[2:]]
        else:
            current.append(part)
    items.append(Code((")",)))
    return [_only(i) for i in items]


def _only(code: Code) -> Code:
    """A code that merely holds another is that other one."""
    first = code.parts[0]
    return first if len(code.parts) == 1 and isinstance(first, Code) else code


def _operands(code: Code) -> list[Code]:
    """``a``, ``+ b``, ``- c`` of a chain of one precedence."""
    if not COMPARE <= code.level <= PRODUCT:
        return []
    for k, part in enumerate(code.parts):
        if isinstance(part, str) and part.startswith(" ") and part.endswith(" "):
            left = Code(code.parts[:k], code.level if k == 1 else ATOM)
            first = code.parts[0]
            if k == 1 and isinstance(first, Code):
                left = first
            right = Code((part.lstrip(), *code.parts[k + 1 :]), code.level)
            chain = _operands(left) if left.level == code.level else []
            return [*(chain or [left]), right]
    return []


def shared(root: Code) -> list[str]:
    """Texts below `root` that stand in two or more places, operands first.

    Only the outermost of nested repetitions counts: what is repeated merely because
    its user is repeated gets no name of its own.
    """
    users: dict[str, int] = {}
    order: list[Code] = []
    seen: set[str] = set()

    def visit(code: Code) -> None:
        if code.text in seen:
            return
        seen.add(code.text)
        if code.level == CONDITIONAL:
            return  # what stands in a branch must not be computed before the choice
        for operand in code.operands:
            users[operand.text] = users.get(operand.text, 0) + 1
            visit(operand)
        order.append(code)

    visit(root)
    return [c.text for c in order if users.get(c.text, 0) > 1 and _worth_a_name(c)]


def _worth_a_name(code: Code) -> bool:
    return not code.view and len(code.text) > 8


def renamed(root: Code, names: dict[str, str]) -> Code:
    """`root` with the texts in `names` replaced by those names."""
    done: dict[str, Code] = {}

    def change(code: Code) -> Code:
        if code.text in names:
            return name(names[code.text])
        if code.text not in done:
            parts = []
            for p in code.parts:
                parts.append(p if isinstance(p, str) else change(p))
            done[code.text] = Code(tuple(parts), code.level, code.view)
        return done[code.text]

    return change(root)


def named(root: Code, fresh: Iterator[str]) -> tuple[list[tuple[str, Code]], Code]:
    """Assignments of shared parts to fresh names, and what is left of `root`."""
    names: dict[str, str] = {}
    found: dict[str, Code] = {}

    def collect(code: Code) -> None:
        if code.text not in found:
            found[code.text] = code
            for operand in code.operands:
                collect(operand)

    collect(root)
    assignments = []
    for text in shared(root):
        code = renamed(found[text], names)
        names[text] = next(fresh)
        assignments.append((names[text], code))
    return assignments, _tidy(renamed(root, names))


def _names(text: str) -> bool:
    """Whether a text ends in a name (``np.bool_``), and not in an operator."""
    return text[-1:].isalnum() or text[-1:] == "_"


def _calls(before: list[str | Code]) -> bool:
    """Whether a parenthesis after these parts holds arguments."""
    return any(isinstance(b, Code) or _names(b) for b in before)


def _tidy(code: Code) -> Code:
    """Drops parentheses left around a name."""
    parts: list[str | Code] = []
    for part in code.parts:
        if isinstance(part, Code):
            part = _tidy(part)
        if (
            part == ")"
            and len(parts) >= 2
            and parts[-2] == "("
            and isinstance(parts[-1], Code)
            and parts[-1].level == ATOM
            and not _calls(parts[-3:-2])
        ):
            inner = parts.pop()
            parts[-1] = inner
        else:
            parts.append(part)
    return Code(tuple(parts), code.level, code.view)
