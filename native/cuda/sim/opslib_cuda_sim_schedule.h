/* Which fibre runs: the lanes of a warp in turn until all of them wait, then the next
 * warp.  A thread that never waits needs no stack of its own. */
#ifndef OPSLIB_CUDA_SIM_SCHEDULE_H
#define OPSLIB_CUDA_SIM_SCHEDULE_H

#include "opslib_cuda_sim_clock.h"
#include "opslib_cuda_sim_fibre.h"

namespace opslib_cuda_sim {

/* Copies and products that have been asked for and not been done: those of which an
 * mbarrier or a group is now polled.  True if any was done. */
bool run_asynchronous();
/* Findings for what a thread has started and not waited for. */
void leave_asynchronous(Thread& t);

inline void make_ready(Thread& t) {
    t.wait = Wait::No;
    t.warp->ready |= 1ull << t.lane;
    g.ready_warps |= 1ull << (t.warp - g.warp);
}
inline void make_waiting(Thread& t, Wait wait) {
    t.wait = wait;
    t.warp->ready &= ~(1ull << t.lane);
    if (!t.warp->ready) g.ready_warps &= ~(1ull << (t.warp - g.warp));
}

[[noreturn]] inline void leave() {
    void* nowhere;
    opslib_cuda_sim_switch(&nowhere, g.main_stack);
    __builtin_unreachable();
}
/* After a finding that makes going on impossible. */
[[noreturn]] inline void stop() {
    g.stopped = true;
    leave();
}

void report_deadlock();

inline void too_many_steps() {
    finding("limit", place_of(self->site), 0, self->id,
            "some hundred thousand barriers, waits and fences of one thread in one block: "
            "the simulator has no clock for that");
    stop();
}

inline Thread* pick() {
    for (;;) {
        if (g.ready_warps) {
            const uint32_t at = uint32_t(self->warp - g.warp);
            const uint64_t here = self->warp->ready;
            if (here) {
                const uint64_t rest = here & ~((2ull << self->lane) - 1);
                return self->warp->threads + __builtin_ctzll(rest ? rest : here);
            }
            const uint64_t rest = g.ready_warps & ~((2ull << at) - 1);
            const WarpState& w = g.warp[__builtin_ctzll(rest ? rest : g.ready_warps)];
            return w.threads + __builtin_ctzll(w.ready);
        }
        if (g.exited == g.threads) return nullptr;
        if (run_asynchronous()) continue;
        if (g.polling && g.progress != g.polled) {
            g.polled = g.progress;
            for (uint32_t i = 0; i < g.threads; i++)
                if (g.thread[i].wait == Wait::Poll) make_ready(g.thread[i]);
            g.polling = 0;
            continue;
        }
        report_deadlock();
        g.stopped = true;
        return nullptr;
    }
}

inline void thread_body();

/* The current thread waits, or another goes first; comes back when it is its turn. */
inline void run_others() {
    Thread* const before = self;
    Thread* const next = pick();
    if (next == before) return;
    if (!next) leave();
    g.counters[kSwitches]++;
    self = next;
    void* to = next->stack_pointer;
    if (!to) {
        next->stack = take_stack();
        to = fresh_stack(next->stack + kGuardBytes, top_of(next->stack), thread_body);
    }
    opslib_cuda_sim_switch(&before->stack_pointer, to);
}

void thread_exits(Thread& t);

inline void thread_body() {
    for (;;) {
        g.run(g.arguments);
        Thread& t = *self;
        thread_exits(t);
        Thread* const next = pick();
        if (next && !next->stack_pointer) {
            next->stack = t.stack;
            self = next;
            continue;
        }
        stacks.free.push_back(t.stack);
        if (!next) leave();
        self = next;
        void* nowhere;
        opslib_cuda_sim_switch(&nowhere, next->stack_pointer);
    }
}

/* A thread that may be spinning: now and then another one goes first.  When nothing else
 * has happened for long, it never will. */
inline void give_way(Thread& t, Place place) {
    if (++t.atomics % 64) return;
    if (g.progress != g.idle_progress) {
        g.idle_progress = g.progress;
        g.idle = 0;
    } else if (++g.idle > 1000000) {
        finding("deadlock", place, 0, t.id,
                "a thread goes round and round while nothing else happens: what it waits "
                "for does not come from this block or one before it");
        stop();
    }
    run_others();
}

inline void poll() {
    make_waiting(*self, Wait::Poll);
    g.polling++;
    run_others();
}

/* ---- what waits for what, when nothing can go on */

inline const char* name_of(Warp what) {
    static const char* const names[] = {
        "__syncwarp", "__shfl_sync", "__shfl_up_sync", "__shfl_down_sync",
        "__shfl_xor_sync", "__any_sync", "__all_sync", "__ballot_sync",
        "__match_any_sync", "__match_all_sync", "__reduce_add_sync",
        "__reduce_min_sync", "__reduce_max_sync", "__reduce_min_sync",
        "__reduce_max_sync", "__reduce_and_sync", "__reduce_or_sync",
        "__reduce_xor_sync", "mma", "ldmatrix", "stmatrix", "elect", "wgmma"};
    return names[int(what)];
}
inline const char* name_of(Block what) {
    static const char* const names[] = {"__syncthreads", "__syncthreads_count",
                                        "__syncthreads_and", "__syncthreads_or",
                                        "bar.sync"};
    return names[int(what)];
}

/* "threads 0 to 31, 64" of ids in order. */
inline std::string ranges(const std::vector<uint32_t>& ids) {
    std::string text = ids.size() == 1 ? "thread " : "threads ";
    size_t told = 0;
    for (size_t i = 0; i < ids.size();) {
        size_t j = i;
        while (j + 1 < ids.size() && ids[j + 1] == ids[j] + 1) j++;
        if (told++ == 8) return text + ", ...";
        text += format(j > i ? "%s%u to %u" : "%s%u", i ? ", " : "", ids[i], ids[j]);
        i = j + 1;
    }
    return text;
}

inline std::string waits_for(const Thread& t) {
    if (t.wait == Wait::Exited) return "left the kernel";
    const char* what = "wait";
    if (t.wait == Wait::Warp)
        return format("wait at %s with mask 0x%llx (%s)", name_of(t.what),
                      static_cast<unsigned long long>(t.mask),
                      shown({t.site.file, t.site.line}).c_str());
    if (t.wait == Wait::Block)
        return format("wait at %s (%s)",
                      t.barrier ? format("barrier %d", t.barrier).c_str()
                                : name_of(g.barrier[0].what),
                      shown({t.site.file, t.site.line}).c_str());
    if (t.wait == Wait::Mbarrier) what = "wait for an mbarrier";
    if (t.wait == Wait::Poll) what = "poll";
    return format("%s (%s)", what, shown({t.site.file, t.site.line}).c_str());
}

inline void report_deadlock() {
    std::vector<std::pair<std::string, std::vector<uint32_t>>> groups;
    const Thread* first = nullptr;
    bool barrier = false, warp = false;
    for (uint32_t i = 0; i < g.threads; i++) {
        const Thread& t = g.thread[i];
        if (t.wait != Wait::Exited && !first) first = &t;
        barrier = barrier || t.wait == Wait::Block;
        warp = warp || t.wait == Wait::Warp;
        const std::string text = waits_for(t);
        size_t k = 0;
        while (k < groups.size() && groups[k].first != text) k++;
        if (k == groups.size()) groups.push_back({text, {}});
        groups[k].second.push_back(i);
    }
    std::string text, json;
    for (const auto& each : groups) {
        text += (text.empty() ? "" : "; ") + ranges(each.second) + " " + each.first;
        json += format("%s{\"threads\": [%u, %u], \"count\": %zu, \"what\": ",
                       json.empty() ? "" : ", ", each.second.front(),
                       each.second.back(), each.second.size()) +
                quoted(each.first) + "}";
    }
    const char* kind = groups.size() > 1 && (barrier || warp) ? "divergent" : "deadlock";
    finding(kind, place_of(first->site), 0, first->id,
            "no thread can go on: " + text, ", \"waiting\": [" + json + "]");
}

}  // namespace opslib_cuda_sim

#endif
