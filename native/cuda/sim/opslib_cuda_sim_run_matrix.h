/* Matrix instructions of a warp: mma.sync, ldmatrix, stmatrix.
 *
 * Layouts: PTX ISA, "Matrix Fragments for mma.m16n8k8" and its relatives, ldmatrix and
 * stmatrix.  Products are exact; a sum is rounded once, to nearest.  Hardware does not
 * say in which order and how it rounds ("at least single precision"), so results of
 * fractions may differ from it in the last bits. */
#ifndef OPSLIB_CUDA_SIM_RUN_MATRIX_H
#define OPSLIB_CUDA_SIM_RUN_MATRIX_H

#include "opslib_cuda_sim_number.h"
#include "opslib_cuda_sim_shadow.h"

namespace opslib_cuda_sim {

struct Registers {
    Number type;
    int k;
    void* d;
    const uint32_t *a, *b;
    uint32_t* loaded;
    uint8_t* row;
    int count;
    bool transposed;
};

inline int bits_of_type(Number type) {
    return type == Number::TF32 ? 32
           : type <= Number::BF16 ? 16
                                  : 8;
}
inline bool is_whole(Number type) { return type == Number::S8 || type == Number::U8; }

/* Element i of registers, as a number. */
inline float real_of(Number type, const void* registers, int i) {
    const uint8_t* const bytes = static_cast<const uint8_t*>(registers);
    uint32_t word = 0;
    memcpy(&word, bytes + i * bits_of_type(type) / 8, size_t(bits_of_type(type) / 8));
    switch (type) {
        case Number::F16:
            return f16_to_f32(uint16_t(word));
        case Number::BF16:
            return bf16_to_f32(uint16_t(word));
        case Number::TF32:
            /* The lower 13 bits take no part. */
            return float_of(word & ~0x1fffu);
        case Number::E4M3:
            return e4m3_to_f32(uint8_t(word));
        case Number::E5M2:
            return e5m2_to_f32(uint8_t(word));
        case Number::S8:
            return float(int8_t(word));
        default:
            return float(uint8_t(word));
    }
}

/* Where element i of lane (group, thread) lies: row and column of A (16 x k), and of B
 * (k x 8).  A register holds `wide` elements side by side in k; registers alternate
 * between rows g and g + 8, then go on 4 registers' width further in k. */
struct Spot {
    int row, column;
};
inline Spot spot_of_a(int wide, int lane, int i) {
    const int group = lane >> 2, thread = lane & 3, word = i / wide;
    return {group + (word & 1) * 8, thread * wide + i % wide + (word >> 1) * 4 * wide};
}
inline Spot spot_of_b(int wide, int lane, int i) {
    const int group = lane >> 2, thread = lane & 3, word = i / wide;
    return {thread * wide + i % wide + word * 4 * wide, group};
}
inline Spot spot_of_c(int lane, int i) {
    return {(lane >> 2) + (i >> 1) * 8, (lane & 3) * 2 + (i & 1)};
}

inline void multiply(WarpState& w) {
    const Registers& first = *static_cast<const Registers*>(w.threads[0].data);
    const Number type = first.type;
    const int k = first.k, wide = 32 / bits_of_type(type);
    float a[16][32], b[32][8];
    for (int lane = 0; lane < 32; lane++) {
        const Registers& r = *static_cast<const Registers*>(w.threads[lane].data);
        for (int i = 0; i < 16 * k / 32; i++) {
            const Spot at = spot_of_a(wide, lane, i);
            a[at.row][at.column] = real_of(type, r.a, i);
        }
        for (int i = 0; i < 8 * k / 32; i++) {
            const Spot at = spot_of_b(wide, lane, i);
            b[at.row][at.column] = real_of(type, r.b, i);
        }
    }
    for (int lane = 0; lane < 32; lane++) {
        const Registers& r = *static_cast<const Registers*>(w.threads[lane].data);
        for (int i = 0; i < 4; i++) {
            const Spot at = spot_of_c(lane, i);
            if (is_whole(type)) {
                int32_t* const d = static_cast<int32_t*>(r.d) + i;
                int64_t sum = *d;
                for (int l = 0; l < k; l++)
                    sum += int64_t(a[at.row][l]) * int64_t(b[l][at.column]);
                *d = int32_t(sum);
            } else {
                float* const d = static_cast<float*>(r.d) + i;
                double sum = double(*d);
                for (int l = 0; l < k; l++)
                    sum += double(a[at.row][l]) * double(b[l][at.column]);
                *d = float(sum);
            }
        }
    }
    g.counters[kMatrixFlops] += uint64_t(2 * 16 * 8 * k);
}

/* Row i of the matrices is at the address of lane i; each lane gets two elements (four
 * bytes) of a row, transposed one of each of two rows. */
inline void move_matrix(WarpState& w, bool load) {
    const Registers& first = *static_cast<const Registers*>(w.threads[0].data);
    Thread* const before = self;
    uint8_t* rows[32];
    for (int i = 0; i < 8 * first.count; i++) {
        Thread& t = w.threads[i];
        rows[i] = static_cast<const Registers*>(t.data)->row;
        const uintptr_t address = reinterpret_cast<uintptr_t>(rows[i]);
        const Place place = place_of(t.site);
        self = &t;
        if (address & 15) misaligned(address, 16, !load, place);
        if (load)
            check<Access::Read>(address, 16, place);
        else
            check<Access::Write>(address, 16, place);
        if (!g.last->shared) {
            finding("range", place, 0, t.id,
                    format("%s of memory that is not shared", name_of(t.what)));
            stop();
        }
    }
    self = before;
    for (int lane = 0; lane < 32; lane++) {
        const Registers& r = *static_cast<const Registers*>(w.threads[lane].data);
        for (int m = 0; m < r.count; m++)
            for (int half = 0; half < 2; half++) {
                const int row = r.transposed ? lane % 4 * 2 + half : lane / 4;
                const int column = r.transposed ? lane / 4 : lane % 4 * 2 + half;
                uint8_t* const memory = rows[m * 8 + row] + column * 2;
                uint8_t* const held = reinterpret_cast<uint8_t*>(r.loaded + m) + half * 2;
                if (load)
                    memcpy(held, memory, 2);
                else
                    memcpy(memory, held, 2);
            }
    }
}

void run_group_matrix(WarpState& w);

inline void run_matrix(WarpState& w, uint64_t live) {
    Thread& t = *self;
    if (live != 0xffffffff) {
        finding("mask", place_of(t.site), 0, t.id,
                format("%s with lanes 0x%llx: all 32 must be there", name_of(t.what),
                       static_cast<unsigned long long>(live)));
        stop();
    }
    if (t.what == Warp::Matrix)
        multiply(w);
    else if (t.what == Warp::GroupMatrix)
        run_group_matrix(w);
    else
        move_matrix(w, t.what == Warp::LoadMatrix);
}

inline void together(Warp what, Registers& r, int argument, Site site) {
    self->data = &r;
    /* The width tells instructions apart: lanes that differ in it never meet. */
    collect(what, 0xffffffff, 0, 4, 0, argument, site);
}

void matrix(Number type, int k, void* d, const uint32_t* a, const uint32_t* b,
            Site site) {
    Registers r{type, k, d, a, b, nullptr, nullptr, 0, false};
    together(Warp::Matrix, r, int(type) * 256 + k, site);
}
void load_matrix(int count, bool transposed, uint32_t* registers, const void* row,
                 Site site) {
    Registers r{Number::F16, 0, nullptr, nullptr, nullptr, registers,
                static_cast<uint8_t*>(const_cast<void*>(row)), count, transposed};
    together(Warp::LoadMatrix, r, count * 2 + transposed, site);
}
void store_matrix(int count, bool transposed, const uint32_t* registers, void* row,
                  Site site) {
    Registers r{Number::F16, 0, nullptr, nullptr, nullptr,
                const_cast<uint32_t*>(registers), static_cast<uint8_t*>(row), count,
                transposed};
    together(Warp::StoreMatrix, r, count * 2 + transposed, site);
}

}  // namespace opslib_cuda_sim

#endif
