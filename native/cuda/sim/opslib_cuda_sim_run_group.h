/* wgmma: products of a warpgroup on shared memory, finished when they are waited for.
 * PTX ISA, "Asynchronous Warpgroup Level Matrix Instructions": register fragments,
 * shared memory matrix layout, matrix descriptor.
 *
 * The four warps of a group need not meet: each computes its own 16 of the 64 rows. */
#ifndef OPSLIB_CUDA_SIM_RUN_GROUP_H
#define OPSLIB_CUDA_SIM_RUN_GROUP_H

#include "opslib_cuda_sim_run_bulk.h"
#include "opslib_cuda_sim_run_matrix.h"

namespace opslib_cuda_sim {

/* Dynamic shared memory is at 0, so that what a descriptor can say (18 bits) reaches all
 * of it; arrays of fixed size are behind, mostly out of reach. */
constexpr uint32_t kFixedAddress = 1u << 18;

uint32_t shared_address(const void* shared) {
    const uintptr_t at = reinterpret_cast<uintptr_t>(shared);
    if (at - g.fixed.base < g.fixed.bytes) return kFixedAddress + uint32_t(at - g.fixed.base);
    return uint32_t(at - g.dynamic.base);
}

struct Matrix {
    uintptr_t start;
    uint64_t leading, stride;
    int swizzle; /* log2 of the atom's width in 16 bytes: 0 to 3 */
    bool turned; /* the other index than k is the one side by side */
};

inline Matrix described(uint64_t words, bool turned, Place place) {
    static const int widths[] = {0, 3, 2, 1};
    Matrix m{g.dynamic.base + ((words & 0x3fff) << 4), (words >> 16 & 0x3fff) << 4,
             (words >> 32 & 0x3fff) << 4, widths[words >> 62], turned};
    if (words >> 49 & 7) {
        finding("descriptor", place, 0, self->id,
                "a matrix descriptor with a base offset: the pattern of the swizzle must "
                "begin at a multiple of its 256, 512 or 1024 bytes");
        stop();
    }
    return m;
}

/* Where 16 bytes begin of a matrix of rows (M or N) by k: of row `row` and the k'th
 * chunk of k; turned: of row k and the row'th chunk of rows.  The canonical layouts, in
 * chunks: 8 rows of 1 << swizzle chunks are an atom. */
inline uintptr_t chunk_address(const Matrix& m, uint64_t row, uint64_t chunk) {
    const uint64_t wide = 1ull << m.swizzle;
    uint64_t offset;
    if (!m.turned) {
        /* K-major: ((8, rows), chunks): rows 1 << swizzle chunks apart, atoms `stride`;
         * without a swizzle the next chunk is `leading` away. */
        offset = row % 8 * wide * 16 + row / 8 * m.stride +
                 (m.swizzle ? chunk * 16 : chunk * m.leading);
    } else if (m.swizzle) {
        /* MN-major: chunks within an atom, atoms `leading` apart; 8 k, then `stride`. */
        offset = chunk % wide * 16 + chunk / wide * m.leading + row % 8 * wide * 16 +
                 row / 8 * m.stride;
    } else {
        offset = chunk * m.stride + row % 8 * 16 + row / 8 * m.leading;
    }
    const uintptr_t address = m.start + offset;
    return address ^ ((address >> 7 & (wide - 1)) << 4);
}

/* Reads `rows` rows from `first` on of a matrix into out[row][k]. */
inline void read_matrix(const Matrix& m, Number type, int first, int rows, int k,
                        const Actor& agent, float (*out)[32], Place place) {
    const int size = bits_of_type(type) / 8, each = 16 / size;
    const int outer = m.turned ? k : rows, chunks = (m.turned ? rows : k) / each;
    Region* r = &g.dynamic;
    for (int i = 0; i < outer; i++)
        for (int j = 0; j < chunks; j++) {
            const uintptr_t at =
                m.turned ? chunk_address(m, uint64_t(i), uint64_t(first / each + j))
                         : chunk_address(m, uint64_t(first + i), uint64_t(j));
            if (at - r->base >= r->bytes || at - r->base + 16 > r->bytes)
                outside(at, 16, false, place);
            touch<Access::Read>(agent, *r, at - r->base, 16, place);
            check_proxy(*agent.thread, *agent.known, *r, at - r->base, 16, place);
            for (int e = 0; e < each; e++) {
                const float value = real_of(type, reinterpret_cast<void*>(at), e);
                if (m.turned)
                    out[j * each + e][i] = value;
                else
                    out[i][j * each + e] = value;
            }
        }
}

struct GroupRegisters {
    Number type;
    int n;
    void* d;
    const uint32_t* a;
    uint64_t a_matrix, b_matrix;
    bool add, turn_a, turn_b;
};

inline Operand* find_operand(Thread& t, const void* at) {
    for (Operand& each : t.async.operands)
        if (each.at == reinterpret_cast<uintptr_t>(at)) return &each;
    return nullptr;
}

/* Registers of a wgmma must not have been touched since a wgmma.fence, but by other
 * wgmma. */
inline void use_operand(Thread& t, const void* at, uint64_t bytes, bool result,
                        Place place) {
    Operand* found = find_operand(t, at);
    if (found ? found->touched : !t.async.fenced)
        finding("fence", place, found ? found->place : 0, t.id,
                format("wgmma with registers that this thread has %s; missing: "
                       "wgmma.fence between them",
                       found ? "used since the last wgmma" : "set before"),
                ", \"missing\": \"wgmma.fence\"");
    if (!found) {
        t.async.operands.push_back(
            {reinterpret_cast<uintptr_t>(at), bytes, 0, false, place, place});
        found = &t.async.operands.back();
    }
    found->touched = false;
    found->place = place;
    if (result) {
        found->pending++;
        found->pending_place = place;
    }
}

/* A thread's own memory, where there are operands of a wgmma in it. */
[[gnu::noinline]] inline void watch(Thread& t, uintptr_t address, uint64_t size,
                                    bool write, Place place) {
    for (Operand& each : t.async.operands) {
        if (address + size <= each.at || address >= each.at + each.bytes) continue;
        if (each.pending && !told("pending", place, each.pending_place))
            finding("async", place, each.pending_place, t.id,
                    format("%s of a register that a wgmma (%s) is still computing; "
                           "missing: wgmma.wait_group",
                           write ? "write" : "read",
                           shown(where_is(each.pending_place)).c_str()),
                    ", \"missing\": \"wgmma.wait_group\"");
        each.touched = true;
        each.place = place;
    }
}

/* The results so far of registers: those of an earlier wgmma that is not waited for. */
inline const uint32_t* results_so_far(const Thread& t, const void* d) {
    const std::vector<uint32_t>* found = nullptr;
    for (const auto& group : t.async.product_groups)
        for (const Product& each : group)
            if (each.d == d) found = &each.results;
    for (const Product& each : t.async.products)
        if (each.d == d) found = &each.results;
    return found ? found->data() : static_cast<const uint32_t*>(d);
}

inline void run_group_matrix(WarpState& w) {
    Thread& leader = w.threads[0];
    const GroupRegisters& first = *static_cast<const GroupRegisters*>(leader.data);
    const Number type = first.type;
    const int k = 256 / bits_of_type(type), n = first.n, wide = 32 / bits_of_type(type);
    const Place place = place_of(leader.site);
    const int rank = int(&w - g.warp) % 4;
    const uint32_t id = new_agent();
    Known* const known = knowledge(leader);
    Thread* const before = self;
    self = &leader;
    const Actor agent{&leader, known, id, stamp_of(g.clock[id], id)};
    static float a[16][32], b[256][32];
    for (int lane = 1; lane < 32; lane++) {
        const GroupRegisters& r =
            *static_cast<const GroupRegisters*>(w.threads[lane].data);
        if (r.b_matrix == first.b_matrix && r.add == first.add &&
            (first.a || r.a_matrix == first.a_matrix))
            continue;
        finding("descriptor", place, 0, w.threads[lane].id,
                "the lanes of a wgmma have different matrix descriptors");
        stop();
    }
    if (first.a) {
        for (int lane = 0; lane < 32; lane++) {
            const GroupRegisters& r =
                *static_cast<const GroupRegisters*>(w.threads[lane].data);
            for (int i = 0; i < 4 * wide; i++) {
                const Spot at = spot_of_a(wide, lane, i);
                a[at.row][at.column] = real_of(type, r.a, i);
            }
        }
    } else {
        read_matrix(described(first.a_matrix, first.turn_a, place), type, rank * 16, 16, k,
                    agent, a, place);
    }
    read_matrix(described(first.b_matrix, first.turn_b, place), type, 0, n, k, agent, b,
                place);
    self = before;
    Known* const done = only_known(id, g.clock[id]);
    for (int lane = 0; lane < 32; lane++) {
        Thread& t = w.threads[lane];
        const GroupRegisters& r = *static_cast<const GroupRegisters*>(t.data);
        const Place here = place_of(t.site);
        use_operand(t, r.d, uint64_t(n) * 2, true, here);
        if (r.a) use_operand(t, r.a, 16, false, here);
        const uint32_t* const so_far = results_so_far(t, r.d);
        t.async.used = true;
        Product product{r.d, std::vector<uint32_t>(size_t(n) / 2), done};
        done->references++;
        for (int i = 0; i < n / 2; i++) {
            const int row = (lane >> 2) + (i >> 1 & 1) * 8;
            const int column = (i >> 2) * 8 + (lane & 3) * 2 + (i & 1);
            if (is_whole(type)) {
                int64_t sum = r.add ? int32_t(so_far[i]) : 0;
                for (int l = 0; l < k; l++)
                    sum += int64_t(a[row][l]) * int64_t(b[column][l]);
                product.results[size_t(i)] = uint32_t(sum);
            } else {
                double sum = r.add ? double(float_of(so_far[i])) : 0;
                for (int l = 0; l < k; l++)
                    sum += double(a[row][l]) * double(b[column][l]);
                product.results[size_t(i)] = bits_of_float(float(sum));
            }
        }
        /* Until the wait they hold nothing: nan, or -1. */
        memset(r.d, 0xff, size_t(n) * 2);
        t.async.products.push_back(std::move(product));
        t.async.group_matrices++;
    }
    Known* dropped_known = known;
    drop_known(dropped_known);
    Known* dropped_done = done;
    drop_known(dropped_done);
    g.counters[kMatrixFlops] += uint64_t(2 * 16 * n * k);
}

void group_matrix(Number type, int n, void* d, const uint32_t* a, uint64_t a_matrix,
                  uint64_t b_matrix, bool add, bool turn_a, bool turn_b, Site site) {
    GroupRegisters r{type, n, d, a, a_matrix, b_matrix, add, turn_a, turn_b};
    self->data = &r;
    collect(Warp::GroupMatrix, 0xffffffff, 0, 4, 0, (int(type) * 257 + n) * 2 + (a != nullptr),
            site);
}

void group_fence(Site site) {
    Thread& t = *self;
    t.site = site;
    bool drop;
    const int line = sync_line(67, "wgmma.fence", site, &drop);
    g.sync_lines[size_t(line)].noted = false;
    if (drop) return;
    t.async.used = t.async.fenced = true;
    for (Operand& each : t.async.operands) each.touched = false;
}

void group_commit(Site) {
    self->async.used = true;
    self->async.product_groups.push_back(std::move(self->async.products));
    self->async.products.clear();
}

void group_wait(int open, Site site) {
    Thread& t = *self;
    t.site = site;
    bool drop;
    const int line = sync_line(68, "wgmma.wait_group", site, &drop);
    g.sync_lines[size_t(line)].noted = false;
    if (drop) return;
    auto& groups = t.async.product_groups;
    while (int(groups.size()) > open) {
        for (Product& each : groups.front()) {
            memcpy(each.d, each.results.data(), each.results.size() * 4);
            acquire(t, each.done);
            drop_known(each.done);
            Operand* const operand = find_operand(t, each.d);
            operand->pending--;
            /* Of one that is in flight still, the later results count. */
            if (operand->pending) memset(each.d, 0xff, each.results.size() * 4);
        }
        groups.pop_front();
        t.async.fenced = false;
    }
    /* Operands of the stack's past are forgotten, or another array at their place would
     * be taken for them. */
    if (groups.empty() && t.async.products.empty() && t.async.operands.size() > 16)
        t.async.operands.clear();
}

void cluster_barrier(Site site) {
    block_barrier(Block::Named, kClusterBarrier, 0, 0, site);
}

/* All four warps of a group take part in each wgmma. */
inline void check_groups() {
    for (uint32_t i = 0; i < g.threads; i++) {
        const Thread &t = g.thread[i], &first = g.thread[i / 128 * 128];
        if (t.async.group_matrices == first.async.group_matrices) continue;
        finding("divergent", place_of(t.site), 0, i,
                format("%llu wgmma of this thread, %llu of the first of its warpgroup",
                       static_cast<unsigned long long>(t.async.group_matrices),
                       static_cast<unsigned long long>(first.async.group_matrices)));
        return;
    }
}

}  // namespace opslib_cuda_sim

#endif
