/* sinh to atanh.
 * A part of opslib_math_f32.h, which see. */

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
    OPS_FF s = OPS_N(ff_mul)(u, OPS_FF_OF{c, OPS_K(0.0f)});
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
    OPS_FF t = OPS_N(ff_div)(OPS_FF_OF{a + a, OPS_K(0.0f)}, OPS_FF_OF{1.0f - a, OPS_K(0.0f)});
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
