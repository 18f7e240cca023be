/* A busy little world that uses every seam: what determinism and speed are tried on. */
#ifndef GRAFT_TESTS_SIM_BUSY_H
#define GRAFT_TESTS_SIM_BUSY_H

#include "sim/world.h"

struct busy {
    struct sim_world *world;
    struct sim_s3 *s3;
    struct sim_machine *machines[2];
    struct sim_process *processes[8];
    uint32_t process_count;
    uint32_t rounds;
    uint64_t transactions;
};

/* Sets the world up: two machines whose processes write to databases, shared words and an object
 * store, and a driver that pauses, kills and crashes them for so many rounds of about two seconds.
 * `busy` must outlive the run. SQLite has been set up. */
void busy_begin(struct busy *busy, struct sim_world *world, uint32_t rounds);
/* After the world was freed. */
void busy_end(struct busy *busy);

#endif
