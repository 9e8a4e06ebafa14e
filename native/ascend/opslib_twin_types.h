/* Element types, enumerations and parameter blocks, as the API pages define them. */
#ifndef OPSLIB_TWIN_TYPES_H
#define OPSLIB_TWIN_TYPES_H

#include <stdint.h>

#include "opslib_twin_target.h"

#define __aicore__
#define __global__
#define __vector__
#define __cube__
#define __mix__(...)
#define __gm__
#define __ubuf__
#define __cbuf__
#define __ca__
#define __cb__
#define __cc__
/* The architecture, as the device's compiler names it (predefined macros,
 * atlas_ascendc_10_00044). */
#define __NPU_ARCH__ OPSLIB_TARGET

namespace opslib_twin {
uint16_t half_of(float value);
float float_of_half(uint16_t bits);
uint16_t bfloat16_of(float value);
float float_of_bfloat16(uint16_t bits);
}  // namespace opslib_twin

/* No arithmetic: the generator converts at the edges, so a missing conversion is an
 * error of the compiler here and not a slow emulation on the scalar unit there. */
struct half {
    uint16_t bits;
    half() = default;
    explicit half(float value) : bits(opslib_twin::half_of(value)) {}
    explicit operator float() const { return opslib_twin::float_of_half(bits); }
};

struct bfloat16_t {
    uint16_t bits;
    bfloat16_t() = default;
    explicit bfloat16_t(float value) : bits(opslib_twin::bfloat16_of(value)) {}
    explicit operator float() const { return opslib_twin::float_of_bfloat16(bits); }
};

enum pipe_t {
    PIPE_S,
    PIPE_V,
    PIPE_M,
    PIPE_MTE1,
    PIPE_MTE2,
    PIPE_MTE3,
    PIPE_ALL,
    PIPE_FIX = 10,
};

namespace AscendC {

enum class TPosition : uint8_t {
    GM,
    A1,
    A2,
    B1,
    B2,
    C1,
    C2,
    CO1,
    CO2,
    VECIN,
    VECOUT,
    VECCALC,
    LCM,
    SPM,
};

enum class HardEvent : uint8_t {
    MTE2_MTE1,
    MTE1_MTE2,
    MTE1_M,
    M_MTE1,
    MTE2_V,
    V_MTE2,
    MTE3_V,
    V_MTE3,
    M_V,
    V_M,
    V_V,
    MTE3_MTE1,
    MTE1_MTE3,
    MTE1_V,
    MTE2_M,
    M_MTE2,
    V_MTE1,
    M_FIX,
    FIX_M,
    MTE3_MTE2,
    MTE2_MTE3,
    S_V,
    V_S,
    S_MTE2,
    MTE2_S,
    S_MTE3,
    MTE3_S,
    MTE2_FIX,
    FIX_MTE2,
    FIX_S,
    M_S,
    FIX_MTE3,
    MTE1_FIX,
    FIX_MTE1,
    FIX_FIX,
    FIX_V,
    MAX,
};

enum class RoundMode : uint8_t {
    CAST_NONE,
    CAST_RINT,
    CAST_FLOOR,
    CAST_CEIL,
    CAST_ROUND,
    CAST_TRUNC,
    CAST_ODD,
};

enum class CMPMODE : uint8_t {
    LT,
    GT,
    EQ,
    LE,
    GE,
    NE
};

enum class SELMODE : uint8_t {
    VSEL_CMPMASK_SPR,
    VSEL_TENSOR_SCALAR_MODE,
    VSEL_TENSOR_TENSOR_MODE,
};

enum class ReduceOrder : uint8_t {
    ORDER_VALUE_INDEX,
    ORDER_INDEX_VALUE,
    ORDER_ONLY_VALUE,
    ORDER_ONLY_INDEX,
};

enum class CacheLine : uint64_t {
    SINGLE_CACHE_LINE,
    ENTIRE_DATA_CACHE
};
enum class DcciDst : uint64_t {
    CACHELINE_ALL,
    CACHELINE_UB,
    CACHELINE_OUT
};

/* Lengths and strides of DataCopy count 32 byte blocks. */
struct DataCopyParams {
    uint16_t blockCount = 1;
    uint16_t blockLen = 0;
    uint16_t srcStride = 0;
    uint16_t dstStride = 0;
    DataCopyParams() = default;
    DataCopyParams(uint16_t count, uint16_t length, uint16_t src, uint16_t dst)
        : blockCount(count), blockLen(length), srcStride(src), dstStride(dst) {}
};

/* blockLen in bytes; a stride is the gap between the end of one block and the start of
 * the next: bytes in GM, 32 byte blocks in UB. */
struct DataCopyExtParams {
    uint16_t blockCount = 1;
    uint32_t blockLen = 0;
    uint32_t srcStride = 0;
    uint32_t dstStride = 0;
    uint32_t rsv = 0;
    DataCopyExtParams() = default;
    DataCopyExtParams(uint16_t count, uint32_t length, uint32_t src, uint32_t dst,
                      uint32_t reserved)
        : blockCount(count),
          blockLen(length),
          srcStride(src),
          dstStride(dst),
          rsv(reserved) {}
};

template <typename T>
struct DataCopyPadExtParams {
    bool isPad = false;
    uint8_t leftPadding = 0;
    uint8_t rightPadding = 0;
    T paddingValue{};
    DataCopyPadExtParams() = default;
    DataCopyPadExtParams(bool pad, uint8_t left, uint8_t right, T value)
        : isPad(pad), leftPadding(left), rightPadding(right), paddingValue(value) {}
};

/* ND in GM to NZ in L1: nValue rows of dValue elements. */
struct Nd2NzParams {
    uint16_t ndNum = 0;
    uint16_t nValue = 0;
    uint16_t dValue = 0;
    uint16_t srcNdMatrixStride = 0;
    uint16_t srcDValue = 0;
    uint16_t dstNzC0Stride = 0;
    uint16_t dstNzNStride = 0;
    uint16_t dstNzMatrixStride = 0;
    Nd2NzParams() = default;
    Nd2NzParams(uint16_t matrices, uint16_t rows, uint16_t columns, uint16_t src_matrix,
                uint16_t src_row, uint16_t dst_c0, uint16_t dst_row,
                uint16_t dst_matrix)
        : ndNum(matrices),
          nValue(rows),
          dValue(columns),
          srcNdMatrixStride(src_matrix),
          srcDValue(src_row),
          dstNzC0Stride(dst_c0),
          dstNzNStride(dst_row),
          dstNzMatrixStride(dst_matrix) {}
};

struct BinaryRepeatParams {
    uint8_t dstBlkStride = 1;
    uint8_t src0BlkStride = 1;
    uint8_t src1BlkStride = 1;
    uint8_t dstRepStride = 8;
    uint8_t src0RepStride = 8;
    uint8_t src1RepStride = 8;
    BinaryRepeatParams() = default;
    BinaryRepeatParams(uint8_t dst_block, uint8_t src0_block, uint8_t src1_block,
                       uint8_t dst_repeat, uint8_t src0_repeat, uint8_t src1_repeat)
        : dstBlkStride(dst_block),
          src0BlkStride(src0_block),
          src1BlkStride(src1_block),
          dstRepStride(dst_repeat),
          src0RepStride(src0_repeat),
          src1RepStride(src1_repeat) {}
};

struct UnaryRepeatParams {
    uint16_t dstBlkStride = 1;
    uint16_t srcBlkStride = 1;
    uint8_t dstRepStride = 8;
    uint8_t srcRepStride = 8;
    UnaryRepeatParams() = default;
    UnaryRepeatParams(uint16_t dst_block, uint16_t src_block, uint8_t dst_repeat,
                      uint8_t src_repeat)
        : dstBlkStride(dst_block),
          srcBlkStride(src_block),
          dstRepStride(dst_repeat),
          srcRepStride(src_repeat) {}
};

struct CopyRepeatParams {
    uint16_t dstStride = 1;
    uint16_t srcStride = 1;
    uint16_t dstRepeatSize = 8;
    uint16_t srcRepeatSize = 8;
    CopyRepeatParams() = default;
    CopyRepeatParams(uint16_t dst, uint16_t src, uint16_t dst_repeat,
                     uint16_t src_repeat)
        : dstStride(dst),
          srcStride(src),
          dstRepeatSize(dst_repeat),
          srcRepeatSize(src_repeat) {}
};

/* Strides of a broadcast, in 32 byte blocks. */
struct BrcbRepeatParams {
    uint16_t dstBlkStride = 1;
    uint16_t dstRepStride = 8;
    BrcbRepeatParams() = default;
    BrcbRepeatParams(uint16_t block, uint16_t repeat)
        : dstBlkStride(block), dstRepStride(repeat) {}
};

}  // namespace AscendC

using event_t = int32_t;
using TEventID = int8_t;
using GM_ADDR = uint8_t*;

#endif
