/* The clock seam: wall time for people, monotonic time for durations. */
#ifndef GRAFT_ENV_CLOCK_H
#define GRAFT_ENV_CLOCK_H

#include <stdint.h>

struct graft_clock;

struct graft_clock_ops {
    uint64_t (*now_ms)(struct graft_clock *clock);
    uint64_t (*monotonic_us)(struct graft_clock *clock);
};

struct graft_clock {
    const struct graft_clock_ops *ops;
};

/* Milliseconds since 1970-01-01 UTC; may jump either way. */
uint64_t graft_clock_now_ms(struct graft_clock *clock);
/* Microseconds since some start; never goes back within a process. */
uint64_t graft_clock_monotonic_us(struct graft_clock *clock);

#endif
