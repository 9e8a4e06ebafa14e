/* erf, erfc, gelu.
 * A part of opslib_math_f32.h, which see. */

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
