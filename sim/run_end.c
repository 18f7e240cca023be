/* The end of a run: faults are over, and everything must come right within bounds. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "graft/graft.h"
#include "sim/net.h"
#include "sim/run_parts.h"
#include "vfs/vfs.h"

/* The longest that a request can keep a client: retries with their time-outs, each of the calls
 * before it slowed down; docs/simulator.md says which fault costs what. */
#define STOP_NS (900 * SIM_SECOND)
#define CONVERGE_NS (300 * SIM_SECOND)

bool run_until_idle(struct run *run, uint64_t bound_ns, const char *signature)
{
    enum sim_outcome outcome = sim_world_run(run->world, sim_world_now_ns(run->world) + bound_ns);
    if (!run_judge(run, outcome))
        return false;
    bool idle = true;
    for (uint32_t i = 0; i < run->slot_count; i++) {
        if (run->slots[i].process != NULL && !run_reap(&run->slots[i]))
            idle = false;
    }
    if (!idle) {
        char *waits = sim_world_waits(run->world);
        run_fail(run, signature, "%s", waits);
        free(waits);
    }
    return !run_has_failed(run);
}

/* ---- Connections. */

static int connect(struct slot *slot, sqlite3 **db)
{
    int code = sqlite3_open_v2(slot->client.database, db,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI,
                               slot->client.vfs);
    if (code == SQLITE_OK)
        code = sqlite3_exec(*db, "PRAGMA cache_size=10", NULL, NULL, NULL);
    if (code != SQLITE_OK)
        (void)snprintf(slot->error, sizeof slot->error, "opening: %s", sqlite3_errmsg(*db));
    return code;
}

static int disconnect(struct slot *slot, sqlite3 *db, int code)
{
    int closed = sqlite3_close(db);
    if (closed != SQLITE_OK)
        run_fail(slot->run, "close: a connection does not close", "code %d", closed);
    return code;
}

static int said(struct slot *slot, const char *what, enum graft_rc rc, const struct graft_err *err)
{
    if (rc == GRAFT_OK)
        return SQLITE_OK;
    (void)snprintf(slot->error, sizeof slot->error, "%s: %s (%s)", what, graft_rc_name(rc),
                   err->text);
    return rc == GRAFT_ECORRUPT ? SQLITE_CORRUPT : SQLITE_ERROR;
}

/* ---- What is done on each replica. */

static int settle(struct slot *slot)
{
    int code = workload_settle(&slot->client);
    if (code != SQLITE_OK)
        (void)snprintf(slot->error, sizeof slot->error, "settling: code %d", code);
    return code;
}

static enum graft_rc sum_pages(struct slot *slot, struct graft_session *session,
                               struct graft_err *err)
{
    static uint8_t page[65536];
    struct graft_snapshot snapshot;
    GRAFT_TRY(graft_session_begin(session, &snapshot, err));
    uint64_t sum = snapshot.page_count;
    enum graft_rc rc = GRAFT_OK;
    for (uint32_t i = 1; i <= snapshot.page_count && rc == GRAFT_OK; i++) {
        size_t got = 0;
        rc = graft_session_read(session, i, page, sizeof page, &got, err);
        if (rc == GRAFT_OK)
            sum = graft_checksum64(page, got, sum);
    }
    graft_session_end(session);
    if (rc == GRAFT_OK)
        slot->content = sum;
    return rc;
}

static int take_text(void *arg, int columns, char **values, char **names)
{
    (void)columns;
    (void)names;
    (void)snprintf(arg, 200, "%s", values[0] == NULL ? "" : values[0]);
    return 0;
}

static int check_integrity(struct slot *slot, sqlite3 *db)
{
    char answer[200] = "";
    int code = sqlite3_exec(db, "PRAGMA integrity_check(1)", take_text, answer, NULL);
    if (code != SQLITE_OK)
        (void)snprintf(slot->error, sizeof slot->error, "integrity_check: %s", sqlite3_errmsg(db));
    else if (strcmp(answer, "ok") != 0)
        run_fail(slot->run, "integrity: SQLite finds the database hurt", "replica %u: %s",
                 slot->replica, answer);
    return code;
}

static int read_all(struct slot *slot)
{
    sqlite3 *db = NULL;
    struct graft_session *session = NULL;
    struct graft_err err = {0};
    int code = connect(slot, &db);
    if (code == SQLITE_OK) {
        enum graft_rc rc = graft_session_open(graft_vfs_volume(db, NULL), &session, &err);
        if (rc == GRAFT_OK)
            rc = sum_pages(slot, session, &err);
        graft_session_close(session);
        code = said(slot, "reading all pages", rc, &err);
    }
    if (code == SQLITE_OK)
        code = check_integrity(slot, db);
    return disconnect(slot, db, code);
}

static int settle_and_read(struct slot *slot)
{
    int code = settle(slot);
    return code == SQLITE_OK ? read_all(slot) : code;
}

static int finish(struct slot *slot)
{
    int code = slot->run->workload->finish(&slot->client);
    if (code != SQLITE_OK)
        (void)snprintf(slot->error, sizeof slot->error, "the last check: code %d", code);
    return code;
}

/* ---- The order of it. */

/* Runs a task on a replica, or on each in turn. An error is a failure, unless damage explains
 * it: the run ends then, and says so. */
static bool on_one(struct run *run, uint32_t replica, run_task_fn *task, const char *name,
                   const char *signature)
{
    struct slot *slot = &run->slots[replica];
    run_start(slot, task, name);
    if (!run_until_idle(run, CONVERGE_NS, "converge: a replica does not come to an end"))
        return false;
    if (slot->code == SQLITE_OK)
        return true;
    if (run_may_be_damaged(run))
        run->result->damaged = true;
    else
        run_fail(run, signature, "replica %u: code %d, %s", replica, slot->code, slot->error);
    return false;
}

static bool on_each(struct run *run, run_task_fn *task, const char *name, const char *signature)
{
    for (uint32_t i = 0; i < run->what->replicas; i++) {
        if (!on_one(run, i, task, name, signature))
            return false;
    }
    return true;
}

static bool stop_clients(struct run *run)
{
    run->stopping = true;
    sim_world_set_faults(run->world, false);
    sim_net_heal(run->world);
    for (uint32_t i = 0; i < run->machine_count; i++) {
        if (!sim_machine_is_up(run->machines[i]))
            sim_machine_restart(run->machines[i]);
        (void)run_set_clock(run->machines[i]);
    }
    for (uint32_t i = 0; i < run->slot_count; i++) {
        struct slot *slot = &run->slots[i];
        if (slot->process == NULL)
            continue;
        sim_process_kill_at(slot->process, 0);
        sim_process_resume(slot->process);
    }
    return run_until_idle(run, STOP_NS, "stop: a client does not end although faults have");
}

static bool all_are_equal(struct run *run)
{
    for (uint32_t i = 1; i < run->what->replicas; i++) {
        if (run->slots[i].content == run->slots[0].content)
            continue;
        run_fail(run, "converge: replicas at one remote commit hold different pages",
                 "replica %u differs from replica 0", i);
        return false;
    }
    return true;
}

/* The first round brings every replica's commits to the remote, or drops them; the second brings
 * every replica to the same remote commit, and reads what it holds then. */
static bool converge(struct run *run)
{
    static const char signature[] = "converge: a replica cannot sync although faults have ended";
    return on_each(run, settle, "settle", signature) &&
           on_each(run, settle_and_read, "settle", signature) && all_are_equal(run);
}

/* What the history promises is looked for on one replica: all hold the same pages by then, and each
 * has said which transactions it sees. */
bool run_end(struct run *run)
{
    uint32_t replica = (uint32_t)sim_rng_below(&run->rng, run->what->replicas);
    return stop_clients(run) && converge(run) &&
           on_one(run, replica, finish, "finish", "finish: the last check cannot be made");
}
