/* Which access comes before which: vector clocks, kept small by what most kernels do.
 *
 * A barrier of the whole block makes all of it known to all (`floor`), one of a whole
 * warp to that warp (`warp_floor`); everything else (barriers of some threads, mbarriers,
 * copies) goes into a clock for each thread that takes part, shared by those who know the
 * same and dropped at the next barrier of the block. */
#ifndef OPSLIB_CUDA_SIM_CLOCK_H
#define OPSLIB_CUDA_SIM_CLOCK_H

#include "opslib_cuda_sim_report.h"

namespace opslib_cuda_sim {

inline Known* new_known() {
    Known* known;
    if (g.known_pool.empty()) {
        known = static_cast<Known*>(malloc(sizeof(Known)));
    } else {
        known = g.known_pool.back();
        g.known_pool.pop_back();
    }
    known->references = 1;
    g.any_known = true;
    return known;
}
inline void drop_known(Known*& known) {
    if (known && --known->references == 0) g.known_pool.push_back(known);
    known = nullptr;
}
inline void share_known(Known*& to, Known* from) {
    if (to == from) return;
    drop_known(to);
    to = from;
    if (from) from->references++;
}

inline void raise(Known& known, const Known* other) {
    if (!other) return;
    for (uint32_t i = 0; i < kActors; i++)
        if (known.at[i] < other->at[i]) known.at[i] = other->at[i];
}
/* Adds what a thread knows beyond the floor, itself included. */
inline void raise(Known& known, const Thread& t) {
    raise(known, t.known);
    const uint32_t first = t.id - t.lane;
    const uint32_t end = first + g.lanes < g.threads ? first + g.lanes : g.threads;
    for (uint32_t i = first; i < end; i++)
        if (known.at[i] < g.warp_floor[i]) known.at[i] = g.warp_floor[i];
    known.at[t.id] = g.clock[t.id];
}
/* An empty clock. */
inline Known* nothing_known() {
    Known* known = new_known();
    memset(known->at, 0, sizeof known->at);
    return known;
}

/* A stamp has 20 bits for a clock. */
void too_many_steps();

inline void advance(uint32_t actor) {
    if (++g.clock[actor] >= g.next_base) g.next_base = g.clock[actor] + 1;
    if (g.next_base > kMaxClock) too_many_steps();
}

/* A release of one thread into a clock that others acquire. */
inline void release(Known*& into, const Thread& t) {
    if (!into) into = nothing_known();
    if (into->references > 1) {
        Known* copy = new_known();
        memcpy(copy->at, into->at, sizeof copy->at);
        drop_known(into);
        into = copy;
    }
    raise(*into, t);
    advance(t.id);
}
inline void acquire(Thread& t, Known* from) {
    if (!from || from == t.known) return;
    if (!t.known) {
        share_known(t.known, from);
        return;
    }
    /* The lanes of a warp mostly know the same and learn the same. */
    if (g.sum_of[0] != t.known || g.sum_of[1] != from) {
        Known* sum = new_known();
        memcpy(sum->at, t.known->at, sizeof sum->at);
        raise(*sum, from);
        share_known(g.sum_of[0], t.known);
        share_known(g.sum_of[1], from);
        drop_known(g.sum);
        g.sum = sum;
    }
    share_known(t.known, g.sum);
}

/* A sync line of the text, made known when it first runs; kNoSync for the one whose
 * order is dropped. */
inline int sync_line(int what, const char* name, Site site, bool* drop) {
    const auto key = std::make_pair(what, std::make_pair(site.file, site.line));
    const auto found = g.sync_numbers.find(key);
    int number;
    if (found != g.sync_numbers.end()) {
        number = found->second;
    } else {
        number = int(g.sync_lines.size());
        g.sync_lines.push_back({site, name, 0, false, true});
        g.sync_numbers.emplace(key, number);
    }
    g.sync_lines[number].runs++;
    *drop = number + 1 == dropped;
    return number;
}

/* By a barrier of the block. */
inline bool known_to_all(uint32_t actor, uint32_t clock) {
    if (clock > g.floor[actor]) return false;
    if (actor < kMaxThreads && clock > g.old_floor[actor] && g.floor_sync >= 0)
        g.sync_lines[size_t(g.floor_sync)].useful = true;
    return true;
}
/* Whether thread t knows of the access of another actor. */
inline bool knows(const Thread& t, uint32_t actor, uint32_t clock) {
    if (known_to_all(actor, clock)) return true;
    if (actor < kMaxThreads && actor - (t.id - t.lane) < g.lanes &&
        clock <= g.warp_floor[actor]) {
        if (clock > g.old_warp_floor[actor] && t.warp->sync >= 0)
            g.sync_lines[size_t(t.warp->sync)].useful = true;
        return true;
    }
    return t.known && clock <= t.known->at[actor];
}

inline std::shared_ptr<const Past> joined(const std::shared_ptr<const Past>& a,
                                          const std::shared_ptr<const Past>& b) {
    if (!a || a == b) return b;
    if (!b) return a;
    auto sum = std::make_shared<Past>(*a);
    for (const auto& each : *b) {
        auto& mine = (*sum)[each.first];
        if (!mine) {
            mine = each.second;
        } else if (mine != each.second) {
            auto both = std::make_shared<Known>(*mine);
            raise(*both, each.second.get());
            mine = both;
        }
    }
    return sum;
}
/* Threads that have come together: `ids` tell what they know of other blocks. */
template <typename Ids>
inline void share_past(const Ids& from, const Ids& to) {
    if (!g.any_past) return;
    std::shared_ptr<const Past> sum;
    for (const uint32_t i : from) sum = joined(sum, g.thread[i].past);
    for (const uint32_t i : to) g.thread[i].past = sum;
}

/* All threads of the block have come to a barrier. */
inline void order_block(int line) {
    memcpy(g.old_floor, g.floor, sizeof *g.floor * g.threads);
    memcpy(g.floor, g.clock, sizeof *g.floor * g.threads);
    for (uint32_t i = 0; i < g.threads; i++) g.clock[i]++;
    uint32_t most = 0;
    for (uint32_t i = 0; i < g.threads; i++) most = most < g.clock[i] ? g.clock[i] : most;
    if (most >= g.next_base) g.next_base = most + 1;
    if (g.next_base > kMaxClock) too_many_steps();
    g.floor_sync = line;
    if (g.any_past) {
        std::vector<uint32_t> all(g.threads);
        for (uint32_t i = 0; i < g.threads; i++) all[i] = i;
        share_past(all, all);
    }
    if (!g.any_known) return;
    const Known* last = nullptr;
    for (uint32_t i = 0; i < g.threads; i++) {
        Known*& known = g.thread[i].known;
        if (!known) continue;
        if (known != last)
            for (uint32_t a = kMaxThreads; a < kActors; a++)
                if (g.floor[a] < known->at[a]) g.floor[a] = known->at[a];
        last = known;
        drop_known(known);
    }
    g.any_known = false;
}

/* All lanes of a warp that are left have come together. */
inline void order_warp(WarpState& w, int line) {
    bool any = false;
    const uint32_t first = w.threads->id;
    for (uint64_t rest = w.members; rest; rest &= rest - 1) {
        const uint32_t i = first + uint32_t(__builtin_ctzll(rest));
        if (w.exited >> (i - first) & 1) continue;
        g.old_warp_floor[i] = g.warp_floor[i];
        g.warp_floor[i] = g.clock[i];
        advance(i);
        any = any || g.thread[i].known;
    }
    w.sync = line;
    if (g.any_past) {
        std::vector<uint32_t> all;
        for (uint64_t rest = w.members & ~w.exited; rest; rest &= rest - 1)
            all.push_back(first + uint32_t(__builtin_ctzll(rest)));
        share_past(all, all);
    }
    if (!any) return;
    Known* sum = nothing_known();
    const Known* last = nullptr;
    for (uint64_t rest = w.members & ~w.exited; rest; rest &= rest - 1) {
        const Thread& t = w.threads[__builtin_ctzll(rest)];
        if (t.known != last) raise(*sum, t.known);
        last = t.known;
    }
    for (uint64_t rest = w.members & ~w.exited; rest; rest &= rest - 1)
        share_known(w.threads[__builtin_ctzll(rest)].known, sum);
    drop_known(sum);
}

/* Some threads have come together and learn what all of them know, and what those knew
 * who have only arrived. */
inline void order_threads(const Known* arrived, const std::shared_ptr<const Past>& past,
                          const std::vector<uint32_t>& waiting) {
    share_past(waiting, waiting);
    if (past)
        for (const uint32_t i : waiting) g.thread[i].past = joined(g.thread[i].past, past);
    Known* sum = nothing_known();
    raise(*sum, arrived);
    for (const uint32_t i : waiting) raise(*sum, g.thread[i]);
    for (const uint32_t i : waiting) {
        share_known(g.thread[i].known, sum);
        advance(i);
    }
    drop_known(sum);
}

/* Makes one access of an agent known: a copy that has arrived, a product that is done. */
inline Known* only_known(uint32_t actor, uint32_t clock) {
    Known* known = nothing_known();
    known->at[actor] = clock;
    return known;
}

}  // namespace opslib_cuda_sim

#endif
