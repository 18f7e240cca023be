/* The system's clocks. They cannot fail on a clock that exists. */
#include <time.h>

#include "base/assert.h"
#include "host/parts.h"

static struct timespec now(clockid_t id)
{
    struct timespec time = {0};
    GRAFT_ASSERT(clock_gettime(id, &time) == 0);
    return time;
}

static uint64_t now_ms(struct graft_clock *clock)
{
    (void)clock;
    struct timespec time = now(CLOCK_REALTIME);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static uint64_t monotonic_us(struct graft_clock *clock)
{
    (void)clock;
    struct timespec time = now(CLOCK_MONOTONIC);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static const struct graft_clock_ops ops = {.now_ms = now_ms, .monotonic_us = monotonic_us};

void graft_host_clock_init(struct graft_clock *clock)
{
    clock->ops = &ops;
}
