/* Flags, barriers and launches.  Part of the engine. */
#ifndef OPSLIB_TWIN_RUN_SYNC_H
#define OPSLIB_TWIN_RUN_SYNC_H

#include "opslib_twin_cost.h"
#include "opslib_twin_shadow.h"

namespace opslib_twin {

inline SyncLine& sync_line(int line, const char* format, const char* from,
                           const char* to, int id) {
    State& s = *state;
    for (uint32_t i = 0; i < s.sync_line_count; i++)
        if (s.sync_lines[i].line == line) return s.sync_lines[i];
    bool full = s.sync_line_count == kSyncLines;
    SyncLine& fresh = s.sync_lines[full ? kSyncLines - 1 : s.sync_line_count++];
    fresh = {line, 0, 0, false, false, 0, {~0u, ~0u, ~0u}, {0}};
    snprintf(fresh.what, sizeof fresh.what, format, from, to, id);
    return fresh;
}

/* Counts a wait or a barrier of `pipe` that has just run. */
inline void ran(SyncLine& record, Pipe pipe, bool news, bool barrier) {
    State& s = *state;
    record.followed |= record.runs && s.active[pipe] > record.active[s.unit];
    record.runs++;
    record.redundant += !news;
    record.barrier = barrier;
    record.pipe = pipe;
    record.active[s.unit] = s.active[pipe];
    s.counters[barrier ? kBarriersRedundant : kFlagsRedundant] += !news;
}

inline void at_sync(Pipe pipe, const char* name, int line) {
    State& s = *state;
    s.now = {pipe, name, line, ++s.statements};
}

inline bool event_id_ok(int id) {
    if (id < 0 || id >= kTarget.event_ids) {
        report("event", "event id %d; a chip has 0 to %d", id, kTarget.event_ids - 1);
        return false;
    }
    if (id >= kTarget.usable_event_ids) report("event", "event id %d is reserved", id);
    return true;
}

/* "SetFlag: ... after all read and write operations of the current instruction are
 * completed" (SetFlag/WaitFlag, 07_0270): everything issued to the pipe so far, and all
 * that the pipe knew. */
void set_flag(AscendC::HardEvent event, int id, int line) {
    State& s = *state;
    EventPipes pipes = kEventPipes[int(event)];
    at_sync(Pipe(pipes.from), "SetFlag", line);
    s.counters[kFlagsSet]++;
    if (!event_id_ok(id)) return;
    Event& flag = s.events[int(event)][id];
    const char *from = kPipeNames[pipes.from], *to = kPipeNames[pipes.to];
    if (flag.set)
        report("event", "%s_%s %d is set again, and nothing has waited since line %d",
               from, to, id, flag.line);
    else if (s.clock[pipes.from][kPipes + pipes.to] < flag.waited)
        report("overtaken",
               "%s_%s %d is set, and nothing orders that after the wait of line %d: in "
               "time the flag may be set twice",
               from, to, id, flag.wait_line);
    flag.set = true;
    flag.line = line;
    s.active[pipes.from]++;
    memcpy(flag.clock, s.clock[pipes.from], sizeof flag.clock);
    flag.clock[pipes.from] = s.issued[pipes.from];
    flag.time = s.time[pipes.from];
}

void wait_flag(AscendC::HardEvent event, int id, int line) {
    State& s = *state;
    EventPipes pipes = kEventPipes[int(event)];
    at_sync(Pipe(pipes.to), "WaitFlag", line);
    s.counters[kFlagsWaited]++;
    if (!event_id_ok(id)) return;
    Event& flag = s.events[int(event)][id];
    const char *from = kPipeNames[pipes.from], *to = kPipeNames[pipes.to];
    if (!flag.set) {
        report("event", "waits for %s_%s %d, which is not set: a device would hang",
               from, to, id);
        return;
    }
    flag.set = false;
    if (line == dropped_line) return;
    SyncLine& record = sync_line(line, "%s_%s %d", from, to, id);
    bool news = false;
    uint32_t* known = s.clock[pipes.to];
    for (int q = 0; q < kClocks; q++)
        if (known[q] < flag.clock[q]) known[q] = flag.clock[q], news = true;
    flag.waited = known[kPipes + pipes.to] = ++s.issued[kPipes + pipes.to];
    flag.wait_line = line;
    ran(record, Pipe(pipes.to), news, false);
    stand(pipes.to, flag.time);
}

inline void barrier_all(int line) {
    State& s = *state;
    bool news = false;
    double latest = 0;
    for (int p = 0; p < kPipes; p++) {
        if (latest < s.time[p]) latest = s.time[p];
        for (int q = 0; q < kClocks; q++)
            if (s.clock[p][q] < s.issued[q]) s.clock[p][q] = s.issued[q], news = true;
    }
    for (int p = 0; p < kPipes; p++) {
        if (s.issued[p]) stand(p, latest);
        s.time[p] = latest;
    }
    ran(sync_line(line, "%s%s", "PIPE_ALL", "", 0), S, news, true);
}

void barrier(int pipe, int line) {
    State& s = *state;
    Pipe p = pipe == PIPE_FIX    ? FIX
             : pipe == PIPE_V    ? V
             : pipe == PIPE_M    ? M
             : pipe == PIPE_MTE1 ? MTE1
             : pipe == PIPE_MTE2 ? MTE2
             : pipe == PIPE_MTE3 ? MTE3
                                 : S;
    at_sync(p, "PipeBarrier", line);
    s.counters[kBarriers]++;
    if (pipe == PIPE_S) {
        report("barrier", "PipeBarrier<PIPE_S> is an error of the hardware");
        return;
    }
    if (line == dropped_line) return;
    if (pipe == PIPE_ALL) {
        barrier_all(line);
        return;
    }
    bool news = s.clock[p][p] < s.issued[p];
    s.clock[p][p] = s.issued[p];
    ran(sync_line(line, "PIPE_%s%s", kPipeNames[p], "", 0), p, news, true);
}

void declare(const Local& tensor, int line) {
    at_sync(S, "LocalTensor", line);
    int scope = scope_of(tensor.position);
    if (scope < 0) {
        report("position", "a position that the twin does not have");
        return;
    }
    const ScopeFacts& facts = kScopeFacts[scope];
    uint64_t end = uint64_t(tensor.address) + uint64_t(tensor.count) * tensor.size;
    if (end > facts.usable)
        report("capacity", "a tensor of bytes %u to %llu of %s, which has %u to use",
               tensor.address, static_cast<unsigned long long>(end), facts.name,
               facts.usable);
    if (tensor.address % facts.alignment)
        report("alignment", "a tensor at byte %u of %s; it needs a multiple of %u",
               tensor.address, facts.name, facts.alignment);
}

/* A buffer that promises more than its argument has is wrong before any access. */
void set_buffer(const Global& buffer, int line) {
    State& s = *state;
    at_sync(S, "SetGlobalBuffer", line);
    uintptr_t begin = reinterpret_cast<uintptr_t>(buffer.base);
    if (begin % buffer.size)
        report(
            "alignment",
            "a GlobalTensor at an address that is no multiple of its %u byte elements",
            unsigned(buffer.size));
    for (uint32_t i = 0; i < s.argument_count; i++) {
        uintptr_t base = reinterpret_cast<uintptr_t>(s.arguments[i].base);
        if (begin < base || begin > base + s.arguments[i].bytes) continue;
        if (buffer.count > (base + s.arguments[i].bytes - begin) / buffer.size)
            continue;
        return;
    }
    if (buffer.count)
        report("bounds", "a GlobalTensor of %llu elements, more than its argument has",
               static_cast<unsigned long long>(buffer.count));
}

int64_t block_index() {
    const State& s = *state;
    return s.mix && s.unit ? s.core * 2 + s.unit - 1 : s.core;
}
int64_t block_number() { return state->cores; }

inline void reset_core(Core& s, uint32_t unit) {
    s.unit = unit;
    s.statements = 0;
    memset(s.issued, 0, sizeof s.issued);
    memset(s.active, 0, sizeof s.active);
    memset(s.clock, 0, sizeof s.clock);
    memset(s.time, 0, sizeof s.time);
    memset(s.events, 0, sizeof s.events);
    s.atomic_mode = 0;
    s.used_vector = s.used_cube = s.reported_mix = false;
    s.dirty_count = 0;
    s.pool.used = s.pool.free_list = 0;
    for (int i = 0; i < kScopes; i++) {
        Buffer& buffer = s.buffers[i];
        uint32_t used = round_up(buffer.touched, 32);
        memset(buffer.bytes, 0xff, used);
        memset(buffer.valid, 0, used);
        memset(buffer.heads, 0, used / 32 * sizeof(uint32_t));
        buffer.touched = 0;
    }
}

inline void make_buffers(Core* s) {
    for (int i = 0; i < kScopes; i++) {
        uint32_t bytes = kScopeFacts[i].bytes;
        Buffer& buffer = s->buffers[i];
        buffer.bytes = static_cast<uint8_t*>(malloc(bytes));
        buffer.valid = static_cast<uint8_t*>(calloc(bytes, 1));
        buffer.heads = static_cast<uint32_t*>(calloc(bytes / 32 + 1, sizeof(uint32_t)));
        if (!buffer.bytes || !buffer.valid || !buffer.heads) abort();
        memset(buffer.bytes, 0xff, bytes);
    }
}

inline void free_buffers(Core* core) {
    for (Buffer& buffer : core->buffers) {
        free(buffer.bytes);
        free(buffer.valid);
        free(buffer.heads);
    }
    free(core->pool.items);
}

inline State* make_state() {
    State* s = static_cast<State*>(calloc(1, sizeof(State)));
    if (!s) abort();
    make_buffers(s);
    return s;
}

/* A thread's state, freed with the thread. */
struct Owner {
    State* state = nullptr;
    Owner() = default;
    Owner(const Owner&) = delete;
    Owner& operator=(const Owner&) = delete;
    ~Owner() {
        if (!state) return;
        free_buffers(state);
        free(state->global_pool.items);
        free(state);
    }
};

inline void finish_core(State& s) {
    for (int e = 0; e < kEvents; e++)
        for (int id = 0; id < kEventIds; id++)
            if (s.events[e][id].set) {
                at_sync(Pipe(kEventPipes[e].from), "SetFlag", s.events[e][id].line);
                report("event", "%s_%s %d is still set at the end of the kernel",
                       kPipeNames[kEventPipes[e].from], kPipeNames[kEventPipes[e].to],
                       id);
            }
    if (s.dirty_count) {
        at_sync(S, "SetValue", 0);
        report("cache",
               "scalar stores to GM are still in the data cache at the end; "
               "DataCacheCleanAndInvalid is missing for %u lines",
               s.dirty_count);
    }
    for (uint32_t i = 0; i < s.sync_line_count; i++) {
        SyncLine& record = s.sync_lines[i];
        record.followed |= s.active[record.pipe] > record.active[s.unit];
        record.active[s.unit] = ~0u;
    }
    double latest = 0;
    for (int p = 0; p < kPipes; p++)
        if (latest < s.time[p]) latest = s.time[p];
    if (s.counters[kCycles] < uint64_t(latest)) s.counters[kCycles] = uint64_t(latest);
}

/* Notes, which are no findings: "redundant" lines never ordered anything new; after a
 * "drain" its pipe does nothing more, so that it only empties a flag for the next
 * kernel. */
inline void write_notes(State& s) {
    for (uint32_t i = 0; i < s.sync_line_count; i++) {
        const SyncLine& record = s.sync_lines[i];
        bool redundant = record.redundant == record.runs;
        bool drain = !record.followed && !record.barrier;
        if (!redundant && !drain) continue;
        char text[256];
        int length = snprintf(text, sizeof text,
                              "{\"kind\":\"%s\",\"kernel\":\"%s\",\"line\":%d,"
                              "\"sync\":\"%s\",\"runs\":%u}\n",
                              drain ? "drain" : "redundant", s.kernel, record.line,
                              record.what, record.runs);
        if (length > 0 && size_t(length) < sizeof text)
            append_line(text, size_t(length));
    }
}

/* The lines of waits and barriers that the thread's last launch came to, and how often. */
struct LineRun {
    int32_t line;
    uint32_t runs;
};
inline thread_local LineRun lines_run[kSyncLines];
inline thread_local uint32_t lines_run_count = 0;

struct Launch {
    const char* kernel;
    uint32_t blocks;
    void** pointers;
    const uint64_t* byte_sizes;
    uint32_t count;
    char* report;
    uint64_t report_bytes;
    uint64_t* counters;
    uint32_t n_counters;
    bool mix;
};

/* Runs the three cores of a block; opslib_twin_run_mix.h. */
void run_block(State& s, void (*run)(void**), void** pointers);

int launch(const Launch& job, void (*run)(void**)) {
    static thread_local Owner own;
    if (!own.state) own.state = make_state();
    State& s = *own.state;
    state = own.state;
    s.kernel = job.kernel;
    s.cores = job.blocks;
    s.mix = job.mix;
    s.findings = s.seen_count = s.sync_line_count = 0;
    s.instructions = 0;
    s.report = job.report;
    s.report_bytes = job.report_bytes;
    s.report_used = 0;
    if (job.report && job.report_bytes) job.report[0] = 0;
    memset(s.counters, 0, sizeof s.counters);
    s.global_pool.used = s.global_pool.free_list = 0;
    s.argument_count = job.count < kArgumentLimit ? job.count : kArgumentLimit;
    for (uint32_t i = 0; i < s.argument_count; i++) {
        uint64_t bytes = job.byte_sizes[i];
        uint32_t* heads =
            static_cast<uint32_t*>(calloc(bytes / 32 + 2, sizeof(uint32_t)));
        if (!heads) abort();
        s.arguments[i] = {static_cast<uint8_t*>(job.pointers[i]), bytes, heads};
    }
    for (uint32_t core = 0; core < job.blocks; core++) {
        if (s.findings && (dropped_line || s.instructions > most_instructions)) break;
        s.core = core;
        if (job.mix) {
            run_block(s, run, job.pointers);
            continue;
        }
        reset_core(s, 0);
        try {
            run(job.pointers);
            finish_core(s);
        } catch (const Stuck&) {
        }
    }
    write_notes(s);
    lines_run_count = s.sync_line_count;
    for (uint32_t i = 0; i < lines_run_count; i++)
        lines_run[i] = {s.sync_lines[i].line, s.sync_lines[i].runs};
    for (uint32_t i = 0; i < s.argument_count; i++) free(s.arguments[i].heads);
    for (uint32_t i = 0; job.counters && i < job.n_counters; i++)
        job.counters[i] = i < kCounters ? s.counters[i] : 0;
    state = nullptr;
    return s.findings > 0x7fffffff ? 0x7fffffff : int(s.findings);
}

uint16_t half_of(float value) {
    return uint16_t(compose(number_of(double(value)), 10, 5,
                            AscendC::RoundMode::CAST_RINT, kTarget.saturates));
}
float float_of_half(uint16_t bits) { return half_to_float(bits); }
uint16_t bfloat16_of(float value) {
    return uint16_t(compose(number_of(double(value)), 7, 8,
                            AscendC::RoundMode::CAST_RINT, kTarget.saturates));
}
float float_of_bfloat16(uint16_t bits) { return bfloat16_to_float(bits); }

}  // namespace opslib_twin

#endif
