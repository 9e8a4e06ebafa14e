/* Row "avx512": 64-byte vectors, x86 with AVX-512 F, BW, DQ and VL (Skylake-X, Zen 4
 * and later). */
#define OPS_VECTOR_BYTES 64
#define OPS_TARGET_NAME "avx512"
#include <immintrin.h>

#define OPS_ROW_FMA_F32(a, b, c) _mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c))
#define OPS_ROW_FMA_F64(a, b, c) _mm512_fmadd_pd((__m512d)(a), (__m512d)(b), (__m512d)(c))
#define OPS_ROW_SQRT_F32(a) _mm512_sqrt_ps((__m512)(a))
#define OPS_ROW_SQRT_F64(a) _mm512_sqrt_pd((__m512d)(a))
/* 0x08 = no inexact exception; low bits: 0 nearest-even, 1 down, 2 up, 3 to zero. */
#define OPS_ROW_RINT_F32(a) _mm512_roundscale_ps((__m512)(a), 0x08)
#define OPS_ROW_FLOOR_F32(a) _mm512_roundscale_ps((__m512)(a), 0x09)
#define OPS_ROW_CEIL_F32(a) _mm512_roundscale_ps((__m512)(a), 0x0a)
#define OPS_ROW_TRUNC_F32(a) _mm512_roundscale_ps((__m512)(a), 0x0b)
#define OPS_ROW_RINT_F64(a) _mm512_roundscale_pd((__m512d)(a), 0x08)
#define OPS_ROW_FLOOR_F64(a) _mm512_roundscale_pd((__m512d)(a), 0x09)
#define OPS_ROW_CEIL_F64(a) _mm512_roundscale_pd((__m512d)(a), 0x0a)
#define OPS_ROW_TRUNC_F64(a) _mm512_roundscale_pd((__m512d)(a), 0x0b)
/* maxps(a, b) is exactly a > b ? a : b, so a nan in b survives (see ops_pick_max). */
#define OPS_ROW_PICK_MAX_F32(a, b) _mm512_max_ps((__m512)(a), (__m512)(b))
#define OPS_ROW_PICK_MIN_F32(a, b) _mm512_min_ps((__m512)(a), (__m512)(b))
/* vpmovd2m of a fresh comparison folds away: the mask stays in a k register. */
#define OPS_ROW_SELECT_32(m, a, b) \
    _mm512_mask_blend_ps(_mm512_movepi32_mask((__m512i)(m)), (__m512)(b), (__m512)(a))
/* vpermps takes the low four bits of each index. */
#define OPS_ROW_TABLE16_F32(t, i) \
    _mm512_permutexvar_ps((__m512i)(i), _mm512_loadu_ps((const void *)(t)))
/* cvttps2dq: truncation, and INT_MIN for nan and out of range. */
#define OPS_ROW_F32_TO_I32(a) _mm512_cvttps_epi32((__m512)(a))
#define OPS_ROW_ANY_32(m) (_mm512_movepi32_mask((__m512i)(m)) != 0)
#define OPS_ROW_ALL_32(m) (_mm512_movepi32_mask((__m512i)(m)) == 0xffff)
/* vscalefps: a * 2^floor(b), one rounding, subnormal results right. */
#define OPS_ROW_SCALE2_F32(a, b) _mm512_scalef_ps((__m512)(a), (__m512)(b))

#define OPS_ROW_F16_TO_F32(h) _mm512_cvtph_ps((__m256i)(h))
#define OPS_ROW_F32_TO_F16(f) _mm512_cvtps_ph((__m512)(f), 0)

/* Masked moves: masked lanes are never touched.  K(n) is the mask of the first n. */
#define OPS_ROW_K(n) ((uint32_t)((1ull << (n)) - 1))
#define OPS_ROW_TAIL_8(p, n) \
    _mm_maskz_loadu_epi8((__mmask16)OPS_ROW_K(n), (const void *)(p))
#define OPS_ROW_TAIL_16(p, n) \
    _mm256_maskz_loadu_epi16((__mmask16)OPS_ROW_K(n), (const void *)(p))
#define OPS_ROW_TAIL_32(p, n) \
    _mm512_maskz_loadu_epi32((__mmask16)OPS_ROW_K(n), (const void *)(p))
#define OPS_ROW_STORE_TAIL_8(p, n, v) \
    _mm_mask_storeu_epi8((void *)(p), (__mmask16)OPS_ROW_K(n), (__m128i)(v))
#define OPS_ROW_STORE_TAIL_16(p, n, v) \
    _mm256_mask_storeu_epi16((void *)(p), (__mmask16)OPS_ROW_K(n), (__m256i)(v))
#define OPS_ROW_STORE_TAIL_32(p, n, v) \
    _mm512_mask_storeu_epi32((void *)(p), (__mmask16)OPS_ROW_K(n), (__m512i)(v))
/* The two halves of a 64-bit-element vector: n counts lanes in this half, 0..8. */
#define OPS_ROW_TAIL_64(p, n) \
    _mm512_maskz_loadu_epi64((__mmask8)OPS_ROW_K(n), (const void *)(p))
#define OPS_ROW_STORE_TAIL_64(p, n, v) \
    _mm512_mask_storeu_epi64((void *)(p), (__mmask8)OPS_ROW_K(n), (__m512i)(v))
