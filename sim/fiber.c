/* Contexts: how one thread of the host runs many stacks. ucontext makes a stack once, in the way
 * that QEMU's coroutines do it; after that every switch is a _setjmp and a _longjmp, which make no
 * system call. A stack that is given back, in whatever depth its last fiber was left, begins again
 * at the jump that it was prepared with. Below each stack lies a page that faults. */
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "base/assert.h"
#include "sim/parts.h"

#ifdef SIM_HAS_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define STACK_BYTES (1024U << 10) /* instrumented frames are several times as large */
#else
#define STACK_BYTES (256U << 10)
#endif
#define GUARD_BYTES 4096U

static void start_switch(struct sim_context *from, const struct sim_context *to)
{
#ifdef SIM_HAS_ASAN
    __sanitizer_start_switch_fiber(&from->fake_stack, to->stack_bottom, to->stack_bytes);
#else
    (void)from;
    (void)to;
#endif
}

static void finish_switch(struct sim_context *self)
{
#ifdef SIM_HAS_ASAN
    __sanitizer_finish_switch_fiber(self->fake_stack, NULL, NULL);
#else
    (void)self;
#endif
}

void sim_context_init_main(struct sim_context *context)
{
#ifdef SIM_HAS_ASAN
    /* Where the thread's own stack lies is learnt from a switch that is none. */
    const void *bottom = NULL;
    size_t bytes = 0;
    void *fake_stack = NULL;
    int here = 0;
    __sanitizer_start_switch_fiber(&fake_stack, &here, sizeof here);
    __sanitizer_finish_switch_fiber(fake_stack, &bottom, &bytes);
    __sanitizer_start_switch_fiber(&fake_stack, bottom, bytes);
    __sanitizer_finish_switch_fiber(fake_stack, NULL, NULL);
    context->stack_bottom = bottom;
    context->stack_bytes = bytes;
#else
    (void)context;
#endif
}

__attribute__((noinline)) void sim_context_switch(struct sim_context *from, struct sim_context *to)
{
    start_switch(from, to);
    if (_setjmp(from->jump) == 0)
        _longjmp(to->jump, 1);
    finish_switch(from);
}

/* The bottom frame of every stack. Its first part runs once, while the stack is prepared; each
 * fiber begins by jumping back to it. */
static void run_stack(unsigned low, unsigned high)
{
    struct sim_stack *stack = (struct sim_stack *)((uintptr_t)low | (uintptr_t)high << 32);
    struct sim_context fresh = {0}; /* has no fake stack from before */
    finish_switch(&fresh);
    if (_setjmp(stack->start.jump) == 0) {
        start_switch(&stack->start, stack->returns_to);
        _longjmp(stack->returns_to->jump, 1);
    }
    finish_switch(&fresh);
    stack->run(stack->arg);
    graft_assert_failed(__FILE__, __LINE__, "a fiber's function returned");
}

static struct sim_stack *new_stack(void)
{
    struct sim_stack *stack = sim_host_alloc(sizeof *stack);
    char *mapping = mmap(NULL, GUARD_BYTES + STACK_BYTES, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    GRAFT_ASSERT(mapping != MAP_FAILED);
    GRAFT_ASSERT(mprotect(mapping, GUARD_BYTES, PROT_NONE) == 0);
    stack->mapping = mapping;
    stack->start.stack_bottom = mapping + GUARD_BYTES;
    stack->start.stack_bytes = STACK_BYTES;

    ucontext_t context;
    struct sim_context here = {0};
    GRAFT_ASSERT(getcontext(&context) == 0);
    context.uc_stack.ss_sp = mapping + GUARD_BYTES;
    context.uc_stack.ss_size = STACK_BYTES;
    context.uc_link = NULL;
    sim_context_init_main(&here);
    stack->returns_to = &here;
    uintptr_t self = (uintptr_t)stack;
    /* makecontext passes ints and is declared without a prototype for what it calls. */
    makecontext(&context, (void (*)(void))(uintptr_t)run_stack, 2, (unsigned)self,
                (unsigned)(self >> 32));
    start_switch(&here, &stack->start);
    if (_setjmp(here.jump) == 0)
        (void)setcontext(&context);
    finish_switch(&here);
    stack->returns_to = NULL;
    return stack;
}

struct sim_stack *sim_stack_take(struct sim_pool *pool, void (*run)(void *arg), void *arg)
{
    struct sim_stack *stack = pool->stacks;
    if (stack != NULL)
        pool->stacks = stack->next;
    else
        stack = new_stack();
    stack->next = NULL;
    stack->run = run;
    stack->arg = arg;
    return stack;
}

void sim_stack_give(struct sim_pool *pool, struct sim_stack *stack)
{
#ifdef SIM_HAS_ASAN
    /* What the frames that were cut off had marked. */
    __asan_unpoison_memory_region((char *)stack->mapping + GUARD_BYTES, STACK_BYTES);
#endif
    stack->next = pool->stacks;
    pool->stacks = stack;
}

void sim_stack_free(struct sim_stack *stack)
{
    GRAFT_ASSERT(munmap(stack->mapping, GUARD_BYTES + STACK_BYTES) == 0);
    sim_host_free(stack);
}
