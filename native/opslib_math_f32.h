/* The float32 functions, written once.  opslib_math.h includes this text twice, with the
 * scalar and with the vector types behind the macros, so both run the same operations in
 * the same order and give the same bits.  No include guard, no intrinsic, no double.
 *
 *     OPS_F OPS_I OPS_U    float, int32_t, uint32_t: scalar or vector
 *     OPS_N(name)          ops_<name>_f32 or ops_<name>_v_f32
 *     OPS_K(c) OPS_UK(c)   a constant
 *     OPS_ANY(mask)        does any lane take the rare path?
 *
 * Comparisons give 1 (scalar) or -1 (vector lane); they are only combined with & and |
 * and consumed by OPS_SEL, so the difference does not show.
 *
 * Error-free transforms carry a value as an unevaluated sum h + l (Dekker 1971):
 * two_sum (Knuth), fast_two_sum (|a| >= |b|, or a a multiple of b's last bit), two_prod
 * by fma.  "ff" below is such a pair, about 48 bits.
 *
 * Polynomials: Sollya's fpminimax, coefficients rounded to float32 during the fit
 * (Brisebarre & Chevillard 2007); the stated approximation error is Sollya's
 * dirtyinfnorm, in units of log2.  tests/native/coefficients.sollya regenerates them. */

#define OPS_FMA OPS_N(fma)
#define OPS_SEL OPS_N(select)
#define OPS_BITS OPS_N(bits)
#define OPS_FLT OPS_N(from_bits)
#define OPS_FF OPS_N(ff)

typedef struct { OPS_F h, l; } OPS_FF;

/* ------------------------------------------------------ bits and signs ---- */

OPS_INLINE OPS_F OPS_N(abs)(OPS_F x) { return OPS_FLT(OPS_BITS(x) & 0x7fffffffu); }
OPS_INLINE OPS_F OPS_N(neg)(OPS_F x) { return OPS_FLT(OPS_BITS(x) ^ 0x80000000u); }
OPS_INLINE OPS_F OPS_N(copysign)(OPS_F x, OPS_F y) {
    return OPS_FLT((OPS_BITS(x) & 0x7fffffffu) | (OPS_BITS(y) & 0x80000000u));
}
/* Gives x the sign of y times its own. */
OPS_INLINE OPS_F OPS_N(mulsign)(OPS_F x, OPS_F y) {
    return OPS_FLT(OPS_BITS(x) ^ (OPS_BITS(y) & 0x80000000u));
}
/* sign(+-0) = +-0 and sign(nan) = nan, as numpy.sign. */
OPS_INLINE OPS_F OPS_N(sign)(OPS_F x) {
    return OPS_SEL((x > 0) | (x < 0), OPS_N(copysign)(OPS_K(1.0f), x), x);
}
OPS_INLINE OPS_I OPS_N(isnan)(OPS_F x) { return x != x; }
OPS_INLINE OPS_I OPS_N(isinf)(OPS_F x) { return (OPS_I)((OPS_BITS(x) << 1) == 0xff000000u); }
OPS_INLINE OPS_I OPS_N(isfinite)(OPS_F x) { return (OPS_I)((OPS_BITS(x) << 1) < 0xff000000u); }
/* -1 per lane in vectors, 1 in scalars, like every mask here */
OPS_INLINE OPS_I OPS_N(signbit)(OPS_F x) { return (OPS_I)((OPS_I)OPS_BITS(x) < 0); }

/* ------------------------------------------------------- float-float ---- */

OPS_INLINE OPS_FF OPS_N(fast_two_sum)(OPS_F a, OPS_F b) {
    OPS_F s = a + b;
    return (OPS_FF){s, b - (s - a)};
}
OPS_INLINE OPS_FF OPS_N(two_sum)(OPS_F a, OPS_F b) {
    OPS_F s = a + b, t = s - a;
    return (OPS_FF){s, (a - (s - t)) + (b - t)};
}
OPS_INLINE OPS_FF OPS_N(two_prod)(OPS_F a, OPS_F b) {
    OPS_F p = a * b;
    return (OPS_FF){p, OPS_FMA(a, b, -p)};
}
OPS_INLINE OPS_FF OPS_N(ff_mul)(OPS_FF a, OPS_FF b) {
    OPS_FF p = OPS_N(two_prod)(a.h, b.h);
    p.l += OPS_FMA(a.h, b.l, a.l * b.h);
    return p;
}
/* The quotient and its remainder over the divisor: one division serves both. */
OPS_INLINE OPS_FF OPS_N(ff_div)(OPS_FF a, OPS_FF b) {
    OPS_F r = 1.0f / b.h, q = a.h * r;
    OPS_F rest = OPS_FMA(-q, b.h, a.h) + OPS_FMA(-q, b.l, a.l);
    return OPS_N(fast_two_sum)(q, rest * r);
}
/* sqrt(h + l) = r + (h + l - r^2) / 2r */
OPS_INLINE OPS_FF OPS_N(ff_sqrt)(OPS_FF a) {
    OPS_F r = OPS_N(sqrt)(a.h);
    return (OPS_FF){r, (OPS_FMA(-r, r, a.h) + a.l) / (r + r)};
}

/* --------------------------------------------- exp: reduction and scaling ---- */

/* Adding 1.5 * 2^23 rounds to an integer and leaves it, in two's complement, in the low
 * mantissa bits: one addition gives n both as float (subtract again) and as integer. */
#define OPS_MAGIC 0x1.8p23f

/* p * 2^n, rounded once also when the result is subnormal, inf on overflow; n is an
 * integer in [-252, 254], shifted = n + OPS_MAGIC.  2^n alone may not be a float, so
 * the first half of n goes into p's exponent exactly and the second is a product. */
OPS_INLINE OPS_F OPS_N(scale2)(OPS_F p, OPS_F n, OPS_F shifted) {
#if defined(OPS_SCALE2)
    (void)shifted;
    return OPS_SCALE2(p, n);
#else
    OPS_I i = (OPS_I)OPS_BITS(shifted), half = i >> 1;
    OPS_F first = OPS_FLT((((OPS_U)half) << 23) + 0x3f800000u);
    OPS_F second = OPS_FLT(((OPS_U)(i - half) << 23) + 0x3f800000u);
    (void)n;
    return p * first * second;
#endif
}

/* x = n ln2 + r, |r| <= 0.347; e^r = 1 + r + r^2 q(r), q of degree 4 (2^-28.2).
 * Cody & Waite 1980: ln2 in two parts, the first of 16 bits so that n * it is exact. */
#define OPS_LN2_HI 0x1.62e4p-1f
#define OPS_LN2_LO 0x1.7f7d1cp-20f
#define OPS_LOG2E 0x1.715476p+0f
OPS_INLINE OPS_F OPS_N(exp_q)(OPS_F r) {
    OPS_F q = OPS_K(0x1.695414p-10f);
    q = OPS_FMA(q, r, OPS_K(0x1.123b04p-7f));
    q = OPS_FMA(q, r, OPS_K(0x1.555a22p-5f));
    q = OPS_FMA(q, r, OPS_K(0x1.55549p-3f));
    return OPS_FMA(q, r, OPS_K(0x1.fffffap-2f));
}
OPS_INLINE OPS_F OPS_N(exp_reduce)(OPS_F x, OPS_F *n, OPS_F *shifted) {
    *shifted = OPS_FMA(x, OPS_K(OPS_LOG2E), OPS_K(OPS_MAGIC));
    *n = *shifted - OPS_MAGIC;
    OPS_F r = OPS_FMA(*n, OPS_K(-OPS_LN2_HI), x);
    return OPS_FMA(*n, OPS_K(-OPS_LN2_LO), r);
}
OPS_INLINE OPS_F OPS_N(exp_poly)(OPS_F r) {
    OPS_F q = OPS_FMA(OPS_N(exp_q)(r), r, OPS_K(1.0f));
    return OPS_FMA(q, r, OPS_K(1.0f));
}
/* 1 + expm1(r + low) as an ff; |low| is at most about an ulp of r. */
OPS_INLINE OPS_FF OPS_N(exp_tail)(OPS_F r, OPS_F low) {
    OPS_F tail = OPS_FMA(OPS_N(exp_q)(r) * r, r, OPS_FMA(low, r, low));
    OPS_F s = r + tail;
    OPS_F lost = tail - (s - r);
    OPS_F h = 1.0f + s;
    return (OPS_FF){h, (s - (h - 1.0f)) + lost};
}
/* e^x = (h + l) 2^n, l holding what h rounded off. */
OPS_INLINE OPS_FF OPS_N(exp_pair)(OPS_F x, OPS_F *n, OPS_F *shifted) {
    *shifted = OPS_FMA(x, OPS_K(OPS_LOG2E), OPS_K(OPS_MAGIC));
    *n = *shifted - OPS_MAGIC;
    OPS_F exact = OPS_FMA(*n, OPS_K(-OPS_LN2_HI), x);
    OPS_F r = OPS_FMA(*n, OPS_K(-OPS_LN2_LO), exact);
    return OPS_N(exp_tail)(r, OPS_FMA(*n, OPS_K(-OPS_LN2_LO), exact - r));
}
/* The same of an ff.  Its low part may be many ulps of r (2^-18 for x = -104), so r and
 * low are normalised again; should |r| < |low|, what is lost is below 2^-42. */
OPS_INLINE OPS_FF OPS_N(exp_ff)(OPS_FF x, OPS_F *n, OPS_F *shifted) {
    *shifted = OPS_FMA(x.h, OPS_K(OPS_LOG2E), OPS_K(OPS_MAGIC));
    *n = *shifted - OPS_MAGIC;
    OPS_F exact = OPS_FMA(*n, OPS_K(-OPS_LN2_HI), x.h);
    OPS_F r = OPS_FMA(*n, OPS_K(-OPS_LN2_LO), exact);
    OPS_F low = OPS_FMA(*n, OPS_K(-OPS_LN2_LO), exact - r) + x.l;
    OPS_FF t = OPS_N(fast_two_sum)(r, low);
    return OPS_N(exp_tail)(t.h, t.l);
}

/* nan passes the clamps (see pick_max); below -104 the result is 0, above 89 inf. */
OPS_INLINE OPS_F OPS_N(exp)(OPS_F x) {
    OPS_F n, shifted;
    x = OPS_N(pick_max)(OPS_K(-104.0f), OPS_N(pick_min)(OPS_K(89.0f), x));
    OPS_F r = OPS_N(exp_reduce)(x, &n, &shifted);
    return OPS_N(scale2)(OPS_N(exp_poly)(r), n, shifted);
}

/* 2^x = 2^n e^(r ln2); r = x - n is exact, r ln2 an ff. */
OPS_INLINE OPS_F OPS_N(exp2_ff)(OPS_FF x) {
    OPS_F shifted = x.h + OPS_MAGIC, n = shifted - OPS_MAGIC, r = x.h - n;
    OPS_F h = r * 0x1.62e43p-1f;
    OPS_F l = OPS_FMA(r, OPS_K(0x1.62e43p-1f), -h);
    l = OPS_FMA(r, OPS_K(-0x1.05c61p-29f), l);
    OPS_FF t = OPS_N(fast_two_sum)(h, OPS_FMA(x.l, OPS_K(0x1.62e43p-1f), l));
    OPS_F tail = OPS_FMA(OPS_N(exp_q)(t.h) * t.h, t.h, OPS_FMA(t.l, t.h, t.l));
    return OPS_N(scale2)(1.0f + (t.h + tail), n, shifted);
}
OPS_INLINE OPS_F OPS_N(exp2)(OPS_F x) {
    x = OPS_N(pick_max)(OPS_K(-151.0f), OPS_N(pick_min)(OPS_K(129.0f), x));
    return OPS_N(exp2_ff)((OPS_FF){x, OPS_K(0.0f)});
}

/* 2^n e^r - 1 = (2^(n-1) s + (2^(n-1) - 1/2)) 2, with s = e^r - 1 as an ff: where n is
 * small the two cancel, and s must be known beyond float: one degree more than exp (2^-31). */
OPS_INLINE OPS_F OPS_N(expm1)(OPS_F x) {
    OPS_F y = OPS_N(pick_max)(OPS_K(-18.0f), OPS_N(pick_min)(OPS_K(89.0f), x));
    OPS_F shifted = OPS_FMA(y, OPS_K(OPS_LOG2E), OPS_K(OPS_MAGIC)), n = shifted - OPS_MAGIC;
    OPS_F exact = OPS_FMA(n, OPS_K(-OPS_LN2_HI), y);
    OPS_F r = OPS_FMA(n, OPS_K(-OPS_LN2_LO), exact);
    OPS_F low = OPS_FMA(n, OPS_K(-OPS_LN2_LO), exact - r);
    OPS_F q = OPS_K(0x1.9e0de4p-13f);
    q = OPS_FMA(q, r, OPS_K(0x1.6d43c2p-10f));
    q = OPS_FMA(q, r, OPS_K(0x1.111306p-7f));
    q = OPS_FMA(q, r, OPS_K(0x1.5554fp-5f));
    q = OPS_FMA(q, r, OPS_K(0x1.555554p-3f));
    q = OPS_FMA(q, r, OPS_K(0.5f));
    OPS_F tail = OPS_FMA(q * r, r, OPS_FMA(low, r, low));
    OPS_F half = OPS_FLT((OPS_BITS(shifted) << 23) + 0x3f000000u); /* 2^(n-1) */
    OPS_FF a = OPS_N(fast_two_sum)(r, tail);
    OPS_F less = half - 0.5f; /* inexact from n = 25 on */
    OPS_FF b = OPS_N(two_sum)(less, a.h * half);
    OPS_F result = b.h + OPS_FMA(a.l, half, b.l + ((half - less) - 0.5f));
    result = result + result;
    result = OPS_SEL(n == 0.0f, r + tail, result);
    return OPS_SEL(x == 0.0f, x, result); /* keeps -0 */
}

/* ------------------------------------------------------------------ log ---- */

/* x = 2^e (1 + f), 1 + f in [sqrt 1/2, sqrt 2).  Subtracting the bits of sqrt 1/2 makes
 * the exponent change exactly there (both sides of 1 keep e = 0, so log(1 -+ tiny) does
 * not cancel).  Subnormals are scaled by 2^23 first, which is exact. */
OPS_INLINE OPS_F OPS_N(log_reduce)(OPS_F x, OPS_F *e) {
    OPS_U i = OPS_BITS(x) - 0x3f3504f3u;
    OPS_U m = (i & 0x007fffffu) + 0x3f3504f3u;
    *e = OPS_N(from_i32)((OPS_I)i >> 23);
    return OPS_FLT(m) - 1.0f;
}
/* log(1 + f) = f - f^2/2 + f^3 P(f), degree 7 (2^-27.2); this is all but the f. */
OPS_INLINE OPS_F OPS_N(log_tail)(OPS_F f) {
    OPS_F p = OPS_K(-0x1.351686p-4f);
    p = OPS_FMA(p, f, OPS_K(0x1.048f56p-3f));
    p = OPS_FMA(p, f, OPS_K(-0x1.0de8cp-3f));
    p = OPS_FMA(p, f, OPS_K(0x1.2307b2p-3f));
    p = OPS_FMA(p, f, OPS_K(-0x1.546bfp-3f));
    p = OPS_FMA(p, f, OPS_K(0x1.999cf8p-3f));
    p = OPS_FMA(p, f, OPS_K(-0x1.000236p-2f));
    p = OPS_FMA(p, f, OPS_K(0x1.55555cp-2f));
    p = OPS_FMA(p, f, OPS_K(-0.5f));
    return p * (f * f);
}
/* log 0 = -inf, log(negative) = nan, log inf = inf, log nan = nan. */
OPS_INLINE OPS_F OPS_N(log_special)(OPS_F x, OPS_F r) {
    r = OPS_SEL(x == 0.0f, OPS_K(-__builtin_inff()), r);
    r = OPS_SEL(x == OPS_K(__builtin_inff()), x, r);
    r = OPS_SEL(x < 0.0f, OPS_K(__builtin_nanf("")), r);
    return OPS_SEL(x != x, x, r);
}
/* Everything that is not a positive normal number, in one unsigned comparison. */
OPS_INLINE OPS_I OPS_N(log_odd)(OPS_F x) {
    return (OPS_I)((OPS_BITS(x) - 0x00800000u) >= 0x7f000000u);
}
#define OPS_LOG_BODY(FROM)                                                          \
    OPS_I odd = OPS_N(log_odd)(x);                                                  \
    OPS_F y = x, e, lift = OPS_K(0.0f);                                             \
    if (OPS_UNLIKELY(OPS_ANY(odd))) {                                               \
        y = OPS_SEL(x < 0x1p-126f, x * 0x1p23f, x);                                 \
        lift = OPS_SEL(x < 0x1p-126f, OPS_K(23.0f), lift);                          \
    }                                                                               \
    OPS_F f = OPS_N(log_reduce)(y, &e), r = FROM(f, e - lift);                      \
    if (OPS_UNLIKELY(OPS_ANY(odd))) r = OPS_N(log_special)(x, r);                   \
    return r;
OPS_INLINE OPS_F OPS_N(log_from)(OPS_F f, OPS_F e) {
    OPS_F t = OPS_FMA(e, OPS_K(OPS_LN2_LO), OPS_N(log_tail)(f));
    return OPS_FMA(e, OPS_K(OPS_LN2_HI), f + t);
}
OPS_INLINE OPS_F OPS_N(log)(OPS_F x) { OPS_LOG_BODY(OPS_N(log_from)) }
/* log2 and log10: f + tail as an ff, times 1/ln2 (1/ln10) as an ff. */
OPS_INLINE OPS_F OPS_N(log2_from)(OPS_F f, OPS_F e) {
    OPS_FF u = OPS_N(fast_two_sum)(f, OPS_N(log_tail)(f));
    OPS_F h = u.h * 0x1.715476p+0f;
    OPS_F l = OPS_FMA(u.h, OPS_K(0x1.715476p+0f), -h);
    l = OPS_FMA(u.h, OPS_K(0x1.4ae0cp-26f), OPS_FMA(u.l, OPS_K(0x1.715476p+0f), l));
    OPS_FF s = OPS_N(fast_two_sum)(e, h);
    return s.h + (s.l + l);
}
OPS_INLINE OPS_F OPS_N(log2)(OPS_F x) { OPS_LOG_BODY(OPS_N(log2_from)) }
OPS_INLINE OPS_F OPS_N(log10_from)(OPS_F f, OPS_F e) {
    OPS_FF u = OPS_N(fast_two_sum)(f, OPS_N(log_tail)(f));
    OPS_F h = u.h * 0x1.bcb7b2p-2f;
    OPS_F l = OPS_FMA(u.h, OPS_K(0x1.bcb7b2p-2f), -h);
    l = OPS_FMA(u.h, OPS_K(-0x1.5b235ep-27f), OPS_FMA(u.l, OPS_K(0x1.bcb7b2p-2f), l));
    /* log10(2), first part of 15 bits: e times it is exact */
    OPS_FF s = OPS_N(fast_two_sum)(e * 0x1.3440p-2f, h);
    return s.h + (s.l + OPS_FMA(e, OPS_K(0x1.3509f8p-18f), l));
}
OPS_INLINE OPS_F OPS_N(log10)(OPS_F x) { OPS_LOG_BODY(OPS_N(log10_from)) }

/* log(1 + (t.h + t.l)), t.h > -1, as an ff.  With 2^e chosen for 1 + t.h, the fraction is
 * f = t.h 2^-e + (2^-e - 1), exact but for one bit near t.h = 0.45, which joins t.l; from
 * e = 25 on 2^-e gets lost, far below the result.  Above 2^100 the one is left out and
 * 2^64 divided off first, since 2^-128 is no normal number. */
OPS_INLINE OPS_FF OPS_N(log1p_ff)(OPS_FF t) {
    OPS_I big = t.h > 0x1p100f;
    OPS_F th = OPS_SEL(big, t.h * 0x1p-64f, t.h);
    OPS_U i = OPS_BITS(1.0f + th) - 0x3f3504f3u;
    OPS_F e = OPS_N(from_i32)((OPS_I)i >> 23);
    OPS_F scale = OPS_FLT(0x3f800000u - (i & 0xff800000u)); /* 2^-e */
    OPS_F less = scale - 1.0f, f = OPS_FMA(th, scale, less);
    e = OPS_SEL(big, e + 64.0f, e);
    /* d log(1 + f) = df / (1 + f), and df is so small that a rough quotient will do */
    OPS_F df = OPS_FMA(t.l, scale, OPS_FMA(th, scale, less - f));
    OPS_F tail = OPS_N(log_tail)(f) + OPS_FMA(df, OPS_FMA(f, f, -f), df);
    OPS_FF a = OPS_N(fast_two_sum)(f, tail);
    OPS_FF b = OPS_N(fast_two_sum)(e * OPS_LN2_HI, a.h);
    b.l += OPS_FMA(e, OPS_K(OPS_LN2_LO), a.l);
    return b;
}
OPS_INLINE OPS_F OPS_N(log1p)(OPS_F x) {
    OPS_FF r = OPS_N(log1p_ff)((OPS_FF){x, OPS_K(0.0f)});
    OPS_F y = OPS_SEL((x < 0x1p-60f) & (x > -0x1p-60f), x, r.h + r.l); /* keeps -0 */
    y = OPS_SEL(x == OPS_K(__builtin_inff()), x, y);
    y = OPS_SEL(x == -1.0f, OPS_K(-__builtin_inff()), y);
    y = OPS_SEL(x < -1.0f, OPS_K(__builtin_nanf("")), y);
    return OPS_SEL(x != x, x, y);
}

/* ---------------------------------------------- sigmoid and its family ---- */

/* Given e^-|v| = t as p 2^n: 1/(1 + t) for v >= 0 and t/(1 + t) for v < 0.  The power of
 * two of a negative v's numerator stays outside, so that the result may be subnormal. */
OPS_INLINE OPS_FF OPS_N(sigmoid_ff)(OPS_FF p, OPS_I negative, OPS_F *n, OPS_F *shifted) {
    OPS_F t = OPS_N(scale2)(p.h, *n, *shifted);
    OPS_F d = 1.0f + t;
    OPS_F low = (t - (d - 1.0f)) + OPS_N(scale2)(p.l, *n, *shifted);
    OPS_F a = OPS_SEL(negative, p.h, OPS_K(1.0f)), al = OPS_SEL(negative, p.l, OPS_K(0.0f));
    OPS_F r = 1.0f / d, q = a * r;
    OPS_F rest = OPS_FMA(-q, d, a) + OPS_FMA(-q, low, al);
    *n = OPS_SEL(negative, *n, OPS_K(0.0f));
    *shifted = OPS_SEL(negative, *shifted, OPS_K(OPS_MAGIC));
    return (OPS_FF){q, rest * r};
}
OPS_INLINE OPS_F OPS_N(sigmoid)(OPS_F x) {
    OPS_F n, shifted, v = OPS_N(pick_max)(OPS_K(-110.0f), -OPS_N(abs)(x));
    OPS_FF s = OPS_N(sigmoid_ff)(OPS_N(exp_pair)(v, &n, &shifted), x < 0.0f, &n, &shifted);
    return OPS_N(scale2)(s.h + s.l, n, shifted);
}
/* silu(-inf) = -inf * 0 = nan, as the formula and PyTorch have it. */
OPS_INLINE OPS_F OPS_N(silu)(OPS_F x) {
    OPS_F n, shifted, v = OPS_N(pick_max)(OPS_K(-110.0f), -OPS_N(abs)(x));
    OPS_FF s = OPS_N(sigmoid_ff)(OPS_N(exp_pair)(v, &n, &shifted), x < 0.0f, &n, &shifted);
    OPS_F y = OPS_N(pick_max)(OPS_K(-110.0f), x);
    OPS_F r = OPS_N(scale2)(OPS_FMA(y, s.h, OPS_N(pick_min)(OPS_K(0x1p127f), y) * s.l), n, shifted);
    return OPS_SEL(x == OPS_K(-__builtin_inff()), OPS_K(__builtin_nanf("")), r);
}
/* x sigmoid(2u), u = sqrt(2/pi)(x + 0.044715 x^3): the same as x (1 + tanh u)/2 without
 * its cancellation.  The argument reaches 104, so it is needed to 31 bits: an ff. */
OPS_INLINE OPS_F OPS_N(gelu_tanh)(OPS_F x) {
    OPS_F n, shifted, a = OPS_N(pick_min)(OPS_K(12.0f), OPS_N(abs)(x));
    OPS_FF s = OPS_N(two_prod)(a, a);
    OPS_FF c = OPS_N(ff_mul)(s, (OPS_FF){OPS_K(OPS_GELU_C3_HI), OPS_K(OPS_GELU_C3_LO)});
    OPS_FF d = OPS_N(two_sum)(OPS_K(OPS_GELU_C1_HI), c.h);
    d.l += c.l + OPS_GELU_C1_LO;
    OPS_FF v = OPS_N(ff_mul)(d, (OPS_FF){-a, OPS_K(0.0f)});
    s = OPS_N(sigmoid_ff)(OPS_N(exp_ff)(v, &n, &shifted), x < 0.0f, &n, &shifted);
    OPS_F y = OPS_N(pick_max)(OPS_K(-12.0f), x);
    OPS_F r = OPS_N(scale2)(OPS_FMA(y, s.h, OPS_N(pick_min)(OPS_K(0x1p127f), y) * s.l), n, shifted);
    return OPS_SEL(x == OPS_K(-__builtin_inff()), OPS_K(__builtin_nanf("")), r);
}
/* log(1 + e^x) = max(x, 0) + log1p(e^-|x|): never overflows, keeps the left tail. */
OPS_INLINE OPS_F OPS_N(softplus)(OPS_F x) {
    OPS_F n, shifted, v = OPS_N(pick_max)(OPS_K(-104.0f), -OPS_N(abs)(x));
    OPS_FF p = OPS_N(exp_pair)(v, &n, &shifted);
    p.h = OPS_N(scale2)(p.h, n, shifted);
    p.l = OPS_N(scale2)(p.l, n, shifted);
    OPS_FF r = OPS_N(log1p_ff)(p);
    OPS_F top = OPS_N(pick_max)(OPS_K(0.0f), x);
    OPS_FF s = OPS_N(two_sum)(top, r.h);
    /* top = inf makes the low part nan */
    return OPS_SEL(x > 0x1p10f, x, s.h + (s.l + r.l));
}
OPS_INLINE OPS_F OPS_N(log_sigmoid)(OPS_F x) { return -OPS_N(softplus)(-x); }

/* --------------------------------------------------- hyperbolic functions ---- */

/* Below 1 an odd polynomial (2^-27.7), above 1 - 2/(e^2|x| + 1). */
OPS_INLINE OPS_F OPS_N(tanh)(OPS_F x) {
    OPS_F n, shifted, a = OPS_N(abs)(x), z = a * a;
    OPS_F b = OPS_N(pick_min)(OPS_K(10.0f), a);
    OPS_F e = OPS_N(exp_poly)(OPS_N(exp_reduce)(b + b, &n, &shifted));
    e = OPS_FLT(OPS_BITS(e) + (OPS_BITS(shifted) << 23)); /* times 2^n, no over- or underflow */
    OPS_F large = 1.0f - 2.0f / (e + 1.0f);
    OPS_F p = OPS_K(-0x1.7806d8p-12f);
    p = OPS_FMA(p, z, OPS_K(0x1.2db79ep-9f));
    p = OPS_FMA(p, z, OPS_K(-0x1.04675p-7f));
    p = OPS_FMA(p, z, OPS_K(0x1.600bd6p-6f));
    p = OPS_FMA(p, z, OPS_K(-0x1.b96288p-5f));
    p = OPS_FMA(p, z, OPS_K(0x1.110be6p-3f));
    p = OPS_FMA(p, z, OPS_K(-0x1.55553cp-2f));
    OPS_F small = OPS_FMA(p * z, a, a);
    return OPS_N(copysign)(OPS_SEL(a >= 1.0f, large, small), x); /* nan: small */
}
/* e^x/2 = (h + l) 2^(n-1) and e^-x/2 from its reciprocal; sinh below 1 by an odd
 * polynomial (2^-31.4). */
OPS_INLINE OPS_F OPS_N(sinh)(OPS_F x) {
    OPS_F n, shifted, a = OPS_N(abs)(x), z = x * x;
    OPS_F b = OPS_N(pick_min)(OPS_K(90.0f), a);
    OPS_FF p = OPS_N(exp_pair)(b, &n, &shifted);
    OPS_F m = OPS_N(pick_max)(OPS_K(-40.0f), -n);
    OPS_F other = OPS_N(scale2)(1.0f / p.h, m + m, (m + m) + OPS_MAGIC);
    OPS_FF d = OPS_N(fast_two_sum)(p.h, -other);
    OPS_F large = OPS_N(scale2)(d.h + (d.l + p.l), n - 1.0f, shifted - 1.0f);
    OPS_F q = OPS_K(0x1.76771ep-19f);
    q = OPS_FMA(q, z, OPS_K(0x1.a01c22p-13f));
    q = OPS_FMA(q, z, OPS_K(0x1.1110eap-7f));
    q = OPS_FMA(q, z, OPS_K(0x1.555556p-3f));
    OPS_F small = OPS_FMA(q * z, x, x);
    return OPS_SEL(a < 1.0f, small, OPS_N(copysign)(large, x));
}
OPS_INLINE OPS_F OPS_N(cosh)(OPS_F x) {
    OPS_F n, shifted, b = OPS_N(pick_min)(OPS_K(90.0f), OPS_N(abs)(x));
    OPS_FF p = OPS_N(exp_pair)(b, &n, &shifted);
    OPS_F m = OPS_N(pick_max)(OPS_K(-40.0f), -n);
    OPS_F other = OPS_N(scale2)(1.0f / p.h, m + m, (m + m) + OPS_MAGIC);
    OPS_FF d = OPS_N(two_sum)(p.h, other);
    return OPS_N(scale2)(d.h + (d.l + p.l), n - 1.0f, shifted - 1.0f);
}
/* |x| < 0.6: odd polynomial (2^-30.7).  Else log1p(|x| + (sqrt(x^2 + 1) - 1)) with the
 * argument an ff; beyond 2^25, log1p(|x|) + ln2 is closer than an ulp can tell. */
OPS_INLINE OPS_F OPS_N(asinh)(OPS_F x) {
    OPS_F a = OPS_N(abs)(x), z = a * a;
    OPS_I huge = a > 0x1p25f;
    OPS_F c = OPS_SEL(huge, OPS_K(1.0f), a);
    OPS_FF s = OPS_N(two_prod)(c, c);
    OPS_FF u = OPS_N(two_sum)(s.h, OPS_K(1.0f));
    u.l += s.l;
    OPS_FF r = OPS_N(ff_sqrt)(u);
    OPS_FF t = OPS_N(two_sum)(r.h - 1.0f, c);
    t.l += r.l;
    t.h = OPS_SEL(huge, a, t.h);
    t.l = OPS_SEL(huge, OPS_K(0.0f), t.l);
    OPS_FF y = OPS_N(log1p_ff)(t);
    OPS_F add = OPS_SEL(huge, OPS_K(0x1.62e43p-1f), OPS_K(0.0f));
    OPS_FF w = OPS_N(two_sum)(y.h, add);
    OPS_F large = w.h + (w.l + y.l);
    large = OPS_SEL(a < OPS_K(__builtin_inff()), large, a);
    OPS_F p = OPS_K(0x1.d26b04p-8f);
    p = OPS_FMA(p, z, OPS_K(-0x1.2be4f4p-6f));
    p = OPS_FMA(p, z, OPS_K(0x1.e35a8ep-6f));
    p = OPS_FMA(p, z, OPS_K(-0x1.6ce3d2p-5f));
    p = OPS_FMA(p, z, OPS_K(0x1.332d84p-4f));
    p = OPS_FMA(p, z, OPS_K(-0x1.555548p-3f));
    OPS_F small = OPS_FMA(p * z, a, a);
    return OPS_N(copysign)(OPS_SEL(a < 0.6f, small, large), x);
}
/* d = x - 1; log1p(d + sqrt(d (d + 2))) with the argument an ff. */
OPS_INLINE OPS_F OPS_N(acosh)(OPS_F x) {
    OPS_I huge = x > 0x1p25f;
    OPS_F d = x - 1.0f, c = OPS_SEL(huge, OPS_K(1.0f), d);
    OPS_FF u = OPS_N(two_sum)(c, OPS_K(2.0f));
    OPS_FF s = OPS_N(ff_mul)(u, (OPS_FF){c, OPS_K(0.0f)});
    OPS_FF r = OPS_N(ff_sqrt)(s);
    OPS_FF t = OPS_N(two_sum)(r.h, c);
    t.l += r.l;
    t.h = OPS_SEL(huge, x, t.h);
    t.l = OPS_SEL(huge, OPS_K(0.0f), t.l);
    OPS_FF y = OPS_N(log1p_ff)(t);
    OPS_F add = OPS_SEL(huge, OPS_K(0x1.62e43p-1f), OPS_K(0.0f));
    OPS_FF w = OPS_N(two_sum)(y.h, add);
    OPS_F result = w.h + (w.l + y.l);
    result = OPS_SEL(x == 1.0f, OPS_K(0.0f), result);
    result = OPS_SEL(x == OPS_K(__builtin_inff()), x, result);
    return OPS_SEL(x < 1.0f, OPS_K(__builtin_nanf("")), result);
}
/* |x| < 0.5: odd polynomial (2^-29.4).  Else log((1 + x)/(1 - x))/2 with ff quotient;
 * log1p's argument is 2x/(1 - x), whose divisor is exact. */
OPS_INLINE OPS_F OPS_N(atanh)(OPS_F x) {
    OPS_F a = OPS_N(abs)(x), z = x * x;
    OPS_FF t = OPS_N(ff_div)((OPS_FF){a + a, OPS_K(0.0f)}, (OPS_FF){1.0f - a, OPS_K(0.0f)});
    OPS_FF y = OPS_N(log1p_ff)(t);
    OPS_F large = 0.5f * (y.h + y.l);
    large = OPS_SEL(a == 1.0f, OPS_K(__builtin_inff()), large);
    large = OPS_SEL(a > 1.0f, OPS_K(__builtin_nanf("")), large);
    OPS_F p = OPS_K(0x1.692dc6p-3f);
    p = OPS_FMA(p, z, OPS_K(0x1.a6ddeap-5f));
    p = OPS_FMA(p, z, OPS_K(0x1.e3fbcep-4f));
    p = OPS_FMA(p, z, OPS_K(0x1.234ddp-3f));
    p = OPS_FMA(p, z, OPS_K(0x1.99a674p-3f));
    p = OPS_FMA(p, z, OPS_K(0x1.55554p-2f));
    OPS_F small = OPS_FMA(p * z, x, x);
    return OPS_SEL(a < 0.5f, small, OPS_N(copysign)(large, x));
}

/* ------------------------------------------------------- erf, erfc, gelu ---- */

/* |x| < 1: x + x P(x^2) (2^-29.3).  Above: 1 - e^-Q(|x|) with Q = -log erfc, degree 8
 * (2^-28.7), its last step an ff; e^-Q <= 0.16 there, so the rest hardly shows.  erf(4)
 * rounds to 1. */
OPS_INLINE OPS_F OPS_N(erf)(OPS_F x) {
    OPS_F n, shifted, a = OPS_N(abs)(x), z = x * x;
    OPS_F b = OPS_N(pick_min)(OPS_K(4.0f), a);
    OPS_F q = OPS_K(0x1.ada56cp-20f);
    q = OPS_FMA(q, b, OPS_K(-0x1.7c208cp-15f));
    q = OPS_FMA(q, b, OPS_K(0x1.35852ap-11f));
    q = OPS_FMA(q, b, OPS_K(-0x1.35e3d2p-8f));
    q = OPS_FMA(q, b, OPS_K(0x1.af655ep-6f));
    q = OPS_FMA(q, b, OPS_K(-0x1.c236a8p-4f));
    q = OPS_FMA(q, b, OPS_K(-0x1.43965ap-1f));
    q = OPS_FMA(q, b, OPS_K(-0x1.214fd6p0f));
    OPS_F c = OPS_K(0x1.329572p-12f), qh = OPS_FMA(q, b, c), ql = OPS_FMA(q, b, c - qh);
    OPS_F r = OPS_N(exp_reduce)(qh, &n, &shifted) + ql;
    OPS_F e = OPS_N(exp_poly)(r);
    OPS_F large = 1.0f - OPS_FLT(OPS_BITS(e) + (OPS_BITS(shifted) << 23));
    OPS_F p = OPS_K(0x1.4c5cb4p-14f);
    p = OPS_FMA(p, z, OPS_K(-0x1.a5197ap-11f));
    p = OPS_FMA(p, z, OPS_K(0x1.542fecp-8f));
    p = OPS_FMA(p, z, OPS_K(-0x1.b7fec4p-6f));
    p = OPS_FMA(p, z, OPS_K(0x1.ce2d52p-4f));
    p = OPS_FMA(p, z, OPS_K(-0x1.81274p-2f));
    p = OPS_FMA(p, z, OPS_K(0x1.06eba8p-3f));
    OPS_F small = OPS_FMA(p, x, x);
    return OPS_SEL(a >= 1.0f, OPS_N(copysign)(large, x), small); /* nan: small */
}
/* g(w) = e^(a^2/2) erfc(a/sqrt 2) (1 + 0.8 a), w = 2/(1 + 0.8 a) - 1, for a in [0, 14.3]:
 * the substitution straightens the curve (g stays in [0.63, 1]) and one polynomial of
 * degree 13 reaches 2^-28.3.  The last two steps keep their rounding errors. */
OPS_INLINE OPS_FF OPS_N(tail_g)(OPS_F w, OPS_F wl) {
    OPS_F g = OPS_K(-0x1.44fe38p-13f);
    g = OPS_FMA(g, w, OPS_K(0x1.264a74p-11f));
    g = OPS_FMA(g, w, OPS_K(-0x1.0e1094p-11f));
    g = OPS_FMA(g, w, OPS_K(-0x1.6701fap-11f));
    g = OPS_FMA(g, w, OPS_K(0x1.35d5fcp-9f));
    g = OPS_FMA(g, w, OPS_K(-0x1.a6e71cp-9f));
    g = OPS_FMA(g, w, OPS_K(0x1.9fb5cp-10f));
    g = OPS_FMA(g, w, OPS_K(0x1.57a4ecp-8f));
    g = OPS_FMA(g, w, OPS_K(-0x1.1d5d8p-6f));
    g = OPS_FMA(g, w, OPS_K(0x1.78082cp-6f));
    g = OPS_FMA(g, w, OPS_K(0x1.ad51ap-7f));
    g = OPS_FMA(g, w, OPS_K(-0x1.07a262p-3f));
    OPS_F c1 = OPS_K(0x1.747c34p-3f), q = OPS_FMA(g, w, c1), ql = OPS_FMA(g, w, c1 - q);
    OPS_F c0 = OPS_K(0x1.d898dep-1f), h = OPS_FMA(q, w, c0), l = OPS_FMA(q, w, c0 - h);
    return (OPS_FF){h, l + OPS_FMA(ql, w, q * wl)};
}
/* 1 + k b as an ff, k in two floats: 1 - h is exact, as 1 is a multiple of h's last bit. */
OPS_INLINE OPS_FF OPS_N(one_plus)(OPS_F b, OPS_F k, OPS_F kl) {
    OPS_F h = OPS_FMA(b, k, OPS_K(1.0f));
    return (OPS_FF){h, OPS_FMA(b, kl, OPS_FMA(b, k, 1.0f - h))};
}
/* factor erfc(a/sqrt 2), given -a^2/2 and d = 1 + 0.8 a as ff: the result times 2^n.  The
 * factors e^(-a^2/2), 1/d and g are ff, and their product is rounded once. */
OPS_INLINE OPS_F OPS_N(tail)(OPS_F factor, OPS_FF power, OPS_FF d, OPS_F *n, OPS_F *shifted) {
    OPS_FF e = OPS_N(exp_ff)(power, n, shifted);
    OPS_F r = 1.0f / d.h;
    OPS_F rl = r * OPS_FMA(-r, d.l, OPS_FMA(-r, d.h, OPS_K(1.0f)));
    OPS_FF g = OPS_N(tail_g)(OPS_FMA(r, OPS_K(2.0f), OPS_K(-1.0f)), rl + rl);
    OPS_FF u = OPS_N(two_prod)(factor, e.h);
    u.l = OPS_FMA(factor, e.l, u.l);
    OPS_FF v = OPS_N(two_prod)(u.h, r);
    v.l += OPS_FMA(u.h, rl, u.l * r);
    return OPS_FMA(v.h, g.h, OPS_FMA(v.h, g.l, v.l * g.h));
}
OPS_INLINE OPS_F OPS_N(erfc)(OPS_F x) {
    OPS_F n, shifted, b = OPS_N(pick_min)(OPS_K(10.3f), OPS_N(abs)(x));
    OPS_FF s = OPS_N(two_prod)(b, -b);
    OPS_FF d = OPS_N(one_plus)(b, OPS_K(OPS_ERFC_K_HI), OPS_K(OPS_ERFC_K_LO));
    OPS_F t = OPS_N(tail)(OPS_K(1.0f), s, d, &n, &shifted);
    t = OPS_N(scale2)(t, n, shifted);
    return OPS_SEL(x < 0.0f, 2.0f - t, t);
}
/* x Phi(x).  With T = erfc(|x|/sqrt 2)/2: -|x| T on the left, |x| - |x| T on the right.
 * gelu(-inf) = -inf * 0 = nan, as the formula and PyTorch have it. */
OPS_INLINE OPS_F OPS_N(gelu)(OPS_F x) {
    OPS_F n, shifted, b = OPS_N(pick_min)(OPS_K(15.0f), OPS_N(abs)(x));
    OPS_FF s = OPS_N(two_prod)(b, -0.5f * b);
    OPS_FF d = OPS_N(one_plus)(b, OPS_K(0.8f), OPS_K(-0x1.99999ap-27f)); /* 0.8 */
    OPS_F t = OPS_N(tail)(b, s, d, &n, &shifted);
    t = OPS_N(scale2)(t, n - 1.0f, shifted - 1.0f);
    OPS_F r = OPS_SEL((OPS_I)OPS_BITS(x) < 0, OPS_K(-0.0f), x) - t;
    return OPS_SEL(x == OPS_K(-__builtin_inff()), OPS_K(__builtin_nanf("")), r);
}

/* ------------------------------------------------------------ sin cos tan ---- */

/* |x| = n pi/2 + r.h + r.l.  Up to 48000 by Cody & Waite with pi/2 in three floats: the
 * first fma is exact, the second step keeps its error, and the third (2^-50 n) is a
 * correction.  Beyond, Payne & Hanek 1983 lane by lane (opslib_math.h).  Returns the
 * quadrant, n mod 4 in the low bits. */
OPS_INLINE OPS_I OPS_N(trig_reduce)(OPS_F a, OPS_FF *r) {
    OPS_F shifted = OPS_FMA(a, OPS_K(0x1.45f306p-1f), OPS_K(OPS_MAGIC));
    OPS_F n = shifted - OPS_MAGIC;
    OPS_F r1 = OPS_FMA(n, OPS_K(-0x1.921fb6p+0f), a);
    OPS_F p = n * -0x1.777a5cp-25f;
    OPS_F pl = OPS_FMA(n, OPS_K(-0x1.777a5cp-25f), -p);
    OPS_F h = r1 - p;
    OPS_F l = ((r1 - h) - p) - pl;
    r->h = h;
    r->l = OPS_FMA(n, OPS_K(0x1.ee59dap-50f), l);
    OPS_I quadrant = (OPS_I)OPS_BITS(shifted);
    OPS_I far = (a > 48000.0f) & (a < OPS_K(__builtin_inff()));
    if (OPS_UNLIKELY(OPS_ANY(far))) OPS_TRIG_FAR(a, r, &quadrant);
    return quadrant;
}
/* sin = r + r^3 S(r^2) (2^-32.2), cos = 1 - r^2/2 + r^4 C(r^2) (2^-30.2), |r| < 0.79. */
OPS_INLINE OPS_F OPS_N(sin_poly)(OPS_FF r) {
    OPS_F z = r.h * r.h, p = OPS_K(0x1.77c182p-19f);
    p = OPS_FMA(p, z, OPS_K(-0x1.a04824p-13f));
    p = OPS_FMA(p, z, OPS_K(0x1.111164p-7f));
    p = OPS_FMA(p, z, OPS_K(-0x1.555556p-3f));
    return r.h + OPS_FMA(p * z, r.h, r.l);
}
OPS_INLINE OPS_F OPS_N(cos_poly)(OPS_FF r) {
    OPS_F z = r.h * r.h, p = OPS_K(0x1.9bbcf6p-16f);
    p = OPS_FMA(p, z, OPS_K(-0x1.6c128ep-10f));
    p = OPS_FMA(p, z, OPS_K(0x1.555554p-5f));
    OPS_F w = OPS_FMA(z, OPS_K(-0.5f), OPS_K(1.0f));
    OPS_F zl = OPS_FMA(r.h, r.h, -z);
    OPS_F lost = OPS_FMA(zl, OPS_K(-0.5f), OPS_FMA(z, OPS_K(-0.5f), 1.0f - w));
    return w + OPS_FMA(p * z, z, OPS_FMA(-r.h, r.l, lost));
}
OPS_INLINE OPS_F OPS_N(sin)(OPS_F x) {
    OPS_FF r;
    OPS_U q = (OPS_U)OPS_N(trig_reduce)(OPS_N(abs)(x), &r);
    OPS_F y = OPS_SEL((OPS_I)((q & 1u) != 0u), OPS_N(cos_poly)(r), OPS_N(sin_poly)(r));
    y = OPS_FLT(OPS_BITS(y) ^ ((q & 2u) << 30) ^ (OPS_BITS(x) & 0x80000000u));
    return y;
}
OPS_INLINE OPS_F OPS_N(cos)(OPS_F x) {
    OPS_FF r;
    OPS_U q = (OPS_U)OPS_N(trig_reduce)(OPS_N(abs)(x), &r);
    OPS_F y = OPS_SEL((OPS_I)((q & 1u) != 0u), OPS_N(sin_poly)(r), OPS_N(cos_poly)(r));
    return OPS_FLT(OPS_BITS(y) ^ (((q + 1u) & 2u) << 30));
}
/* c h^3 + p h^5 + low as an ff, with h^3 as one too: the part of an odd function after h,
 * where that part is as large as h/4 and single roundings would show. */
OPS_INLINE OPS_FF OPS_N(odd_rest)(OPS_F h, OPS_F c, OPS_F p, OPS_F low) {
    OPS_F z = h * h, w = h * z;
    OPS_F wl = OPS_FMA(h, OPS_FMA(h, h, -z), OPS_FMA(h, z, -w));
    OPS_F t = OPS_FMA(w * z, p, OPS_FMA(wl, c, low));
    OPS_FF m = OPS_N(two_prod)(w, c), y = OPS_N(fast_two_sum)(m.h, t);
    y.l += m.l;
    return y;
}
/* tan = r + r^3 T(r^2) (2^-33.7) as an ff; -1/tan in odd quadrants. */
OPS_INLINE OPS_F OPS_N(tan)(OPS_F x) {
    OPS_FF r;
    OPS_U q = (OPS_U)OPS_N(trig_reduce)(OPS_N(abs)(x), &r);
    OPS_F z = r.h * r.h, p = OPS_K(0x1.31187ep-10f);
    p = OPS_FMA(p, z, OPS_K(-0x1.365be2p-10f));
    p = OPS_FMA(p, z, OPS_K(0x1.99a892p-9f));
    p = OPS_FMA(p, z, OPS_K(0x1.5f37fap-9f));
    p = OPS_FMA(p, z, OPS_K(0x1.2c6a4ep-7f));
    p = OPS_FMA(p, z, OPS_K(0x1.654b6cp-6f));
    p = OPS_FMA(p, z, OPS_K(0x1.ba2aeep-5f));
    p = OPS_FMA(p, z, OPS_K(0x1.1110d6p-3f));
    /* d tan = (1 + tan^2) dr, and 1 + z + z^2 is near enough */
    OPS_F low = OPS_FMA(OPS_FMA(z, z, z), r.l, r.l);
    OPS_FF y = OPS_N(odd_rest)(r.h, OPS_K(0x1.555556p-2f), p, low);
    OPS_FF t = OPS_N(fast_two_sum)(r.h, y.h);
    t.l += y.l;
    OPS_F c = -1.0f / t.h;
    OPS_F rest = OPS_FMA(c, t.h, OPS_K(1.0f)) + c * t.l;
    OPS_F odd = OPS_FMA(c, rest, c);
    OPS_F result = OPS_SEL((OPS_I)((q & 1u) != 0u), odd, t.h + t.l);
    return OPS_N(mulsign)(result, x);
}

/* --------------------------------------------------- inverse trigonometry ---- */

/* (asin(s) - s)/s^3 in z = s^2 <= 1/4 (2^-31.7). */
OPS_INLINE OPS_F OPS_N(asin_poly)(OPS_F z) {
    OPS_F p = OPS_K(0x1.33f1bep-5f);
    p = OPS_FMA(p, z, OPS_K(0x1.d74498p-7f));
    p = OPS_FMA(p, z, OPS_K(0x1.04b3c8p-5f));
    p = OPS_FMA(p, z, OPS_K(0x1.6caa42p-5f));
    p = OPS_FMA(p, z, OPS_K(0x1.3338ap-4f));
    return OPS_FMA(p, z, OPS_K(0x1.55554cp-3f));
}
#define OPS_PIO2_HI 0x1.921fb6p+0f
#define OPS_PIO2_LO -0x1.777a5cp-25f
/* Above 1/2: pi/2 - 2 asin(sqrt((1 - x)/2)); (1 - x)/2 is exact, its root an ff. */
OPS_INLINE OPS_F OPS_N(asin)(OPS_F x) {
    OPS_F a = OPS_N(abs)(x);
    OPS_I big = a > 0.5f;
    OPS_F half = OPS_FMA(a, OPS_K(-0.5f), OPS_K(0.5f));
    OPS_F z = OPS_SEL(big, half, a * a);
    OPS_F zp = z * OPS_N(asin_poly)(z);
    OPS_FF s = OPS_N(ff_sqrt)((OPS_FF){half, OPS_K(0.0f)});
    s.l = OPS_SEL(half > 0.0f, s.l, OPS_K(0.0f));
    OPS_FF t = OPS_N(fast_two_sum)(OPS_K(OPS_PIO2_HI), -2.0f * s.h);
    OPS_F low = OPS_FMA(s.h, zp, s.l);
    OPS_F large = t.h + OPS_FMA(low, OPS_K(-2.0f), t.l + OPS_PIO2_LO);
    OPS_F r = OPS_SEL(big, large, OPS_FMA(zp, a, a));
    return OPS_N(copysign)(r, x);
}
OPS_INLINE OPS_F OPS_N(acos)(OPS_F x) {
    OPS_F a = OPS_N(abs)(x);
    OPS_I big = a > 0.5f;
    OPS_F half = OPS_FMA(a, OPS_K(-0.5f), OPS_K(0.5f));
    OPS_F z = OPS_SEL(big, half, a * a);
    OPS_F zp = z * OPS_N(asin_poly)(z);
    OPS_FF s = OPS_N(ff_sqrt)((OPS_FF){half, OPS_K(0.0f)});
    s.l = OPS_SEL(half > 0.0f, s.l, OPS_K(0.0f));
    OPS_F low = OPS_FMA(s.h, zp, s.l);
    OPS_F right = 2.0f * (s.h + low);
    OPS_FF t = OPS_N(fast_two_sum)(OPS_K(2.0f * OPS_PIO2_HI), -2.0f * s.h);
    OPS_F left = t.h + OPS_FMA(low, OPS_K(-2.0f), t.l + 2.0f * OPS_PIO2_LO);
    OPS_FF u = OPS_N(fast_two_sum)(OPS_K(OPS_PIO2_HI), -x);
    OPS_F middle = u.h + (u.l + OPS_FMA(-zp, x, OPS_K(OPS_PIO2_LO)));
    OPS_F r = OPS_SEL(big, OPS_SEL(x < 0.0f, left, right), middle);
    return OPS_SEL(a <= 1.0f, r, OPS_K(__builtin_nanf("")) + x * 0.0f);
}
/* atan(small/large) in [0, pi/4], then reflected: pi/2 - it if swapped (|y| > |x|), and
 * from pi if x is negative.  The quotient is an ff; atan t = t + t^3 P(t^2), degree 8 in
 * t^2 (2^-28.5). */
OPS_INLINE OPS_F OPS_N(atan_core)(OPS_F small, OPS_F large, OPS_I swapped, OPS_I negative) {
    OPS_F q = small / large;
    OPS_F ql = OPS_FMA(-q, large, small) / large;
    ql = OPS_SEL(ql == ql, ql, OPS_K(0.0f)); /* 0/0 and x/inf have no remainder */
    q = OPS_SEL(q == q, q, OPS_K(0.0f));
    OPS_F z = q * q, p = OPS_K(-0x1.d5a1aap-10f);
    p = OPS_FMA(p, z, OPS_K(0x1.6551e2p-7f));
    p = OPS_FMA(p, z, OPS_K(-0x1.fe7d24p-6f));
    p = OPS_FMA(p, z, OPS_K(0x1.da9c2ep-5f));
    p = OPS_FMA(p, z, OPS_K(-0x1.5825f2p-4f));
    p = OPS_FMA(p, z, OPS_K(0x1.c0946cp-4f));
    p = OPS_FMA(p, z, OPS_K(-0x1.24211ap-3f));
    p = OPS_FMA(p, z, OPS_K(0x1.9991ecp-3f));
    /* d atan = dt/(1 + t^2), near enough 1 - t^2/2 for the last bit */
    OPS_FF y = OPS_N(odd_rest)(q, OPS_K(-0x1.55553ep-2f), p, OPS_FMA(ql * -0.5f, z, ql));
    OPS_F base = OPS_SEL(swapped, OPS_K(OPS_PIO2_HI),
                         OPS_SEL(negative, OPS_K(2.0f * OPS_PIO2_HI), OPS_K(0.0f)));
    OPS_F base_low = OPS_SEL(swapped, OPS_K(OPS_PIO2_LO),
                             OPS_SEL(negative, OPS_K(2.0f * OPS_PIO2_LO), OPS_K(0.0f)));
    OPS_I minus = (swapped != 0) ^ (negative != 0);
    OPS_FF t = OPS_N(fast_two_sum)(q, y.h);
    t.l += y.l;
    OPS_FF s = OPS_N(fast_two_sum)(base, OPS_SEL(minus, -t.h, t.h));
    return s.h + (s.l + (OPS_SEL(minus, -t.l, t.l) + base_low));
}
OPS_INLINE OPS_F OPS_N(atan)(OPS_F x) {
    OPS_F a = OPS_N(abs)(x), one = OPS_K(1.0f);
    OPS_I swapped = a > one;
    OPS_F r = OPS_N(atan_core)(OPS_SEL(swapped, one, a), OPS_SEL(swapped, a, one), swapped, a < 0.0f);
    r = OPS_SEL(a < 0x1p-40f, a, r); /* the remainder of a subnormal is no float */
    return OPS_SEL(x != x, x, OPS_N(copysign)(r, x));
}
OPS_INLINE OPS_F OPS_N(atan2)(OPS_F y, OPS_F x) {
    OPS_F a = OPS_N(abs)(x), b = OPS_N(abs)(y);
    OPS_I swapped = b > a;
    OPS_F small = OPS_SEL(swapped, a, b), large = OPS_SEL(swapped, b, a);
    OPS_I both = small == OPS_K(__builtin_inff());
    small = OPS_SEL(both, OPS_K(1.0f), small);
    large = OPS_SEL(both, OPS_K(1.0f), large);
    OPS_F up = OPS_SEL(large < 0x1p-60f, OPS_K(0x1p64f), OPS_K(1.0f));
    OPS_F r = OPS_N(atan_core)(small * up, large * up, swapped, (OPS_I)OPS_BITS(x) < 0);
    r = OPS_N(copysign)(r, y);
    return OPS_SEL((x != x) | (y != y), x + y, r);
}

/* ---------------------------------------------------- roots, hypot, pow ---- */

OPS_INLINE OPS_F OPS_N(reciprocal)(OPS_F x) { return 1.0f / x; }
/* y = 1/sqrt(x) after two roundings, then one Newton step with x y^2 to 48 bits. */
OPS_INLINE OPS_F OPS_N(rsqrt)(OPS_F x) {
    OPS_F y = 1.0f / OPS_N(sqrt)(x);
    OPS_FF p = OPS_N(two_prod)(x, y);
    OPS_F rest = OPS_FMA(-p.l, y, OPS_FMA(-p.h, y, OPS_K(1.0f)));
    OPS_F r = OPS_FMA(0.5f * y, rest, y);
    return OPS_SEL(rest == rest, r, y); /* 0 and inf: no correction */
}
/* |x| = m 8^k, m in [1, 8): cubic start (2^-7.6), a Halley step (2^-22), and a Newton step
 * whose residual y^3 - m is exact to 48 bits. */
OPS_INLINE OPS_F OPS_N(cbrt)(OPS_F x) {
    OPS_F a = OPS_N(abs)(x);
    OPS_I tiny = a < 0x1p-126f;
    OPS_F b = OPS_SEL(tiny, a * 0x1p24f, a);
    OPS_I e = (OPS_I)(OPS_BITS(b) >> 23) - 127;
    OPS_I k = (((e + 384) * 21846) >> 16) - 128; /* floor(e/3) */
    OPS_F m = OPS_FLT(OPS_BITS(b) - ((OPS_U)(k * 3) << 23));
    OPS_F y = OPS_K(0x1.2f32e2p-9f);
    y = OPS_FMA(y, m, OPS_K(-0x1.62cbf8p-5f));
    y = OPS_FMA(y, m, OPS_K(0x1.7546e4p-2f));
    y = OPS_FMA(y, m, OPS_K(0x1.5d05aap-1f));
    OPS_F c = y * y * y;
    y = y * ((c + (m + m)) / ((c + c) + m));
    OPS_FF s = OPS_N(two_prod)(y, y);
    OPS_F rest = OPS_FMA(s.h, y, -m) + s.l * y;
    y = y - rest / (3.0f * s.h);
    y = OPS_FLT(OPS_BITS(y) + ((OPS_U)k << 23));
    y = OPS_SEL(tiny, y * 0x1p-8f, y);
    y = OPS_SEL((a > 0.0f) & (a < OPS_K(__builtin_inff())), y, a);
    return OPS_N(copysign)(y, x);
}
/* sqrt(x^2 + y^2) in ff, scaled by a power of two against over- and underflow. */
OPS_INLINE OPS_F OPS_N(hypot)(OPS_F x, OPS_F y) {
    OPS_F a = OPS_N(abs)(x), b = OPS_N(abs)(y);
    OPS_F large = OPS_SEL(a > b, a, b), small = OPS_SEL(a > b, b, a);
    OPS_F up = OPS_SEL(large > 0x1p62f, OPS_K(0x1p-66f), OPS_SEL(large < 0x1p-62f, OPS_K(0x1p100f), OPS_K(1.0f)));
    OPS_F down = OPS_SEL(large > 0x1p62f, OPS_K(0x1p66f), OPS_SEL(large < 0x1p-62f, OPS_K(0x1p-100f), OPS_K(1.0f)));
    OPS_FF s = OPS_N(two_prod)(large * up, large * up), t = OPS_N(two_prod)(small * up, small * up);
    OPS_FF u = OPS_N(fast_two_sum)(s.h, t.h);
    u.l += s.l + t.l;
    OPS_FF r = OPS_N(ff_sqrt)(u);
    OPS_F result = OPS_SEL(u.h > 0.0f, r.h + r.l, u.h) * down;
    result = OPS_SEL((x != x) | (y != y), x + y, result);
    OPS_I inf = (a == OPS_K(__builtin_inff())) | (b == OPS_K(__builtin_inff()));
    return OPS_SEL(inf, OPS_K(__builtin_inff()), result);
}
/* log2 of a positive number as an ff, relative error 2^-35: with s = f/(2 + f),
 * log(1 + f) = 2s + s^3 (2/3 + s^2 (...)) in v = s^2 (2^-35.8), the leading terms in ff.
 * pow multiplies this by up to 2^7 bits' worth of y. */
OPS_INLINE OPS_FF OPS_N(log2_ff)(OPS_F x) {
    OPS_I tiny = x < 0x1p-126f;
    OPS_F e, f = OPS_N(log_reduce)(OPS_SEL(tiny, x * 0x1p23f, x), &e);
    e = OPS_SEL(tiny, e - 23.0f, e);
    OPS_FF d = OPS_N(fast_two_sum)(OPS_K(2.0f), f);
    OPS_FF s = OPS_N(ff_div)((OPS_FF){f, OPS_K(0.0f)}, d);
    OPS_FF v = OPS_N(ff_mul)(s, s);
    OPS_F q = OPS_K(0x1.8f325ep-3f);
    q = OPS_FMA(q, v.h, OPS_K(0x1.c6500ap-3f));
    q = OPS_FMA(q, v.h, OPS_K(0x1.249394p-2f));
    q = OPS_FMA(q, v.h, OPS_K(0x1.999998p-2f));
    OPS_FF p = OPS_N(fast_two_sum)(OPS_K(0x1.555556p-1f), q * v.h);
    p.l += -0x1.54eae8p-26f; /* 0x1.555555558a8cp-1 less its float */
    OPS_FF w = OPS_N(ff_mul)(OPS_N(ff_mul)(s, v), p);
    OPS_FF r = OPS_N(fast_two_sum)(s.h + s.h, w.h);
    r.l += s.l + s.l + w.l;
    OPS_FF t = OPS_N(ff_mul)(r, (OPS_FF){OPS_K(0x1.715476p+0f), OPS_K(0x1.4ae0cp-26f)});
    OPS_FF y = OPS_N(fast_two_sum)(e, t.h);
    y.l += t.l;
    return OPS_N(fast_two_sum)(y.h, y.l);
}
/* |x|^y = 2^(y log2 |x|), then C99 Annex F's special cases. */
OPS_INLINE OPS_F OPS_N(pow)(OPS_F x, OPS_F y) {
    OPS_F inf = OPS_K(__builtin_inff()), a = OPS_N(abs)(x), b = OPS_N(abs)(y);
    OPS_FF l = OPS_N(log2_ff)(a);
    /* beyond 2^40 every power of a float that is not 1 has left the range */
    OPS_F c = OPS_N(copysign)(OPS_N(pick_min)(OPS_K(0x1p40f), b), y);
    OPS_FF t = OPS_N(two_prod)(c, l.h);
    t.l = OPS_FMA(c, l.l, t.l);
    OPS_I out = OPS_N(abs)(t.h) > 200.0f;
    t.h = OPS_SEL(out, OPS_N(copysign)(OPS_K(200.0f), t.h), t.h);
    t.l = OPS_SEL(out, OPS_K(0.0f), t.l);
    OPS_F r = OPS_N(exp2_ff)(t);
    OPS_F end = OPS_SEL((y < 0.0f) == (a == 0.0f), inf, OPS_K(0.0f)); /* of 0 and inf */
    r = OPS_SEL((a == 0.0f) | (a == inf), end, r);
    OPS_I whole = OPS_N(trunc)(y) == y;
    OPS_I odd = whole & (OPS_N(trunc)(0.5f * y) != 0.5f * y) & (b < 0x1p24f);
    /* Select the sign, not the result: clang 14 merges the latter into a wrong vpternlog. */
    r = OPS_N(copysign)(r, OPS_SEL(odd, x, OPS_K(0.0f)));
    r = OPS_SEL((x < 0.0f) & (a < inf) & (OPS_N(trunc)(y) != y), OPS_K(__builtin_nanf("")), r);
    r = OPS_SEL((x != x) | (y != y), x + y, r);
    return OPS_SEL((x == 1.0f) | (y == 0.0f), OPS_K(1.0f), r);
}

/* fmod is exact.  For |x/y| < 2^22 the truncated quotient is right or one too large, and
 * both remainders are floats, so the fma is exact; beyond, lane by lane. */
OPS_INLINE OPS_F OPS_N(fmod)(OPS_F x, OPS_F y) {
    OPS_F a = OPS_N(abs)(x), b = OPS_N(abs)(y), q = OPS_N(trunc)(a / b);
    OPS_F r = OPS_FMA(-q, b, a);
    r = OPS_SEL(r < 0.0f, r + b, r);
    r = OPS_SEL(a < b, a, r);
    OPS_I far = (q >= 0x1p22f) & (a < OPS_K(__builtin_inff())) & (b > 0.0f);
    if (OPS_UNLIKELY(OPS_ANY(far))) OPS_FMOD_FAR(a, b, &r);
    r = OPS_SEL((a < OPS_K(__builtin_inff())) & (b > 0.0f), r, OPS_K(__builtin_nanf("")));
    r = OPS_N(copysign)(r, x);
    return OPS_SEL((x != x) | (y != y), x + y, r);
}
/* Python's and NumPy's: fmod moved to the divisor's sign, and a zero takes that sign. */
OPS_INLINE OPS_F OPS_N(remainder)(OPS_F x, OPS_F y) {
    OPS_F r = OPS_N(fmod)(x, y);
    OPS_F moved = OPS_SEL((r < 0.0f) == (y < 0.0f), r, r + y);
    return OPS_SEL(r == 0.0f, OPS_N(copysign)(r, y), moved);
}

#undef OPS_LOG_BODY
#undef OPS_FMA
#undef OPS_SEL
#undef OPS_BITS
#undef OPS_FLT
#undef OPS_FF
