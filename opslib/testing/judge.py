"""One case on one backend, judged at every level that applies to it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from opslib.analysis.bound import Arithmetic, Judgement, evaluate_bounds
from opslib.dispatch import routing
from opslib.dispatch.handle import Handle
from opslib.dispatch.judging import (
    analysis_arithmetic,
    in_caller_axes,
    in_program_axes,
)
from opslib.errors import BackendUnavailable, KernelError, OpslibError, said
from opslib.ir.bind import BoundOutput
from opslib.ir.dtypes import compute_type, from_numpy
from opslib.ir.evaluate import evaluate
from opslib.runtime import registry
from opslib.testing import layouts, levels, relations, structure
from opslib.testing.inputs import Case, again
from opslib.testing.levels import Drift, Measure
from opslib.testing.values import limits

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one case showed.

    status: ``pass``, ``fail``, ``vacuous`` (within bounds that prove nothing), or
        ``unsupported`` (the backend says that it cannot; `message` says why).
    measures: every level that was looked at.
    drifts: signed errors for L4, which needs many cases.
    slack: what L4 allows besides rounding.
    """

    number: int
    status: str
    message: str = ""
    measures: tuple[Measure, ...] = ()
    drifts: tuple[Drift, ...] = ()
    slack: float = 0.0


def reproduce(backend: str, case_or_op: Case | str, dtype: str = "", n: int = 0) -> str:
    """The one line that runs a case again."""
    if isinstance(case_or_op, Case):
        c = case_or_op
        op, dtype, n, seed = c.operator, c.dtype, c.number, c.seed
    else:
        op, seed = case_or_op, 0
    return (
        f"opslib conformance --backend {backend} --op {op} --dtype {dtype} "
        f"--case {n} --seed {seed}"
    )


@dataclass(frozen=True, slots=True)
class Reference:
    """What a case's results should be, computed before anything runs.

    exact: for each output the arrays it may equal, or None where it has a bound.
    judgements: for each output its value and bound, or None where it is exact.
    probe: ``probe`` or ``one-hot`` where rounding cannot occur, else "".
    """

    exact: list[list[Array] | None]
    judgements: list[Judgement | None]
    probe: str


def reference(case: Case, arithmetic: Arithmetic) -> Reference:
    """Evaluates the unlowered program on the case's inputs."""
    program, binding = case.program, case.binding
    inputs = {
        t.name: in_program_axes(a.astype(t.dtype.numpy), t.view)
        for t, a in zip(binding.inputs, case.flat, strict=True)
    }
    sizes, scalars = binding.sizes, binding.scalars
    # Where what is no number may come out as anything, bounds say how far that goes.
    lost = arithmetic.narrow is not None and not all(
        a.dtype.kind in "biu" or bool(np.isfinite(a.astype(np.float32)).all())
        for a in inputs.values()
    )
    open_values = lost or structure.makes_integers(program)
    if structure.is_exact(program) and not open_values:
        found = [evaluate(program, inputs, sizes, scalars)]
        if arithmetic.flushes:
            flushed = {k: flush(a) for k, a in inputs.items()}
            found.append(evaluate(program, flushed, sizes, scalars))
            found += [{k: flush(a) for k, a in f.items()} for f in found]
        wants: list[list[Array] | None] = [
            [in_caller_axes(f[t.name], t.view, t.shape) for f in found]
            for t in binding.outputs
        ]
        return Reference(wants, [None] * len(wants), "")
    bounds = evaluate_bounds(program, inputs, sizes, scalars, arithmetic)
    if not all(a.dtype.kind in "biu" or _is_finite(a) for a in inputs.values()):
        other = structure.without_hidden(program)
        if other is not None:
            hidden = evaluate_bounds(other, inputs, sizes, scalars, arithmetic)
            bounds = {k: _either(j, hidden[k]) for k, j in bounds.items()}
    judgements: list[Judgement | None] = [
        _in_caller_axes(bounds[t.name], t) for t in binding.outputs
    ]
    open_bits = structure.makes_integers(program) and _open(judgements)
    probe = "" if open_bits else _probe(case, inputs, sizes, scalars)
    return Reference([None] * len(judgements), judgements, probe)


def _is_finite(array: Array) -> bool:
    return bool(np.isfinite(array.astype(np.float64)).all())


def _either(judgement: Judgement, other: Judgement) -> Judgement:
    """Anything where one of the two is a number and the other is not."""
    lost = np.isfinite(judgement.value) != np.isfinite(other.value)
    return judgement._replace(bound=np.where(lost, np.inf, judgement.bound))


def _open(judgements: Sequence[Judgement | None]) -> bool:
    """Whether some result may be anything, so that no bit of it can be asked for."""
    return any(bool(np.isinf(j.bound).any()) for j in judgements if j is not None)


def _in_caller_axes(judgement: Judgement, t: BoundOutput) -> Judgement:
    def moved(array: Array) -> Array:
        return np.asarray(in_caller_axes(array, t.view, t.shape))

    spread, terms = judgement.spread, judgement.terms
    return Judgement(
        moved(judgement.value),
        moved(judgement.bound),
        None if spread is None else moved(spread),
        None if terms is None else moved(terms),
    )


def _probe(
    case: Case,
    inputs: Mapping[str, Array],
    sizes: Mapping[str, int],
    scalars: Mapping[str, int | float],
) -> str:
    """Whether the case's results can be had without any rounding but the last."""
    program = case.program
    if case.kind == "selector":
        return "one-hot" if structure.contraction(program) is not None else ""
    if case.kind != "integers" or not structure.keeps_integers(program):
        return ""
    largest = levels.magnitude(program, inputs, sizes, scalars)
    return "probe" if largest < levels.exact_limit(program) else ""


def flush(array: Array) -> Array:
    """Subnormal numbers as zeros of their sign."""
    if array.dtype.kind in "biu":
        return array
    tiny = limits(from_numpy(array.dtype)).tiny
    with np.errstate(all="ignore"):
        return np.where(np.abs(array) < tiny, np.copysign(array * 0, array), array)


# --- Running -----------------------------------------------------------------------


def run_case(
    handle: Handle, case: Case, backend: str, *, out: bool = True
) -> tuple[list[Array], str]:
    """The results as NumPy arrays, and what was written where nothing should be."""
    tensors, outs = case.tensors, None
    if out and case.out:
        tensors, outs = _with_out(case)
    attributes = dict(case.attributes)
    given = None
    if outs is not None:
        given = outs[0] if len(outs) == 1 else tuple(outs)
    made = handle.call(tensors, attributes, given, backend)
    results = list(made) if isinstance(made, tuple) else [made]
    stray = ""
    for o in outs or ():
        if case.out == "stepped" and _touched(o):
            stray = "memory between the elements of out was written"
    return [np.array(r) for r in results], stray


def _with_out(case: Case) -> tuple[tuple[Any, ...], list[Array]]:
    outputs = case.binding.outputs
    tensors = list(case.tensors)
    if case.out == "alias":
        (t, *more) = outputs
        for k, a in enumerate(tensors):
            fits = isinstance(a, np.ndarray) and a.shape == t.shape and not more
            if fits and a.dtype == t.dtype.numpy and a.flags.writeable:
                layout = "contiguous" if a.flags.c_contiguous else "transposed"
                copy = layouts.laid_out(a, layout)
                tensors[k] = copy
                return tuple(tensors), [copy]
    layout = "stepped" if case.out == "stepped" else "contiguous"
    return tuple(tensors), [
        layouts.target(t.shape, t.dtype.numpy, layout) for t in outputs
    ]


def _touched(array: Array) -> bool:
    """Whether a ``stepped`` array's neighbours are not poison any more."""
    base = array
    while isinstance(base.base, np.ndarray):
        base = base.base
    if base is array or base.shape == array.shape or array.ndim == 0:
        return False
    clean = layouts.poison((1,), array.dtype)
    around = (base[..., 0::3], base[..., 2::3])
    return any(
        bool(levels.bits_differ(a, np.broadcast_to(clean, a.shape)).any())
        for a in around
    )


# --- Judging -----------------------------------------------------------------------


def judge(
    handle: Handle, case: Case, backend: str, arithmetic: Arithmetic | None = None
) -> Verdict:
    """Runs a case, and those related to it; holds them to every level that applies."""
    if arithmetic is None:
        arithmetic = arithmetic_of(backend, case)
    with np.errstate(all="ignore"), routing.trust():
        known = reference(case, arithmetic)
        try:
            results, stray = run_case(handle, case, backend)
            repeated, _ = run_case(handle, case, backend)
            plain = repeated
            if case.out:
                plain, _ = run_case(handle, case, backend, out=False)
        except BackendUnavailable as error:
            return Verdict(case.number, "unsupported", error.message)
        except Exception as error:
            # Whatever a kernel raises is a finding about the backend.
            return Verdict(case.number, "fail", said(error))
        measures: list[Measure] = []
        drifts: list[Drift] = []
        for k, t in enumerate(case.binding.outputs):
            measures += _output(case, arithmetic, known, k, t, results[k])
            if plain is not repeated:
                measures += _output(case, arithmetic, known, k, t, plain[k])
            judgement = known.judgements[k]
            drifting = t.dtype.is_float and case.kind in ("random", "strata")
            if results[k].dtype == t.dtype.numpy and judgement is not None and drifting:
                drifts.append(levels.drift(results[k], judgement, t.dtype))
            measures.append(levels.exact("M", repeated[k], [results[k]]))
            if plain is not repeated:
                measures.append(_out_or_fresh(known, case, k, results[k], plain[k]))
        exact = relations.exactness(case, known.probe)
        base = relations.Answer(plain, known.judgements, exact)
        measures += _related(handle, case, backend, arithmetic, base)
    return _verdict(case, known, measures, drifts, stray, arithmetic)


def judge_once(handle: Handle, case: Case, backend: str) -> Verdict:
    """Runs a case once, and nothing that is related to it: for tables of operators."""
    arithmetic = arithmetic_of(backend, case)
    with np.errstate(all="ignore"), routing.trust():
        known = reference(case, arithmetic)
        try:
            results, _ = run_case(handle, case, backend, out=False)
        except (BackendUnavailable, KernelError) as error:
            return Verdict(case.number, "unsupported", error.message)
        except OpslibError as error:
            return Verdict(case.number, "fail", said(error))
        measures: list[Measure] = []
        for k, t in enumerate(case.binding.outputs):
            measures += _output(case, arithmetic, known, k, t, results[k])
    return _verdict(case, known, measures, [], "", arithmetic)


def arithmetic_of(backend: str, case: Case) -> Arithmetic:
    """The backend's promises about the dtypes of a case."""
    found, device = registry.device(backend)
    program = case.program
    dtypes = {t.dtype for t in (*program.inputs, *program.outputs, *program.locals)}
    made: Arithmetic = analysis_arithmetic(found, device, dtypes)
    return made


def _output(
    case: Case,
    arithmetic: Arithmetic,
    known: Reference,
    k: int,
    t: BoundOutput,
    got: Array,
) -> list[Measure]:
    wants, judgement = known.exact[k], known.judgements[k]
    if wants is not None:
        return [levels.exact("L0", got, wants)]
    assert judgement is not None
    if got.shape != t.shape or got.dtype != t.dtype.numpy:
        shown, wanted = f"{got.dtype}{list(got.shape)}", f"{t.dtype}{list(t.shape)}"
        return [Measure("L3", math.inf, (), shown, wanted)]
    found = [levels.rigorous(got, judgement)]
    if case.kind in ("special", "strata"):
        found.append(levels.Measure("reach", found[0].worst, *_shown(found[0])))
    if known.probe:
        want = judgement.value.astype(t.dtype.numpy)
        found.append(levels.exact(known.probe, got, [want], zeros=False))
    # Terms that are themselves computed have errors of their own, which L3 knows.
    if case.kind == "random" and structure.degree(case.program) is not None:
        measure = levels.statistical(got, judgement, t.dtype, arithmetic)
        found += [] if measure is None else [measure]
    primitive = structure.single_primitive(case.program)
    if primitive is not None and t.dtype.is_float:
        budget = levels.ulp_budget(primitive, arithmetic, t.dtype)
        used = levels.ulps(got, judgement, t.dtype, budget)
        found.append(levels.worst("L1", used, got, judgement.value))
    return found


def _shown(measure: Measure) -> tuple[tuple[int, ...], str, str]:
    return measure.place, measure.got, measure.want


def _out_or_fresh(
    known: Reference, case: Case, k: int, given: Array, fresh: Array
) -> Measure:
    """M: what is written to `out` is what would have been returned."""
    judgement = known.judgements[k]
    bound = None if judgement is None else 2 * np.asarray(judgement.bound)
    exact = relations.exactness(case, known.probe)
    return relations.agree(f"out={case.out}", given, fresh, bound, exact)


def _related(
    handle: Handle,
    case: Case,
    backend: str,
    arithmetic: Arithmetic,
    base: relations.Answer,
) -> list[Measure]:
    """M: what other calls give, compared with what this one gave."""
    measures: list[Measure] = []
    for relation in relations.relations(handle, case):
        answers = []
        try:
            for other in relation.cases:
                results, _ = run_case(handle, other, backend)
                judgements: Sequence[Judgement | None] = ()
                if relation.judged:
                    judgements = reference(other, arithmetic).judgements
                answers.append(relations.Answer(results, judgements, False))
        except OpslibError as error:
            if all(_is_defined(other) for other in relation.cases):
                shown = f"{said(error)} ({relation.name})"
                measures.append(Measure("M", math.inf, (), shown, "a result"))
            continue
        measures += relation.check(base, answers)
    return measures


def _is_defined(case: Case) -> bool:
    """Whether the spec has a value: parts of a call may hold indices outside it."""
    try:
        reference(case, Arithmetic())
    except OpslibError:
        return False
    return True


def trials(handle: Handle, case: Case) -> Iterator[Case]:
    """Every call that judging a case makes."""
    yield case
    if case.out:
        yield again(case, out="")
    for relation in relations.relations(handle, case):
        yield from relation.cases


def _verdict(
    case: Case,
    known: Reference,
    measures: list[Measure],
    drifts: list[Drift],
    stray: str,
    arithmetic: Arithmetic,
) -> Verdict:
    missed = [m for m in measures if not m.holds]
    status, message = "pass", ""
    if missed or stray:
        status = "fail"
        message = stray
        if missed:
            m = missed[0]
            at = f" at {list(m.place)}" if m.place else ""
            used = "" if math.isinf(m.worst) else f", {m.worst:.3g} times the bound"
            message = f"{m.level}{at}: got {m.got}, expected {m.want}{used}"
        message += f"; {case.describe()}"
    elif not known.probe and any(
        j is not None and levels.is_vacuous(j) for j in known.judgements
    ):
        status = "vacuous"
    slack = _slack(case, arithmetic)
    kept = tuple(drifts) if slack is not None else ()
    return Verdict(case.number, status, message, tuple(measures), kept, slack or 0.0)


def _slack(case: Case, arithmetic: Arithmetic) -> float | None:
    """By how many ulp of the output its mean may be off; None: nothing is known.

    A sum, and what is rounded correctly at every step, has no bias; one primitive may
    have what it is allowed to be off besides rounding.
    """
    program = case.program
    (dtype, *more) = [t.dtype for t in program.outputs]
    if more or not dtype.is_float:
        return None
    primitive = structure.single_primitive(program)
    if primitive is None:
        return 0.0 if structure.degree(program) is not None else None
    narrow = 2.0 ** (dtype.mantissa - compute_type(dtype).mantissa)
    return float((levels.ulp_budget(primitive, arithmetic, dtype) - 0.5) * narrow)
