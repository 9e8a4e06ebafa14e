/* What one core holds while a block runs: buffers with a shadow, clocks, flags,
 * counters and findings.  Part of the engine; see opslib_twin_library.h. */
#ifndef OPSLIB_TWIN_STATE_H
#define OPSLIB_TWIN_STATE_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "opslib_twin_counters.h"
#include "opslib_twin_engine.h"
#include "opslib_twin_target.h"

namespace opslib_twin {

enum Pipe : uint8_t {
    S,
    V,
    M,
    MTE1,
    MTE2,
    MTE3,
    FIX,
    kPipes
};
constexpr const char* kPipeNames[kPipes] = {"S",    "V",    "M",  "MTE1",
                                            "MTE2", "MTE3", "FIX"};

/* HardEvent by its number: the pipe that sets and the pipe that waits. */
struct EventPipes {
    uint8_t from, to;
};
constexpr EventPipes kEventPipes[] = {
    {MTE2, MTE1}, {MTE1, MTE2}, {MTE1, M},    {M, MTE1},   {MTE2, V},   {V, MTE2},
    {MTE3, V},    {V, MTE3},    {M, V},       {V, M},      {V, V},      {MTE3, MTE1},
    {MTE1, MTE3}, {MTE1, V},    {MTE2, M},    {M, MTE2},   {V, MTE1},   {M, FIX},
    {FIX, M},     {MTE3, MTE2}, {MTE2, MTE3}, {S, V},      {V, S},      {S, MTE2},
    {MTE2, S},    {S, MTE3},    {MTE3, S},    {MTE2, FIX}, {FIX, MTE2}, {FIX, S},
    {M, S},       {FIX, MTE3},  {MTE1, FIX},  {FIX, MTE1}, {FIX, FIX},  {FIX, V},
};
constexpr int kEvents = sizeof kEventPipes / sizeof *kEventPipes, kEventIds = 8;
static_assert(kEvents == int(AscendC::HardEvent::MAX), "one pair for each HardEvent");

enum ScopeName : uint8_t {
    UB,
    L1,
    L0A,
    L0B,
    L0C,
    kScopes
};
struct ScopeFacts {
    const char* name;
    uint32_t bytes, usable, alignment;
};
/* Start addresses: 32 bytes in UB and L1, a fractal of 512 in L0A and L0B, 64 in L0C
 * (General constraints of the API reference). */
constexpr ScopeFacts kScopeFacts[kScopes] = {
    {"UB", kTarget.ub, kTarget.ub_usable, 32}, {"L1", kTarget.l1, kTarget.l1, 32},
    {"L0A", kTarget.l0a, kTarget.l0a, 512},    {"L0B", kTarget.l0b, kTarget.l0b, 512},
    {"L0C", kTarget.l0c, kTarget.l0c, 64},
};

/* One access of some bytes of a 32 byte block. */
struct Access {
    uint32_t next, bytes, stamp, statement;
    const char* name;
    int32_t line;
    uint16_t core;
    uint8_t pipe, unit;
    bool write, atomic;
};

/* Accesses by block: heads[b] is an index into the pool, 0 for none. */
struct Pool {
    Access* items;
    uint32_t used, capacity, free_list;
};

struct Buffer {
    uint8_t* bytes;
    uint8_t* valid;
    uint32_t* heads;
    uint32_t touched;
};

struct Argument {
    uint8_t* base;
    uint64_t bytes;
    uint32_t* heads;
};

/* A clock counts, for each pipe, its instructions that are complete, then its waits that
 * it has passed.  The units of a mix kernel's block know these of each other: unit w is
 * at far_clock(u, w) in the clocks of unit u, which is 0 for its own. */
constexpr int kUnits = 3, kOwnClocks = 2 * kPipes, kClocks = kUnits * kOwnClocks;
constexpr int far_clock(int mine, int other) {
    return (other - mine + kUnits) % kUnits * kOwnClocks;
}

/* `waited` is the last wait's number among those of its pipe; 0 before the first. */
struct Event {
    bool set;
    int32_t line, wait_line;
    uint32_t clock[kClocks], waited;
    double time;
};

/* A WaitFlag or PipeBarrier of the text, and whether it ever ordered anything new, and
 * whether its pipe ever did anything after it. */
struct SyncLine {
    int32_t line;
    uint32_t runs, redundant;
    bool barrier, followed;
    uint8_t pipe;
    uint32_t active[kUnits];
    char what[24];
};

struct Instruction {
    Pipe pipe;
    const char* name;
    int32_t line;
    uint32_t statement;
};

struct Seen {
    const char* kind;
    int32_t line, other;
    uint32_t scope;
};

constexpr uint32_t kSeenLimit = 64, kSyncLines = 512, kArgumentLimit = 256;

/* One core.  A block of a mix kernel has three: unit 0 is its cube core, 1 and 2 are its
 * vector cores. */
struct Core {
    uint32_t unit;
    Instruction now;
    uint32_t statements;
    uint32_t issued[kClocks];
    /* Instructions and SetFlags of a pipe. */
    uint32_t active[kPipes];
    /* clock[p][q]: instructions of pipe q known on pipe p to be complete; clock[p][p]
     * moves by barriers and by flags that come back.  clock[p][kPipes + q]: waits. */
    uint32_t clock[kPipes][kClocks];
    double time[kPipes];
    Event events[kEvents][kEventIds];
    Buffer buffers[kScopes];
    Pool pool;
    int atomic_mode;
    Type atomic_type;
    bool used_vector, used_cube, reported_mix;
    /* 64 byte lines of GM that scalar stores have left in the data cache. */
    uintptr_t dirty[64];
    uint32_t dirty_count;
};

/* The core that runs, and what all cores of a launch share. */
struct State : Core {
    const char* kernel;
    uint32_t core, cores;
    bool mix;
    Pool global_pool;
    Argument arguments[kArgumentLimit];
    uint32_t argument_count;
    SyncLine sync_lines[kSyncLines];
    uint32_t sync_line_count;
    uint64_t counters[kCounters];
    uint64_t findings;
    Seen seen[kSeenLimit];
    uint32_t seen_count;
    uint64_t instructions;
    char* report;
    uint64_t report_bytes, report_used;
};

inline thread_local State* state = nullptr;
/* A line whose wait or barrier is ignored, for mutation tests; 0 for none.  A launch
 * then ends with its first finding. */
inline int32_t dropped_line = 0;

/* A launch of more instructions ends with the finding "long"; 0 for any number. */
inline uint64_t most_instructions = 0;

/* Thrown where a core cannot go on, or need not. */
struct Stuck {};

inline uint32_t round_up(uint32_t value, uint32_t unit) {
    return (value + unit - 1) / unit * unit;
}

/* Appends one JSON line unless the report is full; false when it did not fit. */
inline bool append_line(const char* text, size_t length) {
    State& s = *state;
    if (!s.report || s.report_used + length + 1 > s.report_bytes) return false;
    memcpy(s.report + s.report_used, text, length);
    s.report_used += length;
    s.report[s.report_used] = 0;
    return true;
}

/* True for the first finding of its kind between these two lines; all are counted. */
inline bool first_of(const char* kind, int32_t line, int32_t other, uint32_t scope) {
    State& s = *state;
    s.findings++;
    for (uint32_t i = 0; i < s.seen_count; i++) {
        const Seen& seen = s.seen[i];
        if (seen.line == line && seen.other == other && seen.scope == scope &&
            !strcmp(seen.kind, kind))
            return false;
    }
    if (s.seen_count == kSeenLimit) return false;
    s.seen[s.seen_count++] = {kind, line, other, scope};
    return true;
}

/* `extra` is JSON members that start with a comma, or nothing. */
inline void write_finding(const char* kind, const Instruction& at, const char* extra,
                          const char* text) {
    State& s = *state;
    char line[1536];
    int length = snprintf(
        line, sizeof line,
        "{\"kind\":\"%s\",\"kernel\":\"%s\",\"core\":%u,\"statement\":%u,\"line\":%d,"
        "\"op\":\"%s\",\"pipe\":\"%s\"%s,\"text\":\"%s\"}\n",
        kind, s.kernel, s.core, at.statement, at.line, at.name, kPipeNames[at.pipe],
        extra, text);
    if (length > 0 && size_t(length) < sizeof line) append_line(line, size_t(length));
    if (dropped_line) throw Stuck();
}

__attribute__((format(printf, 2, 3))) inline void report(const char* kind,
                                                         const char* format, ...) {
    const Instruction& at = state->now;
    if (!first_of(kind, at.line, 0, 0)) return;
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    write_finding(kind, at, "", text);
}

inline void begin(Pipe pipe, const char* name, int line) {
    State& s = *state;
    s.now = {pipe, name, line, ++s.statements};
    if (most_instructions && ++s.instructions > most_instructions) {
        report("long", "more than %llu instructions",
               static_cast<unsigned long long>(most_instructions));
        throw Stuck();
    }
    s.issued[pipe]++;
    s.active[pipe]++;
    if (pipe == S) s.clock[S][S] = s.issued[S];
    /* The scalar unit issues everything: while it waits, nothing later starts. */
    if (s.time[pipe] < s.time[S]) s.time[pipe] = s.time[S];
    s.counters[kInstructions + pipe]++;
    s.used_vector |= pipe == V;
    s.used_cube |= pipe == M || pipe == MTE1 || pipe == FIX;
    if (s.mix && (s.unit ? s.used_cube : s.used_vector) && !s.reported_mix) {
        s.reported_mix = true;
        report("core", "%s, on a %s core", s.now.name, s.unit ? "vector" : "cube");
    }
    if (kTarget.separate_cores && kTarget.number == 2201 && s.used_vector &&
        s.used_cube && !s.reported_mix) {
        s.reported_mix = true;
        report("core",
               "vector and cube instructions in one kernel, but they are "
               "separate cores on this chip");
    }
}

/* Modelled cycles that a pipe stands at a wait until `time`. */
inline void stand(int pipe, double time) {
    State& s = *state;
    if (time <= s.time[pipe]) return;
    s.counters[(s.unit ? kVectorExposed : kExposed) + pipe] +=
        uint64_t(time - s.time[pipe]);
    s.time[pipe] = time;
}

/* Adds modelled cycles to the current pipe. */
inline void spend(double cycles) {
    State& s = *state;
    s.time[s.now.pipe] += cycles;
    s.counters[(s.unit ? kVectorBusy : kBusy) + s.now.pipe] += uint64_t(cycles);
}

}  // namespace opslib_twin

#endif
