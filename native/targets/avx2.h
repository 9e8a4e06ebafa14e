/* Row "avx2": 32-byte vectors, x86 with AVX2, FMA and F16C (Haswell, Zen and later). */
#define OPS_VECTOR_BYTES 32
#define OPS_TARGET_NAME "avx2"
#include <immintrin.h>

#define OPS_ROW_FMA_F32(a, b, c) _mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c))
#define OPS_ROW_FMA_F64(a, b, c) _mm256_fmadd_pd((__m256d)(a), (__m256d)(b), (__m256d)(c))
#define OPS_ROW_SQRT_F32(a) _mm256_sqrt_ps((__m256)(a))
#define OPS_ROW_SQRT_F64(a) _mm256_sqrt_pd((__m256d)(a))
/* 0x08 = no inexact exception; low bits: 0 nearest-even, 1 down, 2 up, 3 to zero. */
#define OPS_ROW_RINT_F32(a) _mm256_round_ps((__m256)(a), 0x08)
#define OPS_ROW_FLOOR_F32(a) _mm256_round_ps((__m256)(a), 0x09)
#define OPS_ROW_CEIL_F32(a) _mm256_round_ps((__m256)(a), 0x0a)
#define OPS_ROW_TRUNC_F32(a) _mm256_round_ps((__m256)(a), 0x0b)
#define OPS_ROW_RINT_F64(a) _mm256_round_pd((__m256d)(a), 0x08)
#define OPS_ROW_FLOOR_F64(a) _mm256_round_pd((__m256d)(a), 0x09)
#define OPS_ROW_CEIL_F64(a) _mm256_round_pd((__m256d)(a), 0x0a)
#define OPS_ROW_TRUNC_F64(a) _mm256_round_pd((__m256d)(a), 0x0b)
/* maxps(a, b) is exactly a > b ? a : b, so a nan in b survives (see ops_pick_max). */
#define OPS_ROW_PICK_MAX_F32(a, b) _mm256_max_ps((__m256)(a), (__m256)(b))
#define OPS_ROW_PICK_MIN_F32(a, b) _mm256_min_ps((__m256)(a), (__m256)(b))
#define OPS_ROW_SELECT_32(m, a, b) \
    _mm256_blendv_ps((__m256)(b), (__m256)(a), (__m256)(m))
/* vpermps takes the low three bits of each index; the fourth chooses between the halves. */
#define OPS_ROW_TABLE16_F32(t, i)                                                       \
    _mm256_blendv_ps(                                                                   \
        _mm256_permutevar8x32_ps(_mm256_loadu_ps((const void *)(t)), (__m256i)(i)),     \
        _mm256_permutevar8x32_ps(_mm256_loadu_ps((const void *)((t) + 8)), (__m256i)(i)), \
        _mm256_castsi256_ps(_mm256_slli_epi32((__m256i)(i), 28)))
/* cvttps2dq: truncation, and INT_MIN for nan and out of range. */
#define OPS_ROW_F32_TO_I32(a) _mm256_cvttps_epi32((__m256)(a))
#define OPS_ROW_ANY_32(m) (_mm256_movemask_ps((__m256)(m)) != 0)
#define OPS_ROW_ALL_32(m) (_mm256_movemask_ps((__m256)(m)) == 0xff)

/* Eight halves live in an xmm register. */
#define OPS_ROW_F16_TO_F32(h) _mm256_cvtph_ps((__m128i)(h))
#define OPS_ROW_F32_TO_F16(f) _mm256_cvtps_ph((__m256)(f), 0)

/* vpmaskmov takes the sign bit of each element; masked lanes are never touched. */
#define OPS_ROW_LOAD_N_32(p, m) _mm256_maskload_epi32((const int *)(p), (__m256i)(m))
#define OPS_ROW_STORE_N_32(p, m, v) \
    _mm256_maskstore_epi32((int *)(p), (__m256i)(m), (__m256i)(v))
#define OPS_ROW_LOAD_N_64(p, m) \
    _mm256_maskload_epi64((const long long *)(p), (__m256i)(m))
#define OPS_ROW_STORE_N_64(p, m, v) \
    _mm256_maskstore_epi64((long long *)(p), (__m256i)(m), (__m256i)(v))
