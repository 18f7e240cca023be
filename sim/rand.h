/* Random numbers of the simulation: one master seed, and from it as many independent streams as
 * there are purposes, so that a purpose that draws more, less or nothing leaves the draws of all
 * others as they are. xoshiro256** (Blackman and Vigna), seeded through splitmix64. */
#ifndef GRAFT_SIM_RAND_H
#define GRAFT_SIM_RAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_rng {
    uint64_t words[4];
};

/* What streams there are beside those of the fault kinds, which each have one of their own. */
enum sim_stream {
    SIM_STREAM_PLAN,      /* which faults a seed has */
    SIM_STREAM_SCHEDULE,  /* who runs next */
    SIM_STREAM_LATENCY,   /* how long disks and links take */
    SIM_STREAM_CRASH,     /* what a crash makes of what was not synced */
    SIM_STREAM_CLOCK,     /* how wrong each machine's clock is */
    SIM_STREAM_IDS,       /* seeds of the processes' own generators, and of SQLite's */
    SIM_STREAM_WRITEBACK, /* which pages reach the disk before anybody asks */
    SIM_STREAM_DELIVERY,  /* in what pieces bytes arrive, in what order a directory is listed */
    SIM_STREAM_WORKLOAD,  /* free for workloads */
    SIM_STREAM_DRIVER,    /* free for whoever decides on kills, pauses and crashes */
    SIM_STREAM_COUNT,
};

/* The stream number `stream` of a master seed; any number is a stream. */
void sim_rng_init(struct sim_rng *rng, uint64_t seed, uint64_t stream);
uint64_t sim_rng_u64(struct sim_rng *rng);
/* Uniform in [0, bound); `bound` > 0. */
uint64_t sim_rng_below(struct sim_rng *rng, uint64_t bound);
/* Uniform in [low, high]. */
uint64_t sim_rng_between(struct sim_rng *rng, uint64_t low, uint64_t high);
/* In [low, high] with every order of magnitude as likely as the next; `low` > 0. */
uint64_t sim_rng_skewed(struct sim_rng *rng, uint64_t low, uint64_t high);
/* True `ppm` times in a million. Draws nothing when `ppm` is 0. */
bool sim_rng_chance(struct sim_rng *rng, uint32_t ppm);
void sim_rng_fill(struct sim_rng *rng, void *bytes, size_t count);

#endif
