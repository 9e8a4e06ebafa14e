// The cube path.  The a..._fractals kernels take matrices that the test has laid out in
// fractals; the others make the layouts themselves.
#include "kernels.h"

namespace {

template <typename T>
LocalTensor<T> at(TPosition position, uint32_t address, uint32_t count) {
    return LocalTensor<T>(position, address, count);
}

// L0C to rows of z.
template <typename C, typename D>
void result(uint8_t* z, const LocalTensor<C>& c, uint32_t m, uint32_t n,
            uint32_t stride, QuantMode_t quant) {
    FixpipeParamsV220 p;
    p.nSize = n;
    p.mSize = m;
    p.srcStride = (m + 15) / 16 * 16;
    p.dstStride = stride;
    p.quantPre = quant;
    Fixpipe<D, C>(gm<D>(z, m * stride), c, p);
}

// Fractals as they are: `down` x `across` of them for each matrix.
template <typename T, typename C, typename D>
void fractals(uint8_t* x, uint8_t* y, uint8_t* z, uint32_t m, uint32_t n, uint32_t k,
              QuantMode_t quant) {
    constexpr uint32_t depth = 32 / sizeof(T);
    uint32_t rows = (m + 15) / 16, columns = (n + 15) / 16,
             deep = (k + depth - 1) / depth;
    uint32_t na = rows * deep * 512 / sizeof(T), nb = deep * columns * 512 / sizeof(T);
    auto a1 = at<T>(TPosition::A1, 0, na), b1 = at<T>(TPosition::B1, 65536, nb);
    auto a2 = at<T>(TPosition::A2, 0, na), b2 = at<T>(TPosition::B2, 0, nb);
    auto c = at<C>(TPosition::CO1, 0, rows * columns * 256);
    DataCopy(a1, gm<T>(x, na), na);
    DataCopy(b1, gm<T>(y, nb), nb);
    SetFlag<HardEvent::MTE2_MTE1>(0);
    WaitFlag<HardEvent::MTE2_MTE1>(0);
    LoadData(a2, a1, LoadData2DParams{0, uint8_t(rows * deep), 1, 0, 0, false, 0});
    LoadData(b2, b1, LoadData2DParams{0, uint8_t(deep * columns), 1, 0, 0, false, 0});
    SetFlag<HardEvent::MTE1_M>(0);
    WaitFlag<HardEvent::MTE1_M>(0);
    MmadParams p;
    p.m = m, p.n = n, p.k = k;
    Mmad(c, a2, b2, p);
    SetFlag<HardEvent::M_FIX>(0);
    WaitFlag<HardEvent::M_FIX>(0);
    result<C, D>(z, c, m, n, n, quant);
}

// Rows of GM to NZ in L1: rows16 rows in each column of fractals.
template <typename T>
void to_nz(const LocalTensor<T>& dst, uint8_t* base, uint32_t rows, uint32_t columns) {
    DataCopy(dst, gm<T>(base, rows * columns),
             Nd2NzParams{1, uint16_t(rows), uint16_t(columns), 0, uint16_t(columns),
                         uint16_t((rows + 15) / 16 * 16), 1, 0});
}

constexpr uint32_t kM = 40, kN = 56, kK = 72;
constexpr uint32_t kRows = 3, kColumns = 4, kDeep = 5;

// Half, row-major A and B, all sizes off the fractals, in two steps of k: 48 and 24.
void matmul(uint8_t* x, uint8_t* y, uint8_t* z, bool init_second) {
    auto a1 = at<half>(TPosition::A1, 0, kRows * kDeep * 256);
    auto b1 = at<half>(TPosition::B1, 65536, kDeep * kColumns * 256);
    auto a2 = at<half>(TPosition::A2, 0, kRows * 3 * 256);
    auto b2 = at<half>(TPosition::B2, 0, 3 * kColumns * 256);
    auto c = at<float>(TPosition::CO1, 0, kRows * kColumns * 256);
    to_nz(a1, x, kM, kK);
    to_nz(b1, y, kK, kN);
    SetFlag<HardEvent::MTE2_MTE1>(0);
    WaitFlag<HardEvent::MTE2_MTE1>(0);
    for (uint32_t step = 0; step < 2; step++) {
        uint32_t deep = step ? 2 : 3;
        // A: row i of fractals of ZZ takes every third fractal of the NZ columns.
        for (uint32_t i = 0; i < kRows; i++)
            LoadData(a2[i * deep * 256], a1,
                     LoadData2DParams{uint16_t(step * 3 * kRows + i), uint8_t(deep),
                                      kRows, 0, 0, false, 0});
        // B: row j of fractals of ZN, each transposed.
        for (uint32_t j = 0; j < deep; j++)
            LoadData(b2[j * kColumns * 256], b1,
                     LoadData2DParams{uint16_t(step * 3 + j), kColumns, kDeep, 0, 0,
                                      true, 0});
        SetFlag<HardEvent::MTE1_M>(0);
        WaitFlag<HardEvent::MTE1_M>(0);
        MmadParams p;
        p.m = kM, p.n = kN, p.k = step ? kK - 48 : 48;
        p.cmatrixInitVal = step == 0 || init_second;
        Mmad(c, a2, b2, p);
        SetFlag<HardEvent::M_MTE1>(0);
        WaitFlag<HardEvent::M_MTE1>(0);
    }
    SetFlag<HardEvent::M_FIX>(0);
    WaitFlag<HardEvent::M_FIX>(0);
    result<float, float>(z, c, kM, kN, kN, NoQuant);
}

}  // namespace

KERNEL(fractals_f16) { fractals<half, float, float>(x, y, z, 20, 40, 50, NoQuant); }
KERNEL(fractals_f16_to_f16) {
    fractals<half, float, half>(x, y, z, 20, 40, 50, F322F16);
}
KERNEL(fractals_bf16) {
    fractals<bfloat16_t, float, bfloat16_t>(x, y, z, 20, 40, 50, F322BF16);
}
KERNEL(fractals_f32) { fractals<float, float, float>(x, y, z, 20, 40, 20, NoQuant); }
KERNEL(fractals_i8) {
    fractals<int8_t, int32_t, int32_t>(x, y, z, 20, 40, 50, NoQuant);
}
KERNEL(matmul_f16) { matmul(x, y, z, false); }
KERNEL(matmul_forgets_the_first_step) { matmul(x, y, z, true); }

// The transposing load, by the identity: C = I * B with B row-major of 32 x 32.
template <typename T, typename C>
void transposing(uint8_t* x, uint8_t* y, uint8_t* z) {
    constexpr uint32_t depth = 32 / sizeof(T), deep = 32 / depth,
                       parts = sizeof(T) == 2 ? 1 : 2;
    constexpr uint32_t count = 1024;
    auto a1 = at<T>(TPosition::A1, 0, count), b1 = at<T>(TPosition::B1, 65536, count);
    auto a2 = at<T>(TPosition::A2, 0, count), b2 = at<T>(TPosition::B2, 0, count);
    auto c = at<C>(TPosition::CO1, 0, count);
    DataCopy(a1, gm<T>(x, count), count);
    DataCopy(b1, gm<T>(y, count), count);
    PipeBarrier<PIPE_ALL>();
    LoadData(a2, a1,
             LoadData2DParams{0, uint8_t(count * sizeof(T) / 512), 1, 0, 0, false, 0});
    // The test lays the squares out row after row of ZN, so one call does it: parts of
    // a square go to neighbouring rows of fractals (32 bits) or to neighbouring
    // columns.
    if (sizeof(T) == 4) {
        for (uint32_t j = 0; j < deep / parts; j++)
            LoadDataWithTranspose(
                b2[j * 2 * 2 * 128], b1,
                LoadData2dTransposeParams{uint16_t(j * 2), 2, 1, 0, 1});
    } else if (sizeof(T) == 2) {
        LoadDataWithTranspose(b2, b1, LoadData2dTransposeParams{0, 4, 1, 0, 0});
    } else {
        LoadDataWithTranspose(b2, b1, LoadData2dTransposeParams{0, 1, 1, 0, 0});
    }
    PipeBarrier<PIPE_ALL>();
    MmadParams p;
    p.m = 32, p.n = 32, p.k = 32;
    Mmad(c, a2, b2, p);
    PipeBarrier<PIPE_ALL>();
    result<C, C>(z, c, 32, 32, 32, NoQuant);
}
KERNEL(transposing_f16) { transposing<half, float>(x, y, z); }
KERNEL(transposing_f32) { transposing<float, float>(x, y, z); }
KERNEL(transposing_i8) { transposing<int8_t, int32_t>(x, y, z); }

// 3510: rectangles of fractals.
KERNEL(rectangle_f16) {
    auto a1 = at<half>(TPosition::A1, 0, kRows * kDeep * 256);
    auto b1 = at<half>(TPosition::B1, 65536, kDeep * kColumns * 256);
    auto a2 = at<half>(TPosition::A2, 0, kRows * kDeep * 256);
    auto b2 = at<half>(TPosition::B2, 0, kDeep * kColumns * 256);
    auto c = at<float>(TPosition::CO1, 0, kRows * kColumns * 256);
    to_nz(a1, x, kM, kK);
    to_nz(b1, y, kK, kN);
    PipeBarrier<PIPE_ALL>();
    LoadData2DParamsV2 p;
    p.mStep = kRows, p.kStep = kDeep, p.srcStride = kRows, p.dstStride = kRows;
    LoadData(a2, a1, p);
    p.mStep = kDeep, p.kStep = kColumns, p.srcStride = kDeep, p.dstStride = kColumns;
    p.ifTranspose = true;
    LoadData(b2, b1, p);
    PipeBarrier<PIPE_ALL>();
    MmadParams q;
    q.m = kM, q.n = kN, q.k = kK;
    Mmad(c, a2, b2, q);
    PipeBarrier<PIPE_ALL>();
    result<float, float>(z, c, kM, kN, kN, NoQuant);
}

// 310P: L0C to UB as fractals, then each column of fractals to its place in z.
KERNEL(through_ub) {
    auto a1 = at<half>(TPosition::A1, 0, kRows * kDeep * 256);
    auto b1 = at<half>(TPosition::B1, 65536, kDeep * kColumns * 256);
    auto a2 = at<half>(TPosition::A2, 0, kRows * kDeep * 256);
    auto b2 = at<half>(TPosition::B2, 0, kDeep * kColumns * 256);
    auto c = at<float>(TPosition::CO1, 0, kRows * kColumns * 256);
    auto u = at<half>(TPosition::CO2, 0, kRows * kColumns * 256);
    DataCopy(a1, gm<half>(x, kRows * kDeep * 256), kRows * kDeep * 256);
    DataCopy(b1, gm<half>(y, kDeep * kColumns * 256), kDeep * kColumns * 256);
    PipeBarrier<PIPE_ALL>();
    LoadData(a2, a1, LoadData2DParams{0, kRows * kDeep, 1, 0, 0, false, 0});
    LoadData(b2, b1, LoadData2DParams{0, kDeep * kColumns, 1, 0, 0, false, 0});
    PipeBarrier<PIPE_ALL>();
    MmadParams q;
    q.m = kRows * 16, q.n = kColumns * 16, q.k = kK;
    Mmad(c, a2, b2, q);
    SetFlag<HardEvent::M_V>(0);
    WaitFlag<HardEvent::M_V>(0);
    DataCopyEnhancedParams matrix;
    matrix.blockMode = BlockMode::BLOCK_MODE_MATRIX;
    DataCopy(u, c, DataCopyParams{1, kRows * kColumns, 0, 0}, matrix);
    SetFlag<HardEvent::V_MTE3>(0);
    WaitFlag<HardEvent::V_MTE3>(0);
    for (uint32_t j = 0; j < kColumns; j++)
        DataCopy(gm<half>(z, kRows * kColumns * 256)[j * 16], u[j * kRows * 256],
                 DataCopyParams{kRows * 16, 1, 0, kColumns - 1});
}

// ---- checks, each with its near miss
namespace {

struct Filled {
    LocalTensor<half> a = at<half>(TPosition::A2, 0, 4096);
    LocalTensor<half> b = at<half>(TPosition::B2, 0, 4096);
    LocalTensor<float> c = at<float>(TPosition::CO1, 0, 4096);
    // The first `fractals` fractals of L0A and L0B.
    Filled(uint8_t* x, uint8_t fractals) {
        auto a1 = at<half>(TPosition::A1, 0, 4096);
        auto b1 = at<half>(TPosition::B1, 8192, 4096);
        DataCopy(a1, gm<half>(x, 4096), 4096);
        DataCopy(b1, gm<half>(x, 4096), 4096);
        PipeBarrier<PIPE_ALL>();
        LoadData(a, a1, LoadData2DParams{0, fractals, 1, 0, 0, false, 0});
        LoadData(b, b1, LoadData2DParams{0, fractals, 1, 0, 0, false, 0});
        PipeBarrier<PIPE_ALL>();
    }
    void product(uint16_t m, uint16_t n, uint16_t k, bool init) const {
        Mmad(c, a, b, MmadParams(m, n, k, 0, false, init));
    }
};

}  // namespace

KERNEL(bad_vector) { Filled(x, 1).product(1, 16, 16, true); }
KERNEL(good_vector) { Filled(x, 1).product(2, 16, 16, true); }
KERNEL(bad_depth) { Filled(x, 1).product(16, 16, 17, true); }
KERNEL(good_depth) { Filled(x, 1).product(16, 16, 16, true); }
KERNEL(bad_edge) { Filled(x, 1).product(16, 0, 16, true); }
KERNEL(bad_first) { Filled(x, 1).product(16, 16, 16, false); }
KERNEL(bad_accumulation) {
    Filled f(x, 3);
    f.product(48, 48, 16, true);
    f.product(48, 48, 16, false);
}
KERNEL(good_accumulation) {
    Filled f(x, 3);
    f.product(48, 48, 16, true);
    PipeBarrier<PIPE_M>();
    f.product(48, 48, 16, false);
}
KERNEL(bad_large_accumulation) {
    Filled f(x, 5);
    f.product(32, 80, 16, true);
    f.product(32, 80, 16, false);
}
KERNEL(bad_result_alignment) {
    Filled f(x, 1);
    f.c = f.c[128];
    f.product(16, 16, 16, true);
}
KERNEL(good_result_alignment) {
    Filled f(x, 1);
    f.c = f.c[256];
    f.product(16, 16, 16, true);
}
KERNEL(bad_result_types) {
    auto a = at<half>(TPosition::A2, 0, 256);
    auto b = at<bfloat16_t>(TPosition::B2, 0, 256);
    Mmad(at<float>(TPosition::CO1, 0, 256), a, b,
         MmadParams(16, 16, 16, 0, false, true));
}
KERNEL(bad_quantisation) {
    Filled f(x, 1);
    f.product(16, 16, 16, true);
    PipeBarrier<PIPE_ALL>();
    result<float, half>(z, f.c, 16, 16, 16, NoQuant);
}
KERNEL(good_quantisation) {
    Filled f(x, 1);
    f.product(16, 16, 16, true);
    PipeBarrier<PIPE_ALL>();
    result<float, half>(z, f.c, 16, 16, 16, F322F16);
}
KERNEL(bad_source) {
    LoadData(at<half>(TPosition::A2, 0, 256), at<half>(TPosition::B1, 0, 256),
             LoadData2DParams{0, 1, 1, 0, 0, false, 0});
}
KERNEL(bad_transpose) {
    LoadData(at<float>(TPosition::A2, 0, 128), at<float>(TPosition::A1, 0, 128),
             LoadData2DParams{0, 1, 1, 0, 0, true, 0});
}
