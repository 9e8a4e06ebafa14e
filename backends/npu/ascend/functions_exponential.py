"""exp, log, sigmoid, error and hyperbolic functions for the vector unit.

Exp and Ln are the unit's; what needs more than they give follows
native/opslib_math_f32_*.h, whose polynomials these are unless a comment says otherwise.
"""

from __future__ import annotations

import math

from .formula import (
    MAGIC,
    Pair,
    X,
    bits,
    call,
    choose,
    fast_two_sum,
    head,
    hexadecimal,
    least,
    literal,
    magnitude,
    most,
    number,
    pair_product,
    polynomial,
    real,
    scaled,
    two_sum,
    whole,
    with_sign,
)

LN2 = hexadecimal("0x1.62e43p-1")
LN2_HIGH, LN2_LOW = hexadecimal("0x1.62e4p-1"), hexadecimal("0x1.7f7d1cp-20")
LOG2_E = hexadecimal("0x1.715476p+0")


def exp(x: X) -> X:
    """The unit's."""
    return call("exp", x)


def log(x: X) -> X:
    """The unit's."""
    return call("log", x)


def exp2(x: X) -> X:
    """2^n e^(r ln 2), r = x - n exact and at most 1/2."""
    y = most(least(x, -151.0), 129.0)
    n = call("round", y)
    r = scaled(exp((y - n) * LN2), whole(n))
    return choose(x.equals(x), r, x)


def expm1(x: X) -> X:
    """2^n e^r - 1; see the header: where n is small the two cancel."""
    y = least(most(x, 89.0), -18.0)
    shifted = y * LOG2_E + MAGIC
    n = shifted - MAGIC
    exact = y - n * LN2_HIGH
    low = n * LN2_LOW
    r = exact - low
    low = (exact - r) - low
    q = polynomial(
        r, "0x1.9e0de4p-13", "0x1.6d43c2p-10", "0x1.111306p-7", "0x1.5554fp-5",
        "0x1.555554p-3", "0x1p-1",
    )  # fmt: skip
    tail = q * r * r + (low * r + low)
    half = number((bits(shifted) << 23) + 0x3F000000)
    a = fast_two_sum(r, tail)
    less = half - 0.5
    b = two_sum(less, a.high * half)
    result = b.high + (a.low * half + (b.low + ((half - less) - 0.5)))
    result = choose(n.equals(0.0), r + tail, result + result)
    # Beyond the clamps, and for nan and -0, which it keeps.
    result = choose(magnitude(x) < 89.0, result, exp(x) - 1.0)
    return choose(x.equals(0.0), x, result)


def log1p(x: X) -> X:
    """ln(u) and what u = 1 + x rounded off, over u."""
    u = 1.0 + x
    rest = (x - (u - 1.0)) / u
    # For 0, infinity and nan there is no rest.
    rest = choose(u > 0.0, choose(u < 2.0**25, rest, 0.0), 0.0)
    return choose(u.equals(1.0), x, log(u) + rest)


def _mantissa(x: X) -> tuple[X, X]:
    """(e, m): x = 2^e m with m in [sqrt 1/2, sqrt 2), of a positive number."""
    tiny = x < hexadecimal("0x1p-126")
    y = choose(tiny, x * hexadecimal("0x1p23"), x)
    i = bits(y) - 0x3F3504F3
    e = real(i >> 23)
    m = number((i & 0x007FFFFF) + 0x3F3504F3)
    return choose(tiny, e - 23.0, e), m


def _is_positive(x: X, value: X) -> X:
    """The value for positive numbers; what Ln says of everything else."""
    return choose(x > 0.0, choose(x < math.inf, value, x), log(x))


def log2(x: X) -> X:
    """Powers of two are exact."""
    e, m = _mantissa(x)
    return _is_positive(x, e + log(m) * LOG2_E)


def log10(x: X) -> X:
    """From the exponent and the rest, as a sum."""
    # The first part of log10(2) has 15 bits.
    e, m = _mantissa(x)
    rest = log(m) * hexadecimal("0x1.bcb7b2p-2") + e * hexadecimal("0x1.3509f8p-18")
    return _is_positive(x, e * hexadecimal("0x1.344p-2") + rest)


# -- sigmoid --------------------------------------------------------------------------


def sigmoid(x: X) -> X:
    """With e = exp(-|x|): 1 / (1 + e) from 0 on, e / (1 + e) below.

    Below, the result may be subnormal where exp(-x) overflows. A nan stays one.
    """
    e = exp(-magnitude(x))
    return choose(x >= 0.0, 1.0, e) / (e + 1.0)


def _gated(x: X, high: X, low: X | None = None) -> X:
    """X times the sigmoid of a v with the sign of x and high + low = -|v|.

    Where e^-|v| may be subnormal it is taken as a square, and x goes between.
    """
    e, root = exp(high), exp(high * 0.5)
    y = x
    if low is not None:
        e, y = e + e * low, x + x * low
    left = choose(high < -80.0, y * root * root, x * e)
    r = choose(x >= 0.0, x, left) / (e + 1.0)
    # nan for -inf, as the formula and PyTorch have it.
    return choose(x.equals(-math.inf), math.nan, r)


def silu(x: X) -> X:
    """X sigmoid(x)."""
    return _gated(x, -magnitude(x))


def softplus(x: X) -> X:
    """max(x, 0) + log1p(e^-|x|)."""
    rest = log1p(exp(-magnitude(x)))
    return choose(x > 0.0, x + rest, rest)


def log_sigmoid(x: X) -> X:
    """-softplus(-x)."""
    return -softplus(-x)


def _pair(high: str, low: str) -> Pair:
    return Pair(literal(hexadecimal(high)), literal(hexadecimal(low)))


def gelu_tanh(x: X) -> X:
    """X sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3)).

    The argument reaches 104, so it is needed to 31 bits: e^rest is 1 + rest.
    """
    a = most(magnitude(x), 12.0)
    square = pair_product(Pair(a, literal(0.0)), Pair(a, literal(0.0)))
    c = pair_product(square, _pair("0x1.2444f2p-4", "0x1.49b16ap-29"))
    d = two_sum(literal(hexadecimal("0x1.988454p+0")), c.high)
    factor = Pair(d.high, d.low + (c.low + hexadecimal("-0x1.857936p-25")))
    v = pair_product(factor, Pair(-a, literal(0.0)))
    return _gated(choose(x < -12.0, choose(x > -math.inf, -12.0, x), x), v.high, v.low)


# -- the error function ---------------------------------------------------------------


def _tail(factor: X | float, a: X, square: X, rest: X) -> X:
    """Factor erfc(a / sqrt 2) / 2, with a^2 / 2 as an exact square and a rest.

    e^(-a^2/2) g(a), a in [0, 14.8], and (a + 3) g(a) is a polynomial in (a - 3)/(a + 3)
    (2^-28.6, least squares on Chebyshev's points with rounded coefficients, the
    constant in two parts).
    """
    w = 1.0 / (a + 3.0)
    s = (a - 3.0) * w
    p = polynomial(
        s, "0x1.c2348ap-15", "0x1.114892p-13", "-0x1.fedfdep-13", "-0x1.0e4834p-10",
        "0x1.0c7ef6p-10", "0x1.c8b082p-8", "-0x1.56d514p-7", "-0x1.832cb6p-5",
        "0x1.d71384p-3", "-0x1.04c72ap-1", "-0x1.c52584p-26",
    )  # fmt: skip
    g = (p + hexadecimal("0x1.754a76p-1")) * w
    # The exponential last: it may be subnormal.
    return exp(-rest) * (g * factor) * exp(-square)


def _halves(a: X) -> tuple[X, X]:
    """A^2 as an exact square and the rest."""
    h = head(a)
    return h * h, (a - h) * (a + h)


def gelu(x: X) -> X:
    """X Phi(x): |x| is multiplied by the tail, and taken from x on the right."""
    a = most(magnitude(x), 14.75)
    square, rest = _halves(a)
    t = _tail(a, a, square * 0.5, rest * 0.5)
    r = choose(x > 0.0, x - t, choose(x < 0.0, -t, x))
    return choose(x.equals(-math.inf), math.nan, r)


def _small_erf(x: X) -> X:
    """Below 1, without its first term: erf(x) - x."""
    p = polynomial(
        x * x, "0x1.4c5cb4p-14", "-0x1.a5197ap-11", "0x1.542fecp-8", "-0x1.b7fec4p-6",
        "0x1.ce2d52p-4", "-0x1.81274p-2", "0x1.06eba8p-3",
    )  # fmt: skip
    return x * p


def erf(x: X) -> X:
    """Below 1 a polynomial, above 1 - e^-Q(|x|)."""
    a = magnitude(x)
    q = polynomial(
        most(a, 4.0), "0x1.ada56cp-20", "-0x1.7c208cp-15", "0x1.35852ap-11",
        "-0x1.35e3d2p-8", "0x1.af655ep-6", "-0x1.c236a8p-4", "-0x1.43965ap-1",
        "-0x1.214fd6p0", "0x1.329572p-12",
    )  # fmt: skip
    large = 1.0 - exp(q)
    large = choose(x > 0.0, large, -large)
    return choose(a >= 1.0, large, x + _small_erf(x))


def erfc(x: X) -> X:
    """Twice the tail on the right, 2 less it on the left, and 1 - erf(x) around 0."""
    a = magnitude(x)
    b = most(a, 10.3)
    square, rest = _halves(b)
    t = _tail(2.0, b * hexadecimal("0x1.6a09e6p+0"), square, rest)
    t = choose(x < 0.0, 2.0 - t, t)
    return choose(a >= 0.5, t, (1.0 - x) - _small_erf(x))


# -- hyperbolic -----------------------------------------------------------------------


def tanh(x: X) -> X:
    """Below 1 an odd polynomial, above 1 - 2/(e^2|x| + 1)."""
    a, z = magnitude(x), x * x
    b = most(a, 10.0)
    large = 1.0 - 2.0 / (exp(b + b) + 1.0)
    p = polynomial(
        z, "-0x1.7806d8p-12", "0x1.2db79ep-9", "-0x1.04675p-7", "0x1.600bd6p-6",
        "-0x1.b96288p-5", "0x1.110be6p-3", "-0x1.55553cp-2",
    )  # fmt: skip
    return with_sign(choose(a >= 1.0, large, a + p * z * a), x)


def _half_exp(a: X) -> X:
    """e^a / 2 for a in [0, 90], which e^a itself need not be a float for."""
    b = most(a, 88.0)
    return 0.5 * exp(b) * exp(a - b)


def sinh(x: X) -> X:
    """Below 1 an odd polynomial."""
    a, z = magnitude(x), x * x
    e = _half_exp(most(a, 90.0))
    large = e - 0.25 / e
    q = polynomial(
        z, "0x1.76771ep-19", "0x1.a01c22p-13", "0x1.1110eap-7", "0x1.555556p-3"
    )
    large = choose(x > 0.0, large, -large)
    return choose(a >= 1.0, large, x + q * z * x)


def cosh(x: X) -> X:
    """(e^|x| + e^-|x|) / 2."""
    e = _half_exp(most(magnitude(x), 90.0))
    return choose(x.equals(x), e + 0.25 / e, x)


def asinh(x: X) -> X:
    """Below 0.6 an odd polynomial, beyond ln(|x| + sqrt(x^2 + 1))."""
    a, z = magnitude(x), x * x
    huge = a > 2.0**25
    c = choose(huge, 1.0, a)
    large = log(choose(huge, a, c + call("sqrt", c * c + 1.0)))
    large = choose(huge, large + LN2, large)
    p = polynomial(
        z, "0x1.d26b04p-8", "-0x1.2be4f4p-6", "0x1.e35a8ep-6", "-0x1.6ce3d2p-5",
        "0x1.332d84p-4", "-0x1.555548p-3",
    )  # fmt: skip
    return with_sign(choose(a >= 0.6, large, a + p * z * a), x)


def acosh(x: X) -> X:
    """With d = x - 1: log1p(d + sqrt(d (d + 2)))."""
    huge = x > 2.0**25
    d = choose(huge, 1.0, x - 1.0)
    near = log1p(d + call("sqrt", d * (d + 2.0)))
    return choose(x >= 1.0, choose(huge, log(x) + LN2, near), math.nan)


def atanh(x: X) -> X:
    """Below 1/2 an odd polynomial, beyond log1p(2|x| / (1 - |x|)) / 2."""
    a, z = magnitude(x), x * x
    large = 0.5 * log1p((a + a) / (1.0 - a))
    p = polynomial(
        z, "0x1.692dc6p-3", "0x1.a6ddeap-5", "0x1.e3fbcep-4", "0x1.234ddp-3",
        "0x1.99a674p-3", "0x1.55554p-2",
    )  # fmt: skip
    return choose(a < 0.5, x + p * z * x, with_sign(large, x))
