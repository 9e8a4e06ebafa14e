"""Which dtypes mix, by kind: what the checker knows without a call.

A value is weak when it is made of literals, sizes, indices and attributes only: it
takes the type of what it meets. The rules are those by which `ir.build` types an
expression; a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce


@dataclass(frozen=True, slots=True)
class Value:
    """A possible type of an expression.

    kind: ``bool int uint float``. wide: of 64 bits (only that of ``uint`` matters:
    no signed integer holds a uint64).
    """

    kind: str
    weak: bool = False
    wide: bool = True

    @property
    def is_integer(self) -> bool:
        """Whether this is a signed or unsigned integer."""
        return self.kind in ("int", "uint")


class Mixed(Exception):
    """Operands that do not go together; the text says why, `help` what to write."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(message)
        self.message = message
        self.help = help


BOOL, INT, UINT = Value("bool"), Value("int"), Value("uint")
FLOAT = Value("float")
WEAK_BOOL, WEAK_INT = Value("bool", True), Value("int", True)
WEAK_FLOAT = Value("float", True)

WORDS = {
    "bool": "a bool",
    "int": "an integer",
    "uint": "an unsigned integer",
    "float": "a float",
}


def of_dtype(name: str) -> Value:
    """The strong type of a dtype by its name."""
    kind = name.rstrip("0123456789")
    if kind.startswith(("bfloat", "float")):
        kind = "float"
    return Value(kind, False, name.endswith("64"))


def members(classes: tuple[str, ...]) -> tuple[Value, ...]:
    """One value for each kind that a union of classes and dtypes allows.

    Of integers the widest: what holds for them holds for the others.
    """
    kinds = {
        "any": (BOOL, INT, UINT, FLOAT),
        "number": (INT, UINT, FLOAT),
        "int": (INT, UINT),
        "sint": (INT,),
        "uint": (UINT,),
        "float": (FLOAT,),
        "bool": (BOOL,),
    }
    found: dict[str, Value] = {}
    for name in classes:
        for value in kinds.get(name) or (of_dtype(name),):
            if value.wide or value.kind not in found:
                found[value.kind] = value
    return tuple(found.values())


def is_member(value: Value, classes: tuple[str, ...]) -> bool:
    """Whether a value's kind is one that a class-test such as ``T is int`` means."""
    return any(value.kind == member.kind for member in members(classes))


def promoted(a: Value, b: Value) -> Value:
    """The common type of two strong values, as the array API standard has it."""
    if a.kind == b.kind:
        return Value(a.kind, False, a.wide or b.wide)
    if a.is_integer and b.is_integer:
        unsigned = a if a.kind == "uint" else b
        if not unsigned.wide:
            return INT
        raise Mixed(
            "a signed and a 64-bit unsigned integer have no common type",
            "cast one of them: int64(...)",
        )
    raise Mixed(
        f"{WORDS[a.kind]} and {WORDS[b.kind]} have no common type",
        "cast one of them: " + _cast_of(a, b),
    )


def _cast_of(a: Value, b: Value) -> str:
    if "bool" in (a.kind, b.kind):
        number = b if a.kind == "bool" else a
        return "float32(...)" if number.kind == "float" else "int64(...)"
    return "float32(...)"


def _inside(a: Value, b: Value) -> Value:
    """Promotion inside a spec: an integer meets a float as the number it is."""
    if {a.kind, b.kind} in ({"float", "int"}, {"float", "uint"}):
        return FLOAT
    return promoted(a, b)


def unified(*values: Value) -> Value:
    """The common type of operands; raises `Mixed` where there is none."""
    strong = [v for v in values if not v.weak]
    weak = [v for v in values if v.weak]
    if not strong:
        kinds = {v.kind for v in weak}
        if "float" in kinds:
            return WEAK_FLOAT
        return WEAK_BOOL if kinds == {"bool"} else WEAK_INT
    common = reduce(_inside, strong)
    if common.kind == "bool" and any(v.kind != "bool" for v in weak):
        common = INT
    if common.kind != "float" and any(v.kind == "float" for v in weak):
        raise Mixed(
            f"a fraction and {WORDS[common.kind]} have no common type",
            "cast the integer: float32(...)",
        )
    return common


def summed(value: Value) -> Value:
    """What a sum or product of a value is: 64-bit for integers and bool."""
    kind = "int" if value.kind == "bool" else value.kind
    return Value(kind)
