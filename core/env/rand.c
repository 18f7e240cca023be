/* The choke point of the randomness seam. */
#include "env/rand.h"

#include "base/assert.h"

void graft_rand_fill(struct graft_rand *rand, void *bytes, size_t count)
{
    GRAFT_ASSERT(rand != NULL);
    GRAFT_ASSERT(bytes != NULL || count == 0);
    if (count > 0)
        rand->ops->fill(rand, bytes, count);
}

uint64_t graft_rand_u64(struct graft_rand *rand)
{
    uint64_t value = 0;
    graft_rand_fill(rand, &value, sizeof value);
    return value;
}
