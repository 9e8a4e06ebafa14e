"""Vector loads and stores: contiguous, strided or scattered; whole, tails, masked."""

from __future__ import annotations

from opslib.codegen.c_types import LOOSE, PLUS, SHORT
from opslib.codegen.c_vector import VectorPrinter
from opslib.ir.dtypes import BOOL
from opslib.ir.expr import Cast, Expr, Index, Read
from opslib.lowering.skeletons import arith


class MovePrinter(VectorPrinter):
    """Adds what touches memory to the vector printer."""

    def _moves(
        self, indices: tuple[Expr, ...], buffer: str
    ) -> tuple[Expr, Expr] | None:
        """(step, base) of the linear offset along the lanes, or None if not affine."""
        assert self.lanes is not None
        step: Expr = arith.integer(0)
        base: Expr = arith.integer(0)
        for index, stride in zip(indices, self.buffers[buffer].strides, strict=True):
            found = arith.affine(index, self.lanes.index)
            if found is None or self.varies(found[1]) or self.varies(found[0]):
                return None
            step = arith.add(step, arith.mul(found[0], stride))
            base = arith.add(base, arith.mul(found[1], stride))
        return step, base

    def _live(self) -> str:
        assert self.lanes is not None
        return self.lanes.count or "OPS_LANES"

    def _lane_read(self, node: Read) -> str:
        short = SHORT[node.type.name]
        text = self._load(node, short)
        return f"ops_bool_to_mask_i32({text})" if node.type == BOOL else text

    def _load(self, node: Read, short: str) -> str:
        assert self.lanes is not None
        where = "" if self.mask is None else "_where"
        moves = self._moves(node.indices, node.tensor)
        if moves is None:
            offset = self._offsets(node.tensor, node.indices)
            last = self._live() if self.mask is None else self.mask
            pointer = self.pointer(node.tensor)
            return f"ops_gather{where}_{short}({pointer}, {offset}, {last})"
        step, base = moves
        place = self.place(node.tensor, step, base)
        if arith.integer(1) is step:
            if self.mask is not None:
                return f"ops_load_where_{short}({place}, {self.mask})"
            if self.lanes.count is not None:
                return f"ops_load_n_{short}({place}, {self.lanes.count})"
            return f"ops_load_{short}({place})"
        last = self._live() if self.mask is None else self.mask
        stride = self.operand(step, LOOSE)
        return f"ops_loads{where}_{short}({place}, {stride}, {last})"

    def place(self, buffer: str, step: Expr, base: Expr) -> str:
        """The address of the first lane's element."""
        assert self.lanes is not None
        row = self.find(("row", buffer, base))
        first = Index(self.lanes.index)
        if row is not None:
            start, rest = row.text, arith.mul(first, step)
        else:
            start, rest = self.pointer(buffer), arith.add(base, arith.mul(first, step))
        if rest is arith.integer(0):
            return start
        lazy, self.lazy = self.lazy, self.lazy + (self.mask is not None)
        text = self.operand(rest, PLUS)
        self.lazy = lazy
        return f"{start} + {text}"

    def _offsets(self, buffer: str, indices: tuple[Expr, ...]) -> str:
        return self.lane_operand(self.linear(buffer, indices), LOOSE)

    def lane_store(self, buffer: str, indices: tuple[Expr, ...], value: Expr) -> None:
        """Stores OPS_LANES values, or as many as are live."""
        assert self.lanes is not None
        dtype = self.buffers[buffer].dtype
        short = SHORT[dtype.name]
        if (
            short in ("f16", "bf16")
            and isinstance(value, Cast)
            and (value.value.dtype.name == "float32")
        ):
            value = value.value  # the store itself rounds
        text = self.vector(value)
        if dtype == BOOL:
            text = f"ops_mask_i32_to_bool({text})"
        moves = self._moves(indices, buffer)
        mask = self.mask
        if moves is None or moves[0] is arith.integer(0):
            offset = (
                self._offsets(buffer, indices)
                if moves is None
                else (f"ops_splat_i64({self.operand(moves[1], LOOSE)})")
            )
            mask = mask or f"ops_first_i32({self._live()})"
            pointer = self.pointer(buffer)
            self.line(
                f"ops_scatter_where_{short}({pointer}, {offset}, {text}, {mask});"
            )
            return
        step, base = moves
        place = self.place(buffer, step, base)
        if arith.integer(1) is step:
            if mask is not None:
                self.line(f"ops_store_where_{short}({place}, {text}, {mask});")
            elif self.lanes.count is not None:
                self.line(f"ops_store_n_{short}({place}, {text}, {self.lanes.count});")
            else:
                self.line(f"ops_store_{short}({place}, {text});")
            return
        stride = self.operand(step, LOOSE)
        if mask is not None:
            self.line(f"ops_stores_where_{short}({place}, {stride}, {text}, {mask});")
        else:
            self.line(f"ops_stores_{short}({place}, {stride}, {text}, {self._live()});")
