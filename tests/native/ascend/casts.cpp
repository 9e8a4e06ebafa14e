// Cast of 2048 elements at a time; modes by template.  Names: from_to_mode.
#include "kernels.h"

namespace {
template <typename T, typename U, RoundMode mode>
void convert(uint8_t* x, uint8_t* y, uint8_t* z) {
    int64_t count = gm<int64_t>(y, 1).GetValue(0);
    auto a = ub<U>(0, 2048);
    auto c = ub<T>(32768, 2048);
    for (int64_t i = 0; i < count; i += 2048) {
        uint32_t n = count - i < 2048 ? uint32_t(count - i) : 2048;
        load(a, x + i * int64_t(sizeof(U)), n);
        Cast(c, a, mode, n);
        store(z + i * int64_t(sizeof(T)), c, n);
    }
}
}  // namespace

#define CAST(NAME, FROM, TO, MODE) \
    KERNEL(NAME) { convert<TO, FROM, RoundMode::MODE>(x, y, z); }
CAST(f16_f32_none, half, float, CAST_NONE)
CAST(f16_i32_rint, half, int32_t, CAST_RINT)
CAST(f16_i32_floor, half, int32_t, CAST_FLOOR)
CAST(f16_i32_ceil, half, int32_t, CAST_CEIL)
CAST(f16_i32_round, half, int32_t, CAST_ROUND)
CAST(f16_i32_trunc, half, int32_t, CAST_TRUNC)
CAST(f16_i16_rint, half, int16_t, CAST_RINT)
CAST(f16_i16_floor, half, int16_t, CAST_FLOOR)
CAST(f16_i16_ceil, half, int16_t, CAST_CEIL)
CAST(f16_i16_round, half, int16_t, CAST_ROUND)
CAST(f16_i16_trunc, half, int16_t, CAST_TRUNC)
CAST(f16_i8_none, half, int8_t, CAST_NONE)
CAST(f16_i8_rint, half, int8_t, CAST_RINT)
CAST(f16_i8_floor, half, int8_t, CAST_FLOOR)
CAST(f16_i8_ceil, half, int8_t, CAST_CEIL)
CAST(f16_i8_round, half, int8_t, CAST_ROUND)
CAST(f16_i8_trunc, half, int8_t, CAST_TRUNC)
CAST(f16_u8_none, half, uint8_t, CAST_NONE)
CAST(f16_u8_rint, half, uint8_t, CAST_RINT)
CAST(f16_u8_floor, half, uint8_t, CAST_FLOOR)
CAST(f16_u8_ceil, half, uint8_t, CAST_CEIL)
CAST(f16_u8_round, half, uint8_t, CAST_ROUND)
CAST(f16_u8_trunc, half, uint8_t, CAST_TRUNC)
CAST(bf16_f32_none, bfloat16_t, float, CAST_NONE)
CAST(bf16_i32_rint, bfloat16_t, int32_t, CAST_RINT)
CAST(bf16_i32_floor, bfloat16_t, int32_t, CAST_FLOOR)
CAST(bf16_i32_ceil, bfloat16_t, int32_t, CAST_CEIL)
CAST(bf16_i32_round, bfloat16_t, int32_t, CAST_ROUND)
CAST(bf16_i32_trunc, bfloat16_t, int32_t, CAST_TRUNC)
CAST(i16_f16_none, int16_t, half, CAST_NONE)
CAST(i16_f16_rint, int16_t, half, CAST_RINT)
CAST(i16_f16_floor, int16_t, half, CAST_FLOOR)
CAST(i16_f16_ceil, int16_t, half, CAST_CEIL)
CAST(i16_f16_round, int16_t, half, CAST_ROUND)
CAST(i16_f16_trunc, int16_t, half, CAST_TRUNC)
CAST(i16_f32_none, int16_t, float, CAST_NONE)
CAST(i8_f16_none, int8_t, half, CAST_NONE)
CAST(u8_f16_none, uint8_t, half, CAST_NONE)
CAST(f32_f16_none, float, half, CAST_NONE)
CAST(f32_f16_rint, float, half, CAST_RINT)
CAST(f32_f16_floor, float, half, CAST_FLOOR)
CAST(f32_f16_ceil, float, half, CAST_CEIL)
CAST(f32_f16_round, float, half, CAST_ROUND)
CAST(f32_f16_trunc, float, half, CAST_TRUNC)
CAST(f32_f16_odd, float, half, CAST_ODD)
CAST(f32_bf16_rint, float, bfloat16_t, CAST_RINT)
CAST(f32_bf16_floor, float, bfloat16_t, CAST_FLOOR)
CAST(f32_bf16_ceil, float, bfloat16_t, CAST_CEIL)
CAST(f32_bf16_round, float, bfloat16_t, CAST_ROUND)
CAST(f32_bf16_trunc, float, bfloat16_t, CAST_TRUNC)
CAST(f32_f32_rint, float, float, CAST_RINT)
CAST(f32_f32_floor, float, float, CAST_FLOOR)
CAST(f32_f32_ceil, float, float, CAST_CEIL)
CAST(f32_f32_round, float, float, CAST_ROUND)
CAST(f32_f32_trunc, float, float, CAST_TRUNC)
CAST(f32_i32_rint, float, int32_t, CAST_RINT)
CAST(f32_i32_floor, float, int32_t, CAST_FLOOR)
CAST(f32_i32_ceil, float, int32_t, CAST_CEIL)
CAST(f32_i32_round, float, int32_t, CAST_ROUND)
CAST(f32_i32_trunc, float, int32_t, CAST_TRUNC)
CAST(f32_i64_rint, float, int64_t, CAST_RINT)
CAST(f32_i64_floor, float, int64_t, CAST_FLOOR)
CAST(f32_i64_ceil, float, int64_t, CAST_CEIL)
CAST(f32_i64_round, float, int64_t, CAST_ROUND)
CAST(f32_i64_trunc, float, int64_t, CAST_TRUNC)
CAST(f32_i16_rint, float, int16_t, CAST_RINT)
CAST(f32_i16_floor, float, int16_t, CAST_FLOOR)
CAST(f32_i16_ceil, float, int16_t, CAST_CEIL)
CAST(f32_i16_round, float, int16_t, CAST_ROUND)
CAST(f32_i16_trunc, float, int16_t, CAST_TRUNC)
CAST(i32_f32_none, int32_t, float, CAST_NONE)
CAST(i32_f32_rint, int32_t, float, CAST_RINT)
CAST(i32_f32_floor, int32_t, float, CAST_FLOOR)
CAST(i32_f32_ceil, int32_t, float, CAST_CEIL)
CAST(i32_f32_round, int32_t, float, CAST_ROUND)
CAST(i32_f32_trunc, int32_t, float, CAST_TRUNC)
CAST(i32_i64_none, int32_t, int64_t, CAST_NONE)
CAST(i32_i16_none, int32_t, int16_t, CAST_NONE)
CAST(i64_i32_none, int64_t, int32_t, CAST_NONE)
CAST(i64_f32_rint, int64_t, float, CAST_RINT)
CAST(i64_f32_floor, int64_t, float, CAST_FLOOR)
CAST(i64_f32_ceil, int64_t, float, CAST_CEIL)
CAST(i64_f32_round, int64_t, float, CAST_ROUND)
CAST(i64_f32_trunc, int64_t, float, CAST_TRUNC)
