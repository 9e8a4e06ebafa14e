/* exp, log, sigmoid and their families.
 * A part of opslib_math_f32.h, which see. */

/* --------------------------------------------- exp: reduction and scaling ---- */

/* Adding 1.5 * 2^23 rounds to an integer and leaves it, in two's complement, in the low
 * mantissa bits: one addition gives n both as float (subtract again) and as integer. */
#define OPS_MAGIC 0x1.8p23f
/* The same in sixteenths: the low four bits are then a fraction's place in a table. */
#define OPS_MAGIC_16 0x1.8p19f

/* p * 2^n, rounded once also when the result is subnormal, inf on overflow; n is an
 * integer in [-252, 254], shifted = n + OPS_MAGIC.  2^n alone may not be a float, so
 * the first half of n goes into p's exponent exactly and the second is a product. */
OPS_INLINE OPS_F OPS_N(scale2_bits)(OPS_F p, OPS_I i) {
    OPS_I half = i >> 1;
    OPS_F first = OPS_FLT((((OPS_U)half) << 23) + 0x3f800000u);
    OPS_F second = OPS_FLT(((OPS_U)(i - half) << 23) + 0x3f800000u);
    return p * first * second;
}
OPS_INLINE OPS_F OPS_N(scale2)(OPS_F p, OPS_F n, OPS_F shifted) {
#if defined(OPS_SCALE2)
    (void)shifted;
    return OPS_SCALE2(p, n);
#else
    (void)n;
    return OPS_N(scale2_bits)(p, (OPS_I)OPS_BITS(shifted));
#endif
}
/* n and shifted = n + OPS_MAGIC_16 in sixteenths: p * 2^floor(n). */
OPS_INLINE OPS_F OPS_N(scale2_16)(OPS_F p, OPS_F n, OPS_F shifted) {
#if defined(OPS_SCALE2)
    (void)shifted;
    return OPS_SCALE2(p, n);
#else
    (void)n;
    return OPS_N(scale2_bits)(p, (OPS_I)OPS_BITS(shifted) >> 4);
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
    return OPS_FF_OF{h, (s - (h - 1.0f)) + lost};
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
    return OPS_N(exp2_ff)(OPS_FF_OF{x, OPS_K(0.0f)});
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
/* log(1 + f) = f - f^2/2 + f^3 P(f), degree 7 (2^-27.2); this is P. */
OPS_INLINE OPS_F OPS_N(log_p)(OPS_F f) {
    OPS_F p = OPS_K(-0x1.351686p-4f);
    p = OPS_FMA(p, f, OPS_K(0x1.048f56p-3f));
    p = OPS_FMA(p, f, OPS_K(-0x1.0de8cp-3f));
    p = OPS_FMA(p, f, OPS_K(0x1.2307b2p-3f));
    p = OPS_FMA(p, f, OPS_K(-0x1.546bfp-3f));
    p = OPS_FMA(p, f, OPS_K(0x1.999cf8p-3f));
    p = OPS_FMA(p, f, OPS_K(-0x1.000236p-2f));
    return OPS_FMA(p, f, OPS_K(0x1.55555cp-2f));
}
/* All of log(1 + f) but the f. */
OPS_INLINE OPS_F OPS_N(log_tail)(OPS_F f) {
    return OPS_FMA(OPS_N(log_p)(f), f, OPS_K(-0.5f)) * (f * f);
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
    OPS_F low = OPS_FMA(df, OPS_FMA(f, f, -f), df);
    /* f^2/2 may be a fifth of the result, so its rounding error counts too */
    OPS_FF w = OPS_N(two_prod)(f, f);
    low = OPS_FMA(w.l, OPS_K(-0.5f), low);
    OPS_F tail = OPS_FMA(OPS_N(log_p)(f) * f, w.h, OPS_FMA(w.h, OPS_K(-0.5f), low));
    OPS_FF a = OPS_N(fast_two_sum)(f, tail);
    OPS_FF b = OPS_N(fast_two_sum)(e * OPS_LN2_HI, a.h);
    b.l += OPS_FMA(e, OPS_K(OPS_LN2_LO), a.l);
    return b;
}
OPS_INLINE OPS_F OPS_N(log1p)(OPS_F x) {
    OPS_FF r = OPS_N(log1p_ff)(OPS_FF_OF{x, OPS_K(0.0f)});
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
    return OPS_FF_OF{q, rest * r};
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
    OPS_FF c = OPS_N(ff_mul)(s, OPS_FF_OF{OPS_K(OPS_GELU_C3_HI), OPS_K(OPS_GELU_C3_LO)});
    OPS_FF d = OPS_N(two_sum)(OPS_K(OPS_GELU_C1_HI), c.h);
    d.l += c.l + OPS_GELU_C1_LO;
    OPS_FF v = OPS_N(ff_mul)(d, OPS_FF_OF{-a, OPS_K(0.0f)});
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
