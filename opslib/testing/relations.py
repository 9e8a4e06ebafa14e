"""Level M: calls whose results are tied to each other, whatever the right values are.

Each relation is derived from the program (`symmetry`, `algebraic`), never from an
operator's name, and changes a case into others. What must agree does so to the bit
where rounding cannot occur, else within the sum of both results' bounds. Relations
between two operators are in `opslib.testing.pair_table`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from opslib.analysis.bound import Judgement
from opslib.dispatch import call
from opslib.dispatch.handle import Handle
from opslib.dispatch.plan import program_for
from opslib.errors import OpslibError
from opslib.ir.binding import BoundInput, BoundOutput
from opslib.ir.view import View
from opslib.testing import algebraic, layouts, levels, structure, symmetry
from opslib.testing.inputs import Case, again, generator, regrouped
from opslib.testing.levels import Measure
from opslib.testing.values import limits

Array = np.ndarray[Any, np.dtype[Any]]
Change = Callable[[Array], Array]


@dataclass(frozen=True, slots=True)
class Answer:
    """A case's results, and what is known of them.

    judgements: for each result its value and bound; None where it is exact.
    exact: whether rounding cannot occur, so that every bit counts.
    """

    results: Sequence[Array]
    judgements: Sequence[Judgement | None]
    exact: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """Other calls than the case's own, and what their results must be.

    cases: the calls; none has an `out`.
    judged: whether the other calls' own bounds are needed.
    check: of the case's answer and the others'.
    """

    name: str
    cases: tuple[Case, ...]
    judged: bool
    check: Callable[[Answer, Sequence[Answer]], list[Measure]]


def relations(handle: Handle, case: Case, new_shapes: bool = True) -> list[Relation]:
    """The relations that a case is held to.

    `new_shapes`: also calls of other shapes and layouts, for which a backend may have
    to compile anew.
    """
    rng = generator(case.operator, case.dtype, case.number, case.seed, "relations")
    plain = again(case, out="")
    if not plain.flat:
        return []
    found = [*_doubled(plain), *_permuted(plain, rng), *_shifted(plain, rng)]
    found += [*_scaled(plain), *_split(plain, rng)]
    if new_shapes:
        turn = case.number % 3
        if turn == 0:
            found += _cut(handle, plain, rng)
        elif turn == 1:
            found += _copied(plain)
    return found


# --- Comparing ---------------------------------------------------------------------


def agree(
    name: str,
    got: Array,
    want: Array,
    bound: Array | None,
    exact: bool,
) -> Measure:
    """M: two results to the bit, or within what both may be off together."""
    if bound is None or exact or got.shape != want.shape:
        return _named(name, levels.exact("M", got, [want], zeros=False))
    with np.errstate(all="ignore"):
        error = np.abs(levels.wide(got) - levels.wide(want))
        used = np.where(error == 0, 0.0, error / bound)
        same = (levels.wide(got) == levels.wide(want)) | (
            np.isnan(levels.wide(got)) & np.isnan(levels.wide(want))
        )
        broken = ~same & ~(
            np.isfinite(levels.wide(got)) & np.isfinite(levels.wide(want))
        )
        used = np.where(same, 0.0, np.where(broken, np.inf, used))
        used = np.where(np.isinf(bound), 0.0, used)
    return _named(name, levels.worst("M", used, got, want))


def _named(name: str, measure: Measure) -> Measure:
    return replace(measure, got=f"{measure.got} ({name})")


def in_axes(array: Array, view: View, change: Change) -> Array:
    """The array with a change made in the program's axes; broadcasts stay as given."""
    seen = array.transpose(view.permutation).reshape(view.shape)
    permuted = tuple(array.shape[k] for k in view.permutation)
    back = np.argsort(view.permutation)
    made: Array = change(seen)
    return made.reshape(permuted).transpose(back)


def _finite(case: Case) -> bool:
    floats = [a for a in case.flat if a.dtype.kind not in "biu"]
    return all(bool(np.isfinite(a).all()) for a in floats)


def _with(case: Case, arrays: Sequence[Array]) -> Case:
    """The case on other arrays of the same shapes, each in its layout."""
    made = [
        layouts.laid_out(a, "contiguous" if layout == "windows" else layout)
        for a, layout in zip(arrays, case.layouts, strict=True)
    ]
    return again(case, tensors=regrouped(case.tensors, made))


def _floats(case: Case) -> Iterator[tuple[int, BoundInput]]:
    for k, t in enumerate(case.binding.inputs):
        if t.dtype.is_float:
            yield k, t


# --- The relations -----------------------------------------------------------------


def _doubled(case: Case) -> Iterator[Relation]:
    """f(2x) = 2^k f(x), to the bit, for sums of products of k inputs."""
    power = structure.degree(case.program)
    if power is None or case.kind != "random" or not _finite(case):
        return
    if any(a.dtype.kind in "biu" for a in case.flat):
        return
    twice = _with(case, [a * a.dtype.type(2) for a in case.flat])
    if _finite(twice):
        calls = (*_alike(case), twice)
        yield Relation("doubled", calls, False, _multiplied(case, power, "2 x"))


def _alike(case: Case) -> tuple[Case, ...]:
    """The case in the layout that its changed arrays get, where that is another one.

    A window's elements overlap, so that changed ones lie contiguous; and the order of
    a sum may depend on the layout (BLAS), so that bits can be compared only then.
    """
    return (_with(case, case.flat),) if "windows" in case.layouts else ()


def _multiplied(
    case: Case, power: int, name: str
) -> Callable[[Answer, Sequence[Answer]], list[Measure]]:
    """That the last results are 2^power times those before it, to the bit."""

    def check(base: Answer, others: Sequence[Answer]) -> list[Measure]:
        measures = []
        for j, o in enumerate(case.binding.outputs):
            *before, last = (base, *others)
            got, own = last.results[j], before[-1].results[j]
            want = own * o.dtype.numpy.type(2**power)
            # Where nothing underflows or overflows on the way.
            info = limits(o.dtype)
            size = np.abs(own.astype(np.float64))
            safe = (size > float(info.tiny) * 2**24) & (size < float(info.max) / 2**8)
            got = np.where(safe, got, want)
            measure = levels.exact("M", got, [want], zeros=False)
            measures.append(_named(name, measure))
        return measures

    return check


def _permuted(case: Case, rng: np.random.Generator) -> Iterator[Relation]:
    """Axes without a fixed place: f(P x) = P f(x), for one set of them."""
    found = [s for s in symmetry.symmetries(case.program) if _extent(case, s) > 1]
    if not found:
        return
    chosen = found[int(rng.integers(len(found)))]
    order = rng.permutation(_extent(case, chosen))

    def change(tensor: str) -> Change:
        axes = [k for name, k in chosen.axes if name == tensor]

        def moved(array: Array) -> Array:
            for k in axes:
                if array.shape[k] > 1:
                    array = array.take(order, k)
            return array

        return moved

    arrays = [
        in_axes(a, t.view, change(t.name))
        for a, t in zip(case.flat, case.binding.inputs, strict=True)
    ]

    def check(base: Answer, others: Sequence[Answer]) -> list[Measure]:
        measures = []
        for k, t in enumerate(case.binding.outputs):
            want, bound = _moved(base, k, t, change(t.name))
            got = others[0].results[k]
            label = "permuted " + ", ".join(f"{n} axis {a}" for n, a in chosen.axes)
            measures.append(agree(label, got, want, bound, base.exact))
        return measures

    yield Relation("permuted", (_with(case, arrays),), False, check)


def _views(case: Case) -> dict[str, View]:
    views = {t.name: t.view for t in case.binding.inputs}
    return views | {t.name: t.view for t in case.binding.outputs}


def _extent(case: Case, found: symmetry.Symmetry) -> int:
    views = _views(case)
    name, axis = found.axes[0]
    return int(views[name].extents[axis])


def _moved(
    base: Answer, k: int, t: BoundOutput, change: Change
) -> tuple[Array, Array | None]:
    want = in_axes(base.results[k], t.view, change)
    judgement = base.judgements[k]
    if judgement is None:
        return want, None
    return want, 2 * in_axes(np.asarray(judgement.bound), t.view, change)


def _shifted(case: Case, rng: np.random.Generator) -> Iterator[Relation]:
    """f(x + c) = f(x) + s c, on whole numbers, for which x + c is exact."""
    if case.kind != "integers" or not _finite(case):
        return
    for k, t in _floats(case):
        moves = algebraic.shift_of(case.program, t.name)
        if any(s not in (0, 1, -1) for s in moves.values()):
            continue
        if any(
            s and not o.dtype.is_float
            for s, o in zip(moves.values(), case.binding.outputs, strict=True)
        ):
            continue
        step = float(rng.integers(1, 5))
        arrays = list(case.flat)
        arrays[k] = (arrays[k] + arrays[k].dtype.type(step)).astype(arrays[k].dtype)

        def check(
            base: Answer,
            others: Sequence[Answer],
            moves: dict[str, float | None] = moves,
            step: float = step,
            name: str = t.name,
        ) -> list[Measure]:
            measures = []
            for j, o in enumerate(case.binding.outputs):
                want, got = base.results[j], others[0].results[j]
                label = f"{name} + {step:g}"
                if moves[o.name]:
                    # The difference is what is compared: adding would round.
                    by = step * (moves[o.name] or 0.0)
                    got, want = levels.wide(got) - by, levels.wide(want)
                measures.append(
                    agree(label, got, want, _both(base, others[:1], j), False)
                )
            return measures

        yield Relation("shifted", (_with(case, arrays),), True, check)


def _both(base: Answer, others: Sequence[Answer], k: int) -> Array | None:
    total = None
    for answer in (base, *others):
        judgement = answer.judgements[k]
        if judgement is None:
            return None
        bound = np.asarray(judgement.bound)
        total = bound if total is None else total + bound
    return total


def _scaled(case: Case) -> Iterator[Relation]:
    """f(2 x) = 2 f(x), to the bit, in each argument that the spec is linear in."""
    if case.kind not in ("random", "integers") or not _finite(case):
        return
    scalars = [abs(v) for v in case.binding.scalars.values() if isinstance(v, float)]
    if any(v and not 2.0**-60 < v < 2.0**60 for v in scalars):
        return  # products with it might underflow
    linear = [k for k, t in _floats(case) if algebraic.linear_in(case.program, t.name)]
    if len(linear) == 1 and structure.degree(case.program) == 1:
        return  # that is `_doubled`
    for k in linear:
        t = case.binding.inputs[k]
        arrays = list(case.flat)
        arrays[k] = arrays[k] * arrays[k].dtype.type(2)
        if not np.isfinite(arrays[k]).all():
            continue
        check = _multiplied(case, 1, f"2 {t.name}")
        calls = (*_alike(case), _with(case, arrays))
        yield Relation("scaled", calls, False, check)


def _split(case: Case, rng: np.random.Generator) -> Iterator[Relation]:
    """f(a + b) = f(a) + f(b) in one argument that the spec is linear in."""
    if case.kind not in ("random", "integers", "spread") or not _finite(case):
        return
    linear = [k for k, t in _floats(case) if algebraic.linear_in(case.program, t.name)]
    if not linear:
        return
    k = linear[int(rng.integers(len(linear)))]
    whole = case.flat[k]
    # The upper half of the bits and the rest: their sum is the number itself.
    bits = case.binding.inputs[k].dtype.mantissa // 2
    fraction, exponent = np.frexp(whole.astype(np.float64))
    high = np.ldexp(np.trunc(fraction * 2.0**bits), exponent - bits).astype(whole.dtype)
    low = (whole - high).astype(whole.dtype)
    halves = []
    for part in (high, low):
        arrays = list(case.flat)
        arrays[k] = part
        halves.append(_with(case, arrays))
    name = case.binding.inputs[k].name

    def check(base: Answer, others: Sequence[Answer]) -> list[Measure]:
        measures = []
        for j in range(len(case.binding.outputs)):
            want = levels.wide(others[0].results[j]) + levels.wide(others[1].results[j])
            got = levels.wide(base.results[j])
            bound = _both(base, others, j)
            if bound is None and structure.narrows(case.program):
                continue  # Judged to the bit, so that nothing bounds the rounding.
            if not np.isfinite(want).all():
                continue  # (a part overflows where the whole does)
            measures.append(agree(f"{name} as a sum", got, want, bound, False))
        return measures

    yield Relation("split", (halves[0], halves[1]), True, check)


def _copied(case: Case) -> Iterator[Relation]:
    """A strided view equals its contiguous copy."""
    if all(layout == "contiguous" for layout in case.layouts):
        return
    made = [layouts.fresh(a) for a in case.flat]
    copy = again(
        case,
        tensors=regrouped(case.tensors, made),
        layouts=("contiguous",) * len(made),
    )

    def check(base: Answer, others: Sequence[Answer]) -> list[Measure]:
        return [
            agree(
                "contiguous copies",
                others[0].results[k],
                base.results[k],
                _both(base, (base,), k),
                base.exact,
            )
            for k in range(len(case.binding.outputs))
        ]

    yield Relation("copied", (copy,), False, check)


def _cut(handle: Handle, case: Case, rng: np.random.Generator) -> Iterator[Relation]:
    """A part of a batch gives that part of the results."""
    views = _views(case)
    whole = {
        t.name: a.shape for t, a in zip(case.binding.inputs, case.flat, strict=True)
    }
    whole |= {t.name: t.shape for t in case.binding.outputs}

    def plain(name: str) -> bool:
        """Whether the caller's axes are the program's, so that one can be cut."""
        view = views[name]
        return bool(tuple(whole[name][k] for k in view.permutation) == view.shape)

    found = [
        s
        for s in symmetry.symmetries(case.program)
        if not s.folded and _extent(case, s) > 1 and all(plain(n) for n, _ in s.axes)
    ]
    if not found:
        return
    chosen = found[int(rng.integers(len(found)))]
    extent = _extent(case, chosen)
    start = int(rng.integers(0, extent - 1))
    stop = int(rng.integers(start + 1, extent + 1))

    def change(name: str, array: Array) -> Array:
        view = views[name]
        for n, k in chosen.axes:
            if n == name and array.shape[view.permutation[k]] > 1:
                spot = [slice(None)] * array.ndim
                spot[view.permutation[k]] = slice(start, stop)
                array = array[tuple(spot)]
        return array

    arrays = [
        change(t.name, a) for t, a in zip(case.binding.inputs, case.flat, strict=True)
    ]
    try:
        part = rebound(handle, case, arrays)
    except OpslibError:
        return  # `requires` ties this extent to others
    wanted = [
        change(t.name, np.empty(t.shape, np.bool_)).shape for t in case.binding.outputs
    ]
    if [t.shape for t in part.binding.outputs] != wanted:
        return

    def check(base: Answer, others: Sequence[Answer]) -> list[Measure]:
        measures = []
        for k, t in enumerate(case.binding.outputs):
            both = _both(base, (base,), k)
            bound = None if both is None else change(t.name, both)
            want = change(t.name, base.results[k])
            label = f"{start}:{stop} of {chosen.axes[0][0]} axis {chosen.axes[0][1]}"
            measures.append(agree(label, others[0].results[k], want, bound, base.exact))
        return measures

    yield Relation("cut", (part,), False, check)


def rebound(handle: Handle, case: Case, arrays: Sequence[Array]) -> Case:
    """The case on arrays of other shapes, as they are."""
    tensors = regrouped(case.tensors, arrays)
    binding = call.bound(handle.request(tensors, dict(case.attributes)))
    program = program_for(handle.operator, binding.statics, handle.library)
    return again(
        case,
        tensors=tensors,
        layouts=("contiguous",) * len(arrays),
        binding=binding,
        program=program,
    )


def exactness(case: Case, probe: str) -> bool:
    """Whether no rounding occurs in a case: its results agree to the bit."""
    return bool(probe) or structure.is_exact(case.program)
