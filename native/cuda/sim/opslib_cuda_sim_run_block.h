/* Barriers of the block, and the end of a thread. */
#ifndef OPSLIB_CUDA_SIM_RUN_BLOCK_H
#define OPSLIB_CUDA_SIM_RUN_BLOCK_H

#include "opslib_cuda_sim_run_warp.h"

namespace opslib_cuda_sim {

inline void open_barrier(BarrierState& b) {
    b.arrived = b.expected = 0;
    b.waiting.clear();
    drop_known(b.known);
    b.past = nullptr;
}

/* One more thread is there; true when it was the last. */
inline bool arrive(int id, int threads, Block what, int value, Site site) {
    Thread& t = *self;
    if (id < 0 || id > int(kClusterBarrier) || threads < 0 || threads > int(g.threads) ||
        threads % int(g.lanes)) {
        finding("range", place_of(site), 0, t.id,
                format("barrier %d of %d threads: ids are 0 to 15, counts multiples of "
                       "%u up to the %u threads of the block",
                       id, threads, g.lanes, g.threads));
        stop();
    }
    BarrierState& b = g.barrier[id];
    const int expected = threads ? threads : int(g.threads);
    if (!b.arrived) {
        b.expected = expected;
        b.total = 0;
        b.value = what == Block::And;
        b.what = what;
        b.site = site;
    } else if (b.expected != expected || (id == 0 && b.what != what) ||
               (id == 0 && threads == 0 &&
                (b.site.line != site.line || strcmp(b.site.file, site.file)))) {
        finding("divergent", place_of(site), place_of(b.site), t.id,
                format("%s here, but other threads of the block are at %s of %d threads "
                       "(%s)",
                       name_of(what), id ? format("barrier %d", id).c_str()
                                         : name_of(b.what),
                       b.expected, shown({b.site.file, b.site.line}).c_str()));
        stop();
    }
    if (what == Block::Count) b.total += value != 0;
    if (what == Block::And) b.value = b.value && value;
    if (what == Block::Or) b.value = b.value || value;
    return ++b.arrived == b.expected;
}

inline void pass(int id) {
    BarrierState& b = g.barrier[id];
    bool drop = false;
    g.counters[kBlockBarriers]++;
    g.progress++;
    if (!b.waiting.empty()) {
        const Site site = g.thread[b.waiting[0]].site;
        const int line = sync_line(id ? 2 : 1, id ? "bar.sync" : name_of(b.what), site, &drop);
        if (b.waiting.size() == g.threads) {
            if (!drop) order_block(line);
        } else {
            g.sync_lines[size_t(line)].noted = false;
            if (!drop) order_threads(b.known, b.past, b.waiting);
        }
    }
    for (const uint32_t i : b.waiting) {
        Thread& t = g.thread[i];
        t.result = uint64_t(b.what == Block::Count ? b.total : b.value);
        make_ready(t);
    }
    open_barrier(b);
}

int block_barrier(Block what, int id, int threads, int value, Site site) {
    Thread& t = *self;
    t.site = site;
    t.barrier = id;
    const bool last = arrive(id, threads, what, value, site);
    g.barrier[id].waiting.push_back(t.id);
    make_waiting(t, Wait::Block);
    if (last)
        pass(id);
    else
        run_others();
    return int(t.result);
}

void block_arrive(int id, int threads, Site site) {
    self->site = site;
    const bool last = arrive(id, threads, Block::Named, 0, site);
    release(g.barrier[id].known, *self);
    if (g.any_past) g.barrier[id].past = joined(g.barrier[id].past, self->past);
    if (last) pass(id);
}

inline void thread_exits(Thread& t) {
    make_waiting(t, Wait::Exited);
    t.warp->exited |= 1ull << t.lane;
    g.exited++;
    g.progress++;
    leave_asynchronous(t);
    /* A collective that now lacks nobody. */
    for (uint64_t rest = t.warp->waiting; rest; rest &= rest - 1)
        if (try_together(t.warp->threads[__builtin_ctzll(rest)])) break;
}

}  // namespace opslib_cuda_sim

#endif
