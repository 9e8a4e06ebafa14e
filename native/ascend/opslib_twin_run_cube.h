/* The cube path.  Part of the engine.
 *
 * Addresses are those of the fractal layouts (Mmad, 07_0249): a fractal is 512 bytes,
 * 16 rows of 32 bytes.
 *   L1, NZ:  fractals column after column, each row-major.
 *   L0A:     row after row (ZZ) on 2201 and 2002; column after column (NZ) on 3510.
 *   L0B, ZN: row after row; each fractal holds 16 columns of 32 bytes of depth.
 *   L0C, NZ: column after column, each 16 x 16 elements of 4 bytes. */
#ifndef OPSLIB_TWIN_RUN_CUBE_H
#define OPSLIB_TWIN_RUN_CUBE_H

#include "opslib_twin_cube.h"
#include "opslib_twin_run_move.h"

namespace opslib_twin {

inline uint32_t ceil_div(uint32_t a, uint32_t b) { return (a + b - 1) / b; }

inline bool require_scope(const Local& tensor, int scope, const char* which) {
    if (scope_of(tensor.position) == scope) return true;
    report("position", "%s of %s is not in %s", which, state->now.name,
           kScopeFacts[scope].name);
    return false;
}

/* copy_gm_to_cbuf_multi_nd2nz, cceapi_0095: row j of matrix i goes to block
 * j * dstNzNStride, its 32 byte pieces dstNzC0Stride blocks apart, the last filled up
 * with zeros. */
void copy_nd2nz(const Local& dst, const Global& src, const AscendC::Nd2NzParams& p,
                int line) {
    begin(MTE2, "DataCopy", line);
    if (!require_scope(dst, L1, "the destination")) return;
    aligned(dst, 32, "the destination");
    if (p.ndNum > 4095 || p.nValue > 16384 || p.dstNzC0Stride > 16384 ||
        p.dstNzNStride > 16384 || !p.dstNzC0Stride || !p.dstNzNStride || !p.srcDValue) {
        report("range", "a member of Nd2NzParams is out of range");
        return;
    }
    uint32_t size = dst.size, row = uint32_t(p.dValue) * size;
    for (uint32_t i = 0; i < p.ndNum; i++)
        for (uint32_t j = 0; j < p.nValue; j++) {
            uint64_t from =
                (uint64_t(p.srcNdMatrixStride) * i + uint64_t(p.srcDValue) * j) * size;
            if (!touch_global(src, from, row, false)) return;
            for (uint32_t k = 0; k < ceil_div(row, kBlockBytes); k++) {
                uint64_t at =
                    uint64_t(p.dstNzMatrixStride) * i * size +
                    (uint64_t(j) * p.dstNzNStride + uint64_t(k) * p.dstNzC0Stride) *
                        kBlockBytes;
                if (!writes(dst, at, kBlockBytes)) return;
                uint32_t rest = row - k * kBlockBytes;
                uint32_t bytes = rest < kBlockBytes ? rest : kBlockBytes;
                uint8_t* to = memory(dst, at);
                memset(to, 0, kBlockBytes);
                memcpy(to, src.base + from + k * kBlockBytes, bytes);
            }
        }
    state->counters[kBytesIn] += uint64_t(row) * p.nValue * p.ndNum;
    state->counters[kTransfersIn] += uint64_t(p.nValue) * p.ndNum;
    spend(costs.copy_start +
          double(row) * p.nValue * p.ndNum / costs.in_bytes_per_cycle);
}

/* Bytes and their validity travel together: loading what was never written is not the
 * mistake, multiplying by it is (rows beyond m of the last fractal). */
inline bool move_bytes(const Local& dst, uint64_t at, const Local& src, uint64_t from,
                       uint32_t bytes) {
    if (!reads(src, from, bytes, false) || !writes(dst, at, bytes)) return false;
    memcpy(memory(dst, at), memory(src, from), bytes);
    memcpy(validity(dst, at), validity(src, from), bytes);
    return true;
}

/* Scatters element (r, c) of `rows` x `columns` at src to (c, r) at dst. */
inline void transpose_bytes(uint8_t* dst, const uint8_t* src, uint32_t rows,
                            uint32_t columns, uint32_t size) {
    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t c = 0; c < columns; c++)
            memcpy(dst + (c * rows + r) * size, src + (r * columns + c) * size, size);
}

inline bool l0_destination(const Local& dst, const Local& src) {
    int scope = scope_of(dst.position);
    if (scope != L0A && scope != L0B) {
        report("position", "%s goes to L0A or L0B", state->now.name);
        return false;
    }
    if (!require_scope(src, L1, "the source")) return false;
    bool right = src.position ==
                 (scope == L0A ? AscendC::TPosition::A1 : AscendC::TPosition::B1);
    if (!right) report("position", "A2 is loaded from A1, and B2 from B1");
    aligned(dst, kFractalBytes, "the destination");
    aligned(src, 32, "the source");
    return true;
}

inline void count_l1(uint64_t bytes) {
    state->counters[kBytesL1] += bytes;
    spend(costs.copy_start + double(bytes) / costs.l1_bytes_per_cycle);
}

inline bool move_transposed(const Local& dst, uint64_t at, const Local& src,
                            uint64_t from) {
    if (!reads(src, from, kFractalBytes, false) || !writes(dst, at, kFractalBytes))
        return false;
    transpose_bytes(memory(dst, at), memory(src, from), 16, 16, 2);
    transpose_bytes(validity(dst, at), validity(src, from), 16, 16, 2);
    return true;
}

/* load_cbuf_to_ca, cceapi_0075: repeat r moves fractal startIndex + srcStride * r to
 * (dstGap + 1) * r; a transpose is of each 16 x 16 fractal of 16 bits. */
void load_fractals(const Local& dst, const Local& src,
                   const AscendC::LoadData2DParams& p, int line) {
    begin(MTE1, "LoadData", line);
    if (!l0_destination(dst, src)) return;
    if (p.ifTranspose && dst.size != 2) {
        report("type", "LoadData transposes elements of 16 bits only");
        return;
    }
    if (!p.repeatTimes) report("range", "LoadData with repeatTimes 0 does nothing");
    if (p.addrMode) {
        report("unsupported", "the twin has no decreasing addrMode");
        return;
    }
    for (uint32_t r = 0; r < p.repeatTimes; r++) {
        uint64_t from =
            (uint64_t(p.startIndex) + uint64_t(p.srcStride) * r) * kFractalBytes;
        uint64_t at = uint64_t(p.dstGap + 1u) * r * kFractalBytes;
        if (!(p.ifTranspose ? move_transposed(dst, at, src, from)
                            : move_bytes(dst, at, src, from, kFractalBytes)))
            return;
    }
    count_l1(uint64_t(p.repeatTimes) * kFractalBytes);
}

/* LoadDataWithTranspose, 07_0239: a repeat takes one square, which is one fractal of 16
 * bits, or two consecutive fractals: of 8 bits (16 x 32) one above the other, of 32
 * bits (16 x 8) side by side.  The square is transposed and split into fractals again;
 * the second lies dstFracGap fractals behind the first, the next repeat's first dstGap
 * behind this one's. */
void load_transposed(const Local& dst, const Local& src,
                     const AscendC::LoadData2dTransposeParams& p, int line) {
    begin(MTE1, "LoadDataWithTranspose", line);
    if (!l0_destination(dst, src)) return;
    if (kTarget.number == 2002) {
        report("unsupported", "this chip has no LoadDataWithTranspose");
        return;
    }
    uint32_t size = dst.size, parts = size == 2 ? 1 : 2;
    uint32_t edge = size == 1 ? 32 : 16, square = parts * kFractalBytes;
    if (size > 4 || p.addrMode) {
        report("unsupported", "LoadDataWithTranspose of this width or addrMode");
        return;
    }
    for (uint32_t r = 0; r < p.repeatTimes; r++) {
        uint64_t from = (uint64_t(p.startIndex) + uint64_t(p.srcStride) * r) * square;
        uint64_t at = uint64_t(p.dstGap + 1u) * r * kFractalBytes;
        uint64_t second = at + uint64_t(p.dstFracGap + 1u) * kFractalBytes;
        if (!reads(src, from, square, false) || !writes(dst, at, kFractalBytes)) return;
        if (parts == 2 && !writes(dst, second, kFractalBytes)) return;
        uint32_t wide = kBlockBytes / size; /* columns of a fractal */
        for (uint32_t row = 0; row < edge; row++)
            for (uint32_t column = 0; column < edge; column++) {
                uint64_t in = size == 4 ? (column / wide) * kFractalBytes +
                                              (row * wide + column % wide) * size
                                        : (row * edge + column) * size;
                /* Row `column` of the transposed square, place `row` in it. */
                uint64_t out =
                    size == 4 ? (row / wide ? second : at) +
                                    (column * wide + row % wide) * size
                    : size == 1 ? (column / 16 ? second : at) + column % 16 * 32 + row
                                : at + (column * 16 + row) * size;
                memcpy(memory(dst, out), memory(src, from + in), size);
                memcpy(validity(dst, out), validity(src, from + in), size);
            }
    }
    count_l1(uint64_t(p.repeatTimes) * square);
}

/* LoadData2DParamsV2, 07_0238: fractal (m, k) of an NZ matrix whose columns of fractals
 * lie srcStride apart goes to k * dstStride + m, transposed to m * dstStride + k. */
void load_rectangle(const Local& dst, const Local& src,
                    const AscendC::LoadData2DParamsV2& p, int line) {
    begin(MTE1, "LoadData", line);
    if (!l0_destination(dst, src)) return;
    if (!k3510) {
        report("unsupported", "LoadData2DParamsV2 is of 3510");
        return;
    }
    if (p.ifTranspose && dst.size != 2) {
        report("unsupported", "the twin transposes elements of 16 bits only");
        return;
    }
    for (uint32_t k = 0; k < p.kStep; k++)
        for (uint32_t m = 0; m < p.mStep; m++) {
            uint64_t from = (uint64_t(p.mStartPosition + m) +
                             uint64_t(p.kStartPosition + k) * uint64_t(p.srcStride)) *
                            kFractalBytes;
            uint64_t place = p.ifTranspose ? uint64_t(m) * p.dstStride + k
                                           : uint64_t(k) * p.dstStride + m;
            uint64_t at = place * kFractalBytes;
            if (!(p.ifTranspose ? move_transposed(dst, at, src, from)
                                : move_bytes(dst, at, src, from, kFractalBytes)))
                return;
        }
    count_l1(uint64_t(p.kStep) * p.mStep * kFractalBytes);
}

/* Mmad, 07_0249: which matrices the cube multiplies, and into what. */
inline bool cube_types(Type dst, Type a, Type b) {
    if (a == Type::I8 && b == Type::I8) return dst == Type::I32;
    if (a != b || dst != Type::F32) return false;
    return a == Type::F16 || (a == Type::BF16 && kTarget.bf16_cube) ||
           (a == Type::F32 && kTarget.f32_cube);
}

struct CubeShape {
    uint32_t m, n, k, depth;      /* depth: elements of k in a fractal */
    uint32_t rows, columns, deep; /* in fractals */
    uint64_t a_at(uint32_t i, uint32_t j, uint32_t size) const {
        uint32_t down = i / 16, across = j / depth;
        uint64_t fractal = kTarget.l0a_nz ? uint64_t(across) * rows + down
                                          : uint64_t(down) * deep + across;
        return fractal * kFractalBytes + (i % 16 * depth + j % depth) * size;
    }
    uint64_t b_at(uint32_t j, uint32_t c, uint32_t size) const {
        uint64_t fractal = uint64_t(j / depth) * columns + c / 16;
        return fractal * kFractalBytes + (c % 16 * depth + j % depth) * size;
    }
    uint64_t c_at(uint32_t i, uint32_t c) const {
        uint64_t fractal = uint64_t(c / 16) * rows + i / 16;
        return (fractal * 256 + i % 16 * 16 + c % 16) * 4;
    }
};

inline void check_cube_poison(const Local& tensor, uint64_t at, const char* which,
                              uint32_t row, uint32_t column) {
    if (!*validity(tensor, at))
        report("poison", "element (%u, %u) of %s was never written", row, column,
               which);
}

void multiply(const Local& dst, const Local& a, const Local& b,
              const AscendC::MmadParams& p, int line) {
    begin(M, "Mmad", line);
    if (!require_scope(dst, L0C, "the result") ||
        !require_scope(a, L0A, "the left matrix") ||
        !require_scope(b, L0B, "the right matrix"))
        return;
    if (!cube_types(dst.type, a.type, b.type)) {
        report("type", "Mmad of %s and %s to %s is not one of this chip",
               name_of(a.type), name_of(b.type), name_of(dst.type));
        return;
    }
    if (!p.m || !p.n || !p.k || p.m > kCubeEdgeLimit || p.n > kCubeEdgeLimit ||
        p.k > kCubeEdgeLimit) {
        report("range", "Mmad of %u x %u x %u; each from 1 to %u", p.m, p.n, p.k,
               kCubeEdgeLimit);
        return;
    }
    if (p.m == 1 && !p.disableGemv)
        report("range", "m = 1 makes the cube read the left matrix as a vector");
    if (p.cmatrixSource) {
        report("unsupported", "the twin has no bias table");
        return;
    }
    aligned(dst, 1024, "the result");
    aligned(a, kFractalBytes, "the left matrix");
    aligned(b, kFractalBytes, "the right matrix");
    uint32_t depth = kBlockBytes / a.size;
    uint32_t deep = ceil_div(p.k, depth);
    if (a.type == Type::F32 && p.kDirectionAlign) deep = ceil_div(p.k, 16) * 2;
    CubeShape s{p.m, p.n, p.k, depth, ceil_div(p.m, 16), ceil_div(p.n, 16), deep};
    uint64_t result = uint64_t(s.rows) * s.columns * 1024;
    bool accumulate = !p.cmatrixInitVal;
    if (!reads(a, 0, uint64_t(s.rows) * s.deep * kFractalBytes, false) ||
        !reads(b, 0, uint64_t(s.deep) * s.columns * kFractalBytes, false) ||
        !inside(dst, 0, result))
        return;
    if (accumulate) touch_local(dst, 0, result, false);
    touch_local(dst, 0, result, true);
    bool whole = a.type == Type::I8;
    uint32_t size = a.size;
    for (uint32_t i = 0; i < s.m; i++)
        for (uint32_t j = 0; j < s.k; j++)
            check_cube_poison(a, s.a_at(i, j, size), "the left matrix", i, j);
    for (uint32_t j = 0; j < s.k; j++)
        for (uint32_t c = 0; c < s.n; c++)
            check_cube_poison(b, s.b_at(j, c, size), "the right matrix", j, c);
    static thread_local double left[4096];
    const uint8_t *from_a = memory(a, 0), *from_b = memory(b, 0);
    for (uint32_t i = 0; i < s.m; i++) {
        for (uint32_t j = 0; j < s.k; j++)
            left[j] = whole ? double(load_whole(from_a + s.a_at(i, j, size), a.type))
                            : load_real(from_a + s.a_at(i, j, size), a.type);
        for (uint32_t c = 0; c < s.n; c++) {
            uint64_t at = s.c_at(i, c);
            if (accumulate) check_cube_poison(dst, at, "the result", i, c);
            uint8_t* to = memory(dst, at);
            memset(validity(dst, at), 1, 4);
            if (whole) {
                int64_t sum = accumulate ? load_whole(to, Type::I32) : 0;
                for (uint32_t j = 0; j < s.k; j++)
                    sum += int64_t(left[j]) *
                           load_whole(from_b + s.b_at(j, c, size), b.type);
                store_whole(to, Type::I32, sum);
                continue;
            }
            /* Products of a fractal's depth are summed exactly, then rounded to float
             * as they enter the accumulator. */
            float sum = accumulate ? float(load_real(to, Type::F32)) : 0.0f;
            for (uint32_t j = 0; j < s.k; j += depth) {
                double part = 0;
                for (uint32_t q = j; q < s.k && q < j + depth; q++)
                    part += left[q] * load_real(from_b + s.b_at(q, c, size), b.type);
                sum = float(double(sum) + part);
            }
            store_real(to, Type::F32, sum);
        }
    }
    uint64_t products = uint64_t(s.rows) * s.columns * s.deep;
    uint64_t cycles = products * (a.type == Type::F32 ? 2 : 1);
    state->counters[kCubeFractals] += products;
    state->counters[kCubeCycles] += cycles;
    spend(costs.cube_start + double(cycles) * costs.cycles_per_fractal);
}

/* 310P: DataCopy from CO1 to CO2, which is UB there (07_0103; BLOCK_MODE_MATRIX counts
 * fractals of 16 x 16), on the vector pipe: "PIPE_V: vector computing and L0C->UB" (the
 * table of pipes of PipeBarrier, 07_0271).  float may become half on the way. */
void copy_result(const Local& dst, const Local& src, uint32_t blocks, uint32_t fractals,
                 uint32_t src_gap, uint32_t dst_gap, int line) {
    begin(V, "DataCopy", line);
    if (!require_scope(src, L0C, "the source") || !in_unified(dst)) return;
    if (kTarget.separate_cores) {
        report("unsupported", "only 310P copies from L0C to UB");
        return;
    }
    bool narrow = src.type == Type::F32 && dst.type == Type::F16;
    if (!narrow && src.type != dst.type) {
        report("type", "DataCopy of %s in L0C to %s", name_of(src.type),
               name_of(dst.type));
        return;
    }
    if (src_gap || dst_gap || !blocks || !fractals) {
        report("unsupported", "the twin copies results of L0C without gaps");
        return;
    }
    aligned(src, 1024, "the source");
    aligned(dst, 32, "the destination");
    uint64_t count = uint64_t(blocks) * fractals * 256;
    if (!reads(src, 0, count * 4, false) || !writes(dst, 0, count * dst.size)) return;
    for (uint64_t i = 0; i < count; i++) {
        if (narrow)
            store_real(memory(dst, i * 2), Type::F16,
                       load_real(memory(src, i * 4), Type::F32));
        else
            memcpy(memory(dst, i * 4), memory(src, i * 4), 4);
        memset(validity(dst, i * dst.size), *validity(src, i * 4), dst.size);
    }
    spend_repeats((count * 4 + kRepeatBytes - 1) / kRepeatBytes);
}

/* Fixpipe, 07_0251, and copy_matrix_cc_to_gm, cceapi_0101: NZ to rows. */
void fixpipe(const Global& dst, const Local& src, const AscendC::FixpipeParamsV220& p,
             int line) {
    begin(FIX, "Fixpipe", line);
    if (!require_scope(src, L0C, "the source")) return;
    if (kTarget.number == 2002) {
        report("unsupported", "this chip has no Fixpipe");
        return;
    }
    aligned(src, 64, "the source");
    bool none = p.quantPre == NoQuant && dst.type == src.type;
    bool narrow =
        src.type == Type::F32 && ((p.quantPre == F322F16 && dst.type == Type::F16) ||
                                  (p.quantPre == F322BF16 && dst.type == Type::BF16));
    if (!none && !narrow) {
        report("type", "Fixpipe of %s to %s with quantPre %d", name_of(src.type),
               name_of(dst.type), int(p.quantPre));
        return;
    }
    if (p.srcStride % 16 || !p.nSize || !p.mSize || p.nSize > 4095 || p.mSize > 8192 ||
        p.ndNum != 1 || p.isChannelSplit) {
        report("range", "Fixpipe of %u x %u, srcStride %u, ndNum %u", p.mSize, p.nSize,
               p.srcStride, p.ndNum);
        return;
    }
    uint64_t row = uint64_t(p.nSize) * dst.size;
    for (uint32_t i = 0; i < p.mSize; i++) {
        uint64_t at = uint64_t(i) * p.dstStride * dst.size;
        if (!touch_global(dst, at, row, true)) return;
        for (uint32_t c = 0; c < p.nSize; c += 16) {
            uint32_t count = p.nSize - c < 16 ? p.nSize - c : 16;
            uint64_t from = (uint64_t(c / 16) * p.srcStride + i) * 64;
            if (!reads(src, from, count * 4)) return;
            for (uint32_t q = 0; q < count; q++) {
                uint8_t bytes[8];
                const uint8_t* in = memory(src, from + q * 4);
                if (src.type == Type::I32) {
                    int64_t value = load_whole(in, Type::I32);
                    store_whole(bytes, Type::I32, p.reluEn && value < 0 ? 0 : value);
                } else {
                    double value = load_real(in, Type::F32);
                    store_real(bytes, dst.type, p.reluEn && value < 0 ? 0 : value);
                }
                uint8_t* to = dst.base + at + uint64_t(c + q) * dst.size;
                if (state->atomic_mode)
                    combine_atomic(to, bytes, dst.size);
                else
                    memcpy(to, bytes, dst.size);
            }
        }
    }
    uint64_t bytes = row * p.mSize;
    state->counters[kBytesFix] += bytes;
    spend(costs.copy_start + double(bytes) / costs.fix_bytes_per_cycle);
}

}  // namespace opslib_twin

#endif
