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
/* ---------------------------------------------------- the normal tail ---- */

/* e^(-s/2), s = a^2, is 2^n e^(-r/2) with n a multiple of 1/16, |r| < 0.044: a table holds
 * 2^(i/16) to 12 bits, and twice the logarithm of what that leaves, which joins r. */
OPS_TABLE16(power_start,
                0x1p0f, 0x1.0b6p0f, 0x1.172p0f, 0x1.238p0f,
            0x1.306p0f, 0x1.3dep0f,  0x1.4cp0f, 0x1.5acp0f,
             0x1.6ap0f, 0x1.7a2p0f, 0x1.8acp0f, 0x1.9c4p0f,
            0x1.ae8p0f, 0x1.c1ap0f, 0x1.d58p0f, 0x1.ea4p0f)
OPS_TABLE16(power_rest,
                        0.0f,  0x1.40ea36p-12f, -0x1.51eb06p-12f, -0x1.ae102ap-13f,
             -0x1.ab493p-12f, -0x1.0bd64ap-12f,   0x1.ca8cep-15f,   0x1.6e6bdp-12f,
             -0x1.c00c4p-13f,  0x1.3ef782p-12f,  -0x1.29552p-12f, -0x1.696bfcp-13f,
            -0x1.7b9c1cp-13f,  0x1.c81dd6p-14f, -0x1.b1d1bap-16f, -0x1.6ed6bap-13f)
/* Tail(a) = erfc(a/sqrt 2)/2 = e^(-a^2/2) g(a), g falling from 1/2 to 0.027 in [0, 14.8].
 * Its cells are quarter octaves of a + 1, and the bits of that sum above bit 20 number them
 * (from 2 on, so that [1, 2) comes last).  In each, g = start (1 + c0 + c1 d + ... + c6 d^6)
 * for d = a - centre (2^-27.4 and better).  start has 12 bits, hence its product with a
 * power_start is exact; its factor 2^64 keeps the products of subnormal numbers exact. */
OPS_TABLE16(tail_centre,
             0x1.4p0f,  0x1.cp0f,  0x1.2p1f,  0x1.6p1f,
             0x1.cp1f,  0x1.2p2f,  0x1.6p2f,  0x1.ap2f,
               0x1p3f,  0x1.4p3f,  0x1.8p3f,  0x1.cp3f,
              0x1p-3f, 0x1.8p-2f, 0x1.4p-1f, 0x1.cp-1f)
OPS_TABLE16(tail_start,
            0x1.d8ap61f, 0x1.7b6p61f, 0x1.3aap61f, 0x1.0bcp61f,
            0x1.b3ap60f, 0x1.5b6p60f, 0x1.202p60f, 0x1.ebap59f,
            0x1.926p59f, 0x1.43ap59f, 0x1.0e8p59f, 0x1.d08p58f,
            0x1.d0ap62f, 0x1.84cp62f, 0x1.4b2p62f, 0x1.1e8p62f)
OPS_TABLE16(tail_c0,
            -0x1.ee8586p-15f,  -0x1.c6693p-15f,  0x1.690f1ep-13f, -0x1.9349e4p-14f,
            -0x1.53675ep-14f, -0x1.ea5c14p-15f, -0x1.34add6p-18f,  0x1.8f7c82p-15f,
             0x1.809fa2p-14f,  0x1.66b14ep-15f, -0x1.0a5b24p-15f,  0x1.0ecd4ep-14f,
             0x1.0b79cap-13f, -0x1.7a5532p-14f, -0x1.a3b08ap-16f, -0x1.b55254p-15f)
OPS_TABLE16(tail_c1,
            -0x1.ea4784p-2f, -0x1.9d6a52p-2f, -0x1.62c6fcp-2f, -0x1.34fc82p-2f,
            -0x1.016764p-2f,  -0x1.a26c3p-3f, -0x1.5f0bf6p-3f, -0x1.2db004p-3f,
            -0x1.f12b66p-4f, -0x1.91ce9ep-4f, -0x1.50bd14p-4f, -0x1.21ad9ap-4f,
            -0x1.8229a8p-1f, -0x1.5a0d18p-1f, -0x1.37acbcp-1f, -0x1.1a13f6p-1f)
OPS_TABLE16(tail_c2,
            0x1.9b172cp-3f,  0x1.2c77cp-3f, 0x1.c3dadap-4f, 0x1.5c60ccp-4f,
            0x1.ec03e8p-5f, 0x1.49f518p-5f, 0x1.d4ef4ep-6f, 0x1.5c8384p-6f,
            0x1.dc1538p-7f, 0x1.386b02p-7f, 0x1.b80e94p-8f, 0x1.462a76p-8f,
            0x1.cfcb82p-2f, 0x1.7e2f44p-2f, 0x1.3d30c4p-2f, 0x1.0927b4p-2f)
OPS_TABLE16(tail_c3,
             -0x1.371dd8p-4f,  -0x1.915638p-5f,  -0x1.0c4858p-5f,  -0x1.728a26p-6f,
             -0x1.c18628p-7f,  -0x1.f7a8b2p-8f,  -0x1.31a1c4p-8f,   -0x1.8b163p-9f,
            -0x1.c1c846p-10f, -0x1.e17256p-11f, -0x1.1dadbcp-11f, -0x1.6d78b2p-12f,
             -0x1.dc3d58p-3f,  -0x1.6dda64p-3f,  -0x1.1b6818p-3f,  -0x1.badfccp-4f)
OPS_TABLE16(tail_c4,
             0x1.b13f98p-6f,   0x1.f37eap-7f,  0x1.2c0d1ap-7f,  0x1.7683f8p-8f,
             0x1.8a7eeap-9f, 0x1.75091ap-10f, 0x1.8560aep-11f,   0x1.b7f2p-12f,
             0x1.a3883p-13f, 0x1.6fba36p-14f, 0x1.70961ep-15f, 0x1.9795d4p-16f,
             0x1.b208b4p-4f,  0x1.3996dep-4f,  0x1.c93baap-5f,   0x1.5089fp-5f)
OPS_TABLE16(tail_c5,
             -0x1.1c30b2p-7f,  -0x1.272aeep-8f,  -0x1.413c44p-9f,  -0x1.6b534p-10f,
            -0x1.53d53ap-11f, -0x1.1046a8p-12f, -0x1.eac566p-14f, -0x1.e5e898p-15f,
             -0x1.8b961p-16f, -0x1.1ad0a6p-17f, -0x1.de710cp-19f, -0x1.c8e0b8p-20f,
             -0x1.67213cp-5f,  -0x1.ed3156p-6f,   -0x1.52b59p-6f,   -0x1.d4c5bp-7f)
OPS_TABLE16(tail_c6,
             0x1.5b10c8p-9f, 0x1.47a66ap-10f, 0x1.44c3d4p-11f,  0x1.52393p-12f,
             0x1.17199p-13f, 0x1.7f6d9ap-15f, 0x1.2c5e46p-16f, 0x1.060f26p-17f,
            0x1.6a22c4p-19f, 0x1.aaba4ap-21f, 0x1.31b1bcp-22f, 0x1.f86b04p-24f,
             0x1.126fc4p-6f,  0x1.64a7aap-7f,  0x1.dbd698p-8f,  0x1.3dadc8p-8f)

OPS_INLINE OPS_U OPS_N(tail_cell)(OPS_F one_plus_a) { return OPS_BITS(one_plus_a) >> 21; }
/* factor Tail(a) 2^64 as p 2^n, given s = a^2 as an ff, and a's cell and d there.  Both
 * e^(-r/2) and g/start are 1 + something below 0.16, so that only those somethings round:
 * their product is formed without the two ones and added last. */
OPS_INLINE OPS_F OPS_N(tail)(OPS_F factor, OPS_FF s, OPS_U cell, OPS_F d, OPS_F *n, OPS_F *shifted) {
    *shifted = OPS_FMA(s.h, OPS_K(-0.5f * OPS_LOG2E), OPS_K(OPS_MAGIC_16));
    *n = *shifted - OPS_MAGIC_16;
    OPS_U i = OPS_BITS(*shifted);
    OPS_F r = OPS_FMA(*n, OPS_K(2.0f * OPS_LN2_HI), s.h); /* exact */
    r = r + (OPS_FMA(*n, OPS_K(2.0f * OPS_LN2_LO), s.l) + OPS_N(power_rest)(i));
    OPS_F e = OPS_FMA(r, OPS_K(-0x1.555598p-6f), OPS_K(0x1.000224p-3f)); /* 2^-29.2 */
    e = OPS_FMA(e, r, OPS_K(-0.5f)) * r;
    OPS_F g = OPS_FMA(OPS_N(tail_c6)(cell), d, OPS_N(tail_c5)(cell));
    g = OPS_FMA(g, d, OPS_N(tail_c4)(cell));
    g = OPS_FMA(g, d, OPS_N(tail_c3)(cell));
    g = OPS_FMA(g, d, OPS_N(tail_c2)(cell));
    g = OPS_FMA(g, d, OPS_N(tail_c1)(cell));
    g = OPS_FMA(g, d, OPS_N(tail_c0)(cell));
    OPS_FF m = OPS_N(two_prod)(factor, OPS_N(power_start)(i) * OPS_N(tail_start)(cell));
    return m.h + OPS_FMA(m.h, OPS_FMA(e, g, e) + g, m.l);
}
#define OPS_SQRT2_HI 0x1.6a09e6p+0f
#define OPS_SQRT2_LO 0x1.9fcef4p-26f
/* 2 Tail(a) on the right and 2 - 2 Tail(a) on the left, a = |x| sqrt 2. */
OPS_INLINE OPS_F OPS_N(erfc)(OPS_F x) {
    OPS_F n, shifted, b = OPS_N(pick_min)(OPS_K(10.3f), OPS_N(abs)(x));
    OPS_FF s = OPS_N(two_prod)(b + b, b);
    OPS_U cell = OPS_N(tail_cell)(OPS_FMA(b, OPS_K(OPS_SQRT2_HI), OPS_K(1.0f)));
    OPS_F d = OPS_FMA(b, OPS_K(OPS_SQRT2_HI), -OPS_N(tail_centre)(cell));
    d = OPS_FMA(b, OPS_K(OPS_SQRT2_LO), d);
    OPS_F t = OPS_N(tail)(OPS_K(2.0f), s, cell, d, &n, &shifted);
    t = OPS_N(scale2_16)(t, n - 64.0f, shifted - 64.0f);
    return OPS_SEL(x < 0.0f, 2.0f - t, t);
}
/* x Phi(x): -|x| Tail(|x|) on the left, |x| - |x| Tail(|x|) on the right.
 * gelu(-inf) = -inf * 0 = nan, as the formula and PyTorch have it. */
OPS_INLINE OPS_F OPS_N(gelu)(OPS_F x) {
    OPS_F n, shifted, b = OPS_N(pick_min)(OPS_K(14.75f), OPS_N(abs)(x));
    OPS_U cell = OPS_N(tail_cell)(b + 1.0f);
    OPS_F d = b - OPS_N(tail_centre)(cell);
    OPS_F t = OPS_N(tail)(b, OPS_N(two_prod)(b, b), cell, d, &n, &shifted);
    t = OPS_N(scale2_16)(t, n - 64.0f, shifted - 64.0f);
    OPS_F r = OPS_N(pick_max)(OPS_K(-0.0f), x) - t; /* nan and both zeros: x */
    return OPS_SEL(x == OPS_K(-__builtin_inff()), OPS_K(__builtin_nanf("")), r);
}
