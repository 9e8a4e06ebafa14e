/* The engine, once for a shared object: either included by opslib_twin_entry.h, or
 * compiled on its own and linked, with OPSLIB_TWIN_LINKED where kernels are compiled:
 *
 *     g++ -std=c++17 -O2 -fPIC -DOPSLIB_TARGET=2201 -x c++ -c opslib_twin_library.h
 */
#ifndef OPSLIB_TWIN_LIBRARY_H
#define OPSLIB_TWIN_LIBRARY_H

#include "opslib_twin_run_cube.h"
#include "opslib_twin_run_mix.h"
#include "opslib_twin_run_move.h"
#include "opslib_twin_run_reduce.h"
#include "opslib_twin_run_sort.h"
#include "opslib_twin_run_sync.h"
#include "opslib_twin_run_vector.h"

/* The wait or barrier at this line of the text orders nothing from now on; 0 restores
 * all.  Findings must appear for every line, or the line was not needed. */
extern "C" __attribute__((visibility("default"))) void opslib_twin_drop_line(int line) {
    opslib_twin::dropped_line = line;
}

/* How many lines of waits and barriers the thread's last launch came to: which, and how
 * often. */
extern "C" __attribute__((visibility("default"))) uint32_t opslib_twin_lines_run(
    int32_t* lines, uint32_t* runs, uint32_t most) {
    uint32_t count = opslib_twin::lines_run_count;
    for (uint32_t i = 0; i < count && i < most; i++) {
        lines[i] = opslib_twin::lines_run[i].line;
        runs[i] = opslib_twin::lines_run[i].runs;
    }
    return count;
}

/* Launches of more instructions than `most` end with a finding; 0: none does. */
extern "C" __attribute__((visibility("default"))) void opslib_twin_limit(
    uint64_t most) {
    opslib_twin::most_instructions = most;
}

/* Constants of the cost model, in the order of opslib_twin::Costs. */
extern "C" __attribute__((visibility("default"))) void opslib_twin_costs(
    const double* values, uint32_t count) {
    opslib_twin::Costs fresh;
    double* to = &fresh.vector_start;
    for (uint32_t i = 0; i < count && i < sizeof fresh / sizeof *to; i++)
        to[i] = values[i];
    opslib_twin::costs = fresh;
}

#endif
