/* Fibres: a stack each and a switch between them in a few instructions. */
#ifndef OPSLIB_CUDA_SIM_FIBRE_H
#define OPSLIB_CUDA_SIM_FIBRE_H

#include <sys/mman.h>

#include "opslib_cuda_sim_state.h"

#if !defined(__x86_64__) && !defined(__aarch64__)
#include <ucontext.h>
#endif

namespace opslib_cuda_sim {

/* Saves what a call keeps on this stack, stores the stack pointer, goes to the other. */
#if defined(__x86_64__)
extern "C" void opslib_cuda_sim_switch(void** from, void* to);
asm(R"(
    .text
    .type opslib_cuda_sim_switch, @function
opslib_cuda_sim_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size opslib_cuda_sim_switch, . - opslib_cuda_sim_switch
)");
/* A stack on which `start` begins: six registers, its address, and a return address of
 * nowhere at the place where a call would have left it. */
inline void* fresh_stack(uintptr_t stack, uintptr_t top, void (*start)()) {
    static_cast<void>(stack);
    void** sp = reinterpret_cast<void**>(top & ~uintptr_t(15));
    *--sp = nullptr;
    *--sp = reinterpret_cast<void*>(start);
    for (int i = 0; i < 6; i++) *--sp = nullptr;
    return sp;
}
#elif defined(__aarch64__)
extern "C" void opslib_cuda_sim_switch(void** from, void* to);
asm(R"(
    .text
    .type opslib_cuda_sim_switch, %function
opslib_cuda_sim_switch:
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
    .size opslib_cuda_sim_switch, . - opslib_cuda_sim_switch
)");
inline void* fresh_stack(uintptr_t stack, uintptr_t top, void (*start)()) {
    static_cast<void>(stack);
    void** sp = reinterpret_cast<void**>(top & ~uintptr_t(15)) - 20;
    for (int i = 0; i < 20; i++) sp[i] = nullptr;
    sp[11] = reinterpret_cast<void*>(start);
    return sp;
}
#else
inline void opslib_cuda_sim_switch(void** from, void* to) {
    ucontext_t here;
    *from = &here;
    swapcontext(&here, static_cast<ucontext_t*>(to));
}
inline void* fresh_stack(uintptr_t stack, uintptr_t top, void (*start)()) {
    ucontext_t* context = reinterpret_cast<ucontext_t*>(
        (top - sizeof(ucontext_t)) & ~uintptr_t(63));
    getcontext(context);
    context->uc_stack.ss_sp = reinterpret_cast<void*>(stack);
    context->uc_stack.ss_size = reinterpret_cast<uintptr_t>(context) - stack;
    context->uc_link = nullptr;
    makecontext(context, start, 0);
    return context;
}
#endif

/* All stacks, mapped once; only pages that are used take memory.  A page between two
 * cannot be touched, so that a thread with too many locals stops the process. */
struct Stacks {
    uintptr_t base = 0;
    std::vector<uintptr_t> free;
};
inline Stacks stacks;

constexpr size_t kStackStride = kStackBytes + kGuardBytes;

inline bool make_stacks() {
    if (stacks.base) return true;
    void* at = mmap(nullptr, kStackStride * kMaxThreads, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) return false;
    stacks.base = reinterpret_cast<uintptr_t>(at);
    for (uint32_t i = kMaxThreads; i-- > 0;) {
        const uintptr_t stack = stacks.base + i * kStackStride;
        mprotect(reinterpret_cast<void*>(stack), kGuardBytes, PROT_NONE);
        stacks.free.push_back(stack);
    }
    return true;
}
inline uintptr_t take_stack() {
    const uintptr_t stack = stacks.free.back();
    stacks.free.pop_back();
    return stack;
}
/* Where a stack begins.  Not all at the same place of a page, or a cache that is
 * indexed by those bits would hold only a few of them. */
inline uintptr_t top_of(uintptr_t stack) {
    const uintptr_t number = (stack - stacks.base) / kStackStride;
    return stack + kStackStride - number % 31 * 128;
}

}  // namespace opslib_cuda_sim

#endif
