"""Powers, remainders, signs, and choices for the vector unit.

After native/opslib_math_f32.h and its parts, whose polynomials these are.
"""

from __future__ import annotations

import math

from opslib.ir.dtypes import INT32
from opslib.ir.expr import Const

from .formula import (
    MAGIC,
    Pair,
    X,
    bits,
    call,
    choose,
    fast_two_sum,
    has_sign,
    hexadecimal,
    literal,
    magnitude,
    most,
    number,
    pair_product,
    patched,
    polynomial,
    real,
    scaled,
    two_product,
    whole,
    with_sign,
)

# From here on a quotient is no whole number of 22 bits.
_FAR = 2.0**22


def reciprocal(x: X) -> X:
    """1 / x, rounded once: the unit's Reciprocal is an estimate."""
    return 1.0 / x


def rsqrt(x: X) -> X:
    """1 / sqrt(x), in two roundings: the unit's Rsqrt is an estimate."""
    return 1.0 / call("sqrt", x)


def sign(x: X) -> X:
    """Zeros and nan stay as they are."""
    return choose(x > 0.0, 1.0, choose(x < 0.0, -1.0, x))


def isnan(x: X) -> X:
    """Nothing else differs from itself."""
    return x.differs(x)


def isinf(x: X) -> X:
    """|x| is infinity."""
    return magnitude(x).equals(math.inf)


def isfinite(x: X) -> X:
    """|x| is less than infinity."""
    return magnitude(x) < math.inf


def signbit(x: X) -> X:
    """The sign of the bits."""
    return has_sign(x)


def copysign(x: X, y: X) -> X:
    """|x| with the sign bit of y."""
    return with_sign(x, y)


def fmax(x: X, y: X) -> X:
    """The other where one is nan."""
    return choose(x.equals(x), choose(y.equals(y), call("pick_max", x, y), x), y)


def fmin(x: X, y: X) -> X:
    """As fmax."""
    return choose(x.equals(x), choose(y.equals(y), call("pick_min", x, y), x), y)


def nextafter(x: X, y: X) -> X:
    """One up or down in the bits: up where that leads away from zero."""
    up, down = bits(x) + 1, bits(x) - 1
    positive = choose(y > x, up, down)
    moved = number(choose(x > 0.0, positive, choose(y < x, up, down)))
    least = number(X(Const(1, INT32)))
    r = choose(x.equals(0.0), choose(y > 0.0, least, -least), moved)
    r = choose(x.equals(y), y, r)
    return choose(x.equals(x), choose(y.equals(y), r, y), x)


def hypot(x: X, y: X) -> X:
    """|x| sqrt(1 + (y/x)^2) for the larger x: no square overflows."""
    a, b = magnitude(x), magnitude(y)
    swapped = b > a
    large, small = choose(swapped, b, a), choose(swapped, a, b)
    q = small / large
    r = large * call("sqrt", q * q + 1.0)
    r = choose(large > 0.0, r, large)
    r = choose(x.equals(x), choose(y.equals(y), r, y), x)
    return choose(a.equals(math.inf), a, choose(b.equals(math.inf), b, r))


# -- remainders -----------------------------------------------------------------------


def fmod(x: X, y: X) -> X:
    """Exact: for |x/y| < 2^22 the truncated quotient is right or one too large.

    Both remainders are floats, so the product's two parts come off exactly.
    """
    a, b = magnitude(x), magnitude(y)
    # Away from where the rest of the product underflows; with a < 2^22 b, a has room.
    small = b < 2.0**-80
    scale = choose(small, 2.0**64, 1.0)
    q = call("trunc", a / b)
    product = two_product(q, b * scale)
    r = (a * scale - product.high) - product.low
    r = choose(small, r * 2.0**-64, r)
    r = choose(r < 0.0, r + b, r)
    r = choose(a < b, a, r)
    valid = choose(b > 0.0, a, math.inf) < math.inf
    far = choose(valid, q, 0.0) >= _FAR
    r = choose(valid, r, math.nan)
    r = with_sign(r, x)
    r = choose(x.equals(x), choose(y.equals(y), r, y), x)
    return patched("fmod", r, far, x, y)


def mod(x: X, y: X) -> X:
    """Fmod moved to the divisor's sign; a zero takes that sign."""
    r = fmod(x, y)
    moved = choose(r * with_sign(literal(1.0), y) < 0.0, r + y, r)
    return choose(r.equals(0.0), with_sign(r, y), moved)


# -- powers ---------------------------------------------------------------------------


def _log2(x: X) -> Pair:
    """Of a positive number, relative error 2^-35; see the header."""
    tiny = x < hexadecimal("0x1p-126")
    i = bits(choose(tiny, x * hexadecimal("0x1p23"), x)) - 0x3F3504F3
    e = real(i >> 23)
    e = choose(tiny, e - 23.0, e)
    f = number((i & 0x007FFFFF) + 0x3F3504F3) - 1.0
    d = fast_two_sum(literal(2.0), f)
    # f / d with its rest
    q = f / d.high
    product = two_product(q, d.high)
    rest = ((f - product.high) - product.low) - q * d.low
    s = fast_two_sum(q, rest / d.high)
    v = pair_product(s, s)
    p = polynomial(
        v.high, "0x1.8f325ep-3", "0x1.c6500ap-3", "0x1.249394p-2", "0x1.999998p-2"
    )
    c = fast_two_sum(literal(hexadecimal("0x1.555556p-1")), p * v.high)
    c = Pair(c.high, c.low + hexadecimal("-0x1.54eae8p-26"))
    w = pair_product(pair_product(s, v), c)
    r = fast_two_sum(s.high + s.high, w.high)
    r = Pair(r.high, r.low + (s.low + s.low + w.low))
    scale = Pair(
        literal(hexadecimal("0x1.715476p+0")), literal(hexadecimal("0x1.4ae0cp-26"))
    )
    t = pair_product(r, scale)
    y = fast_two_sum(e, t.high)
    return fast_two_sum(y.high, y.low + t.low)


def _exp2(x: Pair) -> X:
    """2^n e^(r ln 2): r = x - n is exact, r ln 2 a pair."""
    shifted = x.high + MAGIC
    n = shifted - MAGIC
    r = x.high - n
    ln2 = literal(hexadecimal("0x1.62e43p-1"))
    product = two_product(r, ln2)
    low = product.low + r * hexadecimal("-0x1.05c61p-29") + x.low * ln2
    e = call("exp", product.high)
    return scaled(e + e * low, whole(n))


def power(x: X, y: X) -> X:
    """2^(y log2 |x|), then the special cases of C99's annex F."""
    a, b = magnitude(x), magnitude(y)
    log2 = _log2(a)
    # Beyond 2^40 every power of a float that is not 1 has left the range.
    c = with_sign(most(b, 2.0**40), y)
    t = two_product(c, log2.high)
    low = c * log2.low + t.low
    out = magnitude(t.high) > 200.0
    high = choose(out, with_sign(literal(200.0), t.high), t.high)
    r = _exp2(Pair(high, choose(out, 0.0, low)))
    zero, infinite = a.equals(0.0), a.equals(math.inf)
    falls = choose(y < 0.0, math.inf, 0.0)
    rises = choose(y < 0.0, 0.0, math.inf)
    r = choose(zero, falls, choose(infinite, rises, r))
    is_whole = call("trunc", y).equals(y)
    half = y * 0.5
    halves = choose(b < 2.0**24, call("trunc", half) - half, 0.0)
    odd = choose(is_whole, halves, 0.0).differs(0.0)
    r = choose(odd, with_sign(r, x), r)
    # No root of a negative number.
    bad = choose(x < 0.0, choose(is_whole, 0.0, a), 0.0)
    r = choose(bad > 0.0, choose(infinite, r, math.nan), r)
    r = choose(x.equals(x), choose(y.equals(y), r, y), x)
    return choose(x.equals(1.0), 1.0, choose(y.equals(0.0), 1.0, r))
