"""``philox(seed, offset, i)``: counter-based random bits, as plain integer arithmetic.

Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
1, 2, 3", SC 2011. Expanded into multiplications and exclusive ors, so every backend
has it and all give the same bits; there is no hidden state.
"""

from __future__ import annotations

from opslib.ir.build import cast
from opslib.ir.dtypes import INT64, UINT32, UINT64
from opslib.ir.expr import Cast, Const, Expr, Prim

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
# The golden ratio and sqrt(3) - 1, as fractions of 2^32: added to the key each round.
WEYL = (0x9E3779B9, 0xBB67AE85)
_WORD = Const(32, UINT64)


def philox(seed: Expr, offset: Expr, position: Expr, word: int = 0) -> Expr:
    """One of the four words at a counter: uint32.

    Args:
        seed: the key; 64 bits.
        offset: the high half of the 128-bit counter.
        position: the low half: which number of the stream.
        word: 0 to 3.
    """
    counter = [*_words(position), *_words(offset)]
    key = _words(seed)
    for number in range(ROUNDS):
        high0, low0 = _product(counter[0], MULTIPLIERS[0])
        high1, low1 = _product(counter[2], MULTIPLIERS[1])
        keys = [_plus(k, number * w) for k, w in zip(key, WEYL, strict=True)]
        counter = [
            _xor(_xor(high1, counter[1]), keys[0]),
            low1,
            _xor(_xor(high0, counter[3]), keys[1]),
            low0,
        ]
    return counter[word]


def _words(value: Expr) -> list[Expr]:
    """The low and the high 32 bits of an integer."""
    wide = cast(cast(value, INT64), UINT64)
    high = Prim("shr", (wide, _WORD), UINT64)
    return [cast(wide, UINT32), cast(high, UINT32)]


def _product(x: Expr, multiplier: int) -> tuple[Expr, Expr]:
    """The high and the low 32 bits of a 64-bit product."""
    wide = Prim("mul", (Cast(x, UINT64), Const(multiplier, UINT64)), UINT64)
    high = Prim("shr", (wide, _WORD), UINT64)
    return Cast(high, UINT32), Cast(wide, UINT32)


def _plus(key: Expr, amount: int) -> Expr:
    wrapped = Const(amount & 0xFFFFFFFF, UINT32)
    return Prim("add", (key, wrapped), UINT32) if amount else key


def _xor(x: Expr, y: Expr) -> Expr:
    return Prim("bitxor", (x, y), UINT32)
