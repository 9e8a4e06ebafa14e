"""One operator in one dtype on one backend: its cases, L1 strata and bias together.

This runs in the calling process. `opslib.testing.runner` puts it into workers that may
be killed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from opslib.dispatch.handle import Handle
from opslib.errors import BackendUnavailable, said
from opslib.ir.dtypes import DTYPES
from opslib.language import syntax
from opslib.runtime import registry
from opslib.testing import levels, pairs, structure
from opslib.testing.grids import GRID, grid_case, has_grid, without_subnormals
from opslib.testing.inputs import Case, NoCase, generator, make_case
from opslib.testing.judge import (
    Verdict,
    arithmetic_of,
    judge,
    reproduce,
    run_case,
    trials,
)
from opslib.testing.levels import Drift
from opslib.testing.shapes import LONG, dtypes_of
from opslib.testing.values import special_values, strata

ProfileName = Literal["quick", "standard", "deep"]


@dataclass(frozen=True, slots=True)
class Profile:
    """How much is tried.

    cases: of each operator and dtype. long: those in which one axis is long. dtypes:
    how many of an operator's dtypes, the usual ones first. strata: values of a unary
    float operator (65536 is every value of a 16-bit type). limit_s: for one case, after
    which its worker is killed.
    """

    name: str
    cases: int
    long: int
    dtypes: int
    strata: int
    limit_s: float


PROFILES: dict[str, Profile] = {
    "quick": Profile("quick", 6, 2, 2, 2048, 60.0),
    "standard": Profile("standard", 24, 5, 7, 1 << 14, 120.0),
    "deep": Profile("deep", 200, 20, 13, 1 << 16, 600.0),
}


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that missed a level.

    Attributes:
        message: what was got and what was expected, with the call.
        line: the command that runs it again.
    """

    case: int
    message: str
    line: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the suite found out about an operator in a dtype on a device.

    Attributes:
        state: ``pass``, ``fail`` or ``untested``.
        level: the strictest level that was reached, "" when untested.
        worst: largest fraction of what is allowed at that level.
        levels: (level, worst fraction) of every level that was looked at.
        cases: how many proved something; `vacuous` did not, `unsupported` did not run.
        reason: why nothing was tested, or why the failures are known.
        bias: mean signed error in ulp of the output, where L4 applies.
    """

    operator: str
    dtype: str
    backend: str
    family: str
    skeletons: tuple[str, ...] = ()
    state: str = "untested"
    level: str = ""
    worst: float = 0.0
    levels: tuple[tuple[str, float], ...] = ()
    cases: int = 0
    vacuous: int = 0
    unsupported: int = 0
    failures: tuple[Failure, ...] = ()
    reason: str = ""
    bias: float | None = None


@dataclass(slots=True)
class Tally:
    """Verdicts of one operator and dtype, as they come in."""

    operator: str
    dtype: str
    backend: str
    seed: int = 0
    worst: dict[str, float] = field(default_factory=dict)
    drifts: list[Drift] = field(default_factory=list)
    slack: float = 0.0
    cases: int = 0
    vacuous: int = 0
    unsupported: int = 0
    skipped: int = 0
    reason: str = ""
    failures: list[Failure] = field(default_factory=list)
    skeletons: set[str] = field(default_factory=set)

    def add(self, verdict: Verdict) -> None:
        """Counts a verdict."""
        for m in verdict.measures:
            self.worst[m.level] = max(self.worst.get(m.level, 0.0), m.worst)
        match verdict.status:
            case "unsupported":
                self.unsupported += 1
                self.reason = verdict.message
                return
            case "vacuous":
                self.vacuous += 1
            case "nocase":
                self.skipped += 1
                self.reason = self.reason or verdict.message
                return
            case _:
                self.cases += 1
        self.drifts += verdict.drifts
        self.slack = max(self.slack, verdict.slack)
        if verdict.status == "fail":
            line = self.line(verdict.number)
            self.failures.append(Failure(verdict.number, verdict.message, line))

    def line(self, number: int) -> str:
        """The command that reproduces a case."""
        line = reproduce(self.backend, self.operator, self.dtype, number)
        return line.replace("--seed 0", f"--seed {self.seed}")

    def crashed(self, number: int, how: str) -> None:
        """Counts a case that took its worker along."""
        self.cases += 1
        self.failures.append(Failure(number, how, self.line(number)))

    def outcome(self, family: str) -> Outcome:
        """The sum, once all cases are in."""
        found = levels.bias(self.drifts, self.slack)
        worst, failures = dict(self.worst), list(self.failures)
        mean = None
        if found is not None:
            bias, mean = found
            worst["L4"] = bias.worst
            if not bias.holds:
                text = f"L4: {bias.got}, allowed {bias.want}"
                line = self.line(-1).replace(" --case -1", "")
                failures.append(Failure(-1, text, line))
        reached = [k for k in levels.ORDER if worst.get(k, 2.0) <= 1]
        state = "fail" if failures else "pass" if self.cases else "untested"
        reason = self.reason
        if state == "untested" and not reason:
            reason = "no case proved anything" if self.vacuous else "no case was found"
        level = reached[0] if reached and state != "untested" else ""
        return Outcome(
            self.operator,
            self.dtype,
            self.backend,
            family,
            tuple(sorted(self.skeletons)),
            state,
            level,
            worst.get(level, 0.0),
            tuple((k, worst[k]) for k in levels.ORDER if k in worst),
            self.cases,
            self.vacuous,
            self.unsupported,
            tuple(failures),
            "" if state == "pass" and not self.unsupported else reason,
            mean,
        )


def verdicts(
    handle: Handle, dtype: str, backend: str, numbers: Iterable[int], seed: int = 0
) -> Iterator[Verdict]:
    """Judges the cases of those numbers, one after the other."""
    for number in numbers:
        yield verdict(handle, dtype, backend, number, seed)


def verdict(
    handle: Handle, dtype: str, backend: str, number: int, seed: int = 0
) -> Verdict:
    """Draws and judges one case.

    Numbers from `STRATA` up are those of L1, from `PAIRS` up rows of `pairs.toml`; for
    `LONG` and `GRID` see there.
    """
    if number >= PAIRS:
        return pair_verdict(dtype, backend, number, seed)
    try:
        case = case_of(handle, dtype, number, seed)
    except NoCase as error:
        return Verdict(number, "nocase", said(error))
    except Exception as error:
        # The spec's own expansion failed: a finding too, whatever it is.
        return Verdict(number, "fail", said(error))
    try:
        if number == GRID and arithmetic_of(backend, case).flushes:
            case = without_subnormals(case)
        return judge(handle, case, backend)
    except BackendUnavailable as error:
        return Verdict(number, "unsupported", error.message)
    except Exception as error:
        # Kernels' errors were caught inside: this one is the judge's.
        text = f"in the judge: {said(error)}; {case.describe()}"
        return Verdict(number, "fail", text)


@functools.lru_cache(maxsize=4096)
def case_of(handle: Handle, dtype: str, number: int, seed: int) -> Case:
    """The case of that number; drawn once, though it is gathered and then judged."""
    if number >= STRATA:
        return strata_case(handle, dtype, number - STRATA, seed)
    if number == GRID:
        return grid_case(handle, dtype, seed)
    return make_case(handle, dtype, number, seed)


def calls_of(
    handle: Handle, dtype: str, number: int, seed: int, backend: str
) -> Iterator[Callable[[], object]]:
    """Every call that judging the case of that number makes."""
    if number >= PAIRS:
        row, operators = pairs.rows()[number - PAIRS], pairs.Operators(backend, True)
        yield functools.partial(pairs.sides, row, dtype, seed, operators)
        return
    case = case_of(handle, dtype, number, seed)
    for trial in trials(handle, case):
        yield functools.partial(run_case, handle, trial, backend)


# Case numbers of the elementwise strata: STRATA + how many values.
STRATA = 1_000_000
# A case of rank 0: its variant (a third of its number) is the first of that rank.
ZERO_D = 12
# Relations with other operators: PAIRS + position in the table.
PAIRS = 2_000_000


def pair_verdict(dtype: str, backend: str, number: int, seed: int) -> Verdict:
    """Holds a backend to a row of the table."""
    try:
        found = pairs.judge_row(backend, number - PAIRS, dtype, seed)
    except Exception as error:
        # A kernel's or the pair's own, of any class: a finding with the pair's name.
        text = f"{said(error)}; {pairs.rows()[number - PAIRS].left}"
        return Verdict(number, "fail", text)
    status, measure, message = found
    return Verdict(number, status, message, () if measure is None else (measure,))


def has_strata(handle: Handle, dtype: str) -> bool:
    """Whether the operator is one float primitive of one operand."""
    tensors = handle.operator.tensors
    if len(tensors) != 1 or tensors[0].variadic or not DTYPES[dtype].is_float:
        return False
    if any(p.default is None for p in handle.operator.attributes):
        return False
    if dtype not in dtypes_of(handle.operator) or len(handle.operator.results) > 1:
        return False
    axes: tuple[syntax.Expression, ...] = getattr(tensors[0].type, "axes", ())
    if (
        len(axes) != 1
        or not isinstance(axes[0], syntax.Pack)
        or (axes[0].value is not None)
    ):
        return False
    try:
        case = make_case(handle, dtype, 1)
    except NoCase:
        return False
    return structure.is_map(case.program)


def strata_case(handle: Handle, dtype: str, count: int, seed: int) -> Case:
    """A unary operator on values spread evenly over the type's bit patterns."""
    from opslib.dispatch import call
    from opslib.dispatch.plan import program_for

    rng = generator(handle.name, dtype, count, seed)
    values = strata(DTYPES[dtype], rng, count)
    domain = handle.operator.clauses.samples
    if domain and values.size < 1 << 16:
        # Half of them where the function has a shape.
        low, high = domain[0].low, domain[0].high
        half = rng.uniform(low, high, values.size // 2).astype(values.dtype)
        values[len(special_values(DTYPES[dtype])) :][: half.size] = half[
            : max(values.size - len(special_values(DTYPES[dtype])), 0)
        ]
    binding = call.bound(handle.request((values,), {}))
    program = program_for(handle.operator, binding.statics, handle.library)
    number = STRATA + count
    return Case(
        handle.name,
        dtype,
        number,
        seed,
        "strata",
        (values,),
        {},
        "",
        ("contiguous",),
        program,
        binding,
    )


def numbers_of(handle: Handle, dtype: str, profile: Profile) -> list[int]:
    """The case numbers of a profile."""
    numbers = list(range(profile.cases))
    if profile.cases <= ZERO_D:
        numbers.append(ZERO_D)
    numbers += range(LONG, LONG + profile.long)
    if has_strata(handle, dtype):
        numbers.append(STRATA + profile.strata)
    if has_grid(handle, dtype):
        numbers.append(GRID)
    return [*numbers, *pair_numbers(handle.name, dtype)]


def pair_numbers(operator: str, dtype: str) -> list[int]:
    """Case numbers of an operator's relations with others."""
    return [PAIRS + k for k in pairs.rows_of(operator, dtype)]


def skeleton_of(handle: Handle, dtype: str, backend: str, seed: int = 0) -> str:
    """Which kind of kernel runs the operator, "" when that cannot be said."""
    from opslib.dispatch import arrays, call, routing

    try:
        case = make_case(handle, dtype, 1, seed)
        request = handle.request(case.tensors, dict(case.attributes), None, backend)
        library = arrays.common_library(case.flat, handle.name)
        with routing.trust():
            plan, _ = call.find_plan(request, case.flat, library, None)
    except Exception:
        # The case's verdict says what failed; there was no kernel to name.
        return ""
    return str(plan.kernel.skeleton)


def check(
    handle: Handle,
    dtype: str,
    backend: str,
    profile: Profile | str = "quick",
    *,
    seed: int = 0,
    numbers: Iterable[int] | None = None,
) -> Outcome:
    """All cases of a profile, in this process."""
    chosen = PROFILES[profile] if isinstance(profile, str) else profile
    tally = Tally(handle.name, dtype, backend, seed)
    wanted = numbers_of(handle, dtype, chosen) if numbers is None else numbers
    with np.errstate(all="ignore"):
        for found in verdicts(handle, dtype, backend, wanted, seed):
            tally.add(found)
    skeleton = skeleton_of(handle, dtype, backend, seed)
    tally.skeletons |= {skeleton} - {""}
    return tally.outcome(family_of(backend))


def family_of(backend: str) -> str:
    """The device family that a backend's name means here."""
    return registry.device(backend)[1].family


def as_dict(outcome: Outcome) -> dict[str, Any]:
    """The outcome as JSON holds it."""
    return {
        "operator": outcome.operator,
        "dtype": outcome.dtype,
        "backend": outcome.backend,
        "family": outcome.family,
        "skeletons": list(outcome.skeletons),
        "state": outcome.state,
        "level": outcome.level,
        "worst": outcome.worst if np.isfinite(outcome.worst) else "inf",
        "levels": {k: v if np.isfinite(v) else "inf" for k, v in outcome.levels},
        "cases": outcome.cases,
        "vacuous": outcome.vacuous,
        "unsupported": outcome.unsupported,
        "failures": [
            {"case": f.case, "message": f.message, "line": f.line}
            for f in outcome.failures
        ],
        "reason": outcome.reason,
        "bias": outcome.bias,
    }


def from_dict(row: dict[str, Any]) -> Outcome:
    """The inverse of `as_dict`."""
    return Outcome(
        row["operator"],
        row["dtype"],
        row["backend"],
        row["family"],
        tuple(row["skeletons"]),
        row["state"],
        row["level"],
        float(row["worst"]),
        tuple((k, float(v)) for k, v in row["levels"].items()),
        row["cases"],
        row["vacuous"],
        row["unsupported"],
        tuple(Failure(**f) for f in row["failures"]),
        row["reason"],
        row.get("bias"),
    )
