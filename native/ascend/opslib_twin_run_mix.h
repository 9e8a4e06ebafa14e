/* Mix kernels: the cube core and the two vector cores of a block, and the flags between
 * them.  Part of the engine.
 *
 * The cores take turns: one runs until it waits for a flag that is not set yet, then the
 * next one does.  So a run is the same each time; what could happen in another order is
 * for the clocks to say, which a cross-core flag hands on like any other. */
#ifndef OPSLIB_TWIN_RUN_MIX_H
#define OPSLIB_TWIN_RUN_MIX_H

#include <condition_variable>
#include <mutex>
#include <thread>

#include "opslib_twin_run_sync.h"

namespace opslib_twin {

/* Flag ids 0 to 10, each a counter of at most 15 (CrossCoreSetFlag, 07_0273, and
 * CrossCoreWaitFlag, 07_0274). */
constexpr int kCrossIds = 11;
constexpr uint32_t kCrossMost = 15;

/* A flag on its way: what its sender knew. */
struct CrossFlag {
    uint32_t clock[kClocks];
    double time;
    int line;
};

/* Flags that were set and not waited for yet, in order. */
struct CrossQueue {
    CrossFlag flags[kCrossMost];
    uint32_t count;
};

struct Mix {
    Core cores[kUnits];
    CrossQueue queues[kUnits][kUnits][kCrossIds]; /* from, to */
    bool done[kUnits], blocked[kUnits], stuck;
    uint32_t turn;
    std::mutex lock;
    std::condition_variable changed;
};

inline thread_local Mix* mix = nullptr;

/* Gives the turn to the next core that is not done; its own if there is no other. */
inline void pass_turn(Mix& m) {
    State& s = *state;
    uint32_t mine = s.unit, next = mine;
    for (uint32_t step = 1; step <= uint32_t(kUnits); step++) {
        next = (mine + step) % kUnits;
        if (!m.done[next]) break;
    }
    if (next == mine) return;
    static_cast<Core&>(m.cores[mine]) = static_cast<Core&>(s);
    static_cast<Core&>(s) = m.cores[next];
    std::unique_lock<std::mutex> hold(m.lock);
    m.turn = next;
    m.changed.notify_all();
    if (!m.done[mine]) m.changed.wait(hold, [&] { return m.turn == mine; });
}

inline bool cross_ok(const char* name, int id) {
    if (!state->mix) {
        report("core", "%s in a kernel for one kind of core", name);
        return false;
    }
    if (id >= 0 && id < kCrossIds) return true;
    report("event", "cross-core flag %d; there are 0 to %d", id, kCrossIds - 1);
    return false;
}

inline Pipe pipe_of(int pipe) {
    return pipe == PIPE_FIX    ? FIX
           : pipe == PIPE_V    ? V
           : pipe == PIPE_M    ? M
           : pipe == PIPE_MTE1 ? MTE1
           : pipe == PIPE_MTE2 ? MTE2
           : pipe == PIPE_MTE3 ? MTE3
                               : S;
}

/* A cube core sets both vector cores' counters, and vector cores together that of the
 * cube core; when all that the pipe was given before is complete. */
void cross_set(int mode, int pipe, int id, int line) {
    State& s = *state;
    Pipe p = pipe_of(pipe);
    at_sync(p, "CrossCoreSetFlag", line);
    s.counters[kFlagsSet]++;
    if (!cross_ok("CrossCoreSetFlag", id)) return;
    if (mode != 2) {
        report("unsupported", "the twin has mode 2 alone: cube and vector cores");
        return;
    }
    s.active[p]++;
    for (uint32_t to = 0; to < uint32_t(kUnits); to++) {
        if (to == s.unit || (s.unit && to)) continue;
        CrossQueue& queue = mix->queues[s.unit][to][id];
        mix->blocked[to] = false;
        if (queue.count == kCrossMost) {
            report("event", "cross-core flag %d is set %u times without a wait", id,
                   kCrossMost + 1);
            continue;
        }
        CrossFlag& flag = queue.flags[queue.count++];
        memcpy(flag.clock, s.clock[p], sizeof flag.clock);
        flag.clock[p] = s.issued[p];
        flag.time = s.time[p];
        flag.line = line;
    }
}

inline bool arrived(uint32_t unit, int id) {
    for (uint32_t from = 0; from < uint32_t(kUnits); from++)
        if (from != unit && !(from && unit) && !mix->queues[from][unit][id].count)
            return false;
    return true;
}

/* Joins a sender's clock to all pipes of this core: "all instructions after
 * CrossCoreWaitFlag are blocked". */
inline bool join_far(const CrossFlag& flag, uint32_t from) {
    State& s = *state;
    bool news = false;
    for (int other = 0; other < kUnits; other++) {
        int there = far_clock(int(from), other), here = far_clock(int(s.unit), other);
        for (int p = 0; p < kPipes; p++)
            for (int q = 0; q < kOwnClocks; q++)
                if (s.clock[p][here + q] < flag.clock[there + q])
                    s.clock[p][here + q] = flag.clock[there + q], news = true;
    }
    return news;
}

void cross_wait(int id, int line) {
    State& s = *state;
    at_sync(S, "CrossCoreWaitFlag", line);
    s.counters[kFlagsWaited]++;
    if (!cross_ok("CrossCoreWaitFlag", id)) return;
    Mix& m = *mix;
    while (!arrived(s.unit, id)) {
        m.blocked[s.unit] = true;
        bool hope = false;
        for (int u = 0; u < kUnits; u++) hope |= !m.done[u] && !m.blocked[u];
        if (!hope || m.stuck) {
            if (!m.stuck)
                report("event",
                       "waits for cross-core flag %d, which nobody sets: a device "
                       "would hang",
                       id);
            m.stuck = true;
            throw Stuck();
        }
        pass_turn(m);
        at_sync(S, "CrossCoreWaitFlag", line);
    }
    m.blocked[s.unit] = false;
    bool news = false;
    double latest = 0;
    for (uint32_t from = 0; from < uint32_t(kUnits); from++) {
        CrossQueue& queue = m.queues[from][s.unit][id];
        if (from == s.unit || (from && s.unit)) continue;
        if (line != dropped_line) news |= join_far(queue.flags[0], from);
        if (latest < queue.flags[0].time) latest = queue.flags[0].time;
        memmove(queue.flags, queue.flags + 1, --queue.count * sizeof *queue.flags);
    }
    if (line == dropped_line) return;
    ran(sync_line(line, "cross-core %s%s%d", "", "", id), S, news, false);
    stand(S, latest);
}

inline void run_unit(Mix* m, State* shared, uint32_t unit, void (*run)(void**),
                     void** pointers) {
    state = shared;
    mix = m;
    {
        std::unique_lock<std::mutex> hold(m->lock);
        m->changed.wait(hold, [&] { return m->turn == unit; });
    }
    try {
        run(pointers);
        finish_core(*shared);
    } catch (const Stuck&) {
        m->stuck = true;
    }
    m->done[unit] = true;
    pass_turn(*m);
}

void run_block(State& s, void (*run)(void**), void** pointers) {
    static thread_local Mix own;
    Mix& m = own;
    memset(m.queues, 0, sizeof m.queues);
    m.stuck = false;
    for (uint32_t u = 0; u < uint32_t(kUnits); u++) {
        m.done[u] = m.blocked[u] = false;
        memset(static_cast<void*>(&m.cores[u]), 0, sizeof m.cores[u]);
        if (u) make_buffers(&m.cores[u]);
        reset_core(u ? m.cores[u] : static_cast<Core&>(s), u);
    }
    m.turn = 0;
    std::thread first(run_unit, &m, &s, 0u, run, pointers);
    std::thread second(run_unit, &m, &s, 1u, run, pointers);
    std::thread third(run_unit, &m, &s, 2u, run, pointers);
    first.join();
    second.join();
    third.join();
    /* Whoever ended last has left its core in the state. */
    m.cores[s.unit] = static_cast<Core&>(s);
    try {
        for (uint32_t from = 0; from < uint32_t(kUnits) && !m.stuck; from++)
            for (uint32_t to = 0; to < uint32_t(kUnits); to++)
                for (int id = 0; id < kCrossIds; id++)
                    if (m.queues[from][to][id].count) {
                        at_sync(S, "CrossCoreSetFlag",
                                m.queues[from][to][id].flags[0].line);
                        report("event", "cross-core flag %d is still set at the end",
                               id);
                    }
    } catch (const Stuck&) {
    }
    static_cast<Core&>(s) = m.cores[0];
    free_buffers(&m.cores[1]);
    free_buffers(&m.cores[2]);
}

int64_t sub_block_index() { return state->unit ? state->unit - 1 : 0; }
int64_t task_ratio() { return state->mix && state->unit ? 2 : 1; }
bool on_cube_core() {
    if (!state->mix) report("core", "ASCEND_IS_AIC in a kernel for one kind of core");
    return state->unit == 0;
}

}  // namespace opslib_twin

#endif
