/* What the lanes of a warp do together. */
#ifndef OPSLIB_CUDA_SIM_RUN_WARP_H
#define OPSLIB_CUDA_SIM_RUN_WARP_H

#include "opslib_cuda_sim_schedule.h"

namespace opslib_cuda_sim {

void run_matrix(WarpState& w, uint64_t live);

/* The value of another lane; what a lane that takes no part holds is undefined. */
inline uint64_t from_lane(WarpState& w, uint64_t live, Thread& t, uint32_t lane) {
    if (live >> lane & 1) return w.threads[lane].value;
    finding("undefined", place_of(t.site), 0, t.id,
            format("%s reads lane %u, which %s", name_of(t.what), lane,
                   !(w.members >> lane & 1)  ? "is not there: the block ends before it"
                   : w.exited >> lane & 1    ? "has left the kernel"
                                             : "is not in the mask"));
    return 0xdeadbeefdeadbeefull;
}

inline void shuffle(WarpState& w, uint64_t live, Thread& t) {
    const uint32_t width = uint32_t(t.width), lane = t.lane;
    const uint32_t first = lane & ~(width - 1);
    const int64_t delta = t.what == Warp::Xor || t.what == Warp::Index
                              ? int64_t(t.argument)
                              : int64_t(uint32_t(t.argument));
    int64_t from = lane;
    switch (t.what) {
        case Warp::Index:
            from = first + (delta & (width - 1));
            break;
        case Warp::Up:
            from = int64_t(lane) - delta;
            if (from < first) from = lane;
            break;
        case Warp::Down:
            from = int64_t(lane) + delta;
            if (from >= first + width) from = lane;
            break;
        default:
            /* Into a lower segment is allowed, into a higher one not (PTX "shfl"). */
            from = int64_t(lane) ^ delta;
            if (from >= first + width) from = lane;
    }
    t.result = from_lane(w, live, t, uint32_t(from));
}

inline uint64_t folded(Warp what, uint64_t a, uint64_t b) {
    const int32_t x = int32_t(a), y = int32_t(b);
    const uint32_t u = uint32_t(a), v = uint32_t(b);
    switch (what) {
        case Warp::Add:
            return u + v;
        case Warp::MinSigned:
            return uint32_t(x < y ? x : y);
        case Warp::MaxSigned:
            return uint32_t(x < y ? y : x);
        case Warp::MinUnsigned:
            return u < v ? u : v;
        case Warp::MaxUnsigned:
            return u < v ? v : u;
        case Warp::And:
            return u & v;
        case Warp::Or:
            return u | v;
        default:
            return u ^ v;
    }
}

inline void run_together(WarpState& w, uint64_t live) {
    Thread* const lanes = w.threads;
    const Warp what = lanes[__builtin_ctzll(live)].what;
    uint64_t votes = 0, sum = 0;
    bool first = true;
    g.counters[kWarpCollectives]++;
    switch (what) {
        case Warp::Sync:
            break;
        case Warp::Index:
        case Warp::Up:
        case Warp::Down:
        case Warp::Xor:
            for (uint64_t rest = live; rest; rest &= rest - 1)
                shuffle(w, live, lanes[__builtin_ctzll(rest)]);
            break;
        case Warp::Any:
        case Warp::All:
        case Warp::Ballot:
            for (uint64_t rest = live; rest; rest &= rest - 1)
                if (lanes[__builtin_ctzll(rest)].value) votes |= rest & -rest;
            for (uint64_t rest = live; rest; rest &= rest - 1)
                lanes[__builtin_ctzll(rest)].result = what == Warp::Ballot ? votes
                                                      : what == Warp::Any  ? votes != 0
                                                                           : votes == live;
            break;
        case Warp::MatchAny:
        case Warp::MatchAll:
            for (uint64_t rest = live; rest; rest &= rest - 1) {
                Thread& t = lanes[__builtin_ctzll(rest)];
                t.result = 0;
                for (uint64_t other = live; other; other &= other - 1)
                    if (lanes[__builtin_ctzll(other)].value == t.value)
                        t.result |= other & -other;
                t.flag = t.result == live;
                if (what == Warp::MatchAll && !t.flag) t.result = 0;
            }
            break;
        case Warp::Elect:
            /* Any lane may be chosen; hardware takes the lowest. */
            for (uint64_t rest = live; rest; rest &= rest - 1)
                lanes[__builtin_ctzll(rest)].result = rest == live;
            break;
        case Warp::Matrix:
        case Warp::LoadMatrix:
        case Warp::StoreMatrix:
        case Warp::GroupMatrix:
            run_matrix(w, live);
            break;
        default:
            for (uint64_t rest = live; rest; rest &= rest - 1) {
                const uint64_t value = lanes[__builtin_ctzll(rest)].value;
                sum = first ? value : folded(what, sum, value);
                first = false;
            }
            for (uint64_t rest = live; rest; rest &= rest - 1)
                lanes[__builtin_ctzll(rest)].result = sum;
    }
    if (what != Warp::Sync) return;
    /* Only __syncwarp orders memory; the others "do not imply a memory barrier"
     * (C++ programming guide, warp shuffle and vote functions). */
    bool drop;
    const int line =
        sync_line(0, "__syncwarp", lanes[__builtin_ctzll(live)].site, &drop);
    if (drop) return;
    if (live == (w.members & ~w.exited)) {
        order_warp(w, line);
    } else {
        g.sync_lines[line].noted = false;
        std::vector<uint32_t> ids;
        for (uint64_t rest = live; rest; rest &= rest - 1)
            ids.push_back(lanes[__builtin_ctzll(rest)].id);
        order_threads(nullptr, nullptr, ids);
    }
}

/* Runs the collective that lane t waits in if all its lanes are there. */
inline bool try_together(Thread& t) {
    WarpState& w = *t.warp;
    const uint64_t live = t.mask & w.members & ~w.exited;
    if ((w.waiting & live) != live) return false;
    for (uint64_t rest = live; rest; rest &= rest - 1) {
        const Thread& other = w.threads[__builtin_ctzll(rest)];
        if (other.mask != t.mask || other.what != t.what || other.width != t.width)
            return false;
    }
    run_together(w, live);
    w.waiting &= ~live;
    g.progress++;
    for (uint64_t rest = live; rest; rest &= rest - 1) {
        Thread& other = w.threads[__builtin_ctzll(rest)];
        if (&other != self) make_ready(other);
    }
    return true;
}

Collected collect(Warp what, uint64_t mask, uint64_t value, int size,
                         int argument, int width, Site site) {
    Thread& t = *self;
    WarpState& w = *t.warp;
    t.site = site;
    t.what = what;
    t.mask = mask & w.members;
    t.value = value;
    t.size = size;
    t.argument = argument;
    t.width = width;
    t.flag = false;
    const bool shuffles = what >= Warp::Index && what <= Warp::Xor;
    if (!(mask >> t.lane & 1)) {
        finding("mask", place_of(site), 0, t.id,
                format("lane %u calls %s with mask 0x%llx, which leaves it out", t.lane,
                       name_of(what), static_cast<unsigned long long>(mask)));
        stop();
    }
    if (shuffles && (width <= 0 || (width & (width - 1)) || width > int(g.lanes))) {
        finding("range", place_of(site), 0, t.id,
                format("%s with width %d, which is no power of 2 up to %u",
                       name_of(what), width, g.lanes));
        stop();
    }
    w.waiting |= 1ull << t.lane;
    if (!try_together(t)) {
        make_waiting(t, Wait::Warp);
        run_others();
    }
    return {t.result, t.flag};
}

}  // namespace opslib_cuda_sim

#endif
