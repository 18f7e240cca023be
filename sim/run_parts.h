/* What the files of a run know of each other. */
#ifndef GRAFT_SIM_RUN_PARTS_H
#define GRAFT_SIM_RUN_PARTS_H

#include "sim/parts.h"
#include "sim/run.h"
#include "workloads/workload.h"

struct run;
struct sim_s3;
struct sim_oracle;

#define RUN_URI_BYTES 256U
#define RUN_SLOTS_MAX (SIM_REPLICAS_MAX * SIM_PROCESSES_MAX)
#define RUN_NOT_RETURNED (-1)
#define RUN_LINES 8U
#define RUN_LINE_BYTES 400U

/* What one process is to do with its replica; a SQLite result code. */
struct slot;
typedef int run_task_fn(struct slot *slot);

/* A place for one process at a time. */
struct slot {
    struct run *run;
    uint32_t replica;
    uint32_t generation; /* how often the replica was cloned again */
    struct sim_machine *machine;
    struct sim_process *process; /* NULL: none yet, or reaped */
    run_task_fn *task;
    struct workload_client client;
    char uri[RUN_URI_BYTES];
    struct sim_rng rng;
    int code; /* what the task returned */
    uint64_t restart_ns;
    uint64_t resume_ns; /* 0: not paused */
    bool crash_after;   /* the machine goes down when the process has died */
    /* What the tasks of the end find. */
    uint64_t content;
    char error[512];
};

struct run {
    const struct sim_case *what;
    const struct workload *workload;
    struct sim_heap heap; /* the history's */
    struct workload_history *history;
    struct sim_world *world;
    struct sim_oracle *oracle;
    struct sim_s3 *s3;
    struct sim_machine *server;                         /* holds the remote */
    struct sim_machine *machines[SIM_MACHINES_MAX + 1]; /* that may crash */
    uint32_t machine_count;
    uint64_t up_ns[SIM_MACHINES_MAX + 1]; /* when a crashed one comes up again */
    struct slot slots[RUN_SLOTS_MAX];
    uint32_t slot_count;
    uint32_t next_client;
    struct sim_rng rng; /* the driver's */
    uint64_t began_ns;
    bool stopping;
    /* The newest lines of the processes' logs, for reports. */
    char lines[RUN_LINES][RUN_LINE_BYTES];
    uint32_t line_count;
    struct sim_result *result;
};

/* The first failure counts. `signature` holds neither numbers nor names of this run. */
void run_fail(struct run *run, const char *signature, const char *format, ...) GRAFT_PRINTF(3, 4);
bool run_has_failed(const struct run *run);
/* Whether a fault fired after which data may be gone: errors that say so are no failure then. */
bool run_may_be_damaged(const struct run *run);

/* Puts a machine's wall clock right, and says how far off it was: an object store talks to nobody
 * whose clock is off by more than a quarter of an hour. */
int64_t run_set_clock(struct sim_machine *machine);

/* Whether the clients have worked for as long as they are to. */
bool run_is_over(const struct run *run);

/* ---- Processes (run_client.c). */

/* Starts a process in the slot that opens Graft, does the task, and gives everything back. */
void run_start(struct slot *slot, run_task_fn *task, const char *name);
/* Whether the slot's process ended because its database is damaged, and faults explain that. */
bool run_found_damage(const struct slot *slot);
/* Looks at the slot's process, if it has ended: false while it has not. */
bool run_reap(struct slot *slot);

int run_task_setup(struct slot *slot);
int run_task_drive(struct slot *slot);

/* ---- The end (run_end.c): `true` when there was nothing to find. */

bool run_end(struct run *run);
/* Lets the world run until no process is left, `bound_ns` at most; a failure otherwise. */
bool run_until_idle(struct run *run, uint64_t bound_ns, const char *signature);
/* What the outcome of sim_world_run says about the run: false when it has failed. */
bool run_judge(struct run *run, enum sim_outcome outcome);

#endif
