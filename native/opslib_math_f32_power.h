/* Roots, hypot, pow, remainders.
 * A part of opslib_math_f32.h, which see. */

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
    OPS_FF s = OPS_N(ff_div)(OPS_FF_OF{f, OPS_K(0.0f)}, d);
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
    OPS_FF t = OPS_N(ff_mul)(r, OPS_FF_OF{OPS_K(0x1.715476p+0f), OPS_K(0x1.4ae0cp-26f)});
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
