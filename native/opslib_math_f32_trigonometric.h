/* sin, cos, tan and their inverses.
 * A part of opslib_math_f32.h, which see. */

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
    OPS_FF s = OPS_N(ff_sqrt)(OPS_FF_OF{half, OPS_K(0.0f)});
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
    OPS_FF s = OPS_N(ff_sqrt)(OPS_FF_OF{half, OPS_K(0.0f)});
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
