/* The kernel's random numbers: they stay different after a fork and in a cloned machine, which
 * client and volume ids rely on. */
#include <errno.h>
#include <sys/random.h>

#include "base/assert.h"
#include "host/parts.h"

static void fill(struct graft_rand *rand, void *bytes, size_t count)
{
    (void)rand;
    unsigned char *at = bytes;
    while (count > 0) {
        ssize_t got = getrandom(at, count, 0);
        if (got < 0 && errno == EINTR)
            continue;
        /* Ids that might repeat would be worse than no process. */
        GRAFT_ASSERT(got > 0);
        at += got;
        count -= (size_t)got;
    }
}

static const struct graft_rand_ops ops = {.fill = fill};

void graft_host_rand_init(struct graft_rand *rand)
{
    rand->ops = &ops;
}
