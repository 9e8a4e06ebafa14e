/* The cube path: ND to NZ into L1, fractals into L0A and L0B, Mmad, Fixpipe. */
#ifndef OPSLIB_TWIN_CUBE_H
#define OPSLIB_TWIN_CUBE_H

#include "opslib_twin_tensor.h"

enum QuantMode_t {
    NoQuant,
    F322F16,
    F322BF16,
    DEQF16,
    VDEQF16,
    QF322B8_PRE,
    VQF322B8_PRE,
    REQ8,
    VREQ8,
};

namespace AscendC {

using ::QuantMode_t;

/* Whole fractals of 512 bytes; srcStride from head to head, dstGap from tail to head.
 */
struct LoadData2DParams {
    uint16_t startIndex = 0;
    uint8_t repeatTimes = 0;
    uint16_t srcStride = 0;
    uint8_t sid = 0;
    uint16_t dstGap = 0;
    bool ifTranspose = false;
    uint8_t addrMode = 0;
    LoadData2DParams() = default;
    LoadData2DParams(uint16_t start, uint8_t repeats, uint16_t src, uint8_t id,
                     uint16_t dst, bool transpose, uint8_t mode)
        : startIndex(start),
          repeatTimes(repeats),
          srcStride(src),
          sid(id),
          dstGap(dst),
          ifTranspose(transpose),
          addrMode(mode) {}
};

/* startIndex and srcStride count squares: one fractal of 16 bits, two of 8 or 32. */
struct LoadData2dTransposeParams {
    uint16_t startIndex = 0;
    uint8_t repeatTimes = 0;
    uint16_t srcStride = 0;
    uint16_t dstGap = 0;
    uint16_t dstFracGap = 0;
    uint8_t addrMode = 0;
    LoadData2dTransposeParams() = default;
    LoadData2dTransposeParams(uint16_t start, uint8_t repeats, uint16_t src,
                              uint16_t dst, uint16_t dst_fractal, uint8_t mode = 0)
        : startIndex(start),
          repeatTimes(repeats),
          srcStride(src),
          dstGap(dst),
          dstFracGap(dst_fractal),
          addrMode(mode) {}
};

/* 3510: a rectangle of an NZ matrix, mStep fractals down and kStep across. */
struct LoadData2DParamsV2 {
    uint32_t mStartPosition = 0;
    uint32_t kStartPosition = 0;
    uint16_t mStep = 0;
    uint16_t kStep = 0;
    int32_t srcStride = 0;
    uint16_t dstStride = 0;
    bool ifTranspose = false;
    uint8_t sid = 0;
};

struct MmadParams {
    uint16_t m = 0;
    uint16_t n = 0;
    uint16_t k = 0;
    bool isBias = false;
    int32_t fmOffset = 0;
    bool enSsparse = false;
    bool enWinogradA = false;
    bool enWinogradB = false;
    uint8_t unitFlag = 0;
    bool kDirectionAlign = false;
    bool cmatrixInitVal = true;
    bool cmatrixSource = false;
    bool disableGemv = false;
    MmadParams() = default;
    MmadParams(uint16_t rows, uint16_t columns, uint16_t depth, uint8_t unit,
               bool source, bool init)
        : m(rows),
          n(columns),
          k(depth),
          unitFlag(unit),
          cmatrixInitVal(init),
          cmatrixSource(source) {}
};

/* How DataCopy leaves L0C on 310P: in fractals of 16 x 16. */
enum class BlockMode : uint8_t {
    BLOCK_MODE_NORMAL,
    BLOCK_MODE_MATRIX,
    BLOCK_MODE_VECTOR,
    BLOCK_MODE_SMALL_CHANNEL,
    BLOCK_MODE_DEPTHWISE,
};
struct DataCopyEnhancedParams {
    BlockMode blockMode = BlockMode::BLOCK_MODE_NORMAL;
};

enum class CO2Layout : uint8_t {
    NZ,
    ROW_MAJOR,
    COLUMN_MAJOR
};
struct FixpipeConfig {
    CO2Layout format;
};
constexpr FixpipeConfig CFG_NZ = {CO2Layout::NZ};
constexpr FixpipeConfig CFG_ROW_MAJOR = {CO2Layout::ROW_MAJOR};

/* srcStride in units of 16 elements from one column of fractals to the next; dstStride
 * in elements from row to row. */
struct FixpipeParamsV220 {
    uint16_t nSize = 0;
    uint16_t mSize = 0;
    uint16_t srcStride = 0;
    uint32_t dstStride = 0;
    QuantMode_t quantPre = NoQuant;
    uint64_t deqScalar = 0;
    uint16_t ndNum = 1;
    uint16_t srcNdStride = 0;
    uint16_t dstNdStride = 0;
    bool reluEn = false;
    uint8_t unitFlag = 0;
    bool isChannelSplit = false;
    FixpipeParamsV220() = default;
    FixpipeParamsV220(uint16_t n, uint16_t m, uint16_t src, uint32_t dst, bool relu)
        : nSize(n), mSize(m), srcStride(src), dstStride(dst), reluEn(relu) {}
};

}  // namespace AscendC

namespace opslib_twin {

void copy_nd2nz(const Local& dst, const Global& src, const AscendC::Nd2NzParams& params,
                int line);
void load_fractals(const Local& dst, const Local& src,
                   const AscendC::LoadData2DParams& params, int line);
void load_transposed(const Local& dst, const Local& src,
                     const AscendC::LoadData2dTransposeParams& params, int line);
void load_rectangle(const Local& dst, const Local& src,
                    const AscendC::LoadData2DParamsV2& params, int line);
void multiply(const Local& dst, const Local& a, const Local& b,
              const AscendC::MmadParams& params, int line);
void copy_result(const Local& dst, const Local& src, uint32_t blocks, uint32_t fractals,
                 uint32_t src_gap, uint32_t dst_gap, int line);
void fixpipe(const Global& dst, const Local& src,
             const AscendC::FixpipeParamsV220& params, int line);

}  // namespace opslib_twin

namespace AscendC {

template <typename T>
inline void DataCopy(const LocalTensor<T>& dst, const GlobalTensor<T>& src,
                     const Nd2NzParams& params, OPSLIB_TWIN_LINE) {
    opslib_twin::copy_nd2nz(dst.operand, src.operand, params, line);
}

template <typename T>
inline void LoadData(const LocalTensor<T>& dst, const LocalTensor<T>& src,
                     const LoadData2DParams& params, OPSLIB_TWIN_LINE) {
    opslib_twin::load_fractals(dst.operand, src.operand, params, line);
}
template <typename T>
inline void LoadData(const LocalTensor<T>& dst, const LocalTensor<T>& src,
                     const LoadData2DParamsV2& params, OPSLIB_TWIN_LINE) {
    opslib_twin::load_rectangle(dst.operand, src.operand, params, line);
}
template <typename T>
inline void LoadDataWithTranspose(const LocalTensor<T>& dst, const LocalTensor<T>& src,
                                  const LoadData2dTransposeParams& params,
                                  OPSLIB_TWIN_LINE) {
    opslib_twin::load_transposed(dst.operand, src.operand, params, line);
}

template <typename T, typename U, typename S>
inline void Mmad(const LocalTensor<T>& dst, const LocalTensor<U>& fm,
                 const LocalTensor<S>& filter, const MmadParams& params,
                 OPSLIB_TWIN_LINE) {
    opslib_twin::multiply(dst.operand, fm.operand, filter.operand, params, line);
}

template <typename T, typename U>
inline void DataCopy(const LocalTensor<T>& dst, const LocalTensor<U>& src,
                     const DataCopyParams& p,
                     [[maybe_unused]] const DataCopyEnhancedParams& enhanced,
                     OPSLIB_TWIN_LINE) {
    opslib_twin::copy_result(dst.operand, src.operand, p.blockCount, p.blockLen,
                             p.srcStride, p.dstStride, line);
}

template <typename T, typename U, const FixpipeConfig& config = CFG_ROW_MAJOR>
inline void Fixpipe(const GlobalTensor<T>& dst, const LocalTensor<U>& src,
                    const FixpipeParamsV220& params, OPSLIB_TWIN_LINE) {
    static_assert(config.format == CO2Layout::ROW_MAJOR,
                  "the twin writes rows (CFG_ROW_MAJOR)");
    opslib_twin::fixpipe(dst.operand, src.operand, params, line);
}

}  // namespace AscendC

#endif
