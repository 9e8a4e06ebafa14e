"""sin, cos, tan and their inverses for the vector unit.

After native/opslib_math_f32_trigonometric.h, whose polynomials these are.
"""

from __future__ import annotations

import math

from .formula import (
    MAGIC,
    Pair,
    X,
    bit,
    bits,
    choose,
    fast_two_sum,
    has_sign,
    hexadecimal,
    literal,
    magnitude,
    pair_root,
    patched,
    polynomial,
    two_product,
    two_sum,
    with_sign,
)

PIO2_HIGH, PIO2_LOW = hexadecimal("0x1.921fb6p+0"), hexadecimal("-0x1.777a5cp-25")
# Up to here a product of the number of quarter turns, 15 bits, and of 9 bits is exact.
NEAR = 48000.0


def _parts_of_half_pi() -> tuple[float, ...]:
    """pi/2 in five numbers of 9 bits and a sixth of 24."""
    # 160 bits of it, as a whole number.
    left = 0x1921FB54442D18469898CC51701B839A252049C1
    found, place = [], 156
    for _ in range(5):
        width = left.bit_length()
        first = left >> (width - 9) << (width - 9)
        found.append(math.ldexp(first >> (width - 9), width - 9 - place))
        left -= first
    width = left.bit_length()
    found.append(math.ldexp(left >> (width - 24), width - 24 - place))
    return tuple(found)


def _quarter_turns(a: X) -> tuple[X, Pair]:
    """(n, r) with a = n pi/2 + r for 0 <= a <= NEAR; n is in the low bits of an int32.

    Cody and Waite, 1980. The first two steps are exact, for the differences have no
    more bits than a; the others keep their errors.
    """
    shifted = a * hexadecimal("0x1.45f306p-1") + MAGIC
    n = shifted - MAGIC
    parts = _parts_of_half_pi()
    h = (a - n * parts[0]) - n * parts[1]
    low: X | None = None
    for part in parts[2:5]:
        s = two_sum(h, n * -part)
        h, low = s.high, s.low if low is None else low + s.low
    assert low is not None
    r = fast_two_sum(h, low - n * parts[5])
    return bits(shifted), r


def _sine(r: Pair) -> X:
    z = r.high * r.high
    p = polynomial(
        z, "0x1.77c182p-19", "-0x1.a04824p-13", "0x1.111164p-7", "-0x1.555556p-3"
    )
    return r.high + (p * z * r.high + r.low)


def _cosine(r: Pair) -> X:
    square = two_product(r.high, r.high)
    z = square.high
    p = polynomial(z, "0x1.9bbcf6p-16", "-0x1.6c128ep-10", "0x1.555554p-5")
    half = z * 0.5
    w = 1.0 - half
    lost = ((1.0 - w) - half) - square.low * 0.5
    return w + (p * z * z + (lost - r.high * r.low))


def _is_odd(n: X) -> X:
    return bit(n, 0)


def _turned(x: X, where: X) -> X:
    return choose(where, -x, x)


def _beyond(op: str, x: X, value: X) -> X:
    """The value where |x| <= NEAR, the scalar unit's beyond, nan of infinity."""
    a = magnitude(x)
    far = choose(a < math.inf, a, 0.0) > NEAR
    value = choose(a < math.inf, value, math.nan)
    return patched(op, value, far, x)


def _odd_function(x: X, value: X) -> X:
    """The value of |x| with the sign of x; a zero stays as it is."""
    return choose(x.equals(0.0), x, choose(x < 0.0, -value, value))


def sin(x: X) -> X:
    """Of what is left after whole quarter turns."""
    n, r = _quarter_turns(magnitude(x))
    y = choose(_is_odd(n), _cosine(r), _sine(r))
    return _beyond("sin", x, _odd_function(x, _turned(y, bit(n, 1))))


def cos(x: X) -> X:
    """As sin, a quarter turn on."""
    n, r = _quarter_turns(magnitude(x))
    y = choose(_is_odd(n), _sine(r), _cosine(r))
    return _beyond("cos", x, _turned(y, bit(n + 1, 1)))


def tan(x: X) -> X:
    """Of what is left, r: r + r^3 T(r^2), and -1 over it in odd quadrants."""
    n, r = _quarter_turns(magnitude(x))
    z = r.high * r.high
    p = polynomial(
        z, "0x1.31187ep-10", "-0x1.365be2p-10", "0x1.99a892p-9", "0x1.5f37fap-9",
        "0x1.2c6a4ep-7", "0x1.654b6cp-6", "0x1.ba2aeep-5", "0x1.1110d6p-3",
        "0x1.555556p-2",
    )  # fmt: skip
    # d tan = (1 + tan^2) dr, and 1 + z + z^2 is near enough.
    low = (z * z + z) * r.low + r.low
    t = fast_two_sum(r.high, p * z * r.high + low)
    c = -1.0 / t.high
    product = two_product(c, t.high)
    rest = ((product.high + 1.0) + product.low) + c * t.low
    y = choose(_is_odd(n), c + c * rest, t.high + t.low)
    return _beyond("tan", x, _odd_function(x, y))


# -- inverses -------------------------------------------------------------------------


def _arc_sine(z: X) -> X:
    """(asin(s) - s) / s in z = s^2 <= 1/4."""
    p = polynomial(
        z, "0x1.33f1bep-5", "0x1.d74498p-7", "0x1.04b3c8p-5", "0x1.6caa42p-5",
        "0x1.3338ap-4", "0x1.55554cp-3",
    )  # fmt: skip
    return p * z


def _half_root(a: X) -> Pair:
    """sqrt((1 - a) / 2), whose radicand is exact from a = 1/2 on."""
    half = 0.5 - a * 0.5
    root = pair_root(half)
    return Pair(root.high, choose(half > 0.0, root.low, 0.0))


def asin(x: X) -> X:
    """Above 1/2 from pi/2, by the root of (1 - x) / 2."""
    a = magnitude(x)
    big = a > 0.5
    half = 0.5 - a * 0.5
    rest = _arc_sine(choose(big, half, a * a))
    s = _half_root(a)
    t = fast_two_sum(literal(PIO2_HIGH), s.high * -2.0)
    low = s.high * rest + s.low
    large = t.high + (low * -2.0 + (t.low + PIO2_LOW))
    r = choose(big, large, a + rest * a)
    return choose(a <= 1.0, with_sign(r, x), math.nan)


def acos(x: X) -> X:
    """Right of 1/2 from that root, left of -1/2 from pi, between from pi/2."""
    a = magnitude(x)
    big = a > 0.5
    half = 0.5 - a * 0.5
    rest = _arc_sine(choose(big, half, a * a))
    s = _half_root(a)
    low = s.high * rest + s.low
    right = 2.0 * (s.high + low)
    t = fast_two_sum(literal(2.0 * PIO2_HIGH), s.high * -2.0)
    left = t.high + (low * -2.0 + (t.low + 2.0 * PIO2_LOW))
    u = fast_two_sum(literal(PIO2_HIGH), -x)
    middle = u.high + (u.low + (PIO2_LOW - rest * x))
    r = choose(big, choose(x < 0.0, left, right), middle)
    return choose(a <= 1.0, r, math.nan)


def _arc_tangent(small: X, large: X) -> Pair:
    """atan(small / large) in [0, pi/4]; the quotient's rest is kept.

    0 over 0 counts as 0.
    """
    q = small / large
    product = two_product(q, large)
    rest = ((small - product.high) - product.low) / large
    # 0/0 and x/inf leave no rest.
    rest = choose(rest.equals(rest), rest, 0.0)
    q = choose(q.equals(q), q, 0.0)
    z = q * q
    p = polynomial(
        z, "-0x1.d5a1aap-10", "0x1.6551e2p-7", "-0x1.fe7d24p-6", "0x1.da9c2ep-5",
        "-0x1.5825f2p-4", "0x1.c0946cp-4", "-0x1.24211ap-3", "0x1.9991ecp-3",
        "-0x1.55553ep-2",
    )  # fmt: skip
    # d atan = dt / (1 + t^2), and 1 - t^2/2 is near enough.
    return fast_two_sum(q, p * z * q + (rest - rest * 0.5 * z))


def _from_base(base: float, turn: Pair, minus: bool) -> X:
    s = fast_two_sum(literal(base * PIO2_HIGH), -turn.high if minus else turn.high)
    low = -turn.low if minus else turn.low
    return s.high + (s.low + (low + base * PIO2_LOW))


def atan(x: X) -> X:
    """From pi/2 where |x| > 1."""
    a = magnitude(x)
    swapped = a > 1.0
    t = _arc_tangent(choose(swapped, 1.0, a), choose(swapped, a, 1.0))
    r = choose(swapped, _from_base(1.0, t, True), t.high + t.low)
    # The rest of a subnormal is no float.
    r = choose(a < hexadecimal("0x1p-40"), a, r)
    return choose(x.equals(x), with_sign(r, x), x)


def atan2(y: X, x: X) -> X:
    """From pi/2 where |y| > |x|, and from pi where x is negative."""
    a, b = magnitude(x), magnitude(y)
    swapped = b > a
    small, large = choose(swapped, a, b), choose(swapped, b, a)
    both = small.equals(math.inf)
    small, large = choose(both, 1.0, small), choose(both, 1.0, large)
    # Away from where the rests of products underflow.
    scale = choose(large < 2.0**60, 2.0**64, 1.0)
    t = _arc_tangent(small * scale, large * scale)
    negative = has_sign(x)
    up = choose(negative, _from_base(1.0, t, False), _from_base(1.0, t, True))
    across = choose(negative, _from_base(2.0, t, True), t.high + t.low)
    r = with_sign(choose(swapped, up, across), y)
    return choose(x.equals(x), choose(y.equals(y), r, y), x)
