"""One kernel as it grows, in MLIR: tensors of known shape, in SSA form.

Only standard dialects are printed (linalg, tensor, arith, math, scf, memref,
bufferization), so that MLIR's own tools run the same text on the host.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from opslib.codegen.mlir_value import (
    Array,
    Value,
    box,
    element,
    grouped,
    literal,
    tensor_type,
)
from opslib.ir.dtypes import BOOL, INT8, INT64, DType


@dataclass(slots=True)
class Function:
    """The body of a kernel.

    Attributes:
        lines: in order, indented by `depth`.
        header: constants, which stand before all else and hence in every region.
        tables: constant arrays that the kernel takes as arguments: the compiler
            crashes on a literal of more than one distinct element.
        products: whether there is a matrix product, for the cube unit.
        memories: for a value that was loaded, the argument it is and its shape.
        buffers: the local memory that arguments are copied to.
        reshaped: for a value that is another one in another shape, that one.
    """

    lines: list[str] = field(default_factory=list)
    header: dict[str, str] = field(default_factory=dict)
    tables: dict[str, Array] = field(default_factory=dict)
    products: bool = False
    depth: int = 2
    memories: dict[str, tuple[str, tuple[int, ...]]] = field(default_factory=dict)
    reshaped: dict[str, Value] = field(default_factory=dict)
    buffers: set[str] = field(default_factory=set)
    _taken: dict[str, int] = field(default_factory=dict)
    _loaded: dict[Any, Value] = field(default_factory=dict)
    _widened: dict[str, Value] = field(default_factory=dict)

    # --- Text ----------------------------------------------------------------------

    def fresh(self, wanted: str) -> str:
        """A name like `wanted`, ``%`` included."""
        wanted = re.sub(r"\W", "_", wanted) or "v"
        number = self._taken.get(wanted, 0) + 1
        self._taken[wanted] = number
        return f"%{wanted}" if number == 1 else f"%{wanted}_{number}"

    def line(self, text: str) -> None:
        """One line at the present depth."""
        self.lines.append("  " * self.depth + text)

    def emit(
        self, text: str, shape: Sequence[int], dtype: DType, label: str = "v"
    ) -> Value:
        """``%label = text``, a tensor."""
        name = self.fresh(label)
        self.line(f"{name} = {text}")
        return Value(name, tuple(shape), dtype)

    def scalar(self, text: str, label: str = "s") -> str:
        """``%label = text``, no tensor."""
        name = self.fresh(label)
        self.line(f"{name} = {text}")
        return name

    def top(self, text: str, label: str) -> str:
        """A constant, the same everywhere."""
        if text not in self.header:
            self.header[text] = self.fresh(label)
        return self.header[text]

    def index(self, number: int) -> str:
        """A constant of type index."""
        label = f"c{number}".replace("-", "minus_")
        return self.top(f"arith.constant {number} : index", label)

    # --- Constants -----------------------------------------------------------------

    def splat(self, value: Any, shape: Sequence[int], dtype: DType) -> Value:
        """A tensor of one number."""
        text = f"arith.constant dense<{literal(value, dtype)}>"
        text += f" : {tensor_type(shape, dtype)}"
        array = np.broadcast_to(np.asarray(value, dtype.numpy), tuple(shape))
        return Value(self.top(text, "k"), tuple(shape), dtype, array)

    def ready(self, value: Value) -> Value:
        """`value` as a tensor of the kernel, where it was only known so far."""
        if value.name or value.constant is None:
            return value
        array = value.constant
        if array.size and (array == array.flat[0]).all():
            return self.splat(array.flat[0].item(), value.shape, value.dtype)
        if value.dtype == BOOL:
            return self.narrowed(Value("", value.shape, INT8, array.astype(np.int8)))
        key = (value.dtype.name, value.shape, array.tobytes())
        if key not in self._loaded:
            made = self._steps(value)
            if made is not None and self.depth > 2:
                return made  # of the loop it stands in
            self._loaded[key] = made or self._table(value)
        return self._loaded[key]

    def _steps(self, value: Value) -> Value | None:
        """An arithmetic progression along one axis, counted by the kernel."""
        array = value.constant
        if array is None or value.dtype != INT64 or array.size != max(array.shape):
            return None
        flat = array.reshape(-1)
        step = int(flat[1] - flat[0])
        if (np.diff(flat) != step).any():
            return None
        count = self.count(flat.size)
        shape = count.shape
        if step != 1:
            factor = self.splat(step, shape, INT64)
            text = f"arith.muli {count.name}, {factor.name} : "
            count = self.emit(text + tensor_type(shape, INT64), shape, INT64, "steps")
        if flat[0]:
            first = self.splat(int(flat[0]), shape, INT64)
            text = f"arith.addi {count.name}, {first.name} : "
            count = self.emit(text + tensor_type(shape, INT64), shape, INT64, "steps")
        return self.reshape(count, value.shape)

    def count(self, length: int) -> Value:
        """0, 1, 2 ... as int64."""
        made = self.fresh("count")
        kind = tensor_type((length,), INT64)
        out = self.empty((length,), INT64)
        same = "affine_map<(d0) -> (d0)>"
        old, at, number = (self.fresh(n) for n in ("old", "at", "number"))
        self.line(
            f"{made} = linalg.generic {{indexing_maps = [{same}], "
            f'iterator_types = ["parallel"]}} outs({out} : {kind}) {{'
        )
        self.line(f"^bb0({old}: i64):")
        self.line(f"  {at} = linalg.index 0 : index")
        self.line(f"  {number} = arith.index_cast {at} : index to i64")
        self.line(f"  linalg.yield {number} : i64")
        self.line(f"}} -> {kind}")
        return Value(made, (length,), INT64)

    def _table(self, value: Value) -> Value:
        assert value.constant is not None
        name = self.fresh("table")
        self.tables[name] = value.constant
        return Value(name, value.shape, value.dtype)

    def empty(self, shape: Sequence[int], dtype: DType) -> str:
        """Name of a tensor without values."""
        return self.scalar(f"tensor.empty() : {tensor_type(shape, dtype)}", "empty")

    def filled(self, value: Any, shape: Sequence[int], dtype: DType) -> Value:
        """A tensor of one number that may be written into."""
        number = self.top(
            f"arith.constant {literal(value, dtype)}"
            + ("" if dtype == BOOL else f" : {element(dtype)}"),
            "k",
        )
        out, kind = self.empty(shape, dtype), tensor_type(shape, dtype)
        text = f"linalg.fill ins({number} : {element(dtype)}) outs({out} : {kind})"
        return self.emit(f"{text} -> {kind}", shape, dtype, "filled")

    # --- Shapes --------------------------------------------------------------------

    def reshape(self, value: Value, shape: Sequence[int]) -> Value:
        """The same elements in another shape."""
        shape = tuple(shape)
        if value.shape == shape:
            return value
        if value.constant is not None:
            return Value("", shape, value.dtype, value.constant.reshape(shape))
        if value.dtype == BOOL:
            return self.narrowed(self.reshape(self.widened(value), shape))
        while value.name in self.reshaped and self.depth == 2:
            value = self.reshaped[value.name]
            if value.shape == shape:
                return value
        found = self.memories.get(value.name)
        if found is not None and self.depth == 2:
            # In memory it costs nothing; the cube's loads take no other reshape.
            return self.load(*found, value.dtype, shape)
        made = self._viewed("tensor", value.name, value.dtype, value.shape, shape)
        result = Value(made, shape, value.dtype)
        self.reshaped[made] = value
        return result

    def _viewed(
        self,
        what: str,
        name: str,
        dtype: DType,
        source: tuple[int, ...],
        target: tuple[int, ...],
    ) -> str:
        """A tensor, or a memref, in another shape."""
        middle, joins, splits = grouped(source, target)

        def kind(shape: tuple[int, ...]) -> str:
            return tensor_type(shape, dtype).replace("tensor", what)

        if middle != source:
            text = f"{what}.collapse_shape {name} {joins} : {kind(source)} into"
            name = self.scalar(f"{text} {kind(middle)}", "joined")
        if middle != target:
            lengths = ", ".join(map(str, target))
            text = f"{what}.expand_shape {name} {splits} output_shape [{lengths}]"
            text += f" : {kind(middle)} into {kind(target)}"
            name = self.scalar(text, "split")
        return name

    # --- Memory --------------------------------------------------------------------

    def load(
        self,
        memory: str,
        shape: tuple[int, ...],
        dtype: DType,
        wanted: tuple[int, ...],
    ) -> Value:
        """An argument of `shape` as a tensor of the shape `wanted`."""
        key = (memory, wanted)
        if key not in self._loaded:
            label = memory.removeprefix("%").removesuffix("_memory")
            place = memory
            if shape != wanted:
                place = self._viewed("memref", memory, dtype, shape, wanted)
            kind = tensor_type(wanted, dtype).replace("tensor", "memref")
            local = self.scalar(f"memref.alloc() : {kind}", f"{label}_local")
            self.buffers.add(local)
            self.line(f"memref.copy {place}, {local} : {kind} to {kind}")
            text = f"bufferization.to_tensor {local} restrict writable : {kind}"
            made = self.emit(text, wanted, dtype, label)
            self.memories[made.name] = memory, shape
            self._loaded[key] = made
        return self._loaded[key]

    def load_padded(
        self,
        memory: str,
        shape: tuple[int, ...],
        value: Value,
        before: Sequence[int],
        after: Sequence[int],
        around: float,
    ) -> Value:
        """The argument that `value` is, with `around` around it."""
        dtype, inner = value.dtype, value.shape
        place = memory
        if shape != inner:
            place = self._viewed("memref", memory, dtype, shape, inner)
        outer = tuple(n + x + y for n, x, y in zip(inner, before, after, strict=True))
        strides = [math.prod(outer[k + 1 :]) for k in range(len(outer))]
        offset = sum(s * x for s, x in zip(strides, before, strict=True))
        layout = f", strided<{strides}, offset: {offset}>>"
        small, whole = (
            tensor_type(n, dtype).replace("tensor", "memref") for n in (inner, outer)
        )
        middle = small.removesuffix(">") + layout
        number = self.top(
            f"arith.constant {literal(around, dtype)} : {element(dtype)}", "k"
        )
        local = self.scalar(f"memref.alloc() : {whole}", "padded_buffer")
        one = element(dtype)
        self.line(f"linalg.fill ins({number} : {one}) outs({local} : {whole})")
        where = box(before, inner, [1] * len(inner))
        part = f"memref.subview {local}{where} : {whole} to {middle}"
        part = self.scalar(part, "inside")
        self.line(f"memref.copy {place}, {part} : {small} to {middle}")
        text = f"bufferization.to_tensor {local} restrict writable : {whole}"
        return self.emit(text, outer, dtype, "padded")

    def store(self, value: Value, memory: str) -> None:
        """The value as an argument's new content."""
        shape, place = value.shape, memory
        while value.name in self.reshaped:
            value = self.reshaped[value.name]
        if value.shape != shape:
            place = self._viewed("memref", memory, value.dtype, shape, value.shape)
        kind = tensor_type(value.shape, value.dtype)
        self.line(
            f"bufferization.materialize_in_destination {value.name} in writable "
            f"{place} : ({kind}, {kind.replace('tensor', 'memref')}) -> ()"
        )

    def swept(self, lines: Sequence[str]) -> list[str]:
        """Lines without those whose results nothing reads, loads included."""
        kept = list(lines)
        while True:
            counts = Counter(n for line in kept for n in _NAME.findall(line))
            # A buffer stands in its allocation, its copy and its use.
            dead = {n for n, c in counts.items() if c == 1 + (n in self.buffers)}
            left = [line for line in kept if not _is_dead(line, dead)]
            if len(left) == len(kept):
                return kept
            kept = left

    # --- Broadcasting --------------------------------------------------------------

    def broadcast(self, value: Value, shape: Sequence[int]) -> Value:
        """`value` along the axes of `shape`, as NumPy does."""
        shape = tuple(shape)
        if value.shape == shape:
            return self.ready(value)
        if value.constant is not None:
            array = value.constant
            if (array == array.flat[0]).all():
                return self.splat(array.flat[0].item(), shape, value.dtype)
        value = self.ready(value)
        if value.dtype == BOOL:
            return self.narrowed(self.broadcast(self.widened(value), shape))
        lead = len(shape) - len(value.shape)
        long = (1,) * lead + value.shape
        missing = [k for k, n in enumerate(long) if n != shape[k]]
        kept = [n for k, n in enumerate(long) if k not in missing]
        value = self.reshape(value, kept)
        if not missing:
            return value
        out, kind = self.empty(shape, value.dtype), tensor_type(shape, value.dtype)
        made = self.fresh("spread")
        given = tensor_type(value.shape, value.dtype)
        self.line(
            f"{made} = linalg.broadcast ins({value.name} : {given}) "
            f"outs({out} : {kind}) dimensions = {missing}"
        )
        return Value(made, shape, value.dtype)

    def slice(
        self,
        value: Value,
        starts: Sequence[int | str],
        lengths: Sequence[int],
        steps: Sequence[int] = (),
    ) -> Value:
        """A box of `value`; a start may be the name of an index."""
        value = self.ready(value)
        steps = steps or [1] * len(lengths)
        made = tensor_type(lengths, value.dtype)
        return self.emit(
            f"tensor.extract_slice {value.name}{box(starts, lengths, steps)} : "
            f"{tensor_type(value.shape, value.dtype)} to {made}",
            lengths,
            value.dtype,
            "part",
        )

    def insert(self, part: Value, into: Value, starts: Sequence[int | str]) -> Value:
        """`into` with a box replaced."""
        part, into = self.ready(part), self.ready(into)
        whole = tensor_type(into.shape, into.dtype)
        where = box(starts, part.shape, [1] * len(part.shape))
        return self.emit(
            f"tensor.insert_slice {part.name} into {into.name}{where} : "
            f"{tensor_type(part.shape, part.dtype)} into {whole}",
            into.shape,
            into.dtype,
            "into",
        )

    def widened(self, value: Value) -> Value:
        """A bool as a byte, which is how it is stored and moved."""
        value = self.ready(value)
        found = self._widened.get(value.name)
        if found is not None:
            return found
        given, made = (tensor_type(value.shape, d) for d in (BOOL, INT8))
        text = f"arith.extui {value.name} : {given} to {made}"
        return self.emit(text, value.shape, INT8, "byte")

    def narrowed(self, value: Value) -> Value:
        """A byte as a bool."""
        value = self.ready(value)
        zero = self.splat(0, value.shape, INT8)
        text = f"arith.cmpi ne, {value.name}, {zero.name} : "
        made = self.emit(
            text + tensor_type(value.shape, INT8), value.shape, BOOL, "flag"
        )
        self._widened[made.name] = value
        return made

    # --- Scalars and loops ---------------------------------------------------------

    def take(self, value: Value, at: Sequence[str]) -> str:
        """One element."""
        value = self.ready(value)
        kind = tensor_type(value.shape, value.dtype)
        return self.scalar(f"tensor.extract {value.name}[{', '.join(at)}] : {kind}")

    def put(self, number: str, into: Value, at: Sequence[str]) -> Value:
        """`into` with one element replaced."""
        kind = tensor_type(into.shape, into.dtype)
        text = f"tensor.insert {number} into {into.name}[{', '.join(at)}] : {kind}"
        return self.emit(text, into.shape, into.dtype, "into")

    def position(self, number: str, dtype: DType) -> str:
        """An integer as an index."""
        return self.scalar(
            f"arith.index_cast {number} : {element(dtype)} to index", "at"
        )

    def repeat(
        self, count: int, start: Value, body: Callable[[str, Value], Value]
    ) -> Value:
        """`body` of the step and what is carried, 0 to `count` exclusive."""
        start = self.ready(start)
        if count == 1:
            return self.ready(body(self.index(0), start))
        made, step = self.fresh("loop"), self.fresh("step")
        carried = Value(self.fresh("carried"), start.shape, start.dtype)
        kind = tensor_type(start.shape, start.dtype)
        zero, one, end = self.index(0), self.index(1), self.index(count)
        self.line(
            f"{made} = scf.for {step} = {zero} to {end} step {one} "
            f"iter_args({carried.name} = {start.name}) -> ({kind}) {{"
        )
        self.depth += 1
        result = self.ready(body(step, carried))
        self.line(f"scf.yield {result.name} : {kind}")
        self.depth -= 1
        self.line("}")
        return Value(made, start.shape, start.dtype)


_NAME = re.compile(r"%\w+")
_PURE = re.compile(
    r"\s*(%\w+) = (arith|math|bufferization|memref|tensor)\.\w+ (?!.*\{$)"
)


def _is_dead(line: str, dead: set[str]) -> bool:
    if line.lstrip().startswith("memref.copy"):
        return _NAME.findall(line)[1] in dead
    found = _PURE.match(line.replace("()", " ()"))
    return found is not None and found[1] in dead
