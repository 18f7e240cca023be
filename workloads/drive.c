/* What a client does until it is told to stop. Half of the time it works as an application that
 * replicates would (pull, some transactions, push), so that what it does often lasts; the rest is
 * one thing or another at random. Failures of the system make it wait; some of them in a row make
 * it open the database again, and in the end give up. */
#include "workloads/drive.h"

#include "base/catalogue.h"
#include "workloads/check.h"

#define THINK_MS_DEFAULT 1000U
#define BURST_MAX 8U
#define FAILURES_BEFORE_REOPENING 4U
#define REOPENINGS_MAX 4U
#define BACK_OFF_MS 250U

struct life {
    struct workload_client *client;
    const struct workload_design *design;
    struct workload_session session;
    uint32_t failures;   /* in a row */
    uint32_t reopenings; /* since something worked */
    bool is_open;
};

/* The tables every workload has, then its own. */
static int make_schema(struct workload_session *session, const struct workload_design *design)
{
    int rc = workload_exec(session, "BEGIN IMMEDIATE");
    if (rc == SQLITE_OK)
        rc = workload_exec(session, WORKLOAD_OP_TABLE);
    if (rc == SQLITE_OK)
        rc = workload_exec(session, design->schema);
    if (rc == SQLITE_OK && design->fill != NULL)
        rc = design->fill(session);
    if (rc == SQLITE_OK)
        rc = workload_exec(session, "COMMIT");
    workload_roll_back(session);
    return rc;
}

int workload_design_setup(struct workload_client *client, const struct workload_design *design)
{
    struct workload_session session;
    int rc = workload_session_open(&session, client, design->sql, 0);
    if (rc == SQLITE_OK)
        rc = make_schema(&session, design);
    if (rc == SQLITE_OK)
        rc = workload_push(&session);
    workload_session_close(&session);
    return rc;
}

static int check_all(struct workload_session *session, const struct workload_design *design)
{
    int rc = design->check != NULL ? design->check(session) : SQLITE_OK;
    return rc == SQLITE_OK ? workload_integrity(session) : rc;
}

int workload_design_check(struct workload_client *client, const struct workload_design *design)
{
    struct workload_session session;
    int rc = workload_session_open(&session, client, design->sql, 0);
    if (rc == SQLITE_OK)
        rc = check_all(&session, design);
    workload_session_close(&session);
    return rc;
}

/* ---- Driving ---- */

static int open_life(struct life *life, uint32_t ops_before)
{
    int rc = workload_session_open(&life->session, life->client, life->design->sql, ops_before);
    life->is_open = rc == SQLITE_OK;
    /* A small cache spills in mid-transaction. */
    if (rc == SQLITE_OK && workload_once_in(life->client, 4))
        rc = workload_exec(&life->session, "PRAGMA cache_size = 5");
    if (rc == SQLITE_OK && workload_once_in(life->client, 4))
        rc = workload_exec(&life->session, "PRAGMA journal_mode = persist");
    return rc == SQLITE_OK ? workload_survey(&life->session) : rc;
}

static int reopen(struct life *life)
{
    uint32_t ops_before = life->session.op_count;
    workload_session_close(&life->session);
    life->failures = 0;
    life->reopenings++;
    return open_life(life, ops_before);
}

static bool goes_on(const struct life *life)
{
    return life->client->goes_on(life->client->arg);
}

static void think(struct life *life, uint32_t mean_ms)
{
    uint64_t drawn_ms = workload_below(life->client, 2 * (uint64_t)mean_ms + 1);
    graft_task_sleep_ms(life->client->env->tasks, (uint32_t)drawn_ms);
}

static uint32_t pause_ms(const struct life *life)
{
    return life->client->think_ms > 0 ? life->client->think_ms : THINK_MS_DEFAULT;
}

/* Pull, work, push, as close together as applications do it. */
static int burst(struct life *life)
{
    int rc = workload_synchronise(&life->session);
    uint64_t count = 1 + workload_below(life->client, BURST_MAX);
    for (uint64_t i = 0; i < count && rc == SQLITE_OK && goes_on(life); i++) {
        rc = life->design->transact(&life->session);
        think(life, pause_ms(life) / 50);
    }
    if (rc == SQLITE_OK)
        rc = workload_push(&life->session);
    if (life->session.diverged)
        rc = workload_reset(&life->session);
    if (goes_on(life))
        think(life, pause_ms(life) * (uint32_t)count);
    return rc;
}

/* Another connection of the same process, beside the one that is open. */
static int look_twice(struct life *life)
{
    struct workload_session other;
    int rc = workload_session_open(&other, life->client, life->design->sql, 0);
    if (rc == SQLITE_OK)
        rc = life->design->check(&other);
    workload_session_close(&other);
    return rc;
}

/* A pull that finds both sides moved leaves the choice to the client. */
static int pull_or_reset(struct life *life)
{
    int rc = workload_pull(&life->session);
    if (life->session.diverged && workload_once_in(life->client, 2))
        rc = workload_reset(&life->session);
    return life->session.diverged ? SQLITE_OK : rc;
}

static int push_or_reset(struct life *life)
{
    int rc = workload_push(&life->session);
    if (life->session.diverged && workload_once_in(life->client, 2))
        rc = workload_reset(&life->session);
    return life->session.diverged ? SQLITE_OK : rc;
}

/* What an operator types. */
static int look_around(struct life *life)
{
    static const char *const statements[] = {
        "SELECT * FROM graft_status",      "PRAGMA graft_fetch",
        "SELECT * FROM graft_log LIMIT 3", "SELECT * FROM graft_pages",
        "SELECT * FROM graft_stats",       "PRAGMA graft_status",
        "PRAGMA graft_prefetch=off",       "PRAGMA graft_prefetch=auto",
    };
    size_t count = sizeof statements / sizeof statements[0];
    return workload_exec(&life->session, statements[workload_below(life->client, count)]);
}

static int one_thing(struct life *life)
{
    uint64_t draw = workload_below(life->client, 100);
    struct workload_session *session = &life->session;
    if (draw < 62)
        return life->design->transact(session);
    if (draw < 70)
        return push_or_reset(life);
    if (draw < 78)
        return pull_or_reset(life);
    if (draw < 86)
        return life->design->check(session);
    if (draw < 88)
        return workload_integrity(session);
    if (draw < 91)
        return workload_hydrate(session);
    if (draw < 93)
        return look_twice(life);
    if (draw < 95)
        return workload_survey(session);
    if (draw < 97)
        return workload_exec(session, "VACUUM");
    if (draw < 98)
        return look_around(life);
    return draw < 99 ? workload_verify(session) : reopen(life);
}

/* What no waiting mends while the connection is open. */
static bool is_beyond_use(int rc)
{
    int primary = rc & 0xff;
    return rc == SQLITE_READONLY_DBMOVED || primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB ||
           primary == SQLITE_CANTOPEN;
}

/* What makes SQLite roll back by itself, amid whatever runs. */
static bool is_of_the_system(int rc)
{
    int primary = rc & 0xff;
    return primary == SQLITE_IOERR || primary == SQLITE_NOMEM || primary == SQLITE_FULL;
}

/* After a failure: waits, longer each time, and opens the database again when it goes on, or was
 * never open. Returns what that came to; `*gives_up` when it was tried often enough. */
static int recover(struct life *life, int rc, bool *gives_up)
{
    think(life, BACK_OFF_MS << (life->failures < 4 ? life->failures : 4));
    life->failures++;
    bool worn = life->session.uses_fts5 && is_of_the_system(rc);
    bool again = is_beyond_use(rc) || worn || life->failures >= FAILURES_BEFORE_REOPENING;
    if (!again && life->is_open)
        return SQLITE_OK;
    *gives_up = life->reopenings >= REOPENINGS_MAX;
    if (*gives_up)
        return rc;
    GRAFT_REACHABLE("a client opens the database again to get over failures");
    return reopen(life);
}

int workload_design_drive(struct workload_client *client, const struct workload_design *design)
{
    struct life life = {.client = client, .design = design};
    bool gives_up = false;
    int rc = open_life(&life, 0);
    while (!gives_up && goes_on(&life)) {
        if (rc == SQLITE_OK)
            rc = workload_once_in(client, 4) ? burst(&life) : one_thing(&life);
        if (rc == SQLITE_OK) {
            life.failures = 0;
            life.reopenings = 0;
            think(&life, pause_ms(&life));
            continue;
        }
        GRAFT_SOMETIMES((rc & 0xff) == SQLITE_BUSY, "a client is told to try again");
        GRAFT_SOMETIMES((rc & 0xff) == SQLITE_IOERR, "a client's call fails in mid-work");
        rc = recover(&life, rc, &gives_up);
    }
    workload_session_close(&life.session);
    return goes_on(&life) ? rc : SQLITE_OK;
}

/* ---- The end ---- */

static int finish_with(struct workload_session *session, const struct workload_design *design)
{
    struct workload_client *client = session->client;
    size_t *order = NULL;
    size_t count = 0;
    struct workload_verdict verdict = {.signature = NULL};
    if (workload_check_survival(client->history, client->env->alloc, client->may_lose_commits,
                                &order, &count, &verdict) != GRAFT_OK)
        return SQLITE_NOMEM;
    if (verdict.signature != NULL)
        workload_violated(client, verdict.signature, "%s", verdict.text);
    int rc = SQLITE_OK;
    if (verdict.signature == NULL && design->finish != NULL)
        rc = design->finish(session, order, count);
    graft_free(client->env->alloc, order);
    return rc;
}

int workload_design_finish(struct workload_client *client, const struct workload_design *design)
{
    struct workload_session session;
    int rc = workload_session_open(&session, client, design->sql, 0);
    if (rc == SQLITE_OK)
        rc = check_all(&session, design);
    if (rc == SQLITE_OK)
        rc = workload_survey(&session);
    if (rc == SQLITE_OK && workload_history_failed(client->history))
        rc = SQLITE_NOMEM;
    if (rc == SQLITE_OK)
        rc = finish_with(&session, design);
    workload_session_close(&session);
    return rc;
}
