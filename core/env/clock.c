/* The choke point of the clock seam. */
#include "env/clock.h"

#include "base/assert.h"

uint64_t graft_clock_now_ms(struct graft_clock *clock)
{
    GRAFT_ASSERT(clock != NULL);
    return clock->ops->now_ms(clock);
}

uint64_t graft_clock_monotonic_us(struct graft_clock *clock)
{
    GRAFT_ASSERT(clock != NULL);
    return clock->ops->monotonic_us(clock);
}
