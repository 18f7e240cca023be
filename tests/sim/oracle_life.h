/* Clients of the public API that do all that it can, at random, for the oracle to watch: replicas
 * on machines, processes on them that share a replica, sessions that stay pinned while others
 * write, pushes, pulls and resets; while processes are killed and machines crash. */
#ifndef GRAFT_TESTS_SIM_ORACLE_LIFE_H
#define GRAFT_TESTS_SIM_ORACLE_LIFE_H

#include "graft/graft.h"
#include "sim/oracle.h"
#include "sim/world.h"

#define LIFE_PAGE_BYTES_MAX 4096U

/* Graft as one process has it, with one session open. */
struct life_client {
    struct sim_process *process;
    struct graft_process *graft;
    struct graft_volume *volume;
    struct graft_session *session;
};

/* `remote` may be NULL. */
GRAFT_MUST_USE enum graft_rc life_open(struct sim_process *process, const char *directory,
                                       const char *remote, uint32_t page_bytes,
                                       struct life_client *out, struct graft_err *err);
void life_close(struct life_client *client);
/* One transaction: pages [first, first + count) get content that `tag` decides. */
GRAFT_MUST_USE enum graft_rc life_write(struct life_client *client, uint32_t first, uint32_t count,
                                        uint64_t tag, enum graft_durability durability,
                                        struct graft_err *err);
/* Begins, reads every page, ends. */
GRAFT_MUST_USE enum graft_rc life_read_all(struct life_client *client, struct graft_err *err);

struct life {
    uint64_t seed;
    uint32_t rounds; /* kills and crashes */
    bool oracle;     /* watched, or not */
    struct sim_oracle_counts counts;
    uint64_t hash;
    enum sim_outcome outcome;
    char report[2048];
};

/* Runs the seed with the plan, in a world of its own. */
void life_run(struct sim_pool *pool, const struct sim_plan *plan, struct life *life);

#endif
