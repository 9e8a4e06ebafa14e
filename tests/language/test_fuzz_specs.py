"""The shipped specs, mutated as somebody would who half knows the grammar.

Words are exchanged with words of the same kind, clauses and lines moved between
operators, brackets, packs and ranges added: texts that are nearly right reach further
than random ones, into the checker and the expansion. Whatever comes of it, the answer
is an operator or a SpecError.

``OPSLIB_FUZZ_SECONDS=600 pytest tests/language/test_fuzz_specs.py`` runs it longer.
"""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from opslib.errors import OpslibError, SpecError
from opslib.ir.bind import bind
from opslib.ir.expansion import expand
from opslib.ir.sample import sample_call
from opslib.language import parse_operators
from opslib.language.checker import diagnose
from opslib.language.diagnostics import CODES, render
from opslib.language.library import load_library, shipped_sources
from opslib.language.printer import print_operator
from opslib.language.syntax import Operator

SECONDS = float(os.environ.get("OPSLIB_FUZZ_SECONDS", "4"))
# Checking and expanding one operator; the slowest shipped one takes a tenth.
MOST_SECONDS = 10

TOKEN = re.compile(r"\.\.\.|\.\.|\?\?|->|<<|>>|[<>=!]=|\w+|\"[^\"\n]*\"|[^\w\s]|\s+")
NAMES = """if else and or not is none true false inf nan pi in for when where sum mean
max argmax cumsum sort topk softmax exp sqrt rank prod total at head tail on weave drop
fit swap ravel unravel permute count axis axes gap dtype shape int float bool T I x y i
j n m s 0 1 2 0.5 float32 int64 uint64 exact bounds requires like sample"""
WORDS = NAMES.split()
LONG_MARKS = "// <= == != ?? ... .. -> add= set="
MARKS = LONG_MARKS.split() + list("()[],:=+-*/%^&|~<?")


def texts() -> list[str]:
    """Every shipped operator by itself."""
    found = []
    for source in shipped_sources():
        for operator in parse_operators(source):
            span = operator.span
            found.append(span.source.text[span.start : span.stop])
    return found


def mutated(corpus: list[str], rng: random.Random) -> str:
    """One of the corpus, changed in a few places."""
    tokens = TOKEN.findall(rng.choice(corpus))
    other = TOKEN.findall(rng.choice(corpus))
    for _ in range(rng.choice([1, 1, 1, 2, 3, 5])):
        at = rng.randrange(len(tokens))
        names = [k for k, t in enumerate(tokens) if re.fullmatch(r"\w+", t)]
        match rng.randrange(9):
            case 0:  # a name for another of this text
                if names:
                    tokens[rng.choice(names)] = tokens[rng.choice(names)]
            case 1:
                tokens[at] = rng.choice(WORDS if tokens[at].strip() else MARKS)
            case 2:
                tokens.insert(at, rng.choice(MARKS))
            case 3:
                tokens.insert(at, f" {rng.choice(WORDS)} ")
            case 4:
                del tokens[at : at + rng.randrange(1, 4)]
                tokens = tokens or ["op"]
            case 5:  # a stretch of another operator
                start = rng.randrange(len(other))
                tokens[at:at] = other[start : start + rng.randrange(1, 12)]
            case 6:  # a line of another operator
                lines = "".join(other).split("\n")[1:]
                if lines:
                    tokens += ["\n" + rng.choice(lines)]
            case 7:  # a range or a condition behind a line
                breaks = [k for k, t in enumerate(tokens) if "\n" in t]
                extra = rng.choice([" for i in 0..n", " when i > 0", "?", " ?? 0"])
                tokens.insert(rng.choice(breaks) if breaks else at, extra)
            case 8:
                numbers = [k for k, t in enumerate(tokens) if t.isdigit()]
                if numbers:
                    chosen = rng.choice(["0", "3", "64", "99999999999", "1e30", "k"])
                    tokens[rng.choice(numbers)] = chosen
    return "".join(tokens)


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Raises where the body takes longer."""

    def late(number: int, frame: object) -> None:
        raise AssertionError(f"no answer after {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def answers(text: str, rng: random.Random) -> None:
    """Parse, check, print and expand `text`: operators, or a SpecError."""
    library = load_library()
    try:
        operators = parse_operators(text)
    except SpecError as refusal:
        foreseen(refusal)
        return
    for operator in operators:
        others = {n: o for n, o in library.items() if n != operator.name}
        errors, warnings = diagnose(operator, others)
        for diagnostic in errors + warnings:
            assert diagnostic.code in CODES
            assert render(diagnostic)
        assert parse_operators(print_operator(operator)) == (operator,)
        if not errors:
            expanded(operator, {**others, operator.name: operator}, rng)


def foreseen(refusal: OpslibError) -> None:
    """E0901 wraps an exception that nobody thought of."""
    assert refusal.code in CODES
    assert refusal.code != "E0901", refusal.message


def expanded(
    operator: Operator, library: Mapping[str, Operator], rng: random.Random
) -> None:
    """A call of an operator that the checker let pass: a program, or an error."""
    try:
        arguments, attributes = sample_call(operator, None, rng, rng.randrange(4), True)
    except (ArithmeticError, LookupError, TypeError, ValueError, OpslibError):
        return  # No such call was found; that is the sampler's right.
    try:
        binding = bind(operator, arguments, attributes)
        expand(operator, binding.statics, library)
    except OpslibError as refusal:
        foreseen(refusal)


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="hangs are found by alarm")
def test_mutated_specs_are_answered() -> None:
    seed = int(os.environ.get("OPSLIB_FUZZ_SEED", "0"))
    corpus = texts()
    stop = time.monotonic() + SECONDS
    number = 0
    while time.monotonic() < stop:
        rng = random.Random(f"{seed} {number}")
        text = mutated(corpus, rng)
        try:
            with limited(MOST_SECONDS):
                answers(text, rng)
        except Exception as problem:
            raise AssertionError(f"seed {seed}, text {number}:\n{text}") from problem
        number += 1
    assert number > 20
