/* Client processes: each opens Graft as a program would, does its task, and gives everything back.
 * What it returns says whether the system failed it, which under faults it may. */
#include <sqlite3.h>
#include <stdio.h>

#include "graft/graft.h"
#include "sim/run_parts.h"
#include "sim/sqlite.h"
#include "vfs/vfs.h"

/* So that a simulated second has one transaction and more, whatever the faults of a run cost. */
#define THINK_MS 650U

/* With more clients than two each takes its time, so that a simulated second has about as many
 * transactions in every run. */
static bool goes_on(void *arg)
{
    struct slot *slot = arg;
    struct run *run = slot->run;
    if (run->slot_count > 2 && !run->stopping)
        sim_sleep_ns(run->world, sim_rng_below(&slot->rng, (uint64_t)(run->slot_count - 2) *
                                                               THINK_MS * SIM_MS));
    /* The driver looks every few seconds; by then there would be more transactions than asked for.
     */
    if (!run->stopping && run_is_over(run))
        sim_world_stop(run->world);
    return !run->stopping;
}

static void violated(void *arg, const char *signature, const char *details)
{
    struct slot *slot = arg;
    sim_world_fail(slot->run->world, "violated: %s\n%s", signature, details);
}

static int open_vfs(struct slot *slot, struct graft_process **graft, struct graft_vfs **vfs)
{
    struct graft_env *env = sim_process_env(slot->process);
    struct graft_err err = {0};
    enum graft_rc rc = graft_process_new(env, graft, &err);
    if (rc == GRAFT_OK)
        rc = graft_vfs_register(*graft, env, sim_process_vfs_name(slot->process),
                                sim_process_base_vfs(slot->process), vfs, &err);
    if (rc == GRAFT_OK)
        return SQLITE_OK;
    (void)snprintf(slot->error, sizeof slot->error, "starting Graft: %s", err.text);
    return SQLITE_CANTOPEN;
}

static void run_process(struct sim_process *process, void *arg)
{
    struct slot *slot = arg;
    struct graft_process *graft = NULL;
    struct graft_vfs *vfs = NULL;
    slot->process = process;
    int code = open_vfs(slot, &graft, &vfs);
    if (code == SQLITE_OK)
        code = slot->task(slot);
    graft_vfs_unregister(vfs);
    graft_process_free(graft);
    slot->code = code;
}

static bool may_hurt(const struct run *run)
{
    const uint32_t *rate_ppm = run->what->plan.rate_ppm;
    return rate_ppm[SIM_FAULT_disk_rot] + rate_ppm[SIM_FAULT_disk_misdirect] +
               rate_ppm[SIM_FAULT_disk_sync_lie] >
           0;
}

void run_start(struct slot *slot, run_task_fn *task, const char *name)
{
    struct run *run = slot->run;
    run->result->restarts++;
    slot->task = task;
    slot->code = RUN_NOT_RETURNED;
    slot->error[0] = '\0';
    slot->process = sim_process_start(slot->machine, name, run_process, slot);
    slot->client = (struct workload_client){
        .env = sim_process_env(slot->process),
        .vfs = sim_process_vfs_name(slot->process),
        .database = slot->uri,
        .number = run->next_client++,
        .replica = slot->replica,
        .history = run->history,
        .think_ms = THINK_MS,
        .may_report_damage = may_hurt(run),
        .may_lose_commits = may_hurt(run),
        .goes_on = goes_on,
        .violated = violated,
        .arg = slot,
    };
}

static bool says_damaged(const struct slot *slot)
{
    int code = slot->code & 0xff;
    return slot->code != RUN_NOT_RETURNED && (code == SQLITE_CORRUPT || code == SQLITE_NOTADB);
}

bool run_found_damage(const struct slot *slot)
{
    return says_damaged(slot) && run_may_be_damaged(slot->run);
}

/* An error that says "your data is damaged" has no cause when nothing damages any. */
static void check_code(struct slot *slot)
{
    if (says_damaged(slot) && !run_may_be_damaged(slot->run))
        run_fail(slot->run, "client: data was called corrupt, and nothing had hurt it",
                 "%s on replica %u: code %d, %s", sim_process_name(slot->process), slot->replica,
                 slot->code, slot->error);
}

static void check_holdings(struct slot *slot)
{
    struct sim_holdings left;
    sim_process_holdings(slot->process, &left);
    if (sim_holdings_are_none(&left))
        return;
    run_fail(slot->run, "holdings: a process ended and kept something",
             "%s on replica %u (code %d) kept %lu blocks (%lu bytes), %lu tasks, %lu files, %lu "
             "maps, %lu locks, %lu exchanges, %lu mutexes",
             sim_process_name(slot->process), slot->replica, slot->code, (unsigned long)left.blocks,
             (unsigned long)left.bytes, (unsigned long)left.tasks, (unsigned long)left.files,
             (unsigned long)left.maps, (unsigned long)left.locks, (unsigned long)left.exchanges,
             (unsigned long)left.mutexes);
}

bool run_reap(struct slot *slot)
{
    if (sim_process_is_running(slot->process))
        return false;
    if (!sim_process_was_killed(slot->process)) {
        check_code(slot);
        check_holdings(slot);
    }
    slot->process = NULL;
    return true;
}

int run_task_setup(struct slot *slot)
{
    if (slot->run->what->remote == SIM_REMOTE_FILE) {
        struct graft_err err = {0};
        if (graft_disk_make_directories(slot->client.env->disk, "/share/repo", &err) != GRAFT_OK) {
            (void)snprintf(slot->error, sizeof slot->error, "%s", err.text);
            return SQLITE_IOERR;
        }
    }
    return slot->run->workload->setup(&slot->client);
}

int run_task_drive(struct slot *slot)
{
    return slot->run->workload->drive(&slot->client);
}
