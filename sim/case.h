/* Cases: everything that decides a run, as text that a person can read, change and pass on.
 *
 *     setup seed=42 workload=bank remote=file machines=2 replicas=2 processes=1 ...
 *     plan seed=42 policy=pct depth=3 steps=20000 disk_sync_error=2000 net_reset=500
 *
 * Lines that begin with '#' say something to the reader. What `setup` does not name is as its seed
 * draws it, and without a plan line the plan is too: "setup seed=42" is the whole seed. */
#ifndef GRAFT_SIM_CASE_H
#define GRAFT_SIM_CASE_H

#include <stddef.h>
#include <stdint.h>

#include "base/codes.h"
#include "sim/plan.h"

#define SIM_CASE_TEXT_BYTES (SIM_PLAN_TEXT_BYTES + 1024U)
#define SIM_MACHINES_MAX 4U
#define SIM_REPLICAS_MAX 4U
#define SIM_PROCESSES_MAX 3U /* on one replica */

enum sim_remote {
    SIM_REMOTE_FILE, /* a directory that another machine shares */
    SIM_REMOTE_S3,   /* the simulated object store */
    SIM_REMOTE_COUNT,
};

struct sim_case {
    uint64_t seed; /* of what the plan does not decide: whom a kill hits, how long clients think */
    char workload[24];
    enum sim_remote remote;
    uint32_t machines; /* that hold replicas: replica r is on machine r % machines */
    uint32_t replicas;
    uint32_t processes; /* on each replica */
    uint32_t page_bytes;
    uint32_t cache_limit;  /* bytes that an image may take; 0 = any */
    uint32_t seconds;      /* simulated, that clients work under faults */
    uint32_t transactions; /* clients go on until so many were committed, up to ten times as long */
    struct sim_plan plan;
};

/* The default mix. `workload` (NULL: any) restricts it. */
void sim_case_draw(struct sim_case *out, uint64_t seed, const char *workload);
/* Always fits. */
void sim_case_print(const struct sim_case *self, char out[SIM_CASE_TEXT_BYTES]);
/* EINVAL names what cannot be understood. */
GRAFT_MUST_USE enum graft_rc sim_case_parse(const char *text, struct sim_case *out,
                                            struct graft_err *err);

#endif
