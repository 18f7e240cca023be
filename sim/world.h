/* The simulated world: machines with disks and clocks, processes on them, fibers in these, virtual
 * time, and one seed that decides everything, all in one thread of the host.
 *
 *     struct sim_pool *pool = sim_pool_new();
 *     struct sim_plan plan;
 *     sim_plan_draw(&plan, seed);
 *     struct sim_world *world = sim_world_new(pool, &plan);
 *     struct sim_machine *machine = sim_machine_new(world, "a");
 *     sim_process_start(machine, "writer", run_writer, arg);    // its env: sim_process_env
 *     enum sim_outcome outcome = sim_world_run(world, SIM_FOREVER);
 *     ... sim_world_report(world), sim_world_hash(world) ...
 *     sim_world_free(world);
 *
 * A fiber loses the processor only at a yield point: a call of a seam (clock, randomness, memory
 * and log apart), or a wait of the functions here. Time passes there and nowhere else. A process
 * can be killed at any yield point; its fibers never run again, and all it held is taken back.
 *
 * Nothing here fails: a simulator that cannot have memory from its host aborts. */
#ifndef GRAFT_SIM_WORLD_H
#define GRAFT_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "env/env.h"
#include "sim/plan.h"
#include "sim/rand.h"

#define SIM_FOREVER UINT64_MAX
#define SIM_MS UINT64_C(1000000) /* nanoseconds */
#define SIM_SECOND UINT64_C(1000000000)

struct sim_pool; /* stacks and blocks that worlds use one after the other */
struct sim_world;
struct sim_machine;
struct sim_process;

enum sim_outcome {
    SIM_RUNNING,    /* not an outcome: the run has not ended */
    SIM_FINISHED,   /* no fiber is left; messages may still be under way */
    SIM_STOPPED,    /* sim_world_stop */
    SIM_TIMED_OUT,  /* `until_ns` is reached */
    SIM_DEADLOCKED, /* fibers are left, none can run, and no time will change that */
    SIM_RUNAWAY,    /* the limit of steps is reached */
    SIM_FAILED,     /* sim_world_fail, or an assertion */
    SIM_DIVERGED,   /* see sim_trace_expect */
};

const char *sim_outcome_name(enum sim_outcome outcome);

struct sim_pool *sim_pool_new(void);
/* No world may be left that uses it. Accepts NULL. */
void sim_pool_free(struct sim_pool *pool);

/* ---- The world. */

/* Copies `plan`; borrows `pool`. */
struct sim_world *sim_world_new(struct sim_pool *pool, const struct sim_plan *plan);
/* Kills whatever still runs. Accepts NULL. Not from a fiber. */
void sim_world_free(struct sim_world *world);
/* Runs until one of the outcomes; can be called again unless that was SIM_FAILED or SIM_DIVERGED.
 * Not from a fiber. `until_ns` is world time, see sim_world_now_ns. */
enum sim_outcome sim_world_run(struct sim_world *world, uint64_t until_ns);
/* Ends the run at the next yield point. */
void sim_world_stop(struct sim_world *world);
/* Ends the run with SIM_FAILED and this report; the first failure counts. Called from a fiber, it
 * does not return. */
void sim_world_fail(struct sim_world *world, const char *format, ...) GRAFT_PRINTF(2, 3);
/* Why the last run ended, in words ("" when there is nothing to say): the failure, or each fiber
 * of a deadlock and what it waits for. */
const char *sim_world_report(const struct sim_world *world);
/* The fibers that are left, and what each waits for, a line each; free(3) it. */
char *sim_world_waits(struct sim_world *world);
const struct sim_plan *sim_world_plan(const struct sim_world *world);
uint64_t sim_world_hash(const struct sim_world *world);
/* Nanoseconds since the world began. */
uint64_t sim_world_now_ns(const struct sim_world *world);
/* Scheduling steps so far. */
uint64_t sim_world_steps(const struct sim_world *world);
/* Past so many steps a run ends with SIM_RUNAWAY; 50 million unless set. */
void sim_world_set_steps_max(struct sim_world *world, uint64_t steps);
struct sim_rng *sim_world_rng(struct sim_world *world, enum sim_stream stream);
/* Off: no fault fires from now on (to see that the system recovers); what was cut stays cut. On is
 * the state that a world begins in. */
void sim_world_set_faults(struct sim_world *world, bool on);
/* Draws whether a fault of this kind happens now, and counts it when it does. For drivers, which
 * own the last three kinds; the seams draw the others themselves. */
bool sim_world_draw(struct sim_world *world, enum sim_fault kind);
/* Calls `run(arg)` in `delay_ns`, from no fiber: it must not wait. */
void sim_world_after(struct sim_world *world, uint64_t delay_ns, void (*run)(void *arg), void *arg);

/* ---- Machines. */

/* Up, with an empty disk that has "/" and "/tmp". The name is copied; it is its host name too. */
struct sim_machine *sim_machine_new(struct sim_world *world, const char *name);
struct sim_machine *sim_machine_find(struct sim_world *world, const char *name);
const char *sim_machine_name(const struct sim_machine *machine);
/* Power loss: every process dies, the disk keeps what the plan's crash faults leave, the machine
 * is down. From one of its own fibers it does not return. */
void sim_machine_crash(struct sim_machine *machine);
/* Up again, with a monotonic clock that begins at 0. */
void sim_machine_restart(struct sim_machine *machine);
bool sim_machine_is_up(const struct sim_machine *machine);
/* No fault of the plan touches this machine: its disk, its clock, its processes' memory, crashes
 * (all that was written is kept). For oracles and drivers. */
void sim_machine_set_immune(struct sim_machine *machine, bool immune);
/* What `machine` sees below `path` is, from now on, the directory `shared` of another machine's
 * disk, as over a network file system: gone while the link to it is cut or the owner is down,
 * untouched by a crash of `machine`, without locks that can be trusted and without mapping. Changes
 * of names are on the owner's disk when they are answered; files that were open when the owner
 * crashed are stale. */
void sim_machine_mount(struct sim_machine *machine, const char *path, struct sim_machine *owner,
                       const char *shared);
/* Moves the wall clock, for good. */
void sim_machine_jump_clock(struct sim_machine *machine, int64_t by_ms);
uint64_t sim_machine_now_ms(const struct sim_machine *machine);

/* ---- Processes. */

typedef void sim_process_fn(struct sim_process *process, void *arg);

/* Starts `run(process, arg)` in a fiber of a new process, which ends when `run` returns. The
 * struct stays valid until the world is freed. The machine must be up. */
struct sim_process *sim_process_start(struct sim_machine *machine, const char *name,
                                      sim_process_fn *run, void *arg);
/* From one of its own fibers it does not return. A process that has ended stays as it is. */
void sim_process_kill(struct sim_process *process);
/* Kills it at the yield point `points` from now (1: the next). 0 takes that back. */
void sim_process_kill_at(struct sim_process *process, uint64_t points);
/* Yield points that it has passed, so that all of them can be tried. */
uint64_t sim_process_points(const struct sim_process *process);
/* Its fibers stop at their next yield point, and go on after sim_process_resume. */
void sim_process_pause(struct sim_process *process);
void sim_process_resume(struct sim_process *process);
bool sim_process_is_running(const struct sim_process *process); /* started, and not ended yet */
bool sim_process_was_killed(const struct sim_process *process);
/* Waits until it has ended; from a fiber of another process. */
void sim_process_wait(struct sim_process *process);
/* Its allocation number `nth` from now on fails, and all after it when `from_then_on`; 0: none. */
void sim_process_fail_alloc(struct sim_process *process, uint64_t nth, bool from_then_on);
struct graft_env *sim_process_env(struct sim_process *process);
struct sim_world *sim_process_world(struct sim_process *process);
struct sim_machine *sim_process_machine(struct sim_process *process);
const char *sim_process_name(const struct sim_process *process);
/* Unique among all processes of the world, from 1. */
uint32_t sim_process_id(const struct sim_process *process);
/* Unique likewise: a name for a SQLite VFS of this process ("graft-p3"). */
const char *sim_process_vfs_name(const struct sim_process *process);
/* The process whose fiber runs; NULL outside of fibers. */
struct sim_process *sim_process_current(void);

/* What a process holds; after a normal end, what it had not given back when `run` returned. */
struct sim_holdings {
    uint64_t blocks; /* of memory, SQLite's included */
    uint64_t bytes;
    uint64_t tasks; /* beside the first */
    uint64_t files;
    uint64_t maps;
    uint64_t locks; /* openers of lock files */
    uint64_t exchanges;
    uint64_t mutexes; /* and conditions */
};

void sim_process_holdings(const struct sim_process *process, struct sim_holdings *out);
/* False when anything was left; `out` says what. */
bool sim_holdings_are_none(const struct sim_holdings *holdings);

/* Lines of the processes' logs; NULL drops them (and only the trace has them). */
typedef void sim_log_fn(void *arg, const struct sim_process *process, enum graft_log_level level,
                        const char *text);
void sim_world_set_log(struct sim_world *world, sim_log_fn *log, void *arg);

/* ---- For code that runs in fibers. */

/* A yield point. Nothing outside of fibers. */
void sim_yield(struct sim_world *world);
/* Waits in world time, whatever the machine's clock says. */
void sim_sleep_ns(struct sim_world *world, uint64_t ns);
/* While it is held (counted), no fiber loses the processor. */
void sim_hold(struct sim_world *world);
void sim_release(struct sim_world *world);

#endif
