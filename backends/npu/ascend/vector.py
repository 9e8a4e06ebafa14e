"""Values of a tile: an expression as instructions of the vector unit.

Floats are computed in float, narrow integers only moved and converted, comparisons
give masks of one bit for each element. A mask that is joined with another becomes a
float of 0 and 1 for that, since bit operations on masks would reach past their ends.
"""

from __future__ import annotations

from opslib.ir.expr import Cast, Expr, Prim, Read, Select

from .lanes_state import Cannot
from .vector_arithmetic import TileArithmetic, is_number
from .vector_state import Value, narrowing


class TileValues(TileArithmetic):
    """Computes expressions over one chunk of lanes."""

    def _compute(self, node: Expr) -> Value:
        match node:
            case Read():
                return self.load(node)
            case Cast():
                return self._cast(node)
            case Select():
                return self._select(node)
            case Prim():
                return self.prim(node)
        raise Cannot(f"{type(node).__name__} for each lane")

    def _cast(self, node: Cast) -> Value:
        source, target = node.value.dtype, node.type
        value = self.get(node.value)
        kind = self.kind_of(target)
        if kind == "mask":
            made = self.as_mask(value)
        elif kind == "float":
            made = self.as_float(value)
            if target.bits < 32 and target != source:
                ctype = "half" if target.name == "float16" else "bfloat16_t"
                short = self.tiles.temporary(ctype)
                self.convert(short, made.name, narrowing(ctype))
                into = self.result(node, "float")
                self.convert(into, short, "NONE")
                self.tiles.free(short)
                if made is not value and made.owned:
                    self.tiles.free(made.name)
                made = Value("float", into)
        elif value.kind == "int32_t":
            if target.bits < source.bits or target.kind != source.kind:
                raise Cannot(f"{source} to {target}")
            made = value
        else:
            if target.name != "int32":
                raise Cannot(f"{source} to {target}")
            number = self.as_float(value)
            into = self.result(node, "int32_t")
            self.convert(into, number.name, "TRUNC")
            if number is not value:
                self.tiles.free(number.name)
            made = Value("int32_t", into)
        if made is value:
            return self.same_tensor(node, node.value, value)
        self.close(node, [value])
        return made

    def _select(self, node: Select) -> Value:
        kind = self.kind_of(node.dtype)
        values = self.operands(node)
        first = values[0]
        if first is None:
            # One for all lanes: only computed from, not read for.
            test = self.as_mask(Value("float", self.splat(node.condition, "float")))
        else:
            test = self.as_mask(first)
        held = "float" if kind == "mask" else kind
        names, made = [], []
        for value in values[1:]:
            if value is None:
                names.append("")
                continue
            number = self.as_float(value) if kind == "mask" else value
            if number is not value:
                made.append(number.name)
            names.append(number.name)
        into = self.into(node, [None, *values[1:]], held)
        yes, no = names
        if not yes:
            yes = self.splat(node.yes, held)
            made.append(yes)
        if not no:
            no = self.literal(node.no, held)
            if held == "int32_t" or not is_number(no):
                no = self.splat(node.no, held)
                made.append(no)
        self.select(into, test.name, yes, no)
        for name in made:
            self.tiles.free(name)
        if test is not first:
            self.tiles.free(test.name)
        self.close(node, values, into)
        return Value(held, into)


__all__ = ["TileValues", "Value"]
