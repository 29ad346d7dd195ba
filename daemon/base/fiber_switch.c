/* SPDX-License-Identifier: Apache-2.0 */
#include "fiber_switch.h"

#include "alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* gcc tells by macro, clang by __has_feature, which gcc 12 does not know. */
#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define WITH_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WITH_TSAN 1
#endif
#endif
#if defined(WITH_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#if defined(WITH_TSAN)
#include <sanitizer/tsan_interface.h>
#endif
#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define WITH_VALGRIND 1
#endif
#endif

#if (defined(__x86_64__) || defined(__aarch64__)) && !defined(FLASHFARM_UCONTEXT)
#define OWN_SWITCH 1
#else
#include <ucontext.h>
#endif

/* Red zones and unoptimised frames need room under AddressSanitizer. */
#if defined(WITH_ASAN)
#define STACK_BYTES (256u << 10)
#else
#define STACK_BYTES (64u << 10)
#endif

struct fiber_context {
#if defined(OWN_SWITCH)
    void *stack_pointer;
#else
    ucontext_t machine;
#endif
    void (*entry)(void *argument);
    void *argument;
    char *mapping; /* guard page, then the stack; NULL for the caller's context */
    size_t mapping_bytes;
    const void *stack_bottom; /* as AddressSanitizer counts: the lowest address */
    size_t stack_bytes;
#if defined(WITH_ASAN)
    void *fake_stack;
#endif
#if defined(WITH_TSAN)
    void *tsan_fiber;
#endif
#if defined(WITH_VALGRIND)
    unsigned valgrind_stack;
#endif
};

#if defined(OWN_SWITCH)
/* Saves the callee-saved registers on the running stack, stores its pointer in *save, and returns on the
 * stack `load`, which was left the same way or prepared by prepare_stack(). */
void flashfarm_fiber_switch(void **save, void *load);
/* First return address of a fresh stack: calls the function in one saved register with another. */
void flashfarm_fiber_start(void);
#endif

#if defined(OWN_SWITCH) && defined(__x86_64__)
/* System V ABI 3.2.1: rbx, rbp, r12-r15, the control words of mxcsr and of the x87. */
__asm__(".text\n"
        ".globl flashfarm_fiber_switch\n"
        ".type flashfarm_fiber_switch,@function\n"
        "flashfarm_fiber_switch:\n"
        "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
        "  subq $8, %rsp\n  stmxcsr (%rsp)\n  fnstcw 4(%rsp)\n"
        "  movq %rsp, (%rdi)\n"
        "  movq %rsi, %rsp\n"
        "  fldcw 4(%rsp)\n  ldmxcsr (%rsp)\n  addq $8, %rsp\n"
        "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
        "  ret\n"
        ".size flashfarm_fiber_switch,.-flashfarm_fiber_switch\n"
        ".globl flashfarm_fiber_start\n"
        ".type flashfarm_fiber_start,@function\n"
        "flashfarm_fiber_start:\n"
        "  .cfi_startproc\n  .cfi_undefined rip\n" /* debuggers stop unwinding here */
        "  movq %r12, %rdi\n  callq *%r13\n  ud2\n"
        "  .cfi_endproc\n"
        ".size flashfarm_fiber_start,.-flashfarm_fiber_start\n");

static void *prepare_stack(char *top, void (*start)(void *), void *argument)
{
    uintptr_t *frame = (uintptr_t *)(void *)top - 10;

    /* From the stack pointer up, as the switch pops them: control words, r15, r14, r13, r12, rbx, rbp, the
     * return address; the two words above keep the stack aligned as after a call. */
    memset(frame, 0, 10 * sizeof *frame);
    frame[0] =
        (uintptr_t)0x037f << 32 | 0x1f80; /* power-up values: all exceptions masked, round to nearest */
    frame[3] = (uintptr_t)start;
    frame[4] = (uintptr_t)argument;
    frame[7] = (uintptr_t)flashfarm_fiber_start;
    return frame;
}
#elif defined(OWN_SWITCH) && defined(__aarch64__)
/* AAPCS64 6.1: x19-x28, frame pointer x29, link register x30, the low halves of v8-v15. */
__asm__(".text\n"
        ".globl flashfarm_fiber_switch\n"
        ".type flashfarm_fiber_switch,%function\n"
        "flashfarm_fiber_switch:\n"
        "  sub sp, sp, #160\n"
        "  stp x19, x20, [sp]\n  stp x21, x22, [sp, #16]\n  stp x23, x24, [sp, #32]\n"
        "  stp x25, x26, [sp, #48]\n  stp x27, x28, [sp, #64]\n  stp x29, x30, [sp, #80]\n"
        "  stp d8, d9, [sp, #96]\n  stp d10, d11, [sp, #112]\n"
        "  stp d12, d13, [sp, #128]\n  stp d14, d15, [sp, #144]\n"
        "  mov x9, sp\n  str x9, [x0]\n  mov sp, x1\n"
        "  ldp x19, x20, [sp]\n  ldp x21, x22, [sp, #16]\n  ldp x23, x24, [sp, #32]\n"
        "  ldp x25, x26, [sp, #48]\n  ldp x27, x28, [sp, #64]\n  ldp x29, x30, [sp, #80]\n"
        "  ldp d8, d9, [sp, #96]\n  ldp d10, d11, [sp, #112]\n"
        "  ldp d12, d13, [sp, #128]\n  ldp d14, d15, [sp, #144]\n"
        "  add sp, sp, #160\n  ret\n"
        ".size flashfarm_fiber_switch,.-flashfarm_fiber_switch\n"
        ".globl flashfarm_fiber_start\n"
        ".type flashfarm_fiber_start,%function\n"
        "flashfarm_fiber_start:\n"
        "  .cfi_startproc\n  .cfi_undefined x30\n"
        "  mov x0, x19\n  blr x20\n  brk #1\n"
        "  .cfi_endproc\n"
        ".size flashfarm_fiber_start,.-flashfarm_fiber_start\n");

static void *prepare_stack(char *top, void (*start)(void *), void *argument)
{
    uintptr_t *frame = (uintptr_t *)(void *)top - 20;

    memset(frame, 0, 20 * sizeof *frame);
    frame[0] = (uintptr_t)argument;               /* x19 */
    frame[1] = (uintptr_t)start;                  /* x20 */
    frame[11] = (uintptr_t)flashfarm_fiber_start; /* x30 */
    return frame;
}
#endif

static void before_switch(struct fiber_context *from, const struct fiber_context *to, int last)
{
#if defined(WITH_ASAN)
    /* NULL tells that the stack being left is done for. */
    __sanitizer_start_switch_fiber(last ? NULL : &from->fake_stack, to->stack_bottom, to->stack_bytes);
#endif
#if defined(WITH_TSAN)
    __tsan_switch_to_fiber(to->tsan_fiber, 0);
#endif
    (void)from, (void)to, (void)last;
}

static void after_switch(struct fiber_context *here)
{
#if defined(WITH_ASAN)
    __sanitizer_finish_switch_fiber(here->fake_stack, NULL, NULL);
#endif
    (void)here;
}

void fiber_context_entered(struct fiber_context *context, struct fiber_context *from)
{
    (void)context, (void)from;
#if defined(WITH_ASAN)
    /* The caller's stack is only known from here: pthread says it is the thread's, ASan says which. */
    __sanitizer_finish_switch_fiber(NULL, &from->stack_bottom, &from->stack_bytes);
#endif
}

static void jump(struct fiber_context *from, struct fiber_context *to)
{
#if defined(OWN_SWITCH)
    flashfarm_fiber_switch(&from->stack_pointer, to->stack_pointer);
#else
    (void)swapcontext(&from->machine, &to->machine);
#endif
}

void fiber_context_switch(struct fiber_context *from, struct fiber_context *to)
{
    before_switch(from, to, 0);
    jump(from, to);
    after_switch(from);
}

void fiber_context_switch_last(struct fiber_context *from, struct fiber_context *to)
{
    before_switch(from, to, 1);
    jump(from, to);
    abort(); /* nobody may switch to a context that has ended */
}

struct fiber_context *fiber_context_of_caller(void)
{
    struct fiber_context *context = allocate(1, sizeof *context);

#if defined(WITH_TSAN)
    context->tsan_fiber = __tsan_get_current_fiber();
#endif
    return context;
}

static void register_stack(struct fiber_context *context)
{
    context->stack_bottom = context->mapping + (context->mapping_bytes - STACK_BYTES);
    context->stack_bytes = STACK_BYTES;
#if defined(WITH_ASAN)
    /* LeakSanitizer looks for pointers on threads' stacks only. */
    __lsan_register_root_region(context->stack_bottom, STACK_BYTES);
#endif
#if defined(WITH_TSAN)
    context->tsan_fiber = __tsan_create_fiber(0);
#endif
#if defined(WITH_VALGRIND)
    context->valgrind_stack =
        VALGRIND_STACK_REGISTER(context->stack_bottom, context->mapping + context->mapping_bytes);
#endif
}

static int map_stack(struct fiber_context *context)
{
    size_t guard = (size_t)sysconf(_SC_PAGESIZE);

    context->mapping_bytes = guard + STACK_BYTES;
    context->mapping = mmap(NULL, context->mapping_bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (context->mapping == MAP_FAILED)
        return -1;
    if (mprotect(context->mapping, guard, PROT_NONE) < 0) {
        (void)munmap(context->mapping, context->mapping_bytes);
        return -1;
    }
    return 0;
}

#if !defined(OWN_SWITCH)
/* makecontext() passes ints; a pointer goes in two halves. */
static void start_ucontext(unsigned high, unsigned low)
{
    struct fiber_context *context = (struct fiber_context *)(((uintptr_t)high << 16 << 16) | (uintptr_t)low);

    context->entry(context->argument);
}
#endif

static void prepare_entry(struct fiber_context *context)
{
#if defined(OWN_SWITCH)
    context->stack_pointer =
        prepare_stack(context->mapping + context->mapping_bytes, context->entry, context->argument);
#else
    uintptr_t self = (uintptr_t)context;

    (void)getcontext(&context->machine);
    context->machine.uc_stack.ss_sp = context->mapping + (context->mapping_bytes - STACK_BYTES);
    context->machine.uc_stack.ss_size = STACK_BYTES;
    context->machine.uc_link = NULL;
    makecontext(&context->machine, (void (*)(void))start_ucontext, 2, (unsigned)(self >> 16 >> 16),
                (unsigned)self);
#endif
}

struct fiber_context *fiber_context_new(void (*entry)(void *argument), void *argument)
{
    struct fiber_context *context = allocate(1, sizeof *context);

    context->entry = entry;
    context->argument = argument;
    if (map_stack(context) < 0) {
        free(context);
        return NULL;
    }
    register_stack(context);
    prepare_entry(context);
    return context;
}

void fiber_context_free(struct fiber_context *context)
{
    if (context->mapping) {
#if defined(WITH_ASAN)
        __lsan_unregister_root_region(context->stack_bottom, STACK_BYTES);
        /* The mapping's address may be used again for something else. */
        ASAN_UNPOISON_MEMORY_REGION(context->stack_bottom, STACK_BYTES);
#endif
#if defined(WITH_TSAN)
        __tsan_destroy_fiber(context->tsan_fiber);
#endif
#if defined(WITH_VALGRIND)
        VALGRIND_STACK_DEREGISTER(context->valgrind_stack);
#endif
        (void)munmap(context->mapping, context->mapping_bytes);
    }
    free(context);
}
