/* The randomness seam: ids and jitter. Never used for anything that must be secret. */
#ifndef GRAFT_ENV_RAND_H
#define GRAFT_ENV_RAND_H

#include <stddef.h>
#include <stdint.h>

struct graft_rand;

struct graft_rand_ops {
    void (*fill)(struct graft_rand *rand, void *bytes, size_t count);
};

struct graft_rand {
    const struct graft_rand_ops *ops;
};

void graft_rand_fill(struct graft_rand *rand, void *bytes, size_t count);
uint64_t graft_rand_u64(struct graft_rand *rand);

#endif
