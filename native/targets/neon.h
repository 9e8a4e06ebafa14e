/* Row "neon": 16-byte vectors, 64-bit Arm (fma, sqrt and roundings are part of the base). */
#define OPS_VECTOR_BYTES 16
#define OPS_TARGET_NAME "neon"
#include <arm_neon.h>

#define OPS_ROW_FMA_F32(a, b, c) \
    vfmaq_f32((float32x4_t)(c), (float32x4_t)(a), (float32x4_t)(b))
#define OPS_ROW_FMA_F64(a, b, c) \
    vfmaq_f64((float64x2_t)(c), (float64x2_t)(a), (float64x2_t)(b))
#define OPS_ROW_SQRT_F32(a) vsqrtq_f32((float32x4_t)(a))
#define OPS_ROW_SQRT_F64(a) vsqrtq_f64((float64x2_t)(a))
#define OPS_ROW_RINT_F32(a) vrndnq_f32((float32x4_t)(a))
#define OPS_ROW_FLOOR_F32(a) vrndmq_f32((float32x4_t)(a))
#define OPS_ROW_CEIL_F32(a) vrndpq_f32((float32x4_t)(a))
#define OPS_ROW_TRUNC_F32(a) vrndq_f32((float32x4_t)(a))
#define OPS_ROW_RINT_F64(a) vrndnq_f64((float64x2_t)(a))
#define OPS_ROW_FLOOR_F64(a) vrndmq_f64((float64x2_t)(a))
#define OPS_ROW_CEIL_F64(a) vrndpq_f64((float64x2_t)(a))
#define OPS_ROW_TRUNC_F64(a) vrndq_f64((float64x2_t)(a))
#define OPS_ROW_SELECT_32(m, a, b) \
    vbslq_f32((uint32x4_t)(m), (float32x4_t)(a), (float32x4_t)(b))
#define OPS_ROW_ANY_32(m) (vmaxvq_u32((uint32x4_t)(m)) != 0)
#define OPS_ROW_ALL_32(m) (vminvq_u32((uint32x4_t)(m)) != 0)
/* Four table registers at once; the byte numbers of lane i are 4 (i mod 16) + 0, 1, 2, 3. */
#define OPS_ROW_TABLE16_F32(t, i)                                               \
    vqtbl4q_u8(vld1q_u8_x4((const uint8_t *)(t)),                               \
               (uint8x16_t)(((uint32x4_t)(i) & 15u) * 0x04040404u + 0x03020100u))
/* A half vector is four halves in a D register.  FPCR.FZ16 and AHP are clear by the ABI. */
#define OPS_ROW_F16_TO_F32(h) vcvt_f32_f16((float16x4_t)(h))
#define OPS_ROW_F32_TO_F16(f) vcvt_f16_f32((float32x4_t)(f))
